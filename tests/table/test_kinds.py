"""The kind of derivative that an entry claims is the kind that it has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.table.cases import (
    Case,
    Point,
    generator,
    of_kind,
    parameters,
    point,
)
from tests.table.derivatives import adjoints, like, results_of, shifted

ROUNDING = 1e-12
"""A few thousand roundings, relative to the largest entry in play."""

SHARE = 0.3
"""Where between two points a linear map is asked for; ½ would hide a square root less."""


def close(found: list[Any], wanted: list[Any], *, scale: float = 1.0) -> bool:
    """Tell whether arrays agree up to rounding."""
    errors = [
        np.max(np.abs(a - b), initial=0.0) for a, b in zip(found, wanted, strict=True)
    ]
    sizes = [np.max(np.abs(b), initial=scale) for b in wanted]
    return all(e <= ROUNDING * s for e, s in zip(errors, sizes, strict=True))


def mixed(one: list[Any], other: list[Any]) -> list[Any]:
    return [SHARE * a + (1 - SHARE) * b for a, b in zip(one, other, strict=True)]


def moved_in(at: Point, k: int, value: Any) -> list[Any]:
    """Return the moving operands with one of them replaced."""
    return [value if i == k else v for i, v in enumerate(at.moved)]


def operands_of(cases: list[Case]) -> list[Any]:
    """Return each case with the number of each operand that moves."""
    return [
        pytest.param(case, k, id=f"{case.name}-{k}")
        for case in cases
        for k in range(len(point(case).moving))
    ]


# -------------------------------------------------------------------------- linear


@pytest.mark.parametrize(("case", "k"), operands_of(of_kind("Linear")))
def test_linear_op_maps_lines_to_lines_in_each_operand(case: Case, k: int) -> None:
    at = point(case)
    here = at.moved[k]
    there = here + like(generator(case.name, "there"), here)
    between = SHARE * here + (1 - SHARE) * there
    wanted = mixed(results_of(at, at.moved), results_of(at, moved_in(at, k, there)))
    assert close(results_of(at, moved_in(at, k, between)), wanted)


@pytest.mark.parametrize("case", parameters(of_kind("Linear")))
def test_linear_op_maps_zeros_to_zeros(case: Case) -> None:
    at = point(case)
    zeros = [np.zeros_like(value) for value in at.moved]
    found = results_of(at, zeros)
    assert close(found, [np.zeros_like(r) for r in found])


@pytest.mark.parametrize(("case", "k"), operands_of(of_kind("Linear")))
def test_adjoint_of_a_linear_op_does_not_depend_on_its_own_operand(
    case: Case, k: int
) -> None:
    at = point(case)
    g = [like(generator(case.name, "g"), r) for r in results_of(at, at.moved)]
    there = moved_in(at, k, at.moved[k] * 2.0 + 1.0)
    assert close([adjoints(at, there, g)[k]], [adjoints(at, at.moved, g)[k]])


# ------------------------------------------------------------------- select and zero


@pytest.mark.parametrize("case", parameters(of_kind("Select", "Zero")))
def test_adjoint_of_a_choice_is_the_same_all_around_the_point(case: Case) -> None:
    at = point(case)
    rng = generator(case.name, "around")
    g = [like(rng, r) for r in results_of(at, at.moved)]
    around = shifted(at.moved, [like(rng, v) for v in at.moved], 1e-3)
    assert close(adjoints(at, around, g), adjoints(at, at.moved, g))


@pytest.mark.parametrize("case", parameters(of_kind("Select")))
def test_choice_is_linear_around_the_point(case: Case) -> None:
    at = point(case)
    rng = generator(case.name, "line")
    there = shifted(at.moved, [like(rng, v) for v in at.moved], 1e-3)
    between = mixed(at.moved, there)
    wanted = mixed(results_of(at, at.moved), results_of(at, there))
    assert close(results_of(at, between), wanted)


@pytest.mark.parametrize("case", parameters(of_kind("Zero")))
def test_op_without_derivative_does_not_change_around_the_point(case: Case) -> None:
    at = point(case)
    rng = generator(case.name, "around")
    around = shifted(at.moved, [like(rng, v) for v in at.moved], 1e-3)
    assert close(results_of(at, around), results_of(at, at.moved))


@pytest.mark.parametrize("case", parameters(of_kind("Zero")))
def test_adjoint_of_an_op_without_derivative_is_zero(case: Case) -> None:
    at = point(case)
    g = [like(generator(case.name, "g"), r) for r in results_of(at, at.moved)]
    assert [np.any(a) for a in adjoints(at, at.moved, g)] == [False] * len(at.moving)


# ------------------------------------------------------------------------- pointwise


def reached(at: Point, k: int, spot: tuple[int, ...]) -> Any:
    """Return which entries of the result one entry of an operand is broadcast to."""
    mark = np.zeros(at.moved[k].shape, bool)
    mark[spot] = True
    (result,) = results_of(at, at.moved)
    return np.broadcast_to(mark, result.shape)


def spot_in(case: Case, value: Any) -> tuple[int, ...]:
    rng = generator(case.name, "spot")
    return tuple(int(rng.integers(n)) for n in value.shape)


def with_entries(cases: list[Case]) -> list[Case]:
    return [c for c in cases if all(v.size for v in point(c).moved)]


POINTWISE = operands_of(with_entries(of_kind("Pointwise")))


@pytest.mark.parametrize(("case", "k"), POINTWISE)
def test_result_depends_on_the_operands_entry_of_its_own_place(
    case: Case, k: int
) -> None:
    at = point(case)
    spot = spot_in(case, at.moved[k])
    changed = at.moved[k].copy()
    changed[spot] += 1e-3
    (before,), (after,) = (
        results_of(at, at.moved),
        results_of(at, moved_in(at, k, changed)),
    )
    elsewhere = ~reached(at, k, spot)
    np.testing.assert_array_equal(after[elsewhere], before[elsewhere])


@pytest.mark.parametrize(("case", "k"), POINTWISE)
def test_partial_depends_on_the_operands_entry_of_its_own_place(
    case: Case, k: int
) -> None:
    at = point(case)
    spot = spot_in(case, at.moved[k])
    changed = at.moved[k].copy()
    changed[spot] += 1e-3
    (result,) = results_of(at, at.moved)
    g = np.where(reached(at, k, spot), 0.0, 1.0).astype(result.dtype)
    before = adjoints(at, at.moved, [g])
    after = adjoints(at, moved_in(at, k, changed), [g])
    assert all(np.array_equal(a, b) for a, b in zip(after, before, strict=True))


@pytest.mark.parametrize(("case", "k"), POINTWISE)
def test_cotangent_of_one_place_reaches_that_place_alone(case: Case, k: int) -> None:
    at = point(case)
    spot = spot_in(case, at.moved[k])
    (result,) = results_of(at, at.moved)
    g = reached(at, k, spot).astype(result.dtype)
    found = adjoints(at, at.moved, [g])[k].copy()
    found[spot] = 0
    assert not np.any(found)


def test_every_kind_has_cases() -> None:
    kinds = ("Pointwise", "Linear", "Select", "Custom", "Zero")
    assert [bool(of_kind(kind)) for kind in kinds] == [True] * len(kinds)
