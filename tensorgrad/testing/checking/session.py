"""One check at one point: what is compared, in which order, and what stops it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.autodiff.products import vjp
from tensorgrad.autodiff.self_check import widened
from tensorgrad.core.modes import switch
from tensorgrad.core.tensor import as_value, wrap
from tensorgrad.testing.checking.directions import drawn, sampled, single
from tensorgrad.testing.checking.flat import (
    Arguments,
    Flat,
    Forward,
    Handwritten,
    Reverse,
    runs_on_tensors,
)
from tensorgrad.testing.checking.judging import (
    CONFIRMED,
    INCONCLUSIVE,
    REFUTED,
    Check,
    Claimed,
    difference,
    judge,
)
from tensorgrad.testing.checking.properties import (
    check_cotangent,
    check_layouts,
    check_memory,
    find_randomness,
)
from tensorgrad.testing.checking.slopes import Probe
from tensorgrad.testing.checking.watching import Rounding

__all__ = ["Session"]

N_DIRECTIONS, MOST_DIRECTIONS = 2, 5
"""Random directions for each argument, and how many if none can be told."""

N_ROUNDED = 4
"""Runs with other roundings; the spread of so few is taken fourfold."""

NOISE_FACTOR = 4.0
N_REDRAWS = 4
LARGEST_MOVE = 0.05
"""Of an entry's size: how far a point moves off a kink."""

ENTRY_WORK = 2e7
"""Entries times calls that single entries may cost."""

MOST_ENTRIES = 60


