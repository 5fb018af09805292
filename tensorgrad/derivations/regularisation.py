"""The L² penalty, and the choice of its λ (notes, section 5).

    R(W) = λ/(2n) Σ ‖Wˡ‖²,    Jᴿ = J + R,
    ∂Jᴿ/∂Wˡ = ∂J/∂Wˡ + (λ/n) Wˡ,    ∂Jᴿ/∂bˡ = ∂J/∂bˡ,

where n is the number of training examples. These hold as printed in section 5; under
mini-batches section 7 prints another n, which `minibatch` puts right.

Two things of the outline remain open there. It asks for λ > 0 only, so that no penalty
at all is never among the candidates; and "choose our desired λ" names no rule. Here
λ = 0 always takes part, and the lowest error on the dev set decides, the larger λ in a
tie. The test set is used once, for the model that was chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .activations import Array
from .diagnosis import error_rate
from .partition import Part

__all__ = [
    "SweepResult",
    "penalty",
    "penalty_gradient",
    "regularised_cost",
    "regularised_gradients",
    "sweep",
]


def penalty(w: Mapping[int, Array], n: int, lam: float) -> float:
    """Return R(W) = λ/(2n) Σ ‖Wˡ‖².

    Parameters
    ----------
    w : dict of int to ndarray
        The weights of every layer; biases are not penalised.
    n : int
        Training examples, all of them also where a batch is smaller.
    lam : float, at least 0

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If λ is negative or not finite, or n is not positive.

    References
    ----------
    Notes, section 5.

    Examples
    --------
    >>> penalty({1: np.array([[3.0, 4.0]])}, n=5, lam=2.0)
    5.0
    """
    _check(n, lam)
    squares = sum((layer * layer).sum().item() for layer in w.values())
    value: float = lam / (2 * n) * squares
    return value


def penalty_gradient(w: Mapping[int, Array], n: int, lam: float) -> dict[int, Array]:
    """Return ∂R/∂Wˡ = (λ/n) Wˡ for every layer.

    Parameters
    ----------
    w, n, lam
        As in `penalty`.

    Returns
    -------
    dict of int to ndarray
        In the shapes of the weights.

    Raises
    ------
    ValueError
        If λ is negative or not finite, or n is not positive.

    References
    ----------
    Notes, section 5.

    Examples
    --------
    >>> penalty_gradient({1: np.array([[3.0, 4.0]])}, n=5, lam=2.0)[1].tolist()
    [[1.2, 1.6]]
    """
    _check(n, lam)
    return {l: lam / n * layer for l, layer in w.items()}


def regularised_cost(cost: float, w: Mapping[int, Array], n: int, lam: float) -> float:
    """Return Jᴿ = J + R(W).

    Parameters
    ----------
    cost : float
        The mean loss J.
    w, n, lam
        As in `penalty`.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If λ is negative or not finite, or n is not positive.

    Examples
    --------
    >>> regularised_cost(0.5, {1: np.array([[3.0, 4.0]])}, n=5, lam=2.0)
    5.5
    """
    return cost + penalty(w, n, lam)


def regularised_gradients(
    grads: Mapping[str, Mapping[int, Array]],
    w: Mapping[int, Array],
    n: int,
    lam: float,
) -> dict[str, Mapping[int, Array]]:
    """Return the gradients of Jᴿ from those of J: only those by the weights differ.

    Parameters
    ----------
    grads : dict
        ``grads["w"][l]`` is ∂J/∂Wˡ. Not changed.
    w, n, lam
        As in `penalty`.

    Returns
    -------
    dict
        The structure of `grads`.

    Raises
    ------
    ValueError
        If λ is negative or not finite, or n is not positive.

    Examples
    --------
    >>> grads = {"w": {1: np.array([[1.0]])}, "b": {1: np.array([[7.0]])}}
    >>> found = regularised_gradients(grads, {1: np.array([[4.0]])}, n=2, lam=0.5)
    >>> found["w"][1].tolist(), found["b"][1].tolist()
    ([[2.0]], [[7.0]])
    """
    added = penalty_gradient(w, n, lam)
    return {**grads, "w": {l: dw + added[l] for l, dw in grads["w"].items()}}


@dataclass(frozen=True, eq=False)
class SweepResult:
    """What a sweep over λ found.

    Attributes
    ----------
    lams : tuple of float
        Increasing, from 0.
    train_errors, dev_errors : tuple of float
        Error rate on the training and the dev set for each λ.
    best_lam : float
        The λ with the lowest dev error; the largest of them in a tie.
    model : object
        What was trained with it.
    test_error : float
        Of that model alone.
    """

    lams: tuple[float, ...]
    train_errors: tuple[float, ...]
    dev_errors: tuple[float, ...]
    best_lam: float
    model: Any
    test_error: float


def sweep(
    fit: Callable[[Array, Array, float], Any],
    predict: Callable[[Any, Array], Array],
    lams: Iterable[float],
    *,
    train: Part,
    dev: Part,
    test: Part,
) -> SweepResult:
    """Train for each λ on the training set, and choose one by the dev set.

    Parameters
    ----------
    fit : callable
        ``fit(x, y, lam)`` returns a trained model. It sees the training set only.
    predict : callable
        ``predict(model, x)`` returns labels in the shape of y.
    lams : iterable of float
        Each at least 0; 0 takes part in any case.
    train, dev, test : tuple of ndarray
        (x, y) with examples in columns, as `partition` returns them.

    Returns
    -------
    SweepResult

    Raises
    ------
    ValueError
        If a λ is negative or not finite (before any training), or labels and y differ
        in shape.

    Notes
    -----
    In a tie the larger λ has the smaller weights. The dev error of the chosen λ is the
    least of several, hence too low on average; that is what the test set is for.

    References
    ----------
    Notes, section 5, i to vi.

    Examples
    --------
    >>> x, y = np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([[0, 0, 1, 1]])
    >>> found = sweep(
    ...     lambda x, y, lam: x.mean() - lam,
    ...     lambda threshold, x: (x > threshold).astype(int),
    ...     [2.0, 0.25],
    ...     train=(x, y), dev=(x, y), test=(x, y),
    ... )
    >>> found.lams, found.dev_errors
    ((0.0, 0.25, 2.0), (0.0, 0.0, 0.5))
    >>> found.best_lam, found.test_error
    (0.25, 0.0)
    """
    candidates = tuple(sorted({0.0, *map(float, lams)}))
    for lam in candidates:
        _check(1, lam)
    models = [fit(*train, lam) for lam in candidates]
    train_errors = tuple(error_rate(predict(m, train[0]), train[1]) for m in models)
    dev_errors = tuple(error_rate(predict(m, dev[0]), dev[1]) for m in models)
    best = max(range(len(models)), key=lambda i: (-dev_errors[i], candidates[i]))
    return SweepResult(
        lams=candidates,
        train_errors=train_errors,
        dev_errors=dev_errors,
        best_lam=candidates[best],
        model=models[best],
        test_error=error_rate(predict(models[best], test[0]), test[1]),
    )


def _check(n: int, lam: float) -> None:
    if not (lam >= 0 and np.isfinite(lam)):
        raise ValueError(
            f"penalty: λ is {lam}: expected a finite number, at least 0. A negative one "
            "would reward large weights; take 0 for no penalty."
        )
    if n < 1:
        raise ValueError(
            f"penalty: n is {n}: expected the number of training examples, at least 1. "
            "Pass the examples of the training set."
        )
