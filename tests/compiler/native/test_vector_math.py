"""Elementary functions in C, held to bounds in units in the last place."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.compiler.native.build import build, load

BOUNDS = {
    "exp": 1.1,
    "expm1": 2.0,
    "tanh": 2.6,
    "log": 0.9,
    "log1p": 1.3,
    "log1p_unit": 1.4,
    "sin": 1.0,
    "cos": 1.0,
}
"""Ulp of the true value, for double and for single precision."""

LIMITED = ("log1p_unit", "sin", "cos")
"""Not for all numbers; who calls them sees to that."""

EVERYWHERE = [name for name in BOUNDS if name not in LIMITED]
FAR = 1e5

N = 200_000
NUMPY = {"log1p_unit": "log1p"}
"""NumPy's names, where ours says that it is for numbers between 0 and 1."""

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, 1e-300, -1e-300, 5e-324]


@pytest.fixture(scope="module")
def library():
    lines = ['#include "vector_math.h"']
    for name in BOUNDS:
        for suffix, kind in (("", "double"), ("f", "float")):
            lines += [
                f"void all_{name}{suffix}(const {kind} *x, {kind} *out, long n) {{",
                "#pragma omp simd",
                f"for (long i = 0; i < n; i++) out[i] = tg_{name}{suffix}(x[i]); }}",
            ]
    return load(build("\n".join(lines) + "\n"))


def compute(library, name, x):
    out = np.empty_like(x)
    suffix = {"d": "", "f": "f"}[x.dtype.char]
    function = getattr(library, f"all_{name}{suffix}")
    function(
        ctypes.c_void_p(x.ctypes.data),
        ctypes.c_void_p(out.ctypes.data),
        ctypes.c_long(x.size),
    )
    return out


def points(name, dtype, rng):
    """Magnitudes over the whole range, and many where the result is of size 1."""
    last = np.log(np.finfo(dtype).max)
    size = rng.uniform(-40, np.log(last), N // 2)
    signed = np.concatenate(
        [rng.choice([-1, 1], N // 2) * np.exp(size), rng.normal(size=N // 2)]
    )
    positive = np.concatenate(
        [np.exp(rng.uniform(-last, last, N // 2)), rng.uniform(0.3, 3, N // 2)]
    )
    turns = np.round(rng.uniform(-FAR, FAR, N // 2) / (np.pi / 2)) * (np.pi / 2)
    angles = np.concatenate([signed[np.abs(signed) < FAR], turns])
    at = {
        "sin": angles,
        "cos": angles,
        "log1p_unit": np.minimum(np.abs(signed), 1.0),
        "log": positive,
        "log1p": np.where(positive > 2, positive, positive - 0.9999),
    }
    return at.get(name, signed).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", BOUNDS)
def test_error_is_below_the_bound(library, name, dtype):
    x = points(name, dtype, np.random.default_rng(0))
    wide = np.longdouble if dtype is np.float64 else np.float64
    with np.errstate(all="ignore"):
        true = getattr(np, NUMPY.get(name, name))(x.astype(wide))
        rounded = true.astype(dtype)
        found = compute(library, name, x)
        unit = np.abs(np.spacing(rounded)).astype(wide)
        error = np.abs(found.astype(wide) - true) / unit
    is_finite = np.isfinite(rounded)
    assert is_finite.mean() > 0.5
    assert error[is_finite].max() < BOUNDS[name]
    np.testing.assert_array_equal(found[~is_finite], rounded[~is_finite])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", EVERYWHERE)
def test_special_values_are_numpys(library, name, dtype):
    with np.errstate(all="ignore"):
        x = np.array(SPECIAL).astype(dtype)
        found, expected = (
            compute(library, name, x),
            getattr(np, NUMPY.get(name, name))(x),
        )
    np.testing.assert_array_almost_equal_nulp(
        found[np.isfinite(expected)], expected[np.isfinite(expected)], 3
    )
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_array_equal(
        np.signbit(found[x == 0]), np.signbit(expected[x == 0])
    )


@given(x=st.lists(st.floats(width=64), min_size=1, max_size=9))
def test_any_number_gives_what_numpy_gives(library, x):
    array = np.array(x)
    with np.errstate(all="ignore"):
        for name in EVERYWHERE:
            found, expected = (
                compute(library, name, array),
                getattr(np, NUMPY.get(name, name))(array),
            )
            np.testing.assert_allclose(found, expected, rtol=1e-15, atol=5e-324)
