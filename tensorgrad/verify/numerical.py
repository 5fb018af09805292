"""Derivatives by evaluation alone: complex steps, and differences where there are none.

Im f(x + ih)/h is f'(x) with an error of h² and without a difference that could cancel
(W. Squire and G. Trapp, *Using complex variables to estimate derivatives of real
functions*, SIAM Review 40, 1998). Nothing here knows a rule of differentiation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad._typing import Array

__all__ = ["complex_derivative", "complex_gradient", "complex_jacobian", "slope"]

STEP = 1e-30
"""Its square is far below the rounding of any value here."""


def complex_gradient(f: Callable[[Any], Any], x: Any) -> Array:
    """Return the gradient of a real-analytic function of an array to a number.

    Examples
    --------
    >>> complex_gradient(lambda x: (x * x).sum(), [1.0, 2.0])
    array([2., 4.])
    """
    return complex_jacobian(f, x)


def complex_jacobian(f: Callable[[Any], Any], x: Any) -> Array:
    """Return ∂fᵢ/∂xⱼ, the axes of the value before those of the argument.

    Examples
    --------
    >>> complex_jacobian(lambda x: x[::-1] * 3.0, [1.0, 2.0])
    array([[0., 3.],
           [3., 0.]])
    """
    x = np.asarray(x, dtype=np.float64)
    columns = []
    for i in np.ndindex(x.shape):
        moved = x.astype(np.complex128)
        moved[i] += 1j * STEP
        columns.append(np.imag(f(moved)) / STEP)
    stacked = np.stack(columns, axis=-1)
    return stacked.reshape((*stacked.shape[:-1], *x.shape))


def complex_derivative(f: Callable[[Any], Any], x: Any) -> Array:
    """Return f' of a function that acts on every entry by itself.

    Examples
    --------
    >>> complex_derivative(np.exp, [0.0, 1.0]).round(6).tolist()
    [1.0, 2.718282]
    """
    derivative: Array = np.imag(f(np.asarray(x) + 1j * STEP)) / STEP
    return derivative


def slope(x: Any, y: Any) -> float:
    """Return the slope of the straight line that fits best, for orders of convergence.

    Examples
    --------
    >>> round(slope([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]), 6)
    2.0
    """
    return float(np.polyfit(np.asarray(x), np.asarray(y), 1)[0])
