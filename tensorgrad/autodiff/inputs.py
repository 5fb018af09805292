"""The inputs of a transform: arguments made Tensors that stand for them inside.

Every transform of a function calls it through here: the leaves of the arguments that it
differentiates become traced Tensors, the caller's arrays are watched while the function
runs, and the tracing ends with the call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np

from tensorgrad._typing import Array, Tree
from tensorgrad.autodiff.gradients import is_enclosed, refuse_target
from tensorgrad.core.guard import COPY_BYTES, Guard
from tensorgrad.core.modes import MODE, switch
from tensorgrad.core.node import Leaf, Node
from tensorgrad.core.tensor import StaleTensor, Tensor, stale, wrap
from tensorgrad.core.views import SCALAR
from tensorgrad.errors import ArgumentError, DTypeError, explain
from tensorgrad.ops.shaping import copy as copy_op
from tensorgrad.tree import Structure, flatten, unflatten

__all__ = ["Inputs", "as_positions", "check_function", "discrete", "places_of", "trace"]


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Arguments of a call, some of which are traced.

    ``targets`` are the traced leaves, ``structures`` how they make up the arguments at
    ``places``; ``names`` tell a leaf from the others in messages.
    """

    caller: str
    args: tuple[Any, ...]
    places: tuple[int, ...]
    targets: list[Tensor]
    structures: list[Structure]
    names: list[str]
    guards: list[Guard]

    @property
    def is_inner(self) -> bool:
        """Whether an argument is being recorded by a transform around this one."""
        return any(isinstance(t._node, Node) for t in self.targets)

    def call(self, f: Callable[..., Any], kwargs: dict[str, Any], **modes: Any) -> Any:
        """Call the function on the traced arguments, under recording."""
        try:
            with switch(record=True, depth=MODE.get().depth + 1, **modes):
                return f(*self.args, **kwargs)
        finally:
            # What is still traced belongs to a transform around this one.
            _release(self.targets)

    def keeps(self, *values: Any) -> bool:
        """Tell whether results belong to the graph of a transform around this one."""
        return (self.is_inner and MODE.get().record) or is_enclosed(*values)

    def trees(self, leaves: Sequence[Any]) -> list[Tree]:
        """Return leaves in the structures of the arguments."""
        parts = iter(leaves)
        return [unflatten(structure, parts) for structure in self.structures]

    def check(self) -> None:
        """Raise if the function wrote to an array of the caller's."""
        for guard in self.guards:
            guard.check()


def trace(
    caller: str,
    args: Sequence[Any],
    places: Sequence[int],
    *,
    create_graph: bool = False,
) -> Inputs:
    """Return the arguments of a call with those at some places traced.

    Raises
    ------
    DTypeError
        If one of their leaves holds no floating or complex numbers.
    """
    traced = list(args)
    targets: list[Tensor] = []
    names: list[str] = []
    structures = []
    for place in places:
        found, structure = flatten(args[place])
        paths = list(structure.paths())
        tensors = [
            _traced(caller, leaf, path, create_graph=create_graph)
            for leaf, path in zip(found, paths, strict=True)
        ]
        # The function gets handles of its own: it may rebind them (x += 1).
        traced[place] = unflatten(structure, [_same(t) for t in tensors])
        targets += tensors
        names += [_argument_name(place, path, len(args)) for path in paths]
        structures.append(structure)
    return Inputs(
        caller,
        tuple(traced),
        tuple(places),
        targets,
        structures,
        names,
        _guards(targets),
    )


def _argument_name(place: int, path: str, n_args: int) -> str:
    if n_args == 1:
        return path
    return f"argument {place}" + (f" ({path})" if path else "")


def check_function(caller: str, f: Any) -> None:
    """Raise unless there is something to call."""
    if not callable(f):
        raise ArgumentError(
            explain(
                caller,
                f"a {type(f).__name__}",
                "a function",
                "Pass the function itself, not its value; for a Tensor use tg.gradients",
            )
        )


