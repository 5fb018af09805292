"""The numerical gradient, and the error formula at its edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tensorgrad.derivations.gradient_check import (
    gradient_check,
    numerical_gradient,
    relative_error,
)

# Truncation h² and rounding eps/h of the default step, 6e-6, both near 4e-11, times the
# size of third derivatives and values below.
DIFFERENCE = 1e-8

numbers = st.floats(-3, 3, allow_subnormal=False)
vectors = arrays(np.float64, 4, elements=numbers)


def product_and_gradient(x):
    """Return the product of the entries, and its gradient by leaving one out."""
    others = [np.prod(np.delete(x, i)) for i in range(x.size)]
    return np.prod(x), np.reshape(others, x.shape)


@given(x=vectors)
def test_product_of_the_notes_has_its_gradient(x):
    _, expected = product_and_gradient(x)
    np.testing.assert_allclose(
        numerical_gradient(np.prod, x), expected, atol=DIFFERENCE
    )


def test_linear_functions_are_exact_up_to_rounding_at_any_step():
    slope = numerical_gradient(lambda x: 3.0 * x.sum(), np.array([0.1, 1e6]), 0.125)
    # 3e6 is rounded to 5e-10, over a step of 1/4.
    np.testing.assert_allclose(slope, 3.0, atol=4e-9)


def test_quotient_divides_by_the_step_that_was_taken():
    # 1 + 1e-15 rounds to 1 + 1.11e-15: a tenth more than the step asked for.
    slope = numerical_gradient(lambda x: (x - 1.0).sum(), np.array([1.0]), 1e-15)
    assert slope[0] == 1.0


def test_step_grows_with_large_arguments():
    x = np.array([1e8])
    # A step of 6e-6 would leave three digits of x² = 1e16.
    assert numerical_gradient(lambda x: (x * x).sum(), x)[0] == pytest.approx(
        2e8, rel=1e-9
    )


def test_argument_is_not_changed():
    x = np.array([1.0, 2.0])
    x.flags.writeable = False
    numerical_gradient(np.prod, x)
    np.testing.assert_array_equal(x, [1.0, 2.0])


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0,)])
def test_gradient_has_the_shape_of_its_argument(shape):
    gradient = numerical_gradient(lambda x: (x**2).sum(), np.ones(shape))
    np.testing.assert_allclose(gradient, np.full(shape, 2.0), atol=DIFFERENCE)


def test_integers_are_differentiated_as_numbers():
    assert numerical_gradient(np.prod, [2, 3]).round(6).tolist() == [3.0, 2.0]


def test_nested_dicts_give_their_structure():
    params = {"w": {1: np.array([1.0, 2.0]), 2: np.array([3.0])}, "b": {1: 0.5}}
    gradient = numerical_gradient(
        lambda p: p["w"][1].sum() * p["w"][2].sum() + p["b"][1] ** 2, params
    )
    np.testing.assert_allclose(gradient["w"][1], [3.0, 3.0], atol=DIFFERENCE)
    np.testing.assert_allclose(gradient["w"][2], [3.0], atol=DIFFERENCE)
    np.testing.assert_allclose(gradient["b"][1], 1.0, atol=DIFFERENCE)


@given(x=vectors)
def test_right_gradient_passes(x):
    _, gradient = product_and_gradient(x)
    assume(np.linalg.norm(gradient) > 1e-2)
    assert gradient_check(gradient, np.prod, x) < 1e-6


@given(x=vectors, entry=st.integers(0, 3))
def test_wrong_sign_in_one_entry_is_seen(x, entry):
    _, gradient = product_and_gradient(x)
    assume(abs(gradient[entry]) > 1e-2)
    gradient[entry] *= -1
    assert gradient_check(gradient, np.prod, x) > 1e-5


@given(first=vectors, second=vectors)
def test_error_is_the_formula_of_the_notes(first, second):
    norms = np.linalg.norm(first) + np.linalg.norm(second)
    assume(norms > 0)
    expected = np.linalg.norm(first - second) / norms
    assert relative_error(first, second) == pytest.approx(expected, rel=1e-12)


@given(first=vectors, second=vectors)
def test_error_is_symmetric(first, second):
    assert relative_error(first, second) == relative_error(second, first)


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e200, 1e308])
def test_error_does_not_depend_on_the_scale(scale):
    error = relative_error([scale, 0.0], [0.0, scale])
    assert error == pytest.approx(np.sqrt(0.5), rel=1e-12)


def test_zero_over_zero_is_zero():
    assert relative_error(np.zeros(3), np.zeros(3)) == 0.0


def test_zero_against_anything_is_one():
    assert relative_error(np.zeros(2), [1e-300, 0.0]) == 1.0


def test_empty_gradients_agree():
    assert relative_error(np.zeros(0), np.zeros(0)) == 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_never_passes(bad):
    assert np.isnan(relative_error([1.0, bad], [1.0, bad]))


def test_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(3,\) and \(3, 1\): expected equal shapes"):
        relative_error(np.ones(3), np.ones((3, 1)))
