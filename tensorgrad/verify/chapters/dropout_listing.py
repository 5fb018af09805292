"""The listing of dropout (notes, section 5.1.1), mistake by mistake.

What is wrong there is written here in code of our own, and run.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.derivations.activations import ELEMENTWISE
from tensorgrad.derivations.dropout import drop
from tensorgrad.derivations.l_layer import draw_masks, forward_propagation
from tensorgrad.verify.cases import draw_network
from tensorgrad.verify.chapters.logistic_listing import share_raising
from tensorgrad.verify.records import Erratum, Evidence, distance

__all__ = ["CLAIMS", "ERRATA"]

CLAIMS = ()

WIDTHS = range(1, 7)


def measure_frozen(rng: np.random.Generator) -> Evidence:
    """Measure how many places are dropped in every iteration."""
    p, seed = 0.7, int(rng.integers(2**32))

    def never_kept(num_iters: int, *, frozen: bool) -> float:
        generator = np.random.default_rng(seed)
        kept = np.zeros((20, 50), dtype=bool)
        for _ in range(num_iters):
            source = np.random.default_rng(seed) if frozen else generator
            kept |= draw_masks([20, 1], 50, {0: p}, source)[0]
        return float(np.mean(~kept))

    always, fresh = never_kept(50, frozen=True), never_kept(50, frozen=False)
    return Evidence(
        f"at p = {p}, after 50 iterations {always:.0%} of the places of a layer have never "
        f"been kept; with fresh masks {fresh:.0%}",
        shown=always - fresh,
        hidden=abs(never_kept(1, frozen=True) - never_kept(1, frozen=False)),
    )


def measure_shape_argument(rng: np.random.Generator) -> Evidence:
    """Measure a call with a tuple where the lengths are arguments of their own."""
    # The old interface is what the listing calls.
    old = np.random.RandomState(0)
    share = share_raising(TypeError, lambda k: old.rand((k + 1, 3)))  # type: ignore[call-overload]
    return Evidence(
        f"{share:.0%} of the calls stop: a tuple is no length",
        shown=share,
    )


def _product_errors(rng: np.random.Generator) -> tuple[float, float, float]:
    """Return how often v @ D stops, how far off it is where not, and for 1 × 1."""
    n_stopped, n_pairs, off = 0, 0, []
    for s in WIDTHS:
        for n in WIDTHS:
            v, mask = rng.normal(size=(s, n)), 1.0 * (rng.random((s, n)) < 0.7)
            mask[0, 0] = 1.0
            right = drop(v, mask, 0.7)
            n_pairs += 1
            if s == n:
                off.append(distance(v @ mask / 0.7, right))
            else:
                product = partial(np.matmul, v, mask)
                n_stopped += int(share_raising(ValueError, lambda k: product(), 1))  # noqa: B023  # run at once
    alone, *others = off
    return n_stopped / n_pairs, min(others), alone


def measure_product(rng: np.random.Generator) -> Evidence:
    """Measure the matrix product with a mask, on the way forward."""
    stopped, off, alone = _product_errors(rng)
    return Evidence(
        f"of the layers with up to 6 nodes and 6 examples, {stopped:.0%} stop; where there "
        f"are as many nodes as examples it is off by {off:.2f} at least",
        shown=min(stopped, off),
        hidden=alone,
    )


def measure_product_back(rng: np.random.Generator) -> Evidence:
    """Measure the matrix product with a mask, on the way back."""
    network = draw_network(
        int(rng.integers(2**32)), [3, 5, 1], ["relu", "sigmoid"], n=5
    )
    delta = network.by_hand()["delta"]
    mask = 1.0 * (rng.random((5, 5)) < 0.7)
    mask[0] = [0, 1, 1, 0, 1]

    def gradient(masked: Array) -> Array:
        found: Array = masked @ network.x.T / network.n
        return found

    off = distance(gradient(delta[1] @ mask), gradient(delta[1] * mask))
    one, mask_of_one = rng.normal(size=(1, 1)), np.ones((1, 1))
    return Evidence(
        f"with 5 nodes and 5 examples, the gradient of W1 is off by {off:.2f} in relative "
        "norm: examples are mixed",
        shown=off,
        hidden=distance(one @ mask_of_one, one * mask_of_one),
    )


def measure_layers(rng: np.random.Generator) -> Evidence:
    """Measure whether there is a mask for the last layer of the loop."""

    def run(depth: int) -> None:
        masks = dict.fromkeys(range(depth))  # layers 0 to L - 1
        for l in range(1, depth + 1):
            masks[l]

    share = share_raising(KeyError, lambda k: run(k + 1))
    return Evidence(
        f"{share:.0%} of the networks with 1 to 20 layers stop at the mask of the output "
        "layer, after that layer got ReLU",
        shown=share,
    )


def measure_unknown(rng: np.random.Generator) -> Evidence:
    """Measure what follows a message for tanh and softmax."""

    def layer(name: str) -> Any:
        z = rng.normal(size=3)
        if name in ("relu", "sigmoid"):
            value = ELEMENTWISE[name](z)[0]
        return value

    documented = share_raising(
        UnboundLocalError, lambda k: layer(("tanh", "softmax")[k % 2])
    )
    known = share_raising(
        UnboundLocalError, lambda k: layer(("relu", "sigmoid")[k % 2])
    )
    return Evidence(
        f"with tanh and softmax, which are documented, {documented:.0%} of the calls stop "
        "after the message, at a name that is not set",
        shown=documented,
        hidden=known,
    )


def measure_ignored(rng: np.random.Generator) -> Evidence:
    """Measure the outputs with the activations that are asked for and with ReLU."""

    def error(hidden: str) -> float:
        seed = int(rng.integers(2**32))
        network = draw_network(seed, [3, 4, 4, 1], [hidden, hidden, "sigmoid"], n=5)
        asked = network.forward()["a"][3]
        fixed = ["relu", "relu", "sigmoid"]
        given = forward_propagation(network.params, network.x, fixed)["a"][3]
        return distance(asked, given)

    off = error("tanh")
    return Evidence(
        f"asked for tanh, the outputs are off by {off:.2f} in relative norm",
        shown=off,
        hidden=error("relu"),
    )


def measure_rates(rng: np.random.Generator) -> Evidence:
    """Measure how many lists of rates of a wrong length are taken."""

    def stops(depth: int, extra: int) -> float:
        rates = [0.8] * (depth + extra)
        return share_raising(IndexError, lambda k: [rates[l] for l in range(depth)], 1)

    def taken(extra: int) -> float:
        return float(np.mean([stops(depth, extra) == 0 for depth in range(1, 11)]))

    longer = taken(2)
    return Evidence(
        f"{longer:.0%} of the lists that are two rates too long are taken without a word; "
        f"of those one too short {1 - taken(-1):.0%} stop halfway",
        shown=longer,
    )


def measure_integers(rng: np.random.Generator) -> Evidence:
    """Measure the division in place for whole numbers."""

    def divide(dtype: Any) -> float:
        def call(k: int) -> None:
            a = rng.integers(0, 9, (3, 4)).astype(dtype)
            a /= 0.7

        return share_raising(TypeError, call)

    share = divide(np.int64)
    return Evidence(
        f"with examples of whole numbers, as pixels are, {share:.0%} of the calls stop at "
        "the division in place",
        shown=share,
        hidden=divide(np.float64),
    )


def _layers(rng: np.random.Generator, sizes: Sequence[int]) -> tuple[Any, Array, Array]:
    """Return a network, its δ² and ReLU' of the layer below."""
    names = ["relu"] * (len(sizes) - 2) + ["sigmoid"]
    network = draw_network(int(rng.integers(2**32)), sizes, names, n=5)
    z = network.forward()["z"]
    return network, network.by_hand()["delta"][2], 1.0 * (z[1] >= 0)