def as_positions(caller: str, argnums: Any) -> tuple[bool, tuple[int, ...]]:
    """Return whether one position was asked for, and the positions."""
    try:
        return True, (index(argnums),)
    except TypeError:
        pass
    try:
        return False, tuple(map(index, argnums))
    except TypeError as error:
        raise _not_positions(caller, argnums) from error


def places_of(
    caller: str, argnums: Any, positions: Sequence[int], n_args: int
) -> tuple[int, ...]:
    """Return the positions counted from the front of a call, each different."""
    places = tuple(_position(caller, position, n_args) for position in positions)
    if len(set(places)) < len(places):
        raise _not_positions(caller, argnums)
    return places


def _not_positions(caller: str, argnums: Any) -> ArgumentError:
    return ArgumentError(
        explain(
            caller,
            f"argnums={argnums!r}",
            "the position of an argument, or several different ones",
            "Count positional arguments from 0, for example argnums=(0, 2)",
        )
    )


def _position(caller: str, position: int, n_args: int) -> int:
    if not -n_args <= position < n_args:
        raise ArgumentError(
            explain(
                caller,
                f"argnums {position} for a call with {n_args} positional arguments",
                "the position of an argument",
                "Pass the argument by position, or correct argnums",
            )
        )
    return position % n_args


def _traced(caller: str, leaf: Any, path: str, *, create_graph: bool) -> Tensor:
    """Return a Tensor that stands for one leaf of an argument inside the function."""
    if type(leaf) is StaleTensor:
        raise stale(leaf)
    if isinstance(leaf, Tensor):
        is_inner = isinstance(leaf._node, Leaf) and leaf._node.traced
        if create_graph or is_inner or isinstance(leaf._node, Node):
            # A node of its own: the inner gradient must not see other uses of it.
            with switch(record=True):
                return copy_op(leaf)  # type: ignore[no-any-return]
        value = leaf._value
    else:
        value = _floating(caller, leaf, path)
        is_outliving = create_graph or MODE.get().depth > 0
        if is_outliving or value.nbytes <= COPY_BYTES:
            value = value.copy(order="K")
    name = leaf.name if isinstance(leaf, Tensor) else path or None
    if value.dtype.kind not in "fc":
        refuse_target(wrap(value, None), path)
    t = wrap(value, Leaf(name=name, traced=True))
    if not isinstance(leaf, (Tensor, np.ndarray)):
        t._alias = SCALAR
    return t


def _guards(targets: Sequence[Tensor]) -> list[Guard]:
    """Watch the caller's arrays, which the function might write to by another name."""
    if not MODE.get().guard:
        return []
    return [
        Guard(t._value, "the function")
        for t in targets
        if type(t._node) is Leaf and t._value.base is not None
    ]


def _same(t: Tensor) -> Tensor:
    """Return another handle on the same value and node."""
    twin = wrap(t._value, t._node)
    if hasattr(t, "_alias"):
        twin._alias = t._alias
    return twin


def _floating(caller: str, leaf: Any, path: str) -> Array:
    if isinstance(leaf, np.ndarray) and getattr(leaf, "__array_priority__", 0) <= 0:
        # A view: the function may not write to the caller's array through it.
        view: Array = leaf.view(np.ndarray)
        view.flags.writeable = False
        return view
    if isinstance(leaf, (float, complex, np.inexact)):
        return np.asarray(leaf)
    named = f" ({path})" if path else ""
    raise DTypeError(
        explain(
            caller,
            f"an argument of type {type(leaf).__name__}{named}",
            "floating or complex numbers, or nested containers of them",
            "Convert it: 2.0 for 2, np.asarray(x, float) for other arrays of numbers; leave "
            "other arguments out of argnums",
        )
    )


def discrete(caller: str, came: str) -> DTypeError:
    """Return the error for a result that varies in steps."""
    return DTypeError(
        explain(
            caller,
            came,
            "a floating value, since a condition, a count or an index has no gradient",
            "Differentiate the quantity itself, or convert it: x.astype(float)",
        )
    )


def _release(targets: Sequence[Tensor]) -> None:
    """End the tracing of inputs, so that one that escaped is an ordinary constant."""
    for target in targets:
        if isinstance(target._node, Leaf):
            target._node.traced = False
