"""A training has one dtype, and says what would have changed it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.train import fit
from tests.train.problems import Watcher, make_blobs, make_model


def run(model, data, **options):
    return fit(model, data, epochs=1, progress=False, **options)


def float32_blobs():
    x, y = make_blobs()
    return x.astype(np.float32), y


def test_float32_model_and_data_train_in_float32_without_a_word():
    watcher = Watcher()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(
            make_model(dtype=np.float32, keep_prob=0.8),
            float32_blobs(),
            optimizer=watcher,
            lam=0.5,
            standardise=True,
        )
    assert watcher.seen[0]["layers"]["0"]["W"].dtype == np.float32


def test_wide_examples_are_converted_and_it_is_said():
    model = make_model(dtype=np.float32)
    dtypes = []

    def loss(a, y):
        dtypes.append(a.dtype)
        return tg.cross_entropy(a, y)

    with pytest.warns(UserWarning, match="x of float64 would widen a model of float32"):
        run(model, make_blobs(), loss=loss, standardise=True)
    assert set(dtypes) == {np.dtype(np.float32)}


def test_wide_targets_are_converted_too():
    x, _ = float32_blobs()
    model = tg.nn.mlp([4, 1], ["linear"], rng=0, dtype=np.float32)
    with pytest.warns(UserWarning, match="y of float64 would widen"):
        run(model, (x, x[:, 0].astype(np.float64)))
    assert model.layers[0].W.dtype == np.float32


def test_op_that_widens_the_cost_is_named():
    def loss(a, y):
        return tg.cross_entropy(a, y) * np.float64(2)

    with pytest.warns(UserWarning, match="multiply makes a cost of float64"):
        run(make_model(dtype=np.float32), float32_blobs(), loss=loss)


def test_warning_points_at_the_caller():
    with pytest.warns(UserWarning, match="would widen") as caught:
        run(make_model(dtype=np.float32), make_blobs())
    assert caught[0].filename == __file__


def test_integer_examples_do_not_widen():
    model = make_model(dtype=np.float32)
    dtypes = []

    def loss(a, y):
        dtypes.append(a.dtype)
        return tg.cross_entropy(a, y)

    x, y = make_blobs()
    run(model, (x.astype(np.int64), y), loss=loss, standardise=True)
    assert set(dtypes) == {np.dtype(np.float32)}


def test_narrow_data_in_a_wide_model_need_no_word():
    run(make_model(), float32_blobs())
