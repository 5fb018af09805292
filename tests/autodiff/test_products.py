"""Products with the Jacobian, against differences, each other, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.autodiff.differences import differentiate
from tensorgrad.testing import strategies as tst

SEEDS = st.integers(0, 2**32 - 1)


def like(rng, arrays):
    return [rng.uniform(0.5, 1.0, np.shape(a)) * rng.choice([-1, 1]) for a in arrays]


def pairing(first, second):
    return sum(float(np.sum(a * b)) for a, b in zip(first, second, strict=True))


def size(first, second):
    return sum(float(np.sum(abs(a * b))) for a, b in zip(first, second, strict=True))


@given(program=tst.programs(), seed=SEEDS)
def test_jvp_of_any_program_is_the_slope_along_the_direction(program, seed):
    rng = np.random.default_rng(seed)
    direction = like(rng, program.inputs)
    _, found = tg.jvp(program, program.inputs, direction)
    weights = like(rng, found)

    def along(h):
        moved = [x + h * d for x, d in zip(program.inputs, direction, strict=True)]
        return pairing(weights, program(*moved))

    # A tenth of the distance that the inputs keep from kinks and ends of domains.
    estimate = differentiate(along, 2e-3)
    slack = 10 * estimate.error + 1e-6 * size(weights, found)
    assert abs(pairing(weights, found) - estimate.value) <= slack


@given(program=tst.programs(), seed=SEEDS)
def test_both_modes_pair_to_the_same_number(program, seed):
    rng = np.random.default_rng(seed)
    direction = like(rng, program.inputs)
    out, found = tg.jvp(program, program.inputs, direction)
    again, pullback = tg.vjp(program, *program.inputs)
    cotangents = tuple(like(rng, out))
    shares = pullback(cotangents)
    np.testing.assert_equal(out, again)
    left, right = pairing(cotangents, found), pairing(shares, direction)
    assert abs(left - right) <= 1e-9 * (1 + size(cotangents, found))


@given(program=tst.programs(), seed=SEEDS)
def test_pullback_is_linear_in_its_cotangent(program, seed):
    rng = np.random.default_rng(seed)
    out, pullback = tg.vjp(program, *program.inputs)
    g, h = like(rng, out), like(rng, out)
    both = pullback(tuple(2.0 * a - 3.0 * b for a, b in zip(g, h, strict=True)))
    for total, a, b in zip(both, pullback(tuple(g)), pullback(tuple(h)), strict=True):
        scale = 1 + np.abs(a).max(initial=0) + np.abs(b).max(initial=0)
        np.testing.assert_allclose(total, 2.0 * a - 3.0 * b, atol=1e-10 * scale)


@given(x=st.floats(-2, 2), v=st.floats(-2, 2), w=st.floats(-2, 2))
def test_nested_forward_mode_gives_second_derivatives(x, v, w):
    def inner(x):
        return tg.jvp(lambda y: np.sin(y) * y, (x,), (v,))[1]

    found = tg.jvp(inner, (x,), (w,))[1]
    np.testing.assert_allclose(
        found, (2 * np.cos(x) - x * np.sin(x)) * v * w, atol=1e-12
    )


MIXTURES = {
    "forward over reverse": lambda f, x: tg.jvp(tg.grad(f), (x,), (1.0,))[1],
    "reverse over forward": lambda f, x: tg.grad(lambda y: tg.jvp(f, (y,), (1.0,))[1])(
        x
    ),
    "reverse over reverse": lambda f, x: tg.grad(tg.grad(f))(x),
    "pullback of a gradient": lambda f, x: tg.vjp(tg.grad(f), x)[1](1.0)[0],
    "gradient of a pullback": lambda f, x: tg.grad(lambda y: tg.vjp(f, y)[1](1.0)[0])(
        x
    ),
    "product": lambda f, x: tg.hvp(f, (x,), (1.0,))[0],
    "matrix": lambda f, x: tg.hessian(f)(x),
    "matrix of a derivative": lambda f, x: tg.jacobian(tg.elementwise_grad(f))(x),
}


@pytest.mark.parametrize("mixture", MIXTURES)
@given(x=st.floats(-1, 1))
def test_every_nesting_gives_the_same_second_derivative(mixture, x):
    found = MIXTURES[mixture](lambda y: tg.exp(y) * y**2, x)
    np.testing.assert_allclose(found, np.exp(x) * (x**2 + 4 * x + 2), atol=1e-12)


def test_inner_and_outer_perturbations_are_not_confused():
    def outer(x):
        return x * tg.jvp(lambda y: x + y, (1.0,), (1.0,))[1]

    assert tg.jvp(outer, (2.0,), (1.0,))[1] == 1.0


def test_closure_over_an_outer_variable_moves_with_it():
    found = tg.grad(lambda x: tg.jvp(lambda y: x * y**2, (3.0,), (1.0,))[1])(2.0)
    assert found == 6.0


def test_structures_go_in_and_out():
    def f(p, scale):
        return {"y": [p["w"] * scale], "n": (p["w"] ** 2).sum()}

    point = ({"w": np.array([1.0, 2.0])}, 3.0)
    out, found = tg.jvp(f, point, ({"w": np.array([1.0, 0.0])}, 0.5))
    np.testing.assert_array_equal(found["y"][0], [3.5, 1.0])
    assert (out["n"], found["n"]) == (5.0, 2.0)
    _, pullback = tg.vjp(f, *point)
    shares = pullback({"y": [np.ones(2)], "n": 1.0})
    np.testing.assert_array_equal(shares[0]["w"], [5.0, 7.0])
    assert shares[1] == 3.0


def test_modules_are_points_and_directions():
    model = tg.nn.mlp([3, 4, 1], ["tanh", "linear"], rng=0)
    x = np.random.default_rng(0).normal(size=(5, 3))
    slopes = tg.grad(lambda m: (m(x) ** 2).sum())(model)
    _, along = tg.jvp(lambda m: (m(x) ** 2).sum(), (model,), (slopes,))
    total = sum(float((g**2).sum()) for g in tg.tree.leaves(slopes))
    np.testing.assert_allclose(along, total)


def test_argument_without_tangent_may_be_anything():
    out, t = tg.jvp(lambda x, name: x * len(name), (2.0, "abc"), (1.0, None))
    assert (out, t) == (6.0, 3.0)
    assert tg.hvp(lambda x, n: x**n, (2.0, 3), (1.0, None)) == (12.0, None)


def test_several_outputs_of_one_op_move_each_by_itself():
    out, t = tg.jvp(lambda x: np.split(x**2, 2), (np.array([1.0, 2.0]),), (np.ones(2),))
    np.testing.assert_array_equal(np.concatenate(t), [2.0, 4.0])
    np.testing.assert_array_equal(np.concatenate(out), [1.0, 4.0])
    found = tg.hvp(
        lambda x: np.split(x**3, 2)[1].sum(), (np.array([1.0, 2.0]),), (np.ones(2),)
    )
    np.testing.assert_array_equal(found[0], [0.0, 12.0])


def test_assignment_moves_what_it_assigns_to():
    def f(x):
        y = np.zeros_like(x)
        y[0] = x[1] ** 2
        y += x
        return y

    _, t = tg.jvp(f, (np.array([1.0, 3.0]),), (np.array([0.0, 1.0]),))
    np.testing.assert_array_equal(t, [6.0, 1.0])


Z = np.array([[0.3, -1.0], [2.0, 0.5]])
LOSSES = {
    "sigmoid": (tg.sigmoid, tg.log_loss, np.array([[1.0, 0.0], [0.0, 1.0]])),
    "softmax": (tg.softmax, tg.cross_entropy, np.array([1, 0])),
}


@pytest.mark.parametrize("head", LOSSES)
def test_losses_from_logits_move_once(head):
    activation, loss, y = LOSSES[head]
    v = np.array([[1.0, -2.0], [0.5, 0.25]])
    found = tg.jvp(lambda z: loss(activation(z), y), (Z,), (v,))[1]
    slopes = tg.grad(lambda z: loss(activation(z), y))(Z)
    np.testing.assert_allclose(found, (slopes * v).sum(), rtol=1e-13)


@pytest.mark.parametrize("head", LOSSES)
def test_losses_move_with_probabilities_whose_logits_stand_still(head):
    activation, loss, y = LOSSES[head]
    z = tg.tensor(Z)
    a = activation(z)

    def from_probabilities(a):
        return loss(a, y)

    v = np.array([[0.01, -0.02], [0.03, 0.01]])
    found = tg.jvp(from_probabilities, (a,), (v,))[1]
    plain = tg.jvp(from_probabilities, (a.numpy().copy(),), (v,))[1]
    np.testing.assert_allclose(found.numpy(), plain, rtol=1e-12)


def test_complex_directions_follow_the_convention_of_the_gradient():
    z, v = np.array([1.0 + 2.0j, -0.5j]), np.array([0.3 - 1.0j, 2.0 + 0.1j])

    def f(z):
        return (np.abs(z) ** 2).sum() + (z**3).real.sum()

    found = tg.jvp(f, (z,), (v,))[1]
    np.testing.assert_allclose(found, (tg.grad(f)(z) * v).sum().real)


def test_results_are_arrays_of_their_own():
    x, v = np.ones(2), np.array([1.0, 2.0])
    out, t = tg.jvp(lambda x: x, (x,), (v,))
    t[0] = out[0] = 9.0
    shares = tg.vjp(lambda x: x, x)[1](v)
    shares[0][1] = 7.0
    np.testing.assert_array_equal((x, v), ([1.0, 1.0], [1.0, 2.0]))


def test_cotangent_may_be_reused_after_it_was_passed():
    g = np.ones(2)
    _, pullback = tg.vjp(lambda x, y: x * y, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    first = pullback(g)
    g[:] = 5.0
    np.testing.assert_array_equal(first[0], [3.0, 4.0])


def test_no_grad_stands_still_by_declaration():
    def f(x):
        with tg.no_grad():
            held = x * 1.0
        return x * held

    assert tg.jvp(f, (3.0,), (1.0,))[1] == 3.0


def test_forward_mode_ends_with_an_exception():
    with pytest.raises(ZeroDivisionError):
        tg.jvp(lambda x: 1 // 0, (1.0,), (1.0,))
    assert tg.jvp(lambda x: x * x, (3.0,), (1.0,))[1] == 6.0


@pytest.mark.parametrize("f", [np.tanh, tg.sigmoid, lambda x: x**2 + np.sin(x)])
def test_elementwise_derivative_is_the_diagonal_of_the_jacobian(f):
    x = np.linspace(-2, 2, 6).reshape(2, 3)
    found = tg.elementwise_grad(f)(x)
    jacobian = tg.jacobian(f)(x).reshape(6, 6)
    np.testing.assert_array_equal(found.ravel(), np.diag(jacobian))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x / x.sum(),
        np.cumsum,
        lambda x: x[::-1],
        lambda x: x + 1e-3 * np.roll(x, 1),
        tg.softmax,
    ],
)
def test_function_whose_entries_depend_on_others_is_no_elementwise_one(f):
    with pytest.raises(tg.GraphError, match="entries depend on each other"):
        tg.elementwise_grad(f)(np.array([1.0, 2.0, 4.0]))


F = {
    "jvp of a number": (lambda: tg.jvp(3, (1.0,), (1.0,)), tg.ArgumentError),
    "no tuple": (lambda: tg.jvp(np.sin, 1.0, (1.0,)), tg.ArgumentError),
    "no tuple of tangents": (lambda: tg.jvp(np.sin, (1.0,), 1.0), tg.ArgumentError),
    "a tangent too many": (
        lambda: tg.jvp(np.sin, (1.0,), (1.0, 2.0)),
        tg.ArgumentError,
    ),
    "no tangent": (lambda: tg.jvp(np.sin, (1.0,), (None,)), tg.ArgumentError),
    "other containers": (
        lambda: tg.jvp(lambda p: p["a"], ({"a": 1.0},), ([1.0],)),
        tg.ArgumentError,
    ),
    "other shape": (
        lambda: tg.jvp(np.sin, (np.ones(3),), (np.ones(2),)),
        tg.ShapeError,
    ),
    "complex tangent": (lambda: tg.jvp(np.sin, (1.0,), (1.0j,)), tg.DTypeError),
    "integers": (lambda: tg.jvp(np.sin, (1,), (1,)), tg.DTypeError),
    "counts": (
        lambda: tg.jvp(np.argmax, (np.ones(2),), (np.ones(2),)),
        tg.DTypeError,
    ),
    "text": (lambda: tg.jvp(lambda x: "y", (1.0,), (1.0,)), tg.DTypeError),
    "vjp of text": (lambda: tg.vjp(np.sin, "x"), tg.DTypeError),
    "cotangent's shape": (
        lambda: tg.vjp(np.sin, np.ones(3))[1](np.ones(2)),
        tg.ShapeError,
    ),
    "cotangent's containers": (
        lambda: tg.vjp(lambda x: [x], 1.0)[1](1.0),
        tg.ArgumentError,
    ),
    "hvp of a vector": (
        lambda: tg.hvp(np.sin, (np.ones(2),), (np.ones(2),)),
        tg.ShapeError,
    ),
    "elementwise with another shape": (
        lambda: tg.elementwise_grad(np.sum)(np.ones(2)),
        tg.ShapeError,
    ),
}


@pytest.mark.parametrize("name", F)
def test_wrong_arguments_are_refused_and_what_to_do_is_said(name):
    call, error = F[name]
    with pytest.raises(error, match=r": expected .*\. "):
        call()
