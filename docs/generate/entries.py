"""Reading the table: families, and the source text of rules."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from tensorgrad.core.op import Op
from tensorgrad.ops import FAMILIES, TABLE

__all__ = ["Family", "RuleText", "families", "rule_text"]


@dataclass(frozen=True)
class Family:
    """A module of the table, and the ops that are written there, in its order."""

    name: str
    subject: str
    """The first line of the module's docstring."""
    text: str
    """What the docstring says after it."""
    ops: tuple[Op, ...]


def families() -> list[Family]:
    """Return the families of the table; every op is in exactly one."""
    found = [_family(module) for module in FAMILIES]
    named = sorted(op.name for family in found for op in family.ops)
    if named != sorted(TABLE):
        lost = sorted(set(TABLE) ^ set(named))
        raise LookupError(f"ops that are in no family, or in two: {lost}")
    return [family for family in found if family.ops]


def _family(module: ModuleType) -> Family:
    first, _, rest = (inspect.getdoc(module) or "").partition("\n")
    subject = first.removeprefix("The table:").strip()
    name = module.__name__.rpartition(".")[2]
    ops = [value.op for value in _defined(module)]
    return Family(name, subject[:1].upper() + subject[1:], rest.strip(), tuple(ops))


def _defined(module: ModuleType) -> Iterator[Any]:
    """Yield the op functions that a module makes, and not those it imports."""
    imported = {
        alias.asname or alias.name
        for node in ast.walk(_parse(Path(str(module.__file__))))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    seen: set[str] = set()
    for name, value in vars(module).items():
        op = getattr(value, "op", None)
        if isinstance(op, Op) and name not in imported and op.name not in seen:
            seen.add(op.name)
            yield value


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class RuleText:
    """A rule as it is written: one expression, or the text of a named function."""

    expression: str
    definition: str = ""


def rule_text(rule: Callable[..., Any]) -> RuleText:
    """Return a rule's formula; a longer one is named here and defined in full."""
    code: CodeType = rule.__code__
    tree = _parse(Path(code.co_filename))
    if code.co_name == "<lambda>":
        return RuleText(ast.unparse(_lambda_at(tree, code).body))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and _starts_at(node, code):
            return _of_definition(node, code)
    raise LookupError(f"no source for {code.co_name} in {code.co_filename}")


def _starts_at(node: ast.FunctionDef, code: CodeType) -> bool:
    first = min([node.lineno, *[d.lineno for d in node.decorator_list]])
    return node.name == code.co_name and first == code.co_firstlineno


def _of_definition(node: ast.FunctionDef, code: CodeType) -> RuleText:
    body = [part for part in node.body if not _is_docstring(part)]
    if len(body) == 1 and isinstance(body[0], ast.Return) and body[0].value is not None:
        return RuleText(ast.unparse(body[0].value))
    arguments = ", ".join(code.co_varnames[: code.co_argcount])
    head = f"{node.name}({arguments})"
    # The body as it is written, comments and line breaks included.
    lines = Path(code.co_filename).read_text(encoding="utf-8").split("\n")
    text = "\n".join(lines[body[0].lineno - 1 : node.end_lineno])
    return RuleText(head, f"def {head}:\n{text}")


def _is_docstring(part: ast.stmt) -> bool:
    return isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)


def _lambda_at(tree: ast.Module, code: CodeType) -> ast.Lambda:
    """Return the lambda that a code object was compiled from."""
    names = list(code.co_varnames[: code.co_argcount])
    candidates = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Lambda)
        and node.lineno == code.co_firstlineno
        and [argument.arg for argument in node.args.args] == names
    ]
    # Several on one line: the one whose body holds every instruction.
    for node in candidates:
        if all(_is_inside(node.body, place) for place in code.co_positions()):
            return node
    raise LookupError(f"no lambda at {code.co_filename}:{code.co_firstlineno}")


def _is_inside(body: ast.expr, place: tuple[int | None, ...]) -> bool:
    line, end_line, column, end_column = place
    if line is None or column is None or (line, column) == (end_line, end_column):
        return True  # an instruction that stands for no text
    first = (body.lineno, body.col_offset)
    last = (body.end_lineno or line, body.end_col_offset or 0)
    return first <= (line, column) and (end_line or line, end_column or 0) <= last
