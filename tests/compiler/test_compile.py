"""Compiled functions: the same results, one program for each kind of arguments, safe."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.core.tensor import as_value
from tensorgrad.testing import strategies as tst
from tests.compiler.test_capture import MADE, moved, plain, same_bits
from tests.compiler.test_numpy_printer import function_of

SEEDS = st.integers(0, 2**32 - 1)
X = np.random.default_rng(0).normal(size=(4, 3))


@pytest.mark.parametrize("kind", MADE)
@given(program=tst.programs(), seed=SEEDS)
def test_compiled_function_gives_the_bits_of_the_function(kind, program, seed):
    f = MADE[kind](program)
    compiled = tg.compile(f, printer="numpy")
    with np.errstate(all="ignore"):
        for inputs in (list(program.inputs), moved(program.inputs, seed)):
            same_bits(compiled(*inputs), plain(f(*inputs)))
    assert compiled.explain().count("program ") == 1


@pytest.mark.parametrize("printer", ["numpy", "auto"])
@given(program=tst.programs(), seed=SEEDS)
def test_nothing_that_was_returned_changes_later(printer, program, seed):
    compiled = tg.compile(MADE["gradient"](program), printer=printer)
    inputs = [x.copy() for x in program.inputs]
    with np.errstate(all="ignore"):
        first = tg.tree.leaves(compiled(*inputs))
        before = [np.array(r) for r in first]
        for x in inputs:
            x[...] = x + 0.125
        compiled(*inputs)
        for result in tg.tree.leaves(compiled(*moved(program.inputs, seed))):
            result[...] = 7
        same_bits(first, before)
        same_bits(compiled(*program.inputs), before)


def train(p, x, rate):
    grads = tg.grad(lambda p: (np.tanh(x @ p["W"]) ** 2).mean())(p)
    return {"W": p["W"] - rate * grads["W"]}


def test_training_loop_runs_on_one_program():
    compiled = tg.compile(train, printer="numpy")
    p = q = {"W": X[:3].copy()}
    for _ in range(5):
        p, q = compiled(p, X, 0.5), plain(train(q, X, 0.5))
    same_bits(p, q)
    assert compiled.explain().count("program ") == 1


def test_source_runs_alone_and_is_saved(tmp_path):
    compiled = tg.compile(train, printer="numpy")
    expected = compiled({"W": X[:3]}, X, 0.5)
    compiled.save(tmp_path / "step.py")
    text = (tmp_path / "step.py").read_text(encoding="utf-8")
    assert text == compiled.source
    np.testing.assert_array_equal(function_of(text, "train")(X[:3], X), expected["W"])


def test_other_arguments_make_other_programs_and_explain_why():
    compiled = tg.compile(train)
    compiled({"W": X[:3]}, X, 0.5)
    compiled({"W": X[:3]}, X, 0.25)
    compiled({"W": X[:3]}, X[:2], 0.25)
    compiled({"W": X[:3]}, X, 0.5)
    lines = compiled.explain().splitlines()
    assert len(lines) == 4
    assert "first call" in lines[0]
    assert "0.25 after 0.5" in lines[1]
    assert "float64[2, 3] after float64[4, 3]" in lines[2]


def test_many_programs_for_one_function_warn_and_say_what_varies():
    compiled = tg.compile(lambda x, n: x * n)
    for k in range(7):
        compiled(X, k / 10)
    with pytest.warns(UserWarning, match=r"8 programs .* 0\.7 after 0\.6.*np\.asarray"):
        compiled(X, 0.7)
    assert compiled(X, 0.5)[0, 0] == X[0, 0] * 0.5


def test_equal_numbers_of_other_types_are_told_apart():
    compiled = tg.compile(lambda x, n: x * n)
    x = np.ones(2, np.int64)
    assert [compiled(x, n).dtype.kind for n in (1, 1.0, True, -0.0)] == list("ifif")
    assert np.signbit(compiled(np.ones(1), -0.0)[0]) != np.signbit(
        compiled(np.ones(1), 0.0)[0]
    )


def test_gradient_of_a_compiled_function_is_not_lost():
    compiled = tg.compile(lambda x: (np.sin(x) * x).sum())
    compiled(X)
    same_bits(tg.grad(compiled)(X), tg.grad(lambda x: (np.sin(x) * x).sum())(X))
    np.testing.assert_allclose(
        tg.jvp(compiled, (X,), (np.ones_like(X),))[1], tg.grad(compiled)(X).sum()
    )
    recorded = tg.tensor(X, requires_grad=True) * 2.0
    assert isinstance(compiled(recorded), tg.Tensor)


def test_compiled_functions_nest():
    inner = tg.compile(np.tanh)
    outer = tg.compile(lambda x: inner(x) * 2.0)
    np.testing.assert_allclose(outer(X), np.tanh(X) * 2.0, rtol=1e-15)
    assert "np.tanh" in outer.source


def test_model_and_its_masks_are_arguments():
    model = tg.nn.mlp([3, 8, 2], ["tanh", "softmax"], keep_prob=0.5, rng=0)
    y = np.array([0, 1, 1, 0])

    def loss(m, x, rng):
        return tg.cross_entropy(m(x, rng=rng), y)

    compiled = tg.compile(tg.value_and_grad(loss), printer="numpy")
    for seed in (1, 2):
        expected = tg.value_and_grad(loss)(model, X, np.random.default_rng(seed))
        same_bits(compiled(model, X, np.random.default_rng(seed)), plain(expected))
    assert compiled.explain().count("program ") == 1


@pytest.mark.parametrize("printer", ["numpy", "auto"])
def test_threads_share_one_program(printer):
    compiled = tg.compile(lambda x: np.tanh(x @ X.T).sum(axis=0), printer=printer)
    inputs = [X + k for k in range(8)]
    results = [None] * 8

    def work(k):
        for _ in range(20):
            results[k] = compiled(inputs[k])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for x, found in zip(inputs, results, strict=True):
        expected = np.tanh(x @ X.T).sum(axis=0)
        np.testing.assert_allclose(found, expected, rtol=1e-13)
    assert compiled.explain().count("program ") == 1


def test_array_written_to_after_capture_is_noticed():
    held = np.ones(1000)
    compiled = tg.compile(lambda x: x * held)
    compiled(np.ones(1000))
    held[:] = 3.0
    with pytest.raises(tg.GraphError, match="captured function"):
        compiled(np.ones(1000))


def test_passes_may_be_left_out():
    def f(x):
        return np.tanh(x) * np.tanh(x)

    merged, kept = tg.compile(f), tg.compile(f, leave_out=("common",))
    same_bits(merged(X), kept(X))
    assert len(merged.program) < len(kept.program)
    assert "common" not in kept.explain().splitlines()[-1]


WRONG = {
    "no function": lambda: tg.compile(3),
    "unknown pass": lambda: tg.compile(np.sin, leave_out=("magic",)),
    "unknown printer": lambda: tg.compile(np.sin, printer="fortran"),
    "not called": lambda: tg.compile(np.sin).source,
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_explained(name):
    with pytest.raises(tg.ArgumentError, match=r"compile.*: expected .*\. "):
        WRONG[name]()


def test_generators_among_arguments_are_drawn_from_in_order_at_every_call():
    def noisy(x, first, rest):
        a = rest["second"].normal(size=3)
        return x + first.random(3) - a * first.random(3) + rest["second"].integers(5)

    compiled = tg.compile(noisy, printer="numpy")
    rngs, others = (
        [np.random.default_rng(1), np.random.default_rng(2)] for _ in range(2)
    )
    for k in range(5):
        x = np.full(3, float(k))
        found = compiled(x, rngs[0], {"second": rngs[1]})
        np.testing.assert_array_equal(found, noisy(x, others[0], {"second": others[1]}))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_step_without_reordering_passes_keeps_every_bit(name, dtype):
    rng = np.random.default_rng(0)
    x, y = (
        rng.normal(size=(70, 33)).astype(dtype),
        np.eye(5, dtype=dtype)[np.arange(70) % 5],
    )
    sizes = {"W1": (130, 33), "b1": (130,), "W2": (5, 130), "b2": (5,)}
    p = {key: rng.normal(size=shape).astype(dtype) / 8 for key, shape in sizes.items()}

    # Labels that are no argument: the loss looks at them for ones and zeros.
    def step(p, x):
        def loss(p):
            a = getattr(tg, name)(x @ p["W1"].T + p["b1"])
            return tg.cross_entropy(tg.softmax(a @ p["W2"].T + p["b2"]), y)

        cost, grads = tg.value_and_grad(loss)(p)
        return cost, {key: p[key] - 0.1 * grads[key] for key in p}

    exact = tg.compile(step, printer="numpy", leave_out=("products",))
    for found, expected in zip(
        tg.tree.leaves(exact(p, x)), tg.tree.leaves(step(p, x)), strict=True
    ):
        np.testing.assert_array_equal(found, np.asarray(as_value(expected)))
