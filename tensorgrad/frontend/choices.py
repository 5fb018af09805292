"""Compositions that choose: by conditions, by numbers, by parts of a number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad.core.tensor import Tensor
from tensorgrad.errors import ArgumentError, explain
from tensorgrad.frontend.composition import as_operand, implements

__all__ = [
    "apply_along_axis",
    "apply_over_axes",
    "choose",
    "compress",
    "divmod",
    "extract",
    "frexp",
    "ldexp",
    "modf",
    "piecewise",
    "real_if_close",
    "select",
]


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
    at = as_operand(x)
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
    return np.take(as_operand(a), np.flatnonzero(condition), axis=axis)


@implements("extract")
def extract(condition: Any, arr: Any) -> Any:
    """Keep the entries of the flattened array for which a condition holds.

    Examples
    --------
    >>> extract(np.array([True, False, True]), np.arange(3.0))
    array([0., 2.])
    """
    return np.take(as_operand(arr).ravel(), np.flatnonzero(condition))


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
    moved = np.moveaxis(as_operand(arr), axis, -1)
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


@implements("real_if_close")
def real_if_close(a: Any, tol: float = 100) -> Any:
    """Drop imaginary parts if all are close to zero.

    Examples
    --------
    >>> real_if_close([2.0 + 1e-20j])
    array([2.])
    """
    z = as_operand(a)
    if z.dtype.kind != "c":
        return z
    limit = tol * np.finfo(z.dtype).eps if tol > 1 else tol
    return z.real if np.all(np.abs(z.imag) < limit) else z


@implements("apply_over_axes")
def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Any:
    """Apply a reduction along several axes in turn; each stays, with size 1.

    Examples
    --------
    >>> apply_over_axes(np.sum, np.ones((2, 3)), [0, 1])
    array([[6.]])
    """
    value = as_operand(a)
    for axis in np.atleast_1d(axes):
        reduced = func(value, int(axis))
        if np.ndim(reduced) != np.ndim(value):
            reduced = np.expand_dims(reduced, int(axis))
        value = reduced
    return value


@implements("modf")
def modf(x: Any, /) -> Any:
    """Split into the fractional and the integral part, both of the number's sign.

    Examples
    --------
    >>> modf(np.array([1.5, -0.25]))
    (array([ 0.5 , -0.25]), array([ 1., -0.]))
    """
    z = as_operand(x)
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
    z = as_operand(x)
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
    z = as_operand(x1)
    one = np.ones((), z.dtype)
    return z * np.ldexp(one, half) * np.ldexp(one, exponents - half)
