"""The networks of the notes as graphs, examples in columns, and revealing ones to draw.

Nothing here knows a δ: the graph is the forward pass, and the sweep does the rest.

A point can hide a mistake: a forgotten transpose in a square layer, a missing 1/n at
n = 1, the derivative of the wrong layer's activation where all are the same, a penalty
on the biases where they are zero. `draw_mlp` draws points that hide none of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tensorgrad._typing import Array, Rng
from tensorgrad.autodiff.gradients import gradients
from tensorgrad.core.tensor import Tensor, tensor
from tensorgrad.nn.penalty import l2_penalty
from tensorgrad.ops import TABLE
from tensorgrad.ops.losses import cross_entropy, log_loss, mse

__all__ = [
    "ACTIVATIONS",
    "Graph",
    "Mlp",
    "activate",
    "average_loss",
    "draw_mlp",
    "leaves",
    "network_graph",
]

ACTIVATIONS = ("linear", "sigmoid", "tanh", "relu", "leaky_relu", "softmax")

HEAD_LOSSES = {"sigmoid": "log_loss", "softmax": "cross_entropy"}
"""The losses that go with a head; mean squares with the others."""

RATES = (0.6, 0.7, 0.8)
"""Keep rates apart from ½, where p and 1 - p are the same, and from 1."""

_LOSSES = {"log_loss": log_loss, "cross_entropy": cross_entropy, "mse": mse}


@dataclass(frozen=True, slots=True)
class Graph:
    """The recorded forward pass of a network.

    Attributes
    ----------
    cost : Tensor, shape ()
    params : dict
        ``{"w": {1: Tensor, …}, "b": {1: …}}``.
    z, a : dict of int to Tensor
        By layer; a is what is passed on, after dropout.
    """

    cost: Tensor
    params: dict[str, dict[int, Tensor]]
    z: dict[int, Any]
    a: dict[int, Any]

    def gradients(self) -> dict[str, dict[int, Array]]:
        """Return the adjoints of all parameters, and of every z under ``"z"``."""
        found: dict[str, dict[int, Array]] = gradients(
            self.cost, {**self.params, "z": self.z}
        )
        return found


def leaves(arrays: Mapping[int, Array]) -> dict[int, Tensor]:
    """Return leaf Tensors of the arrays, by layer."""
    return {l: tensor(array, requires_grad=True) for l, array in arrays.items()}


def activate(name: str, z: Any) -> Any:
    """Apply an activation to columns.

    Examples
    --------
    >>> import numpy as np
    >>> activate("softmax", np.zeros((2, 1))).tolist()
    [[0.5], [0.5]]
    """
    if name == "linear":
        return z
    return TABLE[name](z, axis=0) if name == "softmax" else TABLE[name](z)


def average_loss(loss: str, a: Any, y: Array) -> Any:
    """Return the loss of outputs in columns, averaged over them."""
    return _LOSSES[loss](a, y, example_axis=1)


def network_graph(
    params: Mapping[str, Mapping[int, Array]],
    x: Array,
    y: Array,
    activations: Sequence[str],
    *,
    loss: str,
    lam: float = 0.0,
    masks: Mapping[int, Array] | None = None,
    keep_prob: Mapping[int, float] | None = None,
) -> Graph:
    """Record the forward pass of an L-layer network, and its cost.

    Parameters
    ----------
    params : dict
        ``{"w": {1: …}, "b": {1: …}}``, arrays.
    x : ndarray, shape (sizes[0], n)
    y : ndarray, shape (sizes[L], n)
    activations : sequence of str
        Of the layers 1 … L.
    loss : str
        log_loss, cross_entropy or mse.
    lam : float
        The λ of the penalty λ/(2n) Σ ‖W‖².
    masks : dict of int to ndarray, shape (sizes[l], n), optional
        Zeros and ones, for the layers 0 … L - 1.
    keep_prob : dict of int to float, optional

    Returns
    -------
    Graph

    Examples
    --------
    >>> import numpy as np
    >>> params = {"w": {1: np.array([[0.0]])}, "b": {1: np.array([[0.0]])}}
    >>> x, y = np.array([[1.0, 3.0]]), np.array([[1.0, 0.0]])
    >>> graph = network_graph(params, x, y, ["sigmoid"], loss="log_loss")
    >>> graph.gradients()["w"][1].tolist()
    [[0.5]]
    """
    masks, keep_prob = masks or {}, keep_prob or {}
    recorded = {kind: leaves(arrays) for kind, arrays in params.items()}
    a: dict[int, Any] = {0: x * masks[0] / keep_prob[0] if 0 in masks else x}
    z: dict[int, Any] = {}
    for l, name in enumerate(activations, start=1):
        z[l] = recorded["w"][l] @ a[l - 1] + recorded["b"][l]
        a[l] = activate(name, z[l])
        if l in masks:
            a[l] = a[l] * masks[l] / keep_prob[l]
    cost = average_loss(loss, a[len(activations)], y)
    if lam:
        cost = cost + l2_penalty(recorded, lam, y.shape[1])
    return Graph(cost, recorded, z, a)


class Trace(NamedTuple):
    """What a forward pass computed, by layer; a is what is passed on, after dropout."""

    z: dict[int, Any]
    a: dict[int, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Mlp:
    """A network with data, in the notation of the notes: examples in columns.

    Attributes
    ----------
    sizes : tuple of int
        Nodes of the layers 0 … L.
    activations : tuple of str
        Of the layers 1 … L.
    params : dict
        ``{"w": {1: W¹, …}, "b": {1: b¹, …}}``, arrays of shapes (sˡ, sˡ⁻¹), (sˡ, 1).
    x, y : ndarray, shapes (sizes[0], n), (sizes[L], n)
    loss : str
        log_loss, cross_entropy or mse.
    lam : float
        λ of the penalty λ/(2n) Σ ‖W‖².
    keep_prob, masks : dict
        By layer, where there is dropout.
    """

    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    params: dict[str, dict[int, Array]] = field(repr=False)
    x: Array = field(repr=False)
    y: Array = field(repr=False)
    loss: str
    lam: float = 0.0
    keep_prob: dict[int, float] = field(default_factory=dict)
    masks: dict[int, Array] = field(default_factory=dict, repr=False)

    def cost(self, params: Any = None, x: Any = None, y: Any = None) -> Any:
        """Return the cost as a graph of the parameters, or of others in their place.

        Examples
        --------
        >>> network = draw_mlp(0)
        >>> network.cost().shape
        ()
        """
        y = self.y if y is None else y
        params = self.params if params is None else params
        a = self.trace(params, x).a[len(self.activations)]
        cost = average_loss(self.loss, a, y)
        if self.lam:
            cost = cost + l2_penalty(params, self.lam, self.y.shape[1])
        return cost

    def trace(self, params: Any = None, x: Any = None) -> Trace:
        """Return every layer's z and a, of arrays or of Tensors.

        Examples
        --------
        >>> draw_mlp(0, sizes=[3, 4, 2]).trace().z[1].shape[0]
        4
        """
        x = self.x if x is None else x
        params = self.params if params is None else params
        a: dict[int, Any] = {
            0: x * self.masks[0] / self.keep_prob[0] if 0 in self.masks else x
        }
        z: dict[int, Any] = {}
        for l, name in enumerate(self.activations, start=1):
            z[l] = params["w"][l] @ a[l - 1] + params["b"][l]
            a[l] = activate(name, z[l])
            if l in self.masks:
                a[l] = a[l] * self.masks[l] / self.keep_prob[l]
        return Trace(z, a)


def draw_mlp(
    rng: Rng = 0,
    *,
    sizes: Sequence[int] | None = None,
    activations: Sequence[str] | None = None,
    n: int | None = None,
    loss: str | None = None,
    lam: float = 0.7,
    dropout: bool = False,
) -> Mlp:
    """Draw a network at which mistakes show.

    Parameters
    ----------
    rng : seed or Generator
    sizes : sequence of int, optional
        Nodes of the layers 0 … L. By default three to five layers of distinct widths,
        one of them square, in which a missing transpose runs.
    activations : sequence of str, optional
        By default different ones in neighbouring layers.
    n : int, examples, optional
        By default 5 or 7.
    loss : str, optional
        By default the one that goes with the last activation.
    lam : float
    dropout : bool
        Masks for the input and the hidden layers, with different rates.

    Returns
    -------
    Mlp
        Weights and biases of size 1; none is zero.

    Examples
    --------
    >>> network = draw_mlp(0)
    >>> len(network.sizes) == len(network.activations) + 1
    True
    >>> draw_mlp(0, sizes=[3, 4, 2], activations=["tanh", "softmax"]).loss
    'cross_entropy'
    """
    generator = np.random.default_rng(rng)
    if sizes is None:
        depth = (
            int(generator.integers(3, 6)) if activations is None else len(activations)
        )
        sizes = _revealing_sizes(generator, depth)
    if activations is None:
        activations = _different(generator, len(sizes) - 1)
    n = int(generator.choice((5, 7))) if n is None else n
    loss = loss or HEAD_LOSSES.get(activations[-1], "mse")
    layers = range(1, len(sizes))
    w = {l: _weights(generator, (sizes[l], sizes[l - 1])) for l in layers}
    b = {l: _weights(generator, (sizes[l], 1)) for l in layers}
    keep_prob = {l: RATES[l % len(RATES)] for l in range(len(sizes) - 1) if dropout}
    return Mlp(
        sizes=tuple(sizes),
        activations=tuple(activations),
        params={"w": w, "b": b},
        x=generator.normal(size=(sizes[0], n)),
        y=_targets(generator, sizes[-1], n, loss),
        loss=loss,
        lam=lam,
        keep_prob=keep_prob,
        masks={
            l: (generator.random((sizes[l], n)) < p).astype(np.float64)
            for l, p in keep_prob.items()
        },
    )


def _revealing_sizes(rng: np.random.Generator, depth: int) -> list[int]:
    """Return distinct widths, and one twice in a row where there are three layers."""
    widths: list[int] = (2 + rng.permutation(max(depth, 6) + 1)).tolist()
    sizes = widths[: depth + 1]
    if depth >= 3:
        square = int(rng.integers(1, depth - 1))
        sizes[square + 1] = sizes[square]
    return sizes


def _different(rng: np.random.Generator, depth: int) -> list[str]:
    """Return activations of which no two neighbours are the same."""
    names: list[str] = []
    for _ in range(depth):
        others = [name for name in ACTIVATIONS if names[-1:] != [name]]
        names.append(str(rng.choice(others)))
    return names


def _weights(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Return numbers of size 1, not near zero, divided by the root of the fan-in."""
    sizes = rng.uniform(0.3, 1.5, shape) * rng.choice((-1.0, 1.0), shape)
    return np.asarray(sizes / np.sqrt(shape[1]))


def _targets(rng: np.random.Generator, n_outputs: int, n: int, loss: str) -> Array:
    if loss == "log_loss":
        return rng.integers(0, 2, (n_outputs, n)).astype(np.float64)
    if loss == "cross_entropy":
        return np.asarray(np.eye(n_outputs)[:, rng.integers(0, n_outputs, n)])
    return rng.normal(size=(n_outputs, n))
