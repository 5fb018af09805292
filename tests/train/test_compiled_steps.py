"""Compiled steps of a training, against steps on the graph."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import CaptureError, GraphError
from tensorgrad.train import Checkpoint, fit, sweep
from tensorgrad.tree import map_leaves
from tests.train.problems import as_bytes, make_blobs, make_model, make_noisy, values

PEAK = 1 << 17
OPTIONS = {"epochs": 3, "batch_size": 16, "progress": False}

CASES = {
    "softmax": {},
    "one-hot": {"labels": lambda y: np.eye(2)[y]},
    "float32": {"dtype": np.float32},
    "float16": {"dtype": np.float16},
    "dropout": {"keep_prob": 0.6},
    "whole batch": {"batch_size": 60},
    "penalty": {"lam": 2.0},
    "standardised": {"standardise": True},
    "integers": {"features": lambda x: (10 * x).astype(int)},
    "sigmoid": {"sizes": [4, 5, 1], "layers": ["relu", "sigmoid"]},
    "linear": {"sizes": [4, 5, 1], "layers": ["leaky_relu", "linear"]},
    "squares of a softmax": {"loss": "mse", "labels": lambda y: np.eye(2)[y]},
    "momentum": {"optimizer": tg.optim.SGD(0.1, momentum=0.9, nesterov=True)},
    "rmsprop": {"optimizer": tg.optim.RMSProp(0.01, clip_value=0.1)},
    "adamw": {"optimizer": tg.optim.AdamW(0.01, decays=lambda p: p.endswith("W"))},
    "clipped": {"optimizer": tg.optim.Adam(0.01, clip_norm=0.1)},
    "schedule": {"optimizer": tg.optim.Adam(tg.optim.exponential(0.05, 0.9))},
}


def train(
    *,
    compile,  # noqa: A002  # as in fit
    sizes=(4, 6, 2),
    layers=("tanh", "softmax"),
    dtype=None,
    keep_prob=None,
    features=np.asarray,
    labels=np.asarray,
    **options,
):
    """Train on two classes that overlap, and return the model and its history."""
    x, y = make_noisy()
    model = tg.nn.mlp(sizes, layers, keep_prob=keep_prob, rng=0, dtype=dtype)
    x = features(x) if dtype is None else x.astype(dtype)
    history = fit(model, (x, labels(y)), compile=compile, **{**OPTIONS, **options})
    return model, history


@pytest.mark.parametrize("case", CASES)
def test_compiled_training_is_the_one_on_the_graph(case, capsys):
    options = CASES[case]
    compiled, history = train(compile="auto", **{**options, "progress": True})
    plain, course = train(compile=False, **options)
    assert "steps: compiled" in capsys.readouterr().err
    eps = float(np.finfo(options.get("dtype") or float).eps)
    np.testing.assert_allclose(history.train_loss, course.train_loss, rtol=1e4 * eps)
    for found, expected in zip(
        values(compiled).values(), values(plain).values(), strict=True
    ):
        assert found.dtype == expected.dtype
        # Adam divides by roots of squares of gradients that may be rounding alone.
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e5 * eps)


def test_augmented_batches_reach_a_compiled_step():
    x, y = make_noisy()
    data = tg.data.augment(x, y, lambda x, rng: x + rng.normal(size=x.shape), rng=0)
    trained = []
    for choice in ("auto", False):
        trained.append(make_model(classes=2))
        fit(trained[-1], data, compile=choice, **OPTIONS)
    for found, expected in zip(*(values(m).values() for m in trained), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-10)


# ------------------------------------------------------------------ going on


class KilledError(Exception):
    """Ends a training in the middle of an epoch."""


def dying(step):
    """Return a schedule that ends the training at a step."""

    def rate(k):
        if k == step:
            raise KilledError
        return 0.01 / (1 + k)

    return tg.optim.Adam(rate)


@pytest.mark.parametrize("dies_at", [1, 4, 6, 11])
def test_compiled_training_goes_on_bit_for_bit(tmp_path, dies_at):
    options = {"compile": "auto", "keep_prob": 0.7, "early_stopping": 9, "lam": 1.0}
    options["dev"] = make_noisy(seed=1)
    file = Checkpoint(tmp_path / "training.npz", every_s=0)
    with pytest.raises(KilledError):
        train(**options, optimizer=dying(dies_at), checkpoint=file)
    continued, found = train(**options, optimizer=dying(-1), checkpoint=file)
    whole, expected = train(**options, optimizer=dying(-1))
    assert as_bytes(continued) == as_bytes(whole)
    assert found.train_loss == expected.train_loss


def take_compiler_away(patch, cache):
    patch.setenv("TENSORGRAD_CACHE", str(cache))
    patch.setattr("tensorgrad.compiler.native.build.find_compiler", lambda: None)
    patch.setattr("tensorgrad.compiler.compiled._warn_of_build", lambda message: None)


def test_training_that_began_in_numpy_goes_on_in_numpy(tmp_path, monkeypatch):
    file = tmp_path / "training.npz"
    options = {"compile": "auto", "batch_size": 20}
    with monkeypatch.context() as patch:
        take_compiler_away(patch, tmp_path / "empty")
        train(**options, epochs=2, checkpoint=file)
        whole, _ = train(**options, epochs=4)
    continued, _ = train(**options, epochs=4, checkpoint=file)
    assert as_bytes(continued) == as_bytes(whole)


def test_training_that_began_in_c_says_when_it_goes_on_otherwise(tmp_path, monkeypatch):
    file = tmp_path / "training.npz"
    train(compile="auto", epochs=2, checkpoint=file)
    take_compiler_away(monkeypatch, tmp_path / "empty")
    with pytest.warns(UserWarning, match="ran as c; here they run as numpy"):
        train(compile="auto", epochs=3, checkpoint=file)


# ------------------------------------------------------------------ what is compiled


def squares(a, y):
    return ((a - y) ** 2).mean()


class Doubled(tg.nn.Module):
    def __init__(self):
        self.inner = tg.nn.mlp([4, 1], ["linear"], rng=0)

    def __call__(self, x, rng=None):
        return self.inner(x) * 2


class Descent:
    """Plain descent, in the two functions that `fit` asks for."""

    def init(self, params):
        return {}

    def update(self, grads, state, params):
        return map_leaves(lambda p, g: p - 0.1 * g, params, grads), state


def regress(model=None, **options):
    x, y = make_noisy()
    model = tg.nn.mlp([4, 1], ["linear"], rng=0) if model is None else model
    fit(model, (x, y[:, None] * 1.0), **{**OPTIONS, "progress": True, **options})
    return model


OWN = {
    "loss": lambda: {"loss": squares},
    "model": lambda: {"model": Doubled(), "loss": "mse"},
    "optimiser": lambda: {"optimizer": Descent()},
    "activation": lambda: {
        "model": tg.nn.Sequential(tg.nn.Dense(4, 1, lambda z: z * 2, rng=0)),
        "loss": "mse",
    },
}


@pytest.mark.parametrize("part", OWN)
def test_what_is_not_known_runs_on_the_graph_unless_it_is_asked_for(part, capsys):
    plain = regress(**OWN[part]())
    assert "on the graph, as" in capsys.readouterr().err
    compiled = regress(**OWN[part](), compile=True)
    assert "steps: compiled" in capsys.readouterr().err
    for found, expected in zip(
        values(compiled).values(), values(plain).values(), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-12)


class Counting(Doubled):
    def __call__(self, x, rng=None):
        self.calls = getattr(self, "calls", 0) + 1
        return super().__call__(x)


def test_module_that_changes_is_not_compiled_though_asked_for():
    with pytest.raises(CaptureError, match="Counting sets its field calls when called"):
        regress(Counting(), loss="mse", compile=True)


def test_loss_that_branches_on_data_is_not_compiled_and_changes_nothing():
    def branching(a, y):
        return squares(a, y) if (a - y).sum() > 0 else squares(a, y) * 2

    model = tg.nn.mlp([4, 1], ["linear"], rng=0)
    before = as_bytes(model)
    with pytest.raises(CaptureError):
        regress(model, loss=branching, compile=True)
    assert as_bytes(model) == before


# ------------------------------------------------------------------ memory


def test_arrays_of_the_caller_are_not_written_to():
    model = make_model(classes=2)
    before = values(model)
    held = {path: t.numpy() for path, t in model.parameters().items()}
    fit(model, make_noisy(), **OPTIONS)
    for path, value in held.items():
        np.testing.assert_array_equal(value, before[path])


def test_state_of_one_training_is_not_written_to_by_the_next():
    model = make_model(classes=2)
    history = fit(model, make_noisy(), **OPTIONS)
    before = np.copy(history.state["optimizer"]["m"]["layers"]["0"]["W"])
    fit(model, make_noisy(), **OPTIONS)
    after = history.state["optimizer"]["m"]["layers"]["0"]["W"]
    np.testing.assert_array_equal(after, before)


def test_best_parameters_are_kept_while_steps_go_on():
    data, dev = make_noisy(), make_noisy(seed=1)
    model = make_model(classes=2)
    options = {**OPTIONS, "optimizer": tg.optim.Adam(0.1)}
    history = fit(model, data, dev, early_stopping=5, **{**options, "epochs": 40})
    again = make_model(classes=2)
    fit(again, data, **{**options, "epochs": history.best_epoch + 1})
    assert history.best_epoch < len(history.train_loss) - 1
    assert as_bytes(model) == as_bytes(again)


def test_infinite_cost_gives_back_the_parameters_before_the_epoch():
    rates = [0.01] * 4 + [0.02] + [1e300] * 3
    optimizer = tg.optim.SGD(rates.__getitem__)
    expected = regress(optimizer=optimizer, epochs=1)
    model = tg.nn.mlp([4, 1], ["linear"], rng=0)
    with pytest.raises(GraphError, match="became inf in epoch 2"):
        regress(model, optimizer=optimizer)
    assert as_bytes(model) == as_bytes(expected)


class Peak:
    """An optimiser's rate that notes the memory allocated since the step before."""

    def __init__(self):
        self.seen = []
        self.held = 0

    def __call__(self, step):
        held, peak = tracemalloc.get_traced_memory()
        self.seen.append(peak - self.held)
        tracemalloc.reset_peak()
        self.held = held
        return 0.01


def test_steps_allocate_nothing_that_grows_with_batch_or_model():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4096, 128)), rng.integers(0, 10, 4096)
    model = tg.nn.mlp([128, 256, 10], ["relu", "softmax"], rng=0, dtype=np.float32)
    peak = Peak()
    tracemalloc.start()
    fit(
        model,
        (x.astype(np.float32), y),
        optimizer=tg.optim.Adam(peak),
        epochs=2,
        batch_size=256,
        progress=False,
    )
    tracemalloc.stop()
    # In the second epoch; a batch is 128 KiB, and so are the weights.
    assert max(peak.seen[18:]) < PEAK // 2


def test_one_program_serves_every_lam(tmp_path, monkeypatch):
    monkeypatch.setenv("TENSORGRAD_CACHE", str(tmp_path))
    data = make_blobs()
    options = {"epochs": 1, "batch_size": 60, "progress": False}
    sweep(make_model(), data, data, [0.0, 0.1, 1.0, 10.0], **options)
    with_penalty_and_without = 2
    assert len(list(tmp_path.rglob("*.so"))) == with_penalty_and_without
