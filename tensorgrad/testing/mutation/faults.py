"""Faults that a hand derivation has, as changes of a function's syntax tree."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tensorgrad.testing.mutation.code import Function

__all__ = ["Fault", "changes", "faults"]

PRODUCTS = {"matmul", "dot", "tensordot", "outer", "inner", "vdot", "einsum"}
TRANSPOSES = {"transpose", "swapaxes", "moveaxis", "_flipped"}
OTHERS = {"sum": "mean", "mean": "sum", "sin": "cos", "cos": "sin"}
CONJUGATES = {"conjugate", "_conjugate", "conj"}


@dataclass(frozen=True)
class Fault:
    """One change: its family, its line, what it says, and the changed definition."""

    family: str
    change: str
    node: Function
    line: int = 0


def faults(node: Function, operands: Sequence[str]) -> Iterator[Fault]:
    """Yield every fault that can be planted into a definition.

    ``operands`` are the names that stand for values: each may be mistaken for another.
    """
    places = [(k, inner) for k, inner in enumerate(ast.walk(node))]
    for k, inner in places:
        for family, changed in changes(
            inner, operands, is_whole=is_result(node, inner)
        ):
            before, after = ast.unparse(inner), ast.unparse(changed)
            mutant = replaced(node, k, changed)
            whole_mutant = with_parameters(mutant, operands)
            line = getattr(inner, "lineno", 0)
            yield Fault(family, f"{before} -> {after}", whole_mutant, line)


def is_result(node: Function, inner: ast.AST) -> bool:
    """Tell whether an expression is what the function returns."""
    if isinstance(node, ast.Lambda):
        return inner is node.body
    return any(
        isinstance(statement, ast.Return) and statement.value is inner
        for statement in ast.walk(node)
    )


def replaced(node: Function, place: int, changed: ast.AST) -> Function:
    """Return a copy of a definition with the node at one place of its walk changed."""
    mutant = copy.deepcopy(node)
    target = list(ast.walk(mutant))[place]
    for parent in ast.walk(mutant):
        for field, value in ast.iter_fields(parent):
            if value is target:
                setattr(parent, field, copy.deepcopy(changed))
            elif isinstance(value, list) and any(item is target for item in value):
                value[:] = [copy.deepcopy(changed) if v is target else v for v in value]
    return mutant


def with_parameters(node: Function, operands: Sequence[str]) -> Function:
    """Let a changed lambda ask for the operands that it now uses."""
    if isinstance(node, ast.Lambda):
        known = {a.arg for a in node.args.args}
        used = {n.id for n in ast.walk(node.body) if isinstance(n, ast.Name)}
        node.args.args += [ast.arg(n) for n in operands if n in used - known]
    return node


# ---------------------------------------------------------------------- the families


def changes(
    node: ast.AST, operands: Sequence[str], *, is_whole: bool
) -> Iterator[tuple[str, ast.expr]]:
    """Yield the faults of one expression, by family."""
    if is_whole and isinstance(node, ast.expr) and not isinstance(node, ast.Tuple):
        yield from whole(node)
    if isinstance(node, ast.BinOp):
        yield from binary(node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign", node.operand
    if isinstance(node, ast.Call):
        yield from calls(node)
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield "transposed", node.value
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        yield from comparisons(node)
    if isinstance(node, ast.Name) and node.id in operands:
        for other in operands:
            if other != node.id:
                yield "operand", ast.Name(other, ast.Load())


def whole(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Yield a wrong sign and a wrong factor of the whole result; zero has neither."""
    if isinstance(node, ast.Constant) and not node.value:
        return
    yield "sign", ast.UnaryOp(ast.USub(), node)
    yield "factor", ast.BinOp(node, ast.Mult(), ast.Constant(2.0))
    yield "factor", ast.BinOp(node, ast.Mult(), ast.Constant(0.5))


def binary(node: ast.BinOp) -> Iterator[tuple[str, ast.expr]]:
    """Yield dropped terms, changed signs, inverted factors and swapped matrices."""
    if isinstance(node.op, (ast.Add, ast.Sub)):
        other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        yield "sign", ast.BinOp(node.left, other, node.right)
    if isinstance(node.op, (ast.Mult, ast.Div)):
        inverse = ast.Div() if isinstance(node.op, ast.Mult) else ast.Mult()
        yield "inverted", ast.BinOp(node.left, inverse, node.right)
    if isinstance(node.op, (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)):
        yield "dropped", node.left
    if isinstance(node.op, (ast.Add, ast.Sub, ast.Mult)):
        yield "dropped", node.right
    if isinstance(node.op, ast.MatMult):
        yield "transposed", ast.BinOp(node.right, node.op, node.left)
    for side in ("left", "right"):
        part = getattr(node, side)
        if isinstance(part, ast.Constant) and isinstance(part.value, (int, float)):
            doubled = copy.copy(node)
            setattr(doubled, side, ast.Constant(part.value * 2))
            if part.value:
                yield "factor", doubled


def comparisons(node: ast.Compare) -> Iterator[tuple[str, ast.expr]]:
    """Yield the other side of a condition, which a mask is made of."""
    opposite = {ast.Gt: ast.Lt, ast.GtE: ast.LtE, ast.Lt: ast.Gt, ast.LtE: ast.GtE}
    other = opposite.get(type(node.ops[0]))
    if other is not None:
        yield "condition", ast.Compare(node.left, [other()], node.comparators)


def calls(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """Yield swapped matrices, other axes and functions, and what is left out."""
    is_method = isinstance(node.func, ast.Attribute)
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else name
    other = OTHERS.get(name)
    if other is not None:
        func = copy.copy(node.func)
        setattr(func, "attr" if is_method else "id", other)
        yield "function", ast.Call(func, node.args, node.keywords)
    for k, keyword in enumerate(node.keywords):
        axis = keyword.value
        if (
            keyword.arg == "axis"
            and isinstance(axis, ast.Constant)
            and axis.value in (0, 1)
        ):
            keywords = list(node.keywords)
            keywords[k] = ast.keyword("axis", ast.Constant(1 - axis.value))
            yield "reduction", ast.Call(node.func, node.args, keywords)
    if name in PRODUCTS and len(node.args) >= 2:
        first, second, *rest = node.args
        yield "transposed", ast.Call(node.func, [second, first, *rest], node.keywords)
    if name in TRANSPOSES and node.args:
        yield "transposed", node.args[0]
    if name in CONJUGATES and node.args:
        yield "conjugate", node.args[0]
