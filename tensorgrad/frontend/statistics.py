"""Compositions of statistics: averages, order statistics, and those that skip NaN."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad._typing import Axis, Shape
from tensorgrad.core.aval import Aval
from tensorgrad.core.tensor import Tensor
from tensorgrad.errors import ArgumentError, ShapeError, UnsupportedError, explain
from tensorgrad.frontend.arranging import atleast_2d
from tensorgrad.frontend.composition import as_operand, implements

__all__ = [
    "average",
    "corrcoef",
    "cov",
    "median",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmedian",
    "nanmin",
    "nanpercentile",
    "nanprod",
    "nanquantile",
    "nanstd",
    "nansum",
    "nanvar",
    "percentile",
    "quantile",
]


def _is_flag(x: Any) -> bool:
    """Tell whether an optional flag was given and set."""
    return x is not np._NoValue and bool(x)


# ------------------------------------------------------------------- weighted averages


@implements("average")
def average(
    a: Any,
    axis: Axis = None,
    weights: Any = None,
    returned: bool = False,
    *,
    keepdims: Any = np._NoValue,
) -> Any:
    """Average over axes, with weights.

    Raises
    ------
    ArgumentError
        If weights add up to zero.

    Examples
    --------
    >>> average(np.array([1.0, 4.0]), weights=[2.0, 1.0])
    np.float64(2.0)
    """
    x = as_operand(a)
    keeps = _is_flag(keepdims)
    if weights is None:
        mean = np.mean(x, axis=axis, keepdims=keeps)
        count = x.size // max(mean.size, 1)
        total = np.full(mean.shape, count, mean.dtype)[()]
        return (mean, total) if returned else mean
    w = _spread_weights(as_operand(weights), x.shape, axis)
    total = np.sum(w, axis=axis, keepdims=keeps)
    value = total._value if isinstance(total, Tensor) else total
    if not isinstance(value, Aval) and np.any(value == 0):
        raise ArgumentError(
            explain(
                "np.average",
                "weights that add up to zero",
                "a sum by which one can divide",
                "Check the weights",
            )
        )
    mean = np.sum(x * w, axis=axis, keepdims=keeps) / total
    if not returned:
        return mean
    return mean, total if total.shape == mean.shape else np.broadcast_to(
        total, mean.shape
    )


def _spread_weights(w: Any, shape: Shape, axis: Axis) -> Any:
    """Return weights in the shape of the data: given in it, or along the axes."""
    if w.shape == shape:
        return w
    ndim = len(shape)
    axes = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    axes = tuple(k % ndim for k in axes)
    if w.shape != tuple(shape[k] for k in axes):
        raise ShapeError(
            explain(
                "np.average",
                f"weights of shape {w.shape} for data of shape {shape}, axis={axis}",
                "weights of the data's shape, or of its sizes along the axes",
                "Give the axis that the weights belong to",
            )
        )
    w = w.transpose(tuple(int(k) for k in np.argsort(axes)))
    return np.broadcast_to(
        w.reshape(tuple(n if k in axes else 1 for k, n in enumerate(shape))), shape
    )


@implements("cov")
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """Estimate the covariance matrix of variables in rows.

    Examples
    --------
    >>> cov(np.array([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    rows = _variables(m, rowvar)
    if y is not None:
        rows = np.concatenate([rows, _variables(y, rowvar)], axis=0)
    wanted = np.result_type(rows.dtype, np.float64) if dtype is None else dtype
    if rows.dtype != wanted:
        rows = rows.astype(wanted)
    lost = (0 if bias else 1) if ddof is None else ddof
    w = None if fweights is None else as_operand(fweights)
    if aweights is not None:
        w = as_operand(aweights) if w is None else w * aweights
    if w is None:
        total: Any = rows.shape[1]
        deviations = rows - np.mean(rows, axis=1, keepdims=True)
        weighted = deviations
    else:
        total = np.sum(w)
        deviations = rows - (np.sum(rows * w, axis=1) / total)[:, None]
        weighted = deviations * w
    if lost and aweights is not None:
        lost = lost * np.sum(w * aweights) / total
    return np.squeeze(weighted @ np.conjugate(deviations).T / (total - lost))


def _variables(m: Any, rowvar: bool) -> Any:
    x = as_operand(m)
    rows = atleast_2d(x)
    return rows.T if not rowvar and x.ndim != 1 else rows


@implements("corrcoef")
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """Estimate the correlation coefficients of variables in rows.

    Examples
    --------
    >>> corrcoef(np.array([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]])).round(12)
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    deviation = np.sqrt(np.real(np.diagonal(c)))
    scaled = c / deviation[:, None] / deviation[None, :]
    # Rounding may leave [-1, 1], as in NumPy.
    return scaled if c.dtype.kind == "c" else np.clip(scaled, -1, 1)


# ------------------------------------------------------------------- order statistics


@implements("median")
def median(
    a: Any,
    axis: Axis = None,
    out: None = None,
    overwrite_input: bool = False,
    keepdims: bool = False,
) -> Any:
    """Take the middle entry over axes, or the mean of the two in the middle.

    Examples
    --------
    >>> median(np.array([4.0, 1.0, 2.0]))
    np.float64(2.0)
    """
    return quantile(a, 0.5, axis, out, keepdims=keepdims)


@implements("quantile")
def quantile(
    a: Any,
    q: Any,
    axis: Axis = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
) -> Any:
    """Interpolate linearly among the sorted entries, at fractions of their number.

    Examples
    --------
    >>> quantile(np.array([1.0, 2.0, 4.0]), 0.75)
    np.float64(3.0)
    """
    _only_default("np.quantile", out=out is None, method=method == "linear")
    x, fractions = as_operand(a), as_operand(q)
    lines = _on_last_axis(x, axis)
    n = lines.shape[-1]
    at = fractions * (n - 1.0)
    values = at._concrete("np.quantile") if isinstance(at, Tensor) else np.asarray(at)
    if np.any(values < 0) or np.any(values > n - 1):
        raise ArgumentError(
            explain("np.quantile", f"q={q}", "fractions from 0 to 1", "Divide by 100")
        )
    low = np.floor(values).astype(int)
    high = np.minimum(low + 1, n - 1)
    ordered = np.sort(lines, axis=-1)
    below, above = ordered[..., low], ordered[..., high]
    part = at - low
    if type(q) in (int, float) and lines.dtype.kind == "f":
        # A plain number does not widen the result.
        part = np.asarray(part, lines.dtype)
    found = below + (above - below) * part
    # NaN sorts to the end; it makes the result NaN wherever it lies.
    is_nan = np.isnan(ordered[..., -1]).reshape(
        found.shape[: lines.ndim - 1] + (1,) * low.ndim
    )
    if np.any(is_nan):
        found = np.where(is_nan, np.nan, found)
    places = tuple(range(lines.ndim - 1))
    found = found.transpose((*range(lines.ndim - 1, found.ndim), *places))
    if not keepdims:
        return found[()]
    axes = range(x.ndim) if axis is None else np.atleast_1d(axis) % x.ndim
    kept = tuple(1 if k in axes else size for k, size in enumerate(x.shape))
    return found.reshape(low.shape + kept)


def _on_last_axis(x: Any, axis: Axis) -> Any:
    """Return the array with the given axes joined into one, at the end."""
    if axis is None:
        return x.ravel()
    given = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
    axes = [k % x.ndim for k in given]
    rest = [k for k in range(x.ndim) if k not in axes]
    moved = x.transpose((*rest, *axes))
    return moved.reshape((*[x.shape[k] for k in rest], -1))


@implements("percentile")
def percentile(
    a: Any,
    q: Any,
    axis: Axis = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
) -> Any:
    """Interpolate linearly among the sorted entries, at percentages of their number.

    Examples
    --------
    >>> percentile(np.array([1.0, 2.0, 4.0]), 75)
    np.float64(3.0)
    """
    fractions = q / 100.0 if type(q) in (int, float) else as_operand(q) / 100.0
    return quantile(a, fractions, axis, out, method=method, keepdims=keepdims)


def _only_default(name: str, **is_default: bool) -> None:
    for option, is_met in is_default.items():
        if not is_met:
            raise UnsupportedError(
                explain(
                    name,
                    f"{option} on a Tensor",
                    f"{option} left at its default",
                    "Write it as a composition of supported functions",
                )
            )


# ------------------------------------------------------------------- NaN left out


def _filled(a: Any, neutral: float) -> tuple[Any, Any]:
    """Return the data with NaN replaced, and where there was none."""
    x = as_operand(a)
    is_there = ~np.isnan(x)
    return (np.where(is_there, x, np.asarray(neutral, x.dtype)), is_there)


@implements("nanquantile")
def nanquantile(
    a: Any,
    q: Any,
    axis: Axis = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
) -> Any:
    """Interpolate linearly among the sorted entries that are not NaN.

    Examples
    --------
    >>> nanquantile(np.array([1.0, np.nan, 2.0]), 0.5)
    np.float64(1.5)
    """
    _only_default("np.nanquantile", out=out is None, method=method == "linear")
    x = as_operand(a)
    if np.ndim(q):
        parts = [nanquantile(x, f, axis, keepdims=keepdims) for f in as_operand(q)]
        return np.stack(parts)
    lines = np.sort(_on_last_axis(x, axis), axis=-1)  # NaN sorts to the end
    count = np.sum(~np.isnan(lines), axis=-1, keepdims=True)
    last = np.maximum(count - 1, 0)
    at = q * last.astype(lines.dtype)
    low = np.asarray(np.floor(at._value if isinstance(at, Tensor) else at), int)
    below = np.take_along_axis(lines, low, axis=-1)
    above = np.take_along_axis(lines, np.minimum(low + 1, last), axis=-1)
    part = at - low.astype(lines.dtype)
    found = (below + (above - below) * part)[..., 0][()]
    if not keepdims:
        return found
    axes = range(x.ndim) if axis is None else np.atleast_1d(axis) % x.ndim
    return found.reshape([1 if k in axes else n for k, n in enumerate(x.shape)])


@implements("nanpercentile")
def nanpercentile(
    a: Any,
    q: Any,
    axis: Axis = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
) -> Any:
    """Interpolate linearly among the sorted entries that are not NaN, at percentages.

    Examples
    --------
    >>> nanpercentile(np.array([1.0, np.nan, 2.0]), 50)
    np.float64(1.5)
    """
    fractions = q / 100.0 if type(q) in (int, float) else as_operand(q) / 100.0
    return nanquantile(a, fractions, axis, out, method=method, keepdims=keepdims)


@implements("nanmedian")
def nanmedian(
    a: Any,
    axis: Axis = None,
    out: None = None,
    overwrite_input: bool = False,
    keepdims: bool = False,
) -> Any:
    """Take the middle entry of those that are not NaN, or the mean of the two there.

    Examples
    --------
    >>> nanmedian(np.array([4.0, np.nan, 2.0]))
    np.float64(3.0)
    """
    return nanquantile(a, 0.5, axis, out, keepdims=keepdims)


@implements("nansum")
def nansum(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: Any = np._NoValue,
) -> Any:
    """Sum over axes what is not NaN.

    Examples
    --------
    >>> nansum(np.array([1.0, np.nan]))
    np.float64(1.0)
    """
    x, _ = _filled(a, 0.0)
    return np.sum(x, axis=axis, dtype=dtype, out=out, keepdims=_is_flag(keepdims))


@implements("nanprod")
def nanprod(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: Any = np._NoValue,
) -> Any:
    """Multiply over axes what is not NaN.

    Examples
    --------
    >>> nanprod(np.array([2.0, np.nan]))
    np.float64(2.0)
    """
    x, _ = _filled(a, 1.0)
    return np.prod(x, axis=axis, dtype=dtype, out=out, keepdims=_is_flag(keepdims))


@implements("nancumsum")
def nancumsum(
    a: Any, axis: int | None = None, dtype: Any = None, out: None = None
) -> Any:
    """Add up along an axis, NaN counting as zero.

    Examples
    --------
    >>> nancumsum(np.array([1.0, np.nan, 2.0]))
    array([1., 1., 3.])
    """
    return np.cumsum(_filled(a, 0.0)[0], axis=axis, dtype=dtype, out=out)


@implements("nancumprod")
def nancumprod(
    a: Any, axis: int | None = None, dtype: Any = None, out: None = None
) -> Any:
    """Multiply up along an axis, NaN counting as one.

    Examples
    --------
    >>> nancumprod(np.array([2.0, np.nan, 3.0]))
    array([2., 2., 6.])
    """
    return np.cumprod(_filled(a, 1.0)[0], axis=axis, dtype=dtype, out=out)


@implements("nanmax")
def nanmax(
    a: Any,
    axis: Axis = None,
    out: None = None,
    keepdims: Any = np._NoValue,
) -> Any:
    """Take the largest entry over axes that is not NaN; NaN where all are.

    Examples
    --------
    >>> nanmax(np.array([1.0, np.nan]))
    np.float64(1.0)
    """
    x, is_there = _filled(a, -np.inf)
    largest = np.max(x, axis=axis, out=out, keepdims=_is_flag(keepdims))
    return _nan_where_none(largest, is_there, axis, _is_flag(keepdims))


@implements("nanmin")
def nanmin(
    a: Any,
    axis: Axis = None,
    out: None = None,
    keepdims: Any = np._NoValue,
) -> Any:
    """Take the smallest entry over axes that is not NaN; NaN where all are.

    Examples
    --------
    >>> nanmin(np.array([1.0, np.nan]))
    np.float64(1.0)
    """
    x, is_there = _filled(a, np.inf)
    smallest = np.min(x, axis=axis, out=out, keepdims=_is_flag(keepdims))
    return _nan_where_none(smallest, is_there, axis, _is_flag(keepdims))


def _nan_where_none(found: Any, is_there: Any, axis: Axis, keepdims: bool) -> Any:
    is_any = np.any(is_there, axis=axis, keepdims=keepdims)
    return found if np.all(is_any) else np.where(is_any, found, np.nan)[()]


@implements("nanmean")
def nanmean(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: Any = np._NoValue,
) -> Any:
    """Average over axes what is not NaN.

    Examples
    --------
    >>> nanmean(np.array([1.0, np.nan, 3.0]))
    np.float64(2.0)
    """
    _only_default("np.nanmean", out=out is None)
    x, is_there = _filled(a, 0.0)
    total = np.sum(x, axis=axis, dtype=dtype, keepdims=_is_flag(keepdims))
    count = np.sum(is_there, axis=axis, keepdims=_is_flag(keepdims))
    return total / count.astype(total.dtype)


@implements("nanvar")
def nanvar(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: int = 0,
    keepdims: Any = np._NoValue,
) -> Any:
    """Compute the variance over axes of what is not NaN.

    Examples
    --------
    >>> nanvar(np.array([1.0, np.nan, 3.0]))
    np.float64(1.0)
    """
    _only_default("np.nanvar", out=out is None)
    x, is_there = _filled(a, 0.0)
    if dtype is not None:
        x = x.astype(dtype)
    count = np.sum(is_there, axis=axis, keepdims=True).astype(x.dtype)
    mean = np.sum(x, axis=axis, keepdims=True) / count
    deviation = np.where(is_there, x - mean, np.zeros((), x.dtype))
    squares = np.real(deviation * np.conjugate(deviation))
    total = np.sum(squares, axis=axis, keepdims=_is_flag(keepdims))
    return total / np.real(count.reshape(total.shape) - ddof)


@implements("nanstd")
def nanstd(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: int = 0,
    keepdims: Any = np._NoValue,
) -> Any:
    """Compute the standard deviation over axes of what is not NaN.

    Examples
    --------
    >>> nanstd(np.array([1.0, np.nan, 3.0]))
    np.float64(1.0)
    """
    return np.sqrt(nanvar(a, axis, dtype, out, ddof, keepdims))
