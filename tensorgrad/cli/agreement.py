"""Three opinions of one gradient: the graph, the hand derivation, differences.

The network and its notation are those of the notes, examples in columns:

    z1 = W1 @ x + b1,  a1 = tanh(z1),  z2 = W2 @ a1 + b2,  a2 = relu(z2),
    z3 = W3 @ a2 + b3,  a3 = softmax(z3),
    J = cross_entropy(a3, y) + lambda/(2n) * sum of squared weights.

The graph knows nothing of the δ-recursions; `tensorgrad.derivations.l_layer` has them
as derived by hand, and imports nothing of the engine; the differences know neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.autodiff.gradients import gradients
from tensorgrad.core.tensor import Tensor, tensor
from tensorgrad.derivations.gradient_check import numerical_gradient, relative_error
from tensorgrad.derivations.l_layer import (
    backward_propagation,
    compute_cost,
    forward_propagation,
    initialise_parameters,
)
from tensorgrad.nn.penalty import l2_penalty
from tensorgrad.ops import TABLE
from tensorgrad.ops.losses import cross_entropy

__all__ = ["Comparison", "compare"]

SIZES = (64, 32, 16, 10)
ACTIVATIONS = ("tanh", "relu", "softmax")
LAM = 0.1

EXACT = 1e-12
"""Two ways to the same formula differ by rounding alone, a few units of 1e-16."""

NUMERICAL = 1e-6
"""Central differences of J, about 1, with steps of 6e-6 err by about 1e-10 an entry."""


@dataclass(frozen=True)
class Comparison:
    """Relative differences ‖F - G‖ / (‖F‖ + ‖G‖) of the gradients of one parameter.

    ``by_hand_numerical`` and ``graph_numerical`` are None where no differences are
    taken, as for the pre-activations.
    """

    name: str
    shape: tuple[int, ...]
    graph_by_hand: float
    graph_numerical: float | None
    by_hand_numerical: float | None

    @property
    def agrees(self) -> bool:
        """Whether all pairs agree."""
        numerical = (self.graph_numerical, self.by_hand_numerical)
        return self.graph_by_hand <= EXACT and all(
            error is None or error <= NUMERICAL for error in numerical
        )


def compare(x: Array, y: Array, rng: int = 0) -> list[Comparison]:
    """Compare the gradients of every parameter, and of every z without differences.

    Parameters
    ----------
    x : ndarray, shape (64, n)
        Examples in columns.
    y : ndarray, shape (10, n)
        One-hot columns.
    rng : int
        Seed of weights and biases.

    Returns
    -------
    list of Comparison
        For W1, b1, …, W3, b3, then z1, z2, z3.

    Examples
    --------
    >>> x, y = np.linspace(0, 1, 128).reshape(64, 2), np.eye(10)[:, [3, 7]]
    >>> all(row.agrees for row in compare(x, y))
    True
    """
    params = _initial(rng)
    graph = graph_gradients(params, x, y)
    cache = forward_propagation(params, x, ACTIVATIONS)
    by_hand = backward_propagation(params, cache, y, ACTIVATIONS, lam=LAM)

    def cost(point: Mapping[str, Any]) -> float:
        found = forward_propagation(point, x, ACTIVATIONS)
        return compute_cost(point, found, y, ACTIVATIONS, lam=LAM)

    numerical = numerical_gradient(cost, params)
    rows = []
    for l in range(1, len(SIZES)):
        for kind, name in (("w", "W"), ("b", "b")):
            ours, hand = graph[f"{name}{l}"], by_hand[kind][l]
            differences = numerical[kind][l]
            rows.append(
                Comparison(
                    f"{name}{l}",
                    hand.shape,
                    relative_error(ours, hand),
                    relative_error(ours, differences),
                    relative_error(hand, differences),
                )
            )
    for l in range(1, len(SIZES)):
        # δ has no 1/n: the derivative of J itself by z is δ/n.
        delta = by_hand["delta"][l] / x.shape[1]
        error = relative_error(graph[f"z{l}"], delta)
        rows.append(Comparison(f"z{l}", delta.shape, error, None, None))
    return rows


def graph_gradients(params: Mapping[str, Any], x: Array, y: Array) -> dict[str, Array]:
    """Write the network down as a graph, and ask for the adjoints of its nodes."""
    p: dict[str, Tensor] = {}
    for l in range(1, len(SIZES)):
        p[f"W{l}"] = tensor(params["w"][l], requires_grad=True, name=f"W{l}")
        p[f"b{l}"] = tensor(params["b"][l], requires_grad=True, name=f"b{l}")
    z1 = p["W1"] @ x + p["b1"]
    a1 = TABLE["tanh"](z1)
    z2 = p["W2"] @ a1 + p["b2"]
    a2 = TABLE["relu"](z2)
    z3 = p["W3"] @ a2 + p["b3"]
    a3 = TABLE["softmax"](z3, axis=0)
    cost = cross_entropy(a3, y, example_axis=1) + l2_penalty(p, LAM, x.shape[1])
    found: dict[str, Array] = gradients(cost, {**p, "z1": z1, "z2": z2, "z3": z3})
    return found


def _initial(rng: int) -> dict[str, dict[int, Array]]:
    """Draw parameters; biases too, since zero biases hide mistakes."""
    generator = np.random.default_rng(rng)
    params = initialise_parameters(SIZES, rng=generator)
    biases = {
        l: np.asarray(0.1 * generator.standard_normal(b.shape))
        for l, b in params["b"].items()
    }
    return {"w": params["w"], "b": biases}
