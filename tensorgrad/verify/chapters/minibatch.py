"""Mini-batch descent (notes, section 7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from tensorgrad._typing import Array
from tensorgrad.data.batches import minibatches
from tensorgrad.derivations import l_layer, minibatch
from tensorgrad.derivations.regularisation import regularised_gradients
from tensorgrad.testing.networks import network_graph
from tensorgrad.verify.cases import Network, draw_network, networks
from tensorgrad.verify.records import Claim, Erratum, Evidence, Opinions, distance

__all__ = ["CLAIMS", "ERRATA"]


@dataclass(frozen=True, slots=True)
class Batches:
    """A network with data, and a batch size."""

    network: Network
    size: int

    @property
    def columns(self) -> list[Array]:
        """The columns of each batch."""
        return minibatch.divide(self.network.n, self.size)


batches = st.builds(
    Batches, networks(depths=(1, 4), lams=(0.0, 0.7, 2.0)), st.integers(1, 7)
)


def compare_division(case: tuple[int, int]) -> Iterator[Opinions]:
    """Compare the number and the sizes of the batches, and what they hold."""
    n, b = case
    by_hand = minibatch.divide(n, b, rng=n)
    x = np.arange(n)[:, None]
    engine = [batch[:, 0] for batch, _ in minibatches(x, x, b, rng=n)]
    full, rest = divmod(n, b)
    sizes = [b] * full + [rest] * (rest > 0)
    yield Opinions("count", len(by_hand), len(engine), int(np.ceil(n / b)))
    yield Opinions("sizes", [len(k) for k in by_hand], [len(k) for k in engine], sizes)
    everything = np.arange(n)
    yield Opinions(
        "places",
        np.sort(np.concatenate(by_hand)),
        np.sort(np.concatenate(engine)),
        everything,
    )


def _part(network: Network, columns: Array) -> Network:
    return replace(network, x=network.x[:, columns], y=network.y[:, columns], lam=0.0)


def compare_batch(case: Batches) -> Iterator[Opinions]:
    """Compare the gradient of one batch, where the text breaks off."""
    whole, columns = case.network, case.columns[-1]
    part = _part(whole, columns)
    by_hand = minibatch.batch_gradients(
        whole.params, part.x, part.y, whole.activations, n=whole.n, lam=whole.lam
    )
    # λ/n over the whole set is the penalty of a batch with λ n_t/n.
    share = replace(part, lam=whole.lam * part.n / whole.n)
    by_graph, by_step = share.graph().gradients(), share.numerical()
    for kind in ("w", "b"):
        for l in whole.layers:
            yield Opinions(
                f"d{kind}{l}", by_hand[kind][l], by_graph[kind][l], by_step[kind][l]
            )


def compare_mean(case: Batches) -> Iterator[Opinions]:
    """Compare the mean of the gradients of all batches with the gradient of the whole."""
    network = case.network
    by_hand = minibatch.mean_gradients(
        network.params,
        network.x,
        network.y,
        network.activations,
        batches=case.columns,
        lam=network.lam,
    )
    yield from _whole_against(network, by_hand)


def _whole_against(
    network: Network, by_hand: dict[str, dict[int, Array]]
) -> Iterator[Opinions]:
    by_graph, by_step = network.graph().gradients(), network.numerical()
    for kind in ("w", "b"):
        for l in network.layers:
            yield Opinions(
                f"d{kind}{l}", by_hand[kind][l], by_graph[kind][l], by_step[kind][l]
            )


def printed_mean(case: Batches) -> dict[str, dict[int, Array]]:
    """Return the mean with the penalty of each batch divided by its own size."""
    network = case.network
    mean = {
        kind: {l: np.zeros_like(p) for l, p in layers.items()}
        for kind, layers in network.params.items()
    }
    for columns in case.columns:
        part = _part(network, columns)
        plain = {kind: part.by_hand()[kind] for kind in ("w", "b")}
        grads = regularised_gradients(plain, network.params["w"], part.n, network.lam)
        for kind, layers in mean.items():
            for l in layers:
                layers[l] += part.n / network.n * grads[kind][l]
    return mean


def compare_printed_mean(case: Batches) -> Iterator[Opinions]:
    """Compare that mean with the gradient of the whole."""
    yield from _whole_against(case.network, printed_mean(case))


def compare_one_batch(case: Network) -> Iterator[Opinions]:
    """Compare descent with one batch of all examples with batch descent, bit for bit."""
    schedule = minibatch.schedule(case.n, case.n, num_epochs=5)
    arguments = (case.params, case.x, case.y, case.activations)
    by_batches, costs = minibatch.descend(*arguments, batches=schedule, lam=case.lam)
    whole, all_costs = l_layer.descend(*arguments, num_iters=5, lam=case.lam)
    params = case.params
    for _ in range(5):
        grads = network_graph(
            params, case.x, case.y, case.activations, loss=case.loss, lam=case.lam
        ).gradients()
        params = {
            kind: {l: p - 0.1 * grads[kind][l] for l, p in layers.items()}
            for kind, layers in params.items()
        }
    yield Opinions("costs", costs, numerical=all_costs, bound=0.0)
    for l in case.layers:
        found = by_batches["w"][l]
        yield Opinions(f"W{l}", found, numerical=whole["w"][l], bound=0.0)
        yield Opinions(f"W{l} by the graph", found, params["w"][l], bound=1e-9)


def compare_epochs(case: tuple[int, int]) -> Iterator[Opinions]:
    """Compare how many steps some passes over the data take."""
    n, b = case
    steps = list(minibatch.schedule(n, b, num_epochs=3))
    yield Opinions("steps", 3 * int(np.ceil(n / b)), numerical=len(steps))
    seen = np.bincount(np.concatenate(steps), minlength=n)
    yield Opinions("times each is seen", np.full(n, 3), numerical=seen)


divisions = st.tuples(st.integers(1, 60), st.integers(1, 20))

CLAIMS = (
    Claim(
        id="division",
        section="7",
        title="the division into batches",
        statement=(
            r"$\lceil n/b \rceil$ batches of b examples, the last one of what remains; each "
            "example is in one of them"
        ),
        cases=divisions,
        compare=compare_division,
    ),
    Claim(
        id="batch-gradient",
        section="7",
        title="gradient of a batch",
        statement=(
            r"$\frac{\partial J^t}{\partial W^{[l]}} = \frac{1}{n_t} \delta^{[l]} a^{[l-1]T} "
            r"+ \frac{\lambda}{n} W^{[l]}$, $\frac{\partial J^t}{\partial b^{[l]}} = "
            r"\frac{1}{n_t} \sum_j \delta^{[l]}_j$"
        ),
        cases=batches,
        compare=compare_batch,
    ),
    Claim(
        id="mean-of-batches",
        section="7",
        title="mean of the batches' gradients",
        statement=(
            r"$\sum_t \frac{n_t}{n} \, \partial J^t = \partial J$ with the penalty "
            r"$\frac{\lambda}{2n} \sum_l \| W^{[l]} \|_F^2$ in every $J^t$"
        ),
        cases=batches,
        compare=compare_mean,
        as_printed=compare_printed_mean,
        hides=lambda case: case.network.lam == 0 or case.size >= case.network.n,
    ),
    Claim(
        id="one-batch",
        section="7",
        title="one batch of all is batch descent",
        statement="With $b \\geq n$ the steps are those of batch descent, bit for bit",
        cases=networks(depths=(1, 4)),
        compare=compare_one_batch,
    ),
    Claim(
        id="epochs",
        section="7",
        title="passes and steps",
        statement=r"I passes over the data are $I \lceil n/b \rceil$ steps",
        cases=divisions,
        compare=compare_epochs,
    ),
)


# --------------------------------------------------------------------------- errata


def measure_penalty(rng: np.random.Generator) -> Evidence:
    """Measure how strong the penalty is in the mean of all batches."""

    def factor(b: int, lam: float) -> tuple[float, float]:
        seed = int(rng.integers(2**32))
        network = draw_network(seed, [3, 4, 1], ["tanh", "sigmoid"], n=20, lam=lam)
        case = Batches(network, b)
        w = network.params["w"][1]
        plain = replace(network, lam=0.0).by_hand()["w"][1]
        added, right = (
            printed_mean(case)["w"][1] - plain,
            network.by_hand()["w"][1] - plain,
        )
        size = float(np.linalg.norm(right))
        ratio = float(np.linalg.norm(added)) / size if size else 1.0
        return ratio, distance(added + w, right + w)

    ratio, off = factor(2, 1.0)
    n, b = 5_000_000, 5_000
    hidden = max(factor(20, 1.0)[1], factor(2, 0.0)[1])
    return Evidence(
        f"with 20 examples in batches of 2 the penalty is {ratio:.0f} times as strong; with "
        f"n = 5,000,000 and b = 5,000, {len(range(0, n, b)):,} times",
        shown=off,
        hidden=hidden,
    )


def measure_numbering(rng: np.random.Generator) -> Evidence:
    """Measure how many batches the two ranges have in common."""

    def missed(count: int) -> float:
        defined, visited = set(range(1, count + 1)), set(range(count))
        return len(visited - defined) / count

    share = missed(10)
    return Evidence(
        f"of 10 batches the loop asks for {share:.0%} under a number that none has, and "
        f"leaves {len(set(range(1, 11)) - set(range(10)))} out",
        shown=share,
    )


def measure_iterations(rng: np.random.Generator) -> Evidence:
    """Measure how many steps I iterations are."""

    def steps(n: int, b: int) -> int:
        return len(list(minibatch.schedule(n, b, num_epochs=1)))

    found = steps(5_000, 5)
    return Evidence(
        f"with 1000 batches each of the I iterations is {found:,} steps",
        shown=float(found - 1),
        hidden=float(steps(20, 20) - 1),
    )


def measure_order(rng: np.random.Generator) -> Evidence:
    """Measure how many batches have one class where the data are sorted."""
    y = np.repeat([0, 1], 500)

    def share_single(order: Array) -> float:
        parts = [y[order[columns]] for columns in minibatch.divide(len(y), 50)]
        return float(np.mean([np.ptp(part) == 0 for part in parts]))

    fixed, shuffled = share_single(np.arange(1000)), share_single(rng.permutation(1000))
    return Evidence(
        f"of data sorted by class, {fixed:.0%} of the batches of 50 have a single class; "
        f"shuffled, {shuffled:.0%}",
        shown=fixed - shuffled,
        hidden=abs(share_single(rng.permutation(1000)) - shuffled),
    )


def measure_end(rng: np.random.Generator) -> Evidence:
    """Measure what the printed steps change."""
    seed = int(rng.integers(2**32))
    network = draw_network(seed, [3, 4, 1], ["tanh", "sigmoid"], n=20)
    arguments = (network.params, network.x, network.y, network.activations)
    costs = []
    for columns in minibatch.schedule(20, 5, num_epochs=2):
        part = _part(network, columns)
        cache = part.forward()
        l_layer.compute_cost(network.params, cache, part.y, network.activations)
        costs.append(network.graph().cost.item())
    _, finished = minibatch.descend(
        *arguments, batches=minibatch.schedule(20, 5, num_epochs=2)
    )
    changed = distance(finished[-1], costs[0])
    return Evidence(
        f"forward propagation and cost leave J as it is (a change of {np.ptp(costs):.0f}); "
        f"with the steps that are missing it changes by {changed:.1%} in two passes",
        shown=changed,
        hidden=float(np.ptp(costs)),
    )


ERRATA = (
    Erratum(
        id="batch-penalty",
        section="7",
        kind="formula",
        printed=r"$\frac{\lambda}{2 |X^t|} \sum_l \| W^{[l]} \|_F^2$ in the cost of a batch",
        right=r"$\frac{\lambda}{2 n} \sum_l \| W^{[l]} \|_F^2$, n being all training examples",
        why=(
            r"The mean of the batches has the penalty $\lceil n/b \rceil$ times: the best "
            r"$\lambda$ would change with the batch size."
        ),
        invisible=r"for $\lambda = 0$, and with one batch",
        measure=measure_penalty,
        claim="mean-of-batches",
    ),
    Erratum(
        id="batch-numbers",
        section="7",
        kind="formula",
        printed=(
            r"Batches are numbered $1 \leq t \leq \lceil n/b \rceil$, and visited for t from 0 "
            r"to $\lceil n/b \rceil - 1$"
        ),
        right="One of the two throughout",
        why="As printed, batch 0 is visited, and the last one is not.",
        invisible="never, read to the letter",
        measure=measure_numbering,
        claim="division",
    ),
    Erratum(
        id="iterations-are-epochs",
        section="7",
        kind="statement",
        printed="I is called the number of iterations of gradient descent",
        right=r"I is the number of epochs; there are $I \lceil n/b \rceil$ iterations",
        why="A step is taken for each batch.",
        invisible="with one batch",
        measure=measure_iterations,
        claim="epochs",
    ),
    Erratum(
        id="batch-order",
        section="7",
        kind="statement",
        printed="The training set is divided once, in the order it has",
        right="It is shuffled anew for each epoch",
        why="In sorted data each batch is about one class, and the steps undo each other.",
        invisible="for data in random order",
        measure=measure_order,
        claim="division",
    ),
    Erratum(
        id="unfinished",
        section="7",
        kind="statement",
        printed="The steps end with the announcement of backward propagation",
        right=(
            r"iii. $\delta^{[l]}$ and the gradients of the claim; iv. $W^{[l]} \mapsto "
            r"W^{[l]} - \alpha \, \partial J^t / \partial W^{[l]}$, and b likewise"
        ),
        why="Without an update nothing is learned.",
        invisible="never: the text breaks off",
        measure=measure_end,
        claim="batch-gradient",
    ),
)
