"""Logistic regression (notes, section 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tensorgrad._typing import Array
from tensorgrad.autodiff.gradients import gradients
from tensorgrad.autodiff.transforms import grad
from tensorgrad.core.tensor import tensor
from tensorgrad.derivations import logistic
from tensorgrad.derivations.activations import sigmoid
from tensorgrad.derivations.losses import mean_loss, output_delta
from tensorgrad.ops import TABLE
from tensorgrad.ops.losses import log_loss, mse
from tensorgrad.verify.cases import matrices, seeds
from tensorgrad.verify.numerical import (
    complex_derivative,
    complex_gradient,
    complex_jacobian,
)
from tensorgrad.verify.records import Claim, Erratum, Evidence, Opinions, distance

__all__ = ["CLAIMS", "ERRATA"]


@dataclass(frozen=True, slots=True)
class Regression:
    """Examples in columns, labels, and parameters."""

    x: Array = field(repr=False)
    y: Array = field(repr=False)
    w: Array = field(repr=False)
    b: float
    shape: tuple[int, int]


def draw_regression(m: int, n: int, seed: int) -> Regression:
    """Draw m features of n examples, with |z| about 2."""
    rng = np.random.default_rng(seed)
    return Regression(
        x=rng.normal(size=(m, n)),
        y=rng.integers(0, 2, (1, n)).astype(np.float64),
        w=2.0 * rng.normal(size=(m, 1)) / np.sqrt(m),
        b=float(rng.normal()),
        shape=(m, n),
    )


regressions = st.builds(draw_regression, st.integers(1, 6), st.integers(1, 8), seeds)


def compare_gradient(case: Regression) -> Iterator[Opinions]:
    """Compare ∂J/∂w and ∂J/∂b."""
    x, y, w, b = case.x, case.y, case.w, case.b
    _, dw, db = logistic.cost_function(x, y, w, b)
    yield from _against_others(case, dw, db)


def _against_others(case: Regression, dw: Any, db: Any) -> Iterator[Opinions]:
    x, y = case.x, case.y
    w, b = tensor(case.w, requires_grad=True), tensor(case.b, requires_grad=True)
    cost = log_loss(TABLE["sigmoid"](w.T @ x + b), y, example_axis=1)
    by_graph = gradients(cost, [w, b])
    by_step_w = complex_gradient(lambda w: _mean_log_loss(x, y, w, case.b), case.w)
    by_step_b = complex_gradient(lambda b: _mean_log_loss(x, y, case.w, b), case.b)
    yield Opinions("dw", dw, by_graph[0], by_step_w)
    yield Opinions("db", db, by_graph[1], by_step_b)


def _mean_log_loss(x: Array, y: Array, w: Any, b: Any) -> Any:
    return mean_loss("log_loss", "sigmoid", w.T @ x + b, y)


def compare_sum(case: Regression) -> Iterator[Opinions]:
    """Compare the sum over the examples one by one with the product."""
    x, y, w, b = case.x, case.y, case.w, case.b
    m, n = x.shape
    total_w, total_b = np.zeros((m, 1)), 0.0
    for j in range(n):
        a, _ = sigmoid(w.T @ x[:, j : j + 1] + b)
        slope = (a - y[:, j : j + 1]).item()
        total_w = total_w + slope * x[:, j : j + 1]
        total_b = total_b + slope
    yield from _against_others(case, total_w / n, total_b / n)


def compare_total(case: Regression) -> Iterator[Opinions]:
    """Compare the gradient of the sum of the losses, as the word has it."""
    n = case.x.shape[1]
    _, dw, db = logistic.cost_function(case.x, case.y, case.w, case.b)
    yield from _against_others(case, n * dw, n * db)


def compare_likelihood(case: Regression) -> Iterator[Opinions]:
    """Compare the log-loss with the logarithm of the likelihood of all labels."""
    x, y, w, b = case.x, case.y, case.w, case.b
    a, _ = sigmoid(w.T @ x + b)
    likelihood = np.prod(np.where(y == 1, a, 1 - a))
    by_graph = log_loss(TABLE["sigmoid"](tensor(w).T @ x + b), y, example_axis=1)
    yield Opinions(
        "J",
        logistic.compute_cost(x, y, w, b),
        by_graph.numpy(),
        -np.log(likelihood) / x.shape[1],
        # A likelihood near 1 has no more digits than 1, and its logarithm has fewer.
        bound=1e-9,
    )


def compare_delta(z: Array) -> Iterator[Opinions]:
    """Compare dL/dz for both labels."""
    for y in (np.zeros_like(z), np.ones_like(z)):
        t = tensor(z, requires_grad=True)
        by_graph = gradients(log_loss(TABLE["sigmoid"](t), y, example_axis=1), t)
        per_column = z.shape[1]
        yield Opinions(
            "dL/dz",
            output_delta("log_loss", "sigmoid", z, y),
            per_column * by_graph,
            complex_derivative(partial(_loss_of_logits, y), z),
        )


def _loss_of_logits(y: Array, z: Any) -> Any:
    """Return the loss of each entry by the formula that is printed, which is analytic."""
    a = 1.0 / (1.0 + np.exp(-z))
    return -(y * np.log(a) + (1.0 - y) * np.log(1.0 - a))


def compare_convexity(case: Regression) -> Iterator[Opinions]:
    """Compare the Hessian of J by w, and look for a negative curvature."""
    x, y, w, b = case.x, case.y, case.w, case.b
    m, n = x.shape
    _, slope = sigmoid(w.T @ x + b)
    by_hand = (x * slope) @ x.T / n

    def cost(w: Any) -> Any:
        return log_loss(TABLE["sigmoid"](w.T @ x + b), y, example_axis=1)

    # The derivative of one entry of the gradient is one row.
    by_graph = [grad(partial(_entry, grad(cost), i))(w)[:, 0] for i in range(m)]
    slope_of_cost = partial(_derivative, x, y, b)
    by_step = complex_jacobian(slope_of_cost, w)[:, 0, :, 0]
    yield Opinions("Hessian", by_hand, np.stack(by_graph), by_step)
    least = float(np.linalg.eigvalsh(by_hand)[0])
    # 0 in both columns unless an eigenvalue is negative beyond rounding.
    negative = min(least / max(float(np.trace(by_hand)), 1e-300), 0.0)
    yield Opinions("negative curvature", float(negative < -1e-12), numerical=0.0)


def _entry(f: Callable[[Any], Any], i: int, w: Any) -> Any:
    return f(w)[i, 0]


def _derivative(x: Array, y: Array, b: float, w: Any) -> Any:
    return x @ (sigmoid(w.T @ x + b)[0] - y).T / x.shape[1]


def compare_squares(case: Regression) -> Iterator[Opinions]:
    """Compare the curvature of the squared error, and look for both signs."""
    z = np.linspace(-4.0, 4.0, 17)
    y = float(case.y[0, 0])
    a, slope = sigmoid(z)
    by_hand = 2 * slope * (slope + (a - y) * (1 - 2 * a))

    def curvature(z: float) -> Any:
        def cost(z: Any) -> Any:
            return mse(TABLE["sigmoid"](z).reshape(1, 1), np.array([[y]]))

        return grad(grad(cost))(np.asarray(z))

    by_graph = np.array([float(curvature(value)) for value in z])
    by_step = complex_derivative(lambda z: _slope_of_square(z, y), z)
    yield Opinions("curvature", by_hand, by_graph, by_step)
    yield Opinions("signs", float(by_hand.min() < 0 < by_hand.max()), numerical=1.0)


def _slope_of_square(z: Any, y: float) -> Any:
    a = 1.0 / (1.0 + np.exp(-z))
    return 2 * (a - y) * a * (1 - a)


CLAIMS = (
    Claim(
        id="log-likelihood",
        section="1",
        title="log-loss is -log P(y|x), averaged",
        statement=r"$J = -\frac{1}{n} \log \prod_j a_j^{y_j} (1 - a_j)^{1 - y_j}$",
        cases=regressions,
        compare=compare_likelihood,
    ),
    Claim(
        id="mse-not-convex",
        section="1",
        title="squared error of a sigmoid is not convex",
        statement=(
            r"$\frac{d^2}{dz^2} (\sigma(z) - y)^2 = 2 \sigma' (\sigma' + "
            r"(a - y)(1 - 2 a))$, which takes both signs"
        ),
        cases=regressions,
        compare=compare_squares,
    ),
    Claim(
        id="log-loss-convex",
        section="1",
        title="log-loss cost is convex",
        statement=(
            r"$\partial_w^2 J = \frac{1}{n} x \, \mathrm{diag}(a (1 - a)) \, x^T$, which "
            "is positive semidefinite"
        ),
        cases=regressions,
        compare=compare_convexity,
    ),
    Claim(
        id="log-loss-delta",
        section="1.1",
        title="d log-loss / dz = a - y",
        statement=(
            r"$d \mathcal{L} = (-\frac{y}{a} + \frac{1-y}{1-a}) \cdot a (1 - a) = a - y$"
        ),
        cases=matrices(),
        compare=compare_delta,
    ),
    Claim(
        id="logistic-gradient",
        section="1.1",
        title="gradient of logistic regression",
        statement=(
            r"$\partial_w J = \frac{1}{n} x (a - y)^T$ and "
            r"$\partial_b J = \frac{1}{n} \sum_j (a_j - y_j)$"
        ),
        cases=regressions,
        compare=compare_gradient,
    ),
    Claim(
        id="mean-not-sum",
        section="1.1",
        title="the cost is the mean of the losses",
        statement=(
            r"$\partial_w J = \frac{1}{n} \sum_j (a_j - y_j) x_j$, since J is the mean "
            "of the losses"
        ),
        cases=regressions,
        compare=compare_sum,
        as_printed=compare_total,
        hides=lambda case: case.shape[1] == 1,
    ),
)


def measure_sum(rng: np.random.Generator) -> Evidence:
    """Measure the gradient of the sum against that of the mean."""
    many = draw_regression(3, 8, int(rng.integers(2**32)))
    one = draw_regression(3, 1, int(rng.integers(2**32)))
    sums = [_gradient_of_sum(case) for case in (many, one)]
    means = [
        logistic.cost_function(case.x, case.y, case.w, case.b)[1]
        for case in (many, one)
    ]
    factor = float(np.linalg.norm(sums[0]) / np.linalg.norm(means[0]))
    return Evidence(
        f"with n = 8 the gradient of the sum is {factor:.1f} times that of the mean",
        shown=distance(sums[0], means[0]),
        hidden=distance(sums[1], means[1]),
    )


def _gradient_of_sum(case: Regression) -> Array:
    """Return Σ (a - y) x."""
    a, _ = sigmoid(case.w.T @ case.x + case.b)
    total: Array = ((a - case.y) * case.x).sum(axis=1, keepdims=True)
    return total


ERRATA = (
    Erratum(
        id="sum-log-loss",
        section="1.1",
        kind="statement",
        printed="J is called the sum of the log-losses",
        right=r"J is their mean, as defined: $J = \frac{1}{n} \sum_j L(a_j, y_j)$",
        why="The gradient of a sum has no factor 1/n; the formulas below the word have it.",
        invisible="for a single example",
        measure=measure_sum,
        claim="mean-not-sum",
    ),
)
