"""tensorgrad's compiled steps: the whole step under `compile`, arrays in and out."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
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


def make_step(problem: Problem, printer: str) -> Step:
    """Return the step for `problem`; the first call captures, prints and builds."""
    match problem:
        case BinaryNet():
            return _training_step(problem, _binary_loss(problem), printer)
        case ClassNet():
            return _training_step(problem, _class_loss(problem), printer)
        case Chain():
            return _chain(problem, printer)
        case WeightedSoftmax():
            return _softmax(problem, printer)
        case LogLoss():
            return _log_loss(problem, printer)
        case _:
            return derivatives.make_step(f"tensorgrad, {printer}", problem)


def _binary_loss(problem: BinaryNet) -> Callable[..., Any]:
    tg, depth = _tensorgrad(), problem.depth

    def loss(params: Any, x: Any, y: Any) -> Any:
        a = x
        for layer in range(1, depth):
            a = tg.tanh(params[f"W{layer}"] @ a + params[f"b{layer}"])
        a = tg.sigmoid(params[f"W{depth}"] @ a + params[f"b{depth}"])
        return tg.log_loss(a, y, example_axis=1)

    return loss


def _class_loss(problem: ClassNet) -> Callable[..., Any]:
    tg, depth = _tensorgrad(), problem.depth
    activation = tg.tanh if problem.hidden == "tanh" else tg.relu

    def loss(params: Any, x: Any, y: Any) -> Any:
        a = x
        for layer in range(1, depth):
            a = activation(a @ params[f"W{layer}"].T + params[f"b{layer}"])
        a = tg.softmax(a @ params[f"W{depth}"].T + params[f"b{depth}"], axis=-1)
        return tg.cross_entropy(a, y, example_axis=0)

    return loss


def _training_step(
    problem: BinaryNet | ClassNet, loss: Callable[..., Any], printer: str
) -> Step:
    tg = _tensorgrad()
    is_adam = isinstance(problem, ClassNet) and problem.optimizer == "adam"
    optimizer = (tg.optim.Adam if is_adam else tg.optim.SGD)(problem.lr)
    x, y = problem.x, problem.y
    # The step may overwrite them; the problem's own stay as they are.
    params = {name: array.copy() for name, array in problem.params.items()}
    held = {"params": params, "state": optimizer.init(params)}

    def update(params: Any, state: Any, x: Any, y: Any) -> Any:
        value, grads = tg.value_and_grad(loss)(params, x, y)
        params, state = optimizer.update(grads, state, params)
        return value, params, state

    step = tg.compile(update, printer=printer, donate=(0, 1))

    def run() -> object:
        value, held["params"], held["state"] = step(held["params"], held["state"], x, y)
        return value

    evaluated = tg.compile(tg.value_and_grad(loss), printer=printer)

    def evaluate() -> tuple[float, Arrays]:
        value, grads = evaluated(held["params"], x, y)
        return float(value), grads

    def copies() -> Arrays:
        return {name: array.copy() for name, array in held["params"].items()}

    return Step(run=run, evaluate=evaluate, params=copies)


def _chain(problem: Chain, printer: str) -> Step:
    tg, n_rounds = _tensorgrad(), problem.n_ops // CHAIN_PERIOD

    def value(x: Any) -> Any:
        for _ in range(n_rounds):
            x = tg.sin(tg.tanh(x)) * CHAIN_SCALE + CHAIN_SHIFT
        return x.sum()

    return _function_step(value, "x", (problem.x,), printer)


def _softmax(problem: WeightedSoftmax, printer: str) -> Step:
    tg = _tensorgrad()

    def value(z: Any, weights: Any) -> Any:
        return (weights * tg.softmax(z, axis=-1)).sum()

    return _function_step(value, "z", (problem.z, problem.weights), printer)


def _log_loss(problem: LogLoss, printer: str) -> Step:
    tg = _tensorgrad()

    def value(z: Any, y: Any) -> Any:
        return tg.log_loss(tg.sigmoid(z), y)

    return _function_step(value, "z", (problem.z, problem.y), printer)


def _function_step(
    value: Callable[..., Any], name: str, args: tuple[Any, ...], printer: str
) -> Step:
    tg = _tensorgrad()
    compiled = tg.compile(tg.value_and_grad(value), printer=printer)

    def evaluate() -> tuple[float, Arrays]:
        out, gradient = compiled(*args)
        return float(out), {name: gradient}

    return Step(run=lambda: compiled(*args), evaluate=evaluate, params=nothing_updated)


NUMPY, NATIVE = (
    Contender(
        name=name,
        package="tensorgrad",
        make_step=partial(make_step, printer=printer),
    )
    for name, printer in (("compiled NumPy", "numpy"), ("compiled C", "c"))
)
