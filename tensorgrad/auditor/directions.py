"""Mistakes with a number in them: factors, signs, penalties, a weight already updated.

The number is not guessed: the gradient is linear in it, so the hand's gradient says what it
was, and only then is it asked whether it is n, 1/n, ½, λ or −1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.auditor import lines
from tensorgrad.auditor.anatomy import Place
from tensorgrad.auditor.catalogue import Context
from tensorgrad.auditor.factors import expressions
from tensorgrad.auditor.sweeping import Changes, share

__all__ = ["Direction", "Told", "decay_of", "directions", "penalties"]

ZERO = 1e-9


@dataclass(frozen=True, slots=True)
class Told:
    """A number with its meaning."""

    family: str
    text: str
    fix: str
    cost: float
    factor: float
    expressions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Direction:
    """A change with a number in it; ``null`` is the number that changes nothing."""

    key: str
    places: tuple[Place, ...]
    change: Callable[[float], Changes]
    null: float
    tell: Callable[[float, Mapping[str, float]], Told | None]
    cost: float = 0.0
    is_linear: bool = True
    tried: tuple[float, ...] = ()
    terms: dict[str, Array] = field(default_factory=dict)
    offset: dict[str, Array] = field(default_factory=dict)


ROLES = {
    "cost": "the whole gradient",
    "data": "the data's part of the gradient",
    "loss": "the delta of the output layer",
    "penalty": "the penalty's gradient",
}
PLURAL = {
    "weight": "the gradients of all weights",
    "bias": "the gradients of all biases",
    "signal": "what every layer passes down",
    "activation": "the delta of every hidden layer",
    "mask": "what passes the masks",
    "keep": "what passes the scales of the masks",
}
COSTS = {
    "cost": -0.1, "data": -0.08, "loss": -0.04, "penalty": -0.05, "weight": 0.0,
    "bias": 0.0, "activation": 0.02, "signal": 0.04, "decay": 0.0, "mask": 0.1,
    "keep": 0.05, "other": 0.2,
}  # fmt: skip


def directions(context: Context, hand: Mapping[str, Array]) -> Iterator[Direction]:
    """Yield the factors at every place and every group of places, and updated weights."""
    places = [
        p
        for p in context.parts.places
        if p.site in context.true.shares and not _is_repeated(context, p)
    ]
    by_role: dict[str, list[Place]] = {}
    decays: dict[str, list[Place]] = {}
    for place in places:
        if place.role == "decay":
            decays.setdefault(place.leaf, []).append(place)
        else:
            by_role.setdefault(place.role, []).append(place)
            yield _factor(context, (place,))
    for group in decays.values():
        yield _factor(context, tuple(group))
    for role, group in by_role.items():
        if role in PLURAL and len(group) > 1:
            yield from _of_group(context, group)
    signals = by_role.get("signal", [])
    for group_ in [(p,) for p in signals] + (
        [tuple(signals)] if len(signals) > 1 else []
    ):
        updated = _updated(context, group_, hand)
        if updated is not None:
            yield updated


def _of_group(context: Context, group: list[Place]) -> Iterator[Direction]:
    """Yield factors that all places of a part have, or all but those of one end."""
    numbers = _numbers(context)
    yield _factor(context, tuple(group), numbers)
    below = tuple(p for p in group if p.layer < context.parts.top)
    above = tuple(p for p in group if p.layer > 1)
    for some in (below, above):
        if 1 < len(some) < len(group):
            yield _factor(context, some, numbers)


def _is_repeated(context: Context, place: Place) -> bool:
    """Tell whether a factor here is one at a place with a name of its own."""
    if place.role != "other":
        return False
    step, found = context.parts.step(place), context.parts.found
    is_of_penalty = step.results[0] not in found.on_data
    others = [o for o in step.operands if o != step.operands[place.site[1]]]
    has_bias = any(o in context.parts.pure for o in others)
    return is_of_penalty or (step.op.name == "add" and has_bias)


def _numbers(context: Context) -> tuple[float, ...]:
    n = float(context.parts.sizes.get("n", 2))
    return (-1.0, 0.0, 2.0, 0.5, n, 1 / n)


def _factor(
    context: Context, places: tuple[Place, ...], tried: tuple[float, ...] = ()
) -> Direction:
    parts = context.parts

    def change(factor: float) -> Changes:
        return {
            p.site: lambda g, p=p: factor * context.share(p, g)  # type: ignore[misc]
            for p in places
        }

    first = places[0]
    is_group = len(places) > 1 and first.role != "decay"
    subject = PLURAL.get(first.role, "") if is_group else _subject(context, first)
    is_series = is_group and first.role in ("signal", "activation", "mask", "keep")

    def tell(factor: float, sizes: Mapping[str, float]) -> Told | None:
        if abs(factor - 1.0) < ZERO:
            return None
        return _told(context, first, subject, factor, sizes)

    return Direction(
        "factor",
        places,
        change,
        1.0,
        tell,
        COSTS[first.role] + 0.05 * is_group + 0.001 * (parts.top - first.layer),
        is_linear=not is_series,
        tried=tried if is_series else (),
    )


def _subject(context: Context, place: Place) -> str:
    l = place.layer
    if place.role in ROLES:
        return ROLES[place.role]
    if place.role in ("weight", "bias"):
        return f"the gradient of {place.leaf}"
    if place.role == "decay":
        return f"the penalty's gradient by {place.leaf}"
    name = context.parts.step(place).op.name
    return {
        "signal": f"what layer {l} passes down",
        "activation": f"delta{l}",
        "mask": f"what passes the mask of layer {l}",
        "keep": f"what passes the mask of layer {l}",
    }.get(place.role, f"the adjoint that passes {name} ({place.line})")


def _told(
    context: Context,
    place: Place,
    subject: str,
    factor: float,
    sizes: Mapping[str, float],
) -> Told:
    is_penalty = place.role in ("penalty", "decay")
    written = tuple(expressions(factor, sizes))
    verb = "are" if subject.startswith("the gradients") else "is"
    if abs(factor) < ZERO:
        family = "penalty" if is_penalty else "detached"
        text = f"{subject} {verb} missing" if is_penalty else f"{subject} {verb} zero"
        return Told(family, text, _formula(context, place), 1.0, 0.0, ("0",))
    if abs(factor + 1) < ZERO:
        text = f"{subject} {verb} {'subtracted' if is_penalty else 'negated'}"
        return Told(
            "penalty" if is_penalty else "sign",
            text,
            _formula(context, place),
            0.9,
            -1.0,
            ("-1",),
        )
    family = "penalty" if is_penalty else "scale"
    if place.role in ("mask", "keep"):
        family = "dropout"
    if not written:
        text = f"{subject} {verb} {factor:.6g} times the true one"
        return Told(family, text, _formula(context, place), 1.6, factor, ())
    text = f"{subject} {verb} {_times(written[0])}"
    likely = {"n", "1/n", "2", "1/2"}
    cost = 0.95 if likely & set(written) else 1.1
    if is_penalty and written[0] == "n":
        text = f"{subject} {verb} n times too large: λ stands where λ/n belongs"
    return Told(family, text, _formula(context, place), cost, factor, written)


def _times(expression: str) -> str:
    causes = {
        "n": "n times too large: the division by the number of examples is missing",
        "1/n": "n times too small: divided by the number of examples twice",
        "n/m": "n/m times the true one: divided by the m features instead of the n "
        "examples",
        "2": "doubled",
        "1/2": "halved",
    }
    return causes.get(expression, f"{expression} times the true one")


def _formula(context: Context, place: Place) -> str:
    parts, l = context.parts, place.layer
    if place.role == "activation":
        return lines.delta(parts, l, parts.step(place).op.name)
    if place.role in ("mask", "keep"):
        return lines.dropped(l)
    if place.role in ("cost", "data", "loss") and _is_fused(context):
        return lines.output(parts.top)
    formulas = {
        "weight": lines.weight,
        "bias": lines.bias,
        "signal": lines.signal,
    }
    if place.role in formulas:
        return formulas[place.role](parts, l)
    if place.role in ("penalty", "decay"):
        return lines.decay(place.leaf or "W")
    return f"differentiate {place.line}" if place.line else lines.mean(parts.top)


def _is_fused(context: Context) -> bool:
    return any(p.role == "loss" for p in context.parts.places)


def _updated(
    context: Context, places: tuple[Place, ...], hand: Mapping[str, Array]
) -> Direction | None:
    """Return the change that uses weights after a step of descent."""
    parts, found = context.parts, context.parts.found
    names = {}
    for place in places:
        step = parts.step(place)
        other = step.operands[1 - place.site[1]]
        name = parts.pure.get(other)
        if name is None or name not in hand:
            return None
        names[place.site] = (other, name)

    def change(rate: float) -> Changes:
        return {p.site: lambda g, p=p: _late(p, g, rate) for p in places}  # type: ignore[misc]

    def _late(place: Place, g: Any, rate: float) -> Any:
        other, name = names[place.site]
        values = [context.value(o) for o in parts.step(place).operands]
        weight = np.asarray(values[1 - place.site[1]])
        slope = hand[name]
        if slope.shape != found.shape(other):
            slope = slope.T
        values[1 - place.site[1]] = weight - rate * slope
        return share(found, parts.step(place), place.site[1], g, values)

    layers = ", ".join(str(p.layer) for p in places)

    def tell(rate: float, _: Mapping[str, float]) -> Told | None:
        if not 1e-6 < rate < 20:
            return None
        text = (
            f"the weight of layer {layers} was already updated, with rate {rate:.6g}, when "
            "the adjoint passed it"
        )
        fix = "form all gradients before any parameter is updated"
        return Told("operand", text, fix, 1.05, float("nan"), ())

    return Direction(
        "already updated", places, change, 0.0, tell, 0.05 * (len(places) > 1),
        is_linear=len(places) == 1,
    )  # fmt: skip


def penalties(context: Context) -> Iterator[Direction]:
    """Yield multiples of parameters, or of their signs, that may have been added."""
    parts, found = context.parts, context.parts.found
    known = {
        name: np.asarray(found.values[number]) for name, number in found.leaves.items()
    }
    unit = _coefficient(context, known)
    biases = [x.bias for x in parts.layers if x.bias]
    groups: list[tuple[str, ...]] = [(name,) for name in known]
    groups += [tuple(biases)] if len(biases) > 1 else []
    weights = [x.weight for x in parts.layers]
    groups += [tuple(weights)] if len(weights) > 1 else []
    groups += [tuple(known)]
    for names in groups:
        for key, of in (("penalty", lambda v: v), ("L1", np.sign)):
            terms = {name: of(known[name]) for name in names}
            is_penalised = any(name in parts.penalised for name in names)
            if key == "penalty" and is_penalised:
                continue  # a factor of the penalty that is there
            offset = {n: -unit * known[n] for n in names if n in parts.penalised}
            yield _addition(context, key, terms, offset, unit)


def decay_of(context: Context) -> dict[str, Array]:
    """Return the penalty's part of the true gradient, by parameter.

    A parameter that the penalty takes in another shape is left out.
    """
    found: dict[str, Array] = {}
    shapes = {n: v.shape for n, v in context.true.gradients.items()}
    for place in context.parts.places:
        if place.role == "decay" and place.site in context.true.shares:
            part = context.true.shares[place.site]
            before = found.get(place.leaf)
            if part.shape == shapes[place.leaf]:
                found[place.leaf] = part if before is None else before + part
    return found


def _coefficient(context: Context, known: Mapping[str, Array]) -> float:
    """Return the λ/n of the true penalty, 0 if there is none."""
    for name, part in decay_of(context).items():
        size = float((known[name] ** 2).sum())
        if size:
            return float((part * known[name]).sum()) / size
    return 0.0


def _addition(
    context: Context,
    key: str,
    terms: dict[str, Array],
    offset: dict[str, Array],
    unit: float,
) -> Direction:
    parts, names = context.parts, tuple(terms)
    places = tuple(
        Place((-1, 0), "decay", parts.layer_of(name), name, name, "") for name in names
    )
    listed = ", ".join(names)

    def tell(step: float, sizes: Mapping[str, float]) -> Told | None:
        factor = step / unit if unit else float("nan")
        written = tuple(expressions(factor, sizes)) if unit else ()
        what = "a penalty" if key == "penalty" else "the sign of the parameter (L1)"
        text = f"{what} is added to the gradient of {listed}, {step:.6g} times"
        if abs(factor - 1) < ZERO and key == "penalty":
            text = (
                f"{listed} {'is' if len(names) == 1 else 'are'} penalised like weights"
            )
        if offset:
            text = (
                f"the penalty of {listed} is on absolute values (L1) instead of squares"
            )
        cost = 1.0 if written else 1.35
        fix = f"no term for {listed}: the penalty is on weights alone"
        if offset:
            fix = lines.decay()
        return Told("penalty", text, fix, cost, factor, written)

    return Direction(
        f"added {key}", places, lambda _: {}, 0.0, tell, terms=terms, offset=offset
    )  # fmt: skip
