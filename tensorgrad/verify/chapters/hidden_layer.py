"""A single hidden layer, and its backpropagation (notes, sections 2 and 2.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from hypothesis import strategies as st

from tensorgrad._typing import Array
from tensorgrad.autodiff.gradients import gradients
from tensorgrad.core.tensor import tensor
from tensorgrad.derivations.activations import ELEMENTWISE, pull_back
from tensorgrad.derivations.losses import output_delta
from tensorgrad.testing.networks import activate
from tensorgrad.verify.cases import (
    Network,
    draw_network,
    networks,
    seeds,
)
from tensorgrad.verify.numerical import complex_jacobian
from tensorgrad.verify.records import Claim, Erratum, Evidence, Opinions, distance

__all__ = ["CLAIMS", "ERRATA"]


# ------------------------------------------------------- the broadcast of a function


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A function of one number, and a point of its broadcast."""

    name: str
    z: Array
    v: Array = field(repr=False)


def draw_broadcast(name: str, m: int, seed: int) -> Broadcast:
    """Draw a point with |z| at most 5, and a direction."""
    rng = np.random.default_rng(seed)
    return Broadcast(name, rng.uniform(-5, 5, m), rng.normal(size=m))


broadcasts = st.builds(
    draw_broadcast, st.sampled_from(sorted(ELEMENTWISE)), st.integers(1, 6), seeds
)


def graph_jacobian(name: str, z: Array) -> Array:
    """Return ∂g/∂z of one column by the graph, a sweep for each output."""
    column = tensor(z[:, None], requires_grad=True)
    out = activate(name, column + 0.0)
    rows = [gradients(out, column, grad=seed[:, None])[:, 0] for seed in np.eye(z.size)]
    return np.stack(rows)


def compare_broadcast(case: Broadcast) -> Iterator[Opinions]:
    """Compare the differential of a broadcast function, as a map and as a matrix."""
    g = ELEMENTWISE[case.name]
    slope = g(case.z)[1]
    by_graph = graph_jacobian(case.name, case.z)
    by_step = complex_jacobian(lambda z: g(z)[0], case.z)
    yield Opinions("matrix", np.diag(slope), by_graph, by_step)
    yield Opinions("map", slope * case.v, by_graph @ case.v, by_step @ case.v)


# ---------------------------------------------------------- the partials of A ξ + u


@dataclass(frozen=True, slots=True)
class Affine:
    """Φ(A, u, ξ) = A ξ + u."""

    A: Array
    u: Array
    xi: Array


def draw_affine(s: int, t: int, seed: int) -> Affine:
    """Draw a map from t to s numbers."""
    rng = np.random.default_rng(seed)
    return Affine(rng.normal(size=(s, t)), rng.normal(size=s), rng.normal(size=t))


affines = st.builds(draw_affine, st.integers(1, 5), st.integers(1, 5), seeds)


def _affine_jacobians(case: Affine) -> dict[str, Array]:
    """Return the partials of Φ by the graph."""
    leaves = {
        "A": tensor(case.A, requires_grad=True),
        "u": tensor(case.u, requires_grad=True),
        "xi": tensor(case.xi, requires_grad=True),
    }
    out = leaves["A"] @ leaves["xi"] + leaves["u"]
    rows = [gradients(out, leaves, grad=seed) for seed in np.eye(case.u.size)]
    return {name: np.stack([row[name] for row in rows]) for name in leaves}


def compare_by_matrix(case: Affine) -> Iterator[Opinions]:
    """Compare ∂Φⁱ/∂Aᵘᵥ."""
    by_hand = np.einsum("im,v->imv", np.eye(case.u.size), case.xi)
    by_step = complex_jacobian(lambda A: A @ case.xi + case.u, case.A)
    yield Opinions("dPhi/dA", by_hand, _affine_jacobians(case)["A"], by_step)


def compare_by_shift(case: Affine) -> Iterator[Opinions]:
    """Compare ∂Φⁱ/∂uᵘ."""
    by_step = complex_jacobian(lambda u: case.A @ case.xi + u, case.u)
    yield Opinions(
        "dPhi/du", np.eye(case.u.size), _affine_jacobians(case)["u"], by_step
    )


def compare_by_point(case: Affine) -> Iterator[Opinions]:
    """Compare ∂Φⁱ/∂ξᵘ."""
    by_step = complex_jacobian(lambda xi: case.A @ xi + case.u, case.xi)
    yield Opinions("dPhi/dxi", case.A, _affine_jacobians(case)["xi"], by_step)


# ----------------------------------------------------- the gradients of one example


two_layers = networks(
    depths=(2, 2), heads=("linear", "sigmoid", "tanh", "relu"), lams=(0.0,)
)


