"""The table: reductions over axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad._typing import Array, Axis
from tensorgrad.core.aval import Aval
from tensorgrad.core.op import OpFunction
from tensorgrad.errors import DTypeError, ShapeError, explain
from tensorgrad.ops import batching, complexes
from tensorgrad.ops.entry import Example, custom, linear, select, zero
from tensorgrad.ops.indexing import getitem
from tensorgrad.ops.shapes import as_aval, normalise_axes, reduced_shape
from tensorgrad.ops.shaping import astype, kept_shape, reshape, spread

_add: Any = np.add.reduce
"""NumPy's types know neither its axis=None nor its keepdims."""

_EXAMPLES = (
    Example(((3, 4),)),
    Example(((3, 4),), {"axis": 0}),
    Example(((2, 3, 2),), {"axis": (0, -1), "keepdims": True}),
    Example(((3, 1),), {"axis": -1}),
    Example(((),)),
)
_WITH_EMPTY = (
    *_EXAMPLES,
    Example(((0, 3),), {"axis": 0}),
    Example(((2, 3),), {"axis": ()}),
)


def reduction_shape_rule(
    name: str, forward: Callable[..., Any], *, needs_entries: bool = False
) -> Callable[..., Aval]:
    """Make the shape rule of a reduction; its dtype is asked of NumPy."""

    def rule(x: Any, axis: Axis = None, *, keepdims: bool = False, **rest: Any) -> Aval:
        like = as_aval(x)
        shape = reduced_shape(name, like.shape, axis, keepdims=keepdims)
        if needs_entries and count_of(like, axis) == 0 and 0 not in shape:
            raise ShapeError(
                explain(
                    name,
                    f"shape {like.shape} with axis={axis}",
                    "at least one entry to reduce over",
                    "Check for an empty selection before, or give another axis",
                )
            )
        given = {k: v for k, v in rest.items() if k == "dtype"}
        return Aval(shape, np.asarray(forward(np.ones(1, like.dtype), **given)).dtype)

    return rule


def count_of(x_like: Aval, axis: Axis) -> int:
    """Return how many entries each result of a reduction is made of."""
    n = 1
    for k in normalise_axes("reduction", axis, x_like.ndim):
        n *= x_like.shape[k]
    return n


def refuse_complex(name: str, x: Any) -> None:
    """Raise for an op that needs an order among its entries."""
    dtype = as_aval(x).dtype
    if dtype.kind == "c":
        raise DTypeError(
            explain(name, f"dtype {dtype}", "real numbers", "Take abs or the real part")
        )


# ------------------------------------------------------------------------ sums, means


def _sum(
    x: Any, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False
) -> Any:
    return _add(x, axis=axis, dtype=dtype, keepdims=keepdims)


sum: OpFunction = linear(
    "sum",
    _sum,
    T=lambda g, x_like, axis: spread(g, x_like, axis),
    batch=batching.along_axis,
    shape_rule=reduction_shape_rule("sum", _sum),
    numpy=np.sum,
    method="sum",
    examples=_WITH_EMPTY,
    latex=r"\sum {0}",
    onnx="ReduceSum",
    doc="Sum over axes.",
    source="Array API standard, sum.",
    doctest=("tg.sum(np.ones((2, 3)), axis=0)", "array([2., 2., 2.])"),
)


