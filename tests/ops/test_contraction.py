from __future__ import annotations

import numpy as np
import pytest

from tensorgrad.autodiff.gradients import gradients
from tensorgrad.core.tensor import tensor
from tensorgrad.errors import GraphError, ShapeError, UnsupportedError
from tensorgrad.ops.contraction import einsum
from tensorgrad.ops.reduce import sum as sum_op

# Another order of summation.
ROUNDING = 1e-12

CALLS = [
    pytest.param("ij,jk->ik", [(2, 3), (3, 4)], id="matmul"),
    pytest.param("ij,jk", [(2, 3), (3, 4)], id="implied output"),
    pytest.param("ba", [(2, 3)], id="implied transpose"),
    pytest.param("ii", [(3, 3)], id="trace"),
    pytest.param("ii->i", [(3, 3)], id="diagonal"),
    pytest.param("iji->j", [(2, 3, 2)], id="trace of outer axes"),
    pytest.param("iii->i", [(2, 2, 2)], id="diagonal of a cube"),
    pytest.param("iij,ji->", [(2, 2, 3), (3, 2)], id="repeated beside another"),
    pytest.param("ij,k->k", [(2, 3), (4,)], id="letters summed away"),
    pytest.param("i,i,i->", [(3,), (3,), (3,)], id="three factors"),
    pytest.param(
        "...ij,...jk->...ik", [(2, 1, 3, 4), (5, 4, 2)], id="broadcast stacks"
    ),
    pytest.param("i...,i...", [(2, 3), (2, 3)], id="ellipsis behind"),
    pytest.param("i,i->i", [(1,), (3,)], id="letter of size one"),
    pytest.param(",ij->ji", [(), (2, 3)], id="scalar factor"),
    pytest.param("i , j -> j i", [(2,), (3,)], id="spaces"),
]


@pytest.mark.parametrize(("subscripts", "shapes"), CALLS)
def test_value_is_numpys(subscripts, shapes, rng):
    arrays = [rng.standard_normal(shape) for shape in shapes]
    expected = np.einsum(subscripts, *arrays)
    found = einsum(subscripts, *[tensor(a) for a in arrays]).numpy()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("optimize", [False, True])
@pytest.mark.parametrize(("subscripts", "shapes"), CALLS)
def test_each_transpose_pairs_with_the_map_it_transposes(
    subscripts, shapes, optimize, rng
):
    arrays = [rng.standard_normal(shape) for shape in shapes]
    xs = [tensor(a) for a in arrays]
    out = einsum(subscripts, *xs, optimize=optimize)
    g = rng.standard_normal(out.shape)
    found = gradients(out, xs, grad=g)
    moved = [rng.standard_normal(shape) for shape in shapes]
    forward = [
        np.sum(g * np.einsum(subscripts, *arrays[:k], moved[k], *arrays[k + 1 :]))
        for k in range(len(arrays))
    ]
    backward = [np.sum(f * m) for f, m in zip(found, moved, strict=True)]
    np.testing.assert_allclose(backward, forward, rtol=1e-11)
    assert [f.shape for f in found] == shapes


def test_second_order_of_a_quadratic_form_is_its_symmetric_part(rng):
    A = rng.standard_normal((3, 3))
    x = tensor(rng.standard_normal(3))
    first = gradients(einsum("i,ij,j->", x, A, x), x, create_graph=True)
    rows = [gradients(first, x, grad=row) for row in np.eye(3)]
    np.testing.assert_allclose(rows, A + A.T, rtol=1e-13)


def test_lone_recorded_factor_is_not_kept_alive():
    W = tensor(np.ones((3, 4)))
    out = einsum("ij,jk->ik", np.ones((2, 3)), W)
    assert [v is None for v in out._node.saved] == [False, True]


def test_foreign_factor_written_to_before_the_sweep_is_noticed():
    data = np.ones((100, 100))
    W = tensor(np.ones((100, 2)))
    out = einsum("ij,jk->ik", data, W)
    data[:] = 2.0
    with pytest.raises(GraphError, match="was written to"):
        gradients(sum_op(out), W)


def test_small_foreign_factor_is_copied():
    data = np.ones(2)
    w = tensor([3.0, 4.0])
    out = einsum("i,i->", data, w)
    data[:] = 7.0
    assert gradients(out, w).tolist() == [1.0, 1.0]


def test_result_is_not_a_view_of_its_operand():
    x = tensor(np.eye(3))
    out = einsum("ii->i", x)
    assert not np.shares_memory(out._value, x._value)


@pytest.mark.parametrize(
    "call",
    [
        lambda f, x, y: f(x, [0, 1], y, [1, 2], [0, 2]),
        lambda f, x, y: f(x, [30, 1], y, [1, 2]),
        lambda f, x, y: f(x, [Ellipsis, 1], y, [1, 2], [2, Ellipsis]),
        lambda f, x, y: f(x, [0, 1], [1, 0]),
        lambda f, x, y: f(x @ y, [0, 0], []),
    ],
)
def test_axes_may_be_named_by_lists_of_integers(call, rng):
    x, y = rng.normal(size=(3, 4)), rng.normal(size=(4, 3))
    t = tensor(x)
    out = call(np.einsum, t, y)
    np.testing.assert_allclose(out.numpy(), call(np.einsum, x, y), rtol=ROUNDING)
    # The sum of all entries is linear in x: its gradient gives it back.
    found = gradients(sum_op(out), t)
    np.testing.assert_allclose((found * x).sum(), out.numpy().sum(), rtol=ROUNDING)


@pytest.mark.parametrize("axes", [[0, -1], [0, 52], [0, 1.5], 3, None])
def test_what_names_no_axes_is_refused_with_the_spelling_to_use(axes):
    with pytest.raises(UnsupportedError, match=r"einsum\('ij,jk->ik', x, y\)"):
        einsum(tensor(np.ones((2, 2))), axes)


@pytest.mark.parametrize(
    ("subscripts", "shapes", "message"),
    [
        ("ij,jk->ik", [(2, 3), (4, 5)], "sizes 3 and 4 for 'j'"),
        ("ijk->i", [(2, 3)], r"shape \(2, 3\) for 'ijk'"),
        ("ij->iz", [(2, 3)], "output 'iz'"),
        ("ij,j->i", [(2, 3)], "1 operands"),
        ("...j->j", [(2, 3)], r"expected '...' in the output"),
    ],
)
def test_subscripts_that_do_not_fit_say_where(subscripts, shapes, message):
    with pytest.raises(ShapeError, match=message):
        einsum(subscripts, *[tensor(np.ones(shape)) for shape in shapes])
