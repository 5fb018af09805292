"""Gradients of functions of nested containers: transforms that nest to any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import index
from typing import Any

import numpy as np

from tensorgrad._typing import Array, Tree
from tensorgrad.autodiff.gradients import (
    finished,
    gradients,
    is_enclosed,
    refuse_target,
)
from tensorgrad.core.guard import COPY_BYTES, Guard
from tensorgrad.core.modes import MODE, switch
from tensorgrad.core.node import Leaf, Node
from tensorgrad.core.tensor import StaleTensor, Tensor, stale, wrap
from tensorgrad.core.views import SCALAR
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, explain
from tensorgrad.ops.shaping import copy as copy_op
from tensorgrad.tree import flatten, unflatten

__all__ = ["grad", "value_and_grad"]


def grad(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    create_graph: bool = False,
) -> Callable[..., Tree]:
    """Return a function that computes the gradient of a scalar function.

    Parameters
    ----------
    f : callable
        Takes nested tuples, lists, dicts, modules of arrays; returns a real scalar.
    argnums : int or sequence of int
        Which positional arguments to differentiate.
    create_graph : bool
        Return Tensors that can be differentiated again. Happens by itself where an
        argument is being recorded (nesting).

    Returns
    -------
    callable
        Of the same arguments; returns the gradient in the structure of the argument
        (a tuple of them for several ``argnums``), with arrays as leaves. An argument
        that the function ignores has gradient zero.

    Raises
    ------
    DTypeError
        At the call: if an argument holds integers, or the value is not real.
    ShapeError
        At the call: if the value is not a scalar.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.grad(lambda x: x**3)(2.0)
    array(12.)
    >>> tg.grad(tg.grad(lambda x: x**3))(2.0)
    array(12.)
    """
    compute = value_and_grad(f, argnums, create_graph=create_graph)

    def gradient(*args: Any, **kwargs: Any) -> Tree:
        return compute(*args, **kwargs)[1]

    return gradient


def value_and_grad(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    create_graph: bool = False,
) -> Callable[..., tuple[Any, Tree]]:
    """Return a function that computes value and gradient of a scalar function.

    Parameters and errors as for `grad`.

    Returns
    -------
    callable
        Returns (value, gradient); the value is a 0-d array.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.value_and_grad(lambda p: p["w"] * p["x"])({"w": 2.0, "x": 3.0})
    (array(6.), {'w': array(3.), 'x': array(2.)})
    """
    if not callable(f):
        raise ArgumentError(
            explain(
                "grad",
                f"a {type(f).__name__}",
                "a function",
                "Pass the function itself, not its value; for a Tensor use tg.gradients",
            )
        )
    is_single, positions = _positions(argnums)

    def compute(*args: Any, **kwargs: Any) -> tuple[Any, Tree]:
        traced = list(args)
        inputs: list[list[Tensor]] = []
        structures = []
        places: set[int] = set()
        for position in positions:
            place = _position(position, len(args))
            if place in places:
                raise _not_positions(argnums)
            places.add(place)
            found, structure = flatten(args[place])
            tensors = [
                _traced(leaf, path, create_graph=create_graph)
                for leaf, path in zip(found, structure.paths(), strict=True)
            ]
            # The function gets handles of its own: it may rebind them (x += 1).
            traced[place] = unflatten(structure, [_same(t) for t in tensors])
            inputs.append(tensors)
            structures.append(structure)
        targets = [t for tensors in inputs for t in tensors]
        guards = _guards(targets)
        try:
            with switch(record=True, depth=MODE.get().depth + 1):
                value = f(*traced, **kwargs)
        finally:
            _release(targets)
        # What is still traced belongs to a transform around this one.
        is_inner = any(isinstance(t._node, Node) for t in targets)
        is_nested = (is_inner and MODE.get().record) or is_enclosed(value)
        keep = create_graph or is_nested
        results = _adjoints(value, targets, create_graph=keep)
        for guard in guards:
            guard.check()
        parts = iter(results)
        trees = [unflatten(structure, parts) for structure in structures]
        output = trees[0] if is_single else tuple(trees)
        return _plain_value(value, keep=keep), output

    return compute


def _positions(argnums: Any) -> tuple[bool, tuple[int, ...]]:
    """Return whether one position was asked for, and the positions."""
    try:
        return True, (index(argnums),)
    except TypeError:
        pass
    try:
        return False, tuple(map(index, argnums))
    except TypeError as error:
        raise _not_positions(argnums) from error


def _not_positions(argnums: Any) -> ArgumentError:
    return ArgumentError(
        explain(
            "grad",
            f"argnums={argnums!r}",
            "the position of an argument, or several different ones",
            "Count positional arguments from 0, for example argnums=(0, 2)",
        )
    )


def _position(position: int, n_args: int) -> int:
    if not -n_args <= position < n_args:
        raise ArgumentError(
            explain(
                "grad",
                f"argnums {position} for a call with {n_args} positional arguments",
                "the position of an argument",
                "Pass the argument by position, or correct argnums",
            )
        )
    return position % n_args


def _traced(leaf: Any, path: str, *, create_graph: bool) -> Tensor:
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
        value = _floating(leaf, path)
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


def _floating(leaf: Any, path: str) -> Array:
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
            "grad",
            f"an argument of type {type(leaf).__name__}{named}",
            "floating or complex numbers, or nested containers of them",
            "Convert it: 2.0 for 2, np.asarray(x, float) for other arrays of numbers; leave "
            "other arguments out of argnums",
        )
    )


def _adjoints(value: Any, targets: list[Tensor], *, create_graph: bool) -> list[Any]:
    if not isinstance(value, Tensor):
        _check_constant(value)
        return [finished(None, target, create_graph=create_graph) for target in targets]
    if value.dtype.kind == "c":
        raise DTypeError(
            explain(
                "grad",
                "a function with a complex value",
                "a real scalar",
                "Differentiate its real part, its imaginary part or its modulus",
            )
        )
    if value.size != 1:
        raise ShapeError(
            explain(
                "grad",
                f"a function whose value has shape {value.shape}",
                "a scalar",
                "Reduce it with .sum() or .mean(), or use tg.gradients with grad=",
            )
        )
    if value.dtype.kind != "f":
        raise _discrete(f"a function whose value has dtype {value.dtype}")
    results: list[Any] = gradients(
        value, targets, create_graph=create_graph, unused="zero"
    )
    return results


def _check_constant(value: Any) -> None:
    """Raise unless a function that ignores its arguments still returned a number."""
    array = np.asarray(value) if not isinstance(value, (list, tuple, dict)) else None
    if isinstance(value, (bool, np.bool_, np.integer)) or (
        isinstance(value, np.ndarray) and value.dtype.kind in "biu"
    ):
        # A comparison, a count or an index: computed, and constant only piecewise.
        raise _discrete(f"a function that returned {np.asarray(value).dtype} numbers")
    if array is None or array.size != 1 or array.dtype.kind not in "if":
        raise ShapeError(
            explain(
                "grad",
                f"a function that returned {type(value).__name__}",
                "a real scalar",
                "Return one number, for example the mean loss",
            )
        )


def _discrete(came: str) -> DTypeError:
    return DTypeError(
        explain(
            "grad",
            came,
            "a floating value, since a condition, a count or an index has no gradient",
            "Differentiate the quantity itself, or convert it: x.astype(float)",
        )
    )


def _plain_value(value: Any, *, keep: bool) -> Any:
    if keep or not isinstance(value, Tensor):
        return value if isinstance(value, Tensor) else np.asarray(value)
    return value._value


def _release(targets: Sequence[Tensor]) -> None:
    """End the tracing of inputs, so that one that escaped is an ordinary constant."""
    for target in targets:
        if isinstance(target._node, Leaf):
            target._node.traced = False
