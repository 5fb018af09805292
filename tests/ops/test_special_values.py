"""Kinks, poles, ties and infinities: what each op does where its formula does not help.

Values and derivatives here are decisions (docs/decisions/), or limits that anybody can
work out on paper. No finite difference is taken: the points are where it would fail.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg

INF = math.inf
NAN = math.nan
ROUNDING = 1e-15  # a few units in the last place of numbers near one


def slope(f: Callable[[Any], Any], x: Any) -> Any:
    """Return the derivative of an entrywise function at each entry."""
    t = tg.tensor(x)
    with np.errstate(all="ignore"):
        out = f(t)
    return tg.gradients(out, t, grad=np.ones(out.shape))


def slopes(f: Callable[..., Any], *xs: Any) -> Any:
    """Return the derivatives by each of several operands."""
    ts = [tg.tensor(x) for x in xs]
    with np.errstate(all="ignore"):
        out = f(*ts)
    return tg.gradients(out, ts, grad=np.ones(out.shape))


def curvature(f: Callable[[Any], Any], x: Any) -> Any:
    """Return the second derivative of an entrywise function at each entry."""
    t = tg.tensor(x)
    with np.errstate(all="ignore"):
        out = f(t)
    first = tg.gradients(out, t, grad=np.ones(out.shape), create_graph=True)
    return tg.gradients(first, t, grad=np.ones(first.shape), unused="zero")


# ------------------------------------------------------------------------- kinks


def test_relu_slope_at_zero_is_one() -> None:
    np.testing.assert_array_equal(slope(tg.relu, [0.0, -0.0]), [1.0, 1.0])


def test_leaky_relu_slope_at_zero_is_one() -> None:
    np.testing.assert_array_equal(slope(lambda z: tg.relu(z, beta=0.01), [0.0]), [1.0])


@pytest.mark.parametrize("beta", [-0.5, 0.0, 0.01, 1.0, 3.0])
def test_relu_is_z_above_zero_and_beta_z_below(beta: float) -> None:
    z = np.array([-2.0, 5.0])
    np.testing.assert_array_equal(tg.relu(z, beta), [beta * -2.0, 5.0])


@pytest.mark.parametrize("beta", [-0.5, 0.0, 0.01, 1.0, 3.0])
def test_relu_slope_is_one_above_zero_and_beta_below(beta: float) -> None:
    found = slope(lambda z: tg.relu(z, beta), [-2.0, 5.0])
    np.testing.assert_array_equal(found, [beta, 1.0])


def test_relu_passes_nan_through() -> None:
    np.testing.assert_array_equal(tg.relu(np.array([NAN, 1.0])), [NAN, 1.0])


def test_relu_of_minus_infinity_is_zero() -> None:
    np.testing.assert_array_equal(tg.relu(np.array([-INF, INF])), [0.0, INF])


def test_relu_blocks_an_infinite_cotangent_where_it_is_off() -> None:
    z = tg.tensor([-1.0, 1.0])
    found = tg.gradients(tg.relu(z), z, grad=np.array([INF, 2.0]))
    np.testing.assert_array_equal(found, [0.0, 2.0])


def test_relu_of_a_large_array_blocks_nan_where_it_is_off() -> None:
    z = tg.tensor(np.where(np.arange(100_000) % 3 == 0, -1.0, 1.0))
    g = np.where(np.arange(100_000) % 3 == 0, NAN, 2.0)
    found = tg.gradients(tg.relu(z), z, grad=g)
    np.testing.assert_array_equal(found, np.where(np.isnan(g), 0.0, 2.0))


def test_abs_slope_at_zero_is_zero() -> None:
    np.testing.assert_array_equal(
        slope(tg.absolute, [-2.0, 0.0, 2.0]), [-1.0, 0.0, 1.0]
    )


def test_modulus_slope_at_complex_zero_is_zero() -> None:
    np.testing.assert_array_equal(slope(tg.absolute, [0j]), [0j])


def test_modulus_slope_points_against_the_phase() -> None:
    np.testing.assert_allclose(slope(tg.absolute, [3.0 + 4.0j]), [0.6 - 0.8j])


def test_hypot_slopes_at_the_origin_are_zero() -> None:
    np.testing.assert_array_equal(slopes(tg.hypot, [0.0], [0.0]), [[0.0], [0.0]])


def test_hypot_curvature_at_the_origin_is_finite() -> None:
    found = curvature(lambda x: tg.hypot(x, tg.tensor([0.0])), [0.0])
    np.testing.assert_array_equal(found, [0.0])


def test_copysign_slope_is_the_sign_that_it_changed() -> None:
    found = slope(lambda x: tg.copysign(x, -1.0), [2.0, -2.0])
    np.testing.assert_array_equal(found, [-1.0, 1.0])


@pytest.mark.parametrize("name", ["sign", "floor", "ceil", "trunc", "rint", "round"])
def test_step_functions_have_zero_slope(name: str) -> None:
    x = tg.tensor([-0.5, 0.0, 1.7])
    step = getattr(tg, name)(x)
    found = tg.gradients(step * 3.0 + x, x, grad=np.ones(3))
    np.testing.assert_array_equal(found, np.ones(3))


# -------------------------------------------------------------------------- ties


@pytest.mark.parametrize("name", ["maximum", "minimum", "fmax", "fmin"])
def test_equal_operands_share_the_cotangent(name: str) -> None:
    found = slopes(getattr(tg, name), [1.0], [1.0])
    np.testing.assert_array_equal(found, [[0.5], [0.5]])


@pytest.mark.parametrize("name", ["fmax", "fmin"])
def test_number_beside_nan_gets_the_whole_cotangent(name: str) -> None:
    found = slopes(getattr(tg, name), [1.0, NAN], [NAN, 1.0])
    np.testing.assert_array_equal(found, [[1.0, 0.0], [0.0, 1.0]])


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_maximum_and_minimum_pass_nan_through(name: str) -> None:
    found = getattr(tg, name)(np.array([1.0, NAN]), np.array([NAN, 1.0]))
    np.testing.assert_array_equal(found, [NAN, NAN])


def test_clip_slope_is_one_on_the_bounds() -> None:
    found = slope(lambda x: tg.clip(x, -1.0, 1.0), [-2.0, -1.0, 0.0, 1.0, 2.0])
    np.testing.assert_array_equal(found, [0.0, 1.0, 1.0, 1.0, 0.0])


def test_clip_gives_bounds_the_cotangent_where_they_are_the_result() -> None:
    found = slopes(tg.clip, [-2.0, 0.0, 2.0], [-1.0] * 3, [1.0] * 3)
    np.testing.assert_array_equal(found, np.eye(3)[[1, 0, 2]])


def test_clip_with_bounds_in_the_wrong_order_is_the_upper_bound() -> None:
    found = slopes(tg.clip, [-2.0, 0.0, 2.0], [1.0] * 3, [-1.0] * 3)
    np.testing.assert_array_equal(found, [np.zeros(3), np.zeros(3), np.ones(3)])


def test_clip_with_one_bound_leaves_the_other_side_open() -> None:
    found = slope(lambda x: tg.clip(x, max=1.0), [-9.0, 2.0])
    np.testing.assert_array_equal(found, [1.0, 0.0])


def test_clip_takes_the_older_names_of_its_bounds() -> None:
    found = tg.clip(np.array([-2.0, 2.0]), a_min=-1.0, a_max=1.0)
    np.testing.assert_array_equal(found, [-1.0, 1.0])


def test_clip_refuses_both_names_of_one_bound() -> None:
    with pytest.raises(tg.ArgumentError, match=r"both min and a_min.*Give min alone"):
        tg.clip(np.zeros(2), 0.0, a_min=0.0)


def test_heaviside_gives_its_second_operand_what_falls_on_zero() -> None:
    found = slopes(tg.heaviside, [-1.0, 0.0, 1.0], [0.5, 0.5, 0.5])
    np.testing.assert_array_equal(found[1], [0.0, 1.0, 0.0])


def test_nan_to_num_passes_nothing_back_to_what_it_replaced() -> None:
    found = slope(tg.nan_to_num, [NAN, INF, -INF, 2.0])
    np.testing.assert_array_equal(found, [0.0, 0.0, 0.0, 1.0])


# ------------------------------------------------------------------------ powers


@pytest.mark.parametrize(("y", "expected"), [(0, 0.0), (1, 1.0), (2, 0.0), (3, 0.0)])
def test_power_with_a_whole_exponent_has_a_finite_slope_at_zero(
    y: int, expected: float
) -> None:
    np.testing.assert_array_equal(slope(lambda x: x**y, [0.0]), [expected])


@pytest.mark.parametrize(
    ("y", "expected"), [(0.0, 0.0), (1.0, 1.0), (2.0, 0.0), (3.0, 0.0)]
)
def test_power_with_an_exponent_in_an_array_has_the_same_slope_at_zero(
    y: float, expected: float
) -> None:
    found = slope(lambda x: tg.power(x, np.array([y])), [0.0])
    np.testing.assert_array_equal(found, [expected])


@pytest.mark.parametrize(("y", "expected"), [(0, 0.0), (1, 0.0), (2, 2.0), (3, 0.0)])
def test_power_has_a_finite_curvature_at_zero(y: int, expected: float) -> None:
    found = curvature(lambda x: tg.power(x, np.array([float(y)])), [0.0])
    np.testing.assert_array_equal(found, [expected])


def test_power_of_a_negative_base_has_the_slope_of_its_whole_exponent() -> None:
    np.testing.assert_array_equal(slope(lambda x: x**3, [-2.0]), [12.0])


@pytest.mark.parametrize("y", [0.0, 0.5, 1.0, 2.0])
def test_power_slope_in_the_exponent_is_zero_at_base_zero(y: float) -> None:
    found = slope(lambda e: tg.power(np.zeros(1), e), [y])
    np.testing.assert_array_equal(found, [0.0])


def test_power_slope_in_the_exponent_is_nan_for_a_negative_base() -> None:
    found = slope(lambda e: tg.power(-2.0, e), [2.0])
    np.testing.assert_array_equal(found, [NAN])


def test_zeroth_power_keeps_its_mixed_derivative() -> None:
    x, y = tg.tensor([2.0]), tg.tensor([0.0])
    by_x = tg.gradients(x**y, x, grad=np.ones(1), create_graph=True)
    found = tg.gradients(by_x, y, grad=np.ones(1))
    np.testing.assert_array_equal(found, [0.5])


def test_sqrt_slope_at_zero_is_infinite() -> None:
    np.testing.assert_array_equal(slope(tg.sqrt, [0.0]), [INF])


def test_cbrt_slope_at_zero_is_infinite() -> None:
    np.testing.assert_array_equal(slope(tg.cbrt, [0.0]), [INF])


# ----------------------------------------------- zero cotangents, branches not taken

SINGULAR = [
    ("log", 0.0),
    ("log2", 0.0),
    ("log10", 0.0),
    ("log1p", -1.0),
    ("sqrt", 0.0),
    ("cbrt", 0.0),
    ("reciprocal", 0.0),
    ("arcsin", 1.0),
    ("arccos", 1.0),
    ("arccosh", 1.0),
    ("arctanh", 1.0),
    ("exp", 2000.0),
    ("exp2", 2000.0),
    ("expm1", 2000.0),
    ("sinh", 2000.0),
    ("cosh", 2000.0),
]


@pytest.mark.parametrize(("name", "pole"), SINGULAR)
def test_zero_cotangent_stays_zero_at_a_pole(name: str, pole: float) -> None:
    x = tg.tensor([pole])
    with np.errstate(all="ignore"):
        out = getattr(tg, name)(x)
    found = tg.gradients(out, x, grad=np.zeros(1))
    np.testing.assert_array_equal(found, [0.0])


@pytest.mark.parametrize(("name", "pole"), SINGULAR)
def test_branch_not_taken_at_a_pole_is_dead_in_first_order(
    name: str, pole: float
) -> None:
    found = slope(lambda x: tg.where(x == pole, 3.0 * x, getattr(tg, name)(x)), [pole])
    np.testing.assert_array_equal(found, [3.0])


@pytest.mark.parametrize(("name", "pole"), SINGULAR)
def test_branch_not_taken_at_a_pole_is_dead_in_second_order(
    name: str, pole: float
) -> None:
    found = curvature(
        lambda x: tg.where(x == pole, x * x, getattr(tg, name)(x)), [pole]
    )
    np.testing.assert_array_equal(found, [2.0])


def test_quotient_by_zero_is_dead_where_it_is_not_taken() -> None:
    found = slope(lambda x: tg.where(x == 0, 5.0 * x, 1.0 / x), [0.0, 2.0])
    np.testing.assert_array_equal(found, [5.0, -0.25])


def test_quotient_by_zero_is_dead_in_second_order() -> None:
    found = curvature(lambda x: tg.where(x == 0, x * x, 1.0 / x), [0.0, 2.0])
    np.testing.assert_array_equal(found, [2.0, 0.25])


def test_negative_power_of_zero_is_dead_where_it_is_not_taken() -> None:
    found = slope(lambda x: tg.where(x == 0, 5.0 * x, x**-1.5), [0.0])
    np.testing.assert_array_equal(found, [5.0])


def test_power_with_a_negative_exponent_is_dead_in_second_order_by_both_operands() -> (
    None
):
    x, y = tg.tensor([0.0]), tg.tensor([-2.0])
    with np.errstate(divide="ignore"):
        out = tg.where(x == 0, x * y, x**y)
    by_x = tg.gradients(out, x, grad=np.ones(1), create_graph=True)
    found = tg.gradients(by_x, [x, y], grad=np.ones(1))
    np.testing.assert_array_equal(found, [[0.0], [1.0]])


def test_power_that_overflows_is_dead_in_second_order_by_its_exponent() -> None:
    found = curvature(lambda y: tg.where(y > 9, y * y, tg.power(1e200, y)), [10.0])
    np.testing.assert_array_equal(found, [2.0])


# Functions without a singular op of their own, or with one inside: products are the way
# by which an infinity that is not taken gets back to the operand.
COMPOSED: list[tuple[str, Callable[[Any], Any], float]] = [
    ("x log x", lambda x: x * np.log(x), 0.0),
    ("log x log x", lambda x: np.log(x) * np.log(x), 0.0),
    ("x / x", lambda x: x * (1.0 / x), 0.0),
    ("x tanh 1/x", lambda x: np.tanh(1.0 / x) * x, 0.0),
    ("sin 1/x", lambda x: x * np.sin(1.0 / x), 0.0),
    ("exp overflows", lambda x: x * np.exp(x) * np.exp(-x), 2000.0),
    ("a hypotenuse", lambda x: np.log(x) * np.hypot(x, 0.0), 0.0),
    ("entropy", lambda x: -x * np.log(x) - (1.0 - x) * np.log1p(-x), 1.0),
]


@pytest.mark.parametrize(("name", "f", "pole"), COMPOSED)
def test_products_not_taken_are_dead_in_first_order(
    name: str, f: Callable[[Any], Any], pole: float
) -> None:
    found = slope(lambda x: np.where(x == pole, 3.0 * x, f(x)), [pole])
    np.testing.assert_array_equal(found, [3.0])


@pytest.mark.parametrize(("name", "f", "pole"), COMPOSED)
def test_products_not_taken_are_dead_in_second_order(
    name: str, f: Callable[[Any], Any], pole: float
) -> None:
    found = curvature(lambda x: np.where(x == pole, x * x, f(x)), [pole])
    np.testing.assert_array_equal(found, [2.0])


@pytest.mark.parametrize(
    "total",
    [
        np.nansum,
        lambda y: np.nan_to_num(y).sum(),
        lambda y: y[1:].sum(),
        lambda y: y[np.array([False, True])].sum(),
        lambda y: np.take(y, [1]).sum(),
        lambda y: np.fmax(y, -1.0).sum() + 1.0,
        lambda y: np.where(np.isnan(y), 0.0, y).sum(),
    ],
)
def test_an_entry_that_is_left_out_does_not_poison_the_gradient(
    total: Callable[[Any], Any],
) -> None:
    with np.errstate(all="ignore"):
        found = tg.grad(lambda x: total(x * np.log(x)))(np.array([0.0, 1.0]))
    np.testing.assert_array_equal(found, [0.0, 1.0])


def test_a_nan_that_is_taken_stays() -> None:
    found = slope(lambda x: np.where(x < 0, x * np.log(x), x), [-1.0, 1.0])
    np.testing.assert_array_equal(found, [NAN, 1.0])


def test_debug_mode_lets_a_dead_branch_pass() -> None:
    with tg.debug():
        found = slope(lambda x: np.where(x > 0, x * np.log(x), 0.0), [0.0, 1.0])
    np.testing.assert_array_equal(found, [0.0, 1.0])


def test_where_drops_a_cotangent_of_nan_on_the_other_branch() -> None:
    x, y = tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0])
    out = tg.where(np.array([True, False]), x, y)
    found = tg.gradients(out, [x, y], grad=np.array([NAN, 1.0]))
    np.testing.assert_array_equal(found, [[NAN, 0.0], [0.0, 1.0]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_where_on_large_arrays_keeps_every_bit(dtype: Any) -> None:
    n = 100_000
    special = np.array([0.0, -0.0, NAN, INF, -INF, 1.5, -7.25], dtype)
    x, y = np.resize(special, n), np.resize(special[::-1], n)
    condition = np.arange(n) % 3 == 0
    found = tg.where(condition, x, y)
    assert found.tobytes() == np.where(condition, x, y).tobytes()


def test_where_on_large_arrays_fills_with_zero_on_either_side() -> None:
    x = np.full(100_000, NAN)
    condition = np.arange(x.size) % 2 == 0
    total = tg.where(condition, 0, x)[::2].sum() + tg.where(condition, x, 0)[1::2].sum()
    assert total == 0.0


def test_elu_written_with_where_has_finite_slopes_for_large_arguments() -> None:
    found = slope(lambda x: tg.where(x > 0, x, tg.exp(x) - 1), [-1000.0, 1000.0])
    np.testing.assert_array_equal(found, [0.0, 1.0])


# ---------------------------------------------------------------------- saturation


def test_sigmoid_at_its_limits_is_exact_and_silent() -> None:
    z = np.array([-INF, -1e308, -1000.0, 0.0, 1000.0, 1e308, INF])
    np.testing.assert_array_equal(tg.sigmoid(z), [0, 0, 0, 0.5, 1, 1, 1])


def test_sigmoid_keeps_relative_digits_in_its_left_tail() -> None:
    np.testing.assert_allclose(
        tg.sigmoid(np.array([-40.0, -700.0])), np.exp([-40.0, -700.0]), rtol=ROUNDING
    )


def test_sigmoid_of_float32_at_its_limits_is_exact_and_silent() -> None:
    z = np.array([-INF, -1000.0, 1000.0, INF], np.float32)
    np.testing.assert_array_equal(tg.sigmoid(z), np.float32([0, 0, 1, 1]))


def test_sigmoid_of_a_large_array_equals_that_of_its_parts() -> None:
    z = np.linspace(-800.0, 800.0, 100_001)
    parts = np.concatenate([tg.sigmoid(part) for part in np.array_split(z, 50)])
    np.testing.assert_allclose(tg.sigmoid(z), parts, rtol=ROUNDING)


def test_complex_sigmoid_does_not_overflow() -> None:
    found = tg.sigmoid(np.array([-1000.0 + 1.0j, 1000.0 + 1.0j]))
    np.testing.assert_array_equal(found, [0.0, 1.0])


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_saturated_activations_have_zero_slope_and_curvature(name: str) -> None:
    f, z = getattr(tg, name), [-1000.0, 1000.0]
    np.testing.assert_array_equal([slope(f, z), curvature(f, z)], np.zeros((2, 2)))


def test_softplus_at_its_limits_is_exact_and_silent() -> None:
    z = np.array([-INF, -1000.0, 1000.0, INF])
    np.testing.assert_array_equal(tg.softplus(z), [0.0, 0.0, 1000.0, INF])


def test_softplus_slope_at_its_limits_is_zero_and_one() -> None:
    found = slope(tg.softplus, [-INF, -1000.0, 1000.0, INF])
    np.testing.assert_array_equal(found, [0.0, 0.0, 1.0, 1.0])


# -------------------------------------------------------- sums of exponentials


@pytest.mark.parametrize("name", ["logaddexp", "logaddexp2"])
@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (-INF, -INF, (0.5, 0.5)),
        (INF, INF, (0.5, 0.5)),
        (3.0, 3.0, (0.5, 0.5)),
        (INF, 1.0, (1.0, 0.0)),
        (-INF, 1.0, (0.0, 1.0)),
        (1.0, INF, (0.0, 1.0)),
        (2000.0, -2000.0, (1.0, 0.0)),
    ],
)
def test_logaddexp_shares_are_finite(
    name: str, x: float, y: float, expected: tuple[float, float]
) -> None:
    found = slopes(getattr(tg, name), [x], [y])
    np.testing.assert_allclose(np.ravel(found), expected, rtol=ROUNDING)


def test_logaddexp_of_equal_operands_keeps_its_curvature() -> None:
    found = curvature(lambda x: tg.logaddexp(x, tg.tensor([0.0])), [0.0])
    np.testing.assert_allclose(found, [0.25], rtol=ROUNDING)


ROWS = [
    ([1000.0, 1000.0], [0.5, 0.5]),
    ([-INF, 0.0, 0.0], [0.0, 0.5, 0.5]),
    ([-INF, -INF], [0.5, 0.5]),
    ([INF, 0.0], [1.0, 0.0]),
    ([INF, INF, 0.0], [0.5, 0.5, 0.0]),
    ([1e308, -1e308], [1.0, 0.0]),
]


@pytest.mark.parametrize(("z", "expected"), ROWS)
def test_softmax_of_extreme_rows(z: list[float], expected: list[float]) -> None:
    np.testing.assert_array_equal(tg.softmax(np.array(z)), expected)


@pytest.mark.parametrize(("z", "expected"), ROWS)
def test_log_softmax_of_extreme_rows(z: list[float], expected: list[float]) -> None:
    with np.errstate(divide="ignore"):
        logarithm = np.log(expected)
    np.testing.assert_allclose(tg.log_softmax(np.array(z)), logarithm, rtol=ROUNDING)


@pytest.mark.parametrize(("z", "expected"), ROWS)
def test_logsumexp_gradient_of_extreme_rows_is_softmax(
    z: list[float], expected: list[float]
) -> None:
    t = tg.tensor(z)
    np.testing.assert_array_equal(tg.gradients(tg.logsumexp(t), t), expected)


@pytest.mark.parametrize(("z", "a"), ROWS)
def test_softmax_gradient_of_extreme_rows_is_finite(
    z: list[float], a: list[float]
) -> None:
    t, g = tg.tensor(z), np.arange(1.0, len(z) + 1)
    expected = np.array(a) * (g - np.dot(g, a))
    np.testing.assert_array_equal(tg.gradients(tg.softmax(t), t, grad=g), expected)


def test_softmax_row_with_nan_is_nan_and_leaves_the_others() -> None:
    found = tg.softmax(np.array([[NAN, 1.0], [0.0, 0.0]]))
    np.testing.assert_array_equal(found, [[NAN, NAN], [0.5, 0.5]])


def test_logsumexp_of_no_entries_is_the_logarithm_of_zero() -> None:
    np.testing.assert_array_equal(tg.logsumexp(np.zeros((2, 0)), axis=1), [-INF, -INF])


def test_logsumexp_of_minus_infinities_is_minus_infinity() -> None:
    assert tg.logsumexp(np.array([-INF, -INF])) == -INF


# ------------------------------------------------------------------- other points


def test_sinc_at_zero_is_one_with_slope_zero_and_curvature_of_its_series() -> None:
    x = [0.0]
    found = [tg.sinc(np.array(x)), slope(tg.sinc, x), curvature(tg.sinc, x)]
    np.testing.assert_allclose(np.ravel(found), [1.0, 0.0, -(np.pi**2) / 3], atol=1e-15)


def test_sinc_slope_keeps_its_digits_close_to_zero() -> None:
    x = 1e-6
    series = -(np.pi**2) * x / 3 * (1 - (np.pi * x) ** 2 / 10)
    np.testing.assert_allclose(slope(tg.sinc, [x]), [series], rtol=ROUNDING)


def test_arctan2_slopes_do_not_overflow_far_from_the_origin() -> None:
    found = slopes(tg.arctan2, [3e200], [4e200])
    np.testing.assert_allclose(np.ravel(found), [1.6e-201, -1.2e-201], rtol=ROUNDING)


def test_arcsinh_slope_does_not_overflow_far_from_the_origin() -> None:
    np.testing.assert_allclose(slope(tg.arcsinh, [1e200]), [1e-200], rtol=ROUNDING)


def test_expm1_slope_keeps_its_digits_in_the_left_tail() -> None:
    found = slope(tg.expm1, [-40.0])
    np.testing.assert_allclose(found, np.exp([-40.0]), rtol=ROUNDING)


def test_angle_of_a_negative_number_is_pi_without_slope() -> None:
    x = tg.tensor([-2.0])
    angle = tg.angle(x)
    found = [angle.numpy(), tg.gradients(angle, x, grad=np.ones(1))]
    np.testing.assert_array_equal(np.ravel(found), [np.pi, 0.0])
