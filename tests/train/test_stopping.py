"""Early stopping: when, at which step, and with which parameters."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.errors import ArgumentError
from tensorgrad.train import EarlyStopping, History, fit
from tests.train.problems import as_bytes, make_blobs, make_model

PATIENCE = 3


def noisy(seed=0):
    """Return training and dev data of which the second cannot be learned for long."""
    rng = np.random.default_rng(seed)
    x, y = make_blobs(n=40)
    return (x, y), (x + 2.0 * rng.normal(size=x.shape), y)


def train(early_stopping=None, epochs=40, **options):
    data, dev = noisy()
    model = make_model()
    history = fit(
        model,
        data,
        dev,
        epochs=epochs,
        batch_size=8,
        optimizer=tg.optim.Adam(0.05),
        early_stopping=early_stopping,
        progress=False,
        **options,
    )
    return model, history


def test_training_stops_when_patience_runs_out():
    _, history = train(EarlyStopping(PATIENCE))
    losses = history.dev_loss
    assert history.stopped_early
    assert len(losses) == history.best_epoch + 1 + PATIENCE < 40
    assert min(losses) == losses[history.best_epoch]


def test_number_of_epochs_stands_for_the_rule():
    assert train(PATIENCE)[1].dev_loss == train(EarlyStopping(PATIENCE))[1].dev_loss


def test_best_parameters_come_back_bit_for_bit():
    model, history = train(EarlyStopping(PATIENCE))
    short, _ = train(epochs=history.best_epoch + 1)
    assert as_bytes(model) == as_bytes(short)


def test_best_step_counts_the_updates():
    _, history = train(EarlyStopping(PATIENCE))
    assert history.best_step == 5 * (history.best_epoch + 1)


def test_without_stopping_the_last_step_is_the_best():
    _, history = train(epochs=4)
    assert (history.best_epoch, history.best_step) == (3, 20)


def test_small_improvements_do_not_count():
    patient = train(EarlyStopping(PATIENCE))[1]
    assert patient.best_epoch > 0
    # More than the dev loss ever falls by: the first epoch stays the best.
    strict = train(EarlyStopping(PATIENCE, min_delta=10.0))[1]
    assert (strict.best_epoch, len(strict.dev_loss)) == (0, 1 + PATIENCE)


@given(
    losses=st.lists(st.floats(0, 10), min_size=1, max_size=12),
    min_delta=st.floats(0, 3),
    patience=st.integers(1, 5),
)
def test_rule_waits_for_a_loss_that_is_lower_by_more(losses, min_delta, patience):
    rule, history = EarlyStopping(patience, min_delta), History()
    bests = []
    for k, loss in enumerate(losses):
        history.best_epoch = [history.best_epoch, k][rule.is_better(loss, history)]
        bests.append(history.best_epoch)
        history.dev_loss.append(loss)
    steps = itertools.pairwise(dict.fromkeys(bests))
    assert bests[0] == 0
    assert all(losses[j] < losses[i] - min_delta for i, j in steps)
    assert rule.is_over(history) == (len(losses) - 1 - history.best_epoch >= patience)


@pytest.mark.parametrize("patience", [0, -1, 1.5, True, "3"])
def test_patience_is_a_positive_integer(patience):
    with pytest.raises(ArgumentError, match="expected an integer of at least 1"):
        EarlyStopping(patience)


@pytest.mark.parametrize("min_delta", [-1e-3, float("nan"), float("inf")])
def test_min_delta_is_finite_and_not_negative(min_delta):
    with pytest.raises(ArgumentError, match="min_delta"):
        EarlyStopping(3, min_delta)


def test_stopping_and_its_step_survive_a_checkpoint(tmp_path):
    whole, history = train(EarlyStopping(PATIENCE))
    file = tmp_path / "run.npz"
    train(EarlyStopping(PATIENCE), epochs=2, checkpoint=file)
    model, resumed = train(EarlyStopping(PATIENCE), checkpoint=file)
    assert as_bytes(model) == as_bytes(whole)
    assert (resumed.best_step, resumed.dev_loss) == (
        history.best_step,
        history.dev_loss,
    )