def _identity_second(s: int, inputs: int, seed: int) -> Network:
    """Return a network whose second layer passes δ on as it is."""
    network = draw_network(seed, [inputs, s, s], ["linear", "sigmoid"], n=1)
    w = {**network.params["w"], 2: np.eye(s)}
    return replace(network, params={**network.params, "w": w})


with_identity = st.one_of(
    two_layers, st.builds(_identity_second, st.integers(1, 4), st.integers(1, 4), seeds)
)


def first_example(network: Network) -> Network:
    """Return the network with its first example alone."""
    return replace(network, x=network.x[:, :1], y=network.y[:, :1])


def deltas(network: Network) -> tuple[Array, Array]:
    """Return δ² and δ¹ of every example, from their definitions."""
    z, w = network.forward()["z"], network.params["w"]
    delta2 = output_delta(network.loss, network.activations[1], z[2], network.y)
    delta1 = pull_back(network.activations[0], z[1], w[2].T @ delta2)
    return delta2, delta1


def compare_delta(l: int, case: Network) -> Iterator[Opinions]:
    """Compare δ of a layer with the derivative of F by its z."""
    one = first_example(case)
    by_hand = deltas(one)[2 - l]
    by_graph = one.graph().gradients()["z"][l]
    yield Opinions(f"delta{l}", by_hand, by_graph, one.numerical_delta(l))


def compare_gradient(kind: str, l: int, case: Network) -> Iterator[Opinions]:
    """Compare the gradient of F by the weights or biases of a layer."""
    one = first_example(case)
    a, delta = one.forward()["a"], deltas(one)[2 - l]
    by_hand = delta @ a[l - 1].T if kind == "w" else delta
    yield from _against_others(one, kind, l, by_hand)


def _against_others(
    network: Network, kind: str, l: int, by_hand: Array
) -> Iterator[Opinions]:
    by_graph = network.graph().gradients()[kind][l]
    by_step = network.numerical([l])[kind][l]
    yield Opinions(f"d{kind.upper()}{l}", by_hand, by_graph, by_step)


def compare_printed_weights(case: Network) -> Iterator[Opinions]:
    """Compare δ²xᵀ with ∂F/∂B."""
    one = first_example(case)
    yield from _against_others(one, "w", 1, deltas(one)[0] @ one.x.T)


def hides_printed_weights(case: Network) -> bool:
    """Tell whether δ¹ = δ²: a linear hidden layer below the identity."""
    w2 = case.params["w"][2]
    is_identity = w2.shape[0] == w2.shape[1] and np.array_equal(w2, np.eye(len(w2)))
    is_zero = not deltas(first_example(case))[0].any() and w2.shape[0] == w2.shape[1]
    return (case.activations[0] == "linear" and is_identity) or is_zero


def compare_sums(case: Network) -> Iterator[Opinions]:
    """Compare the means over the examples, taken one by one, of all four gradients."""
    by_graph, by_step = case.graph().gradients(), case.numerical()
    a, (delta2, delta1) = case.forward()["a"], deltas(case)
    for l, delta in ((1, delta1), (2, delta2)):
        columns = range(case.n)
        dw = sum(np.outer(delta[:, j], a[l - 1][:, j]) for j in columns) / case.n
        db = sum(delta[:, j : j + 1] for j in columns) / case.n
        yield Opinions(f"dW{l}", dw, by_graph["w"][l], by_step["w"][l])
        yield Opinions(f"db{l}", db, by_graph["b"][l], by_step["b"][l])
        yield Opinions(f"dW{l} as a product", delta @ a[l - 1].T / case.n, dw)


