"""Numba: the handwritten derivatives as compiled loops, products by BLAS.

It does not differentiate; what is compared is what a compiler makes of a backprop by hand.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from benchmarks.contract import Contender, NotOfferedError, Step, nothing_updated
from benchmarks.problem import (
    ADAM_BETA1,
    ADAM_BETA2,
    ADAM_EPSILON,
    CHAIN_PERIOD,
    CHAIN_SCALE,
    CHAIN_SHIFT,
    Array,
    Arrays,
    Chain,
    ClassNet,
    LogLoss,
    Problem,
    WeightedSoftmax,
    layer_names,
)


def prepare(threads: int) -> None:
    """Set the number of threads."""
    importlib.import_module("numba").set_num_threads(threads)


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function compiled as Numba's users do: fast sums, NumPy's zero rules."""
    njit = importlib.import_module("numba").njit
    found: Callable[..., Any] = njit(
        function, error_model="numpy", fastmath={"reassoc"}
    )
    return found


def make_step(problem: Problem) -> Step:
    """Return the step for `problem`; the first call compiles.

    Raises
    ------
    NotOfferedError
        For the rest: it would be handwritten NumPy again.
    """
    match problem:
        case ClassNet():
            return _class_net(problem)
        case Chain():
            return _function_step(
                "x", _chain_by_hand, problem.x, problem.n_ops // CHAIN_PERIOD
            )
        case WeightedSoftmax():
            return _function_step("z", _softmax_by_hand, problem.z, problem.weights)
        case LogLoss():
            return _function_step("z", _log_loss_by_hand, problem.z, problem.y)
        case _:
            raise NotOfferedError


def _chain_by_hand(x: Array, n_rounds: int) -> tuple[float, Array]:
    total, slope = 0.0, np.empty_like(x)
    tanhs = np.empty(n_rounds)
    for i in range(x.size):
        value, g = x[i], 1.0
        for k in range(n_rounds):
            tanhs[k] = math.tanh(value)
            value = math.sin(tanhs[k]) * CHAIN_SCALE + CHAIN_SHIFT
        for k in range(n_rounds - 1, -1, -1):
            g *= CHAIN_SCALE * math.cos(tanhs[k]) * (1 - tanhs[k] * tanhs[k])
        total += value
        slope[i] = g
    return total, slope


def _softmax_by_hand(z: Array, weights: Array) -> tuple[float, Array]:
    found = np.empty_like(z)
    n_rows, n_columns = z.shape
    total = 0.0
    for i in range(n_rows):
        top = z[i, 0]
        for j in range(1, n_columns):
            top = max(top, z[i, j])
        size = z.dtype.type(0)
        for j in range(n_columns):
            found[i, j] = math.exp(z[i, j] - top)
            size += found[i, j]
        mean = z.dtype.type(0)
        for j in range(n_columns):
            found[i, j] /= size
            mean += weights[i, j] * found[i, j]
        for j in range(n_columns):
            found[i, j] *= weights[i, j] - mean
        total += mean
    return total, found


def _log_loss_by_hand(z: Array, y: Array) -> tuple[float, Array]:
    slope = np.empty_like(z)
    total = 0.0
    for i in range(z.size):
        e = math.exp(-abs(z[i]))
        total += max(z[i], 0.0) - y[i] * z[i] + math.log1p(e)
        a = 1 / (1 + e) if z[i] >= 0 else e / (1 + e)
        slope[i] = (a - y[i]) / z.size
    return total / z.size, slope


def _function_step(
    name: str, function: Callable[..., Any], x: Array, *rest: Any
) -> Step:
    compiled = _compiled(function)

    def evaluate() -> tuple[float, Arrays]:
        out, slope = compiled(x, *rest)
        return float(out), {name: slope}

    return Step(
        run=lambda: compiled(x, *rest), evaluate=evaluate, params=nothing_updated
    )


# ---------------------------------------------------------------------------- networks


def _activate(z: Array, b: Array, is_tanh: bool) -> None:  # noqa: FBT001  # one of two
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            value = z[i, j] + b[j]
            z[i, j] = np.tanh(value) if is_tanh else max(value, z.dtype.type(0))


