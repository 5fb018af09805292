"""The search for the smallest change of the true backward pass that gives the hand's gradient.

Every mistake of the catalogue is tried at every place, and at all places of the same part at
once, as a loop over layers makes it. Where a factor is wrong, the factor is solved for: the
gradient is linear in it. If no single change explains all tensors, the changes that explain
some, and spoil none, are the ground on which a second one is looked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from time import perf_counter

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.auditor.anatomy import Place
from tensorgrad.auditor.catalogue import Context, Mistake, mistakes_at
from tensorgrad.auditor.directions import Direction, directions, penalties
from tensorgrad.auditor.sweeping import Changes, changed

__all__ = ["Candidate", "Part", "Problem", "search"]

N_GROUNDS = 14
"""Partial explanations on which a second mistake is looked for."""

UNDONE = 0.25
"""How much less likely a factor is that takes part of another one back."""

CHEAPEST = 0.8
"""No change is likelier than this."""

MARGIN = 0.3
"""How much less likely an explanation may be, and still be told as a tie."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be explained: gradients by hand, true ones, how far they may be apart."""

    context: Context
    hand: Mapping[str, Array]
    true: Mapping[str, Array]
    tolerance: Mapping[str, float]
    sizes: Mapping[str, float]
    decay: Mapping[str, Array] = field(default_factory=dict)
    """The penalty's part of the true gradient, where there is one."""

    def matches(self, moved: Mapping[str, Array]) -> frozenset[str]:
        """Return the tensors that the true gradient, moved, gives as the hand does."""
        return frozenset(name for name in self.hand if self.is_match(name, moved))

    def is_match(self, name: str, moved: Mapping[str, Array]) -> bool:
        """Tell whether one tensor is explained."""
        there = self.true[name] + moved[name] if name in moved else self.true[name]
        if there.shape != self.hand[name].shape:
            return False
        return self._is_near(name, self.hand[name] - there, there)

    def _is_near(self, name: str, gap: Array, there: Array) -> bool:
        scale = float(np.linalg.norm(there))
        return float(np.linalg.norm(gap)) <= self.tolerance[name] + 1e-9 * scale

    def matches_but_for_penalty(self, moved: Mapping[str, Array]) -> frozenset[str]:
        """Return the tensors that would be explained if the penalty had another factor."""
        found = []
        for name, term in self.decay.items():
            there = self.true[name] + moved.get(name, 0.0)
            size = float((term * term).sum())
            if there.shape != self.hand[name].shape or not size > 0 or term.size < 3:
                continue
            gap = self.hand[name] - there
            rest = gap - float((gap * term).sum()) / size * term
            if self._is_near(name, rest, there):
                found.append(name)
        return frozenset(found)


@dataclass(frozen=True, slots=True)
class Part:
    """One change: what was done, where, and how likely it is."""

    family: str
    key: str
    places: tuple[Place, ...]
    text: str
    fix: str
    cost: float
    factor: float = float("nan")
    expressions: tuple[str, ...] = ()
    affects: frozenset[str] = frozenset()
    """Tensors whose gradient it changes."""


@dataclass(slots=True)
class Candidate:
    """One or more changes, and what they do to the gradient."""

    parts: tuple[Part, ...]
    changes: Changes
    added: dict[str, Array]
    moved: dict[str, Array]
    matched: frozenset[str] = field(default_factory=frozenset)
    nearly: frozenset[str] = field(default_factory=frozenset)
    """Tensors that are explained, if not for a factor of the penalty."""

    @property
    def cost(self) -> float:
        """How unlikely it is; two factors on the same tensors undo one another."""
        factors = [p for p in self.parts if p.family in ("scale", "sign")]
        overlap = any(a.affects & b.affects for a, b in combinations(factors, 2))
        return sum(p.cost for p in self.parts) + UNDONE * overlap


@dataclass(slots=True)
class Found:
    """The best explanation, others that are as good, and what stays unexplained."""

    best: Candidate
    ties: list[Candidate]
    unexplained: frozenset[str]


def search(problem: Problem, seconds: float = 60.0) -> Found:
    """Return the explanation of the wrong tensors."""
    everything = frozenset(problem.hand)
    end = perf_counter() + seconds
    start = Candidate((), {}, {}, {}, problem.matches({}))
    start.nearly = problem.matches_but_for_penalty({})
    grounds = [start]
    best = start
    for _ in range(3):
        full: list[Candidate] = []
        partial: list[Candidate] = []
        for ground in grounds:
            least = min((c.cost for c in full), default=np.inf)
            if ground.cost + CHEAPEST > least + MARGIN:
                continue
            for candidate in _further(problem, ground):
                if candidate.matched == everything:
                    full.append(candidate)
                else:
                    partial.append(candidate)
            if perf_counter() > end:
                break
        if full:
            return _chosen(full)
        # One change more has to explain more than the best without it does.
        grounds = _grounds([c for c in partial if _n_explained(c) > _n_explained(best)])
        if not grounds or perf_counter() > end:
            break
        best = grounds[0]
    return Found(best, [], everything - best.matched)


