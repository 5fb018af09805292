"""Compositions that arrange: joining, splitting, inserting, triangles."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, ShapeError, explain
from tensorgrad.frontend.composition import as_operand, implements

__all__ = [
    "append",
    "array_split",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "block",
    "broadcast_arrays",
    "column_stack",
    "delete",
    "dsplit",
    "dstack",
    "fliplr",
    "flipud",
    "hsplit",
    "hstack",
    "insert",
    "meshgrid",
    "resize",
    "rollaxis",
    "sliding_window_view",
    "unstack",
    "vsplit",
    "vstack",
]


# ------------------------------------------------------------------- more dimensions


def _one_or_all(results: list[Any]) -> Any:
    return results[0] if len(results) == 1 else tuple(results)


@implements("atleast_1d")
def atleast_1d(*arys: Any) -> Any:
    """Give numbers one axis.

    Examples
    --------
    >>> atleast_1d(2.0)
    array([2.])
    """
    operands = [as_operand(x) for x in arys]
    return _one_or_all([x if x.ndim else x.reshape(1) for x in operands])


@implements("atleast_2d")
def atleast_2d(*arys: Any) -> Any:
    """Give numbers and vectors two axes.

    Examples
    --------
    >>> atleast_2d(np.ones(2))
    array([[1., 1.]])
    """
    operands = [as_operand(x) for x in arys]
    return _one_or_all(
        [
            x if x.ndim > 1 else x.reshape((1,) * (2 - x.ndim) + x.shape)
            for x in operands
        ]
    )


@implements("atleast_3d")
def atleast_3d(*arys: Any) -> Any:
    """Give numbers, vectors and matrices three axes.

    Examples
    --------
    >>> atleast_3d(np.ones((2, 4))).shape
    (2, 4, 1)
    """
    grown = []
    for x in [as_operand(x) for x in arys]:
        shapes = {0: (1, 1, 1), 1: (1, *x.shape, 1), 2: (*x.shape, 1)}
        grown.append(x.reshape(shapes[x.ndim]) if x.ndim in shapes else x)
    return _one_or_all(grown)


# --------------------------------------------------------------------------- joining


@implements("hstack")
def hstack(tup: Sequence[Any], *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Join along the second axis, or the only one.

    Examples
    --------
    >>> hstack([np.ones(1), np.zeros(2)])
    array([1., 0., 0.])
    """
    arrays = [atleast_1d(x) for x in tup]
    axis = 0 if arrays and arrays[0].ndim == 1 else 1
    return np.concatenate(arrays, axis, dtype=dtype, casting=casting)  # type: ignore[call-overload]


