"""One case for each example of each op of the table, and points to try them at.

All that a point needs comes from the entry: shapes are filled from the domain of
their operand, and drawn again until they keep away from the kinks.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from numpy.exceptions import ComplexWarning

from tensorgrad.core.aval import aval_of
from tensorgrad.core.node import Leaf
from tensorgrad.core.op import Example, Op, parameters_of, static_defaults
from tensorgrad.core.tensor import Tensor, wrap
from tensorgrad.errors import TensorgradError
from tensorgrad.ops import TABLE
from tensorgrad.testing.points import (
    DRAWS,
    KINK_DISTANCE,
    fill,
    frozen,
    is_shape,
    kink_distance,
)


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One example of one op."""

    op: Op
    example: Example
    number: int

    @property
    def name(self) -> str:
        return f"{self.op.name}-{self.number}"


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """Operands and static arguments, as `bind` takes them.

    ``moving`` counts the operands that are arrays of floating or complex numbers: those
    by which a derivative is asked for. ``shown`` counts those for show (losses from
    logits), which are made anew of operand 0 wherever it moves.
    """

    op: Op
    operands: tuple[Any, ...]
    static: dict[str, Any]
    moving: tuple[int, ...]
    shown: tuple[int, ...] = ()

    def __call__(self, *moved: Any) -> Any:
        """Apply the op, with other values or Tensors for the operands that move."""
        operands = list(self.operands)
        for i, value in zip(self.moving, moved, strict=True):
            operands[i] = value
        for i in self.shown:
            operands[i] = activation_of(self.op, operands[0], self.static)
        return self.op(*operands, **self.static)

    @property
    def moved(self) -> list[Any]:
        return [self.operands[i] for i in self.moving]


def activation_of(op: Op, logits: Any, static: dict[str, Any]) -> Any:
    """Return what an operand for show is made of the logits by, in every real call.

    Rules read it as a function of the logits, so it has to follow where those move: a
    second derivative would otherwise miss the whole of it, on both sides alike.
    """
    name = {"log_loss_of_logits": "sigmoid", "cross_entropy_of_logits": "softmax"}
    activation = TABLE[name[op.name]]
    used = static.keys() & static_defaults(activation.op).keys()
    return activation(logits, **{key: static[key] for key in used})


def generator(name: str, purpose: str = "point") -> np.random.Generator:
    """Return a generator whose seed is the name: no case depends on another's draws."""
    return np.random.default_rng(crc32(f"{name} {purpose}".encode()))


def point(case: Case, dtype: Any = np.float64) -> Point:
    """Return the point of a case: the same one in every run."""
    op = case.op
    rng = generator(case.name)
    static = {**static_defaults(op), **case.example.static}
    for _ in range(DRAWS):
        operands = fill(op, case.example, rng, dtype)
        is_complex = np.dtype(dtype).kind == "c"
        if is_complex or kink_distance(op, operands, static) >= KINK_DISTANCE:
            moving = moving_operands(op, operands)
            return Point(op, operands, static, moving, op.report_only)
    # Values written in the example lie on a kink: they stay, the filled shapes move.
    moving = tuple(
        i for i in moving_operands(op, operands) if is_shape(case.example.operands[i])
    )
    assert moving != moving_operands(op, operands), f"{case.name}: kinks everywhere"
    return Point(op, operands, static, moving, op.report_only)


def moving_operands(op: Op, operands: Sequence[Any]) -> tuple[int, ...]:
    """Return which operands are arrays that can move; those for show only cannot."""
    return tuple(
        i
        for i, value in enumerate(operands)
        if isinstance(value, np.ndarray)
        and value.dtype.kind in "fc"
        and i not in op.report_only
    )


def outputs(result: Any) -> list[Any]:
    """Return an op's results as a list, whether there are several or one."""
    return list(result) if isinstance(result, (tuple, list)) else [result]


def leaves(values: Sequence[Any]) -> list[Tensor]:
    """Return Tensors that start a graph."""
    return [wrap(value, Leaf()) for value in values]


# ------------------------------------------------------------------------ the cases


