"""Which handles share memory in NumPy's sense, and what an assignment does to them.

In NumPy a basic index, a reshape or a transpose shows the base's memory, and writing
through either shows in both. Here values are never written, so after an assignment
the other handles of that memory would silently keep the old entries. They are made
stale instead: their next use raises. Assigning *to* a view raises while its base, or
an older view of the same entries, is alive. All references are weak; a handle that
nobody uses costs nothing.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.core.modes import MODE
from tensorgrad.core.node import Leaf
from tensorgrad.core.tensor import StaleTensor, Tensor
from tensorgrad.errors import DTypeError, GraphError, StaleViewError, explain

if TYPE_CHECKING:
    from tensorgrad._typing import Array

__all__ = [
    "SCALAR",
    "check_writable",
    "is_scalar",
    "link",
    "owner_of",
    "rebind",
    "resume",
    "shares_memory",
    "suspend",
]

# Whether strided views share an entry is an NP-hard question in general; the usual
# ones are settled in a few steps.
_SEARCH_STEPS = 1000
# How many handles a group lists before it forgets those that are gone.
_FORGET_AT = 16

SCALAR = object()
"""Marks a 0-d result for which NumPy returns a scalar: immutable, never a view."""


class AliasGroup:
    """The handles of one piece of memory, in the order in which they were made."""

    __slots__ = ("handles", "limit")

    def __init__(self, base: Tensor) -> None:
        self.handles: list[weakref.ref[Tensor]] = [weakref.ref(base)]
        self.limit = _FORGET_AT

    def add(self, view: Tensor) -> None:
        if len(self.handles) >= self.limit:
            self.handles = [weakref.ref(t) for t in self.alive()]
            self.limit = 2 * len(self.handles) + _FORGET_AT
        self.handles.append(weakref.ref(view))

    def alive(self) -> list[Tensor]:
        """Return the handles in use, the base first if it is one of them."""
        return [t for t in (ref() for ref in self.handles) if t is not None]


class Suspended:
    """What the handles of one memory wait for after ``y[0].__iadd__(v)``.

    Python runs ``y[0] += v`` as an in-place operation on a view that nobody else
    holds, followed by the assignment ``y[0] = result``. Between the two, NumPy has
    changed `y` and this package has not; if the assignment never comes
    (``operator.iadd(y[0], v)``), the handles stay suspended, and using them raises.
    """

    __slots__ = ("group", "handles", "memory", "result")

    def __init__(self, group: AliasGroup, view: Tensor, result: Tensor) -> None:
        self.group = group
        self.memory = view._value
        self.result = weakref.ref(result)
        self.handles = [weakref.ref(t) for t in sharing(group, view)]


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
        # What is made of a scalar is a scalar, or an array with memory of its own.
        if not view.shape:
            view._alias = SCALAR
        return
    if group is None:
        group = base._alias = AliasGroup(base)
    view._alias = group
    group.add(view)


def is_scalar(t: Tensor) -> bool:
    """Tell whether NumPy would have returned an immutable scalar here."""
    return getattr(t, "_alias", None) is SCALAR


def overlap(a: Array, b: Array) -> bool:
    """Tell whether two arrays have an entry in common; True where that is hard to say."""
    try:
        return np.shares_memory(a, b, max_work=_SEARCH_STEPS)  # type: ignore[arg-type]  # any number of steps
    except np.exceptions.TooHardError:
        return True


def sharing(group: AliasGroup, t: Tensor) -> list[Tensor]:
    """Return the other handles in use that show some of the same entries."""
    return [
        other
        for other in group.alive()
        if other is not t
        and type(other) is not StaleTensor
        and overlap(other._value, t._value)
    ]


def owner_of(t: Tensor) -> Tensor | None:
    """Return the older handle in use that shows some of the same entries, or None.

    The base, if it is alive; else a view taken before this one. NumPy would change
    what it shows too.
    """
    group = getattr(t, "_alias", None)
    if not isinstance(group, AliasGroup):
        return None
    for other in group.alive():
        if other is t:
            return None
        if type(other) is not StaleTensor and overlap(other._value, t._value):
            return other
    return None


def check_writable(t: Tensor, action: str) -> None:
    """Raise if an assignment to this handle could not mean what NumPy would do."""
    if type(t) is StaleTensor:
        t._concrete(action)
    if is_scalar(t):
        raise DTypeError(
            explain(
                action,
                "a scalar (the result of a reduction or of an integer index)",
                "an array",
                "Assign to the array that the scalar came from",
            )
        )
    if owner_of(t) is not None:
        raise StaleViewError(
            explain(
                action,
                "a view whose base is still in use; NumPy would change both",
                "a Tensor with memory of its own",
                "Assign through the base (y[0] += 1, y[0, 1] = v), "
                "or take a copy: r = r.copy()",
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
        for view in sharing(group, t):
            view.__class__ = StaleTensor
            del view._alias
        del t._alias
    if hasattr(t, "_origin"):
        del t._origin
    node = t._node
    t._value = result._value
    if isinstance(node, Leaf) and not MODE.get().record:
        return  # an update under no_grad: the leaf stays the same leaf
    t._node = result._node


def suspend(view: Tensor, result: Tensor) -> None:
    """Note that NumPy has now changed the memory that a nameless view shows."""
    waiting = Suspended(view._alias, view, result)
    for ref in waiting.handles:
        handle = ref()
        if handle is not None:
            handle.__class__ = StaleTensor
            handle._alias = waiting


def resume(t: Tensor, index: Any, value: Any) -> None:
    """End a suspension by the assignment that completes ``t[index] += …``.

    Anything else that is assigned leaves the handle as it is.
    """
    waiting = getattr(t, "_alias", None)
    if not isinstance(waiting, Suspended) or waiting.result() is not value:
        return
    place = t._value[index]
    if _memory_of(place) != _memory_of(waiting.memory):
        return
    for ref in waiting.handles:
        handle = ref()
        if handle is not None:
            handle.__class__ = Tensor
            handle._alias = waiting.group


def _memory_of(array: Array) -> tuple[Any, ...]:
    address = array.__array_interface__["data"][0]
    return address, array.shape, array.strides, array.dtype
