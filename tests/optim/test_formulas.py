"""Optimisers against the formulas of the papers, written out in plain NumPy."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import tensorgrad as tg
from tensorgrad.core.tensor import as_value
from tensorgrad.errors import ArgumentError
from tensorgrad.optim import SGD, Adam, AdamW, RMSProp

N_STEPS = 7
# The kernels order the same products differently: a few roundings a step.
RTOL = {np.dtype("f4"): 2e-5, np.dtype("f8"): 1e-13}

Path = Iterator[Any]


def sgd(p: Any, slopes: Any, lr: float, **_: Any) -> Path:
    for g in slopes:
        p = p - lr * g
        yield p


def momentum(p: Any, slopes: Any, lr: float, mu: float = 0.9) -> Path:
    """Polyak's heavy ball, with the velocity in steps as in Sutskever's equation 1."""
    v = np.zeros_like(p)
    for g in slopes:
        v = mu * v - lr * g
        p = p + v
        yield p


def nesterov(p: Any, slopes: Any, lr: float, mu: float = 0.9) -> Path:
    """Sutskever's equations 3 and 4 in the variable at which gradients are taken."""
    v = np.zeros_like(p)
    for g in slopes:
        v = mu * v - lr * g
        p = p + mu * v - lr * g
        yield p


def rmsprop(
    p: Any, slopes: Any, lr: float, rho: float = 0.9, eps: float = 1e-8
) -> Path:
    s = np.zeros_like(p)
    for g in slopes:
        s = rho * s + (1 - rho) * g**2
        p = p - lr * g / (np.sqrt(s) + eps)
        yield p


def adam(
    p: Any, slopes: Any, lr: float, betas: Any = (0.9, 0.999), eps: float = 1e-8
) -> Path:
    """Kingma and Ba, algorithm 1, line by line."""
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(slopes, start=1):
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        m_hat = m / (1 - betas[0] ** t)
        v_hat = v / (1 - betas[1] ** t)
        p = p - lr * m_hat / (np.sqrt(v_hat) + eps)
        yield p


def adamw(p: Any, slopes: Any, lr: float, decay: float = 0.01) -> Path:
    """Loshchilov and Hutter, algorithm 2, line 12, with the rate in the decay too."""
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(slopes, start=1):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        step = (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        p = p - lr * (step + decay * p)
        yield p


PAPERS: list[tuple[str, Any, Callable[..., Path], dict[str, Any]]] = [
    ("sgd", SGD(0.1), sgd, {}),
    ("momentum", SGD(0.1, momentum=0.9), momentum, {}),
    ("momentum half", SGD(0.1, 0.5), momentum, {"mu": 0.5}),
    ("nesterov", SGD(0.1, momentum=0.9, nesterov=True), nesterov, {}),
    ("rmsprop", RMSProp(0.1), rmsprop, {}),
    ("rmsprop eps", RMSProp(0.1, 0.5, 0.1), rmsprop, {"rho": 0.5, "eps": 0.1}),
    ("adam", Adam(0.1), adam, {}),
    ("adam eps", Adam(0.1, 0.5, 0.8, 0.1), adam, {"betas": (0.5, 0.8), "eps": 0.1}),
    ("adamw", AdamW(0.1), adamw, {}),
    ("adamw decay", AdamW(0.1, weight_decay=0.5), adamw, {"decay": 0.5}),
]
BY_PAPER = pytest.mark.parametrize(
    ("optimizer", "paper", "constants"),
    [row[1:] for row in PAPERS],
    ids=[row[0] for row in PAPERS],
)

ENTRIES = st.floats(-8, 8, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3)


@BY_PAPER
@given(data=st.data())
def test_updates_follow_the_paper(optimizer, paper, constants, data):
    dtype = data.draw(st.sampled_from(["f4", "f8"]))
    shape = data.draw(st.sampled_from([(), (3,), (2, 3), (0, 2)]))
    start = data.draw(arrays(dtype, shape, elements=ENTRIES))
    slopes = data.draw(arrays(dtype, (N_STEPS, *shape), elements=ENTRIES))
    p, state = start, optimizer.init(start)
    wide = slopes.astype("f8")
    for g, expected in zip(
        slopes, paper(start.astype("f8"), wide, 0.1, **constants), strict=True
    ):
        p, state = optimizer.update(np.asarray(g), state, p)
        tolerance = RTOL[p.dtype]
        np.testing.assert_allclose(p, expected, rtol=tolerance, atol=8 * tolerance)


@BY_PAPER
def test_large_arrays_are_updated_like_small_ones(optimizer, paper, constants, rng):
    # More than two pieces of the kernels, the last one incomplete.
    shape = (300, 257)
    start = rng.standard_normal(shape)
    slopes = rng.standard_normal((3, *shape))
    p, state = start, optimizer.init(start)
    for g, expected in zip(slopes, paper(start, slopes, 0.1, **constants), strict=True):
        p, state = optimizer.update(g, state, p)
        np.testing.assert_allclose(p, expected, rtol=1e-10, atol=1e-13)


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 2, axis=0)[::2],
    "reversed": lambda a: a[::-1].copy()[::-1],
}