def _head(z: Array, b: Array, y: Array) -> float:
    """Replace the sums of the last layer by their δ, and return the loss."""
    n, total = z.shape[0], 0.0
    for i in range(n):
        top = z[i, 0] + b[0]
        for j in range(z.shape[1]):
            z[i, j] += b[j]
            top = max(top, z[i, j])
        size = z.dtype.type(0)
        for j in range(z.shape[1]):
            total -= y[i, j] * (z[i, j] - top)
            z[i, j] = np.exp(z[i, j] - top)
            size += z[i, j]
        total += math.log(size)
        for j in range(z.shape[1]):
            z[i, j] = (z[i, j] / size - y[i, j]) / n
    return total / n


def _times_slope(delta: Array, a: Array, is_tanh: bool) -> None:  # noqa: FBT001
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            if is_tanh:
                delta[i, j] *= 1 - a[i, j] * a[i, j]
            elif a[i, j] <= 0:
                delta[i, j] = 0


def _descend(p: Array, g: Array, lr: float) -> None:
    flat, slope, rate = p.reshape(-1), g.reshape(-1), p.dtype.type(lr)
    for i in range(flat.size):
        flat[i] -= rate * slope[i]


def _adam_move(p: Array, g: Array, m: Array, v: Array, rate: float, eps: float) -> None:
    one = p.dtype.type
    flat, slope = p.reshape(-1), g.reshape(-1)
    first, second = m.reshape(-1), v.reshape(-1)
    for i in range(flat.size):
        first[i] = one(ADAM_BETA1) * first[i] + one(1 - ADAM_BETA1) * slope[i]
        second[i] = (
            one(ADAM_BETA2) * second[i] + one(1 - ADAM_BETA2) * slope[i] * slope[i]
        )
        flat[i] -= one(rate) * first[i] / (math.sqrt(second[i]) + one(eps))


def _make_sweep(
    problem: ClassNet, params: list[Array], grads: list[Array]
) -> Callable[[], float]:
    """Return the function that computes the loss, and fills the gradients."""
    x, y, depth = problem.x, problem.y, problem.depth
    is_tanh = problem.hidden == "tanh"
    weights, biases = params[0::2], params[1::2]
    activate, head = _compiled(_activate), _compiled(_head)
    times_slope = _compiled(_times_slope)
    acts = [x, *(np.empty((len(x), len(b)), x.dtype) for b in biases)]
    deltas = [np.empty_like(a) for a in acts]

    def sweep() -> float:
        for k, (W, b) in enumerate(zip(weights, biases, strict=True)):
            np.matmul(acts[k], W.T, out=acts[k + 1])
            if k + 1 < depth:
                activate(acts[k + 1], b, is_tanh)
        loss = float(head(acts[-1], biases[-1], y))
        delta = acts[-1]
        for k in range(depth - 1, -1, -1):
            np.matmul(delta.T, acts[k], out=grads[2 * k])
            np.add.reduce(delta, axis=0, out=grads[2 * k + 1])
            if k:
                np.matmul(delta, weights[k], out=deltas[k])
                delta = deltas[k]
                times_slope(delta, acts[k], is_tanh)
        return loss

    return sweep


def _class_net(problem: ClassNet) -> Step:
    names = layer_names(problem.depth)
    params = [problem.params[name].copy() for name in names]
    move, adam = _compiled(_descend), _compiled(_adam_move)
    moments = [(np.zeros_like(p), np.zeros_like(p)) for p in params]
    grads = [np.empty_like(p) for p in params]
    sweep = _make_sweep(problem, params, grads)
    t = 0

    def run() -> float:
        nonlocal t
        loss, t = sweep(), t + 1
        root = math.sqrt(1 - ADAM_BETA2**t)
        rate = problem.lr * root / (1 - ADAM_BETA1**t)
        for p, g, (m, v) in zip(params, grads, moments, strict=True):
            if problem.optimizer == "adam":
                adam(p, g, m, v, rate, ADAM_EPSILON * root)
            else:
                move(p, g, problem.lr)
        return loss

    def evaluate() -> tuple[float, Arrays]:
        loss = sweep()
        return loss, {name: g.copy() for name, g in zip(names, grads, strict=True)}

    def copies() -> Arrays:
        return {name: p.copy() for name, p in zip(names, params, strict=True)}

    return Step(run=run, evaluate=evaluate, params=copies)


CONTENDER = Contender(
    name="numba", package="numba", make_step=make_step, prepare=prepare
)
