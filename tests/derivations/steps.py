"""Complex steps: derivatives to the last digits, by evaluation alone.

Im f(x + ih)/h is f'(x) with an error of h², without a difference that could cancel
(Squire and Trapp, 1998). Nothing here knows a derivative rule.
"""

from __future__ import annotations

import numpy as np

STEP = 1e-30


def complex_gradient(f, x):
    """Return the gradient of a scalar function of an array."""
    x = np.asarray(x, dtype=np.float64)
    gradient = np.empty(x.shape)
    for i in np.ndindex(x.shape):
        moved = x.astype(np.complex128)
        moved[i] += 1j * STEP
        gradient[i] = np.imag(f(moved)) / STEP
    return gradient


def complex_derivative(f, x):
    """Return the derivative of a function that acts on every entry by itself."""
    return f(np.asarray(x) + 1j * STEP).imag / STEP


def distance(first, second):
    """Return the relative distance of two arrays of one shape, in norm."""
    assert np.shape(first) == np.shape(second)
    scale = max(np.linalg.norm(first), np.linalg.norm(second), 1e-300)
    return np.linalg.norm(np.subtract(first, second)) / scale
