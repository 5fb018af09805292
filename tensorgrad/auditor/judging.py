"""How far a correct gradient may be off, and where a gradient cannot be judged at all.

No tolerance is a constant. The record is run again with every result and every share changed
by a rounding error; what that does to a tensor of the gradient is what another order of the
same operations may do to it. In a saturated net 1 − a² has no digits left, and this shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.auditor.anatomy import Anatomy, Place, is_activation
from tensorgrad.auditor.recording import Record
from tensorgrad.auditor.sweeping import Truth, changed, share, truth
from tensorgrad.testing.checking.watching import is_exact
from tensorgrad.testing.points import kink_distance

__all__ = ["Kinks", "Saturated", "kinks", "relative_error", "saturated", "tolerances"]

RUNS = 4
SAFETY = 40.0


def relative_error(hand: Array, true: Array) -> float:
    """Return ‖hand − true‖ / (‖hand‖ + ‖true‖), 0 for zero over zero (notes, section 6.3).

    Examples
    --------
    >>> relative_error(np.array([3.0]), np.array([1.0])), relative_error(np.zeros(2), np.zeros(2))
    (0.5, 0.0)
    """
    if hand.shape != true.shape:
        return 1.0
    total = float(np.linalg.norm(hand) + np.linalg.norm(true))
    return float(np.linalg.norm(hand - true)) / total if total else 0.0


def tolerances(
    found: Record, true: Truth, eps: float, rng: np.random.Generator
) -> dict[str, float]:
    """Return, for each tensor, the distance that rounding alone may put between two ways.

    Parameters
    ----------
    eps : float
        Rounding of the coarser of the two: that of float32 for a hand in float32.
    """
    spread = dict.fromkeys(true.gradients, 0.0)

    def rounded(v: Array) -> Array:
        if v.dtype.kind not in "fc":
            return v
        near: Array = v * (1 + eps * rng.uniform(-1, 1, v.shape))
        return near

    for _ in range(RUNS):
        near = _rerun(found, rounded)
        with np.errstate(all="ignore"):
            again = truth(near, rounded).gradients
        for name, value in again.items():
            gap = float(np.linalg.norm(value - true.gradients[name]))
            spread[name] = max(spread[name], gap)
    return {
        name: SAFETY * gap + 20 * eps * float(np.linalg.norm(true.gradients[name]))
        for name, gap in spread.items()
    }


def _rerun(found: Record, rounded: Any) -> Record:
    """Return the record with every value computed anew and rounded otherwise."""
    values = list(found.values)
    for step in found.steps:
        with np.errstate(all="ignore"):
            out = step.op.forward(*[values[o] for o in step.operands], **step.static)
        parts = out if step.op.n_outputs is not None else (out,)
        for number, part in zip(step.results, parts, strict=True):
            # What picks or moves entries does not round, and its rule looks for them.
            array = np.asarray(part)
            values[number] = array if is_exact(step.op) else rounded(array)
    again = Record(values, found.steps, found.leaves, found.root)
    again.on_params, again.on_data, again.data = (
        found.on_params,
        found.on_data,
        found.data,
    )
    return again


@dataclass(frozen=True, slots=True)
class Kinks:
    """Where the cost has a kink exactly at the point, and the tensors that feel it."""

    texts: tuple[str, ...] = ()
    tensors: frozenset[str] = frozenset()
    moved: Mapping[str, Array] = field(default_factory=dict)
    """By how much the gradient differs with the other slope at all of them."""


def kinks(parts: Anatomy, true: Truth) -> Kinks:
    """Find entries that lie on a kink to within rounding."""
    found = parts.found
    texts, sites = [], {}
    for place in parts.places:
        step = parts.step(place)
        if (
            place.role == "cost"
            or step.op.kink is None
            or place.site not in true.shares
        ):
            continue
        values = [found.values[o] for o in step.operands]
        distance = kink_distance(step.op, values, step.static)
        scale = max(float(np.abs(v).max(initial=0.0)) for v in values if v is not None)
        if distance > 1e-13 * max(scale, 1e-300):
            continue
        texts.append(f"{place.text} is exactly on a kink of {step.op.name}")
        sites[place.site] = _other_side(parts, place)
    moved = changed(found, true, sites) if sites else {}
    feels = frozenset(name for name, move in moved.items() if np.any(move))
    return Kinks(tuple(texts), feels, moved)


def _other_side(parts: Anatomy, place: Place) -> Any:
    step, found, (_, k) = parts.step(place), parts.found, place.site
    values = [found.values[o] for o in step.operands]
    z = np.asarray(values[k])
    scale = float(np.abs(z).max(initial=0.0)) or 1.0
    at = np.abs(z) <= 1e-13 * scale
    values[k] = np.where(at, -1e-30 * np.ones_like(z), z)

    def rule(g: Any) -> Any:
        if is_activation(step):
            return share(found, step, k, g, values, np.asarray(values[k]))
        true = share(found, step, k, g)
        return np.zeros_like(z) if true is None else true * 0.5

    return rule


@dataclass(frozen=True, slots=True)
class Saturated:
    """Activations without a digit left: probabilities that are exactly 0 or 1."""

    texts: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.texts)


def saturated(parts: Anatomy) -> Saturated:
    """Find activations whose results are exactly at the end of their range."""
    texts = []
    for place in parts.places:
        step = parts.step(place)
        if place.role != "activation" or step.op.name not in (
            "sigmoid",
            "tanh",
            "softmax",
        ):
            continue
        out = np.asarray(parts.found.values[step.results[0]])
        ends = (-1.0, 1.0) if step.op.name == "tanh" else (0.0, 1.0)
        count = int(sum((out == end).sum() for end in ends))
        if count:
            name = parts.names.get(step.results[0], step.op.name)
            texts.append(f"{count} of {out.size} entries of {name} are exactly {ends}")
    return Saturated(tuple(texts))
