"""Functions with a pullback given by hand, which is checked when they are first called.

What a function uses besides its arguments would get no gradient, and is refused. The
self-check stands in autodiff/self_check.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from tensorgrad.autodiff.inputs import check_function
from tensorgrad.autodiff.products import vjp
from tensorgrad.autodiff.self_check import as_entries, compare_in_a_direction
from tensorgrad.autodiff.whole import (
    Call,
    captured_by,
    fresh,
    name_of,
    not_applied,
    whole,
)
from tensorgrad.core.modes import MODE, switch
from tensorgrad.core.node import AnyNode, Leaf, make_node, next_number
from tensorgrad.core.op import PROJECTION, Op
from tensorgrad.core.tensor import Tensor, as_value, node_of, wrap
from tensorgrad.errors import ArgumentError, GraphError, ShapeError, explain
from tensorgrad.tree import Structure, flatten, unflatten

__all__ = ["custom_gradient"]

N_CHECKS = 3
"""Calls that a custom gradient checks itself in while it cannot tell."""


PUSHED = Op(
    name="function",
    kind="Custom",
    forward=not_applied,
    operands=("arrays",),
    rules=(lambda g: g,),
    jvps=(lambda t, i, run, arrays: run.push(t, i, arrays),),
    shape_rule=not_applied,
    n_outputs=0,
    is_variadic=True,
    doc="Forward mode of a function whose backward pass is its own.",
)


def custom_gradient(
    f: Callable[..., Any] | None = None, *, check: bool = True
) -> Callable[..., Any]:
    """Return a function with the gradient that it gives itself.

    Parameters
    ----------
    f : callable
        Returns ``(value, pullback)``. ``pullback(g)``, with ``g`` in the structure of
        the value, returns the adjoint of ``sum(g * value)``: an entry for each
        positional argument, in its structure, or None for zero. With one argument it may
        return that entry alone.
    check : bool
        Compare the pullback with differences when the function is first called on
        Tensors. Pass False where it is meant to differ: straight-through estimators,
        clipped or reversed gradients.

    Returns
    -------
    callable
        Of the same arguments; returns the value. Without ``f``, a decorator.

    Raises
    ------
    ArgumentError
        At the call: if no such pair is returned.
    GraphError
        At the call: if the check refutes the pullback, or the function uses a recorded
        Tensor that is no argument, whose gradient would be lost.
    ShapeError
        By the sweep: if an adjoint has another shape than its argument.

    Notes
    -----
    Second derivatives differentiate what ``pullback`` computes, and follow the arguments
    through it. Forward mode transposes it, so it must be written with functions that
    record, as any function that is differentiated. What it reads as plain numbers
    (``.numpy()``) is constant in both.

    The check calls ``f`` some 13 times; where it cannot tell, at a kink, it comes back
    in the next calls.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> @tg.custom_gradient
    ... def log1pexp(x):
    ...     e = np.exp(x)
    ...     return np.log(1 + e), lambda g: g * (1 - 1 / (1 + e))
    >>> tg.grad(log1pexp)(0.0), tg.grad(tg.grad(log1pexp))(0.0)
    (array(0.5), array(0.25))
    """
    if f is None:
        return lambda function: custom_gradient(function, check=check)
    check_function("custom_gradient", f)
    state = {"left": N_CHECKS if check else 0}

    @wraps(f)
    def with_pullback(*args: Any, **kwargs: Any) -> Any:
        mode = MODE.get()
        call = Call(f, args, kwargs)
        if not call.places or not mode.record:
            return _pair(f, f(*args, **kwargs))[0]
        if state["left"]:
            state["left"] = _checked(f, args, kwargs, state["left"])
        start = next_number()
        inputs = fresh(call.tensors, linked=False)
        with switch(save=False, forward=None, depth=mode.depth + 1):
            value, pullback = _pair(f, call.run(inputs, again=False))
        leaves, structure = flatten(value)
        _refuse_captured(f, leaves, {node_of(t) for t in inputs}, start)
        values = [as_value(v) for v in leaves]
        run = ByHand(call, len(args), pullback, values, structure)
        parents = [node_of(t) for t in call.tensors]
        node, result = whole(run, parents, values, structure)
        if mode.forward is not None:
            results = [wrap(v, None) for v in values]
            results[0]._node = make_node(PROJECTION, (node,), None, None)
            mode.forward.see(
                PUSHED,
                call.tensors,
                [as_value(t) for t in call.tensors],
                {"run": run},
                results,
            )
        return result

    return with_pullback


def _checked(
    f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], left: int
) -> int:
    """Check a pullback, and return how many more times to."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return _pair(f, f(*args, **kwargs))

    found = compare_in_a_direction(call, args, kwargs)
    if found is None or not found.is_settled:
        return left - 1
    if not found.agrees:
        raise GraphError(
            explain(
                f"custom_gradient of {name_of(f)}",
                f"a pullback that gives {found.claimed:.6g} in a random direction in "
                f"which differences give {found.found:.6g}",
                "the derivative of the value",
                "Correct the pullback, or pass check=False if it is meant to differ",
            )
        )
    return 0


