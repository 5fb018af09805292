"""The penalty against a complex step, and the sweep that chooses its λ."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.derivations import l_layer
from tensorgrad.derivations.partition import partition
from tensorgrad.derivations.regularisation import (
    penalty,
    penalty_gradient,
    regularised_cost,
    regularised_gradients,
    sweep,
)
from tests.derivations.steps import complex_gradient, distance

# A sum of some ten products, each rounded.
ROUNDING = 1e-13

LAMS = st.floats(0, 100)
SIZES = st.lists(st.integers(1, 5), min_size=2, max_size=5)
NAMES = ["tanh", "sigmoid"]


def weights(sizes, seed):
    return l_layer.initialise_parameters(sizes, seed)["w"]


def network(seed, n=7):
    rng = np.random.default_rng(seed)
    params = l_layer.initialise_parameters([3, 4, 1], rng)
    return params, rng.normal(size=(3, n)), rng.integers(0, 2, (1, n)).astype(float)


@given(sizes=SIZES, seed=st.integers(0, 10**6), n=st.integers(1, 10**6), lam=LAMS)
def test_gradient_is_that_of_a_complex_step(sizes, seed, n, lam):
    w = weights(sizes, seed)
    found = penalty_gradient(w, n, lam)
    for l in w:
        expected = complex_gradient(
            lambda value, l=l: penalty({**w, l: value}, n, lam), w[l]
        )
        assert distance(found[l], expected) < ROUNDING


@given(sizes=SIZES, seed=st.integers(0, 10**6), lam=LAMS)
def test_penalty_is_half_the_product_of_weights_and_gradient(sizes, seed, lam):
    # Euler's identity for a function of degree 2.
    w = weights(sizes, seed)
    gradient = penalty_gradient(w, 9, lam)
    along = sum(np.vdot(w[l], gradient[l]) for l in w)
    assert penalty(w, 9, lam) == pytest.approx(along / 2, rel=ROUNDING)


@given(seed=st.integers(0, 10**6), lam=LAMS)
def test_penalty_does_not_change_under_rotation(seed, lam):
    rng = np.random.default_rng(seed)
    w, rotation = rng.normal(size=(4, 4)), np.linalg.qr(rng.normal(size=(4, 4)))[0]
    turned = penalty({1: rotation @ w}, 3, lam)
    assert turned == pytest.approx(penalty({1: w}, 3, lam), rel=ROUNDING)


@given(seed=st.integers(0, 10**6), lam=LAMS)
def test_regularised_cost_is_that_of_the_deep_network(seed, lam):
    params, x, y = network(seed)
    cache = l_layer.forward_propagation(params, x, NAMES)
    plain = l_layer.compute_cost(params, cache, y, NAMES)
    expected = l_layer.compute_cost(params, cache, y, NAMES, lam=lam)
    assert regularised_cost(plain, params["w"], 7, lam) == expected


@pytest.mark.parametrize("kind", ["w", "b"])
@given(seed=st.integers(0, 10**6), lam=LAMS)
def test_regularised_gradients_are_those_of_a_complex_step(kind, seed, lam):
    params, x, y = network(seed)

    def cost(value):
        moved = {**params, kind: {**params[kind], 1: value}}
        cache = l_layer.forward_propagation(moved, x, NAMES)
        plain = l_layer.compute_cost(moved, cache, y, NAMES)
        return regularised_cost(plain, moved["w"], 7, lam)

    cache = l_layer.forward_propagation(params, x, NAMES)
    plain = l_layer.backward_propagation(params, cache, y, NAMES)
    found = regularised_gradients(plain, params["w"], 7, lam)[kind][1]
    np.testing.assert_allclose(
        found, complex_gradient(cost, params[kind][1]), atol=100 * ROUNDING
    )


@given(lam=LAMS, learning_rate=st.floats(1e-3, 1e-2))
def test_descent_on_the_penalty_alone_decays_the_weights(lam, learning_rate):
    w = weights([3, 4, 1], 0)
    gradient = penalty_gradient(w, 5, lam)
    for l in w:
        np.testing.assert_allclose(
            w[l] - learning_rate * gradient[l],
            (1 - learning_rate * lam / 5) * w[l],
            atol=ROUNDING,
        )


def test_single_precision_stays_single():
    gradient = penalty_gradient({1: np.ones((2, 3), np.float32)}, 5, 0.1)
    assert gradient[1].dtype == np.float32


@pytest.mark.parametrize("lam", [-1e-9, float("nan"), float("inf")])
@pytest.mark.parametrize("function", [penalty, penalty_gradient])
def test_lambda_below_zero_is_refused(function, lam):
    with pytest.raises(ValueError, match="penalty: λ is"):
        function(weights([2, 1], 0), 5, lam)


def test_lambda_below_zero_is_refused_by_the_deep_network():
    params, x, y = network(0)
    cache = l_layer.forward_propagation(params, x, NAMES)
    with pytest.raises(ValueError, match="penalty: λ is"):
        l_layer.compute_cost(params, cache, y, NAMES, lam=-1.0)


def test_empty_training_set_is_refused():
    with pytest.raises(ValueError, match="penalty: n is 0"):
        penalty(weights([2, 1], 0), 0, 1.0)


def noisy_examples(seed=0):
    """Return few examples with many useless features, that a network learns by heart."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(30, 120))
    y = (x[:1] + 0.5 * rng.normal(size=(1, 120)) > 0).astype(int)
    return partition(x, y, rng=seed)


