"""Standardised features: learned on the training part, applied to whatever comes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad._typing import Array, Rng
from tensorgrad.errors import ArgumentError, ShapeError, explain
from tensorgrad.nn.module import Module

__all__ = ["Standardise", "learn_scaling"]

CHUNK_ROWS = 65_536
"""Rows read at a time: the moments of a memory-mapped file need no copy of it."""

SMALL = 1e-140
"""Below it, squares lose digits; above 1e154 they are infinite."""

ROUNDING = 1e-12
"""The mean of a constant feature differs from it by far less, relatively."""


class Standardise(Module):
    """Subtract each feature's mean and divide by its spread; nothing is trained.

    Parameters
    ----------
    mean : ndarray, shape (features,)
    scale : ndarray, shape (features,)
        Positive.

    Examples
    --------
    >>> import numpy as np
    >>> Standardise(np.array([1.0]), np.array([2.0]))(np.array([[5.0]]))
    array([[2.]])
    """

    def __init__(self, mean: Array, scale: Array) -> None:
        self.mean = mean
        self.scale = scale

    def __call__(self, x: Any, rng: Rng = None) -> Any:
        """Return the standardised features, shape of x."""
        if isinstance(x, (list, tuple)):
            x = np.asarray(x)
        if x.shape[-1:] != self.mean.shape:
            raise ShapeError(
                explain(
                    "Standardise",
                    f"x of shape {x.shape}",
                    f"{self.mean.size} features, as in training",
                    "Examples are rows, features are columns; check the columns' order",
                )
            )
        # Integers would turn a float32 network into a float64 one.
        if isinstance(x, np.ndarray) and x.dtype.kind in "biu":
            x = x.astype(self.mean.dtype)
        return (x - self.mean) / self.scale

    def describe(self) -> str:
        """Return the number of features.

        Examples
        --------
        >>> import numpy as np
        >>> Standardise(np.zeros(3), np.ones(3)).describe()
        'Standardise(3)'
        """
        return f"Standardise({self.mean.size})"

    def tree_spec(self) -> dict[str, Any]:
        """Return what makes a module of this kind; mean and scale are buffers."""
        dtype = self.mean.dtype.name
        return {"kind": "standardise", "features": self.mean.size, "dtype": dtype}


def learn_scaling(model: Module, x: Any) -> Standardise:
    """Return mean and spread of training data, to become ``model.scaling``.

    Parameters
    ----------
    model : Module
        One that applies ``scaling``, as Sequential does.
    x : array, or rows on disk, shape (examples, features)

    Returns
    -------
    Standardise
        In the dtype of the model, which is left as it is.

    Raises
    ------
    ArgumentError
        If the model has no place for it.

    Notes
    -----
    The spread is the standard deviation of the examples (ddof 0). A constant feature
    keeps its scale: it becomes zero, and stays harmless when it varies later.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> model = tg.nn.mlp([1, 1], ["linear"])
    >>> model.scaling = learn_scaling(model, np.array([[1.0], [3.0]]))
    >>> model.scaling.mean, model.scaling.scale
    (array([2.]), array([1.]))
    """
    if not hasattr(model, "scaling"):
        raise ArgumentError(
            explain(
                "fit",
                f"standardise=True for {type(model).__name__}, which has no scaling",
                "a model that applies self.scaling to its input",
                "Use tg.nn.Sequential, or standardise the data beforehand",
            )
        )
    mean, scale = moments(x)
    dtype = next(iter(model.parameters().values())).dtype
    return Standardise(mean.astype(dtype), scale.astype(dtype))


def moments(x: Any) -> tuple[Array, Array]:
    """Return mean and standard deviation of each feature, in two passes over chunks."""
    chunks = [slice(i, i + CHUNK_ROWS) for i in range(0, len(x), CHUNK_ROWS)]
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = _moments(x, chunks, np.ones(x.shape[1]))
    is_lost = ~((scale > SMALL) & np.isfinite(scale))
    if is_lost.any():
        # The squares of such numbers overflow or vanish: count in units of the largest.
        largest = np.max([np.abs(x[rows]).max(axis=0) for rows in chunks], axis=0)
        unit = np.where(is_lost & (largest > 0), largest, 1.0)
        mean, scale = (unit * moment for moment in _moments(x, chunks, unit))
    # A feature that is constant up to rounding has no spread to divide by.
    return mean, np.where(scale <= ROUNDING * np.abs(mean), 1.0, scale)


def _moments(x: Any, chunks: list[slice], unit: Array) -> tuple[Array, Array]:
    n = len(x)
    mean = sum(np.add.reduce(x[rows] / unit, axis=0) for rows in chunks) / n
    squares = sum(
        np.add.reduce((x[rows] / unit - mean) ** 2, axis=0) for rows in chunks
    )
    return np.asarray(mean), np.sqrt(np.asarray(squares) / n)