@BY_PAPER
@pytest.mark.parametrize("of_gradient", LAYOUTS)
@pytest.mark.parametrize("of_parameter", LAYOUTS)
def test_memory_order_does_not_change_values(
    optimizer, paper, constants, of_parameter, of_gradient, rng
):
    start = rng.standard_normal((201, 203))
    slopes = rng.standard_normal((2, 201, 203))
    p = LAYOUTS[of_parameter](start)
    for g, expected in zip(slopes, paper(start, slopes, 0.1, **constants), strict=True):
        p = optimizer.step(p, LAYOUTS[of_gradient](g))
        np.testing.assert_allclose(p, expected, rtol=1e-10, atol=1e-13)
    optimizer.state = None


@BY_PAPER
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_recorded_update_equals_the_kernels(optimizer, paper, constants, dtype, rng):
    start = rng.standard_normal((2, 3)).astype(dtype)
    params, state = {"w": start}, optimizer.init({"w": start})
    recorded, its_state = params, state
    for g in 1e-3 * rng.standard_normal((3, 2, 3)).astype(dtype):
        params, state = optimizer.update({"w": g}, state, params)
        recorded, its_state = optimizer.update({"w": tg.tensor(g)}, its_state, recorded)
    rtol = 8 * float(np.finfo(dtype).eps)
    assert recorded["w"].dtype == params["w"].dtype
    np.testing.assert_allclose(recorded["w"].numpy(), params["w"], rtol, rtol)


@BY_PAPER
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("wrap", [np.asarray, tg.tensor])
@pytest.mark.parametrize(
    "rate", [0.3, np.array(0.3), np.array(0.3, "f4"), tg.tensor(0.3)]
)
def test_given_rate_takes_the_place_of_the_own_one(
    optimizer, paper, constants, dtype, wrap, rate
):
    start = np.linspace(-1, 1, 6).astype(dtype)
    g = np.linspace(0, 2, 6).astype(dtype)
    other = dataclasses.replace(optimizer, lr=0.3)
    found, _ = optimizer.update(wrap(g), optimizer.init(start), start, lr=rate)
    expected, _ = other.update(g, other.init(start), start)
    rtol = 8 * float(np.finfo(dtype).eps) + 1e-7
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(np.asarray(as_value(found)), expected, rtol, rtol)


