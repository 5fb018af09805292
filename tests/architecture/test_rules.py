"""Rules are made of ops: the table's derivatives never call NumPy."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import parse, python_files, relative

RULE_KEYWORDS = {"T", "d", "jvp", "vjp"}
# Constants, which every kind of operand understands, and the type a fast path asks for.
NUMPY_CONSTANTS = {"e", "euler_gamma", "inf", "ndarray", "newaxis", "pi"}
OP_FILES = python_files("tensorgrad/ops")


def rule_expressions(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield what stands after `d=`, `T=`, `vjp=` and `jvp=` in the entries of a file."""
    for statement in tree.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and not isinstance(
                statement, ast.FunctionDef
            ):
                yield from (k.value for k in node.keywords if k.arg in RULE_KEYWORDS)


def rules(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the rules of a file: lambdas in place, and functions that entries name."""
    functions = {f.name: f for f in tree.body if isinstance(f, ast.FunctionDef)}
    for expression in rule_expressions(tree):
        yield expression
        names = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
        yield from (functions[name] for name in sorted(names & set(functions)))


def numpy_uses(tree: ast.Module) -> set[str]:
    """Return `np.name` with its line, for all that the rules of a file take from NumPy."""
    return {
        f"np.{node.attr}, line {node.lineno}"
        for rule in rules(tree)
        for node in ast.walk(rule)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in {"np", "numpy"}
        and node.attr not in NUMPY_CONSTANTS
    }


@pytest.mark.parametrize("path", OP_FILES, ids=relative)
def test_rules_call_ops_and_never_numpy(path: Path) -> None:
    assert numpy_uses(parse(path)) == set()


def test_lint_sees_numpy_in_a_lambda_and_in_a_named_rule() -> None:
    source = (
        "def _rule(g, x):\n    return g * np.cos(x)\n"
        "sin = pointwise('sin', np.sin, d=lambda x: np.cos(x) + np.pi)\n"
        "both = custom('both', np.sin, vjp=(_rule, None), jvp=None)\n"
    )
    assert numpy_uses(ast.parse(source)) == {"np.cos, line 2", "np.cos, line 3"}
