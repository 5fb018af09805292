"""The deep network against a complex step: any depth, head, loss, mask and penalty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.data import load, split
from tensorgrad.derivations import l_layer
from tensorgrad.derivations.gradient_check import numerical_gradient, relative_error
from tests.derivations.steps import complex_gradient

# Gradients are sums of some ten rounded terms of size up to 10.
ROUNDING = 1e-12

# Central differences of such sums: eps/h and h², both near 4e-11, relative to 1.
DIFFERENCE = 1e-7

SMOOTH = ["linear", "sigmoid", "tanh", "softmax"]
ANY = [*SMOOTH, "relu", "leaky_relu"]


@dataclass
class Network:
    """A network with data, as a test draws it."""

    params: dict
    x: np.ndarray
    y: np.ndarray
    names: list
    lam: float = 0.0
    masks: dict | None = None
    keep_prob: dict | None = None

    def forward(self, params):
        return l_layer.forward_propagation(
            params, self.x, self.names, self.masks, self.keep_prob
        )

    def cost(self, params, loss=None):
        cache = self.forward(params)
        return l_layer.compute_cost(
            params, cache, self.y, self.names, loss=loss, lam=self.lam
        )

    def gradients(self, loss=None):
        cache = self.forward(self.params)
        return l_layer.backward_propagation(
            self.params, cache, self.y, self.names, loss=loss, lam=self.lam
        )

    def cost_with(self, kind, layer, value, loss=None):
        moved = {**self.params[kind], layer: value}
        return self.cost({**self.params, kind: moved}, loss)


def make(sizes, names, *, n=5, seed=0, **options):
    rng = np.random.default_rng(seed)
    params = l_layer.initialise_parameters(sizes, rng)
    params["b"] = {l: rng.normal(size=b.shape) for l, b in params["b"].items()}
    x = rng.normal(size=(sizes[0], n))
    return Network(
        params, x, draw_targets(rng, sizes[-1], n, names[-1]), names, **options
    )


def draw_targets(rng, n_outputs, n, head):
    one_hot = np.eye(n_outputs)[:, rng.integers(0, n_outputs, n)]
    kinds = {
        "softmax": lambda: one_hot,
        "sigmoid": lambda: rng.integers(0, 2, (n_outputs, n)).astype(float),
    }
    return kinds.get(head, lambda: rng.normal(size=(n_outputs, n)))()


@st.composite
def networks(draw, activations=ANY):
    depth = draw(st.integers(1, 4))
    sizes = draw(st.lists(st.integers(1, 5), min_size=depth + 1, max_size=depth + 1))
    names = draw(st.lists(st.sampled_from(activations), min_size=depth, max_size=depth))
    n, seed = draw(st.integers(1, 6)), draw(st.integers(0, 10**6))
    dropped = draw(st.lists(st.integers(0, depth - 1), unique=True))
    keep_prob = {l: 0.3 + 0.1 * l for l in dropped}
    masks = l_layer.draw_masks(sizes, n, keep_prob, seed)
    lam = draw(st.sampled_from([0.0, 0.7]))
    return make(sizes, names, n=n, seed=seed, lam=lam, masks=masks, keep_prob=keep_prob)


def layers_of(network):
    return range(1, len(network.names) + 1)


@pytest.mark.parametrize("kind", ["w", "b"])
@given(network=networks())
def test_gradients_are_those_of_a_complex_step(kind, network):
    found = network.gradients()[kind]
    for l in layers_of(network):
        expected = complex_gradient(
            lambda value, l=l: network.cost_with(kind, l, value),
            network.params[kind][l],
        )
        np.testing.assert_allclose(found[l], expected, atol=ROUNDING)


@given(network=networks())
def test_deltas_are_n_times_the_derivatives_by_z(network):
    found, n = network.gradients()["delta"], network.x.shape[1]
    for l in layers_of(network):
        # A bias of its own for every example moves every z by itself.
        wide = np.repeat(network.params["b"][l], n, axis=1)
        expected = n * complex_gradient(
            lambda value, l=l: network.cost_with("b", l, value), wide
        )
        np.testing.assert_allclose(found[l], expected, atol=10 * ROUNDING)


@pytest.mark.parametrize(
    ("head", "loss"),
    [("sigmoid", "mse"), ("softmax", "mse"), ("softmax", "log_loss"), ("tanh", "mse")],
)
def test_loss_need_not_be_that_of_the_head(head, loss):
    network = make([3, 4, 2], ["tanh", head])
    expected = complex_gradient(
        lambda value: network.cost_with("w", 1, value, loss), network.params["w"][1]
    )
    np.testing.assert_allclose(network.gradients(loss)["w"][1], expected, atol=ROUNDING)


def test_numerical_gradient_agrees_over_all_parameters_at_once():
    network = make([4, 5, 3, 2], ["tanh", "sigmoid", "softmax"], lam=0.5)
    numerical = numerical_gradient(network.cost, network.params)
    found = network.gradients()
    errors = [
        relative_error(numerical[kind][l], found[kind][l])
        for kind in ("w", "b")
        for l in layers_of(network)
    ]
    assert max(errors) < DIFFERENCE


@given(network=networks())
def test_gradients_have_the_shapes_of_the_parameters(network):
    grads = network.gradients()
    shapes = {
        kind: {l: p.shape for l, p in layers.items()}
        for kind, layers in network.params.items()
    }
    found = {kind: {l: g.shape for l, g in grads[kind].items()} for kind in ("w", "b")}
    assert found == shapes


@given(network=networks(), data=st.data())
def test_order_of_the_examples_does_not_matter(network, data):
    n = network.x.shape[1]
    order = data.draw(st.permutations(range(n)))
    expected = network.gradients()
    network.x, network.y = network.x[:, order], network.y[:, order]
    network.masks = {l: mask[:, order] for l, mask in network.masks.items()}
    for l, found in network.gradients()["w"].items():
        np.testing.assert_allclose(found, expected["w"][l], atol=ROUNDING)


def test_repeated_examples_change_nothing():
    network = make([3, 4, 1], ["tanh", "sigmoid"])
    expected = network.gradients()["w"]
    network.x, network.y = np.tile(network.x, 3), np.tile(network.y, 3)
    for l, found in network.gradients()["w"].items():
        np.testing.assert_allclose(found, expected[l], atol=ROUNDING)


def test_penalty_adds_its_share_to_weights_only():
    network = make([3, 4, 1], ["tanh", "sigmoid"], n=5)
    plain = network.gradients()
    network.lam = 2.0
    penalised = network.gradients()
    np.testing.assert_allclose(
        penalised["w"][1] - plain["w"][1],
        2.0 / 5 * network.params["w"][1],
        atol=ROUNDING,
    )
    np.testing.assert_array_equal(penalised["b"][1], plain["b"][1])


def test_penalty_is_half_the_squares_over_n():
    network = make([3, 4, 1], ["tanh", "sigmoid"], n=5)
    plain = network.cost(network.params)
    network.lam = 2.0
    squares = sum(np.linalg.norm(w) ** 2 for w in network.params["w"].values())
    expected = plain + 2.0 / (2 * 5) * squares
    assert network.cost(network.params) == pytest.approx(expected, rel=1e-13)


def test_equal_hidden_nodes_stay_equal():
    network = make([3, 4, 4, 1], ["tanh", "relu", "sigmoid"])
    params = {
        "w": {l: np.full_like(w, 0.3) for l, w in network.params["w"].items()},
        "b": {l: np.full_like(b, 0.1) for l, b in network.params["b"].items()},
    }
    after, _ = l_layer.descend(
        params, network.x, network.y, network.names, num_iters=20
    )
    # BLAS may round equal rows differently in the last digit.
    assert np.ptp(after["w"][2], axis=0).max() < ROUNDING


def test_kept_layers_scale_by_what_they_keep():
    network = make([3, 4, 1], ["linear", "linear"])
    network.masks = {0: np.ones((3, 5)), 1: np.ones((4, 5))}
    network.keep_prob = {0: 0.5, 1: 0.25}
    cache = network.forward(network.params)
    np.testing.assert_array_equal(cache["a"][0], 2 * network.x)
    np.testing.assert_array_equal(cache["a"][1], 4 * cache["z"][1])


def test_dropped_nodes_pass_nothing_either_way():
    network = make([3, 4, 1], ["tanh", "sigmoid"])
    network.masks = {1: np.array([1, 0, 1, 1])[:, None] * np.ones((4, 5))}
    network.keep_prob = {1: 0.8}
    grads = network.gradients()
    np.testing.assert_array_equal(grads["w"][2][:, 1], 0)
    np.testing.assert_array_equal(grads["w"][1][1], 0)


def test_masks_keep_their_share(rng):
    mask = l_layer.draw_masks([1, 400, 1], 500, {1: 0.7}, rng)[1]
    # 200,000 draws: a deviation of 0.001; 5 deviations.
    assert abs(mask.mean() - 0.7) < 0.005


def test_masks_are_drawn_in_the_order_of_the_layers():
    forwards = l_layer.draw_masks([3, 4, 1], 5, {0: 0.5, 1: 0.5}, 3)
    backwards = l_layer.draw_masks([3, 4, 1], 5, {1: 0.5, 0: 0.5}, 3)
    np.testing.assert_equal(forwards, backwards)


@pytest.mark.parametrize("head", ["sigmoid", "softmax", "linear"])
def test_far_activations_give_finite_gradients(head):
    network = make([3, 4, 2], ["tanh", head])
    network.params["w"] = {l: 1000 * w for l, w in network.params["w"].items()}
    with np.errstate(all="raise", under="ignore"):
        grads = network.gradients()
        cost = network.cost(network.params)
    assert np.isfinite(cost)
    assert all(np.isfinite(g).all() for kind in grads.values() for g in kind.values())


def test_single_precision_stays_single():
    network = make([3, 4, 2], ["relu", "softmax"], lam=0.5)
    network.params = {
        kind: {l: p.astype(np.float32) for l, p in layers.items()}
        for kind, layers in network.params.items()
    }
    network.x, network.y = network.x.astype(np.float32), network.y.astype(np.float32)
    network.masks, network.keep_prob = {1: np.ones((4, 5), bool)}, {1: 0.5}
    grads = network.gradients()
    assert {g.dtype for kind in grads.values() for g in kind.values()} == {
        np.dtype(np.float32)
    }


def test_forward_and_backward_change_no_argument():
    network = make([3, 4, 2], ["relu", "softmax"], lam=0.5)
    for array in [network.x, network.y, *network.params["w"].values()]:
        array.flags.writeable = False
    l_layer.descend(
        network.params, network.x, network.y, network.names, lam=0.5, num_iters=2
    )
    assert network.cost(network.params) == make(
        [3, 4, 2], ["relu", "softmax"], lam=0.5
    ).cost(network.params)


def test_weights_start_with_the_deviation_of_their_fan_in():
    w = l_layer.initialise_parameters([400, 300, 1])["w"][1]
    # 120,000 draws: exact to 1/sqrt(240,000) = 0.2 %; 5 deviations.
    assert w.std() * 20 == pytest.approx(1, abs=0.011)


def test_weights_start_with_the_deviation_that_is_asked_for():
    w = l_layer.initialise_parameters([400, 300, 1], scale=0.01)["w"][1]
    assert w.std() == pytest.approx(0.01, rel=0.011)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("sigmoid", [[1, 0, 1]]),
        ("linear", [[2.0, -1.0, 0.0]]),
    ],
)
def test_prediction_is_that_of_the_head(head, expected):
    params = {"w": {1: np.ones((1, 1))}, "b": {1: np.zeros((1, 1))}}
    found = l_layer.predict(params, np.array([[2.0, -1.0, 0.0]]), [head])
    assert found.tolist() == expected


def test_digits_are_learnt():
    x, y = load("digits")
    train, _, test = split(x / 16, y, stratify=True)
    names = ["tanh", "softmax"]
    params, costs = l_layer.descend(
        l_layer.initialise_parameters([64, 32, 10], 0),
        train[0].T,
        np.eye(10)[:, train[1]],
        names,
        learning_rate=0.5,
        num_iters=300,
    )
    error = np.mean(l_layer.predict(params, test[0].T, names) != test[1])
    assert costs[-1] < 0.1 * costs[0]
    # A linear classifier misses about 4 % of them.
    assert error < 0.06


@pytest.mark.parametrize("names", [["tanh"], ["tanh", "relu", "sigmoid"]])
def test_every_layer_needs_an_activation(names):
    network = make([3, 4, 1], ["tanh", "sigmoid"])
    with pytest.raises(ValueError, match=f"{len(names)} activations for 2 layers"):
        l_layer.forward_propagation(network.params, network.x, names)


@pytest.mark.parametrize(
    ("masks", "keep_prob"), [([1], []), ([], [1]), ([0], [1]), ([2], [2])]
)
def test_masks_need_their_probabilities(masks, keep_prob):
    network = make([3, 4, 1], ["tanh", "sigmoid"])
    network.masks = dict.fromkeys(masks, np.ones(()))
    network.keep_prob = dict.fromkeys(keep_prob, 0.5)
    with pytest.raises(ValueError, match="expected the same layers from 0 to 1"):
        network.forward(network.params)


def test_unknown_activation_is_refused():
    network = make([3, 4, 1], ["tanh", "sigmoid"])
    with pytest.raises(ValueError, match="no activation is called 'swish'"):
        l_layer.forward_propagation(network.params, network.x, ["swish", "sigmoid"])


@pytest.mark.parametrize("p", [0.0, -0.5, 1.5, float("nan")])
def test_probabilities_that_are_none_are_refused(p):
    with pytest.raises(ValueError, match="dropout: keep_prob of layer 1 is"):
        l_layer.draw_masks([3, 4, 1], 5, {0: 0.5, 1: p})


@pytest.mark.parametrize("layer", [-1, 2, 3])
def test_layers_that_cannot_have_dropout_are_refused(layer):
    with pytest.raises(ValueError, match="expected layers from 0"):
        l_layer.check_keep_prob({layer: 0.5}, 2)


def test_division_of_a_mask_by_zero_is_refused():
    network = make([3, 4, 1], ["tanh", "sigmoid"])
    network.masks, network.keep_prob = {1: np.ones((4, 5))}, {1: 0.0}
    with pytest.raises(ValueError, match="keep_prob of layer 1 is 0"):
        network.forward(network.params)


@pytest.mark.parametrize(("layer", "shape"), [(0, (3, 1)), (1, (4, 1)), (1, (1, 5))])
def test_mask_that_would_broadcast_is_refused(layer, shape):
    network = make([3, 4, 1], ["tanh", "sigmoid"])
    network.masks, network.keep_prob = {layer: np.ones(shape)}, {layer: 0.5}
    with pytest.raises(ValueError, match=f"mask of layer {layer} has shape"):
        network.forward(network.params)
