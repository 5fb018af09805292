"""Programs that write in place: what NumPy computes, or an explicit error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tests.stateful import programs
from tests.stateful.programs import (
    drawn,
    readable,
    run_on_arrays,
    run_on_tensors,
    value_of,
)

# The same operations in the same order; sums may be associated differently.
SAME = 1e-12
# A complex step has no truncation error; programs square and add a few times.
COMPLEX_STEP = 1e-9
STEP = 1e-30
# For each shape, in about a second.
N_DRAWN = 1000
# Of random programs; below it the property would say little.
SHARE_THAT_RUNS = 0.3


def differences(program, x):
    """Return how the readable variables differ from those of NumPy, by name."""
    expected, done = run_on_arrays(program, x)
    env = run_on_tensors(program[:done], tg.tensor(x) * 1.0)
    found = {} if env is None else readable(env)
    wrong = {}
    for name, variable in found.items():
        value, reference = value_of(variable), np.asarray(expected[name])
        # `array += t` fills the array with NaN, for whoever else holds it.
        is_poisoned = np.isnan(value).any() and "make_plain_buffer" in str(program)
        is_same = value.shape == reference.shape and np.allclose(
            value, reference, rtol=SAME, atol=SAME
        )
        if not (is_same or is_poisoned):
            wrong[name] = (value, reference)
    return wrong


@given(programs.programs, programs.shapes, st.integers(0, 2**32 - 1))
def test_a_program_computes_what_numpy_computes_or_raises(program, shape, seed):
    x = np.random.default_rng(seed).uniform(-1, 1, shape)
    assert differences(program, x) == {}


@given(programs.programs, programs.shapes, st.integers(0, 2**32 - 1))
def test_a_program_in_float32_keeps_numpys_dtypes(program, shape, seed):
    x = np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)
    expected, done = run_on_arrays(program, x)
    env = run_on_tensors(program[:done], tg.tensor(x) * np.float32(1.0)) or {}
    found = {name: value_of(v).dtype for name, v in readable(env).items()}
    assert found == {name: np.asarray(expected[name]).dtype for name in found}


def weighted_sum(env, names, weights):
    """Return one number that depends on every entry of the variables."""
    total = 0.0
    for name, weight in zip(names, weights, strict=False):
        x = env[name]
        total = total + weight * (x * np.arange(1.0, x.size + 1).reshape(x.shape)).sum()
    return total


@given(programs.programs, programs.shapes, st.integers(0, 2**32 - 1))
def test_gradient_of_a_program_equals_the_complex_step_of_numpys(program, shape, seed):
    rng = np.random.default_rng(seed)
    x, v = rng.uniform(-1, 1, shape), rng.normal(size=shape)
    weights = rng.normal(size=programs.LIMIT + 1)
    expected, done = run_on_arrays(program, x + 1j * STEP * v)
    leaf = tg.tensor(x)
    env = run_on_tensors(program[:done], leaf * 1.0) or {}
    names = sorted(
        name for name, t in readable(env).items() if isinstance(t, tg.Tensor)
    )
    output = weighted_sum(env, names, weights) + 0.0 * leaf.sum()
    gradient = tg.gradients(output, leaf)
    slope = np.imag(weighted_sum(expected, names, weights)) / STEP
    found = np.sum(gradient * v)
    assert abs(found - slope) <= COMPLEX_STEP * (1 + abs(slope))


@pytest.mark.parametrize("shape", [(4,), (3, 3), (2, 3), (2, 2, 2)])
def test_a_thousand_programs_compute_what_numpy_computes_or_raise(shape):
    rng = np.random.default_rng(11)
    x = rng.uniform(-1, 1, shape)
    many = [drawn(rng, 8) for _ in range(N_DRAWN)]
    assert [program for program in many if differences(program, x)] == []


def test_many_random_programs_run_to_their_end():
    rng = np.random.default_rng(7)
    x = rng.uniform(-1, 1, (3, 3))
    n_programs, n_run = 300, 0
    for _ in range(n_programs):
        program = drawn(rng, 6)
        _, done = run_on_arrays(program, x)
        n_run += run_on_tensors(program[:done], tg.tensor(x) * 1.0) is not None
    assert n_run / n_programs >= SHARE_THAT_RUNS
