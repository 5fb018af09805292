"""From a program to loops: what each op of the table is in C.

Ops that are not here make a program unprintable in C, which `Unprintable` says.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from tensorgrad.compiler.native.loops import (
    DType,
    Map,
    Product,
    Ref,
    broadcast,
    transpose,
    whole,
)
from tensorgrad.compiler.native.writing import (
    BOOL,
    C_TYPES,
    Lowered,
    Unprintable,
    Writer,
    float_of,
    literal,
)
from tensorgrad.compiler.program import Instruction, Program

__all__ = ["lower"]

MAX_STATEMENTS = 6000
"""Longer programs take a compiler longer than they save."""

EXPRESSIONS = {
    "add": "({0} + {1})",
    "subtract": "({0} - {1})",
    "multiply": "({0} * {1})",
    "divide": "({0} / {1})",
    "negative": "(-{0})",
    "positive": "{0}",
    "square": "({0} * {0})",
    "reciprocal": "(1 / {0})",
    "absolute": "fabs$({0})",
    "fabs": "fabs$({0})",
    "sqrt": "sqrt$({0})",
    "cbrt": "cbrt$({0})",
    "exp": "tg_exp$({0})",
    "exp2": "exp2$({0})",
    "expm1": "tg_expm1$({0})",
    "log": "tg_log$({0})",
    "log2": "log2$({0})",
    "log10": "log10$({0})",
    "log1p": "tg_log1p$({0})",
    "tanh": "tg_tanh$({0})",
    "sin": "tg_sin$({0})",
    "cos": "tg_cos$({0})",
    "tan": "tan$({0})",
    "arcsin": "asin$({0})",
    "arccos": "acos$({0})",
    "arctan": "atan$({0})",
    "arctan2": "atan2$({0}, {1})",
    "sinh": "sinh$({0})",
    "cosh": "cosh$({0})",
    "arcsinh": "asinh$({0})",
    "arccosh": "acosh$({0})",
    "arctanh": "atanh$({0})",
    "hypot": "hypot$({0}, {1})",
    "floor": "floor$({0})",
    "ceil": "ceil$({0})",
    "trunc": "trunc$({0})",
    "rint": "rint$({0})",
    "power": "pow$({0}, {1})",
    "maximum": "((({0} >= {1}) | ({0} != {0})) ? {0} : {1})",
    "minimum": "((({0} <= {1}) | ({0} != {0})) ? {0} : {1})",
    "sign": "({0} > 0 ? 1 : ({0} < 0 ? -1 : {0}))",
    "greater": "({0} > {1})",
    "greater_equal": "({0} >= {1})",
    "less": "({0} < {1})",
    "less_equal": "({0} <= {1})",
    "equal": "({0} == {1})",
    "not_equal": "({0} != {1})",
    "logical_and": "({0} && {1})",
    "logical_or": "({0} || {1})",
    "logical_not": "(!{0})",
    "isnan": "({0} != {0})",
}
"""By the ufunc's name; ``$`` is ``f`` where the arithmetic is single."""

FLOATS_ALONE = frozenset(name for name, code in EXPRESSIONS.items() if "$" in code) | {
    "divide",
    "reciprocal",
    "sign",
}

POWERS = {2.0: "({0} * {0})", 3.0: "({0} * {0} * {0})", 1.0: "{0}", 0.5: "sqrt$({0})"}


def lower(program: Program) -> Lowered:
    """Return a program as loops.

    Raises
    ------
    Unprintable
        Naming the first op, dtype or shape that has no loop.

    Examples
    --------
    >>> from tensorgrad.compiler import capture
    >>> program = capture(lambda x: np.tanh(x).sum(), np.ones((2, 3))).program
    >>> [type(s).__name__ for s in lower(program).statements]
    ['Map', 'Reduce']
    """
    writer = Writer(program)
    for line in program.instructions:
        _add(writer, line)
    return writer.finish()


