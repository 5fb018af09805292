"""Which handles share memory in NumPy's sense, and what an assignment does to them.

In NumPy a basic index, a reshape or a transpose shows the base's memory, and writing
through either shows in both. Here values are never written, so after an assignment
the other handles of that memory would silently keep the old entries. They are made
stale instead: their next use raises. Assigning *to* a view raises while its base is
alive. All references are weak; a handle that nobody uses costs nothing.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from tensorgrad.core.modes import MODE
from tensorgrad.core.node import Leaf
from tensorgrad.core.tensor import StaleTensor, Tensor
from tensorgrad.errors import DTypeError, GraphError, StaleViewError, explain

if TYPE_CHECKING:
    from tensorgrad._typing import Array

__all__ = ["SCALAR", "is_scalar", "link", "rebind", "shares_memory"]

SCALAR = object()
"""Marks a 0-d result for which NumPy returns a scalar: immutable, never a view."""


class AliasGroup:
    """The handles of one piece of memory: the base, and the views of it."""

    __slots__ = ("base", "views")

    def __init__(self, base: Tensor) -> None:
        self.base = weakref.ref(base)
        self.views: list[weakref.ref[Tensor]] = []

    def add(self, view: Tensor) -> None:
        if len(self.views) > 2 * len(live := self.alive()) + 8:
            self.views = [weakref.ref(t) for t in live]
        self.views.append(weakref.ref(view))

    def alive(self) -> list[Tensor]:
        return [t for t in (ref() for ref in self.views) if t is not None]


def shares_memory(result: Array, operand: Any) -> bool:
    """Tell whether a layout op returned a view of its operand rather than a copy."""
    if result is operand:
        return True
    base = result.base
    return base is not None and (base is operand or base is operand.base)


def link(view: Tensor, base: Tensor) -> None:
    """Note that two handles show the same memory."""
    group = getattr(base, "_alias", None)
    if group is SCALAR:
        return
    if group is None:
        group = base._alias = AliasGroup(base)
    view._alias = group
    group.add(view)


def is_scalar(t: Tensor) -> bool:
    """Tell whether NumPy would have returned an immutable scalar here."""
    return getattr(t, "_alias", None) is SCALAR


def check_writable(t: Tensor, action: str) -> None:
    """Raise if an assignment to this handle could not mean what NumPy would do."""
    if type(t) is StaleTensor:
        t._concrete(action)
    group = getattr(t, "_alias", None)
    if group is SCALAR:
        raise DTypeError(
            explain(
                action,
                "a scalar (the result of a reduction or of an integer index)",
                "an array",
                "Assign to the array that the scalar came from",
            )
        )
    if group is not None:
        base = group.base()
        if base is not None and base is not t:
            raise StaleViewError(
                explain(
                    action,
                    "a view whose base is still in use; NumPy would change both",
                    "a Tensor with memory of its own",
                    "Assign through the base (y[0] += 1), or take a copy: r = r.copy()",
                )
            )
    node = t._node
    if isinstance(node, Leaf) and node.requires_grad and MODE.get().record:
        raise GraphError(
            explain(
                action,
                f"a leaf with requires_grad{f' ({node.name})' if node.name else ''}",
                "the result of an operation, or a constant",
                "Work on a copy (w = w.copy()), or update it inside tg.no_grad()",
            )
        )


def rebind(t: Tensor, result: Tensor) -> None:
    """Give a handle the value and node of a result, as an assignment does."""
    group = getattr(t, "_alias", None)
    if isinstance(group, AliasGroup):
        for view in group.alive():
            if view is not t:
                view.__class__ = StaleTensor
        del t._alias
    if hasattr(t, "_origin"):
        del t._origin
    node = t._node
    t._value = result._value
    if isinstance(node, Leaf) and not MODE.get().record:
        return  # an update under no_grad: the leaf stays the same leaf
    t._node = result._node
