"""Writing loops: maps, reductions and copies, none of them twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from tensorgrad._typing import Shape
from tensorgrad.compiler.native.loops import (
    Copy,
    DType,
    Map,
    Nest,
    Reduce,
    Ref,
    Statement,
    Value,
    broadcast,
    on_rows,
    reshape,
    transpose,
    whole,
)
from tensorgrad.compiler.program import Constant, Instruction, Program, Variable

__all__ = [
    "BOOL",
    "C_TYPES",
    "F32",
    "FIRST",
    "Lowered",
    "Unprintable",
    "Writer",
    "combine",
    "expression",
    "float_of",
    "index",
    "literal",
]

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)
FIRST = {"sum": "0", "max": "-INFINITY", "quiet max": "-INFINITY", "min": "INFINITY"}
"""What sums and extrema start from."""

BOOL, I32, I64 = np.dtype(bool), np.dtype(np.int32), np.dtype(np.int64)
C_TYPES = {
    F32: "float",
    F64: "double",
    BOOL: "unsigned char",
    I32: "int",
    I64: "long long",
}


class Unprintable(Exception):  # noqa: N818  # the reason to take another printer
    """A program that the C printer has no words for."""


@dataclass(frozen=True, slots=True, eq=False)
class Lowered:
    """Loops, and which values the caller provides: inputs, constants, results.

    ``shapes`` are those of the results, whose values may have more axes of one entry.
    """

    inputs: tuple[Value, ...]
    constants: tuple[tuple[Constant, Value], ...]
    statements: tuple[Statement, ...]
    outputs: tuple[Value, ...]
    shapes: tuple[Shape, ...]


class Writer:
    """Statements so far, and where each variable is."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.statements: list[Statement] = []
        self.refs: dict[Variable, Ref] = {}
        self.known: dict[Any, Ref] = {}
        self.constants: dict[Constant, Value] = {}
        self.uses: dict[Variable, list[Instruction]] = {}
        self.given = {o for o in program.outputs if isinstance(o, Variable)}
        for line in program.instructions:
            for operand in line.operands:
                if isinstance(operand, Variable):
                    self.uses.setdefault(operand, []).append(line)
        self.inputs = tuple(
            self.value(v.aval.shape, v.aval.dtype) for v in program.inputs
        )
        for variable, value in zip(program.inputs, self.inputs, strict=True):
            self.refs[variable] = whole(value)

    def value(self, shape: Shape, dtype: DType) -> Value:
        """Return a new value, if C can hold it."""
        if dtype not in C_TYPES:
            raise Unprintable(f"entries of {dtype.name}")
        if not prod(shape):
            raise Unprintable("arrays without entries")
        return Value(tuple(shape), dtype)

    def operand(self, operand: Any) -> Ref | Any:
        """Return an operand as a reference, or a Python number as it is."""
        if isinstance(operand, Variable):
            if operand not in self.refs:
                raise Unprintable("several results")
            return self.refs[operand]
        if isinstance(operand, Constant):
            if operand not in self.constants:
                array = operand.value
                self.constants[operand] = self.value(array.shape, array.dtype)
            return whole(self.constants[operand])
        return operand

    def arrays(self, line: Instruction) -> list[Any]:
        """Return all operands."""
        return [self.operand(o) for o in line.operands]

    def map(
        self, code: str, *operands: Any, compute: DType, dtype: DType | None = None
    ) -> Ref:
        """Write a map, unless it is there already, and return its result."""
        shapes = [o.shape for o in operands if isinstance(o, Ref)]
        shape = np.broadcast_shapes(*shapes)
        dtype = compute if dtype is None else dtype
        spread = [broadcast(o, shape) for o in operands if isinstance(o, Ref)]
        kind = Nest if any(map(_is_repeated, spread)) else Map
        arrays = iter(spread if kind is Nest else map(self.on, spread))
        given = tuple(
            next(arrays) if isinstance(o, Ref) else literal(o, compute)
            for o in operands
        )
        suffix = "f" if compute == F32 else ""
        key = (code, given, compute, dtype)
        if key not in self.known:
            out = self.value(shape, dtype)
            text = code.replace("$", suffix)
            self.statements.append(kind(out, text, given, (compute,) * len(given)))
            self.known[key] = whole(out)
        return self.known[key]

    def on(self, ref: Ref) -> Ref:
        """Return a reference whose rows have one stride, copied if need be."""
        return ref if on_rows(ref) is not None else self.copied(ref)

    def copied(self, ref: Ref) -> Ref:
        """Return a copy in C order."""
        out, dtype = self.value(ref.shape, ref.value.dtype), ref.value.dtype
        if on_rows(ref) is None:
            self.statements.append(Copy(out, ref))
        else:
            self.statements.append(Map(out, "{0}", (ref,), (dtype,)))
        return whole(out)

    def reduce(self, kind: str, ref: Ref, axes: Sequence[int], dtype: DType) -> Ref:
        """Write a reduction; the result keeps reduced axes with one entry."""
        if ref.value.dtype != dtype:
            ref = self.map("{0}", ref, compute=dtype)
        n = len(ref.shape)
        reduced = {a % n for a in axes} if n else set()
        kept = tuple(1 if a in reduced else s for a, s in enumerate(ref.shape))
        real = {a for a in reduced if ref.shape[a] != 1}
        if not real:
            return ref
        over = _over(ref.shape, real)
        if not over:
            order = [a for a in range(n) if a not in real] + sorted(real)
            moved = transpose(ref, tuple(order))
            flat = self.reshaped(moved, (-1, prod(ref.shape[a] for a in real)))
            return self.reshaped(self.reduce(kind, flat, (1,), dtype), kept)
        ref = self.on(ref)
        key = (kind, ref, over)
        if key not in self.known:
            out = self.value(kept, dtype)
            self.statements.append(Reduce(out, kind, over, ref))
            self.known[key] = whole(out)
        return self.known[key]

    def reshaped(self, ref: Ref, shape: Shape) -> Ref:
        """Return a reference of another shape, copied if it must be."""
        rest = prod(n for n in shape if n != -1)
        full = tuple(prod(ref.shape) // rest if n == -1 else n for n in shape)
        found = reshape(ref, full)
        if found is None:
            found = reshape(self.copied(ref), full)
            assert found is not None
        return found

    def finish(self) -> Lowered:
        """Return the loops, with a value of its own for each result."""
        taken: set[Value] = set(self.inputs)
        outputs: list[Value] = []
        shapes: list[Shape] = []
        for operand in self.program.outputs:
            ref = self.operand(operand)
            if not isinstance(ref, Ref):
                dtype = np.asarray(operand).dtype
                out = self.value((), dtype)
                number = literal(operand, dtype)
                self.statements.append(Map(out, "{0}", (number,), (dtype,)))
                ref = whole(out)
            # Axes of one entry more or less are the same memory.
            is_whole = ref == whole(ref.value) or (
                prod(ref.shape) == ref.value.size
                and ref == reshape(whole(ref.value), ref.shape)
            )
            is_own = is_whole and ref.value not in taken
            if not is_own or ref.value in self.constants.values():
                ref = self.copied(ref)
            taken.add(ref.value)
            outputs.append(ref.value)
            shapes.append(ref.shape)
        constants = tuple(self.constants.items())
        statements = tuple(self.statements)
        return Lowered(
            self.inputs, constants, statements, tuple(outputs), tuple(shapes)
        )


def _over(shape: Shape, axes: set[int]) -> str:
    """Return in which direction of two loops a reduction goes, or nothing."""
    last = len(shape) - 1
    solid = {a for a, n in enumerate(shape) if n != 1}
    if axes == solid:
        return "all"
    if axes == {last}:
        return "columns"
    return "rows" if axes == solid - {last} else ""


def literal(number: Any, dtype: DType) -> str:
    """Return a Python number as C, to the last bit.

    Examples
    --------
    >>> literal(0.5, np.dtype(np.float32)), literal(3, np.dtype(np.int64))
    ('(0x1.0000000000000p-1f)', '3')
    """
    if dtype.kind in "bi":
        return f"{int(number)}"
    value = float(dtype.type(number))
    suffix = "f" if dtype == F32 else ""
    if np.isnan(value):
        return "NAN"
    if np.isinf(value):
        return "INFINITY" if value > 0 else "(-INFINITY)"
    return f"({value.hex()}{suffix})"


def float_of(line: Instruction) -> DType:
    """Return the dtype of an instruction's result, which must be floating."""
    dtype: DType = line.results[0].aval.dtype
    if dtype.kind != "f":
        raise Unprintable(f"{line.op.name} of {dtype.name}")
    return dtype


def combine(target: str, source: str, kind: str, *, is_quiet: bool = False) -> str:
    """Return C that adds a number to a sum, or takes the larger or smaller of two.

    NaN stays, unless it is counted apart (``is_quiet``).

    Examples
    --------
    >>> combine("a0", "v1", "sum").strip()
    'a0 += v1;'
    """
    if kind == "sum":
        return f"    {target} += {source};"
    sign = "<" if kind == "min" else ">"
    kept = f"({target} {sign} {source} || {target} != {target})"
    if not target.startswith("a") and not is_quiet:
        return f"    {target} = {kept} ? {target} : {source};"
    return f"    {target} = {source} {sign} {target} ? {source} : {target};"


def expression(statement: Map | Nest, texts: Sequence[str]) -> str:
    """Return a map's expression, its operands converted to what it computes in."""
    operands = []
    for operand, text, compute in zip(
        statement.operands, texts, statement.compute, strict=True
    ):
        is_other = isinstance(operand, Ref) and operand.value.dtype != compute
        operands.append(f"(({C_TYPES[compute]}){text})" if is_other else text)
    return statement.code.format(*operands)


def _is_repeated(ref: Ref) -> bool:
    """Tell whether a reference needs a loop for each axis, and a copy would be larger."""
    return on_rows(ref) is None and prod(ref.shape) > ref.value.size


def index(*terms: tuple[str, int], offset: int = 0) -> str:
    """Return C for a sum of loop variables times steps.

    Examples
    --------
    >>> index(("i", 3), ("j", 1), offset=2)
    'i * 3 + j + 2'
    """
    parts = [name if step == 1 else f"{name} * {step}" for name, step in terms if step]
    parts = [part for part in parts if part != "0" and not part.startswith("0 *")]
    parts += [str(offset)] * bool(offset)
    return " + ".join(parts) or "0"
