from __future__ import annotations

import numpy as np
import pytest

from tensorgrad.autodiff.gradients import gradients
from tensorgrad.core.aval import Aval
from tensorgrad.core.node import Leaf
from tensorgrad.core.tensor import tensor, wrap
from tensorgrad.core.views import check_writable, is_scalar, owner_of
from tensorgrad.errors import (
    CaptureError,
    DTypeError,
    IndexRangeError,
    ShapeError,
    StaleViewError,
)
from tensorgrad.ops.indexing import (
    getitem,
    index_add,
    scatter_add,
    setitem,
    take,
    take_along_axis,
)
from tensorgrad.ops.reduce import sum as sum_op

INDICES = [
    pytest.param(1, id="integer"),
    pytest.param((slice(None, None, -2), -1), id="negative step"),
    pytest.param((Ellipsis, None, slice(1, 3)), id="ellipsis and newaxis"),
    pytest.param(np.array([2, 0, 2]), id="repeated places"),
    pytest.param(([[0], [2]], [1, 1, 3]), id="lists that broadcast"),
    pytest.param((slice(1, None), [0, 0]), id="slice before list"),
    pytest.param(np.arange(12).reshape(3, 4) % 3 == 0, id="mask"),
    pytest.param((np.array([True, False, True]), [3, 1]), id="mask and list"),
    pytest.param(np.int64(-1), id="NumPy integer"),
    pytest.param((np.array(2), slice(None)), id="0-d array"),
    pytest.param(np.zeros((0,), int), id="no places"),
    pytest.param((), id="empty tuple"),
    pytest.param(True, id="true"),
]


@pytest.mark.parametrize("index", INDICES)
def test_getitem_reads_what_numpy_reads(index, rng):
    x = rng.standard_normal((3, 4))
    assert np.array_equal(getitem(tensor(x), index).numpy(), x[index])


@pytest.mark.parametrize("index", INDICES)
def test_getitem_gradient_counts_how_often_each_entry_is_read(index):
    x = tensor(np.zeros((3, 4)))
    places = np.arange(12).reshape(3, 4)[index]
    counts = np.bincount(np.ravel(places), minlength=12).reshape(3, 4)
    assert np.array_equal(gradients(sum_op(getitem(x, index)), x), counts)


@pytest.mark.parametrize("index", INDICES)
def test_second_order_through_an_index_is_that_of_the_entries_read(index, rng):
    values = rng.standard_normal((3, 4))
    x = tensor(values)
    read = getitem(x, index)
    first = gradients(sum_op(read * read * read), x, create_graph=True)
    places = np.arange(12).reshape(3, 4)[index]
    counts = np.bincount(np.ravel(places), minlength=12).reshape(3, 4)
    np.testing.assert_allclose(gradients(sum_op(first), x), 6 * counts * values)


def test_later_write_to_an_index_array_does_not_change_the_graph():
    x = tensor([1.0, 2.0, 3.0])
    index = np.array([0, 0])
    y = getitem(x, index)
    index[:] = 2
    assert gradients(sum_op(y), x).tolist() == [2.0, 0.0, 0.0]


def test_tensor_of_integers_is_an_index():
    x = tensor([1.0, 2.0, 3.0])
    assert getitem(x, tensor([2, 0])).numpy().tolist() == [3.0, 1.0]


def test_tensor_of_integers_is_an_index_inside_a_tuple_and_a_slice():
    x = tensor(np.arange(12.0).reshape(3, 4))
    found = getitem(x, (tensor(1), slice(tensor(1), tensor(3))))
    assert found.numpy().tolist() == [5.0, 6.0]


def test_reading_one_entry_gives_a_scalar_as_in_numpy():
    assert is_scalar(getitem(tensor([1.0, 2.0]), 0))


def test_reading_a_row_gives_a_view_as_in_numpy():
    x = tensor(np.zeros((2, 2)))
    assert owner_of(getitem(x, 0)) is x


def test_reading_places_gives_no_view():
    x = tensor(np.zeros((2, 2)))
    assert owner_of(getitem(x, [0])) is not x


@pytest.mark.parametrize("index", [7, (1, 2, 3), np.array([0, 5])])
def test_index_out_of_range_raises_what_numpy_users_catch(index):
    with pytest.raises(IndexRangeError, match=r"getitem: shape \(3, 4\) with index"):
        getitem(tensor(np.ones((3, 4))), index)


@pytest.mark.parametrize("index", [1.5, "a", np.array([0.5]), slice(0.5, None)])
def test_index_that_is_no_integer_names_what_is_accepted(index):
    with pytest.raises(DTypeError, match="expected integers, slices, None"):
        getitem(tensor(np.ones(3)), index)


def test_abstract_index_names_take():
    index = wrap(Aval((2,), np.dtype(np.int64)), Leaf())
    with pytest.raises(CaptureError, match=r"Use tg\.take"):
        getitem(tensor(np.ones(3)), index)


