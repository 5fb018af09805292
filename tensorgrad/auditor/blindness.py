"""What a test point cannot tell, and which sizes would."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tensorgrad.auditor.anatomy import Anatomy
from tensorgrad.auditor.sweeping import Truth

__all__ = ["blind_spots"]


def blind_spots(parts: Anatomy, true: Truth) -> list[str]:
    """Return one sentence for each way in which the point is degenerate."""
    return [
        *_of_sizes(parts),
        *_of_values(parts),
        *_of_rectifiers(parts),
        *_of_activations(parts),
        *_of_absence(parts),
        *_of_gradients(true),
    ]


def _of_sizes(parts: Anatomy) -> Iterator[str]:
    sizes = parts.sizes
    n = sizes.get("n")
    if n == 1:
        yield "With one example, n = 1 hides every mistake in a mean: take n = 5 or 7."
    if n == 2:
        yield "With two examples, n = 2 cannot be told from a factor 2: take n = 5 or 7."
    same: dict[int, list[str]] = {}
    for name, size in sizes.items():
        same.setdefault(size, []).append(name)
    for size, names in same.items():
        if len(names) > 1 and size > 1:
            many = "both" if len(names) == 2 else "all"
            yield (
                f"{_words(names)} are {many} {size}: factors and axes of these sizes cannot "
                "be told apart; take different sizes."
            )
    if 1 in [size for name, size in sizes.items() if name != "n"]:
        names = [k for k, size in sizes.items() if size == 1 and k != "n"]
        yield (
            f"{_words(names)} is 1: a transpose or a sum over it cannot be seen; take a "
            "wider one."
        )


def _words(names: list[str]) -> str:
    words = {"n": "the number of examples", "m": "the number of features"}
    told = [words.get(n, f"the width of layer {n[1:]}") for n in names]
    text = " and ".join([", ".join(told[:-1]), told[-1]]) if told[1:] else told[0]
    return f"{text[0].upper()}{text[1:]}"


def _of_values(parts: Anatomy) -> Iterator[str]:
    found = parts.found
    for name, number in found.leaves.items():
        value = np.asarray(found.values[number])
        if value.size and not np.any(value):
            yield f"{name} is zero: a penalty on it, or its use, cannot be seen."
        elif value.size and np.abs(value).max() < 1e-3:
            yield f"{name} is tiny: activations are nearly linear there."


def _of_rectifiers(parts: Anatomy) -> Iterator[str]:
    found = parts.found
    for step in found.steps:
        if step.op.name in ("relu", "leaky_relu"):
            z = np.asarray(found.values[step.operands[0]])
            if z.size and ((z > 0).all() or (z < 0).all()):
                side = "positive" if (z > 0).all() else "negative"
                yield f"All that goes into {step.op.name} ({step.line}) is {side}."


def _of_activations(parts: Anatomy) -> Iterator[str]:
    used: dict[str, list[str]] = {}
    for place in parts.places:
        if place.role == "activation":
            used.setdefault(parts.step(place).op.name, []).append(str(place.layer))
    for name, layers in used.items():
        if len(layers) > 1:
            yield (
                f"Layers {', '.join(layers)} all have {name}: the derivative of one in place "
                "of another cannot be told; take different activations."
            )


def _of_absence(parts: Anatomy) -> Iterator[str]:
    if not parts.penalised:
        yield "There is no penalty in the cost: its gradient is not tested."
    if not any(place.role == "mask" for place in parts.places):
        yield "There is no dropout in the cost: its way back is not tested."


def _of_gradients(true: Truth) -> Iterator[str]:
    for name, gradient in true.gradients.items():
        if not np.any(gradient):
            yield f"The true gradient of {name} is zero here: nothing can be told of it."
