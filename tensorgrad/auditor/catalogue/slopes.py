"""Mistakes at activations: the derivative is missing, another one, or taken elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tensorgrad.auditor import lines
from tensorgrad.auditor.anatomy import Place
from tensorgrad.auditor.catalogue.entries import Context, Mistake, entry, own_slope
from tensorgrad.auditor.recording import Step


def _sigmoid(z: Any) -> Any:
    return 0.5 * (1.0 + np.tanh(0.5 * z))


SLOPES: dict[str, Callable[[Any], Any]] = {
    "sigmoid": lambda z: _sigmoid(z) * (1 - _sigmoid(z)),
    "tanh": lambda z: 1 - np.tanh(z) ** 2,
    "relu": lambda z: (z >= 0) * 1.0,
    "leaky_relu": lambda z: np.where(z >= 0, 1.0, 0.01),
}
"""Derivatives by what goes into the activation."""

SLOPES_BY_OUTPUT: dict[str, Callable[[Any], Any]] = {
    "sigmoid": lambda a: a * (1 - a),
    "tanh": lambda a: 1 - a * a,
    "relu": lambda a: (a > 0) * 1.0,
    "leaky_relu": lambda a: np.where(a > 0, 1.0, 0.01),
}
"""Derivatives by what comes out of it."""

ACTIVATION = "activation-derivative"


@entry(
    "derivative missing",
    ACTIVATION,
    ("activation",),
    "The adjoint passes an activation as if it were linear.",
)
def _missing(context: Context, place: Place) -> Iterator[Mistake]:
    name = context.parts.step(place).op.name
    yield Mistake(
        "missing",
        ACTIVATION,
        lambda g: context.fitted(place, g),
        f"the derivative of {name} is missing",
        own_slope(context, place),
    )


@entry(
    "derivative twice",
    ACTIVATION,
    ("activation",),
    "The derivative is multiplied twice.",
)
def _twice(context: Context, place: Place) -> Iterator[Mistake]:
    name = context.parts.step(place).op.name
    yield Mistake(
        "twice",
        ACTIVATION,
        lambda g: context.share(place, context.share(place, g)),
        f"the derivative of {name} is applied twice",
        own_slope(context, place),
        1.1,
    )


@entry(
    "derivative at another value",
    ACTIVATION,
    ("activation",),
    "The right formula is evaluated at a where z belongs, or at z where a belongs, or with "
    "the values of another layer.",
)
def _elsewhere(context: Context, place: Place) -> Iterator[Mistake]:
    step = context.parts.step(place)
    operand, out = step.operands[0], step.results[0]
    own = {operand, out}
    for k in context.alike(operand):
        value = context.value(k)
        here = k in own
        near = "its own output" if here else context.name(k)
        is_near = here or context.parts.names.get(k, "").startswith(f"a{place.layer}")
        with np.errstate(all="ignore"):
            made = step.op.forward(value, *_rest(context, step), **step.static)
        yield Mistake(
            "at its output" if here else f"at {k}",
            ACTIVATION,
            lambda g, value=value, made=made: context.share(  # type: ignore[misc]
                place, g, [value, *_rest(context, step)], made
            ),
            f"the derivative of {step.op.name} is taken at {near} instead of z{place.layer}",
            own_slope(context, place),
            1.0 if is_near else 1.3,
        )
    for k in (operand, *context.alike(out)):
        if k == out:
            continue
        value = context.value(k)
        text = (
            f"the derivative of {step.op.name}, written in terms of a{place.layer}, is "
            f"given {context.name(k)}"
        )
        yield Mistake(
            "z for its output" if k == operand else f"with {k} as output",
            ACTIVATION,
            lambda g, value=value: context.share(  # type: ignore[misc]
                place, g, None, value
            ),
            text,
            own_slope(context, place),
            1.0 if k == operand or str(place.layer) in context.name(k) else 1.3,
        )


def _rest(context: Context, step: Step) -> list[Any]:
    return [context.value(o) for o in step.operands[1:]]


@entry(
    "another activation's derivative",
    ACTIVATION,
    ("activation",),
    "The derivative of another layer's activation, or of a rectifier with another slope.",
)
def _others(context: Context, place: Place) -> Iterator[Mistake]:
    step = context.parts.step(place)
    z, a = context.value(step.operands[0]), context.value(step.results[0])
    used = {
        context.parts.step(p).op.name
        for p in context.parts.places
        if p.role == "activation"
    }
    for name in SLOPES:
        if name == step.op.name:
            continue
        for form, value, by in (("z", z, SLOPES), ("a", a, SLOPES_BY_OUTPUT)):
            with np.errstate(all="ignore"):
                slope = by[name](value)
            text = f"the derivative of {name} is used where the activation is {step.op.name}"
            cost = 1.0 if name in used else 1.15
            if name == "relu" and step.op.name == "leaky_relu":
                cost = 0.97
                text = "the slope of the leaky side is ignored, as for relu"
            yield Mistake(
                f"{name} in {form}",
                ACTIVATION,
                lambda g, slope=slope: context.fitted(place, g * slope),  # type: ignore[misc]
                text,
                own_slope(context, place),
                cost + 0.01 * (form == "a"),
            )
    if step.op.name == "leaky_relu":
        for slope in (0.1, 0.2, 0.3, -0.01, 1e-3):
            mask = np.where(z >= 0, 1.0, slope)
            yield Mistake(
                f"slope {slope}",
                ACTIVATION,
                lambda g, mask=mask: g * mask,  # type: ignore[misc]
                f"the leaky side has slope {slope:g} instead of {step.static.get('beta')}",
                own_slope(context, place),
                1.2,
            )


@entry(
    "a derivative at a linear layer",
    ACTIVATION,
    ("signal", "mask", "other"),
    "A layer without activation gets the derivative of one.",
)
def _at_linear(context: Context, place: Place) -> Iterator[Mistake]:
    operand = context.parts.operand(place.site)
    layers = [x for x in context.parts.layers if operand == x.z == x.a]
    if not layers:
        return
    z, l = np.asarray(context.value(operand)), layers[0].number
    for name, slope_of in SLOPES.items():
        slope = slope_of(z)
        yield Mistake(
            f"{name} at linear",
            ACTIVATION,
            lambda g, slope=slope: context.share(place, g) * slope,  # type: ignore[misc]
            f"the derivative of {name} is used at layer {l}, which is linear",
            f"δ{lines.up(l)} = ∂J/∂a{lines.up(l)}:  delta{l} = da{l}",
        )


SLIPS: dict[str, tuple[tuple[str, Callable[[Any], Any]], ...]] = {
    "sigmoid": (
        ("a (1 + a)", lambda a: a * (1 + a)),
        ("1 - a", lambda a: 1 - a),
        ("a", lambda a: a),
        ("a² (1 - a)", lambda a: a * a * (1 - a)),
        ("a (1 - a²)", lambda a: a * (1 - a * a)),
        ("-a (1 - a)", lambda a: -a * (1 - a)),
    ),
    "tanh": (
        ("1 - a", lambda a: 1 - a),
        ("1 + a²", lambda a: 1 + a * a),
        ("a²", lambda a: a * a),
        ("a² - 1", lambda a: a * a - 1),
        ("(1 - a)²", lambda a: (1 - a) ** 2),
        ("a (1 - a²)", lambda a: a * (1 - a * a)),
    ),
    "relu": (
        ("the other side's", lambda a: (a <= 0) * 1.0),
        ("a", lambda a: a),
    ),
    "leaky_relu": (
        ("that with the sides exchanged", lambda a: np.where(a > 0, 0.01, 1.0)),
        ("a", lambda a: a),
    ),
    "softmax": (),
}
"""Slips of the pen in the derivatives, by what comes out of the activation."""


@entry(
    "a slip in the derivative",
    ACTIVATION,
    ("activation",),
    "A square, a sign or a factor of the formula is lost: 1 - a for 1 - a².",
)
def _slipped(context: Context, place: Place) -> Iterator[Mistake]:
    step = context.parts.step(place)
    a = np.asarray(context.value(step.results[0]))
    for text, slope_of in SLIPS.get(step.op.name, ()):
        with np.errstate(all="ignore"):
            slope = slope_of(a)
        yield Mistake(
            f"slip {text}",
            ACTIVATION,
            lambda g, slope=slope: context.fitted(place, g * slope),  # type: ignore[misc]
            f"the derivative of {step.op.name} is written as {text}",
            own_slope(context, place),
            1.05,
        )
