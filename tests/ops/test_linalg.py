from __future__ import annotations

import itertools
from string import ascii_lowercase

import numpy as np
import pytest

from tensorgrad.autodiff.gradients import gradients
from tensorgrad.core.tensor import tensor
from tensorgrad.errors import ArgumentError, GraphError, ShapeError, UnsupportedError
from tensorgrad.ops.linalg import dot, inner, matmul, norm, outer, tensordot, vdot
from tensorgrad.ops.reduce import sum as sum_op

ROUNDING = 1e-13
"""Relative: contractions of at most 24 terms of size one."""

LEFT = {1: (4,), 2: (3, 4), 3: (2, 3, 4), 4: (5, 1, 3, 4)}
RIGHT = {1: (4,), 2: (4, 6), 3: (2, 4, 6), 4: (5, 2, 4, 6)}
RANKS = list(itertools.product(LEFT, RIGHT))


def letters_of_matmul(m, n):
    """Return einsum subscripts that define matmul for operands of m and n axes."""
    batch_x, batch_y = max(m - 2, 0), max(n - 2, 0)
    batch = ascii_lowercase[: max(batch_x, batch_y)]
    x = batch[len(batch) - batch_x :] + ("r" if m > 1 else "") + "k"
    y = batch[len(batch) - batch_y :] + "k" + ("c" if n > 1 else "")
    out = batch + ("r" if m > 1 else "") + ("c" if n > 1 else "")
    return x, y, out


def summed_to(share, shape):
    """Sum over what an operand was broadcast along, written for the reference alone."""
    lead = share.ndim - len(shape)
    share = share.sum(axis=tuple(range(lead)))
    ones = tuple(k for k, n in enumerate(shape) if n == 1)
    return share.sum(axis=ones, keepdims=True)


