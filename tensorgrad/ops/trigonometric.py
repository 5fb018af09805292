"""The table: trigonometric and hyperbolic functions, their inverses, and angles.

Derivatives are written in the form that neither cancels nor overflows early:
``(1 - x)(1 + x)`` for ``1 - x²``, and hypot instead of a sum of squares.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.core.op import OpFunction
from tensorgrad.core.pool import scratch
from tensorgrad.ops.arithmetic import divide
from tensorgrad.ops.compare import where
from tensorgrad.ops.entry import Domain, Example, linear, pointwise
from tensorgrad.ops.powers import hypot, sqrt

_ONE = (Example(((3, 4),)), Example(((),)), Example(((2, 0),)))
_PAIR = (
    Example(((3, 4), (3, 4))),
    Example(((3, 1), (4,))),
    Example(((3,), 0.5)),
    Example(((), (2, 0))),
)
_INSIDE = Domain(-0.9, 0.9)
_DEGREE = math.pi / 180.0

# ------------------------------------------------------------------ trigonometric

sin = pointwise(
    "sin",
    np.sin,
    d=lambda x: cos(x),
    examples=_ONE,
    latex=r"\sin {0}",
    onnx="Sin",
    doc="Compute the sine of angles in radians.",
    source="DLMF 4.14, derivative 4.20.",
    doctest=("tg.sin(tg.tensor([0.0]))", "tensor([0.], op=sin)"),
)

cos: OpFunction = pointwise(
    "cos",
    np.cos,
    d=lambda x: -sin(x),
    examples=_ONE,
    latex=r"\cos {0}",
    onnx="Cos",
    doc="Compute the cosine of angles in radians.",
    source="DLMF 4.14, derivative 4.20.",
    doctest=("tg.cos(tg.tensor([0.0]))", "tensor([1.], op=cos)"),
)

tan = pointwise(
    "tan",
    np.tan,
    d=lambda out: 1.0 + out * out,
    domain=Domain(-1.2, 1.2),
    examples=_ONE,
    latex=r"\tan {0}",
    onnx="Tan",
    doc="Compute the tangent of angles in radians.",
    source="DLMF 4.14, derivative 4.20.",
    doctest=("tg.tan(tg.tensor([0.0]))", "tensor([0.], op=tan)"),
)


def _sinc_slope(x: Any) -> Any:
    """Return sinc'(x) = -π j₁(πx), by its power series where the closed form cancels.

    Seven terms leave less than a rounding error for |πx| < ½; beyond, the closed form
    (cos πx - sinc x)/x loses one digit.
    """
    u = x * math.pi
    is_small = abs(u) < 0.5
    v = where(is_small, u, 0.0)
    w = v * v
    series = 0.0
    for k in range(6, -1, -1):  # Horner, from the last term
        coefficient = 1.0 / (2**k * math.factorial(k) * _odd_factorial(2 * k + 3))
        series = coefficient - w * series
    safe = where(is_small, 1.0, x)
    closed = (cos(safe * math.pi) - sinc(safe)) / safe
    return where(is_small, v * series * -math.pi, closed)


def _odd_factorial(n: int) -> int:
    """Return n!! = n (n - 2) … 1 for odd n."""
    return math.prod(range(1, n + 1, 2))


sinc = pointwise(
    "sinc",
    lambda x: np.sinc(x),
    d=lambda x: _sinc_slope(x),
    numpy=np.sinc,
    examples=(*_ONE, Example((np.array([0.1, -0.05, 0.15]),))),
    latex=r"\frac{{\sin \pi {0}}}{{\pi {0}}}",
    doc="Compute sin(πx)/(πx), which is 1 at 0.",
    source="NumPy reference, sinc; DLMF 10.49(i) and 10.53 for the spherical Bessel "
    "functions j₀ and j₁.",
    doctest=("tg.sinc(tg.tensor([0.0]))", "tensor([1.], op=sinc)"),
)

# ---------------------------------------------------------- inverse trigonometric

arcsin = pointwise(
    "arcsin",
    np.arcsin,
    d=lambda x: 1.0 / sqrt((1.0 - x) * (1.0 + x)),
    domain=_INSIDE,
    is_singular=True,
    examples=_ONE,
    latex=r"\arcsin {0}",
    onnx="Asin",
    doc="Compute the inverse sine, in radians.",
    source="DLMF 4.23, derivative 4.24(ii).",
    doctest=("tg.arcsin(tg.tensor([0.0]))", "tensor([0.], op=arcsin)"),
)
asin = arcsin

arccos = pointwise(
    "arccos",
    np.arccos,
    d=lambda x: -1.0 / sqrt((1.0 - x) * (1.0 + x)),
    domain=_INSIDE,
    is_singular=True,
    examples=_ONE,
    latex=r"\arccos {0}",
    onnx="Acos",
    doc="Compute the inverse cosine, in radians.",
    source="DLMF 4.23, derivative 4.24(ii).",
    doctest=("tg.arccos(tg.tensor([1.0]))", "tensor([0.], op=arccos)"),
)
acos = arccos

arctan = pointwise(
    "arctan",
    np.arctan,
    d=lambda x: 1.0 / (1.0 + x * x),
    examples=_ONE,
    latex=r"\arctan {0}",
    onnx="Atan",
    doc="Compute the inverse tangent, in radians.",
    source="DLMF 4.23, derivative 4.24(ii).",
    doctest=("tg.arctan(tg.tensor([0.0]))", "tensor([0.], op=arctan)"),
)
atan = arctan


def _arctan2_partial(other: Any, x: Any, y: Any) -> Any:
    """Return other / (x² + y²), without squares that overflow or vanish."""
    r = hypot(x, y)
    return divide(other, r) / r


def _holomorphic_arctan2(x: Any, y: Any) -> Any:
    """Return the angle of the real parts, and what the imaginary parts turn it by."""
    along = x * x.real + y * y.real
    across = x * y.real - y * x.real
    return np.arctan2(x.real, y.real) + np.arctan(across / along)


arctan2 = pointwise(
    "arctan2",
    np.arctan2,
    d=(
        lambda x, y: _arctan2_partial(y, x, y),
        lambda x, y: -_arctan2_partial(x, x, y),
    ),
    domain=(Domain(0.5, 4.0), Domain()),
    is_singular=True,
    analytic=_holomorphic_arctan2,
    examples=_PAIR,
    latex=r"\operatorname{{arctan2}}({0}, {1})",
    doc="Compute the angle of the point with ordinate x and abscissa y.",
    notes="NumPy's order of operands: the ordinate comes first. The partials at the "
    "origin do not exist and are NaN, unless the cotangent is zero.",
    source="Array API standard, atan2.",
    doctest=("tg.arctan2(tg.tensor([0.0]), 1.0)", "tensor([0.], op=arctan2)"),
)
atan2 = arctan2

# --------------------------------------------------------------------- hyperbolic

sinh = pointwise(
    "sinh",
    np.sinh,
    d=lambda x: cosh(x),
    is_singular=True,
    examples=_ONE,
    latex=r"\sinh {0}",
    onnx="Sinh",
    doc="Compute the hyperbolic sine.",
    source="DLMF 4.28, derivative 4.34.",
    doctest=("tg.sinh(tg.tensor([0.0]))", "tensor([0.], op=sinh)"),
)

cosh: OpFunction = pointwise(
    "cosh",
    np.cosh,
    d=lambda x: sinh(x),
    is_singular=True,
    examples=_ONE,
    latex=r"\cosh {0}",
    onnx="Cosh",
    doc="Compute the hyperbolic cosine.",
    source="DLMF 4.28, derivative 4.34.",
    doctest=("tg.cosh(tg.tensor([0.0]))", "tensor([1.], op=cosh)"),
)


def _tanh_share(g: Any, out: Any) -> Any:
    share = np.multiply(out, out, out=scratch(out))
    np.subtract(1.0, share, out=share)
    return np.multiply(g, share, out=share)


tanh = pointwise(
    "tanh",
    np.tanh,
    d=lambda out: 1.0 - out * out,
    large_share=_tanh_share,
    examples=_ONE,
    latex=r"\tanh {0}",
    onnx="Tanh",
    doc="Compute the hyperbolic tangent.",
    notes="The derivative 1 - a² is formed from the saved output: accurate in absolute "
    "terms, and in relative terms where a is not close to ±1.",
    source="Notes, section 1; DLMF 4.28, derivative 4.34.",
    doctest=("tg.tanh(tg.tensor([0.0]))", "tensor([0.], op=tanh)"),
)


def _arcsinh_slope(x: Any) -> Any:
    """Return 1/√(1 + x²); hypot keeps the square of a large real x from overflowing."""
    if x.dtype.kind == "c":
        return 1.0 / sqrt(1.0 + x * x)
    return 1.0 / hypot(x, 1.0)


arcsinh = pointwise(
    "arcsinh",
    np.arcsinh,
    d=lambda x: _arcsinh_slope(x),
    examples=_ONE,
    latex=r"\operatorname{{arsinh}} {0}",
    onnx="Asinh",
    doc="Compute the inverse hyperbolic sine.",
    source="DLMF 4.37, derivative 4.38(ii).",
    doctest=("tg.arcsinh(tg.tensor([0.0]))", "tensor([0.], op=arcsinh)"),
)
asinh = arcsinh

arccosh = pointwise(
    "arccosh",
    np.arccosh,
    # Two roots: the product's one would be on the wrong branch for complex x.
    d=lambda x: 1.0 / (sqrt(x - 1.0) * sqrt(x + 1.0)),
    domain=Domain(1.1, 5.0),
    is_singular=True,
    examples=_ONE,
    latex=r"\operatorname{{arcosh}} {0}",
    onnx="Acosh",
    doc="Compute the inverse hyperbolic cosine.",
    source="DLMF 4.37, derivative 4.38(ii).",
    doctest=("tg.arccosh(tg.tensor([1.0]))", "tensor([0.], op=arccosh)"),
)
acosh = arccosh

arctanh = pointwise(
    "arctanh",
    np.arctanh,
    d=lambda x: 1.0 / ((1.0 - x) * (1.0 + x)),
    domain=_INSIDE,
    is_singular=True,
    examples=_ONE,
    latex=r"\operatorname{{artanh}} {0}",
    onnx="Atanh",
    doc="Compute the inverse hyperbolic tangent.",
    source="DLMF 4.37, derivative 4.38(ii).",
    doctest=("tg.arctanh(tg.tensor([0.0]))", "tensor([0.], op=arctanh)"),
)
atanh = arctanh

# ------------------------------------------------------------------------- angles

deg2rad: OpFunction = linear(
    "deg2rad",
    np.deg2rad,
    T=lambda g: deg2rad(g),
    numpy=np.radians,
    analytic=lambda x: x * _DEGREE,
    examples=_ONE,
    latex=r"\tfrac{{\pi}}{{180}} {0}",
    doc="Convert angles from degrees to radians.",
    source="NumPy reference, deg2rad.",
    doctest=("tg.deg2rad(tg.tensor([180.0])) / np.pi", "tensor([1.], op=divide)"),
)
radians = deg2rad

rad2deg: OpFunction = linear(
    "rad2deg",
    np.rad2deg,
    T=lambda g: rad2deg(g),
    numpy=np.degrees,
    analytic=lambda x: x / _DEGREE,
    examples=_ONE,
    latex=r"\tfrac{{180}}{{\pi}} {0}",
    doc="Convert angles from radians to degrees.",
    source="NumPy reference, rad2deg.",
    doctest=("tg.rad2deg(tg.tensor([np.pi]))", "tensor([180.], op=rad2deg)"),
)
degrees = rad2deg
