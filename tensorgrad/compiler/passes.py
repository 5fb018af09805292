"""Passes: functions from a program to one that computes the same with fewer ops.

All but those in `ROUNDING` are exact: the same bits come out, since the calls that are left
get the same operands in the same memory order. Each can be left out; `simplify` applies all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from tensorgrad.compiler.buffers import is_fresh
from tensorgrad.compiler.program import (
    Constant,
    Instruction,
    Operand,
    Program,
    Variable,
    abstract,
    avals_of,
    canonical_line,
)
from tensorgrad.core.aval import Aval
from tensorgrad.ops import TABLE

__all__ = [
    "PASSES",
    "ROUNDING",
    "Pass",
    "drop_copies",
    "drop_dead_code",
    "drop_identities",
    "drop_kept_axes",
    "merge_common",
    "simplify",
    "turn_products",
    "undo_transposes",
]

Pass: TypeAlias = Callable[[Program], Program]


def drop_dead_code(program: Program) -> Program:
    """Leave out instructions that no output depends on; inputs stay.

    Examples
    --------
    >>> from tensorgrad.compiler import capture
    >>> def f(x):
    ...     np.exp(x)
    ...     return x * 2.0
    >>> len(drop_dead_code(capture(f, np.ones(2)).program))
    1
    """
    needed = {o for o in program.outputs if isinstance(o, Variable)}
    kept = []
    for line in reversed(program.instructions):
        if needed.isdisjoint(line.results):
            continue
        kept.append(line)
        needed.update(o for o in line.operands if isinstance(o, Variable))
    return Program(program.inputs, tuple(kept[::-1]), program.outputs)


def drop_copies(program: Program) -> Program:
    """Use what was copied instead of the copy: values are never written.

    A copy of an input or a constant that is itself an output stays, for whoever gets it.

    Examples
    --------
    >>> from tensorgrad.compiler import capture
    >>> len(drop_copies(capture(lambda x: x.copy() * 2.0, np.ones(2)).program))
    1
    """

    def same_as(line: Instruction) -> Operand:
        # Memory order decides what BLAS and ravel do; a copy keeps it.
        source = line.operands[0] if line.operands else None
        is_same = line.op.name == "copy" or (
            line.op.name == "astype"
            and isinstance(source, Variable)
            and source.aval == line.results[0].aval
        )
        return source if is_same else _NOTHING

    return _replaced(program, same_as)


def undo_transposes(program: Program) -> Program:
    """Use what was transposed where it is transposed back.

    Examples
    --------
    >>> from tensorgrad.compiler import capture
    >>> program = capture(lambda x: x.T.T + np.swapaxes(x.T, 0, 1), np.ones((2, 3))).program
    >>> print(drop_dead_code(undo_transposes(program)))
    input  x: float64[2, 3]
    v0 = add(x, x)  # float64[2, 3]
    output v0
    """
    moved: dict[Variable, tuple[Operand, tuple[int, ...]]] = {}

    def same_as(line: Instruction) -> Operand:
        axes = _axes(line)
        if axes is None:
            return _NOTHING
        source = line.operands[0]
        if isinstance(source, Variable) and source in moved:
            source, first = moved[source]
            axes = tuple(first[a] for a in axes)
        if axes == tuple(range(len(axes))):
            return source
        moved[line.results[0]] = (source, axes)
        return _NOTHING

    return _replaced(program, same_as)


def drop_identities(program: Program) -> Program:
    """Use x for x·1, x/1, x − 0 and −(−x).

    x + 0 stays, as it makes zero of minus zero. So does what would change the dtype, or
    replace a result by a view, whose memory order can be another; and complex numbers,
    where NumPy makes NaN of an infinite part times zero.

    Examples
    --------
    >>> from tensorgrad.compiler import capture
    >>> print(drop_identities(capture(lambda x: np.exp(x) * 1.0, np.ones(2)).program))
    input  x: float64[2]
    v0 = exp(x)  # float64[2]
    output v0
    """
    made = {v: line for line in program.instructions for v in line.results}

    def same_as(line: Instruction) -> Operand:
        source = _kept_by(line, made)
        is_same = (
            isinstance(source, Variable)
            and source in made
            and is_fresh(made[source].op)
            and source.aval == line.results[0].aval
            and source.aval.dtype.kind != "c"
        )
        return source if is_same else _NOTHING

    return _replaced(program, same_as)


def _kept_by(line: Instruction, made: Mapping[Variable, Instruction]) -> Operand:
    """Return the operand whose entries an instruction repeats, if it does."""
    name, operands = line.op.name, line.operands
    if name == "negative":
        inner = made.get(operands[0]) if isinstance(operands[0], Variable) else None
        return inner.operands[0] if inner and inner.op.name == "negative" else None
    if name == "multiply" and _is_all(operands[0], 1):
        return operands[1]
    neutral = {"multiply": 1, "divide": 1, "subtract": 0}.get(name)
    if neutral is None or not _is_all(operands[1], neutral):
        return None
    return operands[0]


def _is_all(operand: Operand, number: int) -> bool:
    """Tell whether an operand is a number and nothing else."""
    if isinstance(operand, Constant):
        value = operand.value
        is_there = bool(value.size) and value.dtype.kind in "biuf"
        return is_there and bool(
            (value == number).all() and not np.signbit(value).any()
        )
    if isinstance(operand, Variable) or operand is None:
        return False
    # 0.0 alone: x - (-0.0) makes zero of minus zero.
    return operand == number and str(operand)[0] != "-"


def drop_kept_axes(program: Program) -> Program:
    """Reduce without axes of length one where a reshape takes them away again.

    Examples
    --------
    >>> from tensorgrad.compiler import capture
    >>> def f(x):
    ...     return x.sum(axis=0, keepdims=True).reshape(3)
    >>> print(drop_kept_axes(capture(f, np.ones((2, 3))).program))
    input  x: float64[2, 3]
    v0 = sum(x, axis=0)  # float64[3]
    output v0
    """
    made = {v: line for line in program.instructions for v in line.results}
    uses = Counter(o for line in program.instructions for o in line.operands)
    uses.update(program.outputs)
    lines: dict[Variable, Instruction] = {}
    for line in program.instructions:
        source = line.operands[0] if line.operands else None
        inner = made.get(source) if isinstance(source, Variable) else None
        direct = _without_axes(inner, line) if inner is not None else None
        if direct is not None and uses[source] == 1:
            del lines[made[source].results[0]]  # type: ignore[index]  # it was looked up
        else:
            direct = line
        lines[line.results[0]] = direct
    return Program(program.inputs, tuple(lines.values()), program.outputs)


def _without_axes(inner: Instruction, line: Instruction) -> Instruction | None:
    """Return a reduction without the axes that a reshape takes away, or None."""
    is_reduction = inner.op.name in ("sum", "max", "min", "mean")
    if line.op.name != "reshape" or not is_reduction:
        return None
    if inner.static.get("dtype") is not None or not inner.static.get("keepdims"):
        return None
    direct = Instruction(
        inner.op, inner.operands, {**inner.static, "keepdims": False}, line.results
    )
    return direct if avals_of(direct)[0] == line.results[0].aval else None


def merge_common(program: Program) -> Program:
    """Compute once what is computed several times from the same operands.

    Examples
    --------
    >>> from tensorgrad.compiler import capture
    >>> program = capture(lambda x: np.tanh(x) * np.tanh(x), np.ones(2)).program
    >>> len(program), len(merge_common(program))
    (3, 2)
    """
    names: dict[Any, int] = {v: k for k, v in enumerate(program.inputs)}
    first: dict[Any, Instruction] = {}
    viewed: set[Operand] = {
        v
        for line in program.instructions
        if not is_fresh(line.op)
        for v in line.results
    }
    replaced: dict[Variable, Operand] = {}
    lines = []
    for old in program.instructions:
        line = _with(old, replaced)
        key = canonical_line(line, names)
        # Both orders give the same bits, and of operands that are no views the same layout.
        if line.op.name in ("add", "multiply") and viewed.isdisjoint(line.operands):
            key = (key[0], frozenset(Counter(key[1]).items()), key[2])
        same = first.get(key)
        if same is not None:
            replaced.update(zip(line.results, same.results, strict=True))
            continue
        first[key] = line
        for result in line.results:
            names[result] = len(names)
        lines.append(line)
    outputs = tuple(_of(o, replaced) for o in program.outputs)
    return Program(program.inputs, tuple(lines), outputs)


def turn_products(program: Program) -> Program:
    """Compute BᵀA where AᵀB is computed and transposed: a gradient laid out as its weight.

    The entries are the same sums; BLAS may add them up in another order, so that the
    last bits can differ. It is the one pass here of which that is so.

    Examples
    --------
    >>> from tensorgrad.compiler import capture
    >>> program = capture(lambda x, d: (x.T @ d).T, np.ones((4, 3)), np.ones((4, 2))).program
    >>> print(simplify(program))
    input  x: float64[4, 3]
    input  d: float64[4, 2]
    v0 = transpose(d, axes=None)  # float64[2, 4]
    v1 = matmul(v0, x)  # float64[2, 3]
    output v1
    """
    made = {v: line for line in program.instructions for v in line.results}
    uses = Counter(o for line in program.instructions for o in line.operands)
    uses.update(program.outputs)
    lines: dict[Variable, list[Instruction]] = {}
    for line in program.instructions:
        source = line.operands[0] if line.operands else None
        product = made.get(source) if isinstance(source, Variable) else None
        turned = None if product is None else _turned(product, line, made)
        if product is not None and turned is not None and uses[source] == 1:
            del lines[product.results[0]]
        else:
            turned = [line]
        lines[line.results[0]] = turned
    flat = tuple(line for some in lines.values() for line in some)
    return Program(program.inputs, flat, program.outputs)


def _turned(
    product: Instruction, line: Instruction, made: Mapping[Variable, Instruction]
) -> list[Instruction] | None:
    """Return the lines that compute a transposed product from transposed factors.

    None if a line does not transpose a product of matrices, one of them transposed.
    """
    operands = product.operands
    is_product = product.op.is_matmul and _axes(line) == (1, 0)
    if not is_product or any(len(abstract(o).shape) != 2 for o in operands):
        return None
    factors: list[Operand] = []
    lines = []
    for operand in operands[::-1]:
        source = made.get(operand) if isinstance(operand, Variable) else None
        if source is not None and _axes(source) == (1, 0):
            factors.append(source.operands[0])
            continue
        aval = abstract(operand)
        factor = Variable(Aval(aval.shape[::-1], aval.dtype))
        factors.append(factor)
        lines.append(Instruction(_TRANSPOSE, (operand,), {"axes": None}, (factor,)))
    if len(lines) == len(operands):
        return None
    return [*lines, Instruction(product.op, tuple(factors), {}, line.results)]


_TRANSPOSE = TABLE["transpose"].op

PASSES: Mapping[str, Pass] = {
    "copies": drop_copies,
    "products": turn_products,
    "transposes": undo_transposes,
    "identities": drop_identities,
    "axes": drop_kept_axes,
    "common": merge_common,
    "dead": drop_dead_code,
}
"""In the order in which `simplify` applies them."""

ROUNDING = frozenset(("products",))
"""Those that may change the last bits of a result."""


def simplify(program: Program, leave_out: Iterable[str] = ()) -> Program:
    """Apply all passes, or all but some, until nothing changes.

    Parameters
    ----------
    program : Program
    leave_out : iterable of str
        Names among `PASSES`.

    Examples
    --------
    >>> from tensorgrad.compiler import capture
    >>> import tensorgrad as tg
    >>> program = capture(tg.grad(lambda x: np.tanh(x).sum()), np.ones(3)).program
    >>> len(simplify(program)) < len(program)
    True
    """
    left_out = set(leave_out)
    unknown = left_out - PASSES.keys()
    assert not unknown, unknown
    while True:
        before = program
        for name, apply in PASSES.items():
            if name not in left_out:
                program = apply(program)
        if len(program) == len(before) and program == before:
            return program


# ---------------------------------------------------------------------- the machinery

_NOTHING = Constant(np.empty(0))
"""Says that a result is the same as no operand."""


def _replaced(program: Program, same_as: Callable[[Instruction], Operand]) -> Program:
    """Use other operands for results that are the same, and leave their lines out."""
    replaced: dict[Variable, Operand] = {}
    given = set(program.outputs)
    lines: list[Instruction] = []
    computed: set[Operand] = set()
    for old in program.instructions:
        line = _with(old, replaced)
        source = same_as(line)
        is_there = source is not _NOTHING
        # What the caller gets must not be an input's own memory.
        is_given = not given.isdisjoint(line.results)
        if is_there and (source in computed or not is_given):
            replaced[line.results[0]] = source
        else:
            lines.append(line)
            computed.update(line.results)
    outputs = tuple(_of(o, replaced) for o in program.outputs)
    return Program(program.inputs, tuple(lines), outputs)


def _with(line: Instruction, replaced: Mapping[Variable, Operand]) -> Instruction:
    operands = tuple(_of(o, replaced) for o in line.operands)
    if all(a is b for a, b in zip(operands, line.operands, strict=True)):
        return line
    return Instruction(line.op, operands, line.static, line.results)


def _of(operand: Operand, replaced: Mapping[Variable, Operand]) -> Operand:
    return replaced.get(operand, operand) if isinstance(operand, Variable) else operand


def _axes(line: Instruction) -> tuple[int, ...] | None:
    """Return the order of the axes after a transposition, or None for another op."""
    if line.op.name not in ("transpose", "swapaxes"):
        return None
    source = line.operands[0]
    if not isinstance(source, Variable):
        return None
    n = source.aval.ndim
    order = list(range(n))
    if line.op.name == "swapaxes":
        first, second = line.static["axis1"] % n, line.static["axis2"] % n
        order[first], order[second] = order[second], order[first]
        return tuple(order)
    axes = line.static.get("axes")
    return tuple(order[::-1]) if axes is None else tuple(a % n for a in axes)
