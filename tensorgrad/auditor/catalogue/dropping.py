"""Mistakes on the way back through dropout."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tensorgrad.auditor import lines
from tensorgrad.auditor.anatomy import Place
from tensorgrad.auditor.catalogue.entries import Context, Mistake, entry


@entry(
    "mask as a matrix",
    "dropout",
    ("mask",),
    "The adjoint is multiplied by the mask as matrices are, instead of entry by entry.",
)
def _mask_product(context: Context, place: Place) -> Iterator[Mistake]:
    step = context.parts.step(place)
    mask = np.asarray(context.value(step.operands[1 - place.site[1]]))
    if mask.ndim != 2 or mask.shape[0] != mask.shape[1]:
        return
    for key, change in (("right", lambda g: g @ mask), ("left", lambda g: mask @ g)):
        yield Mistake(
            f"matrix {key}",
            "dropout",
            change,
            f"the mask of layer {place.layer} is multiplied as a matrix on the way back",
            lines.dropped(place.layer),
        )


@entry(
    "dropout",
    "dropout",
    ("mask", "keep"),
    "On the way back the mask is forgotten, or its scale 1/p, or both.",
)
def _dropped(context: Context, place: Place) -> Iterator[Mistake]:
    parts = context.parts
    step, (_, k) = parts.step(place), place.site
    l = place.layer
    fix = lines.dropped(l)
    if place.role == "keep":
        yield Mistake(
            "scale missing",
            "dropout",
            lambda g: context.fitted(place, g),
            f"the scale 1/p of the mask of layer {l} is missing on the way back",
            fix,
            0.9,
        )
        scale = float(np.asarray(context.value(step.operands[1 - k])).reshape(-1)[0])
        keep = scale if step.op.name == "divide" else 1 / scale
        for key, text, number in (
            ("scale inverted", "multiplied by p instead of divided", keep),
            ("scale 1 - p", "divided by 1 - p instead of p", 1 / (1 - keep or 1.0)),
        ):
            yield Mistake(
                key,
                "dropout",
                lambda g, number=number: context.fitted(place, g * number),  # type: ignore[misc]
                f"the mask of layer {l} is {text} on the way back",
                fix,
            )
        yield Mistake(
            "scale twice",
            "dropout",
            lambda g: context.share(place, context.share(place, g)),
            f"the mask of layer {l} is scaled twice on the way back",
            fix,
        )
        return
    mask = np.asarray(context.value(step.operands[1 - k]))
    top = mask.max(initial=0.0)
    yield Mistake(
        "mask missing",
        "dropout",
        lambda g: context.fitted(place, g * top),
        f"the mask of layer {l} is missing on the way back, its scale is not",
        fix,
        0.9,
    )
    if top not in (0.0, 1.0):
        for key, what, factor in (
            ("dropout missing", "mask", np.ones_like(mask)),
            ("scale missing", "scale 1/p of the mask", (mask > 0) * 1.0),
        ):
            yield Mistake(
                key,
                "dropout",
                lambda g, factor=factor: context.fitted(place, g * factor),  # type: ignore[misc]
                f"the {what} of layer {l} is missing on the way back",
                fix,
                0.9,
            )
