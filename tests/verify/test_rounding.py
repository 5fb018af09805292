"""The propagated bound: it holds, it is not idle, and a small mistake exceeds it."""

from __future__ import annotations

import numpy as np
import pytest

from tensorgrad.verify.rounding import gradient_bounds
from tests.verify.networks import numbered_network

FAR = 8.0
N_NETWORKS = 150

# Three ways, each within the bound, in other orders of summation.
ORDERS = 8


def ratios(network, changed=1.0):
    """Return error by bound, in norm, for every parameter."""
    by_hand, by_graph = network.by_hand(), network.graph().gradients()
    bounds, norm = gradient_bounds(network), np.linalg.norm
    return [
        float(
            norm(changed * by_hand[kind][l] - by_graph[kind][l])
            / max(norm(bounds[kind][l]), 1e-300)
        )
        for kind in ("w", "b")
        for l in network.layers
    ]


@pytest.mark.parametrize("scale", [1.0, FAR])
def test_bound_holds(scale):
    networks = [numbered_network(k, scale) for k in range(N_NETWORKS)]
    assert max(max(ratios(network)) for network in networks) <= ORDERS


def test_far_networks_go_far():
    largest = max(
        np.abs(z).max()
        for k in range(N_NETWORKS)
        for z in numbered_network(k, FAR).forward()["z"].values()
    )
    assert 30 < largest < 41


def test_bound_is_no_more_than_rounding_near_zero():
    relative = []
    for k in range(N_NETWORKS):
        network = numbered_network(k)
        found, bounds = network.by_hand()["w"], gradient_bounds(network)["w"]
        sizes = [np.linalg.norm(found[l]) for l in network.layers]
        relative += [
            np.linalg.norm(bounds[l]) / size
            for l, size in zip(network.layers, sizes, strict=True)
            if size > 0
        ]
    # Some ten roundings in each of some ten layers and sums.
    assert np.median(relative) < 1e-13


def test_error_of_a_billionth_exceeds_the_bound():
    found = [
        max(ratios(numbered_network(k), changed=1 + 1e-9)) for k in range(N_NETWORKS)
    ]
    assert np.mean(np.array(found) > ORDERS) > 0.9
