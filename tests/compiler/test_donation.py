"""Arguments that were given up are overwritten, others never are."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.compiler import buffers
from tensorgrad.testing import strategies as tst
from tests.compiler.test_capture import MADE, moved

PRINTERS = pytest.mark.parametrize("printer", ["c", "numpy"])


@pytest.fixture(autouse=True)
def _every_result_is_large(monkeypatch):
    monkeypatch.setattr(buffers, "LEAST_BYTES", 1)


SEEDS = st.integers(0, 2**32 - 1)
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(50, 6)), np.eye(3)[RNG.integers(0, 3, 50)]
OPTIMIZER = tg.optim.Adam(0.01)


def fresh():
    rng = np.random.default_rng(1)
    p = {
        "W1": rng.normal(size=(40, 6)),
        "b1": np.zeros(40),
        "W2": rng.normal(size=(3, 40)),
    }
    return p, OPTIMIZER.init(p)


def step(p, state, x, y):
    def loss(p):
        a = np.tanh(x @ p["W1"].T + p["b1"])
        return tg.cross_entropy(tg.softmax(a @ p["W2"].T), y)

    cost, grads = tg.value_and_grad(loss)(p)
    return cost, *OPTIMIZER.update(grads, state, p)


@PRINTERS
def test_parameters_and_state_are_updated_in_place_and_right(printer):
    donating, keeping = (
        tg.compile(step, printer=printer, donate=(0, 1)),
        tg.compile(step, printer=printer),
    )
    p, state = first = fresh()
    q, other = fresh()
    arrays = {id(a) for a in tg.tree.leaves(first)}
    for _ in range(3):
        cost, p, state = donating(p, state, X, Y)
        expected, q, other = keeping(q, other, X, Y)
        assert cost == expected
        for one, two in zip(
            tg.tree.leaves((p, state)), tg.tree.leaves((q, other)), strict=True
        ):
            np.testing.assert_array_equal(one, two)
    kept = {id(a) for a in tg.tree.leaves((p, state)) if a.ndim}
    assert kept <= arrays
    assert "results in donated memory" in donating.explain()


@PRINTERS
def test_a_step_with_donated_parameters_keeps_nothing(printer):
    compiled = tg.compile(step, printer=printer, donate=(0, 1))
    p, state = fresh()
    for _ in range(3):
        _, p, state = compiled(p, state, X, Y)
    tracemalloc.start()
    for _ in range(20):
        _, p, state = compiled(p, state, X, Y)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 4096
    assert peak < 128 * 1024


def assert_donating_changes_nothing(printer, f, inputs):
    donating = tg.compile(f, printer=printer, donate=tuple(range(len(inputs))))
    keeping = tg.compile(f, printer=printer)
    with np.errstate(all="ignore"):
        expected = tg.tree.leaves(keeping(*inputs))
        found = tg.tree.leaves(donating(*[np.array(x) for x in inputs]))
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("kind", MADE)
@given(program=tst.programs(), seed=SEEDS)
def test_donating_everything_changes_no_result_of_numpy(kind, program, seed):
    inputs = moved(program.inputs, seed)
    assert_donating_changes_nothing("numpy", MADE[kind](program), inputs)


@pytest.mark.parametrize("kind", MADE)
@settings(max_examples=20)
@given(program=tst.programs(), seed=SEEDS)
def test_donating_everything_changes_no_result(kind, program, seed):
    inputs = moved(program.inputs, seed)
    assert_donating_changes_nothing("auto", MADE[kind](program), inputs)


TWICE = {
    "the same array": lambda x: (x, x),
    "a view of it": lambda x: (x, x[:]),
    "views of one array": lambda x: (x[:2], x[:2]),
}


@PRINTERS
@pytest.mark.parametrize("name", TWICE)
def test_memory_that_is_shared_is_left_alone(printer, name):
    compiled = tg.compile(lambda x, y: (x + y, x * y), printer=printer, donate=(0, 1))
    x, y = TWICE[name](np.arange(4.0))
    before = x.copy()
    found = compiled(x, y)
    np.testing.assert_array_equal(found[0], before + before)
    np.testing.assert_array_equal(found[1], before * before)
    np.testing.assert_array_equal(x, before)


@PRINTERS
def test_read_only_arguments_are_left_alone(printer):
    x = np.arange(4.0)
    x.flags.writeable = False
    found = tg.compile(lambda x: x * 2.0, printer=printer, donate=0)(x)
    np.testing.assert_array_equal(x, np.arange(4.0))
    np.testing.assert_array_equal(found, np.arange(4.0) * 2)


@PRINTERS
def test_what_is_read_elsewhere_first_is_not_overwritten(printer):
    compiled = tg.compile(
        lambda x: (x * 2.0, x.T @ x, x[::-1] - x), printer=printer, donate=0
    )
    x = RNG.normal(size=(30, 30))
    before = x.copy()
    twice, square, turned = compiled(x)
    np.testing.assert_array_equal(twice, before * 2)
    np.testing.assert_allclose(square, before.T @ before, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(turned, before[::-1] - before)


@pytest.mark.parametrize("donate", [-1, (0, "x")])
def test_positions_that_are_none_are_refused(donate):
    with pytest.raises(tg.ArgumentError, match=r"donate=.*positions.*from 0"):
        tg.compile(np.sin, donate=donate)


@pytest.mark.parametrize("donate", [(), 0])
def test_descent_is_folded_into_the_product(donate):
    def descend(W, x):
        return W - 0.25 * tg.grad(lambda W: ((x @ W.T) ** 2).sum())(W)

    compiled = tg.compile(descend, printer="c", donate=donate)
    W, x = RNG.normal(size=(70, 80)), RNG.normal(size=(9, 80))
    expected = W - 0.5 * (x @ W.T).T @ x
    found = compiled(W.copy(), x)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)
    assert compiled.explain().splitlines()[0].count("C, 3 loops and products") == 1


@PRINTERS
def test_parameter_that_is_still_needed_is_not_overwritten_by_its_step(printer):
    def f(W, x):
        new = W - 0.5 * (x.T @ x)
        return new, W @ new, new - 0.5 * (new @ W)

    compiled = tg.compile(f, printer=printer, donate=0)
    W, x = RNG.normal(size=(65, 65)), RNG.normal(size=(3, 65))
    expected = f(W, x)
    for one, two in zip(compiled(W.copy(), x), expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-11, atol=1e-11)


@PRINTERS
def test_array_that_the_function_holds_itself_is_left_alone(printer):
    held = np.arange(4.0)
    compiled = tg.compile(lambda x: x + held, printer=printer, donate=0)
    np.testing.assert_array_equal(compiled(held), np.arange(4.0) * 2)
    np.testing.assert_array_equal(held, np.arange(4.0))


def test_printed_step_writes_over_what_was_given_up():
    compiled = tg.compile(step, printer="numpy", donate=(0, 1))
    p, state = fresh()
    compiled(p, state, X, Y)
    assert "np.multiply(0.9, m_W1, out=m_W1)" in compiled.source
    assert "out=W1)  #" in compiled.source
