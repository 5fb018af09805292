"""Special points of every op: zeros, ones, ties, and how they meet.

Points for differences keep away from kinks; here they are looked for. A derivative there
is a choice, but not any: it lies between the slopes to either side. Where there is no
kink the slopes agree, so that the formulas that rules keep for such points are tested.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle, islice
from typing import Any

import numpy as np

from tensorgrad.core.op import static_defaults
from tests.table.cases import (
    DIFFERENTIABLE,
    Case,
    Point,
    frozen,
    generator,
    is_shape,
    moving_operands,
    outputs,
)
from tests.table.derivatives import adjoints, like, pushed

NUMBERS = {
    "zeros": ((0.0,),),
    "ones": ((1.0,),),
    "minus ones": ((-1.0,),),
    "ties": ((1.0, 0.0, -1.0, 1.0, 2.0),),
    "crossed": ((0.0, 1.0, -1.0, 0.0, 2.0), (2.0, 0.0, 1.0, -1.0, 0.0)),
    "half and none": ((0.5,), (0.0, 1.0)),
    "tenths": ((0.1,),),
    "one pole": ((0.0, *(0.5,) * 23), (1.0, *(0.5,) * 23)),
    "other pole": ((1.0, *(0.5,) * 23), (0.0, *(0.5,) * 23)),
}
"""Entries of the operands, repeated as needed; the last row serves all that follow.

