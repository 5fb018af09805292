"""Report the sizes of functions, classes and files, and enforce the hard limits.

What is counted: a function's lines without its docstring; a file's lines as they
stand; a class's own public methods and properties; the depth of blocks in a function;
its parameters without `self`; the decisions in it, plus one.

An exception stands at its place: ``# size: reason`` between the first decorator (or
the line above) and the first statement of the function or class, or, for a file, above
its first import. One that is no longer needed fails as well.

Run it with ``python -m tests.architecture.size_report``.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.architecture.sources import parse, python_files, relative

PLACES = ("tensorgrad", "tests", "benchmarks", "docs", "noxfile.py")
LIMITS = {
    "file lines": 600,
    "function lines": 60,
    "public methods": 20,
    "nesting": 4,
    "parameters": 8,
    "complexity": 12,
}
SHOWN = 3
EXCEPTION = re.compile(r"(?:^|\s)# size: (\S.*)")

Function = ast.FunctionDef | ast.AsyncFunctionDef
BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match)
DECISIONS = (
    ast.If,
    ast.For,
    ast.While,
    ast.ExceptHandler,
    ast.match_case,
    ast.comprehension,
)


@dataclass(frozen=True)
class Measure:
    """One size of one thing, and the reason it may pass the limit, if one is given."""

    kind: str
    size: int
    where: str
    reason: str | None

    @property
    def is_over(self) -> bool:
        return self.size > LIMITS[self.kind]

    def __str__(self) -> str:
        return f"{self.size:5d} (limit {LIMITS[self.kind]:3d})  {self.kind:14s}  {self.where}"


def measure_file(path: Path) -> list[Measure]:
    """Return every measure of a file and of what it defines."""
    lines = path.read_text(encoding="utf-8").splitlines()
    tree = parse(path)
    imports = [
        s.lineno for s in tree.body if isinstance(s, ast.Import | ast.ImportFrom)
    ]
    reason = _reason(lines[: min(imports, default=1) - 1])
    measures = [Measure("file lines", len(lines), relative(path), reason)]
    for node in ast.walk(tree):
        if isinstance(node, Function | ast.ClassDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            place = lines[max(first - 2, 0) : node.body[0].lineno - 1]
            where = f"{relative(path)}:{node.lineno} {node.name}"
            sizes = (
                _class_sizes(node) if isinstance(node, ast.ClassDef) else _sizes(node)
            )
            reason = _reason(place)
            measures += [Measure(kind, size, where, reason) for kind, size in sizes]
    return measures


def _reason(lines: list[str]) -> str | None:
    marked = [found[1] for line in lines if (found := EXCEPTION.search(line))]
    return marked[0] if marked else None


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _class_sizes(node: ast.ClassDef) -> Iterator[tuple[str, int]]:
    names = {item.name for item in node.body if isinstance(item, Function)}
    yield "public methods", sum(not name.startswith("_") for name in names)


def _sizes(node: Function) -> Iterator[tuple[str, int]]:
    length = (node.end_lineno or node.lineno) - node.lineno + 1
    text = node.body[0]
    if _is_text(text):
        length -= (text.end_lineno or text.lineno) - text.lineno + 1
    yield "function lines", length
    yield "nesting", _depth(node.body)
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    named = sum(argument.arg not in {"self", "cls"} for argument in arguments)
    starred = sum(star is not None for star in (node.args.vararg, node.args.kwarg))
    yield "parameters", named + starred
    yield (
        "complexity",
        1 + sum(isinstance(child, DECISIONS) for child in ast.walk(node)),
    )


def _depth(statements: list[ast.stmt]) -> int:
    return max((_depth_of(statement) for statement in statements), default=0)


def _depth_of(statement: ast.stmt) -> int:
    if not isinstance(statement, BLOCKS):
        return 0
    inner = [
        child
        for child in ast.iter_child_nodes(statement)
        if isinstance(child, ast.stmt)
    ]
    for branch in (
        *getattr(statement, "handlers", ()),
        *getattr(statement, "cases", ()),
    ):
        inner += branch.body
    # An `elif` is one more branch of the same block, not a block inside it.
    orelse = getattr(statement, "orelse", [])
    if (
        isinstance(statement, ast.If)
        and len(orelse) == 1
        and isinstance(orelse[0], ast.If)
    ):
        inner.remove(orelse[0])
        return max(1 + _depth(inner), _depth_of(orelse[0]))
    return 1 + _depth(inner)


def measure_all() -> list[Measure]:
    """Return every measure of the project."""
    return [measure for path in python_files(*PLACES) for measure in measure_file(path)]


def offences(measures: list[Measure]) -> list[str]:
    """Return what is over its limit without a reason, and reasons without need."""
    found = [str(m) for m in measures if m.is_over and not m.reason]
    needed = {m.where for m in measures if m.is_over}
    reasons = {m.where: m.reason for m in measures if m.reason}
    stale = [where for where in reasons if where not in needed]
    return found + [
        f"no longer needs its `# size:` comment: {where}" for where in stale
    ]


def main() -> int:
    """Print the largest of each kind, the exceptions and the offences."""
    measures = measure_all()
    print("Largest of each kind")
    for kind in LIMITS:
        ranked = sorted((m for m in measures if m.kind == kind), key=lambda m: -m.size)
        print(*ranked[:SHOWN], sep="\n")
    print("\nExceptions")
    excused = [m for m in measures if m.is_over and m.reason]
    print(*(f"{m}: {m.reason}" for m in excused) if excused else ("none",), sep="\n")
    bad = offences(measures)
    print("\nOffences")
    print(*(bad or ("none",)), sep="\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
