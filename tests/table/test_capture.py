"""Every op on abstract values: shapes and dtypes without data, forward and reverse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tensorgrad.autodiff.forward import tangent
from tensorgrad.autodiff.gradients import gradients
from tensorgrad.core.aval import Aval, aval_of
from tensorgrad.core.tensor import Tensor
from tests.table.cases import (
    CASES,
    DIFFERENTIABLE,
    Case,
    abstract,
    leaves,
    outputs,
    parameters,
    point,
)
from tests.table.derivatives import weighted

MOVING = [case for case in CASES if point(case).moving]
differentiable = pytest.mark.parametrize("case", parameters(DIFFERENTIABLE))


def ones(result: Any) -> Any:
    return np.ones(result.shape, result.dtype)


def avals(results: list[Any]) -> list[Aval]:
    return [aval_of(getattr(r, "_value", r)) for r in results]


@pytest.mark.parametrize("case", parameters(MOVING))
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_capture_gives_abstract_tensors_of_the_eager_shapes_and_dtypes(
    case: Case, dtype: type
) -> None:
    at = point(case, dtype)
    eager = [aval_of(np.asarray(out)) for out in outputs(at(*at.moved))]
    captured = outputs(at(*abstract(at)))
    assert [type(t) for t in captured] == [Tensor] * len(eager)
    assert [t._value for t in captured] == eager


@differentiable
def test_reverse_sweep_under_capture_gives_abstract_adjoints(case: Case) -> None:
    at = point(case)
    xs = abstract(at)
    results = outputs(at(*xs))
    total = weighted(results, [ones(r) for r in results])
    found = gradients(total, xs, unused="zero")
    assert avals(found) == [aval_of(v) for v in at.moved]


@differentiable
def test_recorded_sweep_under_capture_gives_abstract_adjoints(case: Case) -> None:
    at = point(case)
    xs = abstract(at)
    results = outputs(at(*xs))
    total = weighted(results, abstract_like(results))
    found = gradients(total, xs, create_graph=True, unused="zero")
    assert avals(found) == [aval_of(v) for v in at.moved]


def abstract_like(results: list[Any]) -> list[Any]:
    return leaves(avals(results))


@differentiable
def test_forward_mode_under_capture_gives_abstract_tangents(case: Case) -> None:
    at = point(case)
    xs, ts = abstract(at), abstract(at)
    out = at(*xs)
    operands, tangents = list(at.operands), [None] * len(at.operands)
    for i, x, t in zip(at.moving, xs, ts, strict=True):
        operands[i], tangents[i] = x, t
    moved = tangent(at.op, operands, tangents, static=at.static, out=out)
    found = [
        r if t is None else t for t, r in zip(outputs(moved), outputs(out), strict=True)
    ]
    assert avals(found) == avals(outputs(out))
