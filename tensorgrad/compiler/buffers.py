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

import operator
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from tensorgrad._typing import Array, Shape
from tensorgrad.compiler.numpy_helpers import SCRATCH, TAKES_OUT
from tensorgrad.compiler.program import (
    Constant,
    Instruction,
    Operand,
    Program,
    Variable,
    abstract,
)
from tensorgrad.core.aval import Aval
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


COMPARISONS = frozenset(
    ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal")
)
"""Ops that are ufuncs but for a check, which capture has made."""


def is_fresh(op: Op) -> bool:
    """Tell whether results of an op share no memory with an operand for certain.

    Examples
    --------
    >>> from tensorgrad.ops import TABLE
    >>> is_fresh(TABLE["exp"].op), is_fresh(TABLE["reshape"].op)
    (True, False)
    """
    return _is_ufunc(op) or op.name in FRESH


def _is_ufunc(op: Op) -> bool:
    return op.ufunc is not None or op.name in COMPARISONS


@dataclass(frozen=True, slots=True)
class Plan:
    """For a result its buffer's number, and for a buffer its shape and dtype.

    ``scratch`` has the buffers that an instruction needs meanwhile, by its result;
    ``taken`` the input, given up by the caller, over which a result is written.
    """

    places: dict[Variable, int]
    buffers: list[tuple[Shape, np.dtype[np.generic]]]
    scratch: dict[Variable, tuple[int, ...]] = field(default_factory=dict)
    taken: dict[Variable, Variable] = field(default_factory=dict)


def make_buffers(plan: Plan) -> list[Array]:
    """Return memory for one run at a time."""
    return [np.empty(shape, dtype) for shape, dtype in plan.buffers]


def plan_buffers(program: Program, donated: Collection[Variable] = ()) -> Plan:
    """Return where each result of a program goes, its inputs being in C order.

    Parameters
    ----------
    program : Program
    donated : collection of Variable
        Inputs that the caller gives up: outputs may be written over them.

    Examples
    --------
    >>> from tensorgrad.compiler import capture
    >>> program = capture(lambda x: np.exp(np.tanh(x * 2.0)) * 3.0, np.ones(5000)).program
    >>> plan = plan_buffers(program)
    >>> list(plan.places.values()), len(plan.buffers)
    ([0, 0, 0], 1)
    >>> plan = plan_buffers(program, program.inputs)
    >>> set(plan.taken.values()) == set(program.inputs), plan.buffers
    (True, [])
    """
    roots = _roots(program)
    ends, escaping = _ends(program, roots)
    ordered: set[Operand] = set(program.inputs)
    places: dict[Variable, int] = {}
    scratch: dict[Variable, tuple[int, ...]] = {}
    memory = _Memory()
    taken = _taken(program, donated, roots)
    dying: dict[int, list[Variable]] = {}
    for root, end in ends.items():
        dying.setdefault(end, []).append(root)
    for k, line in enumerate(program.instructions):
        is_ordered = _is_ordered(line, ordered)
        if is_ordered:
            ordered.update(line.results)
        result = line.results[0]
        # What a line needs last is free for its result, entry by entry.
        waiting = [places[root] for root in dying.get(k, []) if root in places]
        if _may_reuse(line, roots, places):
            memory.give_back(waiting)
            waiting = []
        wants_buffer = is_ordered and _wants_buffer(line) and result not in taken
        if wants_buffer and roots[result] not in escaping:
            places[result] = memory.take(result.aval)
            if roots[result] in dying.get(k, []):
                waiting.append(places[result])
        n_needed = SCRATCH.get(line.op.name, 0)
        if n_needed and is_ordered and _has_uniform_operands(line):
            aval = abstract(line.operands[0])
            scratch[result] = tuple(memory.take(aval) for _ in range(n_needed))
            waiting.extend(scratch[result])
        memory.give_back(waiting)
    return Plan(places, memory.buffers, scratch, taken)


class _Memory:
    """Buffers, and which of them are free."""

    def __init__(self) -> None:
        self.buffers: list[tuple[Shape, np.dtype[np.generic]]] = []
        self._free: dict[tuple[Shape, np.dtype[np.generic]], list[int]] = {}

    def take(self, aval: Aval) -> int:
        """Return a free buffer of this shape and dtype, or a new one."""
        key = (aval.shape, aval.dtype)
        free = self._free.get(key)
        if free:
            return free.pop()
        self.buffers.append(key)
        return len(self.buffers) - 1

    def give_back(self, places: Sequence[int]) -> None:
        for place in places:
            self._free.setdefault(self.buffers[place], []).append(place)


def _may_reuse(
    line: Instruction, roots: dict[Variable, Variable], places: dict[Variable, int]
) -> bool:
    """Tell whether a result may be written over an operand, entry by entry."""
    is_elementwise = _is_ufunc(line.op) and not line.op.is_matmul
    # A result of another shape must not be written over an operand.
    return is_elementwise and all(
        o.aval.shape == line.results[0].aval.shape
        for o in line.operands
        if isinstance(o, Variable) and roots.get(o, o) in places
    )