def _pair(f: Callable[..., Any], found: Any) -> tuple[Any, Callable[..., Any]]:
    if isinstance(found, tuple) and len(found) == 2 and callable(found[1]):
        return found
    raise ArgumentError(
        explain(
            f"custom_gradient of {name_of(f)}",
            f"a function that returned a {type(found).__name__}",
            "a pair (value, pullback)",
            "Return the value and a function of its cotangent",
        )
    )


def _refuse_captured(
    f: Callable[..., Any], leaves: Sequence[Any], inputs: set[AnyNode], start: int
) -> None:
    recorded = [v for v in leaves if isinstance(v, Tensor) and v._node is not None]
    for node in captured_by(recorded, inputs, start):
        is_leaf = type(node) is Leaf
        if not is_leaf or node.requires_grad or node.traced:
            name = getattr(node, "name", None) or "one"
            raise GraphError(
                explain(
                    f"custom_gradient of {name_of(f)}",
                    f"a recorded Tensor that is no argument of it ({name})",
                    "one whose gradient the pullback returns",
                    "Pass it as an argument, or detach it: t.detach()",
                )
            )


class ByHand:
    """The pullback that a function returned, as the sweep and forward mode call it."""

    __slots__ = ("call", "n_args", "pullback", "structure", "values")

    def __init__(
        self,
        call: Call,
        n_args: int,
        pullback: Callable[..., Any],
        values: list[Any],
        structure: Structure,
    ) -> None:
        self.call = call
        self.n_args = n_args
        self.pullback = pullback
        self.values = values
        self.structure = structure

    def pull(self, g: Sequence[Any]) -> tuple[Any, ...]:
        """Return the shares of the Tensors among the arguments."""
        pullback = self.pullback
        if MODE.get().record:
            inputs = fresh(self.call.tensors, linked=True)
            with switch(depth=MODE.get().depth + 1):
                pullback = _pair(self.call.f, self.call.run(inputs))[1]
        parts = [
            np.zeros(v.shape, v.dtype) if part is None else part
            for v, part in zip(self.values, g, strict=True)
        ]
        return tuple(self._shares(pullback(unflatten(self.structure, parts))))

    def _shares(self, found: Any) -> list[Any]:
        """Return, for each Tensor among the arguments, what the pullback gave it."""
        args = unflatten(self.call.structure, list(range(len(self.call.leaves))))[0]
        wanted = [flatten(arg) for arg in args]
        entries = as_entries(found, self.n_args)
        if not isinstance(entries, (tuple, list)) or len(entries) != self.n_args:
            raise self._wrong(f"a {type(found).__name__} of {_length(found)}")
        shares: dict[int, Any] = {}
        for k, (entry, (places, structure)) in enumerate(
            zip(entries, wanted, strict=True)
        ):
            if entry is None:
                continue
            leaves, other = flatten(entry)
            if other != structure:
                raise self._wrong(f"for argument {k} leaves {list(other.paths())}")
            shares.update(zip(places, leaves, strict=True))
        return [self._fitted(i, shares.get(i)) for i in self.call.places]

    def _fitted(self, i: int, share: Any) -> Any:
        if share is None:
            return None
        like = self.call.leaves[i]._value
        value = share if isinstance(share, Tensor) else np.asarray(share)
        if value.shape != like.shape:
            raise ShapeError(
                explain(
                    f"custom_gradient of {name_of(self.call.f)}",
                    f"an adjoint of shape {value.shape} for an argument of shape "
                    f"{like.shape}",
                    "equal shapes",
                    "Sum over the axes that the argument was broadcast along",
                )
            )
        if like.dtype.kind not in "fc":
            return None
        return value if value.dtype == like.dtype else _cast(value, like.dtype)

    def _wrong(self, came: str) -> ArgumentError:
        return ArgumentError(
            explain(
                f"custom_gradient of {name_of(self.call.f)}",
                f"a pullback that returned {came}",
                f"a tuple with an entry for each of {self.n_args} arguments, in its "
                "structure",
                "Return None for an argument without gradient",
            )
        )

    def push(self, t: Any, i: int, arrays: Sequence[Any]) -> list[Any]:
        """Return the tangents of the results, by transposing the pullback."""
        inputs = [
            a if isinstance(a, Tensor) else wrap(np.asarray(a), None) for a in arrays
        ]
        with switch(record=True):
            pullback = _pair(self.call.f, self.call.run(inputs))[1]
        place = self.call.places[i]

        def share(*g: Any) -> Any:
            found = self._shares(pullback(unflatten(self.structure, list(g))))
            mine = found[self.call.places.index(place)]
            return np.zeros(arrays[i].shape, arrays[i].dtype) if mine is None else mine

        zeros = [np.zeros(v.shape, v.dtype) for v in self.values]
        _, back = vjp(share, *zeros)
        return list(back(t))


def _length(found: Any) -> str:
    return f"{len(found)} entries" if isinstance(found, (tuple, list)) else "no entries"


def _cast(value: Any, dtype: np.dtype[Any]) -> Any:
    if value.dtype.kind == "c" and dtype.kind != "c":
        value = value.real
    return value.astype(dtype)
