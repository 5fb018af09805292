"""Hessian-vector products and gradients by example, as each package is meant to be asked.

One network for all of them: tanh, softmax, cross-entropy, examples in rows. Handwritten NumPy
differentiates its own backward pass along the direction (Pearlmutter, 1994), and multiplies
each example's δ by its inputs.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from benchmarks.contract import NotOfferedError, Step, nothing_updated
from benchmarks.problem import Array, Arrays, ExampleGradients, HessianVector

__all__ = ["make_step"]

Asked: TypeAlias = HessianVector | ExampleGradients
Result: TypeAlias = Callable[[], tuple[Any, Any]]


def make_step(package: str, problem: Any) -> Step:
    """Return a package's step for a problem of this module.

    Raises
    ------
    NotOfferedError
        If the package has no way of its own to do it.
    """
    makers = {
        ("numpy", HessianVector): _numpy_product,
        ("numpy", ExampleGradients): _numpy_examples,
        ("tensorgrad", HessianVector): _tensorgrad_product,
        ("tensorgrad", ExampleGradients): _tensorgrad_examples,
        ("tensorgrad, c", HessianVector): _compiled("c", _tensorgrad_function),
        ("tensorgrad, c", ExampleGradients): _compiled("c", _delta_function),
        ("tensorgrad, numpy", HessianVector): _compiled("numpy", _tensorgrad_function),
        ("tensorgrad, numpy", ExampleGradients): _compiled("numpy", _delta_function),
        ("jax", HessianVector): _jax_product,
        ("jax", ExampleGradients): _jax_examples,
        ("torch", HessianVector): _torch_product,
        ("torch", ExampleGradients): _torch_examples,
        ("autograd", HessianVector): _autograd_product,
    }
    maker = makers.get((package, type(problem)))
    if maker is None:
        raise NotOfferedError
    return _step(maker(problem))


def _step(result: Result) -> Step:
    def evaluate() -> tuple[float, Arrays]:
        value, found = result()
        return float(value), {name: np.asarray(found[name]) for name in found}

    return Step(run=result, evaluate=evaluate, params=nothing_updated)


# -------------------------------------------------------------------------- by hand


def _forward(p: Arrays, x: Array, y: Array) -> tuple[Array, Array, Array]:
    a = np.tanh(x @ p["W1"].T + p["b1"])
    z = a @ p["W2"].T + p["b2"]
    e = np.exp(z - np.max(z, axis=1, keepdims=True))
    s = e / np.sum(e, axis=1, keepdims=True)
    return a, s, -np.sum(y * np.log(s), axis=1)


def _numpy_product(problem: HessianVector) -> Result:
    x, y, p, v = problem.x, problem.y, problem.params, problem.direction
    n = len(x)

    def result() -> tuple[Any, Arrays]:
        a, s, losses = _forward(p, x, y)
        delta2 = (s - y) / n
        slope = 1 - a * a
        back = delta2 @ p["W2"]
        # The same lines again, each differentiated along v.
        along_a = slope * (x @ v["W1"].T + v["b1"])
        along_z = along_a @ p["W2"].T + a @ v["W2"].T + v["b2"]
        along_s = s * (along_z - np.sum(s * along_z, axis=1, keepdims=True))
        along_delta2 = along_s / n
        along_back = along_delta2 @ p["W2"] + delta2 @ v["W2"]
        along_delta1 = along_back * slope - 2 * back * a * along_a
        return np.sum(losses) / n, {
            "W1": along_delta1.T @ x,
            "b1": np.sum(along_delta1, axis=0),
            "W2": along_delta2.T @ a + delta2.T @ along_a,
            "b2": np.sum(along_delta2, axis=0),
        }

    return result


def _numpy_examples(problem: ExampleGradients) -> Result:
    x, y, p = problem.x, problem.y, problem.params

    def result() -> tuple[Any, Arrays]:
        a, s, losses = _forward(p, x, y)
        delta2 = s - y
        delta1 = (delta2 @ p["W2"]) * (1 - a * a)
        return np.sum(losses), {
            "W1": delta1[:, :, None] * x[:, None, :],
            "b1": delta1,
            "W2": delta2[:, :, None] * a[:, None, :],
            "b2": delta2,
        }

    return result


# ----------------------------------------------------------------------- tensorgrad


def _tensorgrad() -> Any:
    return importlib.import_module("tensorgrad")


def _tensorgrad_loss(p: Any, x: Any, y: Any) -> Any:
    tg = _tensorgrad()
    a = tg.tanh(x @ p["W1"].T + p["b1"])
    return tg.cross_entropy(tg.softmax(a @ p["W2"].T + p["b2"]), y)


def _tensorgrad_function(problem: HessianVector) -> tuple[Any, tuple[Any, ...]]:
    tg = _tensorgrad()

    def product(p: Any, v: Any, x: Any, y: Any) -> Any:
        def gradient(p: Any) -> Any:
            return tg.value_and_grad(lambda p: _tensorgrad_loss(p, x, y))(p)

        (value, _), (_, found) = tg.jvp(gradient, (p,), (v,))
        return value, found

    return product, (problem.params, problem.direction, problem.x, problem.y)


def _delta_function(problem: ExampleGradients) -> tuple[Any, tuple[Any, ...]]:
    """Gradients by the sums z are the δ of each example; a nudge of zero names them."""
    tg = _tensorgrad()

    def by_example(p: Any, nudges: Any, x: Any, y: Any) -> Any:
        a = tg.tanh(x @ p["W1"].T + p["b1"])

        def loss(nudges: Any) -> Any:
            first, second = nudges
            inner = tg.tanh(x @ p["W1"].T + p["b1"] + first)
            s = tg.softmax(inner @ p["W2"].T + p["b2"] + second)
            return tg.cross_entropy(s, y) * len(x)

        value, (delta1, delta2) = tg.value_and_grad(loss)(nudges)
        return value, {
            "W1": delta1[:, :, None] * x[:, None, :],
            "b1": delta1,
            "W2": delta2[:, :, None] * a[:, None, :],
            "b2": delta2,
        }

    shapes = (len(problem.params["b1"]), len(problem.params["b2"]))
    nudges = tuple(np.zeros((len(problem.x), m), problem.x.dtype) for m in shapes)
    return by_example, (problem.params, nudges, problem.x, problem.y)


def _tensorgrad_product(problem: HessianVector) -> Result:
    product, args = _tensorgrad_function(problem)
    return lambda: product(*args)


def _tensorgrad_examples(problem: ExampleGradients) -> Result:
    by_example, args = _delta_function(problem)
    return lambda: by_example(*args)


def _compiled(printer: str, function: Callable[[Any], Any]) -> Callable[[Any], Result]:
    def make(problem: Asked) -> Result:
        f, args = function(problem)
        compiled = _tensorgrad().compile(f, printer=printer)
        return lambda: compiled(*args)

    return make


# ------------------------------------------------------------------------------ JAX


def _jax_losses(p: Any, x: Any, y: Any) -> Any:
    jax = importlib.import_module("jax")
    a = jax.numpy.tanh(x @ p["W1"].T + p["b1"])
    z = a @ p["W2"].T + p["b2"]
    return -jax.numpy.sum(y * jax.nn.log_softmax(z), axis=-1)


def _jax_product(problem: HessianVector) -> Result:
    jax = importlib.import_module("jax")

    def product(p: Any, v: Any, x: Any, y: Any) -> Any:
        gradient = jax.value_and_grad(lambda p: jax.numpy.mean(_jax_losses(p, x, y)))
        (value, _), (_, found) = jax.jvp(gradient, (p,), (v,))
        return value, found

    args = problem.params, problem.direction, problem.x, problem.y
    return _jitted(jax, product, args)


def _jax_examples(problem: ExampleGradients) -> Result:
    jax = importlib.import_module("jax")

    def by_example(p: Any, x: Any, y: Any) -> Any:
        one = jax.value_and_grad(_jax_losses)
        values, found = jax.vmap(one, in_axes=(None, 0, 0))(p, x, y)
        return jax.numpy.sum(values), found

    return _jitted(jax, by_example, (problem.params, problem.x, problem.y))


def _jitted(jax: Any, f: Any, args: Any) -> Result:
    compiled, there = jax.jit(f), jax.device_put(args)
    return lambda: jax.block_until_ready(compiled(*there))


# -------------------------------------------------------------------------- PyTorch


def _torch_losses(p: Any, x: Any, y: Any) -> Any:
    torch = importlib.import_module("torch")
    a = torch.tanh(x @ p["W1"].T + p["b1"])
    z = a @ p["W2"].T + p["b2"]
    return -(y * torch.log_softmax(z, dim=-1)).sum(dim=-1)


def _torch_product(problem: HessianVector) -> Result:
    torch = importlib.import_module("torch")
    func = importlib.import_module("torch.func")
    p, v = (
        {k: torch.tensor(a) for k, a in part.items()}
        for part in (problem.params, problem.direction)
    )
    x, y = torch.tensor(problem.x), torch.tensor(problem.y)
    gradient = func.grad_and_value(lambda p: _torch_losses(p, x, y).mean())

    def result() -> tuple[Any, Any]:
        (_, value), (found, _) = func.jvp(gradient, (p,), (v,))
        return value, found

    return result


def _torch_examples(problem: ExampleGradients) -> Result:
    torch = importlib.import_module("torch")
    func = importlib.import_module("torch.func")
    p = {k: torch.tensor(a) for k, a in problem.params.items()}
    x, y = torch.tensor(problem.x), torch.tensor(problem.y)
    one = func.vmap(func.grad_and_value(_torch_losses), in_dims=(None, 0, 0))

    def result() -> tuple[Any, Any]:
        found, values = one(p, x, y)
        return values.sum(), found

    return result


# ------------------------------------------------------------------------- autograd


def _autograd_product(problem: HessianVector) -> Result:
    autograd = importlib.import_module("autograd")
    anp = importlib.import_module("autograd.numpy")
    special = importlib.import_module("autograd.scipy.special")
    x, y, v = problem.x, problem.y, problem.direction

    def loss(p: Any) -> Any:
        a = anp.tanh(anp.dot(x, p["W1"].T) + p["b1"])
        z = anp.dot(a, p["W2"].T) + p["b2"]
        return anp.mean(special.logsumexp(z, axis=1) - anp.sum(y * z, axis=1))

    def along(p: Any) -> Any:
        slope = autograd.grad(loss)(p)
        return sum(anp.sum(slope[name] * v[name]) for name in v)

    product = autograd.grad(along)
    return lambda: (loss(problem.params), product(problem.params))