def measure_own_weights(rng: np.random.Generator) -> Evidence:
    """Measure W of the layer itself where that of the layer above belongs."""
    n_stopped, n_shapes = 0, 0
    for s1 in WIDTHS:
        for s2 in WIDTHS:
            network, delta2, _ = _layers(rng, [3, s1, s2, 1])
            w1 = network.params["w"][1]
            n_shapes += 1
            n_stopped += share_raising(ValueError, lambda k: w1.T @ delta2, 1) == 1.0  # noqa: B023  # run at once
    network, delta2, slope = _layers(rng, [4, 4, 4, 1])
    w = network.params["w"]
    right = w[2].T @ delta2 * slope
    off = distance(w[1].T @ delta2 * slope, right)
    tied = distance(w[2].copy().T @ delta2 * slope, right)
    stopped = n_stopped / n_shapes
    return Evidence(
        f"of the networks with hidden layers of up to 6 nodes {stopped:.0%} stop; with "
        f"square matrices delta is off by {off:.2f} in relative norm",
        shown=min(stopped, off),
        hidden=tied,
    )


def measure_assertion(rng: np.random.Generator) -> Evidence:
    """Measure how often the assertion on the shape fails for the right product."""

    def share_failing(*, square: bool) -> float:
        failing = []
        for s1 in WIDTHS:
            for s2 in WIDTHS:
                if (s1 == s2) is square:
                    w, delta = rng.normal(size=(s2, s1)), rng.normal(size=(s2, 5))
                    failing.append((w.T @ delta).shape != (w.shape[0], 5))
        return float(np.mean(failing))

    share = share_failing(square=False)
    return Evidence(
        f"with the right matrix it fails in {share:.0%} of the layers that are not square",
        shown=share,
        hidden=share_failing(square=True),
    )