def fit(x, y, lam):
    start = l_layer.initialise_parameters([len(x), 1], 0)
    return l_layer.descend(start, x, y, ["sigmoid"], num_iters=300, lam=lam)[0]


def predict(params, x):
    return l_layer.predict(params, x, ["sigmoid"])


def run(lams):
    train, dev, test = noisy_examples()
    return sweep(fit, predict, lams, train=train, dev=dev, test=test)


def table(dev_wrong):
    """Return a sweep over λ = 0 … 3 whose models miss so many of ten dev examples."""
    y = np.zeros((1, 10), dtype=int)
    part = (np.arange(10)[None], y)
    # The other way round: what does well on the dev set does badly in training.
    train = (part[0], y + 1)
    return sweep(
        lambda x, y, lam: dev_wrong[int(lam)],
        lambda wrong, x: (x < wrong).astype(int),
        [1, 2, 3],
        train=train,
        dev=part,
        test=part,
    )


@given(wrong=st.lists(st.integers(0, 10), min_size=4, max_size=4))
def test_no_lambda_has_a_lower_dev_error_than_the_best(wrong):
    assert wrong[int(table(wrong).best_lam)] == min(wrong)


@given(wrong=st.lists(st.integers(0, 2), min_size=4, max_size=4))
def test_no_larger_lambda_ties_with_the_best(wrong):
    best = int(table(wrong).best_lam)
    assert min(wrong) not in wrong[best + 1 :]


@given(wrong=st.lists(st.integers(0, 10), min_size=4, max_size=4))
def test_test_error_is_that_of_the_chosen_model(wrong):
    found = table(wrong)
    assert found.test_error == found.model / 10


def test_no_penalty_takes_part():
    assert run([10.0, 1.0]).lams == (0.0, 1.0, 10.0)


def test_a_penalty_is_chosen_where_the_network_overfits():
    assert run([0.1, 1.0, 10.0, 100.0]).best_lam > 0


def test_weights_shrink_as_lambda_grows():
    (x, y), _, _ = noisy_examples()
    norms = [np.linalg.norm(fit(x, y, lam)["w"][1]) for lam in (0.0, 1.0, 10.0, 100.0)]
    assert norms == sorted(norms, reverse=True)


def test_training_sees_the_training_set_only():
    seen = []

    def spy(x, y, lam):
        seen.append((x, y))
        return fit(x, y, lam)

    train, dev, test = noisy_examples()
    sweep(spy, predict, [1.0], train=train, dev=dev, test=test)
    np.testing.assert_equal(seen, [train, train])


def test_test_set_is_used_once():
    train, dev, test = noisy_examples()
    seen = []

    def spy(params, x):
        seen.append(x is test[0])
        return predict(params, x)

    sweep(fit, spy, [1.0, 10.0], train=train, dev=dev, test=test)
    assert seen.count(True) == 1


def test_lambda_below_zero_is_refused_before_any_training():
    trained = []
    part = (np.zeros((1, 1)), np.zeros((1, 1)))
    with pytest.raises(ValueError, match="penalty: λ is -1"):
        sweep(
            lambda x, y, lam: trained.append(lam),
            lambda model, x: x,
            [1.0, -1.0],
            train=part,
            dev=part,
            test=part,
        )
    assert trained == []
