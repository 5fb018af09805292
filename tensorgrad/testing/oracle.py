"""A second opinion: reverse mode as one would explain it, on nested tuples.

An expression is an input's number, a constant array, or ``(name, *operands)``. The
derivative is a recursion over it: each use of a subexpression is followed on its own,
nothing is shared, cached, ordered or fused, and nothing of the engine is imported. It
takes exponential time where results are used several times, and is for small graphs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from tensorgrad._typing import Array

__all__ = ["Expression", "adjoints", "evaluate"]

Expression: TypeAlias = Any
"""``int | Array | tuple[str, *Expression]``; a recursive alias says no more."""

_FORWARD: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y,
    "matmul": lambda x, y: x @ y,
    "negative": lambda x: -x,
    "exp": np.exp,
    "sin": np.sin,
    "tanh": np.tanh,
    "square": lambda x: x * x,
    "sum": lambda x: x.sum(axis=0, keepdims=True),
    "mean": lambda x: x.mean(axis=-1, keepdims=True),
    "transpose": lambda x: x.T,
    "reverse": lambda x: x[::-1],
    "positive_part": lambda x: np.where(x > 0, x, 0.0),
}

# For each operand: (cotangent, operands…) to the operand's share of the cotangent.
_SHARES: dict[str, tuple[Callable[..., Any], ...]] = {
    "add": (lambda g, x, y: g, lambda g, x, y: g),
    "subtract": (lambda g, x, y: g, lambda g, x, y: -g),
    "multiply": (lambda g, x, y: g * y, lambda g, x, y: g * x),
    "divide": (lambda g, x, y: g / y, lambda g, x, y: -g * x / (y * y)),
    "matmul": (lambda g, x, y: g @ y.T, lambda g, x, y: x.T @ g),
    "negative": (lambda g, x: -g,),
    "exp": (lambda g, x: g * np.exp(x),),
    "sin": (lambda g, x: g * np.cos(x),),
    "tanh": (lambda g, x: g / np.cosh(x) ** 2,),
    "square": (lambda g, x: 2.0 * g * x,),
    "sum": (lambda g, x: g * np.ones(x.shape),),
    "mean": (lambda g, x: g * np.ones(x.shape) / x.shape[-1],),
    "transpose": (lambda g, x: g.T,),
    "reverse": (lambda g, x: g[::-1],),
    "positive_part": (lambda g, x: np.where(x > 0, g, 0.0),),
}


def evaluate(expression: Expression, inputs: Sequence[Array]) -> Array:
    """Return the value of an expression.

    Examples
    --------
    >>> evaluate(("multiply", 0, ("sin", 0)), [np.array([0.0])])
    array([0.])
    """
    if isinstance(expression, int):
        return inputs[expression]
    if isinstance(expression, np.ndarray):
        return expression
    name, *operands = expression
    result: Array = _FORWARD[name](*[evaluate(x, inputs) for x in operands])
    return result


def adjoints(
    expression: Expression, inputs: Sequence[Array], cotangent: Array
) -> list[Array]:
    """Return the derivative of ``sum(cotangent * value)`` for each input.

    Examples
    --------
    >>> adjoints(("multiply", 0, 0), [np.array([3.0])], np.array([1.0]))
    [array([6.])]
    """
    totals = [np.zeros(x.shape) for x in inputs]
    _descend(expression, inputs, cotangent, totals)
    return totals


def _descend(
    expression: Expression, inputs: Sequence[Array], g: Array, totals: list[Array]
) -> None:
    if isinstance(expression, int):
        totals[expression] = totals[expression] + g
    elif isinstance(expression, tuple):
        name, *operands = expression
        values = [evaluate(x, inputs) for x in operands]
        for operand, value, share in zip(operands, values, _SHARES[name], strict=True):
            _descend(operand, inputs, _unbroadcast(share(g, *values), value), totals)


def _unbroadcast(g: Array, like: Array) -> Array:
    """Sum over the axes along which an operand was repeated."""
    while g.ndim > like.ndim:
        g = g.sum(axis=0)
    for axis, size in enumerate(like.shape):
        if size == 1 and g.shape[axis] != 1:
            g = g.sum(axis=axis, keepdims=True)
    return g
