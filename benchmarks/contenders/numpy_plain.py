"""Handwritten NumPy, straightforward: the formulas, a new array for every result."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from benchmarks.contenders import derivatives
from benchmarks.contract import Contender, Step, nothing_updated
from benchmarks.problem import (
    ADAM_BETA1,
    ADAM_BETA2,
    ADAM_EPSILON,
    CHAIN_PERIOD,
    CHAIN_SCALE,
    CHAIN_SHIFT,
    Array,
    Arrays,
    BinaryNet,
    Chain,
    ClassNet,
    LogLoss,
    Problem,
    WeightedSoftmax,
    layer_names,
)

Sweep: TypeAlias = Callable[[], tuple[float, list[Array]]]
Update: TypeAlias = Callable[[list[Array]], None]


def make_step(problem: Problem) -> Step:
    """Return the straightforward step for `problem`."""
    match problem:
        case BinaryNet():
            return _binary_net(problem)
        case ClassNet():
            return _class_net(problem)
        case Chain():
            return _chain(problem)
        case WeightedSoftmax():
            return _softmax(problem)
        case LogLoss():
            return _log_loss(problem)
        case _:
            return derivatives.make_step("numpy", problem)


def _binary_net(problem: BinaryNet) -> Step:
    x, y, depth = problem.x, problem.y, problem.depth
    n = x.shape[1]
    params = [problem.params[name].copy() for name in layer_names(depth)]
    weights, biases = params[0::2], params[1::2]

    def sweep() -> tuple[float, list[Array]]:
        acts = [x]
        for W, b in zip(weights[:-1], biases[:-1], strict=True):
            acts.append(np.tanh(W @ acts[-1] + b))
        z = weights[-1] @ acts[-1] + biases[-1]
        a = 1 / (1 + np.exp(-z))
        loss = -np.sum(y * np.log(a) + (1 - y) * np.log(1 - a)) / n
        grads: list[Array] = []
        delta = (a - y) / n
        for layer in range(depth - 1, -1, -1):
            below = acts[layer]
            grads = [delta @ below.T, np.sum(delta, axis=1, keepdims=True), *grads]
            if layer > 0:
                delta = (weights[layer].T @ delta) * (1 - below**2)
        return loss, grads

    return _training_step(depth, params, sweep, _make_sgd(params, problem.lr))


def _class_net(problem: ClassNet) -> Step:
    x, y, depth = problem.x, problem.y, problem.depth
    n = x.shape[0]
    is_tanh = problem.hidden == "tanh"
    params = [problem.params[name].copy() for name in layer_names(depth)]
    weights, biases = params[0::2], params[1::2]

    def sweep() -> tuple[float, list[Array]]:
        acts = [x]
        for W, b in zip(weights[:-1], biases[:-1], strict=True):
            z = acts[-1] @ W.T + b
            acts.append(np.tanh(z) if is_tanh else np.maximum(z, 0))
        z = acts[-1] @ weights[-1].T + biases[-1]
        e = np.exp(z - np.max(z, axis=1, keepdims=True))
        a = e / np.sum(e, axis=1, keepdims=True)
        loss = -np.sum(y * np.log(a)) / n
        grads: list[Array] = []
        delta = (a - y) / n
        for layer in range(depth - 1, -1, -1):
            below = acts[layer]
            grads = [delta.T @ below, np.sum(delta, axis=0), *grads]
            if layer > 0:
                slope = 1 - below**2 if is_tanh else below > 0
                delta = (delta @ weights[layer]) * slope
        return loss, grads

    if problem.optimizer == "adam":
        update = _make_adam(params, problem.lr)
    else:
        update = _make_sgd(params, problem.lr)
    return _training_step(depth, params, sweep, update)


def _training_step(
    depth: int, params: list[Array], sweep: Sweep, update: Update
) -> Step:
    names = layer_names(depth)

    def run() -> float:
        loss, grads = sweep()
        update(grads)
        return loss

    def evaluate() -> tuple[float, Arrays]:
        loss, grads = sweep()
        return float(loss), dict(zip(names, grads, strict=True))

    def copies() -> Arrays:
        return {name: p.copy() for name, p in zip(names, params, strict=True)}

    return Step(run=run, evaluate=evaluate, params=copies)


def _make_sgd(params: list[Array], lr: float) -> Update:
    def update(grads: list[Array]) -> None:
        for i, grad in enumerate(grads):
            params[i] -= lr * grad

    return update


def _make_adam(params: list[Array], lr: float) -> Update:
    first = [np.zeros_like(p) for p in params]
    second = [np.zeros_like(p) for p in params]
    t = 0

    def update(grads: list[Array]) -> None:
        nonlocal t
        t += 1
        for i, g in enumerate(grads):
            first[i] = ADAM_BETA1 * first[i] + (1 - ADAM_BETA1) * g
            second[i] = ADAM_BETA2 * second[i] + (1 - ADAM_BETA2) * g**2
            m = first[i] / (1 - ADAM_BETA1**t)
            v = second[i] / (1 - ADAM_BETA2**t)
            params[i] -= lr * m / (np.sqrt(v) + ADAM_EPSILON)

    return update


def _chain(problem: Chain) -> Step:
    x, n_rounds = problem.x, problem.n_ops // CHAIN_PERIOD

    def run() -> tuple[float, Array]:
        tanhs: list[Array] = []
        out = x
        for _ in range(n_rounds):
            t = np.tanh(out)
            out = np.sin(t) * CHAIN_SCALE + CHAIN_SHIFT
            tanhs.append(t)
        g = np.ones_like(out)
        for t in reversed(tanhs):
            g = g * CHAIN_SCALE * np.cos(t) * (1 - t**2)
        return np.sum(out), g

    return _function_step("x", run)


def _softmax(problem: WeightedSoftmax) -> Step:
    z, weights = problem.z, problem.weights

    def run() -> tuple[float, Array]:
        e = np.exp(z - np.max(z, axis=-1, keepdims=True))
        a = e / np.sum(e, axis=-1, keepdims=True)
        weighted = weights * a
        grad = a * (weights - np.sum(weighted, axis=-1, keepdims=True))
        return np.sum(weighted), grad

    return _function_step("z", run)


def _log_loss(problem: LogLoss) -> Step:
    z, y = problem.z, problem.y
    n = z.size

    def run() -> tuple[float, Array]:
        a = 1 / (1 + np.exp(-z))
        loss = -np.sum(y * np.log(a) + (1 - y) * np.log(1 - a)) / n
        return loss, (a - y) / n

    return _function_step("z", run)


def _function_step(name: str, run: Callable[[], tuple[float, Array]]) -> Step:
    def evaluate() -> tuple[float, Arrays]:
        value, grad = run()
        return float(value), {name: grad.copy()}

    return Step(run=run, evaluate=evaluate, params=nothing_updated)


CONTENDER = Contender(name="numpy", package="numpy", make_step=make_step)
