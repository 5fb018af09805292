"""The reference: slopes of the function's values, at points of one smooth piece.

The values are computed in double precision, whatever the code under test runs in. The
largest step whose stencil stays on one piece and whose error is small is used; smaller
ones are tried where the decisions of the run differ between two points of the stencil
(a kink lies between), or a value is not finite (an end of the domain does).

Where every op takes a complex step, that gives the slope to the last digits, even one
that is lost in the rounding of the function's values. It only refines: it is used while
it agrees with the differences, which need no trust in any op.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.exceptions import ComplexWarning

from tensorgrad._typing import Array
from tensorgrad.autodiff.differences import differentiate
from tensorgrad.autodiff.self_check import widened
from tensorgrad.core.modes import switch
from tensorgrad.errors import TensorgradError
from tensorgrad.testing.checking.flat import Flat
from tensorgrad.testing.checking.watching import Complex, Decisions, Rounding

__all__ = ["Probe", "Slope"]

STEPS = (2.0**-5, 2.0**-10, 2.0**-15, 2.0**-21, 2.0**-28)
"""Largest steps to try, as parts of the size of what moves."""

COMPLEX_STEP = 1e-30
"""Its square is far below the rounding of any value."""

N_ROUNDED = 3
"""Runs with other roundings."""

ENOUGH = 1e-9
"""A relative error at which no other step is tried."""


class _LeftPieceError(Exception):
    """The stencil crosses a kink, or leaves the domain."""


@dataclass(frozen=True, slots=True)
class Slope:
    """A derivative along a direction, its error, and why there is none, if so.

    ``reason`` is "" for a slope, else "kink" or "not finite". ``is_constant`` tells that
    no value of the function differed from the others in a single bit; ``is_exact`` that
    the slope is from a complex step, which loses nothing to the rounding of the values.
    """

    value: float
    error: float
    reason: str = ""
    is_constant: bool = False
    is_exact: bool = False


class Probe:
    """A function at a point, whose slopes are measured by evaluating it.

    ``weights`` make one number of its results; ``scale`` is the size of what is added up
    to it.
    """

    def __init__(
        self, flat: Flat, point: Sequence[Array], weights: Sequence[Array]
    ) -> None:
        self.flat = flat
        self.point = [widened(x) for x in point]
        self.weights = weights
        self.as_tensors = flat.takes_tensors(self.point)
        self.n_calls = 0
        self.start = 0
        self.scale = 0.0
        self.has_complex = self.as_tensors and all(
            x.dtype.kind == "f" for x in self.point
        )
        self.centre, self.number = self._run(self.point)
        self.noise = self._rounding()
        self.scale = max(self.scale, self.noise / float(np.finfo(np.float64).eps))

    def _rounding(self) -> float:
        """Return how far rounding inside the function moves the weighed results."""
        if not self.as_tensors:
            return 0.0
        rounding = Rounding(float(np.finfo(np.float64).eps), np.random.default_rng(0))
        moved = 0.0
        for _ in range(N_ROUNDED):
            self.n_calls += 1
            with switch(watch=rounding), np.errstate(all="ignore"):
                results = self.flat.values(self.point)
            pairs = zip(self.weights, results, strict=True)
            total = sum(float(np.sum(w * r).real) for w, r in pairs)
            moved = max(moved, abs(total - self.centre))
        return moved if np.isfinite(moved) else 0.0

    def _run(self, arrays: Sequence[Array]) -> tuple[float, int]:
        """Return the weighed results, and the number of the decisions taken."""
        self.n_calls += 1
        seen = Decisions()
        with switch(watch=seen), np.errstate(all="ignore"):
            results = self.flat.values(arrays, as_tensors=self.as_tensors)
        total = scale = 0.0
        for weight, result in zip(self.weights, results, strict=True):
            terms = weight * result
            total += float(np.sum(terms).real)
            scale += float(np.sum(np.abs(terms)))
        if self.n_calls == 1:
            self.scale = scale
        return total, seen.number

    def slope(self, direction: Sequence[Any], *, finer: bool = False) -> Slope:
        """Return the derivative of the weighed results along a direction.

        Entries of ``direction`` are None for arrays that stand still. ``finer`` takes
        other steps, for a second opinion of the same kind.
        """
        reason = ""
        best: Slope | None = None
        seen: list[float] = []

        def phi(h: float) -> float:
            seen.append(self._moved(direction, h))
            return seen[-1]

        # What served the last direction is likely to serve this one.
        steps = STEPS[self.start :] + STEPS[: self.start]
        for step in steps:
            try:
                h = step * (0.75 if finer else 1.0)
                found = differentiate(phi, h, noise=self.noise)
            except _LeftPieceError as error:
                reason = str(error)
                continue
            value, error_ = float(found.value), float(found.error)
            if best is None or error_ < best.error:
                best = Slope(value, error_)
                if not finer:
                    self.start = STEPS.index(step)
            if error_ <= ENOUGH * abs(value):
                break
            if all(v == self.centre for v in seen):
                best = Slope(0.0, error_, is_constant=True)
                break
        if best is None:
            return Slope(float("nan"), float("inf"), reason)
        return self._refined(best, direction)

    def _moved(self, direction: Sequence[Any], h: float) -> float:
        """Return the weighed results a step away, on the piece that the point is on."""
        moved = [
            x if v is None else x + h * v
            for x, v in zip(self.point, direction, strict=True)
        ]
        try:
            value, number = self._run(moved)
        except (ArithmeticError, ValueError) as error:
            # It ran at the point itself: its own way to say where its domain ends.
            raise _LeftPieceError("not finite") from error
        if not np.isfinite(value):
            raise _LeftPieceError("not finite")
        if number != self.number:
            raise _LeftPieceError("kink")
        return value

    def _refined(self, slope: Slope, direction: Sequence[Any]) -> Slope:
        """Return the slope by a complex step, if there is one and it agrees."""
        if not self.has_complex:
            return slope
        eps = float(np.finfo(np.float64).eps)
        rounding = Rounding(eps, np.random.default_rng(0))
        found = self._complex_slope(direction, None)
        other = self._complex_slope(direction, rounding)
        if found is None or other is None:
            self.has_complex = False
            return slope
        if not abs(found - slope.value) <= 5.0 * slope.error:
            return slope
        error = 8.0 * abs(found - other) + 1e-12 * abs(found)
        is_zero = found == other == 0.0
        return Slope(found, error, is_constant=is_zero, is_exact=True)

    def _complex_slope(
        self, direction: Sequence[Any], rounding: Rounding | None
    ) -> float | None:
        self.n_calls += 1
        moved = [
            x.astype(np.complex128) if v is None else x + 1j * COMPLEX_STEP * v
            for x, v in zip(self.point, direction, strict=True)
        ]
        try:
            with (
                switch(watch=Complex(rounding)),
                warnings.catch_warnings(),
                np.errstate(all="ignore"),
            ):
                warnings.simplefilter("error", ComplexWarning)
                results = self.flat.values(moved)
        except (TensorgradError, TypeError, ValueError, ComplexWarning):
            return None
        total = 0.0
        for weight, result in zip(self.weights, results, strict=True):
            total += float(np.sum(weight * result.imag)) / COMPLEX_STEP
        return total if np.isfinite(total) else None
