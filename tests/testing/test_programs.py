"""Random programs: they run, they print as code, and they shrink to a fault."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis.errors import NoSuchExample

from tensorgrad.autodiff.gradients import gradients
from tensorgrad.core.tensor import tensor
from tensorgrad.errors import ArgumentError
from tensorgrad.ops import TABLE
from tensorgrad.testing.programs import Reference, build_program, usable_steps
from tensorgrad.testing.strategies import programs
from tests.table.derivatives import difference

# A planted fault takes some hundred programs to show, now and then above a thousand; which
# ones are drawn depends on the constants of the modules that a process has loaded.
ENOUGH = settings(max_examples=30_000, deadline=None, database=None)

# Extrapolated differences of sums of some tens of terms of size up to 1e3.
TOLERANCE = 1e-5


def run_source(program):
    names = {}
    exec(program.source, names)
    return names["results"]


@given(program=programs())
def test_program_runs_on_its_inputs(program):
    results = program(*program.inputs)
    assert len(results) == len(program.results) > 0
    assert all(np.isfinite(result).all() for result in results)


@given(program=programs())
def test_printed_code_gives_the_same_results(program):
    for ours, theirs in zip(program(*program.inputs), run_source(program), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert np.shape(ours) == np.shape(theirs)


@pytest.mark.parametrize(
    "step", usable_steps(), ids=lambda step: f"{step[0].name}-{step[1]}"
)
def test_every_step_prints_as_code(step):
    program = build_program([(step, ())], seed=0)
    for ours, theirs in zip(program(*program.inputs), run_source(program), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert np.shape(ours) == np.shape(theirs)


def test_repr_is_code_to_paste():
    program = build_program([((TABLE["exp"].op, 0), ())], seed=0)
    assert program.source in repr(program)
    assert "tg.exp(x0)" in program.source


def weighted_sum(results, weights):
    pairs = zip(weights, results, strict=True)
    return sum((weight * result).sum() for weight, result in pairs)


def slopes(program):
    """Return gradient and difference along a random direction of all inputs."""
    rng = np.random.default_rng(0)
    weights = [rng.uniform(0.5, 1, np.shape(r)) for r in program(*program.inputs)]
    steps = [rng.uniform(-1, 1, x.shape) for x in program.inputs]

    def along(h):
        moved = [x + h * t for x, t in zip(program.inputs, steps, strict=True)]
        return float(weighted_sum(program(*moved), weights))

    leaves = [tensor(x, requires_grad=True) for x in program.inputs]
    found = gradients(weighted_sum(program(*leaves), weights), leaves, unused="zero")
    slope = sum(float((g * t).sum()) for g, t in zip(found, steps, strict=True))
    return slope, difference(along)


@given(program=programs())
def test_gradient_of_a_program_is_its_slope(program):
    slope, expected = slopes(program)
    assert slope == pytest.approx(expected, rel=TOLERANCE, abs=TOLERANCE)


def is_wrong(program):
    slope, expected = slopes(program)
    return abs(slope - expected) > 1e-3 * (1 + abs(expected))


@pytest.fixture(params=["tanh", "multiply", "logsumexp", "cumsum", "take", "matmul"])
def faulty(request):
    """Plant a fault in a rule of the table: its result is 1.5 times too large."""
    op = TABLE[request.param].op
    rules = (_enlarged(op.rules[0]), *op.rules[1:])
    right = op.rules
    object.__setattr__(op, "rules", rules)
    op.cache.clear()
    yield request.param
    object.__setattr__(op, "rules", right)
    op.cache.clear()


def _enlarged(rule):
    namespace = {"rule": rule}
    code = rule.__code__
    names = ", ".join(code.co_varnames[: code.co_argcount])
    exec(f"def spoilt({names}):\n    return rule({names}) * 1.5", namespace)
    return namespace["spoilt"]


@pytest.mark.slow
def test_planted_fault_shrinks_to_at_most_three_ops(faulty):
    program = find(programs(), is_wrong, settings=ENOUGH)
    assert program.n_ops <= 3
    assert faulty in {statement.op.name for statement in program.statements}


def test_no_program_is_wrong_without_a_fault():
    few = settings(max_examples=100, deadline=None, database=None)
    with pytest.raises(NoSuchExample):
        find(programs(), is_wrong, settings=few)


def test_results_are_used_again():
    program = find(
        programs(ops=["exp", "sin", "multiply"]),
        lambda p: sum(map(n_results_used, p.statements)) >= 3,
        settings=ENOUGH,
    )
    assert program.n_ops > 1


def n_results_used(statement):
    return sum(reference.kind == "result" for reference in references(statement))


def references(statement):
    return [operand for operand in statement.operands if isinstance(operand, Reference)]


def test_leaving_a_step_out_changes_no_other_input():
    exp, sin = (TABLE["exp"].op, 0), (TABLE["sin"].op, 0)
    both = build_program([(exp, (0,)), (sin, (0,))], seed=5)
    alone = build_program([(sin, (0,))], seed=5)
    np.testing.assert_array_equal(both.inputs[-1], alone.inputs[0])


def test_only_the_ops_asked_for_are_used():
    steps = usable_steps(["exp", TABLE["tanh"]])
    assert {op.name for op, _ in steps} == {"exp", "tanh"}


@pytest.mark.parametrize("seed", range(20))
def test_any_steps_in_any_order_make_a_program_that_runs(seed):
    rng, steps = np.random.default_rng(seed), usable_steps()
    chosen = [steps[k] for k in rng.integers(0, len(steps), 40)]
    sources = rng.integers(0, 4, (40, 3)).tolist()
    program = build_program(list(zip(chosen, sources, strict=True)), seed=seed)
    assert program.n_ops > 20
    program(*program.inputs)


@pytest.mark.parametrize("ops", [["expp"], [3], ["argmax"], []])
def test_ops_that_cannot_be_used_are_refused(ops):
    with pytest.raises(ArgumentError, match="expected"):
        programs(ops=ops)


def test_program_is_plain_data():
    program = build_program([((TABLE["exp"].op, 0), ())], seed=0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        program.inputs = ()
