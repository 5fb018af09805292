"""Deep networks (notes, sections 3 and 3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from hypothesis import strategies as st

from tensorgrad._typing import Array
from tensorgrad.autodiff.gradients import gradients
from tensorgrad.core.tensor import tensor
from tensorgrad.derivations.activations import activate, softmax
from tensorgrad.derivations.losses import mean_loss, output_delta
from tensorgrad.testing.networks import activate as activate_graph
from tensorgrad.testing.networks import average_loss
from tensorgrad.verify.cases import ANY, Network, matrices, networks, seeds, targets
from tensorgrad.verify.chapters.activations import (
    Scores,
    compare_coordinates,
    compare_diagonal,
    draw_scores,
)
from tensorgrad.verify.numerical import complex_gradient
from tensorgrad.verify.records import ROUNDING, Claim, Erratum, Evidence, Opinions
from tensorgrad.verify.rounding import gradient_bounds

__all__ = ["CLAIMS", "ERRATA"]

FAR = 8.0
"""Scale of the networks beyond |z| = 5: it reaches 40."""

ORDERS = 8
"""Three ways, each with an error within the bound, in sums of other orders."""


def compare_forward(case: Network) -> Iterator[Opinions]:
    """Compare the layers with those of each example alone, node by node."""
    by_hand, by_graph = case.forward()["a"], case.graph().a
    columns = []
    for x in case.x.T:
        a = x
        for l, name in enumerate(case.activations, start=1):
            w, b = case.params["w"][l], case.params["b"][l]
            nodes = [sum(w[i] * a) + b[i, 0] for i in range(len(w))]
            a = activate(name, np.array(nodes)[:, None])[:, 0]
        columns.append(a)
    top = len(case.activations)
    yield Opinions("a", by_hand[top], by_graph[top].numpy(), np.stack(columns, axis=1))


def compare_layers(case: Network) -> Iterator[Opinions]:
    """Compare ∂J/∂W, ∂J/∂b and δ of every layer."""
    by_hand, by_graph, by_step = (
        case.by_hand(),
        case.graph().gradients(),
        case.numerical(),
    )
    for l in case.layers:
        for kind in ("w", "b"):
            yield Opinions(
                f"d{kind}{l}", by_hand[kind][l], by_graph[kind][l], by_step[kind][l]
            )
        yield Opinions(
            f"delta{l}",
            by_hand["delta"][l],
            case.n * by_graph["z"][l],
            case.numerical_delta(l),
        )


def compare_far(case: Network) -> Iterator[Opinions]:
    """Compare ∂J/∂W and ∂J/∂b of every layer within what rounding allows."""
    by_hand, by_graph, by_step = (
        case.by_hand(),
        case.graph().gradients(),
        case.numerical(),
    )
    bounds = gradient_bounds(case)
    for kind in ("w", "b"):
        for l in case.layers:
            size = float(np.linalg.norm(by_step[kind][l]))
            allowed = (
                ORDERS * float(np.linalg.norm(bounds[kind][l])) / max(size, 1e-300)
            )
            yield Opinions(
                f"d{kind}{l}",
                by_hand[kind][l],
                by_graph[kind][l],
                by_step[kind][l],
                bound=ROUNDING + allowed,
            )


def compare_head(head: str, loss: str, z: Array) -> Iterator[Opinions]:
    """Compare δ of the last layer for a head and a loss."""
    rng = np.random.default_rng(z.size)
    y = targets(rng, z.shape[0], z.shape[1], loss)
    yield from _head_against_others(head, loss, z, y, output_delta(loss, head, z, y))


def _head_against_others(
    head: str, loss: str, z: Array, y: Array, by_hand: Array
) -> Iterator[Opinions]:
    n = z.shape[1]
    t = tensor(z, requires_grad=True)
    by_graph = n * gradients(average_loss(loss, activate_graph(head, t), y), t)
    by_step = n * complex_gradient(lambda z: mean_loss(loss, head, z, y), z)
    yield Opinions("delta", by_hand, by_graph, by_step)


def compare_weighted(z: Array) -> Iterator[Opinions]:
    """Compare (Σ y) a - y where the targets of an example do not add to 1."""
    y = np.asarray(np.random.default_rng(z.size).uniform(0.1, 2.0, z.shape))
    by_hand = y.sum(axis=0) * softmax(z) - y
    yield from _head_against_others("softmax", "cross_entropy", z, y, by_hand)


heads = matrices(rows=(2, 5), scale=1.5).map(lambda z: np.clip(z, -5.0, 5.0))

CLAIMS = (
    Claim(
        id="forward-propagation",
        section="3",
        title="forward propagation",
        statement=(
            r"$z^{[l]} = W^{[l]} a^{[l-1]} + b^{[l]}$ and $a^{[l]} = g^{[l]}(z^{[l]})$, "
            "column by column"
        ),
        cases=networks(depths=(1, 6), lams=(0.0,)),
        compare=compare_forward,
    ),
    Claim(
        id="softmax-no-broadcast",
        section="3",
        title="softmax is no broadcast function",
        statement=(
            "The differential of an activation is diagonal where it is a broadcast "
            "function; softmax's has the entries $-S^i S^j$ off the diagonal"
        ),
        cases=st.builds(draw_scores, st.integers(2, 6), seeds),
        compare=partial(compare_coordinates, -1.0),
        as_printed=compare_diagonal,
    ),
    Claim(
        id="log-loss-head",
        section="3.1",
        title="delta of sigmoid with log-loss",
        statement=r"$\delta^{[L]} = a^{[L]} - y$",
        cases=heads,
        compare=partial(compare_head, "sigmoid", "log_loss"),
    ),
    Claim(
        id="cross-entropy-head",
        section="3.1",
        title="delta of softmax with cross-entropy",
        statement=r"$\delta^{[L]} = a^{[L]} - y$ for one-hot targets",
        cases=heads,
        compare=partial(compare_head, "softmax", "cross_entropy"),
    ),
    Claim(
        id="weighted-targets",
        section="3.1",
        title="the same with targets of any sum",
        statement=r"$\delta^{[L]} = (\sum_k y^k) a^{[L]} - y$",
        cases=heads,
        compare=compare_weighted,
    ),
    Claim(
        id="squares-head",
        section="3.1",
        title="delta of tanh with squared errors",
        statement=(
            r"$\delta^{[L]} = 2 (a^{[L]} - y) \odot g'(z^{[L]})$ for the loss "
            r"$\sum_k (a^k - y^k)^2$"
        ),
        cases=heads,
        compare=partial(compare_head, "tanh", "mse"),
    ),
    Claim(
        id="softmax-squares-head",
        section="3.1",
        title="delta of softmax with squared errors",
        statement=(
            r"$\delta^{[L]} = S \odot (v - \langle S, v \rangle)$ with $v = 2 (S - y)$"
        ),
        cases=heads,
        compare=partial(compare_head, "softmax", "mse"),
    ),
    Claim(
        id="layers",
        section="3.1",
        title="every layer, any activations",
        statement=(
            r"$\delta^{[l]T} = \delta^{[l+1]T} W^{[l+1]} dg^{[l]}_{z^{[l]}}$, "
            r"$\frac{\partial J}{\partial W^{[l]}} = \frac{1}{n} \delta^{[l]} a^{[l-1]T}$, "
            r"$\frac{\partial J}{\partial b^{[l]}} = \frac{1}{n} \sum_j \delta^{[l]}_j$, "
            r"to $10^{-12}$ while $|z| \leq 5$"
        ),
        cases=networks(depths=(1, 8), activations=ANY, heads=ANY, lams=(0.0,)),
        compare=compare_layers,
    ),
    Claim(
        id="layers-far",
        section="3.1",
        title="the same for |z| up to 40",
        statement=(
            "The same formulas, within the bound that rounding sets when it is carried "
            "through the forward pass and back"
        ),
        cases=networks(depths=(1, 6), scale=FAR),
        compare=compare_far,
    ),
)


def measure_diagonal(rng: np.random.Generator) -> Evidence:
    """Measure the diagonal matrix of a broadcast function against softmax's."""

    def error(case: Scores) -> float:
        (opinion,) = compare_diagonal(case)
        return opinion.error()

    off = error(draw_scores(5, int(rng.integers(2**32))))
    return Evidence(
        f"for 5 classes the diagonal matrix is off by {off:.2f} in relative norm",
        shown=off,
        hidden=error(draw_scores(1, int(rng.integers(2**32)))),
    )


