"""Activations: value, derivative, the kink, and the far ends."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tensorgrad.derivations import activations as act
from tests.derivations.steps import complex_derivative, complex_gradient, distance

# A handful of roundings in values and derivatives of size 1.
ROUNDING = 1e-14

HUGE = np.array([-1000.0, -745.2, -40.0, 0.0, 40.0, 745.2, 1000.0])
FAR = np.concatenate([np.linspace(-30, 30, 121), HUGE])

SMOOTH = ["linear", "sigmoid", "tanh"]
moderate = st.floats(-20, 20, allow_subnormal=False)


@pytest.mark.parametrize("name", SMOOTH)
@given(z=arrays(np.float64, (3, 4), elements=moderate))
def test_derivative_is_that_of_a_complex_step(name, z):
    g = act.ELEMENTWISE[name]
    expected = complex_derivative(lambda z: g(z)[0], z)
    np.testing.assert_allclose(g(z)[1], expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("beta", [0.0, 0.01, 0.5, 1.0])
@given(z=arrays(np.float64, (3, 4), elements=moderate.filter(bool)))
def test_relu_has_the_slope_of_its_side(beta, z):
    g = partial(act.relu, beta=beta)
    expected = complex_derivative(lambda z: g(z)[0], z)
    np.testing.assert_allclose(g(z)[1], expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("beta", [0.0, 0.01, 0.5])
def test_relu_is_the_maximum_of_the_notes(beta):
    np.testing.assert_array_equal(act.relu(FAR, beta)[0], np.maximum(FAR, beta * FAR))


def test_relu_slope_below_zero_is_beta():
    assert act.relu(-3.0, beta=0.2)[1] == 0.2


@pytest.mark.parametrize("zero", [0.0, -0.0])
@pytest.mark.parametrize("beta", [0.0, 0.2])
def test_relu_slope_at_zero_is_one(zero, beta):
    assert act.relu(zero, beta)[1] == 1.0


def test_leaky_relu_is_relu_with_the_slope_of_its_name():
    np.testing.assert_array_equal(act.leaky_relu(FAR), act.relu(FAR, 0.01))


def test_sigmoid_of_the_notes_agrees_where_it_does_not_overflow():
    z = np.linspace(-700, 700, 1401)
    np.testing.assert_allclose(
        act.sigmoid(z)[0], 1 / (1 + np.exp(-z)), rtol=ROUNDING, atol=0
    )


def test_sigmoid_keeps_relative_accuracy_in_its_small_tail():
    z = np.array([-700.0, -100.0, -40.0])
    np.testing.assert_allclose(act.sigmoid(z)[0], np.exp(z), rtol=ROUNDING)


@given(z=arrays(np.float64, 5, elements=st.floats(-1000, 1000)))
def test_sigmoid_is_symmetric(z):
    value, mirrored = act.sigmoid(z)[0], act.sigmoid(-z)[0]
    np.testing.assert_allclose(value + mirrored, 1, rtol=0, atol=ROUNDING)


@given(z=arrays(np.float64, 5, elements=st.floats(-1000, 1000)))
def test_tanh_is_a_sigmoid_stretched(z):
    stretched = 2 * act.sigmoid(2 * z)[0] - 1
    np.testing.assert_allclose(act.tanh(z)[0], stretched, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("name", act.ELEMENTWISE)
def test_huge_arguments_are_silent_and_finite(name):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        value, derivative = act.ELEMENTWISE[name](HUGE)
    assert np.isfinite([value, derivative]).all()


@pytest.mark.parametrize("name", act.ELEMENTWISE)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0), (2, 3, 4)])
def test_value_and_derivative_have_the_shape_of_z(name, shape):
    value, derivative = act.ELEMENTWISE[name](np.ones(shape))
    assert (np.shape(value), np.shape(derivative)) == (shape, shape)


@pytest.mark.parametrize("name", act.ELEMENTWISE)
def test_single_precision_stays_single(name):
    value, derivative = act.ELEMENTWISE[name](np.ones((2, 3), np.float32))
    assert (value.dtype, derivative.dtype) == (np.float32, np.float32)


@pytest.mark.parametrize("name", act.ELEMENTWISE)
def test_integers_are_numbers(name):
    value, _ = act.ELEMENTWISE[name](np.array([-2, 0, 3]))
    expected, _ = act.ELEMENTWISE[name](np.array([-2.0, 0.0, 3.0]))
    np.testing.assert_array_equal(value, expected)


@given(z=arrays(np.float64, (4, 3), elements=st.floats(-1000, 1000)))
def test_softmax_columns_add_to_one(z):
    np.testing.assert_allclose(act.softmax(z).sum(axis=0), 1, rtol=ROUNDING)


@given(z=arrays(np.float64, (4, 3), elements=moderate), c=moderate)
def test_softmax_ignores_what_is_added_to_a_column(z, c):
    # z + c is rounded to 4e-15 of 40, and so much the exponentials change.
    np.testing.assert_allclose(act.softmax(z + c), act.softmax(z), rtol=1e-13, atol=0)


@given(z=arrays(np.float64, (4, 3), elements=moderate))
def test_softmax_is_the_formula_of_the_notes(z):
    plain = np.exp(z) / np.exp(z).sum(axis=0)
    np.testing.assert_allclose(act.softmax(z), plain, rtol=1e-13)


@given(z=arrays(np.float64, 5, elements=st.floats(-500, 500)))
def test_softmax_of_two_classes_is_a_sigmoid(z):
    pair = act.softmax(np.stack([z, np.zeros(5)]))
    np.testing.assert_allclose(pair[0], act.sigmoid(z)[0], rtol=1e-12)


def test_softmax_of_huge_arguments_is_silent():
    with np.errstate(over="raise", invalid="raise"):
        value = act.softmax(np.array([[1000.0, -1000.0], [0.0, -1001.0]]))
    np.testing.assert_allclose(value[:, 0], [1.0, 0.0])


@given(z=arrays(np.float64, (4, 3), elements=moderate))
def test_log_softmax_is_the_logarithm(z):
    np.testing.assert_allclose(act.log_softmax(z), np.log(act.softmax(z)), atol=1e-13)


def test_log_softmax_of_huge_arguments_is_finite():
    np.testing.assert_array_equal(
        act.log_softmax([[1000.0], [-1000.0]]), [[0], [-2000]]
    )


@pytest.mark.parametrize("name", [*SMOOTH, "softmax"])
@given(data=st.data())
def test_pull_back_is_the_transposed_jacobian(name, data):
    z, v = (data.draw(arrays(np.float64, (4, 2), elements=moderate)) for _ in range(2))
    expected = complex_gradient(lambda z: (act.activate(name, z) * v).sum(), z)
    assert np.abs(act.pull_back(name, z, v) - expected).max() <= ROUNDING * 80


@given(z=arrays(np.float64, (4, 2), elements=moderate))
def test_softmax_pulls_constants_back_to_zero(z):
    pulled = act.pull_back("softmax", z, np.ones((4, 2)))
    np.testing.assert_allclose(pulled, 0, atol=ROUNDING)


def test_softmax_jacobian_has_a_minus_between_its_terms():
    z = np.array([[0.3], [-0.2], [1.1]])
    s = act.softmax(z)[:, 0]
    jacobian = np.stack(
        [act.pull_back("softmax", z, v[:, None])[:, 0] for v in np.eye(3)]
    )
    assert distance(jacobian, np.diag(s) - np.outer(s, s)) < ROUNDING


@pytest.mark.parametrize("call", [act.activate, partial(act.pull_back, v=1.0)])
def test_unknown_activation_is_refused_with_the_names(call):
    message = r"called 'softplus': expected one of linear, .*softmax\. Check"
    with pytest.raises(ValueError, match=message):
        call("softplus", z=np.ones((2, 2)))
