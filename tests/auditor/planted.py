"""Handwritten backprop with one mistake planted, or two, in plain NumPy.

``backward(network, mistakes)`` is the derivation of the notes for the L-layer net, with
penalty and dropout; each mistake is a word that changes one of its lines. Nothing here knows
the auditor, and nothing of the engine is used.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from tensorgrad.testing.networks import Mlp, draw_mlp

LEAK = 0.01


def sigmoid(z: Any) -> Any:
    return 0.5 * (1 + np.tanh(0.5 * z))


def softmax(z: Any) -> Any:
    e = np.exp(z - z.max(axis=0))
    return e / e.sum(axis=0)


FORWARD: dict[str, Callable[[Any], Any]] = {
    "linear": lambda z: z,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z >= 0, z, LEAK * z),
    "softmax": softmax,
}


def slope(name: str, z: Any) -> Any:
    """Return the derivative of an activation that works entry by entry."""
    return {
        "linear": lambda: np.ones_like(z),
        "sigmoid": lambda: sigmoid(z) * (1 - sigmoid(z)),
        "tanh": lambda: 1 - np.tanh(z) ** 2,
        "relu": lambda: (z >= 0) * 1.0,
        "leaky_relu": lambda: np.where(z >= 0, 1.0, LEAK),
    }[name]()


def pulled(name: str, z: Any, da: Any, *, plus: bool = False) -> Any:
    """Return δ from ∂J/∂a."""
    if name != "softmax":
        return da * slope(name, z)
    a = softmax(z)
    inner = (a * da).sum(axis=0)
    return a * (da + inner) if plus else a * (da - inner)


def by_neighbour(name: str, neighbour: str, z: Any, da: Any) -> Any:
    """Return δ by the derivative of another layer's activation."""
    return da * slope(neighbour, z) if neighbour != "softmax" else pulled(name, z, da)


@dataclass(frozen=True)
class Pass:
    """The values of the forward pass, by layer."""

    z: dict[int, Any]
    bare: dict[int, Any]
    a: dict[int, Any]


def forward(net: Mlp, params: Any, x: Any) -> Pass:
    z, bare, a = {}, {}, {0: x}
    if 0 in net.masks:
        a[0] = x * net.masks[0] / net.keep_prob[0]
    for l, name in enumerate(net.activations, 1):
        z[l] = params["w"][l] @ a[l - 1] + params["b"][l]
        bare[l] = a[l] = FORWARD[name](z[l])
        if l in net.masks:
            a[l] = a[l] * net.masks[l] / net.keep_prob[l]
    return Pass(z, bare, a)


def output_delta(net: Mlp, z: Any, a: Any, y: Any, wrong: Collection[str]) -> Any:
    head, n = net.activations[-1], y.shape[1]
    if (net.loss, head) in (("log_loss", "sigmoid"), ("cross_entropy", "softmax")):
        delta = a - y
    elif net.loss == "mse":
        delta = pulled(head, z, 2 * (a - y), plus="plus at top" in wrong)
    else:
        da = (a - y) / (a * (1 - a)) if net.loss == "log_loss" else -y / a
        delta = pulled(head, z, da)
    if "extra slope" in wrong:
        delta = delta * a * (1 - a)
    if "head missing" in wrong:
        delta = 2 * (a - y)
    if "doubled delta" in wrong:
        delta = 2 * delta
    if "no mean" in wrong:
        n = 1
    if "features" in wrong:
        n = net.sizes[0]
    return delta / n


