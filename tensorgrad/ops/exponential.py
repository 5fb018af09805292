"""The table: exponentials and logarithms.

The exponentials are marked singular because they overflow: in ``where(x < 1, exp(x), 1)``
a large x gives the branch that was not taken the value inf, and a zero cotangent must
stay zero there. The logarithms are singular at zero.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.ops.compare import equal, isinf, where
from tensorgrad.ops.entry import Domain, Example, pointwise
from tensorgrad.ops.selection import minimum

_LN2 = math.log(2.0)
_LN10 = math.log(10.0)

_ONE = (Example(((3, 4),)), Example(((),)), Example(((2, 0),)))
_PAIR = (
    Example(((3, 4), (3, 4))),
    Example(((3, 1), (4,))),
    Example(((3,), 0.5)),
    Example(((), (2, 0))),
)
_POSITIVE = Domain(0.1, 5.0)

# ------------------------------------------------------------------- exponentials

exp = pointwise(
    "exp",
    np.exp,
    d=lambda out: out,
    is_singular=True,
    examples=_ONE,
    latex=r"e^{{{0}}}",
    onnx="Exp",
    doc="Compute e to the power of each entry.",
    source="DLMF 4.2, derivative 4.7.",
    doctest=("tg.exp(tg.tensor([0.0]))", "tensor([1.], op=exp)"),
)

exp2 = pointwise(
    "exp2",
    np.exp2,
    d=lambda out: out * _LN2,
    is_singular=True,
    examples=_ONE,
    latex=r"2^{{{0}}}",
    doc="Compute 2 to the power of each entry.",
    source="DLMF 4.2, derivative 4.7.",
    doctest=("tg.exp2(tg.tensor([3.0]))", "tensor([8.], op=exp2)"),
)

expm1 = pointwise(
    "expm1",
    np.expm1,
    # Not out + 1, which has no digits left where the result is close to -1.
    d=lambda x: exp(x),
    is_singular=True,
    examples=_ONE,
    latex=r"e^{{{0}}} - 1",
    doc="Compute exp(x) - 1, accurate for small x.",
    source="Array API standard, expm1; DLMF 4.7.",
    doctest=("tg.expm1(tg.tensor([1e-20]))", "tensor([1.e-20], op=expm1)"),
)

# --------------------------------------------------------------------- logarithms

log = pointwise(
    "log",
    np.log,
    d=lambda x: 1.0 / x,
    domain=_POSITIVE,
    is_singular=True,
    examples=_ONE,
    latex=r"\log {0}",
    onnx="Log",
    doc="Compute the natural logarithm.",
    source="DLMF 4.2, derivative 4.7.",
    doctest=("tg.log(tg.tensor([1.0]))", "tensor([0.], op=log)"),
)

log2 = pointwise(
    "log2",
    np.log2,
    d=lambda x: 1.0 / (x * _LN2),
    domain=_POSITIVE,
    is_singular=True,
    examples=_ONE,
    latex=r"\log_2 {0}",
    doc="Compute the logarithm to base 2.",
    source="Array API standard, log2; DLMF 4.7.",
    doctest=("tg.log2(tg.tensor([8.0]))", "tensor([3.], op=log2)"),
)

log10 = pointwise(
    "log10",
    np.log10,
    d=lambda x: 1.0 / (x * _LN10),
    domain=_POSITIVE,
    is_singular=True,
    examples=_ONE,
    latex=r"\log_{{10}} {0}",
    doc="Compute the logarithm to base 10.",
    source="Array API standard, log10; DLMF 4.7.",
    doctest=("tg.log10(tg.tensor([100.0]))", "tensor([2.], op=log10)"),
)

log1p = pointwise(
    "log1p",
    np.log1p,
    d=lambda x: 1.0 / (1.0 + x),
    domain=Domain(-0.9, 5.0),
    is_singular=True,
    examples=_ONE,
    latex=r"\log(1 + {0})",
    doc="Compute log(1 + x), accurate for small x.",
    source="Array API standard, log1p; DLMF 4.7.",
    doctest=("tg.log1p(tg.tensor([1e-20]))", "tensor([1.e-20], op=log1p)"),
)

# ------------------------------------------------- logarithms of sums of powers


def _exponent_of_share(x: Any, y: Any, out: Any, log_of_half: float) -> Any:
    """Return x - out, the logarithm of x's share in the sum, also for infinities.

    An infinite x that is larger than y has the whole, a smaller one nothing, and
    equal ones share, as equal finite ones do.
    """
    if_infinite = where(equal(x, y), log_of_half, minimum(x, 0.0))
    return where(isinf(x), if_infinite, x - out)


def _holomorphic_logaddexp(x: Any, y: Any) -> Any:
    top, rest = np.where(x.real >= y.real, x, y), np.where(x.real >= y.real, y, x)
    return top + np.log1p(np.exp(rest - top))


logaddexp = pointwise(
    "logaddexp",
    np.logaddexp,
    d=(
        lambda x, y, out: exp(_exponent_of_share(x, y, out, -_LN2)),
        lambda x, y, out: exp(_exponent_of_share(y, x, out, -_LN2)),
    ),
    analytic=_holomorphic_logaddexp,
    examples=_PAIR,
    latex=r"\log(e^{{{0}}} + e^{{{1}}})",
    doc="Compute log(exp(x) + exp(y)) without overflow.",
    notes="The partials are the shares of the two in the sum; they are finite at "
    "infinities, too, where equal operands share equally.",
    source="Array API standard, logaddexp.",
    doctest=(
        "tg.logaddexp(tg.tensor([1000.0]), -1000.0)",
        "tensor([1000.], op=logaddexp)",
    ),
)

logaddexp2 = pointwise(
    "logaddexp2",
    np.logaddexp2,
    d=(
        lambda x, y, out: exp2(_exponent_of_share(x, y, out, -1.0)),
        lambda x, y, out: exp2(_exponent_of_share(y, x, out, -1.0)),
    ),
    analytic=lambda x, y: _holomorphic_logaddexp(x * _LN2, y * _LN2) / _LN2,
    examples=_PAIR,
    latex=r"\log_2(2^{{{0}}} + 2^{{{1}}})",
    doc="Compute log2(2**x + 2**y) without overflow.",
    source="NumPy reference, logaddexp2.",
    doctest=("tg.logaddexp2(tg.tensor([3.0]), 3.0)", "tensor([4.], op=logaddexp2)"),
)
