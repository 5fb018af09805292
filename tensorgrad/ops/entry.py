"""How an entry of the table is written: one maker for each kind of derivative.

A maker takes what only this op knows, and derives the rest: operand names from the
forward function or from the number of rules, what a node must save from the rules'
parameter names, the shape rule of a pointwise op from broadcasting.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.core.op import (
    PROJECTION,
    REALS,
    Domain,
    Example,
    Op,
    OpFunction,
    Rule,
    layout_of,
    make_function,
    parameters_of,
)
from tensorgrad.ops.batching import aligned
from tensorgrad.ops.shapes import broadcast_shape_rule

__all__ = ["Domain", "Example", "custom", "linear", "pointwise", "select", "zero"]

_NAMES = ("x", "y", "z")


def pointwise(
    name: str,
    forward: Callable[..., Any],
    *,
    d: Rule | tuple[Rule | None, ...],
    **facts: Any,
) -> OpFunction:
    """Make an op that acts entry by entry; ``d`` has one partial for each operand."""
    rules = d if isinstance(d, tuple) else (d,)
    return _make(name, "Pointwise", forward, rules, **facts)


def linear(
    name: str,
    forward: Callable[..., Any],
    *,
    T: Rule | tuple[Rule | None, ...],  # the transpose, as in mathematics
    **facts: Any,
) -> OpFunction:
    """Make an op that is linear in each operand; ``T`` has one transpose for each."""
    rules = T if isinstance(T, tuple) else (T,)
    return _make(name, "Linear", forward, rules, **facts)


def select(
    name: str,
    forward: Callable[..., Any],
    *,
    vjp: Rule | tuple[Rule | None, ...],
    jvp: Rule | tuple[Rule | None, ...],
    **facts: Any,
) -> OpFunction:
    """Make an op that picks among entries: locally linear, both modes by hand."""
    return _by_hand(name, "Select", forward, vjp, jvp, **facts)


def custom(
    name: str,
    forward: Callable[..., Any],
    *,
    vjp: Rule | tuple[Rule | None, ...],
    jvp: Rule | tuple[Rule | None, ...],
    **facts: Any,
) -> OpFunction:
    """Make an op with both modes by hand."""
    return _by_hand(name, "Custom", forward, vjp, jvp, **facts)


def zero(
    name: str, forward: Callable[..., Any], *, n_operands: int = 1, **facts: Any
) -> OpFunction:
    """Make an op whose derivative is zero wherever it exists."""
    return _make(name, "Zero", forward, (None,) * n_operands, **facts)


def _by_hand(
    name: str,
    kind: Any,
    forward: Callable[..., Any],
    vjp: Rule | tuple[Rule | None, ...],
    jvp: Rule | tuple[Rule | None, ...],
    **facts: Any,
) -> OpFunction:
    vjps = vjp if isinstance(vjp, tuple) else (vjp,)
    jvps = jvp if isinstance(jvp, tuple) else (jvp,)
    return _make(name, kind, forward, vjps, jvps=jvps, **facts)


# size: the facts that every kind of entry has
def _make(
    name: str,
    kind: Any,
    forward: Callable[..., Any],
    rules: tuple[Rule | None, ...],
    *,
    shape_rule: Callable[..., Any] | None = None,
    domain: Domain | tuple[Domain, ...] = REALS,
    numpy: Any = (),
    is_variadic: bool = False,
    batch: Callable[..., Any] | None = None,
    **facts: Any,
) -> OpFunction:
    ufunc = forward if isinstance(forward, np.ufunc) else None
    if is_variadic:
        operands: tuple[str, ...] = ("arrays",)
    elif ufunc is not None:
        operands = _NAMES[: len(rules)]
    else:
        operands = parameters_of(forward)[: len(rules)]
    layout, wants_avals = layout_of(operands, rules)
    domains = domain if isinstance(domain, tuple) else (domain,) * len(operands)
    functions = numpy if isinstance(numpy, tuple) else (numpy,)
    if ufunc is not None and ufunc not in functions:
        functions = (ufunc, *functions)
    if shape_rule is None:
        shape_rule = broadcast_shape_rule(name, forward)
        batch = aligned if batch is None else batch
    is_multiple = facts.get("n_outputs") is not None
    op = Op(
        name=name,
        kind=kind,
        forward=forward,
        operands=operands,
        rules=rules,
        shape_rule=shape_rule,
        ufunc=ufunc,
        is_variadic=is_variadic,
        batch=batch,
        domain=domains,
        numpy=functions,
        layout=layout,
        wants_avals=wants_avals,
        projection=PROJECTION if is_multiple else None,
        **facts,
    )
    function = make_function(op)
    function.__module__ = _calling_module()
    return function


def _calling_module() -> str:
    """Return the module that the entry stands in: the function is pickled by it."""
    frame = sys._getframe(1)
    while frame.f_globals["__name__"] == __name__ and frame.f_back is not None:
        frame = frame.f_back
    return str(frame.f_globals["__name__"])