# size: a line for each mistake, so that each can be read beside the right one.
def backward(
    net: Mlp, wrong: Collection[str] = (), layer: int = 1
) -> Callable[[Any, Any, Any], Any]:
    """Return a handwritten gradient with mistakes; those of one layer are made in `layer`."""
    kept: dict[Any, Any] = {}

    # size: as above.
    def gradient(params: Any, x: Any, y: Any) -> Any:
        w, top, n = dict(params["w"]), len(net.activations), x.shape[1]
        values = forward(net, params, x)
        z, a, bare = values.z, values.a, values.bare
        delta = {top: output_delta(net, z[top], a[top], y, wrong)}
        dw, db = {}, {}
        for l in range(top, 0, -1):
            given = a[l - 1]
            here = l == layer
            if "z for a" in wrong and here and l > 1:
                given = z[l - 1]
            if "before dropout" in wrong and here:
                given = bare[l - 1] if l > 1 else x
            dw[l] = delta[l] @ given.T
            db[l] = delta[l].sum(axis=1, keepdims=True)
            if "means" in wrong and here:
                dw[l] = (
                    delta[l].sum(axis=1, keepdims=True)
                    @ given.mean(axis=1, keepdims=True).T
                )
            if "means everywhere" in wrong:
                dw[l] = (
                    delta[l].sum(axis=1, keepdims=True)
                    @ given.mean(axis=1, keepdims=True).T
                )
            if "no mean in db" in wrong:
                db[l] = db[l] * n
            if "scaled" in wrong and here:
                dw[l] = dw[l] * 3
            if net.lam:
                dw[l] = dw[l] + penalty(net, params, l, n, wrong)
            if "bias penalty" in wrong:
                db[l] = db[l] + net.lam / n * params["b"][l]
            if l > 1:
                delta[l - 1] = lower(net, w, dw, values, delta[l], l, wrong, layer)
        if "accumulated" in wrong:
            for l in range(1, top + 1):
                dw[l] = kept["w", l] = kept.get(("w", l), 0) + dw[l]
                db[l] = kept["b", l] = kept.get(("b", l), 0) + db[l]
        return {"w": dw, "b": db}

    return gradient


def penalty(net: Mlp, params: Any, l: int, n: int, wrong: Collection[str]) -> Any:
    factor = net.lam / n
    if "lambda" in wrong:
        factor = net.lam
    if "penalty subtracted" in wrong:
        factor = -factor
    if "penalty missing" in wrong:
        factor = 0.0
    if "half penalty" in wrong:
        factor = factor / 2
    return factor * params["w"][l]


# size: as above.
def lower(
    net: Mlp,
    w: Any,
    dw: Any,
    values: Pass,
    delta: Any,
    l: int,
    wrong: Collection[str],
    layer: int,
) -> Any:
    """Return the δ of layer l - 1; mistakes are made there if it is `layer`."""
    here = l - 1 == layer
    name = net.activations[l - 2]
    weight = w[l]
    if "updated" in wrong:
        weight = weight - 0.1 * dw[l]
    if "not transposed" in wrong and weight.shape[0] == weight.shape[1]:
        weight = weight.T
    da = weight.T @ delta
    if l - 1 in net.masks:
        mask, p = net.masks[l - 1], net.keep_prob[l - 1]
        if "mask missing" in wrong:
            mask = 1.0
        if "dropout missing" in wrong:
            mask, p = 1.0, 1.0
        if "scale missing" in wrong:
            p = 1.0
        da = da * mask / p
    z = values.z[l - 1]
    found = pulled(name, z, da, plus="plus" in wrong and here)
    if "missing" in wrong and here:
        found = da
    if "twice" in wrong and here:
        found = pulled(name, z, found)
    if "neighbour" in wrong and here:
        found = by_neighbour(name, net.activations[l - 1], z, da)
    if "leak ignored" in wrong and name == "leaky_relu":
        found = da * (z >= 0)
    if "at a" in wrong and here and name in ("sigmoid", "tanh"):
        found = da * slope(name, values.bare[l - 1])
    if "z in formula" in wrong and here and name == "tanh":
        found = da * (1 - z**2)
    return -found if "sign" in wrong else found


@dataclass(frozen=True)
class Planted:
    """A mistake by its word, and what an audit has to say about it."""

    word: str
    families: tuple[str, ...]
    expression: str | None = None
    above: bool = False
    """Made in a layer that has one below it."""


