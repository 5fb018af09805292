"""Activations and losses that were spelled out: 1 / (1 + exp(-z)) is a sigmoid.

A cost written with NumPy's functions has no op called sigmoid. What a value is, is told by its
numbers: if it is σ(z) to the last digits, and is made of z and constants alone, the step that
made it is put down as one, and the steps between have no part in the way back any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.auditor.recording import Record, Step
from tensorgrad.auditor.sweeping import truth
from tensorgrad.ops import TABLE

__all__ = ["recognise"]

LONGEST = 600
"""Steps beyond which nothing is looked for: such a record is no net that was spelled out."""

CLOSE, SAME = 1e-12, 1e-8
HEADS = {"sigmoid": "log_loss_of_logits", "softmax": "cross_entropy_of_logits"}
SPELLED = frozenset(
    (
        *("add", "subtract", "multiply", "divide", "reciprocal", "negative", "power"),
        *("maximum", "minimum", "where", "clip", "fmax", "square"),
    )
)


def recognise(found: Record) -> None:
    """Put ops of the table in the place of activations and losses spelled out."""
    if len(found.steps) > LONGEST:
        return
    steps, before = list(found.steps), truth(found).gradients
    if not _replace(found):
        return
    after = truth(found).gradients
    with np.errstate(all="ignore"):
        is_kept = all(
            np.linalg.norm(after[n] - g) <= SAME * np.linalg.norm(g)
            for n, g in before.items()
        )
    if not is_kept:  # at a kink, where the two ways differ
        found.steps[:] = steps


def _replace(found: Record) -> bool:
    """Replace what is recognised; return whether anything was."""
    steps = list(found.steps)
    made = {r: s for s, step in enumerate(found.steps) for r in step.results}
    heads = []
    for s in range(len(found.steps)):
        value = found.steps[s].results[0]
        if not _is_of_interest(found, value):
            continue
        is_scalar = np.ndim(found.values[value]) == 0
        if found.steps[s].op.name in SPELLED and not is_scalar:
            found.steps[s] = _activation(found, found.steps[s], made)
        if found.steps[s].op.name in HEADS:
            heads.append(found.steps[s])
        elif is_scalar and heads and not _is_fused(found):
            found.steps[s] = _loss(found, found.steps[s], heads[-1], made)
    _drop_unused(found)
    return len(steps) != len(found.steps) or any(
        new is not old for new, old in zip(found.steps, steps, strict=True)
    )


def _drop_unused(found: Record) -> None:
    """Drop the steps between, which nothing depends on any more."""
    needed = {found.root}
    kept = []
    for step in reversed(found.steps):
        if needed.intersection(step.results):
            needed.update(step.operands)
            kept.append(step)
    found.steps[:] = reversed(kept)


def _is_of_interest(found: Record, value: int) -> bool:
    return value in found.on_params and value in found.on_data


def _is_fused(found: Record) -> bool:
    return any(step.op.name in HEADS.values() for step in found.steps)


def _activation(found: Record, step: Step, made: dict[int, int]) -> Step:
    """Return the step as an activation of one value before it, if it is one."""
    out = np.asarray(found.values[step.results[0]])
    if out.dtype.kind != "f":
        return step
    for source in _sources(found, step, made):
        z = np.asarray(found.values[source])
        if z.shape != out.shape or z.dtype != out.dtype:
            continue
        if np.array_equal(z, out):  # a mask of ones, say: nothing that was spelled out
            return step
        for name, static, value in _candidates(z, out):
            if _is_same(value, out):
                return Step(TABLE[name].op, (source,), static, step.results, step.line)
    return step


def _candidates(z: Array, out: Array) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Yield activations of z, the likelier first; a slope is read off the values."""
    with np.errstate(all="ignore"):
        low = z < 0
        if low.any() and not low.all():
            slopes = out[low] / z[low]
            beta = float(slopes.flat[0])
            if beta == 0:
                yield "relu", {}, np.where(z >= 0, z, 0.0)
            elif abs(beta) < 1:
                yield "leaky_relu", {"beta": beta}, np.where(z >= 0, z, beta * z)
        for name in ("sigmoid", "tanh"):
            yield name, {}, TABLE[name].op.forward(z)
        for axis in range(z.ndim):
            if z.shape[axis] > 1:
                yield "softmax", {"axis": axis}, TABLE["softmax"].op.forward(z, axis)


def _is_same(value: Any, out: Array) -> bool:
    scale = float(np.abs(out).max(initial=0.0))
    eps = float(np.finfo(out.dtype).eps)
    return bool(np.abs(value - out).max(initial=0.0) <= max(CLOSE, 50 * eps) * scale)


def _sources(found: Record, step: Step, made: dict[int, int]) -> list[int]:
    """Return the values that a result is made of, besides constants, nearest first.

    A value is a source if everything between it and the result depends on parameters through
    it alone.
    """
    frontier = {o for o in step.operands if o in found.on_params}
    sources: list[int] = []
    for _ in range(12):
        if len(frontier) == 1:
            sources.append(next(iter(frontier)))
        latest = max(frontier, key=lambda v: made.get(v, -1), default=-1)
        if latest not in made:
            break
        maker = found.steps[made[latest]]
        if maker.op.is_matmul:
            break
        frontier.discard(latest)
        frontier |= {o for o in maker.operands if o in found.on_params}
    return sources


def _loss(found: Record, step: Step, head: Step, made: dict[int, int]) -> Step:
    """Return a scalar as the loss that goes with a head, if it is one."""
    a_number, z_number = head.results[0], head.operands[0]
    a = np.asarray(found.values[a_number])
    value = float(np.asarray(found.values[step.results[0]]))
    if not _depends_alone(found, step, a_number, made):
        return step
    for number, y in enumerate(found.values):
        if number in found.on_params or not isinstance(y, np.ndarray):
            continue
        if y.shape != a.shape or y.dtype.kind not in "fiub":
            continue
        with np.errstate(all="ignore"):
            terms = y * np.log(a)
            if head.op.name == "sigmoid":
                terms = terms + (1 - y) * np.log1p(-a)
            total = -float(terms.sum())
        for n in {1, *a.shape}:
            if value and abs(total / n - value) <= 1e-11 * abs(value):
                static: dict[str, Any] = {"n": n}
                if head.op.name == "softmax":
                    static |= {"axis": head.static.get("axis", -1), "one_hot": False}
                op = TABLE[HEADS[head.op.name]].op
                operands = (z_number, a_number, number)
                return Step(op, operands, static, step.results, step.line)
    return step


def _depends_alone(
    found: Record, step: Step, source: int, made: dict[int, int]
) -> bool:
    """Tell whether a result depends on parameters through one value alone."""
    pending, seen = list(step.operands), set()
    while pending:
        number = pending.pop()
        if number in seen or number == source or number not in found.on_params:
            continue
        seen.add(number)
        if number not in made:
            return False
        pending += found.steps[made[number]].operands
    return bool(seen) or source in step.operands