def _mean(
    x: Any, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False
) -> Any:
    if dtype is None and type(x) is np.ndarray and x.size and x.dtype.char in "fdFD":
        # What np.mean does, without half of its cost for small arrays.
        total = _add(x, axis=axis, keepdims=keepdims)
        return total / (x.size // total.size)
    return np.mean(x, axis=axis, dtype=dtype, keepdims=keepdims)


mean: OpFunction = linear(
    "mean",
    _mean,
    T=lambda g, x_like, axis: spread(g * (1.0 / count_of(x_like, axis)), x_like, axis),
    batch=batching.along_axis,
    shape_rule=reduction_shape_rule("mean", _mean, needs_entries=True),
    numpy=np.mean,
    method="mean",
    examples=(*_EXAMPLES, Example(((2, 3),), {"axis": ()})),
    latex=r"\operatorname{{mean}}\left({0}\right)",
    onnx="ReduceMean",
    doc="Average over axes.",
    source="Array API standard, mean.",
    doctest=("tg.mean(np.arange(4.0))", "np.float64(1.5)"),
)

# ---------------------------------------------------------------------------- spread


def _conjugate(x: Any) -> Any:
    return complexes.conjugate(x) if x.dtype.kind == "c" else x


def _deviation(x: Any, axis: Axis) -> Any:
    return x - mean(x, axis=axis, keepdims=True)


def _degrees(x: Any, axis: Axis, ddof: Any, correction: Any) -> float:
    """Return n - ddof, by either of its two names; NaN where NumPy divides by zero."""
    n = count_of(x, axis) - (ddof if correction is None else correction)
    return n if n > 0 else float("nan")


def _var(
    x: Any,
    axis: Axis = None,
    *,
    ddof: float = 0,
    correction: float | None = None,
    keepdims: bool = False,
) -> Any:
    lost: Any = ddof if correction is None else correction
    return np.var(x, axis=axis, ddof=lost, keepdims=keepdims)


def _var_analytic(x: Any, axis: Axis = None, **static: Any) -> Any:
    """Continue the variance holomorphically: squares where NumPy takes |·|²."""
    keepdims = static.get("keepdims", False)
    n = _degrees(as_aval(x), axis, static.get("ddof", 0), static.get("correction"))
    squares = np.square(x - np.mean(x, axis=axis, keepdims=True))
    return _add(squares, axis=axis, keepdims=keepdims) / n


def _var_vjp(g: Any, x: Any, axis: Axis, ddof: Any, correction: Any) -> Any:
    n = _degrees(x, axis, ddof, correction)
    slope = _conjugate(_deviation(x, axis)) * (2.0 / n)
    return reshape(g, kept_shape(x.shape, axis)) * slope


def _var_jvp(
    t: Any, x: Any, axis: Axis, ddof: Any, correction: Any, keepdims: Any
) -> Any:
    n = _degrees(x, axis, ddof, correction)
    slope = _conjugate(_deviation(x, axis)) * (2.0 / n)
    return _real(sum(slope * t, axis=axis, keepdims=keepdims))


def _real(x: Any) -> Any:
    return complexes.real(x) if x.dtype.kind == "c" else x


_SPREADS = (
    Example(((3, 4),)),
    Example(((3, 4),), {"axis": 0, "ddof": 1}),
    Example(((2, 3, 2),), {"axis": (0, -1), "keepdims": True}),
    Example(((4, 1),), {"axis": -2, "correction": 1}),
)

var: OpFunction = custom(
    "var",
    _var,
    vjp=_var_vjp,
    jvp=_var_jvp,
    shape_rule=reduction_shape_rule("var", _var, needs_entries=True),
    numpy=np.var,
    method="var",
    analytic=_var_analytic,
    examples=_SPREADS,
    latex=r"\operatorname{{Var}}\left({0}\right)",
    doc="Compute the variance over axes.",
    notes="The sum of squared deviations is divided by the number of entries less "
    "``ddof`` (or ``correction``, its name in the array API).",
    source="Array API standard, var.",
    doctest=("tg.var(np.array([1.0, 3.0]), ddof=1)", "np.float64(2.0)"),
)


def _std(
    x: Any,
    axis: Axis = None,
    *,
    ddof: float = 0,
    correction: float | None = None,
    keepdims: bool = False,
) -> Any:
    lost: Any = ddof if correction is None else correction
    return np.std(x, axis=axis, ddof=lost, keepdims=keepdims)


def _std_slope(x: Any, out: Any, axis: Axis, ddof: Any, correction: Any) -> Any:
    """∂out/∂x, zero where all entries are equal.

    Equality is asked of the entries: their rounded mean may differ from each of them,
    and the deviations, all rounding error, would then have a direction.
    """
    n = _degrees(x, axis, ddof, correction)
    wide = reshape(out, kept_shape(x.shape, axis))
    is_flat = all(x == _first(x, axis), axis=axis, keepdims=True)
    flat = astype(is_flat, out.dtype)
    return _conjugate(_deviation(x, axis)) * (1.0 / ((wide + flat) * n) * (1.0 - flat))


def _first(x: Any, axis: Axis) -> Any:
    axes = normalise_axes("std", axis, x.ndim)
    index = tuple(slice(1) if k in axes else slice(None) for k in range(x.ndim))
    return getitem(x, index)


def _std_vjp(g: Any, x: Any, out: Any, axis: Axis, ddof: Any, correction: Any) -> Any:
    slope = _std_slope(x, out, axis, ddof, correction)
    return reshape(g, kept_shape(x.shape, axis)) * slope


def _std_jvp(
    t: Any, x: Any, out: Any, axis: Axis, ddof: Any, correction: Any, keepdims: Any
) -> Any:
    slope = _std_slope(x, out, axis, ddof, correction)
    return _real(sum(slope * t, axis=axis, keepdims=keepdims))


std: OpFunction = custom(
    "std",
    _std,
    vjp=_std_vjp,
    jvp=_std_jvp,
    shape_rule=reduction_shape_rule("std", _std, needs_entries=True),
    numpy=np.std,
    method="std",
    kink=_std,
    analytic=lambda x, **static: np.sqrt(_var_analytic(x, **static)),
    examples=_SPREADS[:3],
    latex=r"\operatorname{{std}}\left({0}\right)",
    doc="Compute the standard deviation over axes.",
    notes="Where all entries are equal the gradient is zero.",
    source="Array API standard, std.",
    doctest=("tg.std(np.array([1.0, 3.0]))", "np.float64(1.0)"),
)

# -------------------------------------------------------------------------- extremes


def gaps(x: Any) -> Array:
    """Return how far entries may move before two change places, for any axes."""
    ordered = np.sort(np.asarray(x), axis=None)
    return np.append(np.diff(ordered) / 2, np.inf)


def _shares(x: Any, out: Any, axis: Axis) -> Any:
    """Return which part of the result each entry is: ties share equally."""
    is_extreme = x == reshape(out, kept_shape(x.shape, axis))
    chosen = astype(is_extreme, x.dtype)
    return chosen / sum(chosen, axis=axis, keepdims=True)


def _extreme_vjp(g: Any, x: Any, out: Any, axis: Axis) -> Any:
    return reshape(g, kept_shape(x.shape, axis)) * _shares(x, out, axis)


def _extreme_jvp(t: Any, x: Any, out: Any, axis: Axis, keepdims: Any) -> Any:
    return sum(t * _shares(x, out, axis), axis=axis, keepdims=keepdims)


def _max(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    refuse_complex("max", x)
    return np.max(x, axis=axis, keepdims=keepdims)


max: OpFunction = select(
    "max",
    _max,
    vjp=_extreme_vjp,
    jvp=_extreme_jvp,
    batch=batching.along_axis,
    shape_rule=reduction_shape_rule("max", _max, needs_entries=True),
    numpy=(np.max, np.amax),
    method="max",
    kink=gaps,
    examples=_EXAMPLES,
    latex=r"\max {0}",
    onnx="ReduceMax",
    doc="Take the largest entry over axes; ties share the gradient equally.",
    source="Array API standard, max.",
    doctest=("tg.max(np.array([[1.0, 2.0]]), axis=1)", "array([2.])"),
)


def _min(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    refuse_complex("min", x)
    return np.min(x, axis=axis, keepdims=keepdims)


min: OpFunction = select(
    "min",
    _min,
    vjp=_extreme_vjp,
    jvp=_extreme_jvp,
    batch=batching.along_axis,
    shape_rule=reduction_shape_rule("min", _min, needs_entries=True),
    numpy=(np.min, np.amin),
    method="min",
    kink=gaps,
    examples=_EXAMPLES,
    latex=r"\min {0}",
    onnx="ReduceMin",
    doc="Take the smallest entry over axes; ties share the gradient equally.",
    source="Array API standard, min.",
    doctest=("tg.min(np.array([[1.0, 2.0]]), axis=1)", "array([1.])"),
)


def _ptp(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    refuse_complex("ptp", x)
    return np.ptp(x, axis=axis, keepdims=keepdims)


def _ptp_slope(x: Any, axis: Axis) -> Any:
    high = max(x, axis=axis, keepdims=True)
    low = min(x, axis=axis, keepdims=True)
    return _shares(x, high, axis) - _shares(x, low, axis)


ptp: OpFunction = select(
    "ptp",
    _ptp,
    vjp=lambda g, x, axis: reshape(g, kept_shape(x.shape, axis)) * _ptp_slope(x, axis),
    jvp=lambda t, x, axis, keepdims: sum(
        t * _ptp_slope(x, axis), axis=axis, keepdims=keepdims
    ),
    shape_rule=reduction_shape_rule("ptp", _ptp, needs_entries=True),
    numpy=np.ptp,
    kink=gaps,
    examples=_EXAMPLES,
    latex=r"\max {0} - \min {0}",
    doc="Take the difference of the largest and the smallest entry over axes.",
    source="NumPy, ptp.",
    doctest=("tg.ptp(np.array([1.0, 4.0, 2.0]))", "np.float64(3.0)"),
)

# ------------------------------------------------------- constants: places and counts


def _argmax(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
    refuse_complex("argmax", x)
    return np.argmax(x, axis=axis, keepdims=keepdims)


argmax: OpFunction = zero(
    "argmax",
    _argmax,
    is_constant=True,
    shape_rule=reduction_shape_rule("argmax", _argmax, needs_entries=True),
    numpy=np.argmax,
    method="argmax",
    kink=gaps,
    examples=(Example(((3, 4),)), Example(((3, 4),), {"axis": -1, "keepdims": True})),
    latex=r"\operatorname*{{argmax}} {0}",
    onnx="ArgMax",
    doc="Tell where the largest entry is; the first one of several.",
    source="Array API standard, argmax.",
    doctest=("tg.argmax(np.array([1.0, 4.0, 2.0]))", "np.int64(1)"),
)


def _argmin(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
    refuse_complex("argmin", x)
    return np.argmin(x, axis=axis, keepdims=keepdims)


argmin: OpFunction = zero(
    "argmin",
    _argmin,
    is_constant=True,
    shape_rule=reduction_shape_rule("argmin", _argmin, needs_entries=True),
    numpy=np.argmin,
    method="argmin",
    kink=gaps,
    examples=(Example(((3, 4),)), Example(((3, 4),), {"axis": -1, "keepdims": True})),
    latex=r"\operatorname*{{argmin}} {0}",
    onnx="ArgMin",
    doc="Tell where the smallest entry is; the first one of several.",
    source="Array API standard, argmin.",
    doctest=("tg.argmin(np.array([3.0, 1.0, 2.0]))", "np.int64(1)"),
)


def _any(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    return np.any(x, axis=axis, keepdims=keepdims)


any: OpFunction = zero(
    "any",
    _any,
    is_constant=True,
    shape_rule=reduction_shape_rule("any", _any),
    numpy=np.any,
    method="any",
    kink=np.abs,
    examples=_WITH_EMPTY,
    latex=r"\exists\, {0} \ne 0",
    doc="Tell whether any entry over axes is not zero.",
    source="Array API standard, any.",
    doctest=("tg.any(np.array([0.0, 2.0]))", "np.True_"),
)


def _all(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    return np.all(x, axis=axis, keepdims=keepdims)


all: OpFunction = zero(
    "all",
    _all,
    is_constant=True,
    shape_rule=reduction_shape_rule("all", _all),
    numpy=np.all,
    method="all",
    kink=np.abs,
    examples=_WITH_EMPTY,
    latex=r"\forall\, {0} \ne 0",
    doc="Tell whether all entries over axes are not zero.",
    source="Array API standard, all.",
    doctest=("tg.all(np.array([0.0, 2.0]))", "np.False_"),
)


def _count_nonzero(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    return np.count_nonzero(x, axis=axis, keepdims=keepdims)


count_nonzero: OpFunction = zero(
    "count_nonzero",
    _count_nonzero,
    is_constant=True,
    shape_rule=reduction_shape_rule("count_nonzero", _count_nonzero),
    numpy=np.count_nonzero,
    kink=np.abs,
    examples=_WITH_EMPTY,
    latex=r"\#\left({0} \ne 0\right)",
    doc="Count the entries over axes that are not zero.",
    source="NumPy, count_nonzero.",
    doctest=("int(tg.count_nonzero(np.array([0.0, 2.0])))", "1"),
)
