"""The function under test, and its derivative, as functions of a flat list of arrays.

Whatever the user's function takes, a check moves the arrays of floating and complex
numbers in it and leaves everything else alone. A `Claim` is a derivative that somebody
has worked out: this package in reverse or forward mode, or a function by hand.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.autodiff.inputs import trace
from tensorgrad.autodiff.products import Outputs, adjoints, jvp
from tensorgrad.autodiff.self_check import again
from tensorgrad.core.modes import switch
from tensorgrad.core.tensor import Tensor, as_value, wrap
from tensorgrad.errors import (
    ArgumentError,
    DTypeError,
    ShapeError,
    explain,
)
from tensorgrad.tree import Structure, flatten, unflatten

__all__ = ["Arguments", "Flat", "Forward", "Handwritten", "Reverse"]


class Arguments:
    """The arguments of a call, and the leaves among them that can move."""

    def __init__(self, args: Sequence[Any]) -> None:
        self.leaves, self.structure = flatten(tuple(args))
        paths = list(self.structure.paths())
        self.places = [i for i, leaf in enumerate(self.leaves) if _moves(leaf)]
        self.names = [self._name(paths[i], len(args)) for i in self.places]
        self.point = [np.asarray(as_value(self.leaves[i])) for i in self.places]
        if not self.places:
            raise DTypeError(
                explain(
                    "gradcheck",
                    "arguments without floating or complex numbers",
                    "an argument to differentiate by",
                    "Pass 2.0 for 2, and np.asarray(x, float) for other numbers",
                )
            )

    @staticmethod
    def _name(path: str, n_args: int) -> str:
        number, _, rest = path.partition(".")
        if n_args == 1:
            return rest or "x"
        return f"argument {number}" + (f".{rest}" if rest else "")

    def keep(self, places: Collection[int]) -> None:
        """Let only those leaves move that are at some places."""
        kept = [k for k, place in enumerate(self.places) if place in places]
        self.names = [self.names[k] for k in kept]
        self.point = [self.point[k] for k in kept]
        self.places = [self.places[k] for k in kept]

    def filled(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        """Return the arguments with other arrays where they can move."""
        leaves = [again(leaf) for leaf in self.leaves]
        for i, array in zip(self.places, arrays, strict=True):
            leaves[i] = array
        args: tuple[Any, ...] = unflatten(self.structure, leaves)
        return args


def _moves(leaf: Any) -> bool:
    if isinstance(leaf, (Tensor, np.ndarray, np.generic)):
        return leaf.dtype.kind in "fc"
    return isinstance(leaf, (float, complex))


class Flat:
    """A function from a list of arrays to the list of its floating results."""

    def __init__(self, f: Callable[..., Any], arguments: Arguments) -> None:
        self.f = f
        self.arguments = arguments

    def __call__(self, *arrays: Any) -> list[Any]:
        """Return the results that vary continuously."""
        value = self.f(*self.arguments.filled(arrays))
        found = []
        for leaf in flatten(value)[0]:
            result = leaf if isinstance(leaf, Tensor) else np.asarray(leaf)
            if result.dtype.kind in "fc":
                found.append(result)
        if not found:
            raise DTypeError(
                explain(
                    "gradcheck",
                    "a function without floating results",
                    "a number or an array that varies continuously",
                    "Return the quantity itself, not a condition or a count",
                )
            )
        return found

    def values(
        self, arrays: Sequence[Array], *, as_tensors: bool = True
    ) -> list[Array]:
        """Return the results as arrays, without a graph."""
        # Plain arrays are copied: the function may write to them.
        given: list[Any] = [wrap(a, None) if as_tensors else a.copy() for a in arrays]
        with switch(record=False, forward=None):
            return [np.asarray(as_value(result)) for result in self(*given)]

    def takes_tensors(self, arrays: Sequence[Array]) -> bool:
        """Tell whether it runs on Tensors, so that its ops can be watched."""
        try:
            self.values(arrays)
        except Exception:  # noqa: BLE001  # it is not ours, and need not know Tensors
            return False
        return True


class Reverse:
    """The adjoints that reverse mode finds."""

    name = "reverse"

    def __init__(self, flat: Flat) -> None:
        self.flat = flat

    def __call__(
        self, arrays: Sequence[Array], weights: Sequence[Any], *, keep: bool = False
    ) -> list[Any]:
        """Return the adjoint of ``sum(weights * results)`` for each array."""
        inputs = trace("gradcheck", arrays, range(len(arrays)))
        outputs = Outputs("gradcheck", inputs.call(self.flat, {}))
        inputs.check()
        given = [
            np.asarray(w, leaf.dtype)
            for w, leaf in zip(weights, outputs.leaves, strict=True)
        ]
        return adjoints(inputs, outputs, given, keep=keep)


class Forward:
    """The derivative along a direction that forward mode finds."""

    name = "forward"

    def __init__(self, flat: Flat) -> None:
        self.flat = flat

    def along(
        self,
        arrays: Sequence[Array],
        direction: Sequence[Array],
        weights: Sequence[Any],
    ) -> float:
        """Return the derivative of ``sum(weights * results)`` along the direction."""
        tangents = [
            np.asarray(v, a.dtype) for v, a in zip(direction, arrays, strict=True)
        ]
        _, moved = jvp(self.flat, list(arrays), tangents)
        pairs = zip(weights, moved, strict=True)
        return float(sum(np.sum(w * as_value(t)).real for w, t in pairs))


class Handwritten:
    """The gradient that a function of the user's returns."""

    name = "handwritten"

    def __init__(self, gradient: Callable[..., Any], arguments: Arguments) -> None:
        self.gradient = gradient
        self.arguments = arguments
        self.takes_cotangent = _takes_cotangent(gradient)

    def __call__(
        self, arrays: Sequence[Any], weights: Sequence[Any], *, keep: bool = False
    ) -> list[Any]:
        """Return its gradient for each array, in the arguments' structure."""
        # Copies: it may write to them, which is found out and must not spoil the rest.
        args = self.arguments.filled([_copied(array) for array in arrays])
        extra = {"g": np.array(weights[0])} if self.takes_cotangent else {}
        with switch(record=False, forward=None):
            found = self.gradient(*args, **extra)
        leaves = self._leaves(found, len(args))
        scale = 1.0 if self.takes_cotangent else np.asarray(weights[0])
        results = []
        for i, name, like in zip(
            self.arguments.places, self.arguments.names, arrays, strict=True
        ):
            value = np.asarray(as_value(leaves[i]))
            if value.shape != like.shape:
                raise ShapeError(
                    explain(
                        "gradcheck: the handwritten gradient",
                        f"shape {value.shape} for {name}",
                        f"the shape of what it belongs to, {like.shape}",
                        "Sum over the axes that it was broadcast along, or transpose it",
                    )
                )
            results.append(value if keep or self.takes_cotangent else value * scale)
        return results

    def raw(self, arrays: Sequence[Any], weights: Sequence[Any]) -> list[Any]:
        """Return what the function returned, leaf by leaf, as it came."""
        args = self.arguments.filled(arrays)
        extra = {"g": weights[0]} if self.takes_cotangent else {}
        leaves = self._leaves(self.gradient(*args, **extra), len(args))
        return [leaves[i] for i in self.arguments.places]

    def restrict(self) -> None:
        """Hold constant what the gradient makes no claim for: find out by a call."""
        arrays = [np.array(x) for x in self.arguments.point]
        args = self.arguments.filled(arrays)
        extra = {"g": 1.0} if self.takes_cotangent else {}
        try:
            with switch(record=False, forward=None):
                found = self.gradient(*args, **extra)
        except (TypeError, ValueError):
            if self.takes_cotangent:
                return  # a cotangent of another shape; every argument takes part
            raise
        entries = self._entries(found, len(args))
        wanted = self._numbered()
        claimed = {
            place
            for places, entry in zip(wanted, entries, strict=True)
            if entry is not None
            for place in flatten(places)[0]
        }
        self.arguments.keep(claimed)

    def _numbered(self) -> tuple[Any, ...]:
        """Return the arguments with the number of each leaf in its place."""
        n = len(self.arguments.leaves)
        numbered: tuple[Any, ...] = unflatten(self.arguments.structure, list(range(n)))
        return numbered

    def _leaves(self, found: Any, n_args: int) -> list[Any]:
        """Return the gradient's leaves in the order of the arguments'."""
        leaves: list[Any] = []
        for places, entry in zip(
            self._numbered(), self._entries(found, n_args), strict=True
        ):
            wanted = flatten(places)[0]
            parts = [None] * len(wanted) if entry is None else flatten(entry)[0]
            leaves += parts
        return leaves

    def _entries(self, found: Any, n_args: int) -> list[Any]:
        """Return the gradient by argument, None where there is none.

        It may be a tuple with an entry for each argument, the gradient by the first one
        alone, or a tuple for the first ones, or for those that have anything to move.
        """
        structures = [flatten(places)[1] for places in self._numbered()]
        if flatten(found)[1] == structures[0] and not self._fits(found, structures):
            return [found, *[None] * (n_args - 1)]
        moving = [
            k
            for k, places in enumerate(self._numbered())
            if any(i in self.arguments.places for i in flatten(places)[0])
        ]
        if isinstance(found, (tuple, list)):
            leading = list(range(min(len(found), n_args)))
            for chosen in (leading, moving):
                if self._fits(found, [structures[k] for k in chosen]):
                    entries: list[Any] = [None] * n_args
                    for k, entry in zip(chosen, found, strict=True):
                        entries[k] = entry
                    return entries
        paths = [list(s.paths()) for s in structures]
        raise self._misfit(
            f"a {type(found).__name__} with leaves {list(flatten(found)[1].paths())}",
            paths,
        )

    @staticmethod
    def _fits(found: Any, structures: Sequence[Structure]) -> bool:
        """Tell whether these are gradients by arguments of such structures."""
        return (
            isinstance(found, (tuple, list))
            and len(found) == len(structures)
            and all(
                entry is None or flatten(entry)[1] == structure
                for entry, structure in zip(found, structures, strict=True)
            )
        )

    def _misfit(self, came: str, expected: Any) -> ArgumentError:
        return ArgumentError(
            explain(
                "gradcheck: the handwritten gradient",
                came,
                f"the structure of the arguments: {expected}",
                "Return a tuple with an entry for each argument, None for those without "
                "gradient",
            )
        )


def _copied(array: Any) -> Any:
    # In the layout that it came in, which a gradient should not depend on.
    if isinstance(array, np.ndarray) and array.flags.c_contiguous:
        return array.copy()
    return array


def _takes_cotangent(gradient: Callable[..., Any]) -> bool:
    try:
        return "g" in inspect.signature(gradient).parameters
    except (TypeError, ValueError):
        return False


def runs_on_tensors(
    claim: Any, arrays: Sequence[Array], weights: Sequence[Any]
) -> bool:
    """Tell whether a handwritten gradient can be computed from Tensors."""
    try:
        claim([wrap(a, None) for a in arrays], weights)
    except Exception:  # noqa: BLE001  # it is not ours, and need not know Tensors
        return False
    return True
