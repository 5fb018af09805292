"""Activations and their derivatives (notes, section 2.2).

Every function takes the pre-activation z and returns value and derivative, both of the
shape of z. They are written so that a complex step passes through: where a branch has
to be chosen, the real part chooses it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

__all__ = [
    "ELEMENTWISE",
    "LEAKY_SLOPE",
    "Array",
    "activate",
    "leaky_relu",
    "linear",
    "log_softmax",
    "pull_back",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
]

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

LEAKY_SLOPE = 0.01
"""The β that the name leaky_relu stands for."""


def linear(z: Any) -> tuple[Array, Array]:
    """Return z and 1.

    Examples
    --------
    >>> [part.tolist() for part in linear([2.0, -3.0])]
    [[2.0, -3.0], [1.0, 1.0]]
    """
    z = np.asarray(z)
    return z, np.ones_like(z)


def sigmoid(z: Any) -> tuple[Array, Array]:
    """Return σ(z) = 1/(1 + e⁻ᶻ) and σ(z)(1 - σ(z)).

    Parameters
    ----------
    z : array_like

    Returns
    -------
    value, derivative : ndarray, shape of z

    Notes
    -----
    Only e to a power of at most 0 is formed, so nothing overflows, and σ keeps its
    relative accuracy for negative z. The derivative is accurate in absolute terms: for
    large positive z it is 0 as soon as σ rounds to 1.

    References
    ----------
    Notes, section 2.2.1; the code there overflows below z = -709.

    Examples
    --------
    >>> value, derivative = sigmoid([-1000.0, 0.0, 1000.0])
    >>> value.tolist(), derivative.tolist()
    ([0.0, 0.5, 1.0], [0.0, 0.25, 0.0])
    """
    z = np.asarray(z)
    positive = z.real >= 0
    e = np.exp(np.where(positive, -z, z))
    value = np.where(positive, 1.0, e) / (1.0 + e)
    return value, value * (1.0 - value)


def tanh(z: Any) -> tuple[Array, Array]:
    """Return tanh(z) and 1 - tanh(z)².

    References
    ----------
    Notes, section 2.2.2.

    Examples
    --------
    >>> [part.tolist() for part in tanh([0.0, 1000.0])]
    [[0.0, 1.0], [1.0, 0.0]]
    """
    value = np.tanh(np.asarray(z))
    return value, 1.0 - value * value


def relu(z: Any, beta: float = 0.0) -> tuple[Array, Array]:
    """Return z where z ≥ 0 and βz below, and the slopes 1 and β.

    Parameters
    ----------
    z : array_like
    beta : float, at most 1
        Slope of the negative side.

    Returns
    -------
    value, derivative : ndarray, shape of z
        The derivative at the kink z = 0 is 1, as the notes choose it.

    References
    ----------
    Notes, section 2.2.3. The code of section 3.1.1 returns the slope 0 below zero for
    every β; the formula of section 2.2.3 holds here.

    Examples
    --------
    >>> [part.tolist() for part in relu([-2.0, 0.0, 3.0], beta=0.1)]
    [[-0.2, 0.0, 3.0], [0.1, 1.0, 1.0]]
    """
    z = np.asarray(z)
    # The slope takes the precision of z: a float64 slope would widen float32 nets.
    precision = z.real.dtype if z.dtype.kind in "fc" else np.dtype(np.float64)
    slope = np.where(z.real < 0, beta, 1.0).astype(precision)
    return slope * z, slope


def leaky_relu(z: Any) -> tuple[Array, Array]:
    """Return `relu` with the slope β = 0.01 below zero.

    Examples
    --------
    >>> [part.tolist() for part in leaky_relu([-2.0, 3.0])]
    [[-0.02, 3.0], [0.01, 1.0]]
    """
    return relu(z, LEAKY_SLOPE)


def softmax(z: Any) -> Array:
    """Return e^z divided by its sum over the first axis.

    Parameters
    ----------
    z : array_like, shape (classes, examples)

    Returns
    -------
    ndarray, shape (classes, examples)
        Every column is positive and adds to 1.

    Notes
    -----
    The largest entry of a column is subtracted first, which changes nothing in exact
    arithmetic and keeps every exponential at most 1. The derivative is a matrix per
    example; `pull_back` applies its transpose.

    References
    ----------
    Notes, section 2.2.4.

    Examples
    --------
    >>> softmax([[1000.0, 0.0], [1000.0, 0.0]]).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    e = np.exp(_below_top(z))
    value: Array = e / e.sum(axis=0)
    return value


def log_softmax(z: Any) -> Array:
    """Return log softmax(z) over the first axis, finite for every finite z.

    Examples
    --------
    >>> log_softmax([[1000.0], [0.0]]).tolist()
    [[0.0], [-1000.0]]
    """
    shifted = _below_top(z)
    value: Array = shifted - np.log(np.exp(shifted).sum(axis=0))
    return value


ELEMENTWISE: MappingProxyType[str, Callable[[Any], tuple[Array, Array]]] = (
    MappingProxyType(
        {
            "linear": linear,
            "sigmoid": sigmoid,
            "tanh": tanh,
            "relu": relu,
            "leaky_relu": leaky_relu,
        }
    )
)
"""The activations that act on every entry by itself, by name; softmax does not."""


def activate(name: str, z: Array) -> Array:
    """Return the value of the activation of that name.

    Raises
    ------
    ValueError
        If there is no such activation.

    Examples
    --------
    >>> activate("relu", np.array([-1.0, 2.0])).tolist()
    [-0.0, 2.0]
    """
    return softmax(z) if name == "softmax" else _elementwise(name)(z)[0]


def pull_back(name: str, z: Array, v: Array) -> Array:
    """Return (dg at z)ᵀ v for every example: the step from ∂L/∂a to δ.

    Parameters
    ----------
    name : str
        The activation g.
    z, v : ndarray, shape (nodes, examples)

    Returns
    -------
    ndarray, shape (nodes, examples)
        ``g'(z) * v`` where g acts on every entry by itself; for softmax with value S,
        ``S * (v - Σ S v)``.

    Raises
    ------
    ValueError
        If there is no such activation.

    References
    ----------
    Notes, lemma 2.2 and section 2.2.4, where the coordinates of softmax's derivative
    have a plus between the terms; it is Sⁱ(δⁱⱼ - Sʲ), by the line above them.

    Examples
    --------
    >>> pull_back("tanh", np.array([[0.0]]), np.array([[3.0]])).tolist()
    [[3.0]]
    >>> pull_back("softmax", np.zeros((2, 1)), np.array([[1.0], [0.0]])).tolist()
    [[0.25], [-0.25]]
    """
    if name == "softmax":
        s = softmax(z)
        pulled: Array = s * (v - (s * v).sum(axis=0))
        return pulled
    return _elementwise(name)(z)[1] * v


def _elementwise(name: str) -> Callable[[Any], tuple[Array, Array]]:
    if name not in ELEMENTWISE:
        raise ValueError(
            f"activation: no activation is called {name!r}: expected one of "
            f"{', '.join(ELEMENTWISE)}, softmax. Check the spelling."
        )
    return ELEMENTWISE[name]


def _below_top(z: Any) -> Array:
    """Return z less the entry of each column whose real part is largest."""
    z = np.asarray(z)
    top = np.argmax(z.real, axis=0)
    below: Array = z - np.take_along_axis(z, top[None], axis=0)
    return below