@dataclass
class Session:
    """What is known of a function, its derivative, and the point they are compared at."""

    flat: Flat
    arguments: Arguments
    handwritten: Handwritten | None
    modes: tuple[str, ...]
    rng: np.random.Generator
    n_entries: int | None = None
    label: str = ""
    checks: list[Check] = field(default_factory=list)
    entries: list[Check] = field(default_factory=list)
    n_calls: int = 0
    n_redrawn: int = 0
    measured: dict[int, Any] = field(default_factory=dict)
    adjoints: list[Array] = field(default_factory=list)

    def run(self, order: int) -> None:
        """Check the first derivative, then those above it while nothing is wrong."""
        arrays = self.arguments.point
        random = find_randomness(self.flat, arrays)
        if random is not None:
            self.checks.append(random)
            return
        values = self.flat.values(arrays, as_tensors=self.flat.takes_tensors(arrays))
        if not all(np.isfinite(v).all() for v in values):
            self._note("value", "the function", INCONCLUSIVE, "it is not finite here")
            return
        weights = self._weights(values)
        arrays, probe = self._off_kinks(weights)
        noise = self._compare(arrays, weights, probe)
        if self.handwritten is None and "reverse" in self.modes:
            self._compare_forward(arrays, weights, probe, noise)
        self.n_calls += probe.n_calls
        is_wrong = any(c.verdict == REFUTED for c in (*self.checks, *self.entries))
        if order > 1 and not is_wrong:
            self._next_order(arrays, weights, order - 1)

    def _note(self, name: str, where: str, verdict: str, reason: str = "") -> None:
        self.checks.append(Check(self.label + name, where, verdict, reason))

    def _weights(self, values: Sequence[Array]) -> list[Array]:
        """Return what makes one number of the results: random, so that none hides."""
        is_scalar = len(values) == 1 and values[0].size == 1
        if self.handwritten is not None and not self.handwritten.takes_cotangent:
            if not is_scalar:
                self._note(
                    "value",
                    "the function",
                    INCONCLUSIVE,
                    "a handwritten gradient of several numbers takes a cotangent: give it "
                    "a parameter g",
                )
            return [np.ones(v.shape) for v in values]
        return [
            np.asarray(
                self.rng.choice([-1.0, 1.0], v.shape)
                * self.rng.uniform(0.5, 1.0, v.shape)
            )
            for v in values
        ]

    def _off_kinks(self, weights: Sequence[Array]) -> tuple[list[Array], Probe]:
        """Return the point, moved by less than a tenth if it lies at a kink."""
        arrays = list(self.arguments.point)
        for k in range(N_REDRAWS + 1):
            probe = Probe(self.flat, arrays, weights)
            found = probe.slope([drawn(self.rng, x) for x in probe.point])
            if found.reason != "kink" or k == N_REDRAWS:
                break
            self.n_calls += probe.n_calls
            self.n_redrawn += 1
            arrays = [
                np.asarray(
                    x
                    + LARGEST_MOVE
                    * self.rng.uniform(-1, 1, x.shape)
                    * drawn(self.rng, widened(x)),
                    x.dtype,
                )
                for x in self.arguments.point
            ]
        return arrays, probe

    # ---------------------------------------------------------------- comparisons

    def _compare(
        self, arrays: list[Array], weights: list[Array], probe: Probe
    ) -> list[Array]:
        """Compare adjoints along directions, in single entries, and with themselves."""
        claim: Any = self.handwritten or Reverse(self.flat)
        name = self.label + claim.name
        if self.handwritten is not None:
            self.checks.append(check_memory(self.handwritten, arrays, weights))
        found = [np.asarray(g) for g in claim(arrays, weights)]
        self.adjoints = found
        noise = self._noise(claim, arrays, weights, found)
        eps = _epsilon([*arrays, *found])
        if self.handwritten is None and "reverse" not in self.modes:
            self._compare_forward(arrays, weights, probe, noise)
            return noise
        if self.handwritten is not None:
            again = self.handwritten(arrays, weights)
            if not all(map(_equal, found, again)):
                self._note(
                    "same twice", "the gradient", INCONCLUSIVE, "two calls differ"
                )
                return noise
        if self.handwritten is None or self.handwritten.takes_cotangent:
            self.checks.append(check_cotangent(claim, arrays, weights, name))
        if any(
            not np.array_equal(x.shape, g.shape)
            for x, g in zip(arrays, found, strict=True)
        ):
            self._note("shapes", "the gradient", REFUTED, "not those of the arguments")
            return noise
        for k in range(len(arrays)):
            self._compare_array(k, name, found[k], noise[k], eps, probe)
        self._compare_entries(name, found, noise, eps, probe)
        self.checks.append(
            check_layouts(claim, arrays, weights, self.arguments.names, noise, eps)
        )
        return noise

    def _compare_array(
        self, k: int, name: str, g: Array, noise: Array, eps: float, probe: Probe
    ) -> None:
        """Compare the adjoint of one array along random directions."""
        where = self.arguments.names[k]
        if not g.size:
            return
        found: list[Check] = []
        tried: list[tuple[Check, Any]] = []
        while len(found) < N_DIRECTIONS or (
            len(found) < MOST_DIRECTIONS
            and all(c.verdict == INCONCLUSIVE for c in found)
        ):
            v = drawn(self.rng, probe.point[k])
            found.append(self._along(k, name, where, g, noise, eps, v, probe))
            tried.append((found[-1], self.measured.get(k)))
            if found[-1].verdict == REFUTED:
                self._localise(k, name, g, noise, eps, v, probe)
                break
        # What tells most about the other mode is where this one was resolved best.
        _, self.measured[k] = min(tried, key=lambda pair: _unresolved(pair[0]))
        self.checks.append(_decisive(found))

    def _along(
        self,
        k: int,
        name: str,
        where: str,
        g: Array,
        noise: Array,
        eps: float,
        v: Array,
        probe: Probe,
    ) -> Check:
        direction: list[Any] = [None] * len(probe.point)
        direction[k] = v
        # What does not move takes no part, be it infinite.
        products = np.where(v == 0, 0.0, g.astype(np.result_type(g, np.float64)) * v)
        terms = np.abs(products)
        claimed = float(np.sum(products).real)
        # Roundings of different entries are not correlated: they add up as squares.
        off = float(
            np.sqrt(
                np.sum(
                    np.square(noise * np.abs(v), where=v != 0, out=np.zeros(v.shape))
                )
            )
        )
        off += 4.0 * eps * _in_quadrature(terms, np.ones(terms.shape))
        slope = probe.slope(direction)
        if np.count_nonzero(v) == v.size:
            self.measured[k] = (v, claimed, slope)
        return judge(
            name,
            where,
            Claimed(claimed, off, eps, vanishes=not terms.any()),
            slope,
            lambda: probe.slope(direction, finer=True),
            scale=probe.scale,
        )

    def _localise(
        self,
        k: int,
        name: str,
        g: Array,
        noise: Array,
        eps: float,
        v: Array,
        probe: Probe,
    ) -> None:
        """Halve a direction until one entry is left that is wrong by itself."""
        places = np.flatnonzero(v)
        while places.size > 1:
            half = places[: places.size // 2]
            part = np.zeros_like(v)
            part.flat[half] = v.flat[half]
            found = self._along(k, name, "", g, noise, eps, part, probe)
            places = half if found.verdict == REFUTED else places[half.size :]
        place = tuple(int(i) for i in np.unravel_index(int(places[0]), v.shape))
        self._compare_entry(k, name, place, g, noise, eps, probe)

    def _compare_entries(
        self,
        name: str,
        found: list[Array],
        noise: list[Array],
        eps: float,
        probe: Probe,
    ) -> None:
        total = sum(g.size for g in found)
        affordable = int(ENTRY_WORK / max(total, 1) / 12)
        n = self.n_entries or max(4, min(MOST_ENTRIES, affordable))
        for k, places in enumerate(sampled(self.rng, found, n)):
            for place in places:
                self._compare_entry(k, name, place, found[k], noise[k], eps, probe)

    def _compare_entry(
        self,
        k: int,
        name: str,
        place: tuple[int, ...],
        g: Array,
        noise: Array,
        eps: float,
        probe: Probe,
    ) -> None:
        where = self.arguments.names[k] + (str(list(place)) if place else "")
        units = (1.0, 1j) if probe.point[k].dtype.kind == "c" else (1.0,)
        for unit in units:
            v = single(probe.point[k], place, unit)
            size = float(np.abs(v[place]))
            check = self._along(k, name, where, g, noise, eps, v, probe)
            claimed, reference = check.claimed / size, check.reference / size
            reason = check.reason
            if check.verdict == REFUTED:
                reason = difference(claimed, reference)
            self.entries.append(
                Check(
                    check.name,
                    where,
                    check.verdict,
                    reason,
                    claimed,
                    reference,
                    check.bound / size,
                )
            )

    def _compare_forward(
        self,
        arrays: list[Array],
        weights: list[Array],
        probe: Probe,
        noise: list[Array],
    ) -> None:
        """Compare what forward mode finds along a direction of each argument."""
        if "forward" not in self.modes:
            return
        claim = Forward(self.flat)
        name, eps = self.label + "forward", _epsilon(arrays)
        zeros = [np.zeros(x.shape, x.dtype) for x in arrays]
        for k, x in enumerate(arrays):
            if not x.size:
                continue
            v = drawn(self.rng, probe.point[k])
            v, adjoint, slope = self.measured.get(k) or (v, None, None)
            direction: list[Any] = [None] * len(arrays)
            direction[k] = v
            tangents = [*zeros[:k], v, *zeros[k + 1 :]]
            claimed = claim.along(arrays, tangents, weights)
            # Both modes add up the same terms, each in its own order.
            off = 2.0 * _in_quadrature(noise[k], v) + 8.0 * eps * abs(claimed)
            where = self.arguments.names[k]
            vanishes = claimed == 0 and not self.adjoints[k].any()
            check = judge(
                name,
                where,
                Claimed(claimed, off, eps, vanishes=vanishes),
                probe.slope(direction) if slope is None else slope,
                lambda d=direction: probe.slope(d, finer=True),  # type: ignore[misc]
                scale=probe.scale,
            )
            self.checks.append(check)
            if adjoint is not None:
                self.checks.append(self._agreement(where, claimed, adjoint, off))

    def _agreement(
        self, where: str, forward: float, reverse: float, off: float
    ) -> Check:
        """Check ⟨u, Jv⟩ = ⟨Jᵀu, v⟩: between both modes there is rounding alone."""
        name = self.label + "both modes"
        bound = 4.0 * off
        verdict, reason = CONFIRMED, ""
        if not abs(forward - reverse) <= bound and np.isfinite(bound):
            verdict, reason = REFUTED, "forward and reverse mode differ"
        return Check(name, where, verdict, reason, forward, reverse, bound)

    # ----------------------------------------------------------------------- noise

    def _noise(
        self,
        claim: Any,
        arrays: list[Array],
        weights: list[Array],
        found: list[Array],
    ) -> list[Array]:
        """Return how far rounding moves each entry of the derivative under test."""
        eps = _epsilon([*arrays, *found])
        is_watched = self.handwritten is None or runs_on_tensors(claim, arrays, weights)
        spread = [np.zeros(np.shape(g)) for g in found]
        for _ in range(N_ROUNDED):
            if is_watched:
                given: list[Any] = list(arrays)
                if self.handwritten is not None:
                    given = [wrap(a, None) for a in arrays]
                with switch(watch=Rounding(eps, self.rng)):
                    other = claim(given, weights, keep=True)
            else:
                moved = [
                    np.asarray(
                        a * (1 + eps * self.rng.choice([-1, 1], a.shape)), a.dtype
                    )
                    for a in arrays
                ]
                other = claim(moved, weights)
            for total, g, h in zip(spread, found, other, strict=True):
                gap = np.abs(np.asarray(as_value(h)) - g)
                np.maximum(total, np.where(np.isfinite(gap), gap, np.inf), out=total)
        return [
            NOISE_FACTOR * s + 4.0 * eps * np.abs(g)
            for s, g in zip(spread, found, strict=True)
        ]

    # ---------------------------------------------------------------- second order

    def _next_order(
        self, arrays: list[Array], weights: list[Array], order: int
    ) -> None:
        """Check the derivative of the first derivative in the same way."""
        given = [np.asarray(w) for w in weights]

        def first(*moved: Any) -> list[Any]:
            leaves, pullback = vjp(self.flat, *moved)
            parts = [np.asarray(w, v.dtype) for w, v in zip(given, leaves, strict=True)]
            return list(pullback(parts))

        arguments = Arguments(arrays)
        arguments.names = self.arguments.names
        inner = Session(
            flat=Flat(first, arguments),
            arguments=arguments,
            handwritten=None,
            modes=self.modes,
            rng=self.rng,
            n_entries=self.n_entries or 12,
            label="second order, ",
        )
        inner.run(order)
        inner.checks.append(inner.symmetry(arrays))
        self.checks += inner.checks
        self.entries += inner.entries
        self.n_calls += inner.n_calls
        self.n_redrawn += inner.n_redrawn

    def symmetry(self, arrays: list[Array]) -> Check:
        """Check that the matrix of second derivatives is symmetric: ⟨v, Hw⟩ = ⟨w, Hv⟩."""
        claim = Reverse(self.flat)
        v, w = ([drawn(self.rng, widened(x)) for x in arrays] for _ in range(2))
        hv, hw = claim(arrays, v), claim(arrays, w)
        noise = self._noise(claim, arrays, v, hv)
        left = sum(float(np.sum(a * b).real) for a, b in zip(w, hv, strict=True))
        right = sum(float(np.sum(a * b).real) for a, b in zip(v, hw, strict=True))
        off = sum(
            float(np.sum(n * np.abs(a))) for n, a in zip(noise, w, strict=True)
        ) + 1e3 * _epsilon(arrays) * (
            sum(float(np.sum(np.abs(a * b))) for a, b in zip(w, hv, strict=True))
        )
        name = "second order, symmetry"
        if abs(left - right) <= 4.0 * off or left == right:
            return Check(name, "all arguments", CONFIRMED)
        reason = f"⟨v, Hw⟩ is {right:.8g} and ⟨w, Hv⟩ is {left:.8g}"
        return Check(name, "all arguments", REFUTED, reason, left, right, off)


def _unresolved(check: Check) -> float:
    """Return how little of a derivative was resolved."""
    size = max(abs(check.claimed), abs(check.reference))
    return check.bound / size if size > 0 and check.bound >= 0 else float("inf")


def _decisive(found: Sequence[Check]) -> Check:
    """Return the check that says most: a refuted one, else a confirmed one."""
    refuted = [c for c in found if c.verdict == REFUTED]
    confirmed = [c for c in found if c.verdict == CONFIRMED]
    return (refuted or confirmed or list(found))[0]


def _in_quadrature(noise: Array, v: Array) -> float:
    """Return the noise along a direction: that of different entries is independent."""
    parts = np.where(v == 0, 0.0, noise * np.abs(v))
    largest = float(parts.max(initial=0.0))
    if largest == 0 or not np.isfinite(largest):
        return largest
    return largest * float(np.sqrt(np.sum((parts / largest) ** 2)))


def _equal(a: Any, b: Any) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)


def _epsilon(arrays: Sequence[Any]) -> float:
    """Return the rounding of the narrowest dtype."""
    return max(float(np.finfo(a.dtype).eps) for a in arrays if a.dtype.kind in "fc")
