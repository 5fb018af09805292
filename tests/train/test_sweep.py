from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import ArgumentError
from tensorgrad.train import error_rate, sweep
from tests.train.problems import as_bytes, make_blobs, make_model, make_noisy

OPTIONS = {"epochs": 4, "progress": False}


def test_scores_belong_to_their_lam():
    train, dev = make_noisy(seed=0), make_noisy(seed=1)
    model = make_model(classes=2)
    found = sweep(model, train, dev, [0.0, 30.0], **OPTIONS)
    alone = sweep(model, train, dev, [30.0], **OPTIONS)
    assert found.dev_scores[1] == alone.dev_scores[0]


def test_model_is_the_one_with_the_best_dev_score():
    train, dev = make_noisy(seed=0), make_noisy(seed=1)
    found = sweep(make_model(classes=2), train, dev, [0.0, 1.0, 100.0], **OPTIONS)
    assert error_rate(found.model, *dev) == min(found.dev_scores)


def test_larger_lam_wins_a_tie():
    x, y = make_blobs()
    found = sweep(make_model(), (x, y), (x, y), [0.0, 0.1], epochs=40, progress=False)
    assert found.dev_scores[0] == found.dev_scores[1]
    assert found.best_lam == 0.1


def test_model_that_was_given_stays_as_it_is():
    model = make_model()
    before = as_bytes(model)
    sweep(model, make_blobs(), make_blobs(seed=1), [0.0, 1.0], **OPTIONS)
    assert as_bytes(model) == before


def test_every_lam_starts_from_the_same_parameters():
    data = make_blobs()
    found = sweep(make_model(), data, data, [1.0, 1.0], **OPTIONS)
    assert found.train_scores[0] == found.train_scores[1]


def test_regression_is_scored_by_its_loss():
    x = np.random.default_rng(0).standard_normal((30, 4))
    model = tg.nn.mlp([4, 1], ["linear"], rng=0)
    found = sweep(model, (x, x[:, 0]), (x, x[:, 0]), [0.0], **OPTIONS)
    assert found.dev_scores[0] == tg.train.evaluate(found.model, x, x[:, 0])[0]


def test_text_marks_the_best():
    x, y = make_blobs()
    found = sweep(make_model(), (x, y), (x, y), [0.0, 0.1], **OPTIONS)
    assert str(found).count("<- best") == 1


def test_no_lam_is_refused():
    with pytest.raises(ArgumentError, match=r"no lam.*lams=\[0, 0.1, 1, 10\]"):
        sweep(make_model(), make_blobs(), make_blobs(), [], **OPTIONS)
