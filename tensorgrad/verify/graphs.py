"""The networks of the notes as graphs, examples in columns.

Nothing here knows a δ: the graph is the forward pass, and the sweep does the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tensorgrad._typing import Array
from tensorgrad.autodiff.gradients import gradients
from tensorgrad.core.tensor import Tensor, tensor
from tensorgrad.nn.penalty import l2_penalty
from tensorgrad.ops import TABLE
from tensorgrad.ops.losses import cross_entropy, log_loss, mse

__all__ = ["Graph", "activate", "average_loss", "leaves", "network_graph"]

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
