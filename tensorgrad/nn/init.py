"""Initial values of weights: functions of a generator and a shape.

The shape is (n_out, n_in): a row of W holds the weights of one output. Every function
draws in float64 and rounds to the dtype at the end, so that a model starts from the
same numbers in every precision. The choice of a variance keeps the size of
activations, or of gradients, the same from layer to layer.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad._typing import Array, Rng, Shape
from tensorgrad.errors import ArgumentError, ShapeError, explain
from tensorgrad.nn.arguments import check_dtype, make_generator

__all__ = ["he", "lecun", "normal", "uniform", "xavier", "zeros"]


def he(rng: Rng, shape: Shape, dtype: Any = np.float64, *, slope: float = 0.0) -> Array:
    """Draw weights of variance 2 / ((1 + slope²) n_in), for the ReLU family.

    Parameters
    ----------
    rng : seed or Generator
    shape : tuple of int
        (n_out, n_in).
    dtype : dtype
        Of the result.
    slope : float
        Slope of the activation for negative arguments.

    Returns
    -------
    ndarray of the given shape and dtype

    Raises
    ------
    ShapeError
        If the shape has no last axis of at least one entry.

    Notes
    -----
    A ReLU passes on half of the variance of a symmetric argument, hence the 2. The
    variance 1 / n_in that is right for tanh halves the signal at every ReLU layer.

    References
    ----------
    He, Zhang, Ren, Sun, *Delving Deep into Rectifiers*, ICCV 2015, equations 10, 15.

    Examples
    --------
    >>> he(0, (2, 3)).shape
    (2, 3)
    """
    n_in, _ = _fans("he", shape)
    return _gaussian(rng, shape, dtype, math.sqrt(2 / ((1 + slope**2) * n_in)))


def xavier(rng: Rng, shape: Shape, dtype: Any = np.float64) -> Array:
    """Draw weights of variance 2 / (n_in + n_out), for tanh, sigmoid and linear.

    Parameters
    ----------
    rng : seed or Generator
    shape : tuple of int
        (n_out, n_in).
    dtype : dtype
        Of the result.

    Returns
    -------
    ndarray of the given shape and dtype

    Raises
    ------
    ShapeError
        If the shape has no last axis of at least one entry.

    Notes
    -----
    The mean of what keeps the variance of activations (1 / n_in) and what keeps that
    of gradients (1 / n_out), where the slope of the activation is 1.

    References
    ----------
    Glorot, Bengio, *Understanding the difficulty of training deep feedforward neural
    networks*, AISTATS 2010, equation 12; there uniform, here normal.

    Examples
    --------
    >>> xavier(0, (2, 3)).shape
    (2, 3)
    """
    n_in, n_out = _fans("xavier", shape)
    return _gaussian(rng, shape, dtype, math.sqrt(2 / (n_in + n_out)))


def lecun(rng: Rng, shape: Shape, dtype: Any = np.float64) -> Array:
    """Draw weights of variance 1 / n_in.

    Parameters
    ----------
    rng : seed or Generator
    shape : tuple of int
        (n_out, n_in).
    dtype : dtype
        Of the result.

    Returns
    -------
    ndarray of the given shape and dtype

    Raises
    ------
    ShapeError
        If the shape has no last axis of at least one entry.

    References
    ----------
    LeCun, Bottou, Orr, Müller, *Efficient BackProp*, 1998, section 4.6.

    Examples
    --------
    >>> lecun(0, (2, 3)).shape
    (2, 3)
    """
    n_in, _ = _fans("lecun", shape)
    return _gaussian(rng, shape, dtype, math.sqrt(1 / n_in))


def normal(
    rng: Rng, shape: Shape, dtype: Any = np.float64, *, std: float = 0.01
) -> Array:
    """Draw weights of a fixed standard deviation.

    Parameters
    ----------
    rng : seed or Generator
    shape : tuple of int
    dtype : dtype
        Of the result.
    std : float
        Standard deviation, at least 0.

    Returns
    -------
    ndarray of the given shape and dtype

    Raises
    ------
    ArgumentError
        If ``std`` is negative or not finite.

    Examples
    --------
    >>> normal(0, (2, 3), std=1.0).shape
    (2, 3)
    """
    return _gaussian(rng, shape, dtype, _check_scale("normal", "std", std))


def uniform(
    rng: Rng, shape: Shape, dtype: Any = np.float64, *, bound: float | None = None
) -> Array:
    """Draw weights evenly from [-bound, bound).

    Parameters
    ----------
    rng : seed or Generator
    shape : tuple of int
        (n_out, n_in).
    dtype : dtype
        Of the result.
    bound : float, optional
        At least 0; 1 / √n_in if omitted.

    Returns
    -------
    ndarray of the given shape and dtype

    Raises
    ------
    ArgumentError
        If ``bound`` is negative or not finite.
    ShapeError
        If ``bound`` is omitted and the shape has no last axis of at least one entry.

    Examples
    --------
    >>> bool(abs(uniform(0, (2, 3), bound=0.5)).max() <= 0.5)
    True
    """
    if bound is None:
        bound = 1 / math.sqrt(_fans("uniform", shape)[0])
    limit = _check_scale("uniform", "bound", bound)
    generator = make_generator("uniform", rng)
    drawn = generator.uniform(-limit, limit, shape)
    return drawn.astype(check_dtype("uniform", dtype), copy=False)


def zeros(rng: Rng, shape: Shape, dtype: Any = np.float64) -> Array:
    """Return zeros; ``rng`` is taken for the sake of the common signature and not used.

    Parameters
    ----------
    rng : ignored
    shape : tuple of int
    dtype : dtype
        Of the result.

    Returns
    -------
    ndarray of the given shape and dtype

    Notes
    -----
    Weights of hidden layers that start at zero stay equal to each other for ever: all
    their gradients are the same. Right for biases and for logistic regression.

    Examples
    --------
    >>> zeros(None, (2,))
    array([0., 0.])
    """
    return np.zeros(shape, check_dtype("zeros", dtype))


def _fans(caller: str, shape: Shape) -> tuple[int, int]:
    """Return n_in and n_out of a weight array."""
    sizes = tuple(shape)
    if not sizes or 0 in sizes:
        raise ShapeError(
            explain(
                caller,
                f"shape {sizes}",
                "(n_out, n_in), each of at least 1",
                "Pass the shape of a weight array",
            )
        )
    return sizes[-1], math.prod(sizes[:-1])


def _check_scale(caller: str, name: str, value: float) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise ArgumentError(
            explain(
                caller,
                f"{name} is {value!r}",
                "a finite number of at least 0",
                f"Pass {name}=0.01, for example",
            )
        )
    return float(value)


def _gaussian(rng: Rng, shape: Shape, dtype: Any, std: float) -> Array:
    wanted = check_dtype("initial weights", dtype)
    drawn = make_generator("initial weights", rng).standard_normal(shape) * std
    return np.asarray(drawn).astype(wanted, copy=False)
