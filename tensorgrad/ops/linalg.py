"""The table: products of vectors, matrices and tensors; norms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad._typing import Axis, Shape
from tensorgrad.core.aval import Aval
from tensorgrad.core.op import OpFunction
from tensorgrad.errors import ArgumentError, ShapeError, UnsupportedError, explain
from tensorgrad.ops import batching, complexes
from tensorgrad.ops.entry import Example, custom, linear
from tensorgrad.ops.indexing import getitem
from tensorgrad.ops.reduce import gaps
from tensorgrad.ops.reduce import sum as sum_op
from tensorgrad.ops.shapes import (
    as_aval,
    broadcast_shapes,
    normalise_axes,
    normalise_axis,
    reduced_shape,
    result_dtype,
    shape_of,
)
from tensorgrad.ops.shaping import (
    astype,
    expand_dims,
    kept_shape,
    reshape,
    swapaxes,
    transpose,
)

# ------------------------------------------------------------------------------ matmul


def _matmul_shape(x: Any, y: Any) -> Aval:
    a, b = shape_of(x), shape_of(y)
    if not a or not b:
        raise ShapeError(
            explain(
                "matmul",
                f"shapes {a} and {b}",
                "operands with an axis to sum over",
                "Use x * y for a scalar",
            )
        )
    k = len(b) - 2 if len(b) > 1 else 0
    if a[-1] != b[k]:
        raise ShapeError(
            explain(
                "matmul",
                f"shapes {a} and {b} do not align",
                f"x.shape[{len(a) - 1}] == y.shape[{k}] ({a[-1]} != {b[k]})",
                "Transpose one, or reshape",
            )
        )
    batch = broadcast_shapes("matmul", a[:-2], b[:-2])
    shape = batch + a[-2:-1] + (b[-1:] if len(b) > 1 else ())
    return Aval(shape, result_dtype("matmul", np.matmul, (x, y)))


def _flipped(x: Any) -> Any:
    """Return the transpose of each matrix: a view."""
    if type(x) is np.ndarray:
        return x.swapaxes(-1, -2)
    return swapaxes(x, -1, -2)


def _matmul_for_x(g: Any, y: Any) -> Any:
    """Return g Yᵀ; the ranks of g and y tell whether x was a vector."""
    if type(g) is np.ndarray and g.ndim == 2 and y.ndim == 2:
        return g @ y.T  # what nearly every step asks for
    if y.ndim == 1:
        return expand_dims(g, -1) * y
    if g.ndim < y.ndim:  # x is a vector: g has no axis of rows
        if y.ndim == 2:
            return matmul(y, g)
        return getitem(matmul(expand_dims(g, -2), _flipped(y)), (Ellipsis, 0, _ALL))
    return matmul(g, _flipped(y))


def _matmul_for_y(g: Any, x: Any) -> Any:
    """Return Xᵀ g; the ranks of g and x tell whether y was a vector."""
    if type(g) is np.ndarray and g.ndim == 2 and x.ndim == 2:
        return x.T @ g
    if x.ndim == 1:
        return x * g if g.ndim == 0 else expand_dims(x, -1) * expand_dims(g, -2)
    if g.ndim < x.ndim:  # y is a vector: g has no axis of columns
        if x.ndim == 2:
            return matmul(g, x)
        return getitem(matmul(_flipped(x), expand_dims(g, -1)), (Ellipsis, 0))
    return matmul(_flipped(x), g)


_ALL = slice(None)

matmul: OpFunction = linear(
    "matmul",
    np.matmul,
    T=(_matmul_for_x, _matmul_for_y),
    batch=batching.matrix_product,
    shape_rule=_matmul_shape,
    is_matmul=True,
    operator="@",
    examples=(
        Example(((3, 4), (4, 2))),
        Example(((4,), (4,))),
        Example(((3, 4), (4,))),
        Example(((4,), (4, 2))),
        Example(((2, 3, 4), (4, 2))),
        Example(((3, 4), (2, 4, 2))),
        Example(((2, 1, 3, 4), (5, 4, 2))),
        Example(((4,), (2, 4, 3))),
        Example(((2, 3, 4), (4,))),
        Example(((2, 0), (0, 3))),
        Example(((1, 1), (1, 1))),
    ),
    latex="{0} {1}",
    onnx="MatMul",
    doc="Multiply matrices; vectors are rows on the left and columns on the right.",
    notes="More than two axes are stacks of matrices, which broadcast.",
    source="Array API standard, matmul.",
    doctest=(
        "tg.matmul(tg.tensor([[1.0, 2.0]]), np.ones((2, 1)))",
        "tensor([[3.]], op=matmul)",
    ),
)

# ------------------------------------------------------------------- other contractions


def _contracted(axes: Any, x_shape: Shape, y_shape: Shape) -> tuple[Shape, Shape]:
    """Return the axes that a tensordot sums over, counted from the front."""
    if isinstance(axes, (int, np.integer)):
        n = int(axes)
        if not 0 <= n <= min(len(x_shape), len(y_shape)):
            raise _unaligned(axes, x_shape, y_shape)
        return tuple(range(len(x_shape) - n, len(x_shape))), tuple(range(n))
    first, second = [
        (int(part),) if np.ndim(part) == 0 else tuple(int(k) for k in part)
        for part in axes
    ]
    left = tuple(normalise_axis("tensordot", k, len(x_shape)) for k in first)
    right = tuple(normalise_axis("tensordot", k, len(y_shape)) for k in second)
    sizes = [x_shape[k] for k in left], [y_shape[k] for k in right]
    if (
        sizes[0] != sizes[1]
        or len(set(left)) < len(left)
        or len(set(right)) < len(right)
    ):
        raise _unaligned(axes, x_shape, y_shape)
    return left, right


def _unaligned(axes: Any, x_shape: Shape, y_shape: Shape) -> ShapeError:
    return ShapeError(
        explain(
            "tensordot",
            f"shapes {x_shape} and {y_shape} with axes={axes!r}",
            "pairs of axes of equal size, each axis once",
            "Give axes=(axes of x, axes of y)",
        )
    )


def _others(axes: Shape, ndim: int) -> Shape:
    return tuple(k for k in range(ndim) if k not in axes)


def _tensordot(x: Any, y: Any, axes: Any = 2) -> Any:
    return np.tensordot(x, y, axes=axes)


def _tensordot_shape(x: Any, y: Any, axes: Any = 2) -> Aval:
    a, b = as_aval(x), as_aval(y)
    left, right = _contracted(axes, a.shape, b.shape)
    if [a.shape[k] for k in left] != [b.shape[k] for k in right]:
        raise _unaligned(axes, a.shape, b.shape)
    shape = tuple(a.shape[k] for k in _others(left, a.ndim))
    shape += tuple(b.shape[k] for k in _others(right, b.ndim))
    return Aval(shape, np.result_type(a.dtype, b.dtype))


def _tensordot_for_x(g: Any, y: Any, x_like: Aval, axes: Any) -> Any:
    left, right = _contracted(axes, x_like.shape, y.shape)
    free_x, free_y = _others(left, x_like.ndim), _others(right, y.ndim)
    behind = tuple(range(len(free_x), len(free_x) + len(free_y)))
    out = tensordot(g, y, axes=(behind, free_y))
    # What is left of y are its summed axes in their own order.
    order = [left[right.index(k)] for k in sorted(right)]
    return transpose(out, axes=_places((*free_x, *order)))


def _tensordot_for_y(g: Any, x: Any, y_like: Aval, axes: Any) -> Any:
    left, right = _contracted(axes, x.shape, y_like.shape)
    free_x, free_y = _others(left, x.ndim), _others(right, y_like.ndim)
    out = tensordot(x, g, axes=(free_x, tuple(range(len(free_x)))))
    order = [right[left.index(k)] for k in sorted(left)]
    return transpose(out, axes=_places((*order, *free_y)))


def _places(axes: Sequence[int]) -> Shape:
    """Return where each axis has gone, to bring it back."""
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


tensordot: OpFunction = linear(
    "tensordot",
    _tensordot,
    T=(_tensordot_for_x, _tensordot_for_y),
    shape_rule=_tensordot_shape,
    numpy=np.tensordot,
    examples=(
        Example(((2, 3, 4), (3, 4, 2))),
        Example(((2, 3), (3, 4)), {"axes": 1}),
        Example(((2,), (3, 1)), {"axes": 0}),
        Example(((2, 3, 4), (4, 5, 2)), {"axes": ((0, 2), (2, 0))}),
        Example(((2, 3), (3,)), {"axes": (-1, 0)}),
        Example(((2, 3), (3, 2)), {"axes": ((1, 0), (0, 1))}),
    ),
    latex=r"{0} \cdot {1}",
    onnx="Einsum",
    doc="Sum products over pairs of axes.",
    source="Array API standard, tensordot.",
    doctest=("tg.tensordot(np.ones((2, 3)), np.ones((3, 2)), axes=1).shape", "(2, 2)"),
)


def _dot(x: Any, y: Any) -> Any:
    return np.dot(x, y)


def _ndim(x: Any) -> int:
    return getattr(x, "ndim", 0)  # a Python number has none


def _dot_axes(x_ndim: int, y_ndim: int) -> Any:
    return (x_ndim - 1, max(y_ndim - 2, 0))


def _dot_shape(x: Any, y: Any) -> Aval:
    a, b = as_aval(x), as_aval(y)
    if not a.shape or not b.shape:
        return Aval(a.shape + b.shape, result_dtype("dot", np.multiply, (x, y)))
    k = max(b.ndim - 2, 0)
    if a.shape[-1] != b.shape[k]:
        raise ShapeError(
            explain(
                "dot",
                f"shapes {a.shape} and {b.shape} do not align",
                f"x.shape[{a.ndim - 1}] == y.shape[{k}] "
                f"({a.shape[-1]} != {b.shape[k]})",
                "Transpose one, or reshape",
            )
        )
    return _tensordot_shape(a, b, _dot_axes(a.ndim, b.ndim))


def _dot_for_x(g: Any, y: Any, x_like: Aval) -> Any:
    if x_like.ndim == 0:
        return sum_op(g * y)
    if _ndim(y) == 0:
        return g * y
    return _tensordot_for_x(g, y, x_like, _dot_axes(x_like.ndim, y.ndim))


def _dot_for_y(g: Any, x: Any, y_like: Aval) -> Any:
    if y_like.ndim == 0:
        return sum_op(g * x)
    if _ndim(x) == 0:
        return g * x
    return _tensordot_for_y(g, x, y_like, _dot_axes(x.ndim, y_like.ndim))


dot: OpFunction = linear(
    "dot",
    _dot,
    T=(_dot_for_x, _dot_for_y),
    shape_rule=_dot_shape,
    numpy=np.dot,
    method="dot",
    examples=(
        Example(((3, 4), (4, 2))),
        Example(((4,), (4,))),
        Example(((2, 3, 4), (4,))),
        Example(((2, 3), (2, 3, 4))),
        Example(((), (2, 3))),
        Example(((3,), ())),
    ),
    latex=r"{0} \cdot {1}",
    onnx="MatMul",
    doc="Sum over the last axis of the first and the last but one of the second operand.",
    notes="For stacks of matrices prefer `matmul`.",
    source="NumPy, dot.",
    doctest=("tg.dot(np.ones(3), np.ones(3))", "np.float64(3.0)"),
)


def _inner(x: Any, y: Any) -> Any:
    return np.inner(x, y)


def _inner_shape(x: Any, y: Any) -> Aval:
    a, b = as_aval(x), as_aval(y)
    if not a.shape or not b.shape:
        return _dot_shape(x, y)
    if a.shape[-1] != b.shape[-1]:
        raise ShapeError(
            explain(
                "inner",
                f"shapes {a.shape} and {b.shape} do not align",
                f"equal sizes of the last axes ({a.shape[-1]} != {b.shape[-1]})",
                "Transpose one, or reshape",
            )
        )
    return _tensordot_shape(a, b, (-1, -1))


def _inner_for_x(g: Any, y: Any, x_like: Aval) -> Any:
    if x_like.ndim == 0 or _ndim(y) == 0:
        return _dot_for_x(g, y, x_like)
    return _tensordot_for_x(g, y, x_like, (-1, -1))


def _inner_for_y(g: Any, x: Any, y_like: Aval) -> Any:
    if y_like.ndim == 0 or _ndim(x) == 0:
        return _dot_for_y(g, x, y_like)
    return _tensordot_for_y(g, x, y_like, (-1, -1))


inner: OpFunction = linear(
    "inner",
    _inner,
    T=(_inner_for_x, _inner_for_y),
    shape_rule=_inner_shape,
    numpy=np.inner,
    examples=(
        Example(((4,), (4,))),
        Example(((3, 4), (2, 4))),
        Example(((3,), (2, 2, 3))),
        Example(((), (3,))),
    ),
    latex=r"\langle {0}, {1} \rangle",
    doc="Sum products over the last axes, without conjugation.",
    source="NumPy, inner.",
    doctest=("tg.inner(np.ones(3), np.ones(3))", "np.float64(3.0)"),
)


def _conjugate(x: Any) -> Any:
    return complexes.conjugate(x) if x.dtype.kind == "c" else x


def _vdot(x: Any, y: Any) -> Any:
    return np.vdot(x, y)


def _vdot_shape(x: Any, y: Any) -> Aval:
    a, b = as_aval(x), as_aval(y)
    if a.size != b.size:
        raise ShapeError(
            explain(
                "vdot",
                f"shapes {a.shape} and {b.shape}",
                f"equal numbers of entries ({a.size} != {b.size})",
                "Slice or reshape one",
            )
        )
    return Aval((), np.result_type(a.dtype, b.dtype))


vdot: OpFunction = linear(
    "vdot",
    _vdot,
    T=(
        lambda g, y, x_like: _conjugate(reshape(y, x_like.shape) * g),
        lambda g, x, y_like: _conjugate(reshape(x, y_like.shape)) * g,
    ),
    shape_rule=_vdot_shape,
    numpy=np.vdot,
    analytic=lambda x, y: np.dot(np.ravel(x), np.ravel(y)),
    examples=(
        Example(((4,), (4,))),
        Example(((2, 3), (3, 2))),
        Example(((0,), (0,))),
    ),
    latex=r"{0}^{{\mathsf H}} {1}",
    doc="Sum products over all entries, the first operand conjugated.",
    source="Array API standard, vecdot.",
    doctest=("tg.vdot(np.array([1j]), np.array([1j]))", "np.complex128(1+0j)"),
)


def _outer(x: Any, y: Any) -> Any:
    return np.outer(x, y)


def _outer_shape(x: Any, y: Any) -> Aval:
    dtype = result_dtype("outer", np.multiply, (x, y))
    return Aval((as_aval(x).size, as_aval(y).size), dtype)


outer: OpFunction = linear(
    "outer",
    _outer,
    T=(
        lambda g, y, x_like: reshape(matmul(g, reshape(y, -1)), x_like.shape),
        lambda g, x, y_like: reshape(matmul(reshape(x, -1), g), y_like.shape),
    ),
    shape_rule=_outer_shape,
    numpy=np.outer,
    examples=(
        Example(((3,), (4,))),
        Example(((2, 2), (3,))),
        Example(((), (2,))),
        Example(((0,), (2,))),
    ),
    latex=r"{0} {1}^{{\top}}",
    onnx="Einsum",
    doc="Multiply each entry of one operand with each of the other.",
    source="NumPy, outer.",
    doctest=("tg.outer(np.ones(2), np.ones(3)).shape", "(2, 3)"),
)

# ------------------------------------------------------------------------------- norm


def _norm(x: Any, ord: Any = None, axis: Axis = None, *, keepdims: bool = False) -> Any:
    _norm_kind(ord, axis, as_aval(x).ndim)
    return np.linalg.norm(x, ord=ord, axis=axis, keepdims=keepdims)


def _norm_kind(ord: Any, axis: Axis, ndim: int) -> tuple[Axis, float]:
    """Return the axes and the exponent of a norm, or refuse it."""
    n_axes = ndim if axis is None else len(normalise_axes("norm", axis, ndim))
    if axis is None and ord is None:
        return None, 2.0
    if n_axes not in (1, 2):
        raise ShapeError(
            explain(
                "norm",
                f"{n_axes} axes with ord={ord!r}",
                "one axis for the norm of a vector, two for that of a matrix",
                "Give axis, or leave ord out for the norm of all entries",
            )
        )
    if n_axes == 2:
        if ord in (None, "fro"):
            return axis, 2.0
        raise UnsupportedError(
            explain(
                "norm",
                f"ord={ord!r} of a matrix",
                "ord=None or 'fro'",
                "Write the sums, for example abs(x).sum(axis=0).max() for ord=1",
            )
        )
    if isinstance(ord, str) or ord == 0:
        raise ArgumentError(
            explain(
                "norm",
                f"ord={ord!r} of a vector",
                "a number other than 0, or inf",
                "Use (x != 0).sum() to count entries; it has no gradient",
            )
        )
    return axis, 2.0 if ord is None else float(ord)


def _norm_shape(
    x: Any, ord: Any = None, axis: Axis = None, *, keepdims: bool = False
) -> Aval:
    like = as_aval(x)
    _norm_kind(ord, axis, like.ndim)
    shape = reduced_shape("norm", like.shape, axis, keepdims=keepdims)
    dtype = np.linalg.norm(np.ones(1, like.dtype)).dtype
    return Aval(shape, dtype)


def _norm_slope(x: Any, out: Any, ord: Any, axis: Axis) -> Any:
    """∂out/∂x; zero at the zero vector and at zero entries, a sub-gradient there."""
    _, p = _norm_kind(ord, axis, x.ndim)
    wide = reshape(out, kept_shape(x.shape, axis))
    if p == 2:
        return _conjugate(x) / (wide + (wide == 0))
    size = abs(x)
    phase = _conjugate(x) / (size + (x == 0))
    if p == 1:
        return phase
    if p in (_INF, -_INF):
        chosen = astype(size == wide, size.dtype)
        return phase * (chosen / sum_op(chosen, axis=axis, keepdims=True))
    ratio = (size + (x == 0)) / (wide + (wide == 0))
    return phase * ratio ** (p - 1)


_INF = float("inf")


def _norm_vjp(g: Any, x: Any, out: Any, ord: Any, axis: Axis) -> Any:
    return reshape(g, kept_shape(x.shape, axis)) * _norm_slope(x, out, ord, axis)


def _norm_jvp(t: Any, x: Any, out: Any, ord: Any, axis: Axis, keepdims: Any) -> Any:
    share = sum_op(t * _norm_slope(x, out, ord, axis), axis=axis, keepdims=keepdims)
    return complexes.real(share) if share.dtype.kind == "c" else share


def _norm_analytic(
    x: Any, ord: Any = None, axis: Axis = None, *, keepdims: bool = False
) -> Any:
    """Continue the norm holomorphically: |x| is x or -x, chosen by the real part."""
    _, p = _norm_kind(ord, axis, np.ndim(x))
    size = np.where(np.real(x) < 0, -x, x)
    if abs(p) == _INF:
        pick = np.max if p > 0 else np.min
        chosen = size.real == pick(size.real, axis=axis, keepdims=True)
        total = np.sum(size * chosen, axis=axis, keepdims=keepdims)
        return total / np.sum(chosen, axis=axis, keepdims=keepdims)
    return np.sum(size**p, axis=axis, keepdims=keepdims) ** (1 / p)


def _norm_kink(x: Any) -> Any:
    """Return distances to a zero entry and to a tie: a bound for every ord."""
    size = np.abs(np.asarray(x)).reshape(-1)
    return np.append(gaps(size), size)


norm: OpFunction = custom(
    "norm",
    _norm,
    vjp=_norm_vjp,
    jvp=_norm_jvp,
    shape_rule=_norm_shape,
    numpy=np.linalg.norm,
    kink=_norm_kink,
    analytic=_norm_analytic,
    examples=(
        Example(((3, 4),)),
        Example(((3, 4),), {"axis": 1}),
        Example(((3, 4),), {"ord": 1, "axis": 0, "keepdims": True}),
        Example(((4,),), {"ord": np.inf}),
        Example(((3, 4),), {"ord": -np.inf, "axis": -1}),
        Example(((4,),), {"ord": 3}),
        Example(((2, 3),), {"ord": 0.5, "axis": 0}),
        Example(((2, 3, 4),), {"ord": "fro", "axis": (0, 2)}),
        Example(((2, 3, 2),)),
    ),
    latex=r"\left\lVert {0} \right\rVert",
    onnx="ReduceL2",
    doc="Compute the norm of vectors, or the Frobenius norm of matrices.",
    notes="The gradient is zero at the zero vector; ties under ``ord=inf`` share.",
    source="Array API standard, linalg.vector_norm.",
    doctest=("tg.norm(np.array([3.0, 4.0]))", "np.float64(5.0)"),
)
