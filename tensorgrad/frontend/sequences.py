"""Compositions along an axis: differences, integrals, filters, interpolation, counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.core.tensor import Tensor
from tensorgrad.errors import ArgumentError, ShapeError, UnsupportedError, explain
from tensorgrad.frontend.composition import as_operand, implements
from tensorgrad.ops import TABLE

__all__ = [
    "bincount",
    "convolve",
    "correlate",
    "cumulative_prod",
    "cumulative_sum",
    "diff",
    "ediff1d",
    "geomspace",
    "gradient",
    "interp",
    "linspace",
    "logspace",
    "polyval",
    "trapezoid",
    "unwrap",
]

_NUMBERS = (bool, int, float, complex)


def _along(x: Any, axis: int, part: slice) -> Any:
    """Return a slice along one axis."""
    return x[(slice(None),) * (axis % x.ndim) + (part,)]


# --------------------------------------------------------------- differences, integrals


@implements("diff")
def diff(
    a: Any,
    n: int = 1,
    axis: int = -1,
    prepend: Any = np._NoValue,
    append: Any = np._NoValue,
) -> Any:
    """Subtract neighbours along an axis, ``n`` times.

    Examples
    --------
    >>> diff(np.array([1.0, 4.0, 9.0]))
    array([3., 5.])
    """
    x = as_operand(a)
    if n < 0:
        raise ArgumentError(
            explain("np.diff", f"n={n}", "n of 0 or more", "Use np.cumsum to go back")
        )
    parts = [x]
    for ends, place in ((prepend, 0), (append, len(parts) + 1)):
        if ends is not np._NoValue:
            more = as_operand(ends)
            if more.ndim == 0:
                shape = [1 if k == axis % x.ndim else m for k, m in enumerate(x.shape)]
                more = np.broadcast_to(more, shape)
            parts.insert(place, more)
    x = parts[0] if len(parts) == 1 else np.concatenate(parts, axis)
    for _ in range(n):
        after, before = (
            _along(x, axis, slice(1, None)),
            _along(x, axis, slice(None, -1)),
        )
        x = after != before if x.dtype == bool else after - before
    return x


@implements("ediff1d")
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Subtract neighbours of the flattened array, with given ends.

    Examples
    --------
    >>> ediff1d(np.array([1.0, 4.0]), to_begin=0.0)
    array([0., 3.])
    """
    inner = diff(as_operand(ary).ravel())
    ends = [e if e is None else as_operand(e).ravel() for e in (to_begin, to_end)]
    for e in ends:
        if e is not None and not np.can_cast(e.dtype, inner.dtype, "same_kind"):
            raise ArgumentError(
                explain(
                    "np.ediff1d",
                    f"an end of dtype {e.dtype}",
                    f"one that fits {inner.dtype}",
                    "Convert the array first",
                )
            )
    parts = [p for p in (ends[0], inner, ends[1]) if p is not None]
    return inner if len(parts) == 1 else np.concatenate(parts).astype(inner.dtype)


