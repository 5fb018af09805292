"""Values, shapes and dtypes of every op at every example, against NumPy by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tensorgrad.core.aval import Aval, aval_of
from tensorgrad.core.pool import POOL_BYTES
from tensorgrad.ops import TABLE
from tests.table.cases import (
    CASES,
    Case,
    Point,
    accepts_complex,
    frozen,
    leaves,
    numpy_accepts_complex,
    outputs,
    parameters,
    point,
    with_shapes,
)

every_case = pytest.mark.parametrize("case", parameters(CASES))
precision = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def given(value: Any) -> Any:
    """Return an operand as a shape rule gets it: Python numbers arrive as themselves."""
    return value if isinstance(value, (bool, int, float, complex)) else aval_of(value)


def predicted(at: Point) -> list[Aval]:
    """Return what the shape rule says of the results."""
    operands = [None if v is None else given(v) for v in at.operands]
    return outputs(at.op.shape_rule(*operands, **at.static))


def same(one: Any, other: Any) -> bool:
    """Tell whether values agree bit by bit, NaN and signs of zero included."""
    first, second = np.asarray(one), np.asarray(other)
    return (
        first.shape == second.shape
        and first.dtype == second.dtype
        and np.array_equal(first, second, equal_nan=first.dtype.kind in "fc")
        and np.array_equal(np.signbit(first.real), np.signbit(second.real))
    )


@every_case
@precision
def test_shape_rule_foretells_shape_and_dtype(case: Case, dtype: type) -> None:
    at = point(case, dtype)
    found = [aval_of(np.asarray(out)) for out in outputs(at(*at.moved))]
    assert predicted(at) == found


# ------------------------------------------------------------------- NumPy by name


def named(function: Any) -> Any:
    """Return NumPy's function of this name, looked up and not taken from the entry."""
    module = np.linalg if "linalg" in getattr(function, "__module__", "") else np
    return getattr(module, function.__name__)


def numpy_pairs() -> list[Any]:
    """Return each case with each NumPy function that its op implements."""
    return [
        pytest.param(case, function, id=f"{case.name}-{function.__name__}")
        for case in CASES
        for function in case.op.numpy
    ]