def _add(at: Writer, line: Instruction) -> None:
    """Write the statements of one instruction."""
    if len(at.statements) > MAX_STATEMENTS:
        raise Unprintable(f"more than {MAX_STATEMENTS} statements")
    for result in line.results:
        at.value(result.aval.shape, result.aval.dtype)
    name = line.op.name
    if name in LOWERINGS:
        found = LOWERINGS[name](at, line)
    elif line.op.is_matmul:
        found = _matmul(at, line)
    elif name in EXPRESSIONS and len(line.results) == 1 and not line.static:
        found = _ufunc(at, line)
    else:
        raise Unprintable(f"the op {name}")
    at.refs[line.results[0]] = found


# ------------------------------------------------------------------------- ufuncs


def _ufunc(at: Writer, line: Instruction) -> Ref:
    name, operands = line.op.name, at.arrays(line)
    ufunc = getattr(np, name)
    kinds = [o.value.dtype if isinstance(o, Ref) else _weak(o) for o in operands]
    resolved = ufunc.resolve_dtypes((*kinds, None))
    compute, dtype = resolved[0], resolved[-1]
    if any(d != compute for d in resolved[: len(operands)]) or compute not in C_TYPES:
        raise Unprintable(f"{name} of mixed kinds")
    if name == "power":
        return _power(at, operands, compute)
    is_bool = compute.kind == "b" and name in ("add", "multiply", "negative", "maximum")
    if is_bool or (compute.kind != "f" and name in FLOATS_ALONE):
        raise Unprintable(f"{name} of {compute.name}")
    return at.map(EXPRESSIONS[name], *operands, compute=compute, dtype=dtype)


def _weak(number: Any) -> Any:
    """Return how NumPy promotes a Python number."""
    return BOOL if type(number) is bool else type(number)


def _power(at: Writer, operands: list[Any], compute: DType) -> Ref:
    x, exponent = operands
    if compute.kind != "f":
        raise Unprintable("power of integers")
    if not isinstance(exponent, Ref) and float(exponent) in POWERS:
        return at.map(POWERS[float(exponent)], x, compute=compute)
    return at.map(EXPRESSIONS["power"], x, exponent, compute=compute)


def _matmul(at: Writer, line: Instruction) -> Ref:
    x, y = at.arrays(line)
    dtype = float_of(line)
    if not (isinstance(x, Ref) and isinstance(y, Ref)):
        raise Unprintable("products of numbers")
    if x.value.dtype != dtype or y.value.dtype != dtype:
        raise Unprintable("products of mixed dtypes")
    if len(x.shape) > 2 or len(y.shape) > 2:
        raise Unprintable("products of stacks of matrices")
    x2 = x if len(x.shape) == 2 else at.reshaped(x, (1, *x.shape))
    y2 = y if len(y.shape) == 2 else at.reshaped(y, (*y.shape, 1))
    result = line.results[0]
    uses = at.uses.get(result, [])
    # Read transposed alone, it is computed transposed: xy = (yᵀxᵀ)ᵀ.
    is_turned = bool(uses) and result not in at.given and all(map(_turns, uses))
    if is_turned:
        x2, y2 = transpose(y2, (1, 0)), transpose(x2, (1, 0))
    out = at.value((x2.shape[0], y2.shape[1]), dtype)
    at.statements.append(Product(out, _for_blas(at, x2), _for_blas(at, y2)))
    found = transpose(whole(out), (1, 0)) if is_turned else whole(out)
    return at.reshaped(found, result.aval.shape)


def _turns(line: Instruction) -> bool:
    is_transposing = line.op.name in ("transpose", "swapaxes")
    return is_transposing and line.results[0].aval.ndim == 2


def _for_blas(at: Writer, ref: Ref) -> Ref:
    """Return a matrix with one axis of stride 1, and no overlapping rows."""
    (n, m), (row, column) = ref.shape, ref.strides
    is_straight = (column == 1 or m == 1) and (row >= m or n == 1)
    is_turned = (row == 1 or n == 1) and (column >= n or m == 1)
    return ref if is_straight or is_turned else at.copied(ref)


# -------------------------------------------------------------------- shapes and axes


def _copy(at: Writer, line: Instruction) -> Ref:
    return _array(at, line)


