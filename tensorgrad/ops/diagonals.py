"""The table: diagonals and triangles of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad._typing import Shape
from tensorgrad.core.aval import Aval
from tensorgrad.core.op import OpFunction
from tensorgrad.errors import ShapeError, explain
from tensorgrad.ops.entry import Example, linear
from tensorgrad.ops.indexing import scatter_add
from tensorgrad.ops.shapes import as_aval, layout_shape_rule
from tensorgrad.ops.shaping import expand_dims, transpose

_TWO_AXES = "two different axes of an operand with at least two"
_COUNT_AXES = "Count the axes of .shape, from 0"


def _places(n_rows: int, n_columns: int, offset: int) -> tuple[Any, Any]:
    """Return rows and columns of the entries of a diagonal."""
    first_row, first_column = max(-offset, 0), max(offset, 0)
    n = max(min(n_rows - first_row, n_columns - first_column), 0)
    return np.arange(first_row, first_row + n), np.arange(
        first_column, first_column + n
    )


def _diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return np.diagonal(x, offset, axis1, axis2)


def _onto_diagonal(g: Any, x_like: Aval, offset: int, axis1: int, axis2: int) -> Any:
    """Put the last axis of the cotangent onto a diagonal of zeros."""
    shape, back = _matrix_last(x_like.shape, axis1, axis2)
    index = (Ellipsis, *_places(shape[-2], shape[-1], offset))
    return transpose(scatter_add(g, index=index, shape=shape), axes=back)


def _matrix_last(shape: Shape, axis1: int, axis2: int) -> tuple[Shape, Shape]:
    """Return the shape with two axes moved to the end, and the axes that undo it."""
    ndim = len(shape)
    pair = (axis1 % ndim, axis2 % ndim)
    order = (*[k for k in range(ndim) if k not in pair], *pair)
    back = tuple(sorted(range(ndim), key=order.__getitem__))
    return tuple(shape[k] for k in order), back


diagonal: OpFunction = linear(
    "diagonal",
    _diagonal,
    T=_onto_diagonal,
    shape_rule=layout_shape_rule(
        "diagonal", _diagonal, expected=_TWO_AXES, remedy=_COUNT_AXES
    ),
    numpy=np.diagonal,
    method="diagonal",
    is_layout=True,
    examples=(
        Example(((3, 4),)),
        Example(((3, 4),), {"offset": -1}),
        Example(((2, 3, 4),), {"offset": 1, "axis1": -1, "axis2": 0}),
        Example(((2, 2),), {"offset": 5}),
    ),
    latex=r"\operatorname{{diag}}\left({0}\right)",
    doc="Read a diagonal of matrices; it becomes the last axis.",
    source="Array API standard, linalg.diagonal.",
    doctest=("tg.diagonal(np.array([[1.0, 2.0], [3.0, 4.0]]))", "array([1., 4.])"),
)


def _diag(x: Any, k: int = 0) -> Any:
    return np.diag(x, k)


def _diag_shape(x: Any, k: int = 0) -> Aval:
    like = as_aval(x)
    if like.ndim == 1:
        n = like.shape[0] + abs(k)
        return Aval((n, n), like.dtype)
    if like.ndim == 2:
        rows, _ = _places(like.shape[0], like.shape[1], k)
        return Aval((len(rows),), like.dtype)
    raise ShapeError(
        explain(
            "diag",
            f"shape {like.shape}",
            "a vector to put on a diagonal, or a matrix to read one from",
            "Use tg.diagonal for stacks of matrices",
        )
    )


def _diag_transpose(g: Any, x_like: Aval, k: int) -> Any:
    if x_like.ndim == 1:
        return diagonal(g, k)
    return _onto_diagonal(g, x_like, k, 0, 1)


diag: OpFunction = linear(
    "diag",
    _diag,
    T=_diag_transpose,
    shape_rule=_diag_shape,
    numpy=np.diag,
    is_layout=True,
    examples=(
        Example(((3,),)),
        Example(((2,),), {"k": -1}),
        Example(((3, 4),), {"k": 1}),
        Example(((0,),)),
    ),
    latex=r"\operatorname{{diag}}\left({0}\right)",
    doc="Put a vector on a diagonal, or read the diagonal of a matrix.",
    source="NumPy, diag.",
    doctest=("tg.diag(np.array([1.0, 2.0]))", "array([[1., 0.],\n       [0., 2.]])"),
)


def _trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return np.trace(x, offset, axis1, axis2)


_diagonal_shape = layout_shape_rule(
    "trace", _diagonal, expected=_TWO_AXES, remedy=_COUNT_AXES
)


def _trace_shape(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Aval:
    line = _diagonal_shape(x, offset=offset, axis1=axis1, axis2=axis2)
    dtype = np.trace(np.zeros((1, 1), line.dtype)).dtype
    return Aval(line.shape[:-1], dtype)


def _trace_transpose(g: Any, x_like: Aval, offset: int, axis1: int, axis2: int) -> Any:
    return _onto_diagonal(expand_dims(g, -1), x_like, offset, axis1, axis2)


trace: OpFunction = linear(
    "trace",
    _trace,
    T=_trace_transpose,
    shape_rule=_trace_shape,
    numpy=np.trace,
    method="trace",
    examples=(
        Example(((3, 3),)),
        Example(((3, 4),), {"offset": 1}),
        Example(((2, 3, 4),), {"offset": -1, "axis1": 1, "axis2": -1}),
    ),
    latex=r"\operatorname{{tr}} {0}",
    onnx="Einsum",
    doc="Sum the entries of a diagonal.",
    source="Array API standard, linalg.trace.",
    doctest=("tg.trace(np.eye(3))", "np.float64(3.0)"),
)


def _triangle_shape(name: str) -> Any:
    def rule(x: Any, k: int = 0) -> Aval:
        like = as_aval(x)
        if like.ndim == 0:
            raise ShapeError(
                explain(name, "a scalar", "at least one axis", "Reshape it to a matrix")
            )
        shape = like.shape if like.ndim > 1 else like.shape * 2
        return Aval(shape, like.dtype)

    return rule


def _tril(x: Any, k: int = 0) -> Any:
    return np.tril(x, k)


tril: OpFunction = linear(
    "tril",
    _tril,
    T=lambda g, k: tril(g, k),
    shape_rule=_triangle_shape("tril"),
    numpy=np.tril,
    examples=(
        Example(((3, 4),)),
        Example(((2, 3, 3),), {"k": -1}),
        Example(((3,),)),
    ),
    latex=r"\operatorname{{tril}}\left({0}\right)",
    onnx="Trilu",
    doc="Keep the entries on and below a diagonal, zeros elsewhere.",
    source="Array API standard, tril.",
    doctest=("tg.tril(np.ones((2, 2)))", "array([[1., 0.],\n       [1., 1.]])"),
)


def _triu(x: Any, k: int = 0) -> Any:
    return np.triu(x, k)


triu: OpFunction = linear(
    "triu",
    _triu,
    T=lambda g, k: triu(g, k),
    shape_rule=_triangle_shape("triu"),
    numpy=np.triu,
    examples=(
        Example(((3, 4),)),
        Example(((2, 3, 3),), {"k": 1}),
        Example(((3,),)),
    ),
    latex=r"\operatorname{{triu}}\left({0}\right)",
    onnx="Trilu",
    doc="Keep the entries on and above a diagonal, zeros elsewhere.",
    source="Array API standard, triu.",
    doctest=("tg.triu(np.ones((2, 2)))", "array([[1., 1.],\n       [0., 1.]])"),
)