CLAIMS = (
    Claim(
        id="broadcast-differential",
        section="2",
        title="differential of a broadcast function",
        statement=(
            r"$dG_z(v) = g'(z) \odot v$, with the matrix $\delta^i_j g'(z^i)$, where g "
            "has a derivative"
        ),
        cases=broadcasts,
        compare=compare_broadcast,
    ),
    Claim(
        id="affine-by-matrix",
        section="2.1",
        title="derivative of A xi + u by A",
        statement=(
            r"$\frac{\partial \Phi^i}{\partial A^\mu_\nu} = \delta^i_\mu \xi^\nu$"
        ),
        cases=affines,
        compare=compare_by_matrix,
    ),
    Claim(
        id="affine-by-shift",
        section="2.1",
        title="derivative of A xi + u by u",
        statement=r"$\frac{\partial \Phi^i}{\partial u^\mu} = \delta^i_\mu$",
        cases=affines,
        compare=compare_by_shift,
    ),
    Claim(
        id="affine-by-point",
        section="2.1",
        title="derivative of A xi + u by xi",
        statement=r"$\frac{\partial \Phi^i}{\partial \xi^\mu} = A^i_\mu$",
        cases=affines,
        compare=compare_by_point,
    ),
    Claim(
        id="delta-2",
        section="2.1",
        title="delta of the output layer",
        statement=r"$\delta^{[2]} = [d(L_y \circ g^{[2]})_{z^{[2]}}]^T = [d_{z^{[2]}} F]^T$",
        cases=two_layers,
        compare=partial(compare_delta, 2),
    ),
    Claim(
        id="gradient-w2",
        section="2.1",
        title="gradient of one example by W2",
        statement=r"$\frac{\partial F}{\partial W^{[2]}} = \delta^{[2]} a^{[1]T}$",
        cases=two_layers,
        compare=partial(compare_gradient, "w", 2),
    ),
    Claim(
        id="gradient-b2",
        section="2.1",
        title="gradient of one example by b2",
        statement=r"$\frac{\partial F}{\partial b^{[2]}} = \delta^{[2]}$",
        cases=two_layers,
        compare=partial(compare_gradient, "b", 2),
    ),
    Claim(
        id="delta-1",
        section="2.1",
        title="delta of the hidden layer",
        statement=(
            r"$\delta^{[1]} = [dg^{[1]}_{z^{[1]}}]^T W^{[2]T} \delta^{[2]} = "
            r"[d_{z^{[1]}} F]^T$"
        ),
        cases=two_layers,
        compare=partial(compare_delta, 1),
    ),
    Claim(
        id="gradient-w1",
        section="2.1",
        title="gradient of one example by W1",
        statement=r"$\frac{\partial F}{\partial W^{[1]}} = \delta^{[1]} x^T$",
        cases=with_identity,
        compare=partial(compare_gradient, "w", 1),
        as_printed=compare_printed_weights,
        hides=hides_printed_weights,
    ),
    Claim(
        id="gradient-b1",
        section="2.1",
        title="gradient of one example by b1",
        statement=(
            r"$\frac{\partial F}{\partial b^{[1]}} = \delta^{[1]}$, in coordinates "
            r"$\frac{\partial F}{\partial b^{[1]\mu}} = \delta^{[1]}_\mu$"
        ),
        cases=two_layers,
        compare=partial(compare_gradient, "b", 1),
    ),
    Claim(
        id="means-over-examples",
        section="2.1",
        title="means over the examples of all four",
        statement=(
            r"$\frac{\partial J}{\partial W^{[l]}} = \frac{1}{n} \sum_j "
            r"\delta^{[l]}_j a^{[l-1]T}_j = \frac{1}{n} \delta^{[l]} a^{[l-1]T}$, "
            r"$\frac{\partial J}{\partial b^{[l]}} = \frac{1}{n} \sum_j \delta^{[l]}_j$"
        ),
        cases=two_layers,
        compare=compare_sums,
    ),
)


# --------------------------------------------------------------------------- errata


def measure_labels(rng: np.random.Generator) -> Evidence:
    """Measure the sizes of the layer so labelled, and of the one so defined."""

    def mismatch(s1: int, s2: int) -> tuple[int, int, float]:
        seed = int(rng.integers(2**32))
        a = draw_network(seed, [3, s1, s2], ["tanh", "sigmoid"], n=1).forward()["a"]
        labelled, defined = a[1].shape[0], a[2].shape[0]
        return labelled, defined, abs(labelled - defined) / max(labelled, defined)

    labelled, defined, shown = mismatch(4, 1)
    return Evidence(
        f"the column labelled layer 2 has {labelled} nodes; layer 2, as defined below "
        f"it, has {defined}",
        shown=shown,
        hidden=mismatch(1, 1)[2],
    )


def measure_base_point(rng: np.random.Generator) -> Evidence:
    """Measure whether the map can be differentiated at a²."""
    n_trials, n_fail = 20, 0
    for s2 in range(1, n_trials + 1):
        w, a2 = rng.normal(size=(s2, n_trials + 1)), rng.normal(size=s2)
        try:
            complex_jacobian(partial(np.matmul, w), a2)
        except ValueError:
            n_fail += 1
    w = rng.normal(size=(4, 4))
    here, there = (
        complex_jacobian(partial(np.matmul, w), rng.normal(size=4)) for _ in range(2)
    )
    return Evidence(
        f"in {n_fail} of {n_trials} networks with s1 = {n_trials + 1} and s2 below, a2 is "
        "no point of the domain",
        shown=n_fail / n_trials,
        hidden=distance(here, there),
    )


def measure_quotient(rng: np.random.Generator) -> Evidence:
    """Measure Φ/ξ, which is what stands there, against ∂Φ/∂ξ."""
    case = draw_affine(3, 4, int(rng.integers(2**32)))
    quotient = (case.A @ case.xi + case.u)[:, None] / case.xi
    number = draw_affine(1, 1, int(rng.integers(2**32)))
    alone = (number.A @ number.xi)[:, None] / number.xi
    off = distance(quotient, case.A)
    return Evidence(
        f"read as a quotient it is off by {off:.2f} in relative norm for a map from 4 to "
        "3 numbers",
        shown=off,
        hidden=distance(alone, number.A),
    )


