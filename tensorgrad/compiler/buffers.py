"""Which results are written into memory that is kept from call to call.

A fresh temporary of some size costs more in page faults than the arithmetic that fills it.
Results of ufuncs and matrix products get a buffer instead, and give it back when nothing
needs them any more: an elementwise op then often writes over its own operand.

A result is left to NumPy, which allocates it, if it or a view of it is an output, if it is
small, or if NumPy might lay it out otherwise than in C order, on which the bits of later
matrix products can depend. Whether a result may share memory with an operand is decided
by the kind of op, and in doubt it may.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tensorgrad._typing import Array, Shape
from tensorgrad.compiler.program import (
    Constant,
    Instruction,
    Operand,
    Program,
    Variable,
)
from tensorgrad.core.op import Op

__all__ = ["Plan", "is_fresh", "make_buffers", "plan_buffers"]

LEAST_BYTES = 1 << 14
"""Smaller results are cheaper from malloc's free lists than by ``out=``."""

FRESH = frozenset(
    (
        *("sigmoid", "softplus", "relu", "leaky_relu", "softmax", "log_softmax"),
        *("logsumexp", "softmax_jacobian", "safe_multiply", "where", "sum", "mean"),
        *("scatter_add", "setitem", "max", "min", "log_loss_of_logits"),
        *("log_loss_of_probabilities", "cross_entropy_of_logits"),
        *("cross_entropy_of_probabilities", "clip", "astype"),
    )
)
"""Ops besides ufuncs whose results share no memory with an operand."""

IN_ORDER = frozenset((*FRESH, "reshape")) - {"max", "min", "where", "setitem", "clip"}
"""Ops besides ufuncs that give C order for operands in C order."""


def is_fresh(op: Op) -> bool:
    """Tell whether results of an op share no memory with an operand for certain.

    Examples
    --------
    >>> from tensorgrad.ops import TABLE
    >>> is_fresh(TABLE["exp"].op), is_fresh(TABLE["reshape"].op)
    (True, False)
    """
    return op.ufunc is not None or op.name in FRESH


@dataclass(frozen=True, slots=True)
class Plan:
    """For a result its buffer's number, and for a buffer its shape and dtype."""

    places: dict[Variable, int]
    buffers: list[tuple[Shape, np.dtype[np.generic]]]


def make_buffers(plan: Plan) -> list[Array]:
    """Return memory for one run at a time."""
    return [np.empty(shape, dtype) for shape, dtype in plan.buffers]


def plan_buffers(program: Program) -> Plan:
    """Return where each result of a program goes, its inputs being in C order.

    Examples
    --------
    >>> from tensorgrad.compiler import capture
    >>> program = capture(lambda x: np.exp(np.tanh(x * 2.0)) * 3.0, np.ones(5000)).program
    >>> plan = plan_buffers(program)
    >>> list(plan.places.values()), len(plan.buffers)
    ([0, 0, 0], 1)
    """
    roots = _roots(program)
    ends, escaping = _ends(program, roots)
    ordered: set[Operand] = set(program.inputs)
    places: dict[Variable, int] = {}
    buffers: list[tuple[Shape, np.dtype[np.generic]]] = []
    free: dict[tuple[Shape, np.dtype[np.generic]], list[int]] = {}

    def give_back(k: int) -> None:
        for root, end in ends.items():
            if end == k and root in places and root not in returned:
                returned.add(root)
                free.setdefault(buffers[places[root]], []).append(places[root])

    returned: set[Variable] = set()
    for k, line in enumerate(program.instructions):
        is_ordered = _is_ordered(line, ordered)
        if is_ordered:
            ordered.update(line.results)
        is_elementwise = line.op.ufunc is not None and not line.op.is_matmul
        result = line.results[0]
        # A result of another shape must not be written over an operand.
        may_reuse = is_elementwise and all(
            o.aval.shape == result.aval.shape
            for o in line.operands
            if isinstance(o, Variable) and roots.get(o, o) in places
        )
        if may_reuse:
            give_back(k)
        if is_ordered and _wants_buffer(line) and roots[result] not in escaping:
            key = (result.aval.shape, result.aval.dtype)
            waiting = free.get(key)
            if waiting:
                places[result] = waiting.pop()
            else:
                places[result] = len(buffers)
                buffers.append(key)
        give_back(k)
    return Plan(places, buffers)


def _wants_buffer(line: Instruction) -> bool:
    """Tell whether an op takes ``out=`` and its result is large enough for it."""
    if line.op.ufunc is None or line.op.n_outputs is not None:
        return False
    aval = line.results[0].aval
    arrays = [o for o in line.operands if isinstance(o, (Variable, Constant))]
    if line.op.is_matmul and any(_ndim(o) != 2 for o in arrays):
        return False
    return aval.nbytes >= LEAST_BYTES and not line.static


def _ndim(operand: Variable | Constant) -> int:
    return operand.aval.ndim if isinstance(operand, Variable) else operand.value.ndim


def _is_ordered(line: Instruction, ordered: set[Operand]) -> bool:
    """Tell whether a result is in C order for certain."""
    if line.op.is_matmul:
        return True
    if line.op.ufunc is None and line.op.name not in IN_ORDER:
        return False
    if line.static.get("order", "C") != "C":
        return False
    return all(
        o.value.flags.c_contiguous if isinstance(o, Constant) else o in ordered
        for o in line.operands
        if isinstance(o, (Variable, Constant))
    )


def _roots(program: Program) -> dict[Variable, Variable]:
    """Return, for each value, which stands for all that may share memory with it."""
    parent: dict[Variable, Variable] = {v: v for v in program.inputs}

    def find(v: Variable) -> Variable:
        while parent[v] is not v:
            parent[v] = parent[parent[v]]
            v = parent[v]
        return v

    for line in program.instructions:
        parent.update(zip(line.results, line.results, strict=True))
        if is_fresh(line.op):
            continue
        first = line.results[0]
        for other in (*line.results[1:], *line.operands):
            if isinstance(other, Variable):
                # The older one stands for both: it is the one with the memory.
                parent[find(first)] = find(other)
    return {v: find(v) for v in parent}


def _ends(
    program: Program, roots: dict[Variable, Variable]
) -> tuple[dict[Variable, int], set[Variable]]:
    """Return the last instruction that needs each piece of memory, and what is returned."""
    ends: dict[Variable, int] = {}
    for k, line in enumerate(program.instructions):
        for value in (*line.operands, *line.results):
            if isinstance(value, Variable):
                ends[roots[value]] = k
    escaping = {roots[o] for o in program.outputs if isinstance(o, Variable)}
    return {root: k for root, k in ends.items() if root not in escaping}, escaping