def _chosen(full: list[Candidate]) -> Found:
    full.sort(key=lambda c: c.cost)
    best = full[0]
    told = {_meaning(best)}
    ties = []
    for other in full[1:]:
        if other.cost > best.cost + MARGIN:
            break
        if _meaning(other) not in told:
            told.add(_meaning(other))
            ties.append(other)
    return Found(best, ties, frozenset())


def _meaning(candidate: Candidate) -> frozenset[object]:
    """Return what makes two explanations the same for a reader."""
    return frozenset(
        (p.family, p.key if np.isnan(p.factor) else round(p.factor, 6), p.affects)
        for p in candidate.parts
    )


def _grounds(partial: list[Candidate]) -> list[Candidate]:
    """Return partial explanations worth going on from, one for each prediction."""
    partial.sort(key=lambda c: (-_n_explained(c), c.cost))
    kept: list[Candidate] = []
    seen: set[object] = set()
    for candidate in partial:
        sign = frozenset(
            (name, f"{np.linalg.norm(move):.6g}", f"{move.sum():.6g}")
            for name, move in candidate.moved.items()
        )
        if sign not in seen:
            seen.add(sign)
            kept.append(candidate)
    # The likeliest of each set of explained tensors first, then the rest.
    first: dict[object, Candidate] = {}
    for candidate in sorted(kept, key=lambda c: c.cost):
        first.setdefault((candidate.matched, candidate.nearly), candidate)
    best = sorted(first.values(), key=lambda c: (-_n_explained(c), c.cost))
    rest = [c for c in kept if all(c is not b for b in best)]
    return (best + rest)[:N_GROUNDS]


def _n_explained(candidate: Candidate) -> float:
    return len(candidate.matched) + 0.5 * len(candidate.nearly - candidate.matched)


def _further(problem: Problem, ground: Candidate) -> Iterator[Candidate]:
    """Yield the ground with one more change."""
    yield from _of_catalogue(problem, ground)
    for direction in directions(problem.context, problem.hand):
        yield from _along(problem, ground, direction)
    for addition in penalties(problem.context):
        yield from _added(problem, ground, addition)


def _of_catalogue(problem: Problem, ground: Candidate) -> Iterator[Candidate]:
    context = problem.context
    groups: dict[tuple[str, ...], list[tuple[Place, Mistake]]] = {}
    for place in context.parts.places:
        if place.site not in context.true.shares:
            continue  # nothing comes this way
        for mistake in mistakes_at(context, place):
            # All places of a part, or those of them with the same op, as all leaky layers.
            op = context.parts.step(place).op.name
            groups.setdefault((place.role, mistake.key), []).append((place, mistake))
            groups.setdefault((place.role, mistake.key, op), []).append(
                (place, mistake)
            )
            yield from _tried(problem, ground, [(place, mistake)])
    for group, members in groups.items():
        is_part = len(group) == 3 and len(members) == len(groups[group[0], group[1]])
        if len(members) > 1 and not is_part:
            yield from _tried(problem, ground, members)
            below = [m for m in members if m[0].layer < context.parts.top]
            if 1 < len(below) < len(members):
                yield from _tried(problem, ground, below)
    for members in _whole_dropouts(groups):
        yield from _tried(problem, ground, members, "dropout missing")


def _whole_dropouts(
    groups: Mapping[tuple[str, ...], list[tuple[Place, Mistake]]],
) -> list[list[tuple[Place, Mistake]]]:
    """Return masks with their scales: by layer, and all together."""
    masks = groups.get(("mask", "mask missing"), [])
    keeps = groups.get(("keep", "scale missing"), [])
    both = [
        [m for m in (*masks, *keeps) if m[0].layer == layer]
        for layer in sorted({m[0].layer for m in masks} & {k[0].layer for k in keeps})
    ]
    everything = [m for pair in both for m in pair]
    return [*both, everything] if everything else []


def _tried(
    problem: Problem,
    ground: Candidate,
    members: list[tuple[Place, Mistake]],
    key: str = "",
) -> Iterator[Candidate]:
    new = {place.site: mistake.change for place, mistake in members}
    if new.keys() & ground.changes.keys():
        return
    first = members[0][1]
    text, layers = first.text, sorted({p.layer for p, _ in members})
    if key == "dropout missing":
        text = f"dropout of layer {_listed(layers)} is missing on the way back"
    elif len(members) > 1:
        text = f"{text}, and so in the layers {_listed(layers)}"
    part = Part(
        first.family,
        key or first.key,
        tuple(place for place, _ in members),
        text,
        first.fix,
        max(m.cost for _, m in members) + 0.05 * (len(members) > 1),
    )
    yield from _candidate(problem, ground, part, new, {})


