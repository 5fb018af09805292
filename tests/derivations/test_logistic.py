"""Logistic regression against a complex step, and on real data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from tensorgrad.data import load, split
from tensorgrad.derivations import logistic
from tests.derivations.steps import complex_gradient, distance

# Gradients are sums of some ten rounded terms of size 1.
ROUNDING = 1e-13

sizes = st.integers(1, 7)
seeds = st.integers(0, 10**6)


def example(m, n, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(m, n))
    y = (rng.random((1, n)) < 0.5).astype(float)
    return x, y, rng.normal(size=(m, 1)), rng.normal()


@given(m=sizes, n=sizes, seed=seeds)
def test_gradient_of_the_weights_is_that_of_a_complex_step(m, n, seed):
    x, y, w, b = example(m, n, seed)
    _, dw, _ = logistic.cost_function(x, y, w, b)
    expected = complex_gradient(lambda w: logistic.compute_cost(x, y, w, b), w)
    np.testing.assert_allclose(dw, expected, atol=ROUNDING)


@given(m=sizes, n=sizes, seed=seeds)
def test_gradient_of_the_bias_is_that_of_a_complex_step(m, n, seed):
    x, y, w, b = example(m, n, seed)
    _, _, db = logistic.cost_function(x, y, w, b)
    expected = complex_gradient(lambda b: logistic.compute_cost(x, y, w, b), b)
    assert db == pytest.approx(float(expected), abs=ROUNDING)


def test_gradient_is_divided_by_the_examples_not_the_features():
    x, y, w, b = example(m=3, n=7, seed=1)
    _, dw, _ = logistic.cost_function(x, y, w, b)
    a = 1 / (1 + np.exp(-(w.T @ x + b)))
    assert distance(dw, x @ (a - y).T / 7) < ROUNDING


@given(m=sizes, seed=seeds)
def test_cost_is_scikit_learns(m, seed):
    x, y, w, b = example(m, 9, seed)
    a = 1 / (1 + np.exp(-(w.T @ x + b)))
    expected = log_loss(y[0], a[0], labels=[0, 1])
    assert logistic.compute_cost(x, y, w, b) == pytest.approx(expected, rel=1e-12)


def test_cost_and_gradient_come_from_one_point():
    x, y, w, b = example(3, 5, 0)
    cost, _, _ = logistic.cost_function(x, y, w, b)
    assert cost == logistic.compute_cost(x, y, w, b)


@given(n=sizes, seed=seeds)
def test_swapping_the_classes_mirrors_the_gradient(n, seed):
    x, y, w, b = example(3, n, seed)
    cost, dw, _ = logistic.cost_function(x, y, w, b)
    mirrored, dw_mirrored, _ = logistic.cost_function(x, 1 - y, -w, -b)
    assert mirrored == pytest.approx(cost, rel=1e-13)
    np.testing.assert_allclose(dw_mirrored, -dw, atol=ROUNDING)


@pytest.mark.parametrize("z", [1000.0, -1000.0])
def test_far_logits_have_finite_cost_and_gradient(z):
    x, y = np.array([[1.0, 1.0]]), np.array([[0.0, 1.0]])
    with np.errstate(all="raise", under="ignore"):
        cost, dw, db = logistic.cost_function(x, y, np.array([[z]]), 0.0)
    assert (cost, abs(dw.item()), abs(db)) == (500.0, 0.5, 0.5)


def test_shapes_are_those_of_the_parameters():
    x, y, w, b = example(4, 6, 0)
    _, dw, db = logistic.cost_function(x, y, w, b)
    assert (dw.shape, type(db)) == (w.shape, float)


def test_descent_does_not_change_its_start():
    x, y, w, b = example(4, 6, 0)
    start = w.copy()
    logistic.descend(x, y, w, b, num_iters=5)
    np.testing.assert_array_equal(w, start)


def test_descent_takes_the_steps_of_the_gradient():
    x, y, w, b = example(4, 6, 0)
    _, dw, db = logistic.cost_function(x, y, w, b)
    after, b_after, _ = logistic.descend(x, y, w, b, learning_rate=0.3, num_iters=1)
    np.testing.assert_array_equal(after, w - 0.3 * dw)
    assert b_after == b - 0.3 * db


def test_small_steps_lower_the_cost_every_time():
    x, y, w, b = example(4, 30, 0)
    _, _, costs = logistic.descend(x, y, w, b, learning_rate=0.1, num_iters=100)
    assert (np.diff(costs) < 0).all()


def test_prediction_at_one_half_is_one():
    assert logistic.predict(np.zeros((2, 1)), 0.0, np.ones((2, 3))).tolist() == [
        [1, 1, 1]
    ]


def test_breast_cancer_is_told_apart():
    x, y = load("breast_cancer")
    train, _, test = split(x, y, stratify=True)
    mean, deviation = train[0].mean(axis=0), train[0].std(axis=0)
    (x_train, y_train), (x_test, y_test) = (
        (((x - mean) / deviation).T, y[None]) for x, y in (train, test)
    )
    fit = logistic.fit(x_train, y_train, x_test, y_test, learning_rate=0.5)
    # Scikit-learn's LogisticRegression misses 2 % on this split.
    assert fit.test_accuracy > 0.95
    assert fit.train_accuracy > 0.97


def test_report_gives_both_accuracies_in_percent():
    fit = logistic.LogisticFit(np.zeros((1, 1)), 0.0, [], 0.975, 0.5)
    assert str(fit) == "training accuracy 97.50%, test accuracy 50.00%"
