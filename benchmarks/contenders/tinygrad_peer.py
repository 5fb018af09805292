"""tinygrad: the whole step under `TinyJit`, which needs clang on a processor."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.contenders import derivatives
from benchmarks.contract import Contender, NotOfferedError, Step, nothing_updated
from benchmarks.problem import (
    ADAM_BETA1,
    ADAM_BETA2,
    ADAM_EPSILON,
    Arrays,
    BinaryNet,
    Chain,
    ClassNet,
    LogLoss,
    Problem,
    WeightedSoftmax,
)


def _tinygrad() -> Any:
    return importlib.import_module("tinygrad")


def prepare(threads: int) -> None:
    """Raise unless there is a device: without clang it finds none."""
    tinygrad = _tinygrad()
    (tinygrad.Tensor([1.0]) + 1).numpy()


def make_step(problem: Problem) -> Step:
    """Return the step for `problem`; the third call runs what was recorded."""
    match problem:
        case BinaryNet():
            return _binary_net(problem)
        case ClassNet():
            return _class_net(problem)
        case Chain():
            # It had not compiled the derivative of 1000 ops after five minutes.
            raise NotOfferedError
        case WeightedSoftmax():
            return _softmax(problem)
        case LogLoss():
            return _log_loss(problem)
        case _:
            return derivatives.make_step("tinygrad", problem)


def _mean_log_loss(z: Any, y: Any) -> Any:
    return (z.relu() - y * z + (1 + (-z.abs()).exp()).log()).mean()


def _binary_net(problem: BinaryNet) -> Step:
    depth = problem.depth

    def loss(p: dict[str, Any], x: Any, y: Any) -> Any:
        a = x
        for layer in range(1, depth):
            a = (p[f"W{layer}"] @ a + p[f"b{layer}"]).tanh()
        return _mean_log_loss(p[f"W{depth}"] @ a + p[f"b{depth}"], y)

    return _training_step(problem, loss, adam=False)


def _class_net(problem: ClassNet) -> Step:
    depth, is_tanh = problem.depth, problem.hidden == "tanh"

    def loss(p: dict[str, Any], x: Any, y: Any) -> Any:
        a = x
        for layer in range(1, depth):
            z = a @ p[f"W{layer}"].T + p[f"b{layer}"]
            a = z.tanh() if is_tanh else z.relu()
        z = a @ p[f"W{depth}"].T + p[f"b{depth}"]
        return -(y * z.log_softmax(axis=-1)).sum() / x.shape[0]

    return _training_step(problem, loss, adam=problem.optimizer == "adam")


def _training_step(
    problem: BinaryNet | ClassNet, loss: Callable[..., Any], *, adam: bool
) -> Step:
    tinygrad = _tinygrad()
    tensor, lr = tinygrad.Tensor, problem.lr
    p = {name: _leaf(array) for name, array in problem.params.items()}
    zeros = {name: np.zeros_like(array) for name, array in problem.params.items()}
    m, v = ({name: _leaf(array) for name, array in zeros.items()} for _ in "mv")
    t = _leaf(np.zeros(1, problem.x.dtype))
    x, y = _leaf(problem.x), _leaf(problem.y)

    def grads() -> tuple[Any, list[Any]]:
        value = loss(p, x, y)
        return value, value.gradient(*p.values())

    @tinygrad.TinyJit  # type: ignore[untyped-decorator]
    def step() -> Any:
        value, found = grads()
        changed = [t.assign(t + 1)] if adam else []
        for (name, leaf), g in zip(p.items(), found, strict=True):
            move = g
            if adam:
                m[name].assign(ADAM_BETA1 * m[name] + (1 - ADAM_BETA1) * g)
                v[name].assign(ADAM_BETA2 * v[name] + (1 - ADAM_BETA2) * g * g)
                root = (v[name] / (1 - ADAM_BETA2**t)).sqrt() + ADAM_EPSILON
                move = m[name] / (1 - ADAM_BETA1**t) / root
                changed += [m[name], v[name]]
            changed.append(leaf.assign(leaf - lr * move))
        tensor.realize(value, *changed)
        return value

    def run() -> Any:
        return _finished(step())

    def evaluate() -> tuple[float, Arrays]:
        value, found = grads()
        return value.item(), {k: g.numpy() for k, g in zip(p, found, strict=True)}

    return Step(
        run=run,
        evaluate=evaluate,
        params=lambda: {name: leaf.numpy().copy() for name, leaf in p.items()},
    )


def _leaf(array: Any) -> Any:
    # A copy: it may alias a NumPy array, and parameters are written.
    return _tinygrad().Tensor(np.array(array)).contiguous().realize()


def _finished(value: Any) -> Any:
    tinygrad = _tinygrad()
    tinygrad.Device[tinygrad.Device.DEFAULT].synchronize()
    return value


def _softmax(problem: WeightedSoftmax) -> Step:
    def value(z: Any, weights: Any) -> Any:
        return (weights * z.softmax(axis=-1)).sum()

    return _function_step("z", value, problem.z, problem.weights)


def _log_loss(problem: LogLoss) -> Step:
    return _function_step("z", _mean_log_loss, problem.z, problem.y)


def _function_step(name: str, value: Callable[..., Any], *arrays: Any) -> Step:
    tinygrad = _tinygrad()
    leaves = [_leaf(array) for array in arrays]

    def both() -> tuple[Any, Any]:
        out = value(*leaves)
        return out, out.gradient(leaves[0])[0]

    @tinygrad.TinyJit  # type: ignore[untyped-decorator]
    def step() -> Any:
        out, slope = both()
        tinygrad.Tensor.realize(out, slope)
        return out, slope

    def evaluate() -> tuple[float, Arrays]:
        out, slope = both()
        return out.item(), {name: slope.numpy()}

    return Step(
        run=lambda: _finished(step()), evaluate=evaluate, params=nothing_updated
    )


CONTENDER = Contender(
    name="tinygrad",
    package="tinygrad",
    make_step=make_step,
    prepare=prepare,
    has_own_memory=True,
)
