"""How ops act on lanes: one NumPy call on arrays with an axis of lanes in front.

A batch form is a function of (forward, values, static) that returns the array of all
lanes, or None where these operands need the op to be applied lane by lane.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad.core.lanes import Lanes

__all__ = [
    "aligned",
    "along_axis",
    "broadcast",
    "matrix_product",
    "permuted",
    "reshaped",
    "with_index",
]

Forward = Callable[..., Any]


def aligned(forward: Forward, values: Sequence[Any], static: dict[str, Any]) -> Any:
    """Apply an op that acts entry by entry and broadcasts.

    Axes are put behind the lanes, so that those of one lane meet those of the others
    from the last one, as without lanes.
    """
    ndim = max(np.ndim(v) if not isinstance(v, Lanes) else v.ndim for v in values)
    return forward(*[_padded(v, ndim) for v in values], **static)


def _padded(value: Any, ndim: int) -> Any:
    if not isinstance(value, Lanes):
        return value
    array = value.array
    missing = ndim - value.ndim
    return (
        array.reshape(len(array), *(1,) * missing, *value.shape) if missing else array
    )


def along_axis(forward: Forward, values: Sequence[Any], static: dict[str, Any]) -> Any:
    """Apply an op with NumPy's ``axis`` to operands of one shape.

    Counted from the end, an axis stays where it is when the lanes come in front.
    """
    ndim = max(v.ndim for v in values)
    axis = static.get("axis")
    if axis is None:
        moved: Any = tuple(range(-ndim, 0))
    elif isinstance(axis, tuple):
        moved = tuple(a % ndim - ndim for a in axis)
    else:
        moved = axis % ndim - ndim if ndim else axis
    return forward(*[_padded(v, ndim) for v in values], **{**static, "axis": moved})


def reshaped(forward: Forward, values: Sequence[Any], static: dict[str, Any]) -> Any:
    """Apply ``reshape`` in C order: the lanes stay in front."""
    (x,) = values
    if static.get("order", "C") != "C" or not x.array.size:
        return None
    return forward(x.array, (len(x.array), *_as_tuple(static["shape"])))


def broadcast(forward: Forward, values: Sequence[Any], static: dict[str, Any]) -> Any:
    """Apply ``broadcast_to``: new axes come between the lanes and the old ones."""
    (x,) = values
    shape = _as_tuple(static["shape"])
    return forward(_padded(x, len(shape)), (len(x.array), *shape))


def permuted(forward: Forward, values: Sequence[Any], static: dict[str, Any]) -> Any:
    """Apply ``transpose``: the lanes stay in front."""
    (x,) = values
    axes = static.get("axes")
    order = range(x.ndim)[::-1] if axes is None else axes
    return forward(x.array, (0, *[a % x.ndim + 1 for a in order]))


def _as_tuple(shape: Any) -> tuple[Any, ...]:
    return tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)


def with_index(forward: Forward, values: Sequence[Any], static: dict[str, Any]) -> Any:
    """Apply an op that picks, or puts back, entries by a basic index."""
    (x,) = values
    index = static["index"]
    parts = index if isinstance(index, tuple) else (index,)
    is_basic = all(
        isinstance(p, (int, np.integer, slice)) or p is None or p is Ellipsis
        for p in parts
    ) and not any(isinstance(p, (bool, np.bool_)) for p in parts)
    if not is_basic:
        return None
    changed = {**static, "index": (slice(None), *parts)}
    if "shape" in static:
        changed["shape"] = (len(x.array), *static["shape"])
    return forward(x.array, **changed)


def matrix_product(
    forward: Forward, values: Sequence[Any], static: dict[str, Any]
) -> Any:
    """Apply ``matmul``: stacks of matrices align; a lane of vectors is a matrix."""
    x, y = values
    if x.ndim >= 2 and y.ndim >= 2:
        ndim = max(x.ndim, y.ndim)
        return forward(_padded(x, ndim), _padded(y, ndim), **static)
    if isinstance(x, Lanes) and x.ndim == 1 and not isinstance(y, Lanes):
        return forward(x.array, y, **static) if y.ndim <= 2 else None
    return None
