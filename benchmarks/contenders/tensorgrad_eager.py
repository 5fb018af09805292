"""tensorgrad as written by a user: operations, `gradients`, an optimiser's step."""

from __future__ import annotations

import importlib
from typing import Any

from benchmarks.contenders import derivatives
from benchmarks.contract import Contender, Step, nothing_updated
from benchmarks.problem import (
    CHAIN_PERIOD,
    CHAIN_SCALE,
    CHAIN_SHIFT,
    Arrays,
    BinaryNet,
    Chain,
    ClassNet,
    LogLoss,
    Problem,
    WeightedSoftmax,
)


def _tensorgrad() -> Any:
    return importlib.import_module("tensorgrad")


def make_step(problem: Problem) -> Step:
    """Return the step for `problem` on the eager engine with its default settings."""
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
            return derivatives.make_step("tensorgrad", problem)


def _leaves(arrays: Arrays) -> dict[str, Any]:
    tg = _tensorgrad()
    return {
        name: tg.tensor(array, requires_grad=True, name=name)
        for name, array in arrays.items()
    }


def _binary_net(problem: BinaryNet) -> Step:
    tg = _tensorgrad()
    x, y = problem.x, problem.y
    params = _leaves(problem.params)
    weights, biases = _by_kind(params)

    def loss() -> Any:
        a = x
        for W, b in zip(weights[:-1], biases[:-1], strict=True):
            a = tg.tanh(W @ a + b)
        a = tg.sigmoid(weights[-1] @ a + biases[-1])
        return tg.log_loss(a, y, example_axis=1)

    return _training_step(params, loss, tg.optim.SGD(problem.lr))


def _class_net(problem: ClassNet) -> Step:
    tg = _tensorgrad()
    x, labels = problem.x, problem.labels
    params = _leaves(problem.params)
    weights, biases = _by_kind(params)
    activation = tg.tanh if problem.hidden == "tanh" else tg.relu
    if problem.optimizer == "adam":
        # Its other defaults are those of the paper, as in `benchmarks.problem`.
        optimizer = tg.optim.Adam(problem.lr)
    else:
        optimizer = tg.optim.SGD(problem.lr)

    def loss() -> Any:
        a = x
        for W, b in zip(weights[:-1], biases[:-1], strict=True):
            a = activation(a @ W.T + b)
        a = tg.softmax(a @ weights[-1].T + biases[-1], axis=-1)
        return tg.cross_entropy(a, labels, example_axis=0)

    return _training_step(params, loss, optimizer)


def _by_kind(params: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    values = list(params.values())
    return values[0::2], values[1::2]


def _training_step(params: dict[str, Any], loss: Any, optimizer: Any) -> Step:
    tg = _tensorgrad()

    def run() -> object:
        value = loss()
        grads = tg.gradients(value, params)
        optimizer.step(params, grads)
        return value

    def evaluate() -> tuple[float, Arrays]:
        value = loss()
        return value.item(), tg.gradients(value, params)

    def copies() -> Arrays:
        return {name: tensor.numpy().copy() for name, tensor in params.items()}

    return Step(run=run, evaluate=evaluate, params=copies)


def _chain(problem: Chain) -> Step:
    tg = _tensorgrad()
    x, n_rounds = _leaves({"x": problem.x}), problem.n_ops // CHAIN_PERIOD

    def value() -> Any:
        out = x["x"]
        for _ in range(n_rounds):
            out = tg.sin(tg.tanh(out)) * CHAIN_SCALE + CHAIN_SHIFT
        return out.sum()

    return _function_step(x, value)


def _softmax(problem: WeightedSoftmax) -> Step:
    tg = _tensorgrad()
    z, weights = _leaves({"z": problem.z}), problem.weights

    def value() -> Any:
        return (weights * tg.softmax(z["z"], axis=-1)).sum()

    return _function_step(z, value)


def _log_loss(problem: LogLoss) -> Step:
    tg = _tensorgrad()
    z, y = _leaves({"z": problem.z}), problem.y
    return _function_step(z, lambda: tg.log_loss(tg.sigmoid(z["z"]), y))


def _function_step(inputs: dict[str, Any], value: Any) -> Step:
    tg = _tensorgrad()

    def evaluate() -> tuple[float, Arrays]:
        out = value()
        return out.item(), tg.gradients(out, inputs)

    return Step(
        run=lambda: tg.gradients(value(), inputs),
        evaluate=evaluate,
        params=nothing_updated,
    )


CONTENDER = Contender(name="tensorgrad", package="tensorgrad", make_step=make_step)
