"""The rules of the table, and the functions that they call."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType, FunctionType

from tensorgrad.core.op import Op
from tensorgrad.ops import TABLE

NO_RULES = {"tensorgrad.ops.shapes", "tensorgrad.ops.entry", "tensorgrad.ops.origins"}
"""Modules that rules call for shapes and set-up; no derivative is written there."""

NUMBERS = {"Any", "Array", "complex", "float"}
"""What a function of a derivative returns; others tell shapes, indices and errors."""

OPS = [function.op for function in dict.fromkeys(TABLE.values())]


def rules_of(op: Op) -> Iterator[tuple[str, int, FunctionType]]:
    """Yield the rules of an op with the field and the place that they stand in."""
    for field in ("rules", "jvps"):
        for place, rule in enumerate(getattr(op, field)):
            if isinstance(rule, FunctionType):
                yield field, place, rule


def called_by(function: FunctionType) -> Iterator[FunctionType]:
    """Yield the functions of the table's modules that a function calls directly."""
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    named = [function.__globals__.get(name) for name in names_in(function.__code__)]
    for value in (*cells, *named):
        is_ours = isinstance(value, FunctionType) and not hasattr(value, "op")
        if is_ours and value.__module__.startswith("tensorgrad.ops."):
            yield value


def names_in(code: CodeType) -> list[str]:
    """Return the names that a code object and those inside it look up."""
    found = list(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found += names_in(constant)
    return found


def reached_from(starts: list[FunctionType]) -> set[FunctionType]:
    """Return the functions that can be reached by calls; not the starts themselves."""
    found: set[FunctionType] = set()
    waiting = list(starts)
    while waiting:
        for callee in called_by(waiting.pop()):
            if callee not in found and callee.__module__ not in NO_RULES:
                found.add(callee)
                waiting.append(callee)
    return found


def helpers() -> dict[FunctionType, list[Op]]:
    """Return the functions that rules call, each with the ops whose rules reach it.

    A function that a forward function calls too is no rule: a fault in it changes the
    value and the derivative together.
    """
    found: dict[FunctionType, list[Op]] = {}
    for op in OPS:
        forward = [op.forward] if isinstance(op.forward, FunctionType) else []
        shared = reached_from(forward)
        own = [rule for _, _, rule in rules_of(op)]
        for helper in sorted(reached_from(own) - shared, key=lambda f: f.__name__):
            if helper.__annotations__.get("return") in NUMBERS:
                found.setdefault(helper, []).append(op)
    return found
