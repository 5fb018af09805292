"""Gradients and numerical remarks (notes, sections 6, 6.1 and 6.1.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tensorgrad._typing import Array
from tensorgrad.autodiff.gradients import gradients
from tensorgrad.core.tensor import tensor
from tensorgrad.derivations import initialisation
from tensorgrad.derivations.activations import LEAKY_SLOPE, activate
from tensorgrad.derivations.gradient_check import numerical_gradient, relative_error
from tensorgrad.ops import TABLE
from tensorgrad.testing.networks import activate as activate_graph
from tensorgrad.verify.cases import seeds
from tensorgrad.verify.numerical import slope
from tensorgrad.verify.records import Claim, Erratum, Evidence, Opinions, distance

__all__ = ["CLAIMS", "ERRATA"]

PRINTED_STEP = 1e-3


# ----------------------------------------------------------- the variance of weights


@dataclass(frozen=True, slots=True)
class Fan:
    """What a layer gets, and how many nodes it has."""

    a: Array
    fan_out: int


def draw_fan(fan_in: int, fan_out: int, seed: int) -> Fan:
    """Draw the activations of a layer below."""
    return Fan(np.random.default_rng(seed).normal(size=fan_in), fan_out)


fans = st.builds(draw_fan, st.integers(1, 8), st.integers(1, 8), seeds)


def all_signs(n: int) -> Array:
    """Return all rows of n signs: weights of deviation 1, each equally likely.

    A mean over them is an expectation, without statistics.
    """
    return np.array(list(product((-1.0, 1.0), repeat=n)))


def kept(activation: str, variance: float, a: Array) -> tuple[float, float]:
    """Return E[g(z)²] by E[a²], in plain NumPy and by the graph."""
    w = np.sqrt(variance) * all_signs(a.size)
    by_graph = activate_graph(activation, tensor(w) @ a).numpy()
    plain = activate(activation, w @ a)
    size = np.mean(a * a)
    return float(np.mean(plain * plain) / size), float(np.mean(by_graph**2) / size)


def compare_rule(
    activation: str, rule: Callable[[int], float], case: Fan
) -> Iterator[Opinions]:
    """Compare the size of what a layer passes on with the size of what it got."""
    plain, by_graph = kept(activation, rule(case.a.size), case.a)
    yield Opinions("E[g(z)^2] / E[a^2]", 1.0, by_graph, plain)


def compare_square(case: Fan) -> Iterator[Opinions]:
    """Compare E[z²] with s Var(W) E[a²], for any variance."""
    variance = 0.1 + case.fan_out
    plain, by_graph = kept("linear", variance, case.a)
    yield Opinions("E[z^2] / E[a^2]", case.a.size * variance, by_graph, plain)


def compare_between(case: Fan) -> Iterator[Opinions]:
    """Compare Xavier's variance with what signals need either way."""
    fan_in, fan_out = case.a.size, case.fan_out
    xavier = initialisation.xavier_variance(fan_in, fan_out)
    forwards, backwards = 1 / fan_in, 1 / fan_out
    harmonic = 2 / (1 / forwards + 1 / backwards)
    yield Opinions("variance", xavier, numerical=harmonic)
    is_between = min(forwards, backwards) * (1 - 1e-12) <= xavier
    is_between = is_between and xavier <= max(forwards, backwards) * (1 + 1e-12)
    yield Opinions("between", float(is_between), numerical=1.0)


# ------------------------------------------------------------- numerical derivatives


@dataclass(frozen=True, slots=True)
class Wave:
    """f(x) = Σ sin(k x), or the product of all entries where k is 0."""

    k: int
    x: Array

    def value(self, x: Any) -> Any:
        """Return f(x), for arrays and Tensors."""
        if self.k == 0:
            return TABLE["prod"](x) if not isinstance(x, np.ndarray) else np.prod(x)
        return TABLE["sum"](TABLE["sin"](self.k * x))

    def by_hand(self) -> Array:
        """Return ∇f."""
        if self.k == 0:
            others = ~np.eye(self.x.size, dtype=bool)
            return np.array([np.prod(self.x[row]) for row in others])
        found: Array = self.k * np.cos(self.k * self.x)
        return found


