"""Error rates, and what they say of bias and variance (notes, section 4).

    ε(x, y) = [y ≠ ŷ(x)],    E(A) = Σ ε(x, y) / n over the n examples of A.

The notes print ε = 1 where y equals ŷ, which makes E an accuracy: the best model has the
largest "error". It shows nowhere in the text, because no number is ever put in, and at
E = ½ the two are the same.

The rule that follows there compares with ε and 10ε. It leaves a training error between
them undecided, and likewise the plainest overfitting, E(X) < ε with E(D) ≥ 10ε; two
errors below ε fall under two of its headings at once. With ε = 1 %, and its ≈ and ≪ read
as "by at most ε" and "by more than ε", it is silent on 98 % of the pairs with
E(X) ≤ 10 % and E(X) ≤ E(D) ≤ 50 %. Both questions have an answer of their own here, each
by one comparison:

    high bias:      E(X) - E* > ε,
    high variance:  E(D) - E(X) > ε,

where E* is what the best classifier reaches (the Bayes error of remark 4.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from .activations import Array

__all__ = ["Diagnosis", "diagnose", "error_rate"]

ADVICE: MappingProxyType[tuple[bool, bool], tuple[str, ...]] = MappingProxyType(
    {
        (False, False): (),
        (True, False): ("a bigger network", "longer training", "another architecture"),
        (False, True): ("more data", "regularisation", "another architecture"),
    }
)
"""What section 4 tries, by (high bias, high variance); bias is mended first."""


@dataclass(frozen=True)
class Diagnosis:
    """What the errors on the training and the dev set say of a model.

    Attributes
    ----------
    high_bias : bool
        The model underfits: the training set could be fitted better.
    high_variance : bool
        The model overfits: the dev set fares worse than the training set.
    """

    high_bias: bool
    high_variance: bool

    @property
    def advice(self) -> tuple[str, ...]:
        """What to try before the next training; empty when the loop ends."""
        return ADVICE[self.high_bias, self.high_variance and not self.high_bias]

    def __str__(self) -> str:
        """Return the diagnosis in words."""
        bias = "high" if self.high_bias else "low"
        variance = "high" if self.high_variance else "low"
        return f"{bias} bias, {variance} variance"


def error_rate(predicted: Array, y: Array) -> float:
    """Return the fraction of examples whose label is wrong.

    Parameters
    ----------
    predicted, y : ndarray, shape (outputs, n)
        Labels. With several outputs an example is wrong as soon as one of them is.

    Returns
    -------
    float
        Between 0 and 1; 1 less the accuracy.

    Raises
    ------
    ValueError
        If the shapes differ, are not of two axes, or there is no example.

    References
    ----------
    Notes, section 4, which print the accuracy.

    Examples
    --------
    >>> error_rate(np.array([[0, 1, 1, 1]]), np.array([[0, 1, 0, 1]]))
    0.25
    >>> error_rate(np.array([[0, 1], [0, 1]]), np.array([[0, 1], [1, 0]]))
    1.0
    """
    predicted, y = np.asarray(predicted), np.asarray(y)
    if predicted.shape != y.shape or y.ndim != 2 or y.size == 0:
        raise ValueError(
            f"error_rate: the predictions have shape {predicted.shape} and y has shape "
            f"{y.shape}: expected equal shapes (outputs, examples) with an example at "
            "least. Put examples in columns, and labels beside labels."
        )
    return float(np.mean((predicted != y).any(axis=0)))


def diagnose(
    train_error: float,
    dev_error: float,
    *,
    epsilon: float = 0.02,
    bayes_error: float = 0.0,
) -> Diagnosis:
    """Tell bias and variance from two error rates, in every case.

    Parameters
    ----------
    train_error, dev_error : float, between 0 and 1
        E(X) and E(D).
    epsilon : float, between 0 and 1
        A gap up to this one is no reason to act.
    bayes_error : float, between 0 and 1
        What the best classifier reaches. The notes assume 0.

    Returns
    -------
    Diagnosis

    Raises
    ------
    ValueError
        If an argument is not between 0 and 1.

    References
    ----------
    Notes, section 4 and remark 4.1.

    Examples
    --------
    >>> print(diagnose(0.005, 0.3))
    low bias, high variance
    >>> diagnose(0.005, 0.3).advice[0]
    'more data'
    >>> print(diagnose(0.15, 0.16, bayes_error=0.14))
    low bias, low variance
    """
    rates = {
        "train_error": train_error,
        "dev_error": dev_error,
        "epsilon": epsilon,
        "bayes_error": bayes_error,
    }
    for name, rate in rates.items():
        if not 0 <= rate <= 1:
            raise ValueError(
                f"diagnose: {name} is {rate}: expected a rate between 0 and 1. Divide a "
                "percentage by 100; an accuracy a is the error 1 - a."
            )
    return Diagnosis(
        high_bias=train_error - bayes_error > epsilon,
        high_variance=dev_error - train_error > epsilon,
    )
