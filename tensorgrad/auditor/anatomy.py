"""What plays which part in a recorded cost: layers, activations, masks, penalty, sizes.

A layer is a product with a parameter. What follows it until the next product belongs to it:
the bias, the activation, the dropout. Steps that depend on parameters and on no data are the
penalty. Nothing is asked of the caller, and a graph without layers has none: its places are
named by their ops.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tensorgrad.auditor.recording import Record, Step
from tensorgrad.auditor.sweeping import Site

__all__ = ["Anatomy", "Layer", "Place", "dissect", "is_activation", "is_fused"]

VIEWS = frozenset(("transpose", "swapaxes", "reshape", "expand_dims", "broadcast_to"))
CURVED = frozenset(("softmax", "log_softmax"))
FUSED = frozenset(("log_loss_of_logits", "cross_entropy_of_logits"))
LOSSES = FUSED | {"log_loss_of_probabilities", "cross_entropy_of_probabilities"}


@dataclass(slots=True)
class Layer:
    """A product with a weight, and the values that come of it, by their numbers."""

    number: int
    weight: str
    given: int
    z: int
    a: int
    passed: int
    bias: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A site with its part in the whole.

    ``role`` is weight, bias, signal (an adjoint that passes a weight on its way down),
    activation, mask, keep, loss, data (the whole cost without the penalty), penalty, decay
    (a weight inside the penalty), cost or other.
    """

    site: Site
    role: str
    layer: int
    leaf: str
    text: str
    line: str


