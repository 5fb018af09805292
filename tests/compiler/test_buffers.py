"""Buffers: results that live at the same time never share one, and every bit stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.compiler import buffers, capture
from tensorgrad.compiler.buffers import make_buffers, plan_buffers
from tensorgrad.compiler.numpy_printer import constant_names, print_numpy
from tensorgrad.compiler.passes import simplify
from tensorgrad.compiler.program import run
from tensorgrad.testing import strategies as tst
from tests.compiler.test_capture import MADE, moved

SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(autouse=True)
def _every_result_is_large(monkeypatch):
    monkeypatch.setattr(buffers, "LEAST_BYTES", 1)


@pytest.mark.parametrize("kind", MADE)
@given(program=tst.programs(), seed=SEEDS)
def test_buffered_program_gives_every_bit_twice(kind, program, seed):
    captured = simplify(capture(MADE[kind](program), *program.inputs).program)
    plan = plan_buffers(captured)
    scope = dict(constant_names(captured))
    source = print_numpy(captured, with_constants=False, plan=plan)
    exec(source, scope)
    # What an earlier run has left in the buffers must not show.
    work = [b.fill(3) or b for b in make_buffers(plan)]
    extra = [work] * bool(plan.places)
    with np.errstate(all="ignore"):
        for inputs in (list(program.inputs), moved(program.inputs, seed)):
            inputs = [np.ascontiguousarray(x).reshape(x.shape) for x in inputs]  # noqa: PLW2901
            found = scope["step"](*inputs, *extra)
            results = found if len(captured.outputs) != 1 else (found,)
            for one, other in zip(results, run(captured, inputs), strict=True):
                np.testing.assert_array_equal(np.asarray(one), other, strict=True)


def plan_of(f, *args):
    program = simplify(capture(f, *args).program)
    return program, plan_buffers(program)


X = np.ones((8, 8))


def test_chain_of_elementwise_ops_needs_one_buffer():
    _, plan = plan_of(lambda x: np.tanh(np.exp(x * 2.0) + 1.0).sum(), X)
    assert (len(plan.places), len(plan.buffers)) == (4, 1)


def test_value_that_is_needed_later_keeps_its_buffer():
    def f(x):
        a = np.exp(x)
        return (np.tanh(a) * a).sum()

    program, plan = plan_of(f, X)
    a, tanh = (line.results[0] for line in program.instructions[:2])
    assert plan.places[a] != plan.places[tanh]


def test_view_keeps_the_buffer_of_what_it_views():
    def f(x):
        a = np.exp(x)
        b = a.T
        c = np.tanh(x)
        return (c @ b).sum()

    program, plan = plan_of(f, X)
    exp, _, tanh = (line.results[0] for line in program.instructions[:3])
    assert plan.places[exp] != plan.places[tanh]


def test_product_is_not_written_over_its_operands():
    program, plan = plan_of(lambda x: (np.exp(x) @ np.tanh(x)).sum(), X)
    used = [plan.places[line.results[0]] for line in program.instructions[:3]]
    assert len(set(used)) == 3


@pytest.mark.parametrize("f", [lambda x: np.exp(x), lambda x: np.exp(x).T])  # noqa: PLW0108
def test_outputs_and_what_they_view_have_no_buffer(f):
    assert plan_of(f, X)[1].places == {}


def test_operand_of_another_shape_is_not_written_over():
    _, plan = plan_of(lambda x, y: (np.exp(y) + np.tanh(x)).sum(), X, X[0])
    assert len({plan.buffers[k] for k in plan.places.values()}) == 2


def test_inputs_in_another_order_run_without_buffers():
    compiled = tg.compile(
        lambda x: (np.exp(x) @ np.tanh(x * 2.0)).sum(axis=0), printer="numpy"
    )
    x = np.random.default_rng(0).normal(size=(6, 6))
    for arranged in (
        x,
        np.asfortranarray(x),
        x[::-1][::-1],
        np.repeat(x, 2, 1)[:, ::2],
    ):
        expected = (np.exp(arranged) @ np.tanh(arranged * 2.0)).sum(axis=0)
        np.testing.assert_array_equal(compiled(arranged), expected)
