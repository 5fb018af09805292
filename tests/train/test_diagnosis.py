from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad import derivations
from tensorgrad.errors import ArgumentError
from tensorgrad.train import diagnose


@pytest.mark.parametrize(
    ("train_error", "dev_error", "high_bias", "high_variance"),
    [
        (0.01, 0.02, False, False),
        (0.15, 0.16, True, False),
        (0.01, 0.12, False, True),
        (0.15, 0.30, True, True),
        # Between the notes' ε and 10ε, where their table is silent.
        (0.05, 0.06, True, False),
        # A dev set may be the easier one.
        (0.01, 0.0, False, False),
    ],
)
def test_every_pair_of_errors_is_decided(
    train_error, dev_error, high_bias, high_variance
):
    found = diagnose(train_error, dev_error)
    assert (found.high_bias, found.high_variance) == (high_bias, high_variance)


def test_bias_is_measured_from_the_best_possible_error():
    assert not diagnose(0.15, 0.16, bayes_error=0.14).high_bias


def test_gap_within_the_tolerance_is_no_variance():
    assert not diagnose(0.01, 0.05, tolerance=0.05).high_variance


def test_bias_is_mended_before_variance():
    assert diagnose(0.15, 0.3).advice.startswith("First the bias")


def test_text_says_both():
    assert str(diagnose(0.01, 0.12)).startswith("bias low, variance high. More data")


@pytest.mark.parametrize(
    "arguments",
    [
        {"train_error": 15, "dev_error": 0.2},
        {"train_error": 0.1, "dev_error": -0.1},
        {"train_error": float("nan"), "dev_error": 0.1},
        {"train_error": 0.1, "dev_error": 0.1, "bayes_error": 2},
        {"train_error": 0.1, "dev_error": 0.1, "tolerance": float("nan")},
    ],
)
def test_number_that_is_no_error_rate_is_refused(arguments):
    with pytest.raises(ArgumentError, match=r"between 0 and 1.*Divide a percentage"):
        diagnose(**arguments)


RATES = st.floats(0, 1)


@given(train=RATES, dev=RATES, best=RATES, tolerance=RATES)
def test_rule_is_that_of_the_derivations(train, dev, best, tolerance):
    found = diagnose(train, dev, tolerance=tolerance, bayes_error=best)
    by_hand = derivations.diagnosis.diagnose(
        train, dev, epsilon=tolerance, bayes_error=best
    )
    assert (found.high_bias, found.high_variance) == (
        by_hand.high_bias,
        by_hand.high_variance,
    )
    assert found.is_done == (not by_hand.advice)


@given(
    bias=st.floats(0.01, 0.6),
    variance=st.floats(0, 0.4),
    best=st.floats(0, 0.3),
    left=st.floats(0.2, 0.9),
)
def test_loop_of_the_notes_ends(bias, variance, best, left):
    passes = 0
    found = diagnose(*errors(bias, variance, best), bayes_error=best)
    while not found.is_done:
        bias, variance = mended(found, bias, variance, left)
        passes += 1
        found = diagnose(*errors(bias, variance, best), bayes_error=best)
    assert passes < 100
    assert bias <= 0.02 + 1e-9
    assert variance <= 0.02 + 1e-9


def errors(bias, variance, best):
    train = min(best + bias, 1.0)
    return train, min(train + variance, 1.0)


def mended(found, bias, variance, left):
    """Return the gaps after the advice was followed: bias first."""
    return (left * bias, variance) if found.high_bias else (bias, left * variance)
