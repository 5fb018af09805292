"""What the C printer works on: loops over arrays instead of ops on arrays.

Four kinds of statement: a map computes each entry of an array by one expression, a
reduction runs over the axes of an array, a product multiplies two matrices, a copy puts
entries in C order. Transposing,
reshaping, slicing and broadcasting are no statements: a `Ref` reads an array's memory with
other strides.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np

from tensorgrad._typing import Shape

__all__ = [
    "Copy",
    "Map",
    "Nest",
    "Product",
    "Reduce",
    "Ref",
    "Statement",
    "Value",
    "broadcast",
    "natural",
    "on_rows",
    "reshape",
    "transpose",
    "whole",
]

DType: TypeAlias = "np.dtype[Any]"


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """An array in memory of its own, in C order; each is its own."""

    shape: Shape
    dtype: DType

    @property
    def size(self) -> int:
        """Number of entries."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Ref:
    """An array read with strides and an offset, counted in entries."""

    value: Value
    shape: Shape
    strides: tuple[int, ...]
    offset: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """``out[i] = code(operands[i])``, computed in ``compute``; text is a C literal."""

    out: Value
    code: str
    operands: tuple[Ref | str, ...]
    compute: tuple[DType, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Reduce:
    """``kind`` (sum, max, min) over the last axis, or all but the last, or all."""

    out: Value
    kind: str
    over: str
    operand: Ref


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """``out = start + factor * x @ y`` for matrices; without ``start`` from nothing."""

    out: Value
    x: Ref
    y: Ref
    factor: str = "1"
    start: Ref | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """``out[...] = x``, whatever the strides."""

    out: Value
    x: Ref


@dataclass(frozen=True, slots=True, eq=False)
class Nest:
    """A `Map` with a loop for each axis: operands whose rows have no one stride."""

    out: Value
    code: str
    operands: tuple[Ref | str, ...]
    compute: tuple[DType, ...]


Statement: TypeAlias = Map | Reduce | Product | Copy | Nest


def natural(shape: Shape) -> tuple[int, ...]:
    """Return the strides of C order.

    Examples
    --------
    >>> natural((2, 3, 4))
    (12, 4, 1)
    """
    return tuple(prod(shape[k + 1 :]) for k in range(len(shape)))


def whole(value: Value) -> Ref:
    """Return a value read as it lies."""
    return Ref(value, value.shape, natural(value.shape))


def broadcast(ref: Ref, shape: Shape) -> Ref:
    """Return a reference to a larger shape, repeated by strides of 0.

    Examples
    --------
    >>> broadcast(whole(Value((3, 1), np.dtype(float))), (2, 3, 4)).strides
    (0, 1, 0)
    """
    missing = len(shape) - len(ref.shape)
    strides = [0] * missing
    for size, stride in zip(ref.shape, ref.strides, strict=True):
        strides.append(0 if size == 1 else stride)
    return Ref(ref.value, shape, tuple(strides), ref.offset)


def transpose(ref: Ref, axes: tuple[int, ...]) -> Ref:
    """Return a reference with the axes in another order."""
    shape = tuple(ref.shape[a] for a in axes)
    return Ref(ref.value, shape, tuple(ref.strides[a] for a in axes), ref.offset)


def reshape(ref: Ref, shape: Shape) -> Ref | None:
    """Return a reference of another shape, or None if strides cannot say it.

    Examples
    --------
    >>> value = Value((4, 1), np.dtype(float))
    >>> reshape(transpose(whole(value), (1, 0)), (2, 2)).strides
    (2, 1)
    >>> reshape(transpose(whole(Value((4, 2), np.dtype(float))), (1, 0)), (8,)) is None
    True
    """
    kept = [(n, s) for n, s in zip(ref.shape, ref.strides, strict=True) if n != 1]
    if [n for n, _ in kept] == [n for n in shape if n != 1]:
        left = iter(kept)
        strides = tuple(0 if n == 1 else next(left)[1] for n in shape)
        return Ref(ref.value, shape, strides, ref.offset)
    is_plain = tuple(s for _, s in kept) == natural(tuple(n for n, _ in kept))
    return Ref(ref.value, shape, natural(shape), ref.offset) if is_plain else None


def on_rows(ref: Ref) -> tuple[int, int, int] | None:
    """Return stride of rows, stride of columns and offset, all leading axes being rows.

    A stride along one entry is 0, so that equal places have equal strides.

    Examples
    --------
    >>> on_rows(whole(Value((5, 2, 3), np.dtype(float))))
    (3, 1, 0)
    """
    if not ref.shape:
        return (0, 0, ref.offset)
    *lead, n_columns = ref.shape
    *steps, column = ref.strides
    row, below = 0, 1
    for n, step in zip(reversed(lead), reversed(steps), strict=True):
        if n == 1:
            continue
        if below == 1:
            row = step
        elif step != row * below:
            return None
        below *= n
    return (row, 0 if n_columns == 1 else column, ref.offset)
