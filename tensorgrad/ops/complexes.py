"""The table: parts of complex numbers.

The convention is that of autograd and JAX: the gradient of a real function of
z = x + iy is ∂f/∂x - i ∂f/∂y. Holomorphic ops need no conjugate anywhere; these do.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.core.op import OpFunction
from tensorgrad.ops.entry import Domain, Example, linear, pointwise

_ONE = (
    Example(((3, 4),)),
    Example((np.array([1.0 + 2.0j, -3.0 - 1.0j]),)),
    Example(((),)),
    Example(((2, 0),)),
)

real = linear(
    "real",
    lambda x: np.real(x),
    T=lambda g: g,
    analytic=lambda x: x,
    numpy=np.real,
    method="real",
    is_layout=True,
    examples=_ONE,
    latex=r"\operatorname{{Re}} {0}",
    doc="Return the real part.",
    source="Array API standard, real.",
    doctest=("tg.real(np.array([1.0 + 2.0j]))", "array([1.])"),
)

imag = linear(
    "imag",
    lambda x: np.imag(x),
    # A real operand has a zero there, whatever it is.
    T=lambda g, x_like: g * (-1j if x_like.dtype.kind == "c" else 0),
    analytic=lambda x: x - x,
    numpy=np.imag,
    is_layout=True,
    examples=_ONE,
    latex=r"\operatorname{{Im}} {0}",
    doc="Return the imaginary part.",
    source="Array API standard, imag.",
    doctest=("tg.imag(np.array([1.0 + 2.0j]))", "array([2.])"),
)

conjugate: OpFunction = linear(
    "conjugate",
    np.conjugate,
    T=lambda g: conjugate(g),
    analytic=lambda x: x,
    method="conj",
    examples=_ONE,
    latex=r"\overline{{{0}}}",
    doc="Change the sign of the imaginary part.",
    notes="Linear over the real numbers.",
    source="Array API standard, conj.",
    doctest=("tg.conjugate(np.array([1.0 + 2.0j]))", "array([1.-2.j])"),
)
conj = conjugate


def _angle_partial(x: Any, deg: bool) -> Any:
    """∂θ/∂x - i ∂θ/∂y = -i/z; a real number keeps its angle, 0 or π."""
    if x.dtype.kind != "c":
        return 0.0
    return (-180j / math.pi if deg else -1j) / x


angle = pointwise(
    "angle",
    lambda x, deg=False: np.angle(x, deg=deg),
    d=lambda x, deg: _angle_partial(x, deg),
    numpy=np.angle,
    domain=Domain(0.5, 4.0),
    is_singular=True,
    analytic=lambda x, deg=False: np.angle(x.real, deg=deg) + 0j,
    examples=(*_ONE, Example((np.array([1.0 + 2.0j, -3.0 - 1.0j]),), {"deg": True})),
    latex=r"\arg {0}",
    doc="Compute the angle of complex numbers, in radians or degrees.",
    source="NumPy reference, angle; DLMF 1.9(i).",
    doctest=("tg.angle(np.array([1.0j]), deg=True)", "array([90.])"),
)
