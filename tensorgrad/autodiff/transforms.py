"""Gradients of functions of nested containers: transforms that nest to any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad._typing import Tree
from tensorgrad.autodiff.gradients import finished, gradients
from tensorgrad.autodiff.inputs import (
    as_positions,
    check_function,
    discrete,
    places_of,
    trace,
)
from tensorgrad.core.tensor import Tensor
from tensorgrad.errors import DTypeError, ShapeError, explain

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

    gradient.__wrapped__ = f  # type: ignore[attr-defined]  # takes the same arguments
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
    check_function("grad", f)
    is_single, positions = as_positions("grad", argnums)

    def compute(*args: Any, **kwargs: Any) -> tuple[Any, Tree]:
        places = places_of("grad", argnums, positions, len(args))
        inputs = trace("grad", args, places, create_graph=create_graph)
        value = inputs.call(f, kwargs)
        keep = create_graph or inputs.keeps(value)
        results = _adjoints(value, inputs.targets, create_graph=keep)
        inputs.check()
        trees = inputs.trees(results)
        output = trees[0] if is_single else tuple(trees)
        return _plain_value(value, keep=keep), output

    compute.__wrapped__ = f  # type: ignore[attr-defined]  # takes the same arguments
    return compute


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
        raise discrete("grad", f"a function whose value has dtype {value.dtype}")
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
        raise discrete(
            "grad", f"a function that returned {np.asarray(value).dtype} numbers"
        )
    if array is None or array.size != 1 or array.dtype.kind not in "if":
        raise ShapeError(
            explain(
                "grad",
                f"a function that returned {type(value).__name__}",
                "a real scalar",
                "Return one number, for example the mean loss",
            )
        )


def _plain_value(value: Any, *, keep: bool) -> Any:
    if keep or not isinstance(value, Tensor):
        return value if isinstance(value, Tensor) else np.asarray(value)
    return value._value
