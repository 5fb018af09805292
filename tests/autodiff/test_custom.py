"""Checkpoints, and gradients that functions give themselves."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.testing import strategies as tst

RNG = np.random.default_rng(0)


def total(results):
    return sum((np.sin(r).sum() for r in results), start=0.0)


@given(program=tst.programs())
def test_checkpointed_program_has_the_same_bits(program):
    numbers = tuple(range(len(program.inputs)))
    saving = tg.checkpoint(program)
    found = tg.value_and_grad(lambda *x: total(saving(*x)), numbers)(*program.inputs)
    plain = tg.value_and_grad(lambda *x: total(program(*x)), numbers)(*program.inputs)
    np.testing.assert_equal(found, plain)


ORDERS = {
    "gradient": tg.grad,
    "hessian": tg.hessian,
    "gradient of a gradient": lambda f: tg.grad(lambda x: (tg.grad(f)(x) ** 2).sum()),
    "third order": lambda f: tg.grad(lambda x: (tg.hessian(f)(x) ** 2).sum()),
    "forward": lambda f: lambda x: tg.jvp(f, (x,), (np.ones_like(x),))[1],
    "product": lambda f: lambda x: tg.hvp(f, (x,), (np.ones_like(x),))[0],
}


def smooth(x):
    return np.sin(x) * x**2


def by_hand(x):
    return smooth(x), lambda g: g * (np.cos(x) * x**2 + 2 * x * np.sin(x))


WRAPPED = {"checkpoint": tg.checkpoint(smooth), "custom": tg.custom_gradient(by_hand)}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("wrapped", WRAPPED)
def test_every_derivative_is_that_of_the_plain_function(order, wrapped):
    x = np.array([0.3, 0.7, -1.1])
    found = ORDERS[order](lambda x: (WRAPPED[wrapped](x) * x).sum())(x)
    expected = ORDERS[order](lambda x: (smooth(x) * x).sum())(x)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_checkpoints_chain_over_captured_tensors_without_counting_twice():
    w = tg.tensor(RNG.normal(size=(3, 3)), requires_grad=True)
    v = w * 2.0

    def layer(x):
        return np.tanh(x @ w + x @ v)

    saving = tg.checkpoint(layer)
    x = RNG.normal(size=(4, 3))
    found, plain = (
        tg.gradients(f(f(tg.tensor(x))).sum(), [w, v]) for f in (saving, layer)
    )
    np.testing.assert_allclose(found, plain, rtol=1e-13)


def test_checkpoint_gives_its_memory_back():
    held = []

    def layer(x):
        inner = np.exp(x)
        held.append(weakref.ref(inner.numpy().base))
        return np.tanh(inner * inner)

    out = tg.checkpoint(layer)(tg.tensor(np.ones(1000)))
    gc.collect()
    assert held[0]() is None
    assert out.shape == (1000,)


def test_generator_among_the_arguments_is_put_back():
    def dropped(x, rng):
        return x * (rng.random(x.shape) < 0.5)

    x = tg.tensor(np.ones(50))
    out = tg.checkpoint(dropped)(x, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(tg.gradients(out.sum(), x), out.numpy())


def test_dropout_of_a_module_can_be_recomputed():
    model = tg.nn.mlp([4, 8, 1], ["tanh", "linear"], keep_prob=0.5, rng=0)
    x = RNG.normal(size=(6, 4))

    def loss(f):
        return lambda m: (f(m, x, np.random.default_rng(1)) ** 2).sum()

    found = tg.grad(loss(tg.checkpoint(lambda m, x, rng: m(x, rng=rng))))(model)
    plain = tg.grad(loss(lambda m, x, rng: m(x, rng=rng)))(model)
    np.testing.assert_equal(tg.tree.leaves(found), tg.tree.leaves(plain))


def changed_array():
    noise = np.ones(3)

    def f(x):
        return x * x * noise

    x = tg.tensor(np.ones(3))
    out = tg.checkpoint(f)(x).sum()
    noise[:] = 2.0
    return out, x


def hidden_generator():
    rng = np.random.default_rng(0)
    x = tg.tensor(np.ones(3))
    return tg.checkpoint(lambda x: x * rng.random(3))(x).sum(), x


@pytest.mark.parametrize("make", [changed_array, hidden_generator])
def test_recomputation_that_differs_is_found_out(make):
    out, x = make()
    with pytest.raises(tg.GraphError, match="other values when"):
        tg.gradients(out, x)


def test_checkpoint_of_plain_arrays_is_the_function():
    assert tg.checkpoint(lambda x: x * 2)(3.0) == 6.0


def test_structures_pass_through_a_checkpoint():
    f = tg.checkpoint(lambda p, n: {"y": p["x"] ** n, "n": n, "s": [p["x"].sum()]})
    found = tg.grad(lambda p: f(p, 3)["y"].sum() + f(p, 2)["s"][0])({"x": np.ones(2)})
    np.testing.assert_array_equal(found["x"], [4.0, 4.0])


# ---------------------------------------------------------------- gradient by hand


def scaled(factor):
    """Return x·y with a gradient that is wrong by a factor."""

    def f(x, y):
        return x * y, lambda g: (factor * g * y, g * x)

    return f


@pytest.mark.parametrize("factor", [2.0, 1.001, -1.0, 0.0])
def test_wrong_gradient_is_refuted_when_it_is_first_used(factor):
    wrong = tg.custom_gradient(scaled(factor))
    with pytest.raises(tg.GraphError, match="differences give"):
        tg.grad(lambda x: wrong(x, x).sum())(np.array([1.0, 2.0]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(seed=st.integers(0, 99))
def test_right_gradient_passes_in_every_dtype(dtype, seed):
    x = np.random.default_rng(seed).normal(size=4).astype(dtype)
    right = tg.custom_gradient(scaled(1.0))
    np.testing.assert_allclose(tg.grad(lambda x: right(x, x).sum())(x), 2 * x)


def test_check_comes_back_while_it_cannot_tell():
    @tg.custom_gradient
    def wrong_abs(x):
        return np.abs(x), lambda g: 2.0 * g * np.sign(x)

    assert tg.grad(lambda x: wrong_abs(x).sum())(np.zeros(1)) == 0.0
    with pytest.raises(tg.GraphError, match="differences give"):
        tg.grad(lambda x: wrong_abs(x).sum())(np.ones(1))


def test_gradient_that_is_meant_to_differ_is_let_through():
    @tg.custom_gradient(check=False)
    def straight_through(x):
        return np.round(x), lambda g: g

    np.testing.assert_array_equal(
        tg.grad(lambda x: (straight_through(x) * 3).sum())(np.array([0.4, 1.7])), [3, 3]
    )


def test_none_is_no_gradient_and_other_arguments_pass():
    @tg.custom_gradient(check=False)
    def f(x, y, name, *, power):
        return x**power * y, lambda g: (g * 7.0, None, None)

    found = tg.grad(lambda x, y: f(x, y, "a", power=2), argnums=(0, 1))(2.0, 3.0)
    assert found == (7.0, 0.0)


def test_several_results_and_containers():
    @tg.custom_gradient
    def f(p):
        value = {"s": p["x"].sum(), "d": p["x"] * p["k"]}
        return value, lambda g: (
            {"x": g["s"] + g["d"] * p["k"], "k": np.sum(g["d"] * p["x"])},
        )

    found = tg.grad(lambda p: f(p)["s"] + 2 * f(p)["d"].sum())(
        {"x": np.array([1.0, 2.0]), "k": 3.0}
    )
    np.testing.assert_array_equal(found["x"], [7.0, 7.0])
    assert found["k"] == 6.0


def test_tensor_that_is_no_argument_is_refused():
    w = tg.tensor(2.0, requires_grad=True, name="w")
    f = tg.custom_gradient(lambda x: (x * w, lambda g: g * w))
    with pytest.raises(tg.GraphError, match=r"no argument of it \(w\)"):
        f(tg.tensor(1.0))


WRONG = {
    "no pair": (lambda x: x, tg.ArgumentError, "a pair"),
    "too many": (lambda x: (x, lambda g: (g, g)), tg.ArgumentError, "a tuple with"),
    "shape": (lambda x: (x, lambda g: g.sum()), tg.ShapeError, "equal shapes"),
    "containers": (lambda x: (x, lambda g: {"x": g}), tg.ArgumentError, "structure"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_pullbacks_are_explained(name):
    f, error, pattern = WRONG[name]
    wrong = tg.custom_gradient(f, check=False)
    with pytest.raises(error, match=pattern):
        tg.grad(lambda x: wrong(x).sum())(np.ones(2))


@pytest.mark.parametrize("transform", [tg.checkpoint, tg.custom_gradient])
def test_only_functions_are_wrapped(transform):
    with pytest.raises(tg.ArgumentError, match="a function"):
        transform(3)
