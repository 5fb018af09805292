"""The listing of deep networks (notes, section 3.1.1), mistake by mistake.

What is wrong there is written here in code of our own, and run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.derivations import l_layer
from tensorgrad.derivations.activations import ELEMENTWISE, activate, relu
from tensorgrad.verify.cases import Network, draw_network
from tensorgrad.verify.numerical import complex_gradient
from tensorgrad.verify.records import Erratum, Evidence, distance

__all__ = ["CLAIMS", "ERRATA", "backward_with"]

CLAIMS = ()

Slopes = Callable[[int, Array], Array]
"""The derivative that is used at layer l, at its z."""


def backward_with(network: Network, slopes: Slopes) -> dict[int, Array]:
    """Return ∂J/∂W of every layer with these derivatives in the hidden layers.

    Examples
    --------
    >>> network = draw_network(0, [3, 4, 1], ["tanh", "sigmoid"], n=5)
    >>> right = backward_with(network, lambda l, z: 1 - np.tanh(z) ** 2)
    >>> distance(right[1], network.by_hand()["w"][1]) < 1e-12
    True
    """
    cache = network.forward()
    z, a, w = cache["z"], cache["a"], network.params["w"]
    top = len(network.activations)
    delta = a[top] - network.y
    found = {}
    for l in range(top, 0, -1):
        found[l] = delta @ a[l - 1].T / network.n
        if l > 1:
            delta = (w[l].T @ delta) * slopes(l - 1, z[l - 1])
    return found


def _slope_of(names: Sequence[str], shift: int, l: int, z: Array) -> Array:
    """Return the derivative of the activation of layer l + shift."""
    return ELEMENTWISE[names[l - 1 + shift]](z)[1]


def measure_index(rng: np.random.Generator) -> Evidence:
    """Measure the derivatives of the layer above in the place of the layer's own."""

    def errors(names: list[str]) -> dict[int, float]:
        sizes = [3, 5, 4, 1]
        network = draw_network(int(rng.integers(2**32)), sizes, names, n=7)
        wrong = backward_with(network, partial(_slope_of, names, 1))
        right = network.by_hand()["w"]
        return {l: distance(wrong[l], right[l]) for l in right}

    mixed = errors(["tanh", "relu", "sigmoid"])
    as_printed = errors(["relu", "relu", "sigmoid"])
    same = errors(["sigmoid", "sigmoid", "sigmoid"])
    return Evidence(
        "with ReLU, ReLU, sigmoid, as the text has them, the gradient of W2 is off by "
        f"{as_printed[2]:.2f} in relative norm, and that of W1 by {as_printed[1]:.2f}; "
        f"with tanh, ReLU, sigmoid by {mixed[2]:.2f} and {mixed[1]:.2f}",
        shown=min(as_printed[1], as_printed[2]),
        hidden=max(same.values()),
    )


def measure_leaky(rng: np.random.Generator) -> Evidence:
    """Measure the slope 0 below zero where it is β."""

    def error(beta: float) -> float:
        seed = int(rng.integers(2**32))
        network = draw_network(seed, [3, 6, 5, 1], ["linear", "linear", "sigmoid"], n=7)
        z: dict[int, Array] = {}
        a = network.x
        for l in (1, 2):
            z[l] = network.params["w"][l] @ a + network.params["b"][l]
            a = relu(z[l], beta)[0]
        delta = rng.normal(size=(5, 7))
        found = []
        for slope in (lambda z: relu(z, beta)[1], lambda z: (z >= 0) * 1.0):
            inner = slope(z[2]) * delta
            found.append(network.params["w"][2].T @ inner * slope(z[1]))
        return distance(*found)

    off = error(0.3)
    return Evidence(
        f"with a slope of 0.3 below zero, delta two layers down is off by {off:.2f} in "
        "relative norm",
        shown=off,
        hidden=error(0.0),
    )


def measure_head(rng: np.random.Generator) -> Evidence:
    """Measure a - y as δ of other heads than the sigmoid."""

    def error(head: str, loss: str) -> float:
        names, sizes = ["tanh", head], [3, 4, 2]
        network = draw_network(int(rng.integers(2**32)), sizes, names, n=6, loss=loss)
        cache = network.forward()
        return distance(cache["a"][2] - network.y, network.by_hand()["delta"][2])

    linear, tanh = error("linear", "mse"), error("tanh", "mse")
    return Evidence(
        f"for squared errors, a - y is off by {linear:.2f} in relative norm with a linear "
        f"head, and by {tanh:.2f} with tanh",
        shown=min(linear, tanh),
        hidden=max(error("sigmoid", "log_loss"), error("softmax", "cross_entropy")),
    )


def _binary_cost(head: str, y: Array, z: Any) -> Any:
    """Return the log-loss over all outputs, of whatever head they come from."""
    a = activate(head, z)
    return -(y * np.log(a) + (1 - y) * np.log(1 - a)).sum() / y.shape[1]


def measure_cost(rng: np.random.Generator) -> Evidence:
    """Measure a - y against the derivative of the printed cost."""

    def error(head: str) -> float:
        z = rng.normal(size=(4, 6))
        y = np.eye(4)[:, rng.integers(0, 4, 6)]
        slope = 6 * complex_gradient(partial(_binary_cost, head, y), z)
        return distance(activate(head, z) - y, slope)

    off = error("softmax")
    return Evidence(
        f"with a softmax head, a - y is off by {off:.2f} in relative norm from the "
        "derivative of the cost that is reported",
        shown=off,
        hidden=error("sigmoid"),
    )


