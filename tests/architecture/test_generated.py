from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator

import pytest

from docs.generate.entries import families, rule_text
from docs.generate.installed_stub import installed
from docs.generate.installed_stub import render as render_installed
from docs.generate.op_pages import pages
from docs.generate.package_stub import exported
from docs.generate.package_stub import render as render_package
from docs.generate.signatures import Imports, parameters_of_op
from tensorgrad.core.op import parameters_of
from tensorgrad.ops import TABLE
from tests.architecture.sources import ROOT, parse

RULES = [
    pytest.param(rule, id=f"{name}-{i}")
    for name, function in TABLE.items()
    for i, rule in enumerate((*function.op.rules, *function.op.jvps))
    if rule is not None
]


def generators() -> list[str]:
    """Return the modules that `nox -s gen` runs."""
    (value,) = (
        node.value
        for node in parse(ROOT / "noxfile.py").body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "GENERATORS"
    )
    return list(ast.literal_eval(value))


def defined_names(text: str) -> Iterator[str]:
    """Yield the functions that a stub defines, at any depth."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            yield node.name


@pytest.mark.parametrize("module", generators())
def test_generated_files_are_fresh(module: str) -> None:
    assert importlib.import_module(module).main(["--check"]) == 0


def test_every_op_is_in_one_family() -> None:
    names = [op.name for family in families() for op in family.ops]
    assert sorted(names) == sorted(TABLE)


def test_every_op_has_an_entry_in_the_reference() -> None:
    text = "\n".join(pages().values())
    assert [name for name in TABLE if f"\n(op-{name})=\n" not in text] == []


@pytest.mark.parametrize("rule", RULES)
def test_text_of_a_rule_reads_only_names_that_the_rule_knows(rule: object) -> None:
    code = rule.__code__  # type: ignore[attr-defined]
    known = {*code.co_varnames, *code.co_names, *code.co_freevars, *code.co_cellvars}
    text = rule_text(rule).expression  # type: ignore[arg-type]
    found = {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}
    assert found <= known | {code.co_name}


@pytest.mark.parametrize("rule", RULES)
def test_text_of_a_rule_uses_every_parameter_that_the_rule_asks_for(
    rule: object,
) -> None:
    text = rule_text(rule).expression  # type: ignore[arg-type]
    found = {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}
    asked = {p for p in parameters_of(rule) if not p.endswith("_like")}  # type: ignore[arg-type]
    assert asked <= found


def test_stub_of_tensor_has_every_installed_name() -> None:
    assert set(defined_names(render_installed())) == set(installed())


def test_stub_of_the_package_names_everything_that_is_exported() -> None:
    tree = ast.parse(render_package())
    imported = {
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(exported()) <= imported | set(defined_names(render_package()))


@pytest.mark.parametrize("name", TABLE)
def test_every_op_tells_its_operands_in_the_stub(name: str) -> None:
    op = TABLE[name].op
    found = [p for p in parameters_of_op(op, Imports()) if p.is_operand]
    assert len(found) == len(op.operands)
