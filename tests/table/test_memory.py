"""What a node keeps alive is what the rules of its recorded operands name."""

from __future__ import annotations

import inspect
import weakref
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pytest

from tensorgrad.core.node import Leaf
from tensorgrad.core.op import Op
from tensorgrad.core.tensor import wrap
from tests.table.cases import DIFFERENTIABLE, Case, outputs, point


def asked_by(op: Op, i: int) -> set[str]:
    """Return the parameters of an operand's rule, as `inspect` reads them."""
    rule = op.rule(i)
    return set() if rule is None else set(inspect.signature(rule).parameters)


def wanted_by(op: Op, recorded: tuple[int, ...]) -> set[str]:
    """Return all that the rules of some operands ask for."""
    names: set[str] = set()
    for i in recorded:
        names |= asked_by(op, i)
    return names


@dataclass(frozen=True)
class Application:
    """A node, and weak references to the values around it."""

    node: Any
    operands: dict[str, Any]
    out: Any


def applied(case: Case, recorded: tuple[int, ...]) -> Application:
    """Apply the op with some operands recorded, and let go of everything but the node."""
    at = point(case)
    operands = [v.copy() if isinstance(v, np.ndarray) else v for v in at.operands]
    names = names_of(case)
    references = {
        names[i]: weakref.ref(v)
        for i, v in enumerate(operands)
        if isinstance(v, np.ndarray)
    }
    given = [wrap(v, Leaf()) if i in recorded else v for i, v in enumerate(operands)]
    result = outputs(at.op(*given, **at.static))[0]
    node = result._node if case.op.n_outputs is None else result._node.parents[0]
    return Application(node, references, weakref.ref(result._value))


def names_of(case: Case) -> list[str]:
    """Return a name for each operand of a case; a variadic op has one for all."""
    n = len(case.example.operands)
    ops = case.op.operands
    return [f"{ops[0]}[{i}]" for i in range(n)] if case.op.is_variadic else list(ops)


def recordings() -> list[Any]:
    """Return each case with each choice of recorded operands: first, last, all."""
    found = []
    for case in DIFFERENTIABLE:
        moving = point(case).moving
        choices = dict.fromkeys([(moving[0],), (moving[-1],), moving])
        found += [
            pytest.param(case, choice, id=f"{case.name}-{choice}") for choice in choices
        ]
    return found


def fixed_arity() -> list[Any]:
    """Return the recordings of ops whose operands have names of their own."""
    return [p for p in recordings() if not p.values[0].op.is_variadic]


@pytest.mark.parametrize(("case", "recorded"), fixed_arity())
def test_node_keeps_alive_only_operands_that_its_rules_name(
    case: Case, recorded: tuple[int, ...]
) -> None:
    found = applied(case, recorded)
    alive = {name for name, ref in found.operands.items() if ref() is not None}
    assert alive <= wanted_by(case.op, recorded) | views(case)


def views(case: Case) -> set[str]:
    """Return what a result that is saved keeps alive by being a view of it."""
    return set(case.op.operands[:1]) if case.op.is_layout else set()


@pytest.mark.parametrize(("case", "recorded"), recordings())
def test_node_keeps_its_result_alive_only_if_its_rules_name_it(
    case: Case, recorded: tuple[int, ...]
) -> None:
    found = applied(case, recorded)
    is_wanted = "out" in wanted_by(case.op, recorded)
    assert found.out() is None or is_wanted


@pytest.mark.parametrize(("case", "recorded"), fixed_arity())
def test_node_saves_what_its_rules_name_and_nothing_else(
    case: Case, recorded: tuple[int, ...]
) -> None:
    node = applied(case, recorded).node
    layout = case.op.layout
    saved = node.saved if len(layout) > 1 else (node.saved,) * len(layout)
    values = saved if saved is not None else (None,) * len(layout)
    kept = {name for (name, _), v in zip(layout, values, strict=True) if v is not None}
    named = wanted_by(case.op, recorded) & {name for name, _ in layout}
    given = {
        n
        for n, v in zip(names_of(case), point(case).operands, strict=True)
        if v is None
    }
    assert kept == named - given


def lone_factors() -> list[Any]:
    """Return the cases of variadic linear ops, each operand recorded alone."""
    cases = [c for c in DIFFERENTIABLE if c.op.is_variadic and c.op.kind == "Linear"]
    pairs = [product([case], point(case).moving) for case in cases]
    return [
        pytest.param(case, i, id=f"{case.name}-{i}")
        for pair in pairs
        for case, i in pair
    ]


@pytest.mark.parametrize(("case", "i"), lone_factors())
def test_lone_recorded_factor_of_a_product_is_not_kept(case: Case, i: int) -> None:
    found = applied(case, (i,))
    assert found.operands[names_of(case)[i]]() is None
