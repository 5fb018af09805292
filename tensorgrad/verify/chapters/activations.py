"""The activation functions and their derivatives (notes, section 2.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tensorgrad._typing import Array
from tensorgrad.autodiff.gradients import gradients
from tensorgrad.core.tensor import tensor
from tensorgrad.derivations.activations import ELEMENTWISE, pull_back, relu, softmax
from tensorgrad.ops import TABLE
from tensorgrad.verify.cases import matrices, seeds
from tensorgrad.verify.chapters.hidden_layer import graph_jacobian
from tensorgrad.verify.numerical import complex_derivative, complex_jacobian, slope
from tensorgrad.verify.records import Claim, Erratum, Evidence, Opinions, distance

__all__ = ["CLAIMS", "ERRATA"]

EPS = float(np.finfo(np.float64).eps)
DIGITS = float(np.log10(np.e))
"""Decimal digits by which σ' falls where z rises by 1."""


# ----------------------------------------------------------------- entry by entry


points = matrices(scale=1.5).map(lambda z: np.clip(z, -5.0, 5.0))


def compare_slope(name: str, z: Array) -> Iterator[Opinions]:
    """Compare the derivative of an activation that acts on every entry by itself."""
    t = tensor(z, requires_grad=True)
    by_graph = gradients(TABLE[name](t), t, grad=np.ones_like(z))
    g = ELEMENTWISE[name]
    by_step = complex_derivative(lambda z: g(z)[0], z)
    yield Opinions("slope", g(z)[1], by_graph, by_step)


def compare_quotient(z: Array) -> Iterator[Opinions]:
    """Compare tanh' with the quotient rule, before it is simplified."""
    yield from compare_slope("tanh", z)
    up, down = np.exp(z), np.exp(-z)
    quotient = ((up + down) ** 2 - (up - down) ** 2) / (up + down) ** 2
    by_hand = ELEMENTWISE["tanh"](z)[1]
    # (e⁵ + e⁻⁵)² is 2·10⁴, and what remains of the difference is 4.
    yield Opinions("quotient", by_hand, numerical=quotient, bound=1e-10)


# ---------------------------------------------------------------------------- ReLU


@dataclass(frozen=True, slots=True)
class Leaky:
    """Points away from zero, and the slope below it."""

    beta: float
    z: Array = field(repr=False)


def draw_leaky(beta: float, z: Array) -> Leaky:
    """Return the points, those near zero moved away from it."""
    return Leaky(beta, np.where(z < 0, z - 0.1, z + 0.1))


leakies = st.builds(draw_leaky, st.sampled_from([0.0, 0.01, 0.3, 1.0]), matrices())
any_slope = st.builds(
    draw_leaky, st.sampled_from([0.0, 0.01, 0.5, 1.0, 1.5, 3.0]), matrices()
)


def compare_relu(case: Leaky) -> Iterator[Opinions]:
    """Compare the slopes of ReLU for β up to 1."""
    yield from _maximum_against(case, relu(case.z, case.beta)[1])


def _maximum_against(case: Leaky, by_hand: Array) -> Iterator[Opinions]:
    beta, z = case.beta, case.z
    t = tensor(z, requires_grad=True)
    by_graph = gradients(TABLE["maximum"](beta * t, t), t, grad=np.ones_like(z))

    def larger(z: Any) -> Any:
        return np.where((beta * z).real > z.real, beta * z, z)

    yield Opinions("slope", by_hand, by_graph, complex_derivative(larger, z))


def compare_any_slope(case: Leaky) -> Iterator[Opinions]:
    """Compare the slopes of max(βz, z) for any β."""
    beta, z = case.beta, case.z
    by_hand = np.where(z < 0, min(beta, 1.0), max(beta, 1.0))
    yield from _maximum_against(case, by_hand)


def compare_printed_slope(case: Leaky) -> Iterator[Opinions]:
    """Compare β below zero and 1 above with the slopes of max(βz, z)."""
    yield from _maximum_against(case, np.where(case.z < 0, case.beta, 1.0))


def compare_kink(beta: float) -> Iterator[Opinions]:
    """Compare the slope at zero with those from both sides."""
    t = tensor(0.0, requires_grad=True)
    by_graph = gradients(TABLE["relu"](t, beta=beta), t)
    by_hand = relu(0.0, beta)[1]
    h = 2.0**-20
    from_right, from_left = (relu(h, beta)[0] / h, relu(-h, beta)[0] / -h)
    yield Opinions("from the right", by_hand, by_graph, from_right)
    yield Opinions("from the left", np.asarray(beta), numerical=from_left)


