from __future__ import annotations

import pytest

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
    assert not diagnose(0.15, 0.16, best_error=0.14).high_bias


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
        {"train_error": 0.1, "dev_error": 0.1, "best_error": 2},
    ],
)
def test_number_that_is_no_error_rate_is_refused(arguments):
    with pytest.raises(ArgumentError, match=r"between 0 and 1.*Divide a percentage"):
        diagnose(**arguments)
