"""JAX: the whole step under ``jit``, parameters donated."""

from __future__ import annotations

import importlib
import os
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
    Arrays,
    BinaryNet,
    Chain,
    ClassNet,
    LogLoss,
    Problem,
    WeightedSoftmax,
)


def _jax() -> Any:
    return importlib.import_module("jax")


def prepare(threads: int) -> None:
    """Size XLA's thread pools, which it does once, and allow float64.

    Computations are dispatched synchronously: handing a step of 20 µs to a thread that
    is then waited for takes 80 µs more.
    """
    os.environ["NPROC"] = str(threads)
    os.environ["JAX_PLATFORMS"] = "cpu"
    multi = "true" if threads > 1 else "false"
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen={multi}".strip()
    config = _jax().config
    config.update("jax_enable_x64", val=True)
    config.update("jax_cpu_enable_async_dispatch", val=False)


def make_step(problem: Problem) -> Step:
    """Return the compiled step for `problem`; the first call compiles."""
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
            return derivatives.make_step("jax", problem)


def _log_loss_from_logits(z: Any, y: Any) -> Any:
    return _jax().nn.softplus(z) - y * z


def _binary_net(problem: BinaryNet) -> Step:
    jnp = _jax().numpy
    depth, n = problem.depth, problem.x.shape[1]

    def loss(params: Any, x: Any, y: Any) -> Any:
        a = x
        for layer in range(1, depth):
            a = jnp.tanh(params[f"W{layer}"] @ a + params[f"b{layer}"])
        z = params[f"W{depth}"] @ a + params[f"b{depth}"]
        return jnp.sum(_log_loss_from_logits(z, y)) / n

    return _training_step(loss, problem.params, (problem.x, problem.y), lr=problem.lr)


def _class_net(problem: ClassNet) -> Step:
    jax = _jax()
    jnp, depth = jax.numpy, problem.depth
    activation = jnp.tanh if problem.hidden == "tanh" else jax.nn.relu

    def loss(params: Any, x: Any, y: Any) -> Any:
        a = x
        for layer in range(1, depth):
            a = activation(a @ params[f"W{layer}"].T + params[f"b{layer}"])
        z = a @ params[f"W{depth}"].T + params[f"b{depth}"]
        return -jnp.sum(y * jax.nn.log_softmax(z)) / x.shape[0]

    return _training_step(
        loss,
        problem.params,
        (problem.x, problem.y),
        lr=problem.lr,
        adam=problem.optimizer == "adam",
    )


def _training_step(
    loss: Any, params: Arrays, data: Any, *, lr: float, adam: bool = False
) -> Step:
    jax = _jax()
    tree = jax.tree_util
    value_and_grad = jax.value_and_grad(loss)

    def sgd(state: Any, *data: Any) -> tuple[Any, Any]:
        value, grads = value_and_grad(state["params"], *data)
        params = tree.tree_map(lambda p, g: p - lr * g, state["params"], grads)
        return {"params": params}, value

    def adam_step(state: Any, *data: Any) -> tuple[Any, Any]:
        value, g = value_and_grad(state["params"], *data)
        t = state["t"] + 1
        m = tree.tree_map(
            lambda m, g: ADAM_BETA1 * m + (1 - ADAM_BETA1) * g, state["m"], g
        )
        v = tree.tree_map(
            lambda v, g: ADAM_BETA2 * v + (1 - ADAM_BETA2) * g * g, state["v"], g
        )
        scale1, scale2 = 1 - ADAM_BETA1**t, 1 - ADAM_BETA2**t

        def moved(p: Any, m: Any, v: Any) -> Any:
            return p - lr * (m / scale1) / (jax.numpy.sqrt(v / scale2) + ADAM_EPSILON)

        params = tree.tree_map(moved, state["params"], m, v)
        return {"params": params, "m": m, "v": v, "t": t}, value

    step = jax.jit(adam_step if adam else sgd, donate_argnums=0)
    evaluate_on = jax.jit(value_and_grad)
    device_data = [jax.device_put(array) for array in data]
    state: Any = {"params": _on_device(params)}
    if adam:
        state["m"] = _on_device({name: np.zeros_like(p) for name, p in params.items()})
        state["v"] = _on_device({name: np.zeros_like(p) for name, p in params.items()})
        state["t"] = jax.numpy.zeros((), np.float32)

    def run() -> Any:
        nonlocal state
        state, value = step(state, *device_data)
        return jax.block_until_ready((state, value))[1]

    def evaluate() -> tuple[float, Arrays]:
        value, grads = evaluate_on(state["params"], *device_data)
        return float(value), _on_host(grads)

    return Step(run=run, evaluate=evaluate, params=lambda: _on_host(state["params"]))


def _on_device(arrays: Arrays) -> dict[str, Any]:
    # A copy: XLA may alias a NumPy array, and donated memory is written.
    return {name: _jax().numpy.array(array) for name, array in arrays.items()}


def _on_host(arrays: dict[str, Any]) -> Arrays:
    return {name: np.array(array) for name, array in arrays.items()}


def _chain(problem: Chain) -> Step:
    jnp = _jax().numpy

    def value(x: Any) -> Any:
        for _ in range(problem.n_ops // CHAIN_PERIOD):
            x = jnp.sin(jnp.tanh(x)) * CHAIN_SCALE + CHAIN_SHIFT
        return jnp.sum(x)

    return _function_step("x", value, problem.x)


def _softmax(problem: WeightedSoftmax) -> Step:
    jax = _jax()

    def value(z: Any, weights: Any) -> Any:
        return jax.numpy.sum(weights * jax.nn.softmax(z, axis=-1))

    return _function_step("z", value, problem.z, problem.weights)


def _log_loss(problem: LogLoss) -> Step:
    def value(z: Any, y: Any) -> Any:
        return _jax().numpy.mean(_log_loss_from_logits(z, y))

    return _function_step("z", value, problem.z, problem.y)


def _function_step(name: str, value: Any, *arrays: Any) -> Step:
    jax = _jax()
    compiled = jax.jit(jax.value_and_grad(value))
    on_device = [jax.device_put(array) for array in arrays]

    def evaluate() -> tuple[float, Arrays]:
        out, grad = compiled(*on_device)
        return float(out), {name: np.array(grad)}

    return Step(
        run=lambda: jax.block_until_ready(compiled(*on_device)),
        evaluate=evaluate,
        params=nothing_updated,
    )


CONTENDER = Contender(
    name="jax jit",
    package="jax",
    make_step=make_step,
    prepare=prepare,
    has_own_memory=True,
)
