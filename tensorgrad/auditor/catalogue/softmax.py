"""Mistakes in the Jacobian of softmax."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.auditor.anatomy import Place
from tensorgrad.auditor.catalogue.entries import Context, Mistake, entry, own_slope

JACOBIAN = "softmax-jacobian"


def jacobians(a: Array, d: Array, axis: int) -> Iterator[tuple[str, str, Array]]:
    """Yield mistaken products of softmax's Jacobian with a cotangent."""
    inner = (a * d).sum(axis=axis, keepdims=True)
    yield "plus", "has a plus where the minus belongs", a * d + a * inner
    yield "diagonal", "keeps only the diagonal a(1 - a)", a * (1 - a) * d
    yield "no inner", "lacks the sum over the classes", a * d
    yield "negative", "is negated", -(a * (d - inner))
    wrong = tuple(k for k in range(a.ndim) if k != axis % a.ndim)
    if wrong:
        other = (a * d).sum(axis=wrong, keepdims=True)
        yield "axis", "sums over the examples instead of the classes", a * (d - other)
    yield "no a", "lacks the factor a", d - inner


@entry(
    "softmax's Jacobian",
    JACOBIAN,
    ("activation",),
    "A sign, the sum over the classes, or all but the diagonal is lost.",
)
def _softmax(context: Context, place: Place) -> Iterator[Mistake]:
    step = context.parts.step(place)
    if step.op.name != "softmax":
        return
    a, axis = np.asarray(context.value(step.results[0])), step.static.get("axis", -1)
    zero = np.zeros_like(a)
    for n, (key, text, _) in enumerate(jacobians(a, zero, axis)):
        yield Mistake(
            f"softmax {key}",
            JACOBIAN,
            lambda g, n=n: list(jacobians(a, np.broadcast_to(g, a.shape), axis))[n][2],  # type: ignore[misc]
            f"the Jacobian of softmax {text}",
            own_slope(context, place),
            0.95,
        )
