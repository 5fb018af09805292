"""``tensorgrad demo``: the comparison of gradients, and what follows from it."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.cli import agreement, training
from tensorgrad.cli.agreement import ACTIVATIONS, LAM, SIZES, compare
from tensorgrad.derivations import l_layer

PARAMETERS = ["W1", "b1", "W2", "b2", "W3", "b3"]
N = 4


@pytest.fixture
def short(monkeypatch):
    """Let the demo train for a moment."""
    monkeypatch.setattr(training, "Plan", partial(training.Plan, epochs=1))


@pytest.fixture
def batch():
    rng = np.random.default_rng(1)
    return rng.random((SIZES[0], N)), np.eye(SIZES[-1])[:, rng.integers(0, 10, N)]


def plant(monkeypatch, spoil):
    """Let the hand derivation make a mistake."""
    right = agreement.backward_propagation

    def wrong(*args, **kwargs):
        grads = right(*args, **kwargs)
        spoil(grads)
        return grads

    monkeypatch.setattr(agreement, "backward_propagation", wrong)


def wrong_names(batch):
    return [row.name for row in compare(*batch) if not row.agrees]


def test_every_parameter_and_every_sum_is_compared(batch):
    names = [row.name for row in compare(*batch)]
    assert names == [*PARAMETERS, "z1", "z2", "z3"]


@pytest.mark.parametrize("seed", range(3))
def test_the_three_gradients_agree(batch, seed):
    assert [row.name for row in compare(*batch, rng=seed) if not row.agrees] == []


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("factor", [-1.0, 1 + 1e-9, float("nan")])
def test_wrong_hand_derivation_is_found_in_its_tensor(batch, monkeypatch, name, factor):
    kind, l = name[0].lower(), int(name[1])

    def spoil(grads):
        grads[kind][l] = factor * grads[kind][l]

    plant(monkeypatch, spoil)
    assert wrong_names(batch) == [name]


def test_wrong_delta_is_found(batch, monkeypatch):
    def spoil(grads):
        grads["delta"][2] = grads["delta"][2] * N

    plant(monkeypatch, spoil)
    assert wrong_names(batch) == ["z2"]


def test_wrong_graph_is_found_by_both_others(batch, monkeypatch):
    right = agreement.graph_gradients

    def wrong(*args):
        return {**right(*args), "W2": 2 * right(*args)["W2"]}

    monkeypatch.setattr(agreement, "graph_gradients", wrong)
    (row,) = (row for row in compare(*batch) if not row.agrees)
    assert row.name == "W2"
    assert min(row.graph_by_hand, row.graph_numerical) > 0.1
    assert row.by_hand_numerical < agreement.NUMERICAL


def test_graph_differentiates_the_cost_of_the_derivation(batch):
    """Both are the same function, else the comparison would compare nothing."""
    x, y = batch
    params = agreement._initial(0)
    cache = l_layer.forward_propagation(params, x, ACTIVATIONS)
    cost = l_layer.compute_cost(params, cache, y, ACTIVATIONS, lam=LAM)
    a = cache["a"][3]
    penalty = sum((w * w).sum() for w in params["w"].values()) * LAM / (2 * N)
    assert cost == pytest.approx(-(y * np.log(a)).sum() / N + penalty, rel=1e-12)


def test_demo_shows_the_table_trains_and_saves(run, short, folder):
    done = run("demo")
    assert done.status == 0
    for name in PARAMETERS:
        pattern = rf"^{name} +\d+x\d+( +\d\.\de-\d\d){{3}} +agree$"
        assert re.search(pattern, done.out, flags=re.MULTILINE)
    assert "all agree" in done.out
    assert re.search(r"^test +359 +\d+ +\d+\.\d\d%$", done.out, flags=re.MULTILINE)
    assert "epoch 1/1" in done.err
    network, _ = tg.nn.load_model(folder / "tensorgrad-demo.npz")
    assert network.layers[0].n_in == 64


def test_demo_prints_a_command_that_predicts(run, short):
    (command,) = re.findall(r"predict with +tensorgrad (.*)", run("demo").out)
    assert run(*command.split()).out.count("\n") == 1 + 1797


def test_demo_fails_where_gradients_disagree(run, short, monkeypatch, folder):
    def spoil(grads):
        grads["w"][2] = grads["w"][2] + 1e-3

    plant(monkeypatch, spoil)
    done = run("demo")
    assert done.status == 1
    assert "they disagree in W2" in done.out
    assert list(folder.iterdir()) == []


def test_demo_fits_into_eighty_columns_of_ascii(run, short):
    done = run("demo")
    assert (done.out + done.err).isascii()
    assert max(map(len, (done.out + done.err).splitlines())) <= 79


def test_demo_keeps_foreign_files(run, short, folder):
    (folder / "tensorgrad-demo.npz").write_bytes(b"diary")
    done = run("demo")
    assert done.status == 2
    assert (folder / "tensorgrad-demo.npz").read_bytes() == b"diary"
