"""Mistakes in the first δ: that of another loss or head, or of other labels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.auditor import lines
from tensorgrad.auditor.anatomy import Place, is_fused
from tensorgrad.auditor.catalogue.entries import Context, Mistake, entry, own_slope
from tensorgrad.auditor.catalogue.softmax import JACOBIAN, jacobians

OUTPUT = "output-delta"


@entry(
    "output delta",
    OUTPUT,
    ("loss",),
    "The first δ is that of another loss or head, or the labels are coded or ordered "
    "otherwise.",
)
def _output(context: Context, place: Place) -> Iterator[Mistake]:
    step = context.parts.step(place)
    if not is_fused(step):
        return
    z, a, y = (np.asarray(context.value(o), dtype=float) for o in step.operands[:3])
    n = step.static["n"]
    is_softmax = step.op.name.startswith("cross")
    axis = step.static.get("axis", 0)
    fix = lines.output(place.layer)
    with np.errstate(all="ignore"):
        plain = -y / a if is_softmax else (a - y) / (a * (1 - a))
    found: list[tuple[str, str, str, Array, float]] = [
        ("extra slope", OUTPUT, ("is multiplied by a (1 - a), which has cancelled under this "
         "loss: it is that of squared errors"), (a - y) * a * (1 - a), 1.0),
        ("squares", OUTPUT, "is that of squared errors with a sigmoid, 2 (a - y) a (1 - a)",
         2 * (a - y) * a * (1 - a), 1.0),
        ("slope missing", OUTPUT, "is ∂J/∂a: the derivative of the head is missing", plain, 1.0),
        ("logits", OUTPUT, "takes z for a", z - y, 1.0),
        ("no labels", OUTPUT, "lacks the labels", a, 1.1),
        ("complement", OUTPUT, "takes 1 - y for y", a - (1 - y), 1.0),
        ("coded", OUTPUT, "takes labels of -1 and 1 for those of 0 and 1", a - (2 * y - 1), 1.0),
        ("tanh slope", OUTPUT, "is multiplied by 1 - a²", (a - y) * (1 - a * a), 1.1),
    ]  # fmt: skip
    found.append(("ones", OUTPUT, "takes 1 for every label", a - 1, 1.1))
    if is_softmax:
        inner = (a * (a - y)).sum(axis=axis, keepdims=True)
        text = "passes the Jacobian of softmax, which is in a - y already, once more"
        found.append(("jacobian twice", OUTPUT, text, a * (a - y - inner), 1.0))
    for k in range(a.ndim):
        if a.shape[k] > 1:
            found.append(
                (f"reversed {k}", OUTPUT, f"takes the labels in reverse order on axis {k}",
                 a - np.flip(y, k), 1.1)
            )  # fmt: skip
            found.append(
                (f"rolled {k}", OUTPUT, f"takes the labels shifted by one on axis {k}",
                 a - np.roll(y, 1, k), 1.1)
            )  # fmt: skip
    if is_softmax:
        found += [
            (
                f"softmax {key}",
                JACOBIAN,
                f"comes by a Jacobian of softmax that {text}",
                d,
                0.95,
            )
            for key, text, d in jacobians(a, plain, axis)
            if key != "negative"
        ]
    for key, family, text, delta, cost in found:
        yield Mistake(
            key,
            family,
            lambda g, delta=delta: delta / n * g,  # type: ignore[misc]
            f"the delta of the output layer {text}",
            fix,
            cost,
        )


@entry(
    "delta of a fitting head",
    OUTPUT,
    ("activation",),
    "The first δ is a - y, though loss and head do not fit: squared errors with a sigmoid, "
    "log-loss with a softmax.",
)
def _fitting(context: Context, place: Place) -> Iterator[Mistake]:
    parts = context.parts
    out = parts.step(place).results[0]
    a = np.asarray(context.value(out))
    fused = [p for p in parts.places if p.role == "loss" and p.layer == place.layer]
    if place.layer != parts.top or any(is_fused(parts.step(p)) for p in fused):
        return
    n = parts.sizes.get("n", 1)
    for number in parts.found.data.values():
        y = np.asarray(context.value(number))
        if y.shape != a.shape:
            continue
        for factor, text in ((1.0, "a - y"), (2.0, "2 (a - y)")):
            delta = factor * (a - y) / n
            yield Mistake(
                f"fitting {factor:g}",
                OUTPUT,
                lambda g, delta=delta: delta,  # type: ignore[misc]
                f"the delta of the output layer is {text}, which belongs to another loss",
                own_slope(context, place),
                0.98,
            )
