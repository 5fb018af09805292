"""The table: running sums and products, and the product.

A product's derivative is the product of the other factors. Dividing the result by a
factor is wrong at zero, in the first order or in the second; here every rule multiplies
and never divides, so that zeros are ordinary entries in derivatives of any order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad._typing import Axis
from tensorgrad.core.aval import Aval
from tensorgrad.core.op import OpFunction
from tensorgrad.ops.entry import Domain, Example, custom, linear
from tensorgrad.ops.indexing import getitem
from tensorgrad.ops.joining import concatenate, pad
from tensorgrad.ops.reduce import reduction_shape_rule
from tensorgrad.ops.reduce import sum as sum_op
from tensorgrad.ops.shapes import as_aval, normalise_axes, normalise_axis
from tensorgrad.ops.shaping import broadcast_to, flip, kept_shape, reshape, transpose

_SCANS = (
    Example(((3, 4),)),
    Example(((3, 4),), {"axis": 0}),
    Example(((2, 3, 2),), {"axis": -2}),
    Example(((1,),)),
    Example(((0,),)),
    Example(((),)),
)


def _scan_shape(name: str, forward: Any) -> Any:
    def rule(x: Any, axis: int | None = None, dtype: Any = None) -> Aval:
        like = as_aval(x)
        if axis is not None:
            normalise_axis(name, axis, like.ndim)
        shape = (like.size,) if axis is None else like.shape
        return Aval(shape, forward(np.ones(1, like.dtype), dtype=dtype).dtype)

    return rule


def _cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    return np.cumsum(x, axis=axis, dtype=dtype)


def _cumsum_transpose(g: Any, x_like: Aval, axis: int | None) -> Any:
    k = 0 if axis is None else axis
    return reshape(flip(cumsum(flip(g, axis=k), axis=k), axis=k), x_like.shape)


cumsum: OpFunction = linear(
    "cumsum",
    _cumsum,
    T=_cumsum_transpose,
    shape_rule=_scan_shape("cumsum", _cumsum),
    numpy=np.cumsum,
    method="cumsum",
    examples=_SCANS,
    latex=r"\operatorname{{cumsum}}\left({0}\right)",
    onnx="CumSum",
    doc="Sum all entries up to each one along an axis.",
    source="Array API standard, cumulative_sum.",
    doctest=("tg.cumsum(np.array([1.0, 2.0, 3.0]))", "array([1., 3., 6.])"),
)

# -------------------------------------------------------------------- running products


def _cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    return np.cumprod(x, axis=axis, dtype=dtype)


def _shifted(x: Any, k: int) -> Any:
    """Return the entries ``k`` places further along the last axis, zeros at the end."""
    widths = ((0, 0),) * (x.ndim - 1) + ((0, k),)
    return pad(getitem(x, (Ellipsis, slice(k, None))), widths)


def _recur_back(a: Any, m: Any) -> Any:
    """Solve ``s[j] = a[j] + m[j] s[j + 1]`` along the last axis, by doubling.

    After a step of length k, s[j] holds the terms up to j + k and m[j] the product that
    leads on from there: log n passes, with multiplications and additions alone.
    """
    k = 1
    n = a.shape[-1]
    while k < n:
        a = a + m * _shifted(a, k)
        m = m * _shifted(m, k)
        k *= 2
    return a


def _before(x: Any) -> Any:
    """Return the products of all entries before each one along the last axis."""
    products = cumprod(getitem(x, (Ellipsis, slice(None, -1))), axis=-1)
    return concatenate([broadcast_to(_one(x), (*x.shape[:-1], 1)), products], axis=-1)


def _one(x: Any) -> Any:
    return np.ones((), x.dtype)


def _axis_last(x: Any, axis: int | None) -> Any:
    if axis is None:
        return reshape(x, -1)
    return transpose(x, axes=_swapped(x.ndim, axis))


def _axis_back(x: Any, like: Any, axis: int | None) -> Any:
    if axis is None:
        return reshape(x, like.shape)
    return transpose(x, axes=_swapped(x.ndim, axis))


def _swapped(ndim: int, axis: int) -> tuple[int, ...]:
    order = list(range(ndim))
    order[axis], order[-1] = order[-1], order[axis]
    return tuple(order)


def _cumprod_vjp(g: Any, x: Any, axis: int | None) -> Any:
    """Σ_{k≥j} g_k Π_{i≤k, i≠j} x_i, as what comes before j times a recurrence."""
    if x.size == 0:
        return reshape(g, x.shape)
    rows = _axis_last(x, axis)
    after = _recur_back(_axis_last(g, axis), _shifted(rows, 1))
    return _axis_back(_before(rows) * after, x, axis)


def _cumprod_jvp(t: Any, x: Any, axis: int | None) -> Any:
    if x.size == 0:
        return reshape(t, -1) if axis is None else t
    rows = _axis_last(x, axis)
    terms = _axis_last(t, axis) * _before(rows)
    out = flip(_recur_back(flip(terms, axis=-1), flip(rows, axis=-1)), axis=-1)
    return out if axis is None else _axis_back(out, x, axis)


cumprod: OpFunction = custom(
    "cumprod",
    _cumprod,
    vjp=_cumprod_vjp,
    jvp=_cumprod_jvp,
    shape_rule=_scan_shape("cumprod", _cumprod),
    domain=Domain(-2.0, 2.0),
    numpy=np.cumprod,
    method="cumprod",
    examples=(*_SCANS, Example((np.array([2.0, 0.0, 3.0, 0.0]),))),
    latex=r"\operatorname{{cumprod}}\left({0}\right)",
    doc="Multiply all entries up to each one along an axis.",
    notes="Derivatives of any order are right where entries are zero; they cost "
    "log n passes.",
    source="Array API standard, cumulative_prod; Blelloch 1990 for recurrences by scans.",
    doctest=("tg.cumprod(np.array([1.0, 2.0, 3.0]))", "array([1., 2., 6.])"),
)

# ------------------------------------------------------------------------- the product


def _prod(
    x: Any, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False
) -> Any:
    return np.prod(x, axis=axis, dtype=dtype, keepdims=keepdims)


def _product_of_others(x: Any, axis: Axis) -> Any:
    """Return for each entry the product of all others over the axes."""
    axes = normalise_axes("prod", axis, x.ndim)
    others = tuple(k for k in range(x.ndim) if k not in axes)
    moved = transpose(x, axes=others + axes)
    n_kept = len(others)
    count = 1
    for n in moved.shape[n_kept:]:
        count *= n
    rows = reshape(moved, (*moved.shape[:n_kept], count))
    both = _before(rows) * flip(_before(flip(rows, axis=-1)), axis=-1)
    back = tuple(sorted(range(x.ndim), key=(others + axes).__getitem__))
    return transpose(reshape(both, moved.shape), axes=back)


def _prod_vjp(g: Any, x: Any, axis: Axis) -> Any:
    if x.size == 0:
        return x  # nothing to share it with
    return reshape(g, kept_shape(x.shape, axis)) * _product_of_others(x, axis)


def _prod_jvp(t: Any, x: Any, axis: Axis, keepdims: Any) -> Any:
    if x.size == 0:
        return sum_op(t, axis=axis, keepdims=keepdims)
    return sum_op(t * _product_of_others(x, axis), axis=axis, keepdims=keepdims)


prod: OpFunction = custom(
    "prod",
    _prod,
    vjp=_prod_vjp,
    jvp=_prod_jvp,
    shape_rule=reduction_shape_rule("prod", _prod),
    domain=Domain(-2.0, 2.0),
    numpy=np.prod,
    method="prod",
    examples=(
        Example(((3, 4),)),
        Example(((3, 4),), {"axis": 0}),
        Example(((2, 3, 2),), {"axis": (0, -1), "keepdims": True}),
        Example((np.array([[2.0, 0.0, 3.0], [0.0, 0.0, 4.0]]),), {"axis": 1}),
        Example(((1,),)),
        Example(((),)),
        Example(((0, 2),), {"axis": 0}),
    ),
    latex=r"\prod {0}",
    onnx="ReduceProd",
    doc="Multiply over axes.",
    notes="Derivatives of any order are right where entries are zero.",
    source="Array API standard, prod.",
    doctest=("tg.prod(np.array([2.0, 3.0]))", "np.float64(6.0)"),
)
