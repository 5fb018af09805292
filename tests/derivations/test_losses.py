"""Losses: plain formulas where those work, finite values where they do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tensorgrad.derivations.activations import activate
from tensorgrad.derivations.losses import LOSSES, loss_of_head, mean_loss, output_delta
from tests.derivations.steps import complex_gradient

# Sums of a dozen terms of size 1, rounded.
ROUNDING = 1e-13

HEADS = {"log_loss": "sigmoid", "cross_entropy": "softmax", "mse": "linear"}

# Loss and head, matched and not, that are smooth where a is inside (0, 1).
PAIRS = [
    *HEADS.items(),
    ("mse", "sigmoid"),
    ("mse", "softmax"),
    ("mse", "tanh"),
    ("log_loss", "softmax"),
    ("cross_entropy", "sigmoid"),
]

logits = arrays(np.float64, (3, 4), elements=st.floats(-5, 5))
targets = arrays(np.float64, (3, 4), elements=st.floats(0, 1))


def plain(loss, a, y):
    """Return the formula of the notes, for a strictly between 0 and 1."""
    terms = {
        "log_loss": lambda: -(y * np.log(a) + (1 - y) * np.log(1 - a)),
        "cross_entropy": lambda: -y * np.log(a),
        "mse": lambda: (a - y) ** 2,
    }
    return terms[loss]().sum() / y.shape[1]


@pytest.mark.parametrize(("loss", "head"), PAIRS)
@given(z=logits, y=targets)
def test_cost_is_the_plain_formula(loss, head, z, y):
    expected = plain(loss, activate(head, z), y)
    assert mean_loss(loss, head, z, y) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(("loss", "head"), PAIRS)
@given(z=logits, y=targets)
def test_delta_is_n_times_the_derivative_of_the_cost(loss, head, z, y):
    expected = 4 * complex_gradient(lambda z: mean_loss(loss, head, z, y), z)
    # (1 - y)/(1 - a) reaches e^5 with an unmatched head.
    np.testing.assert_allclose(
        output_delta(loss, head, z, y), expected, atol=150 * ROUNDING
    )


@given(z=logits, y=targets.map(np.rint))
def test_delta_of_sigmoid_and_log_loss_is_a_minus_y(z, y):
    delta = output_delta("log_loss", "sigmoid", z, y)
    np.testing.assert_array_equal(delta, activate("sigmoid", z) - y)


@given(z=logits, labels=arrays(np.int64, 4, elements=st.integers(0, 2)))
def test_delta_of_softmax_and_cross_entropy_is_a_minus_y(z, labels):
    y = np.eye(3)[:, labels]
    delta = output_delta("cross_entropy", "softmax", z, y)
    np.testing.assert_array_equal(delta, activate("softmax", z) - y)


@pytest.mark.parametrize(("z", "y"), [(1000.0, 0.0), (-1000.0, 1.0)])
def test_log_loss_of_a_certain_mistake_is_finite(z, y):
    cost = mean_loss("log_loss", "sigmoid", np.array([[z]]), np.array([[y]]))
    assert cost == 1000.0


@pytest.mark.parametrize("z", [10.0, 40.0, 300.0])
@pytest.mark.parametrize("y", [0.0, 1.0])
def test_log_loss_of_a_right_answer_keeps_its_digits(z, y):
    logit = np.array([[z if y else -z]])
    cost = mean_loss("log_loss", "sigmoid", logit, np.array([[y]]))
    assert cost == pytest.approx(np.log1p(np.exp(-z)), rel=1e-15)


def test_cross_entropy_of_a_certain_mistake_is_finite():
    z, y = np.array([[1000.0], [-1000.0]]), np.array([[0.0], [1.0]])
    assert mean_loss("cross_entropy", "softmax", z, y) == 2000.0


def test_unmatched_head_takes_zero_times_log_zero_for_zero():
    z = np.array([[0.0, 1.0]])
    assert mean_loss("log_loss", "linear", z, z) == 0.0


def test_unmatched_head_that_excludes_the_truth_costs_infinity():
    cost = mean_loss("log_loss", "linear", np.array([[0.0]]), np.array([[1.0]]))
    assert cost == np.inf


def test_costs_add_over_outputs_and_average_over_examples(rng):
    z, y = rng.normal(size=(3, 4)), np.ones((3, 4))
    parts = [
        [
            mean_loss("log_loss", "sigmoid", z[i : i + 1, j : j + 1], y[:1, :1])
            for j in range(4)
        ]
        for i in range(3)
    ]
    expected = np.sum(np.mean(parts, axis=1))
    assert mean_loss("log_loss", "sigmoid", z, y) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("head", "loss"),
    [
        ("sigmoid", "log_loss"),
        ("softmax", "cross_entropy"),
        ("linear", "mse"),
        ("tanh", "mse"),
        ("relu", "mse"),
    ],
)
def test_head_has_its_loss(head, loss):
    assert loss_of_head(head) == loss


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("function", [mean_loss, output_delta])
def test_targets_in_rows_are_refused(loss, function):
    with pytest.raises(
        ValueError, match=r"\(1, 5\) and y has shape \(5, 1\).*Transpose y"
    ):
        function(loss, HEADS[loss], np.zeros((1, 5)), np.zeros((5, 1)))


@pytest.mark.parametrize("function", [mean_loss, output_delta])
def test_unknown_loss_is_refused(function):
    with pytest.raises(ValueError, match="'hinge': expected one of log_loss, cross"):
        function("hinge", "linear", np.zeros((1, 1)), np.zeros((1, 1)))
