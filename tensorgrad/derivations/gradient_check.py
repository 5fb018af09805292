"""Numerical gradient checking (notes, section 6.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .activations import Array

__all__ = ["gradient_check", "numerical_gradient", "relative_error"]

STEP = float(np.finfo(np.float64).eps) ** (1 / 3)
"""6e-6: rounding (eps/h) and truncation (h²) of a central difference balance here."""


def numerical_gradient(
    f: Callable[[Any], Any], x: Any, epsilon: float | None = None
) -> Any:
    """Return the gradient of a scalar function by central differences.

    Parameters
    ----------
    f : callable
        ``f(x)`` is a real number.
    x : array_like or nested dict of array_like
        Where to differentiate. Taken in float64, and not changed.
    epsilon : float, optional
        The step. By default 6e-6 · max(1, abs(x)) for each entry.

    Returns
    -------
    ndarray of float64, or nested dict of them
        The structure of `x`.

    Notes
    -----
    x + ε and x - ε are rounded; the difference quotient divides by the step that was
    really taken. Two evaluations of `f` for each entry.

    References
    ----------
    Notes, section 6.1. The fixed step 10⁻³ there leaves an error of about 10⁻⁶.

    Examples
    --------
    >>> numerical_gradient(np.prod, np.array([2.0, 3.0, 5.0])).round(6).tolist()
    [15.0, 10.0, 6.0]
    >>> g = numerical_gradient(lambda p: p["w"] ** 2 + p["b"], {"w": 3.0, "b": 1.0})
    >>> round(float(g["w"]), 6), round(float(g["b"]), 6)
    (6.0, 1.0)
    """
    if isinstance(x, dict):
        return {key: _of_entry(f, x, key, epsilon) for key in x}
    x = np.array(x, dtype=np.float64)
    gradient: Array = np.empty_like(x)
    for i in np.ndindex(x.shape):
        h = STEP * max(1.0, abs(float(x[i]))) if epsilon is None else epsilon
        plus, minus = x.copy(), x.copy()
        plus[i] += h
        minus[i] -= h
        gradient[i] = (f(plus) - f(minus)) / (plus[i] - minus[i])
    return gradient


def _of_entry(
    f: Callable[[Any], Any], x: dict[Any, Any], key: Any, epsilon: float | None
) -> Any:
    """Differentiate by the values under one key, the others standing still."""

    def f_of_part(part: Any) -> Any:
        return f({**x, key: part})

    return numerical_gradient(f_of_part, x[key], epsilon)


def relative_error(numerical: Any, gradient: Any) -> float:
    """Return ‖F - ∇f‖ / (‖F‖ + ‖∇f‖), between 0 and 1.

    Parameters
    ----------
    numerical, gradient : array_like, same shape
        F and ∇f; either order gives the same number.

    Returns
    -------
    float
        0 for two zero arrays, NaN if an entry is not finite.

    Raises
    ------
    ValueError
        If the shapes differ: broadcasting would compare something else.

    References
    ----------
    Notes, section 6.1, where zero over zero is left open. Arrays are scaled by their
    largest entry first, so that no square overflows or vanishes.

    Examples
    --------
    >>> relative_error([3.0, 4.0], [3.0, 4.0])
    0.0
    >>> relative_error([1.0], [-1.0])
    1.0
    >>> relative_error([0.0], [0.0])
    0.0
    """
    first = np.asarray(numerical, dtype=np.float64)
    second = np.asarray(gradient, dtype=np.float64)
    if first.shape != second.shape:
        raise ValueError(
            f"relative_error: shapes {first.shape} and {second.shape}: expected equal "
            "shapes. Reshape the gradient to the shape of its parameter."
        )
    largest = max(np.abs(part).max(initial=0.0) for part in (first, second))
    if largest == 0.0:
        return 0.0
    if not np.isfinite(first).all() or not np.isfinite(second).all():
        return float("nan")
    first, second = first / largest, second / largest
    distance = np.linalg.norm(first - second)
    return float(distance / (np.linalg.norm(first) + np.linalg.norm(second)))


def gradient_check(
    gradient: Any, f: Callable[[Any], Any], x: Any, epsilon: float | None = None
) -> float:
    """Return the relative error of a gradient against central differences.

    Parameters
    ----------
    gradient : array_like, shape of x
        ∇f(x) by hand.
    f : callable
        ``f(x)`` is a real number.
    x : array_like
    epsilon : float, optional
        The step, as in `numerical_gradient`.

    Returns
    -------
    float
        About 1e-10 for a right gradient of a smooth function of moderate size.

    Raises
    ------
    ValueError
        If `gradient` and `x` differ in shape.

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 4.0])
    >>> gradient_check([8.0, 4.0, 2.0], np.prod, x) < 1e-9
    True
    >>> gradient_check([8.0, 4.0, -2.0], np.prod, x) > 0.1
    True
    """
    return relative_error(numerical_gradient(f, x, epsilon), gradient)