def parameters_of(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return a function's parameters; those of C take any name before NumPy 2.4."""
    try:
        return inspect.signature(function).parameters
    except ValueError:
        return inspect.signature(lambda *args, **kwargs: None).parameters


def numpy_arguments(
    function: Any, case: Case, operands: tuple[Any, ...]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return a case's arguments as NumPy's function takes them.

    A static argument goes by its name where NumPy has one of this name, and by its
    place where not (``newshape`` of NumPy 2.0). A `subscripts` comes first.
    """
    static = dict(case.example.static)
    first = (static.pop("subscripts"),) if "subscripts" in static else ()
    if case.op.is_variadic:
        # einsum takes its operands one by one, the others take a sequence.
        operands = (*first, *operands) if first else (operands,)
    if isinstance(function, np.ufunc):
        return operands, static
    known = parameters_of(function)
    by_place = tuple(value for name, value in static.items() if name not in known)
    by_name = {name: value for name, value in static.items() if name in known}
    is_open = any(p.kind is p.VAR_KEYWORD for p in known.values())
    return (operands, static) if is_open else ((*operands, *by_place), by_name)


@pytest.mark.parametrize(("case", "function"), numpy_pairs())
def test_value_is_that_of_the_numpy_function(
    case: Case, function: Callable[..., Any]
) -> None:
    at = point(case)
    args, static = numpy_arguments(function, case, at.operands)
    wanted = outputs(named(function)(*args, **static))
    found = outputs(at(*at.moved))
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        # Ops that reorder a sum or a product for speed may differ by roundings.
        np.testing.assert_allclose(one, other, rtol=1e-14, atol=1e-14, strict=True)


@pytest.mark.parametrize(("case", "function"), numpy_pairs())
def test_numpy_function_of_tensors_is_the_op(
    case: Case, function: Callable[..., Any]
) -> None:
    at = point(case)
    operands = list(at.operands)
    for i, leaf in zip(at.moving, leaves(at.moved), strict=True):
        operands[i] = leaf
    args, static = numpy_arguments(function, case, tuple(operands))
    found = [values_of(out) for out in outputs(named(function)(*args, **static))]
    wanted = [np.asarray(out) for out in outputs(at(*at.moved))]
    assert all(map(same, found, wanted))


def values_of(result: Any) -> Any:
    return getattr(result, "_value", result)


# -------------------------------------------------------------------- kinds of input


@every_case
def test_result_does_not_depend_on_the_operands_layout(case: Case) -> None:
    at = point(case)
    wanted = outputs(at(*at.moved))
    strided = [frozen(in_steps(value)) for value in at.moved]
    for one, other in zip(outputs(at(*strided)), wanted, strict=True):
        # Sums run in another order through another layout.
        np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-13)


def in_steps(value: Any) -> Any:
    """Return the same entries in Fortran order, two apart."""
    wide = np.zeros((*value.shape, 2), value.dtype, order="F")
    wide[..., 0] = value
    return wide[..., 0]


def elementwise(shape: tuple[int, ...]) -> list[Any]:
    """Return the first case of each pointwise op, with another shape everywhere."""
    first = {case.op: case for case in reversed(CASES) if is_elementwise(case)}
    return parameters([with_shapes(case, lambda _: shape) for case in first.values()])


def is_elementwise(case: Case) -> bool:
    is_pointwise = case.op.kind == "Pointwise" or case.op.ufunc is not None
    return is_pointwise and not case.op.is_matmul and is_of_shapes(case)


def is_of_shapes(case: Case) -> bool:
    """Tell whether the example is made of shapes and numbers: it may take any size."""
    given_arrays = [o for o in case.example.operands if isinstance(o, np.ndarray)]
    return not given_arrays and not case.example.static


@pytest.mark.parametrize("case", elementwise(()))
def test_scalar_operands_give_a_scalar(case: Case) -> None:
    at = point(case)
    assert np.shape(at(*at.moved)) == ()


@pytest.mark.parametrize("case", elementwise((2, 0, 3)))
def test_empty_operands_give_an_empty_result(case: Case) -> None:
    at = point(case)
    assert np.shape(at(*at.moved)) == (2, 0, 3)


@pytest.mark.parametrize("case", parameters([c for c in CASES if c.op.is_constant]))
def test_constant_results_are_plain(case: Case) -> None:
    at = point(case)
    result = at(*leaves(at.moved))
    assert isinstance(result, (np.ndarray, np.generic, bool, int))


def refused() -> list[Case]:
    """Return the cases that NumPy computes of complex numbers and the op does not."""
    return [c for c in CASES if numpy_accepts_complex(c) and not accepts_complex(c)]


@pytest.mark.parametrize(
    "case", parameters([c for c in CASES if c.op.kind in ("Pointwise", "Linear")])
)
def test_op_takes_complex_numbers_where_numpy_does(case: Case) -> None:
    assert case not in refused()


# -------------------------------------------------------------------- faster ways


def large(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape of at least 64 KiB with the same axes of size 1."""
    wide = tuple(n if n == 1 else n * 64 for n in shape[-2:])
    return (*shape[:-2], *wide) if len(shape) > 1 else tuple(n * 128 for n in wide)


def flat_and_large(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Like `large`, for shapes whose last axes must fit those of others."""
    return (*shape[:-2], *(n if n == 1 else n * 64 for n in shape[-2:]))


def pooled_cases() -> list[Any]:
    """Return examples of the ops that write into pooled memory, large enough for it."""
    fitting = [case for case in CASES if case.op.ufunc and is_of_shapes(case)]
    changed = [
        with_shapes(case, flat_and_large if has_several_shapes(case) else large)
        for case in fitting
    ]
    return [case for case in changed if is_pooled(case)]


def has_several_shapes(case: Case) -> bool:
    return len({len(o) for o in case.example.operands if isinstance(o, tuple)}) > 1


def is_pooled(case: Case) -> bool:
    sizes = [
        np.prod(o, dtype=int) for o in case.example.operands if isinstance(o, tuple)
    ]
    return max(sizes, default=0) * 8 >= POOL_BYTES and case.op.kink is None


POOLED = pooled_cases()


@pytest.mark.parametrize("case", parameters(POOLED))
def test_large_results_agree_bitwise_with_the_forward_function(case: Case) -> None:
    at = point(case)
    assert same(values_of(at(*leaves(at.moved))), at.op.forward(*at.operands))


@pytest.mark.parametrize("case", parameters(POOLED))
def test_large_result_keeps_its_entries_while_others_are_made(case: Case) -> None:
    at = point(case)
    first = values_of(at(*leaves(at.moved)))
    before = first.copy()
    turned = [np.ascontiguousarray(np.flip(value, -1)) for value in at.moved]
    others = [values_of(at(*leaves(turned))) for _ in range(3)]
    assert len(others) == 3
    assert same(first, before)


def short_cases() -> list[Case]:
    """Return the cases that the short cuts of the core are made for."""
    return [
        case
        for case in CASES
        if not case.op.is_variadic
        and case.op.adapt is None
        and case.op.n_outputs is None
        and not point(case).static
        and point(case).moving
    ]


def in_public_form(case: Case) -> Point:
    """Return the point with the public function in the place of the general way."""
    at = point(case)
    return replace(at, op=TABLE[case.op.name])


def saved_by(result: Any) -> list[Any]:
    """Return what the node of a result keeps, and None where there is no node."""
    node = getattr(result, "_node", None)
    saved = None if node is None else node.saved
    return list(saved) if isinstance(saved, tuple) else [saved]


@pytest.mark.parametrize("case", parameters(short_cases()))
def test_short_cut_agrees_bitwise_with_the_general_way(case: Case) -> None:
    at = point(case)
    short, general = in_public_form(case)(*leaves(at.moved)), at(*leaves(at.moved))
    assert same(values_of(short), values_of(general))


@pytest.mark.parametrize("case", parameters(short_cases()))
def test_short_cut_saves_what_the_general_way_saves(case: Case) -> None:
    at = point(case)
    xs = leaves(at.moved)
    short, general = saved_by(in_public_form(case)(*xs)), saved_by(at(*xs))
    assert [v is None for v in short] == [v is None for v in general]
    assert all(same(a, b) for a, b in zip(short, general, strict=True) if a is not None)


@pytest.mark.parametrize("case", parameters(short_cases()))
def test_short_cut_records_the_same_parents(case: Case) -> None:
    at = point(case)
    xs = leaves(at.moved)
    short, general = in_public_form(case)(*xs), at(*xs)
    assert parents_of(short) == parents_of(general)


def parents_of(result: Any) -> Any:
    node = getattr(result, "_node", None)
    return None if node is None else node.parents