def measure_overwritten(rng: np.random.Generator) -> Evidence:
    """Measure what is left of the δ of all layers after one was computed."""

    def sums(k: int) -> None:
        delta: Any = {2: rng.normal(size=(1, 5))}
        delta = rng.normal(size=(k + 4, 1)) @ delta[2]
        for l in (1, 2):
            np.sum(delta[l], axis=1, keepdims=True)

    share = share_raising(np.exceptions.AxisError, sums)
    return Evidence(
        f"{share:.0%} of the networks with a hidden layer of 4 to 23 nodes stop: what was "
        "a delta for each layer is one array, and its rows are taken for layers",
        shown=share,
    )


def measure_prefix(rng: np.random.Generator) -> Evidence:
    """Measure a function that is imported under a prefix and called without."""

    def slope(z: Array) -> Any:
        return relu(z)  # type: ignore[name-defined]  # noqa: F821  # the mistake

    share = share_raising(NameError, lambda k: slope(rng.normal(size=3)))
    return Evidence(f"{share:.0%} of the calls stop at the name", shown=share)


def measure_gradient(rng: np.random.Generator) -> Evidence:
    """Measure the entrywise product where a matrix product belongs."""
    n_stopped, n_shapes, off = 0, 0, []
    for s in WIDTHS:
        for m in WIDTHS:
            delta, a = rng.normal(size=(s, 5)), rng.normal(size=(m, 5))
            n_shapes += 1
            if share_raising(ValueError, lambda k: delta * a.T, 1):  # noqa: B023  # run at once
                n_stopped += 1
            else:
                off.append(distance(delta * a.T, delta @ a.T))
    one, other = rng.normal(size=(2, 1, 1))
    stopped = n_stopped / n_shapes
    return Evidence(
        f"with 5 examples, {stopped:.0%} of the layers with up to 6 nodes on either side "
        f"stop; of the others {np.mean(np.array(off) > 1e-3):.0%} get a wrong gradient",
        shown=min(stopped, *off),
        hidden=distance(one * other.T, one @ other.T),
    )


