"""Descriptions of networks, and models made from a file alone."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import ArgumentError, FileFormatError
from tensorgrad.nn import from_spec, load_model, to_spec

X = np.linspace(-1, 1, 12).reshape(4, 3)


def networks() -> list[Any]:
    scaled = tg.nn.mlp([3, 2], "linear")
    scaled.scaling = tg.nn.Standardise(np.arange(3.0), np.full(3, 2.0))
    return [
        tg.nn.mlp([3, 4, 2], ["relu", "softmax"], keep_prob=[0.9, 0.5]),
        tg.nn.mlp([3, 4, 2], ["leaky", "sigmoid"], dtype=np.float32, bias=False),
        tg.nn.Sequential(tg.nn.Dense(3, 2), tg.relu, tg.nn.Sequential(tg.tanh)),
        tg.nn.Dense(3, 2, tg.tanh, rng=0),
        scaled,
    ]


NETWORKS = networks()


@pytest.mark.parametrize("model", NETWORKS, ids=lambda m: m.describe())
def test_description_survives_json(model):
    spec = to_spec(model)
    made = from_spec(json.loads(json.dumps(spec)))
    assert to_spec(made) == spec
    assert made.describe() == model.describe()


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("model", NETWORKS, ids=lambda m: m.describe())
def test_model_is_made_from_the_file_alone(model, suffix, tmp_path):
    path = tmp_path / f"model{suffix}"
    tg.save(path, model, {"columns": ["a", "b", "c"], "labels": [0, 1]})
    again, metadata = load_model(path)
    np.testing.assert_array_equal(again(X).numpy(), model(X).numpy())
    assert metadata == {"columns": ["a", "b", "c"], "labels": [0, 1]}
    assert all(t.requires_grad for t in again.parameters().values())


class Own(tg.nn.Module):
    def __init__(self) -> None:
        self.w = tg.tensor([1.0], requires_grad=True)

    def __call__(self, x: Any, rng: Any = None) -> Any:
        return x * self.w


def tanh(z: Any) -> Any:
    """A function of one's own under a known name."""
    return 2 * np.tanh(z)


UNKNOWN = [
    Own(),
    tg.nn.Sequential(tg.nn.Dense(3, 3), Own()),
    tg.nn.Sequential(tg.nn.Dense(3, 3), tanh),
    tg.nn.Dense(3, 3, tanh),
]


@pytest.mark.parametrize("model", UNKNOWN, ids=lambda m: type(m).__name__)
def test_what_cannot_be_made_again_is_not_described(model):
    with pytest.raises(ArgumentError, match=r"describing a network: .* expected"):
        to_spec(model)


@pytest.mark.parametrize("model", UNKNOWN, ids=lambda m: type(m).__name__)
def test_file_without_description_names_the_other_way(model, tmp_path):
    path = tmp_path / "model.npz"
    tg.save(path, model)
    with pytest.raises(
        FileFormatError, match=r"does not describe .* tg\.load\(path, like"
    ):
        load_model(path)


GOOD = {"kind": "dense", "n_in": 3, "n_out": 2, "activation": "relu", "bias": True}


@pytest.mark.parametrize(
    "spec",
    [
        None,
        [],
        "dense",
        {},
        {"kind": "lstm"},
        {"kind": ["dense"]},
        {"kind": "dense"},
        GOOD | {"dtype": "float32", "n_in": "3"},
        GOOD | {"dtype": "float32", "n_in": -3},
        GOOD | {"dtype": "float32", "activation": "rellu"},
        GOOD | {"dtype": "float32", "activation": None},
        GOOD | {"dtype": "float32", "bias": 1},
        GOOD | {"dtype": "int32"},
        GOOD | {"dtype": "float32", "evil": 1},
        {"kind": "dropout", "keep_prob": 2},
        {"kind": "activation", "name": "tanh"},
        {"kind": "sequential", "layers": {"0": GOOD}},
        {"kind": "sequential", "layers": [{"kind": "activation", "name": "os"}]},
        {"kind": "sequential", "layers": [], "scaling": 3},
        {"kind": "standardise", "features": -1, "dtype": "float64"},
    ],
    ids=repr,
)
def test_damaged_description_is_a_damaged_file(spec):
    with pytest.raises(
        FileFormatError, match=r"from its description: .* expected a dict"
    ):
        from_spec(spec)
