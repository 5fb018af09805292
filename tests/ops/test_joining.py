from __future__ import annotations

import numpy as np
import pytest

from tensorgrad.autodiff.gradients import gradients
from tensorgrad.core.modes import no_grad
from tensorgrad.core.tensor import Tensor, tensor
from tensorgrad.core.views import owner_of
from tensorgrad.errors import ArgumentError, ShapeError, UnsupportedError
from tensorgrad.ops.joining import concatenate, pad, repeat, split, stack, tile
from tensorgrad.ops.reduce import sum as sum_op


def test_concatenate_gives_each_operand_its_part_of_the_cotangent():
    xs = [tensor(np.zeros((2, n))) for n in (1, 0, 3)]
    g = np.arange(8.0).reshape(2, 4)
    found = gradients(concatenate(xs, axis=-1), xs, grad=g)
    assert [f.tolist() for f in found] == [
        [[0.0], [4.0]],
        [[], []],
        [[1.0, 2.0, 3.0], [5.0, 6.0, 7.0]],
    ]


def test_concatenate_of_one_tensor_with_itself_adds_both_parts():
    x = tensor([1.0, 2.0])
    g = np.array([1.0, 2.0, 3.0, 4.0])
    assert gradients(concatenate([x, x]), x, grad=g).tolist() == [4.0, 6.0]


def test_concatenate_mixes_tensors_with_plain_arrays():
    x = tensor([1.0])
    y = concatenate([np.zeros(2), x, [5.0]])
    assert y.numpy().tolist() == [0.0, 0.0, 1.0, 5.0]
    assert gradients(sum_op(y), x).tolist() == [1.0]


def test_concatenate_of_float32_and_float64_returns_each_its_own_dtype():
    x, y = tensor([1.0], dtype=np.float32), tensor([1.0])
    found = gradients(sum_op(concatenate([x, y])), [x, y])
    assert [f.dtype for f in found] == [np.float32, np.float64]


def test_stack_of_numbers_and_tensors_is_a_vector():
    x = tensor(2.0)
    y = stack([1.0, x, 3])
    assert y.numpy().tolist() == [1.0, 2.0, 3.0]
    assert gradients(sum_op(y * y), x) == 4.0


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_stack_gives_each_operand_its_slice(axis, rng):
    xs = [tensor(np.zeros((2, 3))) for _ in range(4)]
    g = rng.standard_normal(np.stack([x.numpy() for x in xs], axis).shape)
    found = gradients(stack(xs, axis=axis), xs, grad=g)
    assert np.array_equal(np.stack(found, axis), g)


def test_stack_of_different_shapes_names_them():
    with pytest.raises(ShapeError, match=r"stack: shapes \(2,\) and \(3,\)"):
        stack([tensor([1.0, 2.0]), np.ones(3)])


def test_concatenate_beyond_the_axis_names_the_shapes():
    with pytest.raises(ShapeError, match=r"\(2, 3\) and \(2, 4\) differ beyond axis 0"):
        concatenate([tensor(np.ones((2, 3))), np.ones((2, 4))])


def test_unknown_argument_of_a_joining_op_is_refused():
    with pytest.raises(UnsupportedError, match="arguments among \\(axis\\)"):
        stack([tensor([1.0])], dtype=float)


# --------------------------------------------------------------------------- splitting


def test_split_gives_a_list_of_views():
    x = tensor(np.arange(6.0))
    parts = split(x, 3)
    assert type(parts) is list
    assert [owner_of(p) is x for p in parts] == [True, True, True]


def test_outputs_of_split_that_nobody_uses_have_gradient_zero():
    x = tensor(np.arange(5.0))
    _, middle, _ = split(x, [1, 3])
    assert gradients(sum_op(middle), x).tolist() == [0.0, 1.0, 1.0, 0.0, 0.0]


def test_output_of_split_that_is_used_twice_adds_both_cotangents():
    x = tensor(np.arange(4.0))
    first, second = split(x, 2)
    y = sum_op(first * first) + sum_op(first * second)
    # d/da (a² + ab) = 2a + b, d/db = a
    assert gradients(y, x).tolist() == [2.0, 5.0, 0.0, 1.0]


