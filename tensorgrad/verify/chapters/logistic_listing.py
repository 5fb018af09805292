"""The listing of logistic regression (notes, section 1.1.1), mistake by mistake.

What is wrong there is written here in code of our own, and run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.derivations import logistic
from tensorgrad.derivations.activations import sigmoid
from tensorgrad.verify.chapters.logistic import Regression, draw_regression
from tensorgrad.verify.records import Erratum, Evidence, distance

__all__ = ["CLAIMS", "ERRATA", "share_raising"]

CLAIMS = ()

EVERY = 100
"""Iterations between two recorded costs."""


def share_raising(
    expected: type[Exception], call: Callable[[int], object], n_trials: int = 20
) -> float:
    """Return in how many of the trials a call raises an exception.

    Examples
    --------
    >>> share_raising(ZeroDivisionError, lambda k: 1 / (k - 1), n_trials=4)
    0.25
    """
    n_raised = 0
    for k in range(n_trials):
        try:
            call(k)
        except expected:
            n_raised += 1
    return n_raised / n_trials


def _draw(rng: np.random.Generator, m: int, n: int) -> Regression:
    return draw_regression(m, n, int(rng.integers(2**32)))


def measure_divisor(rng: np.random.Generator) -> Evidence:
    """Measure the gradient divided by the number of features."""
    errors, factors = [], []
    for case in (_draw(rng, 30, 569), _draw(rng, 7, 7)):
        m = case.x.shape[0]
        dz = sigmoid(case.w.T @ case.x + case.b)[0] - case.y
        divided = case.x @ dz.T / m
        _, dw, _ = logistic.cost_function(case.x, case.y, case.w, case.b)
        errors.append(distance(divided, dw))
        factors.append(float(np.linalg.norm(divided) / np.linalg.norm(dw)))
    return Evidence(
        f"with m = 30 features and n = 569 examples the gradient is {factors[0]:.1f} "
        "times the right one",
        shown=errors[0],
        hidden=errors[1],
    )


def _cost_by_product(case: Regression) -> Array:
    """Return the cost as a product of rows and columns."""
    a, _ = sigmoid(case.w.T @ case.x + case.b)
    total = np.log(a) @ case.y.T + np.log(1 - a) @ (1 - case.y).T
    product: Array = -total / case.x.shape[1]
    return product


def measure_cost(rng: np.random.Generator) -> Evidence:
    """Measure what the product of a row and a column is."""
    case = _draw(rng, 3, 8)
    by_product = _cost_by_product(case)
    cost = logistic.compute_cost(case.x, case.y, case.w, case.b)
    shape = "x".join(map(str, by_product.shape))
    return Evidence(
        f"the cost is an array of {by_product.ndim} axes, {shape}; it is documented as a "
        "float",
        shown=float(by_product.ndim),
        hidden=distance(by_product.item(), cost),
    )


def measure_log_of_zero(rng: np.random.Generator) -> Evidence:
    """Measure how often the cost is no number where examples are saturated."""

    def failing(size: float) -> float:
        costs = []
        for _ in range(50):
            case = _draw(rng, 3, 20)
            far = Regression(size * case.x, case.y, case.w, case.b, case.shape)
            costs.append(_cost_by_product(far).item())
        return float(np.mean(~np.isfinite(costs)))

    share = failing(100.0)
    return Evidence(
        f"with features about 100 the cost is not finite in {share:.0%} of 50 cases; "
        "computed from z it always is",
        shown=share,
        hidden=failing(1.0),
    )


def measure_overflow(rng: np.random.Generator) -> Evidence:
    """Measure how often the exponential of -z overflows."""

    def sigmoid_as_printed(size: float) -> float:
        def evaluate(_: int) -> None:
            with np.errstate(over="raise"):
                1 / (1 + np.exp(size * np.abs(rng.normal(size=50)) + size))

        return share_raising(FloatingPointError, evaluate)

    share = sigmoid_as_printed(800.0)
    return Evidence(
        f"for z below -800 the exponential overflows in {share:.0%} of the calls, which "
        "is a warning; the value that comes out is right",
        shown=share,
        hidden=sigmoid_as_printed(10.0),
    )


def _recorded_costs(case: Regression, num_iters: int, alpha: float) -> list[float]:
    """Return the cost before every step of a descent."""
    *_, costs = logistic.descend(
        case.x, case.y, case.w, case.b, learning_rate=alpha, num_iters=num_iters
    )
    return costs[:-1]


def measure_printed_cost(rng: np.random.Generator) -> Evidence:
    """Measure the cost that is printed for an iteration against its own."""
    costs = _recorded_costs(_draw(rng, 3, 40), 3 * EVERY + 1, alpha=0.05)
    recorded: list[float] = []
    errors = []
    for i in range(0, len(costs), EVERY):
        recorded.append(costs[i])
        printed = recorded[int(i / EVERY) - 1]
        errors.append(distance(printed, costs[i]))
    return Evidence(
        f"for iterations {EVERY}, {2 * EVERY}, {3 * EVERY} the printed cost is off by "
        f"{errors[1]:.0%}, {errors[2]:.0%}, {errors[3]:.0%}: it is the one of {EVERY} "
        "iterations before",
        shown=max(errors),
        hidden=errors[0],
    )


def measure_last_gradient(rng: np.random.Generator) -> Evidence:
    """Measure the returned gradient against the one at the returned parameters."""

    def error(alpha: float) -> float:
        case = _draw(rng, 3, 40)
        _, dw, db = logistic.cost_function(case.x, case.y, case.w, case.b)
        w, b = case.w - alpha * dw, case.b - alpha * db
        return distance(dw, logistic.cost_function(case.x, case.y, w, b)[1])

    off = error(1.0)
    return Evidence(
        f"after a step with learning rate 1 it is off by {off:.0%} in relative norm",
        shown=off,
        hidden=error(0.0),
    )


def _loop(num_iters: int) -> Any:
    """Return what a loop leaves behind, with names that only its body sets."""
    for i in range(num_iters):
        gradient = float(i)
    return gradient


def measure_no_iterations(rng: np.random.Generator) -> Evidence:
    """Measure a call with no iteration."""
    none = share_raising(UnboundLocalError, lambda k: _loop(0))
    some = share_raising(UnboundLocalError, lambda k: _loop(k + 1))
    return Evidence(
        f"{none:.0%} of the calls with num_iters = 0 stop at a name that is not set",
        shown=none,
        hidden=some,
    )


def measure_colon(rng: np.random.Generator) -> Evidence:
    """Measure whether a definition without its colon can be read."""

    def read(end: str) -> float:
        text = f"def model(x, y){end}\n    return x\n"
        return share_raising(
            SyntaxError, lambda k: compile(text, "listing", "exec"), n_trials=1
        )

    return Evidence(
        f"without the colon {read(''):.0%} of the attempts to read the file fail, with it "
        f"{read(':'):.0%}",
        shown=read("") - read(":"),
    )


ERRATA = (
    Erratum(
        id="sigmoid-overflow",
        section="1.1.1",
        kind="listing",
        printed=r"$\sigma(z) = 1/(1 + e^{-z})$ is evaluated as it stands for every z",
        right="An exponential is taken of numbers up to 0 only, on either side of 0",
        why=r"$e^{-z}$ overflows below $z = -709$ in double precision.",
        invisible="in the value, which is 0 in the end; in all z above -709",
        measure=measure_overflow,
    ),
    Erratum(
        id="cost-of-saturated",
        section="1.1.1",
        kind="listing",
        printed="The cost is formed from the logarithms of a and of 1 - a",
        right=r"It is formed from z, as $\max(\mp z, 0) + \log(1 + e^{-|z|})$",
        why="Where a rounds to 0 or 1 a logarithm is infinite, and 0 times it no number.",
        invisible="while no example is saturated",
        measure=measure_log_of_zero,
        claim="log-likelihood",
    ),
    Erratum(
        id="cost-shape",
        section="1.1.1",
        kind="listing",
        printed="J is returned as the product of a row and a column",
        right="J is one number, as documented",
        why="Such a product has two axes; a list of costs holds matrices.",
        invisible="in arithmetic, which takes a matrix of one entry for a number",
        measure=measure_cost,
    ),
    Erratum(
        id="feature-divisor",
        section="1.1.1",
        kind="listing",
        printed=(
            r"dw and db are divided by m, the number of features: "
            r"$\frac{1}{m} x (a - y)^T$"
        ),
        right=r"$\frac{1}{n} x (a - y)^T$, n being the number of examples",
        why=(
            "The cost is a mean over examples. Descent still goes downhill, with another "
            "learning rate, so that only a comparison of gradients notices."
        ),
        invisible="with as many features as examples",
        measure=measure_divisor,
        claim="logistic-gradient",
    ),
    Erratum(
        id="printed-cost",
        section="1.1.1",
        kind="listing",
        printed=(
            "For iteration i the recorded cost number i/100 - 1 is printed, counted from 0"
        ),
        right="Number i/100, the last one that was recorded",
        why="The index is one too low; for i = 0 it is -1, which means the last entry.",
        invisible="for i = 0, where there is one entry, and once the cost has settled",
        measure=measure_printed_cost,
    ),
    Erratum(
        id="optimised-gradient",
        section="1.1.1",
        kind="listing",
        printed="dw and db are returned as the gradient at the optimised parameters",
        right="They are the gradient before the last step; it is to be computed once more",
        why="The parameters move after the gradient was taken.",
        invisible="with a learning rate of 0, and at a minimum",
        measure=measure_last_gradient,
    ),
    Erratum(
        id="no-iterations",
        section="1.1.1",
        kind="listing",
        printed="What is returned is set in the body of the loop alone",
        right="The cost and gradient of the start are there before the loop",
        why="With num_iters = 0 the body never runs. Section 3.1.1 has the same mistake.",
        invisible="for one iteration or more",
        measure=measure_no_iterations,
    ),
    Erratum(
        id="missing-colon",
        section="1.1.1",
        kind="listing",
        printed="The line that defines the model ends without a colon",
        right="It ends with one",
        why="Python does not read the file.",
        invisible="never: the listing stops before it starts",
        measure=measure_colon,
    ),
)
