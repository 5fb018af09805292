"""Every composition: NumPy's value, and derivatives to second order."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.core.views import is_scalar
from tensorgrad.frontend import writing
from tensorgrad.frontend.functional import COMPOSITIONS
from tests.frontend.cases import AVAILABLE, OPTIONS

# Another order of summation.
ROUNDING = 1e-12
# Central differences of O(1) functions in float64: h² and eps/h.
STEP = 1e-6
DIFFERENCE = 1e-7

each_case = pytest.mark.parametrize("case", AVAILABLE, ids=str)
each_call = pytest.mark.parametrize("case", [*AVAILABLE, *OPTIONS], ids=str)


def as_list(result):
    return list(result) if isinstance(result, (tuple, list)) else [result]


def total(results, weights):
    """Return one number that depends on every entry of the results."""
    parts = zip(as_list(results), weights, strict=False)
    return sum((np.nan_to_num(x) * np.cos(w + np.arange(x.size)).reshape(x.shape)).sum()
               for x, w in parts)  # fmt: skip


def value(x):
    return x.numpy() if isinstance(x, tg.Tensor) else x


WEIGHTS = np.linspace(0.0, 3.0, 12)


@each_call
def test_value_of_a_composition_equals_numpys(case, rng):
    points = case.points(rng)
    expected = as_list(case.call(case.function(), *points))
    found = as_list(case.call(case.function(), *[tg.tensor(x) for x in points]))
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(value(x), y, rtol=ROUNDING, atol=ROUNDING)


@each_call
def test_dtype_of_a_composition_in_float32_equals_numpys(case, rng):
    points = [np.asarray(x, np.float32) for x in case.points(rng)]
    expected = as_list(case.call(case.function(), *points))
    found = as_list(case.call(case.function(), *[tg.tensor(x) for x in points]))
    assert [x.dtype for x in found] == [np.asarray(y).dtype for y in expected]


@each_call
def test_a_composition_gives_a_scalar_where_numpy_gives_one(case, rng):
    points = case.points(rng)
    expected = as_list(case.call(case.function(), *points))
    found = as_list(case.call(case.function(), *[tg.tensor(x) for x in points]))
    scalars = [is_scalar(x) for x in found if isinstance(x, tg.Tensor)]
    assert scalars == [
        isinstance(y, np.generic)
        for x, y in zip(found, expected, strict=True)
        if isinstance(x, tg.Tensor)
    ]


@each_call
def test_gradient_of_a_composition_equals_a_central_difference_of_numpys(case, rng):
    points = case.points(rng)
    directions = [rng.normal(size=x.shape) for x in points]

    def along(h):
        moved = [x + h * v for x, v in zip(points, directions, strict=True)]
        return total(case.call(case.function(), *moved), WEIGHTS)

    leaves = [tg.tensor(x) for x in points]
    output = total(case.call(case.function(), *leaves), WEIGHTS)
    grads = tg.gradients(output, leaves, unused="zero")
    found = sum((g * v).sum() for g, v in zip(grads, directions, strict=True))
    expected = (along(STEP) - along(-STEP)) / (2 * STEP)
    np.testing.assert_allclose(found, expected, rtol=DIFFERENCE, atol=DIFFERENCE)


@each_call
def test_second_derivative_of_a_composition_equals_a_difference_of_the_first(case, rng):
    points = case.points(rng)
    directions = [rng.normal(size=x.shape) for x in points]

    def slope(moved):
        leaves = [tg.tensor(x) for x in moved]
        output = total(case.call(case.function(), *leaves), WEIGHTS)
        # Squared, so that linear functions have a second derivative as well.
        grads = tg.gradients(output * output, leaves, create_graph=True, unused="zero")
        return leaves, sum(
            (g * v).sum() for g, v in zip(grads, directions, strict=True)
        )

    def along(h):
        moved = [x + h * v for x, v in zip(points, directions, strict=True)]
        return value(slope(moved)[1])

    leaves, first = slope(points)
    grads = tg.gradients(first, leaves, unused="zero")
    found = sum((g * v).sum() for g, v in zip(grads, directions, strict=True))
    expected = (along(STEP) - along(-STEP)) / (2 * STEP)
    scale = 1 + abs(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=100 * DIFFERENCE * scale)


@each_case
def test_a_composition_of_plain_arrays_is_plain(case, rng):
    own = next(f for f in COMPOSITIONS if case.function() in f.numpy)
    points = case.points(rng)
    found = as_list(case.call(own, *points))
    expected = as_list(case.call(case.function(), *points))
    for x, y in zip(found, expected, strict=True):
        assert not isinstance(x, tg.Tensor)
        np.testing.assert_allclose(x, y, rtol=ROUNDING, atol=ROUNDING)


def test_every_composition_has_a_case():
    tested = {
        f.__name__ for c in AVAILABLE for f in COMPOSITIONS if c.function() in f.numpy
    }
    known = {f.__name__ for f in COMPOSITIONS if f.numpy}
    # Those that write are tested by programs and in test_writing.
    assert known - tested == set(writing.__all__)


def test_insert_takes_a_mask_for_the_places_that_it_marks():
    x, values = np.arange(3.0), np.array([8.0, 9.0])
    by_mask = tg.insert(x, np.array([True, False, True]), values)
    np.testing.assert_array_equal(by_mask, tg.insert(x, [0, 2], values))
