"""The campaign finds the rules, plants faults, takes them out, and counts right."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorgrad.core.op import Op
from tensorgrad.ops import TABLE
from tensorgrad.testing.mutation.code import definition, made_like
from tensorgrad.testing.mutation.faults import faults
from tests.mutants.campaign import killer, mutants, planted_code
from tests.mutants.rules import OPS, helpers, rules_of
from tests.mutants.survivors import Entry, read, write

REACHED = helpers()


def changes_of(source: str, *operands: str) -> set[tuple[str, str]]:
    """Return family and text of the faults of a lambda."""
    node = ast.parse(source, mode="eval").body
    assert isinstance(node, ast.Lambda)
    return {
        (f.family, ast.unparse(f.node).partition(": ")[2])
        for f in faults(node, operands)
    }


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_source_of_every_rule_is_found(op: Op) -> None:
    rules = [rule for _, _, rule in rules_of(op)]
    compiled = [made_like(rule, definition(rule)) for rule in rules]
    names = [rule.__code__.co_varnames for rule in rules]
    assert [rule.__code__.co_varnames for rule in compiled] == names


@pytest.mark.parametrize("helper", REACHED, ids=lambda f: f.__name__)
def test_source_of_every_function_that_rules_call_is_found(
    helper: Callable[..., Any],
) -> None:
    definition_ = definition(helper)  # type: ignore[arg-type]
    assert getattr(definition_, "name", "<lambda>") == helper.__name__


def test_sum_of_a_product_has_every_family_of_fault() -> None:
    found = changes_of("lambda g, y: g * conjugate(y) - y", "x", "y")
    assert {
        ("sign", "-(g * conjugate(y) - y)"),
        ("sign", "g * conjugate(y) + y"),
        ("factor", "(g * conjugate(y) - y) * 2.0"),
        ("factor", "(g * conjugate(y) - y) * 0.5"),
        ("dropped", "g * conjugate(y)"),
        ("dropped", "conjugate(y) - y"),
        ("inverted", "g / conjugate(y) - y"),
        ("conjugate", "g * y - y"),
        ("operand", "g * conjugate(x) - y"),
        ("operand", "g * conjugate(y) - x"),
    } <= found


def test_matrix_product_has_swapped_factors_and_lost_transposes() -> None:
    found = changes_of("lambda g, y: matmul(g, swapaxes(y, -1, -2))", "y")
    assert ("transposed", "matmul(swapaxes(y, -1, -2), g)") in found
    assert ("transposed", "matmul(g, y)") in found


def test_changed_rule_asks_for_the_operand_that_it_uses() -> None:
    (node,) = [
        f.node
        for f in faults(ast.parse("lambda g, y: g * y", mode="eval").body, ("x", "y"))  # type: ignore[arg-type]
        if f.family == "operand"
    ]
    assert ast.unparse(node) == "lambda g, y, x: g * x"


@pytest.mark.parametrize("name", ["tanh", "multiply", "matmul", "max", "logsumexp"])
def test_every_fault_that_changes_a_derivative_is_noticed(name: str) -> None:
    listed = read()
    planted = mutants(frozenset([name]))
    missed = [m.name for m in planted if m.name not in listed and killer(m) is None]
    assert (len(planted) > 3, missed) == (True, [])


def test_sound_rules_pass_all_that_faults_are_tried_with() -> None:
    (first, *_) = mutants(frozenset(["tanh"]))
    op = TABLE["tanh"].op
    sound = type(first)(
        "sound", "none", (op,), lambda: planted_code(killer, killer.__code__)
    )
    assert killer(sound) is None


def test_planted_code_is_taken_out_again() -> None:
    helper = next(iter(REACHED))
    before = helper.__code__
    with pytest.raises(ZeroDivisionError), planted_code(helper, before.replace()):
        raise ZeroDivisionError
    assert helper.__code__ is before


def test_table_is_as_before_after_a_mutant() -> None:
    op = TABLE["multiply"].op
    before = op.rules
    killer(mutants(frozenset(["multiply"]))[0])
    assert op.rules is before
    np.testing.assert_array_equal(op.rules[0](3.0, 2.0), 6.0)


def test_every_listed_survivor_has_a_reason() -> None:
    reasons = {entry.reason for entry in read().values()}
    assert not reasons & {"", "unexplained"}


def test_list_is_read_as_it_is_written(tmp_path: Path) -> None:
    entries = {"f: sign: a | b -> -a": Entry("survives", "no reason is given")}
    write(entries, tmp_path / "list.txt")
    assert read(tmp_path / "list.txt") == entries


def test_list_with_another_status_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("f: sign | fine | whatever\n", encoding="utf-8")
    with pytest.raises(ValueError, match="status 'fine'"):
        read(tmp_path / "list.txt")
