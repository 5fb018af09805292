"""Mistakes in products and sums: operands, transposes, reductions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.auditor import lines
from tensorgrad.auditor.anatomy import Place
from tensorgrad.auditor.catalogue.entries import Context, Mistake, entry


@entry(
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


@entry(
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
        is_bare = wrong.endswith("before dropout") and wrong[:2] == right[:2]
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


@entry(
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


@entry(
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


@entry(
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
