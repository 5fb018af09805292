"""Derivatives at kinks, zeros, ties and infinities."""

from __future__ import annotations

import pytest

from tests.table.cases import Case
from tests.table.special import (
    check_common_direction,
    check_infinity,
    check_modes_at,
    check_special,
    infinite_cases,
    special_cases,
)

special_points = pytest.mark.parametrize(
    ("case", "pattern"),
    [
        pytest.param(case, pattern, id=f"{case.name}-{pattern}")
        for case, pattern in special_cases()
    ],
)


@special_points
def test_derivative_lies_between_the_slopes_to_either_side(
    case: Case, pattern: str
) -> None:
    check_special(case, pattern)


@special_points
def test_shares_of_equal_entries_add_up_to_the_whole(case: Case, pattern: str) -> None:
    check_common_direction(case, pattern)


@special_points
def test_forward_mode_takes_the_choice_of_reverse_mode(
    case: Case, pattern: str
) -> None:
    check_modes_at(case, pattern)


@pytest.mark.parametrize(
    ("case", "signs"),
    [
        pytest.param(case, signs, id=f"{case.name}-{signs}")
        for case, signs in infinite_cases()
    ],
)
def test_derivative_at_infinity_is_the_limit(
    case: Case, signs: tuple[float, ...]
) -> None:
    check_infinity(case, signs)