def measure_rate(rng: np.random.Generator) -> Evidence:
    """Measure the step with the rate of the call against that of the default."""
    network = draw_network(
        int(rng.integers(2**32)), [3, 4, 1], ["relu", "sigmoid"], n=6
    )
    grads = network.by_hand()

    def step(*rate: float) -> Array:
        moved: Mapping[str, Any] = l_layer.update_parameters(
            network.params, grads, *rate
        )
        change: Array = moved["w"][2] - network.params["w"][2]
        return change

    ratio = float(np.linalg.norm(step(0.1)) / np.linalg.norm(step()))
    return Evidence(
        f"the steps are {ratio:.0f} times as long as the default says",
        shown=ratio - 1,
    )


def measure_final_cost(rng: np.random.Generator) -> Evidence:
    """Measure the returned cost against the cost of the returned parameters."""

    def error(rate: float) -> float:
        seed = int(rng.integers(2**32))
        network = draw_network(seed, [3, 4, 1], ["tanh", "sigmoid"], n=30)
        _, costs = l_layer.descend(
            network.params,
            network.x,
            network.y,
            network.activations,
            learning_rate=rate,
            num_iters=5,
        )
        return distance(costs[-2], costs[-1])

    off = error(0.5)
    return Evidence(
        f"after 5 steps with learning rate 0.5 it is off by {off:.1%}",
        shown=off,
        hidden=error(0.0),
    )


def measure_scale(rng: np.random.Generator) -> Evidence:
    """Measure what is left of the signal ten layers up."""
    sizes = [20] * 11
    x = rng.normal(size=(20, 200))

    def kept(scale: float | None) -> float:
        params = l_layer.initialise_parameters(sizes, rng=rng, scale=scale)
        if scale is None:
            params["w"] = {l: np.sqrt(2.0) * w for l, w in params["w"].items()}
        a = l_layer.forward_propagation(params, x, ["relu"] * 10)["a"][10]
        return float(np.sqrt(np.mean(a * a)))

    small, fitting = kept(0.01), kept(None)
    return Evidence(
        f"after 10 layers of 20 ReLUs a signal of size 1 is {small:.0e}, with He's variance "
        f"{fitting:.0e}",
        shown=1 - small / fitting,
    )


ERRATA = (
    Erratum(
        id="leaky-slope",
        section="3.1.1",
        kind="listing",
        printed="The derivative of the leaky ReLU is 0 below zero, whatever its slope is",
        right=r"It is $\beta$ there, as in section 2.2.3",
        why=r"The comparison gives 0 or 1; the argument $\beta$ is used in the value only.",
        invisible=r"for $\beta = 0$, the default, and where no z is negative",
        measure=measure_leaky,
        claim="relu-slope",
    ),
    Erratum(
        id="small-start",
        section="3.1.1",
        kind="listing",
        printed="All weights start with a deviation of 0.01, at any depth and width",
        right=r"With $\sqrt{2/s_{l-1}}$ before ReLU, and $\sqrt{1/s_{l-1}}$ or so elsewhere",
        why="Every layer multiplies the signal by its deviation; ten layers, ten times.",
        invisible="never; in networks of two layers it costs iterations alone",
        measure=measure_scale,
        claim="relu-variance",
    ),
    Erratum(
        id="cost-of-heads",
        section="3.1.1",
        kind="listing",
        printed="The cost is the binary log-loss, whatever the last activation is",
        right="The loss that belongs to the head: cross-entropy for softmax",
        why=(
            "With softmax the listing descends along the gradient of one cost, and reports "
            "another."
        ),
        invisible="for a sigmoid head",
        measure=measure_cost,
        claim="cross-entropy-head",
    ),
    Erratum(
        id="head-delta",
        section="3.1.1",
        kind="listing",
        printed=r"$\delta^{[L]} = a^{[L]} - y$ for any list of activations",
        right=r"$\delta^{[L]T} = d(L_y)_{a^{[L]}} \cdot dg^{[L]}_{z^{[L]}}$, as in section 3.1",
        why="The short form holds for sigmoid with log-loss and softmax with cross-entropy.",
        invisible="for these two",
        measure=measure_head,
        claim="squares-head",
    ),
    Erratum(
        id="activation-index",
        section="3.1.1",
        kind="listing",
        printed=(
            "On the way back, layer l takes entry l of the list of activations, counted "
            "from 0: the one of layer l + 1"
        ),
        right="Entry l - 1, as on the way forward",
        why="The list starts with layer 1 at entry 0.",
        invisible=(
            "where neighbouring layers have the same activation; the last hidden layer "
            "always shows it under another head"
        ),
        measure=measure_index,
        claim="layers",
    ),
    Erratum(
        id="fixed-rate",
        section="3.1.1",
        kind="listing",
        printed=(
            "The documented learning rate is 0.01 by default; the only call passes 0.1, "
            "and the model has no argument for it"
        ),
        right="The rate is an argument of the model, with its default said once",
        why="The default is never used.",
        invisible="to a reader of the documentation; in what is learned, never",
        measure=measure_rate,
    ),
    Erratum(
        id="final-cost",
        section="3.1.1",
        kind="listing",
        printed="The returned cost is called that of the returned parameters",
        right="It is the cost before the last update; the last one is computed once more",
        why="The cost is taken at the start of each iteration. Section 5.1.1 repeats it.",
        invisible="at a minimum, or with a learning rate of 0",
        measure=measure_final_cost,
    ),
)
