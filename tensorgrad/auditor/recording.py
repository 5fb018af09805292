"""The forward pass as plain data: every op that the cost is made of, with its values.

The auditor runs its own backward pass over this record, in which any single rule can be
replaced by a mistaken one (`sweeping`).
"""

from __future__ import annotations

import inspect
import linecache
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.core.modes import switch
from tensorgrad.core.op import Op, static_defaults
from tensorgrad.core.tensor import Tensor, as_value, tensor
from tensorgrad.errors import ArgumentError, explain
from tensorgrad.ops import TABLE
from tensorgrad.tree import Structure, flatten, unflatten

__all__ = ["Record", "Step", "record"]

PACKAGE = str(Path(__file__).parent.parent)
NETWORKS = str(Path(PACKAGE, "testing", "networks.py"))
"""The cost of drawn networks has no line of the user's."""


@dataclass(frozen=True, slots=True)
class Step:
    """One application of an op; operands and results are numbers of values."""

    op: Op
    operands: tuple[int, ...]
    static: dict[str, Any]
    results: tuple[int, ...]
    line: str


@dataclass(slots=True)
class Record:
    """What a run of the cost did.

    Attributes
    ----------
    values : list
        Arrays and numbers, by number.
    steps : list of Step
        In the order in which they were done.
    leaves : dict
        From the path of a parameter to the number of its value.
    root : int
        The cost.
    """

    values: list[Any]
    steps: list[Step]
    leaves: dict[str, int]
    root: int = -1
    on_params: set[int] = field(default_factory=set)
    """Values that depend on a parameter."""
    on_data: set[int] = field(default_factory=set)
    """Values that depend on an array that is no parameter."""
    data: dict[str, int] = field(default_factory=dict)
    """Arrays among the data, by name; only those that the cost used."""

    def shape(self, value: int) -> tuple[int, ...]:
        """Return the shape of a value."""
        return np.shape(self.values[value])


class _Watcher:
    """Notes every op; values are told apart by identity, and kept."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.numbers: dict[int, int] = {}
        self.steps: list[Step] = []

    def number(self, value: Any) -> int:
        found = self.numbers.get(id(value))
        if found is None:
            found = self.numbers[id(value)] = len(self.values)
            self.values.append(value)
        return found

    def __call__(
        self,
        op: Op,
        values: list[Any],
        static: dict[str, Any],
        evaluate: Callable[[], Any],
    ) -> Any:
        operands = tuple(self.number(v) for v in values)
        out = evaluate()
        parts = list(out) if isinstance(out, (tuple, list)) else [out]
        # An op may hand its operand through: the result is another value all the same.
        # Scalars become arrays, which are passed on as they are.
        parts = [
            np.asarray(p).view() if id(p) in self.numbers else np.asarray(p)
            for p in parts
        ]
        known = {**static_defaults(op), **static}
        results = tuple(self.number(p) for p in parts)
        self.steps.append(Step(op, operands, known, results, _line()))
        return type(out)(parts) if isinstance(out, (tuple, list)) else parts[0]


def _line() -> str:
    """Return the line of the user's code that is being run, as ``file:7: source``."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name == NETWORKS:
            return ""
        if not name.startswith(PACKAGE):
            source = linecache.getline(name, frame.f_lineno).strip()
            return f"{Path(name).name}:{frame.f_lineno}: {source}"
        frame = frame.f_back
    return ""


def record(
    loss: Callable[..., Any],
    leaves: Sequence[Any],
    structure: Structure,
    data: Sequence[Any],
) -> tuple[Record, Tensor, dict[str, Tensor]]:
    """Run the cost and note what it does.

    Parameters
    ----------
    loss : callable
        Takes the parameters and the data.
    leaves, structure
        The parameters, flattened; leaves of floating numbers become Tensors.
    data : sequence

    Returns
    -------
    Record, the cost, and the parameters' Tensors by path

    Raises
    ------
    ArgumentError
        If the cost is no single real number, or depends on no parameter.
    """
    watcher = _Watcher()
    handles: dict[str, Tensor] = {}
    given: list[Any] = []
    for leaf, path in zip(leaves, structure.paths(), strict=True):
        value = as_value(leaf)
        if np.result_type(value).kind in "fc" if _is_numeric(value) else False:
            handles[path] = tensor(value, requires_grad=True, name=path)
            watcher.number(handles[path]._value)
            given.append(handles[path])
        else:
            given.append(leaf)
    with switch(watch=watcher, guard=False, record=True):
        cost = loss(unflatten(structure, given), *data)
    if not isinstance(cost, Tensor) or cost.size != 1 or cost.dtype.kind != "f":
        raise ArgumentError(
            explain(
                "audit",
                f"a cost that is {_what(cost)}",
                "one real number that was recorded from the parameters",
                "Write the cost with the parameters it is given, and sum or average it",
            )
        )
    found = Record(
        watcher.values,
        watcher.steps,
        {p: watcher.number(h._value) for p, h in handles.items()},
        watcher.number(cost._value),
    )
    # A last step that does nothing: the place of a factor of the whole gradient.
    end = len(found.values)
    found.values.append(cost._value)
    found.steps.append(Step(TABLE["positive"].op, (found.root,), {}, (end,), _line()))
    found.root = end
    _mark(found)
    for name, value in _named_arrays(loss, data):
        number = watcher.numbers.get(id(value))
        if number is not None:
            found.data[name] = number
        else:  # not used itself, and yet something that a hand may have used
            found.data[name] = watcher.number(value)
    return found, cost, handles


def _is_numeric(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.generic, float, complex))


def _what(cost: Any) -> str:
    if isinstance(cost, Tensor):
        return f"a Tensor of shape {cost.shape} and dtype {cost.dtype}"
    return f"of type {type(cost).__name__}, without a graph"


def _named_arrays(
    loss: Callable[..., Any], data: Sequence[Any]
) -> list[tuple[str, Array]]:
    """Return the arrays among the data, by the names that the cost has for them."""
    try:
        parameters = list(inspect.signature(loss).parameters.values())[1:]
        named = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL]
    except (TypeError, ValueError):
        named = []
    leaves, structure = flatten(tuple(data))
    found = []
    for leaf, path in zip(leaves, structure.paths(), strict=True):
        value = as_value(leaf)
        number, _, rest = path.partition(".")
        place = int(number)
        name = named[place] if place < len(named) else f"data {number}"
        if isinstance(value, np.ndarray) and value.ndim:
            found.append((f"{name}.{rest}" if rest else name, value))
    return found


def _mark(found: Record) -> None:
    """Find out what depends on parameters, and what on data."""
    found.on_params = set(found.leaves.values())
    made = {r for step in found.steps for r in step.results}
    for k, value in enumerate(found.values):
        if k not in made and k not in found.on_params and np.size(value) > 1:
            found.on_data.add(k)
    for step in found.steps:
        if found.on_params.intersection(step.operands) and step.op.kind != "Zero":
            found.on_params.update(step.results)
        if found.on_data.intersection(step.operands):
            found.on_data.update(step.results)