# -------------------------------------------------------------------------- softmax


@dataclass(frozen=True, slots=True)
class Scores:
    """A point of softmax, and a direction."""

    z: Array
    v: Array = field(repr=False)


def draw_scores(m: int, seed: int) -> Scores:
    """Draw m scores, at most about 5 apart."""
    rng = np.random.default_rng(seed)
    return Scores(rng.uniform(-2.5, 2.5, m), rng.normal(size=m))


# A single score has probability 1: its differential is zero, which has no digits.
scores = st.builds(draw_scores, st.integers(2, 6), seeds)


def _softmax_jacobians(z: Array) -> tuple[Array, Array]:
    """Return the differential by the graph, and by complex steps."""
    return graph_jacobian("softmax", z), complex_jacobian(softmax, z)


def compare_invariant(case: Scores) -> Iterator[Opinions]:
    """Compare the differential of softmax as a map, and as its transpose."""
    s = softmax(case.z)
    by_hand = -np.dot(s, case.v) * s + s * case.v
    by_graph, by_step = _softmax_jacobians(case.z)
    yield Opinions("dS(v)", by_hand, by_graph @ case.v, by_step @ case.v)
    pulled = pull_back("softmax", case.z[:, None], case.v[:, None])[:, 0]
    yield Opinions("v dS", pulled, case.v @ by_graph, case.v @ by_step)


def compare_coordinates(sign: float, case: Scores) -> Iterator[Opinions]:
    """Compare Sⁱ(δⁱⱼ ± Sʲ) with the differential of softmax."""
    s = softmax(case.z)
    by_hand = s[:, None] * (np.eye(s.size) + sign * s)
    yield Opinions("dS", by_hand, *_softmax_jacobians(case.z))


def compare_diagonal(case: Scores) -> Iterator[Opinions]:
    """Compare the diagonal matrix of a broadcast function with softmax's."""
    s = softmax(case.z)
    yield Opinions("dS", np.diag(s * (1 - s)), *_softmax_jacobians(case.z))


def compare_shift(case: Scores) -> Iterator[Opinions]:
    """Compare softmax of shifted scores: the same value, and no derivative along 1."""
    s = softmax(case.z)
    shifted = TABLE["softmax"](case.z + 300.0 * case.v[0])
    naive = np.exp(case.z) / np.exp(case.z).sum()
    # A shift by some hundreds rounds the scores to that many units of 1e-16.
    yield Opinions("S(z + c)", s, shifted, naive, bound=1e-11)
    ones = np.ones_like(s)
    sums = np.abs(pull_back("softmax", case.z[:, None], ones[:, None])).max()
    yield Opinions("dS(1) is 0", 1.0 + sums, numerical=1.0)


# ---------------------------------------------------------------------------- tails


tails = st.floats(-40.0, 40.0, allow_nan=False)


def exact_slope(name: str, z: Any) -> Array:
    """Return σ' or tanh' to full relative accuracy, from e to a negative power."""
    e = np.exp(-np.abs(np.asarray(z)) * (2.0 if name == "tanh" else 1.0))
    exact: Array = (4.0 if name == "tanh" else 1.0) * e / (1.0 + e) ** 2
    return exact


def compare_tail(name: str, z: float) -> Iterator[Opinions]:
    """Compare the derivative formed from the output with the exact one."""
    by_hand = ELEMENTWISE[name](z)[1]
    t = tensor(z, requires_grad=True)
    by_graph = gradients(TABLE[name](t), t)
    exact = exact_slope(name, z)
    # 1 - a and 1 - a² are rounded like numbers of size 1, and σ is not near 1 below 0.
    e = np.exp(-abs(z) * (2.0 if name == "tanh" else 1.0))
    kept = e / (1.0 + e) if name == "tanh" or z > 0 else 1.0
    yield Opinions("slope", by_hand, by_graph, exact, bound=4 * EPS / kept)
    # The loss is real: it grows by as many digits as the exponential falls.
    yield Opinions(
        "digits lost per unit",
        DIGITS * (2.0 if name == "tanh" else 1.0),
        numerical=_digits_per_unit(name, shift=abs(z) / 400),
        bound=0.1,
    )


