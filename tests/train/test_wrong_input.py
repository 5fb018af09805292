"""Everything that the notes' methods cannot be given, refused by name before any work."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.errors import ArgumentError, DataError, ShapeError
from tests.train.problems import as_bytes

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 3))
Y = RNG.integers(0, 2, 20)
TWICE = np.ones((20, 3))
EMPTY = (X[:0], Y[:0])
NAN = float("nan")

by_hand = tg.derivations


def binary(**options):
    return tg.nn.mlp([3, 4, 1], ["tanh", "sigmoid"], rng=0, **options)


def classes():
    return tg.nn.mlp([3, 4, 3], ["tanh", "softmax"], rng=0)


def fit(model=None, data=(X, Y), **options):
    return tg.train.fit(
        binary() if model is None else model, data, progress=False, **options
    )


def columns(y):
    return X.T, np.asarray(y, dtype=float).reshape(1, -1)


def descend(x, y, head="sigmoid", **options):
    params = by_hand.l_layer.initialise_parameters([len(x), 4, len(y)])
    return by_hand.l_layer.descend(params, x, y, ["tanh", head], num_iters=1)


WRONG = {
    "labels above 1": (lambda: fit(data=(X, 2 * Y)), DataError, "neither 0 nor 1"),
    "labels between": (lambda: fit(data=(X, Y / 2)), DataError, "neither 0 nor 1"),
    "labels below 0": (lambda: fit(data=(X, 2 * Y - 1)), DataError, "label -1"),
    "labels of dev": (lambda: fit(dev=(X, 2 * Y)), DataError, "fit: dev"),
    "labels measured": (
        lambda: tg.train.error_rate(binary(), X, 2 * Y),
        DataError,
        "error_rate: the label 2",
    ),
    "labels evaluated": (
        lambda: tg.train.evaluate(binary(), X, 2 * Y),
        DataError,
        "evaluate: the label 2",
    ),
    "labels by hand": (
        lambda: by_hand.logistic.fit(X.T, 2 * Y[None], X.T, Y[None]),
        ValueError,
        "labels 0 and 1",
    ),
    "labels in two layers": (
        lambda: by_hand.two_layer.descend({}, *columns(2 * Y)),
        ValueError,
        "labels 0 and 1",
    ),
    "labels in layers": (
        lambda: descend(*columns(2 * Y)),
        ValueError,
        "labels 0 and 1",
    ),
    "labels in batches": (
        lambda: by_hand.minibatch.descend(
            {}, *columns(2 * Y), ["sigmoid"], batches=[np.arange(20)]
        ),
        ValueError,
        "labels 0 and 1",
    ),
    "labels with dropout": (
        lambda: by_hand.dropout.descend(
            {}, *columns(2 * Y), ["sigmoid"], keep_prob={0: 0.5}
        ),
        ValueError,
        "labels 0 and 1",
    ),
    "one-hot sum": (lambda: fit(classes(), (X, TWICE)), DataError, "add to 1"),
    "one-hot sign": (
        lambda: fit(classes(), (X, np.tile([2.0, -1.0, 0.0], (20, 1)))),
        DataError,
        "no negative entry",
    ),
    "one-hot columns": (
        lambda: fit(classes(), (X, np.eye(2)[Y])),
        ShapeError,
        "3 columns",
    ),
    "one-hot evaluated": (
        lambda: tg.train.evaluate(classes(), X, TWICE),
        DataError,
        "evaluate: one-hot",
    ),
    "one-hot by hand": (
        lambda: descend(X.T, TWICE.T, head="softmax"),
        ValueError,
        "column 0 of y adds to 3.0",
    ),
    "lengths": (lambda: fit(data=(X, Y[1:])), ShapeError, "a label for each row"),
    "lengths in batches": (
        lambda: tg.data.minibatches(X, Y[1:], 2),
        ShapeError,
        "as many rows",
    ),
    "lengths of parts": (lambda: tg.data.split(X, Y[1:]), ShapeError, "as many rows"),
    "lengths augmented": (
        lambda: tg.data.augment(X, Y[1:], tg.data.noise(0.1)),
        ShapeError,
        "as many rows",
    ),
    "lengths by hand": (
        lambda: by_hand.logistic.compute_cost(X.T, Y[None, 1:], np.zeros((3, 1)), 0.0),
        ValueError,
        "equal shapes",
    ),
    "no example": (lambda: fit(data=EMPTY), DataError, "no examples"),
    "no example to split": (lambda: tg.data.split(*EMPTY), DataError, "no examples"),
    "no example in batches": (
        lambda: tg.data.minibatches(*EMPTY, 2),
        DataError,
        "no examples",
    ),
    "no example measured": (
        lambda: tg.train.error_rate(binary(), *EMPTY),
        DataError,
        "no examples",
    ),
    "no example by hand": (
        lambda: by_hand.logistic.compute_cost(
            X.T[:, :0], Y[None, :0], np.zeros((3, 1)), 0.0
        ),
        ValueError,
        "an example at least",
    ),
    "keep_prob 0": (lambda: tg.nn.Dropout(0.0), ArgumentError, r"in \(0, 1\]"),
    "keep_prob NaN": (lambda: tg.nn.Dropout(NAN), ArgumentError, r"in \(0, 1\]"),
    "keep_prob above 1": (lambda: tg.nn.Dropout(1.5), ArgumentError, r"in \(0, 1\]"),
    "keep_prob of a net": (
        lambda: binary(keep_prob=0.0),
        ArgumentError,
        "keep_prob is 0.0",
    ),
    "too many keep rates": (
        lambda: binary(keep_prob=[0.5, 0.5, 0.5]),
        ArgumentError,
        "3 keep rates for 2 layers",
    ),
    "too few keep rates": (
        lambda: binary(keep_prob=[0.5]),
        ArgumentError,
        "1 keep rates for 2 layers",
    ),
    "keep_prob by hand": (
        lambda: by_hand.l_layer.draw_masks([3, 4, 1], 5, {1: 0.0}),
        ValueError,
        "above 0 and at most 1",
    ),
    "keep_prob of the output": (
        lambda: by_hand.l_layer.draw_masks([3, 4, 1], 5, {2: 0.5}),
        ValueError,
        "Leave out the output layer",
    ),
    "lambda": (lambda: fit(lam=-1.0), ArgumentError, "lam=-1.0"),
    "lambda NaN": (lambda: fit(lam=NAN), ArgumentError, "lam=nan"),
    "lambda of a penalty": (
        lambda: tg.l2_penalty(binary(), -1.0, 10),
        ArgumentError,
        "lam at least 0",
    ),
    "lambda of a sweep": (
        lambda: tg.train.sweep(binary(), (X, Y), (X, Y), [-1.0]),
        ArgumentError,
        "lams with -1.0",
    ),
    "lambda by hand": (
        lambda: by_hand.regularisation.penalty({1: X}, 3, -1.0),
        ValueError,
        "at least 0",
    ),
    "ratio above 1": (
        lambda: tg.data.split(X, Y, ratio=1.5),
        ArgumentError,
        "ratio is 1.5",
    ),
    "ratio below 0": (
        lambda: tg.data.split(X, Y, ratio=-0.1),
        ArgumentError,
        "ratio is -0.1",
    ),
    "ratio NaN": (
        lambda: tg.data.split(X, Y, ratio=NAN),
        ArgumentError,
        "ratio is nan",
    ),
    "ratios beyond 1": (
        lambda: tg.data.split(X, Y, ratio=(0.5, 0.4, 0.3)),
        ArgumentError,
        "with sum 1",
    ),
    "ratio by hand": (
        lambda: by_hand.partition.partition_sizes(10, 1.5),
        ValueError,
        "between 0 and 1",
    ),
    "batch size 0": (lambda: fit(batch_size=0), ArgumentError, "batch_size=0"),
    "batches of 0": (
        lambda: tg.data.minibatches(X, Y, 0),
        ArgumentError,
        "batch_size is 0",
    ),
    "batches of 0 by hand": (
        lambda: by_hand.minibatch.divide(5, 0),
        ValueError,
        "at least 1",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_refused_by_name(name):
    call, error, pattern = WRONG[name]
    with pytest.raises(error, match=pattern):
        call()


@pytest.mark.parametrize("name", WRONG)
def test_message_says_what_was_expected_and_what_to_do(name):
    call, error, _ = WRONG[name]
    with pytest.raises(error) as caught:
        call()
    _, _, rest = str(caught.value).partition(": expected ")
    assert rest.count(". ") >= 1 or rest.endswith("?"), str(caught.value)


LONG = 10_000
PLACES = st.integers(0, LONG - 1)


def in_chunks(y):
    """Return labels that give slices only."""
    return Sliced(np.asarray(y))


class Sliced:
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, part):
        return self.rows[part]


LOOKERS = {
    "fit": lambda model, x, y: fit(model, (x, y)),
    "fit in chunks": lambda model, x, y: fit(model, (x, in_chunks(y))),
    "evaluate": tg.train.evaluate,
    "error_rate": tg.train.error_rate,
}


def good_labels(kind):
    classes_of = np.arange(LONG) % 2
    return {
        "binary": classes_of,
        "class": classes_of,
        "one-hot": np.eye(3)[classes_of],
    }[kind]


@pytest.mark.parametrize("kind", ["binary", "class", "one-hot"])
@pytest.mark.parametrize("looker", LOOKERS)
@settings(max_examples=8)
@given(place=PLACES)
def test_message_names_the_row_of_the_whole_set(looker, kind, place):
    y = good_labels(kind)
    y[place] = 7
    model = {"binary": binary, "class": classes, "one-hot": classes}[kind]()
    with pytest.raises(DataError, match=rf"\brow {place}\b"):
        LOOKERS[looker](model, np.zeros((LONG, 3)), y)


@given(place=PLACES, n_more=st.integers(0, 5))
def test_message_names_the_row_and_the_number_of_values_that_are_not_finite(
    place, n_more
):
    x = np.zeros((LONG, 3))
    x[place :: max(1, (LONG - place) // (n_more + 1)), 1] = np.nan
    total = int(np.isnan(x).sum())
    with pytest.raises(DataError, match=rf"row {place}, column 1; {total} in all"):
        fit(data=(in_chunks(x), np.zeros(LONG)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"data": (X, 2 * Y)},
        {"data": (X, Y[1:])},
        {"data": EMPTY},
        {"dev": (X, 2 * Y)},
        {"lam": -1.0},
        {"batch_size": 0},
        {"early_stopping": 0, "dev": (X, Y)},
    ],
)
def test_nothing_has_happened_before_the_refusal(tmp_path, wrong):
    model, file = binary(), tmp_path / "run.npz"
    before = as_bytes(model)
    with pytest.raises((ArgumentError, DataError, ShapeError)):
        fit(model, **{"checkpoint": file, "standardise": True, **wrong})
    assert as_bytes(model) == before
    assert model.scaling is None
    assert list(tmp_path.iterdir()) == []
