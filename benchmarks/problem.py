"""What is to be computed: seven kinds of problem, as plain data.

A problem holds arrays and numbers only, so that every contender starts from the
same values and none can prepare work in it that belongs to the timed step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Arrays: TypeAlias = dict[str, Array]

ADAM_BETA1 = 0.9
ADAM_BETA2 = 0.999
ADAM_EPSILON = 1e-8

CHAIN_SCALE = 1.02
CHAIN_SHIFT = 0.01
CHAIN_PERIOD = 4
"""A chain repeats tanh, sin, times `CHAIN_SCALE`, plus `CHAIN_SHIFT`."""

RESTING_FACTOR = 1e-7
"""Factor on the learning rate while timing.

The arithmetic stays the same, but a network that is stepped ten thousand times
neither learns its batch by heart nor drifts into saturation or denormals.
"""


@dataclass(frozen=True)
class BinaryNet:
    """A tanh network with a sigmoid head, examples in columns, trained by SGD.

    ``W1, b1, …`` have the shapes (n_out, n_in) and (n_out, 1); with one layer it is
    logistic regression. The loss is the log-loss, averaged over the examples.
    """

    x: Array
    y: Array
    params: Arrays
    lr: float

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.params) // 2


@dataclass(frozen=True)
class ClassNet:
    """A classifier with a softmax head, examples in rows.

    ``W1, b1, …`` have the shapes (n_out, n_in) and (n_out,). `y` is one-hot, `labels`
    are the same classes as integers. The loss is the cross-entropy, averaged.
    """

    x: Array
    y: Array
    labels: Array
    params: Arrays
    hidden: Literal["tanh", "relu"]
    optimizer: Literal["sgd", "adam"]
    lr: float

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.params) // 2


@dataclass(frozen=True)
class Chain:
    """The sum of `n_ops` elementwise operations in a row on a small array `x`."""

    x: Array
    n_ops: int


@dataclass(frozen=True)
class WeightedSoftmax:
    """``sum(weights * softmax(z, axis=-1))`` and its gradient in `z`."""

    z: Array
    weights: Array


@dataclass(frozen=True)
class LogLoss:
    """The log-loss of ``sigmoid(z)`` against `y`, averaged, and its gradient in `z`."""

    z: Array
    y: Array


@dataclass(frozen=True)
class HessianVector:
    """The Hessian of a tanh network's mean cross-entropy, times a direction.

    Arrays as in `ClassNet`, two layers; `direction` has the shapes of the parameters.
    """

    x: Array
    y: Array
    params: Arrays
    direction: Arrays


@dataclass(frozen=True)
class ExampleGradients:
    """The gradient of each example's cross-entropy: shapes (n, …) of the parameters."""

    x: Array
    y: Array
    params: Arrays


Problem: TypeAlias = (
    BinaryNet
    | ClassNet
    | Chain
    | WeightedSoftmax
    | LogLoss
    | HessianVector
    | ExampleGradients
)


def layer_names(depth: int) -> list[str]:
    """Return the parameter names ``W1, b1, …`` of a network with `depth` layers."""
    return [f"{kind}{layer}" for layer in range(1, depth + 1) for kind in "Wb"]


def at_rest(problem: Problem) -> Problem:
    """Return `problem` with a learning rate that leaves the parameters in place."""
    if isinstance(problem, BinaryNet | ClassNet):
        return replace(problem, lr=problem.lr * RESTING_FACTOR)
    return problem


def make_binary_net(
    rng: np.random.Generator, sizes: Sequence[int], *, n: int, dtype: Any, lr: float
) -> BinaryNet:
    """Draw a `BinaryNet` of layer `sizes` (inputs first) with `n` examples."""
    x = rng.standard_normal((sizes[0], n)).astype(dtype)
    y = (rng.random((1, n)) < 1 / 2).astype(dtype)
    params: Arrays = {}
    for layer, (n_in, n_out) in enumerate(pairwise(sizes), 1):
        spread = 1 / np.sqrt(n_in)
        params[f"W{layer}"] = (spread * rng.standard_normal((n_out, n_in))).astype(
            dtype
        )
        params[f"b{layer}"] = np.zeros((n_out, 1), dtype)
    return BinaryNet(x=x, y=y, params=params, lr=lr)


def make_class_net(
    rng: np.random.Generator,
    sizes: Sequence[int],
    *,
    n: int,
    dtype: Any,
    hidden: Literal["tanh", "relu"],
    optimizer: Literal["sgd", "adam"],
    lr: float,
) -> ClassNet:
    """Draw a `ClassNet` of layer `sizes` (inputs first) with `n` examples."""
    x = rng.standard_normal((n, sizes[0])).astype(dtype)
    labels = rng.integers(0, sizes[-1], n)
    gain = {"tanh": 1.0, "relu": 2.0}[hidden]
    params: Arrays = {}
    for layer, (n_in, n_out) in enumerate(pairwise(sizes), 1):
        spread = np.sqrt(gain / n_in)
        params[f"W{layer}"] = (spread * rng.standard_normal((n_out, n_in))).astype(
            dtype
        )
        params[f"b{layer}"] = np.zeros(n_out, dtype)
    return ClassNet(
        x=x,
        y=np.eye(sizes[-1], dtype=dtype)[labels],
        labels=labels,
        params=params,
        hidden=hidden,
        optimizer=optimizer,
        lr=lr,
    )


def make_hessian_vector(
    rng: np.random.Generator, sizes: Sequence[int], *, n: int, dtype: Any
) -> HessianVector:
    """Draw a `HessianVector` of a network of two layers with `n` examples."""
    net = make_class_net(
        rng, sizes, n=n, dtype=dtype, hidden="tanh", optimizer="sgd", lr=0.1
    )
    direction = {
        name: rng.standard_normal(p.shape).astype(dtype)
        for name, p in net.params.items()
    }
    return HessianVector(x=net.x, y=net.y, params=net.params, direction=direction)


def make_example_gradients(
    rng: np.random.Generator, sizes: Sequence[int], *, n: int, dtype: Any
) -> ExampleGradients:
    """Draw an `ExampleGradients` of a network of two layers with `n` examples."""
    net = make_class_net(
        rng, sizes, n=n, dtype=dtype, hidden="tanh", optimizer="sgd", lr=0.1
    )
    return ExampleGradients(x=net.x, y=net.y, params=net.params)


def make_chain(rng: np.random.Generator, size: int, *, n_ops: int) -> Chain:
    """Draw a `Chain` of `n_ops` operations (a multiple of four) on `size` elements."""
    return Chain(x=rng.uniform(0.2, 0.4, size), n_ops=n_ops)


def make_softmax(
    rng: np.random.Generator, shape: tuple[int, ...], *, dtype: Any
) -> WeightedSoftmax:
    """Draw a `WeightedSoftmax` over the last axis of `shape`."""
    return WeightedSoftmax(
        z=rng.standard_normal(shape).astype(dtype),
        weights=rng.standard_normal(shape).astype(dtype),
    )


def make_log_loss(rng: np.random.Generator, size: int, *, dtype: Any) -> LogLoss:
    """Draw a `LogLoss` of `size` examples."""
    return LogLoss(
        z=rng.standard_normal(size).astype(dtype),
        y=(rng.random(size) < 1 / 2).astype(dtype),
    )