def _digits_per_unit(name: str, shift: float) -> float:
    """Return how many digits more are lost where z rises by 1."""
    highest = 17.0 if name == "tanh" else 34.0
    centres = np.linspace(highest / 3, highest, 12) + shift
    z = centres[:, None] + np.linspace(-0.4, 0.4, 201)
    exact = exact_slope(name, z)
    errors = np.abs(ELEMENTWISE[name](z)[1] - exact) / exact
    return slope(centres, np.log10(np.median(errors, axis=1)))


def _lost(z: float, factor: float) -> str:
    return f"{z * DIGITS * factor:.0f} at {z:.0f}"


CLAIMS = (
    Claim(
        id="sigmoid-slope",
        section="2.2.1",
        title="derivative of the sigmoid",
        statement=r"$\sigma'(z) = \sigma(z) (1 - \sigma(z))$",
        cases=points,
        compare=partial(compare_slope, "sigmoid"),
    ),
    Claim(
        id="sigmoid-tail",
        section="2.2.1",
        title="digits that a(1 - a) loses",
        statement=(
            r"Formed from the output, $a (1 - a)$ has a relative error of about "
            r"$u/(1 - a)$, u being the rounding of 1: for positive z it loses "
            f"{_lost(10, 1)}, {_lost(20, 1)}, {_lost(30, 1)} of 16 digits, and none below 0"
        ),
        cases=tails,
        compare=partial(compare_tail, "sigmoid"),
    ),
    Claim(
        id="tanh-slope",
        section="2.2.2",
        title="derivative of tanh",
        statement=r"$\tanh'(z) = 1 - \tanh^2(z)$",
        cases=points,
        compare=compare_quotient,
    ),
    Claim(
        id="tanh-tail",
        section="2.2.2",
        title="digits that 1 - a^2 loses",
        statement=(
            r"Formed from the output, $1 - a^2$ has a relative error of about "
            f"$u/(1 - a^2)$: it loses {_lost(5, 2)}, {_lost(10, 2)}, {_lost(15, 2)} of 16 "
            "digits, on either side"
        ),
        cases=tails,
        compare=partial(compare_tail, "tanh"),
    ),
    Claim(
        id="relu-slope",
        section="2.2.3",
        title="derivative of leaky ReLU, beta <= 1",
        statement=(
            r"$\mathrm{ReLU}'(z; \beta) = \beta$ for $z < 0$ and 1 for $z > 0$, where "
            r"$0 \leq \beta \leq 1$"
        ),
        cases=leakies,
        compare=compare_relu,
    ),
    Claim(
        id="relu-any-slope",
        section="2.2.3",
        title="slopes of max(beta z, z) for any beta",
        statement=(
            r"$\max\{\beta z, z\}$ has the slope $\min(\beta, 1)$ below 0 and "
            r"$\max(\beta, 1)$ above"
        ),
        cases=any_slope,
        compare=compare_any_slope,
        as_printed=compare_printed_slope,
        hides=lambda case: case.beta <= 1,
    ),
    Claim(
        id="relu-kink",
        section="2.2.3",
        title="slope of ReLU at zero",
        statement=(
            r"At 0 there are two slopes, $\beta$ from the left and 1 from the right; "
            r"$\mathrm{ReLU}'(0) = 1$ is a choice between them"
        ),
        cases=st.sampled_from([0.0, 0.01, 0.3, 0.9]),
        compare=compare_kink,
    ),
    Claim(
        id="softmax-invariant",
        section="2.2.4",
        title="differential of softmax",
        statement=(
            r"$dS_z(v) = -\langle S, v \rangle S + S \odot v$, which is its own transpose"
        ),
        cases=scores,
        compare=compare_invariant,
    ),
    Claim(
        id="softmax-coordinates",
        section="2.2.4",
        title="differential of softmax in coordinates",
        statement=r"$[dS_z]^i_j = S^i (\delta^i_j - S^j)$",
        cases=scores,
        compare=partial(compare_coordinates, -1.0),
        as_printed=partial(compare_coordinates, 1.0),
    ),
    Claim(
        id="softmax-shift",
        section="2.2.4",
        title="a shift of all scores changes nothing",
        statement=(
            "$S(z + c) = S(z)$, so that the largest score may be subtracted first: no "
            "exponential overflows"
        ),
        cases=scores,
        compare=compare_shift,
    ),
)


# --------------------------------------------------------------------------- errata


