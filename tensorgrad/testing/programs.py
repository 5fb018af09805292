"""Random programs over the table: straight lines of ops that print as code to paste.

A step is an example of an op. Each of its operands is a new input on the op's domain,
or an earlier result of the same shape, where that lies on the domain and away from the
kinks. New inputs depend on the step alone, so that leaving a step out changes no other:
a failing program shrinks to the steps that matter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from zlib import crc32

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.core.op import Domain, Example, Op, static_defaults
from tensorgrad.ops import TABLE
from tensorgrad.testing.points import (
    EDGE,
    KINK_DISTANCE,
    OpPoint,
    draw_point,
    draw_values,
    is_shape,
    kink_distance,
)

__all__ = ["Program", "Reference", "Statement", "Step", "build_program", "usable_steps"]

LARGEST = 1e3
"""Results beyond it are left out: their differences have few digits."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A value of the program: an input, or an output of a statement.

    ``output`` counts the outputs of an op that has several; None for a single one.
    """

    kind: str  # "input" or "result"
    number: int
    output: int | None = None

    @property
    def name(self) -> str:
        """The name in the printed code."""
        if self.kind == "input":
            return f"x{self.number}"
        index = "" if self.output is None else f"[{self.output}]"
        return f"v{self.number}{index}"


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """An op applied to references and constants."""

    op: Op
    operands: tuple[Any, ...]
    static: dict[str, Any]


Step: TypeAlias = tuple[Op, int]
"""An op, and the number of one of its examples."""

Known: TypeAlias = tuple[Reference, Array]
"""A value of the program, and what it is at the inputs."""

ANY_SHAPE = "any"


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A function of arrays or Tensors, and inputs to call it with.

    Attributes
    ----------
    inputs : tuple of ndarray
        Read-only; every op gets values on its domain, away from kinks.
    statements : tuple of Statement
    results : tuple of Reference
        The values that no statement uses; what a call returns.

    Examples
    --------
    >>> from tensorgrad.ops import TABLE
    >>> program = build_program([((TABLE["exp"].op, 0), (0,))], seed=0)
    >>> program.n_ops, len(program(*program.inputs))
    (1, 1)
    """

    inputs: tuple[Array, ...]
    statements: tuple[Statement, ...]
    results: tuple[Reference, ...]

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        """Run the program and return the values that nothing uses."""
        values: list[Any] = []

        def value_of(operand: Any) -> Any:
            if not isinstance(operand, Reference):
                return operand
            if operand.kind == "input":
                return inputs[operand.number]
            value = values[operand.number]
            return value if operand.output is None else value[operand.output]

        for statement in self.statements:
            operands = [value_of(operand) for operand in statement.operands]
            values.append(statement.op(*operands, **statement.static))
        return tuple(value_of(reference) for reference in self.results)

    @property
    def n_ops(self) -> int:
        """How many ops are applied."""
        return len(self.statements)

    @property
    def source(self) -> str:
        """Python code that defines the program and its inputs, to paste and run."""
        names = [f"x{k}" for k in range(len(self.inputs))]
        results = ", ".join(reference.name for reference in self.results)
        lines = ["import numpy as np", "import tensorgrad as tg", "", ""]
        lines += [f"def program({', '.join(names)}):"]
        lines += [
            f"    v{k} = {_call(statement)}"
            for k, statement in enumerate(self.statements)
        ]
        lines += [f"    return ({results},)" if results else "    return ()", "", ""]
        lines += [
            f"{name} = {_literal(value)}"
            for name, value in zip(names, self.inputs, strict=True)
        ]
        lines += [f"results = program({', '.join(names)})"]
        return "\n".join(lines) + "\n"

    def __repr__(self) -> str:
        return f"<program of {self.n_ops} ops>\n{self.source}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001
        # Hypothesis would show the fields of the records instead.
        printer.text(repr(self))


def usable_steps(ops: Sequence[Any] | None = None) -> list[Step]:
    """Return the examples of real, differentiable results.

    Parameters
    ----------
    ops : sequence of op functions or names, optional
        By default the whole table.

    Returns
    -------
    list of (Op, int)

    Examples
    --------
    >>> [number for op, number in usable_steps(["exp"])]
    [0, 1, 2]
    """
    wanted: Iterable[Any] = TABLE.values() if ops is None else ops
    found = dict.fromkeys(find_op(op) for op in wanted)
    return [
        (op, number)
        for op in found
        if not op.is_constant and not op.report_only
        for number in range(len(op.examples))
        if _is_usable(op, number)
    ]


