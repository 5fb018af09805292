from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import derivations
from tensorgrad.errors import ArgumentError, DataError
from tensorgrad.train import error_rate, sweep
from tests.train.problems import as_bytes, make_blobs, make_model, make_noisy

OPTIONS = {"epochs": 4, "progress": False}


def test_scores_belong_to_their_lam():
    train, dev = make_noisy(seed=0), make_noisy(seed=1)
    model = make_model(classes=2)
    found = sweep(model, train, dev, [0.0, 30.0], **OPTIONS)
    alone = sweep(model, train, dev, [30.0, 7.0], **OPTIONS)
    assert found.dev_scores[1] == alone.dev_scores[2]


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
    train, dev = make_noisy(seed=0), make_noisy(seed=1)
    several = sweep(make_model(classes=2), train, dev, [0.5, 1.0], **OPTIONS)
    alone = sweep(make_model(classes=2), train, dev, [1.0], **OPTIONS)
    assert several.train_scores[2] == alone.train_scores[1]


def test_generator_gives_every_lam_the_same_draws():
    data, rng = make_noisy(seed=0), np.random.default_rng(5)
    # A dead penalty: were the draws others, the scores would be, too. A program
    # with a penalty may differ in its last bits from one without.
    options = {**OPTIONS, "compile": False}
    model = make_model(classes=2, keep_prob=0.5)
    found = sweep(model, data, data, [1e-300], rng=rng, **options)
    assert found.train_scores[0] == found.train_scores[1]
    assert as_bytes(found.model) == as_bytes(
        sweep(model, data, data, [0.0], rng=np.random.default_rng(5), **options).model
    )


def test_dev_set_is_needed_before_training():
    with pytest.raises(ArgumentError, match="sweep: dev: a NoneType: expected a pair"):
        sweep(make_model(), make_blobs(), None, [1.0], **OPTIONS)


def test_no_penalty_always_takes_part_and_each_lam_once():
    data = make_blobs()
    found = sweep(make_model(), data, data, [2.0, 0.5, 2, np.float64(0.5)], **OPTIONS)
    assert found.lams == (0.0, 0.5, 2.0)


def test_lams_may_come_one_by_one():
    data = make_blobs()
    found = sweep(make_model(), data, data, (10.0**k for k in (-1, 1)), **OPTIONS)
    assert found.lams == (0.0, 0.1, 10.0)


@given(wrong=st.lists(st.integers(0, 3), min_size=2, max_size=5))
def test_choice_is_that_of_the_derivations(wrong):
    lams = [float(k) for k in range(len(wrong))]
    best = max(range(len(wrong)), key=lambda i: (-wrong[i], lams[i]))
    y = np.zeros((1, 4), dtype=int)
    part = (np.zeros((1, 4)), y)
    by_hand = derivations.regularisation.sweep(
        lambda x, y, lam: lam,
        lambda lam, x: np.where(np.arange(4) < wrong[int(lam)], 1, 0)[None],
        lams,
        train=part,
        dev=part,
        test=part,
    )
    assert by_hand.best_lam == lams[best]


class Watched:
    """Rows that count how often they are read from the start."""

    def __init__(self, rows):
        self.rows, self.n_readings = rows, 0

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, rows):
        self.n_readings += rows.start == 0 and rows.stop > 1
        return self.rows[rows]


def test_test_set_is_measured_once_for_the_chosen_model():
    train, dev, test = (make_noisy(seed=k) for k in range(3))
    model = make_model(classes=2)
    counts = {}
    for lams in ([1.0], [0.5, 1.0, 2.0, 4.0]):
        watched = Watched(test[0])
        found = sweep(model, train, dev, lams, (watched, test[1]), **OPTIONS)
        counts[len(lams)] = watched.n_readings
        assert found.test_score == error_rate(found.model, *test)
    assert counts[1] == counts[4]


def test_text_tells_the_test_score():
    train, dev, test = (make_noisy(seed=k) for k in range(3))
    found = sweep(make_model(classes=2), train, dev, [1.0], test, **OPTIONS)
    assert f"test score of the best: {found.test_score:.4f}" in str(found)


@pytest.mark.parametrize("lam", [-1.0, np.nan, np.inf, "1", None])
def test_lam_that_is_no_penalty_is_refused_before_training(lam):
    model = make_model()
    with pytest.raises(ArgumentError, match="sweep: lams with"):
        sweep(model, make_blobs(), make_blobs(), [0.1, lam], **OPTIONS)


@pytest.mark.parametrize("option", [{"lam": 1.0}, {"checkpoint": "run.npz"}])
def test_option_that_trainings_cannot_share_is_refused(option):
    with pytest.raises(ArgumentError, match="which every training would share"):
        sweep(make_model(), make_blobs(), make_blobs(), [1.0], **option, **OPTIONS)


def test_test_set_that_does_not_fit_is_refused_before_training():
    x, y = make_blobs()
    with pytest.raises(DataError, match="sweep: test: labels from 0 to 9"):
        sweep(make_model(), (x, y), (x, y), [1.0], (x[:10], np.arange(10)), **OPTIONS)


def test_course_is_shown_for_every_lam(capsys):
    data = make_blobs()
    sweep(make_model(), data, data, [1.0], epochs=1)
    err = capsys.readouterr().err
    assert "lambda 1/2" in err
    assert "lambda 2/2" in err


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
    with pytest.raises(ArgumentError, match=r"no lam.*lams=\[0.1, 1, 10\]"):
        sweep(make_model(), make_blobs(), make_blobs(), [], **OPTIONS)
