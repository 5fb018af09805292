"""The variance of initial weights, and why they are not zero (notes, 2.3.1 and 6).

With independent weights of mean 0, independent of the activations, and zero biases,

    E[(zˡ)²] = sˡ⁻¹ Var(Wˡ) E[(aˡ⁻¹)²].

zˡ is distributed symmetrically, so that ReLU keeps half of its square:
E[(aˡ)²] = ½ E[(zˡ)²]. Signals keep their size if sˡ⁻¹ Var(Wˡ) = 2 (He).

Section 6 prints 1/sˡ⁻¹ for ReLU, which halves the mean square at every layer: 2⁻ᴸ at
depth L. With one hidden layer the factor ½ hardly shows. The printed variance is right
(LeCun) where g keeps the size of z: for linear layers, and for tanh near 0. Gradients
travel backwards by sˡ Var(Wˡ); 2/(sˡ⁻¹ + sˡ) is between the two conditions (Xavier, also
called Glorot).

Section 2.3.1 concludes from δ¹ = 0 that W¹ stays at zero in every iteration. δ¹ vanishes
because W² does, so that needs W² to stay there too, which follows for g(0) = 0 (tanh,
ReLU) from ∂J/∂W² = (1/n) δ² a¹ᵀ. A sigmoid has g(0) = ½: W² moves in the first step and
W¹ in the second, unless Σ δ² = 0, as for balanced classes. What remains for every g is
symmetry: equal nodes have equal gradients and stay equal. `descend_from_zero` shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from .activations import LEAKY_SLOPE, Array
from .l_layer import Layers, Params, descend, forward_propagation

__all__ = [
    "RULES",
    "ZeroStart",
    "descend_from_zero",
    "he_variance",
    "initialise_parameters",
    "lecun_variance",
    "mean_squares",
    "rule_for",
    "xavier_variance",
]


def he_variance(fan_in: int, fan_out: int = 1, *, beta: float = 0.0) -> float:
    """Return 2/((1 + β²) sˡ⁻¹), which keeps the size of signals behind a ReLU.

    Parameters
    ----------
    fan_in, fan_out : int
        sˡ⁻¹ and sˡ; the latter does not matter here.
    beta : float
        Slope of the activation below zero.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a layer has no node.

    References
    ----------
    He, Zhang, Ren, Sun, *Delving Deep into Rectifiers*, ICCV 2015, equations 10 and 15.
    Notes, section 6, print 1/sˡ⁻¹.

    Examples
    --------
    >>> he_variance(50)
    0.04
    """
    _check(fan_in, fan_out)
    return 2 / ((1 + beta * beta) * fan_in)


def xavier_variance(fan_in: int, fan_out: int) -> float:
    """Return 2/(sˡ⁻¹ + sˡ), between what activations and what gradients need.

    Parameters
    ----------
    fan_in, fan_out : int
        sˡ⁻¹ and sˡ.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a layer has no node.

    References
    ----------
    Glorot, Bengio, *Understanding the difficulty of training deep feedforward neural
    networks*, AISTATS 2010, equation 12.

    Examples
    --------
    >>> xavier_variance(30, 10)
    0.05
    """
    _check(fan_in, fan_out)
    return 2 / (fan_in + fan_out)


def lecun_variance(fan_in: int, fan_out: int = 1) -> float:
    """Return 1/sˡ⁻¹, which keeps the size of signals where g is near the identity.

    Parameters
    ----------
    fan_in, fan_out : int
        sˡ⁻¹ and sˡ; the latter does not matter here.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a layer has no node.

    References
    ----------
    LeCun, Bottou, Orr, Müller, *Efficient BackProp*, 1998, section 4.6. Notes,
    section 6, where it stands for ReLU.

    Examples
    --------
    >>> lecun_variance(50)
    0.02
    """
    _check(fan_in, fan_out)
    return 1 / fan_in


RULES: MappingProxyType[str, Callable[[int, int], float]] = MappingProxyType(
    {"he": he_variance, "xavier": xavier_variance, "lecun": lecun_variance}
)
"""The variance as a function of sˡ⁻¹ and sˡ, by name."""


def rule_for(activation: str) -> str:
    """Return the rule that goes with an activation: He for the ReLUs, else Xavier.

    Examples
    --------
    >>> [rule_for(name) for name in ("relu", "leaky_relu", "tanh", "softmax")]
    ['he', 'he', 'xavier', 'xavier']
    """
    return "he" if activation in {"relu", "leaky_relu"} else "xavier"


def initialise_parameters(
    sizes: Sequence[int],
    activations: Sequence[str],
    *,
    rule: str | None = None,
    rng: int | np.random.Generator = 0,
) -> dict[str, Layers]:
    """Draw Gaussian weights of the variance that fits each layer; biases are zero.

    Parameters
    ----------
    sizes : sequence of int
        Nodes of the layers 0 … L.
    activations : sequence of str
        Of the layers 1 … L.
    rule : str, optional
        he, xavier or lecun for all layers. By default that of each activation.
    rng : int or numpy.random.Generator

    Returns
    -------
    dict
        ``{"w": {1: …}, "b": {1: …}}``.

    Raises
    ------
    ValueError
        If there are not as many activations as layers, a layer has no node, or there is
        no such rule.

    References
    ----------
    Notes, section 6.

    Examples
    --------
    >>> params = initialise_parameters([3, 5, 1], ["relu", "sigmoid"])
    >>> params["w"][1].shape, params["b"][2].shape
    ((5, 3), (1, 1))
    """
    if len(activations) != len(sizes) - 1:
        raise ValueError(
            f"initialise_parameters: {len(activations)} activations for "
            f"{len(sizes) - 1} layers: expected one for each. Name the last layer's, too."
        )
    generator = np.random.default_rng(rng)
    w, b = {}, {}
    for l, activation in enumerate(activations, start=1):
        variance = _variance(rule, activation, sizes[l - 1], sizes[l])
        draw = generator.standard_normal((sizes[l], sizes[l - 1]))
        w[l] = np.sqrt(variance) * draw
        b[l] = np.zeros((sizes[l], 1))
    return {"w": w, "b": b}


def mean_squares(params: Params, x: Array, activations: Sequence[str]) -> Array:
    """Return the mean square of the activations of the layers 0 … L.

    Parameters
    ----------
    params : dict
        As in `l_layer`.
    x : ndarray, shape (sizes[0], n)
    activations : sequence of str

    Returns
    -------
    ndarray, shape (L + 1,)
        Constant where the weights suit the activations; else it vanishes or explodes
        with depth.

    Examples
    --------
    >>> params = {"w": {1: np.array([[2.0]])}, "b": {1: np.zeros((1, 1))}}
    >>> mean_squares(params, np.array([[1.0, -1.0]]), ["relu"]).tolist()
    [1.0, 2.0]
    """
    a = forward_propagation(params, x, activations)["a"]
    return np.array([np.mean(a[l] * a[l]) for l in range(len(activations) + 1)])


@dataclass(frozen=True, eq=False)
class ZeroStart:
    """Where descent leads from zero.

    Attributes
    ----------
    params : dict
        After the descent.
    largest : dict of int to float
        The largest absolute weight of each layer; 0 where no weight has moved.
    spread : dict of int to float
        How much the nodes of each hidden layer differ: the largest difference of two
        rows of (Wˡ, bˡ), or of two columns of Wˡ⁺¹. Of the size of rounding, or 0, in
        every case.
    """

    params: Params
    largest: dict[int, float]
    spread: dict[int, float]


def descend_from_zero(
    x: Array,
    y: Array,
    hidden_sizes: Sequence[int],
    activations: Sequence[str],
    *,
    learning_rate: float = 0.1,
    num_iters: int = 100,
) -> ZeroStart:
    """Descend from zero weights and biases, and look at what has become of them.

    Parameters
    ----------
    x : ndarray, shape (m, n)
    y : ndarray, shape (outputs, n)
    hidden_sizes : sequence of int
        Nodes of the layers 1 … L - 1; none of them for a single layer, to which zero
        does no harm.
    activations : sequence of str
        Of the layers 1 … L.
    learning_rate : float, per step
    num_iters : int

    Returns
    -------
    ZeroStart

    Raises
    ------
    ValueError
        If there are not as many activations as layers.

    References
    ----------
    Notes, section 2.3.1.

    Examples
    --------
    >>> x, y = np.array([[-2.0, 1.0, 3.0]]), np.array([[0.0, 1.0, 1.0]])
    >>> descend_from_zero(x, y, [4], ["tanh", "sigmoid"]).largest
    {1: 0.0, 2: 0.0}
    >>> found = descend_from_zero(x, y, [4], ["sigmoid", "sigmoid"])
    >>> found.largest[1] > 0, found.spread[1] < 1e-12
    (True, True)
    """
    sizes = [x.shape[0], *hidden_sizes, y.shape[0]]
    layers = range(1, len(sizes))
    start = {
        "w": {l: np.zeros((sizes[l], sizes[l - 1])) for l in layers},
        "b": {l: np.zeros((sizes[l], 1)) for l in layers},
    }
    params, _ = descend(
        start, x, y, activations, learning_rate=learning_rate, num_iters=num_iters
    )
    w, b = params["w"], params["b"]
    return ZeroStart(
        params=params,
        largest={l: float(np.abs(w[l]).max()) for l in layers},
        spread={
            l: max(_spread(np.hstack([w[l], b[l]])), _spread(w[l + 1].T))
            for l in layers[:-1]
        },
    )


def _spread(rows: Array) -> float:
    """Return the largest difference of two rows in one entry."""
    return float(np.ptp(rows, axis=0).max())


def _variance(rule: str | None, activation: str, fan_in: int, fan_out: int) -> float:
    name = rule_for(activation) if rule is None else rule
    if name not in RULES:
        raise ValueError(
            f"initialise_parameters: no rule is called {name!r}: expected one of "
            f"{', '.join(RULES)}. Check the spelling."
        )
    if name == "he":
        beta = LEAKY_SLOPE if activation == "leaky_relu" else 0.0
        return he_variance(fan_in, fan_out, beta=beta)
    return RULES[name](fan_in, fan_out)


def _check(fan_in: int, fan_out: int) -> None:
    if fan_in < 1 or fan_out < 1:
        raise ValueError(
            f"initialisation: a layer from {fan_in} to {fan_out} nodes: expected at least "
            "one on each side. Check the sizes of the layers."
        )
