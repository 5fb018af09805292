"""From an activation back to the logits that it was made of.

The handle of a sigmoid or softmax carries an `Origin`; layout ops pass it on. Losses
read it. It belongs to the handle and not to the node: a hidden layer's logits are freed
with the handle, and the graph keeps no more than the rules need.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.core.op import Op
from tensorgrad.core.tensor import Tensor

__all__ = ["Origin", "origin_maker"]


class Origin:
    """How an activation was made: its logits, and what was done to its shape since."""

    __slots__ = ("axis", "kind", "logits", "path")

    def __init__(
        self,
        kind: str,
        logits: Tensor,
        axis: int | None,
        path: tuple[tuple[Op, dict[str, Any]], ...] = (),
    ) -> None:
        self.kind = kind
        self.logits = logits
        self.axis = axis
        self.path = path

    def through(self, op: Op, static: dict[str, Any]) -> Origin:
        """Return the origin after one more layout op."""
        return Origin(self.kind, self.logits, self.axis, (*self.path, (op, static)))

    def arrived(self) -> Tensor:
        """Return the logits in the shape that the activation has now."""
        z: Any = self.logits
        for op, static in self.path:
            z = op(z, **static)
        return z  # type: ignore[no-any-return]

    def class_axis(self) -> int | None:
        """Return where softmax's axis is now; None if its classes are incomplete."""
        axis = self.axis
        if axis is None or not self.path:
            return axis
        shape = self.logits.shape
        n_classes = shape[axis]
        column = [1] * len(shape)
        column[axis] = n_classes
        classes = np.broadcast_to(np.arange(n_classes).reshape(column), shape)
        rows = np.arange(classes.size).reshape(shape)
        rows = np.broadcast_to(np.take(rows, [0], axis=axis), shape)
        for op, static in self.path:
            classes, rows = op(classes, **static), op(rows, **static)
        for k, size in enumerate(classes.shape):
            if size == n_classes and _is_complete(classes, rows, k):
                return k
        return None


def _is_complete(classes: Array, rows: Array, axis: int) -> bool:
    """Tell whether one example's classes lie along the axis, each once, in order."""
    moved = np.moveaxis(classes, axis, -1)
    same_row = np.moveaxis(rows, axis, -1)
    in_order = moved == np.arange(moved.shape[-1])
    return bool(in_order.all() and (same_row == same_row[..., :1]).all())


def origin_maker(kind: str) -> Callable[[Tensor, dict[str, Any]], Origin]:
    """Return the function that notes where an activation of this kind comes from."""

    def make(logits: Tensor, static: dict[str, Any]) -> Origin:
        axis = static.get("axis")
        return Origin(kind, logits, None if axis is None else axis % logits.ndim)

    return make
