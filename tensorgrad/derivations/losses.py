"""Losses and their first step backwards (notes, sections 1, 2.3 and 3.1).

A loss is summed over the outputs and averaged over the n examples, which are columns.
The heads sigmoid and softmax are taken together with their losses, from z: nothing is
clipped, and the cost is finite for every finite z.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .activations import Array, activate, log_softmax, pull_back

__all__ = ["LOSSES", "check_targets", "loss_of_head", "mean_loss", "output_delta"]

LOSSES = ("log_loss", "cross_entropy", "mse")

_MATCHING_HEAD = {"log_loss": "sigmoid", "cross_entropy": "softmax"}


def loss_of_head(activation: str) -> str:
    """Return the loss that goes with the activation of the last layer.

    Examples
    --------
    >>> [loss_of_head(name) for name in ("sigmoid", "softmax", "linear")]
    ['log_loss', 'cross_entropy', 'mse']
    """
    by_head = {head: loss for loss, head in _MATCHING_HEAD.items()}
    return by_head.get(activation, "mse")


def check_targets(loss: str, y: Array) -> None:
    """Refuse targets that the loss has no meaning for, before a descent begins.

    Parameters
    ----------
    loss : str
        log_loss takes labels 0 and 1, cross_entropy one-hot columns (or other columns of
        probabilities), mse any finite numbers.
    y : ndarray, shape (outputs, n)

    Raises
    ------
    ValueError
        If there is no example, or a target is none of these.

    Examples
    --------
    >>> check_targets("log_loss", np.array([[0, 1, 1]]))
    >>> check_targets("cross_entropy", np.array([[1.0], [1.0]]))
    Traceback (most recent call last):
        ...
    ValueError: cross_entropy: column 0 of y adds to 2.0: expected 1 and no negative ...
    """
    if y.ndim != 2 or y.shape[1] == 0:
        raise ValueError(
            f"{loss}: y has shape {y.shape}: expected (outputs, examples) with an example "
            "at least. Put examples in columns, and check the filter they come from."
        )
    if not np.isfinite(y).all():
        raise ValueError(
            f"{loss}: y has entries that are not finite: expected numbers. Remove such "
            "examples."
        )
    if loss == "log_loss" and not ((y == 0) | (y == 1)).all():
        raise ValueError(
            f"log_loss: y has entries from {y.min()} to {y.max()}: expected the labels 0 "
            "and 1. Code the two classes so; take softmax for more of them."
        )
    if loss == "cross_entropy":
        sums = y.sum(axis=0)
        wrong = (np.abs(sums - 1) > 1e-6) | (y < 0).any(axis=0)
        if wrong.any():
            j = int(np.argmax(wrong))
            raise ValueError(
                f"cross_entropy: column {j} of y adds to {sums[j]}: expected 1 and no "
                "negative entry. Make labels one-hot: np.eye(classes)[:, labels]."
            )


def mean_loss(loss: str, activation: str, z: Array, y: Array) -> float:
    """Return the loss of the outputs g(z), averaged over the examples.

    Parameters
    ----------
    loss : str
        ``log_loss``: -Σ y log a + (1 - y) log(1 - a). ``cross_entropy``: -Σ y log a.
        ``mse``: Σ (a - y)², without ½.
    activation : str
        The activation g of the last layer.
    z, y : ndarray, shape (outputs, n)
        Pre-activations and targets (one-hot columns for classes).

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a name is unknown, or the shapes differ.

    Notes
    -----
    With another head than its own, a logarithm is taken of a as it comes: 0 · log 0 is
    0, and a = 0 where y = 1 gives infinity.

    Examples
    --------
    >>> round(mean_loss("log_loss", "sigmoid", np.array([[0.0]]), np.array([[1.0]])), 4)
    0.6931
    >>> mean_loss("log_loss", "sigmoid", np.array([[-1000.0]]), np.array([[1.0]]))
    1000.0
    """
    _check(loss, z, y)
    n = y.shape[1]
    if activation == _MATCHING_HEAD.get(loss):
        per_entry = _from_logits(loss, z, y)
    else:
        per_entry = _from_outputs(loss, activate(activation, z), y)
    mean: float = (per_entry.sum() / n).item()
    return mean


def output_delta(loss: str, activation: str, z: Array, y: Array) -> Array:
    """Return δ of the last layer: the derivative of each example's loss by its z.

    Parameters
    ----------
    loss, activation : str
    z, y : ndarray, shape (outputs, n)

    Returns
    -------
    ndarray, shape (outputs, n)
        Without the factor 1/n, as the notes define δ. It is a - y for log-loss on
        sigmoid, and (Σ y) a - y for cross-entropy on softmax, where Σ y is 1 when
        targets are one-hot.

    Raises
    ------
    ValueError
        If a name is unknown, or the shapes differ.

    References
    ----------
    Notes, sections 2.3 and 3.1.

    Examples
    --------
    >>> z, y = np.array([[0.0, 1000.0]]), np.array([[1.0, 1.0]])
    >>> output_delta("log_loss", "sigmoid", z, y).tolist()
    [[-0.5, 0.0]]
    """
    _check(loss, z, y)
    a = activate(activation, z)
    if loss == "log_loss" and activation == "sigmoid":
        delta: Array = a - y
        return delta
    if loss == "cross_entropy" and activation == "softmax":
        weighted: Array = a * y.sum(axis=0) - y
        return weighted
    if loss == "mse":
        return pull_back(activation, z, 2.0 * (a - y))
    slope = -y / a
    if loss == "log_loss":
        slope = slope + (1.0 - y) / (1.0 - a)
    return pull_back(activation, z, slope)


def _from_logits(loss: str, z: Array, y: Array) -> Array:
    if loss == "cross_entropy":
        return -y * log_softmax(z)
    # -log a is max(-z, 0) + log(1 + e^-|z|), and -log(1 - a) the same with max(z, 0).
    # Kept apart from softplus(z) - y z, which cancels where the answer is right.
    positive = z.real >= 0
    tail = np.log1p(np.exp(np.where(positive, -z, z)))
    entries: Array = np.where(positive, (1.0 - y) * z, -y * z) + tail
    return entries


def _from_outputs(loss: str, a: Array, y: Array) -> Array:
    if loss == "mse":
        squares: Array = (a - y) * (a - y)
        return squares
    total = _weighted_log(y, a)
    if loss == "log_loss":
        total = total + _weighted_log(1.0 - y, 1.0 - a)
    return -total


def _weighted_log(weight: Any, a: Array) -> Array:
    """Return weight · log a, which is 0 where the weight is."""
    used = weight != 0
    with np.errstate(divide="ignore"):
        weighted: Array = np.where(used, weight, 0) * np.log(np.where(used, a, 1))
    return weighted


def _check(loss: str, z: Array, y: Array) -> None:
    if loss not in LOSSES:
        raise ValueError(
            f"loss: no loss is called {loss!r}: expected one of {', '.join(LOSSES)}. "
            "Check the spelling."
        )
    if z.shape != y.shape:
        raise ValueError(
            f"loss: the outputs have shape {z.shape} and y has shape {y.shape}: expected "
            "equal shapes (outputs, examples). Transpose y, or make its labels one-hot."
        )
    if y.shape[-1] == 0:
        raise ValueError(
            f"loss: y has shape {y.shape}: expected an example at least. Check the filter "
            "that the data come from."
        )