def _array(at: Writer, line: Instruction) -> Ref:
    ref = at.operand(line.operands[0])
    if not isinstance(ref, Ref):
        raise Unprintable(f"{line.op.name} of a number")
    return ref


def _transpose(at: Writer, line: Instruction) -> Ref:
    ref = _array(at, line)
    n = len(ref.shape)
    axes = line.static.get("axes")
    order = range(n)[::-1] if axes is None else [a % n for a in axes]
    return transpose(ref, tuple(order))


def _swapaxes(at: Writer, line: Instruction) -> Ref:
    ref = _array(at, line)
    order = list(range(len(ref.shape)))
    i, j = line.static["axis1"], line.static["axis2"]
    order[i], order[j] = order[j], order[i]
    return transpose(ref, tuple(order))


def _reshape(at: Writer, line: Instruction) -> Ref:
    if line.static.get("order", "C") != "C":
        raise Unprintable("reshape in another order")
    return at.reshaped(_array(at, line), line.results[0].aval.shape)


def _broadcast(at: Writer, line: Instruction) -> Ref:
    return broadcast(_array(at, line), line.results[0].aval.shape)


def _getitem(at: Writer, line: Instruction) -> Ref:
    ref, index = _array(at, line), line.static["index"]
    parts = list(index if isinstance(index, tuple) else (index,))
    if not all(p is None or p is Ellipsis or type(p) in (int, slice) for p in parts):
        raise Unprintable("indexing by arrays")
    n_axes = sum(p is not None and p is not Ellipsis for p in parts)
    rest = [slice(None)] * (len(ref.shape) - n_axes)
    place = parts.index(Ellipsis) if Ellipsis in parts else len(parts)
    parts[place : place + 1] = rest
    offset, shape, strides = ref.offset, [], []
    axes = iter(zip(ref.shape, ref.strides, strict=True))
    for part in parts:
        if part is None:
            shape.append(1)
            strides.append(0)
            continue
        n, stride = next(axes)
        if isinstance(part, slice):
            start, stop, step = part.indices(n)
            shape.append(len(range(start, stop, step)))
            strides.append(stride * step)
        else:
            start = part % n
        offset += start * stride
    return Ref(ref.value, tuple(shape), tuple(strides), offset)


def _astype(at: Writer, line: Instruction) -> Ref:
    ref, dtype = _array(at, line), line.results[0].aval.dtype
    if dtype.kind != "f":
        raise Unprintable(f"astype to {dtype.name}")
    if ref.value.dtype == dtype:
        return ref
    return at.map("{0}", ref, compute=dtype)


def _axes_of(line: Instruction, ref: Ref, name: str = "axis") -> list[int]:
    axis = line.static.get(name)
    n = len(ref.shape)
    if axis is None:
        return list(range(n))
    return [a % n for a in (axis if isinstance(axis, (tuple, list)) else (axis,))]


def _reduction(kind: str) -> Callable[[Writer, Instruction], Ref]:
    def write(at: Writer, line: Instruction) -> Ref:
        ref, dtype = _array(at, line), float_of(line)
        if set(line.static) - {"axis", "keepdims", "dtype"}:
            given = {
                k: v for k, v in line.static.items() if k not in ("axis", "keepdims")
            }
            if any(v is not None for v in given.values()):
                raise Unprintable(f"{line.op.name} with {', '.join(given)}")
        axes = _axes_of(line, ref)
        found = at.reduce("sum" if kind == "mean" else kind, ref, axes, dtype)
        if kind == "mean":
            n = prod(ref.shape[a] for a in axes)
            found = at.map("({0} / {1})", found, n, compute=dtype)
        return at.reshaped(found, line.results[0].aval.shape)

    return write


# --------------------------------------------------------------- activations and losses


def _logistic_parts(at: Writer, z: Ref, dtype: DType) -> Ref:
    return at.map("tg_exp$(-fabs$({0}))", z, compute=dtype)


def _sigmoid(at: Writer, line: Instruction) -> Ref:
    z, dtype = _array(at, line), float_of(line)
    e = _logistic_parts(at, z, dtype)
    return at.map("(({0} >= 0 ? 1 : {1}) / (1 + {1}))", z, e, compute=dtype)