The mean of three tenths, as floats, is none of them.
"""

STEP = 1e-7
"""Of one-sided differences: their remainder and their rounding are both about 1e-8."""

SLOPE_ATOL = 1e-5
"""What a slope may change by as the step shrinks, and the adjoint may differ by."""

LARGE, LARGER = 1e7, 1e9
"""On the way to infinity: a slope of 1/x is settled between them."""

SIGNS = ((1.0,), (-1.0,), (1.0, -1.0), (-1.0, 1.0))
"""Signs of infinite operands, the last for all that follow."""

NEIGHBOURS = 60
"""Points around a tie that are tried; each order of four entries is met."""

NEAR = 1e-4
"""How far around: a choice is linear there, so that its slopes are exact."""

STEEP = 1e3
"""Slopes beyond it (a square root at zero has 3e3) are infinite in the limit."""


def special_point(case: Case, pattern: str) -> Point:
    """Return the point of a pattern: shapes filled with its numbers."""
    rows = NUMBERS[pattern]
    operands = tuple(
        numbers(rows[min(k, len(rows) - 1)], o) if is_shape(o) else o
        for k, o in enumerate(case.example.operands)
    )
    static = {**static_defaults(case.op), **case.example.static}
    moving = moving_operands(case.op, operands)
    filled = tuple(i for i in moving if is_shape(case.example.operands[i]))
    return Point(case.op, operands, static, filled)


def numbers(row: tuple[float, ...], shape: tuple[int, ...]) -> Any:
    size = int(np.prod(shape))
    return frozen(np.array(list(islice(cycle(row), size))).reshape(shape))


def flat(at: Point, moved: list[Any]) -> Any:
    """Return all results as one vector."""
    with np.errstate(all="ignore"):
        return np.concatenate([np.ravel(out) for out in outputs(at(*moved))])


def jacobian(at: Point) -> Any:
    """Return the adjoints of each result alone, one row for each."""
    results = [np.asarray(out) for out in outputs(at(*at.moved))]
    rows = []
    for k, result in enumerate(results):
        for place in range(result.size):
            seeds = [np.zeros(r.shape, r.dtype) for r in results]
            seeds[k].reshape(-1)[place] = 1.0
            found = adjoints(at, at.moved, seeds)
            rows.append(np.concatenate([a.ravel() for a in found]))
    return np.array(rows)


def slopes(at: Point, step: float) -> Any:
    """Return one-sided differences, one column for each entry of the operands."""
    return secants(at, 0.0, step)


def secants(at: Point, start: float, stop: float) -> Any:
    """Return the slopes between two distances from the point, entry by entry."""
    columns = []
    for k, value in enumerate(at.moved):
        for place in range(value.size):
            ends = []
            for step in (start, stop):
                changed = value.copy()
                changed.reshape(-1)[place] += step
                moved = [changed if i == k else v for i, v in enumerate(at.moved)]
                ends.append(flat(at, moved))
            columns.append((ends[1] - ends[0]) / (stop - start))
    return np.array(columns).T


def settled(at: Point, step: float) -> Any:
    """Return slopes to one side, NaN where they have no finite limit."""
    with np.errstate(all="ignore"):
        coarse, fine = slopes(at, step), slopes(at, step / 4)
        is_settled = (np.abs(fine - coarse) < SLOPE_ATOL) & (np.abs(fine) < STEEP)
    return np.where(is_settled, fine, np.nan)


def is_special_case(case: Case) -> bool:
    """Tell whether a case is small, has operands to be filled, and has results."""
    sizes = [int(np.prod(o)) for o in case.example.operands if is_shape(o)]
    if not 0 < sum(sizes) <= 30:
        return False
    at = special_point(case, "ones")
    return bool(at.moving) and bool(flat(at, at.moved).size)


def patterns_of(case: Case) -> list[str]:
    """Return the patterns at whose points some result is a number, finite or not."""
    found = []
    for pattern in NUMBERS:
        at = special_point(case, pattern)
        with np.errstate(all="ignore"):
            is_known = ~np.isnan(flat(at, at.moved))
        found += [pattern] if is_known.any() else []
    return found


def has_jump(at: Point) -> Any:
    """Return where the function is steep or not continuous: it has no slope there."""
    found = [np.abs(slopes(at, h)) > STEEP for h in (STEP, -STEP)]
    return found[0] | found[1]


def around(case: Case, at: Point) -> list[Any]:
    """Return slopes at points around a special one, where a choice is made by order.

    Of equal entries any may come first: raising one of them alone does not show what
    the choice among three would be.
    """
    rng = generator(case.name, "around")
    n = NEIGHBOURS if case.op.kind == "Select" else 0
    found = []
    for _ in range(n):
        moved = [v + NEAR * rng.uniform(-1, 1, v.shape) for v in at.moved]
        found.append(settled(at_moved(at, moved), STEP))
    return found


def at_moved(at: Point, moved: list[Any]) -> Point:
    operands = list(at.operands)
    for i, value in zip(at.moving, moved, strict=True):
        operands[i] = value
    return replace(at, operands=tuple(operands))


def check_special(case: Case, pattern: str) -> None:
    """Each partial derivative lies between the slopes to either side."""
    at = special_point(case, pattern)
    with np.errstate(all="ignore"):
        sides = [settled(at, STEP), settled(at, -STEP), *around(case, at)]
        is_steep = has_jump(at)
        found = jacobian(at)
    # At the end of a domain there is a slope to one side only.
    low, high = np.fmin.reduce(sides), np.fmax.reduce(sides)
    known = ~np.isnan(low) & ~is_steep
    where = f"{case.name} at {pattern}"
    assert (found >= low - SLOPE_ATOL)[known].all(), f"{where}: too small"
    assert (found <= high + SLOPE_ATOL)[known].all(), f"{where}: too large"


def check_common_direction(case: Case, pattern: str) -> None:
    """Moving all entries together, where that has one slope, has the derivative's sum.

    Entries that are equal stay equal then: what they share must add up to the whole.
    """
    at = special_point(case, pattern)
    with np.errstate(all="ignore"):
        right, left = along_ones(at, STEP), along_ones(at, -STEP)
        found = jacobian(at).sum(axis=1)
    known = (np.abs(right - left) < SLOPE_ATOL) & (np.abs(right) < STEEP)
    error = np.abs(found[known] - right[known])
    assert (error < SLOPE_ATOL).all(), f"{case.name} at {pattern}: not {right}"


def check_modes_at(case: Case, pattern: str) -> None:
    """Forward mode takes the same choice at a kink as reverse mode."""
    at = special_point(case, pattern)
    rng = generator(case.name, "special direction")
    t = [like(rng, value) for value in at.moved]
    with np.errstate(all="ignore"):
        wanted = jacobian(at) @ np.concatenate([v.ravel() for v in t])
        found = np.concatenate([r.ravel() for r in pushed(at, t)])
    known = np.isfinite(wanted) & np.isfinite(found)
    errors = np.abs(found[known] - wanted[known])
    assert (errors <= SLOPE_ATOL * (1 + np.abs(wanted[known]))).all(), case.name


def growth(at: Point, step: float) -> Any:
    """Return the sign of slopes to one side that grow without bound, 0 for others."""
    # Not from the point itself, where the value may be infinite.
    coarse, fine = secants(at, step, 2 * step), secants(at, step / 16, step / 8)
    is_steep = (np.abs(coarse) > STEEP) & (np.abs(fine) > 1.5 * np.abs(coarse))
    return np.where(is_steep, np.sign(fine), 0)


def check_steep(case: Case, pattern: str) -> None:
    """Where slopes grow without bound, the derivative is infinite, or not a number.

    At a cusp they grow with both signs; a derivative of any size lies between them.
    """
    at = special_point(case, pattern)
    with np.errstate(all="ignore"):
        right, left = growth(at, STEP), growth(at, -STEP)
        is_moderate = np.abs(jacobian(at)) < STEEP
    # The steps of a quotient by zero have no slope, however dense they lie.
    is_steep = ((right + left) != 0) & (case.op.kind != "Zero")
    assert not (is_steep & is_moderate).any(), f"{case.name} at {pattern}"


def along_ones(at: Point, step: float) -> Any:
    """Return the slope to one side along a common change of all entries."""
    moved = [value + step for value in at.moved]
    return (flat(at, moved) - flat(at, at.moved)) / step


def at_size(case: Case, signs: tuple[float, ...], size: float) -> Point:
    """Return the point whose filled operands are of one size, of either sign in turn."""
    at = special_point(case, "ones")
    rows = [signs[min(k, len(signs) - 1)] * size for k in range(len(at.moving))]
    pairs = zip(rows, at.moved, strict=True)
    return at_moved(at, [np.full(value.shape, row) for row, value in pairs])


def check_infinity(case: Case, signs: tuple[float, ...]) -> None:
    """A derivative that is a number at infinity is the limit of those on the way there.

    Compared where the value itself arrives at its limit, finite or not.
    """
    near, far, there = (at_size(case, signs, n) for n in (LARGE, LARGER, np.inf))
    with np.errstate(all="ignore"):
        before, after, at_end = (jacobian(at) for at in (near, far, there))
        value, end = flat(far, far.moved), flat(there, there.moved)
        is_settled = np.isclose(value, end) | (np.isinf(end) & (end * value >= LARGE))
        has_limit = np.abs(after - before) < SLOPE_ATOL
    known = has_limit & ~np.isnan(at_end) & is_settled[:, None]
    error = np.abs(at_end[known] - after[known])
    assert (error < SLOPE_ATOL).all(), f"{case.name} at infinity {signs}"


def special_cases() -> list[Case]:
    """Return the cases that are asked about special points."""
    return [case for case in DIFFERENTIABLE if is_special_case(case)]
