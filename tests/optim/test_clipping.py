"""Clipping: norms and entries stay within their limits, and dtypes as they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import tensorgrad as tg
from tensorgrad.errors import ArgumentError, DTypeError
from tensorgrad.optim import clip_by_global_norm, clip_by_value, global_norm

ENTRIES = st.floats(-1e6, 1e6)
GRADS = st.fixed_dictionaries(
    {
        "w": arrays("f8", (2, 3), elements=ENTRIES),
        "b": arrays("f8", (), elements=ENTRIES),
    }
)
# One product a limit, one rounding each for the scale and the entry.
RTOL = 1e-14


@given(grads=GRADS, limit=st.floats(0, 1e7))
def test_norm_is_at_most_the_limit(grads, limit):
    assert global_norm(clip_by_global_norm(grads, limit)) <= limit * (1 + RTOL)


@given(grads=GRADS)
def test_global_norm_is_that_of_all_entries(grads):
    together = np.append(grads["w"], grads["b"])
    assert global_norm(grads) == pytest.approx(np.linalg.norm(together), rel=RTOL)


def test_direction_stays():
    grads = {"w": np.array([3.0, 0.0]), "b": np.array(-4.0)}
    found = clip_by_global_norm(grads, 1.0)
    np.testing.assert_allclose(found["w"], [0.6, 0.0], rtol=RTOL)
    np.testing.assert_allclose(found["b"], -0.8, rtol=RTOL)


def test_short_gradient_comes_back_itself():
    grads = {"w": np.array([0.3, 0.4])}
    assert clip_by_global_norm(grads, 0.5) is grads


def test_norm_of_large_float32_entries_does_not_overflow():
    grads = np.full(4, 1e30, np.float32)
    assert global_norm(grads) == pytest.approx(2e30, rel=1e-6)
    found = clip_by_global_norm(grads, 1.0)
    np.testing.assert_allclose(found, np.full(4, 0.5), rtol=1e-6)


def test_complex_gradients_have_a_norm():
    assert global_norm([np.array([3 + 4j]), np.array([12.0])]) == 13.0


def test_infinite_gradient_stays_noticeable():
    with np.errstate(invalid="ignore"):
        found = clip_by_global_norm(np.array([np.inf, 1.0]), 1.0)
    assert np.isnan(found[0])


@given(grads=GRADS, limit=st.floats(0, 1e7))
def test_entries_are_at_most_the_limit(grads, limit):
    found = clip_by_value(grads, limit)
    np.testing.assert_array_equal(found["w"], np.clip(grads["w"], -limit, limit))
    assert abs(found["b"]) <= limit


@pytest.mark.parametrize("clip", [clip_by_global_norm, clip_by_value])
def test_dtypes_and_shapes_stay(clip):
    grads = [np.ones((2, 3), np.float32), np.float32(2.0), np.ones(0), np.ones(2)]
    found = clip(grads, 0.1)
    assert [(g.shape, g.dtype) for g in found] == [(g.shape, g.dtype) for g in grads]


@pytest.mark.parametrize("clip", [clip_by_global_norm, clip_by_value])
def test_recorded_gradients_are_clipped_alike(clip):
    arrays_ = {"w": np.array([3.0, 0.1]), "b": np.array([4.0], np.float32)}
    tensors = {name: tg.tensor(array) for name, array in arrays_.items()}
    expected, found = clip(arrays_, 1.0), clip(tensors, 1.0)
    np.testing.assert_allclose(found["w"].numpy(), expected["w"], rtol=RTOL)
    np.testing.assert_allclose(found["b"].numpy(), expected["b"], rtol=1e-6)
    assert found["b"].dtype == np.float32


@pytest.mark.parametrize("limit", [-1.0, np.nan, np.inf, "1"])
def test_limit_must_be_a_finite_number(limit):
    with pytest.raises(ArgumentError, match="clip_by_global_norm: max_norm is"):
        clip_by_global_norm(np.ones(2), limit)
    with pytest.raises(ArgumentError, match="clip_by_value: limit is"):
        clip_by_value(np.ones(2), limit)


def test_complex_entries_cannot_be_limited():
    with pytest.raises(
        DTypeError, match=r"a complex gradient \(w\): .*clip_by_global_norm"
    ):
        clip_by_value({"w": np.ones(2) * 1j}, 1.0)
