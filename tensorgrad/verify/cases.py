"""Random cases for the claims: arrays, and networks with their data.

Hypothesis draws the structure (sizes, names, rates) and a seed; the values come from
the seed. Sizes and names shrink to simple ones that way, while values stay generic:
distinct widths, biases that are not zero, weights of size 1, none of which hides a
mistake.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tensorgrad._typing import Array
from tensorgrad.derivations import l_layer
from tensorgrad.derivations.activations import activate
from tensorgrad.derivations.losses import loss_of_head, mean_loss
from tensorgrad.derivations.regularisation import penalty
from tensorgrad.testing.networks import Graph, network_graph
from tensorgrad.verify.numerical import complex_gradient

__all__ = [
    "ANY",
    "SMOOTH",
    "Network",
    "draw_network",
    "matrices",
    "networks",
    "seeds",
    "targets",
]

SMOOTH = ("linear", "sigmoid", "tanh", "softmax")
ANY = (*SMOOTH, "relu", "leaky_relu")

LARGEST_Z = 5.0
"""Up to here, 1 - a² and a(1 - a) have at most 4 digits less than 1."""

seeds = st.integers(0, 2**32 - 1)


@dataclass(frozen=True, slots=True)
class Network:
    """A network, its data, and what three ways make of its gradient.

    Attributes
    ----------
    sizes : tuple of int
        Nodes of the layers 0 … L.
    activations : tuple of str
        Of the layers 1 … L.
    params : dict
        ``{"w": {1: …}, "b": {1: …}}``.
    x, y : ndarray, shapes (sizes[0], n), (sizes[L], n)
    loss : str
    lam : float
    masks, keep_prob : dict
        By layer, where there is dropout.
    """

    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    params: dict[str, dict[int, Array]] = field(repr=False)
    x: Array = field(repr=False)
    y: Array = field(repr=False)
    loss: str
    lam: float = 0.0
    masks: dict[int, Array] = field(default_factory=dict, repr=False)
    keep_prob: dict[int, float] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """The number of examples."""
        return int(self.x.shape[1])

    @property
    def layers(self) -> range:
        """The numbers 1 … L."""
        return range(1, len(self.sizes))

    def forward(self) -> dict[str, Any]:
        """Return z, a and the scaled masks, in plain NumPy."""
        return l_layer.forward_propagation(
            self.params, self.x, self.activations, self.masks, self.keep_prob
        )

    def by_hand(self) -> dict[str, Any]:
        """Return w, b and delta (without 1/n) by the derivation of the notes."""
        return l_layer.backward_propagation(
            self.params,
            self.forward(),
            self.y,
            self.activations,
            loss=self.loss,
            lam=self.lam,
        )

    def graph(self) -> Graph:
        """Return the same network as a graph."""
        return network_graph(
            self.params,
            self.x,
            self.y,
            self.activations,
            loss=self.loss,
            lam=self.lam,
            masks=self.masks,
            keep_prob=self.keep_prob,
        )

    def loss_from(self, l: int, z: Any) -> Any:
        """Return the mean loss, going on from the z of layer l; z may be complex."""
        for k in range(l, len(self.sizes)):
            if k == len(self.sizes) - 1:
                return mean_loss(self.loss, self.activations[k - 1], z, self.y)
            a = activate(self.activations[k - 1], z)
            if k in self.masks:
                a = a * self.masks[k] / self.keep_prob[k]
            z = self.params["w"][k + 1] @ a + self.params["b"][k + 1]
        raise AssertionError(f"there is no layer {l}")

    def numerical(self, layers: Sequence[int] | None = None) -> dict[str, Any]:
        """Return w and b by complex steps on the cost, which know no derivative."""
        a = self.forward()["a"]
        w, b = self.params["w"], self.params["b"]
        found: dict[str, dict[int, Array]] = {"w": {}, "b": {}}
        for l in self.layers if layers is None else layers:

            def of_weights(value: Array, l: int = l) -> Any:
                moved = {**w, l: value}
                loss = self.loss_from(l, value @ a[l - 1] + b[l])
                return loss + (penalty(moved, self.n, self.lam) if self.lam else 0.0)

            def of_biases(value: Array, l: int = l) -> Any:
                return self.loss_from(l, w[l] @ a[l - 1] + value)

            found["w"][l] = complex_gradient(of_weights, w[l])
            found["b"][l] = complex_gradient(of_biases, b[l])
        return found

    def numerical_delta(self, l: int) -> Array:
        """Return n ∂J/∂z of layer l by complex steps."""
        z = self.forward()["z"][l]
        return self.n * complex_gradient(lambda value: self.loss_from(l, value), z)


def targets(rng: np.random.Generator, n_outputs: int, n: int, loss: str) -> Array:
    """Draw targets in columns: labels, one-hot columns, or numbers."""
    if loss == "log_loss":
        return rng.integers(0, 2, (n_outputs, n)).astype(np.float64)
    if loss == "cross_entropy":
        return np.eye(n_outputs)[:, rng.integers(0, n_outputs, n)]
    return rng.normal(size=(n_outputs, n))


def draw_network(
    seed: int,
    sizes: Sequence[int],
    activations: Sequence[str],
    *,
    n: int,
    loss: str | None = None,
    lam: float = 0.0,
    keep_prob: dict[int, float] | None = None,
    scale: float = 1.0,
) -> Network:
    """Draw the values of a network with |z| at most 5 · scale.

    Parameters
    ----------
    seed : int
    sizes : sequence of int
        Nodes of the layers 0 … L.
    activations : sequence of str
    n : int
        Examples.
    loss : str, optional
        By default that of the head.
    lam : float
    keep_prob : dict of int to float, optional
    scale : float
        Of weights and biases, and of the largest z.

    Returns
    -------
    Network

    Examples
    --------
    >>> network = draw_network(0, [3, 4, 2], ["tanh", "softmax"], n=5)
    >>> network.loss, network.y.sum(axis=0).tolist()
    ('cross_entropy', [1.0, 1.0, 1.0, 1.0, 1.0])
    """
    rng = np.random.default_rng(seed)
    keep_prob = keep_prob or {}
    loss = loss or loss_of_head(activations[-1])
    masks = l_layer.draw_masks(sizes, n, keep_prob, rng)
    x = rng.normal(size=(sizes[0], n))
    params: dict[str, dict[int, Array]] = {"w": {}, "b": {}}
    a = x * masks[0] / keep_prob[0] if 0 in masks else x
    for l, name in enumerate(activations, start=1):
        w = scale * rng.normal(size=(sizes[l], sizes[l - 1])) / np.sqrt(sizes[l - 1])
        b = scale * rng.normal(size=(sizes[l], 1)) / 2
        z = w @ a + b
        # Smaller weights where a z would leave the range.
        shrink = min(1.0, LARGEST_Z * scale / max(np.abs(z).max(), 1e-300))
        params["w"][l], params["b"][l] = shrink * w, shrink * b
        a = activate(name, shrink * z)
        if l in masks:
            a = a * masks[l] / keep_prob[l]
    return Network(
        sizes=tuple(sizes),
        activations=tuple(activations),
        params=params,
        x=x,
        y=targets(rng, sizes[-1], n, loss),
        loss=loss,
        lam=lam,
        masks=masks,
        keep_prob=keep_prob,
    )


@st.composite
def networks(
    draw: Any,
    *,
    depths: tuple[int, int] = (1, 5),
    activations: Sequence[str] = ANY,
    heads: Sequence[str] = ANY,
    lams: Sequence[float] = (0.0, 0.1, 1.7),
    rates: Sequence[float] = (),
    scale: float = 1.0,
) -> Network:
    """Draw networks: the structure by Hypothesis, the values from a seed.

    Parameters
    ----------
    depths : tuple of int
        The least and the largest L.
    activations, heads : sequence of str
        For the hidden layers, and for the last one.
    lams : sequence of float
    rates : sequence of float
        What keep_prob may be; empty for no dropout.
    scale : float
        As in `draw_network`.
    """
    depth = draw(st.integers(*depths))
    width = st.integers(1, 4)
    sizes = draw(st.lists(width, min_size=depth + 1, max_size=depth + 1))
    hidden = draw(
        st.lists(st.sampled_from(activations), min_size=depth - 1, max_size=depth - 1)
    )
    head = draw(st.sampled_from(heads))
    keep_prob = {}
    if rates:
        dropped = draw(st.lists(st.integers(0, depth - 1), unique=True))
        keep_prob = {l: draw(st.sampled_from(rates)) for l in sorted(dropped)}
    return draw_network(
        draw(seeds),
        sizes,
        [*hidden, head],
        n=draw(st.integers(1, 7)),
        lam=draw(st.sampled_from(lams)),
        keep_prob=keep_prob,
        scale=scale,
    )


def matrices(
    rows: tuple[int, int] = (1, 5),
    columns: tuple[int, int] = (1, 7),
    scale: float = 2.0,
) -> Any:
    """Draw matrices of normal numbers, Hypothesis choosing shape and seed."""

    def make(m: int, n: int, seed: int) -> Array:
        return scale * np.random.default_rng(seed).normal(size=(m, n))

    return st.builds(make, st.integers(*rows), st.integers(*columns), seeds)
