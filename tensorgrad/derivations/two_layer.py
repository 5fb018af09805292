"""The network with a single hidden layer (notes, section 2).

    z¹ = W¹x + b¹,  a¹ = g(z¹),  z² = W²a¹ + b²,  a² = σ(z²),

with g = tanh as in the code of section 2.3.2, or g = ReLU as in the text of section 2.3,
and the log-loss. Then

    δ² = a² - y,    δ¹ = W²ᵀδ² ⊙ g'(z¹),
    ∂J/∂W² = (1/n) δ²a¹ᵀ,  ∂J/∂b² = (1/n) Σ δ²,  ∂J/∂W¹ = (1/n) δ¹xᵀ,  ∂J/∂b¹ = (1/n) Σ δ¹.

The summary of section 2.1 has these; the line above it prints δ² where δ¹ is derived.
Parameters are ``{"w1": …, "b1": …, "w2": …, "b2": …}``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from .activations import Array, relu, sigmoid, tanh
from .losses import check_targets, mean_loss

__all__ = [
    "backward_propagation",
    "compute_cost",
    "descend",
    "forward_propagation",
    "initialise_parameters",
    "layer_shapes",
    "predict",
    "update_parameters",
]

Named: TypeAlias = Mapping[str, Array]

HIDDEN: MappingProxyType[str, Callable[[Any], tuple[Array, Array]]] = MappingProxyType(
    {"tanh": tanh, "relu": relu}
)


def layer_shapes(x: Array, y: Array, hidden_size: int) -> tuple[int, int, int, int]:
    """Return the number of examples, and of nodes in the three layers.

    Raises
    ------
    ValueError
        If x and y differ in their number of columns.

    Examples
    --------
    >>> layer_shapes(np.zeros((2, 7)), np.zeros((1, 7)), 4)
    (7, 2, 4, 1)
    """
    (m_x, n), m_y = x.shape, y.shape[0]
    if y.shape[1] != n:
        raise ValueError(
            f"layer_shapes: x has {n} columns and y has {y.shape[1]}: expected a column "
            "for each example in both. Transpose the one with examples in rows."
        )
    return n, m_x, hidden_size, m_y


def initialise_parameters(
    m_x: int,
    m_h: int,
    m_y: int,
    *,
    rng: int | np.random.Generator = 0,
    scale: float = 0.01,
) -> dict[str, Array]:
    """Draw small Gaussian weights; biases are zero.

    Parameters
    ----------
    m_x, m_h, m_y : int
        Nodes of the input, hidden and output layer.
    rng : int or numpy.random.Generator
    scale : float
        Standard deviation of the weights.

    Returns
    -------
    dict
        w1 (m_h, m_x), b1 (m_h, 1), w2 (m_y, m_h), b2 (m_y, 1).

    References
    ----------
    Notes, section 2.3.1: from zero, W¹ and W² never move.

    Examples
    --------
    >>> initialise_parameters(2, 4, 1)["w2"].shape
    (1, 4)
    """
    generator = np.random.default_rng(rng)
    return {
        "w1": scale * generator.standard_normal((m_h, m_x)),
        "b1": np.zeros((m_h, 1)),
        "w2": scale * generator.standard_normal((m_y, m_h)),
        "b2": np.zeros((m_y, 1)),
    }


def forward_propagation(
    x: Array, params: Named, hidden: str = "tanh"
) -> tuple[Array, dict[str, Array]]:
    """Return the output a² and all intermediate values.

    Parameters
    ----------
    x : ndarray, shape (m_x, n)
    params : dict
        w1, b1, w2, b2.
    hidden : str
        ``"tanh"`` or ``"relu"``.

    Returns
    -------
    a2 : ndarray, shape (m_y, n)
    cache : dict
        z1, a1 of shape (m_h, n); z2, a2 of shape (m_y, n).

    Raises
    ------
    ValueError
        If `hidden` is neither.

    Examples
    --------
    >>> params = initialise_parameters(2, 4, 1)
    >>> a2, cache = forward_propagation(np.zeros((2, 3)), params)
    >>> a2.tolist()
    [[0.5, 0.5, 0.5]]
    """
    z1 = params["w1"] @ x + params["b1"]
    a1, _ = _hidden(hidden)(z1)
    z2 = params["w2"] @ a1 + params["b2"]
    a2, _ = sigmoid(z2)
    return a2, {"z1": z1, "a1": a1, "z2": z2, "a2": a2}


def compute_cost(cache: Named, y: Array) -> float:
    """Return the log-loss, summed over outputs and averaged over examples.

    Parameters
    ----------
    cache : dict
        From `forward_propagation`; z2 is used, so that the cost is always finite.
    y : ndarray, shape (m_y, n)

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If y and the outputs differ in shape.

    Examples
    --------
    >>> round(compute_cost({"z2": np.zeros((1, 2))}, np.array([[0.0, 1.0]])), 4)
    0.6931
    """
    return mean_loss("log_loss", "sigmoid", cache["z2"], y)


def backward_propagation(
    params: Named, cache: Named, x: Array, y: Array, *, hidden: str = "tanh"
) -> dict[str, Array]:
    """Return the gradient of the cost, and both δ.

    Parameters
    ----------
    params, cache : dict
        As `forward_propagation` takes and returns them.
    x : ndarray, shape (m_x, n)
    y : ndarray, shape (m_y, n)
    hidden : str
        The same as on the way forward.

    Returns
    -------
    dict
        w1, b1, w2, b2 in the shapes of the parameters; delta1 (m_h, n) and delta2
        (m_y, n), without the factor 1/n.

    Raises
    ------
    ValueError
        If `hidden` is unknown.

    Examples
    --------
    >>> x, y = np.array([[1.0, -1.0]]), np.array([[1.0, 0.0]])
    >>> params = {"w1": np.array([[1.0]]), "b1": np.array([[0.0]]),
    ...           "w2": np.array([[0.0]]), "b2": np.array([[0.0]])}
    >>> _, cache = forward_propagation(x, params, "relu")
    >>> grads = backward_propagation(params, cache, x, y, hidden="relu")
    >>> grads["w2"].tolist(), grads["w1"].tolist()
    ([[-0.25]], [[0.0]])
    """
    n = x.shape[1]
    delta2 = cache["a2"] - y
    _, slope = _hidden(hidden)(cache["z1"])
    delta1 = (params["w2"].T @ delta2) * slope
    return {
        "w1": delta1 @ x.T / n,
        "b1": delta1.sum(axis=1, keepdims=True) / n,
        "w2": delta2 @ cache["a1"].T / n,
        "b2": delta2.sum(axis=1, keepdims=True) / n,
        "delta1": delta1,
        "delta2": delta2,
    }


def update_parameters(
    params: Named, grads: Named, learning_rate: float = 1.2
) -> dict[str, Array]:
    """Return the parameters after one step of gradient descent.

    Parameters
    ----------
    params, grads : dict
        Neither is changed.
    learning_rate : float, per step

    Returns
    -------
    dict

    Examples
    --------
    >>> update_parameters({"w1": np.array([1.0])}, {"w1": np.array([2.0])}, 0.25)
    {'w1': array([0.5])}
    """
    return {name: p - learning_rate * grads[name] for name, p in params.items()}


def descend(
    params: Named,
    x: Array,
    y: Array,
    *,
    hidden: str = "tanh",
    learning_rate: float = 1.2,
    num_iters: int = 10_000,
) -> tuple[Named, list[float]]:
    """Return the parameters after gradient descent, and the costs on the way.

    Parameters
    ----------
    params : dict
        Where to start; not changed.
    x : ndarray, shape (m_x, n)
    y : ndarray, shape (m_y, n)
    hidden : str
        ``"tanh"`` or ``"relu"``.
    learning_rate : float, per step
    num_iters : int

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
    >>> x, y = np.array([[0.0, 1.0, 2.0]]), np.array([[0.0, 1.0, 0.0]])
    >>> start = initialise_parameters(1, 4, 1, scale=1.0)
    >>> params, costs = descend(start, x, y, num_iters=500)
    >>> predict(params, x).tolist()
    [[0, 1, 0]]
    """
    check_targets("log_loss", y)
    costs = []
    for _ in range(num_iters):
        _, cache = forward_propagation(x, params, hidden)
        costs.append(compute_cost(cache, y))
        grads = backward_propagation(params, cache, x, y, hidden=hidden)
        params = update_parameters(params, grads, learning_rate)
    _, cache = forward_propagation(x, params, hidden)
    costs.append(compute_cost(cache, y))
    return params, costs


def predict(params: Named, x: Array, hidden: str = "tanh") -> Array:
    """Return the labels: 1 where a² ≥ 0.5, else 0.

    Returns
    -------
    ndarray of int, shape (m_y, n)

    Examples
    --------
    >>> params = initialise_parameters(2, 4, 1)
    >>> predict(params, np.zeros((2, 3))).tolist()
    [[1, 1, 1]]
    """
    _, cache = forward_propagation(x, params, hidden)
    return (cache["z2"] >= 0).astype(np.int64)


def _hidden(name: str) -> Callable[[Any], tuple[Array, Array]]:
    if name not in HIDDEN:
        raise ValueError(
            f"two_layer: the hidden activation is {name!r}: expected 'tanh' or 'relu'. "
            "For others take l_layer."
        )
    return HIDDEN[name]
