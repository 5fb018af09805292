"""How well a model does: predictions, loss and error rate, in batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.core.modes import no_grad
from tensorgrad.core.tensor import as_value
from tensorgrad.data.rows import Rows, slices
from tensorgrad.errors import ArgumentError, explain
from tensorgrad.nn.module import Module
from tensorgrad.train.precision import in_dtype, model_dtype
from tensorgrad.train.targets import Loss, check_examples, choose_loss, fit_labels

__all__ = ["error_rate", "evaluate", "predict"]

BATCH_ROWS = 4096


def outputs(model: Module, x: Rows) -> Array:
    """Return what the model gives for each example, dropout off."""
    return np.concatenate([as_value(a) for _, a in output_chunks(model, x)])


def output_chunks(model: Module, x: Rows) -> Iterator[tuple[slice, Any]]:
    """Yield what the model gives for some thousands of examples at a time.

    As it comes from the model: a loss may be computed from the logits behind it.
    """
    dtype = model_dtype(model)
    for rows in slices(len(x), BATCH_ROWS):
        with no_grad():
            a = model(in_dtype(np.asarray(x[rows]), dtype))
        yield rows, a


def predict(model: Module, x: Any) -> Array:
    """Return the class of each example, or the output of a regression.

    Parameters
    ----------
    model : Module
    x : array_like, shape (examples, features)

    Returns
    -------
    ndarray, shape (examples,)
        Integers from 0: the most probable class of a softmax head, or whether a single
        sigmoid output is at least ½. Several sigmoid outputs and regressions keep
        their axis: shape (examples, outputs).

    Raises
    ------
    DataError
        If x holds NaN or infinity.
    ShapeError
        If x does not fit the model.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> model = tg.nn.mlp([2, 2], ["softmax"], rng=0)
    >>> predict(model, np.zeros((3, 2)))
    array([0, 0, 0])
    """
    x, _ = check_examples("predict", x)
    return decide(model, outputs(model, x))


def decide(model: Module, a: Array) -> Array:
    """Turn outputs into classes, as the head says."""
    head = getattr(model, "head", None)
    if head == "softmax":
        return np.asarray(a.argmax(axis=-1))
    if head == "sigmoid":
        # Not "a < ½ is 0": the notes' rule sends a NaN to class 1.
        classes = (a >= 0.5).astype(np.int64)
        return classes[:, 0] if classes.ndim == 2 and classes.shape[1] == 1 else classes
    return a


def error_rate(model: Module, x: Any, y: Any) -> float:
    """Return the fraction of examples that the model gets wrong.

    Parameters
    ----------
    model : Module
        With a softmax or sigmoid head.
    x : array_like, shape (examples, features)
    y : array_like, shape (examples,) or (examples, outputs)
        Class numbers, or one-hot rows; 0 and 1 for a sigmoid head. An example with
        several sigmoid outputs counts as wrong if any of them is.

    Returns
    -------
    float
        Between 0, all right, and 1. The notes' section 4 prints 1 for a right answer,
        which makes its error an accuracy.

    Raises
    ------
    ArgumentError
        If the head is a regression.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> model = tg.nn.mlp([2, 2], ["softmax"], rng=0)
    >>> error_rate(model, np.zeros((4, 2)), [0, 0, 0, 1])
    0.25
    """
    x, y = check_examples("error_rate", x, y)
    n_wrong = sum(
        count_wrong(model, as_value(a), np.asarray(y[rows]), rows.start)
        for rows, a in output_chunks(model, x)
    )
    return n_wrong / len(x)


def count_wrong(model: Module, a: Array, y: Array, first_row: int = 0) -> int:
    """Return how many of the outputs belong to another class than the label."""
    if not is_classifier(model):
        raise ArgumentError(
            explain(
                "error_rate",
                f"a model whose head is {getattr(model, 'head', None)!r}",
                "a softmax or sigmoid head",
                "Measure a regression by tg.train.evaluate",
            )
        )
    predicted = decide(model, a)
    if getattr(model, "head", None) == "softmax":
        labels = fit_labels("error_rate", y, "cross_entropy", a.shape[1:], first_row)
        truth = labels.argmax(axis=-1) if labels.ndim == 2 else labels
    else:
        labels = fit_labels("error_rate", y, "log_loss", a.shape[1:], first_row)
        truth = labels.reshape(predicted.shape)
    wrong = predicted != truth
    return int((wrong.any(axis=1) if wrong.ndim == 2 else wrong).sum())


def is_classifier(model: Module) -> bool:
    """Tell whether an error rate makes sense."""
    return getattr(model, "head", None) in ("softmax", "sigmoid")


def evaluate(
    model: Module, x: Any, y: Any, loss: str | Loss | None = None
) -> tuple[float, float | None]:
    """Return loss and error rate, dropout off.

    Parameters
    ----------
    model : Module
    x : array_like, shape (examples, features)
    y : array_like, shape (examples,) or (examples, outputs)
    loss : str or callable, optional
        As for `fit`.

    Returns
    -------
    (float, float or None)
        Mean loss without penalty, and error rate; None for a regression.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> model = tg.nn.mlp([2, 1], ["linear"], init="zeros")
    >>> evaluate(model, np.ones((3, 2)), np.ones(3))
    (1.0, None)
    """
    x, y = check_examples("evaluate", x, y)
    compute, name = choose_loss(model, loss)
    dtype = model_dtype(model)
    total, n_wrong = 0.0, 0
    is_counted = is_classifier(model)
    for rows, a in output_chunks(model, x):
        given = np.asarray(y[rows])
        labels = fit_labels(
            "evaluate", in_dtype(given, dtype), name, a.shape[1:], rows.start
        )
        with no_grad():
            total += float(as_value(compute(a, labels))) * len(labels)
        if is_counted:
            n_wrong += count_wrong(model, as_value(a), given, rows.start)
    return total / len(x), n_wrong / len(x) if is_counted else None
