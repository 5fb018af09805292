"""The gradient checkers of four packages, each with its defaults, on the same gradients.

A case is a value and a gradient written once for any module that names functions as NumPy
does. Every package gets the gradient as its own kind of custom derivative.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tensorgrad.testing import gradcheck

__all__ = ["CASES", "CHECKERS", "Case", "Row", "compare"]


@dataclass(frozen=True)
class Case:
    """A function of one array, and a gradient of its sum that is right or wrong."""

    name: str
    is_right: bool
    value: Callable[[Any, Any], Any]
    gradient: Callable[[Any, Any], Any]
    x: np.ndarray[Any, np.dtype[Any]] = field(repr=False)


@dataclass(frozen=True)
class Row:
    """What each checker says to a case: accepts, rejects, or cannot tell."""

    name: str
    is_right: bool
    answers: dict[str, str]


MANY = np.linspace(0.5, 2.0, 10**5)
FEW = np.array([0.3, -1.2, 2.0, 0.7])


def _square(_: Any, x: Any) -> Any:
    return x * x


def _slope(_: Any, x: Any) -> Any:
    return 2 * x


def _relu(m: Any, x: Any) -> Any:
    return m.where(x > 0, x, 0 * x)


def _step(m: Any, x: Any) -> Any:
    return m.where(x > 0, 0 * x + 1, 0 * x)


def _sigmoid(m: Any, x: Any) -> Any:
    return 1 / (1 + m.exp(-x))


def _sigmoid_slope(m: Any, x: Any) -> Any:
    a = _sigmoid(m, x)
    return a * (1 - a)


def _one_wrong(m: Any, x: Any) -> Any:
    at = m.where(abs(x - MANY[33_333]) < 1e-9, 0 * x + 1.01, 0 * x + 1)
    return at * m.cos(x)


def _right(name: str, value: Any, gradient: Any, x: Any) -> Case:
    return Case(name, is_right=True, value=value, gradient=gradient, x=x)


def _wrong(name: str, value: Any, gradient: Any, x: Any) -> Case:
    return Case(name, is_right=False, value=value, gradient=gradient, x=x)


CASES = (
    _right("x² at 10⁶", _square, _slope, np.array([1e6, -2e6])),
    _right(
        "sin, float32",
        lambda m, x: m.sin(x),
        lambda m, x: m.cos(x),
        FEW.astype(np.float32),
    ),
    _right("ReLU at 10⁻⁷ and −10⁻⁹", _relu, _step, np.array([1e-7, -1e-9, 1.0])),
    _right(
        "exp(10⁸ x) at 10⁻⁸",
        lambda m, x: m.exp(1e8 * x),
        lambda m, x: 1e8 * m.exp(1e8 * x),
        1e-8 * FEW,
    ),
    _right(
        "log at 10⁻⁶", lambda m, x: m.log(x), lambda _, x: 1 / x, np.array([1e-6, 1.0])
    ),
    _right("saturated sigmoid", _sigmoid, _sigmoid_slope, np.array([30.0, -5.0])),
    _right("sin in 10⁵ entries", lambda m, x: m.sin(x), lambda m, x: m.cos(x), MANY),
    _wrong(
        "factor 2 in 10⁵ entries",
        lambda m, x: m.sin(x),
        lambda m, x: 2 * m.cos(x),
        MANY,
    ),
    _wrong("one entry of 10⁵ off by 1 %", lambda m, x: m.sin(x), _one_wrong, MANY),
    _wrong("factor 1.0001", lambda m, x: m.sin(x), lambda m, x: 1.0001 * m.cos(x), FEW),
    _wrong("sign of 10⁻⁶ x²", lambda _, x: 1e-6 * x * x, lambda _, x: -2e-6 * x, FEW),
    _wrong(
        "sign of a term beside a larger one",
        lambda _, x: x + 1e-6 * x * x,
        lambda _, x: 1 - 2e-6 * x,
        FEW,
    ),
    _wrong("zero for 10⁻⁹ x", lambda _, x: 1e-9 * x, lambda _, x: 0 * x, FEW),
)


# ------------------------------------------------------------------------ checkers


def with_tensorgrad(case: Case) -> str:
    """Return what this package's checker says."""
    report = gradcheck(
        (
            lambda x: np.sum(case.value(np, x)),
            lambda x: case.gradient(np, x),
        ),
        case.x,
    )
    answers = {"confirmed": "accepts", "refuted": "rejects"}
    return answers.get(report.verdict, "cannot tell")


def _accepted(check: Callable[[], object], rejection: type[BaseException]) -> str:
    try:
        check()
    except rejection:
        return "rejects"
    return "accepts"


def with_autograd(case: Case) -> str:
    """Return what ``autograd.test_util.check_grads`` says."""
    # Its directions are from the global state.
    np.random.seed(0)  # noqa: NPY002
    anp = importlib.import_module("autograd.numpy")
    extend = importlib.import_module("autograd.extend")
    util = importlib.import_module("autograd.test_util")
    f = extend.primitive(lambda x: case.value(np, x))
    extend.defvjp(f, lambda _, x: lambda g: g * case.gradient(anp, x))
    return _accepted(
        lambda: util.check_grads(f, modes=["rev"], order=1)(case.x), AssertionError
    )


def with_jax(case: Case) -> str:
    """Return what ``jax.test_util.check_grads`` says, with 64-bit numbers enabled."""
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)  # noqa: FBT003  # its signature
    jnp = importlib.import_module("jax.numpy")
    util = importlib.import_module("jax.test_util")

    @jax.custom_vjp
    def f(x: Any) -> Any:
        return case.value(jnp, x)

    f.defvjp(
        lambda x: (case.value(jnp, x), x),
        lambda x, g: (g * case.gradient(jnp, x),),
    )
    return _accepted(
        lambda: util.check_grads(f, (jnp.asarray(case.x),), order=1, modes=["rev"]),
        AssertionError,
    )


def with_torch(case: Case) -> str:
    """Return what ``torch.autograd.gradcheck`` says, in its fast mode if x is large."""
    torch = importlib.import_module("torch")

    class Function(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return case.value(torch, x)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * case.gradient(torch, ctx.saved_tensors[0])

    x = torch.tensor(case.x, requires_grad=True)
    is_large = case.x.size > 1000
    return _accepted(
        lambda: torch.autograd.gradcheck(Function.apply, (x,), fast_mode=is_large),
        RuntimeError,
    )


CHECKERS: dict[str, Callable[[Case], str]] = {
    "tensorgrad": with_tensorgrad,
    "autograd": with_autograd,
    "JAX": with_jax,
    "PyTorch": with_torch,
}


def compare() -> list[Row]:
    """Return what every checker that is installed says to every case."""
    known = {}
    for name, check in CHECKERS.items():
        try:
            check(CASES[0])
        except ImportError:
            continue
        known[name] = check
    rows = []
    for case in CASES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answers = {name: check(case) for name, check in known.items()}
        rows.append(Row(case.name, case.is_right, answers))
    return rows
