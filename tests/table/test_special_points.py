"""Derivatives at kinks, zeros, ties, poles and infinities."""

from __future__ import annotations

import pytest

from tests.table.cases import Case, parameters
from tests.table.special import (
    SIGNS,
    check_common_direction,
    check_infinity,
    check_modes_at,
    check_special,
    check_steep,
    patterns_of,
    special_cases,
)

special_points = pytest.mark.parametrize("case", parameters(special_cases()))


@special_points
def test_derivative_lies_between_the_slopes_to_either_side(case: Case) -> None:
    for pattern in patterns_of(case):
        check_special(case, pattern)


@special_points
def test_shares_of_equal_entries_add_up_to_the_whole(case: Case) -> None:
    for pattern in patterns_of(case):
        check_common_direction(case, pattern)


@special_points
def test_derivative_is_not_finite_where_slopes_grow_without_bound(case: Case) -> None:
    for pattern in patterns_of(case):
        check_steep(case, pattern)


@special_points
def test_forward_mode_takes_the_choice_of_reverse_mode(case: Case) -> None:
    for pattern in patterns_of(case):
        check_modes_at(case, pattern)


@special_points
def test_derivative_at_infinity_is_the_limit(case: Case) -> None:
    for signs in SIGNS:
        check_infinity(case, signs)


def test_patterns_are_legal_for_most_cases() -> None:
    counts = [len(patterns_of(case)) for case in special_cases()]
    assert sum(counts) / len(counts) > 6
