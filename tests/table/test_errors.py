"""What every op says to operands and arguments that it cannot take."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.core.op import static_defaults
from tensorgrad.ops import TABLE

FOUR_PARTS = re.compile(r"[^:]+: .+: expected .+[.'\"?)\]] .+[.?]", re.DOTALL)

SHAPES = (
    ((3, 4), (5, 2)),
    ((3,), (4,)),
    ((2, 2, 3), (3, 2, 2)),
    ((0, 3), (2, 3)),
    ((), (2,)),
    ((7,), (7,)),
    ((2, 3, 4, 5), ()),
)

NO_NUMBERS = (
    "text",
    np.array(["a"]),
    np.array([None]),
    np.array(["2020"], dtype="M8[D]"),
    np.ma.array([1.0]),
    [[1], [1, 2]],
    object(),
    {"a": 1},
    lambda: 0,
)

NO_ARGUMENTS = (17, -17, "x", 1.5, (0, 0), (0, 1, 2, 3, 4), object(), [], {"a": 1})

NAMES = sorted(TABLE)
WITH_AXIS = [name for name in NAMES if "axis" in static_defaults(TABLE[name].op)]
MATCHING = ("add", "matmul", "dot", "concatenate", "stack", "maximum", "inner")
"""Ops to which (3, 4) and (5, 2) mean nothing together."""


NUMBERS_ONLY = [
    name for name in NAMES if name not in {"isfinite", "isinf", "isnan", "logical_not"}
]
"""Plain dates and objects get NumPy's own answer from the four that are left out."""


def filled(shape):
    return tg.tensor(np.arange(np.prod(shape, dtype=int)).reshape(shape) % 3 + 1.0)


def prepared(example):
    """Return the operands of an example, shapes filled, and where arrays stand."""
    operands = [filled(x) if _is_shape(x) else x for x in example.operands]
    places = [
        i for i, x in enumerate(operands) if isinstance(x, (tg.Tensor, np.ndarray))
    ]
    return operands, places


def _is_shape(value):
    return isinstance(value, tuple) and all(isinstance(n, int) for n in value)


def called(op, operands, static):
    """Return what a call of an op raises, or None; NumPy's own warnings are no matter."""
    values = [operands] if op.op.is_variadic else operands
    if op.op.name == "einsum":  # its subscripts come first
        static = dict(static)
        values = [static.pop("subscripts"), *operands]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            op(*values, **static)
        except Exception as error:  # noqa: BLE001  # what it is, is the question
            return error
    return None


def unclear(errors):
    """Return those that are not ours, or have not four parts."""
    return [
        f"{type(error).__name__}: {error}"
        for error in errors
        if error is not None
        and not (
            isinstance(error, tg.TensorgradError) and FOUR_PARTS.fullmatch(str(error))
        )
    ]


def with_operand(operands, place, value):
    return [*operands[:place], value, *operands[place + 1 :]]


@pytest.mark.parametrize("name", NAMES)
def test_shapes_that_do_not_fit_are_explained(name):
    op, errors = TABLE[name], []
    for example in op.op.examples:
        operands, places = prepared(example)
        for first, second in SHAPES:
            wrong = list(operands)
            for k, place in enumerate(places):
                wrong[place] = filled(second if k else first)
            errors.append(called(op, wrong, example.static))
            errors += [
                called(op, with_operand(operands, i, filled(first)), example.static)
                for i in places
            ]
    assert unclear(errors) == []


@pytest.mark.parametrize("name", MATCHING)
def test_shapes_that_mean_nothing_are_refused(name):
    error = called(TABLE[name], [filled((3, 4)), filled((5, 2))], {})
    assert isinstance(error, tg.ShapeError)


@pytest.mark.parametrize("name", NUMBERS_ONLY)
def test_operands_that_are_no_numbers_are_explained(name):
    op = TABLE[name]
    operands, places = prepared(op.op.examples[0])
    errors = [
        called(op, with_operand(operands, place, value), op.op.examples[0].static)
        for place in places
        for value in NO_NUMBERS
    ]
    assert None not in errors
    assert unclear(errors) == []


@pytest.mark.parametrize("name", NAMES)
def test_static_arguments_of_a_wrong_kind_are_explained(name):
    op = TABLE[name]
    operands, _ = prepared(op.op.examples[0])
    errors = [
        called(op, operands, {**op.op.examples[0].static, argument: value})
        for argument in static_defaults(op.op)
        for value in NO_ARGUMENTS
    ]
    assert unclear(errors) == []


@pytest.mark.parametrize("name", WITH_AXIS)
@pytest.mark.parametrize("axis", [17, -17])
def test_axis_that_is_not_there_is_refused(name, axis):
    operands, _ = prepared(TABLE[name].op.examples[0])
    static = {**TABLE[name].op.examples[0].static, "axis": axis}
    error = called(TABLE[name], operands, static)
    assert isinstance(error, tg.TensorgradError)


@pytest.mark.parametrize("name", ["concatenate", "stack"])
@pytest.mark.parametrize("value", [None, 1.0, object()])
def test_operands_that_are_no_sequence_are_explained(name, value):
    with pytest.raises(tg.UnsupportedError, match=rf"expected a sequence.*{name}\(\["):
        getattr(tg, name)(value)


def test_array_beyond_the_memory_is_a_memory_error():
    x, y = np.broadcast_to(1.0, (10**8, 1)), np.broadcast_to(1.0, (1, 10**9))
    with pytest.raises(MemoryError, match="Unable to allocate"):
        tg.outer(x, y)