def test_update_can_be_differentiated_by_the_rate():
    g, start = np.array([1.0, -2.0]), np.array([3.0, 4.0])

    def moved(lr):
        return SGD(0.1).update(g, SGD(0.1).init(start), start, lr=lr)[0].sum()

    np.testing.assert_allclose(tg.grad(moved)(np.array(0.5)), -g.sum())


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        (np.ones(2), "update: lr of shape (2,): expected one rate for all parameters"),
        (-1.0, "update: lr is -1.0: expected a finite number of at least 0"),
        (np.array(np.nan), "update: lr is array(nan): expected a finite number"),
    ],
)
def test_wrong_rate_is_refused(rate, message):
    w = np.ones(3)
    with pytest.raises(ArgumentError, match=re.escape(message)):
        SGD(0.1).update(w, SGD(0.1).init(w), w, lr=rate)


@BY_PAPER
def test_update_can_be_differentiated(optimizer, paper, constants):
    """Learning to learn: the slope of the second parameter by the first gradient."""

    def second(g: Any) -> Any:
        state = optimizer.init({"w": np.array([2.0])})
        params, state = optimizer.update({"w": g}, state, {"w": np.array([2.0])})
        params, _ = optimizer.update({"w": g * 3.0}, state, params)
        return params["w"].sum()

    h = 1e-6
    up, down = (second(tg.tensor([1.0 + s])).item() for s in (h, -h))
    slope = tg.grad(second)(np.array([1.0]))
    # Central differences of a smooth function of O(1): h² and ε/h.
    np.testing.assert_allclose(slope, [(up - down) / (2 * h)], rtol=1e-6, atol=1e-8)


def test_first_step_of_adam_is_the_rate_whatever_the_gradient():
    start = np.zeros(3)
    slopes = np.array([1e-3, 1.0, -1e6])
    found, _ = Adam(0.1).update(slopes, Adam(0.1).init(start), start)
    # ε = 1e-8 against a root of 1e-3.
    np.testing.assert_allclose(found, [-0.1, -0.1, 0.1], rtol=2e-5)


def test_adamw_decays_the_chosen_paths_alone():
    params = {"W": np.ones(2), "b": np.ones(2)}
    slopes = {"W": np.zeros(2), "b": np.zeros(2)}
    optimizer = AdamW(0.1, weight_decay=0.5, decays=lambda path: path == "W")
    found, _ = optimizer.update(slopes, optimizer.init(params), params)
    np.testing.assert_allclose(found["W"], [0.95, 0.95], rtol=1e-15)
    np.testing.assert_array_equal(found["b"], params["b"])


def test_adamw_decays_the_weights_of_a_model():
    model = tg.nn.Dense(3, 2, rng=0)
    before = model.W.numpy()
    optimizer = AdamW(0.1, weight_decay=0.5, decays=model.weights().__contains__)
    optimizer.step(model, {"W": np.zeros((2, 3)), "b": np.zeros(2)})
    np.testing.assert_allclose(model.W.numpy(), 0.95 * before, rtol=1e-15)
    np.testing.assert_array_equal(model.b.numpy(), np.zeros(2))


@BY_PAPER
def test_complex_parameters_move_like_their_two_parts(optimizer, paper, constants, rng):
    start = rng.standard_normal(4) + 1j * rng.standard_normal(4)
    slopes = rng.standard_normal((3, 4)) + 1j * rng.standard_normal((3, 4))
    z, parts = start, (start.real.copy(), start.imag.copy())
    state, its_state = optimizer.init(z), optimizer.init(parts)
    for g in slopes:
        z, state = optimizer.update(g, state, z)
        # The gradient of a real function is ∂f/∂x - i ∂f/∂y.
        parts, its_state = optimizer.update((g.real, -g.imag), its_state, parts)
    np.testing.assert_array_equal(z, parts[0] + 1j * parts[1])


def test_complex_descent_goes_down():
    def f(z: Any) -> Any:
        return (abs(z - (1 + 2j)) ** 2).sum()

    z, optimizer = np.array([3.0 - 1j]), SGD(0.1)
    for _ in range(100):
        z = optimizer.step(z, tg.grad(f)(z))
    np.testing.assert_allclose(z, [1 + 2j], rtol=1e-8)
