"""Short rows, several at a time, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.compiler import capture
from tensorgrad.compiler.native.fusion import fuse
from tensorgrad.compiler.native.lanes import has_short_rows
from tensorgrad.compiler.native.lowering import lower
from tensorgrad.compiler.passes import simplify


def classes(z, y, b, w):
    """Loss of a softmax, and all that its gradient is made of."""

    def loss(z, b):
        return tg.cross_entropy(tg.softmax(z + b), y)

    return tg.value_and_grad(loss, (0, 1))(z, b)


def extrema(z, y, b, w):
    top, least = z.max(axis=1, keepdims=True), z.min(axis=1)
    spread = (z - top) * w[:, None]
    return spread, top, least.sum(), spread.max(axis=0), (spread * y).min()


def chained(z, y, b, w):
    """Row sums of row sums, and entries that later rounds read again."""
    e = np.exp(z * 0.5 + b)
    share = e / e.sum(axis=1, keepdims=True)
    mean = (share * y).sum(axis=1, keepdims=True)
    left = (share - mean) * e
    return left, left.sum(axis=1) * w, (left * left).sum(), left.sum(axis=0), mean.sum()


PROGRAMS = {f.__name__: f for f in (classes, extrema, chained)}


def arguments(n, m, dtype, seed):
    rng = np.random.default_rng(seed)
    y = np.eye(m, dtype=dtype)[rng.integers(0, m, n)]
    z, b, w = rng.normal(size=(n, m)), rng.normal(size=m), rng.normal(size=n)
    return z.astype(dtype), y, b.astype(dtype), w.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", PROGRAMS)
@settings(max_examples=8)
@given(n=st.integers(64, 150), m=st.integers(2, 24), seed=st.integers(0, 2**32 - 1))
def test_short_rows_give_what_numpy_gives(name, dtype, n, m, seed):
    args = arguments(n, m, dtype, seed)
    f = PROGRAMS[name]
    found = tg.tree.leaves(tg.compile(f, printer="c")(*args))
    expected = tg.tree.leaves(tg.compile(f, printer="numpy")(*args))
    tolerance = 200 * float(np.finfo(dtype).eps)
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two, tolerance, tolerance * n)


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_have_a_group_of_short_rows(name):
    program = simplify(capture(PROGRAMS[name], *arguments(70, 10, float, 0)).program)
    assert any(map(has_short_rows, fuse(lower(program).statements)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 17, 69])
def test_what_is_not_finite_stays_in_its_row(bad, row):
    z, y, b, w = arguments(70, 10, float, 0)
    z[row, 3] = bad
    with np.errstate(all="ignore"):
        found = tg.compile(extrema, printer="c")(z, y, b, w)
        expected = extrema(z, y, b, w)
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-12)
