"""From a program to a module of NumPy that runs without this package.

Each instruction becomes one line. Ops that are NumPy's functions are called by NumPy's
name; for the others a helper is written out in front (compiler/numpy_helpers.py). The
lines make the calls that the ops make, so the bits are the same.
"""

from __future__ import annotations

import base64
import keyword
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.compiler.numpy_helpers import HELPERS, NEEDED_BY
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

INFIX = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "matmul": "{} @ {}",
    "negative": "-{}",
}


def print_numpy(
    program: Program,
    name: str = "step",
    *,
    with_constants: bool = True,
    places: Mapping[Variable, int] | None = None,
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
    places : mapping from Variable to int, optional
        Which results go into which entry of a list of buffers, ``w``, a last parameter.

    Examples
    --------
    >>> from tensorgrad.compiler import capture
    >>> print(print_numpy(capture(lambda x: np.tanh(x) * 2.0, np.ones(3)).program))
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def step(x):
        v0 = np.tanh(x)  # float64[3]
        v1 = v0 * 2.0  # float64[3]
        return v1
    <BLANKLINE>
    """
    names = _legal(program)
    body = [f"    {line}" for line in _lines(program, names, places or {})]
    results = [_operand(operand, names) for operand in program.outputs]
    returned = results[0] if len(results) == 1 else f"({', '.join(results)})"
    parameters = ", ".join([names[v] for v in program.inputs] + ["w"] * bool(places))
    parts = ["import numpy as np", ""]
    needed = _helpers(program)
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
    parts += ["", "", f"def {name}({parameters}):", *body, f"    return {returned}", ""]
    for constant_name, value in compressed:
        parts += ["", f"{constant_name} = {_compressed(value)}"]
    return "\n".join(parts) + ("\n" if compressed else "")


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
    taken = {"np", "w", "base64", "zlib", *HELPERS}
    return {
        key: f"{name}_" if keyword.iskeyword(name) or name in taken else name
        for key, name in program.names().items()
    }


def _lines(
    program: Program,
    names: dict[Variable | Constant, str],
    places: Mapping[Variable, int],
) -> Iterator[str]:
    for line in program.instructions:
        results = [names[v] for v in line.results]
        avals = ", ".join(repr(v.aval) for v in line.results)
        comma = "," if line.op.n_outputs is not None and len(results) == 1 else ""
        left = ", ".join(results) + comma
        place = places.get(line.results[0])
        yield f"{left} = {_expression(line, names, place)}  # {avals}"


def _expression(
    line: Instruction, names: dict[Variable | Constant, str], place: int | None
) -> str:
    op = line.op
    operands = [_operand(operand, names) for operand in line.operands]
    static = _static(op, line.static)
    if place is not None:
        return f"{_numpy_name(op)}({', '.join(operands)}, out=w[{place}])"
    if op.name in INFIX and not static:
        bracketed = [f"({o})" if o.startswith("-") else o for o in operands]
        return INFIX[op.name].format(*bracketed)
    options = [f"{key}={_value(value)}" for key, value in static.items()]
    method = _method(line, operands, static)
    if method:
        return method
    if op.name in HELPERS:
        return f"{op.name}({', '.join([*operands, *options])})"
    function = _numpy_name(op)
    if op.is_variadic:
        operands = [f"({', '.join(operands)},)"]
    return f"{function}({', '.join([*operands, *options])})"


def _method(line: Instruction, operands: list[str], static: dict[str, Any]) -> str:
    """Return a call as one writes it by hand, where an array has a method for it."""
    source = line.operands[0]
    if not isinstance(source, Variable):
        return ""
    (x, *_), name = operands, line.op.name
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


def _helpers(program: Program) -> list[str]:
    """Return the helpers that are called, those that they call in front of them."""
    found: list[str] = []

    def need(name: str) -> None:
        if name not in found:
            for other in NEEDED_BY[name]:
                need(other)
            found.append(name)

    for line in program.instructions:
        if line.op.name in HELPERS:
            need(line.op.name)
    return found


def _operand(operand: Operand, names: dict[Variable | Constant, str]) -> str:
    if isinstance(operand, (Variable, Constant)):
        return names[operand]
    return _value(operand)


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
