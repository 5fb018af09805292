"""The table: parts of complex numbers.

The convention is that of autograd and JAX: the gradient of a real function of
z = x + iy is ∂f/∂x - i ∂f/∂y. Holomorphic ops need no conjugate anywhere; these do.
"""

from __future__ import annotations

import numpy as np

from tensorgrad.ops.entry import Example, linear

_ONE = (Example(((3, 4),)),)

real = linear(
    "real",
    lambda x: np.real(x),
    T=lambda g: g,
    numpy=np.real,
    method="real",
    is_layout=True,
    examples=_ONE,
    latex=r"\operatorname{{Re}} {0}",
    doc="Return the real part.",
    source="Array API standard, real.",
    doctest=("tg.real(np.array([1.0 + 2.0j]))", "array([1.])"),
)
