"""Networks in the notes' notation, examples in columns, against a complex step.

The complex step runs plain NumPy written here: it knows nothing of the engine. It
has no cancellation, so its error is that of evaluating the network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.derivations import l_layer

STEP = 1e-40
TOLERANCE = 1e-12
"""In norm, per tensor, while |z| is at most 5 (the bound that is promised)."""

PLAIN = {
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "relu": lambda z: np.where(z.real >= 0, z, 0),
    "leaky": lambda z: np.where(z.real >= 0, z, 0.01 * z),
    "linear": lambda z: z,
}
GRAPH = {
    "tanh": tg.tanh,
    "sigmoid": tg.sigmoid,
    "relu": tg.relu,
    "leaky": lambda z: tg.relu(z, beta=0.01),
    "linear": lambda z: z,
}


@dataclass
class Network:
    sizes: list[int]
    activations: list[str]
    n: int
    seed: int

    def data(self) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        rng = np.random.default_rng(self.seed)
        params = {}
        for layer in range(1, len(self.sizes)):
            shape = self.sizes[layer], self.sizes[layer - 1]
            # Rows of norm 1 or less and inputs in [-1, 1] keep |z| small; below, the
            # test rejects the rest.
            params[f"W{layer}"] = rng.uniform(-1, 1, shape) / np.sqrt(shape[1])
            params[f"b{layer}"] = rng.uniform(-1, 1, (shape[0], 1))
        x = rng.uniform(-1, 1, (self.sizes[0], self.n))
        y = (rng.random((self.sizes[-1], self.n)) > 0.5).astype(float)
        return params, x, y


@st.composite
def networks(draw: st.DrawFn) -> Network:
    depth = draw(st.integers(1, 5))
    sizes = draw(st.lists(st.integers(1, 9), min_size=depth + 1, max_size=depth + 1))
    hidden = draw(
        st.lists(st.sampled_from(list(PLAIN)), min_size=depth - 1, max_size=depth - 1)
    )
    return Network(
        sizes,
        [*hidden, "sigmoid"],
        draw(st.integers(1, 12)),
        draw(st.integers(0, 2**32 - 1)),
    )


def plain_loss(
    network: Network,
    params: dict[str, np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    nudges: dict[str, np.ndarray],
) -> complex:
    a = x
    for layer, name in enumerate(network.activations, 1):
        z = params[f"W{layer}"] @ a + params[f"b{layer}"]
        z = z + nudges.get(f"z{layer}", 0)
        a = PLAIN[name](z)
    # log a and log(1 - a) of a sigmoid, from z: no digits are lost near 0 and 1.
    return (np.log(1 + np.exp(-z)) * y + np.log(1 + np.exp(z)) * (1 - y)).sum() / len(
        x.T
    )


def complex_step(
    network: Network,
    params: dict[str, np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    name: str,
    shape: tuple[int, ...],
) -> np.ndarray:
    found = np.empty(shape)
    for index in np.ndindex(shape):
        nudge = np.zeros(shape, complex)
        nudge[index] = 1j * STEP
        nudged = {**params, name: params[name] + nudge} if name in params else params
        found[index] = plain_loss(network, nudged, x, y, {name: nudge}).imag / STEP
    return found


def graph_loss(
    network: Network, params: dict[str, tg.Tensor], x: np.ndarray, y: np.ndarray
) -> tuple[tg.Tensor, dict[str, tg.Tensor]]:
    a, zs = x, {}
    for layer, name in enumerate(network.activations, 1):
        z = zs[f"z{layer}"] = params[f"W{layer}"] @ a + params[f"b{layer}"]
        a = GRAPH[name](z)
    return tg.log_loss(a, y, example_axis=1), zs


@given(networks())
def test_every_adjoint_agrees_with_a_complex_step(network: Network) -> None:
    arrays, x, y = network.data()
    params = {k: tg.tensor(v, requires_grad=True, name=k) for k, v in arrays.items()}
    J, zs = graph_loss(network, params, x, y)
    assert all(np.abs(z.numpy()).max() <= 5 for z in zs.values())
    targets = {**params, **zs}
    adjoints = tg.gradients(J, targets)
    for name, target in targets.items():
        reference = complex_step(network, arrays, x, y, name, target.shape)
        error = np.linalg.norm(adjoints[name] - reference)
        assert error <= TOLERANCE * np.linalg.norm(reference), name


@given(networks())
def test_the_graph_agrees_with_the_handwritten_recursion(network: Network) -> None:
    arrays, x, y = network.data()
    layers = range(1, len(network.sizes))
    nested = {
        "w": {i: arrays[f"W{i}"] for i in layers},
        "b": {i: arrays[f"b{i}"] for i in layers},
    }
    names = ["leaky_relu" if a == "leaky" else a for a in network.activations]
    cache = l_layer.forward_propagation(nested, x, names)
    by_hand = l_layer.backward_propagation(nested, cache, y, names)
    params = {k: tg.tensor(v) for k, v in arrays.items()}
    J, zs = graph_loss(network, params, x, y)
    adjoints = tg.gradients(J, {**params, **zs})
    for i in layers:
        pairs = (
            (adjoints[f"W{i}"], by_hand["w"][i]),
            (adjoints[f"b{i}"], by_hand["b"][i]),
            (adjoints[f"z{i}"], by_hand["delta"][i] / network.n),
        )
        for ours, theirs in pairs:
            np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-15)


@given(networks(), st.floats(6, 400))
def test_far_beyond_saturation_adjoints_stay_within_rounding(
    network: Network, factor: float
) -> None:
    arrays, x, y = network.data()
    last = len(network.sizes) - 1
    arrays[f"W{last}"] *= factor
    params = {k: tg.tensor(v) for k, v in arrays.items()}
    J, zs = graph_loss(network, params, x, y)
    dz = tg.gradients(J, zs[f"z{last}"])
    z = zs[f"z{last}"].numpy()
    e = np.exp(-np.abs(z))
    # a − y to full relative accuracy: σ(z) − 1 = −σ(−z).
    sigma, one_minus = (
        np.where(z >= 0, 1, e) / (1 + e),
        np.where(z >= 0, e, 1) / (1 + e),
    )
    exact = np.where(y == 1, -one_minus, sigma) / network.n
    # a carries one rounding of its own; a − y keeps its absolute size.
    np.testing.assert_allclose(dz, exact, rtol=1e-13, atol=4 * np.finfo(float).eps)
    assert np.isfinite(J.numpy())
