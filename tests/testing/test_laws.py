"""Laws of the batch, and marks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.testing import batch_laws, checked
from tensorgrad.testing import strategies as tst
from tensorgrad.testing.marks import run_plan

RNG = np.random.default_rng(0)
W, X = RNG.normal(size=(3, 4)), RNG.normal(size=(6, 4))
CLASSES = np.array([0, 2, 1, 1, 0, 2])
ONE_HOT = np.eye(3)[CLASSES]


def mean(w, x, y):
    return tg.cross_entropy(tg.softmax(x @ w.T), y)


@given(net=tst.mlps())
def test_losses_of_networks_are_means_over_their_examples(net):
    # The penalty and the masks belong to the number of examples and to each of them.
    plain = {"lam": 0.0, "keep_prob": {}, "masks": {}}
    net = type(net)(**{**{k: getattr(net, k) for k in net.__slots__}, **plain})
    report = batch_laws(net.cost, net.params, net.x, net.y, batch=(1, 2), axis=1)
    assert report, report.table()


def test_loss_from_logits_obeys_all_laws():
    report = batch_laws(
        lambda z, y: tg.cross_entropy(tg.softmax(z), y),
        X[:, :3],
        ONE_HOT,
        batch=(0, 1),
        logits=0,
    )
    assert report, report.table()
    assert {check.name for check in report.checks} == {"repeat", "permute", "shift"}


BROKEN = {
    "sum for a mean": (lambda w, x, y: mean(w, x, y) * len(x), "repeat"),
    "fixed number": (lambda w, x, y: mean(w, x, y) * len(x) / 6, "repeat"),
    "order": (
        lambda w, x, y: mean(w, x, y * np.linspace(0.5, 1, len(y))[:, None]),
        "permute",
    ),
    "first example": (lambda w, x, y: mean(w, x[:1], y[:1]), "permute"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_law_is_named(name):
    loss, law = BROKEN[name]
    report = batch_laws(loss, W, X, ONE_HOT, batch=(1, 2))
    assert law in {check.name for check in report.checks if check.verdict == "refuted"}
    assert not report


def test_softmax_without_normalisation_breaks_the_shift():
    report = batch_laws(
        lambda z: -(np.log(np.exp(z) / 10)[:, 0]).mean(), X, batch=(0,), logits=0
    )
    assert "shift" in report.reason


@pytest.mark.parametrize("options", [{"batch": ()}, {"batch": (7,)}, {"batch": (0, 1)}])
def test_wrong_positions_are_explained(options):
    with pytest.raises(tg.ArgumentError, match=r"batch_laws: .*: expected .*\. "):
        batch_laws(mean, W, X, ONE_HOT, **options)


@given(order=st.sampled_from([1, 2]))
def test_mark_runs_as_it_says_and_leaves_the_function_alone(order):
    @checked(2.0, order=order)
    def cube(x):
        return x**3

    assert cube(2.0) == 8.0
    assert run_plan(cube)
    assert ("second order" in str(run_plan(cube))) == (order == 2)


def test_mark_may_make_its_arguments_late():
    @checked(lambda: (tst.arrays("sin"), 3))
    def power(x, n):
        return x**n

    assert run_plan(power)


@pytest.mark.parametrize("call", [checked, lambda: checked(1.0, tolerance=1e-3)])
def test_wrong_mark_is_explained(call):
    with pytest.raises(tg.ArgumentError, match=r"checked: .*: expected .*\. "):
        call()
