from __future__ import annotations

import numpy as np
import pytest

from tensorgrad.autodiff.gradients import gradients
from tensorgrad.core.tensor import Tensor, tensor
from tensorgrad.core.views import is_scalar
from tensorgrad.errors import DTypeError, ShapeError, UnsupportedError
from tensorgrad.ops.reduce import argmax, argmin, mean, ptp, std, var
from tensorgrad.ops.reduce import max as max_op
from tensorgrad.ops.reduce import min as min_op
from tensorgrad.ops.reduce import sum as sum_op
from tensorgrad.ops.shaping import as_integer, astype

ROUNDING = 1e-14
"""Relative: sums of a dozen terms."""


@pytest.mark.parametrize(
    ("extreme", "shares"),
    [(max_op, [0.5, 0.5, 0.0, 0.0, 0.0]), (min_op, [0.0, 0.0, 1 / 3, 1 / 3, 1 / 3])],
)
def test_ties_share_the_gradient_of_an_extreme_equally(extreme, shares):
    x = tensor([[3.0, 3.0, 1.0, 1.0, 1.0], [2.0, 2.0, 2.0, 2.0, 2.0]])
    found = gradients(sum_op(extreme(x, axis=1)), x)
    np.testing.assert_allclose(found, [shares, [0.2] * 5], rtol=ROUNDING)


def test_ptp_of_equal_entries_has_gradient_zero():
    x = tensor([2.0, 2.0])
    assert gradients(ptp(x), x).tolist() == [0.0, 0.0]


def test_extreme_of_float32_has_a_gradient_of_float32():
    x = tensor([[1.0], [2.0]], dtype=np.float32)
    assert gradients(sum_op(max_op(x, axis=1, keepdims=True)), x).dtype == np.float32


@pytest.mark.parametrize("value", [0.1, 0.0, 1e-300, 1e100, 1e16 + 2])
@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_std_has_gradient_zero_where_all_entries_are_equal(value, n):
    x = tensor(np.full(n, value))
    assert gradients(std(x), x).tolist() == [0.0] * n


def test_second_order_of_std_is_finite_where_all_entries_are_equal():
    x = tensor(np.full((3, 2), 0.1))
    first = gradients(sum_op(std(x, axis=0)), x, create_graph=True)
    assert np.isfinite(gradients(sum_op(first * first), x)).all()


def test_std_of_a_flat_column_leaves_the_other_columns_their_gradient():
    x = tensor([[1.0, 5.0], [3.0, 5.0]])
    found = gradients(sum_op(std(x, axis=0)), x)
    np.testing.assert_allclose(found, [[-0.5, 0.0], [0.5, 0.0]], rtol=ROUNDING)


@pytest.mark.parametrize("spread", [var, std])
def test_correction_is_another_name_of_ddof(spread, rng):
    x = tensor(rng.standard_normal((3, 4)))
    one, other = spread(x, axis=1, ddof=1), spread(x, axis=1, correction=1)
    assert np.array_equal(gradients(sum_op(one), x), gradients(sum_op(other), x))


def test_variance_of_complex_numbers_is_that_of_their_parts(rng):
    re, im = rng.standard_normal(5), rng.standard_normal(5)
    z = tensor(re + 1j * im)
    a, b = tensor(re), tensor(im)
    from_parts = gradients(var(a) + var(b), [a, b])
    # Convention: the gradient of a real f is ∂f/∂x − i ∂f/∂y.
    np.testing.assert_allclose(
        gradients(var(z), z), from_parts[0] - 1j * from_parts[1], rtol=1e-13
    )


@pytest.mark.parametrize("axis", [(), (0,), (0, 1), -1, None])
@pytest.mark.parametrize("keepdims", [True, False])
def test_sum_gradient_repeats_the_cotangent(axis, keepdims, rng):
    x = tensor(rng.standard_normal((3, 4)))
    y = sum_op(x, axis=axis, keepdims=keepdims)
    g = rng.standard_normal(y.shape)
    kept = np.sum(x.numpy(), axis=axis, keepdims=True).shape
    expected = np.broadcast_to(g.reshape(kept), (3, 4))
    assert np.array_equal(gradients(y, x, grad=g), expected)


def test_gradient_of_a_sum_is_an_array_that_may_be_written():
    x = tensor(np.ones((2, 3)))
    found = gradients(sum_op(x), x)
    found[0, 0] = 5.0
    assert found.tolist() == [[5.0, 1.0, 1.0], [1.0, 1.0, 1.0]]


def test_sum_in_a_wider_dtype_returns_the_gradient_in_the_operand_dtype():
    x = tensor([1.0, 2.0], dtype=np.float32)
    y = sum_op(x, dtype=np.float64)
    assert y.dtype == np.float64
    assert gradients(y, x).dtype == np.float32


def test_mean_of_large_float32_arrays_is_numpys():
    values = np.random.default_rng(3).random(100_003, dtype=np.float32)
    assert mean(tensor(values)).item() == np.mean(values).item()


def test_mean_of_integers_is_floating():
    assert mean(tensor([1, 2])).item() == 1.5


def test_full_reduction_is_a_scalar_as_in_numpy():
    assert is_scalar(sum_op(tensor([1.0, 2.0])))


@pytest.mark.parametrize("place", [argmax, argmin])
def test_place_of_an_extreme_is_a_constant(place):
    assert not isinstance(place(tensor([1.0, 3.0, 2.0])), Tensor)


@pytest.mark.parametrize("reduction", [max_op, min_op, ptp, argmax, argmin])
def test_order_of_complex_numbers_is_refused(reduction):
    with pytest.raises(DTypeError, match="expected real numbers"):
        reduction(tensor([1.0 + 1.0j]))


@pytest.mark.parametrize("reduction", [max_op, min_op, argmax])
def test_extreme_of_nothing_is_refused(reduction):
    with pytest.raises(ShapeError, match="at least one entry to reduce over"):
        reduction(tensor(np.ones((0, 3))), axis=0)


@pytest.mark.parametrize("axis", [2, -3, (0, 2)])
def test_axis_that_is_not_there_is_named(axis):
    with pytest.raises(ShapeError, match=r"sum: axis -?\d of an operand with 2 axes"):
        sum_op(tensor(np.ones((2, 2))), axis=axis)


def test_axis_given_twice_is_refused():
    with pytest.raises(ShapeError, match="each axis once"):
        mean(tensor(np.ones((2, 2))), axis=(0, -2))


def test_argument_without_a_rule_is_refused_with_those_that_have_one():
    with pytest.raises(UnsupportedError, match=r"arguments among \(x, axis, dtype"):
        sum_op(tensor([1.0]), where=[True])


def test_conversion_to_integers_is_a_constant():
    assert astype(tensor([1.7]), int).tolist() == [1]
    assert as_integer(np.array([-1.7]), np.int8).dtype == np.int8


def test_conversion_to_complex_takes_the_real_part_of_the_cotangent():
    x = tensor([1.0, 2.0])
    y = astype(x, complex)
    assert gradients(y, x, grad=np.array([1 + 2j, 3 - 4j])).tolist() == [1.0, 3.0]
