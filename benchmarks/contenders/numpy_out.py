"""Handwritten NumPy that allocates once and writes every result with ``out=``."""

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

Sweep: TypeAlias = Callable[[], float]
Update: TypeAlias = Callable[[], None]


def make_step(problem: Problem) -> Step:
    """Return the step for `problem` that reuses its buffers."""
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
            return derivatives.make_step("numpy out=", problem)


def _sigmoid_into(z: Array, a: Array) -> None:
    np.negative(z, out=a)
    np.exp(a, out=a)
    np.add(a, 1, out=a)
    np.divide(1, a, out=a)


def _log_loss_of(a: Array, y: Array, rest: Array, scratch: Array) -> float:
    """Return the summed log-loss; `rest` is ``1 - y``, `scratch` is overwritten."""
    np.log(a, out=scratch)
    hit = np.vdot(y, scratch)
    np.subtract(1, a, out=scratch)
    np.log(scratch, out=scratch)
    return -float(hit + np.vdot(rest, scratch))


def _binary_net(problem: BinaryNet) -> Step:
    x, y, depth = problem.x, problem.y, problem.depth
    n = x.shape[1]
    rest = 1 - y
    params = [problem.params[name].copy() for name in layer_names(depth)]
    grads = [np.empty_like(p) for p in params]
    weights, biases = params[0::2], params[1::2]
    acts = [x, *(np.empty((W.shape[0], n), x.dtype) for W in weights)]
    deltas = [np.empty_like(a) for a in acts]

    def sweep() -> float:
        for layer, (W, b) in enumerate(zip(weights, biases, strict=True), 1):
            a = acts[layer]
            np.matmul(W, acts[layer - 1], out=a)
            np.add(a, b, out=a)
            if layer < depth:
                np.tanh(a, out=a)
        a = acts[depth]
        _sigmoid_into(a, a)
        delta = deltas[depth]
        loss = float(_log_loss_of(a, y, rest, delta) / n)
        np.subtract(a, y, out=delta)
        np.divide(delta, n, out=delta)
        for layer in range(depth - 1, -1, -1):
            below = acts[layer]
            np.matmul(delta, below.T, out=grads[2 * layer])
            np.add.reduce(delta, axis=1, keepdims=True, out=grads[2 * layer + 1])
            if layer > 0:
                np.matmul(weights[layer].T, delta, out=deltas[layer])
                delta = deltas[layer]
                np.square(below, out=below)
                np.subtract(1, below, out=below)
                np.multiply(delta, below, out=delta)
        return loss

    return _training_step(params, grads, sweep, _make_sgd(params, grads, problem.lr))


def _class_net(problem: ClassNet) -> Step:
    depth, n = problem.depth, problem.x.shape[0]
    params = [problem.params[name].copy() for name in layer_names(depth)]
    grads = [np.empty_like(p) for p in params]
    weights, biases = params[0::2], params[1::2]
    dtype = problem.x.dtype
    acts = [problem.x, *(np.empty((n, W.shape[0]), dtype) for W in weights)]
    deltas = [np.empty_like(a) for a in acts]
    masks = [np.empty(a.shape, np.bool_) for a in acts]
    per_row = np.empty((n, 1), dtype)
    nonlinearity = np.tanh if problem.hidden == "tanh" else _relu_into
    times_slope = _times_tanh_slope if problem.hidden == "tanh" else _times_relu_slope

    def sweep() -> float:
        for layer, (W, b) in enumerate(zip(weights, biases, strict=True), 1):
            a = acts[layer]
            np.matmul(acts[layer - 1], W.T, out=a)
            np.add(a, b, out=a)
            if layer < depth:
                nonlinearity(a, out=a)
        a, delta = acts[depth], deltas[depth]
        _softmax_into(a, a, per_row)
        np.log(a, out=delta)
        loss = -float(np.vdot(problem.y, delta) / n)
        np.subtract(a, problem.y, out=delta)
        np.divide(delta, n, out=delta)
        for layer in range(depth - 1, -1, -1):
            below = acts[layer]
            np.matmul(delta.T, below, out=grads[2 * layer])
            np.add.reduce(delta, axis=0, out=grads[2 * layer + 1])
            if layer > 0:
                np.matmul(delta, weights[layer], out=deltas[layer])
                delta = deltas[layer]
                times_slope(delta, below, masks[layer])
        return loss

    if problem.optimizer == "adam":
        update = _make_adam(params, grads, problem.lr)
    else:
        update = _make_sgd(params, grads, problem.lr)
    return _training_step(params, grads, sweep, update)


def _relu_into(z: Array, *, out: Array) -> None:
    np.maximum(z, 0, out=out)


def _times_tanh_slope(delta: Array, a: Array, mask: Array) -> None:
    """Multiply `delta` by 1 - a²; `a` is overwritten, `mask` unused."""
    np.square(a, out=a)
    np.subtract(1, a, out=a)
    np.multiply(delta, a, out=delta)


