"""The table: ops that pass one of their operands on, entry by entry.

Equal operands of a maximum or minimum share the cotangent equally. On a bound of
`clip` the clipped operand itself is what is passed on, and it gets the whole. An entry
that is NaN in the result passes nothing back.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.core.op import OpFunction
from tensorgrad.errors import ArgumentError, explain
from tensorgrad.ops.compare import (
    equal,
    greater,
    greater_equal,
    isfinite,
    less,
    less_equal,
    logical_and,
    logical_or,
    refuse_complex,
    where,
)
from tensorgrad.ops.complexes import imag, real
from tensorgrad.ops.entry import Example, select

_ONE = (Example(((3, 4),)), Example(((),)), Example(((2, 0),)))
_PAIR = (
    Example(((3, 4), (3, 4))),
    Example(((3, 1), (4,))),
    Example(((), (2, 0))),
    Example(((3, 4), 0.5)),
    Example((0.5, (3, 4))),
)

# ---------------------------------------------------------------- maximum, minimum


def _share(v: Any, x: Any, y: Any, out: Any) -> Any:
    """Return what x gets of v: all where it was taken, half where y is equal."""
    return where(equal(x, out), where(equal(x, y), v * 0.5, v), 0)


def _extreme(name: str, ufunc: np.ufunc, **facts: Any) -> OpFunction:
    """Make the larger or smaller of two operands; complex numbers have no order."""

    def forward(x: Any, y: Any) -> Any:
        refuse_complex(name, x, y)
        return ufunc(x, y)

    return select(
        name,
        forward,
        vjp=(
            lambda g, x, y, out: _share(g, x, y, out),
            lambda g, x, y, out: _share(g, y, x, out),
        ),
        jvp=(
            lambda t, x, y, out: _share(t, x, y, out),
            lambda t, x, y, out: _share(t, y, x, out),
        ),
        numpy=ufunc,
        kink=lambda x, y: np.abs(np.subtract(x, y)),
        examples=_PAIR,
        **facts,
    )


def _larger(x: Any, y: Any) -> Any:
    return np.where(x.real >= y.real, x, y)


def _smaller(x: Any, y: Any) -> Any:
    return np.where(x.real <= y.real, x, y)


maximum = _extreme(
    "maximum",
    np.maximum,
    analytic=_larger,
    latex=r"\max({0}, {1})",
    onnx="Max",
    doc="Take the larger of two entries; NaN where either is NaN.",
    source="Array API standard, maximum.",
    doctest=("tg.maximum(tg.tensor([1.0, 3.0]), 2.0)", "tensor([2., 3.], op=maximum)"),
)

minimum = _extreme(
    "minimum",
    np.minimum,
    analytic=_smaller,
    latex=r"\min({0}, {1})",
    onnx="Min",
    doc="Take the smaller of two entries; NaN where either is NaN.",
    source="Array API standard, minimum.",
    doctest=("tg.minimum(tg.tensor([1.0, 3.0]), 2.0)", "tensor([1., 2.], op=minimum)"),
)

fmax = _extreme(
    "fmax",
    np.fmax,
    analytic=_larger,
    latex=r"\max({0}, {1})",
    doc="Take the larger of two entries, ignoring NaN where the other is a number.",
    source="NumPy reference, fmax.",
    doctest=("tg.fmax(tg.tensor([np.nan, 3.0]), 2.0)", "tensor([2., 3.], op=fmax)"),
)

fmin = _extreme(
    "fmin",
    np.fmin,
    analytic=_smaller,
    latex=r"\min({0}, {1})",
    doc="Take the smaller of two entries, ignoring NaN where the other is a number.",
    source="NumPy reference, fmin.",
    doctest=("tg.fmin(tg.tensor([np.nan, 3.0]), 2.0)", "tensor([2., 2.], op=fmin)"),
)

# -------------------------------------------------------------------------- clip

_NOT_GIVEN: Any = object()


def _clip(x: Any, min: Any, max: Any) -> Any:
    refuse_complex("clip", x, min, max)
    return np.clip(x, min, max)


def _clip_arguments(
    x: Any,
    min: Any = None,
    max: Any = None,
    *,
    a_min: Any = _NOT_GIVEN,
    a_max: Any = _NOT_GIVEN,
) -> tuple[tuple[Any, Any, Any], dict[str, Any]]:
    """Accept NumPy's older names of the bounds."""
    bounds = []
    for name, bound, older in (("min", min, a_min), ("max", max, a_max)):
        if older is not _NOT_GIVEN and bound is not None:
            raise ArgumentError(
                explain(
                    "clip",
                    f"both {name} and a_{name}",
                    "one of the two names of this bound",
                    f"Give {name} alone",
                )
            )
        bounds.append(bound if older is _NOT_GIVEN else older)
    return (x, bounds[0], bounds[1]), {}


def _both(first: Any, second: Any) -> Any:
    """Return the conjunction of two conditions; None stands for no condition."""
    if first is None or second is None:
        return second if first is None else first
    return logical_and(first, second)


def _pass_inside(v: Any, x: Any, min: Any, max: Any) -> Any:
    """Return what x gets of v: all between the bounds and on them."""
    above = None if min is None else greater_equal(x, min)
    below = None if max is None else less_equal(x, max)
    inside = _both(above, below)
    return v if inside is None else where(inside, v, 0)


