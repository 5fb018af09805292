"""HIPS autograd: NumPy code with its import swapped."""

from __future__ import annotations

import importlib
from typing import Any

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
)


def _value_and_grad(f: Any) -> Any:
    return importlib.import_module("autograd").value_and_grad(f)


def _anp() -> Any:
    return importlib.import_module("autograd.numpy")


def _logsumexp(z: Any) -> Any:
    # Subtracting `anp.max` by hand would widen float32: its rule divides integers.
    special = importlib.import_module("autograd.scipy.special")
    return special.logsumexp(z, axis=-1, keepdims=True)


def make_step(problem: Problem) -> Step:
    """Return the step for `problem`; the update is plain NumPy."""
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
            return derivatives.make_step("autograd", problem)


def _mean_log_loss(anp: Any, z: Any, y: Array) -> Any:
    a = 1 / (1 + anp.exp(-z))
    return -anp.sum(y * anp.log(a) + (1 - y) * anp.log(1 - a)) / y.size


def _binary_net(problem: BinaryNet) -> Step:
    anp = _anp()
    x, y, depth = problem.x, problem.y, problem.depth

    def loss(params: list[Any]) -> Any:
        a = x
        for layer in range(depth - 1):
            a = anp.tanh(params[2 * layer] @ a + params[2 * layer + 1])
        return _mean_log_loss(anp, params[-2] @ a + params[-1], y)

    return _training_step(problem.params, loss, problem.lr, adam=False)


def _class_net(problem: ClassNet) -> Step:
    anp = _anp()
    x, y, depth = problem.x, problem.y, problem.depth
    is_tanh = problem.hidden == "tanh"

    def loss(params: list[Any]) -> Any:
        a = x
        for layer in range(depth - 1):
            z = a @ params[2 * layer].T + params[2 * layer + 1]
            a = anp.tanh(z) if is_tanh else anp.maximum(z, 0)
        z = a @ params[-2].T + params[-1]
        return -anp.sum(y * (z - _logsumexp(z))) / y.shape[0]

    adam = problem.optimizer == "adam"
    return _training_step(problem.params, loss, problem.lr, adam=adam)


def _training_step(arrays: Arrays, loss: Any, lr: float, *, adam: bool) -> Step:
    params = [array.copy() for array in arrays.values()]
    first = [np.zeros_like(p) for p in params]
    second = [np.zeros_like(p) for p in params]
    value_and_grad = _value_and_grad(loss)
    t = 0

    def adam_update(grads: list[Array]) -> None:
        nonlocal t
        t += 1
        for i, g in enumerate(grads):
            first[i] = ADAM_BETA1 * first[i] + (1 - ADAM_BETA1) * g
            second[i] = ADAM_BETA2 * second[i] + (1 - ADAM_BETA2) * g**2
            m, v = first[i] / (1 - ADAM_BETA1**t), second[i] / (1 - ADAM_BETA2**t)
            params[i] -= lr * m / (np.sqrt(v) + ADAM_EPSILON)

    def sgd_update(grads: list[Array]) -> None:
        for param, grad in zip(params, grads, strict=True):
            np.subtract(param, lr * grad, out=param)

    update = adam_update if adam else sgd_update

    def run() -> Any:
        value, grads = value_and_grad(params)
        update(grads)
        return value

    def evaluate() -> tuple[float, Arrays]:
        value, grads = value_and_grad(params)
        return float(value), dict(zip(arrays, grads, strict=True))

    def copies() -> Arrays:
        return {name: p.copy() for name, p in zip(arrays, params, strict=True)}

    return Step(run=run, evaluate=evaluate, params=copies)


def _chain(problem: Chain) -> Step:
    anp = _anp()

    def value(x: Any) -> Any:
        for _ in range(problem.n_ops // CHAIN_PERIOD):
            x = anp.sin(anp.tanh(x)) * CHAIN_SCALE + CHAIN_SHIFT
        return anp.sum(x)

    return _function_step("x", value, problem.x)


def _softmax(problem: WeightedSoftmax) -> Step:
    anp = _anp()

    def value(z: Any) -> Any:
        return anp.sum(problem.weights * anp.exp(z - _logsumexp(z)))

    return _function_step("z", value, problem.z)


def _log_loss(problem: LogLoss) -> Step:
    anp = _anp()
    return _function_step("z", lambda z: _mean_log_loss(anp, z, problem.y), problem.z)


def _function_step(name: str, value: Any, at: Array) -> Step:
    value_and_grad = _value_and_grad(value)

    def evaluate() -> tuple[float, Arrays]:
        out, grad = value_and_grad(at)
        return float(out), {name: grad}

    return Step(
        run=lambda: value_and_grad(at), evaluate=evaluate, params=nothing_updated
    )


CONTENDER = Contender(name="autograd", package="autograd", make_step=make_step)
