"""One node for a whole function whose backward pass is not the recorded one.

Cotangents are gathered from the function's results, go through its pullback at once, and
are handed out by a joint node:

    results ── projections ── whole ── joint ── what the function was computed from

When the sweep is itself recorded, the function runs again on Tensors that are linked to
the original ones, so that second derivatives follow what the pullback depends on.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad.autodiff.joint import joint_node
from tensorgrad.core.aval import aval_of
from tensorgrad.core.graph import ancestors
from tensorgrad.core.node import AnyNode, Extra, Leaf, make_node
from tensorgrad.core.op import PROJECTION, Op
from tensorgrad.core.tensor import Tensor, node_of, wrap
from tensorgrad.ops.shaping import copy as copy_op
from tensorgrad.tree import Structure, flatten, unflatten

__all__ = ["Call", "captured_by", "fresh", "name_of", "not_applied", "whole"]


def not_applied(*_: Any, **__: Any) -> Any:
    """Stand in for the forward function of an op whose nodes are made by hand.

    Examples
    --------
    >>> WHOLE.forward is not_applied
    True
    """
    raise AssertionError


WHOLE = Op(
    name="function",
    kind="Custom",
    forward=not_applied,
    operands=("x",),
    rules=(lambda g, run: run.pull(g),),
    shape_rule=not_applied,
    n_outputs=0,
    projection=PROJECTION,
    doc="Apply a function whose backward pass is its own.",
)
"""The op of the node that stands for a whole function."""


class Call:
    """One call of a function: its arguments, and which of their leaves are Tensors."""

    __slots__ = ("f", "generators", "leaves", "places", "structure")

    def __init__(
        self, f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.f = f
        self.leaves, self.structure = flatten((args, kwargs))
        self.places = [i for i, v in enumerate(self.leaves) if isinstance(v, Tensor)]
        # A generator is put back before the function runs again: the same draws.
        self.generators = {
            i: copy.deepcopy(v)
            for i, v in enumerate(self.leaves)
            if isinstance(v, np.random.Generator)
        }

    @property
    def tensors(self) -> list[Tensor]:
        """The Tensors among the leaves, in order."""
        return [self.leaves[i] for i in self.places]

    def run(self, inputs: Sequence[Tensor], *, again: bool = True) -> Any:
        """Call the function with other Tensors in the arguments' places."""
        leaves = list(self.leaves)
        for i, t in zip(self.places, inputs, strict=True):
            leaves[i] = wrap(t._value, t._node)
        if again:
            for i, generator in self.generators.items():
                leaves[i] = copy.deepcopy(generator)
        args, kwargs = unflatten(self.structure, leaves)
        return self.f(*args, **kwargs)


def fresh(tensors: Sequence[Tensor], *, linked: bool) -> list[Tensor]:
    """Return Tensors for a run of the function: with nodes of their own."""
    if linked:
        return [copy_op(t) for t in tensors]
    return [wrap(t._value, Leaf(traced=True)) for t in tensors]


def whole(
    run: Any, parents: Sequence[AnyNode], leaves: Sequence[Any], structure: Structure
) -> Any:
    """Return the function's results, each linked to the node of the whole."""
    node = make_node(WHOLE, (joint_node(parents),), None, Extra({"run": run}))
    count = len(leaves)
    results = [
        wrap(
            value,
            make_node(
                PROJECTION,
                (node,),
                None,
                Extra({"index": k, "count": count, "aval": aval_of(value)}),
            ),
        )
        if _is_moving(value)
        else value
        for k, value in enumerate(leaves)
    ]
    return node, unflatten(structure, results)


def _is_moving(value: Any) -> bool:
    return hasattr(value, "dtype") and value.dtype.kind in "fc"


def captured_by(
    results: Sequence[Tensor], inputs: set[AnyNode], start: int
) -> list[Any]:
    """Return the nodes that a function used besides its arguments."""
    found: dict[AnyNode, None] = {}
    for node in ancestors([node_of(t) for t in results], start):
        if type(node) is Leaf and node not in inputs:
            found[node] = None
        for parent in node.parents:
            if parent is not None and parent.number < start and parent not in inputs:
                found[parent] = None
    return list(found)


def name_of(f: Any) -> str:
    """Return what a function is called in messages.

    Examples
    --------
    >>> name_of(len)
    'len'
    """
    return str(getattr(f, "__name__", type(f).__name__))
