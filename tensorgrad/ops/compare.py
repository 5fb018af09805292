"""The table: comparisons, tests of entries, logic, and the choice by a condition.

Results of comparisons are constants: plain boolean arrays when eager, abstract
boolean Tensors under capture. `where` is how a program chooses by value; the entries
that were not chosen get a zero cotangent whatever the other branch's values are, NaN
and infinity included, since the cotangent is selected and not multiplied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.core import pool
from tensorgrad.core.aval import Aval
from tensorgrad.core.op import OpFunction
from tensorgrad.errors import ArgumentError, DTypeError, TensorgradError, explain
from tensorgrad.ops.entry import Example, select, zero
from tensorgrad.ops.shapes import broadcast_shapes, shape_of

_PAIR = (Example(((3, 4), (3, 4))), Example(((3, 1), (4,))), Example(((), (2, 0))))
_ONE = (Example(((3, 4),)), Example(((),)), Example(((2, 0),)))
_BOOLS = (
    Example((np.array([True, False]), np.array([[True], [False]]))),
    Example((np.bool_(1), np.zeros((2, 0), bool))),
)
_INTEGERS = (*_BOOLS, Example((np.array([5, 3]), 6)))


def refuse_complex(name: str, *operands: Any) -> None:
    """Raise for complex operands of an op that needs an order among numbers."""
    for x in operands:
        if (
            isinstance(x, complex)
            or getattr(getattr(x, "dtype", None), "kind", "") == "c"
        ):
            raise DTypeError(
                explain(
                    name,
                    f"a complex operand ({getattr(x, 'dtype', 'complex')})",
                    "real numbers, since complex ones have no order",
                    "Take .real, .imag or abs first",
                )
            )


# ------------------------------------------------------------------------- order


def _ordering(name: str, ufunc: np.ufunc, **facts: Any) -> OpFunction:
    """Make a comparison by order; NumPy would compare complex numbers part by part."""

    def forward(x: Any, y: Any) -> Any:
        refuse_complex(name, x, y)
        return ufunc(x, y)

    return zero(
        name,
        forward,
        n_operands=2,
        is_constant=True,
        numpy=ufunc,
        examples=_PAIR,
        source=f"Array API standard, {name}.",
        **facts,
    )


greater = _ordering(
    "greater",
    np.greater,
    operator=">",
    latex="{0} > {1}",
    onnx="Greater",
    doc="Tell where the first operand is larger.",
    doctest=("tg.greater(tg.tensor([1.0, 2.0]), 1.5)", "array([False,  True])"),
)

greater_equal = _ordering(
    "greater_equal",
    np.greater_equal,
    operator=">=",
    latex=r"{0} \ge {1}",
    onnx="GreaterOrEqual",
    doc="Tell where the first operand is larger or equal.",
    doctest=("tg.greater_equal(tg.tensor([1.0, 2.0]), 2.0)", "array([False,  True])"),
)

less = _ordering(
    "less",
    np.less,
    operator="<",
    latex="{0} < {1}",
    onnx="Less",
    doc="Tell where the first operand is smaller.",
    doctest=("tg.less(tg.tensor([1.0, 2.0]), 1.5)", "array([ True, False])"),
)

less_equal = _ordering(
    "less_equal",
    np.less_equal,
    operator="<=",
    latex=r"{0} \le {1}",
    onnx="LessOrEqual",
    doc="Tell where the first operand is smaller or equal.",
    doctest=("tg.less_equal(tg.tensor([1.0, 2.0]), 1.0)", "array([ True, False])"),
)

# ---------------------------------------------------------------------- equality

equal = zero(
    "equal",
    np.equal,
    n_operands=2,
    is_constant=True,
    operator="==",
    examples=_PAIR,
    latex="{0} = {1}",
    onnx="Equal",
    doc="Tell where the operands are equal.",
    source="Array API standard, equal.",
    doctest=("tg.equal(tg.tensor([1.0, 2.0]), 2.0)", "array([False,  True])"),
)

not_equal = zero(
    "not_equal",
    np.not_equal,
    n_operands=2,
    is_constant=True,
    operator="!=",
    examples=_PAIR,
    latex=r"{0} \ne {1}",
    doc="Tell where the operands differ.",
    source="Array API standard, not_equal.",
    doctest=("tg.not_equal(tg.tensor([1.0, 2.0]), 2.0)", "array([ True, False])"),
)


def _isclose(
    x: Any, y: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Any:
    return np.isclose(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan)


isclose = zero(
    "isclose",
    _isclose,
    n_operands=2,
    is_constant=True,
    numpy=np.isclose,
    examples=(*_PAIR, Example(((3,), (3,)), {"atol": 1.0})),
    latex=r"{0} \approx {1}",
    doc="Tell where the operands differ by less than a tolerance.",
    notes="The tolerance is ``atol + rtol * abs(y)``: the second operand is the "
    "reference.",
    source="NumPy reference, isclose.",
    doctest=("tg.isclose(tg.tensor([1.0, 2.0]), 2.0)", "array([False,  True])"),
)


def _allclose(
    x: Any, y: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Any:
    return np.allclose(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan)


def _one_bool(name: str) -> Callable[..., Aval]:
    """Make the shape rule of a test with one answer for whole arrays."""

    def rule(x: Any, y: Any, **_static: Any) -> Aval:
        broadcast_shapes(name, shape_of(x), shape_of(y))
        return Aval((), np.dtype(bool))

    return rule


allclose = zero(
    "allclose",
    _allclose,
    n_operands=2,
    is_constant=True,
    shape_rule=_one_bool("allclose"),
    numpy=np.allclose,
    examples=_PAIR,
    latex=r"\forall\; {0} \approx {1}",
    doc="Tell whether all entries differ by less than a tolerance.",
    source="NumPy reference, allclose.",
    doctest=("tg.allclose(tg.tensor([1.0, 2.0]), [1.0, 2.0])", "True"),
)


def _array_equal(x: Any, y: Any, equal_nan: bool = False) -> Any:
    return np.array_equal(x, y, equal_nan=equal_nan)


array_equal = zero(
    "array_equal",
    _array_equal,
    n_operands=2,
    is_constant=True,
    shape_rule=lambda x, y, equal_nan: Aval((), np.dtype(bool)),
    numpy=np.array_equal,
    examples=_PAIR,
    latex=r"\forall\; {0} = {1}",
    doc="Tell whether two arrays have one shape and equal entries.",
    source="NumPy reference, array_equal.",
    doctest=("tg.array_equal(tg.tensor([1.0, 2.0]), [1.0, 2.0])", "True"),
)

# ------------------------------------------------------------- tests of an entry

isnan = zero(
    "isnan",
    np.isnan,
    is_constant=True,
    examples=_ONE,
    latex=r"\operatorname{{isnan}} {0}",
    onnx="IsNaN",
    doc="Tell which entries are NaN.",
    source="Array API standard, isnan.",
    doctest=("tg.isnan(tg.tensor([1.0, np.nan]))", "array([False,  True])"),
)

isinf = zero(
    "isinf",
    np.isinf,
    is_constant=True,
    examples=_ONE,
    latex=r"\operatorname{{isinf}} {0}",
    onnx="IsInf",
    doc="Tell which entries are infinite.",
    source="Array API standard, isinf.",
    doctest=("tg.isinf(tg.tensor([1.0, np.inf]))", "array([False,  True])"),
)

isfinite = zero(
    "isfinite",
    np.isfinite,
    is_constant=True,
    examples=_ONE,
    latex=r"\operatorname{{isfinite}} {0}",
    doc="Tell which entries are neither infinite nor NaN.",
    source="Array API standard, isfinite.",
    doctest=("tg.isfinite(tg.tensor([1.0, np.inf]))", "array([ True, False])"),
)

isposinf = zero(
    "isposinf",
    lambda x: np.isposinf(x),
    is_constant=True,
    numpy=np.isposinf,
    examples=_ONE,
    latex=r"{0} = +\infty",
    doc="Tell which entries are positive infinity.",
    source="NumPy reference, isposinf.",
    doctest=("tg.isposinf(tg.tensor([-np.inf, np.inf]))", "array([False,  True])"),
)

isneginf = zero(
    "isneginf",
    lambda x: np.isneginf(x),
    is_constant=True,
    numpy=np.isneginf,
    examples=_ONE,
    latex=r"{0} = -\infty",
    doc="Tell which entries are negative infinity.",
    source="NumPy reference, isneginf.",
    doctest=("tg.isneginf(tg.tensor([-np.inf, np.inf]))", "array([ True, False])"),
)

signbit = zero(
    "signbit",
    np.signbit,
    is_constant=True,
    examples=_ONE,
    latex=r"\operatorname{{signbit}} {0}",
    doc="Tell which entries carry a minus sign; -0.0 does.",
    source="Array API standard, signbit.",
    doctest=("tg.signbit(tg.tensor([0.0, -0.0]))", "array([False,  True])"),
)

# ------------------------------------------------------------------------- logic

logical_and = zero(
    "logical_and",
    np.logical_and,
    n_operands=2,
    is_constant=True,
    examples=(*_PAIR, *_BOOLS),
    latex=r"{0} \land {1}",
    onnx="And",
    doc="Tell where both operands are non-zero.",
    source="Array API standard, logical_and.",
    doctest=("tg.logical_and(tg.tensor([1.0, 0.0]), True)", "array([ True, False])"),
)

logical_or = zero(
    "logical_or",
    np.logical_or,
    n_operands=2,
    is_constant=True,
    examples=(*_PAIR, *_BOOLS),
    latex=r"{0} \lor {1}",
    onnx="Or",
    doc="Tell where an operand is non-zero.",
    source="Array API standard, logical_or.",
    doctest=("tg.logical_or(tg.tensor([1.0, 0.0]), False)", "array([ True, False])"),
)

logical_xor = zero(
    "logical_xor",
    np.logical_xor,
    n_operands=2,
    is_constant=True,
    examples=(*_PAIR, *_BOOLS),
    latex=r"{0} \oplus {1}",
    onnx="Xor",
    doc="Tell where exactly one operand is non-zero.",
    source="Array API standard, logical_xor.",
    doctest=("tg.logical_xor(tg.tensor([1.0, 0.0]), True)", "array([False,  True])"),
)

logical_not = zero(
    "logical_not",
    np.logical_not,
    is_constant=True,
    examples=(*_ONE, Example((np.array([True, False]),))),
    latex=r"\lnot {0}",
    onnx="Not",
    doc="Tell which entries are zero.",
    source="Array API standard, logical_not.",
    doctest=("tg.logical_not(tg.tensor([1.0, 0.0]))", "array([False,  True])"),
)

bitwise_and = zero(
    "bitwise_and",
    np.bitwise_and,
    n_operands=2,
    is_constant=True,
    operator="&",
    examples=_INTEGERS,
    latex=r"{0} \mathbin{{\&}} {1}",
    onnx="BitwiseAnd",
    doc="Combine integers bit by bit, or booleans, with and.",
    source="Array API standard, bitwise_and.",
    doctest=("tg.bitwise_and(np.array([5, 3]), 6)", "array([4, 2])"),
)

bitwise_or = zero(
    "bitwise_or",
    np.bitwise_or,
    n_operands=2,
    is_constant=True,
    operator="|",
    examples=_INTEGERS,
    latex=r"{0} \mathbin{{|}} {1}",
    onnx="BitwiseOr",
    doc="Combine integers bit by bit, or booleans, with or.",
    source="Array API standard, bitwise_or.",
    doctest=("tg.bitwise_or(np.array([5, 3]), 6)", "array([7, 7])"),
)

bitwise_xor = zero(
    "bitwise_xor",
    np.bitwise_xor,
    n_operands=2,
    is_constant=True,
    operator="^",
    examples=_INTEGERS,
    latex=r"{0} \oplus {1}",
    onnx="BitwiseXor",
    doc="Combine integers bit by bit, or booleans, with exclusive or.",
    source="Array API standard, bitwise_xor.",
    doctest=("tg.bitwise_xor(np.array([5, 3]), 6)", "array([3, 5])"),
)

invert = zero(
    "invert",
    np.invert,
    is_constant=True,
    operator="~",
    examples=(Example((np.array([True, False]),)), Example((np.array([5, 3]),))),
    latex=r"\sim {0}",
    onnx="BitwiseNot",
    doc="Change every bit of integers, or the truth of booleans.",
    source="Array API standard, bitwise_invert.",
    doctest=("tg.invert(np.array([True, False]))", "array([False,  True])"),
)

# ------------------------------------------------------------------------ choice

# Integers of a float's size: a choice among floats is then a choice among bits.
_BITS = {np.dtype(f"f{n}"): np.dtype(f"i{n}") for n in (2, 4, 8)}


def _blended(condition: Array, x: Array, y: Array | None) -> Array:
    """Choose by masking bits: exact for every value, and no branch to mispredict.

    With a condition that changes from entry to entry this takes 0.5 ms for 10⁶ float32
    where `np.where` takes 3.6 ms. Without ``y`` the other entries are zero.
    """
    bits = _BITS[x.dtype]
    mask = np.negative(condition.view(np.int8))  # 0 or -1: no bit or all bits
    out = pool.take(x.shape, x.dtype)
    chosen = out.view(bits)
    if y is None:
        np.bitwise_and(x.view(bits), mask, out=chosen)
    else:
        other = y.view(bits)
        np.bitwise_xor(x.view(bits), other, out=chosen)
        np.bitwise_and(chosen, mask, out=chosen)
        np.bitwise_xor(chosen, other, out=chosen)
    return out


def _is_blendable(condition: Any, x: Any) -> bool:
    return (
        type(condition) is np.ndarray
        and type(x) is np.ndarray
        and x.nbytes >= pool.POOL_BYTES
        and condition.shape == x.shape
        and condition.dtype == bool
        and x.dtype in _BITS
        and x.flags.c_contiguous
        and condition.flags.c_contiguous
    )


def _where(condition: Any, x: Any, y: Any) -> Any:
    if _is_blendable(condition, x):
        if type(y) is int and y == 0:
            return _blended(condition, x, None)
        if _is_blendable(condition, y) and x.dtype == y.dtype:
            return _blended(condition, x, y)
    elif type(x) is int and x == 0 and _is_blendable(condition, y):
        return _blended(np.logical_not(condition), y, None)
    return np.where(condition, x, y)


_PLAIN = frozenset((np.ndarray, float, int))
_MISSING: Any = object()


def _choice(function: OpFunction) -> OpFunction:
    """Give `where` its refusal of one argument, and a short way for plain arrays."""

    def where(condition: Any, x: Any = _MISSING, y: Any = _MISSING) -> Any:
        if y is _MISSING:
            raise ArgumentError(
                explain(
                    "where",
                    "a condition alone" if x is _MISSING else "a condition and x alone",
                    "a condition, x and y",
                    "For the indices of the entries that hold use np.nonzero",
                )
            )
        if (
            type(condition) is np.ndarray and type(x) in _PLAIN and type(y) in _PLAIN
        ):  # most calls from inside rules
            try:
                return _where(condition, x, y)
            except TensorgradError:
                raise
            except Exception:  # noqa: BLE001, S110  # the general way explains
                pass
        return function(condition, x, y)

    where.__doc__ = function.__doc__
    where.__wrapped__ = function.op.forward  # type: ignore[attr-defined]
    where.op = function.op  # type: ignore[attr-defined]
    return cast("OpFunction", where)


_CONDITION = np.array([[True, False, True, True]])

where: OpFunction = _choice(
    select(
        "where",
        _where,
        vjp=(
            None,
            lambda g, condition: where(condition, g, 0),
            lambda g, condition: where(condition, 0, g),
        ),
        jvp=(
            None,
            lambda t, condition: where(condition, t, 0),
            lambda t, condition: where(condition, 0, t),
        ),
        numpy=np.where,
        examples=(
            Example((_CONDITION, (3, 4), (3, 4))),
            Example((_CONDITION, (3, 1), (4,))),
            Example((_CONDITION, (3, 4), 1.0)),
            Example((np.bool_(1), (2, 0), ())),
        ),
        latex=r"\begin{{cases}} {1} & {0} \\ {2} & \text{{otherwise}} \end{{cases}}",
        onnx="Where",
        doc="Take entries from x where the condition holds, from y elsewhere.",
        notes="The condition is not differentiated. Entries that were not taken get a "
        "zero cotangent, whatever their values are. If the other branch leaves its "
        "domain there and goes through a reduction or a matrix product, make its "
        "operand harmless first: ``where(x > 0, log(where(x > 0, x, 1)), 0)``.",
        source="Array API standard, where.",
        doctest=(
            "tg.where(np.array([True, False]), tg.tensor([1.0, 2.0]), 0.0)",
            "tensor([1., 0.], op=where)",
        ),
    )
)