def _softplus(at: Writer, line: Instruction) -> Ref:
    return _softplus_of(at, _array(at, line), float_of(line))


def _softplus_of(at: Writer, z: Ref, dtype: DType) -> Ref:
    e = _logistic_parts(at, z, dtype)
    code = "(tg_log1p_unit$({1}) + ({0} < 0 ? 0 : {0}))"
    return at.map(code, z, e, compute=dtype)


def _relu(at: Writer, line: Instruction) -> Ref:
    beta = line.static.get("beta", 0.01) if line.op.name == "leaky_relu" else 0
    z, dtype = _array(at, line), float_of(line)
    if beta == 0:
        code = "({0} < 0 ? 0 : {0})"
        return at.map(code, z, compute=dtype)
    return at.map("({0} > 0 ? {0} : {0} * {1})", z, beta, compute=dtype)


def _softmax_parts(at: Writer, z: Ref, axis: int, dtype: DType) -> tuple[Ref, Ref, Ref]:
    """Return z less its largest entry, the exponentials of that, and their sum."""
    top = at.reduce("quiet max", z, (axis,), dtype)
    # Equal infinities differ by 0.
    below = at.map("({0} == {1} ? 0 : {0} - {1})", z, top, compute=dtype)
    e = at.map("tg_exp$({0})", below, compute=dtype)
    return below, e, at.reduce("sum", e, (axis,), dtype)


def _one_axis(line: Instruction, default: int = -1) -> int:
    axis = line.static.get("axis", default)
    if not isinstance(axis, int):
        raise Unprintable(f"{line.op.name} over several axes")
    return axis


def _softmax(at: Writer, line: Instruction) -> Ref:
    z, dtype = _array(at, line), float_of(line)
    _, e, total = _softmax_parts(at, z, _one_axis(line), dtype)
    return at.map("({0} / {1})", e, total, compute=dtype)


def _log_softmax(at: Writer, line: Instruction) -> Ref:
    z, dtype = _array(at, line), float_of(line)
    below, _, total = _softmax_parts(at, z, _one_axis(line), dtype)
    return at.map("({0} - tg_log$({1}))", below, total, compute=dtype)


def _logsumexp(at: Writer, line: Instruction) -> Ref:
    z, dtype = _array(at, line), float_of(line)
    axes = _axes_of(line, z)
    top = at.reduce("max", z, axes, dtype)
    top = at.map("(isinf({0}) ? 0 : {0})", top, compute=dtype)
    e = at.map("tg_exp$({0} - {1})", z, top, compute=dtype)
    total = at.reduce("sum", e, axes, dtype)
    found = at.map("(tg_log$({0}) + {1})", total, top, compute=dtype)
    return at.reshaped(found, line.results[0].aval.shape)


def _softmax_jacobian(at: Writer, line: Instruction) -> Ref:
    x, s = at.arrays(line)
    dtype = float_of(line)
    product = at.map("({0} * {1})", x, s, compute=dtype)
    mean = at.reduce("sum", product, _axes_of(line, s), dtype)
    return at.map("(({0} - {1}) * {2})", x, mean, s, compute=dtype)


def _safe_multiply(at: Writer, line: Instruction) -> Ref:
    code = "(({0} == 0) | ({1} == 0) ? 0 : {0} * {1})"
    return at.map(code, *at.arrays(line), compute=float_of(line))


def _where(at: Writer, line: Instruction) -> Ref:
    condition, x, y = at.arrays(line)
    dtype = float_of(line)
    if not isinstance(condition, Ref) or condition.value.dtype != BOOL:
        raise Unprintable("where with a condition that is no array of booleans")
    shape = np.broadcast_shapes(
        *(o.shape for o in (condition, x, y) if isinstance(o, Ref))
    )
    out = at.value(shape, dtype)
    given: list[Ref | str] = [at.on(broadcast(condition, shape))]
    for operand in (x, y):
        is_ref = isinstance(operand, Ref)
        given.append(
            at.on(broadcast(operand, shape)) if is_ref else literal(operand, dtype)
        )
    kinds = (BOOL, dtype, dtype)
    at.statements.append(Map(out, "({0} ? {1} : {2})", tuple(given), kinds))
    return whole(out)