ERRATA = (
    Erratum(
        id="frozen-masks",
        section="5.1.1",
        kind="listing",
        printed="The function that draws the masks sets the seed of the generator itself",
        right="Each iteration draws on from one generator",
        why=(
            "Every iteration drops the same nodes of the same example: one thinned network "
            "is trained for each, and no average."
        ),
        invisible="in one pass, and in a gradient check, which wants masks that stay",
        measure=measure_frozen,
        claim="dropout-draw",
    ),
    Erratum(
        id="shape-argument",
        section="5.1.1",
        kind="listing",
        printed="The random numbers are asked for with one tuple of lengths",
        right="With two lengths, or by a function that takes a shape",
        why="The function that is called takes each length as an argument.",
        invisible="never: the first call stops",
        measure=measure_shape_argument,
    ),
    Erratum(
        id="mask-product",
        section="5.1.1",
        kind="listing",
        printed="On the way forward the activations are multiplied by the mask as matrices",
        right=r"$a \odot D$, entry by entry, as in section 5.1",
        why="A mask has an entry for each activation; a matrix product mixes examples.",
        invisible="with one node and one example",
        measure=measure_product,
        claim="dropout-mean",
    ),
    Erratum(
        id="one-layer-more",
        section="5.1.1",
        kind="listing",
        printed=(
            "L counts the input layer, and the loop over hidden layers runs below L: over "
            "the output layer, too"
        ),
        right="It runs to the layer before the last; the output layer follows it",
        why="The output layer would get ReLU and a mask that was never drawn.",
        invisible="never: there is no such mask",
        measure=measure_layers,
        claim="dropout-gradient",
    ),
    Erratum(
        id="unknown-activation",
        section="5.1.1",
        kind="listing",
        printed=(
            "An activation that is neither ReLU nor sigmoid is answered with a printed "
            "message; tanh and softmax are documented"
        ),
        right="It is refused by an exception, and what is documented works",
        why="The function goes on with a value that it has not computed.",
        invisible="for ReLU and sigmoid",
        measure=measure_unknown,
    ),
    Erratum(
        id="ignored-activations",
        section="5.1.1",
        kind="listing",
        printed="The model takes a list of activations, and uses ReLU and sigmoid",
        right="The list is used",
        why="The names stand in the calls.",
        invisible="where the list says ReLU and sigmoid",
        measure=measure_ignored,
        claim="forward-propagation",
    ),
    Erratum(
        id="rate-list",
        section="5.1.1",
        kind="listing",
        printed="The keep rates are a list of any length",
        right="One rate for each layer but the last; another length is refused",
        why="Rates shift from layer to layer without a word.",
        invisible="for a list of the right length",
        measure=measure_rates,
    ),
    Erratum(
        id="divided-in-place",
        section="5.1.1",
        kind="listing",
        printed="The examples times their mask are divided by p in place",
        right="The quotient is a new array",
        why="Whole numbers cannot become fractions in place.",
        invisible="for examples in floating point",
        measure=measure_integers,
    ),
    Erratum(
        id="missing-prefix",
        section="5.1.1",
        kind="listing",
        printed="On the way back the activations are called without the prefix of their module",
        right="With it, as on the way forward",
        why="The names do not exist.",
        invisible="never: the first call stops",
        measure=measure_prefix,
    ),
    Erratum(
        id="shape-assertion",
        section="5.1.1",
        kind="listing",
        printed="The derivative by a is to have as many rows as the matrix",
        right="As many rows as the matrix has columns",
        why="The transpose has the other shape; the right product fails the assertion.",
        invisible="for square matrices",
        measure=measure_assertion,
    ),
    Erratum(
        id="own-weights",
        section="5.1.1",
        kind="listing",
        printed=r"$\delta^{[l]}$ is formed with $W^{[l]}$",
        right=r"With $W^{[l+1]}$, as in section 3.1",
        why="The index of the layer is one too low.",
        invisible="where both layers share one matrix",
        measure=measure_own_weights,
        claim="layers",
    ),
    Erratum(
        id="overwritten-deltas",
        section="5.1.1",
        kind="listing",
        printed=r"The collection of all $\delta$ is replaced by the first that is computed",
        right=r"Each $\delta^{[l]}$ is put into it",
        why="An index of the layer is missing on the left.",
        invisible="in a network without hidden layers",
        measure=measure_overwritten,
    ),
    Erratum(
        id="mask-product-back",
        section="5.1.1",
        kind="listing",
        printed=r"On the way back $\delta$ is multiplied by the mask as matrices",
        right=r"$\delta \odot D$, entry by entry",
        why="As on the way forward.",
        invisible="with one node and one example",
        measure=measure_product_back,
        claim="dropout-gradient",
    ),
    Erratum(
        id="entrywise-gradient",
        section="5.1.1",
        kind="listing",
        printed=(
            r"$\partial J/\partial W^{[l]}$ is $\delta^{[l]}$ times $a^{[l-1]T}$, entry by "
            "entry"
        ),
        right=r"$\frac{1}{n} \delta^{[l]} a^{[l-1]T}$, a matrix product",
        why="The sum over the examples is what the product of matrices makes.",
        invisible="with one node on either side and one example",
        measure=measure_gradient,
        claim="dropout-gradient",
    ),
)
