"""Nodes: what the graph remembers of one application of an op, and of a leaf.

A node keeps its parents, the values that its rules need, and nothing else; the
result itself belongs to the Tensor. Edges point from result to operand only, so a
finished graph has no cycles and is freed by reference counting.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias, final

if TYPE_CHECKING:
    from tensorgrad.core.aval import Aval
    from tensorgrad.core.guard import Guard

__all__ = ["AnyNode", "Extra", "Leaf", "Node", "make_node", "next_number"]

# `itertools.count` hands out each number once under the GIL: no lock needed.
next_number = count(1).__next__


class Extra:
    """What only some nodes need: static arguments, operand shapes, guards, a name."""

    __slots__ = ("avals", "guards", "line", "name", "static")

    def __init__(
        self,
        static: dict[str, Any] | None = None,
        avals: tuple[Aval | None, ...] | None = None,
        guards: tuple[Guard, ...] = (),
        line: str | None = None,
    ) -> None:
        self.static = static
        self.avals = avals
        self.guards = guards
        self.line = line
        self.name: str | None = None


@final
class Node:
    """One application of an op.

    ``parents``  one entry per operand, None for a constant;
    ``saved``    what ``op.layout`` names: None, one value, or a tuple of values;
    ``extra``    an `Extra`, or None where there is nothing to say;
    ``number``   creation order: a parent's number is smaller than its child's.
    """

    __slots__ = ("extra", "number", "op", "parents", "saved")

    extra: Extra | None
    number: int
    op: Any  # an Op; core/op.py stands above this module
    parents: tuple[AnyNode | None, ...]
    saved: Any

    def __repr__(self) -> str:
        return f"<node {self.number}: {self.op.name}>"


@final
class Leaf:
    """Where a graph starts: a parameter, an input, or a constant Tensor.

    ``traced``   it is the input of a transform that is under way;
    ``escaped``  how its value was read as a plain number or array, if it was.
    """

    __slots__ = ("escaped", "grad", "name", "number", "requires_grad", "traced")
    op: Any = None
    parents: tuple[()] = ()
    saved: Any = None
    extra: Extra | None = None

    def __init__(
        self,
        *,
        requires_grad: bool = False,
        name: str | None = None,
        traced: bool = False,
    ) -> None:
        self.requires_grad = requires_grad
        self.name = name
        self.grad: Any = None
        self.traced = traced
        self.escaped: str | None = None
        self.number = next_number()

    def __repr__(self) -> str:
        return f"<leaf {self.number}{': ' + self.name if self.name else ''}>"


AnyNode: TypeAlias = Node | Leaf


def make_node(
    op: Any, parents: tuple[AnyNode | None, ...], saved: Any, extra: Extra | None
) -> Node:
    """Make a node.

    `Node` has no ``__init__``: filling the slots in place is a third cheaper than a
    call, and the short cuts of core/op.py do it for each op of each step.
    """
    node = Node()
    node.op = op
    node.parents = parents
    node.saved = saved
    node.extra = extra
    node.number = next_number()
    return node