def _mean_of(at: Writer, terms: Ref, n: int, dtype: DType, sign: str = "") -> Ref:
    total = at.reduce("sum", terms, range(len(terms.shape)), dtype)
    scalar = at.reshaped(total, ())
    return at.map(f"({sign}{{0}} / {{1}})", scalar, n, compute=dtype)


def _log_loss_of_logits(at: Writer, line: Instruction) -> Ref:
    z, _, y = at.arrays(line)
    dtype = float_of(line)
    softplus = _softplus_of(at, z, dtype)
    terms = at.map("({0} - {1} * {2})", softplus, z, y, compute=dtype)
    return _mean_of(at, terms, line.static["n"], dtype)


def _log_loss(at: Writer, line: Instruction) -> Ref:
    a, y = at.arrays(line)
    dtype = float_of(line)
    gain = "({1} == 0 ? 0 : {1} * tg_log$({0}))"
    rest = "({1} == 1 ? 0 : (1 - {1}) * tg_log1p$(-{0}))"
    terms = at.map(f"({gain} + {rest})", a, y, compute=dtype)
    return _mean_of(at, terms, line.static["n"], dtype, "-")


def _cross_entropy(at: Writer, line: Instruction) -> Ref:
    a, y = at.arrays(line)
    dtype = float_of(line)
    terms = at.map("({1} == 0 ? 0 : {1} * tg_log$({0}))", a, y, compute=dtype)
    return _mean_of(at, terms, line.static["n"], dtype, "-")


def _cross_entropy_of_logits(at: Writer, line: Instruction) -> Ref:
    """Σ_k y_k log Σ e − Σ_k y_k (z_k − max z) a row; of one-hot labels by what a is.

    Where the probability of the label is above ½, log1p of the others' sum keeps digits.
    """
    z, a, y = at.arrays(line)
    dtype, axis = float_of(line), line.static["axis"]
    below, _, total = _softmax_parts(at, z, axis, dtype)
    gains = at.map("({0} == 0 ? 0 : {0} * {1})", y, below, compute=dtype)
    gain = at.reduce("sum", gains, (axis,), dtype)
    weight = at.reduce("sum", y, (axis,), dtype)
    code = "({0} * tg_log$({1}) - {2})"
    if not line.static.get("one_hot"):
        rows = at.map(code, weight, total, gain, compute=dtype)
        return _mean_of(at, rows, line.static["n"], dtype)
    others = at.map("({0} * (1 - {1}))", a, y, compute=dtype)
    rest = at.reduce("sum", others, (axis,), dtype)
    near = f"({{3}} < 0.5$ ? -tg_log1p$(-{{3}}) : {code})"
    rows = at.map(near, weight, total, gain, rest, compute=dtype)
    return _mean_of(at, rows, line.static["n"], dtype)


LOWERINGS: dict[str, Callable[[Writer, Instruction], Ref]] = {
    "copy": _copy,
    "transpose": _transpose,
    "swapaxes": _swapaxes,
    "reshape": _reshape,
    "squeeze": _reshape,
    "expand_dims": _reshape,
    "ravel": _reshape,
    "broadcast_to": _broadcast,
    "getitem": _getitem,
    "astype": _astype,
    "sum": _reduction("sum"),
    "mean": _reduction("mean"),
    "max": _reduction("max"),
    "min": _reduction("min"),
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "relu": _relu,
    "leaky_relu": _relu,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "softmax_jacobian": _softmax_jacobian,
    "safe_multiply": _safe_multiply,
    "where": _where,
    "log_loss_of_logits": _log_loss_of_logits,
    "log_loss_of_probabilities": _log_loss,
    "cross_entropy_of_probabilities": _cross_entropy,
    "cross_entropy_of_logits": _cross_entropy_of_logits,
}
"""Ops that are more, or less, than one expression."""