def _listed(layers: list[int]) -> str:
    return ", ".join(map(str, layers))


def _candidate(
    problem: Problem,
    ground: Candidate,
    part: Part,
    new: Changes,
    added: Mapping[str, Array],
) -> Iterator[Candidate]:
    changes = {**ground.changes, **new}
    sums = dict(ground.added)
    for name, term in added.items():
        sums[name] = sums[name] + term if name in sums else term
    moved = _moved(problem, changes, sums)
    if moved is None:
        return
    matched = problem.matches(moved)
    nearly = ground.nearly
    if matched == ground.matched:
        nearly = problem.matches_but_for_penalty(moved)
    if matched > ground.matched or (
        matched == ground.matched and nearly > ground.nearly
    ):
        affects = frozenset(
            name
            for name in problem.hand
            if np.any(moved.get(name, 0.0) != ground.moved.get(name, 0.0))
        )
        parts = (*ground.parts, replace(part, affects=affects))
        yield Candidate(parts, changes, sums, moved, matched, nearly)


def _moved(
    problem: Problem, changes: Changes, added: Mapping[str, Array]
) -> dict[str, Array] | None:
    """Return by how much the gradient differs, or None for what could not have run."""
    context = problem.context
    try:
        moved = changed(context.parts.found, context.true, changes)
    except ValueError:  # shapes that do not fit: nobody has written this
        return None
    for name, term in added.items():
        moved[name] = moved[name] + term if name in moved else term
    return moved


def _along(
    problem: Problem, ground: Candidate, direction: Direction
) -> Iterator[Candidate]:
    """Yield the ground with a factor that makes some tensor right."""
    sites = {place.site for place in direction.places}
    if sites & ground.changes.keys():
        return
    unit = direction.null + 1.0
    changes = {**ground.changes, **direction.change(unit)}
    there = _moved(problem, changes, ground.added)
    if there is None:
        return
    factors = list(direction.tried)
    for name in problem.hand:
        if name in ground.matched and direction.is_linear:
            continue
        here = ground.moved.get(name)
        slope = there.get(name)
        if slope is None and here is None:
            continue
        zero = np.zeros_like(problem.true[name])
        slope = (zero if slope is None else slope) - (zero if here is None else here)
        if problem.hand[name].shape != slope.shape:
            continue
        gap = problem.hand[name] - problem.true[name] - (zero if here is None else here)
        factors += [
            direction.null + step for step in _solved(problem, name, gap, slope)
        ]
    for factor, part in _told(problem, direction, factors):
        yield from _candidate(problem, ground, part, direction.change(factor), {})


def _solved(problem: Problem, name: str, gap: Array, slope: Array) -> Iterator[float]:
    """Yield the multiple of a slope that a gap is, if it is one."""
    size = float((slope * slope).sum())
    if not size > 0:
        return
    step = float((gap * slope).sum()) / size
    off = float(np.linalg.norm(gap - step * slope))
    scale = float(np.linalg.norm(problem.hand[name]))
    if off <= problem.tolerance[name] + 1e-8 * scale:
        yield step


def _told(
    problem: Problem, direction: Direction, factors: list[float]
) -> Iterator[tuple[float, Part]]:
    """Yield each number once, with what it means along a direction."""
    for factor in _distinct(factors):
        told = direction.tell(factor, problem.sizes)
        if told is not None:
            yield (
                factor,
                Part(
                    told.family,
                    direction.key,
                    direction.places,
                    told.text,
                    told.fix,
                    told.cost + direction.cost,
                    told.factor,
                    told.expressions,
                ),
            )


def _distinct(factors: list[float]) -> list[float]:
    kept: list[float] = []
    for factor in factors:
        if np.isfinite(factor) and not any(
            abs(factor - k) <= 1e-7 * max(abs(k), 1e-3) for k in kept
        ):
            kept.append(factor)
    return kept


def _added(
    problem: Problem, ground: Candidate, addition: Direction
) -> Iterator[Candidate]:
    """Yield the ground with a multiple of the parameters themselves added."""
    factors: list[float] = []
    if not addition.terms.keys() <= problem.hand.keys():
        return
    for name, term in addition.terms.items():
        gap = problem.hand[name] - problem.true[name]
        gap = gap - ground.moved.get(name, 0.0) - addition.offset.get(name, 0.0)
        if name not in ground.matched:
            factors += _solved(problem, name, gap, term)
    for factor, part in _told(problem, addition, factors):
        terms = {
            name: factor * term + addition.offset.get(name, 0.0)
            for name, term in addition.terms.items()
        }
        yield from _candidate(problem, ground, part, {}, terms)