@implements("gradient")
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Estimate the slope along axes by second-order differences.

    Examples
    --------
    >>> gradient(np.array([1.0, 4.0, 9.0]))
    array([3., 4., 5.])
    """
    x = as_operand(f)
    x = x.astype(float) if x.dtype.kind in "biu" else x
    axes = range(x.ndim) if axis is None else [k % x.ndim for k in np.atleast_1d(axis)]
    spacings = list(varargs) * len(axes) if len(varargs) == 1 else list(varargs)
    if varargs and len(spacings) != len(axes):
        raise ArgumentError(
            explain(
                "np.gradient",
                f"{len(varargs)} spacings for {len(axes)} axes",
                "none, one, or one for each axis",
                "Give the axis that the spacing belongs to",
            )
        )
    slopes = [
        _slope(x, int(k), spacings[i] if varargs else 1.0, edge_order)
        for i, k in enumerate(axes)
    ]
    is_single = len(axes) == 1 and (
        x.ndim == 1 or (np.ndim(axis) == 0 and axis is not None)
    )
    return slopes[0] if is_single else tuple(slopes)


def _slope(x: Any, axis: int, spacing: Any, edge_order: int) -> Any:
    n = x.shape[axis]
    if edge_order not in (1, 2) or n < edge_order + 1:
        raise ShapeError(
            explain(
                "np.gradient",
                f"an axis of size {n} with edge_order={edge_order}",
                "edge_order 1 or 2, and at least edge_order + 1 entries",
                "Give more points",
            )
        )
    h = as_operand(spacing)
    h = diff(h) if h.ndim else np.broadcast_to(h, (n - 1,))
    if h.shape != (n - 1,):
        raise ShapeError(
            explain(
                "np.gradient",
                f"{h.shape[0] + 1} coordinates for an axis of size {n}",
                "one for each entry",
                "Check the coordinates",
            )
        )
    moved = np.moveaxis(x, axis, -1)
    low, high = h[:-1], h[1:]
    middle = (
        -(high / (low * (low + high))) * moved[..., :-2]
        + ((high - low) / (low * high)) * moved[..., 1:-1]
        + (low / (high * (low + high))) * moved[..., 2:]
    )
    first = _edge(moved, h, edge_order)
    last = -_edge(moved[..., ::-1], h[::-1], edge_order)
    slopes = np.concatenate([first, middle, last], -1)
    if slopes.dtype != x.dtype and slopes.dtype.kind == x.dtype.kind:
        slopes = slopes.astype(x.dtype)
    return np.moveaxis(slopes, -1, axis)


def _edge(x: Any, h: Any, edge_order: int) -> Any:
    """Return the slope at the first entry, from the first two or three."""
    if edge_order == 1:
        return (x[..., 1:2] - x[..., :1]) / h[:1]
    h1, h2 = h[:1], h[1:2]
    return (
        -((2.0 * h1 + h2) / (h1 * (h1 + h2))) * x[..., :1]
        + ((h1 + h2) / (h1 * h2)) * x[..., 1:2]
        - (h1 / (h2 * (h1 + h2))) * x[..., 2:3]
    )


@implements("trapezoid")
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Integrate along an axis by the trapezoidal rule.

    Examples
    --------
    >>> trapezoid(np.array([1.0, 2.0, 3.0]))
    np.float64(4.0)
    """
    values = as_operand(y)
    width = dx
    if x is not None:
        width = diff(x, axis=axis if np.ndim(x) > 1 else -1)
        if width.ndim == 1:
            width = width.reshape(
                [-1 if k == axis % values.ndim else 1 for k in range(values.ndim)]
            )
    after, before = (_along(values, axis, s) for s in (slice(1, None), slice(None, -1)))
    return np.sum(width * (after + before) / 2.0, axis=axis)


@implements("linspace")
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Return numbers at equal distances between two ends.

    Examples
    --------
    >>> linspace(0.0, 1.0, 3)
    array([0. , 0.5, 1. ])
    """
    # Operands that are Python's numbers stay so: they do not widen the other one.
    low, high = (x * 1.0 if isinstance(x, _NUMBERS) else as_operand(x) * 1.0
                 for x in (start, stop))  # fmt: skip
    gaps = num - 1 if endpoint else num
    width = high - low
    real = np.zeros((), getattr(width, "dtype", float)).real.dtype
    fractions = (np.arange(num) / max(gaps, 1)).astype(real)
    column = fractions.reshape((-1,) + (1,) * np.ndim(width))
    points = low + column * width
    if endpoint and num > 1:
        # Exactly the end, as NumPy sees to.
        last = np.broadcast_to(high, points.shape[1:])[None].astype(points.dtype)
        points = np.concatenate([points[:-1], last])
    points = np.moveaxis(points, 0, axis)
    points = points if dtype is None else points.astype(dtype)
    return (points, width / gaps) if retstep else points


@implements("logspace")
def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Return powers of a base, with exponents at equal distances.

    Examples
    --------
    >>> logspace(0.0, 2.0, 3)
    array([  1.,  10., 100.])
    """
    exponents = np.linspace(start, stop, num, endpoint=endpoint, axis=axis)
    if np.ndim(base):
        base = np.expand_dims(base, axis=axis)
    powers = np.power(base, exponents)
    return powers if dtype is None else powers.astype(dtype)


