"""From a program to a module of NumPy that runs without this package.

Ops that are NumPy's functions are called by NumPy's name; for the others a helper is
written out in front (compiler/numpy_helpers.py). The lines make the calls that the ops
make, so the bits are the same. A value that plays a part in backpropagation gets a line
and the name of its part; short expressions of other values are written where they are used.
"""

from __future__ import annotations

import base64
import keyword
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.compiler.buffers import Plan
from tensorgrad.compiler.naming import name_roles
from tensorgrad.compiler.numpy_helpers import HELPERS, NEEDED_BY, SCRATCH, TAKES_OUT
from tensorgrad.compiler.program import (
    Constant,
    Instruction,
    Operand,
    Program,
    Variable,
)
from tensorgrad.core.op import Op, static_defaults
from tensorgrad.errors import CaptureError, explain

__all__ = ["constant_names", "print_numpy"]

LITERAL_ENTRIES = 40
"""Larger constants are printed compressed, after the function."""

SUM, PRODUCT, SIGN, ATOM = range(4)
"""How tightly an expression binds."""

INFIX: Mapping[str, tuple[str, int]] = {
    "add": ("+", SUM),
    "subtract": ("-", SUM),
    "multiply": ("*", PRODUCT),
    "divide": ("/", PRODUCT),
    "matmul": ("@", PRODUCT),
}

SHORT = 48
"""Characters of an expression that may stand inside another one."""


@dataclass(frozen=True, slots=True)
class Expression:
    """Python, and how tightly its outermost operator binds."""

    text: str
    level: int = ATOM

    def within(self, least: int) -> str:
        """Return the text, in parentheses if it binds less tightly than that."""
        return self.text if self.level >= least else f"({self.text})"


def print_numpy(
    program: Program,
    name: str = "step",
    *,
    with_constants: bool = True,
    plan: Plan | None = None,
) -> str:
    """Return Python source with a function that does what a program does.

    Parameters
    ----------
    program : Program
    name : str
        Of the function. It takes the program's inputs in order and returns its outputs,
        as a tuple if there are several.
    with_constants : bool
        Print the arrays that it was captured with; without, whoever runs it has to
        provide them (`constant_names`).
    plan : Plan, optional
        Which results go into which entry of a list of buffers, ``w``: a last parameter,
        made by the printed function ``buffers`` where it is left out.

    Examples
    --------
    >>> from tensorgrad.compiler import capture
    >>> print(print_numpy(capture(lambda x: np.tanh(x) * 2.0, np.ones(3)).program))
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def step(x):
        v0 = np.tanh(x) * 2.0  # float64[3]
        return v0
    <BLANKLINE>
    """
    names = _legal(program)
    plan = Plan({}, []) if plan is None else plan
    writer = _Writer(program, names, plan)
    body = [f"    {line}" for line in writer.lines()]
    results = [writer.operand(operand).text for operand in program.outputs]
    returned = results[0] if len(results) == 1 else f"({', '.join(results)})"
    parameters = ", ".join(names[v] for v in program.inputs)
    if plan.buffers:
        parameters += ", w=None"
        body.insert(0, "    w = buffers() if w is None else w")
    parts = ["import numpy as np", ""]
    needed = _helpers(program, plan)
    constants = program.constants if with_constants else []
    compressed = [
        (names[c], c.value) for c in constants if c.value.size > LITERAL_ENTRIES
    ]
    if compressed:
        parts[0:0] = ["import base64", "import zlib", ""]
    for helper in needed:
        parts += ["", HELPERS[helper]]
    parts += [""] * bool(needed)
    for constant in constants:
        if constant.value.size <= LITERAL_ENTRIES:
            parts.append(f"{names[constant]} = {_literal(constant.value)}")
    if plan.buffers:
        parts += ["", "", *_maker(plan)]
    parts += ["", "", f"def {name}({parameters}):", *body, f"    return {returned}", ""]
    for constant_name, value in compressed:
        parts += ["", f"{constant_name} = {_compressed(value)}"]
    return "\n".join(parts) + ("\n" if compressed else "")


def _maker(plan: Plan) -> Iterator[str]:
    """Yield the lines of the function that makes buffers."""
    yield "def buffers():"
    yield '    """Return memory for one call at a time, to be passed again and again."""'
    yield "    return ["
    for shape, dtype in plan.buffers:
        yield f"        np.empty({_value(shape)}, {_value(dtype)}),"
    yield "    ]"


