"""Evaluating a rule: from what a node saved to one operand's share of the cotangent.

A rule names what it wants; `pullback` compiles that wish once into a function of
(cotangent, saved, extra). The same function serves plain arrays and, when the backward
pass is itself recorded, Tensors restored from the saved values.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np

from tensorgrad.core.aval import Aval
from tensorgrad.core.node import AnyNode, Extra, Node, make_node
from tensorgrad.core.op import Op, Rule, parameters_of
from tensorgrad.core.tensor import Tensor, wrap
from tensorgrad.ops.arithmetic import multiply, safe_multiply
from tensorgrad.ops.complexes import real
from tensorgrad.ops.reduce import sum as sum_op
from tensorgrad.ops.shaping import astype, reshape

__all__ = ["fit", "pullback", "restore", "short_pulls", "without_grad"]


def pullback(op: Op, i: int, *, is_careful: bool = False) -> Callable[..., Any] | None:
    """Return the function that gives operand ``i`` its share, or None for none.

    A careful one keeps an exactly zero cotangent zero, whatever it is multiplied by.
    """
    key = ("careful" if is_careful else "pull", 0 if op.is_variadic else i)
    try:
        return op.cache[key]  # type: ignore[no-any-return]
    except KeyError:
        # The zero may be a value as well, in the graph of a first derivative.
        is_product = is_careful and op is multiply.op
        rule = safe_multiply.op.rule(i) if is_product else op.rule(i)
        found = None
        if rule is not None:
            found = compile_rule(op, rule, i, is_careful=is_careful)
        op.cache[key] = found
        return found


def short_pulls(op: Op) -> tuple[Any, ...]:
    """Return the pulls of an op's operands; none for an op that needs the long way.

    An operand that is for show has None: who wants its adjoint goes the long way.
    """
    found: tuple[Any, ...] | None = op.cache.get("short")
    if found is None:
        is_long = op.is_projection or op.is_variadic
        if is_long or op.kind == "Zero" or op.n_outputs is not None:
            found = ()
        else:
            indices = range(len(op.operands))
            shown = op.report_only
            found = tuple([None if i in shown else pullback(op, i) for i in indices])
        op.cache["short"] = found
    return found


def compile_rule(
    op: Op, rule: Rule, i: int, *, is_careful: bool = False
) -> Callable[..., Any]:
    """Write ``lambda g, s, e, i: rule(g, s[0], e.static['axis'])`` for a rule.

    Text, because a closure that looks its arguments up costs as much as the rule.
    """
    call = ", ".join(_expression(op, name) for name in parameters_of(rule))
    body = f"rule({call})"
    if op.kind == "Pointwise":
        is_safe = op.is_singular or is_careful
        body = f"product(g, {body})" if is_safe else f"g * {body}"
    scope = {"rule": rule, "product": annihilating_product}
    return eval(f"lambda g, s, e, i=0: {body}", scope)  # type: ignore[no-any-return]  # noqa: S307  # our own names only


def _expression(op: Op, name: str) -> str:
    saved = [n for n, _ in op.layout]
    if name in ("g", "i"):
        return name
    if name in saved:
        return "s" if len(saved) == 1 else f"s[{saved.index(name)}]"
    if name == "avals":
        return "e.avals"
    if name.endswith("_like"):
        return f"e.avals[{op.operands.index(name.removesuffix('_like'))}]"
    return f"e.static[{name!r}]"


def annihilating_product(g: Any, d: Any) -> Any:
    """Multiply a cotangent by a partial that may be infinite: an exact 0 stays 0."""
    if type(g) is Tensor or type(d) is Tensor:
        return safe_multiply(g, d)
    out = g * d
    # One pass, no temporary: a NaN or an infinity anywhere shows in the sum.
    total = np.add.reduce(out, axis=None)
    if isfinite(abs(total)):
        return out
    return np.where(np.equal(g, 0), np.zeros_like(out), out)


def restore(node: Node) -> Any:
    """Return what the node saved as Tensors, each linked to where it came from."""
    layout = node.op.layout
    if not layout:
        return None
    if len(layout) == 1:
        return _linked(node, node.saved, layout[0][1])
    return tuple(
        _linked(node, value, index)
        for value, (_, index) in zip(node.saved, layout, strict=True)
    )


def _linked(node: Node, value: Any, index: int) -> Any:
    if value is None:
        return None
    if index < 0:
        if type(value) is tuple:
            return tuple(_output(node, v, k) for k, v in enumerate(value))
        return wrap(value, node)
    if node.op.is_variadic:
        return tuple(map(_linked_to, value, node.parents))
    return _linked_to(value, node.parents[index])


def _linked_to(value: Any, parent: AnyNode | None) -> Any:
    return value if parent is None or value is None else wrap(value, parent)


def _output(node: Node, value: Any, k: int) -> Tensor:
    extra = Extra({"index": k, "count": len(node.saved), "aval": None})
    return wrap(value, make_node(node.op.projection, (node,), None, extra))


def without_grad(node: Node) -> Any:
    """Return what the node saved as Tensors outside any graph: ops on them reuse memory."""
    saved = node.saved
    if type(saved) is np.ndarray:
        return wrap(saved, None)
    if type(saved) is not tuple or not all(
        type(v) is np.ndarray or v is None for v in saved
    ):
        return saved
    return tuple(None if v is None else wrap(v, None) for v in saved)


def fit(g: Any, like: Aval) -> Any:
    """Sum a cotangent over the axes that its operand was broadcast along, and cast it.

    A real operand of a complex result takes the real part.
    """
    shape = g.shape
    target = like.shape
    if shape != target:
        lead = len(shape) - len(target)
        axes = list(range(lead))
        for i, n in enumerate(target, lead):
            if n == 1 and shape[i] != 1:
                axes.append(i)
        axis: Any = axes[0] if len(axes) == 1 else tuple(axes)
        if type(g) is Tensor:
            g = sum_op(g, axis=axis, keepdims=True) if axes else g
            g = reshape(g, target) if lead else g
        else:
            g = np.add.reduce(g, axis=axis, keepdims=True) if axes else g
            g = g.reshape(target) if lead else g
    if g.dtype is not like.dtype and g.dtype != like.dtype:
        if g.dtype.kind == "c" and like.dtype.kind != "c":
            g = real(g) if type(g) is Tensor else g.real
        if g.dtype != like.dtype and like.dtype.kind in "fc":
            g = astype(g, like.dtype) if type(g) is Tensor else g.astype(like.dtype)
    return g
