"""Assignment and operators in place: what NumPy does, or an explicit error."""

from __future__ import annotations

import operator
import sys

import numpy as np
import pytest

import tensorgrad as tg


def made(data):
    """Return a Tensor that is the result of an op, which may be assigned to."""
    return tg.tensor(data) * 1.0


# ----------------------------------------------------------------------- what works


def test_assignment_to_an_index_is_recorded():
    x = tg.tensor([1.0, 2.0, 3.0])
    y = x * x
    y[1] = 10.0 * x[0]
    grad = tg.gradients(y.sum(), x)
    np.testing.assert_array_equal(y.numpy(), [1.0, 10.0, 9.0])
    np.testing.assert_array_equal(grad, [12.0, 0.0, 6.0])


def test_other_holders_of_the_old_value_are_untouched():
    x = made([1.0, 2.0])
    square = x * x
    x[0] = 5.0
    np.testing.assert_array_equal(square.numpy(), [1.0, 4.0])


def test_another_name_for_the_tensor_sees_the_assignment():
    x = made([1.0, 2.0])
    same = x
    x[0] = 5.0
    same += 1.0
    np.testing.assert_array_equal(x.numpy(), [6.0, 3.0])


def test_an_operator_in_place_on_a_row_by_index_is_recorded():
    x = tg.tensor(np.ones((2, 2)))
    y = x * 2.0
    y[0] += x[1]
    np.testing.assert_array_equal(y.numpy(), [[3.0, 3.0], [2.0, 2.0]])
    np.testing.assert_array_equal(tg.gradients(y.sum(), x), [[2.0, 2.0], [3.0, 3.0]])


def test_a_row_of_a_view_without_base_is_assigned_to():
    y = made(np.ones(4)).reshape(2, 2)
    y[0] += 1.0
    np.testing.assert_array_equal(y.numpy(), [[2.0, 2.0], [1.0, 1.0]])


def test_a_leaf_is_updated_by_row_without_recording():
    w = tg.tensor(np.ones((2, 2)), requires_grad=True)
    with tg.no_grad():
        w[0] -= 0.5
    assert w.requires_grad
    np.testing.assert_array_equal(w.numpy(), [[0.5, 0.5], [1.0, 1.0]])


def test_a_tensor_is_an_index():
    x = made([1.0, 2.0, 3.0])
    places = tg.tensor([2, 0])
    x[places] = 0.0
    np.testing.assert_array_equal(x[places].numpy(), [0.0, 0.0])


def test_assigning_to_a_mask_takes_the_gradient_from_there():
    x = tg.tensor([-1.0, 2.0])
    y = x * 3.0
    y[x < 0] = 0.0
    np.testing.assert_array_equal(tg.gradients(y.sum(), x), [0.0, 3.0])


def test_float32_stays_float32_when_float64_is_added_in_place():
    x = made(np.ones(2, np.float32)).astype(np.float32)
    x += np.ones(2)
    assert x.dtype == np.float32


def test_an_array_times_equals_a_tensor_is_a_tensor_of_the_arrays_dtype():
    t = tg.tensor([2.0, 3.0])
    array = np.ones(2, np.float32) * 5
    array *= t
    assert array.dtype == np.float32
    np.testing.assert_array_equal(tg.gradients(array.sum(), t), [5.0, 5.0])


def test_a_large_array_times_equals_a_tensor_differentiates():
    t = tg.tensor(np.ones(5000))
    array = np.full(5000, 2.0)
    array *= t
    np.testing.assert_array_equal(tg.gradients(array.sum(), t), np.full(5000, 2.0))


@pytest.mark.parametrize("shape", [(2,), (2, 2)])
def test_an_array_matmul_equals_a_tensor_is_recorded(shape):
    t = tg.tensor(np.eye(2) * 2.0)
    array = np.ones(shape)
    array @= t
    np.testing.assert_array_equal(array.numpy(), np.full(shape, 2.0))


def test_the_array_that_numpy_would_have_overwritten_holds_nan():
    array = np.ones(2)
    other = array
    array += tg.tensor([1.0, 2.0])
    assert np.isnan(other).all()


def test_a_scalar_result_is_immutable_and_in_place_makes_a_new_one():
    total = made([1.0, 2.0]).sum()
    other = total
    total += 1.0
    assert (total.item(), other.item()) == (4.0, 3.0)


def test_a_scalar_may_change_its_dtype_in_place_as_numpys_do():
    n = (tg.tensor([1, 2]) * 1).sum()
    n += 0.5
    assert n.dtype == np.float64


def test_a_loop_that_fills_a_buffer_is_recorded():
    x = tg.tensor([0.5, 1.5])
    y = np.zeros_like(x)
    for i in range(2):
        y[i] = np.sin(x[i])
    np.testing.assert_allclose(tg.gradients(y.sum(), x), np.cos([0.5, 1.5]), rtol=1e-15)


def test_rows_that_share_nothing_are_assigned_to_without_a_base():
    a, b = made(np.ones((2, 2)))
    a += 1.0
    np.testing.assert_array_equal(b.numpy(), [1.0, 1.0])


# ----------------------------------------------------------------------- what raises


def view_error(pattern="view"):
    return pytest.raises(tg.StaleViewError, match=pattern)


