"""Forward mode of one op: from the tangents of its operands to the tangent of its result.

Theory
------
The entry that gives an op its transpose gives its tangent too, by its kind:

- Pointwise: each tangent times its partial, summed. Where a partial may be infinite, an
  exactly zero tangent stays zero, as in reverse mode.
- Linear: the op itself, with a tangent in its operand's place. What stands in the other
  places is read off the transposes: an operand that the transpose names is a factor
  (the other side of a product) and keeps its value; one that it does not name is a
  summand (the other side of a sum) and is replaced by zeros. An operand without a rule
  (an index, a condition) is part of the map and keeps its value.
- Select, Custom: the tangent rules of the entry, summed.
- Zero: no tangent.

Everything is written with ops, so the tangents may be arrays, Tensors (then the tangent
is recorded, and can be differentiated) or abstract Tensors.

The convention for complex numbers follows from reverse mode's: a result that is real
takes the real part of its tangent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from tensorgrad.autodiff.rules import annihilating_product
from tensorgrad.core.aval import Aval, aval_of
from tensorgrad.core.op import Op, Rule, parameters_of
from tensorgrad.core.tensor import as_value
from tensorgrad.ops.complexes import real
from tensorgrad.ops.shaping import astype, broadcast_to

__all__ = ["tangent"]


def tangent(
    op: Op,
    values: Sequence[Any],
    tangents: Sequence[Any],
    *,
    static: Mapping[str, Any],
    out: Any,
) -> Any:
    """Return the tangent of an op's result.

    Parameters
    ----------
    op : Op
    values : sequence of arrays, numbers or Tensors, one for each operand
        The point.
    tangents : sequence of arrays or Tensors of the operands' shapes
        The direction; None where an operand does not move.
    static : mapping
        Every static argument of the op, defaults included.
    out : array or Tensor, or a sequence of them for an op with several outputs
        The op's result at ``values``.

    Returns
    -------
    array or Tensor, shape and dtype of ``out``; a list for several outputs
        None stands for a tangent that is zero since nothing that moves reaches it.

    Notes
    -----
    Costs about as much as the op itself for each operand that moves.

    Examples
    --------
    >>> from tensorgrad.ops.arithmetic import multiply
    >>> x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    >>> tangent(multiply.op, (x, y), (np.ones(2), None), static={}, out=x * y)
    array([3., 4.])
    """
    moving = [
        i for i, t in enumerate(tangents) if t is not None and op.rule(i) is not None
    ]
    if op.kind == "Zero" or not moving:
        return None if op.n_outputs is None else [None] * len(out)
    if op.kind == "Linear":
        shares = _linear(op, values, tangents, moving, static)
    else:
        make = _pointwise if op.kind == "Pointwise" else _by_hand
        known = _known(op, values, static, out)
        shares = [make(op, i, tangents[i], known) for i in moving]
    if op.n_outputs is None:
        return _fit(_total(shares), out)
    columns = [[share[k] for share in shares] for k in range(len(out))]
    return [_fit(_total(c), o) for c, o in zip(columns, out, strict=True)]


def _known(
    op: Op, values: Sequence[Any], static: Mapping[str, Any], out: Any
) -> dict[str, Any]:
    """Return all that a rule may ask for by name, but for its tangent and operand."""
    avals = tuple(None if v is None else aval_of(as_value(v)) for v in values)
    known: dict[str, Any] = {**static, "out": out, "avals": avals}
    if op.is_variadic:
        known[op.operands[0]] = tuple(values)
        return known
    known.update(zip(op.operands, values, strict=True))
    known.update((f"{n}_like", a) for n, a in zip(op.operands, avals, strict=True))
    return known


def _call(rule: Rule, known: Mapping[str, Any]) -> Any:
    return rule(*[known[name] for name in parameters_of(rule)])


def _pointwise(op: Op, i: int, t: Any, known: dict[str, Any]) -> Any:
    rule = op.rule(i)
    assert rule is not None
    partial_i = _call(rule, known)
    return annihilating_product(t, partial_i) if op.is_singular else t * partial_i


def _by_hand(op: Op, i: int, t: Any, known: dict[str, Any]) -> Any:
    rule = op.jvps[0 if op.is_variadic else i]
    if rule is None:
        return None if op.n_outputs is None else [None] * len(known["out"])
    return _call(rule, {**known, "t": t, "i": i})


def _linear(
    op: Op,
    values: Sequence[Any],
    tangents: Sequence[Any],
    moving: list[int],
    static: Mapping[str, Any],
) -> list[Any]:
    """Apply the op to tangents: once if it is a sum of maps, else for each operand."""
    factors = {i: _factors(op, i, len(values)) for i in moving}
    apply = partial(op, **static)
    if not any(factors.values()):
        return [apply(*_places(op, values, tangents, frozenset(moving), frozenset()))]
    return [
        apply(*_places(op, values, tangents, frozenset((i,)), factors[i]))
        for i in moving
    ]


def _factors(op: Op, i: int, n_operands: int) -> frozenset[int]:
    """Return which operands the transpose of operand ``i`` multiplies with."""
    rule = op.rule(i)
    asked = parameters_of(rule) if rule is not None else ()
    if op.is_variadic:
        others = range(n_operands) if op.operands[0] in asked else ()
        return frozenset(others) - {i}
    named = (k for k, name in enumerate(op.operands) if name in asked)
    return frozenset(k for k in named if op.rule(k) is not None) - {i}


def _places(
    op: Op,
    values: Sequence[Any],
    tangents: Sequence[Any],
    moved: frozenset[int],
    kept: frozenset[int],
) -> list[Any]:
    """Return operands: tangents where something moves, else values or zeros."""
    found: list[Any] = []
    for k, (value, t) in enumerate(zip(values, tangents, strict=True)):
        if k in moved:
            found.append(t)
        elif k in kept or value is None or op.rule(k) is None:
            found.append(value)
        else:
            found.append(_zeros(value))
    return found


def _zeros(value: Any) -> Any:
    # A Python number stays one: an array would take part in promotion.
    if type(value) in (bool, int, float, complex):
        return type(value)(0)
    like = aval_of(as_value(value))
    return np.zeros(like.shape, like.dtype)


def _total(shares: Sequence[Any]) -> Any:
    total = None
    for share in shares:
        if share is not None:
            total = share if total is None else total + share
    return total


def _fit(t: Any, out: Any) -> Any:
    """Give a tangent the shape and dtype of the result that it belongs to."""
    if t is None:
        return None
    like: Aval = aval_of(as_value(out))
    if t.shape != like.shape:
        t = broadcast_to(t, like.shape)
    if t.dtype.kind == "c" and like.dtype.kind != "c":
        t = real(t)
    if t.dtype != like.dtype and like.dtype.kind in "fc":
        t = astype(t, like.dtype)
    return t