def find_op(op: Any) -> Op:
    """Return the entry of an op, by its name, its function, or itself."""
    if isinstance(op, str):
        found: Op = TABLE[op].op
        return found
    entry: Op = getattr(op, "op", op)
    return entry


def _is_usable(op: Op, number: int) -> bool:
    example = op.examples[number]
    at = draw_point(op, example, np.random.default_rng(0))
    if at is None or not at.moving:
        return False
    is_real = all(value.dtype.kind == "f" for value in at.moved)
    return is_real and _is_moderate(op, at)


def _is_moderate(op: Op, at: OpPoint) -> bool:
    """Tell whether all results are real numbers of moderate size."""
    with np.errstate(all="ignore"):
        results = at.op(*at.operands, **at.static)
    parts = results if isinstance(results, (tuple, list)) else [results]
    return all(
        np.asarray(part).dtype.kind == "f"
        and bool((np.abs(np.asarray(part)) < LARGEST).all())
        for part in parts
    )


def build_program(steps: Sequence[tuple[Step, Sequence[int]]], *, seed: int) -> Program:
    """Return the program of some steps.

    Parameters
    ----------
    steps : sequence of ((Op, int), sequence of int)
        An op with the number of its example, and for each operand where it comes from:
        0 for a new input, k for the k-th earlier value that fits, counted round.
    seed : int
        Of the values of the inputs.

    Returns
    -------
    Program
        Steps whose results would not be real numbers of moderate size are left out.
    """
    builder = _Builder(seed)
    for step, sources in steps:
        builder.add(step, sources)
    return builder.finish()


