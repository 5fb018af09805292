"""The L-layer network (notes, section 3; penalty and dropout from section 5).

Forwards, with a⁰ = x and a mask Dˡ of zeros and ones where a layer has dropout:

    zˡ = Wˡ aˡ⁻¹ + bˡ,    aˡ = gˡ(zˡ) ⊙ Dˡ / pˡ.

Backwards, where δᴸ is the derivative of each example's loss by zᴸ:

    δˡ = g'ˡ(zˡ) ⊙ (Wˡ⁺¹ᵀ δˡ⁺¹ ⊙ Dˡ / pˡ),
    ∂J/∂Wˡ = (1/n) δˡ aˡ⁻¹ᵀ + (λ/n) Wˡ,    ∂J/∂bˡ = (1/n) Σ δˡ.

δ has no 1/n, so the derivative of J itself by zˡ is δˡ/n. The code of section 3.1.1
takes the derivative of the layer above, and that of section 5.1.1 multiplies matrices
where masks go entry by entry, and runs one layer too many; the formulas hold.

Parameters are ``{"w": {1: W¹, …}, "b": {1: b¹, …}}`` with Wˡ of shape (sˡ, sˡ⁻¹) and bˡ
of shape (sˡ, 1). Activations are named, ``activations[l - 1]`` being layer l's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from .activations import Array, activate, pull_back
from .losses import check_targets, loss_of_head, mean_loss, output_delta
from .regularisation import penalty_gradient, regularised_cost

__all__ = [
    "Cache",
    "Params",
    "backward_propagation",
    "check_keep_prob",
    "compute_cost",
    "descend",
    "draw_masks",
    "forward_propagation",
    "initialise_parameters",
    "predict",
    "update_parameters",
]

Layers: TypeAlias = dict[int, Array]
Params: TypeAlias = Mapping[str, Mapping[int, Array]]
Cache: TypeAlias = Mapping[str, Mapping[int, Array]]


def initialise_parameters(
    sizes: Sequence[int], rng: int | np.random.Generator = 0, scale: float | None = None
) -> dict[str, Layers]:
    """Draw Gaussian weights; biases are zero.

    Parameters
    ----------
    sizes : sequence of int
        Nodes of the layers 0 … L: features first, outputs last.
    rng : int or numpy.random.Generator
    scale : float, optional
        Standard deviation of the weights. By default ``1/sqrt(sizes[l - 1])``: the
        notes' 0.01 (section 3.1.1) lets signals vanish in deep networks.

    Returns
    -------
    dict
        ``{"w": {1: …}, "b": {1: …}}``.

    References
    ----------
    Notes, sections 2.3.1 and 6. From zero weights the nodes of a layer stay equal;
    `initialisation` has the variances by activation.

    Examples
    --------
    >>> params = initialise_parameters([3, 5, 1])
    >>> params["w"][1].shape, params["b"][2].shape
    ((5, 3), (1, 1))
    """
    generator = np.random.default_rng(rng)
    w, b = {}, {}
    for l in range(1, len(sizes)):
        deviation = sizes[l - 1] ** -0.5 if scale is None else scale
        w[l] = deviation * generator.standard_normal((sizes[l], sizes[l - 1]))
        b[l] = np.zeros((sizes[l], 1))
    return {"w": w, "b": b}


def check_keep_prob(keep_prob: Mapping[int, float], n_layers: int) -> None:
    """Refuse probabilities that are none, and layers that cannot have dropout.

    Parameters
    ----------
    keep_prob : dict of int to float
        The chance of a node to be kept, by layer; above 0, at most 1.
    n_layers : int
        L, the number of layers without the input: 0 … L - 1 may have dropout.

    Raises
    ------
    ValueError
        If a probability is not in (0, 1], or there is no such layer.

    References
    ----------
    Notes, section 5.1, which allow p = 0.

    Examples
    --------
    >>> check_keep_prob({0: 0.9, 1: 0.5}, n_layers=2)
    >>> check_keep_prob({1: 0.0}, n_layers=2)
    Traceback (most recent call last):
        ...
    ValueError: dropout: keep_prob of layer 1 is 0.0: expected above 0 and at most 1. ...
    """
    for l, p in keep_prob.items():
        if l not in range(n_layers):
            raise ValueError(
                f"dropout: keep_prob names layer {l!r}: expected layers from 0 (the input) "
                f"to {n_layers - 1}. Leave out the output layer."
            )
        if not 0 < p <= 1:
            raise ValueError(
                f"dropout: keep_prob of layer {l} is {p}: expected above 0 and at most 1. "
                "It is the chance to keep a node; a rate r to drop it is keep_prob 1 - r."
            )


def draw_masks(
    sizes: Sequence[int],
    n: int,
    keep_prob: Mapping[int, float],
    rng: int | np.random.Generator = 0,
) -> Layers:
    """Draw a dropout mask for every layer that `keep_prob` names.

    Parameters
    ----------
    sizes : sequence of int
        Nodes of the layers 0 … L.
    n : int
        Examples.
    keep_prob : dict of int to float
        The chance pˡ of each node of layer l to be kept; layers left out keep all.
    rng : int or numpy.random.Generator

    Returns
    -------
    dict of int to ndarray of bool, shape (sizes[l], n)
        In the order of the layers.

    Raises
    ------
    ValueError
        If a probability is not in (0, 1], or there is no such layer.

    References
    ----------
    Notes, section 5.1.

    Examples
    --------
    >>> draw_masks([2, 4, 1], 3, {1: 0.8})[1].shape
    (4, 3)
    """
    check_keep_prob(keep_prob, len(sizes) - 1)
    generator = np.random.default_rng(rng)
    return {
        l: generator.random((sizes[l], n)) < keep_prob[l] for l in sorted(keep_prob)
    }


def forward_propagation(
    params: Params,
    x: Array,
    activations: Sequence[str],
    masks: Mapping[int, Array] | None = None,
    keep_prob: Mapping[int, float] | None = None,
) -> dict[str, Layers]:
    """Return every layer's z and a.

    Parameters
    ----------
    params : dict
        ``{"w": {1: …}, "b": {1: …}}``.
    x : ndarray, shape (sizes[0], n)
    activations : sequence of str
        linear, sigmoid, tanh, relu, leaky_relu or softmax for the layers 1 … L.
    masks : dict of int to ndarray, shape (sizes[l], n), optional
        Zeros and ones for the layers 0 … L - 1 with dropout.
    keep_prob : dict of int to float, optional
        What each mask is divided by; the same layers as `masks`.

    Returns
    -------
    dict
        ``z[l]`` and ``a[l]``, shape (sizes[l], n); a is what is passed on, after
        dropout, and ``a[0]`` is x. ``mask[l]`` is Dˡ/pˡ where there is dropout, kept for
        the way back.

    Raises
    ------
    ValueError
        If there are not as many activations as layers, one is unknown, shapes do not
        fit, masks and keep_prob name different layers, or a probability is not in (0, 1].

    Examples
    --------
    >>> params = {"w": {1: np.array([[2.0]])}, "b": {1: np.array([[-1.0]])}}
    >>> cache = forward_propagation(params, np.array([[1.0, 3.0]]), ["relu"])
    >>> cache["z"][1].tolist()
    [[1.0, 5.0]]
    """
    n_layers = _count_layers(params, activations)
    mask = _scaled_masks(masks or {}, keep_prob or {}, n_layers, x)
    a: Layers = {0: _masked(x, mask[0], 0) if 0 in mask else x}
    z: Layers = {}
    for l in range(1, n_layers + 1):
        z[l] = params["w"][l] @ a[l - 1] + params["b"][l]
        a[l] = activate(activations[l - 1], z[l])
        if l in mask:
            a[l] = _masked(a[l], mask[l], l)
    return {"z": z, "a": a, "mask": mask}


def compute_cost(
    params: Params,
    cache: Cache,
    y: Array,
    activations: Sequence[str],
    *,
    loss: str | None = None,
    lam: float = 0.0,
) -> float:
    """Return the cost: the mean loss, and the penalty λ/(2n) Σ ‖Wˡ‖².

    Parameters
    ----------
    params, cache : dict
        As `forward_propagation` takes and returns them.
    y : ndarray, shape (sizes[L], n)
        Targets; one-hot columns for a softmax head.
    activations : sequence of str
    loss : str, optional
        log_loss, cross_entropy or mse. By default that of the head: log-loss for
        sigmoid, cross-entropy for softmax, mean squared error (summed over outputs,
        without ½) for the others.
    lam : float
        The λ of the penalty. Biases are not penalised.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If y and the outputs differ in shape, the loss is unknown, or λ is negative.

    References
    ----------
    Notes, sections 3.1 and 5.

    Examples
    --------
    >>> params = {"w": {1: np.array([[2.0]])}, "b": {1: np.array([[-2.0]])}}
    >>> cache = forward_propagation(params, np.array([[1.0]]), ["linear"])
    >>> compute_cost(params, cache, np.array([[3.0]]), ["linear"], lam=0.5)
    10.0
    """
    head, top = activations[-1], len(activations)
    cost = mean_loss(loss or loss_of_head(head), head, cache["z"][top], y)
    return regularised_cost(cost, params["w"], y.shape[1], lam) if lam else cost


def backward_propagation(
    params: Params,
    cache: Cache,
    y: Array,
    activations: Sequence[str],
    *,
    loss: str | None = None,
    lam: float = 0.0,
) -> dict[str, Layers]:
    """Return the gradient of the cost, and the δ of every layer.

    Parameters
    ----------
    params, cache, y, activations, loss, lam
        As in `compute_cost`. Masks come with the cache.

    Returns
    -------
    dict
        ``w[l]`` and ``b[l]``, ∂J/∂Wˡ and ∂J/∂bˡ in the shapes of the parameters;
        ``delta[l]``, shape (sizes[l], n), without 1/n: ∂J/∂zˡ is ``delta[l] / n``.

    Raises
    ------
    ValueError
        If y and the outputs differ in shape, the loss is unknown, or λ is negative.

    References
    ----------
    Notes, sections 3.1, 5 and 5.1.

    Examples
    --------
    >>> params = {"w": {1: np.array([[0.0, 0.0]])}, "b": {1: np.array([[0.0]])}}
    >>> x, y = np.array([[1.0, 3.0], [0.0, 2.0]]), np.array([[1.0, 0.0]])
    >>> cache = forward_propagation(params, x, ["sigmoid"])
    >>> grads = backward_propagation(params, cache, y, ["sigmoid"])
    >>> grads["delta"][1].tolist(), grads["w"][1].tolist()
    ([[-0.5, 0.5]], [[0.5, 0.5]])
    """
    z, a, mask, w = cache["z"], cache["a"], cache["mask"], params["w"]
    head, top, n = activations[-1], len(activations), y.shape[1]
    delta = {top: output_delta(loss or loss_of_head(head), head, z[top], y)}
    for l in range(top - 1, 0, -1):
        da = w[l + 1].T @ delta[l + 1]
        if l in mask:
            da = da * mask[l]
        delta[l] = pull_back(activations[l - 1], z[l], da)
    dw = {l: delta[l] @ a[l - 1].T / n for l in range(1, top + 1)}
    db = {l: delta[l].sum(axis=1, keepdims=True) / n for l in dw}
    if lam:
        added = penalty_gradient(w, n, lam)
        dw = {l: dw[l] + added[l] for l in dw}
    return {"w": dw, "b": db, "delta": delta}


def update_parameters(
    params: Params, grads: Params, learning_rate: float = 0.01
) -> dict[str, Layers]:
    """Return the parameters after one step of gradient descent.

    Parameters
    ----------
    params, grads : dict
        Neither is changed.
    learning_rate : float, per step

    Returns
    -------
    dict
        The structure of `params`.

    Examples
    --------
    >>> params = {"w": {1: np.array([[1.0]])}, "b": {1: np.array([[0.0]])}}
    >>> update_parameters(params, params, 0.25)["w"][1].tolist()
    [[0.75]]
    """
    return {
        kind: {l: p - learning_rate * grads[kind][l] for l, p in layers.items()}
        for kind, layers in params.items()
    }


def descend(
    params: Params,
    x: Array,
    y: Array,
    activations: Sequence[str],
    *,
    learning_rate: float = 0.1,
    num_iters: int = 1000,
    lam: float = 0.0,
) -> tuple[Params, list[float]]:
    """Return the parameters after gradient descent on all examples, and the costs.

    Parameters
    ----------
    params : dict
        Where to start; not changed.
    x : ndarray, shape (sizes[0], n)
    y : ndarray, shape (sizes[L], n)
    activations : sequence of str
        The loss is that of the last one.
    learning_rate : float, per step
    num_iters : int
    lam : float
        The λ of the penalty.

    Returns
    -------
    params : dict
    costs : list of float
        The cost before every step, and after the last.

    Raises
    ------
    ValueError
        If there is no example, or y holds no targets of the loss; before any step.

    Examples
    --------
    >>> x, y = np.array([[-1.0, 1.0]]), np.array([[1.0, 0.0]])
    >>> start = initialise_parameters([1, 3, 1])
    >>> params, costs = descend(start, x, y, ["tanh", "sigmoid"], num_iters=50)
    >>> len(costs), costs[-1] < costs[0]
    (51, True)
    """
    check_targets(loss_of_head(activations[-1]), y)
    costs = []
    for _ in range(num_iters):
        cache = forward_propagation(params, x, activations)
        costs.append(compute_cost(params, cache, y, activations, lam=lam))
        grads = backward_propagation(params, cache, y, activations, lam=lam)
        params = update_parameters(params, grads, learning_rate)
    cache = forward_propagation(params, x, activations)
    costs.append(compute_cost(params, cache, y, activations, lam=lam))
    return params, costs


def predict(params: Params, x: Array, activations: Sequence[str]) -> Array:
    """Return labels where the head gives probabilities, else the outputs.

    Returns
    -------
    ndarray
        Sigmoid head: 0 and 1, shape (sizes[L], n). Softmax head: the most probable
        class of each example, shape (1, n). Other heads: the outputs.

    Examples
    --------
    >>> params = {"w": {1: np.array([[1.0], [-1.0]])}, "b": {1: np.zeros((2, 1))}}
    >>> predict(params, np.array([[2.0, -2.0]]), ["softmax"]).tolist()
    [[0, 1]]
    """
    cache = forward_propagation(params, x, activations)
    top = len(activations)
    if activations[-1] == "sigmoid":
        return (cache["z"][top] >= 0).astype(np.int64)
    if activations[-1] == "softmax":
        top_class: Array = np.argmax(cache["z"][top], axis=0, keepdims=True)
        return top_class
    return cache["a"][top]


def _count_layers(params: Params, activations: Sequence[str]) -> int:
    if len(params["w"]) != len(activations):
        raise ValueError(
            f"forward_propagation: {len(activations)} activations for "
            f"{len(params['w'])} layers: expected one for each. Name the last layer's, too."
        )
    return len(activations)


def _scaled_masks(
    masks: Mapping[int, Array], keep_prob: Mapping[int, float], n_layers: int, x: Any
) -> Layers:
    """Return Dˡ/pˡ for the layers with dropout, in the precision of x."""
    if set(masks) != set(keep_prob) or not set(masks) <= set(range(n_layers)):
        raise ValueError(
            f"forward_propagation: masks for the layers {sorted(masks)} and keep_prob for "
            f"{sorted(keep_prob)}: expected the same layers from 0 to {n_layers - 1}. "
            "Pass both, and none for the output layer."
        )
    check_keep_prob(keep_prob, n_layers)
    precision = np.result_type(x.real.dtype, np.float32)
    return {l: (masks[l] / keep_prob[l]).astype(precision) for l in masks}


def _masked(a: Array, mask: Array, layer: int) -> Array:
    """Return a ⊙ D/p; a mask of another shape would broadcast over nodes or examples."""
    if mask.shape != a.shape:
        raise ValueError(
            f"forward_propagation: the mask of layer {layer} has shape {mask.shape}: "
            f"expected {a.shape}, an entry for each node of each example. Draw it for as "
            "many examples as x has columns."
        )
    masked: Array = a * mask
    return masked
