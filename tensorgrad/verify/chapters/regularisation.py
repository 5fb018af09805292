"""Penalty, dropout, augmentation, early stopping (notes, sections 5, 5.1, 5.2, 5.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tensorgrad._typing import Array
from tensorgrad.autodiff.gradients import gradients
from tensorgrad.core.tensor import tensor
from tensorgrad.data.augmentation import flip
from tensorgrad.derivations import regularisation
from tensorgrad.derivations.dropout import drop
from tensorgrad.derivations.l_layer import compute_cost, descend, forward_propagation
from tensorgrad.nn.layers import Dropout
from tensorgrad.nn.penalty import l2_penalty
from tensorgrad.testing.networks import leaves, network_graph
from tensorgrad.verify.cases import Network, draw_network, matrices, networks, seeds
from tensorgrad.verify.chapters.deep import compare_layers
from tensorgrad.verify.numerical import complex_gradient
from tensorgrad.verify.records import Claim, Erratum, Evidence, Opinions, distance

__all__ = ["CLAIMS", "ERRATA"]

RATES = (0.3, 0.5, 0.8, 1.0)


# ---------------------------------------------------------------------------- penalty


def compare_penalty(case: Network) -> Iterator[Opinions]:
    """Compare the gradient of the penalty by every weight; that by biases is 0."""
    w, lam, n = case.params["w"], case.lam, case.n
    by_hand = regularisation.penalty_gradient(w, n, lam)
    recorded = {"w": leaves(w), "b": leaves(case.params["b"])}
    by_graph = gradients(l2_penalty(recorded, lam, n), recorded, unused="zero")
    for l in case.layers:

        def of_layer(value: Array, l: int = l) -> Any:
            return regularisation.penalty({**w, l: value}, n, lam)

        yield Opinions(
            f"W{l}", by_hand[l], by_graph["w"][l], complex_gradient(of_layer, w[l])
        )
        yield Opinions(f"b{l}", np.zeros_like(case.params["b"][l]), by_graph["b"][l])


def compare_whole(case: Network) -> Iterator[Opinions]:
    """Compare the gradient of loss and penalty together."""
    plain = replace(case, lam=0.0).by_hand()
    by_hand = regularisation.regularised_gradients(
        plain, case.params["w"], case.n, case.lam
    )
    by_graph, by_step = case.graph().gradients(), case.numerical()
    for kind in ("w", "b"):
        for l in case.layers:
            yield Opinions(
                f"d{kind}{l}", by_hand[kind][l], by_graph[kind][l], by_step[kind][l]
            )


@dataclass(frozen=True, slots=True)
class Table:
    """How many of ten dev examples are wrong, for some λ and for λ = 0."""

    lams: tuple[float, ...]
    wrong: tuple[int, ...]


def draw_table(wrong: list[int]) -> Table:
    """Return a table with as many λ as counts, the first for 0."""
    return Table(tuple(0.1 * 2.0**k for k in range(len(wrong) - 1)), tuple(wrong))


tables = st.lists(st.integers(0, 4), min_size=2, max_size=6).map(draw_table)


def compare_sweep(case: Table) -> Iterator[Opinions]:
    """Compare the λ that is chosen with the one that a search by hand finds."""
    all_lams = (0.0, *case.lams)
    y = np.zeros((1, 10), dtype=np.int64)
    part = (np.zeros((1, 10)), y)

    def predict(lam: float, x: Array) -> Array:
        predicted = y.copy()
        predicted[0, : case.wrong[all_lams.index(lam)]] = 1
        return predicted

    found = regularisation.sweep(
        lambda x, y, lam: lam, predict, case.lams, train=part, dev=part, test=part
    )
    best = max(
        lam
        for lam, wrong in zip(all_lams, case.wrong, strict=True)
        if wrong == min(case.wrong)
    )
    yield Opinions("best lambda", found.best_lam, numerical=best)
    yield Opinions("candidates", found.lams, numerical=all_lams)


# ---------------------------------------------------------------------------- dropout


@dataclass(frozen=True, slots=True)
class Dropped:
    """Activations of a few nodes, and a keep rate."""

    a: Array
    p: float


def draw_dropped(n: int, p: float, seed: int) -> Dropped:
    """Draw activations of n nodes for one example."""
    return Dropped(np.random.default_rng(seed).normal(size=(n, 1)), p)


dropped = st.builds(draw_dropped, st.integers(1, 5), st.sampled_from(RATES), seeds)


def compare_mean(case: Dropped) -> Iterator[Opinions]:
    """Compare the mean over all masks, each with its probability, with a itself."""
    a, p = case.a, case.p
    by_drop, by_graph = np.zeros_like(a), np.zeros_like(a)
    for bits in product((0.0, 1.0), repeat=a.size):
        mask = np.array(bits).reshape(a.shape)
        weight = float(np.prod(np.where(mask == 1, p, 1 - p)))
        by_drop = by_drop + weight * drop(a, mask, p)
        by_graph = by_graph + weight * (tensor(a) * mask / p).numpy()
    yield Opinions("E[a D / p]", a, by_graph, by_drop)


def compare_both_places(case: Network) -> Iterator[Opinions]:
    """Compare a mask on the derivative by a with the same mask on δ."""
    rng = np.random.default_rng(case.n)
    z = case.forward()["z"][1]
    slope, da = 1 - np.tanh(z) ** 2, rng.normal(size=z.shape)
    mask = (rng.random(z.shape) < 0.6) * 1.0
    yield Opinions(
        "delta", drop(da, mask, 0.6) * slope, numerical=drop(da * slope, mask, 0.6)
    )


N_DRAWS = 40_000


def compare_draws(p: float) -> Iterator[Opinions]:
    """Compare the share of nodes that are kept with p."""
    yield from _share_against(p, p)


def _share_against(p: float, by_hand: float) -> Iterator[Opinions]:
    ones = np.ones(N_DRAWS)
    kept = np.asarray(Dropout(p)(ones, rng=3)) > 0
    drawn = np.random.default_rng(4).random(N_DRAWS) < p
    # Five deviations of a mean of so many draws, relative to p.
    bound = 5 * np.sqrt((1 - p) / (p * N_DRAWS))
    yield Opinions("share", by_hand, kept.mean(), drawn.mean(), bound=float(bound))


def compare_constant(p: float) -> Iterator[Opinions]:
    """Compare the share that is kept where p is compared with P(q = 1), which is p."""
    probability = np.full(N_DRAWS, p)
    yield from _share_against(p, float(np.mean(probability <= p)))


# --------------------------------------------------- augmentation and early stopping


def compare_flip(images: Array) -> Iterator[Opinions]:
    """Compare a mirrored image with its columns in the other order, and back."""
    stack = images[None]
    rng = np.random.default_rng(0)
    mirrored = flip()(stack, rng)
    by_hand = stack[:, :, ::-1]
    columns = [stack[:, :, -1 - k] for k in range(stack.shape[2])]
    yield Opinions("mirrored", by_hand, mirrored, np.stack(columns, axis=2))
    yield Opinions("twice", stack, flip()(mirrored, rng))


@dataclass(frozen=True, slots=True)
class Stopped:
    """A training with a dev set."""

    network: Network
    dev: tuple[Array, Array] = field(repr=False)


def draw_stopped(seed: int) -> Stopped:
    """Draw a network, and dev data with labels of their own."""
    network = draw_network(seed, [2, 3, 1], ["tanh", "sigmoid"], n=6)
    rng = np.random.default_rng(seed + 1)
    return Stopped(network, (rng.normal(size=(2, 6)), 1.0 * rng.integers(0, 2, (1, 6))))


N_STEPS = 12
RATE = 0.5


def compare_stopping(case: Stopped) -> Iterator[Opinions]:
    """Compare the best parameters of a long training with those of a shorter one."""
    network = case.network
    params, seen = network.params, []
    for _ in range(N_STEPS + 1):
        cache = forward_propagation(params, case.dev[0], network.activations)
        seen.append(
            (compute_cost(params, cache, case.dev[1], network.activations), params)
        )
        params = _step(network, params)
    best = min(range(len(seen)), key=lambda k: seen[k][0])
    short, _ = descend(
        network.params,
        network.x,
        network.y,
        network.activations,
        learning_rate=RATE,
        num_iters=best,
    )
    kept = seen[best][1]
    for l in network.layers:
        yield Opinions(f"W{l}", short["w"][l], kept["w"][l], bound=1e-10)


def _step(network: Network, params: Any) -> Any:
    """Return the parameters after a step down the gradient of the graph."""
    grads = network_graph(
        params, network.x, network.y, network.activations, loss=network.loss
    ).gradients()
    return {
        kind: {l: p - RATE * grads[kind][l] for l, p in layers.items()}
        for kind, layers in params.items()
    }


CLAIMS = (
    Claim(
        id="penalty-gradient",
        section="5",
        title="gradient of the penalty",
        statement=(
            r"$\frac{\partial R}{\partial W^{[l]}} = \frac{\lambda}{n} W^{[l]}$ and "
            r"$\frac{\partial R}{\partial b^{[l]}} = 0$ for $R = \frac{\lambda}{2 n} "
            r"\sum_l \| W^{[l]} \|_F^2$"
        ),
        cases=networks(depths=(1, 4), lams=(0.1, 1.7)),
        compare=compare_penalty,
    ),
    Claim(
        id="penalised-gradient",
        section="5",
        title="gradient of loss and penalty",
        statement=(
            r"$\frac{\partial J^R}{\partial W^{[l]}} = \frac{\partial J}{\partial W^{[l]}} "
            r"+ \frac{\lambda}{n} W^{[l]}$, $\frac{\partial J^R}{\partial b^{[l]}} = "
            r"\frac{\partial J}{\partial b^{[l]}}$"
        ),
        cases=networks(depths=(1, 5), lams=(0.1, 1.7)),
        compare=compare_whole,
    ),
    Claim(
        id="sweep-selection",
        section="5",
        title="the lambda that a sweep chooses",
        statement=(
            r"The lowest error on the dev set decides, the larger $\lambda$ in a tie; "
            r"$\lambda = 0$ takes part"
        ),
        cases=tables,
        compare=compare_sweep,
    ),
    Claim(
        id="dropout-mean",
        section="5.1",
        title="dropout keeps the mean",
        statement=r"$E[a \odot D / p] = a$ for $0 < p \leq 1$, over all masks",
        cases=dropped,
        compare=compare_mean,
    ),
    Claim(
        id="dropout-draw",
        section="5.1",
        title="a node is kept with probability p",
        statement="$d = 1$ if $u < p$, u drawn uniformly from 0 to 1 for every node",
        cases=st.sampled_from([0.2, 0.5, 0.9, 1.0]),
        compare=compare_draws,
        as_printed=compare_constant,
        hides=lambda p: p == 1.0,
    ),
    Claim(
        id="dropout-gradient",
        section="5.1",
        title="gradient with masks on any layer",
        statement=(
            r"$\frac{\partial L}{\partial a^{[l]}} \mapsto \frac{\partial L}{\partial "
            r"a^{[l]}} \odot D^{[l]} / p_l$ on the way back, the input included"
        ),
        cases=networks(depths=(1, 5), rates=(0.4, 0.7, 0.9)),
        compare=compare_layers,
    ),
    Claim(
        id="mask-commutes",
        section="5.1",
        title="the mask on dL/da or on delta",
        statement=(
            r"$(W^T \delta \odot D / p) \odot g' = (W^T \delta \odot g') \odot D / p$ for "
            "activations that act entry by entry"
        ),
        cases=networks(depths=(2, 2)),
        compare=compare_both_places,
    ),
    Claim(
        id="mirrored-images",
        section="5.2",
        title="a mirrored image is another example",
        statement=(
            "Mirroring reverses the columns, keeps every value, and is undone by itself; "
            "the label stays"
        ),
        cases=matrices(rows=(1, 5), columns=(1, 6)),
        compare=compare_flip,
    ),
    Claim(
        id="early-stopping",
        section="5.3",
        title="stopping early at the best step",
        statement=(
            "The parameters that were best on the dev set are those of a training that "
            "stops at that step"
        ),
        cases=st.builds(draw_stopped, seeds),
        compare=compare_stopping,
    ),
)


# --------------------------------------------------------------------------- errata


def _ridge_errors(rng: np.random.Generator, lams: tuple[float, ...]) -> tuple[Any, Any]:
    """Return training and dev errors of a penalised linear classifier for each λ."""
    direction = rng.normal(size=8)
    parts = []
    for _ in range(2):
        x = rng.normal(size=(8, 60))
        parts.append((x, np.sign(direction @ x + rng.normal(size=60))))
    (x, y), (x_dev, y_dev) = parts
    errors: tuple[list[float], list[float]] = ([], [])
    for lam in lams:
        w = np.linalg.solve(x @ x.T + lam * np.eye(8), x @ y)
        errors[0].append(float(np.mean(np.sign(w @ x) != y)))
        errors[1].append(float(np.mean(np.sign(w @ x_dev) != y_dev)))
    return errors


LAMS = (0.0, 1.0, 10.0, 100.0)


def measure_zero(rng: np.random.Generator) -> Evidence:
    """Measure how often λ = 0 is the best on the dev set."""

    def share(lams: tuple[float, ...], n_trials: int = 200) -> float:
        best = [_ridge_errors(rng, lams)[1] for _ in range(n_trials)]
        return float(np.mean([dev[0] < min(dev[1:]) for dev in best]))

    found = share((0.0, 30.0, 100.0))
    return Evidence(
        f"in {found:.0%} of 200 sweeps no penalty is better on the dev set than every one "
        "that was tried",
        shown=found,
        hidden=share((0.0, 0.0)),
    )


def measure_rule(rng: np.random.Generator) -> Evidence:
    """Measure how often two readings of "desired" choose differently."""

    def share(one: int, other: int) -> float:
        differ = []
        for _ in range(200):
            errors = _ridge_errors(rng, LAMS)
            differ.append(np.argmin(errors[one]) != np.argmin(errors[other]))
        return float(np.mean(differ))

    found = share(0, 1)
    return Evidence(
        f"choosing by the training error or by the dev error gives another lambda in "
        f"{found:.0%} of 200 sweeps",
        shown=found,
        hidden=share(1, 1),
    )


def measure_biases(rng: np.random.Generator) -> Evidence:
    """Measure the gradient by the biases where they are penalised, too."""

    def error(scale: float) -> float:
        seed = int(rng.integers(2**32))
        network = draw_network(seed, [3, 4, 1], ["tanh", "sigmoid"], n=5, lam=1.0)
        b = {l: scale * value for l, value in network.params["b"].items()}
        network = replace(network, params={**network.params, "b": b})
        db = network.by_hand()["b"]
        return max(distance(db[l] + network.lam / 5 * b[l], db[l]) for l in (1, 2))

    off = error(1.0)
    return Evidence(
        f"with the biases penalised as well their gradient is off by {off:.2f} in relative "
        "norm from the one in the formulas",
        shown=off,
        hidden=error(0.0),
    )


def measure_count(rng: np.random.Generator) -> Evidence:
    """Measure the penalty with the size of the data set for that of the training set."""
    w = {1: rng.normal(size=(3, 4))}

    def error(share: float) -> float:
        whole = 1000
        n_train = round(share * whole)
        found = [regularisation.penalty(w, n, lam=0.7) for n in (whole, n_train)]
        return distance(*found)

    off = error(0.6)
    return Evidence(
        f"with 60 % of the examples in the training set, the penalty of one formula is "
        f"{off:.0%} less than that of the other",
        shown=off,
        hidden=error(1.0),
    )


def _share_lost(p: float) -> float:
    """Return the share of values that are no number after dropout at rate p."""
    mask = (np.random.default_rng(0).random((5, 40)) < p) * 1.0
    return float(np.mean(~np.isfinite(np.ones((5, 40)) * mask / p)))


def measure_rate_zero(rng: np.random.Generator) -> Evidence:
    """Measure what dropout leaves of a layer at p = 0."""
    p = float(rng.uniform(0.1, 1.0))
    lost = _share_lost(0.0)
    return Evidence(
        f"at p = 0, {lost:.0%} of the activations are 0/0, no number",
        shown=lost,
        hidden=_share_lost(p),
    )


def measure_comparison(rng: np.random.Generator) -> Evidence:
    """Measure how many nodes are dropped where p is compared with a probability."""

    def kept(p: float) -> float:
        return float(np.mean(np.full(N_DRAWS, p) <= p))

    p = 0.8
    return Evidence(
        f"with p = {p} it keeps {kept(p):.0%} of the nodes",
        shown=kept(p) - p,
        hidden=kept(1.0) - 1.0,
    )


ERRATA = (
    Erratum(
        id="positive-lambda",
        section="5",
        kind="statement",
        printed=r"The penalty is defined, and swept, for $\lambda > 0$",
        right=r"$\lambda \geq 0$: no penalty is a candidate",
        why="A penalty that helps has to be better than none.",
        invisible=r"where some $\lambda > 0$ is better on the dev set than 0",
        measure=measure_zero,
        claim="sweep-selection",
    ),
    Erratum(
        id="desired-lambda",
        section="5",
        kind="statement",
        printed=r"From both errors of each $\lambda$, the desired one is chosen",
        right=(
            r"The lowest dev error decides, the larger $\lambda$ in a tie, and the test set "
            "is used for that model once"
        ),
        why="No rule is named; the training error would choose no penalty.",
        invisible=r"where one $\lambda$ is best on both sets",
        measure=measure_rule,
        claim="sweep-selection",
    ),
    Erratum(
        id="penalised-biases",
        section="5",
        kind="statement",
        printed="Constraints are put on the parameters W and/or b",
        right="On W alone, as in every formula that follows",
        why="The formulas leave the gradient by b as it is.",
        invisible="where all biases are 0",
        measure=measure_biases,
        claim="penalty-gradient",
    ),
    Erratum(
        id="penalty-count",
        section="5",
        kind="formula",
        printed=(
            r"The penalty is $\frac{\lambda}{2N} \sum \| W \|^2$ with N, the size of the "
            r"data set, and $\frac{\lambda}{2 n_X}$ in the outline below"
        ),
        right="With the number of training examples in both",
        why=r"The same $\lambda$ means two strengths.",
        invisible="where every example trains",
        measure=measure_count,
        claim="penalty-gradient",
    ),
    Erratum(
        id="keep-nothing",
        section="5.1",
        kind="formula",
        printed=r"$p_l \in [0, 1]$",
        right="$0 < p_l \\leq 1$",
        why="Activations are divided by p.",
        invisible="for every p above 0",
        measure=measure_rate_zero,
        claim="dropout-mean",
    ),
    Erratum(
        id="probability-for-draw",
        section="5.1",
        kind="formula",
        printed=r"$d^i_j = 1$ if $P(q^i) \leq p_l$, and 0 if $P(q^i) > p_l$",
        right="$d^i_j = 1$ if $u^i_j < p_l$, with a uniform draw for every node and example",
        why="The probability of a node to be kept is $p_l$ itself, and nothing is random.",
        invisible="for p = 1; the listing draws, as it should",
        measure=measure_comparison,
        claim="dropout-draw",
    ),
)