def measure_bias(rng: np.random.Generator) -> Evidence:
    """Measure in how many layers one b could be the bias."""

    def share_of_others(sizes: list[int]) -> float:
        return float(np.mean([size != sizes[-1] for size in sizes[1:-1]]))

    widths = rng.permutation(np.arange(2, 8)).tolist()
    share = share_of_others(widths)
    return Evidence(
        f"one b of the last layer's size fits none of {len(widths) - 2} hidden layers of "
        f"other widths ({share:.0%} are off)",
        shown=share,
        hidden=share_of_others([4] * 6),
    )


ERRATA = (
    Erratum(
        id="bias-index",
        section="3",
        kind="formula",
        printed=r"$W^{[l]} \in \mathbb{R}^{s_l \times s_{l-1}}$ with $b \in \mathbb{R}^{s_l}$",
        right=r"$b^{[l]} \in \mathbb{R}^{s_l}$: every layer has its own",
        why="The index of the layer is missing.",
        invisible="in the code, which has one for each layer; in widths, if all are equal",
        measure=measure_bias,
    ),
    Erratum(
        id="broadcast-everywhere",
        section="3",
        kind="statement",
        printed="Every $g^{[l]}$ is a broadcast activation function",
        right=(
            "All but softmax are, which section 2.2.4 recommends for the last layer: its "
            "differential is a full matrix"
        ),
        why="Each output of softmax depends on every score.",
        invisible="for one class",
        measure=measure_diagonal,
        claim="softmax-no-broadcast",
    ),
)
