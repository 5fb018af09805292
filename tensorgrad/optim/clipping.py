"""Limits on gradients: pure functions on trees."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad._typing import Tree
from tensorgrad.core.tensor import Tensor
from tensorgrad.errors import DTypeError, explain
from tensorgrad.ops import TABLE
from tensorgrad.optim.schedules import check_number
from tensorgrad.tree import flatten, unflatten

__all__ = ["clip_by_global_norm", "clip_by_value", "global_norm"]


def global_norm(grads: Tree) -> Any:
    """Return the Euclidean norm of all entries of all leaves together.

    Parameters
    ----------
    grads : tree of arrays or Tensors

    Returns
    -------
    float, or Tensor if a leaf is one

    Notes
    -----
    Squares are summed in float64 whatever the dtype: those of float32 entries above
    1e19 would overflow.

    Examples
    --------
    >>> global_norm({"w": np.array([3.0, 0.0]), "b": np.array(4.0)})
    5.0
    """
    found = flatten(grads)[0]
    if any(isinstance(g, Tensor) for g in found):
        squares = [TABLE["sum"](TABLE["square"](TABLE["absolute"](g))) for g in found]
        return TABLE["sqrt"](sum(squares[1:], squares[0]))
    return math.sqrt(math.fsum(_square_sum(np.asarray(g)) for g in found))


def _square_sum(g: Any) -> float:
    wide = np.abs(g).astype(np.float64, copy=False).ravel()
    return float(wide @ wide)


def clip_by_global_norm(grads: Tree, max_norm: float) -> Tree:
    """Scale gradients down so that their common norm is at most ``max_norm``.

    Parameters
    ----------
    grads : tree of arrays or Tensors
    max_norm : float
        At least 0.

    Returns
    -------
    Tree of the same structure, shapes and dtypes; ``grads`` itself if it is short

    Raises
    ------
    ArgumentError
        If ``max_norm`` is negative or not finite.

    Notes
    -----
    The direction stays. A gradient with NaN or infinite entries has no norm to scale
    by: its result is NaN where an infinite entry was, so that it is noticed.

    References
    ----------
    Pascanu, Mikolov, Bengio, *On the difficulty of training recurrent neural
    networks*, ICML 2013, algorithm 1.

    Examples
    --------
    >>> clip_by_global_norm({"w": np.array([3.0, 4.0])}, 1.0)
    {'w': array([0.6, 0.8])}
    """
    limit = check_number("clip_by_global_norm", "max_norm", max_norm)
    found, structure = flatten(grads)
    norm = global_norm(found)
    if isinstance(norm, Tensor):
        scale = limit / TABLE["maximum"](norm, limit)
        return unflatten(structure, [_as_before(g * scale, g) for g in found])
    if norm <= limit:
        return grads
    factor = limit / norm
    return unflatten(structure, [np.asarray(g * factor) for g in found])


def _as_before(clipped: Any, g: Any) -> Any:
    """Return a clipped gradient in the dtype that it had."""
    return clipped if clipped.dtype == g.dtype else TABLE["astype"](clipped, g.dtype)


def clip_by_value(grads: Tree, limit: float) -> Tree:
    """Limit every entry of the gradients to [-limit, limit].

    Parameters
    ----------
    grads : tree of real arrays or Tensors
    limit : float
        At least 0.

    Returns
    -------
    Tree of the same structure, shapes and dtypes

    Raises
    ------
    ArgumentError
        If ``limit`` is negative or not finite.
    DTypeError
        If a gradient is complex.

    Notes
    -----
    The direction changes, unlike that of `clip_by_global_norm`.

    Examples
    --------
    >>> clip_by_value({"w": np.array([3.0, -0.5])}, 1.0)
    {'w': array([ 1. , -0.5])}
    """
    bound = check_number("clip_by_value", "limit", limit)
    found, structure = flatten(grads)
    for path, g in zip(structure.paths(), found, strict=True):
        if g.dtype.kind == "c":
            raise DTypeError(
                explain(
                    "clip_by_value",
                    f"a complex gradient ({path})",
                    "real gradients: complex numbers have no order",
                    "Use clip_by_global_norm",
                )
            )
    return unflatten(structure, [TABLE["clip"](g, -bound, bound) for g in found])
