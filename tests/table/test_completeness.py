"""Every entry says all that its readers need."""

from __future__ import annotations

import doctest
import re
from typing import Any

import numpy as np
import pytest

from tensorgrad.core.op import Op, docstring
from tensorgrad.ops import TABLE

OPS = [f.op for f in dict.fromkeys(TABLE.values())]
every_op = pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)


@every_op
def test_entry_has_one_line_of_doc_that_ends_like_a_sentence(op: Op) -> None:
    assert re.fullmatch(r"[A-Z0-9][^\n]{3,90}\.", op.doc)


@every_op
def test_entry_names_its_source(op: Op) -> None:
    assert re.fullmatch(r"[^\n]{4,}\.", op.source)


@every_op
def test_entry_has_an_example(op: Op) -> None:
    assert op.examples


@every_op
def test_examples_have_as_many_operands_as_the_op(op: Op) -> None:
    counts = {len(example.operands) for example in op.examples}
    assert op.is_variadic or counts == {len(op.operands)}


@every_op
def test_entry_has_a_rule_and_a_domain_for_each_operand(op: Op) -> None:
    assert (len(op.rules), len(op.domain)) == (len(op.operands), len(op.operands))


@every_op
def test_entry_by_hand_has_both_modes(op: Op) -> None:
    expected = len(op.rules) if op.kind in {"Select", "Custom"} else 0
    assert len(op.jvps) == expected


@every_op
def test_domain_is_an_interval(op: Op) -> None:
    assert all(-np.inf < d.low < d.high < np.inf for d in op.domain)


@every_op
def test_latex_formats_and_balances_its_braces(op: Op) -> None:
    text = op.latex_call()
    assert text
    assert text.count("{") == text.count("}")


@every_op
def test_latex_uses_the_first_operand(op: Op) -> None:
    assert re.search(r"\{[0-9]\}", op.latex)


@every_op
def test_public_function_carries_the_entrys_name_and_docstring(op: Op) -> None:
    function = TABLE[op.name]
    assert function.op is op
    assert function.__doc__ == docstring(op)


@every_op
def test_doctest_of_the_entry_runs(op: Op) -> None:
    code, wanted = op.doctest
    assert code
    assert failures_of(op) == "", f"{code} is not {wanted}"


def failures_of(op: Op) -> str:
    """Run the docstring's examples, and return the report of those that fail."""
    import tensorgrad as tg

    scope: dict[str, Any] = {"np": np, "tg": tg}
    test = doctest.DocTestParser().get_doctest(docstring(op), scope, op.name, None, 0)
    runner = doctest.DocTestRunner(
        optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    said: list[str] = []
    runner.run(test, out=said.append)
    return "".join(said)
