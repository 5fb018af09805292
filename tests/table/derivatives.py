"""What every op's derivative must satisfy, as plain functions of a case.

The tests of this directory call them for each case of the table; the planted faults
(tests/mutants) call them for each changed rule.

The pairing is Re Σ g·t without a conjugate, so that one identity serves real and
complex numbers: with the gradient ∂f/∂x - i ∂f/∂y of a real f, df = Re Σ gradient·dz.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from tensorgrad.autodiff.forward import tangent
from tensorgrad.autodiff.gradients import gradients
from tensorgrad.core.op import static_defaults
from tensorgrad.core.tensor import Tensor, wrap
from tensorgrad.ops import TABLE
from tensorgrad.ops.arithmetic import multiply
from tensorgrad.ops.complexes import real
from tensorgrad.ops.reduce import sum as sum_op
from tests.table.cases import Case, Point, generator, leaves, outputs, point

STEPS = (4e-3, 2e-3, 1e-3)
"""Steps of the central differences; a fifth of the distance that points keep from kinks.

Extrapolated, the remainder is about h₁²h₂²h₃² f⁽⁷⁾/7! = 6e-17 f⁽⁷⁾/5040, far below
the rounding, which is about 4e-13 of the function's size.
"""

DIFFERENCE_RTOL = 1e-8
"""Of the terms that are added up: leaves room for f⁽⁷⁾ near the ends of domains."""

ROUNDING_RTOL = 1e-10
"""Of the function's size: the rounding of differences, 4e-13, with some room."""

COMPLEX_STEP = 1e-30
"""So small that its square vanishes: a complex step has no remainder, and no rounding."""

COMPLEX_STEP_RTOL = 1e-12
"""Of the terms that are added up: a few thousand roundings."""

MODES_RTOL = 1e-9
"""Reverse and forward mode differ by rounding alone: a thousand operations' worth."""


@dataclass(frozen=True, slots=True, eq=False)
class Directions:
    """Random tangents of the operands that move, and cotangents of the results."""

    tangents: list[Any]
    cotangents: list[Any]


def like(rng: np.random.Generator, value: Any) -> Any:
    """Return a random array of a value's shape and kind; no entry is near zero."""
    value = np.asarray(value)
    sizes = rng.uniform(0.3, 1.0, value.shape) * rng.choice((-1.0, 1.0), value.shape)
    if value.dtype.kind == "c":
        sizes = sizes + 1j * rng.uniform(0.3, 1.0, value.shape)
    return np.asarray(sizes, np.result_type(value.dtype, np.float32))


def directions(case: Case, at: Point, results: Sequence[Any]) -> Directions:
    """Return the case's random directions: the same in every run."""
    rng = generator(case.name, "direction")
    return Directions([like(rng, v) for v in at.moved], [like(rng, r) for r in results])


def pairing(first: Sequence[Any], second: Sequence[Any]) -> float:
    """Return Re Σ a·b over all arrays."""
    total = 0.0
    for a, b in zip(first, second, strict=True):
        total += float(np.sum(a * b).real)
    return total


def size_of(first: Sequence[Any], second: Sequence[Any]) -> float:
    """Return Σ |a|·|b|: what a pairing's rounding is measured by."""
    total = 0.0
    for a, b in zip(first, second, strict=True):
        total += float(np.sum(np.abs(a) * np.abs(b)))
    return total


def difference(function: Callable[[float], Any]) -> Any:
    """Return the derivative at 0 by central differences, extrapolated to step zero."""
    row = [(function(h) - function(-h)) / (2 * h) for h in STEPS]
    for order in range(1, len(STEPS)):
        ratio = 4.0**order
        row = [(ratio * fine - coarse) / (ratio - 1) for coarse, fine in pairwise(row)]
    return row[0]


def results_of(at: Point, moved: Sequence[Any]) -> list[Any]:
    """Return the values of all outputs."""
    return [np.asarray(out) for out in outputs(at(*moved))]


def shifted(values: Sequence[Any], tangents: Sequence[Any], step: complex) -> list[Any]:
    """Return values moved along tangents."""
    return [v + step * t for v, t in zip(values, tangents, strict=True)]


def weighted(results: Sequence[Any], weights: Sequence[Any]) -> Tensor:
    """Return Re Σ w·r as a recorded scalar, so that w is the cotangent of r."""
    total: Any = None
    for r, w in zip(results, weights, strict=True):
        term = sum_op(multiply(w, r))
        term = real(term) if term.dtype.kind == "c" else term
        total = term if total is None else total + term
    return total  # type: ignore[no-any-return]


