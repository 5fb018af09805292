"""The project's own Python files, as paths and syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "tensorgrad"


def python_files(*parts: str) -> list[Path]:
    """Return every Python file below the named parts of the checkout, sorted."""
    found: set[Path] = set()
    for part in parts:
        place = ROOT / part
        found.update([place] if place.is_file() else place.rglob("*.py"))
    return sorted(path for path in found if "_build" not in path.parts)


def relative(path: Path) -> str:
    """Return a path as it reads from the root of the checkout."""
    return path.relative_to(ROOT).as_posix()


@cache
def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def layer_names() -> list[str]:
    """Return the direct children of the package, modules and packages alike."""
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    modules = {path.stem for path in PACKAGE.glob("*.py")}
    return sorted((packages | modules) - {"__init__", "__main__"})


def walk_without_inner_functions(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what a function's own statements contain, not what it defines inside."""
    waiting = list(ast.iter_child_nodes(node))
    while waiting:
        child = waiting.pop()
        yield child
        if not isinstance(child, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(child))
