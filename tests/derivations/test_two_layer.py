"""The single hidden layer: both variants, and what zero weights cannot learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.derivations import l_layer, two_layer
from tests.derivations.steps import complex_gradient

# Gradients are sums of some ten rounded terms of size 1.
ROUNDING = 1e-13

NAMES = ["w1", "b1", "w2", "b2"]
HIDDEN = ["tanh", "relu"]
sizes = st.integers(1, 6)
seeds = st.integers(0, 10**6)


def example(sizes=(3, 4, 2), n=5, seed=0):
    rng = np.random.default_rng(seed)
    params = two_layer.initialise_parameters(*sizes, rng=rng, scale=1.0)
    params |= {name: rng.normal(size=params[name].shape) for name in ("b1", "b2")}
    x = rng.normal(size=(sizes[0], n))
    return params, x, (rng.random((sizes[2], n)) < 0.5).astype(float)


def cost(params, x, y, hidden):
    _, cache = two_layer.forward_propagation(x, params, hidden)
    return two_layer.compute_cost(cache, y)


def gradients(params, x, y, hidden):
    _, cache = two_layer.forward_propagation(x, params, hidden)
    return two_layer.backward_propagation(params, cache, x, y, hidden=hidden)


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("name", NAMES)
@given(shape=st.tuples(sizes, sizes, sizes), n=sizes, seed=seeds)
def test_gradient_is_that_of_a_complex_step(hidden, name, shape, n, seed):
    params, x, y = example(shape, n, seed)
    expected = complex_gradient(
        lambda value: cost({**params, name: value}, x, y, hidden), params[name]
    )
    found = gradients(params, x, y, hidden)[name]
    np.testing.assert_allclose(found, expected, atol=ROUNDING)


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize(("name", "bias"), [("delta1", "b1"), ("delta2", "b2")])
@given(n=sizes, seed=seeds)
def test_delta_is_n_times_the_derivative_by_z(hidden, name, bias, n, seed):
    params, x, y = example(n=n, seed=seed)
    # A bias of its own for every example moves every z by itself.
    wide = np.repeat(params[bias], n, axis=1)
    expected = n * complex_gradient(
        lambda value: cost({**params, bias: value}, x, y, hidden), wide
    )
    found = gradients(params, x, y, hidden)[name]
    np.testing.assert_allclose(found, expected, atol=10 * ROUNDING)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_is_the_deep_network_of_two_layers(hidden):
    params, x, y = example()
    deep = {kind: {1: params[f"{kind}1"], 2: params[f"{kind}2"]} for kind in "wb"}
    names = [hidden, "sigmoid"]
    cache = l_layer.forward_propagation(deep, x, names)
    expected = l_layer.backward_propagation(deep, cache, y, names)
    found = gradients(params, x, y, hidden)
    for name in NAMES:
        np.testing.assert_allclose(
            found[name], expected[name[0]][int(name[1])], atol=ROUNDING
        )


@pytest.mark.parametrize("hidden", HIDDEN)
def test_gradients_have_the_shapes_of_the_parameters(hidden):
    params, x, y = example()
    grads = gradients(params, x, y, hidden)
    assert [grads[name].shape for name in NAMES] == [
        params[name].shape for name in NAMES
    ]


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("weights", ["w1", "w2"])
def test_zero_weights_never_move(hidden, weights):
    _, x, y = example(n=6)
    start = two_layer.initialise_parameters(3, 4, 2, scale=0.0)
    after, _ = two_layer.descend(start, x, y, hidden=hidden, num_iters=30)
    np.testing.assert_array_equal(after[weights], 0)


def test_zero_weights_leave_only_the_output_bias_to_learn():
    x, y = np.arange(4.0)[None], np.array([[1.0, 1.0, 1.0, 0.0]])
    start = two_layer.initialise_parameters(1, 3, 1, scale=0.0)
    after, _ = two_layer.descend(start, x, y, num_iters=500)
    # The best constant is the odds of the labels: σ(b) = 3/4.
    assert after["b2"].item() == pytest.approx(np.log(3), abs=1e-6)
    np.testing.assert_array_equal(after["b1"], 0)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_equal_hidden_nodes_stay_equal(hidden):
    params, x, y = example()
    same = {
        "w1": np.tile(params["w1"][:1], (4, 1)),
        "b1": np.tile(params["b1"][:1], (4, 1)),
        "w2": np.tile(params["w2"][:, :1], (1, 4)),
        "b2": params["b2"],
    }
    after, _ = two_layer.descend(same, x, y, hidden=hidden, num_iters=20)
    # BLAS may round equal rows differently in the last digit.
    assert np.ptp(after["w1"], axis=0).max() < ROUNDING


def test_reordering_hidden_nodes_reorders_the_gradient():
    params, x, y = example()
    order = [2, 0, 3, 1]
    moved = {
        "w1": params["w1"][order],
        "b1": params["b1"][order],
        "w2": params["w2"][:, order],
        "b2": params["b2"],
    }
    np.testing.assert_allclose(
        gradients(moved, x, y, "tanh")["w1"],
        gradients(params, x, y, "tanh")["w1"][order],
        atol=ROUNDING,
    )


@pytest.mark.parametrize("hidden", HIDDEN)
def test_exclusive_or_is_learnt(hidden):
    x = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
    y = np.array([[0.0, 1.0, 1.0, 0.0]])
    start = two_layer.initialise_parameters(2, 8, 1, rng=1, scale=1.0)
    params, costs = two_layer.descend(
        start, x, y, hidden=hidden, learning_rate=0.5, num_iters=2000
    )
    assert (two_layer.predict(params, x, hidden) == y).all()
    assert costs[-1] < 0.05


def test_update_changes_nothing_in_place():
    params, x, y = example()
    before = {name: value.copy() for name, value in params.items()}
    two_layer.update_parameters(params, gradients(params, x, y, "tanh"))
    np.testing.assert_equal(params, before)


def test_update_leaves_the_deltas_out():
    params, x, y = example()
    updated = two_layer.update_parameters(params, gradients(params, x, y, "tanh"))
    assert list(updated) == list(params)


def test_far_logits_have_a_finite_cost():
    params, x, y = example()
    far = {name: 1000 * value for name, value in params.items()}
    with np.errstate(all="raise", under="ignore"):
        found = cost(far, x, y, "relu")
    assert np.isfinite(found)


def test_layer_shapes_are_read_off_the_data():
    shapes = two_layer.layer_shapes(np.zeros((3, 9)), np.zeros((2, 9)), 5)
    assert shapes == (9, 3, 5, 2)


def test_different_numbers_of_examples_are_refused():
    with pytest.raises(ValueError, match="x has 9 columns and y has 1: expected"):
        two_layer.layer_shapes(np.zeros((3, 9)), np.zeros((9, 1)), 5)


def test_unknown_hidden_activation_is_refused():
    params, x, _ = example()
    with pytest.raises(ValueError, match="'softmax': expected 'tanh' or 'relu'"):
        two_layer.forward_propagation(x, params, "softmax")