def adjoints(at: Point, moved: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
    """Return the adjoints of the operands that move, by the reverse sweep."""
    xs = leaves(moved)
    return swept(outputs(at(*xs)), xs, cotangents)


def swept(
    results: Sequence[Any],
    wrt: Sequence[Tensor],
    cotangents: Sequence[Any],
    *,
    create_graph: bool = False,
) -> list[Any]:
    """Return adjoints for given cotangents; several outputs are swept together.

    One output is swept by itself: an op of the harness's own in the graph could make
    up for a fault of the same op.
    """
    output, seed = results[0], cotangents[0]
    if len(results) > 1:
        output, seed = weighted(results, cotangents), None
    return gradients(  # type: ignore[no-any-return]
        output, list(wrt), grad=seed, create_graph=create_graph, unused="zero"
    )


# ----------------------------------------------------------------------------- checks


def check_adjoint(case: Case, dtype: Any = np.float64) -> None:
    """⟨g, J t⟩ = ⟨Jᵀ g, t⟩, with J t by central differences."""
    at = point(case, dtype)
    results = results_of(at, at.moved)
    d = directions(case, at, results)
    found = adjoints(at, at.moved, d.cotangents)
    along = difference(
        lambda h: pairing(
            d.cotangents, results_of(at, shifted(at.moved, d.tangents, h))
        )
    )
    scale = size_of(found, d.tangents) + abs(along)
    bound = DIFFERENCE_RTOL * scale + ROUNDING_RTOL * size_of(d.cotangents, results)
    error = abs(pairing(found, d.tangents) - along)
    assert error <= bound, (
        f"{case.name}: Jᵀg·t = {pairing(found, d.tangents)}, not {along}"
    )


def continued(at: Point, moved: Sequence[Any]) -> list[Any]:
    """Return the op's results continued to complex numbers, by NumPy's own functions."""
    forward = at.op.analytic or at.op.forward
    operands = list(at.operands)
    for i, value in zip(at.moving, moved, strict=True):
        operands[i] = value
    with np.errstate(all="ignore"):
        return [np.asarray(r) for r in outputs(forward(*operands, **at.static))]


def check_complex_step(case: Case) -> None:
    """⟨g, J t⟩ = ⟨Jᵀ g, t⟩, with J t by a complex step of 1e-30."""
    at = point(case)
    results = results_of(at, at.moved)
    d = directions(case, at, results)
    found = adjoints(at, at.moved, d.cotangents)
    stepped = continued(at, shifted(at.moved, d.tangents, COMPLEX_STEP * 1j))
    along = pairing(d.cotangents, [r.imag for r in stepped]) / COMPLEX_STEP
    scale = size_of(found, d.tangents) + abs(along)
    error = abs(pairing(found, d.tangents) - along)
    assert error <= COMPLEX_STEP_RTOL * scale, f"{case.name}: not {along}, by {error}"


def check_each_operand(case: Case, dtype: Any = np.float64) -> None:
    """The adjoint of one operand alone: nothing of another's rule can make up for it."""
    at = point(case, dtype)
    results = results_of(at, at.moved)
    d = directions(case, at, results)
    for k in range(len(at.moving)):
        alone = [t if i == k else np.zeros_like(t) for i, t in enumerate(d.tangents)]
        xs = list(at.moved)
        (xs[k],) = leaves([xs[k]])
        (found,) = swept(outputs(at(*xs)), [xs[k]], d.cotangents)
        along = difference(
            lambda h, alone=alone: pairing(
                d.cotangents, results_of(at, shifted(at.moved, alone, h))
            )
        )
        share = pairing([found], [d.tangents[k]])
        scale = size_of([found], [d.tangents[k]]) + abs(along)
        bound = DIFFERENCE_RTOL * scale + ROUNDING_RTOL * size_of(d.cotangents, results)
        assert abs(share - along) <= bound, (
            f"{case.name}, operand {k}: {share}, not {along}"
        )


def pushed(at: Point, tangents: Sequence[Any]) -> list[Any]:
    """Return the tangents of the results by the entry's forward mode; None is zero."""
    result = at(*at.moved)
    by_operand: list[Any] = [None] * len(at.operands)
    for i, t in zip(at.moving, tangents, strict=True):
        by_operand[i] = t
    with np.errstate(all="ignore"):
        moved = tangent(at.op, at.operands, by_operand, static=at.static, out=result)
    return [
        np.zeros_like(r) if t is None else np.asarray(t)
        for t, r in zip(
            outputs(moved) if moved is not None else [None],
            outputs(result),
            strict=True,
        )
    ]


def check_modes_agree(case: Case, dtype: Any = np.float64) -> None:
    """⟨g, J t⟩ = ⟨Jᵀ g, t⟩, with J t by forward mode; and its shape and dtype."""
    at = point(case, dtype)
    results = results_of(at, at.moved)
    d = directions(case, at, results)
    found = adjoints(at, at.moved, d.cotangents)
    moved = pushed(at, d.tangents)
    reverse, forward = pairing(found, d.tangents), pairing(d.cotangents, moved)
    bound = MODES_RTOL * (size_of(found, d.tangents) + size_of(d.cotangents, moved))
    assert abs(reverse - forward) <= bound, f"{case.name}: {reverse}, not {forward}"
    assert [t.shape for t in moved] == [r.shape for r in results], case.name
    assert [t.dtype for t in moved] == [r.dtype for r in results], case.name


def check_second_order(case: Case, dtype: Any = np.float64) -> None:
    """The recorded sweep, differentiated by point and cotangent, against differences.

    What has no graph counts as zero, and is compared like everything else.
    """
    at = point(case, dtype)
    results = results_of(at, at.moved)
    d = directions(case, at, results)
    rng = generator(case.name, "second direction")
    weights = [like(rng, v) for v in at.moved]
    turns = [like(rng, g) for g in d.cotangents]

    xs, gs = leaves(at.moved), leaves(d.cotangents)
    first = swept(outputs(at(*xs)), xs, gs, create_graph=True)
    shares = [swept([a], [*xs, *gs], [w]) for a, w in zip(first, weights, strict=True)]
    found = [np.sum(parts, axis=0) for parts in zip(*shares, strict=True)]

    along = difference(
        lambda h: pairing(
            adjoints(
                at, shifted(at.moved, d.tangents, h), shifted(d.cotangents, turns, h)
            ),
            weights,
        )
    )
    every = [*d.tangents, *turns]
    scale = size_of(found, every) + abs(along)
    values = [a.numpy() for a in first]
    bound = DIFFERENCE_RTOL * scale + ROUNDING_RTOL * size_of(values, weights)
    error = abs(pairing(found, every) - along)
    assert error <= bound, f"{case.name}: {pairing(found, every)}, not {along}"


def check_sweeps_agree(case: Case, dtype: Any = np.float64) -> None:
    """The sweep on Tensors gives what the sweep on arrays gives."""
    at = point(case, dtype)
    d = directions(case, at, results_of(at, at.moved))
    xs = leaves(at.moved)
    seeds = [wrap(g, None) for g in d.cotangents]
    recorded = swept(outputs(at(*xs)), xs, seeds, create_graph=True)
    plain = adjoints(at, at.moved, d.cotangents)
    for one, other in zip(recorded, plain, strict=True):
        size = np.max(np.abs(other), initial=0.0)
        error = np.max(np.abs(one.numpy() - other), initial=0.0)
        assert error <= MODES_RTOL * size, case.name


def check_unit_cotangent(case: Case, dtype: Any = np.float64) -> None:
    """The gradient of a scalar is its adjoint for the cotangent one, and linear in it."""
    at = point(case, dtype)
    xs = leaves(at.moved)
    (out,) = outputs(at(*xs))
    alone = gradients(out, xs, unused="zero")
    scaled = gradients(out, xs, grad=np.full((), 2.5, out.dtype), unused="zero")
    for one, other in zip(alone, scaled, strict=True):
        size = np.max(np.abs(other), initial=0.0)
        assert np.max(np.abs(2.5 * one - other), initial=0.0) <= MODES_RTOL * size


def check_adjoint_fits(case: Case, dtype: Any = np.float64) -> None:
    """An adjoint has the shape and dtype of its operand."""
    at = point(case, dtype)
    d = directions(case, at, results_of(at, at.moved))
    found = adjoints(at, at.moved, d.cotangents)
    assert [a.shape for a in found] == [v.shape for v in at.moved], case.name
    assert [a.dtype for a in found] == [v.dtype for v in at.moved], case.name


def check_reported(case: Case) -> None:
    """An operand for show gets the partial of the op that it is an operand of in earnest.

    `…_of_logits` computes the same number as `…_of_probabilities`, whose adjoint it owes
    to the probabilities.
    """
    at = point(case)
    for i in case.op.report_only:
        name = case.op.name.replace("of_logits", "of_probabilities")
        plain = TABLE[name]
        used = static_defaults(plain.op).keys()
        static = {k: v for k, v in at.static.items() if k in used}
        shown, direct = leaves([at.operands[i]] * 2)
        rest = at.operands[i + 1 :]
        operands = [*leaves(at.operands[:i]), shown, *rest]
        found = gradients(at.op(*operands, **at.static), shown, grad=1.5)
        wanted = gradients(plain(direct, *rest, **static), direct, grad=1.5)
        np.testing.assert_allclose(found, wanted, rtol=MODES_RTOL)
