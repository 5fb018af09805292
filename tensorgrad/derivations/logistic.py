"""Logistic regression (notes, section 1).

One node: a = σ(wᵀx + b), cost J(w, b) = -(1/n) Σ [y log a + (1 - y) log(1 - a)], and

    ∂J/∂w = (1/n) x (a - y)ᵀ,    ∂J/∂b = (1/n) Σ (a - y).

The code of section 1.1.1 divides by the number m of features; the n of its formulas
holds here. The cost comes from z, so it is finite where a rounds to 0 or 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .activations import Array, sigmoid
from .losses import check_targets, mean_loss

__all__ = [
    "LogisticFit",
    "accuracy",
    "compute_cost",
    "cost_function",
    "descend",
    "fit",
    "predict",
]


@dataclass(frozen=True, eq=False)
class LogisticFit:
    """A fitted logistic regression and how well it does.

    Attributes
    ----------
    w : ndarray, shape (m, 1)
    b : float
    costs : list of float
        The cost before every step, and after the last.
    train_accuracy, test_accuracy : float, between 0 and 1
    """

    w: Array
    b: float
    costs: list[float]
    train_accuracy: float
    test_accuracy: float

    def __str__(self) -> str:
        """Return the report of the notes: both accuracies in percent."""
        return (
            f"training accuracy {100 * self.train_accuracy:.2f}%, "
            f"test accuracy {100 * self.test_accuracy:.2f}%"
        )


def compute_cost(x: Array, y: Array, w: Array, b: float) -> float:
    """Return the cost J(w, b).

    Parameters
    ----------
    x : ndarray, shape (m, n)
        n examples with m features each.
    y : ndarray, shape (1, n)
        Labels 0 and 1.
    w : ndarray, shape (m, 1)
    b : float

    Returns
    -------
    float

    Examples
    --------
    >>> x, y = np.array([[1.0, -1.0]]), np.array([[1, 0]])
    >>> round(compute_cost(x, y, np.array([[0.0]]), 0.0), 4)
    0.6931
    """
    return mean_loss("log_loss", "sigmoid", w.T @ x + b, y)


def cost_function(x: Array, y: Array, w: Array, b: float) -> tuple[float, Array, float]:
    """Return the cost and its gradient.

    Parameters
    ----------
    x : ndarray, shape (m, n)
    y : ndarray, shape (1, n)
    w : ndarray, shape (m, 1)
    b : float

    Returns
    -------
    cost : float
    dw : ndarray, shape (m, 1)
    db : float

    Examples
    --------
    >>> x, y = np.array([[1.0, 3.0]]), np.array([[1, 0]])
    >>> cost, dw, db = cost_function(x, y, np.array([[0.0]]), 0.0)
    >>> dw.tolist(), db
    ([[0.5]], 0.0)
    """
    n = x.shape[1]
    a, _ = sigmoid(w.T @ x + b)
    dz = a - y
    return compute_cost(x, y, w, b), x @ dz.T / n, (dz.sum() / n).item()


def descend(
    x: Array,
    y: Array,
    w: Array,
    b: float,
    *,
    learning_rate: float = 0.001,
    num_iters: int = 2000,
) -> tuple[Array, float, list[float]]:
    """Return the parameters after gradient descent, and the costs on the way.

    Parameters
    ----------
    x : ndarray, shape (m, n)
    y : ndarray, shape (1, n)
    w : ndarray, shape (m, 1)
        Not changed.
    b : float
    learning_rate : float, per step
    num_iters : int

    Returns
    -------
    w : ndarray, shape (m, 1)
    b : float
    costs : list of float
        The cost before every step, and after the last.

    Raises
    ------
    ValueError
        If there is no example, or y holds no targets of the loss; before any step.

    Examples
    --------
    >>> x, y = np.array([[-1.0, 1.0]]), np.array([[0, 1]])
    >>> w, b, costs = descend(x, y, np.zeros((1, 1)), 0.0, num_iters=10)
    >>> len(costs), costs[-1] < costs[0]
    (11, True)
    """
    check_targets("log_loss", y)
    costs = []
    for _ in range(num_iters):
        cost, dw, db = cost_function(x, y, w, b)
        costs.append(cost)
        w = w - learning_rate * dw
        b = b - learning_rate * db
    costs.append(compute_cost(x, y, w, b))
    return w, b, costs


def predict(w: Array, b: float, x: Array) -> Array:
    """Return the labels: 1 where a ≥ 0.5, else 0.

    Returns
    -------
    ndarray of int, shape (1, n)

    Examples
    --------
    >>> predict(np.array([[2.0]]), 0.0, np.array([[-1.0, 0.0, 1.0]])).tolist()
    [[0, 1, 1]]
    """
    # a ≥ 0.5 is z ≥ 0, without the rounding of σ.
    return (w.T @ x + b >= 0).astype(np.int64)


def accuracy(predicted: Array, y: Array) -> float:
    """Return the fraction of labels that are right, between 0 and 1.

    Examples
    --------
    >>> accuracy(np.array([[0, 1, 1, 1]]), np.array([[0, 1, 0, 1]]))
    0.75
    """
    return float(np.mean(predicted == y))


def fit(
    x_train: Array,
    y_train: Array,
    x_test: Array,
    y_test: Array,
    *,
    learning_rate: float = 0.001,
    num_iters: int = 2000,
) -> LogisticFit:
    """Fit from zero parameters and report the accuracies.

    Parameters
    ----------
    x_train : ndarray, shape (m, n_train)
    y_train : ndarray, shape (1, n_train)
    x_test : ndarray, shape (m, n_test)
    y_test : ndarray, shape (1, n_test)
    learning_rate : float, per step
    num_iters : int

    Returns
    -------
    LogisticFit

    Examples
    --------
    >>> x, y = np.array([[-2.0, -1.0, 1.0, 2.0]]), np.array([[0, 0, 1, 1]])
    >>> print(fit(x, y, x, y, learning_rate=0.1, num_iters=20))
    training accuracy 100.00%, test accuracy 100.00%
    """
    w, b, costs = descend(
        x_train,
        y_train,
        np.zeros((x_train.shape[0], 1)),
        0.0,
        learning_rate=learning_rate,
        num_iters=num_iters,
    )
    return LogisticFit(
        w=w,
        b=b,
        costs=costs,
        train_accuracy=accuracy(predict(w, b, x_train), y_train),
        test_accuracy=accuracy(predict(w, b, x_test), y_test),
    )