def test_in_place_on_a_named_view_raises_while_the_base_is_alive():
    y = made(np.ones((2, 2)))
    r = y[0]
    with view_error("base is still in use"):
        r += 1.0
    np.testing.assert_array_equal(y.numpy(), np.ones((2, 2)))


def test_assignment_to_a_view_raises_while_the_base_is_alive():
    y = made(np.ones((2, 2)))
    r = y[0]
    with view_error(r"copy: r = r\.copy\(\)"):
        r[0] = 1.0
    np.testing.assert_array_equal(r.numpy(), [1.0, 1.0])


@pytest.mark.parametrize(
    "part", [lambda y: y[0], lambda y: y.T, lambda y: y.reshape(-1)]
)
def test_a_chained_assignment_raises_rather_than_do_nothing(part):
    y = made(np.ones((2, 2)))
    with view_error():
        part(y)[0] = 5.0


def test_a_chained_operator_in_place_raises_and_leaves_the_base_usable():
    y = made(np.ones((2, 2)))
    with view_error():
        y.T[0] += 5.0
    np.testing.assert_array_equal(y.numpy(), np.ones((2, 2)))


def test_iterating_over_rows_to_change_them_raises():
    y = made(np.ones((2, 2)))
    with view_error():
        for row in y:
            row += 1.0  # noqa: PLW2901


def test_a_view_taken_before_an_assignment_raises_afterwards():
    y = made(np.ones((2, 2)))
    r = y[0]
    y[0] = 5.0
    with view_error("after the assignment"):
        r + 1.0


def test_a_sibling_view_of_the_same_entries_raises_after_an_assignment():
    y = made(np.ones(4))
    a, b = y[:3], y[1:]
    del y
    with view_error():
        b += 1.0
    np.testing.assert_array_equal(a.numpy(), np.ones(3))


def test_a_view_of_a_view_raises_when_the_view_in_the_middle_changes():
    y = made(np.ones((2, 2)))
    a = y[:1]
    b = a[0]
    del y
    a += 1.0
    with view_error():
        b + 1.0


def test_an_in_place_call_on_a_nameless_view_makes_the_base_unusable():
    y = made(np.ones((2, 2)))
    operator.iadd(y[0], 1.0)
    with view_error(r"y\[0\] \+= v"):
        y + 1.0


def test_an_in_place_result_assigned_elsewhere_makes_the_base_unusable():
    y = made(np.ones((2, 2)))
    r = operator.iadd(y[0], 1.0)
    with view_error(r"y\[0\] \+= v"):
        y[1] = r


def test_assigning_to_a_scalar_raises():
    total = made([1.0]).sum()
    with pytest.raises(tg.DTypeError, match="scalar"):
        total[()] = 1.0


def test_assigning_to_a_leaf_with_requires_grad_raises():
    w = tg.tensor([1.0], requires_grad=True, name="w")
    with pytest.raises(tg.GraphError, match=r"requires_grad \(w\)"):
        w[0] = 2.0


def test_in_place_on_a_leaf_with_requires_grad_raises():
    w = tg.tensor([1.0], requires_grad=True)
    with pytest.raises(tg.GraphError, match="no_grad"):
        w += 1.0


def test_a_target_is_not_broadcast():
    x = made([1.0])
    with pytest.raises(tg.ShapeError, match="not broadcast"):
        x += np.ones(3)


def test_an_integer_tensor_plus_equals_floats_raises_as_numpy_does():
    n = tg.tensor([1, 2])
    with pytest.raises(tg.DTypeError, match="int64"):
        n += 0.5


def test_a_recorded_value_in_an_integer_tensor_raises():
    n = tg.tensor([1, 2])
    with pytest.raises(tg.DTypeError, match="integers have no gradient"):
        n[0] = made([1.0])[0]


def test_deleting_an_entry_raises_and_names_numpys_delete():
    x = made([1.0])
    with pytest.raises(tg.ArgumentError, match=r"np\.delete"):
        del x[0]


def test_an_index_of_floats_raises():
    x = made([1.0])
    with pytest.raises(tg.DTypeError, match="index"):
        x[tg.tensor([0.0])] = 1.0


@pytest.mark.parametrize("dtype", [np.int64, np.bool_])
def test_an_integer_array_plus_equals_a_tensor_raises(dtype):
    array = np.ones(2, dtype)
    with pytest.raises(tg.DTypeError, match="astype"):
        array += tg.tensor([1.0, 2.0])


def test_a_read_only_array_plus_equals_a_tensor_raises():
    array = np.ones(2)
    array.flags.writeable = False
    with pytest.raises(tg.UnsupportedError, match="read-only"):
        array += tg.tensor([1.0, 2.0])


def test_assigning_a_recorded_tensor_to_an_array_raises_with_our_error_as_cause():
    array = np.zeros(2)
    with pytest.raises(ValueError, match="sequence") as caught:
        array[0] = made([1.0])
    assert isinstance(caught.value.__cause__, tg.DetachedError)
    assert "np.zeros_like" in str(caught.value.__cause__)


def test_a_reference_counted_temporary_is_told_from_a_named_view():
    # Else `r = y[0]; r += 1` would raise only when y is used next.
    y = made(np.ones((2, 2)))
    r = y[0]
    assert sys.getrefcount(r) == 2
    with view_error():
        r -= 1.0