def _pass_below(v: Any, x: Any, min: Any, max: Any) -> Any:
    """Return what the lower bound gets; nothing where it lies above the upper one."""
    in_order = None if max is None else less_equal(min, max)
    return where(_both(less(x, min), in_order), v, 0)


def _pass_above(v: Any, x: Any, min: Any, max: Any) -> Any:
    """Return what the upper bound gets: it is applied last."""
    is_above = greater(x, max)
    if min is not None:
        is_above = logical_or(is_above, greater(min, max))
    return where(is_above, v, 0)


def _distance_to_bound(x: Any, min: Any = None, max: Any = None) -> Any:
    low = np.inf if min is None else np.abs(np.subtract(x, min))
    high = np.inf if max is None else np.abs(np.subtract(x, max))
    return np.minimum(low, high)


def _holomorphic_clip(x: Any, min: Any = None, max: Any = None) -> Any:
    out = x if min is None else _larger(x, np.asarray(min))
    return out if max is None else _smaller(out, np.asarray(max))


clip = select(
    "clip",
    _clip,
    vjp=(
        lambda g, x, min, max: _pass_inside(g, x, min, max),
        lambda g, x, min, max: _pass_below(g, x, min, max),
        lambda g, x, min, max: _pass_above(g, x, min, max),
    ),
    jvp=(
        lambda t, x, min, max: _pass_inside(t, x, min, max),
        lambda t, x, min, max: _pass_below(t, x, min, max),
        lambda t, x, min, max: _pass_above(t, x, min, max),
    ),
    adapt=_clip_arguments,
    has_optional_operands=True,
    numpy=np.clip,
    method="clip",
    kink=_distance_to_bound,
    analytic=_holomorphic_clip,
    examples=(
        Example(((3, 4), -1.0, 1.0)),
        Example(((3, 4), None, 1.0)),
        Example(((3, 4), -1.0, None)),
        Example(((3, 4), (4,), 3.0)),
        Example(((3, 4), (3, 1), (4,))),
        Example(((3, 4), (4,), None)),
        Example(((3, 4), None, (4,))),
        Example(((3, 4), np.full(4, 2.0), np.full(4, -2.0))),
        Example(((2, 0), -1.0, 1.0)),
    ),
    latex=r"\min(\max({0}, {1}), {2})",
    onnx="Clip",
    doc="Limit entries to an interval; None leaves a side open.",
    notes="The slope is 1 between the bounds and on them. Bounds may be arrays or "
    "Tensors; they get the cotangent where they are the result and x is not equal.",
    source="Array API standard, clip.",
    doctest=(
        "tg.clip(tg.tensor([-2.0, 0.5, 2.0]), -1, 1)",
        "tensor([-1. ,  0.5,  1. ], op=clip)",
    ),
)

# ---------------------------------------------------------------- single entries


def _nan_to_num(
    x: Any,
    copy: bool = True,
    nan: float = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Any:
    # `copy` is in NumPy's signature; values are never written here.
    return np.nan_to_num(x, copy=True, nan=nan, posinf=posinf, neginf=neginf)


def _pass_finite(v: Any, x: Any) -> Any:
    """Return v where x is finite; parts of complex numbers count for themselves."""
    if x.dtype.kind != "c":
        return where(isfinite(x), v, 0)
    re = where(isfinite(real(x)), real(v), 0)
    return re + 1j * where(isfinite(imag(x)), imag(v), 0)


nan_to_num = select(
    "nan_to_num",
    _nan_to_num,
    vjp=lambda g, x: _pass_finite(g, x),
    jvp=lambda t, x: _pass_finite(t, x),
    analytic=lambda x, **_static: np.where(np.isfinite(x), x, 0),
    numpy=np.nan_to_num,
    examples=(
        *_ONE,
        Example(
            (np.array([np.nan, np.inf, -np.inf, 1.0]),),
            {"nan": 2.0, "posinf": 3.0, "neginf": -3.0},
        ),
    ),
    latex=r"{0}",
    doc="Replace NaN and infinities by numbers; the derivative there is zero.",
    notes="A new array in any case: ``copy=False`` does not write to the operand.",
    source="NumPy reference, nan_to_num.",
    doctest=(
        "tg.nan_to_num(tg.tensor([np.nan, 1.0]))",
        "tensor([0., 1.], op=nan_to_num)",
    ),
)

heaviside = select(
    "heaviside",
    np.heaviside,
    vjp=(None, lambda g, x: where(equal(x, 0), g, 0)),
    jvp=(None, lambda t, x: where(equal(x, 0), t, 0)),
    kink=lambda x, y: np.abs(x),
    analytic=lambda x, y: np.where(x.real == 0, y, np.where(x.real < 0, 0, 1)),
    examples=(*_PAIR, Example((np.array([-1.0, 0.0, 2.0]), (3,)))),
    latex=r"\Theta({0})",
    doc="Return 0 for x < 0, 1 for x > 0, and y at 0.",
    notes="The derivative by x is zero, also at the step; y gets what falls on x = 0.",
    source="NumPy reference, heaviside; DLMF 1.16(iv).",
    doctest=(
        "tg.heaviside(tg.tensor([-1.0, 0.0]), 0.5)",
        "tensor([0. , 0.5], op=heaviside)",
    ),
)
