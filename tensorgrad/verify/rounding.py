"""How far rounding alone may take the gradient of a network apart.

A running error analysis to first order (N. Higham, *Accuracy and Stability of Numerical
Algorithms*, 2002, chapter 3): beside every value goes a bound of its absolute error,
through the forward pass and back. Sums of k terms err by (k + 2) roundings of the sum of
absolute terms; a function adds its own few roundings to its slope times the error of its
argument. Derivatives that are formed from outputs, a(1 - a) and 1 - a², are rounded like
numbers of size 1, which is where the tails lose their digits.

Doubts: the bound takes no account of a pre-activation of ReLU whose sign rounding
changes, which random points do not meet; and it is a bound, often ten times the error.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.derivations.activations import ELEMENTWISE, pull_back, softmax
from tensorgrad.derivations.losses import output_delta
from tensorgrad.verify.cases import Network

__all__ = ["gradient_bounds"]

U = float(np.finfo(np.float64).eps)

FUNCTION = 6
"""Roundings in an activation, its derivative or a loss."""


def gradient_bounds(network: Network) -> dict[str, dict[int, Array]]:
    """Return bounds of the absolute errors of ∂J/∂W and ∂J/∂b, by layer.

    Parameters
    ----------
    network : Network

    Returns
    -------
    dict
        ``w[l]``, ``b[l]``, non-negative, in the shapes of the parameters.

    Examples
    --------
    >>> from tensorgrad.verify.cases import draw_network
    >>> network = draw_network(0, [3, 4, 1], ["tanh", "sigmoid"], n=5)
    >>> bounds = gradient_bounds(network)
    >>> bool(1e-17 < bounds["w"][1].max() < 1e-13)
    True
    """
    cache = network.forward()
    z, a, mask, w = cache["z"], cache["a"], cache["mask"], network.params["w"]
    e_z, e_a = _forward_bounds(network, cache)
    top, n = len(network.activations), network.n
    delta, e_delta = _output_bounds(network, z[top], e_z[top])
    found: dict[str, dict[int, Array]] = {"w": {}, "b": {}}
    for l in range(top, 0, -1):
        products = np.abs(delta) @ np.abs(a[l - 1]).T
        errors = e_delta @ np.abs(a[l - 1]).T + np.abs(delta) @ e_a[l - 1].T
        penalty = network.lam / n * np.abs(w[l])
        found["w"][l] = (errors + _sum(n) * products) / n + 3 * U * penalty
        sums = np.abs(delta).sum(axis=1, keepdims=True)
        found["b"][l] = (e_delta.sum(axis=1, keepdims=True) + _sum(n) * sums) / n
        if l == 1:
            break
        da, e_da = _times(w[l].T, delta, e_delta)
        if l - 1 in mask:
            da, e_da = da * mask[l - 1], e_da * mask[l - 1] + 2 * U * np.abs(da)
        name = network.activations[l - 2]
        e_delta = _pull_back_bound(name, z[l - 1], da, e_z[l - 1], e_da)
        delta = pull_back(name, z[l - 1], da)
    return found


def _sum(k: int) -> float:
    return (k + 2) * U


def _times(w: Array, v: Array, e_v: Array) -> tuple[Array, Array]:
    """Return a product with a matrix, and the bound of its error."""
    size = np.abs(w)
    return w @ v, size @ e_v + _sum(v.shape[0]) * (size @ np.abs(v))


def _forward_bounds(
    network: Network, cache: dict[str, Any]
) -> tuple[dict[int, Array], dict[int, Array]]:
    a, mask = cache["a"], cache["mask"]
    e_a: dict[int, Array] = {0: 2 * U * np.abs(a[0])}
    e_z: dict[int, Array] = {}
    for l, name in enumerate(network.activations, start=1):
        _, error = _times(network.params["w"][l], a[l - 1], e_a[l - 1])
        e_z[l] = error + _sum(1) * np.abs(network.params["b"][l])
        spread = _value_bound(name, cache["z"][l], e_z[l])
        if l in mask:
            spread = spread * mask[l]
        e_a[l] = spread + FUNCTION * U * np.abs(a[l])
    return e_z, e_a


def _value_bound(name: str, z: Array, e_z: Array) -> Array:
    """Return by how much the value of an activation moves with its argument."""
    if name == "softmax":
        s = softmax(z)
        moved: Array = s * (e_z + (s * e_z).sum(axis=0))
        return moved
    slope: Array = np.abs(ELEMENTWISE[name](z)[1]) * e_z
    return slope


def _output_bounds(network: Network, z: Array, e_z: Array) -> tuple[Array, Array]:
    """Return δ of the last layer, and the bound of its error."""
    name, y = network.activations[-1], network.y
    delta = output_delta(network.loss, name, z, y)
    if network.loss == "mse":
        a = softmax(z) if name == "softmax" else ELEMENTWISE[name](z)[0]
        v = 2 * (a - y)
        e_v = 2 * _value_bound(name, z, e_z) + FUNCTION * U * (np.abs(a) + np.abs(y))
        return delta, _pull_back_bound(name, z, v, e_z, e_v)
    # a - y, of numbers of size 1.
    return delta, _value_bound(name, z, e_z) + FUNCTION * U


def _pull_back_bound(name: str, z: Array, v: Array, e_z: Array, e_v: Array) -> Array:
    """Return the bound of the error of (dg)ᵀ v."""
    if name == "softmax":
        s = softmax(z)
        e_s = _value_bound(name, z, e_z) + FUNCTION * U * s
        mean, k = (s * v).sum(axis=0), z.shape[0]
        e_mean = (e_s * np.abs(v) + s * e_v).sum(axis=0)
        e_mean = e_mean + _sum(k) * (s * np.abs(v)).sum(axis=0)
        inner = np.abs(v - mean)
        bound: Array = e_s * inner + s * (e_v + e_mean + FUNCTION * U * inner)
        return bound + FUNCTION * U * s * np.abs(v)
    slope = np.abs(ELEMENTWISE[name](z)[1])
    e_slope = _curvature(name, z) * e_z + FUNCTION * U * _is_curved(name)
    return slope * e_v + np.abs(v) * e_slope + 2 * U * slope * np.abs(v)


def _size(values: Array) -> Array:
    size: Array = np.abs(values)
    return size


def _is_curved(name: str) -> bool:
    return name in ("sigmoid", "tanh")


def _curvature(name: str, z: Array) -> Array:
    """Return |g''|."""
    value, slope = ELEMENTWISE[name](z)
    if name == "sigmoid":
        return _size(slope * (1 - 2 * value))
    if name == "tanh":
        return _size(2 * value * slope)
    return np.zeros_like(z)
