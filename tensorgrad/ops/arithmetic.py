"""The table: arithmetic with broadcasting, and powers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.ops.entry import Domain, Example, linear, pointwise, zero

_PAIR = (Example(((3, 4), (3, 4))), Example(((3, 1), (4,))), Example(((), (2, 0))))
_AWAY_FROM_0 = Domain(0.5, 4.0)

# ---------------------------------------------------------------------------- linear

add = linear(
    "add",
    np.add,
    T=(lambda g: g, lambda g: g),
    operator="+",
    examples=_PAIR,
    latex="{0} + {1}",
    onnx="Add",
    doc="Add, entry by entry.",
    source="Array API standard, add.",
    doctest=("tg.add(tg.tensor([1.0, 2.0]), 1.0)", "tensor([2., 3.], op=add)"),
)

subtract = linear(
    "subtract",
    np.subtract,
    T=(lambda g: g, lambda g: -g),
    operator="-",
    examples=_PAIR,
    latex="{0} - {1}",
    onnx="Sub",
    doc="Subtract, entry by entry.",
    source="Array API standard, subtract.",
    doctest=("tg.subtract(tg.tensor([1.0, 2.0]), 1.0)", "tensor([0., 1.], op=subtract)"),
)

negative = linear(
    "negative",
    np.negative,
    T=lambda g: -g,
    operator="-",
    examples=(Example(((3, 4),)),),
    latex="-{0}",
    onnx="Neg",
    doc="Change the sign.",
    source="Array API standard, negative.",
    doctest=("tg.negative(tg.tensor([1.0]))", "tensor([-1.], op=negative)"),
)

positive = linear(
    "positive",
    np.positive,
    T=lambda g: g,
    operator="+",
    examples=(Example(((3,),)),),
    latex="{0}",
    onnx="Identity",
    doc="Return a copy, sign unchanged.",
    source="Array API standard, positive.",
    doctest=("tg.positive(tg.tensor([1.0]))", "tensor([1.], op=positive)"),
)

multiply = linear(
    "multiply",
    np.multiply,
    T=(lambda g, y: g * y, lambda g, x: g * x),
    operator="*",
    examples=_PAIR,
    latex=r"{0} \odot {1}",
    onnx="Mul",
    doc="Multiply, entry by entry.",
    source="Array API standard, multiply.",
    doctest=("tg.multiply(tg.tensor([1.0, 2.0]), 3.0)", "tensor([3., 6.], op=multiply)"),
)


def _annihilating(x: Any, y: Any) -> Any:
    out = np.multiply(x, y)
    return np.where(np.equal(x, 0) | np.equal(y, 0), np.zeros_like(out), out)


safe_multiply = linear(
    "safe_multiply",
    _annihilating,
    T=(lambda g, y: safe_multiply(g, y), lambda g, x: safe_multiply(g, x)),
    examples=_PAIR,
    latex=r"{0} \odot {1}",
    onnx="Mul",
    doc="Multiply, entry by entry; an exact zero times infinity or NaN is zero.",
    notes="Rules with a singular partial use it, so that a dead branch stays dead "
    "in derivatives of any order.",
    source="Dead branches of where: JAX documentation, FAQ.",
    doctest=("tg.safe_multiply(np.zeros(2), np.array([np.inf, 1.0]))", "array([0., 0.])"),
)

# ------------------------------------------------------------- quotients and powers

divide = pointwise(
    "divide",
    np.divide,
    d=(lambda y: 1.0 / y, lambda y, out: -out / y),
    operator="/",
    domain=(Domain(), _AWAY_FROM_0),
    is_singular=True,
    examples=_PAIR,
    latex=r"\frac{{{0}}}{{{1}}}",
    onnx="Div",
    doc="Divide, entry by entry.",
    source="Array API standard, divide.",
    doctest=("tg.divide(tg.tensor([1.0, 2.0]), 4.0)", "tensor([0.25, 0.5 ], op=divide)"),
)
