"""Shape rules that many ops share: from shapes and dtypes to a shape and a dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad._typing import Array, Axis, Shape
from tensorgrad.core.aval import Aval, aval_of
from tensorgrad.errors import DTypeError, ShapeError, TensorgradError, explain

__all__ = [
    "as_aval",
    "as_dtype",
    "broadcast_shape_rule",
    "broadcast_shapes",
    "layout_shape_rule",
    "normalise_axes",
    "normalise_axis",
    "reduced_shape",
    "result_dtype",
    "stand_in",
]


def shape_of(x: Any) -> Shape:
    """Return the shape of an abstract value or of a Python scalar."""
    return x.shape if isinstance(x, Aval) else ()


def broadcast_shapes(name: str, *shapes: Shape) -> Shape:
    """Return the shape that shapes broadcast to, or raise ShapeError for the op."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        listed = " and ".join(str(s) for s in shapes)
        raise ShapeError(
            explain(
                name,
                f"shapes {listed} do not broadcast",
                "sizes that are equal or 1, counted from the last axis",
                "Reshape one, or add an axis with x[:, None]",
            )
        ) from None


def result_dtype(name: str, forward: Any, operands: tuple[Any, ...]) -> np.dtype[Any]:
    """Return the dtype that a pointwise function gives: asked of NumPy, not guessed."""
    if isinstance(forward, np.ufunc):
        given = tuple(
            x.dtype if isinstance(x, Aval) else _WEAK.get(type(x)) for x in operands
        )
        try:
            return forward.resolve_dtypes((*given, *[None] * forward.nout))[-1]
        except TypeError as error:
            raise _wrong_dtypes(name, operands, error) from None
    ones = [
        np.ones((1,) * len(x.shape), x.dtype) if isinstance(x, Aval) else x
        for x in operands
    ]
    try:
        return np.asarray(forward(*ones)).dtype
    except TypeError as error:
        raise _wrong_dtypes(name, operands, error) from None


_WEAK: dict[type, Any] = {
    int: int,
    float: float,
    complex: complex,
    bool: np.dtype(np.bool_),
}
"""What NumPy takes Python numbers for; truth values are not weak."""


def _wrong_dtypes(name: str, operands: tuple[Any, ...], error: Exception) -> DTypeError:
    came = " and ".join(
        str(x.dtype) if isinstance(x, Aval) else type(x).__name__ for x in operands
    )
    return DTypeError(
        explain(
            name,
            f"dtypes {came}",
            f"dtypes that NumPy accepts ({error})",
            "Convert an operand with .astype",
        )
    )


def broadcast_shape_rule(name: str, forward: Any) -> Callable[..., Aval]:
    """Make the shape rule of a pointwise op."""

    def rule(*operands: Any, **static: Any) -> Aval:
        shape = broadcast_shapes(name, *[shape_of(x) for x in operands])
        if static:
            return Aval(
                shape,
                result_dtype(name, lambda *xs: forward(*xs, **static), operands),
            )
        return Aval(shape, result_dtype(name, forward, operands))

    return rule


def normalise_axis(name: str, axis: int, ndim: int) -> int:
    """Return an axis counted from the front, or raise ShapeError for the op."""
    if not -ndim <= axis < ndim:
        raise ShapeError(
            explain(
                name,
                f"axis {axis} of an operand with {ndim} axes",
                f"an axis from {-ndim} to {ndim - 1}",
                "Count the axes of .shape, from 0",
            )
        )
    return axis % ndim


def normalise_axes(name: str, axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return the axes that a reduction runs over, sorted; all of them for None."""
    if axis is None:
        return tuple(range(ndim))
    given = axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(sorted(normalise_axis(name, int(a), ndim) for a in given))
    if len(set(axes)) != len(axes):
        raise ShapeError(
            explain(name, f"axis={axis}", "each axis once", "Remove the repeated axis")
        )
    return axes


def reduced_shape(name: str, shape: Shape, axis: Axis, *, keepdims: bool) -> Shape:
    """Return the shape after a reduction over ``axis``."""
    axes = normalise_axes(name, axis, len(shape))
    if keepdims:
        return tuple(1 if i in axes else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def as_dtype(name: str, dtype: Any) -> np.dtype[Any]:
    """Return a dtype of numbers, or raise DTypeError for the op."""
    try:
        found, why = np.dtype(dtype), ""
    except (TypeError, ValueError) as error:
        found, why = np.dtype(object), f" ({error})"
    if found.kind not in "biufc":
        raise DTypeError(
            explain(
                name,
                f"dtype {dtype!r}{why}",
                "a dtype of numbers or booleans",
                "Pass for example dtype=np.float64",
            )
        )
    return found  # type: ignore[no-any-return]  # dtype may be anything


def as_aval(x: Any) -> Aval:
    """Return the abstract value of what a shape rule was given: maybe a Python scalar."""
    return x if isinstance(x, Aval) else aval_of(x)


def stand_in(x: Any) -> Array:
    """Return an array of the shape and dtype of an abstract value, of one entry's memory.

    NumPy's own layout functions then tell the shape of their result, at no cost.
    """
    like = as_aval(x)
    return np.broadcast_to(np.zeros((), like.dtype), like.shape)


def layout_shape_rule(
    name: str, forward: Callable[..., Any], *, expected: str, remedy: str
) -> Callable[..., Aval]:
    """Make the shape rule of an op that shows entries in another order or shape."""

    def rule(x: Any, **static: Any) -> Aval:
        try:
            out = forward(stand_in(x), **static)
        except TensorgradError:
            raise
        except (ValueError, TypeError, IndexError) as error:
            options = ", ".join(f"{k}={v!r}" for k, v in static.items())
            came = f"shape {as_aval(x).shape} with {options} ({error})"
            raise ShapeError(explain(name, came, expected, remedy)) from None
        return Aval(np.shape(out), out.dtype)

    return rule
