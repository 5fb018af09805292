"""Signals keep their size under the right variance; from zero, symmetry stays."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.derivations import activations, l_layer
from tensorgrad.derivations.initialisation import (
    RULES,
    descend_from_zero,
    he_variance,
    initialise_parameters,
    lecun_variance,
    mean_squares,
    rule_for,
    xavier_variance,
)

ROUNDING = 1e-12

FANS = st.integers(1, 10**4)
SEEDS = st.integers(0, 10**6)

# Wide enough that the mean squares of twenty layers stay within a factor of 1.5.
WIDTH, DEPTH = 400, 20


def deep(rule, name, seed=0):
    """Return the mean squares by depth of a wide network with Gaussian input."""
    names = [name] * DEPTH
    params = initialise_parameters([WIDTH] * (DEPTH + 1), names, rule=rule, rng=seed)
    x = np.random.default_rng(seed + 1).normal(size=(WIDTH, 40))
    return mean_squares(params, x, names)


def sign_average(function, fan_in):
    """Return the mean of a function over all rows of signs, as if drawn fairly."""
    rows = itertools.product([-1.0, 1.0], repeat=fan_in)
    return np.mean([function(np.array([row])) for row in rows], axis=0)


@given(seed=SEEDS, fan_in=st.integers(1, 8))
def test_mean_square_of_z_is_fan_in_times_variance_times_that_of_a(seed, fan_in):
    # The identity at the top of the chapter, exactly, for weights ±√v.
    a = np.random.default_rng(seed).normal(size=(fan_in, 1))
    v = lecun_variance(fan_in)
    found = sign_average(lambda row: (np.sqrt(v) * row @ a) ** 2, fan_in)
    np.testing.assert_allclose(found, fan_in * v * np.mean(a**2), rtol=ROUNDING)


@pytest.mark.parametrize(("name", "beta"), [("relu", 0.0), ("leaky_relu", 0.01)])
@given(seed=SEEDS, fan_in=st.integers(1, 8))
def test_he_keeps_the_mean_square_exactly(name, beta, seed, fan_in):
    a = np.random.default_rng(seed).normal(size=(fan_in, 1))
    deviation = np.sqrt(he_variance(fan_in, beta=beta))
    found = sign_average(
        lambda row: activations.activate(name, deviation * row @ a) ** 2, fan_in
    )
    np.testing.assert_allclose(found, np.mean(a**2), rtol=ROUNDING)


@given(seed=SEEDS, fan_in=st.integers(1, 8))
def test_printed_variance_halves_the_mean_square_behind_a_relu(seed, fan_in):
    a = np.random.default_rng(seed).normal(size=(fan_in, 1))
    deviation = np.sqrt(lecun_variance(fan_in))
    found = sign_average(
        lambda row: activations.activate("relu", deviation * row @ a) ** 2, fan_in
    )
    np.testing.assert_allclose(found, np.mean(a**2) / 2, rtol=ROUNDING)


@given(fan_in=FANS)
def test_he_is_twice_what_is_printed(fan_in):
    assert he_variance(fan_in) == 2 * lecun_variance(fan_in)


@given(fan_in=FANS, fan_out=FANS)
def test_xavier_is_the_harmonic_mean_of_both_conditions(fan_in, fan_out):
    forwards, backwards = lecun_variance(fan_in), lecun_variance(fan_out)
    expected = 2 / (1 / forwards + 1 / backwards)
    assert xavier_variance(fan_in, fan_out) == pytest.approx(expected, rel=ROUNDING)


@given(fan_in=FANS, beta=st.floats(-1, 1))
def test_he_goes_from_relu_to_the_identity(fan_in, beta):
    found = he_variance(fan_in, beta=beta)
    assert lecun_variance(fan_in) <= found * (1 + ROUNDING)
    assert found <= he_variance(fan_in)


@pytest.mark.parametrize(
    ("rule", "name"),
    [("he", "relu"), ("he", "leaky_relu"), ("lecun", "linear"), ("xavier", "linear")],
)
def test_signals_keep_their_size_with_depth(rule, name):
    found = deep(rule, name)
    assert np.all((found > 0.5) & (found < 2))


def test_printed_variance_lets_signals_of_relu_vanish():
    found = deep("lecun", "relu")
    # 2⁻²⁰ is 1e-6; the same weights but for the factor 2 per layer, so exactly.
    np.testing.assert_allclose(
        found, deep("he", "relu") * 0.5 ** np.arange(DEPTH + 1), rtol=ROUNDING
    )


def test_he_lets_signals_of_linear_layers_explode():
    assert deep("he", "linear")[-1] > 0.5 * 2.0**DEPTH


@pytest.mark.parametrize("rule", RULES)
def test_weights_have_the_variance_of_their_rule(rule):
    w = initialise_parameters([400, 300], ["relu"], rule=rule)["w"][1]
    # 120,000 draws: a relative deviation of 0.4 %; 5 deviations.
    assert w.var() == pytest.approx(RULES[rule](400, 300), rel=0.021)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "tanh", "sigmoid", "softmax"])
def test_layers_take_the_rule_of_their_activation(name):
    found = initialise_parameters([4, 3], [name])
    expected = initialise_parameters([4, 3], [name], rule=rule_for(name))
    np.testing.assert_equal(found, expected)


def test_leaky_layers_count_their_slope():
    leaky = initialise_parameters([4, 3], ["leaky_relu"])["w"][1]
    plain = initialise_parameters([4, 3], ["relu"])["w"][1]
    np.testing.assert_allclose(leaky * np.sqrt(1 + 0.01**2), plain, rtol=ROUNDING)


def test_biases_start_at_zero():
    b = initialise_parameters([4, 3, 2], ["relu", "softmax"])["b"]
    np.testing.assert_equal(b, {1: np.zeros((3, 1)), 2: np.zeros((2, 1))})


def examples(labels):
    n = len(labels)
    return np.random.default_rng(0).normal(size=(3, n)), np.array([labels], float)


UNBALANCED, BALANCED = [1, 1, 1, 0], [1, 0, 1, 0]


@pytest.mark.parametrize("hidden", [["tanh"], ["relu"], ["tanh", "leaky_relu"]])
def test_weights_stay_at_zero_where_the_activation_is_zero_there(hidden):
    x, y = examples(UNBALANCED)
    found = descend_from_zero(x, y, [4] * len(hidden), [*hidden, "sigmoid"])
    assert set(found.largest.values()) == {0.0}


def test_output_bias_moves_all_the_same():
    found = descend_from_zero(*examples(UNBALANCED), [4], ["tanh", "sigmoid"])
    assert abs(found.params["b"][2].item()) > 0.1


@pytest.mark.parametrize(("num_iters", "moved"), [(1, [2]), (2, [1, 2])])
def test_weights_behind_a_sigmoid_move_one_layer_a_step(num_iters, moved):
    found = descend_from_zero(
        *examples(UNBALANCED), [4], ["sigmoid", "sigmoid"], num_iters=num_iters
    )
    assert [l for l, largest in found.largest.items() if largest > 0] == moved


def test_weights_behind_a_sigmoid_stay_where_classes_are_balanced():
    found = descend_from_zero(*examples(BALANCED), [4], ["sigmoid", "sigmoid"])
    assert set(found.largest.values()) == {0.0}


@pytest.mark.parametrize("hidden", ["tanh", "relu", "sigmoid", "leaky_relu", "linear"])
def test_nodes_stay_equal_for_every_activation(hidden):
    found = descend_from_zero(
        *examples(UNBALANCED), [4, 3], [hidden, hidden, "sigmoid"], num_iters=200
    )
    # BLAS may round equal rows differently in the last digit.
    assert max(found.spread.values()) < ROUNDING


def test_nodes_stay_equal_where_outputs_differ():
    x, y = examples(UNBALANCED)
    y = np.concatenate([y, 1 - y])
    found = descend_from_zero(x, y, [4], ["sigmoid", "sigmoid"])
    outputs = found.params["w"][2]
    assert np.ptp(outputs, axis=0).min() > 0.01
    assert found.spread[1] < ROUNDING


def test_zero_does_no_harm_to_a_single_layer():
    x, y = examples(UNBALANCED)
    found = descend_from_zero(x, y, [], ["sigmoid"], learning_rate=1.0, num_iters=2000)
    assert l_layer.predict(found.params, x, ["sigmoid"]).tolist() == [UNBALANCED]


def test_random_weights_break_the_symmetry():
    x, y = examples(UNBALANCED)
    names = ["tanh", "sigmoid"]
    start = initialise_parameters([3, 4, 1], names)
    after, _ = l_layer.descend(start, x, y, names)
    assert np.ptp(after["w"][1], axis=0).min() > 0.1


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("fans", [(0, 3), (3, 0)])
def test_layers_without_nodes_are_refused(rule, fans):
    with pytest.raises(ValueError, match="expected at least one on each side"):
        RULES[rule](*fans)


def test_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="no rule is called 'orthogonal'"):
        initialise_parameters([2, 1], ["relu"], rule="orthogonal")


def test_every_layer_needs_an_activation():
    with pytest.raises(ValueError, match="1 activations for 2 layers"):
        initialise_parameters([2, 2, 1], ["relu"])
