"""Pointwise ops beyond single values: refusals, dtypes, memory, agreement of two ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg

SINGLE = 1e-6  # rounding of float32, a few operations
LARGE = (300, 400)  # beyond the size from which results go into reused memory


@pytest.mark.parametrize(
    "name",
    [
        "maximum",
        "minimum",
        "fmax",
        "fmin",
        "greater",
        "greater_equal",
        "less",
        "less_equal",
    ],
)
def test_ops_that_need_an_order_refuse_complex_numbers(name: str) -> None:
    with pytest.raises(tg.DTypeError, match=rf"{name}: a complex operand.*Take \.real"):
        getattr(tg, name)(tg.tensor([1.0 + 1.0j]), 0.0)


@pytest.mark.parametrize("name", ["sign", "relu", "leaky_relu", "softplus"])
def test_functions_that_need_an_order_refuse_complex_numbers(name: str) -> None:
    with pytest.raises(tg.DTypeError, match=rf"{name}: a complex operand"):
        getattr(tg, name)(tg.tensor([1.0 + 1.0j]))


def test_clip_refuses_a_complex_bound() -> None:
    with pytest.raises(tg.DTypeError, match="clip: a complex operand"):
        tg.clip(tg.tensor([1.0]), 0.0, 1.0j)


def test_function_without_complex_loop_is_explained() -> None:
    with pytest.raises(tg.DTypeError, match=r"cbrt: .*complex128.*expected"):
        tg.cbrt(tg.tensor([1.0j]))


def test_relu_refuses_a_slope_that_would_have_to_be_differentiated() -> None:
    with pytest.raises(tg.DTypeError, match=r"slope beta of type Tensor.*tg.where"):
        tg.relu(tg.tensor([1.0]), tg.tensor(0.1))


def test_where_with_a_condition_alone_names_nonzero() -> None:
    with pytest.raises(tg.ArgumentError, match=r"condition alone.*np.nonzero"):
        tg.where(np.array([True]))


def test_where_of_shapes_that_do_not_broadcast_is_explained() -> None:
    with pytest.raises(tg.ShapeError, match=r"where: shapes .* do not broadcast"):
        tg.where(np.array([True, False]), np.zeros(3), 0.0)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_sums_over_classes_refuse_an_axis_that_is_not_there(name: str) -> None:
    with pytest.raises(
        tg.ShapeError, match=f"{name}: axis 2 of an operand with 2 axes"
    ):
        getattr(tg, name)(tg.tensor(np.zeros((2, 3))), axis=2)


def test_softmax_of_a_scalar_is_refused() -> None:
    with pytest.raises(
        tg.ShapeError, match="softmax: axis -1 of an operand with 0 axes"
    ):
        tg.softmax(tg.tensor(1.0))


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "softmax", "logsumexp"])
def test_activations_of_integers_are_float64(name: str) -> None:
    assert getattr(tg, name)(np.array([1, 2], np.int8)).dtype == np.float64


@pytest.mark.parametrize(
    "name", ["sigmoid", "relu", "leaky_relu", "softplus", "softmax", "log_softmax"]
)
def test_activations_keep_float32_forwards_and_backwards(name: str) -> None:
    z = tg.tensor(np.linspace(-2.0, 2.0, 6, dtype=np.float32).reshape(2, 3))
    a = getattr(tg, name)(z)
    g = tg.gradients(a, z, grad=np.ones((2, 3), np.float32))
    assert (a.dtype, g.dtype) == (np.float32, np.float32)


@pytest.mark.parametrize(
    "name", ["sigmoid", "relu", "leaky_relu", "softplus", "softmax", "log_softmax"]
)
def test_activation_of_a_transposed_array_equals_that_of_its_copy(
    name: str, rng: np.random.Generator
) -> None:
    z = rng.normal(size=LARGE).T
    found = getattr(tg, name)(z)
    np.testing.assert_array_equal(found, getattr(tg, name)(np.array(z, order="K")))


@pytest.mark.parametrize(
    "name", ["sigmoid", "relu", "leaky_relu", "softplus", "softmax", "log_softmax"]
)
def test_activation_leaves_its_operand_unchanged(
    name: str, rng: np.random.Generator
) -> None:
    z = rng.normal(size=LARGE)
    z.flags.writeable = False
    first = getattr(tg, name)(z)
    second = getattr(tg, name)(z)
    assert not np.shares_memory(first, second)


@pytest.mark.parametrize(
    "name", ["sigmoid", "relu", "leaky_relu", "softplus", "softmax", "log_softmax"]
)
def test_gradient_through_a_large_activation_equals_that_of_its_rows(
    name: str, rng: np.random.Generator
) -> None:
    z, g = rng.normal(size=LARGE), rng.normal(size=LARGE)
    whole = tg.tensor(z)
    found = tg.gradients(getattr(tg, name)(whole), whole, grad=g)
    rows = [tg.tensor(row) for row in z]
    expected = [
        tg.gradients(getattr(tg, name)(row), row, grad=cotangent)
        for row, cotangent in zip(rows, g, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("axis", [0, 1, -1, (0, 1), None])
def test_softmax_sums_to_one_over_its_axes(axis: Any, rng: np.random.Generator) -> None:
    a = tg.softmax(rng.normal(size=(4, 5)), axis=axis)
    np.testing.assert_allclose(a.sum(axis=axis), 1.0, rtol=1e-14)


@pytest.mark.parametrize("shape", [(5, 2000), (2000, 5)])
def test_softmax_jacobian_of_long_and_short_rows_agrees_with_its_formula(
    shape: tuple[int, int], rng: np.random.Generator
) -> None:
    z, g = rng.normal(size=shape), rng.normal(size=shape)
    s = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    found = tg.softmax_jacobian(g, s, axis=1)
    expected = s * (g - (g * s).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-15)


def test_softmax_of_float32_agrees_with_float64(rng: np.random.Generator) -> None:
    z = rng.normal(size=LARGE)
    found = tg.softmax(z.astype(np.float32))
    np.testing.assert_allclose(found, tg.softmax(z), rtol=10 * SINGLE)


def test_log_softmax_is_the_logarithm_of_softmax(rng: np.random.Generator) -> None:
    z = rng.normal(size=(4, 5))
    np.testing.assert_allclose(tg.log_softmax(z), np.log(tg.softmax(z)), rtol=1e-13)


def test_logsumexp_of_two_is_logaddexp(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=5), rng.normal(size=5)
    found = tg.logsumexp(np.stack([x, y]), axis=0)
    np.testing.assert_allclose(found, np.logaddexp(x, y), rtol=1e-14)


def test_comparisons_of_recorded_tensors_are_plain_booleans() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    found = [type(x > 1.5), type(x == 2.0), type(tg.isnan(x * x)), (x <= 1.0).dtype]
    assert found == [np.ndarray, np.ndarray, np.ndarray, np.dtype(bool)]


def test_nan_to_num_without_copy_does_not_write_to_its_operand() -> None:
    x = np.array([np.nan, 1.0])
    tg.nan_to_num(x, copy=False)
    assert np.isnan(x[0])


def test_python_scalar_does_not_widen_float32_in_any_binary_op() -> None:
    x = tg.tensor(np.float32([0.5, 2.0]))
    names = [
        "power",
        "maximum",
        "remainder",
        "hypot",
        "arctan2",
        "logaddexp",
        "copysign",
    ]
    assert {getattr(tg, n)(x, 0.75).dtype for n in names} == {np.dtype(np.float32)}


def test_float_power_is_double_precision_whatever_it_is_given() -> None:
    x = tg.tensor(np.float32([4.0]))
    out = tg.float_power(x, -0.5)
    assert (out.dtype, tg.gradients(out, x, grad=np.ones(1)).dtype) == (
        np.float64,
        np.float32,
    )
