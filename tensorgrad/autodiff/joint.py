"""One node for several: where the parts of a cotangent are handed out.

The sweep starts at one node and passes one cotangent along an edge. A joint node has
any number of parents, and its cotangent is a list with a part for each: the root of a
function with several results, and the operands of an op that forms all shares at once
(autodiff/custom.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensorgrad.core.node import AnyNode, Node, make_node
from tensorgrad.core.op import Op

__all__ = ["join", "joint_node"]


def _together(*xs: Any) -> tuple[Any, ...]:
    return xs


JOINT = Op(
    name="joint",
    kind="Custom",
    forward=_together,
    operands=("xs",),
    rules=(lambda g, i: g[i],),
    shape_rule=_together,
    is_variadic=True,
    doc="Take several results as one.",
)


def joint_node(parents: Sequence[AnyNode | None]) -> Node:
    """Return a node that hands a list of cotangents out to its parents.

    Examples
    --------
    >>> joint_node([]).op
    <op joint: Custom>
    """
    return make_node(JOINT, tuple(parents), None, None)


def join(nodes: Sequence[AnyNode], seeds: Sequence[Any]) -> tuple[AnyNode, Any]:
    """Return a root above some nodes, and the cotangent to start a sweep from.

    Examples
    --------
    >>> from tensorgrad.core.node import Leaf
    >>> leaf = Leaf()
    >>> join([leaf], [1.0]) == (leaf, 1.0)
    True
    """
    if len(nodes) == 1:
        return nodes[0], seeds[0]
    return joint_node(nodes), list(seeds)