def test_take_accepts_abstract_places():
    index = wrap(Aval((2, 5), np.dtype(np.int64)), Leaf())
    assert take(tensor(np.ones((3, 4))), index, axis=1)._value.shape == (3, 2, 5)


# ------------------------------------------------------------------------------ writing

ASSIGNMENTS = [
    pytest.param(1, (4,), id="row"),
    pytest.param(1, (), id="number into row"),
    pytest.param((slice(0, 2), slice(1, 3)), (1, 2, 1), id="led by ones"),
    pytest.param([2, 0], (2, 4), id="places"),
    pytest.param(([0, 1], [3, 3]), (2,), id="points"),
    pytest.param(np.arange(12).reshape(3, 4) % 2 == 0, (6,), id="mask"),
    pytest.param(Ellipsis, (3, 1), id="everything"),
]


@pytest.mark.parametrize(("index", "shape"), ASSIGNMENTS)
def test_setitem_gives_what_numpy_assigns(index, shape, rng):
    x, value = rng.standard_normal((3, 4)), rng.standard_normal(shape)
    expected = x.copy()
    expected[index] = value
    assert np.array_equal(setitem(tensor(x), value, index=index).numpy(), expected)


@pytest.mark.parametrize(("index", "shape"), ASSIGNMENTS)
def test_setitem_sends_each_cotangent_to_the_array_or_to_the_value(index, shape, rng):
    x, value = tensor(np.zeros((3, 4))), tensor(np.zeros(shape))
    g = rng.standard_normal((3, 4))
    to_x, to_value = gradients(setitem(x, value, index=index), [x, value], grad=g)
    outside = g.copy()
    outside[index] = 0
    assert np.array_equal(to_x, outside)
    assert to_value.shape == shape
    np.testing.assert_allclose(to_value.sum() + to_x.sum(), g.sum())


def test_setitem_leaves_its_operand_as_it_was():
    x = np.zeros(3)
    setitem(x, 1.0, index=0)
    assert x.tolist() == [0.0, 0.0, 0.0]


def test_value_that_is_overwritten_by_a_repeated_index_has_gradient_zero():
    value = tensor([1.0, 2.0, 3.0])
    y = setitem(np.zeros(2), value, index=[0, 1, 0])
    assert y.numpy().tolist() == [3.0, 2.0]
    assert gradients(sum_op(y), value).tolist() == [0.0, 1.0, 1.0]


def test_assigning_fractions_to_integers_raises():
    with pytest.raises(DTypeError, match=r"Convert the array first"):
        setitem(np.arange(3), 0.5, index=0)


def test_value_that_does_not_fit_the_region_raises_with_both_shapes():
    with pytest.raises(ShapeError, match=r"shape \(3,\) for a region of shape \(4,\)"):
        setitem(tensor(np.ones((3, 4))), np.ones(3), index=0)


# ------------------------------------------------------------- indices as an operand


@pytest.mark.parametrize("mode", ["raise", "wrap", "clip"])
@pytest.mark.parametrize("axis", [None, 0, -1])
def test_take_gradient_counts_places(axis, mode):
    x = tensor(np.zeros((3, 4)))
    places = np.array([[2, 0], [2, -1]])
    places = {"raise": places, "wrap": places + 12, "clip": np.abs(places) + 10}[mode]
    numbers = np.take(np.arange(12).reshape(3, 4), places, axis=axis, mode=mode)
    counts = np.bincount(numbers.ravel(), minlength=12).reshape(3, 4)
    y = take(x, places, axis=axis, mode=mode)
    assert np.array_equal(gradients(sum_op(y), x), counts)


@pytest.mark.parametrize("shape", [(3, 4), (3, 1), (1, 4)])
def test_take_along_axis_gradient_counts_places_where_it_broadcasts(shape):
    x = tensor(np.zeros(shape))
    places = np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]) % shape[1]
    numbers = np.take_along_axis(np.arange(x.size).reshape(shape), places, 1)
    counts = np.bincount(numbers.ravel(), minlength=x.size).reshape(shape)
    assert np.array_equal(gradients(sum_op(take_along_axis(x, places, 1)), x), counts)


def test_places_outside_of_the_array_raise_an_index_error():
    with pytest.raises(IndexRangeError, match="take"):
        take(tensor(np.ones(3)), [5])


def test_scatter_add_adds_where_places_repeat():
    assert scatter_add(np.ones(3), index=[1, 1, 0], shape=(3,)).tolist() == [1, 2, 0]


def test_index_add_is_the_transpose_of_take(rng):
    x, places = rng.standard_normal((3, 4)), np.array([3, 3, 0])
    g = rng.standard_normal((3, 3))
    lhs = np.sum(g * take(x, places, axis=1))
    rhs = np.sum(index_add(g, places, (3, 4), axis=1) * x)
    np.testing.assert_allclose(lhs, rhs)


def test_assignment_through_a_live_view_raises():
    x = tensor(np.zeros((2, 2)))
    row = getitem(x, 0)
    with pytest.raises(StaleViewError, match="view whose base is still in use"):
        check_writable(row, "assignment")