@pytest.mark.parametrize(("m", "n"), RANKS)
def test_matmul_is_the_sum_that_defines_it(m, n, rng):
    x, y = rng.standard_normal(LEFT[m]), rng.standard_normal(RIGHT[n])
    a, b, out = letters_of_matmul(m, n)
    expected = np.einsum(f"{a},{b}->{out}", x, y)
    found = matmul(tensor(x), tensor(y)).numpy()
    np.testing.assert_allclose(found, expected, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize(("m", "n"), RANKS)
def test_matmul_gradients_are_the_sums_that_define_them(m, n, rng):
    x, y = tensor(rng.standard_normal(LEFT[m])), tensor(rng.standard_normal(RIGHT[n]))
    out = matmul(x, y)
    g = rng.standard_normal(out.shape)
    a, b, c = letters_of_matmul(m, n)
    # NumPy's einsum repeats an axis of size one; the reference sums the copies.
    to_x = np.einsum(f"{c},{b}->{a}", g, y.numpy())
    to_y = np.einsum(f"{c},{a}->{b}", g, x.numpy())
    found_x, found_y = gradients(out, [x, y], grad=g)
    expected_x = summed_to(to_x, x.shape)
    expected_y = summed_to(to_y, y.shape)
    np.testing.assert_allclose(found_x, expected_x, rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(found_y, expected_y, rtol=ROUNDING, atol=ROUNDING)


def test_matmul_with_constant_data_does_not_keep_the_weights():
    W = tensor(np.ones((2, 3)))
    out = matmul(np.ones((4, 2)), W)
    kept = [part for part in out._node.saved if part is not None]
    assert [part.shape for part in kept] == [(4, 2)]


def test_matmul_names_the_sizes_that_do_not_align():
    message = (
        r"matmul: shapes \(3, 4\) and \(5, 2\) do not align: expected "
        r"x\.shape\[1\] == y\.shape\[0\] \(4 != 5\)\. Transpose one, or reshape\."
    )
    with pytest.raises(ShapeError, match=message):
        matmul(tensor(np.ones((3, 4))), np.ones((5, 2)))


def test_matmul_with_a_number_names_the_product_of_entries():
    with pytest.raises(ShapeError, match=r"Use x \* y for a scalar"):
        matmul(tensor(np.ones((3, 4))), 2.0)


@pytest.mark.parametrize(
    ("x_shape", "y_shape"),
    [
        ((), (2, 3)),
        ((2, 3), ()),
        ((4,), (4,)),
        ((2, 3, 4), (5, 4, 2)),
        ((3,), (2, 3, 2)),
    ],
)
def test_dot_gradients_are_the_directional_derivatives(x_shape, y_shape, rng):
    x, y = tensor(rng.standard_normal(x_shape)), tensor(rng.standard_normal(y_shape))
    out = dot(x, y)
    g, s, t = (rng.standard_normal(shape) for shape in (out.shape, x_shape, y_shape))
    to_x, to_y = gradients(out, [x, y], grad=g)
    # Bilinear: each directional derivative is the op itself.
    np.testing.assert_allclose(np.sum(to_x * s), np.sum(g * np.dot(s, y.numpy())))
    np.testing.assert_allclose(np.sum(to_y * t), np.sum(g * np.dot(x.numpy(), t)))


@pytest.mark.parametrize(
    "axes", [((0, 2), (2, 0)), ((2, 0), (0, 2)), ((-1, 0), (0, -1))]
)
def test_tensordot_brings_summed_axes_back_to_their_places(axes, rng):
    x, y = (
        tensor(rng.standard_normal((2, 3, 4))),
        tensor(rng.standard_normal((4, 5, 2))),
    )
    g = rng.standard_normal((3, 5))
    to_x, to_y = gradients(tensordot(x, y, axes), [x, y], grad=g)
    np.testing.assert_allclose(to_x, np.einsum("bd,cda->abc", g, y.numpy()))
    np.testing.assert_allclose(to_y, np.einsum("bd,abc->cda", g, x.numpy()))


def test_vdot_conjugates_its_first_operand(rng):
    a, b = (rng.standard_normal(3) + 1j * rng.standard_normal(3) for _ in range(2))
    x, y = tensor(a), tensor(b)
    out = vdot(x, y)
    to_x, to_y = gradients(out, [x, y], grad=1.0 + 0.0j)
    np.testing.assert_allclose(to_y, a.conj())
    # Re(conj(dx) y) = Re(conj(y) dx)
    np.testing.assert_allclose(to_x, b.conj())


def test_squared_length_of_complex_numbers_has_twice_the_conjugate_as_gradient(rng):
    a = rng.standard_normal(3) + 1j * rng.standard_normal(3)
    z = tensor(a)
    np.testing.assert_allclose(gradients(vdot(z, z), z, grad=1.0 + 0j), 2 * a.conj())


def test_inner_sums_over_last_axes(rng):
    x, y = tensor(rng.standard_normal((2, 3))), tensor(rng.standard_normal((4, 3)))
    g = rng.standard_normal((2, 4))
    to_x, to_y = gradients(inner(x, y), [x, y], grad=g)
    np.testing.assert_allclose(to_x, g @ y.numpy())
    np.testing.assert_allclose(to_y, g.T @ x.numpy())


def test_outer_of_matrices_gives_each_its_shape_back(rng):
    x, y = tensor(rng.standard_normal((2, 3))), tensor(rng.standard_normal((2, 2)))
    found = gradients(sum_op(outer(x, y)), [x, y])
    np.testing.assert_allclose(found[0], np.full((2, 3), y.numpy().sum()))
    np.testing.assert_allclose(found[1], np.full((2, 2), x.numpy().sum()))


# ------------------------------------------------------------------------------- norm


@pytest.mark.parametrize("exponent", [None, 1, 2, 3, 0.5, np.inf, -np.inf])
def test_norm_has_gradient_zero_at_the_zero_vector(exponent):
    x = tensor(np.zeros(3))
    assert gradients(norm(x, ord=exponent), x).tolist() == [0.0, 0.0, 0.0]


def test_norm_has_finite_second_order_at_the_zero_vector():
    x = tensor(np.zeros((2, 2)))
    first = gradients(norm(x), x, create_graph=True)
    assert np.isfinite(gradients(sum_op(first * first), x)).all()


def test_norm_of_one_zero_row_leaves_the_other_rows_their_gradient():
    x = tensor([[0.0, 0.0], [3.0, 4.0]])
    found = gradients(sum_op(norm(x, axis=1)), x)
    np.testing.assert_allclose(found, [[0.0, 0.0], [0.6, 0.8]])


def test_largest_entry_norm_shares_ties_and_keeps_signs():
    x = tensor([-2.0, 1.0, 2.0])
    assert gradients(norm(x, ord=np.inf), x).tolist() == [-0.5, 0.0, 0.5]


@pytest.mark.parametrize("exponent", [None, 1, 2, 3, np.inf])
def test_norm_of_complex_numbers_is_that_of_their_lengths(exponent, rng):
    z = rng.standard_normal(4) + 1j * rng.standard_normal(4)
    t = rng.standard_normal(4) + 1j * rng.standard_normal(4)
    x = tensor(z)
    h = 1e-6
    along = np.linalg.norm(z + h * t, exponent) - np.linalg.norm(z - h * t, exponent)
    found = np.sum(gradients(norm(x, ord=exponent), x) * t).real
    np.testing.assert_allclose(
        found, along / (2 * h), rtol=1e-8
    )  # a difference's error


@pytest.mark.parametrize("exponent", [1, 2, -2, "nuc", np.inf])
def test_norm_of_a_matrix_without_a_rule_is_refused(exponent):
    with pytest.raises(UnsupportedError, match="expected ord=None or 'fro'"):
        norm(tensor(np.ones((2, 2))), ord=exponent)


def test_norm_that_counts_entries_is_refused():
    with pytest.raises(ArgumentError, match="it has no gradient"):
        norm(tensor([1.0]), ord=0)


LARGE = {
    "right": ((2, 40), (40, 300)),
    "left": ((300, 40), (40, 2)),
    "product": ((300, 4), (4, 300)),
}


@pytest.mark.parametrize("shapes", LARGE.values(), ids=list(LARGE))
@pytest.mark.parametrize("kinds", [(True, False), (False, True), (True, True)])
def test_product_of_large_matrices_is_recorded_as_that_of_small_ones(
    shapes, kinds, rng
):
    x, y = (rng.standard_normal(shape) for shape in shapes)
    operands = [
        tensor(v) if is_tensor else v
        for v, is_tensor in zip((x, y), kinds, strict=True)
    ]
    targets = [v for v in operands if type(v) is not np.ndarray]
    out = matmul(*operands)
    g = rng.standard_normal(out.shape)
    expected = itertools.compress((g @ y.T, x.T @ g), kinds)
    np.testing.assert_array_equal(out.numpy(), x @ y)
    for found, share in zip(gradients(out, targets, g), expected, strict=True):
        np.testing.assert_array_equal(found, share)


@pytest.mark.parametrize("is_left", [True, False])
def test_large_factor_written_to_before_the_gradient_is_noticed(is_left, rng):
    data = rng.standard_normal((100, 100))
    w = tensor(rng.standard_normal((2, 100)))
    out = matmul(data, w.T) if is_left else matmul(w, data)
    data[:] = 0.0
    with pytest.raises(GraphError, match="written to after"):
        gradients(sum_op(out), w)
