"""The catalogue: rules of the backward pass as hands get them wrong.

An entry looks at one place of the recorded cost and yields the mistakes that can be made
there, each as another rule for what the operand gets. Entries speak of ops and of values of
the same shape, so they hold for any graph; nothing in them knows the networks of the notes.
Factors (a forgotten 1/n, a sign) are no entries: they are solved for at every place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.auditor import lines
from tensorgrad.auditor.anatomy import Anatomy, Place, is_fused
from tensorgrad.auditor.recording import Step
from tensorgrad.auditor.sweeping import Change, Truth, share
from tensorgrad.autodiff.rules import fit
from tensorgrad.core.aval import Aval

__all__ = ["CATALOGUE", "Context", "Entry", "Mistake", "mistakes_at"]


@dataclass(frozen=True, slots=True)
class Context:
    """What entries may look at."""

    parts: Anatomy
    true: Truth

    def value(self, number: int) -> Any:
        """Return a value of the record."""
        return self.parts.found.values[number]

    def share(self, place: Place, g: Any, values: Any = None, out: Any = None) -> Array:
        """Apply the true rule at a place, to other values if there are any."""
        step = self.parts.step(place)
        found = share(self.parts.found, step, place.site[1], g, values, out)
        assert found is not None
        return found

    def fitted(self, place: Place, g: Any) -> Array:
        """Return a cotangent summed to the shape of the operand at a place."""
        like = self.value(self.parts.operand(place.site))
        return np.asarray(
            fit(np.asarray(g), Aval(np.shape(like), np.result_type(like)))
        )

    def alike(self, number: int) -> list[int]:
        """Return the other values with the shape of one, those that a hand could name."""
        found = self.parts.found
        shape = found.shape(number)
        array = np.asarray(self.value(number))
        seen = [array]
        others = []
        for k in self._nameable():
            value = np.asarray(self.value(k))
            if value.shape != shape or value.dtype.kind not in "fc" or k == number:
                continue
            if any(np.array_equal(value, one) for one in seen):
                continue
            seen.append(value)
            others.append(k)
        return others

    def _nameable(self) -> dict[int, str]:
        """Return the values with names first, then views of parameters and other results."""
        known = dict(self.parts.names)
        known.update((v, "") for v in self.parts.pure if v not in known)
        for step in self.parts.found.steps:
            known.update((r, "") for r in step.results if r not in known)
        return known

    def name(self, number: int) -> str:
        """Return what a value is called."""
        names, pure = self.parts.names, self.parts.pure
        if number in names:
            return names[number]
        if number in pure:
            return f"{pure[number]}.T"
        for step in self.parts.found.steps:
            if number in step.results:
                where = f" ({step.line})" if step.line else ""
                return f"the result of {step.op.name}{where}"
        return "another array"


@dataclass(frozen=True, slots=True)
class Mistake:
    """A rule that somebody may have written instead of the true one.

    Attributes
    ----------
    key : str
        The same in every layer: the mistake may have been made in all of them.
    family : str
    change : callable
    text : str
        What was done, after "…".
    fix : str
        What belongs there.
    cost : float
        How unlikely it is beside the others.
    """

    key: str
    family: str
    change: Change
    text: str
    fix: str
    cost: float = 1.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One kind of mistake: its name, its family, where it can be made, and what it does."""

    name: str
    family: str
    roles: tuple[str, ...]
    doc: str
    find: Callable[[Context, Place], Iterator[Mistake]]


CATALOGUE: list[Entry] = []


def _entry(
    name: str, family: str, roles: tuple[str, ...], doc: str
) -> Callable[[Callable[[Context, Place], Iterator[Mistake]]], Any]:
    def add(find: Callable[[Context, Place], Iterator[Mistake]]) -> Any:
        CATALOGUE.append(Entry(name, family, roles, doc, find))
        return find

    return add


def mistakes_at(context: Context, place: Place) -> Iterator[Mistake]:
    """Yield the mistakes of the whole catalogue that can be made at a place."""
    for entry in CATALOGUE:
        if place.role in entry.roles:
            yield from entry.find(context, place)


# ------------------------------------------------------------------ activations


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


def _own_slope(context: Context, place: Place) -> str:
    """Return the derivative at a place as a formula."""
    step = context.parts.step(place)
    beta = step.static.get("beta", 0.01)
    return lines.delta(context.parts, place.layer, step.op.name, beta)


@_entry(
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
        _own_slope(context, place),
    )


@_entry(
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
        _own_slope(context, place),
        1.1,
    )