def draw_wave(k: int, n: int, seed: int) -> Wave:
    """Draw a point whose entries are neither small nor large."""
    rng = np.random.default_rng(seed)
    return Wave(k, rng.uniform(0.5, 1.5, n) * rng.choice((-1.0, 1.0), n))


def compare_difference(case: Wave) -> Iterator[Opinions]:
    """Compare the central difference with the step of the derivations."""
    yield from _difference_against(case, numerical_gradient(case.value, case.x))


def _difference_against(case: Wave, difference: Array) -> Iterator[Opinions]:
    t = tensor(case.x, requires_grad=True)
    by_graph = gradients(case.value(t), t)
    # h² k²/6 with h up to 9e-6 and k up to 300.
    yield Opinions("gradient", case.by_hand(), by_graph, difference, bound=1e-5)


def compare_printed_step(case: Wave) -> Iterator[Opinions]:
    """Compare the central difference with the step that is printed."""
    difference = numerical_gradient(case.value, case.x, PRINTED_STEP)
    yield from _difference_against(case, difference)


waves = st.builds(
    draw_wave, st.sampled_from([0, 100, 200, 300]), st.integers(1, 4), seeds
)
STEPS = np.geomspace(1e-1, 1e-3, 7)


def compare_order(x: float) -> Iterator[Opinions]:
    """Compare the orders of both differences of exp, from how their errors fall."""
    t = tensor(x, requires_grad=True)
    exact = float(gradients(TABLE["exp"](t), t))
    up, here, down = np.exp(x + STEPS), np.exp(x), np.exp(x - STEPS)
    logs = np.log(STEPS)
    for name, order, difference in (
        ("central", 2.0, (up - down) / (2 * STEPS)),
        ("one-sided", 1.0, (up - here) / STEPS),
    ):
        fitted = slope(logs, np.log(np.abs(difference - exact)))
        # At steps of 0.1 the next term still counts.
        yield Opinions(name, order, numerical=fitted, bound=0.05)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two gradients."""

    first: Array
    second: Array


def draw_pair(n: int, size: float, seed: int) -> Pair:
    """Draw gradients of which the second is `size` times as large."""
    rng = np.random.default_rng(seed)
    return Pair(rng.normal(size=n), size * rng.normal(size=n))


pairs = st.builds(
    draw_pair, st.integers(1, 6), st.sampled_from([0.0, 1e-6, 1.0, 1e6]), seeds
)


def compare_relative(case: Pair) -> Iterator[Opinions]:
    """Compare the relative error with the formula, both ways round, and for zeros."""
    first, second = case.first, case.second
    norm = np.linalg.norm
    formula = norm(first - second) / (norm(first) + norm(second))
    by_hand = relative_error(first, second)
    yield Opinions("error", by_hand, numerical=formula)
    yield Opinions("the other way", by_hand, numerical=relative_error(second, first))
    yield Opinions("at most 1", float(by_hand <= 1 + 1e-12), numerical=1.0)
    yield Opinions("0 by 0", relative_error(0 * first, 0 * second), numerical=0.0)


CLAIMS = (
    Claim(
        id="preactivation-size",
        section="6",
        title="size of z: s Var(W) E[a^2]",
        statement=(
            r"$E[(z^{[l]})^2] = s_{l-1} \, Var(W^{[l]}) \, E[(a^{[l-1]})^2]$ for independent "
            "weights of mean 0 and zero biases"
        ),
        cases=fans,
        compare=compare_square,
    ),
    Claim(
        id="relu-variance",
        section="6",
        title="variance for ReLU: 2 / s (He)",
        statement=(
            r"$E[(W^{[l]})^2] = \frac{2}{s_{l-1}}$ keeps the size of signals behind ReLU, "
            "which passes half of the squares on"
        ),
        cases=fans,
        compare=partial(compare_rule, "relu", initialisation.he_variance),
        as_printed=partial(compare_rule, "relu", initialisation.lecun_variance),
    ),
    Claim(
        id="leaky-variance",
        section="6",
        title="variance for leaky ReLU",
        statement=(
            r"$E[(W^{[l]})^2] = \frac{2}{(1 + \beta^2) s_{l-1}}$ for a slope $\beta$ below 0"
        ),
        cases=fans,
        compare=partial(
            compare_rule,
            "leaky_relu",
            partial(initialisation.he_variance, beta=LEAKY_SLOPE),
        ),
    ),
    Claim(
        id="linear-variance",
        section="6",
        title="variance for linear layers: 1 / s (LeCun)",
        statement=(
            r"$E[(W^{[l]})^2] = \frac{1}{s_{l-1}}$ keeps the size where g is the identity, "
            "as tanh is near 0"
        ),
        cases=fans,
        compare=partial(compare_rule, "linear", initialisation.lecun_variance),
    ),
    Claim(
        id="xavier-variance",
        section="6",
        title="variance between both ways (Xavier)",
        statement=(
            r"$\frac{2}{s_{l-1} + s_l}$ is the harmonic mean of $\frac{1}{s_{l-1}}$, for "
            r"signals, and $\frac{1}{s_l}$, for gradients"
        ),
        cases=fans,
        compare=compare_between,
    ),
    Claim(
        id="numerical-gradient",
        section="6.1",
        title="central differences, with a fitting step",
        statement=(
            r"$\frac{\partial f}{\partial x^j} \approx \frac{f(x + h e_j) - f(x - h e_j)}{2 h}$ "
            r"with $h = u^{1/3} \max(1, |x^j|)$, about $6 \cdot 10^{-6}$"
        ),
        cases=waves,
        compare=compare_difference,
        as_printed=compare_printed_step,
        hides=lambda case: case.k == 0,
    ),
    Claim(
        id="difference-order",
        section="6.1",
        title="orders of the two differences",
        statement=(
            r"The central difference errs by $O(h^2)$, the one-sided one by $O(h)$; both have "
            "the derivative as their limit"
        ),
        cases=st.floats(-2.0, 2.0),
        compare=compare_order,
    ),
    Claim(
        id="relative-error",
        section="6.1",
        title="the relative error of two gradients",
        statement=(
            r"$\frac{\| F - \nabla f \|}{\| F \| + \| \nabla f \|}$ lies between 0 and 1, is "
            "symmetric, and is 0 for two zeros"
        ),
        cases=pairs,
        compare=compare_relative,
    ),
)


# --------------------------------------------------------------------------- errata


def measure_variance(rng: np.random.Generator) -> Evidence:
    """Measure what is left of a signal with the printed variance."""

    def ratio(activation: str) -> float:
        a = rng.normal(size=8)
        return kept(activation, 1 / 8, a)[0]

    one = ratio("relu")
    return Evidence(
        f"a layer of ReLUs passes {one:.2f} of the mean square on; ten layers "
        f"{one**10:.0e}",
        shown=1 - one,
        hidden=abs(1 - ratio("linear")),
    )


def _step_error(case: Wave, step: float | None) -> float:
    return distance(numerical_gradient(case.value, case.x, step), case.by_hand())


def measure_step(rng: np.random.Generator) -> Evidence:
    """Measure the error with the printed step against that with a fitting one."""
    seed = int(rng.integers(2**32))
    wave, many = draw_wave(1, 3, seed), draw_wave(0, 3, seed)
    printed, fitting = _step_error(wave, PRINTED_STEP), _step_error(wave, None)
    excess = _step_error(many, PRINTED_STEP) - _step_error(many, None)
    fast = _step_error(draw_wave(200, 3, seed), PRINTED_STEP)
    return Evidence(
        f"for the sine it errs by {printed:.0e}, a fitting step by {fitting:.0e}; for "
        f"waves 200 times as fast by {fast:.0e}",
        shown=min(printed / fitting - 1, fast),
        hidden=max(excess, 0.0),
    )


def measure_absolute(rng: np.random.Generator) -> Evidence:
    """Measure the difference with an absolute step at large numbers."""

    def error(size: float) -> float:
        x = np.array([size * rng.uniform(1, 2)])
        found = numerical_gradient(lambda x: float(x[0]) * 3.0, x, None)
        fixed = (3.0 * (x + PRINTED_STEP) - 3.0 * (x - PRINTED_STEP)) / (
            2 * PRINTED_STEP
        )
        return distance(fixed, found)

    off = error(1e14)
    return Evidence(
        f"the slope of 3 x at numbers of 1e14 is off by {off:.2f} of itself",
        shown=off,
        hidden=error(1.0),
    )


def _printed_error(numerical: Array, gradient: Array) -> float:
    norm = np.linalg.norm
    return float(norm(numerical - gradient) / (norm(numerical) + norm(gradient)))


def measure_zero(rng: np.random.Generator) -> Evidence:
    """Measure the relative error of two gradients that vanish."""

    def share_lost(size: float) -> float:
        lost = []
        for _ in range(20):
            gradient = size * rng.normal(size=4)
            lost.append(not np.isfinite(_printed_error(gradient, gradient)))
        return float(np.mean(lost))

    share = share_lost(0.0)
    return Evidence(
        f"where both gradients are 0, {share:.0%} of the checks end in 0/0, no number",
        shown=share,
        hidden=share_lost(1.0),
    )


def measure_one_norm(rng: np.random.Generator) -> Evidence:
    """Measure a wrong sign in a small tensor, in one norm over all and by itself."""

    def errors(size: float) -> tuple[float, float]:
        large, small = rng.normal(size=50), size * rng.normal(size=5)
        right, wrong = np.concatenate([large, small]), np.concatenate([large, -small])
        return _printed_error(right, wrong), _printed_error(small, -small)

    together, alone = errors(1e-6)
    even = errors(1e9)
    return Evidence(
        f"a flipped sign in a tensor a million times smaller than another gives "
        f"{together:.0e} over all, and {alone:.0f} by itself",
        shown=1 - together / alone,
        hidden=1 - even[0] / even[1],
    )


ERRATA = (
    Erratum(
        id="relu-initialisation",
        section="6",
        kind="formula",
        printed=r"$E[(W^{[l]})^2] = \frac{1}{s_{l-1}}$ for $g^{[l]} = \mathrm{ReLU}$",
        right=r"$\frac{2}{s_{l-1}}$ (He); $\frac{1}{s_{l-1}}$ is right for linear layers",
        why="ReLU passes half of the mean square on, which the variance has to make good.",
        invisible="for linear layers, and hardly noticed with one hidden layer",
        measure=measure_variance,
        claim="relu-variance",
    ),
    Erratum(
        id="step-size",
        section="6.1.1",
        kind="listing",
        printed=r"The step of the central difference is $10^{-3}$ by default",
        right=r"About $u^{1/3}$, $6 \cdot 10^{-6}$ in double precision",
        why=(
            r"The difference errs by $h^2 f'''/6$ and by $u f/h$; the two balance near the "
            "third root of u."
        ),
        invisible=(
            "for functions without a third derivative by any entry, such as the product "
            "that the listing is tried on"
        ),
        measure=measure_step,
        claim="numerical-gradient",
    ),
    Erratum(
        id="absolute-step",
        section="6.1.1",
        kind="listing",
        printed="The step is the same for entries of every size",
        right=r"It is proportional to $\max(1, |x|)$, and what was really taken divides",
        why=r"Near $10^{14}$ neighbouring numbers are further apart than the step.",
        invisible="for entries of moderate size",
        measure=measure_absolute,
        claim="numerical-gradient",
    ),
    Erratum(
        id="zero-by-zero",
        section="6.1.1",
        kind="listing",
        printed="The distance is divided by the sum of both norms, whatever it is",
        right="The relative error of two zeros is 0",
        why="A gradient that is rightly zero, as at a minimum, is reported as not a number.",
        invisible="where one of the gradients is not 0",
        measure=measure_zero,
        claim="relative-error",
    ),
    Erratum(
        id="one-norm",
        section="6.1.1",
        kind="listing",
        printed="One relative error is taken over the whole gradient",
        right="One for each tensor",
        why="The largest tensor decides, and a wrong one that is small passes.",
        invisible="where the wrong tensor is the largest",
        measure=measure_one_norm,
        claim="relative-error",
    ),
)
