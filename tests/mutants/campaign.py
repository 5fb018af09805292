"""Plant each fault in turn, and see whether the checks of the table notice it."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from types import FunctionType
from typing import Any

import numpy as np

from tensorgrad.core.op import Op, layout_of
from tensorgrad.testing.mutation.code import definition, made_like
from tensorgrad.testing.mutation.faults import faults
from tests.mutants.rules import OPS, helpers, rules_of
from tests.table.cases import (
    COMPLEX_DIFFERENTIABLE,
    CONTINUED,
    DIFFERENTIABLE,
    SCALAR,
    Case,
)
from tests.table.derivatives import (
    check_adjoint_fits,
    check_complex_step,
    check_each_operand,
    check_modes_agree,
    check_reported,
    check_second_order,
    check_unit_cotangent,
)
from tests.table.special import (
    SIGNS,
    check_common_direction,
    check_infinity,
    check_modes_at,
    check_special,
    check_steep,
    patterns_of,
    special_cases,
)

Check = Callable[[Case], None]
Planted = Callable[[Op], Op]
"""Returns the record of an op with the fault in it."""


@dataclass(frozen=True)
class Mutant:
    """A fault in a place: which ops it may show in, and how it is planted and removed."""

    name: str
    family: str
    ops: tuple[Op, ...]
    plant: Callable[[], Any]


# ------------------------------------------------------------------------ the mutants


def mutants(names: frozenset[str] = frozenset()) -> list[Mutant]:
    """Return every mutant, or those that concern some ops, each with a name of its own."""
    found = [*in_rules(names), *in_helpers(names), *swapped(names)]
    seen: Counter[str] = Counter()
    unique = []
    for mutant in found:
        seen[mutant.name] += 1
        n = seen[mutant.name]
        unique.append(replace(mutant, name=f"{mutant.name} #{n}") if n > 1 else mutant)
    return unique


def concerns(names: frozenset[str], ops: list[Op]) -> bool:
    return not names or any(op.name in names for op in ops)


def in_rules(names: frozenset[str]) -> Iterator[Mutant]:
    """Yield the faults in the rules that stand in the entries."""
    for op in OPS:
        if not concerns(names, [op]):
            continue
        values = [*op.operands, "out"] if not op.is_variadic else ["g"]
        for field, place, rule in rules_of(op):
            if field == "rules" and not op.is_variadic and place in op.report_only:
                where = f"{op.name}, report of {op.operands[place]}"
            else:
                where = f"{op.name}, {field} {place}"
            if rule.__code__.co_name != "<lambda>":
                continue  # a named function is a helper
            for fault in faults(definition(rule), values):
                changed = made_like(rule, fault.node)
                record = with_rule(op, field, place, changed)
                yield Mutant(
                    f"{where}: {fault.family}: {fault.change}",
                    fault.family,
                    (op,),
                    lambda record=record: planted_record(record),
                )


def in_helpers(names: frozenset[str]) -> Iterator[Mutant]:
    """Yield the faults in the named functions that rules are, or call."""
    places = helpers()
    for op in OPS:
        for _, _, rule in rules_of(op):
            if rule.__code__.co_name != "<lambda>":
                places.setdefault(rule, []).append(op)
    for helper, ops in places.items():
        if not concerns(names, ops):
            continue
        unique = tuple(dict.fromkeys(ops))
        place = f"{helper.__module__.rpartition('.')[2]}.{helper.__name__}"
        known = helper.__code__.co_varnames[: helper.__code__.co_argcount]
        values = {name for op in unique for name in (*op.operands, "out")}
        for fault in faults(definition(helper), [n for n in known if n in values]):
            code = made_like(helper, fault.node).__code__
            if len(code.co_freevars) == len(helper.__code__.co_freevars):
                yield Mutant(
                    f"{place}: {fault.family}: {fault.change}",
                    fault.family,
                    unique,
                    lambda helper=helper, code=code: planted_code(helper, code),
                )


def swapped(names: frozenset[str]) -> Iterator[Mutant]:
    """Yield the ops whose operands have each other's rules."""
    for op in OPS:
        if not concerns(names, [op]):
            continue
        for field in ("rules", "jvps"):
            rules = getattr(op, field)
            for i in range(len(rules) - 1):
                pair = (rules[i], rules[i + 1])
                if None in pair or is_same(*pair):
                    continue
                record = with_rule(op, field, i, pair[1])
                record = with_rule(record, field, i + 1, pair[0])
                yield Mutant(
                    f"{op.name}, {field} {i} and {i + 1}: swapped",
                    "swapped",
                    (op,),
                    lambda record=record: planted_record(record),
                )