def constant_names(program: Program) -> dict[str, Array]:
    """Return the arrays that a program was captured with, by their printed names.

    Examples
    --------
    >>> from tensorgrad.compiler import capture
    >>> constant_names(capture(lambda x: x + np.ones(1), np.ones(1)).program)
    {'c0': array([1.])}
    """
    names = _legal(program)
    return {names[constant]: constant.value for constant in program.constants}


def _legal(program: Program) -> dict[Variable | Constant, str]:
    """Return names that Python, NumPy and the helpers leave free."""
    taken = {"np", "w", "buffers", "base64", "zlib", *HELPERS}
    found: dict[Variable | Constant, str] = {}
    for key, name in program.names(name_roles(program)).items():
        while keyword.iskeyword(name) or name in taken:
            name += "_"  # noqa: PLW2901
        taken.add(name)
        found[key] = name
    return found


class _Writer:
    """Writes the lines of a program's function."""

    def __init__(
        self,
        program: Program,
        names: dict[Variable | Constant, str],
        plan: Plan,
    ) -> None:
        self.program = program
        self.plan = plan
        self.known: dict[Variable | Constant, Expression] = {
            key: Expression(name) for key, name in names.items()
        }
        roles = name_roles(program)
        values = [v for line in program.instructions for v in line.results]
        # Taken in turn, as many values get no line, and so no name.
        self.numbered = {v for v in values if v not in roles}
        self.numbers = iter([names[v] for v in values if v in self.numbered])
        uses = Counter(o for line in program.instructions for o in line.operands)
        uses.update(program.outputs)
        self.nameless = {v for v in self.numbered if uses[v] == 1}
        self.nameless.difference_update(program.outputs)

    def lines(self) -> Iterator[str]:
        """Yield an assignment for each value that is not written where it is used."""
        for line in self.program.instructions:
            written = self._expression(line)
            if self._moves(line, written):
                self.known[line.results[0]] = written
                continue
            for v in line.results:
                if v in self.numbered:
                    self.known[v] = Expression(next(self.numbers))
            results = [self.known[v].text for v in line.results]
            avals = ", ".join(repr(v.aval) for v in line.results)
            comma = "," if line.op.n_outputs is not None and len(results) == 1 else ""
            yield f"{', '.join(results)}{comma} = {written.text}  # {avals}"

    def _moves(self, line: Instruction, written: Expression) -> bool:
        """Tell whether an expression stands where its value is used, and not before.

        Beside buffers only views do: the operands of anything else may be written over
        by then.
        """
        is_view = line.op.name in ("transpose", "swapaxes", "reshape")
        is_short = len(written.text) <= SHORT and line.op.n_outputs is None
        may_wait = is_view or not (self.plan.buffers or self.plan.taken)
        return is_short and may_wait and line.results[0] in self.nameless

    def _expression(self, line: Instruction) -> Expression:
        op = line.op
        operands = [self.operand(operand) for operand in line.operands]
        texts = [operand.text for operand in operands]
        static = _static(op, line.static)
        options = [f"{key}={_value(value)}" for key, value in static.items()]
        options += self._memory(line.results[0])
        if self._memory(line.results[0]) and op.name not in SCRATCH:
            name = op.name if op.name in TAKES_OUT else _numpy_name(op)
            return Expression(f"{name}({', '.join([*texts, *options])})")
        if op.name in INFIX and not static:
            sign, level = INFIX[op.name]
            # Operators of one level are applied from the left.
            left, right = operands[0].within(level), operands[1].within(level + 1)
            return Expression(f"{left} {sign} {right}", level)
        if op.name == "negative" and not static:
            return Expression(f"-{operands[0].within(ATOM)}", SIGN)
        method = _method(line, operands, static)
        if method:
            return Expression(method)
        if _helper_of(line, self.plan):
            return Expression(f"{op.name}({', '.join([*texts, *options])})")
        if op.is_variadic:
            texts = [f"({', '.join(texts)},)"]
        return Expression(f"{_numpy_name(op)}({', '.join([*texts, *options])})")

    def _memory(self, result: Variable) -> list[str]:
        """Return the arguments that say where a call writes to."""
        plan = self.plan
        if result in plan.places:
            return [f"out=w[{plan.places[result]}]"]
        if result in plan.taken:
            return [f"out={self.known[plan.taken[result]].text}"]
        if result in plan.scratch:
            return [f"scratch=({', '.join(f'w[{k}]' for k in plan.scratch[result])})"]
        return []

    def operand(self, operand: Operand) -> Expression:
        """Return how an operand is written."""
        if isinstance(operand, (Variable, Constant)):
            return self.known[operand]
        text = _value(operand)
        return Expression(text, SIGN if text.startswith("-") else ATOM)


