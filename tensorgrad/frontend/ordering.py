"""Compositions that put entries in order, or pick the different ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.core.tensor import Tensor
from tensorgrad.errors import UnsupportedError, explain
from tensorgrad.frontend.composition import as_operand, implements

__all__ = ["partition", "trim_zeros", "union1d", "unique", "unique_values"]


def _values(x: Any) -> Any:
    return x._value if isinstance(x, Tensor) else np.asarray(x)


@implements("partition")
def partition(
    a: Any,
    kth: Any,
    axis: int | None = -1,
    kind: str = "introselect",
    order: Any = None,
) -> Any:
    """Put each kth entry where sorting would, smaller ones before, larger ones after.

    Examples
    --------
    >>> partition([3.0, 1.0, 2.0], 0)[0]
    np.float64(1.0)
    """
    if order is not None or kind != "introselect":
        raise UnsupportedError(
            explain(
                "partition",
                f"order={order!r} and kind={kind!r}",
                "numbers without fields, and the one kind that NumPy has",
                "Leave order and kind out",
            )
        )
    x = as_operand(a)
    if axis is None:
        x, axis = x.ravel(), 0
    places = np.argpartition(_values(x), kth, axis=axis)
    return np.take_along_axis(x, places, axis=axis)


@implements("unique")
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    """Return the different entries in order; each stands for its first occurrence.

    Examples
    --------
    >>> unique([3.0, 1.0, 3.0])
    array([1., 3.])
    """
    x = as_operand(ar)
    _, first, inverse, counts = np.unique(
        _values(x),
        return_index=True,
        return_inverse=True,
        return_counts=True,
        axis=axis,
        equal_nan=equal_nan,
    )
    picked = x.ravel()[first] if axis is None else np.take(x, first, axis=axis)
    asked = (return_index, return_inverse, return_counts)
    found = zip(asked, (first, inverse, counts), strict=True)
    extra = [places for is_asked, places in found if is_asked]
    return (picked, *extra) if extra else picked


@implements("unique_values")
def unique_values(x: Any, /) -> Any:
    """Return the different entries; every NaN counts as different.

    Examples
    --------
    >>> unique_values([3.0, 1.0, 3.0])
    array([1., 3.])
    """
    return unique(x, equal_nan=False)


@implements("union1d")
def union1d(ar1: Any, ar2: Any) -> Any:
    """Return the different entries of two arrays, in order.

    Examples
    --------
    >>> union1d([2.0, 1.0], [2.0, 3.0])
    array([1., 2., 3.])
    """
    return unique(np.concatenate([as_operand(ar1).ravel(), as_operand(ar2).ravel()]))


@implements("trim_zeros")
def trim_zeros(
    filt: Any, trim: str = "fb", axis: int | Sequence[int] | None = None
) -> Any:
    """Leave out zeros at the ends.

    Examples
    --------
    >>> trim_zeros([0.0, 1.0, 0.0, 2.0, 0.0])
    array([1., 0., 2.])
    """
    x = as_operand(filt)
    places = np.nonzero(_values(x))
    axes = range(x.ndim) if axis is None else np.atleast_1d(axis) % x.ndim
    keep = [slice(None)] * x.ndim
    for k in axes:
        there = places[k]
        if not there.size:
            keep[k] = slice(0)
            continue
        low = int(there.min()) if "f" in trim.lower() else 0
        high = int(there.max()) + 1 if "b" in trim.lower() else x.shape[k]
        keep[k] = slice(low, high)
    return x[tuple(keep)]
