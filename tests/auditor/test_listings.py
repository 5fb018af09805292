"""The wrong gradients of the notes, as formulas in code of our own, are told for what they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.testing.networks import Mlp, draw_mlp


def sigmoid(z: Any) -> Any:
    return 0.5 * (1 + np.tanh(0.5 * z))


def softmax(z: Any) -> Any:
    e = np.exp(z - z.max(axis=0))
    return e / e.sum(axis=0)


def gradients(deltas: dict[int, Any], below: dict[int, Any]) -> Any:
    return {
        "w": {l: d @ below[l].T for l, d in deltas.items()},
        "b": {l: d.sum(axis=1, keepdims=True) for l, d in deltas.items()},
    }


def feature_divisor(w: Any, x: Any, a: Any, y: Any) -> Any:
    """Section 1.1.1: dw and db are divided by the number of features."""
    return gradients({1: (a[1] - y) / len(x)}, {1: x})


def first_weights(w: Any, x: Any, a: Any, y: Any) -> Any:
    """Section 2.1: the gradient by the first weights is delta2 times x."""
    d2 = (a[2] - y) / x.shape[1]
    d1 = w[2].T @ d2 * (1 - a[1] ** 2)
    found = gradients({1: d1, 2: d2}, {1: x, 2: a[1]})
    found["w"][1] = d2 @ x.T
    return found


def softmax_sign(w: Any, x: Any, z: Any, a: Any, y: Any) -> Any:
    """Section 2.2.4: the Jacobian of softmax with a plus, in a hidden layer."""
    d2 = (a[2] - y) / x.shape[1]
    da = w[2].T @ d2
    d1 = a[1] * (da + (a[1] * da).sum(axis=0))
    return gradients({1: d1, 2: d2}, {1: x, 2: a[1]})


def hidden_activation(w: Any, x: Any, z: Any, a: Any, y: Any) -> Any:
    """Section 2.3.1: a hidden ReLU with the derivative of tanh."""
    d2 = (a[2] - y) / x.shape[1]
    d1 = w[2].T @ d2 * (1 - a[1] ** 2)
    return gradients({1: d1, 2: d2}, {1: x, 2: a[1]})


def leaky_slope(w: Any, x: Any, z: Any, a: Any, y: Any) -> Any:
    """Section 3.1.1: the derivative of the leaky ReLU is 0 below zero."""
    d2 = (a[2] - y) / x.shape[1]
    d1 = w[2].T @ d2 * (z[1] > 0)
    return gradients({1: d1, 2: d2}, {1: x, 2: a[1]})


def head_delta(w: Any, x: Any, a: Any, y: Any) -> Any:
    """Section 3.1.1: the first delta is a - y for every head, here tanh with squares."""
    d2 = (a[2] - y) / x.shape[1]
    d1 = w[2].T @ d2 * a[1] * (1 - a[1])
    return gradients({1: d1, 2: d2}, {1: x, 2: a[1]})


def own_weights(w: Any, x: Any, a: Any, y: Any) -> Any:
    """Section 5.1.1: delta is formed with the layer's own weights."""
    d3 = (a[3] - y) / x.shape[1]
    d2 = w[2].T @ d3 * (1 - a[2] ** 2)
    d1 = w[1].T @ d2 * a[1] * (1 - a[1])
    return gradients({1: d1, 2: d2, 3: d3}, {1: x, 2: a[1], 3: a[2]})


def mask_product_back(
    w: Any, x: Any, a: Any, y: Any, masks: Any, keep_prob: Any
) -> Any:
    """Section 5.1.1: delta is multiplied by the mask as matrices."""
    d2 = (a[2] - y) / x.shape[1]
    bare = np.tanh(w[1] @ a[0] + BIAS["b"])
    d1 = (w[2].T @ d2 @ masks[1]) / keep_prob[1] * (1 - bare**2)
    return gradients({1: d1, 2: d2}, {1: a[0], 2: a[1]})


def entrywise_gradient(w: Any, x: Any, a: Any, y: Any) -> Any:
    """Section 5.1.1: the gradient by W is a product entry by entry."""
    d1 = (a[1] - y) / x.shape[1]
    return {"w": {1: d1 * x.T}, "b": {1: d1.sum(axis=1, keepdims=True)}}


def penalised_biases(w: Any, b: Any, x: Any, a: Any, y: Any, lam: Any) -> Any:
    """Section 5: the biases are penalised like the weights."""
    n = x.shape[1]
    found = gradients({1: (a[1] - y) / n}, {1: x})
    found["w"][1] = found["w"][1] + lam / n * w[1]
    found["b"][1] = found["b"][1] + lam / n * b[1]
    return found


BIAS: dict[str, Any] = {}


def net(sizes: list[int], activations: list[str], **options: Any) -> Mlp:
    found = draw_mlp(3, sizes=sizes, activations=activations, **{"lam": 0.0, **options})
    BIAS["b"] = found.params["b"][1]
    return found


LISTINGS: list[tuple[Callable[..., Any], Mlp, str]] = [
    (feature_divisor, net([4, 1], ["sigmoid"]), "scale"),
    (first_weights, net([4, 3, 3], ["tanh", "softmax"]), "operand"),
    (softmax_sign, net([4, 5, 3], ["softmax", "sigmoid"]), "softmax-jacobian"),
    (hidden_activation, net([4, 5, 1], ["relu", "sigmoid"]), "activation-derivative"),
    (leaky_slope, net([4, 5, 1], ["leaky_relu", "sigmoid"]), "activation-derivative"),
    (head_delta, net([4, 5, 2], ["sigmoid", "tanh"]), "output-delta"),
    (own_weights, net([3, 3, 3, 3], ["sigmoid", "tanh", "softmax"]), "operand"),
    (entrywise_gradient, net([5, 5], ["sigmoid"], n=5), "reduction"),
    (penalised_biases, net([4, 3], ["softmax"], lam=0.7), "penalty"),
]


@pytest.mark.parametrize(
    ("listing", "network", "family"),
    LISTINGS,
    ids=[row[0].__name__ for row in LISTINGS],
)
def test_wrong_listing_is_diagnosed(
    listing: Callable[..., Any], network: Mlp, family: str
) -> None:
    report = tg.audit(listing, network)
    assert report.verdict == "refuted"
    assert [finding.family for finding in report.findings] == [family]
    assert all(finding.residual < 1e-8 for finding in report.findings)


def test_product_of_matrices_with_the_mask_is_diagnosed() -> None:
    network = net([4, 5, 3], ["tanh", "softmax"], n=5, dropout=True)
    report = tg.audit(mask_product_back, network)
    assert [finding.family for finding in report.findings] == ["dropout"]
    assert "matrix" in report.findings[0].message