def measure_weights(rng: np.random.Generator) -> Evidence:
    """Measure δ²xᵀ against ∂F/∂B where the shapes agree, and count where they do not."""
    off, n_shapes = [], 0
    widths = [(s1, s2) for s1 in range(1, 6) for s2 in range(1, 6)]
    for s1, s2 in widths:
        seed = int(rng.integers(2**32))
        network = draw_network(seed, [3, s1, s2], ["tanh", "sigmoid"], n=1)
        error = distance(deltas(network)[0] @ network.x.T, network.by_hand()["w"][1])
        n_shapes += not np.isfinite(error)
        off += [error] * bool(np.isfinite(error))
    same = _identity_second(3, 2, int(rng.integers(2**32)))
    printed, right = deltas(same)[0] @ same.x.T, same.by_hand()["w"][1]
    return Evidence(
        f"of {len(widths)} pairs of widths up to 5, {n_shapes} do not even have the shape "
        f"of W1; in the others it is off by {min(off):.2f} at least, in relative norm",
        shown=min(off),
        hidden=distance(printed, right),
    )


def measure_index(rng: np.random.Generator) -> Evidence:
    """Measure one derivative against the vector that it is said to be."""
    seeds_ = rng.integers(2**32, size=2)
    wide = draw_network(int(seeds_[0]), [2, 4, 1], ["tanh", "sigmoid"], n=1)
    narrow = draw_network(int(seeds_[1]), [2, 1, 1], ["tanh", "sigmoid"], n=1)
    b = wide.numerical([1])["b"][1]
    spread = float(np.ptp(b) / np.abs(b).max())
    alone = narrow.numerical([1])["b"][1]
    return Evidence(
        f"one number on the left, {b.size} on the right, which differ among themselves by "
        f"{spread:.2f} of the largest",
        shown=spread,
        hidden=distance(alone, deltas(narrow)[1]),
    )


ERRATA = (
    Erratum(
        id="layer-labels",
        section="2",
        kind="formula",
        printed=(
            "The diagram labels the column of $a^{[1]}$ as layer 2, and draws the output "
            "layer with several nodes; the diagram of section 3 labels it so again"
        ),
        right=(
            "$a^{[1]}$ belongs to layer 1, as the text below the diagram says; layer 2 "
            r"has one node, since $\varphi^{[2]}$ maps to $\mathbb{R}$"
        ),
        why="Read from the diagram, every index of a layer is one too high.",
        invisible="in a network with one node in each layer",
        measure=measure_labels,
    ),
    Erratum(
        id="base-point",
        section="2",
        kind="formula",
        printed=r"$d\varphi^{[2]}$ is taken at the point $a^{[2]}$",
        right=r"$d\varphi^{[2]}_{a^{[1]}}(v) = W^{[2]} v$: its argument is $a^{[1]}$",
        why=(
            "$a^{[2]}$ lies in another space, unless both layers are equally wide. The "
            "differential of an affine map is the same everywhere, so that no value "
            "changes."
        ),
        invisible="where $s_1 = s_2$, and in every value that is computed",
        measure=measure_base_point,
    ),
    Erratum(
        id="missing-partial",
        section="2.1",
        kind="formula",
        printed=r"$\frac{\partial \Phi^i}{\xi^\mu}$ on the left of $A^i_\mu$",
        right=r"$\frac{\partial \Phi^i}{\partial \xi^\mu} = A^i_\mu$",
        why="A sign of the derivative is missing below the line.",
        invisible="for one number without a shift, where the quotient is the derivative",
        measure=measure_quotient,
        claim="affine-by-point",
    ),
    Erratum(
        id="first-weights",
        section="2.1",
        kind="formula",
        printed=r"$\frac{\partial F}{\partial B} = \delta^{[2]} x^T$, as the conclusion",
        right=(
            r"$\frac{\partial F}{\partial B} = \delta^{[1]} x^T$, as derived in the lines "
            "above it and repeated in the summary"
        ),
        why="The index of the layer slips in the last line of the derivation.",
        invisible=(
            r"where $\delta^{[1]} = \delta^{[2]}$: a linear hidden layer below an identity "
            "matrix"
        ),
        measure=measure_weights,
        claim="gradient-w1",
    ),
    Erratum(
        id="first-biases",
        section="2.1",
        kind="formula",
        printed=r"$\frac{\partial F}{\partial b^\mu} = \delta^{[1]}$",
        right=(
            r"$\frac{\partial F}{\partial b^\mu} = \delta^{[1]}_\mu$, or without "
            "coordinates on both sides"
        ),
        why="A component on the left is set equal to the whole vector.",
        invisible="in a hidden layer of one node",
        measure=measure_index,
        claim="gradient-b1",
    ),
)
