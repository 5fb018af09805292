"""Passes keep every bit, take work away, and say so by what is left."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.compiler import capture
from tensorgrad.compiler.passes import PASSES, ROUNDING, simplify
from tensorgrad.compiler.program import run
from tensorgrad.testing import strategies as tst
from tests.compiler.test_capture import MADE, moved

SEEDS = st.integers(0, 2**32 - 1)
X = np.random.default_rng(0).normal(size=(4, 3))
EXACT = {name: apply for name, apply in PASSES.items() if name not in ROUNDING}
EXACT["all"] = partial(simplify, leave_out=ROUNDING)
ALL = {**PASSES, "all": simplify}


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("kind", MADE)
@given(program=tst.programs(), seed=SEEDS)
def test_pass_keeps_every_bit(name, kind, program, seed):
    before = capture(MADE[kind](program), *program.inputs).program
    after = EXACT[name](before)
    after.check()
    assert len(after) <= len(before)
    assert after.inputs == before.inputs
    inputs = moved(program.inputs, seed)
    with np.errstate(all="ignore"):
        for one, other in zip(run(after, inputs), run(before, inputs), strict=True):
            np.testing.assert_array_equal(one, other, strict=True)


@pytest.mark.parametrize("name", ALL)
@given(program=tst.programs())
def test_pass_has_nothing_left_to_do(name, program):
    once = ALL[name](capture(MADE["gradient"](program), *program.inputs).program)
    assert ALL[name](once) == once


SIZES = st.integers(1, 6)


@given(n=SIZES, m=SIZES, k=SIZES, data=st.data())
def test_turned_products_are_the_transposed_ones(n, m, k, data):
    flips = data.draw(st.tuples(st.booleans(), st.booleans()))

    def f(x, y):
        first, second = (
            a.T if flip else a for a, flip in zip((x, y), flips, strict=True)
        )
        return (first @ second).T * 2.0

    rng = np.random.default_rng(data.draw(SEEDS))
    x, y = (
        rng.normal(size=shape[::-1] if flip else shape)
        for shape, flip in zip(((n, k), (k, m)), flips, strict=True)
    )
    before = capture(f, x, y).program
    after = simplify(before)
    after.check()
    assert len(after) <= len(before)
    (found,), (expected,) = run(after, [x, y]), run(before, [x, y])
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


def ops(program):
    return [line.op.name for line in program.instructions]


def test_training_step_is_left_with_what_one_would_write_by_hand():
    def loss(p, x):
        a = tg.tanh(x @ p["W1"].T + p["b1"])
        return tg.log_loss(
            tg.sigmoid(a @ p["W2"].T), np.array([[1.0], [0.0], [1.0], [1.0]])
        )

    params = {"W1": np.ones((2, 3)), "b1": np.zeros(2), "W2": np.ones((1, 2))}
    program = simplify(capture(tg.grad(loss), params, X).program)
    forward = "transpose matmul add tanh transpose matmul sigmoid"
    deltas = "subtract divide matmul multiply subtract multiply"
    slopes = "transpose matmul transpose matmul sum"
    assert sorted(ops(program)) == sorted(f"{forward} {deltas} {slopes}".split())


KEPT = {
    "other operands": lambda x: np.sin(x) + np.sin(2 * x),
    "other constants": lambda x: x * np.float64(2) + x * np.float64(3),
    "other static arguments": lambda x: x.sum(axis=0).sum() + x.sum(axis=1).sum(),
    "numbers of other kinds": lambda x: x * 1 + x * 1.0,
    "another transposition": lambda x: np.transpose(x[None], (1, 2, 0)).T,
}


@pytest.mark.parametrize("name", KEPT)
def test_what_is_not_the_same_is_not_merged(name):
    program = capture(KEPT[name], X).program
    assert len(PASSES["common"](PASSES["transposes"](program))) == len(program)


def test_copy_of_an_input_that_is_returned_stays_a_copy():
    captured = capture(lambda x: x.copy(), X)
    program = simplify(captured.program)
    assert ops(program) == ["copy"]


@pytest.mark.parametrize("name", PASSES)
def test_pass_can_be_left_out(name):
    def f(x):
        np.exp(x)
        total = (np.tanh(x) / 1.0).sum(axis=0, keepdims=True).reshape(3)
        product = (x.T @ np.tanh(x)).T.sum()
        return (x.copy().T.T + np.tanh(x)) * np.tanh(x) + total + product

    program = capture(f, X).program
    assert len(simplify(program, leave_out=[name])) > len(simplify(program))


def test_products_in_either_order_are_computed_once():
    program = capture(lambda x, y: np.exp(x) * y + y * np.exp(x), X, X).program
    assert ops(simplify(program)) == ["exp", "multiply", "add"]


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.exp(x) - np.zeros_like(X),
        lambda x: np.exp(x).astype(float),
        lambda x: np.exp(x) * np.ones_like(X),
    ],
)
def test_what_changes_nothing_is_left_out(f):
    assert ops(simplify(capture(f, X).program)) == ["exp"]


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.exp(x) + np.zeros_like(X),
        lambda x: np.exp(x) - np.full_like(X, -0.0),
        lambda x: np.exp(x).astype(np.float32),
        lambda x: np.exp(x) * np.ones((2, 1, 1)),
    ],
)
def test_what_changes_a_sign_a_dtype_or_a_shape_stays(f):
    assert len(simplify(capture(f, X).program)) == 2
