"""Printed programs run without the package, and give the bits of the function."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.compiler import capture
from tensorgrad.compiler.numpy_helpers import HELPERS
from tensorgrad.compiler.numpy_printer import print_numpy
from tensorgrad.compiler.passes import simplify
from tensorgrad.compiler.program import run
from tensorgrad.testing import strategies as tst
from tests.compiler.test_capture import MADE, moved
from tests.table.cases import CASES, accepts_complex, point

SEEDS = st.integers(0, 2**32 - 1)
X = np.random.default_rng(0).normal(size=(4, 3))


def function_of(source, name="step"):
    """Run printed source where NumPy is all there is."""
    scope = {}
    exec(compile(source, "<printed>", "exec"), scope)
    return scope[name]


def results_of(source, inputs):
    found = function_of(source)(*inputs)
    return list(found) if isinstance(found, tuple) else [found]


def captured_case(case, dtype):
    at = point(case, dtype)
    program = capture(at, *at.moved).program
    return program, at.moved


MOVING = [case for case in CASES if point(case).moving]
COMPLEX = [case for case in MOVING if accepts_complex(case)]


def check_case(case, dtype):
    program, inputs = captured_case(case, dtype)
    with np.errstate(all="ignore"):
        found = results_of(print_numpy(program), inputs)
        for one, other in zip(found, run(program, inputs), strict=True):
            np.testing.assert_array_equal(np.asarray(one), other, strict=True)


@pytest.mark.parametrize("case", MOVING, ids=lambda c: c.name)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_op_is_printed(case, dtype):
    check_case(case, dtype)


@pytest.mark.parametrize("case", COMPLEX, ids=lambda c: c.name)
def test_every_op_of_complex_numbers_is_printed(case):
    check_case(case, np.complex128)


@pytest.mark.parametrize("kind", MADE)
@given(program=tst.programs(), seed=SEEDS)
def test_printed_program_gives_every_bit(kind, program, seed):
    captured = simplify(capture(MADE[kind](program), *program.inputs).program)
    inputs = moved(program.inputs, seed)
    with np.errstate(all="ignore"):
        found = results_of(print_numpy(captured), inputs)
        for one, other in zip(found, run(captured, inputs), strict=True):
            np.testing.assert_array_equal(np.asarray(one), other, strict=True)


@given(z=st.lists(st.floats(allow_nan=False), min_size=1, max_size=5))
@pytest.mark.parametrize(
    "name", ["sigmoid", "softmax", "log_softmax", "logsumexp", "softplus"]
)
def test_helpers_are_right_at_the_ends_of_the_range(name, z):
    z = np.array(z)
    scope = {}
    exec("import numpy as np\n" + "\n".join(HELPERS.values()), scope)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(scope[name](z), getattr(tg, name)(z))


def training_step():
    def loss(p, x):
        a = tg.tanh(x @ p["W1"].T + p["b1"])
        return tg.cross_entropy(tg.softmax(a @ p["W2"].T), np.array([0, 1, 1, 0]))

    def step(p, x):
        grads = tg.grad(loss)(p, x)
        return {k: p[k] - 0.1 * grads[k] for k in p}

    params = {"W1": np.ones((2, 3)), "b1": np.zeros(2), "W2": np.ones((2, 2))}
    return step, params


def test_module_runs_in_an_interpreter_that_cannot_import_us(tmp_path):
    step, params = training_step()
    source = print_numpy(simplify(capture(step, params, X).program))
    file = tmp_path / "step.py"
    use = "print(sum(float(a.sum()) for a in step(np.ones((2, 3)), np.zeros(2), "
    use += "np.ones((2, 2)), np.ones((4, 3)))))"
    file.write_text(f"import sys\nsys.modules['tensorgrad'] = None\n{source}\n{use}\n")
    done = subprocess.run(
        [sys.executable, file], capture_output=True, text=True, check=True
    )
    expected = sum(float(v.sum()) for v in step(params, np.ones((4, 3))).values())
    assert float(done.stdout) == expected


def test_source_reads_like_a_backprop_by_hand():
    step, params = training_step()
    source = print_numpy(simplify(capture(step, params, X).program))
    body = source[source.index("def step") :].splitlines()
    assert [line.split("  #")[0].strip() for line in body] == [
        "def step(W1, b1, W2, x):",
        "z1 = x @ W1.T + b1",
        "a1 = np.tanh(z1)",
        "z2 = a1 @ W2.T",
        "a2 = softmax(z2)",
        "delta2 = (a2 - c0) / 4",
        "dW2 = delta2.T @ a1",
        "delta1 = delta2 @ W2 * (1.0 - a1 * a1)",
        "db1 = delta1.sum(axis=0)",
        "dW1 = delta1.T @ x",
        "W1_new = W1 - 0.1 * dW1",
        "b1_new = b1 - 0.1 * db1",
        "W2_new = W2 - 0.1 * dW2",
        "return (W1_new, b1_new, W2_new)",
    ]
    assert all("#" in line for line in body if "=" in line.split("#")[0])


def test_columns_of_examples_read_like_the_notes():
    def loss(p, x, y):
        a = tg.relu(p["W1"] @ x + p["b1"])
        return tg.log_loss(tg.sigmoid(p["W2"] @ a + p["b2"]), y, example_axis=1)

    p = {
        "W1": np.ones((5, 3)),
        "b1": np.ones((5, 1)),
        "W2": np.ones((1, 5)),
        "b2": np.ones((1, 1)),
    }
    program = simplify(capture(tg.grad(loss), p, X.T, np.ones((1, 4))).program)
    source = print_numpy(program)
    for line in (
        "z1 = W1 @ x + b1",
        "delta2 = (a2 - y) / 4",
        "dW2 = delta2 @ a1.T",
        "db2 = delta2.sum(axis=1, keepdims=True)",
        "delta1 = np.where(np.greater_equal(z1, 0), W2.T @ delta2, 0)",
        "dW1 = delta1 @ x.T",
    ):
        assert f"\n    {line}  #" in source


def test_layers_of_a_module_are_numbered():
    model = tg.nn.mlp([3, 4, 2], ["sigmoid", "softmax"], rng=0)
    y = np.eye(2)[[0, 1, 1, 0]]

    def loss(model, x):
        return tg.cross_entropy(model(x), y)

    source = print_numpy(simplify(capture(tg.grad(loss), model, X).program))
    assert "def step(W1, b1, W2, b2, x):" in source
    assert "z2 = a1 @ W2.T + b2" in source


@pytest.mark.parametrize("name", ["v0", "c0", "z1", "a1", "dW1", "w", "buffers", "np"])
def test_names_of_arguments_never_meet_those_of_values(name):
    def f(p, x):
        a = np.tanh(x @ p["W1"] + np.ones(3))
        return (a * p[name]).sum() + p[name] * 2

    p = {"W1": np.ones((3, 3)), name: np.array(0.5)}
    captured = capture(tg.grad(f), p, X)
    inputs = [np.ones((3, 3)), np.array(0.5), X]
    for found, expected in zip(
        results_of(print_numpy(simplify(captured.program)), inputs),
        captured(p, X).values(),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)


def test_large_constants_are_compressed_and_small_ones_readable():
    small, large = np.arange(3.0), np.random.default_rng(0).normal(size=(4, 300))
    program = capture(lambda x: (x @ large).sum() + small, np.ones((2, 4))).program
    source = print_numpy(program)
    assert "np.array([0.0, 1.0, 2.0]" in source
    assert max(map(len, source.splitlines())) < 120
    (found,) = results_of(source, [np.ones((2, 4))])
    np.testing.assert_array_equal(found, (np.ones((2, 4)) @ large).sum() + small)


def test_names_that_python_keeps_for_itself_are_changed():
    def f(*, lambda_, np_):
        return lambda_ * np_

    captured = capture(
        lambda p: p["lambda"] * p["np"] + p["sigmoid"],
        dict.fromkeys(("lambda", "np", "sigmoid"), np.ones(2)),
    )
    source = print_numpy(captured.program)
    assert "def step(lambda_, np_, sigmoid_):" in source
    np.testing.assert_array_equal(results_of(source, [np.ones(2)] * 3)[0], [2.0, 2.0])
    assert f(lambda_=1, np_=2) == 2