@dataclass(slots=True)
class Anatomy:
    """The parts of a recorded cost."""

    found: Record
    layers: list[Layer] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    pure: dict[int, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    penalised: set[str] = field(default_factory=set)
    rows: bool = False
    """Whether the examples are in rows."""

    @property
    def top(self) -> int:
        """Number of the last layer."""
        return len(self.layers)

    def layer_of(self, leaf: str) -> int:
        """Return the number of the layer that a parameter belongs to, 0 for none."""
        return next((x.number for x in self.layers if leaf in (x.weight, x.bias)), 0)

    def operand(self, site: Site, k: int | None = None) -> int:
        """Return the value at a site, or another operand of its step."""
        return self.found.steps[site[0]].operands[site[1] if k is None else k]

    def step(self, place: Place) -> Step:
        """Return the step of a place."""
        return self.found.steps[place.site[0]]


def dissect(found: Record) -> Anatomy:
    """Read the parts off a record."""
    parts = Anatomy(found)
    parts.pure = {number: name for name, number in found.leaves.items()}
    parts.names = {number: name for name, number in found.leaves.items()}
    parts.names.update((v, k) for k, v in found.data.items())
    owner = _layers(parts)
    for s, step in enumerate(found.steps):
        if step.op.kind == "Zero":
            continue
        for k, operand in enumerate(step.operands):
            if operand in found.on_params and k not in step.op.report_only:
                parts.places.append(_place(parts, (s, k), step, owner))
    for place in parts.places:
        if place.role == "mask":
            mask = parts.operand(place.site, 1 - place.site[1])
            parts.names.setdefault(mask, f"mask{place.layer}")
    parts.sizes = _sizes(parts)
    return parts


def _layers(parts: Anatomy) -> dict[int, int]:
    """Find the layers; return which layer each value belongs to."""
    found, pure = parts.found, parts.pure
    owner: dict[int, int] = {}
    for step in found.steps:
        (first, *_), out = step.operands, step.results[0]
        name = step.op.name
        if name in VIEWS and first in pure:
            pure[out] = pure[first]
            continue
        if out not in found.on_data or out not in found.on_params:
            continue
        weights = [o for o in step.operands if o in pure]
        if step.op.is_matmul and weights and len(set(step.operands)) == 2:
            weight = weights[0]
            given = next(o for o in step.operands if o != weight)
            number = len(parts.layers) + 1
            parts.layers.append(Layer(number, pure[weight], given, out, out, out))
            parts.names.setdefault(out, f"W{number} a{number - 1}")
            owner[out] = number
            continue
        number = max((owner.get(o, 0) for o in step.operands), default=0)
        owner.update((r, number) for r in step.results)
        if not number or out in parts.names:
            continue
        _extend(parts.layers[number - 1], step, parts)
    _name(parts)
    return owner


def _name(parts: Anatomy) -> None:
    for layer in parts.layers:
        parts.names[layer.z] = f"z{layer.number}"
        if layer.a != layer.z:
            parts.names[layer.a] = f"a{layer.number}"
        if layer.passed != layer.a:
            parts.names[layer.a] = f"a{layer.number} before dropout"
            parts.names[layer.passed] = f"a{layer.number} after dropout"
        if layer.number == 1:
            parts.names.setdefault(layer.given, "a0")


def _extend(layer: Layer, step: Step, parts: Anatomy) -> None:
    """Let a step lengthen its layer: by a bias, an activation, or dropout."""
    out, found = step.results[0], parts.found
    is_next = layer.passed in step.operands and found.shape(out) == found.shape(layer.z)
    biases = [o for o in step.operands if o in parts.pure]
    if not is_next:
        return
    if step.op.name == "add" and biases and layer.z == layer.passed:
        layer.bias = parts.pure[biases[0]]
        layer.z = layer.a = layer.passed = out
    elif is_activation(step) and layer.a == layer.z:
        layer.a = layer.passed = out
    elif step.op.name in ("multiply", "divide") and layer.number:
        others = [o for o in step.operands if o != layer.passed]
        if others and others[0] not in found.on_params:
            layer.passed = out


def is_activation(step: Step) -> bool:
    """Tell whether a step is a function of one value, entry by entry or softmax."""
    is_unary = len(step.operands) == 1 and step.op.kind == "Pointwise"
    return is_unary or step.op.name in CURVED or step.op.name in ("relu", "leaky_relu")


def is_fused(step: Step) -> bool:
    """Tell whether a step is a loss that is computed from the logits."""
    return step.op.name in FUSED


def _place(parts: Anatomy, site: Site, step: Step, owner: dict[int, int]) -> Place:
    operand, out = step.operands[site[1]], step.results[0]
    leaf = parts.pure.get(operand, "")
    layer = max((owner.get(v, 0) for v in (out, operand)), default=0)
    role = _role(parts, site, step, leaf)
    if role == "decay":
        parts.penalised.add(leaf)
    name = parts.names.get(operand, step.op.name)
    return Place(site, role, layer, leaf, name, step.line)


def _role(parts: Anatomy, site: Site, step: Step, leaf: str) -> str:
    """Return the part that a site plays."""
    found, (s, k) = parts.found, site
    operand, out = step.operands[k], step.results[0]
    if leaf and step.op.name in VIEWS:
        return "other"
    if s == len(found.steps) - 1:
        return "cost"
    if out not in found.on_data:
        return "decay" if leaf else "other"
    if operand not in found.on_data and not leaf:
        return "penalty"
    if step.op.is_matmul:
        return "weight" if leaf else "signal"
    if leaf and found.shape(operand) != found.shape(out):
        return "bias"
    return _role_by_op(parts, step, k)


def _role_by_op(parts: Anatomy, step: Step, k: int) -> str:
    name = step.op.name
    if name in LOSSES:
        return "loss"
    if is_activation(step):
        return "activation"
    if name == "multiply" and _is_mask(parts, step, k):
        return "mask"
    if name in ("divide", "multiply") and _follows_mask(parts, step, k):
        return "keep"
    return "data" if _splits_off_a_penalty(parts, step, k) else "other"


def _splits_off_a_penalty(parts: Anatomy, step: Step, k: int) -> bool:
    found = parts.found
    return step.op.name in ("add", "subtract") and any(
        o in found.on_params and o not in found.on_data and o not in parts.pure
        for j, o in enumerate(step.operands)
        if j != k
    )


def _is_mask(parts: Anatomy, step: Step, k: int) -> bool:
    other = step.operands[1 - k]
    if other in parts.found.on_params:
        return False
    value = np.asarray(parts.found.values[other])
    if value.ndim == 0 or value.dtype.kind not in "fb":
        return False
    kinds = np.unique(value)
    has_two = len(kinds) == 1 or (len(kinds) == 2 and kinds[0] == 0)
    return bool(has_two and kinds[0] >= 0)


def _follows_mask(parts: Anatomy, step: Step, k: int) -> bool:
    other = step.operands[1 - k]
    if np.size(parts.found.values[other]) != 1 or other in parts.found.on_params:
        return False
    makers = [s for s in parts.found.steps if step.operands[k] in s.results]
    return any(
        s.op.name == "multiply"
        and any(
            _is_mask(parts, s, j)
            for j in range(2)
            if s.operands[j] in parts.found.on_params
        )
        for s in makers
    )


def _sizes(parts: Anatomy) -> dict[str, int]:
    """Return the sizes by name: n examples, m features, widths s1, s2 and so on."""
    found = parts.found
    sizes: dict[str, int] = {}
    for layer in parts.layers:
        weight = found.leaves[layer.weight]
        given, product = found.shape(layer.given), found.shape(layer.z)
        kinds = set(found.shape(weight))
        if layer.number == 1 and len(given) == 2:
            # The axis that the product keeps is that of the examples.
            step = next(
                s for s in found.steps if layer.given in s.operands and s.op.is_matmul
            )
            is_left = parts.rows = step.operands[0] == layer.given
            sizes["n"] = given[0] if is_left else given[1]
            sizes["m"] = given[1] if is_left else given[0]
        elif layer.number == 1 and len(given) == 1:
            sizes["m"] = given[0]
        if "n" in sizes:
            widths = [d for d in product if d != sizes["n"]] or list(product[-1:])
            sizes[f"s{layer.number}"] = widths[0] if widths else max(kinds)
    if "n" not in sizes:
        static: list[Any] = [s.static.get("n") for s in found.steps]
        told = [n for n in static if isinstance(n, (int, np.integer))]
        lengths = [found.shape(v)[0] for v in found.data.values() if found.shape(v)]
        if told or lengths:
            sizes["n"] = int((told or lengths)[-1])
    return sizes
