"""Every mistake that a caller of fit can make, and what the message says."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import (
    ArgumentError,
    DataError,
    GraphError,
    MissingExtraError,
    ShapeError,
)
from tensorgrad.train import fit
from tests.train.problems import as_bytes, make_blobs, make_model


def run(model=None, data=None, dev=None, **options):
    model = make_model() if model is None else model
    data = make_blobs() if data is None else data
    return fit(model, data, dev, **{"progress": False, "epochs": 2, **options})


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_value_that_is_not_finite_is_named_by_row_and_column(bad):
    x, y = make_blobs()
    x[17, 2] = bad
    with pytest.raises(
        DataError, match=r"row 17, column 2; 1 in all.*Remove such rows"
    ):
        run(data=(x, y))


def test_value_that_is_not_finite_is_found_in_the_dev_set():
    x, y = make_blobs()
    bad = x.copy()
    bad[3, 0] = np.nan
    with pytest.raises(DataError, match=r"fit: dev: nan in x \(row 3, column 0"):
        run(data=(x, y), dev=(bad, y))


def test_target_of_a_regression_that_is_not_finite_is_named():
    x, _ = make_blobs()
    y = x[:, 0].copy()
    y[5] = np.nan
    with pytest.raises(DataError, match=r"nan in y \(row 5"):
        run(tg.nn.mlp([4, 1], ["linear"], rng=0), (x, y))


def test_row_of_a_late_chunk_is_counted_from_the_start(monkeypatch):
    monkeypatch.setattr("tensorgrad.train.targets.CHUNK_ROWS", 8)
    x, y = make_blobs()
    x[42, 1] = np.nan
    with pytest.raises(DataError, match="row 42, column 1"):
        run(data=(x, y))


@pytest.mark.parametrize(
    ("data", "error", "pattern"),
    [
        ((np.zeros(5), np.zeros(5)), ShapeError, r"shape \(5,\).*Add an axis"),
        ((np.zeros((5, 4)), np.zeros(4, int)), ShapeError, "5 rows and y of shape"),
        ((np.zeros((4, 5)), np.zeros(5, int)), ShapeError, "transpose data"),
        ((np.zeros((0, 4)), np.zeros(0)), DataError, "no examples.*at least one row"),
        ((np.array([["a", "b"]]), np.zeros(1)), DataError, "dtype <U1.*Encode text"),
        (
            (np.zeros((5, 3)), np.zeros(5, int)),
            ShapeError,
            r"Dense: x of shape \(1, 3\)",
        ),
        ((np.zeros((3, 4)), [0, 1, 3]), DataError, "from 0 to 3 for a head with 3"),
        ((np.zeros((3, 4)), [-1, 1, 2]), DataError, "from -1 to 2"),
        ((np.zeros((3, 4)), [0.5, 1, 2]), DataError, "return_inverse=True"),
        ((np.zeros((2, 4)), ["a", "b"]), DataError, "dtype <U1.*Number the"),
        ("abc", ArgumentError, r"a str: expected a pair \(x, y\)"),
        ((np.zeros((3, 4)),), ArgumentError, r"a tuple: expected a pair"),
    ],
)
def test_data_that_do_not_fit_are_refused(data, error, pattern):
    with pytest.raises(error, match=pattern):
        run(data=data)


def test_labels_beyond_a_sigmoid_head_are_refused():
    x, y = make_blobs()
    with pytest.raises(DataError, match=r"the label 2 in row .* for a sigmoid head"):
        run(tg.nn.mlp([4, 1], ["sigmoid"], rng=0), (x, y))


def test_labels_that_are_fewer_than_the_outputs_are_refused():
    x, y = make_blobs(classes=2)
    with pytest.raises(ShapeError, match=r"labels of shape \(60,\).*softmax head"):
        run(tg.nn.mlp([4, 2], ["sigmoid"], rng=0), (x, y))


def test_labels_of_the_dev_set_are_checked_before_the_training():
    x, y = make_blobs()
    model = make_model()
    before = as_bytes(model)
    with pytest.raises(DataError, match="fit: dev: labels from 0 to 5"):
        run(model, (x, y), dev=(x[:6], np.arange(6)))
    assert as_bytes(model) == before


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        ({"epochs": -1}, "epochs=-1: expected an integer of at least 0"),
        ({"epochs": 1.5}, "epochs=1.5"),
        ({"epochs": True}, "epochs=True"),
        ({"batch_size": 0}, "batch_size=0: expected an integer of at least 1"),
        ({"lam": -0.1}, "lam=-0.1: expected a finite number of at least 0"),
        ({"lam": np.nan}, "lam=nan"),
        ({"lam": "1"}, "lam='1'"),
        ({"early_stopping": 0}, "early_stopping=0: expected an integer of at least 1"),
        ({"early_stopping": 3}, "early_stopping without a dev set"),
        ({"compile": "always"}, "compile='always': expected 'auto', True or False"),
        (
            {"loss": "crossentropy"},
            "loss='crossentropy': expected one of cross_entropy",
        ),
        ({"rng": -1}, "rng is -1: expected a seed"),
        ({"rng": "0"}, "rng is '0'"),
    ],
)
def test_argument_out_of_range_is_named(options, pattern):
    with pytest.raises(ArgumentError, match=pattern):
        run(**options)


def test_head_without_a_loss_of_its_own_asks_for_one():
    x, y = make_blobs()
    with pytest.raises(ArgumentError, match=r"head is 'relu'.*Pass loss="):
        run(tg.nn.mlp([4, 1], ["relu"], rng=0), (x, y))


def test_standardise_needs_a_model_that_scales():
    with pytest.raises(ArgumentError, match="Dense, which has no scaling"):
        run(tg.nn.Dense(4, 3, "softmax", rng=0), standardise=True)


@pytest.mark.parametrize(
    ("loss", "pattern"),
    [
        (lambda a, y: 3.0, "returned a float"),
        (lambda a, y: a, r"shape \(32, 3\): expected one number"),
    ],
)
def test_loss_that_is_no_number_of_the_graph_is_refused(loss, pattern):
    with pytest.raises(ShapeError, match=pattern):
        run(loss=loss)


def test_divergence_names_the_epoch_and_what_to_do():
    with (
        np.errstate(all="ignore"),
        pytest.raises(GraphError, match=r"the cost became .* in epoch .*Lower the"),
    ):
        run(loss=lambda a, y: tg.sum(a - a) * np.inf)


def test_divergence_gives_back_the_parameters_before_the_epoch():
    model = make_model()
    before = as_bytes(model)
    n_batches = []

    def loss(a, y):
        n_batches.append(1)
        return tg.cross_entropy(a, y) * (np.inf if len(n_batches) == 2 else 1.0)

    with np.errstate(all="ignore"), pytest.raises(GraphError, match="epoch 1"):
        run(model, loss=loss, batch_size=10)
    assert as_bytes(model) == before


def test_checkpoint_with_an_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match="npz"):
        run(checkpoint=tmp_path / "training.txt")


def test_checkpoint_in_a_format_without_its_package_names_the_extra(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    with pytest.raises(MissingExtraError, match="tensorgrad-np"):
        run(checkpoint=tmp_path / "training.safetensors")


def test_text_is_refused_for_a_sigmoid_too():
    x, model = np.zeros((2, 3)), tg.nn.mlp([3, 1], ["sigmoid"], rng=0)
    with pytest.raises(DataError, match=r"dtype <U3.*return_inverse=True"):
        run(model, (x, ["yes", "no"]))


@pytest.mark.parametrize("optimizer", ["adam", tg.optim.Adam, 0.1])
def test_optimiser_that_is_none_is_refused(optimizer):
    with pytest.raises(ArgumentError, match=r"optimizer=.*tg\.optim\.SGD\(0\.1\)"):
        run(optimizer=optimizer)
