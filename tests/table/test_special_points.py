"""Derivatives at kinks, zeros and ties lie between the slopes to either side."""

from __future__ import annotations

from typing import Any

import pytest

from tests.table.cases import DIFFERENTIABLE, Case
from tests.table.special import NUMBERS, check_special, is_legal, is_special_case


def special_cases() -> list[Any]:
    return [
        pytest.param(case, pattern, id=f"{case.name}-{pattern}")
        for case in DIFFERENTIABLE
        if is_special_case(case)
        for pattern in NUMBERS
        if is_legal(case, pattern)
    ]


@pytest.mark.parametrize(("case", "pattern"), special_cases())
def test_derivative_lies_between_the_slopes_to_either_side(
    case: Case, pattern: str
) -> None:
    check_special(case, pattern)
