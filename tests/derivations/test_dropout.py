"""Dropout against complex steps, and against sums over all masks that there are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.derivations import l_layer
from tensorgrad.derivations.dropout import descend, drop
from tests.derivations.steps import complex_gradient

# Sums of up to 64 rounded terms of size up to 10.
ROUNDING = 1e-12

SEEDS = st.integers(0, 10**6)
KEEP = st.floats(0.05, 1)
NAMES = ["tanh", "sigmoid"]


def network(seed=0, n=6):
    rng = np.random.default_rng(seed)
    params = l_layer.initialise_parameters([3, 5, 1], rng)
    return params, rng.normal(size=(3, n)), rng.integers(0, 2, (1, n)).astype(float)


def all_masks(shape, p):
    """Yield every mask of a shape, and its probability."""
    size = int(np.prod(shape))
    for entries in itertools.product([0, 1], repeat=size):
        kept = sum(entries)
        yield np.reshape(entries, shape), p**kept * (1 - p) ** (size - kept)


def expectation(function, shape, p):
    return sum(chance * function(mask) for mask, chance in all_masks(shape, p))


@given(seed=SEEDS, p=KEEP)
def test_average_over_all_masks_drops_nothing(seed, p):
    a = np.random.default_rng(seed).normal(size=(2, 3))
    found = expectation(lambda mask: drop(a, mask, p), a.shape, p)
    np.testing.assert_allclose(found, a, atol=ROUNDING)


@given(seed=SEEDS, p=KEEP)
def test_dropout_of_the_input_penalises_a_linear_model(seed, p):
    # E (wᵀ(x ⊙ D/p) - y)² = (wᵀx - y)² + (1 - p)/p Σ w²x² (Wager and others, 2013).
    rng = np.random.default_rng(seed)
    w, x, y = rng.normal(size=(1, 5)), rng.normal(size=(5, 1)), rng.normal()
    found = expectation(
        lambda mask: ((w @ drop(x, mask, p)).item() - y) ** 2, x.shape, p
    )
    penalty = (1 - p) / p * np.sum(w**2 * x.T**2)
    expected = (w @ x - y).item() ** 2 + penalty
    assert found == pytest.approx(expected, rel=1e-10)


@given(seed=SEEDS, p=KEEP)
def test_average_gradient_of_a_linear_model_is_that_of_the_penalised_one(seed, p):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(3, 2)), rng.normal(size=(1, 2))
    params = {"w": {1: rng.normal(size=(1, 3))}, "b": {1: np.zeros((1, 1))}}

    def gradient(mask):
        cache = l_layer.forward_propagation(params, x, ["linear"], {0: mask}, {0: p})
        return l_layer.backward_propagation(params, cache, y, ["linear"])["w"][1]

    cache = l_layer.forward_propagation(params, x, ["linear"])
    whole = l_layer.backward_propagation(params, cache, y, ["linear"])["w"][1]
    shrink = 2 * (1 - p) / p * params["w"][1] * (x**2).mean(axis=1)
    found = expectation(gradient, x.shape, p)
    np.testing.assert_allclose(found, whole + shrink, rtol=1e-10, atol=1e-10)


@given(seed=SEEDS, p=KEEP)
def test_drop_is_its_own_transpose(seed, p):
    rng = np.random.default_rng(seed)
    a, v = rng.normal(size=(2, 4, 3))
    mask = rng.random((4, 3)) < p
    forwards = np.vdot(v, drop(a, mask, p))
    assert forwards == pytest.approx(np.vdot(drop(v, mask, p), a), abs=1e-10)


@given(seed=SEEDS)
def test_drop_is_what_the_deep_network_does(seed):
    params, x, _ = network(seed)
    keep_prob = {0: 0.9, 1: 0.5}
    masks = l_layer.draw_masks([3, 5, 1], 6, keep_prob, seed)
    cache = l_layer.forward_propagation(params, x, NAMES, masks, keep_prob)
    np.testing.assert_allclose(cache["a"][0], drop(x, masks[0], 0.9), rtol=1e-15)
    np.testing.assert_allclose(
        cache["a"][1], drop(np.tanh(cache["z"][1]), masks[1], 0.5), rtol=1e-15
    )


@pytest.mark.parametrize("layers", [[0], [1], [0, 1]])
@given(seed=SEEDS, p=KEEP)
def test_a_step_of_descent_goes_down_the_gradient_of_a_complex_step(layers, seed, p):
    params, x, y = network(seed)
    keep_prob = dict.fromkeys(layers, p)
    masks = l_layer.draw_masks([3, 5, 1], 6, keep_prob, np.random.default_rng(seed))

    def cost(value):
        moved = {**params, "w": {**params["w"], 1: value}}
        cache = l_layer.forward_propagation(moved, x, NAMES, masks, keep_prob)
        return l_layer.compute_cost(moved, cache, y, NAMES)

    after, _ = descend(
        params,
        x,
        y,
        NAMES,
        keep_prob=keep_prob,
        rng=seed,
        learning_rate=1.0,
        num_iters=1,
    )
    # Dividing by p = 0.05 twice makes terms up to 400 times as large.
    np.testing.assert_allclose(
        params["w"][1] - after["w"][1],
        complex_gradient(cost, params["w"][1]),
        atol=400 * ROUNDING,
    )


def test_every_iteration_draws_masks_of_its_own():
    params, x, y = network()
    # Without steps the costs differ by their masks only.
    _, costs = descend(
        params, x, y, NAMES, keep_prob={1: 0.5}, learning_rate=0.0, num_iters=50
    )
    assert len(set(costs[:-1])) > 45


def test_last_cost_is_that_of_the_whole_network():
    params, x, y = network()
    _, costs = descend(
        params, x, y, NAMES, keep_prob={1: 0.5}, learning_rate=0.0, num_iters=1
    )
    cache = l_layer.forward_propagation(params, x, NAMES)
    assert costs[-1] == l_layer.compute_cost(params, cache, y, NAMES)


def test_descent_that_keeps_all_is_plain_descent():
    params, x, y = network()
    found = descend(params, x, y, NAMES, keep_prob={0: 1.0, 1: 1.0}, num_iters=20)
    expected = l_layer.descend(params, x, y, NAMES, num_iters=20)
    np.testing.assert_equal(found, expected)


def test_same_seed_gives_the_same_parameters():
    params, x, y = network()
    runs = [
        descend(params, x, y, NAMES, keep_prob={0: 0.7, 1: 0.5}, rng=3, num_iters=20)
        for _ in range(2)
    ]
    np.testing.assert_equal(runs[0], runs[1])


def test_a_generator_goes_on_where_it_is():
    params, x, y = network()
    rng = np.random.default_rng(3)
    first, _ = descend(params, x, y, NAMES, keep_prob={1: 0.5}, rng=rng, num_iters=4)
    found, _ = descend(first, x, y, NAMES, keep_prob={1: 0.5}, rng=rng, num_iters=4)
    expected, _ = descend(params, x, y, NAMES, keep_prob={1: 0.5}, rng=3, num_iters=8)
    np.testing.assert_equal(found, expected)


def test_fresh_masks_train_every_node():
    params, x, y = network(n=2)
    after, _ = descend(params, x, y, NAMES, keep_prob={1: 0.5}, num_iters=60)
    moved = np.abs(after["w"][1] - params["w"][1]).max(axis=1)
    assert np.all(moved > 0)


def test_frozen_masks_leave_dropped_nodes_as_they_were():
    params, x, y = network(n=2)
    start = params["w"][1]
    masks = {1: np.array([[1, 1], [0, 0], [1, 0], [1, 1], [0, 0]])}
    for _ in range(60):
        cache = l_layer.forward_propagation(params, x, NAMES, masks, {1: 0.5})
        grads = l_layer.backward_propagation(params, cache, y, NAMES)
        params = l_layer.update_parameters(params, grads)
    np.testing.assert_array_equal(params["w"][1][[1, 4]], start[[1, 4]])


def test_matrix_product_with_a_mask_mixes_examples_where_it_runs():
    rng = np.random.default_rng(0)
    a, mask = rng.normal(size=(4, 4)), rng.random((4, 4)) < 0.5
    other = a.copy()
    other[:, 0] += 1.0
    # The first example changes; the printed product changes the others, too.
    assert not np.allclose((a @ mask)[:, 1:], (other @ mask)[:, 1:])
    np.testing.assert_array_equal(
        drop(a, mask, 0.5)[:, 1:], drop(other, mask, 0.5)[:, 1:]
    )


@pytest.mark.parametrize("p", [0.0, -0.5, 1.5, float("nan")])
def test_probability_of_a_mask_that_is_none_is_refused(p):
    with pytest.raises(ValueError, match="dropout: keep_prob is"):
        drop(np.ones((1, 1)), np.ones((1, 1)), p)


def test_descent_refuses_before_any_step():
    params, x, y = network()
    with pytest.raises(ValueError, match="keep_prob of layer 1 is 0"):
        descend(params, x, y, NAMES, keep_prob={1: 0.0}, num_iters=0)


def test_mask_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="Draw a mask for every example"):
        drop(np.ones((4, 5)), np.ones((4, 1)), 0.5)
