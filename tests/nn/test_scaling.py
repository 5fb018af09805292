"""Mean and spread of features of any magnitude."""

from __future__ import annotations

import numpy as np
import pytest

from tensorgrad.nn.scaling import CHUNK_ROWS, Standardise, moments

RTOL = 1e-12
"""Sums of a hundred numbers, in float64."""


def standardised(x):
    return Standardise(*moments(x))(x)


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1e-15, 1.0, 1e155, 1e306])
def test_standardised_features_do_not_depend_on_the_unit(unit):
    x = np.random.default_rng(0).normal(2.0, 3.0, size=(100, 2))
    expected = (x - x.mean(axis=0)) / x.std(axis=0)
    np.testing.assert_allclose(standardised(x * unit), expected, rtol=RTOL, atol=RTOL)


def test_outlier_of_any_size_has_a_finite_spread():
    x = np.array([[1.0], [2.0], [1e300]])
    mean, scale = moments(x)
    np.testing.assert_allclose(mean, 1e300 / 3, rtol=RTOL)
    np.testing.assert_allclose(scale, 1e300 * np.sqrt(2) / 3, rtol=RTOL)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e-9, 1e-200, 1e300])
def test_constant_feature_keeps_its_scale(value):
    mean, scale = moments(np.full((97, 1), value))
    assert scale.tolist() == [1.0]
    np.testing.assert_allclose(mean, [value], rtol=RTOL)


def test_huge_feature_leaves_its_neighbours_as_they_are():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(50, 2))
    np.testing.assert_array_equal(moments(x * [1, 1e200])[1][0], moments(x)[1][0])


def test_chunks_give_what_the_whole_gives():
    x = np.random.default_rng(2).normal(5.0, 2.0, size=(CHUNK_ROWS + 100, 1))
    np.testing.assert_allclose(moments(x)[1], x.std(axis=0), rtol=RTOL)
