"""Sizes of activations and δ by depth, and what is said of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import derivations
from tensorgrad.errors import ArgumentError, ShapeError
from tensorgrad.train import signals
from tests.train.problems import as_bytes

DEPTH = 10
WIDTH = 30


def normal(scale):
    return lambda rng, shape, dtype: np.asarray(
        scale * rng.standard_normal(shape), dtype
    )


def make_deep(activation, init=None, depth=DEPTH):
    sizes = [WIDTH] * (depth + 1) + [1]
    names = [activation] * depth + ["sigmoid"]
    return tg.nn.mlp(sizes, names, init=init, rng=0)


@pytest.fixture
def batch(rng):
    return rng.normal(size=(100, WIDTH)), rng.integers(0, 2, 100)


@pytest.mark.parametrize("activation", ["relu", "tanh", "linear"])
def test_small_weights_let_signals_vanish(activation, batch):
    found = signals(make_deep(activation, normal(0.01)), *batch)
    assert (found.activations, found.deltas) == ("vanishing", "vanishing")


@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_large_weights_let_signals_explode(activation, batch):
    found = signals(make_deep(activation, normal(1.0)), *batch)
    assert (found.activations, found.deltas) == ("exploding", "exploding")


@pytest.mark.parametrize(
    ("activation", "init"),
    [
        ("relu", tg.nn.init.he),
        ("leaky_relu", tg.nn.init.he),
        ("tanh", tg.nn.init.xavier),
        ("linear", tg.nn.init.lecun),
        ("relu", None),
        ("tanh", None),
    ],
)
def test_fitting_weights_keep_signals_steady(activation, init, batch):
    found = signals(make_deep(activation, init), *batch)
    assert (found.activations, found.deltas) == ("steady", "steady")


def test_the_variance_of_the_notes_lets_relus_fade(batch):
    """1/s halves the mean square in every layer: 2**-5 in size over ten layers."""
    found = signals(make_deep("relu", tg.nn.init.lecun), *batch)
    ratio = found.layers[DEPTH - 1].a_rms / found.layers[0].a_rms
    assert 0.3 * 2**-4.5 < ratio < 3 * 2**-4.5


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_sizes_are_those_of_the_derivations(activation, batch):
    model = make_deep(activation, depth=4)
    params = model.parameters()
    weights = {
        "w": {l: params[f"layers.{l - 1}.W"].numpy() for l in range(1, 6)},
        "b": {l: params[f"layers.{l - 1}.b"].numpy()[:, None] for l in range(1, 6)},
    }
    x, y = batch[0].T, batch[1][None].astype(float)
    names = [activation] * 4 + ["sigmoid"]
    squares = derivations.initialisation.mean_squares(weights, x, names)
    cache = derivations.l_layer.forward_propagation(weights, x, names)
    delta = derivations.l_layer.backward_propagation(weights, cache, y, names)["delta"]
    found = signals(model, *batch).layers
    np.testing.assert_allclose([s.a_rms**2 for s in found], squares[1:], rtol=1e-10)
    expected = [np.sqrt(np.mean(delta[l] ** 2)) for l in range(1, 6)]
    np.testing.assert_allclose([s.delta_rms for s in found], expected, rtol=1e-10)


def test_dead_nodes_are_counted(batch):
    model = make_deep("relu", depth=2)
    b = model.parameters()["layers.0.b"]
    tg.tree.assign(b, np.where(np.arange(WIDTH) < 12, -1e3, 0.0))
    assert signals(model, *batch).layers[0].idle == pytest.approx(12 / WIDTH)


def test_overflow_is_exploding_and_no_error(batch):
    found = signals(make_deep("linear", normal(1e40)), *batch)
    assert found.activations == "exploding"


def test_model_stays_as_it_is(batch):
    model = make_deep("tanh")
    before = as_bytes(model)
    signals(model, *batch)
    assert as_bytes(model) == before


def test_one_hidden_layer_is_steady(batch):
    found = signals(make_deep("tanh", normal(1e-9), depth=1), *batch)
    assert (found.activations, found.deltas) == ("steady", "steady")


def test_text_is_a_table_with_both_verdicts(batch):
    text = str(signals(make_deep("relu"), *batch)).splitlines()
    assert len(text) == 1 + (DEPTH + 1) + 1
    assert text[-1] == "activations: steady, delta: steady"


def test_report_goes_into_json(batch):
    data = json.loads(json.dumps(signals(make_deep("relu"), *batch).to_dict()))
    assert len(data["layers"]) == DEPTH + 1


def test_dropout_is_measured_where_a_seed_is_given(batch):
    sizes, names = [WIDTH, 20, 1], ["tanh", "sigmoid"]
    model = tg.nn.mlp(sizes, names, keep_prob=0.5, rng=0)
    plain, dropped = signals(model, *batch), signals(model, *batch, rng=1)
    assert plain.layers[0].a_rms != dropped.layers[0].a_rms


def test_model_without_layers_is_refused(batch):
    class Bare(tg.nn.Module):
        def __init__(self):
            self.w = tg.tensor(np.ones((WIDTH, 1)), requires_grad=True)

        def __call__(self, x, rng=None):
            return x @ self.w

    with pytest.raises(ArgumentError, match="no layer is traced"):
        signals(Bare(), *batch, loss="mse")


def test_data_are_checked(batch):
    with pytest.raises(ShapeError, match="a label for each row"):
        signals(make_deep("relu"), batch[0], batch[1][1:])
