"""MyGrad with its own activations and losses."""

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


def _mygrad() -> Any:
    return importlib.import_module("mygrad")


def _activations() -> Any:
    return importlib.import_module("mygrad.nnet.activations")


def _losses() -> Any:
    return importlib.import_module("mygrad.nnet.losses")


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
            return derivatives.make_step("mygrad", problem)


def _leaves(arrays: Arrays) -> dict[str, Any]:
    return {name: _mygrad().tensor(array) for name, array in arrays.items()}


def _mean_log_loss(z: Any, y: Array) -> Any:
    mg = _mygrad()
    a = _activations().sigmoid(z)
    return -mg.sum(y * mg.log(a) + (1 - y) * mg.log(1 - a)) / y.size


def _binary_net(problem: BinaryNet) -> Step:
    mg = _mygrad()
    params = _leaves(problem.params)
    leaves = list(params.values())

    def loss() -> Any:
        a = problem.x
        for W, b in zip(leaves[:-2:2], leaves[1:-2:2], strict=True):
            a = mg.tanh(mg.matmul(W, a) + b)
        return _mean_log_loss(mg.matmul(leaves[-2], a) + leaves[-1], problem.y)

    return _training_step(params, loss, problem.lr, adam=False)


def _class_net(problem: ClassNet) -> Step:
    mg, relu = _mygrad(), _activations().relu
    softmax_crossentropy = _losses().softmax_crossentropy
    activation = mg.tanh if problem.hidden == "tanh" else relu
    params = _leaves(problem.params)
    leaves = list(params.values())

    def loss() -> Any:
        a = problem.x
        for W, b in zip(leaves[:-2:2], leaves[1:-2:2], strict=True):
            a = activation(mg.matmul(a, W.T) + b)
        z = mg.matmul(a, leaves[-2].T) + leaves[-1]
        return softmax_crossentropy(z, problem.labels)

    adam = problem.optimizer == "adam"
    return _training_step(params, loss, problem.lr, adam=adam)


def _training_step(params: dict[str, Any], loss: Any, lr: float, *, adam: bool) -> Step:
    leaves = list(params.values())
    first = [np.zeros_like(leaf.data) for leaf in leaves]
    second = [np.zeros_like(leaf.data) for leaf in leaves]
    t = 0

    def adam_update() -> None:
        nonlocal t
        t += 1
        for i, leaf in enumerate(leaves):
            g = leaf.grad
            first[i] = ADAM_BETA1 * first[i] + (1 - ADAM_BETA1) * g
            second[i] = ADAM_BETA2 * second[i] + (1 - ADAM_BETA2) * g**2
            m, v = first[i] / (1 - ADAM_BETA1**t), second[i] / (1 - ADAM_BETA2**t)
            leaf.data -= lr * m / (np.sqrt(v) + ADAM_EPSILON)

    def sgd_update() -> None:
        for leaf in leaves:
            leaf.data -= lr * leaf.grad

    update = adam_update if adam else sgd_update

    def run() -> Any:
        value = loss()
        value.backward()
        update()
        return value

    def evaluate() -> tuple[float, Arrays]:
        value = loss()
        value.backward()
        return value.item(), {name: leaf.grad.copy() for name, leaf in params.items()}

    def copies() -> Arrays:
        return {name: leaf.data.copy() for name, leaf in params.items()}

    return Step(run=run, evaluate=evaluate, params=copies)


def _chain(problem: Chain) -> Step:
    mg = _mygrad()
    x = mg.tensor(problem.x)

    def value() -> Any:
        out = x
        for _ in range(problem.n_ops // CHAIN_PERIOD):
            out = mg.sin(mg.tanh(out)) * CHAIN_SCALE + CHAIN_SHIFT
        return out.sum()

    return _function_step("x", x, value)


def _softmax(problem: WeightedSoftmax) -> Step:
    z, softmax = _mygrad().tensor(problem.z), _activations().softmax

    def value() -> Any:
        return (problem.weights * softmax(z)).sum()

    return _function_step("z", z, value)


def _log_loss(problem: LogLoss) -> Step:
    z = _mygrad().tensor(problem.z)
    return _function_step("z", z, lambda: _mean_log_loss(z, problem.y))


def _function_step(name: str, leaf: Any, value: Any) -> Step:
    def run() -> Any:
        out = value()
        out.backward()
        return out

    def evaluate() -> tuple[float, Arrays]:
        out = run()
        return out.item(), {name: leaf.grad.copy()}

    return Step(run=run, evaluate=evaluate, params=nothing_updated)


CONTENDER = Contender(name="mygrad", package="mygrad", make_step=make_step)
