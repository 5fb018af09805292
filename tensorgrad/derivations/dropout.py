"""Inverted dropout on any layer, the input included (notes, section 5.1).

    aˡ ↦ aˡ ⊙ Dˡ / pˡ    forwards,    ∂L/∂aˡ ↦ ∂L/∂aˡ ⊙ Dˡ / pˡ    backwards,

with entries of D that are 1 with probability p and 0 otherwise. Since E[D/p] = 1, what a
layer passes on is right on average, and prediction needs neither masks nor factors.
`l_layer` draws masks and carries them through the network; here are the map itself and
the descent.

The formulas of section 5.1 hold with two remarks. p = 0 is allowed there and divides 0 by
0. And D compares p with the probability of a node, which is no random number and the
same for all nodes; it is a uniform draw that p is compared with, as the code has it.

The code of section 5.1.1 differs from its formulas:

- It seeds the generator inside the function that draws, so that every iteration drops
  the same nodes for the same example: each example trains one thinned network of its
  own, and with it no average over networks. Nothing shows in one pass, nor in a
  gradient check, which wants fixed masks.
- Masks multiply as matrices (``a @ D``). Shapes refuse that, except where a layer has as
  many nodes as there are examples: then it runs, and mixes the examples. With a single
  node and a single example both products are the same.
- The gradients multiply entry by entry where the matrix product belongs, the δ of all
  layers are overwritten by one of them, W of the layer itself stands where that of the
  layer above belongs, and the hidden layers are counted one too far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .activations import Array
from .l_layer import (
    Params,
    backward_propagation,
    check_keep_prob,
    compute_cost,
    draw_masks,
    forward_propagation,
    update_parameters,
)
from .losses import check_targets, loss_of_head

__all__ = ["descend", "drop"]


def drop(v: Array, mask: Array, keep_prob: float) -> Array:
    """Return v ⊙ D / p, the way of a forwards and of ∂L/∂a backwards.

    Parameters
    ----------
    v : ndarray, shape (nodes, n)
        Activations, or derivatives by them.
    mask : ndarray of bool or of 0 and 1, shape (nodes, n)
        D.
    keep_prob : float
        p, above 0 and at most 1.

    Returns
    -------
    ndarray, shape (nodes, n)

    Raises
    ------
    ValueError
        If the shapes differ, or p is not in (0, 1].

    Notes
    -----
    A diagonal map is its own transpose, hence one function for both directions. Applied
    once backwards, to ∂L/∂a or to δ: both factors act entry by entry and commute.

    References
    ----------
    Notes, section 5.1, ii and iii.

    Examples
    --------
    >>> drop(np.array([[3.0, 4.0]]), np.array([[1, 0]]), 0.5).tolist()
    [[6.0, 0.0]]
    """
    if v.shape != mask.shape:
        raise ValueError(
            f"dropout: the values have shape {v.shape} and the mask has shape {mask.shape}: "
            "expected equal shapes (nodes, examples). Draw a mask for every example."
        )
    if not 0 < keep_prob <= 1:
        raise ValueError(
            f"dropout: keep_prob is {keep_prob}: expected above 0 and at most 1. It is the "
            "chance to keep a node; a rate r to drop it is keep_prob 1 - r."
        )
    dropped: Array = v * mask / keep_prob
    return dropped


def descend(
    params: Params,
    x: Array,
    y: Array,
    activations: Sequence[str],
    *,
    keep_prob: Mapping[int, float],
    rng: int | np.random.Generator = 0,
    learning_rate: float = 0.1,
    num_iters: int = 1000,
) -> tuple[Params, list[float]]:
    """Return the parameters after descent with fresh masks in every iteration.

    Parameters
    ----------
    params : dict
        Where to start; not changed.
    x : ndarray, shape (sizes[0], n)
    y : ndarray, shape (sizes[L], n)
    activations : sequence of str
        The loss is that of the last one.
    keep_prob : dict of int to float
        The chance of a node to be kept for the layers with dropout, of 0 … L - 1.
    rng : int or numpy.random.Generator
        Where the masks come from, one draw after the other.
    learning_rate : float, per step
    num_iters : int

    Returns
    -------
    params : dict
        For `l_layer.predict`, which drops nothing.
    costs : list of float
        Before every step the cost of the network as its masks leave it, so that it
        fluctuates; at last that of the whole network.

    Raises
    ------
    ValueError
        If a probability is not in (0, 1], or there is no such layer.

    References
    ----------
    Notes, section 5.1.1, where every iteration has the same masks.

    Examples
    --------
    >>> from tensorgrad.derivations.l_layer import initialise_parameters
    >>> x, y = np.array([[-1.0, 1.0]]), np.array([[1.0, 0.0]])
    >>> params, costs = descend(
    ...     initialise_parameters([1, 8, 1]), x, y, ["tanh", "sigmoid"],
    ...     keep_prob={1: 0.8}, num_iters=200,
    ... )
    >>> len(costs), costs[-1] < 0.1
    (201, True)
    """
    check_targets(loss_of_head(activations[-1]), y)
    check_keep_prob(keep_prob, len(activations))
    generator = np.random.default_rng(rng)
    w = params["w"]
    sizes = [w[1].shape[1], *(w[l].shape[0] for l in sorted(w))]
    costs = []
    for _ in range(num_iters):
        masks = draw_masks(sizes, x.shape[1], keep_prob, generator)
        cache = forward_propagation(params, x, activations, masks, keep_prob)
        costs.append(compute_cost(params, cache, y, activations))
        grads = backward_propagation(params, cache, y, activations)
        params = update_parameters(params, grads, learning_rate)
    cache = forward_propagation(params, x, activations)
    costs.append(compute_cost(params, cache, y, activations))
    return params, costs