def measure_beta(rng: np.random.Generator) -> Evidence:
    """Measure the printed slopes for β on both sides of 1."""
    z = rng.normal(size=1000)

    def error(beta: float) -> float:
        larger = np.where(beta * z > z, beta, 1.0)
        return distance(np.where(z < 0, beta, 1.0), larger)

    return Evidence(
        f"for beta = 2 the printed slopes are off by {error(2.0):.2f} in relative norm",
        shown=error(2.0),
        hidden=max(error(beta) for beta in (0.0, 0.01, 1.0)),
    )


def measure_smooth(rng: np.random.Generator) -> Evidence:
    """Measure the two slopes at zero."""
    h = 10.0 ** rng.uniform(-6, -3)

    def jump(beta: float) -> float:
        right, left = relu(h, beta)[0] / h, relu(-h, beta)[0] / -h
        return float(right - left)

    return Evidence(
        f"the slopes at 0 from the right and from the left differ by {jump(0.0):.2f}",
        shown=jump(0.0),
        hidden=abs(jump(1.0)),
    )


def measure_sign(rng: np.random.Generator) -> Evidence:
    """Measure the coordinates with a plus, and where the sum vanishes."""
    case = draw_scores(5, int(rng.integers(2**32)))
    s = softmax(case.z)
    printed, right = (s[:, None] * (np.eye(5) + sign * s) for sign in (1.0, -1.0))
    across = case.v - np.dot(s, case.v) / np.dot(s, s) * s
    off = distance(printed, right)
    return Evidence(
        f"for 5 classes the printed matrix is off by {off:.2f} in relative norm, and its "
        f"columns add to {printed.sum(axis=0).max():.2f} instead of 0",
        shown=off,
        hidden=distance(printed @ across, right @ across),
    )


def measure_overflow(rng: np.random.Generator) -> Evidence:
    """Measure the quotient as it stands for large scores."""

    def failing(size: float) -> float:
        z = size + rng.normal(size=(4, 200))
        e = np.exp(z)
        return float(np.mean(~np.isfinite(e / e.sum(axis=0)).all(axis=0)))

    share = failing(1000.0)
    return Evidence(
        f"with scores about 1000, {share:.0%} of the columns are not a number; with the "
        "largest subtracted, none",
        shown=share,
        hidden=failing(10.0),
    )


ERRATA = (
    Erratum(
        id="leaky-range",
        section="2.2.3",
        kind="statement",
        printed=(
            r"The slopes $\beta$ below zero and 1 above are those of $\max\{\beta z, z\}$ "
            r"for some $\beta > 0$"
        ),
        right=r"They are for $0 \leq \beta \leq 1$; beyond 1 the two change places",
        why=r"For $\beta > 1$ the maximum is $\beta z$ above zero and z below.",
        invisible=r"for every $\beta$ up to 1, and so for the small ones in use",
        measure=measure_beta,
        claim="relu-any-slope",
    ),
    Erratum(
        id="relu-smooth",
        section="2.2.3",
        kind="statement",
        printed=(
            "The lemma on broadcast functions, stated for smooth functions, is applied to "
            "ReLU at every point"
        ),
        right="It holds for ReLU where no entry is 0; there, the slope 1 is a choice",
        why="ReLU has two slopes at 0, and a differential needs one.",
        invisible=r"away from 0, and at 0 for $\beta = 1$",
        measure=measure_smooth,
        claim="relu-kink",
    ),
    Erratum(
        id="softmax-sign",
        section="2.2.4",
        kind="formula",
        printed=r"$[dS_z]^i_j = S^i (\delta^i_j + \delta_{\rho j} S^\rho)$",
        right=r"$[dS_z]^i_j = S^i (\delta^i_j - S^j)$",
        why=(
            "The line above it has the minus. With a plus the probabilities would not "
            "keep adding to 1."
        ),
        invisible=r"along directions with $\langle S, v \rangle = 0$ alone",
        measure=measure_sign,
        claim="softmax-coordinates",
    ),
    Erratum(
        id="softmax-overflow",
        section="2.2.4",
        kind="formula",
        printed=r"$e^{z^i}$ divided by the sum of all, to be computed as it stands",
        right="The largest score is subtracted from all of them first",
        why="In double precision the exponential overflows beyond 709.",
        invisible="while all scores are moderate",
        measure=measure_overflow,
        claim="softmax-shift",
    ),
)
