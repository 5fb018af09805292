"""The catalogue says what it holds; factors are written as what they are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
import tensorgrad.testing.strategies as tst
from tensorgrad.auditor.anatomy import dissect
from tensorgrad.auditor.catalogue import CATALOGUE, Context, mistakes_at
from tensorgrad.auditor.factors import expressions
from tensorgrad.auditor.families import FAMILIES
from tensorgrad.auditor.recording import record
from tensorgrad.auditor.sweeping import changed, share, truth
from tensorgrad.autodiff.gradients import gradients
from tensorgrad.testing.networks import draw_mlp
from tensorgrad.testing.programs import Program
from tensorgrad.tree import flatten

SIZES = {"n": 7, "m": 5, "s1": 11, "s2": 13}
seeds = st.integers(0, 2**32 - 1)


def scene(seed: int) -> Context:
    network = draw_mlp(seed, dropout=True)
    leaves, structure = flatten(network.params)
    found, _, _ = record(network.cost, leaves, structure, (network.x, network.y))
    return Context(dissect(found), truth(found))


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_entry_has_a_known_family_and_a_sentence(entry: object) -> None:
    assert entry.family in FAMILIES  # type: ignore[attr-defined]
    assert entry.doc.endswith(".")  # type: ignore[attr-defined]


def test_names_of_entries_are_their_own() -> None:
    names = [entry.name for entry in CATALOGUE]
    assert sorted(set(names)) == sorted(names)


@given(seeds)
def test_every_mistake_has_the_shape_of_its_operand(seed: int) -> None:
    context = scene(seed)
    parts, true = context.parts, context.true
    # A head under a fused loss passes nothing on: its loss does.
    for place in (p for p in parts.places if p.site in true.shares):
        g = true.adjoints[parts.step(place).results[0]]
        shape = parts.found.shape(parts.operand(place.site))
        found = [np.shape(m.change(g)) for m in mistakes_at(context, place)]
        assert found == [shape] * len(found), place


@given(seeds)
def test_own_backward_pass_is_that_of_the_graph(seed: int) -> None:
    network = draw_mlp(seed, dropout=True)
    leaves, structure = flatten(network.params)
    found, cost, handles = record(
        network.cost, leaves, structure, (network.x, network.y)
    )
    right = gradients(cost, handles)
    own = truth(found).gradients
    assert all(np.array_equal(own[name], right[name]) for name in right)


@given(seeds, st.floats(0.1, 10.0))
def test_differences_are_those_of_whole_backward_passes(
    seed: int, factor: float
) -> None:
    context = scene(seed)
    found, true = context.parts.found, context.true
    signal = next(p for p in context.parts.places if p.role == "signal")

    def scaled(g: object) -> object:
        step = found.steps[signal.site[0]]
        return factor * share(found, step, signal.site[1], g)  # type: ignore[operator]

    moved = changed(found, true, {signal.site: scaled})  # type: ignore[dict-item]
    (below,) = {x.weight for x in context.parts.layers if x.number == signal.layer - 1}
    data = true.gradients[below] - _penalty(context, below)
    assert moved[below] == pytest.approx((factor - 1) * data, rel=1e-9, abs=1e-12)


def _penalty(context: Context, leaf: str) -> object:
    return sum(
        context.true.shares[p.site]
        for p in context.parts.places
        if p.role == "decay" and p.leaf == leaf
    )


@pytest.mark.parametrize(
    ("factor", "written"),
    [
        (7.0, "n"),
        (1 / 7, "1/n"),
        (7 / 5, "n/m"),
        (2.0, "2"),
        (-0.5, "-1/2"),
        (1 / 14, "1/(2*n)"),
        (49.0, "n*n"),
        (7 / 6, "n/(n-1)"),
    ],
)
def test_factor_is_written_as_what_it_is_made_of(factor: float, written: str) -> None:
    assert expressions(factor, SIZES)[:1] == [written]


@given(
    st.sampled_from(sorted(SIZES)),
    st.sampled_from(sorted(SIZES)),
    st.sampled_from([0.5, -1.0, 2.0, 3.0]),
)
def test_expressions_have_the_value_they_stand_for(
    above: str, below: str, constant: float
) -> None:
    factor = constant * SIZES[above] / SIZES[below]
    values = [eval(text, {}, SIZES) for text in expressions(factor, SIZES)]
    assert values == pytest.approx([factor] * len(values), rel=1e-6)


def test_chance_is_given_no_expression() -> None:
    assert expressions(0.123456, SIZES) == []


def cost_of(program: Program, seed: int) -> Any:
    """Return a number that depends on all results of a program."""
    weights = _Weights(np.random.default_rng(seed))

    def cost(inputs: Any) -> Any:
        total: Any = 0.0
        for out in program(*inputs):
            total = total + np.sum(tg.real(out) * weights[np.shape(out)])
        return total

    return cost


@given(tst.programs(), seeds)
def test_record_of_any_program_has_the_gradient_of_the_graph(
    program: Program, seed: int
) -> None:
    leaves, structure = flatten(list(program.inputs))
    found, value, handles = record(cost_of(program, seed), leaves, structure, ())
    right = gradients(value, handles, unused="zero")
    own = truth(found).gradients
    assert all(
        np.allclose(own[name], right[name], rtol=1e-9, atol=1e-12, equal_nan=True)
        for name in right
    )


@given(tst.programs(), seeds)
def test_correct_gradient_of_any_program_is_never_refuted(
    program: Program, seed: int
) -> None:
    cost = cost_of(program, seed)
    report = tg.audit(tg.grad(cost), cost, list(program.inputs))
    assert report.verdict != "refuted", str(report)


@given(tst.programs(), seeds)
def test_doubled_gradient_of_any_program_is_no_surprise(
    program: Program, seed: int
) -> None:
    cost = cost_of(program, seed)
    slopes = tg.grad(cost)

    def doubled(inputs: Any) -> Any:
        return [2 * g for g in slopes(inputs)]

    report = tg.audit(doubled, cost, list(program.inputs))
    told = [finding.factor for finding in report.findings]
    assert set(np.round(told, 6)) <= {2.0}


class _Weights(dict[tuple[int, ...], Any]):
    """Random weights for each shape, the same each time."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__()
        self._rng = rng

    def __missing__(self, shape: tuple[int, ...]) -> Any:
        self[shape] = self._rng.normal(size=shape)
        return self[shape]