def _times_relu_slope(delta: Array, a: Array, mask: Array) -> None:
    """Multiply `delta` by a > 0, which is written to `mask`."""
    np.greater(a, 0, out=mask)
    np.multiply(delta, mask, out=delta)


def _softmax_into(z: Array, a: Array, per_row: Array) -> None:
    np.maximum.reduce(z, axis=-1, keepdims=True, out=per_row)
    np.subtract(z, per_row, out=a)
    np.exp(a, out=a)
    np.add.reduce(a, axis=-1, keepdims=True, out=per_row)
    np.divide(a, per_row, out=a)


def _training_step(
    params: list[Array], grads: list[Array], sweep: Sweep, update: Update
) -> Step:
    names = layer_names(len(params) // 2)

    def run() -> float:
        loss = sweep()
        update()
        return loss

    def evaluate() -> tuple[float, Arrays]:
        loss = sweep()
        return loss, {name: g.copy() for name, g in zip(names, grads, strict=True)}

    def copies() -> Arrays:
        return {name: p.copy() for name, p in zip(names, params, strict=True)}

    return Step(run=run, evaluate=evaluate, params=copies)


def _make_sgd(params: list[Array], grads: list[Array], lr: float) -> Update:
    def update() -> None:
        for param, grad in zip(params, grads, strict=True):
            np.multiply(grad, lr, out=grad)
            np.subtract(param, grad, out=param)

    return update


def _make_adam(params: list[Array], grads: list[Array], lr: float) -> Update:
    """Return Adam with the bias corrections moved from the arrays to scalars."""
    moments = [(np.zeros_like(p), np.zeros_like(p), np.empty_like(p)) for p in params]
    t = 0

    def update() -> None:
        nonlocal t
        t += 1
        root_scale = (1 - ADAM_BETA2**t) ** 0.5
        step_size = lr * root_scale / (1 - ADAM_BETA1**t)
        for param, g, (m, v, scratch) in zip(params, grads, moments, strict=True):
            np.multiply(m, ADAM_BETA1, out=m)
            np.multiply(g, 1 - ADAM_BETA1, out=scratch)
            np.add(m, scratch, out=m)
            np.multiply(v, ADAM_BETA2, out=v)
            np.square(g, out=g)
            np.multiply(g, 1 - ADAM_BETA2, out=g)
            np.add(v, g, out=v)
            np.sqrt(v, out=scratch)
            np.add(scratch, ADAM_EPSILON * root_scale, out=scratch)
            np.divide(m, scratch, out=scratch)
            np.multiply(scratch, step_size, out=scratch)
            np.subtract(param, scratch, out=param)

    return update


def _chain(problem: Chain) -> Step:
    x, n_rounds = problem.x, problem.n_ops // CHAIN_PERIOD
    tanhs = [np.empty_like(x) for _ in range(n_rounds)]
    out, g, scratch = np.empty_like(x), np.empty_like(x), np.empty_like(x)

    def run() -> tuple[float, Array]:
        np.copyto(out, x)
        for t in tanhs:
            np.tanh(out, out=t)
            np.sin(t, out=out)
            np.multiply(out, CHAIN_SCALE, out=out)
            np.add(out, CHAIN_SHIFT, out=out)
        g.fill(1)
        for t in reversed(tanhs):
            np.multiply(g, CHAIN_SCALE, out=g)
            np.cos(t, out=scratch)
            np.multiply(g, scratch, out=g)
            np.square(t, out=t)
            np.subtract(1, t, out=t)
            np.multiply(g, t, out=g)
        return np.add.reduce(out), g

    return _function_step("x", run)


def _softmax(problem: WeightedSoftmax) -> Step:
    z, weights = problem.z, problem.weights
    a, grad = np.empty_like(z), np.empty_like(z)
    per_row = np.empty((*z.shape[:-1], 1), z.dtype)

    def run() -> tuple[float, Array]:
        _softmax_into(z, a, per_row)
        np.multiply(weights, a, out=grad)
        np.add.reduce(grad, axis=-1, keepdims=True, out=per_row)
        value = float(np.add.reduce(per_row, axis=None))
        np.subtract(weights, per_row, out=grad)
        np.multiply(grad, a, out=grad)
        return value, grad

    return _function_step("z", run)


def _log_loss(problem: LogLoss) -> Step:
    z, y = problem.z, problem.y
    n, rest = z.size, 1 - y
    a, grad = np.empty_like(z), np.empty_like(z)

    def run() -> tuple[float, Array]:
        _sigmoid_into(z, a)
        loss = _log_loss_of(a, y, rest, grad) / n
        np.subtract(a, y, out=grad)
        np.divide(grad, n, out=grad)
        return loss, grad

    return _function_step("z", run)


def _function_step(name: str, run: Callable[[], tuple[float, Array]]) -> Step:
    def evaluate() -> tuple[float, Arrays]:
        value, grad = run()
        return float(value), {name: grad.copy()}

    return Step(run=run, evaluate=evaluate, params=nothing_updated)


CONTENDER = Contender(name="numpy out=", package="numpy", make_step=make_step)
