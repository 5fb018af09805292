"""Captured programs do what the function does, bit for bit, and know their limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.compiler import Program, Variable, capture
from tensorgrad.testing import strategies as tst

SEEDS = st.integers(0, 2**32 - 1)
X = np.random.default_rng(0).normal(size=(4, 3))


def moved(inputs, seed):
    """Return other inputs near the given ones."""
    rng = np.random.default_rng(seed)
    return [
        np.asarray(x * (1 + 1e-3 * rng.uniform(-1, 1, x.shape)), x.dtype)
        for x in inputs
    ]


def total(program):
    return lambda *xs: sum((np.sin(r).sum() for r in program(*xs)), start=0.0)


def same_bits(first, second):
    for a, b in zip(tg.tree.leaves(first), tg.tree.leaves(second), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b), strict=True)


def numbers(program):
    return tuple(range(len(program.inputs)))


MADE = {
    "value": lambda program: program,
    "gradient": lambda program: tg.value_and_grad(total(program), numbers(program)),
    "second derivative": lambda program: tg.grad(
        lambda *xs: sum(
            (np.cos(g).sum() for g in tg.grad(total(program), numbers(program))(*xs)),
            start=0.0,
        ),
        numbers(program),
    ),
    "forward mode": lambda program: (
        lambda *xs: tg.jvp(program, xs, [np.ones_like(x) for x in program.inputs])
    ),
}


@pytest.mark.parametrize("kind", MADE)
@given(program=tst.programs(), seed=SEEDS)
def test_program_computes_what_the_function_does(kind, program, seed):
    f = MADE[kind](program)
    captured = capture(f, *program.inputs)
    inputs = moved(program.inputs, seed)
    with np.errstate(all="ignore"):
        same_bits(captured(*inputs), plain(f(*inputs)))


def plain(value):
    return tg.tree.map_leaves(
        lambda v: v.numpy() if isinstance(v, tg.Tensor) else v, value
    )


@given(net=tst.mlps(), seed=SEEDS)
def test_network_step_is_a_program(net, seed):
    def step(params, x):
        # Labels that are data choose how a loss is computed; as inputs they cannot.
        cost, grads = tg.value_and_grad(lambda p: net.cost(p, x))(params)
        new = tg.tree.map_leaves(lambda w, g: w - 0.1 * g, params, grads)
        return cost, new

    captured = capture(step, net.params, net.x)
    x = net.x * (1 + 1e-3 * np.random.default_rng(seed).uniform(size=net.x.shape))
    same_bits(captured(net.params, x), plain(step(net.params, x)))


def test_module_and_optimiser_make_one_program():
    model = tg.nn.mlp([3, 5, 2], ["tanh", "softmax"], rng=0)
    adam = tg.optim.Adam(0.01)
    params = [t.numpy().copy() for t in model.parameters().values()]
    state = adam.init(params)
    y = np.array([0, 1, 1, 0])

    def step(params, state, x):
        W1, b1, W2, b2 = params
        grads = tg.grad(
            lambda p: tg.cross_entropy(
                tg.softmax(tg.tanh(x @ p[0].T + p[1]) @ p[2].T + p[3]), y
            )
        )([W1, b1, W2, b2])
        return adam.update(grads, state, params)

    captured = capture(step, params, state, X)
    found, expected = captured(params, state, X + 1), plain(step(params, state, X + 1))
    # The optimiser's own loop adds up in another order than its formula.
    for one, other in zip(found[0], expected[0], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)


def test_same_program_from_the_same_function():
    f = tg.grad(lambda x: (np.tanh(x) * x).sum())
    first, second = (capture(f, x).program for x in (X, 2 * X))
    assert first == second
    assert hash(first) == hash(second)
    assert first != capture(f, X[:2]).program
    assert str(first) == str(second)


def test_numbers_that_promote_differently_make_other_programs():
    programs = [capture(lambda x, n: x * n, X, n).program for n in (1, 1.0, True)]
    assert len({str(p.key) for p in programs}) == 3


def test_text_has_a_line_for_each_op_with_shape_and_dtype():
    program = capture(
        lambda p, x: np.tanh(x @ p["W"]).sum(axis=0), {"W": X.T}, X
    ).program
    assert str(program).splitlines() == [
        "input  W: float64[3, 4]",
        "input  x: float64[4, 3]",
        "v0 = matmul(x, W)  # float64[4, 4]",
        "v1 = tanh(v0)  # float64[4, 4]",
        "v2 = sum(v1, axis=0)  # float64[4]",
        "output v2",
    ]


def test_random_draws_are_inputs():
    def f(x, rng, scale):
        return x * (rng.random(x.shape) < 0.5) + scale * rng.normal(size=3)

    captured = capture(f, X, np.random.default_rng(0), 2.0)
    for seed in (1, 2):
        expected = f(X, np.random.default_rng(seed), 2.0)
        same_bits(captured(X, np.random.default_rng(seed), 2.0), expected)
    assert len(captured.draws) == 2


def test_dropout_draws_its_masks_anew():
    model = tg.nn.mlp([3, 8, 1], ["tanh", "linear"], keep_prob=0.5, rng=0)

    def f(m, x, rng):
        return m(x, rng=rng)

    captured = capture(f, model, X, np.random.default_rng(0))
    for seed in (1, 2):
        expected = plain(f(model, X, np.random.default_rng(seed)))
        same_bits(captured(model, X, np.random.default_rng(seed)), expected)


def test_what_does_not_depend_on_the_arguments_is_computed_once():
    calls = []

    def f(x):
        calls.append(1)
        return x + np.exp(tg.tensor([1.0, 2.0, 3.0])).sum()

    captured = capture(f, X)
    captured(X)
    captured(X)
    assert (len(calls), len(captured.program)) == (1, 1)


def test_results_belong_to_the_caller():
    captured = capture(lambda x: [x, x.T, x * 2, np.ones(3)], X)
    x = X.copy()
    results = captured(x)
    before = [r.copy() for r in captured(x)]
    for result in results:
        np.add(result, 100.0, out=result)
    same_bits(captured(x), before)
    same_bits(x, X)


LIMITS = {
    "branch": (lambda x: x if x.sum() > 0 else -x, "tg.where"),
    "loop": (lambda x: [x for _ in range(int(x.sum()))], "tg.where"),
    "number": (lambda x: float(x.sum()), "abstract"),
    "array": (np.asarray, "abstract"),
    "shape by data": (lambda x: x[x > 0], "where"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_what_depends_on_data_is_refused_where_it_happens(name):
    f, pattern = LIMITS[name]
    with pytest.raises(tg.CaptureError, match=pattern):
        capture(f, X)


def test_parameter_that_is_no_argument_is_refused():
    w = tg.tensor(X, requires_grad=True, name="w")
    with pytest.raises(tg.CaptureError, match=r"no argument \(w\)"):
        capture(lambda x: x * w, X)


def test_array_that_is_written_to_later_is_noticed():
    held = np.ones(1000)
    captured = capture(lambda x: x * held, np.ones(1000))
    held[:] = 2.0
    with pytest.raises(tg.GraphError, match="captured function"):
        captured(np.ones(1000))


def test_method_of_a_generator_that_is_not_supported_is_named():
    with pytest.raises(tg.CaptureError, match=r"Generator\.shuffle under capture"):
        capture(lambda x, rng: rng.shuffle(x), X, np.random.default_rng(0))


OTHERS = {
    "shape": (X[:2], 2),
    "dtype": (X.astype(np.float32), 2),
    "number": (X, 3),
    "kind of number": (X, 2.0),
    "containers": ([X], 2),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_arguments_are_refused(name):
    captured = capture(lambda x, n: x**n, X, 2)
    with pytest.raises(
        tg.ArgumentError, match=r"captured function: .*: expected .*\. "
    ):
        captured(*OTHERS[name])


def changed(program, **parts):
    fields = {k: getattr(program, k) for k in ("inputs", "instructions", "outputs")}
    return Program(**{**fields, **parts})


def test_programs_that_cannot_run_are_found_out():
    program = capture(lambda x: np.tanh(x) * x, X).program
    program.check()
    stranger = Variable(program.inputs[0].aval)
    for broken in (
        changed(program, instructions=program.instructions[::-1]),
        changed(program, instructions=program.instructions[:1] * 2),
        changed(program, inputs=()),
        changed(program, inputs=program.inputs * 2),
        changed(program, outputs=(stranger,)),
    ):
        with pytest.raises(tg.CaptureError, match="checking a program"):
            broken.check()


def test_check_that_needs_values_says_what_to_write_instead():
    with pytest.raises(
        tg.CaptureError, match=r"elementwise_grad under capture.*f\(x\)\.sum"
    ):
        capture(tg.elementwise_grad(np.tanh), np.ones(3))
