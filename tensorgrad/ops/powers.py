"""The table: powers and roots."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.core.op import OpFunction
from tensorgrad.ops.arithmetic import safe_multiply
from tensorgrad.ops.compare import equal, where
from tensorgrad.ops.entry import Domain, Example, pointwise
from tensorgrad.ops.exponential import log

_ONE = (Example(((3, 4),)), Example(((),)), Example(((2, 0),)))
_PAIR = (
    Example(((3, 4), (3, 4))),
    Example(((3, 1), (4,))),
    Example(((), (2, 0))),
    Example(((3, 4), 2.0)),
    Example((2.0, (3, 4))),
)
_AWAY_FROM_0 = Domain(0.5, 4.0)


def _power_partial_x(power: Any, x: Any, y: Any) -> Any:
    """Return y x^(y-1); zero for y = 0, whatever x is."""
    if type(y) is int or type(y) is float:
        if y == 0:
            return 0.0
        if y == 1:
            return 1.0
        return y * (x if y == 2 else power(x, y - 1))
    # Safe, for 0 times the infinite 0**-1, and for branches that are not taken.
    return safe_multiply(y, power(x, y - 1))


def _power_partial_y(x: Any, out: Any) -> Any:
    """Return out log x; at x = 0 the logarithm does not count: 0^y stays 0 around y > 0."""
    if type(x) is int or type(x) is float:
        return out * (math.log(x) if x > 0 else math.nan if x < 0 else 0.0)
    return safe_multiply(out, log(where(equal(x, 0), 1, x)))


_POWER_NOTES = (
    "The partial by x is y x**(y - 1), and 0 for y = 0: x**0, 0**1 and 0**2 have finite "
    "slopes, and a negative base may have a whole exponent. The partial by y is "
    "x**y log x, taken as 0 at x = 0 for y >= 0; it is NaN for negative x, where x**y "
    "is not defined around y."
)

power: OpFunction = pointwise(
    "power",
    np.power,
    d=(
        lambda x, y: _power_partial_x(power, x, y),
        lambda x, out: _power_partial_y(x, out),
    ),
    operator="**",
    domain=(_AWAY_FROM_0, Domain(-2.0, 3.0)),
    is_singular=True,
    examples=(
        *_PAIR,
        Example(((3,), 2)),
        Example(((3,), 0)),
        Example(((3,), 1)),
        Example(((3,), -1.5)),
        Example(((3,), np.array([0.0, 1.0, 2.0]))),
    ),
    latex=r"{0}^{{{1}}}",
    onnx="Pow",
    doc="Raise to a power, entry by entry.",
    notes=_POWER_NOTES,
    source="Array API standard, pow; DLMF 4.7(ii).",
    doctest=("tg.power(tg.tensor([2.0, 3.0]), 2)", "tensor([4., 9.], op=power)"),
)
pow = power

float_power: OpFunction = pointwise(
    "float_power",
    np.float_power,
    d=(
        lambda x, y: _power_partial_x(float_power, x, y),
        lambda x, out: _power_partial_y(x, out),
    ),
    domain=(_AWAY_FROM_0, Domain(-2.0, 3.0)),
    is_singular=True,
    examples=(*_PAIR, Example(((3,), 2)), Example(((3,), 0))),
    latex=r"{0}^{{{1}}}",
    doc="Raise to a power in double precision, entry by entry.",
    notes=_POWER_NOTES,
    source="NumPy reference, float_power.",
    doctest=("tg.float_power(np.array([2, 4]), -1)", "array([0.5 , 0.25])"),
)

square = pointwise(
    "square",
    np.square,
    d=lambda x: 2 * x,
    is_singular=True,
    examples=_ONE,
    latex=r"{0}^2",
    doc="Multiply each entry by itself.",
    source="Array API standard, square.",
    doctest=("tg.square(tg.tensor([3.0]))", "tensor([9.], op=square)"),
)

sqrt = pointwise(
    "sqrt",
    np.sqrt,
    d=lambda out: 0.5 / out,
    domain=_AWAY_FROM_0,
    is_singular=True,
    examples=_ONE,
    latex=r"\sqrt{{{0}}}",
    onnx="Sqrt",
    doc="Compute the non-negative square root.",
    notes="The slope at 0 is inf; times an exactly zero cotangent it counts as 0.",
    source="Array API standard, sqrt; DLMF 4.7(ii).",
    doctest=("tg.sqrt(tg.tensor([9.0]))", "tensor([3.], op=sqrt)"),
)


def _holomorphic_cbrt(x: Any) -> Any:
    sign_of_x = np.where(x.real < 0, -1.0, 1.0)
    return sign_of_x * (sign_of_x * x) ** (1.0 / 3.0)


cbrt = pointwise(
    "cbrt",
    np.cbrt,
    d=lambda out: 1.0 / (3.0 * out * out),
    domain=_AWAY_FROM_0,
    is_singular=True,
    analytic=_holomorphic_cbrt,
    examples=_ONE,
    latex=r"\sqrt[3]{{{0}}}",
    doc="Compute the real cube root, also of negative numbers.",
    notes="The slope at 0 is inf.",
    source="NumPy reference, cbrt; DLMF 4.7(ii).",
    doctest=("tg.cbrt(tg.tensor([-8.0]))", "tensor([-2.], op=cbrt)"),
)


def _distance_share(x: Any, out: Any) -> Any:
    """Return x/out, and 0 at the origin."""
    is_zero = equal(out, 0)
    return where(is_zero, 0, x / where(is_zero, 1, out))


hypot = pointwise(
    "hypot",
    np.hypot,
    d=(
        lambda x, out: _distance_share(x, out),
        lambda y, out: _distance_share(y, out),
    ),
    domain=_AWAY_FROM_0,
    kink=lambda x, y: np.hypot(x, y),
    analytic=lambda x, y: np.sqrt(x * x + y * y),
    examples=_PAIR,
    latex=r"\sqrt{{{0}^2 + {1}^2}}",
    doc="Compute the length of the vector (x, y), without overflow on the way.",
    notes="The partials at the origin are taken as 0, as for every norm.",
    source="Array API standard, hypot.",
    doctest=("tg.hypot(tg.tensor([3.0]), 4.0)", "tensor([5.], op=hypot)"),
)
