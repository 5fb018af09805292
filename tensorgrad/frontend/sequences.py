"""Compositions along an axis: differences, integrals, filters, interpolation, choices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad.core.tensor import Tensor
from tensorgrad.errors import ArgumentError, ShapeError, UnsupportedError, explain
from tensorgrad.frontend.composition import implements

__all__ = [
    "apply_along_axis",
    "choose",
    "compress",
    "convolve",
    "correlate",
    "diff",
    "divmod",
    "ediff1d",
    "extract",
    "frexp",
    "gradient",
    "interp",
    "ldexp",
    "modf",
    "piecewise",
    "polyval",
    "select",
    "trapezoid",
    "unwrap",
]


def _as_operand(x: Any) -> Any:
    return x if isinstance(x, Tensor) else np.asanyarray(x)


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
    x = _as_operand(a)
    if n < 0:
        raise ArgumentError(
            explain("np.diff", f"n={n}", "n of 0 or more", "Use np.cumsum to go back")
        )
    parts = [x]
    for ends, place in ((prepend, 0), (append, len(parts) + 1)):
        if ends is not np._NoValue:
            more = _as_operand(ends)
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
    inner = diff(_as_operand(ary).ravel())
    ends = [e if e is None else _as_operand(e).ravel() for e in (to_begin, to_end)]
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
    x = _as_operand(f)
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
    h = _as_operand(spacing)
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
    values = _as_operand(y)
    width = dx
    if x is not None:
        width = diff(x, axis=axis if np.ndim(x) > 1 else -1)
        if width.ndim == 1:
            width = width.reshape(
                [-1 if k == axis % values.ndim else 1 for k in range(values.ndim)]
            )
    after, before = (_along(values, axis, s) for s in (slice(1, None), slice(None, -1)))
    return np.sum(width * (after + before) / 2.0, axis=axis)


# ------------------------------------------------------------------------------ filters


@implements("convolve")
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """Convolve two vectors.

    Examples
    --------
    >>> convolve(np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    array([1., 3., 2.])
    """
    x, kernel = (_as_operand(z).ravel() for z in (a, v))
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
    x, y = (_as_operand(z).ravel() for z in (a, v))
    if mode == "same" and y.size > x.size:
        # NumPy centres on the longer one, as seen from it.
        return np.conjugate(correlate(y, x, mode))[::-1]
    return convolve(x, np.conjugate(y)[::-1], mode)


# ------------------------------------------------------------ interpolation, polynomials


def _in_double(x: Any) -> Any:
    """Return an operand in the precision in which NumPy interpolates."""
    z = _as_operand(x)
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
    coefficients, at = _as_operand(p), _as_operand(x)
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
    x = _as_operand(p)
    values = x._concrete("np.unwrap") if isinstance(x, Tensor) else x
    return x + (np.unwrap(values, discont, axis, period=period) - values)


# ------------------------------------------------------------------------------ choices


@implements("select")
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """Choose, entry by entry, by the first condition that holds.

    Examples
    --------
    >>> x = np.array([-1.0, 2.0])
    >>> select([x < 0, x > 1], [-x, 10 * x])
    array([ 1., 20.])
    """
    if len(condlist) != len(choicelist) or not len(condlist):
        raise ArgumentError(
            explain(
                "np.select",
                f"{len(condlist)} conditions and {len(choicelist)} choices",
                "as many choices as conditions, one or more",
                "Check the lists",
            )
        )
    chosen = default
    for is_met, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        chosen = np.where(is_met, choice, chosen)
    return chosen


@implements("choose")
def choose(
    a: Any, choices: Sequence[Any], out: None = None, mode: str = "raise"
) -> Any:
    """Choose, entry by entry, by the number of the choice.

    Examples
    --------
    >>> choose(np.array([1, 0]), [np.zeros(2), np.ones(2)])
    array([1., 0.])
    """
    numbers = a._concrete("np.choose") if isinstance(a, Tensor) else np.asarray(a)
    n = len(choices)
    if mode == "wrap":
        numbers = numbers % n
    elif mode == "clip":
        numbers = np.clip(numbers, 0, n - 1)
    elif numbers.size and (numbers.min() < 0 or numbers.max() >= n):
        raise ArgumentError(
            explain(
                "np.choose",
                f"numbers from {numbers.min()} to {numbers.max()}",
                f"numbers from 0 to {n - 1}",
                "Use mode='clip' or mode='wrap'",
            )
        )
    chosen = choices[n - 1]
    for i in range(n - 2, -1, -1):
        chosen = np.where(numbers == i, choices[i], chosen)
    if n == 1:
        chosen = np.where(numbers == 0, chosen, chosen)
    return chosen


@implements("piecewise")
def piecewise(
    x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any
) -> Any:
    """Apply functions where their conditions hold; one more is for the rest.

    Examples
    --------
    >>> x = np.array([-1.0, 2.0])
    >>> piecewise(x, [x < 0], [lambda z: -z, lambda z: 10 * z])
    array([ 1., 20.])
    """
    at = _as_operand(x)
    is_single = (
        not isinstance(condlist, (list, tuple)) or np.ndim(condlist[0]) < at.ndim
    )
    conditions = [np.asarray(c, bool) for c in ([condlist] if is_single else condlist)]
    if len(funclist) == len(conditions) + 1:
        conditions.append(~np.any(np.stack(conditions), axis=0))
    if len(funclist) != len(conditions):
        raise ArgumentError(
            explain(
                "np.piecewise",
                f"{len(funclist)} functions for {len(conditions)} conditions",
                "as many, or one more for the rest",
                "Check the lists",
            )
        )
    result = np.zeros_like(at)
    for is_met, piece in zip(conditions, funclist, strict=True):
        if not callable(piece):
            result[is_met] = piece
        elif is_met.any():
            result[is_met] = piece(at[is_met], *args, **kw)
    return result


@implements("compress")
def compress(condition: Any, a: Any, axis: int | None = None, out: None = None) -> Any:
    """Keep the slices along an axis for which a condition holds.

    Examples
    --------
    >>> compress([True, False, True], np.arange(3.0))
    array([0., 2.])
    """
    return np.take(_as_operand(a), np.flatnonzero(condition), axis=axis)


@implements("extract")
def extract(condition: Any, arr: Any) -> Any:
    """Keep the entries of the flattened array for which a condition holds.

    Examples
    --------
    >>> extract(np.array([True, False, True]), np.arange(3.0))
    array([0., 2.])
    """
    return np.take(_as_operand(arr).ravel(), np.flatnonzero(condition))


@implements("apply_along_axis")
def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any
) -> Any:
    """Apply a function of vectors along an axis.

    Examples
    --------
    >>> apply_along_axis(np.sum, 0, np.ones((2, 3)))
    array([2., 2., 2.])
    """
    moved = np.moveaxis(_as_operand(arr), axis, -1)
    lead = moved.shape[:-1]
    lines = moved.reshape(-1, moved.shape[-1])
    results = [func1d(lines[i], *args, **kwargs) for i in range(lines.shape[0])]
    joined = np.stack(results).reshape(lead + np.shape(results[0]))
    added = joined.ndim - len(lead)
    places = range(len(lead), joined.ndim)
    return np.moveaxis(
        joined, list(places), [axis % moved.ndim + k for k in range(added)]
    )


# ----------------------------------------------------------------- parts of numbers


@implements("modf")
def modf(x: Any, /) -> Any:
    """Split into the fractional and the integral part, both of the number's sign.

    Examples
    --------
    >>> modf(np.array([1.5, -0.25]))
    (array([ 0.5 , -0.25]), array([ 1., -0.]))
    """
    z = _as_operand(x)
    whole = np.trunc(z)
    return np.where(np.isinf(z), np.zeros((), z.dtype), z - whole), whole


@implements("divmod")
def divmod(x1: Any, x2: Any, /) -> Any:
    """Divide, rounding down; return the quotient and the rest.

    Examples
    --------
    >>> divmod(np.array([7.0]), 2.0)
    (array([3.]), array([1.]))
    """
    return np.floor_divide(x1, x2), np.remainder(x1, x2)


@implements("frexp")
def frexp(x: Any, /) -> Any:
    """Split into a fraction of size ½ to 1 and a power of two.

    Examples
    --------
    >>> frexp(np.array([3.0]))
    (array([0.75]), array([2], dtype=int32))
    """
    z = _as_operand(x)
    values = z._concrete("np.frexp") if isinstance(z, Tensor) else z
    exponents = np.frexp(values)[1]
    # In two factors: one alone may overflow or be lost below the smallest number.
    half = exponents // 2
    one = np.ones((), z.dtype)
    return z * np.ldexp(one, -half) * np.ldexp(one, half - exponents), exponents


@implements("ldexp")
def ldexp(x1: Any, x2: Any, /) -> Any:
    """Multiply by a power of two.

    Examples
    --------
    >>> ldexp(np.array([3.0]), 2)
    array([12.])
    """
    exponents = x2._concrete("np.ldexp") if isinstance(x2, Tensor) else np.asarray(x2)
    half = exponents // 2
    z = _as_operand(x1)
    one = np.ones((), z.dtype)
    return z * np.ldexp(one, half) * np.ldexp(one, exponents - half)