def _has_uniform_operands(line: Instruction) -> bool:
    """Tell whether scratch in the shape of the first operand fits all that is done."""
    avals = [abstract(o) for o in line.operands]
    is_large = isinstance(avals[0], Aval) and avals[0].nbytes >= LEAST_BYTES
    is_float = is_large and avals[0].dtype.kind == "f"
    return is_float and all(aval == avals[0] for aval in avals)


def _taken(
    program: Program, donated: Collection[Variable], roots: dict[Variable, Variable]
) -> dict[Variable, Variable]:
    """Return, for outputs, the donated inputs that nothing reads after they are written.

    The line that writes may read the input itself, entry by entry, and no view of it.
    """
    last: dict[Variable, int] = {}
    made = {line.results[0]: k for k, line in enumerate(program.instructions)}
    for k, line in enumerate(program.instructions):
        last.update((roots[o], k) for o in line.operands if isinstance(o, Variable))
    given = {roots[o] for o in program.outputs if isinstance(o, Variable)}
    found: dict[Variable, Variable] = {}
    outputs = set(program.outputs)
    for k, line in enumerate(program.instructions):
        result = line.results[0]
        if result not in outputs or not _wants_buffer(line):
            continue
        free = [
            v
            for v in donated
            if v.aval == result.aval
            and roots[v] not in given
            and v not in found.values()
            and last.get(roots[v], -1) <= k
            and _is_entrywise(line, v, roots)
        ]
        if free:
            # What is read last is nearest, as a parameter is to its new value.
            found[result] = max(free, key=lambda v: last.get(roots[v], -1))
    for result, old in list(found.items()):
        found.update(
            _on_the_way(program, made, result, old, last.get(roots[old], -1), roots)
        )
    return found


def _on_the_way(
    program: Program,
    made: dict[Variable, int],
    result: Variable,
    old: Variable,
    last: int,
    roots: dict[Variable, Variable],
) -> Iterator[tuple[Variable, Variable]]:
    """Yield the operands of a result that may lie where it will: 0.9 m of 0.9 m + g."""
    uses = Counter(o for line in program.instructions for o in line.operands)
    uses.update(program.outputs)
    at: int | None = made[result]
    while at is not None:
        line = program.instructions[at]
        at = None
        for o in line.operands:
            k = made.get(o) if isinstance(o, Variable) else None
            if k is None or k < last or uses[o] > 1:
                continue
            inner = program.instructions[k]
            is_like = inner.results[0].aval == old.aval and _wants_buffer(inner)
            if is_like and _is_entrywise(inner, old, roots):
                yield inner.results[0], old
                at = k
                break


def _is_entrywise(
    line: Instruction, old: Variable, roots: dict[Variable, Variable]
) -> bool:
    """Tell whether a result may be written over an input that the line may read."""
    read = [o for o in line.operands if isinstance(o, Variable)]
    is_direct = all(o is old for o in read if roots[o] is roots[old])
    return _is_ufunc(line.op) and not line.op.is_matmul and is_direct


def _wants_buffer(line: Instruction) -> bool:
    """Tell whether an op takes ``out=`` and its result is large enough for it."""
    takes_out = _is_ufunc(line.op) or line.op.name in TAKES_OUT
    if not takes_out or line.op.n_outputs is not None:
        return False
    aval = line.results[0].aval
    if aval.nbytes < LEAST_BYTES:
        return False
    arrays = [o for o in line.operands if isinstance(o, (Variable, Constant))]
    if line.op.name == "where":
        return _is_choice_of_bits(line)
    if not _is_ufunc(line.op):
        # Helpers convert integers first, and write float numbers of one dtype.
        is_float = aval.dtype.kind == "f"
        return is_float and all(abstract(o).dtype == aval.dtype for o in arrays)
    if line.op.is_matmul and any(_ndim(o) != 2 for o in arrays):
        return False
    return not line.static


def _is_choice_of_bits(line: Instruction) -> bool:
    """Tell whether where() chooses among floats of one size, or among them and zero."""
    aval = line.results[0].aval
    condition, *parts = line.operands
    is_zero = [repr(part) == "0" for part in parts]
    is_like = [abstract(part) == aval for part in parts]
    is_float = aval.dtype.kind == "f" and aval.dtype.itemsize <= 8
    is_bool = abstract(condition) == Aval(aval.shape, np.dtype(bool))
    fits = all(map(operator.or_, is_zero, is_like)) and any(is_like)
    return is_float and is_bool and fits


def _ndim(operand: Variable | Constant) -> int:
    return operand.aval.ndim if isinstance(operand, Variable) else operand.value.ndim


def _is_ordered(line: Instruction, ordered: set[Operand]) -> bool:
    """Tell whether a result is in C order for certain."""
    if line.op.is_matmul:
        return True
    if line.op.name == "where":
        # Operands that are stretched may let NumPy choose another order.
        shapes = {getattr(abstract(o), "shape", ()) for o in line.operands}
        if not shapes <= {(), line.results[0].aval.shape}:
            return False
    elif not _is_ufunc(line.op) and line.op.name not in IN_ORDER:
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
