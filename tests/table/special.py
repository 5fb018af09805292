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
    Case,
    Point,
    frozen,
    generator,
    is_shape,
    moving_operands,
    outputs,
)
from tests.table.derivatives import adjoints

NUMBERS = {
    "zeros": ((0.0,),),
    "ones": ((1.0,),),
    "minus ones": ((-1.0,),),
    "ties": ((1.0, 0.0, -1.0, 1.0, 2.0),),
    "crossed": ((0.0, 1.0, -1.0, 0.0, 2.0), (2.0, 0.0, 1.0, -1.0, 0.0)),
    "half and none": ((0.5,), (0.0, 1.0)),
}
"""Entries of the operands, repeated as needed; the last row serves all that follow."""

STEP = 1e-7
"""Of one-sided differences: their remainder and their rounding are both about 1e-8."""

SLOPE_ATOL = 1e-5
"""What a slope may change by as the step shrinks, and the adjoint may differ by."""

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
    here = flat(at, at.moved)
    columns = []
    for k, value in enumerate(at.moved):
        for place in range(value.size):
            changed = value.copy()
            changed.reshape(-1)[place] += step
            moved = [changed if i == k else v for i, v in enumerate(at.moved)]
            columns.append((flat(at, moved) - here) / step)
    return np.array(columns).T


def settled(at: Point, step: float) -> Any:
    """Return slopes to one side, NaN where they have no finite limit."""
    with np.errstate(all="ignore"):
        coarse, fine = slopes(at, step), slopes(at, step / 4)
        is_settled = (np.abs(fine - coarse) < SLOPE_ATOL) & (np.abs(fine) < STEEP)
    return np.where(is_settled, fine, np.nan)


def is_special_case(case: Case) -> bool:
    """Tell whether a case is small and has operands to be filled."""
    sizes = [int(np.prod(o)) for o in case.example.operands if is_shape(o)]
    return bool(sizes) and 0 < sum(sizes) <= 24


def is_legal(case: Case, pattern: str) -> bool:
    """Tell whether some slope exists at a pattern's point."""
    at = special_point(case, pattern)
    with np.errstate(all="ignore"):
        is_finite = np.isfinite(flat(at, at.moved)).any()
    return bool(is_finite) and bool(at.moving)


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
