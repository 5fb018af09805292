"""The table: arithmetic with broadcasting, absolute values and signs, rounding."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.core.op import OpFunction
from tensorgrad.core.pool import POOL_BYTES, take
from tensorgrad.ops.compare import refuse_complex, signbit, where
from tensorgrad.ops.complexes import conjugate
from tensorgrad.ops.entry import Domain, Example, linear, pointwise, select, zero

_PAIR = (Example(((3, 4), (3, 4))), Example(((3, 1), (4,))), Example(((), (2, 0))))
_WITH_SCALAR = (*_PAIR, Example(((3, 4), 2.0)), Example((2.0, (3, 4))))
_ONE = (Example(((3, 4),)), Example(((),)), Example(((2, 0),)))
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
    doctest=(
        "tg.subtract(tg.tensor([1.0, 2.0]), 1.0)",
        "tensor([0., 1.], op=subtract)",
    ),
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
    doctest=(
        "tg.multiply(tg.tensor([1.0, 2.0]), 3.0)",
        "tensor([3., 6.], op=multiply)",
    ),
)


def _product_buffer(x: Any, y: Any) -> Any:
    """Return reused memory for a product of large arrays of one form, or None."""
    if (
        type(x) is np.ndarray
        and type(y) is np.ndarray
        and x.nbytes >= POOL_BYTES
        and x.shape == y.shape
        and x.dtype is y.dtype
        and x.flags.c_contiguous
        and y.flags.c_contiguous
    ):
        return take(x.shape, x.dtype)
    return None


def _annihilating(x: Any, y: Any) -> Any:
    with np.errstate(invalid="ignore", over="ignore"):
        out = np.multiply(x, y, out=_product_buffer(x, y))
        # One pass, no temporary: a NaN or an infinity anywhere shows in the sum.
        total = np.add.reduce(out, axis=None)
    if np.isfinite(total):
        return out
    return np.where(np.equal(x, 0) | np.equal(y, 0), np.zeros_like(out), out)


safe_multiply: OpFunction = linear(
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
    doctest=(
        "tg.safe_multiply(np.zeros(2), np.array([np.inf, 1.0]))",
        "array([0., 0.])",
    ),
)

# ----------------------------------------------------------------------- quotients

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
    doctest=(
        "tg.divide(tg.tensor([1.0, 2.0]), 4.0)",
        "tensor([0.25, 0.5 ], op=divide)",
    ),
)

reciprocal = pointwise(
    "reciprocal",
    np.reciprocal,
    # Not -out * out: a product of infinities is NaN in the second order.
    d=lambda x: -1.0 / (x * x),
    domain=_AWAY_FROM_0,
    is_singular=True,
    examples=_ONE,
    latex=r"\frac{{1}}{{{0}}}",
    onnx="Reciprocal",
    doc="Compute 1/x.",
    source="Array API standard, reciprocal.",
    doctest=("tg.reciprocal(tg.tensor([4.0]))", "tensor([0.25], op=reciprocal)"),
)

# -------------------------------------------------------------- quotients with rest


def _distance_to_multiple(x: Any, y: Any) -> Any:
    rest = np.abs(np.remainder(x, y))
    return np.minimum(rest, np.abs(y) - rest)


remainder = pointwise(
    "remainder",
    np.remainder,
    d=(lambda: 1.0, lambda x, y: -floor_divide(x, y)),
    operator="%",
    domain=(Domain(), _AWAY_FROM_0),
    is_singular=True,
    kink=_distance_to_multiple,
    analytic=lambda x, y: x - y * np.floor(x.real / y.real),
    examples=_WITH_SCALAR,
    latex=r"{0} \bmod {1}",
    doc="Compute the rest of the division that rounds down; its sign is y's.",
    source="Array API standard, remainder.",
    doctest=("tg.remainder(tg.tensor([-7.0]), 3.0)", "tensor([2.], op=remainder)"),
)
mod = remainder

fmod = pointwise(
    "fmod",
    np.fmod,
    d=(lambda: 1.0, lambda x, y: -trunc(divide(x, y))),
    domain=(Domain(), _AWAY_FROM_0),
    is_singular=True,
    kink=_distance_to_multiple,
    analytic=lambda x, y: x - y * np.trunc(x.real / y.real),
    examples=_WITH_SCALAR,
    latex=r"\operatorname{{fmod}}({0}, {1})",
    doc="Compute the rest of the division that rounds towards zero; its sign is x's.",
    source="NumPy reference, fmod.",
    doctest=("tg.fmod(tg.tensor([-7.0]), 3.0)", "tensor([-1.], op=fmod)"),
)

floor_divide: OpFunction = zero(
    "floor_divide",
    np.floor_divide,
    n_operands=2,
    operator="//",
    domain=(Domain(), _AWAY_FROM_0),
    kink=_distance_to_multiple,
    examples=_WITH_SCALAR,
    latex=r"\left\lfloor \frac{{{0}}}{{{1}}} \right\rfloor",
    doc="Divide and round down; the derivative is zero.",
    source="Array API standard, floor_divide.",
    doctest=("tg.floor_divide(tg.tensor([7.0]), 2.0)", "tensor([3.], op=floor_divide)"),
)

# ------------------------------------------------------- absolute values and signs


def _sign(x: Any) -> Any:
    refuse_complex("sign", x)
    return np.sign(x)


sign = zero(
    "sign",
    _sign,
    numpy=np.sign,
    kink=lambda x: np.abs(x),
    examples=_ONE,
    latex=r"\operatorname{{sign}} {0}",
    onnx="Sign",
    doc="Return -1, 0 or 1; the derivative is zero.",
    notes="Complex numbers are refused: z/abs(z) has a derivative, and is written so.",
    source="Array API standard, sign.",
    doctest=("tg.sign(tg.tensor([-2.0, 0.0]))", "tensor([-1.,  0.], op=sign)"),
)


def _absolute_partial(x: Any, out: Any) -> Any:
    if x.dtype.kind != "c":
        return sign(x)
    is_zero = out == 0
    return where(is_zero, 0, conjugate(x) / where(is_zero, 1, out))


absolute = pointwise(
    "absolute",
    np.absolute,
    d=lambda x, out: _absolute_partial(x, out),
    operator="abs",
    kink=lambda x: np.abs(x),
    analytic=lambda x: np.where(x.real < 0, -x, x),
    examples=(*_ONE, Example((np.array([3.0 + 4.0j, -1.0j]),))),
    latex=r"\left| {0} \right|",
    onnx="Abs",
    doc="Return the absolute value, or the modulus of a complex number.",
    notes="The slope at 0 is taken as 0, the middle of the sub-gradients.",
    source="Array API standard, abs.",
    doctest=("tg.absolute(tg.tensor([-2.0]))", "tensor([2.], op=absolute)"),
)
abs = absolute

fabs = pointwise(
    "fabs",
    np.fabs,
    d=lambda x: sign(x),
    kink=lambda x: np.abs(x),
    analytic=lambda x: np.where(x.real < 0, -x, x),
    examples=_ONE,
    latex=r"\left| {0} \right|",
    doc="Return the absolute value of real numbers, as floating numbers.",
    notes="The slope at 0 is taken as 0.",
    source="NumPy reference, fabs.",
    doctest=("tg.fabs(tg.tensor([-2.0]))", "tensor([2.], op=fabs)"),
)


def _with_sign_of(v: Any, x: Any, out: Any) -> Any:
    """Turn v where copysign turned x."""
    return where(signbit(x) == signbit(out), v, -v)


copysign = select(
    "copysign",
    np.copysign,
    vjp=(lambda g, x, out: _with_sign_of(g, x, out), None),
    jvp=(lambda t, x, out: _with_sign_of(t, x, out), None),
    kink=lambda x, y: np.minimum(np.abs(x), np.abs(y)),
    analytic=lambda x, y: np.where(np.signbit(x.real) == np.signbit(y.real), x, -x),
    examples=_WITH_SCALAR,
    latex=r"\left| {0} \right| \operatorname{{sign}} {1}",
    doc="Return x with the sign of y; the derivative by y is zero.",
    source="Array API standard, copysign.",
    doctest=(
        "tg.copysign(tg.tensor([2.0, 3.0]), -1.0)",
        "tensor([-2., -3.], op=copysign)",
    ),
)

# ----------------------------------------------------------------------- rounding


def _distance_to_integer(x: Any) -> Any:
    return np.abs(x - np.rint(x))


def _distance_to_half(x: Any) -> Any:
    return _distance_to_integer(np.asarray(x) + 0.5)


floor = zero(
    "floor",
    np.floor,
    kink=_distance_to_integer,
    examples=_ONE,
    latex=r"\lfloor {0} \rfloor",
    onnx="Floor",
    doc="Round down to an integer; the derivative is zero.",
    source="Array API standard, floor.",
    doctest=("tg.floor(tg.tensor([-1.5]))", "tensor([-2.], op=floor)"),
)

ceil = zero(
    "ceil",
    np.ceil,
    kink=_distance_to_integer,
    examples=_ONE,
    latex=r"\lceil {0} \rceil",
    onnx="Ceil",
    doc="Round up to an integer; the derivative is zero.",
    source="Array API standard, ceil.",
    doctest=("tg.ceil(tg.tensor([-1.5]))", "tensor([-1.], op=ceil)"),
)

trunc: OpFunction = zero(
    "trunc",
    np.trunc,
    kink=_distance_to_integer,
    numpy=np.fix,
    examples=_ONE,
    latex=r"\operatorname{{trunc}} {0}",
    doc="Round towards zero to an integer; the derivative is zero.",
    source="Array API standard, trunc.",
    doctest=("tg.trunc(tg.tensor([-1.5]))", "tensor([-1.], op=trunc)"),
)

rint = zero(
    "rint",
    np.rint,
    kink=_distance_to_half,
    examples=_ONE,
    latex=r"\operatorname{{round}} {0}",
    onnx="Round",
    doc="Round to the nearest integer, halves to even; the derivative is zero.",
    source="Array API standard, round.",
    doctest=("tg.rint(tg.tensor([0.5, 1.5]))", "tensor([0., 2.], op=rint)"),
)

round = zero(
    "round",
    lambda x, decimals=0: np.round(x, decimals),
    kink=lambda x, decimals=0: _distance_to_half(x * 10.0**decimals) / 10.0**decimals,
    numpy=(np.round, np.around),
    method="round",
    examples=(*_ONE, Example(((3, 4),), {"decimals": 1})),
    latex=r"\operatorname{{round}} {0}",
    onnx="Round",
    doc="Round to a number of decimals, halves to even; the derivative is zero.",
    source="Array API standard, round; NumPy reference, round, for decimals.",
    doctest=("tg.round(tg.tensor([1.25]), 1)", "tensor([1.2], op=round)"),
)
around = round
