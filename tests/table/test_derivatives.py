"""Derivatives of every op at every example, real and complex."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.table.cases import (
    COMPLEX_DIFFERENTIABLE,
    CONTINUED,
    DIFFERENTIABLE,
    SCALAR,
    Case,
    parameters,
)
from tests.table.derivatives import (
    check_adjoint,
    check_adjoint_fits,
    check_complex_step,
    check_each_operand,
    check_modes_agree,
    check_reported,
    check_second_order,
    check_sweeps_agree,
    check_unit_cotangent,
    difference,
)

real_numbers = pytest.mark.parametrize("case", parameters(DIFFERENTIABLE))
complex_numbers = pytest.mark.parametrize("case", parameters(COMPLEX_DIFFERENTIABLE))


@real_numbers
def test_adjoint_agrees_with_differences(case: Case) -> None:
    check_adjoint(case)


@real_numbers
def test_adjoint_of_each_operand_alone_agrees_with_differences(case: Case) -> None:
    check_each_operand(case)


@pytest.mark.parametrize("case", parameters(CONTINUED))
def test_adjoint_agrees_with_a_complex_step(case: Case) -> None:
    check_complex_step(case)


@real_numbers
def test_reverse_mode_agrees_with_forward_mode(case: Case) -> None:
    check_modes_agree(case)


@real_numbers
def test_second_order_agrees_with_differences_of_the_first(case: Case) -> None:
    check_second_order(case)


@real_numbers
def test_recorded_sweep_agrees_with_the_plain_one(case: Case) -> None:
    check_sweeps_agree(case)


@real_numbers
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_adjoint_has_shape_and_dtype_of_its_operand(case: Case, dtype: type) -> None:
    check_adjoint_fits(case, dtype)


@pytest.mark.parametrize("case", parameters(SCALAR))
def test_gradient_of_a_scalar_is_its_adjoint_for_one(case: Case) -> None:
    check_unit_cotangent(case)


@complex_numbers
def test_complex_adjoint_follows_the_convention(case: Case) -> None:
    check_adjoint(case, np.complex128)


@complex_numbers
def test_complex_adjoint_of_each_operand_alone_follows_the_convention(
    case: Case,
) -> None:
    check_each_operand(case, np.complex128)


@complex_numbers
def test_complex_reverse_mode_agrees_with_forward_mode(case: Case) -> None:
    check_modes_agree(case, np.complex128)


@complex_numbers
def test_complex_second_order_agrees_with_differences_of_the_first(case: Case) -> None:
    check_second_order(case, np.complex128)


@complex_numbers
def test_complex_adjoint_has_shape_and_dtype_of_its_operand(case: Case) -> None:
    check_adjoint_fits(case, np.complex128)


@pytest.mark.parametrize(
    "case", parameters([c for c in DIFFERENTIABLE if c.op.report_only])
)
def test_operand_for_show_gets_the_plain_partial(case: Case) -> None:
    check_reported(case)


@pytest.mark.parametrize(
    ("function", "slope"),
    [(np.sin, 1.0), (np.exp, 1.0), (lambda h: (1 + h) ** 5, 5.0)],
    ids=["sin", "exp", "power"],
)
def test_extrapolated_difference_reaches_its_rounding(
    function: Callable[[float], float], slope: float
) -> None:
    assert abs(difference(function) - slope) < 4e-12