@implements("vstack")
def vstack(tup: Sequence[Any], *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Join as rows, along the first axis.

    Examples
    --------
    >>> vstack([np.ones(2), np.zeros(2)])
    array([[1., 1.],
           [0., 0.]])
    """
    arrays = [atleast_2d(x) for x in tup]
    return np.concatenate(arrays, 0, dtype=dtype, casting=casting)  # type: ignore[call-overload]


@implements("dstack")
def dstack(tup: Sequence[Any]) -> Any:
    """Join along the third axis.

    Examples
    --------
    >>> dstack([np.ones((2, 4)), np.zeros((2, 4))]).shape
    (2, 4, 2)
    """
    return np.concatenate([atleast_3d(x) for x in tup], 2)


@implements("column_stack")
def column_stack(tup: Sequence[Any]) -> Any:
    """Join vectors as columns, and matrices side by side.

    Examples
    --------
    >>> column_stack([np.ones(2), np.zeros(2)])
    array([[1., 0.],
           [1., 0.]])
    """
    operands = [as_operand(x) for x in tup]
    return np.concatenate([x if x.ndim > 1 else x.reshape(-1, 1) for x in operands], 1)


@implements("append")
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """Join two arrays, as vectors if no axis is given.

    Examples
    --------
    >>> append(np.ones(1), [2.0, 3.0])
    array([1., 2., 3.])
    """
    first, second = as_operand(arr), as_operand(values)
    if axis is None:
        return np.concatenate([first.ravel(), second.ravel()])
    return np.concatenate([first, second], axis)


@implements("block")
def block(arrays: Any) -> Any:
    """Join nested lists of blocks: the innermost lists along the last axis.

    Examples
    --------
    >>> block([[np.ones((1, 1)), np.zeros((1, 2))], [np.zeros((1, 3))]])
    array([[1., 0., 0.],
           [0., 0., 0.]])
    """
    depth, widest = _depths(arrays)
    return _joined(arrays, depth, max(depth, widest), 0)


def _depths(arrays: Any) -> tuple[int, int]:
    """Return how deep the lists are nested, and the largest number of axes in them."""
    if not isinstance(arrays, list):
        return 0, np.ndim(arrays)
    if not arrays:
        raise ArgumentError(
            explain(
                "np.block", "an empty list", "blocks in every list", "Remove the list"
            )
        )
    below = [_depths(part) for part in arrays]
    if len({depth for depth, _ in below}) > 1:
        raise ArgumentError(
            explain(
                "np.block",
                "lists of different depths",
                "all blocks at one depth",
                "Put single blocks into a list of their own",
            )
        )
    return below[0][0] + 1, max(widest for _, widest in below)


def _joined(arrays: Any, depth: int, ndim: int, level: int) -> Any:
    if level == depth:
        x = as_operand(arrays)
        return x.reshape((1,) * (ndim - x.ndim) + x.shape)
    parts = [_joined(part, depth, ndim, level + 1) for part in arrays]
    return np.concatenate(parts, axis=level - depth)


# -------------------------------------------------------------------------- splitting


@implements("array_split")
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Split into views, of nearly equal sizes or at given places.

    Examples
    --------
    >>> [part.size for part in array_split(np.ones(5), 2)]
    [3, 2]
    """
    x = as_operand(ary)
    n = x.shape[axis]
    if isinstance(indices_or_sections, (int, np.integer)):
        sections = int(indices_or_sections)
        if sections <= 0:
            raise ArgumentError(
                explain(
                    "np.array_split",
                    f"{sections} sections",
                    "one section or more",
                    "Give the number of parts, or the places to split at",
                )
            )
        each, extra = divmod(n, sections)
        sizes = [each + 1] * extra + [each] * (sections - extra)
        bounds = [0, *np.cumsum(sizes).tolist()]
    else:
        bounds = [0, *[int(i) for i in indices_or_sections], n]
    lead = (slice(None),) * (axis % x.ndim)
    return [x[(*lead, slice(low, high))] for low, high in pairwise(bounds)]


def _split_along(name: str, ary: Any, sections: Any, axis: int) -> list[Any]:
    x = as_operand(ary)
    if x.ndim <= axis:
        raise ShapeError(
            explain(
                f"np.{name}",
                f"an array of shape {x.shape}",
                f"at least {axis + 1} axes",
                "Use np.split with an axis",
            )
        )
    return list(np.split(x, sections, axis))


@implements("hsplit")
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Split along the second axis, or the only one.

    Examples
    --------
    >>> hsplit(np.arange(4.0), 2)
    [array([0., 1.]), array([2., 3.])]
    """
    axis = 1 if np.ndim(ary) > 1 else 0
    return _split_along("hsplit", ary, indices_or_sections, axis)


@implements("vsplit")
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Split matrices along the first axis.

    Examples
    --------
    >>> [part.shape for part in vsplit(np.ones((4, 2)), 2)]
    [(2, 2), (2, 2)]
    """
    if np.ndim(ary) < 2:
        return _split_along("vsplit", ary, indices_or_sections, 1)
    return list(np.split(as_operand(ary), indices_or_sections, 0))


@implements("dsplit")
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Split along the third axis.

    Examples
    --------
    >>> [part.shape for part in dsplit(np.ones((1, 2, 4)), 2)]
    [(1, 2, 2), (1, 2, 2)]
    """
    return _split_along("dsplit", ary, indices_or_sections, 2)


@implements("unstack")
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """Return the slices along an axis, without it.

    Examples
    --------
    >>> unstack(np.arange(2.0))
    (np.float64(0.0), np.float64(1.0))
    """
    return tuple(np.moveaxis(as_operand(x), axis, 0))


# ------------------------------------------------------------------------ broadcasting


@implements("broadcast_arrays")
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    """Repeat arrays to the shape that they broadcast to.

    Examples
    --------
    >>> broadcast_arrays(np.ones(2), 3.0)[1]
    array([3., 3.])
    """
    operands = [as_operand(x) for x in args]
    try:
        shape = np.broadcast_shapes(*[x.shape for x in operands])
    except ValueError as error:
        raise ShapeError(
            explain(
                "np.broadcast_arrays",
                f"shapes {[x.shape for x in operands]}",
                "sizes that are equal or 1, counted from the last axis",
                "Reshape one, or add an axis with x[:, None]",
            )
        ) from error
    return tuple(np.broadcast_to(x, shape) for x in operands)


@implements("meshgrid")
def meshgrid(
    *xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy"
) -> tuple[Any, ...]:
    """Return the coordinates of a grid from those along its axes.

    Examples
    --------
    >>> meshgrid(np.arange(2.0), np.ones(1))[0]
    array([[0., 1.]])
    """
    if indexing not in ("xy", "ij"):
        raise ArgumentError(
            explain(
                "np.meshgrid", f"indexing={indexing!r}", "'xy' or 'ij'", "Choose one"
            )
        )
    n = len(xi)
    grid = [
        as_operand(x).reshape([-1 if i == k else 1 for i in range(n)])
        for k, x in enumerate(xi)
    ]
    if indexing == "xy" and n > 1:
        grid = [x.swapaxes(0, 1) for x in grid]
    if not sparse:
        grid = list(broadcast_arrays(*grid))
    return tuple(x.copy() for x in grid) if copy else tuple(grid)


# ------------------------------------------------------------- reordering, other sizes


@implements("fliplr")
def fliplr(m: Any) -> Any:
    """Reverse the order of columns.

    Examples
    --------
    >>> fliplr(np.array([[1.0, 2.0]]))
    array([[2., 1.]])
    """
    return as_operand(m)[:, ::-1]


@implements("flipud")
def flipud(m: Any) -> Any:
    """Reverse the order of rows.

    Examples
    --------
    >>> flipud(np.array([1.0, 2.0]))
    array([2., 1.])
    """
    return as_operand(m)[::-1, ...]


@implements("rollaxis")
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """Move an axis backwards until it comes to lie before another.

    Examples
    --------
    >>> rollaxis(np.ones((3, 4, 5)), 2).shape
    (5, 3, 4)
    """
    x = as_operand(a)
    order = np.rollaxis(np.empty(range(x.ndim)), axis, start).shape
    return x.transpose(order)


@implements("lib.stride_tricks.sliding_window_view")
def sliding_window_view(
    x: Any,
    window_shape: Any,
    axis: Any = None,
    *,
    subok: bool = False,
    writeable: bool = False,
) -> Any:
    """Return all windows of a size, on new axes at the end; a copy, recorded.

    Examples
    --------
    >>> sliding_window_view([1.0, 2.0, 3.0], 2)
    array([[1., 2.],
           [2., 3.]])
    """
    out = as_operand(x)
    ndim = out.ndim
    widths = [int(w) for w in np.atleast_1d(window_shape)]
    axes = range(out.ndim) if axis is None else [int(k) for k in np.atleast_1d(axis)]
    if len(widths) != len(axes):
        raise ShapeError(
            explain(
                "sliding_window_view",
                f"window_shape={window_shape} and axis={axis}",
                "a width for each axis",
                "Give as many axes as widths",
            )
        )
    for width, positive in zip(widths, [k % ndim for k in axes], strict=True):
        n = out.shape[positive] - width + 1
        if width < 0 or n < 1:
            raise ShapeError(
                explain(
                    "sliding_window_view",
                    f"a window of {width} on an axis of {out.shape[positive]}",
                    "a window that is no longer than the axis",
                    "Pad the array, or choose a smaller window",
                )
            )
        places = np.arange(n)[:, None] + np.arange(width)
        out = np.moveaxis(np.take(out, places, axis=positive), positive + 1, -1)
    return out


@implements("resize")
def resize(a: Any, new_shape: Any) -> Any:
    """Give another shape, repeating the entries where there are too few.

    Examples
    --------
    >>> resize(np.array([1.0, 2.0]), (3,))
    array([1., 2., 1.])
    """
    x = as_operand(a)
    shape = (
        (new_shape,) if isinstance(new_shape, (int, np.integer)) else tuple(new_shape)
    )
    places = np.resize(np.arange(x.size), shape)
    return x.ravel()[places] if x.size else np.zeros_like(x, shape=shape)


@implements("delete")
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """Leave entries out, of the flattened array if no axis is given.

    Examples
    --------
    >>> delete(np.arange(4.0), [1, 2])
    array([0., 3.])
    """
    x = as_operand(arr)
    if axis is None:
        x, axis = x.ravel(), 0
    kept = np.delete(np.arange(x.shape[axis]), obj)
    return np.take(x, kept, axis=axis)


@implements("insert")
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """Put values before given places, of the flattened array if no axis is given.

    Examples
    --------
    >>> insert(np.arange(3.0), 1, 9.0)
    array([0., 9., 1., 2.])
    """
    x, new = as_operand(arr), as_operand(values)
    if axis is None:
        x, axis = x.ravel(), 0
    axis %= x.ndim
    n = x.shape[axis]
    new = new.reshape((1,) * (x.ndim - new.ndim) + new.shape)
    places = np.arange(n)[obj] if isinstance(obj, slice) else np.asarray(obj)
    if places.dtype == bool:
        places = np.flatnonzero(places)
    if places.ndim == 0:
        # NumPy takes the values of a single place along their first axis.
        new = np.moveaxis(new, 0, axis)
    count = new.shape[axis] if places.size == 1 else places.size
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
    new = np.broadcast_to(new, shape)
    if new.dtype != x.dtype:
        new = new.astype(x.dtype)
    # A mask is given as places: NumPy 2.0 takes it for the numbers 0 and 1.
    spots = obj if isinstance(obj, slice) or places.ndim == 0 else places
    order = np.insert(np.arange(n), spots, np.arange(n, n + count))
    return np.take(np.concatenate([x, new], axis), order, axis=axis)
