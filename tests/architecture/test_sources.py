from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.sources import (
    PACKAGE,
    ROOT,
    parse,
    python_files,
    relative,
    walk_without_inner_functions,
)

EVERYWHERE = python_files("tensorgrad", "tests", "benchmarks", "docs", "noxfile.py")
IN_PACKAGE = python_files("tensorgrad")
TEST_FILES = [path for path in python_files("tests") if path.name.startswith("test_")]

SKIPS = {"skip", "skipif", "xfail", "importorskip"}
ISSUE = re.compile(r"#\d+")


def imported_modules(tree: ast.Module) -> set[str]:
    """Return the modules that a file imports, `a.b` for `from a import b` of a module."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def is_below(module: str) -> bool:
    """Tell whether a dotted name leads to a module of the package, not to the root."""
    first = module.split(".")[1] if "." in module else ""
    place = PACKAGE / first
    return bool(first) and (place.is_dir() or place.with_suffix(".py").exists())


def branches(function: ast.FunctionDef) -> list[str]:
    """Return where a test could leave early, or not look at all."""
    ways_out = (ast.If, ast.Return, ast.Try)
    inside = walk_without_inner_functions(function)
    return [
        f"{function.name}:{node.lineno}"
        for node in inside
        if isinstance(node, ways_out)
    ]


def find_tests(path: Path) -> list[ast.FunctionDef]:
    """Return the tests of a file, those in classes too."""
    found = [
        node for node in ast.walk(parse(path)) if isinstance(node, ast.FunctionDef)
    ]
    return [node for node in found if node.name.startswith("test_")]


@pytest.mark.parametrize("path", EVERYWHERE, ids=relative)
def test_file_postpones_the_evaluation_of_annotations(path: Path) -> None:
    statements = parse(path).body
    code = [s for s in statements if not isinstance(s, ast.Expr)]
    futures = {
        alias.name
        for s in statements
        if isinstance(s, ast.ImportFrom) and s.module == "__future__"
        for alias in s.names
    }
    assert not code or "annotations" in futures


@pytest.mark.parametrize("path", IN_PACKAGE, ids=relative)
def test_module_does_not_import_the_package_root(path: Path) -> None:
    modules = imported_modules(parse(path))
    ours = {name for name in modules if name.split(".")[0] == "tensorgrad"}
    assert {name for name in ours if not is_below(name)} == set()


@pytest.mark.parametrize("path", TEST_FILES, ids=relative)
def test_test_has_no_way_to_leave_early(path: Path) -> None:
    assert [place for test in find_tests(path) for place in branches(test)] == []


@pytest.mark.parametrize("path", TEST_FILES, ids=relative)
def test_test_is_not_skipped_without_an_issue(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    places = {
        node.lineno
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Attribute) and node.attr in SKIPS
    }
    assert [n for n in sorted(places) if not ISSUE.search(lines[n - 1])] == []


@pytest.mark.parametrize("path", python_files("tensorgrad", "docs"), ids=relative)
def test_todo_names_its_issue(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"\b(?:TODO|FIXME|XXX)\b(?!\(#\d+\))", text) == []


def test_package_ships_its_type_marker() -> None:
    assert (ROOT / "tensorgrad" / "py.typed").read_text(encoding="utf-8") == ""