def _method(
    line: Instruction, operands: list[Expression], static: dict[str, Any]
) -> str:
    """Return a call as one writes it by hand, where an array has a method for it."""
    source = line.operands[0]
    if not isinstance(source, Variable):
        return ""
    x, name = operands[0].within(ATOM), line.op.name
    is_last_two = static.get("axis1"), static.get("axis2")
    if name == "transpose" and not static:
        return f"{x}.T"
    if name == "swapaxes" and source.aval.ndim == 2 and is_last_two == (-1, -2):
        return f"{x}.T"
    if name == "reshape" and set(static) == {"shape"}:
        return f"{x}.reshape({_value(static['shape'])})"
    if name in ("sum", "mean") and set(static) <= {"axis", "keepdims"}:
        options = ", ".join(f"{key}={_value(value)}" for key, value in static.items())
        return f"{x}.{name}({options})"
    return ""


def _static(op: Op, static: dict[str, Any]) -> dict[str, Any]:
    """Return the static arguments that are not what NumPy takes anyway."""
    defaults = static_defaults(op)
    return {
        name: value
        for name, value in static.items()
        if not (name in defaults and _is_default(value, defaults[name]))
    }


def _is_default(value: Any, default: Any) -> bool:
    is_plain = type(value) is type(default) and not isinstance(value, np.ndarray)
    return is_plain and bool(value == default)


def _numpy_name(op: Op) -> str:
    if op.ufunc is not None:
        return f"np.{op.ufunc.__name__}"
    for function in op.numpy:
        name = getattr(function, "__name__", "")
        if getattr(np, name, None) is function:
            return f"np.{name}"
        if getattr(np.linalg, name, None) is function:
            return f"np.linalg.{name}"
    raise CaptureError(
        explain(
            "printing NumPy",
            f"the op {op.name}, which NumPy has no function for",
            "an op with a NumPy name, or a helper",
            "Add a helper to tensorgrad/compiler/numpy_helpers.py",
        )
    )


def _helpers(program: Program, plan: Plan) -> list[str]:
    """Return the helpers that are called, those that they call in front of them."""
    found: list[str] = []

    def need(name: str) -> None:
        if name not in found:
            for other in NEEDED_BY[name]:
                need(other)
            found.append(name)

    for line in program.instructions:
        name = _helper_of(line, plan)
        if name:
            need(name)
    return found


def _helper_of(line: Instruction, plan: Plan) -> str:
    """Return the helper that an instruction calls; NumPy's where() needs one to reuse."""
    name = line.op.name
    is_plain = name not in HELPERS or (
        name == "where" and line.results[0] not in plan.places
    )
    return "" if is_plain else name


def _value(value: Any) -> str:
    """Return a static argument as Python."""
    if isinstance(value, np.ndarray):
        return _literal(value) if value.size <= LITERAL_ENTRIES else _compressed(value)
    if isinstance(value, np.dtype):
        return f"np.dtype({value.str!r})"
    if isinstance(value, type) and issubclass(value, np.generic):
        return f"np.{value.__name__}"
    if isinstance(value, np.generic):
        return f"np.{value.dtype.name}({value.item()!r})"
    if isinstance(value, slice):
        return (
            f"slice({_value(value.start)}, {_value(value.stop)}, {_value(value.step)})"
        )
    if isinstance(value, tuple):
        inner = ", ".join(map(_value, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if value is Ellipsis:
        return "..."
    if isinstance(value, float) and not np.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, type):
        return value.__name__
    return repr(value)


def _literal(value: Array) -> str:
    text = repr(value.tolist()).replace("inf", "np.inf").replace("nan", "np.nan")
    shape = "" if value.size else f".reshape({value.shape})"
    return f"np.array({text}, np.dtype({value.dtype.str!r})){shape}"


def _compressed(value: Array) -> str:
    packed = base64.b85encode(zlib.compress(np.ascontiguousarray(value).tobytes()))
    lines = _wrapped(packed.decode())
    text = "\n".join(f"    {line!r}" for line in lines)
    array = f"np.frombuffer(zlib.decompress(base64.b85decode(\n{text}\n))"
    return f"{array}, np.dtype({value.dtype.str!r})).reshape({value.shape})"


def _wrapped(text: str, width: int = 80) -> Sequence[str]:
    return [text[k : k + width] for k in range(0, len(text), width)] or [""]