SLOPE = ("activation-derivative",)
PLANTED = (
    Planted("no mean", ("scale",), "n"),
    Planted("no mean in db", ("scale",), "n"),
    Planted("features", ("scale",), "n/m"),
    Planted("doubled delta", ("scale",), "2"),
    Planted("scaled", ("scale",), "3", above=True),
    Planted("sign", ("sign",), "-1"),
    Planted("penalty subtracted", ("penalty",), "-1"),
    Planted("penalty missing", ("penalty",), "0"),
    Planted("half penalty", ("penalty",), "1/2"),
    Planted("lambda", ("penalty",), "n"),
    Planted("bias penalty", ("penalty",), "1"),
    Planted("means", ("reduction",), above=True),
    Planted("means everywhere", ("reduction",)),
    Planted("not transposed", ("transpose",)),
    Planted("updated", ("operand",)),
    Planted("z for a", ("operand",), above=True),
    Planted("before dropout", ("operand",), above=True),
    Planted("neighbour", SLOPE),
    Planted("missing", SLOPE),
    Planted("twice", SLOPE),
    Planted("leak ignored", SLOPE),
    Planted("at a", SLOPE),
    Planted("z in formula", SLOPE),
    Planted("extra slope", ("output-delta",)),
    Planted("head missing", (*SLOPE, "output-delta")),
    Planted("plus", ("softmax-jacobian",)),
    Planted("mask missing", ("dropout",)),
    Planted("scale missing", ("dropout",)),
    Planted("dropout missing", ("dropout",)),
)
KINDS = {kind.word: kind for kind in PLANTED}

PAIRS = (
    *(("no mean in db", "z for a"), ("sign", "means"), ("no mean", "missing")),
    *(("lambda", "missing"), ("bias penalty", "neighbour"), ("mask missing", "scaled")),
    *(("updated", "no mean in db"), ("not transposed", "means")),
    *(("doubled delta", "leak ignored"), ("penalty subtracted", "before dropout")),
    *(
        ("dropout missing", "bias penalty"),
        ("missing", "scaled"),
        ("features", "twice"),
    ),
    *(("no mean in db", "lambda"), ("scale missing", "z for a")),
    *(("half penalty", "means everywhere"), ("penalty missing", "bias penalty")),
)

ONLY_WITH = {
    "extra slope": ("log_loss", "cross_entropy"),
    "head missing": ("mse",),
}


@dataclass(frozen=True)
class Case:
    """A network, a gradient with mistakes in it, and the tensors that they spoil."""

    network: Mlp
    layer: int
    words: tuple[str, ...]
    wrong: frozenset[str]

    def handwritten(self) -> Callable[[Any, Any, Any], Any]:
        """Return the gradient, with an empty memory."""
        return backward(self.network, self.words, self.layer)


def spoilt(net: Mlp, words: Collection[str], layer: int) -> frozenset[str]:
    """Return the tensors that differ from the gradient without mistakes."""
    found, right = (
        backward(net, w, layer)(net.params, net.x, net.y) for w in (words, ())
    )
    return frozenset(
        f"{kind}.{l}"
        for kind in right
        for l in right[kind]
        if not np.allclose(found[kind][l], right[kind][l], rtol=1e-9, atol=1e-13)
    )


def plant(words: tuple[str, ...], seed: int) -> Case:
    """Draw networks until each of the mistakes spoils something by itself."""
    kinds = [KINDS[word] for word in words]
    for attempt in count():
        rng = np.random.default_rng([seed, attempt])
        net = draw_mlp(rng, dropout=True)
        top = len(net.activations)
        is_above = any(kind.above for kind in kinds)
        layer = int(rng.integers(2, top + 1) if is_above else rng.integers(1, top))
        is_apt = all(net.loss in ONLY_WITH.get(w, (net.loss,)) for w in words)
        if is_apt and all(spoilt(net, (word,), layer) for word in words):
            return Case(net, layer, words, spoilt(net, words, layer))
    raise AssertionError