class _Builder:
    """A program under way, with the values that its results have."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.inputs: list[Array] = []
        self.statements: list[Statement] = []
        self.known: list[Known] = []
        self.used: set[Reference] = set()

    def add(self, step: Step, sources: Sequence[int]) -> None:
        """Append a step, unless its results are no real numbers of moderate size."""
        op, number = step
        example = op.examples[number]
        rng = np.random.default_rng(crc32(f"{op.name} {number} {self.seed}".encode()))
        fresh = draw_point(op, example, rng)
        if fresh is None:
            return
        chosen = self._choose(op, example, sources)
        operands = _filled(op, example, chosen, fresh, rng)
        if kink_distance(op, operands, fresh.static) < KINK_DISTANCE:
            chosen, operands = [None] * len(operands), list(fresh.operands)
        at = OpPoint(op, tuple(operands), fresh.static)
        if _is_moderate(op, at):
            self._append(at, [known and known[0] for known in chosen])

    def _choose(
        self, op: Op, example: Example, sources: Sequence[int]
    ) -> list[Known | None]:
        """Return an earlier value for each operand, or nothing for a new input."""
        chosen: list[Known | None] = []
        # Entry by entry, any shape will do, as long as all operands have it.
        shape: Any = ANY_SHAPE if _takes_any_shape(op, example) else None
        for i, operand in enumerate(example.operands):
            source = sources[i] if i < len(sources) else 0
            domain = op.domain[0 if op.is_variadic else i]
            wanted = operand if shape is None else shape
            fitting = [
                known
                for known in reversed(self.known)
                if is_shape(operand) and _fits(known[1], wanted, domain)
            ]
            found = fitting[(source - 1) % len(fitting)] if source and fitting else None
            chosen.append(found)
            if shape is ANY_SHAPE:
                shape = None if found is None else found[1].shape
        return chosen

    def _append(self, at: OpPoint, references: Sequence[Reference | None]) -> None:
        operands: list[Any] = []
        for i, (reference, value) in enumerate(
            zip(references, at.operands, strict=True)
        ):
            if reference is not None:
                self.used.add(reference)
                operands.append(reference)
            elif i in at.moving:
                operands.append(self._new_input(value))
            else:
                operands.append(value)
        number = len(self.statements)
        self.statements.append(Statement(at.op, tuple(operands), at.static))
        results = at.op(*at.operands, **at.static)
        if isinstance(results, (tuple, list)):
            self.known += [
                (Reference("result", number, k), np.asarray(part))
                for k, part in enumerate(results)
            ]
        else:
            self.known.append((Reference("result", number), np.asarray(results)))

    def _new_input(self, value: Array) -> Reference:
        reference = Reference("input", len(self.inputs))
        self.inputs.append(value)
        # Inputs may be used again, which is what sums of cotangents are for.
        self.known.append((reference, value))
        self.used.add(reference)
        return reference

    def finish(self) -> Program:
        results = [
            reference for reference, _ in self.known if reference not in self.used
        ]
        return Program(tuple(self.inputs), tuple(self.statements), tuple(results))


def _takes_any_shape(op: Op, example: Example) -> bool:
    """Tell whether an op acts entry by entry, and the example has no array of its own."""
    has_arrays = any(np.ndim(o) > 0 for o in example.operands if not is_shape(o))
    return op.ufunc is not None and op.ufunc.signature is None and not has_arrays


def _filled(
    op: Op,
    example: Example,
    chosen: Sequence[Known | None],
    fresh: OpPoint,
    rng: np.random.Generator,
) -> list[Any]:
    """Return the values of the operands; new ones take the shape of the first."""
    first = chosen[0] if chosen else None
    wide = first is not None and _takes_any_shape(op, example)
    operands: list[Any] = []
    for i, known in enumerate(chosen):
        if known is not None:
            operands.append(known[1])
        elif wide and first is not None and is_shape(example.operands[i]):
            operands.append(draw_values(rng, first[1].shape, op.domain[i]))
        else:
            operands.append(fresh.operands[i])
    return operands


def _fits(value: Array, shape: Any, domain: Domain) -> bool:
    edge = EDGE * (domain.high - domain.low)
    low, high = domain.low + edge, domain.high - edge
    is_inside = bool(((value > low) & (value < high)).all())
    return is_inside and (shape is ANY_SHAPE or value.shape == shape)


# ----------------------------------------------------------------------------- printing


def _call(statement: Statement) -> str:
    op = statement.op
    defaults = static_defaults(op)
    static = [
        f"{name}={_literal(value)}"
        for name, value in statement.static.items()
        if not _is_default(defaults, name, value)
    ]
    operands = [
        operand.name if isinstance(operand, Reference) else _literal(operand)
        for operand in statement.operands
    ]
    if op.adapt is not None:
        # The function's own arguments are others than the op's operands.
        return f"tg.{op.name}.op({', '.join([*operands, *_all(statement.static)])})"
    if op.is_variadic:
        operands = [f"[{', '.join(operands)}]"]
    return f"tg.{op.name}({', '.join([*operands, *static])})"


def _all(static: Mapping[str, Any]) -> Iterator[str]:
    return (f"{name}={_literal(value)}" for name, value in static.items())


def _is_default(defaults: Mapping[str, Any], name: str, value: Any) -> bool:
    default = defaults.get(name, static_defaults)
    return default is value or (type(default) is type(value) and _same(default, value))


def _same(first: Any, second: Any) -> bool:
    return not isinstance(first, np.ndarray) and bool(first == second)


def _literal(value: Any) -> str:
    """Return Python code for a value; floats keep all their digits."""
    if isinstance(value, np.ndarray):
        if value.size == 0:
            return f"np.zeros({value.shape!r}, dtype={value.dtype.name!r})"
        return f"np.array({_literal(value.tolist())}, dtype={value.dtype.name!r})"
    if isinstance(value, np.generic):
        return f"np.{value.dtype.name}({_literal(value.item())})"
    if isinstance(value, float) and not math.isfinite(value):
        return f"np.{value}" if value >= 0 or math.isnan(value) else "-np.inf"
    if isinstance(value, type):
        return f"np.{value.__name__}" if value.__module__ == "numpy" else value.__name__
    if isinstance(value, np.dtype):
        return f"np.dtype({value.name!r})"
    if isinstance(value, (tuple, list)):
        inside = ", ".join(map(_literal, value))
        closing = "," if isinstance(value, tuple) and len(value) == 1 else ""
        brackets = "()" if isinstance(value, tuple) else "[]"
        return f"{brackets[0]}{inside}{closing}{brackets[1]}"
    return repr(value)
