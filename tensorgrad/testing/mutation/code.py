"""From a function to its syntax tree, and from a changed tree to a function."""

from __future__ import annotations
import __future__

import ast
import copy
import linecache
from functools import cache
from types import CodeType, FunctionType
from typing import TypeAlias

__all__ = ["Function", "compiled", "definition", "extent", "first_line", "made_like"]

Function: TypeAlias = ast.FunctionDef | ast.Lambda

# ------------------------------------------------------------- from code to tree


@cache
def tree_of(path: str) -> ast.Module:
    """Return the syntax tree of a file, or of what stands for one in a notebook."""
    return ast.parse("".join(linecache.getlines(path)))


def definition(function: FunctionType) -> Function:
    """Return the tree that a function was compiled from.

    Several lambdas may start on one line: the one whose code covers the same columns
    is it.
    """
    code = function.__code__
    for node in ast.walk(tree_of(code.co_filename)):
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            is_there = first_line(node) == code.co_firstlineno
            if is_there and extent(compiled(node, function)) == extent(code):
                return node
    raise LookupError(f"no source for {function.__qualname__} in {code.co_filename}")


def first_line(node: Function) -> int:
    """Return the line that a definition starts on, decorators included."""
    decorators = getattr(node, "decorator_list", [])
    first: int = min([node.lineno, *[d.lineno for d in decorators]])
    return first


def extent(code: CodeType) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return where the source of a code object starts and ends, as line and column.

    The first instruction belongs to the call itself and has no place of its own.
    """
    spans = [
        ((line, column), (end_line, end_column))
        for line, end_line, column, end_column in list(code.co_positions())[1:]
        if line is not None and column is not None and end_column
    ]
    return min(start for start, _ in spans), max(end for _, end in spans)  # type: ignore[return-value]


# ------------------------------------------------------------- from tree to code


def compiled(node: Function, like: FunctionType) -> CodeType:
    """Compile a definition, with the free variables of the function it stands for."""
    # A function that calls itself finds itself in its module, not in the factory.
    body: list[ast.stmt]
    if isinstance(node, ast.Lambda):
        body = [ast.Return(node)]
    else:
        plain = copy.copy(node)
        plain.decorator_list = []
        body = [ast.Global([node.name]), plain]
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
