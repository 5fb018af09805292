"""The error rate counts what is wrong, and every pair of errors has one diagnosis."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tensorgrad.derivations.diagnosis import Diagnosis, diagnose, error_rate
from tensorgrad.derivations.logistic import accuracy

RATES = st.floats(0, 1)
LABELS = hnp.arrays(np.int64, (1, 12), elements=st.integers(0, 2))
GRID = np.linspace(0.0, 1.0, 201)


def printed_rule(train, dev, epsilon=0.01):
    """Return the headings of the printed rule that apply, read as widely as they can be.

    ≈ is "at most ε apart" and ≪ "more than ε below".
    """
    headings = {
        "high variance": train < epsilon and train < dev < 10 * epsilon,
        "high bias": abs(train - dev) <= epsilon and dev > 10 * epsilon,
        "both": 10 * epsilon < train < dev - epsilon,
        "neither": train < epsilon and dev < epsilon,
    }
    return [name for name, applies in headings.items() if applies]


@given(predicted=LABELS, y=LABELS)
def test_error_rate_and_accuracy_add_to_one(predicted, y):
    assert error_rate(predicted, y) + accuracy(predicted, y) == pytest.approx(
        1, abs=1e-15
    )


@given(y=LABELS)
def test_right_labels_are_no_error(y):
    assert error_rate(y, y) == 0


@given(y=LABELS, wrong=st.sets(st.integers(0, 11)))
def test_error_rate_counts_the_examples_that_were_spoilt(y, wrong):
    predicted = y.copy()
    predicted[:, sorted(wrong)] += 1
    assert error_rate(predicted, y) == len(wrong) / 12


def test_an_example_with_one_wrong_output_is_wrong():
    predicted, y = np.array([[1, 1], [0, 1]]), np.array([[1, 1], [0, 0]])
    assert error_rate(predicted, y) == 0.5


@given(y=LABELS, predicted=LABELS, order=st.permutations(range(12)))
def test_error_rate_does_not_depend_on_the_order(y, predicted, order):
    found = error_rate(predicted[:, order], y[:, order])
    assert found == error_rate(predicted, y)


@pytest.mark.parametrize(
    ("predicted", "y"),
    [(np.zeros((1, 3)), np.zeros((1, 4))), (np.zeros(3), np.zeros(3))],
)
def test_labels_that_do_not_match_are_refused(predicted, y):
    with pytest.raises(ValueError, match="error_rate: the predictions have shape"):
        error_rate(predicted, y)


def test_empty_set_has_no_error_rate():
    with pytest.raises(ValueError, match="an example at least"):
        error_rate(np.zeros((1, 0)), np.zeros((1, 0)))


@pytest.mark.parametrize(
    ("train", "dev", "expected"),
    [
        (0.00, 0.01, Diagnosis(high_bias=False, high_variance=False)),
        (0.00, 0.30, Diagnosis(high_bias=False, high_variance=True)),
        (0.15, 0.16, Diagnosis(high_bias=True, high_variance=False)),
        (0.15, 0.30, Diagnosis(high_bias=True, high_variance=True)),
        (0.05, 0.06, Diagnosis(high_bias=True, high_variance=False)),
        (0.30, 0.10, Diagnosis(high_bias=True, high_variance=False)),
    ],
)
def test_errors_have_their_diagnosis(train, dev, expected):
    assert diagnose(train, dev) == expected


@given(train=RATES, dev=RATES, epsilon=RATES, worse=RATES)
def test_a_worse_dev_error_does_not_lower_the_variance(train, dev, epsilon, worse):
    low, high = sorted([dev, worse])
    before = diagnose(train, low, epsilon=epsilon)
    after = diagnose(train, high, epsilon=epsilon)
    assert after.high_variance >= before.high_variance


@given(train=RATES, dev=RATES, epsilon=RATES, bayes=RATES)
def test_bias_does_not_depend_on_the_dev_set(train, dev, epsilon, bayes):
    found = diagnose(train, dev, epsilon=epsilon, bayes_error=bayes)
    same = diagnose(train, train, epsilon=epsilon, bayes_error=bayes)
    assert found.high_bias == same.high_bias


@given(train=RATES, dev=RATES, epsilon=RATES)
def test_gap_of_the_dev_error_beyond_two_epsilons_is_a_fault(train, dev, epsilon):
    # E(D) = E* + bias gap + variance gap: if neither is above ε, E(D) is below 2ε.
    found = diagnose(train, dev, epsilon=epsilon)
    neither = not (found.high_bias or found.high_variance)
    assert neither <= (dev <= 2 * epsilon + 1e-15)


def test_a_model_at_the_bayes_error_has_no_bias():
    assert not diagnose(0.3, 0.3, bayes_error=0.3).high_bias


@given(train=RATES, dev=RATES)
def test_loop_ends_exactly_where_nothing_is_high(train, dev):
    found = diagnose(train, dev)
    assert (found.advice == ()) == (str(found) == "low bias, low variance")


def test_bias_is_mended_before_variance():
    assert diagnose(0.2, 0.5).advice == diagnose(0.2, 0.2).advice


def test_printed_rule_is_silent_on_98_percent_of_the_cases_that_matter():
    # Fitted to 10 % at least, better than chance, no better on the dev set.
    pairs = itertools.product(GRID, GRID)
    cases = [(a, b) for a, b in pairs if a <= 0.1 and a <= b <= 0.5]
    undecided = [case for case in cases if printed_rule(*case) == []]
    assert len(undecided) / len(cases) == pytest.approx(0.98, abs=0.005)


def test_printed_rule_says_nothing_of_the_plainest_overfitting():
    assert printed_rule(0.0, 0.5) == []


def test_printed_rule_says_two_things_of_a_good_model():
    assert printed_rule(0.001, 0.005) == ["high variance", "neither"]


@pytest.mark.parametrize("name", ["train_error", "dev_error", "epsilon", "bayes_error"])
@pytest.mark.parametrize("value", [-0.1, 15.0, float("nan")])
def test_rates_outside_of_zero_to_one_are_refused(name, value):
    arguments = {"train_error": 0.1, "dev_error": 0.2, name: value}
    with pytest.raises(ValueError, match=f"diagnose: {name} is"):
        diagnose(**arguments)
