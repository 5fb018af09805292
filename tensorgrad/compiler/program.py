"""A program: one op a line, each result assigned once, shapes and dtypes known.

It is plain data. Two programs are equal if they do the same to their inputs, whatever
their variables are called; `str` prints one line for each instruction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.core.aval import Aval
from tensorgrad.core.op import Op
from tensorgrad.errors import CaptureError, explain

__all__ = [
    "Constant",
    "Instruction",
    "Operand",
    "Program",
    "Variable",
    "abstract",
    "avals_of",
    "canonical_line",
    "run",
]


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """A value that exists when the program runs; each is its own."""

    aval: Aval
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """An array that the program was captured with."""

    value: Array


Operand: TypeAlias = "Variable | Constant | bool | float | complex | None"
"""What an instruction works on; a Python number keeps NumPy's weak promotion."""


@dataclass(frozen=True, slots=True, eq=False)
class Instruction:
    """One application of an op: ``results = op(*operands, **static)``."""

    op: Op
    operands: tuple[Operand, ...]
    static: dict[str, Any]
    results: tuple[Variable, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Instructions in an order in which they can run, from inputs to outputs.

    Attributes
    ----------
    inputs : tuple of Variable
    instructions : tuple of Instruction
    outputs : tuple of operands

    Examples
    --------
    >>> from tensorgrad.compiler import capture
    >>> print(capture(lambda x: np.tanh(x).sum(), np.ones((2, 3))).program)
    input  x: float64[2, 3]
    v0 = tanh(x)  # float64[2, 3]
    v1 = sum(v0, axis=None)  # float64[]
    output v1
    """

    inputs: tuple[Variable, ...]
    instructions: tuple[Instruction, ...]
    outputs: tuple[Operand, ...]
    # Computed when they are first asked for.
    _key: list[Any] = field(default_factory=list, repr=False)
    _constants: list[list[Constant]] = field(default_factory=list, repr=False)

    def __len__(self) -> int:
        return len(self.instructions)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self.key == other.key

    def __hash__(self) -> int:
        return hash(str(self))

    @property
    def key(self) -> Any:
        """What the program does, without the names: equal for programs that do the same."""
        if not self._key:
            self._key.append(_canonical(self))
        return self._key[0]

    @property
    def constants(self) -> list[Constant]:
        """The arrays that it was captured with, each once, in order of their use."""
        if not self._constants:
            operands = [o for line in self.instructions for o in line.operands]
            found = [o for o in (*operands, *self.outputs) if isinstance(o, Constant)]
            self._constants.append(list(dict.fromkeys(found)))
        return self._constants[0]

    def names(
        self, given: Mapping[Variable, str] = MappingProxyType({})
    ) -> dict[Variable | Constant, str]:
        """Return a name for each variable and constant: the given one, or a number."""
        found: dict[Variable | Constant, str] = {}
        taken: set[str] = set(given.values())
        for k, variable in enumerate(self.inputs):
            name = variable.name if variable.name not in ("", *taken) else f"x{k}"
            taken.add(given.get(variable, name))
            found[variable] = given.get(variable, name)
        values = (f"v{k}" for k in count() if f"v{k}" not in taken)
        constants = (f"c{k}" for k in count() if f"c{k}" not in taken)
        for line in self.instructions:
            found.update((o, next(constants)) for o in _new_constants(line, found))
            for result in line.results:
                found[result] = given.get(result) or next(values)
        for operand in self.outputs:
            if isinstance(operand, Constant) and operand not in found:
                found[operand] = next(constants)
        return found

    def __str__(self) -> str:
        names = self.names()
        lines = [f"input  {names[v]}: {v.aval!r}" for v in self.inputs]
        for line in self.instructions:
            results = ", ".join(names[v] for v in line.results)
            avals = ", ".join(repr(v.aval) for v in line.results)
            lines.append(f"{results} = {_call(line, names)}  # {avals}")
        lines += [f"output {_text(operand, names)}" for operand in self.outputs]
        return "\n".join(lines)

    def check(self) -> None:
        """Raise unless every operand is known, and every result is assigned once.

        Raises
        ------
        CaptureError
            Naming the instruction. Shapes and dtypes are compared with the shape rules.
        """
        known: set[Variable] = set(self.inputs)
        if len(known) < len(self.inputs):
            raise _broken("an input that is there twice")
        for line in self.instructions:
            for operand in line.operands:
                if isinstance(operand, Variable) and operand not in known:
                    raise _broken(f"{line.op.name} of a value that is not yet there")
            for result, aval in zip(line.results, avals_of(line), strict=True):
                if result in known:
                    raise _broken(f"{line.op.name} assigns a value a second time")
                if result.aval != aval:
                    raise _broken(
                        f"{line.op.name} gives {aval!r} for a value of {result.aval!r}"
                    )
                known.add(result)
        for operand in self.outputs:
            if isinstance(operand, Variable) and operand not in known:
                raise _broken("an output that nothing computes")


def _new_constants(
    line: Instruction, found: Mapping[Variable | Constant, str]
) -> list[Constant]:
    """Return the constants among the operands that have no name yet, each once."""
    constants = [o for o in line.operands if isinstance(o, Constant) and o not in found]
    return list(dict.fromkeys(constants))


def _broken(came: str) -> CaptureError:
    return CaptureError(
        explain(
            "checking a program",
            came,
            "each value assigned once, before it is used, with its shape and dtype",
            "A pass has made it: report it with the program",
        )
    )


def avals_of(line: Instruction) -> Sequence[Aval]:
    """Return shapes and dtypes of an instruction's results by the op's shape rule.

    Examples
    --------
    >>> from tensorgrad.compiler import capture
    >>> avals_of(capture(lambda x: x.sum(), np.ones(2)).program.instructions[0])
    (float64[],)
    """
    values = [abstract(operand) for operand in line.operands]
    found = line.op.shape_rule(*values, **line.static)
    return found if isinstance(found, (tuple, list)) else (found,)


def abstract(operand: Operand) -> Any:
    """Return the shape and dtype of an operand; a Python number as it is.

    Examples
    --------
    >>> abstract(Constant(np.ones(2))), abstract(2.0)
    (float64[2], 2.0)
    """
    if isinstance(operand, Variable):
        return operand.aval
    if isinstance(operand, Constant):
        return Aval(operand.value.shape, operand.value.dtype)
    return operand


# ----------------------------------------------------------------------- comparing


def _canonical(program: Program) -> Any:
    """Return the program with numbers in the place of variables."""
    numbers: dict[Variable, int] = {v: k for k, v in enumerate(program.inputs)}
    lines = []
    for line in program.instructions:
        lines.append(canonical_line(line, numbers))
        for result in line.results:
            numbers[result] = len(numbers)
    outputs = tuple(_numbered(o, numbers) for o in program.outputs)
    avals = tuple((v.aval.shape, v.aval.dtype.str) for v in program.inputs)
    return avals, tuple(lines), outputs


def canonical_line(line: Instruction, numbers: Mapping[Variable, int]) -> Any:
    """Return what an instruction does, its operands being told by numbers.

    Examples
    --------
    >>> from tensorgrad.compiler import capture
    >>> program = capture(lambda x: x * 2, np.ones(1)).program
    >>> canonical_line(program.instructions[0], {program.inputs[0]: 0})
    ('multiply', (('value', 0), ('int', '2')), ())
    """
    operands = tuple(_numbered(o, numbers) for o in line.operands)
    static = tuple((k, _plain(v)) for k, v in sorted(line.static.items()))
    return line.op.name, operands, static


def _numbered(operand: Operand, numbers: Mapping[Variable, int]) -> Any:
    if isinstance(operand, Variable):
        return ("value", numbers[operand])
    if isinstance(operand, Constant):
        return ("constant", *_plain(operand.value))
    # 1, 1.0 and True are equal and promote differently; so do 0.0 and -0.0.
    return (type(operand).__name__, repr(operand))


def _plain(value: Any) -> Any:
    """Return a static argument as something that compares and hashes."""
    if isinstance(value, np.ndarray):
        return (value.shape, value.dtype.str, value.tobytes())
    if isinstance(value, (tuple, list)):
        return (type(value).__name__, *map(_plain, value))
    if isinstance(value, slice):
        return ("slice", value.start, value.stop, value.step)
    return repr(value)


# ------------------------------------------------------------------------ printing

UNSAID = ("dtype", "keepdims")
"""Static arguments that are printed only if they say something."""


def _call(line: Instruction, names: dict[Variable | Constant, str]) -> str:
    operands = [_text(operand, names) for operand in line.operands]
    if line.op.is_variadic:
        operands = [f"[{', '.join(operands)}]"]
    static = [
        f"{name}={_short(value)}"
        for name, value in line.static.items()
        if value or name not in UNSAID
    ]
    return f"{line.op.name}({', '.join([*operands, *static])})"


def _text(operand: Operand, names: dict[Variable | Constant, str]) -> str:
    if isinstance(operand, (Variable, Constant)):
        return names[operand]
    return repr(operand)


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"<{Aval(value.shape, value.dtype)!r}>"
    if isinstance(value, np.dtype):
        return value.name
    return repr(value)


# ------------------------------------------------------------------------- running


def run(program: Program, values: Sequence[Any]) -> list[Any]:
    """Compute the outputs by applying the ops one after the other.

    The reference that every printer is compared with: the same calls as without capture.

    Examples
    --------
    >>> from tensorgrad.compiler import capture
    >>> run(capture(lambda x: x * 2.0, np.ones(2)).program, [np.array([3.0, 4.0])])
    [array([6., 8.])]
    """
    known: dict[Variable, Any] = dict(zip(program.inputs, values, strict=True))
    last = _last_uses(program)
    for k, line in enumerate(program.instructions):
        operands = [_value(operand, known) for operand in line.operands]
        found = line.op.forward(*operands, **line.static)
        parts = found if line.op.n_outputs is not None else (found,)
        known.update(zip(line.results, parts, strict=True))
        for variable in last[k]:
            del known[variable]
    return [np.asarray(_value(operand, known)) for operand in program.outputs]


def _value(operand: Operand, known: dict[Variable, Any]) -> Any:
    if isinstance(operand, Variable):
        return known[operand]
    return operand.value if isinstance(operand, Constant) else operand


def _last_uses(program: Program) -> list[list[Variable]]:
    """Return, for each instruction, the values that nothing needs after it."""
    kept = {o for o in program.outputs if isinstance(o, Variable)}
    dying: list[list[Variable]] = []
    for line in reversed(program.instructions):
        used = dict.fromkeys([*_variables(line.operands), *line.results])
        dying.append([v for v in used if v not in kept])
        kept.update(used)
    return dying[::-1]


def _variables(operands: Sequence[Operand]) -> Iterator[Variable]:
    return (o for o in operands if isinstance(o, Variable))
