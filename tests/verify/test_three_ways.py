"""By hand, by the graph, by complex steps: one gradient, in a thousand networks."""

from __future__ import annotations

import numpy as np
import pytest

from tensorgrad.verify.records import ROUNDING, distance
from tests.verify.networks import numbered_network

N_NETWORKS = 1000
N_GROUPS = 20


def groups():
    return np.array_split(np.arange(N_NETWORKS), N_GROUPS)


def errors_of(network):
    """Return the largest distance of two opinions for every parameter."""
    by_hand, by_graph = network.by_hand(), network.graph().gradients()
    numerical = network.numerical()
    found = {}
    for kind in ("w", "b"):
        for l in network.layers:
            parts = by_hand[kind][l], by_graph[kind][l], numerical[kind][l]
            pairs = [(0, 1), (0, 2), (1, 2)]
            found[f"{kind}{l}"] = max(distance(parts[i], parts[j]) for i, j in pairs)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("numbers", groups(), ids=lambda numbers: f"{numbers[0]}-")
def test_three_gradients_of_a_network_are_one(numbers):
    networks = {int(number): numbered_network(int(number)) for number in numbers}
    errors = {number: errors_of(network) for number, network in networks.items()}
    apart = {
        (number, name): error
        for number, found in errors.items()
        for name, error in found.items()
        if not error <= ROUNDING
    }
    assert apart == {}


def test_networks_have_every_depth_activation_penalty_and_masks():
    networks = [numbered_network(number) for number in range(N_NETWORKS)]
    assert {len(network.layers) for network in networks} == set(range(1, 9))
    assert len({name for network in networks for name in network.activations}) == 6
    assert len({network.lam for network in networks}) == 3
    assert {l for network in networks for l in network.masks} >= {0, 1, 7}


def test_pre_activations_stay_where_derivatives_keep_their_digits():
    largest = max(
        np.abs(z).max()
        for number in range(N_NETWORKS)
        for z in numbered_network(number).forward()["z"].values()
    )
    # Scaled to 5 where they would be larger, up to rounding.
    assert 4 < largest < 5 + 1e-12


def test_delta_of_every_layer_is_n_times_the_adjoint_of_z():
    network = numbered_network(5)
    deltas, adjoints = network.by_hand()["delta"], network.graph().gradients()["z"]
    for l in network.layers:
        assert distance(deltas[l], network.n * adjoints[l]) <= ROUNDING
        assert distance(deltas[l], network.numerical_delta(l)) <= ROUNDING
