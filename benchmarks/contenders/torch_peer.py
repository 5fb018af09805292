"""PyTorch, eager and through ``torch.compile``."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

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


def _torch() -> Any:
    return importlib.import_module("torch")


def prepare(threads: int) -> None:
    """Set the number of threads inside an operation."""
    _torch().set_num_threads(threads)


def make_step(problem: Problem, *, compiled: bool) -> Step:
    """Return the step for `problem`, its forward and backward compiled or not."""
    match problem:
        case BinaryNet():
            return _binary_net(problem, compiled=compiled)
        case ClassNet():
            return _class_net(problem, compiled=compiled)
        case Chain():
            return _chain(problem, compiled=compiled)
        case WeightedSoftmax():
            return _softmax(problem, compiled=compiled)
        case LogLoss():
            return _log_loss(problem, compiled=compiled)
        case _:
            return derivatives.make_step(
                "torch compiled" if compiled else "torch", problem
            )


def _leaves(arrays: Arrays) -> dict[str, Any]:
    torch = _torch()
    return {
        name: torch.tensor(array, requires_grad=True) for name, array in arrays.items()
    }


def _binary_net(problem: BinaryNet, *, compiled: bool) -> Step:
    torch = _torch()
    x, y = torch.tensor(problem.x), torch.tensor(problem.y)
    params = _leaves(problem.params)
    depth = problem.depth

    def loss(*params: Any) -> Any:
        a = x
        for layer in range(depth - 1):
            a = torch.tanh(params[2 * layer] @ a + params[2 * layer + 1])
        z = params[-2] @ a + params[-1]
        return torch.nn.functional.binary_cross_entropy_with_logits(z, y)

    return _training_step(params, loss, _sgd(params, problem.lr), compiled=compiled)


def _class_net(problem: ClassNet, *, compiled: bool) -> Step:
    torch = _torch()
    x, labels = torch.tensor(problem.x), torch.tensor(problem.labels)
    params = _leaves(problem.params)
    depth = problem.depth
    linear = torch.nn.functional.linear
    activation = torch.tanh if problem.hidden == "tanh" else torch.relu

    def loss(*params: Any) -> Any:
        a = x
        for layer in range(depth - 1):
            a = activation(linear(a, params[2 * layer], params[2 * layer + 1]))
        z = linear(a, params[-2], params[-1])
        return torch.nn.functional.cross_entropy(z, labels)

    if problem.optimizer == "adam":
        update = _adam(params, problem.lr, fused=compiled)
    else:
        update = _sgd(params, problem.lr)
    return _training_step(params, loss, update, compiled=compiled)


def _sgd(params: dict[str, Any], lr: float) -> Callable[[Any], None]:
    """Return plain SGD by hand: less overhead than the class in ``torch.optim``."""
    torch = _torch()
    leaves = list(params.values())

    def update(grads: Any) -> None:
        with torch.no_grad():
            for leaf, grad in zip(leaves, grads, strict=True):
                leaf.sub_(grad, alpha=lr)

    return update


def _adam(params: dict[str, Any], lr: float, *, fused: bool) -> Callable[[Any], None]:
    leaves = list(params.values())
    optimizer = _torch().optim.Adam(
        leaves,
        lr=lr,
        betas=(ADAM_BETA1, ADAM_BETA2),
        eps=ADAM_EPSILON,
        fused=fused or None,
    )

    def update(grads: Any) -> None:
        for leaf, grad in zip(leaves, grads, strict=True):
            leaf.grad = grad
        optimizer.step()

    return update


def _training_step(
    params: dict[str, Any],
    loss: Any,
    update: Callable[[Any], None],
    *,
    compiled: bool,
) -> Step:
    torch = _torch()
    leaves = list(params.values())
    forward = torch.compile(loss) if compiled else loss

    def run() -> Any:
        value = forward(*leaves)
        update(torch.autograd.grad(value, leaves))
        return value

    def evaluate() -> tuple[float, Arrays]:
        value = forward(*leaves)
        grads = torch.autograd.grad(value, leaves)
        return value.item(), _on_host(dict(zip(params, grads, strict=True)))

    return Step(run=run, evaluate=evaluate, params=lambda: _on_host(params))


def _on_host(tensors: dict[str, Any]) -> Arrays:
    return {name: t.detach().numpy().copy() for name, t in tensors.items()}


def _chain(problem: Chain, *, compiled: bool) -> Step:
    torch = _torch()

    def value(x: Any) -> Any:
        for _ in range(problem.n_ops // CHAIN_PERIOD):
            x = torch.sin(torch.tanh(x)) * CHAIN_SCALE + CHAIN_SHIFT
        return x.sum()

    return _function_step(_leaves({"x": problem.x}), value, compiled=compiled)


def _softmax(problem: WeightedSoftmax, *, compiled: bool) -> Step:
    torch = _torch()
    weights = torch.tensor(problem.weights)

    def value(z: Any) -> Any:
        return (weights * torch.softmax(z, -1)).sum()

    return _function_step(_leaves({"z": problem.z}), value, compiled=compiled)


def _log_loss(problem: LogLoss, *, compiled: bool) -> Step:
    torch = _torch()
    y = torch.tensor(problem.y)

    def value(z: Any) -> Any:
        return torch.nn.functional.binary_cross_entropy_with_logits(z, y)

    return _function_step(_leaves({"z": problem.z}), value, compiled=compiled)


def _function_step(inputs: dict[str, Any], value: Any, *, compiled: bool) -> Step:
    torch = _torch()
    ((name, leaf),) = inputs.items()
    forward = torch.compile(value) if compiled else value

    def evaluate() -> tuple[float, Arrays]:
        out = forward(leaf)
        (grad,) = torch.autograd.grad(out, [leaf])
        return out.item(), _on_host({name: grad})

    return Step(
        run=lambda: torch.autograd.grad(forward(leaf), [leaf]),
        evaluate=evaluate,
        params=nothing_updated,
    )


EAGER = Contender(
    name="torch",
    package="torch",
    make_step=partial(make_step, compiled=False),
    prepare=prepare,
    has_own_memory=True,
)

COMPILED = Contender(
    name="torch.compile",
    package="torch",
    make_step=partial(make_step, compiled=True),
    prepare=prepare,
    has_own_memory=True,
    on_request=True,
)
