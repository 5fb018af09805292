"""Binary classification with a hidden layer (notes, sections 2.3 to 2.3.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tensorgrad._typing import Array
from tensorgrad.derivations import initialisation, two_layer
from tensorgrad.derivations.activations import sigmoid
from tensorgrad.derivations.l_layer import descend
from tensorgrad.testing.networks import network_graph
from tensorgrad.verify.cases import Network, draw_network, networks, seeds
from tensorgrad.verify.chapters.logistic_listing import share_raising
from tensorgrad.verify.records import Claim, Erratum, Evidence, Opinions, distance

__all__ = ["CLAIMS", "ERRATA"]

LEARNING_RATE = 0.5


# ------------------------------------------------------------------ the two networks


def binary(hidden: str) -> Any:
    """Draw networks with one hidden layer of that activation, and a sigmoid output."""
    return networks(
        depths=(2, 2), activations=(hidden,), heads=("sigmoid",), lams=(0.0,)
    )


def named(network: Network) -> dict[str, Array]:
    """Return the parameters under the names of section 2.3.2."""
    w, b = network.params["w"], network.params["b"]
    return {"w1": w[1], "b1": b[1], "w2": w[2], "b2": b[2]}


def compare_network(hidden: str, case: Network) -> Iterator[Opinions]:
    """Compare all four gradients and both δ."""
    params = named(case)
    _, cache = two_layer.forward_propagation(case.x, params, hidden)
    grads = two_layer.backward_propagation(params, cache, case.x, case.y, hidden=hidden)
    by_graph, by_step = case.graph().gradients(), case.numerical()
    for l in (1, 2):
        for kind in ("w", "b"):
            yield Opinions(
                f"d{kind}{l}", grads[f"{kind}{l}"], by_graph[kind][l], by_step[kind][l]
            )
        yield Opinions(
            f"delta{l}",
            grads[f"delta{l}"],
            case.n * by_graph["z"][l],
            case.numerical_delta(l),
        )


def compare_cost(case: Network) -> Iterator[Opinions]:
    """Compare the cost with the two inner products."""
    a, n, y = case.forward()["a"][2], case.n, case.y
    products = -(np.vdot(y, np.log(a)) + np.vdot(1 - y, np.log(1 - a))) / n
    by_hand = two_layer.compute_cost({"z2": case.forward()["z"][2]}, y)
    # A cost near 0 is the logarithm of a number near 1, which has no more digits.
    yield Opinions("J", by_hand, case.graph().cost.numpy(), products, bound=1e-10)


# ------------------------------------------------------------------- from zero weights


@dataclass(frozen=True, slots=True)
class Start:
    """Data, and the activation of a hidden layer whose parameters are zero."""

    hidden: str
    m_h: int
    x: Array = field(repr=False)
    y: Array

    @property
    def activations(self) -> list[str]:
        """The activations of both layers."""
        return [self.hidden, "sigmoid"]

    def zeros(self) -> dict[str, dict[int, Array]]:
        """Return parameters of zeros."""
        sizes = [self.x.shape[0], self.m_h, 1]
        return {
            "w": {l: np.zeros((sizes[l], sizes[l - 1])) for l in (1, 2)},
            "b": {l: np.zeros((sizes[l], 1)) for l in (1, 2)},
        }


def draw_start(hidden: str, m_h: int, labels: list[int], seed: int) -> Start:
    """Draw an example for each label."""
    x = np.random.default_rng(seed).normal(size=(3, len(labels)))
    return Start(hidden, m_h, x, np.array([labels], dtype=np.float64))


def starts(hidden: tuple[str, ...]) -> Any:
    """Draw starts with hidden layers of these activations."""
    labels = st.lists(st.integers(0, 1), min_size=2, max_size=6)
    return st.builds(
        draw_start, st.sampled_from(hidden), st.integers(2, 4), labels, seeds
    )


def graph_steps(case: Start, num_iters: int) -> dict[str, dict[int, Array]]:
    """Descend by the gradients of the graph."""
    params = case.zeros()
    for _ in range(num_iters):
        graph = network_graph(params, case.x, case.y, case.activations, loss="log_loss")
        params = _moved(params, graph.gradients())
    return params


def numerical_steps(case: Start, num_iters: int) -> dict[str, dict[int, Array]]:
    """Descend by complex steps."""
    params = case.zeros()
    for _ in range(num_iters):
        network = Network(
            sizes=(3, case.m_h, 1),
            activations=tuple(case.activations),
            params=params,
            x=case.x,
            y=case.y,
            loss="log_loss",
        )
        params = _moved(params, network.numerical())
    return params


def _moved(params: Any, grads: Any) -> dict[str, dict[int, Array]]:
    return {
        kind: {l: p - LEARNING_RATE * grads[kind][l] for l, p in layers.items()}
        for kind, layers in params.items()
    }


STEPS = 3


def compare_still(case: Start) -> Iterator[Opinions]:
    """Compare W¹ and W² after some steps with zero."""
    by_graph, by_step = graph_steps(case, STEPS), numerical_steps(case, STEPS)
    for l in (1, 2):
        zero = np.zeros_like(by_graph["w"][l])
        yield Opinions(f"W{l}", zero, by_graph["w"][l], by_step["w"][l])


def compare_moving(case: Start) -> Iterator[Opinions]:
    """Compare W¹ after some steps of the derivation by hand, of the graph, of steps."""
    by_hand, _ = descend(
        case.zeros(),
        case.x,
        case.y,
        case.activations,
        learning_rate=LEARNING_RATE,
        num_iters=STEPS,
    )
    yield from _first_weights(case, by_hand["w"][1])


def _first_weights(case: Start, by_hand: Array) -> Iterator[Opinions]:
    by_graph, by_step = graph_steps(case, STEPS), numerical_steps(case, STEPS)
    # After a step W² is a sum of terms of both signs, which may cancel.
    yield Opinions("W1", by_hand, by_graph["w"][1], by_step["w"][1], bound=1e-9)


def compare_printed_still(case: Start) -> Iterator[Opinions]:
    """Compare W¹ after some steps with zero, whatever the activation is."""
    yield from _first_weights(case, np.zeros((case.m_h, 3)))


def is_still(case: Start) -> bool:
    """Tell whether W² gets no gradient from a hidden layer of zeros."""
    return case.hidden in ("tanh", "relu") or case.y.mean() == 0.5


def compare_symmetry(case: Start) -> Iterator[Opinions]:
    """Compare the nodes of the hidden layer, which start equal, among themselves."""
    found = initialisation.descend_from_zero(
        case.x,
        case.y,
        [case.m_h],
        case.activations,
        learning_rate=LEARNING_RATE,
        num_iters=20,
    )
    by_graph = graph_steps(case, 20)
    for l, axis in ((1, 0), (2, 1)):
        w = by_graph["w"][l]
        first = np.repeat(w.take([0], axis=axis), w.shape[axis], axis=axis)
        yield Opinions(f"W{l}", first, w, found.params["w"][l], bound=1e-9)


CLAIMS = (
    Claim(
        id="log-loss-products",
        section="2.3",
        title="the cost as two inner products",
        statement=(
            r"$J = -\frac{1}{n} (\langle y, \log a^{[2]} \rangle + "
            r"\langle 1 - y, \log(1 - a^{[2]}) \rangle)$"
        ),
        cases=binary("relu"),
        compare=compare_cost,
    ),
    Claim(
        id="relu-network",
        section="2.3",
        title="the network with ReLU",
        statement=(
            r"$\delta^{[2]} = a^{[2]} - y$ and $\delta^{[1]T}_j = \delta^{[2]T}_j W^{[2]} "
            r"[\delta^\mu_\nu \chi_{[0, \infty)}(z^{[1]\mu}_j)]$"
        ),
        cases=binary("relu"),
        compare=partial(compare_network, "relu"),
    ),
    Claim(
        id="zero-start-still",
        section="2.3.1",
        title="from zero, W1 and W2 stay: tanh, ReLU",
        statement=(
            "From zero parameters, W1 and W2 are zero after every step where $g(0) = 0$: "
            r"$\delta^{[1]} = 0$ since W2 is, and $\partial J/\partial W^{[2]} = "
            r"\frac{1}{n} \delta^{[2]} a^{[1]T} = 0$ since $a^{[1]} = g(0)$ is"
        ),
        cases=starts(("tanh", "relu")),
        compare=compare_still,
    ),
    Claim(
        id="zero-start",
        section="2.3.1",
        title="from zero, W1 moves where W2 does",
        statement=(
            "W1 stays at zero as long as W2 does. With $g(0) \\neq 0$, as for a sigmoid, "
            r"W2 moves in the first step unless $\sum_j \delta^{[2]}_j = 0$, and W1 in the "
            "second"
        ),
        cases=starts(("tanh", "relu", "sigmoid")),
        compare=compare_moving,
        as_printed=compare_printed_still,
        hides=is_still,
    ),
    Claim(
        id="symmetry",
        section="2.3.1",
        title="equal nodes stay equal",
        statement=(
            "Nodes of a layer that start with equal weights, in and out, have equal "
            "gradients and stay equal, whatever the activation is: this is why weights "
            "start at random"
        ),
        cases=starts(("tanh", "relu", "sigmoid", "leaky_relu")),
        compare=compare_symmetry,
    ),
    Claim(
        id="tanh-network",
        section="2.3.2",
        title="the network with tanh",
        statement=r"$\delta^{[1]} = W^{[2]T} \delta^{[2]} \odot (1 - a^{[1]} \odot a^{[1]})$",
        cases=binary("tanh"),
        compare=partial(compare_network, "tanh"),
    ),
)


# --------------------------------------------------------------------------- errata


def measure_zero_start(rng: np.random.Generator) -> Evidence:
    """Measure W¹ after two steps from zero."""

    def largest(hidden: str, labels: list[int], steps: int) -> float:
        case = draw_start(hidden, 3, labels, int(rng.integers(2**32)))
        return float(np.abs(graph_steps(case, steps)["w"][1]).max())

    labels = [1, 1, 1, 0]
    two = largest("sigmoid", labels, 2)
    others = [largest(name, labels, 5) for name in ("tanh", "relu")]
    balanced = largest("sigmoid", [1, 0, 1, 0], 5)
    return Evidence(
        f"with a hidden sigmoid and 3 of 4 labels 1, W1 is not 0 after 2 steps but up to "
        f"{two:.1e}",
        shown=two / LEARNING_RATE**2,
        hidden=max(*others, balanced),
    )


def measure_reason(rng: np.random.Generator) -> Evidence:
    """Measure how much the nodes differ after a start with W² alone at random."""
    case = draw_start("tanh", 3, [1, 0, 0, 1, 1], int(rng.integers(2**32)))
    equal = {"w": {1: np.full((3, 3), 0.3), 2: np.full((1, 3), 0.7)}}
    apart = {"w": {1: rng.normal(size=(3, 3)), 2: rng.normal(size=(1, 3))}}

    def spread(start: dict[str, dict[int, Array]]) -> float:
        params, _ = descend(
            {**start, "b": case.zeros()["b"]}, case.x, case.y, case.activations
        )
        return float(np.ptp(params["w"][1], axis=0).max())

    n_nodes = 1 + int(spread(equal) > 1e-9)
    return Evidence(
        f"weights that are equal and not 0 leave, after 1000 steps, {n_nodes} node where "
        "3 were meant: the start from zero is one case of it",
        shown=spread(apart),
        hidden=spread(equal),
    )


def measure_small(rng: np.random.Generator) -> Evidence:
    """Measure the first gradient of W¹ for smaller and smaller starts."""
    x, y = rng.normal(size=(3, 50)), rng.integers(0, 2, (1, 50)).astype(np.float64)

    def size(scale: float) -> float:
        params = two_layer.initialise_parameters(3, 4, 1, rng=7, scale=scale)
        _, cache = two_layer.forward_propagation(x, params)
        grads = two_layer.backward_propagation(params, cache, x, y)
        return float(np.linalg.norm(grads["w1"]))

    ratio = size(1e-6) / size(0.5)
    return Evidence(
        f"started with weights of 1e-6, the gradient of W1 is {ratio:.0e} of that with "
        "weights of 0.5: descent stands still for as much longer",
        shown=1 - ratio,
    )


def measure_hidden_activation(rng: np.random.Generator) -> Evidence:
    """Measure the gradient of W¹ with tanh where the text has ReLU."""

    def error(shift: float, size: float) -> float:
        drawn = draw_network(
            int(rng.integers(2**32)), [3, 4, 1], ["relu", "sigmoid"], n=6
        )
        params = named(drawn)
        params["w1"] = size * params["w1"]
        params["b1"] = shift + 0 * params["b1"]
        found = []
        for hidden in ("relu", "tanh"):
            _, cache = two_layer.forward_propagation(drawn.x, params, hidden)
            grads = two_layer.backward_propagation(
                params, cache, drawn.x, drawn.y, hidden=hidden
            )
            found.append(grads["w1"])
        return distance(*found)

    off = error(0.0, 1.0)
    return Evidence(
        f"the gradient of W1 with tanh is off by {off:.2f} in relative norm from the one "
        "with ReLU",
        shown=off,
        hidden=error(1e-6, 1e-7),
    )


def measure_pair(rng: np.random.Generator) -> Evidence:
    """Measure whether a pair of value and derivative can stand for the value."""
    z = rng.normal(size=(1, 5))

    def shape(k: int) -> object:
        a2: Any = sigmoid(z)
        return a2.shape

    share = share_raising(AttributeError, shape)
    return Evidence(
        f"{share:.0%} of the calls stop where the shape of the output is asked for: a "
        f"pair of {len(sigmoid(z))} arrays has none",
        shown=share,
    )


def measure_name(rng: np.random.Generator) -> Evidence:
    """Measure a loop that passes a name nobody has set."""

    def step(x: Array) -> Any:
        return np.tanh(X)  # type: ignore[name-defined]  # noqa: F821  # the mistake

    share = share_raising(NameError, lambda k: step(rng.normal(size=3)))
    return Evidence(f"{share:.0%} of the calls stop at the name", shown=share)


def measure_seed(rng: np.random.Generator) -> Evidence:
    """Measure whether two starts are the same."""

    def share_different(*arguments: Any) -> float:
        starts_ = [
            np.random.default_rng(*arguments).normal(size=(4, 3)) for _ in range(20)
        ]
        return float(np.mean([not np.array_equal(starts_[0], s) for s in starts_[1:]]))

    share = share_different()
    return Evidence(
        f"{share:.0%} of 19 further starts differ from the first one; with a seed, none",
        shown=share,
        hidden=share_different(int(rng.integers(2**32))),
    )


ERRATA = (
    Erratum(
        id="zero-first-weights",
        section="2.3.1",
        kind="statement",
        printed=(
            r"From $\delta^{[1]} = 0$ at the start it is concluded that W1 stays at 0 in "
            "every iteration"
        ),
        right=(
            "It stays as long as W2 does, which needs $g(0) = 0$ or "
            r"$\sum_j \delta^{[2]}_j = 0$ as well"
        ),
        why=(
            r"$\delta^{[1]} = W^{[2]T} \delta^{[2]} \odot g'$ vanishes because W2 does, and "
            r"$\partial J/\partial W^{[2]} = \frac{1}{n} \delta^{[2]} a^{[1]T}$ is 0 only "
            "if the hidden layer is."
        ),
        invisible="for tanh and ReLU, and for a sigmoid with balanced classes",
        measure=measure_zero_start,
        claim="zero-start",
    ),
    Erratum(
        id="zero-reason",
        section="2.3.1",
        kind="statement",
        printed="Weights are not to be 0 because their gradients would be",
        right="They are not to be equal: equal nodes stay equal, zero or not",
        why=(
            "The argument in the notes would allow all weights to be 0.3, which leaves one "
            "node as well."
        ),
        invisible="in a hidden layer of one node",
        measure=measure_reason,
        claim="symmetry",
    ),
    Erratum(
        id="arbitrarily-small",
        section="2.3.1",
        kind="statement",
        printed="The first weights may be arbitrarily small, if they are not 0",
        right="Their variance is to fit the number of inputs and the activation (section 6)",
        why="The gradient of W1 is proportional to W2, and the signal to both.",
        invisible="never; it costs iterations, not correctness",
        measure=measure_small,
    ),
    Erratum(
        id="hidden-activation",
        section="2.3.1",
        kind="statement",
        printed=(
            "The network has ReLU in its hidden layer (section 2.3), while the argument "
            "here and the listing of section 2.3.2 compute with tanh"
        ),
        right="One of them throughout; each has its own derivative",
        why=r"ReLU' is 1 or 0, and tanh' is $1 - a^2$.",
        invisible="for small positive $z^{[1]}$, where both are the identity",
        measure=measure_hidden_activation,
        claim="tanh-network",
    ),
    Erratum(
        id="sigmoid-pair",
        section="2.3.2",
        kind="listing",
        printed="The sigmoid returns value and derivative, and both become $a^{[2]}$",
        right="The value alone becomes $a^{[2]}$",
        why="A pair has no shape, so that the next line stops.",
        invisible="never: the first call stops",
        measure=measure_pair,
    ),
    Erratum(
        id="undefined-data",
        section="2.3.2",
        kind="listing",
        printed="The loop passes a capital X, which is neither argument nor variable",
        right="It passes x, the argument",
        why="Python tells capitals apart.",
        invisible="only where a variable of that name happens to exist outside",
        measure=measure_name,
    ),
    Erratum(
        id="unseeded-start",
        section="2.3.2",
        kind="listing",
        printed="Weights are drawn from the global generator without a seed",
        right="A seed or a generator is an argument",
        why="No run can be repeated, and no two listings compared.",
        invisible="with a seed set outside before every call",
        measure=measure_seed,
    ),
)
