"""A correct gradient is never refuted, wherever it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.derivations import l_layer
from tensorgrad.testing.networks import Mlp, draw_mlp
from tests.auditor.planted import backward

seeds = st.integers(0, 2**32 - 1)


def derivation(net: Mlp) -> Callable[[Any, Any, Any], Any]:
    """Return the corrected derivation of the notes for a network."""

    def gradient(params: Any, x: Any, y: Any) -> Any:
        cache = l_layer.forward_propagation(
            params, x, net.activations, net.masks, net.keep_prob
        )
        return l_layer.backward_propagation(
            params, cache, y, net.activations, loss=net.loss, lam=net.lam
        )

    return gradient


def moved(net: Mlp, weights: float, biases: float) -> Mlp:
    """Return the network with its parameters multiplied."""
    w, b = net.params["w"], net.params["b"]
    return replace(
        net,
        params={
            "w": {l: weights * v for l, v in w.items()},
            "b": {l: biases * v for l, v in b.items()},
        },
    )


@given(seeds, st.booleans(), st.sampled_from([0.0, 0.7, 3.0]))
def test_derivations_of_the_notes_are_confirmed(
    seed: int, dropout: bool, lam: float
) -> None:
    network = draw_mlp(seed, dropout=dropout, lam=lam)
    report = tg.audit(derivation(network), network)
    assert report.ok, str(report)


@given(seeds)
def test_every_delta_of_the_derivation_is_confirmed(seed: int) -> None:
    network = draw_mlp(seed, dropout=True)
    report = tg.audit(derivation(network), network)
    deltas = {name for name in report.verdicts if name.startswith("delta")}
    assert deltas == {f"delta.{l}" for l in range(1, len(network.activations) + 1)}


@given(seeds, st.sampled_from([0.0, 1e-8, 30.0, 300.0]), st.sampled_from([0.0, 1.0]))
def test_zero_tiny_and_saturated_nets_are_never_refuted(
    seed: int, weights: float, biases: float
) -> None:
    network = moved(draw_mlp(seed), weights, biases)
    assert tg.audit(backward(network), network).verdict != "refuted"


@pytest.mark.parametrize("sizes", [[3, 3, 3, 3], [1, 1, 1], [4, 1, 4], [2, 2]])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_degenerate_sizes_are_confirmed_and_named(sizes: list[int], n: int) -> None:
    activations = ["tanh", "relu", "sigmoid"][-len(sizes) + 1 :]
    network = draw_mlp(0, sizes=sizes, activations=activations, n=n)
    report = tg.audit(backward(network), network)
    assert report.ok
    assert report.blind_spots


def test_dead_unit_on_its_kink_may_have_either_slope() -> None:
    net = draw_mlp(0, sizes=[3, 4, 2], activations=["relu", "linear"], lam=0.0)
    w, b = dict(net.params["w"]), dict(net.params["b"])
    w[1] = w[1] * np.array([[0.0], [1.0], [1.0], [1.0]])
    b[1] = b[1] * np.array([[0.0], [1.0], [1.0], [1.0]])
    dead = replace(net, params={"w": w, "b": b})

    def strict(params: Any, x: Any, y: Any) -> Any:
        z = params["w"][1] @ x + params["b"][1]
        a = np.maximum(z, 0)
        top = 2 * (params["w"][2] @ a + params["b"][2] - y) / y.shape[1]
        low = (params["w"][2].T @ top) * (z > 0)
        return {
            "w": {1: low @ x.T, 2: top @ a.T},
            "b": {1: low.sum(1, keepdims=True), 2: top.sum(1, keepdims=True)},
        }

    report = tg.audit(strict, dead)
    assert report.ok
    assert "kink" in report.verdicts["w.1"].reason


def test_division_by_a_probability_of_zero_is_inconclusive() -> None:
    network = moved(
        draw_mlp(0, sizes=[3, 2], activations=["sigmoid"], lam=0.0), 900.0, 900.0
    )

    def naive(params: Any, x: Any, y: Any) -> Any:
        a = 0.5 * (1 + np.tanh(0.5 * (params["w"][1] @ x + params["b"][1])))
        delta = (-y / a + (1 - y) / (1 - a)) * a * (1 - a) / y.shape[1]
        return {"w": {1: delta @ x.T}, "b": {1: delta.sum(1, keepdims=True)}}

    report = tg.audit(naive, network)
    assert report.verdict == "inconclusive"
    assert "exactly" in report.verdicts["w.1"].reason


def test_leaky_slope_ignored_where_it_is_one_is_no_mistake() -> None:
    rng = np.random.default_rng(0)
    params = {"W": rng.normal(size=(3, 4))}
    x, y = rng.normal(size=(4, 5)), rng.normal(size=(3, 5))

    def loss(p: Any, x: Any, y: Any) -> Any:
        return tg.mse(tg.leaky_relu(p["W"] @ x, beta=1.0), y, example_axis=1)

    def without(p: Any, x: Any, y: Any) -> Any:
        return {"W": 2 * (p["W"] @ x - y) @ x.T / 5}

    assert tg.audit(without, loss, params, x, y).ok


def test_softmax_may_be_shifted_by_a_detached_maximum() -> None:
    rng = np.random.default_rng(0)
    params = {"W": rng.normal(size=(3, 4))}
    x, y = rng.normal(size=(4, 5)), np.eye(3)[:, [0, 2, 1, 1, 0]]

    def loss(p: Any, x: Any, y: Any) -> Any:
        z = p["W"] @ x
        e = np.exp(z - z.numpy().max(axis=0))
        return -np.sum(y * np.log(e / np.sum(e, axis=0))) / 5

    def backward(p: Any, x: Any, y: Any) -> Any:
        e = np.exp(p["W"] @ x)
        return {"W": (e / e.sum(axis=0) - y) @ x.T / 5}

    assert tg.audit(backward, loss, params, x, y).ok


@given(seeds)
def test_gradient_in_single_precision_is_confirmed(seed: int) -> None:
    network = draw_mlp(seed)
    gradient = derivation(network)

    def single(params: Any, x: Any, y: Any) -> Any:
        found = gradient(params, x, y)
        return {
            kind: {l: v.astype(np.float32) for l, v in found[kind].items()}
            for kind in ("w", "b")
        }

    assert tg.audit(single, network).verdict != "refuted"


@pytest.mark.parametrize(
    ("word", "activations"),
    [
        ("neighbour", ["tanh", "tanh", "sigmoid"]),
        ("neighbour", ["sigmoid", "sigmoid", "linear"]),
        ("head missing", ["tanh", "relu", "linear"]),
        ("leak ignored", ["tanh", "relu", "softmax"]),
        ("missing", ["linear", "tanh", "softmax"]),
    ],
)
def test_mistake_that_changes_nothing_is_confirmed(
    word: str, activations: list[str]
) -> None:
    network = draw_mlp(0, sizes=[4, 5, 6, 3], activations=activations, dropout=True)
    assert tg.audit(backward(network, (word,)), network).ok