def is_same(one: Any, other: Any) -> bool:
    """Tell whether two rules are the same text: add's are, and may be swapped."""
    return one is other or (
        one.__code__.co_code == other.__code__.co_code
        and one.__code__.co_consts == other.__code__.co_consts
        and one.__code__.co_names == other.__code__.co_names
        and one.__code__.co_varnames == other.__code__.co_varnames
    )


def with_rule(op: Op, field: str, place: int, rule: Any) -> Op:
    """Return the record with another rule, as its maker would have made it."""
    rules = list(getattr(op, field))
    rules[place] = rule
    changed = replace(op, **{field: tuple(rules), "cache": {}})
    layout, wants_avals = layout_of(op.operands, changed.rules)
    return replace(changed, layout=layout, wants_avals=wants_avals, cache={})


@contextmanager
def planted_record(record: Op) -> Iterator[Planted]:
    """Give the checks another record; the table itself keeps its own."""
    yield lambda _: record


@contextmanager
def planted_code(function: FunctionType, code: Any) -> Iterator[Planted]:
    """Put other code into a function, for all who call it."""
    original = function.__code__
    function.__code__ = code
    try:
        yield lambda op: replace(op, cache={})
    finally:
        function.__code__ = original


# ------------------------------------------------------------------------- the trial


def cases_by_op(cases: list[Case]) -> dict[Op, list[Case]]:
    found: dict[Op, list[Case]] = {}
    for case in cases:
        found.setdefault(case.op, []).append(case)
    return found


REAL = cases_by_op(DIFFERENTIABLE)
COMPLEX = cases_by_op(COMPLEX_DIFFERENTIABLE)
UNIT = cases_by_op(SCALAR)
SMOOTH = cases_by_op(CONTINUED)
SPECIAL = cases_by_op(special_cases())
SPECIAL_CHECKS = (check_special, check_common_direction, check_modes_at, check_steep)


def with_dtype(check: Callable[..., None], dtype: Any) -> Check:
    return lambda case: check(case, dtype)


ORDINARY: tuple[tuple[dict[Op, list[Case]], Check], ...] = (
    (REAL, check_modes_agree),
    (REAL, check_each_operand),
    (REAL, check_adjoint_fits),
    (SMOOTH, check_complex_step),
    (REAL, check_second_order),
    (UNIT, check_unit_cotangent),
    (COMPLEX, with_dtype(check_modes_agree, np.complex128)),
    (COMPLEX, with_dtype(check_each_operand, np.complex128)),
    (COMPLEX, with_dtype(check_second_order, np.complex128)),
    (REAL, check_reported),
)
"""Checks with their cases by op, the cheap and telling ones first."""


def trials(op: Op) -> Iterator[tuple[Check, Case]]:
    """Yield the checks of an op with their cases."""
    for cases, check in ORDINARY:
        yield from ((check, case) for case in cases.get(op, []))
    for case in SPECIAL.get(op, []):
        for pattern in patterns_of(case):
            yield from ((partial(f, pattern=pattern), case) for f in SPECIAL_CHECKS)
        yield from ((partial(check_infinity, signs=s), case) for s in SIGNS)


def killer(mutant: Mutant) -> str | None:
    """Return which check notices the fault first, or None for none."""
    with mutant.plant() as planted, warnings.catch_warnings():
        warnings.simplefilter("error")
        for op in mutant.ops:
            record = planted(op)
            for check, case in trials(op):
                try:
                    check(replace(case, op=record))
                except Exception as error:  # noqa: BLE001  # a crash is noticed too
                    return f"{case.name}: {type(error).__name__}"
    return None
