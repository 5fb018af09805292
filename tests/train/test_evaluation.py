"""Predictions, loss and error rate of a model that is not in training."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import ArgumentError, DataError, ShapeError
from tensorgrad.train import error_rate, evaluate, predict
from tests.train.problems import make_blobs, make_model

# Batches add in another order.
ROUNDING = 1e-13


def fixed(weights, head):
    """Return a network of one layer with these weights, examples in rows."""
    weights = np.array(weights, dtype=float)
    model = tg.nn.Sequential(tg.nn.Dense(*weights.T.shape, head, init="zeros"))
    tg.tree.assign(model.layers[0].W, weights)
    return model


def test_class_is_the_most_probable_one():
    model = fixed([[1, 0], [0, 1], [-1, -1]], "softmax")
    assert predict(model, [[3.0, 1], [1, 3], [-1, -1]]).tolist() == [0, 1, 2]


def test_single_sigmoid_is_class_one_from_a_half_on():
    model = fixed([[1]], "sigmoid")
    assert predict(model, [[-0.1], [0.0], [0.1]]).tolist() == [0, 1, 1]


def test_several_sigmoids_are_decided_one_by_one():
    model = fixed([[1, 0], [0, 1]], "sigmoid")
    assert predict(model, [[1.0, -1.0]]).tolist() == [[1, 0]]


def test_regression_predicts_its_output():
    assert predict(fixed([[2]], "linear"), [[1.5]]).tolist() == [[3.0]]


def test_error_rate_is_the_fraction_of_wrong_classes():
    model = fixed([[1, 0], [0, 1]], "softmax")
    assert error_rate(model, [[1, 0], [0, 1], [1, 0], [0, 1.0]], [0, 1, 1, 1]) == 0.25


def test_error_rate_of_one_hot_labels_is_that_of_their_numbers():
    x, y = make_blobs()
    model = make_model()
    assert error_rate(model, x, np.eye(3)[y]) == error_rate(model, x, y)


def test_example_with_one_wrong_sigmoid_is_wrong():
    model = fixed([[1, 0], [0, 1]], "sigmoid")
    rate = error_rate(model, [[1.0, 1.0], [1.0, -1.0]], [[1, 0], [1, 0]])
    assert rate == 0.5


def test_error_rate_of_a_regression_is_refused():
    with pytest.raises(ArgumentError, match=r"head is 'linear'.*tg.train.evaluate"):
        error_rate(fixed([[1]], "linear"), [[1.0]], [1.0])


def test_loss_is_the_mean_over_all_examples(monkeypatch):
    monkeypatch.setattr("tensorgrad.train.evaluation.BATCH_ROWS", 7)
    x, y = make_blobs(n=60)
    model = make_model()
    whole = tg.cross_entropy(model(x), y).item()
    assert evaluate(model, x, y)[0] == pytest.approx(whole, rel=ROUNDING)


def test_predictions_do_not_depend_on_the_batches(monkeypatch):
    x, _ = make_blobs(n=60)
    model = make_model()
    whole = predict(model, x)
    monkeypatch.setattr("tensorgrad.train.evaluation.BATCH_ROWS", 7)
    np.testing.assert_array_equal(predict(model, x), whole)


def test_loss_of_a_saturated_head_is_finite():
    """Recording is off, and the loss still comes from the logits."""
    model = fixed([[1e4], [-1e4]], "softmax")
    assert evaluate(model, [[1.0]], [1]) == (2e4, 1.0)


def test_dropout_is_off():
    x, y = make_blobs()
    model = make_model(keep_prob=0.1)
    assert evaluate(model, x, y) == evaluate(model, x, y)


def test_own_loss_is_used():
    x, y = make_blobs()
    loss, _ = evaluate(make_model(), x, y, loss=lambda a, y: tg.sum(a) / len(y))
    assert loss == pytest.approx(1.0, rel=ROUNDING)


@pytest.mark.parametrize("function", [predict, lambda m, x: evaluate(m, x, [0, 0])])
def test_value_that_is_not_finite_is_refused(function):
    with pytest.raises(DataError, match="row 1, column 3"):
        function(make_model(), np.array([[0, 0, 0, 0], [0, 0, 0, np.nan]]))


def test_wrong_number_of_features_is_refused():
    with pytest.raises(ShapeError, match="4 features in columns"):
        predict(make_model(), np.zeros((2, 5)))
