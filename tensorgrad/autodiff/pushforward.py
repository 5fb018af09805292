"""Forward mode of a function: the tangent of each result, as soon as it is computed.

Theory
------
A `Pushforward` is told of every op that a function applies while it is in force
(`core.modes.Mode.forward`). If an operand moves, it computes the result's tangent from
the operands' (autodiff/forward.py) and notes it under the result's node; nothing is
swept afterwards, and no rule of reverse mode is used.

Transforms around it stay in force for the tangents: these are computed under the mode
that held outside. A second pushforward there sees the op first and then each op that
makes the tangent, each of which is hence followed by both. Two tangents of one node
lie in two objects: perturbations of different transforms cannot be confused.

Notes are kept by node, not by handle, so that a handle that is rebound (``t[i] = v``)
moves as what it is now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tensorgrad.autodiff.forward import tangent
from tensorgrad.core.modes import MODE, Mode
from tensorgrad.core.node import AnyNode, Node
from tensorgrad.core.op import Op, parameters_of, static_defaults
from tensorgrad.core.tensor import Tensor, node_of
from tensorgrad.ops.arithmetic import safe_multiply
from tensorgrad.ops.reduce import sum as sum_op

__all__ = ["Pushforward"]


class Pushforward:
    """The tangents of all that moves when the inputs of a function do.

    Parameters
    ----------
    outer : Mode
        Under which tangents are computed: that of the code around the transform.
    linked : bool
        Compute tangents from Tensors, so that a transform around this one can follow.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> from tensorgrad.core.modes import EAGER, switch
    >>> x = tg.tensor(3.0)
    >>> push = Pushforward(EAGER, linked=False)
    >>> push.move(x, np.asarray(1.0))
    >>> with switch(forward=push):
    ...     y = x * x
    >>> push.tangent_of(y)
    np.float64(6.0)
    """

    __slots__ = ("linked", "outer", "tangents")

    def __init__(self, outer: Mode, *, linked: bool) -> None:
        self.outer = outer
        self.linked = linked
        self.tangents: dict[AnyNode, Any] = {}

    def move(self, t: Tensor, direction: Any) -> None:
        """Let an input move in a direction."""
        self.tangents[node_of(t)] = direction

    def tangent_of(self, value: Any) -> Any:
        """Return the tangent of a result, or None if it does not move."""
        if not isinstance(value, Tensor) or value._node is None:
            return None
        return self._at(value._node)

    def _at(self, node: AnyNode) -> Any:
        found = self.tangents.get(node)
        if found is None and type(node) is Node and node.op.is_projection:
            # Sweeps make projections of their own when they restore what was saved.
            (parent,) = node.parents
            shares = None if parent is None else self.tangents.get(parent)
            static: Any = node.extra and node.extra.static
            found = None if shares is None else shares[static["index"]]
        return found

    def see(
        self,
        op: Op,
        args: Sequence[Any],
        values: Sequence[Any],
        static: Mapping[str, Any],
        result: Any,
    ) -> None:
        """Note the tangent of an op's result; called for every recorded op."""
        if self.outer.forward is not None:
            self.outer.forward.see(op, args, values, static, result)
        moves = [self.tangent_of(arg) for arg in args]
        if all(t is None for t in moves):
            return
        many = op.n_outputs is not None
        token = MODE.set(self.outer)
        try:
            # Where the derivative is infinite or no number, it says so by itself.
            with np.errstate(all="ignore"):
                found = self._tangent(op, args, values, static, result, moves)
        finally:
            MODE.reset(token)
        if not many:
            if found is not None:
                self.tangents[node_of(result)] = found
            return
        parent = node_of(result[0]).parents[0] if len(result) else None
        if parent is not None:
            self.tangents[parent] = found

    def _tangent(
        self,
        op: Op,
        args: Sequence[Any],
        values: Sequence[Any],
        static: Mapping[str, Any],
        result: Any,
        moves: list[Any],
    ) -> Any:
        known = {**_defaults(op), **static}
        if self.linked:
            operands = [
                a if isinstance(a, Tensor) else v
                for a, v in zip(args, values, strict=True)
            ]
            out = result
        else:
            operands = list(values)
            out = _values(result)
        shown = [i for i in op.report_only if moves[i] is not None]
        if shown:
            if all(t is None for i, t in enumerate(moves) if i not in op.report_only):
                return _of_shown(op, shown[0], operands, known, moves[shown[0]])
            # The logits move with what was made of them, which would count twice.
            moves = [None if i in op.report_only else t for i, t in enumerate(moves)]
        return tangent(op, operands, moves, static=known, out=out)


def _defaults(op: Op) -> dict[str, Any]:
    found: dict[str, Any] | None = op.cache.get("statics")
    if found is None:
        found = op.cache["statics"] = static_defaults(op)
    return found


def _values(result: Any) -> Any:
    if isinstance(result, Tensor):
        return result._value
    return [t._value for t in result]


def _of_shown(
    op: Op, i: int, operands: Sequence[Any], known: Mapping[str, Any], t: Any
) -> Any:
    """Return the tangent of a loss whose probabilities move while the logits do not.

    The loss is one number, and its plain partial is what reverse mode reports.
    """
    rule = op.rule(i)
    assert rule is not None
    named = {**known, **dict(zip(op.operands, operands, strict=True)), "g": 1.0}
    partial = rule(*[named[name] for name in parameters_of(rule)])
    return sum_op(safe_multiply(t, partial))
