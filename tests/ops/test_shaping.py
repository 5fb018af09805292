from __future__ import annotations

import numpy as np
import pytest

from tensorgrad.autodiff.gradients import gradients
from tensorgrad.core.tensor import tensor
from tensorgrad.core.views import owner_of
from tensorgrad.errors import ArgumentError, ShapeError
from tensorgrad.ops import TABLE
from tensorgrad.ops.diagonals import diag, diagonal, trace
from tensorgrad.ops.reduce import sum as sum_op
from tensorgrad.ops.shaping import broadcast_to, copy, reshape, roll, spread
from tensorgrad.ops.sorting import argsort, sort

VIEWS = [
    ("reshape", {"shape": (3, 2)}),
    ("ravel", {}),
    ("transpose", {}),
    ("swapaxes", {"axis1": 0, "axis2": 1}),
    ("moveaxis", {"source": 0, "destination": 1}),
    ("squeeze", {}),
    ("expand_dims", {"axis": 0}),
    ("broadcast_to", {"shape": (4, 2, 3)}),
    ("flip", {}),
    ("rot90", {}),
    ("diagonal", {}),
    ("diag", {}),
]
COPIES = [
    ("reshape", {"shape": (3, 2), "order": "F"}),
    ("roll", {"shift": 1}),
    ("copy", {}),
    ("astype", {"dtype": float}),
    ("triu", {}),
]


@pytest.mark.parametrize(("name", "static"), VIEWS)
def test_result_that_is_a_view_in_numpy_knows_its_base(name, static):
    x = tensor(np.arange(6.0).reshape(2, 3))
    assert owner_of(TABLE[name](x, **static)) is x


@pytest.mark.parametrize(("name", "static"), COPIES)
def test_result_that_is_a_copy_in_numpy_has_memory_of_its_own(name, static):
    x = tensor(np.arange(6.0).reshape(2, 3))
    y = TABLE[name](x, **static)
    assert owner_of(y) is not x
    assert not np.shares_memory(x._value, y._value)


def test_operand_of_copy_gets_the_cotangent_as_it_is():
    x = tensor([1.0, 2.0])
    assert gradients(copy(x), x, grad=[3.0, 4.0]).tolist() == [3.0, 4.0]


@pytest.mark.parametrize("order", ["A", "K"])
def test_order_that_depends_on_memory_is_refused(order):
    with pytest.raises(ArgumentError, match="order 'C' or 'F'"):
        reshape(tensor(np.ones((2, 3))), -1, order)


def test_reshape_to_another_number_of_entries_shows_both_shapes():
    with pytest.raises(ShapeError, match=r"shape \(2, 3\) with shape=\(4, 2\)"):
        reshape(tensor(np.ones((2, 3))), (4, 2))


@pytest.mark.parametrize("shape", [(2, 3), (0, 3), (), (1,)])
def test_cotangent_of_a_full_sum_is_spread_without_memory(shape):
    x = tensor(np.zeros(shape))
    out = spread(np.float64(2.0), x._value, None)
    assert np.array_equal(out, np.full(shape, 2.0))
    assert set(out.strides) <= {0}
    assert not out.flags.writeable


def test_broadcast_to_sums_the_copies_of_an_entry():
    x = tensor(np.zeros((3, 1)))
    found = gradients(sum_op(broadcast_to(x, (2, 3, 4))), x)
    assert found.tolist() == [[8.0], [8.0], [8.0]]


@pytest.mark.parametrize(
    ("shift", "axis"), [(2, None), ((1, -2), (0, 1)), ([1, 1], [1, 1])]
)
def test_roll_gradient_goes_back_where_the_entry_came_from(shift, axis):
    x = tensor(np.zeros((2, 3)))
    numbers = np.roll(np.arange(6.0).reshape(2, 3), shift, axis)
    found = gradients(roll(x, shift, axis), x, grad=numbers)
    assert np.array_equal(found, np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize("offset", [-4, -1, 0, 1, 3])
@pytest.mark.parametrize("axes", [(0, 1), (1, 0), (2, 0), (-1, 1)])
def test_diagonal_gradient_marks_the_entries_it_reads(offset, axes):
    shape = (2, 3, 4)
    x = tensor(np.zeros(shape))
    numbers = np.diagonal(np.arange(24).reshape(shape), offset, *axes)
    counts = np.bincount(numbers.ravel(), minlength=24).reshape(shape)
    y = diagonal(x, offset, *axes)
    assert np.array_equal(gradients(sum_op(y), x), counts)
    assert np.array_equal(gradients(sum_op(trace(x, offset, *axes)), x), counts)


@pytest.mark.parametrize("k", [-1, 0, 2])
def test_diag_of_diag_is_the_identity_in_both_directions(k):
    x = tensor([1.0, 2.0, 3.0])
    y = diag(diag(x, k), k)
    assert y.numpy().tolist() == [1.0, 2.0, 3.0]
    assert gradients(y, x, grad=[4.0, 5.0, 6.0]).tolist() == [4.0, 5.0, 6.0]


def test_diag_of_a_stack_names_diagonal():
    with pytest.raises(ShapeError, match=r"Use tg\.diagonal for stacks"):
        diag(tensor(np.ones((2, 2, 2))))


def test_equal_entries_keep_their_own_gradients_when_sorted():
    x = tensor([2.0, 1.0, 2.0, 1.0])
    found = gradients(sort(x), x, grad=[10.0, 20.0, 30.0, 40.0])
    assert found.tolist() == [30.0, 10.0, 40.0, 20.0]


def test_order_of_equal_entries_is_that_of_the_operand():
    assert argsort(tensor([1.0] * 40)).tolist() == list(range(40))
