"""A cost that is spelled out in NumPy is read like one made of activations and losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.auditor.judging import tolerances
from tensorgrad.auditor.recognition import recognise
from tensorgrad.auditor.recording import record
from tensorgrad.auditor.sweeping import truth
from tensorgrad.tree import flatten

RNG = np.random.default_rng(3)
PARAMS = {
    "W1": RNG.normal(size=(7, 4)),
    "b1": RNG.normal(size=7),
    "W2": RNG.normal(size=(5, 7)),
    "b2": RNG.normal(size=5),
    "W3": RNG.normal(size=(3, 5)),
    "b3": RNG.normal(size=3),
}
X, Y = RNG.normal(size=(6, 4)), np.eye(3)[RNG.integers(0, 3, 6)]


def spelled_out(p: Any, x: Any, y: Any) -> Any:
    z = x @ p["W1"].T + p["b1"]
    a = np.where(z > 0, z, 0.2 * z)
    a = 1 / (1 + np.exp(-(a @ p["W2"].T + p["b2"])))
    e = np.exp(a @ p["W3"].T + p["b3"])
    a = e / np.sum(e, axis=1, keepdims=True)
    return -np.sum(y * np.log(a)) / len(x)


def with_maximum(p: Any, x: Any, y: Any) -> Any:
    a = np.maximum(x @ p["W1"].T + p["b1"], 0)
    a = np.tanh(a @ p["W2"].T + p["b2"])
    return tg.cross_entropy(tg.softmax(a @ p["W3"].T + p["b3"]), y)


def gradient(p: Any, x: Any, y: Any, missing: int = 0) -> Any:
    """Return the gradient of `spelled_out`, or without one layer's derivative."""
    z1 = x @ p["W1"].T + p["b1"]
    a1 = np.where(z1 > 0, z1, 0.2 * z1)
    a2 = 1 / (1 + np.exp(-(a1 @ p["W2"].T + p["b2"])))
    e = np.exp(a2 @ p["W3"].T + p["b3"])
    d3 = (e / e.sum(1, keepdims=True) - y) / len(x)
    d2 = d3 @ p["W3"] * (1 if missing == 2 else a2 * (1 - a2))
    d1 = d2 @ p["W2"] * (1 if missing == 1 else np.where(z1 > 0, 1, 0.2))
    return {
        "W1": d1.T @ x,
        "W2": d2.T @ a1,
        "W3": d3.T @ a2,
        "b1": d1.sum(0),
        "b2": d2.sum(0),
        "b3": d3.sum(0),
    }


def ops(loss: Any) -> list[str]:
    leaves, structure = flatten(PARAMS)
    found, _, _ = record(loss, leaves, structure, (X, Y))
    recognise(found)
    return [step.op.name for step in found.steps]


def test_activations_and_loss_are_recognised() -> None:
    found = ops(spelled_out)
    wanted = {"leaky_relu", "sigmoid", "softmax", "cross_entropy_of_logits"}
    assert wanted <= set(found)
    assert not {"exp", "log", "where"} & set(found)


def test_a_maximum_with_zero_is_a_rectifier() -> None:
    assert "relu" in ops(with_maximum)


@pytest.mark.parametrize("loss", [spelled_out, with_maximum])
def test_gradient_is_the_same_with_and_without_recognition(loss: Any) -> None:
    leaves, structure = flatten(PARAMS)
    found, _, _ = record(loss, leaves, structure, (X, Y))
    before = truth(found).gradients
    recognise(found)
    after = truth(found).gradients
    assert all(after[name] == pytest.approx(before[name], rel=1e-9) for name in before)


@pytest.mark.parametrize("layer", [1, 2])
def test_missing_derivative_of_a_spelled_out_activation_is_named(layer: int) -> None:
    def hand(p: Any, x: Any, y: Any) -> Any:
        return gradient(p, x, y, layer)

    (finding,) = tg.audit(hand, spelled_out, PARAMS, X, Y).findings
    assert finding.family == "activation-derivative"
    assert finding.where.layer == layer


def test_correct_gradient_of_a_spelled_out_cost_is_confirmed() -> None:
    assert tg.audit(gradient, spelled_out, PARAMS, X, Y)


@pytest.mark.parametrize("loss", [spelled_out, with_maximum])
def test_rounding_leaves_most_digits_of_an_ordinary_gradient(loss: Any) -> None:
    leaves, structure = flatten(PARAMS)
    found, _, _ = record(loss, leaves, structure, (X, Y))
    true = truth(found)
    allowed = tolerances(found, true, 2.0**-52, np.random.default_rng(0))
    sizes = {n: float(np.linalg.norm(g)) for n, g in true.gradients.items()}
    assert all(allowed[name] < 1e-10 * sizes[name] for name in sizes)


def test_a_kink_keeps_the_rule_of_what_is_written() -> None:
    params = {"w": np.zeros(3)}

    def loss(p: Any, x: Any) -> Any:
        return np.sum(np.maximum(p["w"] * x, 0))

    leaves, structure = flatten(params)
    found, _, _ = record(loss, leaves, structure, (np.ones(3),))
    recognise(found)
    assert truth(found).gradients["w"].tolist() == [0.5] * 3


def test_a_mask_of_ones_is_no_activation() -> None:
    ones = np.ones((6, 7))

    def loss(p: Any, x: Any, y: Any) -> Any:
        a = np.maximum(x @ p["W1"].T + p["b1"], 0) * ones / 0.8
        return np.sum(a)

    assert ops(loss)[2:5] == ["add", "relu", "multiply"]