@_entry(
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
            _own_slope(context, place),
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
            _own_slope(context, place),
            1.0 if k == operand or str(place.layer) in context.name(k) else 1.3,
        )


def _rest(context: Context, step: Step) -> list[Any]:
    return [context.value(o) for o in step.operands[1:]]


@_entry(
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
                _own_slope(context, place),
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
                _own_slope(context, place),
                1.2,
            )


@_entry(
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


# -------------------------------------------------------------------- softmax

JACOBIAN = "softmax-jacobian"


def _jacobians(a: Array, d: Array, axis: int) -> Iterator[tuple[str, str, Array]]:
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


@_entry(
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
    for n, (key, text, _) in enumerate(_jacobians(a, zero, axis)):
        yield Mistake(
            f"softmax {key}",
            JACOBIAN,
            lambda g, n=n: list(_jacobians(a, np.broadcast_to(g, a.shape), axis))[n][2],  # type: ignore[misc]
            f"the Jacobian of softmax {text}",
            _own_slope(context, place),
            0.95,
        )


# ----------------------------------------------------------------- output delta

OUTPUT = "output-delta"


@_entry(
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
            for key, text, d in _jacobians(a, plain, axis)
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


@_entry(
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
                _own_slope(context, place),
                0.98,
            )


# ---------------------------------------------------------------------- products


@_entry(
    "transpose",
    "transpose",
    ("signal", "weight"),
    "A square matrix is not transposed, or the result is.",
)
def _transposed(context: Context, place: Place) -> Iterator[Mistake]:
    parts = context.parts
    step, (_, k) = parts.step(place), place.site
    number = step.operands[k]
    shape = parts.found.shape(number)
    other = step.operands[1 - k]
    matrix = np.asarray(context.value(other))
    if (
        place.role == "signal"
        and matrix.ndim == 2
        and matrix.shape[0] == matrix.shape[1]
    ):
        values = [context.value(o) for o in step.operands]
        values[1 - k] = matrix.T
        name = parts.pure.get(other, "the weight")
        yield Mistake(
            "transpose",
            "transpose",
            lambda g: context.share(place, g, values),
            f"{name} stands where its transpose belongs",
            lines.signal(parts, place.layer),
        )
    if place.role == "weight" and len(shape) == 2 and shape[0] == shape[1]:
        yield Mistake(
            "result transposed",
            "transpose",
            lambda g: context.share(place, g).T,
            f"the gradient of {place.leaf} is transposed",
            lines.weight(parts, place.layer),
        )


@_entry(
    "operand",
    "operand",
    ("signal", "weight", "other", "mask"),
    "Another value of the same shape: z for a, a before dropout, another layer's W or a.",
)
def _swapped(context: Context, place: Place) -> Iterator[Mistake]:
    parts = context.parts
    step, (_, k) = parts.step(place), place.site
    if len(step.operands) != 2 or step.op.is_variadic:
        return
    other = step.operands[1 - k]
    if other == step.operands[k] or np.ndim(context.value(other)) == 0:
        return
    values = [context.value(o) for o in step.operands]
    right = context.name(other)
    for number in context.alike(other):
        wrong = context.name(number)
        if parts.pure.get(number, "") == parts.pure.get(other):
            continue  # a transpose, which has an entry of its own
        swapped = list(values)
        swapped[1 - k] = context.value(number)
        is_z = right.startswith("a") and wrong == f"z{right[1:].split()[0]}"
        is_bare = wrong.startswith(right) and wrong.endswith("before dropout")
        below = parts.layer_of(parts.pure.get(number, ""))
        is_own = place.role == "signal" and below == place.layer - 1 > 0
        key = "z for a" if is_z else "before dropout" if is_bare else f"value {number}"
        key = "own weight" if is_own else key
        yield Mistake(
            key,
            "dropout" if place.role == "mask" else "operand",
            lambda g, swapped=swapped: context.share(place, g, swapped),  # type: ignore[misc]
            f"{wrong} stands where {right} belongs",
            _product(context, place),
            1.0 if is_z or is_bare or is_own else 1.2,
        )


def _product(context: Context, place: Place) -> str:
    parts, l = context.parts, place.layer
    if place.role == "weight":
        return lines.weight(parts, l)
    if place.role == "bias":
        return lines.bias(parts, l)
    if place.role == "signal":
        return lines.signal(parts, l)
    return lines.dropped(l) if place.role == "mask" else place.line


@_entry(
    "adjoint of another value",
    "operand",
    ("weight", "bias"),
    "The gradient of a parameter is formed with another δ, or with ∂J/∂a for ∂J/∂z.",
)
def _other_adjoint(context: Context, place: Place) -> Iterator[Mistake]:
    parts = context.parts
    step = parts.step(place)
    own = context.true.adjoints.get(step.results[0])
    if own is None:
        return
    seen = [own]
    for number, adjoint in context.true.adjoints.items():
        if adjoint.shape != own.shape or number in parts.pure:
            continue
        if any(np.array_equal(adjoint, one) for one in seen):
            continue
        seen.append(adjoint)
        name = context.name(number)
        is_a = name.startswith(f"a{place.layer}")
        yield Mistake(
            "before derivative"
            if is_a and "dropout" in name
            else f"adjoint {'a' if is_a else number}",
            "operand",
            lambda g, adjoint=adjoint: context.share(place, adjoint),  # type: ignore[misc]
            f"the adjoint of {name} stands where delta{place.layer} belongs",
            _product(context, place),
            1.1 if is_a else 1.25,
        )


@_entry(
    "reduction",
    "reduction",
    ("weight", "bias"),
    "Means are multiplied for the mean of products, a sum runs over another axis or over "
    "one example.",
)
def _reduced(context: Context, place: Place) -> Iterator[Mistake]:
    parts = context.parts
    step, (_, k) = parts.step(place), place.site
    n = parts.sizes.get("n", 1)
    g_shape = parts.found.shape(step.results[0])
    axes = [j for j, size in enumerate(g_shape) if size == n]
    if len(g_shape) != 2 or not axes or n == 1:
        return
    # Columns if the weight is the left factor or the bias a column.
    axis = _batch_axis(context, place, axes)
    l = place.layer
    if place.role == "weight":
        yield Mistake(
            "means multiplied",
            "reduction",
            lambda g: context.share(
                place, np.broadcast_to(g.mean(axis=axis, keepdims=True), g.shape)
            ),
            "means over the examples are multiplied, instead of the mean of the products",
            lines.weight(parts, l),
        )
    else:
        own = tuple(j for j in range(2) if j != axis)
        yield Mistake(
            "summed over all",
            "reduction",
            lambda g: np.broadcast_to(g.sum(), parts.found.shape(step.operands[k])),
            "the sum runs over the nodes as well as over the examples",
            lines.bias(parts, l),
        )
        yield Mistake(
            "summed over nodes",
            "reduction",
            lambda g: _resized(g.sum(axis=own), parts.found.shape(step.operands[k])),
            "the sum runs over the nodes instead of the examples",
            lines.bias(parts, l),
        )
    for one, name in ((0, "first"), (n - 1, "last")):
        yield Mistake(
            f"{name} example",
            "reduction",
            lambda g, one=one: context.share(place, _only(g, one, axis)),  # type: ignore[misc]
            f"only the {name} example counts",
            _product(context, place),
            1.1,
        )


def _batch_axis(context: Context, place: Place, axes: list[int]) -> int:
    parts = context.parts
    step = parts.step(place)
    if len(axes) == 1:
        return axes[0]
    if place.role == "weight":
        return 1 if place.site[1] == 0 else 0
    shape = parts.found.shape(step.operands[place.site[1]])
    return 1 if len(shape) == 2 and shape[1] == 1 else 0


def _only(g: Array, one: int, axis: int) -> Array:
    picked = np.zeros_like(g)
    where: list[Any] = [slice(None)] * g.ndim
    where[axis] = one
    picked[tuple(where)] = g[tuple(where)]
    return picked


def _resized(v: Array, shape: tuple[int, ...]) -> Array:
    """Return a vector in another shape; NaN, which fits nothing, where it has another size."""
    if v.size != int(np.prod(shape)):
        return np.full(shape, np.nan)
    return v.reshape(shape)


# ----------------------------------------------------------------------- dropout


@_entry(
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


@_entry(
    "entries for a product",
    "reduction",
    ("weight",),
    "δ and a are multiplied entry by entry, where the product of matrices belongs.",
)
def _entrywise(context: Context, place: Place) -> Iterator[Mistake]:
    parts = context.parts
    step, (_, k) = parts.step(place), place.site
    given = np.asarray(context.value(step.operands[1 - k]))
    shape = parts.found.shape(step.operands[k])
    if given.shape != shape or parts.found.shape(step.results[0]) != shape:
        return
    for key, other in (("", given), (".T", given.T)):
        if other.shape == shape:
            yield Mistake(
                f"entrywise{key}",
                "reduction",
                lambda g, other=other: g * other,  # type: ignore[misc]
                f"delta{place.layer} and a{place.layer - 1}{key} are multiplied entry by "
                "entry, not as matrices",
                lines.weight(parts, place.layer),
            )


@_entry(
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