def test_second_order_through_two_outputs_is_that_of_the_product():
    x = tensor([2.0, 3.0])
    a, b = split(x, 2)
    first = gradients(sum_op(a * a * b), x, create_graph=True)
    # f = a²b: Hessian [[2b, 2a], [2a, 0]] times (1, 1)
    np.testing.assert_allclose(gradients(sum_op(first), x), [10.0, 4.0])


def test_adjoint_of_one_output_of_split_can_be_asked_for():
    x = tensor(np.arange(4.0))
    first, second = split(x, 2)
    y = sum_op(first * second)
    assert gradients(y, second).tolist() == [0.0, 1.0]


def test_split_at_positions_that_go_back_adds_what_overlaps():
    x = tensor(np.arange(4.0))
    y = concatenate(split(x, [3, 1]))
    assert y.numpy().tolist() == [0.0, 1.0, 2.0, 1.0, 2.0, 3.0]
    assert gradients(sum_op(y), x).tolist() == [1.0, 2.0, 2.0, 1.0]


def test_split_of_float32_has_a_gradient_of_float32():
    x = tensor(np.ones(4), dtype=np.float32)
    assert gradients(sum_op(split(x, 2)[1]), x).dtype == np.float32


def test_split_without_recording_gives_tensors_without_history():
    x = tensor(np.ones(4))
    with no_grad():
        parts = split(x, 2)
    assert [isinstance(p, Tensor) and p._node is None for p in parts] == [True, True]


def test_split_of_a_plain_array_gives_plain_arrays():
    assert [type(p) for p in split(np.ones(4), 2)] == [np.ndarray, np.ndarray]


def test_split_in_unequal_parts_is_refused():
    with pytest.raises(ShapeError, match="a number that divides the size"):
        split(tensor(np.ones(5)), 2)


# ------------------------------------------------------------------ repeating, padding


@pytest.mark.parametrize("reps", [2, (2, 3), (2, 1, 1), 0, (1, 0)])
def test_tile_gradient_counts_copies(reps):
    x = tensor(np.zeros((2, 3)))
    numbers = np.tile(np.arange(6).reshape(2, 3), reps)
    counts = np.bincount(numbers.ravel(), minlength=6).reshape(2, 3)
    assert np.array_equal(gradients(sum_op(tile(x, reps)), x), counts)


@pytest.mark.parametrize(
    ("repeats", "axis"), [(2, None), (3, 0), (2, -1), ([0, 2, 1], 1), ([1, 3], 0)]
)
def test_repeat_gradient_counts_repetitions(repeats, axis):
    x = tensor(np.zeros((2, 3)))
    numbers = np.repeat(np.arange(6).reshape(2, 3), repeats, axis)
    counts = np.bincount(numbers.ravel(), minlength=6).reshape(2, 3)
    assert np.array_equal(gradients(sum_op(repeat(x, repeats, axis)), x), counts)


@pytest.mark.parametrize("mode", ["edge", "reflect", "symmetric", "wrap"])
@pytest.mark.parametrize("width", [1, (2, 0), ((5, 1), (0, 7))])
def test_pad_gradient_counts_where_each_entry_shows(mode, width):
    x = tensor(np.zeros((2, 3)))
    numbers = np.pad(np.arange(6).reshape(2, 3), width, mode=mode)
    counts = np.bincount(numbers.ravel(), minlength=6).reshape(2, 3)
    assert np.array_equal(gradients(sum_op(pad(x, width, mode)), x), counts)


def test_pad_with_a_constant_does_not_pass_the_padding_on():
    x = tensor([1.0, 2.0])
    y = pad(x, (1, 2), constant_values=(7.0, 8.0))
    assert y.numpy().tolist() == [7.0, 1.0, 2.0, 8.0, 8.0]
    assert gradients(y, x, grad=np.arange(5.0)).tolist() == [1.0, 2.0]


def test_pad_accepts_widths_by_axis():
    assert pad(tensor(np.ones((1, 1))), {-1: (0, 2)}).shape == (1, 3)


def test_pad_refuses_modes_without_a_rule():
    with pytest.raises(ArgumentError, match="mode='mean'"):
        pad(tensor([1.0]), 1, mode="mean")
