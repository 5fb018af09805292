"""Jacobians and Hessians against differences and products, in both modes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.autodiff import matrices
from tensorgrad.testing import strategies as tst
from tensorgrad.verify.numerical import complex_jacobian

RNG = np.random.default_rng(0)
WIDE, NARROW = RNG.normal(size=(7, 3)), RNG.normal(size=(2, 3))


@pytest.mark.parametrize("matrix", [WIDE, NARROW], ids=["columns", "rows"])
@given(seed=st.integers(0, 99))
def test_jacobian_agrees_with_complex_steps(matrix, seed):
    x = np.random.default_rng(seed).normal(size=(2, 3))

    def f(x):
        return np.exp(x @ matrix.T) / (1 + np.sum(x * x, axis=0)[:1])

    np.testing.assert_allclose(tg.jacobian(f)(x), complex_jacobian(f, x), rtol=1e-12)


@given(program=tst.programs())
def test_jacobian_of_any_program_is_made_of_its_products(program):
    numbers = tuple(range(len(program.inputs)))
    found = tg.jacobian(program, argnums=numbers)(*program.inputs)
    directions = [np.cos(np.arange(x.size)).reshape(x.shape) for x in program.inputs]
    _, moved = tg.jvp(program, program.inputs, directions)
    for row, t in zip(found, moved, strict=True):
        total = sum(
            np.tensordot(block, v, axes=v.ndim)
            for block, v in zip(row, directions, strict=True)
        )
        scale = 1e-9 * (1 + np.abs(t).max(initial=0.0))
        np.testing.assert_allclose(total, t, rtol=1e-8, atol=scale)


@given(seed=st.integers(0, 99))
def test_hessian_is_the_matrix_of_its_products(seed):
    rng = np.random.default_rng(seed)
    x, v = rng.normal(size=(2, 4, 1))

    def f(x):
        return tg.logsumexp(WIDE @ np.tanh(x[:3])) + (x**3).sum()

    matrix = tg.hessian(f)(x).reshape(4, 4)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
    np.testing.assert_allclose(
        (matrix @ v.ravel()), tg.hvp(f, (x,), (v,))[0].ravel(), atol=1e-12
    )


def test_hessian_of_a_quadratic_form_is_its_matrix():
    a = RNG.normal(size=(3, 3))
    found = tg.hessian(lambda x: x @ a @ x)(np.ones(3))
    np.testing.assert_allclose(found, a + a.T)


def test_structures_nest_results_over_arguments():
    def f(p, scale):
        return {"y": p["w"] * scale, "n": (p["b"] ** 2, scale)}

    found = tg.jacobian(f, argnums=(0, 1))({"w": np.ones(2), "b": 3.0}, 5.0)
    np.testing.assert_array_equal(found["y"][0]["w"], 5 * np.eye(2))
    np.testing.assert_array_equal(found["y"][0]["b"], np.zeros(2))
    np.testing.assert_array_equal(found["y"][1], np.ones(2))
    assert (found["n"][0][0]["b"], found["n"][1][1]) == (6.0, 1.0)
    blocks = tg.hessian(lambda p: p["a"] ** 2 * p["b"])({"a": 2.0, "b": 3.0})
    assert {k: dict(v) for k, v in blocks.items()} == {
        "a": {"a": 6.0, "b": 4.0},
        "b": {"a": 4.0, "b": 0.0},
    }


def test_hessian_by_a_module():
    model = tg.nn.mlp([2, 1], ["linear"], rng=0)
    x = RNG.normal(size=(4, 2))
    found = tg.hessian(lambda m: (m(x) ** 2).sum() / 2)(model)
    block = found.layers[0].W.layers[0].W
    np.testing.assert_allclose(block.reshape(2, 2), x.T @ x)


SIZES = {"rows": (lambda x: x[:2] ** 3, 3), "columns": (lambda x: np.tile(x**3, 2), 2)}


@pytest.mark.parametrize("shape", SIZES)
def test_matrices_nest(shape):
    f, n = SIZES[shape]
    x = np.arange(1.0, n + 1)
    third = tg.jacobian(tg.jacobian(tg.jacobian(f)))(x)
    places = np.nonzero(third)
    np.testing.assert_array_equal(third[places], 6.0)
    assert all((places[1] == p).all() for p in places[2:])
    along = tg.jvp(tg.jacobian(f), (x,), (np.ones(n),))[1]
    np.testing.assert_allclose(along, tg.jacobian(tg.jacobian(f))(x).sum(axis=-1))
    slope = tg.grad(lambda x: (tg.jacobian(f)(x) ** 2).sum())(x)
    before, after = (
        (tg.jacobian(f)(x + h * np.eye(n)[0]) ** 2).sum() for h in (-1e-5, 1e-5)
    )
    np.testing.assert_allclose(slope[0], (after - before) / 2e-5, rtol=1e-6)


@pytest.mark.parametrize("entries", [1, 8, 1 << 20])
def test_directions_in_several_passes_give_the_same(monkeypatch, entries):
    x = RNG.normal(size=(4, 3))

    def rows(x):
        return np.tanh(x) @ NARROW.T

    def columns(x):
        return np.tanh(x[:1]) @ WIDE.T

    expected = [tg.jacobian(f)(x) for f in (rows, columns)]
    monkeypatch.setattr(matrices, "LANE_ENTRIES", entries)
    for f, matrix in zip((rows, columns), expected, strict=True):
        np.testing.assert_allclose(tg.jacobian(f)(x), matrix, atol=1e-15)


@pytest.mark.parametrize("n", [0, 1])
def test_sizes_zero_and_one(n):
    assert tg.jacobian(lambda x: x * 2)(np.ones(n)).shape == (n, n)
    assert tg.jacobian(lambda x: x.sum())(np.ones((n, 2))).shape == (n, 2)
    assert tg.hessian(lambda x: (x**2).sum())(np.ones(n)).shape == (n, n)


def test_results_that_do_not_move_have_zero_rows():
    found = tg.jacobian(lambda x: [x, np.ones(2)])(np.ones(3))
    np.testing.assert_array_equal(found[1], np.zeros((2, 3)))


def test_holomorphic_functions_have_their_complex_derivative():
    z = np.array([1.0 + 1.0j, -2.0j])
    np.testing.assert_allclose(tg.jacobian(lambda z: z**3)(z), np.diag(3 * z**2))


def test_complex_results_of_real_numbers_have_both_parts():
    x = np.array([0.3, 2.0])
    found = tg.jacobian(lambda x: np.exp(1j * x))(x)
    np.testing.assert_allclose(found, np.diag(1j * np.exp(1j * x)), atol=1e-15)


@pytest.mark.parametrize("f", [np.conj, lambda z: z * abs(z), lambda z: z + z.real])
def test_functions_without_complex_derivative_are_refused(f):
    with pytest.raises(tg.DTypeError, match="not holomorphic"):
        tg.jacobian(f)(np.array([1.0 + 1.0j]))


def test_real_functions_of_complex_numbers_have_the_convention_of_the_gradient():
    z = np.array([1.0 + 2.0j, 0.5j])

    def f(z):
        return (np.abs(z) ** 2).sum()

    np.testing.assert_allclose(tg.jacobian(f)(z), tg.grad(f)(z))


def test_graph_is_swept_once_for_many_directions(monkeypatch):
    calls = []
    original = matrices.sweep

    def counted(*args, **kwargs):
        calls.append(1)
        return original(*args, **kwargs)

    monkeypatch.setattr(matrices, "sweep", counted)
    tg.jacobian(lambda x: np.tanh(x) * 2)(np.ones(50))
    assert len(calls) == 1
