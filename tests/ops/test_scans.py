from __future__ import annotations

import itertools

import numpy as np
import pytest

from tensorgrad.autodiff.gradients import gradients
from tensorgrad.core.tensor import tensor
from tensorgrad.ops.reduce import sum as sum_op
from tensorgrad.ops.scans import cumprod, cumsum, prod

ROUNDING = 1e-13
"""Relative: products of at most nine factors, each sum of at most nine terms."""

ZEROS = [
    pytest.param([2.0, 3.0, 5.0], id="no zero"),
    pytest.param([2.0, 0.0, 5.0], id="one zero"),
    pytest.param([0.0, 3.0, 0.0], id="two zeros"),
    pytest.param([0.0, 0.0, 0.0], id="all zeros"),
    pytest.param([7.0], id="one entry"),
]


def product_without(x, left_out):
    """Return the product of all entries but some: the definition, entry by entry."""
    return np.prod([v for i, v in enumerate(x) if i not in left_out])


@pytest.mark.parametrize("values", ZEROS)
def test_gradient_of_a_product_is_the_product_of_the_others(values):
    x = tensor(values)
    expected = [product_without(values, {i}) for i in range(len(values))]
    np.testing.assert_allclose(gradients(prod(x), x), expected, rtol=ROUNDING)


@pytest.mark.parametrize("values", ZEROS)
def test_second_order_of_a_product_leaves_two_out(values):
    x = tensor(values)
    n = len(values)
    first = gradients(prod(x), x, create_graph=True)
    rows = [gradients(first, x, grad=row, unused="zero") for row in np.eye(n)]
    expected = [
        [(i != j) * product_without(values, {i, j}) for j in range(n)] for i in range(n)
    ]
    np.testing.assert_allclose(rows, expected, rtol=ROUNDING)


def test_third_order_of_a_product_with_zeros_leaves_three_out():
    x = tensor([0.0, 0.0, 0.0, 5.0])
    first = gradients(prod(x), x, grad=1.0, create_graph=True)
    second = gradients(first, x, grad=[1.0, 0.0, 0.0, 0.0], create_graph=True)
    third = gradients(second, x, grad=[0.0, 1.0, 0.0, 0.0])
    assert third.tolist() == [0.0, 0.0, 5.0, 0.0]


@pytest.mark.parametrize("axis", [None, 0, 1, (0, 2), (-1, 0, 1)])
def test_product_over_axes_has_the_gradient_of_each_product_alone(axis, rng):
    values = rng.standard_normal((2, 3, 2))
    values[0, 1, 0] = 0.0
    x = tensor(values)
    y = prod(x, axis=axis)
    g = rng.standard_normal(y.shape)
    expected = np.zeros_like(values)
    for place in itertools.product(*[range(n) for n in values.shape]):
        step = np.zeros_like(values)
        step[place] = 1.0
        # A product is linear in each entry: its difference over any step is exact.
        change = np.prod(values + step, axis=axis) - np.prod(values, axis=axis)
        expected[place] = np.sum(g * change)
    found = gradients(y, x, grad=g)
    np.testing.assert_allclose(found, expected, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 9])
def test_running_product_has_the_gradient_of_its_definition(n, rng):
    values = rng.standard_normal(n)
    values[n // 2] = 0.0
    g = rng.standard_normal(n)
    x = tensor(values)
    expected = [
        np.sum([g[k] * product_without(values[: k + 1], {j}) for k in range(j, n)])
        for j in range(n)
    ]
    np.testing.assert_allclose(
        gradients(cumprod(x), x, grad=g), expected, rtol=ROUNDING, atol=ROUNDING
    )


def test_second_order_of_a_running_product_is_right_at_zeros():
    x = tensor([0.0, 0.0, 3.0])
    first = gradients(sum_op(cumprod(x)), x, create_graph=True)
    rows = [gradients(first, x, grad=row, unused="zero") for row in np.eye(3)]
    # f = a + ab + abc at a = b = 0, c = 3
    assert np.array(rows).tolist() == [
        [0.0, 4.0, 0.0],
        [4.0, 0.0, 0.0],
        [0.0, 0.0, 0.0],
    ]


def test_running_sum_without_an_axis_runs_over_all_entries(rng):
    x = tensor(rng.standard_normal((2, 3)))
    found = gradients(sum_op(cumsum(x)), x)
    assert found.tolist() == [[6.0, 5.0, 4.0], [3.0, 2.0, 1.0]]


def test_product_of_nothing_is_one_with_an_empty_gradient():
    x = tensor(np.ones((0, 2)))
    y = prod(x, axis=0)
    assert y.numpy().tolist() == [1.0, 1.0]
    assert gradients(sum_op(y), x).shape == (0, 2)
