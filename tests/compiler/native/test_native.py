"""Programs built as C give what NumPy gives, up to rounding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.compiler import capture
from tensorgrad.compiler.native.calling import find_places, make_native
from tensorgrad.compiler.native.fusion import fuse
from tensorgrad.compiler.native.lowering import lower
from tensorgrad.compiler.native.writing import Unprintable
from tensorgrad.compiler.passes import simplify
from tensorgrad.compiler.program import run
from tensorgrad.testing import strategies as tst
from tests.compiler.test_capture import MADE, moved
from tests.compiler.test_numpy_printer import MOVING, captured_case

SEEDS = st.integers(0, 2**32 - 1)
BOUNDS = {np.float64: 1e-13, np.float32: 1e-5}
"""Of the result, or of 1: ops of a few entries, each rounded a few times."""

PROGRAM_BOUND = 1e-9
"""Random programs cancel: of their largest entry."""


def has_words(program):
    try:
        lower(program)
    except Unprintable:
        return False
    return True


WRITTEN = [case for case in MOVING if has_words(captured_case(case, np.float64)[0])]


def check(program, inputs, rtol, atol):
    found = make_native(program).run([np.asarray(x) for x in inputs])
    with np.errstate(all="ignore"):
        expected = run(program, inputs)
    for one, other in zip(found, expected, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        size = 1 + np.abs(np.nan_to_num(other)).max(initial=0)
        np.testing.assert_allclose(one, other, rtol=rtol, atol=atol * size)


def test_much_of_the_table_has_words_in_c():
    assert len({case.name.partition("[")[0] for case in WRITTEN}) >= 60


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("case", WRITTEN, ids=lambda c: c.name)
def test_every_op_with_words_gives_what_numpy_gives(case, dtype):
    program, inputs = captured_case(case, dtype)
    check(program, inputs, BOUNDS[dtype], BOUNDS[dtype])


@pytest.mark.parametrize("kind", MADE)
@settings(max_examples=20)
@given(program=tst.programs(), seed=SEEDS)
def test_random_programs_give_what_numpy_gives(kind, program, seed):
    captured = simplify(capture(MADE[kind](program), *program.inputs).program)
    compiled = tg.compile(MADE[kind](program))
    inputs = moved(program.inputs, seed)
    with np.errstate(all="ignore"):
        found = tg.tree.leaves(compiled(*inputs))
        for one, other in zip(found, run(captured, inputs), strict=True):
            assert (one.shape, one.dtype) == (other.shape, other.dtype)
            size = 1 + np.abs(np.nan_to_num(other)).max(initial=0)
            np.testing.assert_allclose(
                one, other, rtol=PROGRAM_BOUND, atol=PROGRAM_BOUND * size
            )


SHAPES = [(1, 1), (1, 7), (7, 1), (5, 3), (3, 40), (2, 5000), (9001,), (), (2, 3, 4)]


def mixed(x):
    """Row sums used in the row, sums over rows, totals, and broadcasts of each."""
    last = -1 if np.ndim(x) else None
    e = np.exp(x - np.max(x, axis=last, keepdims=True))
    s = e / np.sum(e, axis=last, keepdims=True)
    spread = (s * x).sum(axis=last, keepdims=True)
    column = np.tanh(s * 2.0 - spread).sum(axis=0 if np.ndim(x) else None)
    return s, spread, column, (column * s).sum(), np.log(spread**2 + 1).mean(), -column


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", BOUNDS)
def test_loops_of_all_shapes_give_what_numpy_gives(shape, dtype):
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    program = simplify(capture(mixed, x).program)
    check(program, [x], 20 * BOUNDS[dtype], BOUNDS[dtype])


def step(p, x, y):
    def loss(p):
        a = tg.relu(x @ p["W1"].T + p["b1"])
        a = np.tanh(a @ p["W2"].T + p["b2"])
        return tg.cross_entropy(tg.softmax(a @ p["W3"].T), y)

    cost, grads = tg.value_and_grad(loss)(p)
    return cost, {name: p[name] - 0.1 * grads[name] for name in p}


@pytest.mark.parametrize(("n", "width"), [(1, 1), (3, 5), (64, 33), (200, 128)])
def test_training_steps_give_what_numpy_gives(n, width):
    rng = np.random.default_rng(n)
    shapes = {
        "W1": (width, 6),
        "b1": (width,),
        "W2": (7, width),
        "b2": (7,),
        "W3": (3, 7),
    }
    p = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    x, y = rng.normal(size=(n, 6)), np.eye(3)[rng.integers(0, 3, n)]
    found = tg.compile(step, printer="c")(p, x, y)
    expected = tg.compile(step, printer="numpy")(p, x, y)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)
    for name in p:
        np.testing.assert_allclose(
            found[1][name], expected[1][name], rtol=1e-9, atol=1e-12
        )


def test_nan_goes_through_maxima_and_sums():
    x = np.array([[1.0, np.nan, 2.0], [3.0, 4.0, 5.0]])
    compiled = tg.compile(
        lambda x: (
            x.max(axis=1),
            x.min(),
            x.sum(axis=0),
            np.maximum(x, 2.0),
            tg.relu(x),
        ),
        printer="c",
    )
    for found, expected in zip(
        compiled(x),
        (x.max(axis=1), x.min(), x.sum(axis=0), np.maximum(x, 2.0), np.maximum(x, 0)),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)


def test_arguments_in_any_order_of_memory_are_read_right():
    x = np.random.default_rng(0).normal(size=(6, 9))
    compiled = tg.compile(lambda x: np.tanh(x) @ x.T, printer="c")
    for arranged in (x, np.asfortranarray(x), x[::-1], np.repeat(x, 2, axis=1)[:, ::2]):
        expected = np.tanh(arranged) @ arranged.T
        np.testing.assert_allclose(compiled(arranged), expected, rtol=1e-12)


def test_what_is_returned_is_never_an_argument_or_a_constant():
    held = np.ones(4)
    compiled = tg.compile(lambda x: (x, x.T, held, 3.0, x * 1.0), printer="c")
    x = np.arange(4.0)
    for result in compiled(x)[:3]:
        result[...] = 7
    np.testing.assert_array_equal(x, np.arange(4.0))
    np.testing.assert_array_equal(compiled(x)[2], np.ones(4))


def test_program_without_words_says_which_and_runs_as_numpy():
    compiled = tg.compile(np.sort)
    np.testing.assert_array_equal(compiled(np.array([3.0, 1.0])), [1.0, 3.0])
    assert "no words for the op sort" in compiled.explain()
    with pytest.raises(tg.CaptureError, match=r"printer='c'.*sort.*auto"):
        tg.compile(np.sort, printer="c")(np.ones(3))


def test_softmax_of_a_layer_and_its_loss_share_one_loop():
    def loss(z, y):
        return tg.cross_entropy(tg.softmax(z), y)

    z, y = np.ones((50, 10)), np.eye(10)[np.zeros(50, int)]
    program = simplify(capture(tg.value_and_grad(loss), z, y).program)
    groups = fuse(lower(program).statements)
    assert max(len(group.members) for group in groups) >= 10
    assert len(groups) <= 3


def test_addresses_in_objects_are_found():
    assert find_places() is not None


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("is_row", [False, True])
@settings(max_examples=5)
@given(n=st.integers(1, 40), m=st.integers(1, 40), seed=SEEDS)
def test_products_with_one_row_or_column_are_numpys(dtype, flip, is_row, n, m, seed):
    rng = np.random.default_rng(seed)
    matrix, vector = rng.normal(size=(n, m)), rng.normal(size=m)

    def f(matrix, vector):
        a = matrix.T if flip else matrix
        return vector[None] @ a.T if is_row else a @ vector[:, None]

    args = (matrix.T.copy() if flip else matrix).astype(dtype), vector.astype(dtype)
    found = tg.compile(f, printer="c")(*args)
    eps = np.finfo(dtype).eps
    bound = m * eps * (np.abs(matrix) @ np.abs(vector))
    assert (np.abs(found.ravel() - (matrix @ vector)) <= 4 * bound + eps).all()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("large", [3e5, 1e22, np.inf, np.nan])
@pytest.mark.parametrize("shape", [(3,), (2, 50), (9000,), (100, 5)])
def test_sines_of_large_angles_are_those_of_the_library(dtype, large, shape):
    def f(x):
        wave = np.sin(x) * 2.0
        share = wave / np.exp(np.cos(x)).sum(axis=-1, keepdims=True)
        return wave, share, wave.sum(), np.cos(x * 2.0).sum(axis=0)

    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    compiled = tg.compile(f, printer="c", donate=0)
    with np.errstate(invalid="ignore"):
        for place in (0, x.size // 2, x.size - 1):
            given = x.copy()
            given.flat[place] = large
            tolerance = 1e3 * float(np.finfo(dtype).eps)
            for one, two in zip(compiled(given.copy()), f(given), strict=True):
                np.testing.assert_allclose(one, two, tolerance, tolerance)
