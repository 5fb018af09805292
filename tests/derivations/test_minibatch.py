"""Batches divide the training set, and the mean of their gradients is the gradient."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.derivations import l_layer
from tensorgrad.derivations.minibatch import (
    batch_cost,
    batch_gradients,
    descend,
    divide,
    mean_gradients,
    schedule,
)
from tests.derivations.steps import complex_gradient, distance

# Sums of some thirty rounded terms of size up to 10.
ROUNDING = 1e-12

SEEDS = st.integers(0, 10**6)
SIZES = st.integers(1, 40)
LAMS = st.sampled_from([0.0, 0.7, 20.0])
NAMES = ["tanh", "relu", "softmax"]


def network(seed=0, n=11):
    rng = np.random.default_rng(seed)
    params = l_layer.initialise_parameters([3, 5, 4, 2], rng)
    y = np.eye(2)[:, rng.integers(0, 2, n)]
    return params, rng.normal(size=(3, n)), y


def full_gradients(params, x, y, lam):
    cache = l_layer.forward_propagation(params, x, NAMES)
    return l_layer.backward_propagation(params, cache, y, NAMES, lam=lam)


def full_cost(params, x, y, lam):
    cache = l_layer.forward_propagation(params, x, NAMES)
    return l_layer.compute_cost(params, cache, y, NAMES, lam=lam)


@given(n=SIZES, batch_size=st.integers(1, 50))
def test_there_are_n_over_b_batches_rounded_up(n, batch_size):
    assert len(divide(n, batch_size)) == -(-n // batch_size)


@given(n=SIZES, batch_size=st.integers(1, 50), seed=SEEDS)
def test_every_example_is_in_one_batch(n, batch_size, seed):
    together = np.concatenate(divide(n, batch_size, seed))
    np.testing.assert_array_equal(np.sort(together), np.arange(n))


@given(n=SIZES, batch_size=st.integers(1, 50), seed=SEEDS)
def test_all_batches_but_the_last_are_full(n, batch_size, seed):
    *full, last = [len(batch) for batch in divide(n, batch_size, seed)]
    assert full == [batch_size] * len(full)
    assert 1 <= last <= batch_size


def test_example_of_the_notes_has_a_thousand_batches():
    assert len(divide(5_000_000, 5_000)) == 1_000


@given(n=SIZES, seed=SEEDS)
def test_one_batch_of_all_is_not_shuffled(n, seed):
    (batch,) = divide(n, n, seed)
    np.testing.assert_array_equal(batch, np.arange(n))


def test_epochs_are_shuffled_anew():
    first, second = schedule(50, 49, 1, 0), schedule(50, 49, 2, 0)
    assert next(first).tolist() == next(second).tolist()
    assert [*second][1].tolist() != divide(50, 49, 0)[0].tolist()


@given(n=SIZES, batch_size=SIZES, epochs=st.integers(0, 4), seed=SEEDS)
def test_every_example_is_seen_once_an_epoch(n, batch_size, epochs, seed):
    seen = np.concatenate([[], *schedule(n, batch_size, epochs, seed)]).astype(int)
    np.testing.assert_array_equal(np.bincount(seen, minlength=n), epochs)


@given(n=SIZES, batch_size=SIZES, seed=SEEDS, lam=LAMS)
def test_weighted_mean_of_the_costs_is_the_cost(n, batch_size, seed, lam):
    params, x, y = network(seed, n)
    found = sum(
        len(t) / n * batch_cost(params, x[:, t], y[:, t], NAMES, n=n, lam=lam)
        for t in divide(n, batch_size, seed)
    )
    assert found == pytest.approx(full_cost(params, x, y, lam), rel=ROUNDING)


@pytest.mark.parametrize("kind", ["w", "b"])
@given(n=SIZES, batch_size=SIZES, seed=SEEDS, lam=LAMS)
def test_weighted_mean_of_the_gradients_is_the_gradient(kind, n, batch_size, seed, lam):
    params, x, y = network(seed, n)
    batches = divide(n, batch_size, seed)
    found = mean_gradients(params, x, y, NAMES, batches=batches, lam=lam)[kind]
    expected = full_gradients(params, x, y, lam)[kind]
    for l, gradient in found.items():
        np.testing.assert_allclose(gradient, expected[l], atol=ROUNDING)


@pytest.mark.parametrize("kind", ["w", "b"])
@given(seed=SEEDS, lam=LAMS, n=st.integers(6, 10**6))
def test_gradients_of_a_batch_are_those_of_a_complex_step(kind, seed, lam, n):
    params, x, y = network(seed, 6)
    found = batch_gradients(params, x, y, NAMES, n=n, lam=lam)[kind]
    for l in found:

        def cost(value, l=l):
            moved = {**params, kind: {**params[kind], l: value}}
            return batch_cost(moved, x, y, NAMES, n=n, lam=lam)

        expected = complex_gradient(cost, params[kind][l])
        np.testing.assert_allclose(found[l], expected, atol=ROUNDING)


@pytest.mark.parametrize("batch_size", [1, 3, 4, 11])
def test_printed_penalty_is_as_many_times_too_strong_as_there_are_batches(batch_size):
    n, lam = 11, 0.7
    params, x, y = network(n=n)
    batches = divide(n, batch_size)
    # The penalty over the size of the batch: n is that of the batch alone.
    printed = sum(
        len(t)
        / n
        * batch_gradients(params, x[:, t], y[:, t], NAMES, n=len(t), lam=lam)["w"][1]
        for t in batches
    )
    plain = full_gradients(params, x, y, 0.0)["w"][1]
    expected = len(batches) * lam / n * params["w"][1]
    assert distance(printed - plain, expected) < ROUNDING


def test_mean_without_weights_is_not_the_gradient():
    params, x, y = network(n=11)
    parts = [
        batch_gradients(params, x[:, t], y[:, t], NAMES, n=11)["w"][1]
        for t in divide(11, 4)
    ]
    expected = full_gradients(params, x, y, 0.0)["w"][1]
    assert distance(np.mean(parts, axis=0), expected) > 1e-3


@pytest.mark.parametrize("order", ["C", "F"])
@given(seed=SEEDS, lam=LAMS, epochs=st.integers(0, 5), n=SIZES)
def test_one_batch_of_all_is_batch_descent_bit_for_bit(order, seed, lam, epochs, n):
    params, x, y = network(seed, n)
    x, y = np.array(x, order=order), np.array(y, order=order)
    batches = schedule(n, n, epochs, seed)
    found = descend(params, x, y, NAMES, batches=batches, lam=lam)
    expected = l_layer.descend(params, x, y, NAMES, num_iters=epochs, lam=lam)
    np.testing.assert_equal(found, expected)


def test_a_step_uses_its_batch_only():
    params, x, y = network()
    expected = descend(params, x, y, NAMES, batches=[np.array([2, 5])])[0]
    others = np.delete(np.arange(11), [2, 5])
    x[:, others] = 1e6
    found = descend(params, x, y, NAMES, batches=[np.array([2, 5])])[0]
    np.testing.assert_equal(found, expected)


def test_a_step_divides_its_penalty_by_the_training_examples():
    params, x, y = network(n=11)
    batch = np.array([2, 5])
    after, _ = descend(params, x, y, NAMES, batches=[batch], learning_rate=1.0, lam=0.7)

    def cost(value):
        moved = {**params, "w": {**params["w"], 1: value}}
        plain = full_cost(moved, x[:, batch], y[:, batch], 0.0)
        return plain + 0.7 / (2 * 11) * (value * value).sum()

    np.testing.assert_allclose(
        params["w"][1] - after["w"][1],
        complex_gradient(cost, params["w"][1]),
        atol=ROUNDING,
    )


@pytest.mark.parametrize("seed", range(610, 630))
def test_batch_of_all_keeps_the_layout_that_its_rounding_depends_on(seed):
    params, x, y = network(seed, 29)
    found = descend(params, x, y, NAMES, batches=divide(29, 29))
    expected = l_layer.descend(params, x, y, NAMES, num_iters=1)
    np.testing.assert_equal(found, expected)


def test_costs_are_those_before_each_step_and_of_all_at_the_end():
    params, x, y = network()
    after, costs = descend(params, x, y, NAMES, batches=divide(11, 4), lam=0.7)
    first = batch_cost(params, x[:, :4], y[:, :4], NAMES, n=11, lam=0.7)
    assert len(costs) == 4
    assert (costs[0], costs[-1]) == (first, full_cost(after, x, y, 0.7))


def test_descent_learns_with_batches():
    params, x, y = network(n=200)
    y = np.eye(2)[:, (x[0] > 0).astype(int)]
    batches = schedule(200, 16, 30)
    after, costs = descend(params, x, y, NAMES, batches=batches)
    assert np.mean(l_layer.predict(after, x, NAMES) != (x[:1] > 0)) < 0.03
    assert costs[-1] < 0.2 * costs[0]


def test_no_argument_is_changed():
    params, x, y = network()
    for array in [x, y, *params["w"].values(), *params["b"].values()]:
        array.flags.writeable = False
    descend(params, x, y, NAMES, batches=divide(11, 4), lam=0.7)
    np.testing.assert_equal(network(), (params, x, y))


@pytest.mark.parametrize(("n", "batch_size"), [(0, 1), (1, 0), (5, -2)])
def test_empty_batches_are_refused(n, batch_size):
    with pytest.raises(ValueError, match=f"{n} examples in batches of {batch_size}"):
        divide(n, batch_size)


def test_negative_lambda_is_refused():
    params, x, y = network()
    with pytest.raises(ValueError, match="penalty: λ is -1"):
        batch_cost(params, x, y, NAMES, n=11, lam=-1.0)
