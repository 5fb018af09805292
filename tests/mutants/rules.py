"""The rules of the table as syntax trees, and functions made from changed trees."""

from __future__ import annotations
import __future__

import ast
from collections.abc import Iterator
from functools import cache
from types import CodeType, FunctionType
from typing import TypeAlias

from tensorgrad.core.op import Op
from tensorgrad.ops import TABLE

Function: TypeAlias = ast.FunctionDef | ast.Lambda

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


# ------------------------------------------------------------- from code to tree


@cache
def tree_of(path: str) -> ast.Module:
    """Return the syntax tree of a file."""
    with open(path, encoding="utf-8") as file:  # noqa: PTH123  # a name, not a path
        return ast.parse(file.read())


def definition(function: FunctionType) -> Function:
    """Return the tree that a function was compiled from.

    Several lambdas may start on one line: the one whose code covers the same columns
    is it.
    """
    code = function.__code__
    for node in ast.walk(tree_of(code.co_filename)):
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            is_there = node.lineno == code.co_firstlineno
            if is_there and extent(compiled(node, function)) == extent(code):
                return node
    raise LookupError(f"no source for {function.__qualname__} in {code.co_filename}")


def extent(code: CodeType) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return where the source of a code object starts and ends, as line and column.

    The first instruction belongs to the call itself and has no place of its own.
    """
    spans = [
        ((line, column), (end_line, end_column))
        for line, end_line, column, end_column in list(code.co_positions())[1:]
        if line is not None and column is not None and end_column
    ]
    return min(start for start, _ in spans), max(end for _, end in spans)  # type: ignore[type-var,return-value]


# ------------------------------------------------------------- from tree to code


def compiled(node: Function, like: FunctionType) -> CodeType:
    """Compile a definition, with the free variables of the function it stands for."""
    # A function that calls itself finds itself in its module, not in the factory.
    body: list[ast.stmt] = (
        [ast.Return(node)]
        if isinstance(node, ast.Lambda)
        else [ast.Global([node.name]), node]
    )
    free = [ast.arg(name) for name in like.__code__.co_freevars]
    arguments = ast.arguments([], free, None, [], [], None, [])
    factory = ast.FunctionDef("factory", arguments, body, [], None, None)
    module = ast.fix_missing_locations(ast.Module([factory], []))
    flag = __future__.annotations.compiler_flag
    code = compile(module, like.__code__.co_filename, "exec", flags=flag)
    outer = next(c for c in code.co_consts if isinstance(c, CodeType))
    return next(c for c in outer.co_consts if isinstance(c, CodeType))


def made_like(function: FunctionType, node: Function) -> FunctionType:
    """Return a function of a changed definition in the surroundings of the original."""
    code = compiled(node, function)
    cells = dict(
        zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    )
    closure = tuple(cells[name] for name in code.co_freevars)
    made = FunctionType(
        code, function.__globals__, function.__name__, function.__defaults__, closure
    )
    made.__kwdefaults__ = function.__kwdefaults__
    return made
