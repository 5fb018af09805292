"""Abstract values: the shape and dtype of an array that is not there.

Capture runs a function on them; shape rules take and return them.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from tensorgrad._typing import Shape
from tensorgrad.errors import CaptureError, explain

__all__ = ["Aval", "aval_of"]


class Aval:
    """Shape and dtype without data. Compares and hashes by both."""

    __slots__ = ("dtype", "shape")
    # NumPy functions must refuse an abstract value instead of wrapping it in an
    # object array; `bind` turns the refusal into a message about capture.
    __array_ufunc__ = None

    def __init__(self, shape: Shape, dtype: np.dtype[Any]) -> None:
        self.shape = shape
        self.dtype = dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Aval)
            and self.shape == other.shape
            and self.dtype == other.dtype
        )

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))

    def __repr__(self) -> str:
        return f"{self.dtype.name}{list(self.shape)}"

    def __array__(self, dtype: object = None, copy: object = None) -> Any:
        raise CaptureError(
            explain(
                "reading a value under capture",
                f"an abstract {self!r}",
                "operations that depend on shape and dtype alone",
                "Use tg.where for a choice by value, or compute the value outside",
            )
        )


def aval_of(value: Any) -> Aval:
    """Return the abstract value of an array, a scalar or an abstract value.

    Examples
    --------
    >>> aval_of(np.zeros((2, 3)))
    float64[2, 3]
    """
    if type(value) is np.ndarray:
        return Aval(value.shape, value.dtype)
    if isinstance(value, Aval):
        return value
    array = np.asarray(value)
    return Aval(array.shape, array.dtype)
