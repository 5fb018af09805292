"""The backward pass over a record, in which rules can be replaced.

What an operand gets is linear in the cotangent, so a replaced rule changes the gradient by
what its difference becomes further down. `changed` carries only the differences: a mistake
near a leaf costs next to nothing, however large the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.auditor.recording import Record, Step
from tensorgrad.autodiff.rules import annihilating_product, fit
from tensorgrad.core.aval import Aval
from tensorgrad.core.op import parameters_of

__all__ = ["Change", "Changes", "Site", "Truth", "changed", "share", "truth"]

Site: TypeAlias = tuple[int, int]
"""A step, and which of its operands gets a share of the adjoint."""

Change: TypeAlias = Callable[[Array], Array]
"""A replaced rule: from the adjoint of the step's result to the operand's share."""

Changes: TypeAlias = Mapping[Site, Change]


def share(
    found: Record,
    step: Step,
    k: int,
    g: Any,
    values: list[Any] | None = None,
    out: Any = None,
) -> Array | None:
    """Return what operand `k` gets by the true rule, for other values if any are given."""
    op = step.op
    rule = op.rule(k)
    if rule is None or op.kind == "Zero" or k in op.report_only:
        return None
    operands = values or [found.values[o] for o in step.operands]
    with np.errstate(all="ignore"):
        asked = [
            _asked(name, found, step, k, g, operands, out)
            for name in parameters_of(rule)
        ]
        found_share = rule(*asked)
        if op.kind == "Pointwise":
            found_share = annihilating_product(g, np.asarray(found_share))
    if found_share is None:
        return None
    like = _aval(operands[k])
    return np.asarray(fit(np.asarray(found_share), like))


def _asked(
    name: str,
    found: Record,
    step: Step,
    k: int,
    g: Any,
    operands: list[Any],
    out: Any,
) -> Any:
    """Return what a rule asks for by the name of a parameter."""
    if name in ("g", "i"):
        return g if name == "g" else k
    if name in step.op.operands and not step.op.is_variadic:
        return operands[step.op.operands.index(name)]
    if name == "out":
        parts = [found.values[r] for r in step.results] if out is None else [out]
        return parts[0] if step.op.n_outputs is None or out is not None else parts
    if name == "arrays":
        return operands
    if name == "avals":
        return [_aval(v) for v in operands]
    if name.endswith("_like") and name not in step.static:
        return _aval(operands[step.op.operands.index(name.removesuffix("_like"))])
    return step.static[name]


def _aval(value: Any) -> Aval:
    return Aval(np.shape(value), np.result_type(value))


@dataclass(slots=True)
class Truth:
    """The true backward pass: adjoints of values, shares of operands, gradients."""

    adjoints: dict[int, Array] = field(default_factory=dict)
    shares: dict[Site, Array] = field(default_factory=dict)
    gradients: dict[str, Array] = field(default_factory=dict)


def truth(found: Record, perturb: Callable[[Array], Array] | None = None) -> Truth:
    """Run the true backward pass; `perturb` changes every share, to see what rounding does."""
    done = Truth()
    adjoints = done.adjoints
    adjoints[found.root] = np.ones(found.shape(found.root))
    for s in range(len(found.steps) - 1, -1, -1):
        step = found.steps[s]
        g = _cotangent(step, adjoints)
        if g is None:
            continue
        for k, operand in enumerate(step.operands):
            if operand not in found.on_params:
                continue
            part = share(found, step, k, g)
            if part is None:
                continue
            part = part if perturb is None else perturb(part)
            done.shares[s, k] = part
            before = adjoints.get(operand)
            adjoints[operand] = part if before is None else before + part
    for name, number in found.leaves.items():
        zero = np.zeros(found.shape(number), np.result_type(found.values[number]))
        done.gradients[name] = adjoints.get(number, zero)
    return done


def _cotangent(step: Step, adjoints: Mapping[int, Array]) -> Any:
    if step.op.n_outputs is None:
        return adjoints.get(step.results[0])
    parts = [adjoints.get(r) for r in step.results]
    return None if all(p is None for p in parts) else parts


def changed(found: Record, true: Truth, changes: Changes) -> dict[str, Array]:
    """Return by how much the gradient differs when some rules are replaced.

    Returns
    -------
    dict
        From parameter to difference, only for those that differ.
    """
    differences: dict[int, Array] = {}
    by_step: dict[int, list[int]] = {}
    for s, k in changes:
        by_step.setdefault(s, []).append(k)
    for s in range(max(by_step, default=-1), -1, -1):
        step = found.steps[s]
        moved = _cotangent(step, differences)
        replaced = by_step.get(s, ())
        if moved is None and not replaced:
            continue
        for k, operand in enumerate(step.operands):
            if operand not in found.on_params:
                continue
            part: Any = None
            if k in replaced:
                g = _cotangent(step, true.adjoints)
                if g is None:
                    continue
                whole = g if moved is None else g + moved
                part = changes[s, k](whole)
                if (s, k) in true.shares:
                    part = part - true.shares[s, k]
            elif moved is not None:
                part = share(found, step, k, moved)
            if part is None:
                continue
            before = differences.get(operand)
            differences[operand] = part if before is None else before + part
    return {
        name: differences[number]
        for name, number in found.leaves.items()
        if number in differences
    }
