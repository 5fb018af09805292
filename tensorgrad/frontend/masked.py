"""Reductions with NumPy's ``where=`` and ``initial=``: what they leave out is neutral."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, explain
from tensorgrad.frontend.composition import as_operand

__all__ = ["MASKED", "reduce_masked"]

_NEUTRAL = {"sum": 0, "prod": 1}
_TOGETHER: dict[str, Callable[[Any, Any], Any]] = {
    "sum": np.add,
    "prod": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
}
MASKED = frozenset({*_TOGETHER, "mean", "var", "std"})
"""The reductions that have these options."""


def reduce_masked(
    reduction: Callable[..., Any],
    x: Any,
    *,
    where: Any = True,
    initial: Any = None,
    mean: Any = None,
    **own: Any,
) -> Any:
    """Reduce the entries for which a condition holds.

    Parameters
    ----------
    reduction : callable
        The op of one of `MASKED`.
    x : Tensor
    where : array_like of bool
        Broadcast to the shape of ``x``.
    initial : number or Tensor
        Joins the result; for sum, prod, max and min.
    mean : Tensor
        Of the same axes, with ``keepdims``; for var and std.
    **own
        The op's own arguments.

    Examples
    --------
    >>> from tensorgrad.ops import TABLE
    >>> reduce_masked(TABLE["sum"], np.array([1.0, 2.0]), where=[True, False])
    np.float64(1.0)
    """
    name = reduction.__name__
    x = as_operand(x)
    if name in _TOGETHER:
        if where is not True:
            x = np.where(where, x, _left_out(name, initial))
        result = reduction(x, **own)
        return result if initial is None else _TOGETHER[name](result, initial)
    mask = np.broadcast_to(np.asarray(where), x.shape)
    axis, keepdims = own.pop("axis", None), own.pop("keepdims", False)
    count = np.sum(mask, axis=axis, keepdims=keepdims)
    if name == "mean":
        return _over(np.sum(np.where(mask, x, 0), axis=axis, keepdims=keepdims), count)
    if mean is None:
        whole = np.sum(mask, axis=axis, keepdims=True)
        mean = _over(np.sum(np.where(mask, x, 0), axis=axis, keepdims=True), whole)
    rest = np.abs(np.where(mask, x - mean, 0)) ** 2
    correction = own.get("correction")
    less = own.get("ddof", 0) if correction is None else correction
    freedom = np.maximum(count - less, 0)
    variance = _over(np.sum(rest, axis=axis, keepdims=keepdims), freedom)
    return variance if name == "var" else _root(variance)


def _left_out(name: str, initial: Any) -> Any:
    if name in _NEUTRAL:
        return _NEUTRAL[name]
    if initial is None:
        raise ArgumentError(
            explain(
                f"np.{name}",
                "where= without initial=",
                "the value to begin with, since all entries may be left out",
                f"Give initial=, for example {'-' * (name == 'max')}np.inf",
            )
        )
    return initial


def _over(total: Any, count: Any) -> Any:
    """Divide by a count, which does not widen the result."""
    kind = (
        total.dtype.type(0).real.dtype if total.dtype.kind in "fc" else np.dtype(float)
    )
    return total / np.asarray(count, kind)


def _root(variance: Any) -> Any:
    """Take the root; where nothing varies its slope is taken as 0, as std's is."""
    is_varying = variance > 0
    root = np.sqrt(np.where(is_varying, variance, 1))
    # NaN, of no entries at all, stays.
    return np.where(is_varying, root, variance)
