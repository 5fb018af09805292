"""Planted mistakes: found where tests look, told where they do not, taken out again."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.testing import gradcheck, mutation_score

X = np.array([[0.4, -1.3], [2.0, 0.6], [-0.7, 1.1]])
W = np.array([[0.5, -0.2]])


def loss(w, x):
    return (np.tanh(x @ w.T) ** 2).sum() / (2 * x.shape[0])


def slopes(w, x):
    n = x.shape[0]
    a = np.tanh(x @ w.T)
    delta = a * (1 - a**2) / n
    return delta.T @ x, None


def by_differences():
    return gradcheck((lambda w: loss(w, X), lambda w: slopes(w, X)[0]), W)


def by_shape():
    assert slopes(W, X)[0].shape == W.shape


def test_gradcheck_notices_every_mistake():
    report = mutation_score(slopes, by_differences)
    assert report.n_planted > 15
    assert report.survivors == (), str(report)


def test_weak_test_misses_signs_and_factors_and_is_told_where():
    report = mutation_score(slopes, by_shape)
    assert 0 < report.score < 0.8
    assert {s.family for s in report.survivors} >= {"sign", "factor"}
    lines = {s.line for s in report.survivors}
    first = slopes.__code__.co_firstlineno
    assert lines <= set(range(first, first + 5))
    assert str(report.survivors[0]) in str(report)
    assert json.loads(report.to_json())["score"] == report.score


def test_code_is_as_before_afterwards():
    before = slopes.__code__
    mutation_score(slopes, [by_shape, by_differences])
    assert slopes.__code__ is before


def test_number_of_mistakes_can_be_limited():
    first, second = (mutation_score(slopes, by_shape, n_faults=5, rng=1) for _ in "ab")
    assert (first.n_planted, first) == (5, second)


def test_rules_of_an_op_can_be_looked_at():
    x = np.array([0.3, 1.7])

    def test():
        return gradcheck(tg.tanh, x)

    assert mutation_score(tg.tanh, test).score == 1.0
    assert mutation_score(tg.tanh, lambda: None).score == 0.0
    assert gradcheck(tg.tanh, x)


def failing():
    raise AssertionError("as it is")


BAD = {
    "failing test": lambda: mutation_score(slopes, failing),
    "false test": lambda: mutation_score(slopes, lambda: False),
    "no function": lambda: mutation_score(3, by_shape),
    "no source": lambda: mutation_score(len, by_shape),
    "function without a file": lambda: mutation_score(
        eval("lambda x: x"),
        by_shape,
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_call_is_explained(name):
    with pytest.raises(tg.ArgumentError, match=r"mutation_score: .*: expected .*\. "):
        BAD[name]()