def cases_of(op: Op) -> list[Case]:
    """Return the cases of one op."""
    return [Case(op, example, k) for k, example in enumerate(op.examples)]


CASES = [case for f in dict.fromkeys(TABLE.values()) for case in cases_of(f.op)]


HUGE = 1e6
"""Results beyond it (the largest float for infinity) leave differences no digits."""


def is_moderate(result: Any) -> bool:
    """Tell whether a result is a number whose differences mean something."""
    array = np.asarray(result)
    return array.dtype.kind in "fc" and bool((np.abs(array) < HUGE).all())


@cache
def is_differentiable(case: Case) -> bool:
    """Tell whether there is anything to differentiate, and something to do it by."""
    at = point(case)
    is_smooth = not case.op.is_constant and bool(at.moving)
    return is_smooth and all(is_moderate(out) for out in outputs(at(*at.moved)))


def _runs(call: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error")
            call(*args, **kwargs)
    except (TypeError, ValueError, TensorgradError, ComplexWarning):
        return False
    return True


@cache
def accepts_complex(case: Case) -> bool:
    """Tell whether the op takes the case's operands as complex numbers."""
    at = point(case, np.complex128)
    # What is computed from logits has been checked by the function that users call.
    return bool(at.moving) and not at.op.report_only and _runs(at, *at.moved)


@cache
def numpy_accepts_complex(case: Case) -> bool:
    """Tell whether NumPy's function, or the forward function, takes complex numbers."""
    at = point(case, np.complex128)
    return bool(at.moving) and _runs(at.op.forward, *numpy_operands(at), **at.static)


def numpy_operands(at: Point) -> tuple[Any, ...]:
    """Return the operands as one sequence where the op takes a sequence."""
    return (at.operands,) if takes_sequence(at.op) else at.operands


def takes_sequence(op: Op) -> bool:
    """Tell whether the forward function has one parameter for all operands."""
    if not op.is_variadic:
        return False
    return not op.forward.__code__.co_flags & 0x04  # *args take them one by one


def parameters(cases: Sequence[Case]) -> list[Any]:
    """Return cases as pytest takes them, named after op and example."""
    return [pytest.param(case, id=case.name) for case in cases]


def is_real(case: Case) -> bool:
    """Tell whether all operands that move are real at the case's ordinary point."""
    return all(value.dtype.kind == "f" for value in point(case).moved)


DIFFERENTIABLE = [case for case in CASES if is_differentiable(case)]
SCALAR = [
    case
    for case in DIFFERENTIABLE
    if case.op.n_outputs is None and not np.shape(point(case)(*point(case).moved))
]
CONTINUED = [
    case
    for case in DIFFERENTIABLE
    if is_real(case) and (case.op.analytic is not None or accepts_complex(case))
]
COMPLEX = [case for case in CASES if accepts_complex(case)]
COMPLEX_DIFFERENTIABLE = [case for case in COMPLEX if is_differentiable(case)]


def of_kind(*kinds: str) -> list[Case]:
    """Return the differentiable cases of ops of some kinds."""
    return [case for case in DIFFERENTIABLE if case.op.kind in kinds]


def with_shapes(case: Case, change: Callable[[tuple[int, ...]], Any]) -> Case:
    """Return the case with other shapes in its example."""
    changed = tuple(change(o) if is_shape(o) else o for o in case.example.operands)
    return replace(case, example=Example(changed, case.example.static))


def abstract(at: Point) -> list[Tensor]:
    """Return Tensors of the moving operands' shapes and dtypes, without values."""
    return leaves([aval_of(value) for value in at.moved])


__all__ = [
    "CASES",
    "COMPLEX",
    "COMPLEX_DIFFERENTIABLE",
    "CONTINUED",
    "DIFFERENTIABLE",
    "SCALAR",
    "Case",
    "Point",
    "abstract",
    "cases_of",
    "frozen",
    "generator",
    "is_differentiable",
    "leaves",
    "of_kind",
    "outputs",
    "parameters",
    "parameters_of",
    "point",
    "with_shapes",
]