@implements("geomspace")
def geomspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Return numbers at equal ratios between two ends of one sign.

    Examples
    --------
    >>> geomspace(1.0, 4.0, 3)
    array([1., 2., 4.])
    """
    ends = [as_operand(x) for x in (start, stop)]
    # In double, unless a dtype says otherwise, as NumPy does.
    wide = np.result_type(*[x.dtype for x in ends], 1.0, np.zeros((), dtype))
    low, high = (x.astype(wide) for x in ends)
    _check_one_sign(low, high)
    growth = np.exp(np.linspace(0.0, np.log(high / low), num, endpoint=endpoint))
    points = np.moveaxis(low * growth, 0, axis)
    return points if dtype is None else points.astype(dtype)


def _check_one_sign(low: Any, high: Any) -> None:
    is_complex = "c" in (low.dtype.kind, high.dtype.kind)
    if is_complex or not np.all(np.sign(low) * np.sign(high) > 0):
        raise ArgumentError(
            explain(
                "geomspace",
                "ends of different signs, or zero, or complex",
                "two real numbers other than zero, of one sign",
                "Use linspace, or logspace with exponents",
            )
        )


@implements("cumulative_sum")
def cumulative_sum(
    x: Any,
    /,
    *,
    axis: int | None = None,
    dtype: Any = None,
    out: None = None,
    include_initial: bool = False,
) -> Any:
    """Add up along an axis.

    Examples
    --------
    >>> cumulative_sum(np.ones(2), include_initial=True)
    array([0., 1., 2.])
    """
    total = np.cumsum(as_operand(x), axis=axis, dtype=dtype, out=out)
    return (
        _with_initial(total, 0 if axis is None else axis, 0)
        if include_initial
        else total
    )


@implements("cumulative_prod")
def cumulative_prod(
    x: Any,
    /,
    *,
    axis: int | None = None,
    dtype: Any = None,
    out: None = None,
    include_initial: bool = False,
) -> Any:
    """Multiply up along an axis.

    Examples
    --------
    >>> cumulative_prod(np.array([2.0, 3.0]))
    array([2., 6.])
    """
    total = np.cumprod(as_operand(x), axis=axis, dtype=dtype, out=out)
    return (
        _with_initial(total, 0 if axis is None else axis, 1)
        if include_initial
        else total
    )


def _with_initial(x: Any, axis: int, number: int) -> Any:
    shape = tuple(1 if k == axis % x.ndim else n for k, n in enumerate(x.shape))
    return np.concatenate([np.full(shape, number, x.dtype), x], axis)


@implements("bincount")
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """Add up weights by the number that goes with each.

    Examples
    --------
    >>> bincount(np.array([0, 2, 2]), np.array([1.0, 2.0, 3.0]))
    array([1., 0., 5.])
    """
    numbers = x._concrete("np.bincount") if isinstance(x, Tensor) else np.asarray(x)
    if weights is None:
        return np.bincount(numbers, minlength=minlength)
    size = max(int(numbers.max(initial=-1)) + 1, minlength)
    return TABLE["index_add"](_in_double(weights), numbers, shape=(size,), axis=0)


# ------------------------------------------------------------------------------ filters


@implements("convolve")
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """Convolve two vectors.

    Examples
    --------
    >>> convolve(np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    array([1., 3., 2.])
    """
    x, kernel = (as_operand(z).ravel() for z in (a, v))
    if not x.size or not kernel.size or mode not in ("full", "same", "valid"):
        raise ArgumentError(
            explain(
                "np.convolve",
                f"sizes {x.size} and {kernel.size}, mode={mode!r}",
                "vectors with entries, and mode 'full', 'same' or 'valid'",
                "Check the arguments",
            )
        )
    if x.size < kernel.size:
        x, kernel = kernel, x
    n, m = x.size, kernel.size
    zeros = np.zeros(m - 1, x.dtype)
    padded = np.concatenate([zeros, x, zeros])
    full = n + m - 1
    start, stop = {
        "full": (0, full),
        "same": ((m - 1) // 2, (m - 1) // 2 + n),
        "valid": (m - 1, n),
    }[mode]
    windows = np.arange(start, stop)[:, None] + np.arange(m)
    return padded[windows] @ kernel[::-1]


@implements("correlate")
def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """Correlate two vectors: the sums of ``a[n + k] * conj(v[n])``.

    Examples
    --------
    >>> correlate(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0]))
    array([2., 3.])
    """
    x, y = (as_operand(z).ravel() for z in (a, v))
    if mode == "same" and y.size > x.size:
        # NumPy centres on the longer one, as seen from it.
        return np.conjugate(correlate(y, x, mode))[::-1]
    return convolve(x, np.conjugate(y)[::-1], mode)


# ------------------------------------------------------------ interpolation, polynomials


def _in_double(x: Any) -> Any:
    """Return an operand in the precision in which NumPy interpolates."""
    z = as_operand(x)
    dtype = np.result_type(z.dtype, np.float64)
    return z if z.dtype == dtype else z.astype(dtype)


@implements("interp")
def interp(
    x: Any,
    xp: Any,
    fp: Any,
    left: Any = None,
    right: Any = None,
    period: float | None = None,
) -> Any:
    """Interpolate linearly between points; at a point, the slope is that to its right.

    Examples
    --------
    >>> interp(1.5, np.array([1.0, 2.0]), np.array([10.0, 20.0]))
    np.float64(15.0)
    """
    if period is not None:
        raise UnsupportedError(
            explain(
                "np.interp",
                f"period={period} on a Tensor",
                "period left at its default",
                "Reduce x with np.remainder, and repeat a point at either end",
            )
        )
    at, points, values = (_in_double(z) for z in (x, xp, fp))
    known = points._concrete("np.interp") if isinstance(points, Tensor) else points
    place = at._concrete("np.interp") if isinstance(at, Tensor) else at
    if points.shape[0] == 1:
        inside = values[0] + 0 * at
    else:
        i = np.clip(np.searchsorted(known, place, "right") - 1, 0, len(known) - 2)
        slope = (values[i + 1] - values[i]) / (points[i + 1] - points[i])
        inside = values[i] + slope * (at - points[i])
    inside = np.where(place < known[0], values[0] if left is None else left, inside)
    inside = np.where(place >= known[-1], values[-1], inside)
    inside = np.where(place > known[-1], values[-1] if right is None else right, inside)
    return inside[()]


@implements("polyval")
def polyval(p: Any, x: Any) -> Any:
    """Evaluate a polynomial, coefficients from the highest power down.

    Examples
    --------
    >>> polyval(np.array([1.0, 0.0, 2.0]), 3.0)
    np.float64(11.0)
    """
    coefficients, at = as_operand(p), as_operand(x)
    result = np.zeros_like(at)
    for i in range(coefficients.shape[0]):
        result = result * at + coefficients[i]
    return result


@implements("unwrap")
def unwrap(
    p: Any,
    discont: float | None = None,
    axis: int = -1,
    *,
    period: float = 6.283185307179586,
) -> Any:
    """Add multiples of the period, so that neighbours differ by less than its half.

    Examples
    --------
    >>> unwrap(np.array([0.0, 6.0])).round(3)
    array([ 0.   , -0.283])
    """
    x = as_operand(p)
    values = x._concrete("np.unwrap") if isinstance(x, Tensor) else x
    return x + (np.unwrap(values, discont, axis, period=period) - values)
