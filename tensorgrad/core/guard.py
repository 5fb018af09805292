"""Guards: a plain array that a rule needs later must not change meanwhile.

Small arrays are copied. Of a large one a sample of entries is remembered and
compared when the rule uses it. docs/decisions/guards.md has the figures.
"""

from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.errors import GraphError, explain

__all__ = ["COPY_BYTES", "Guard", "is_immutable"]

COPY_BYTES = 4096
SAMPLES = 61


def sampled(array: Array) -> Any:
    """Return a strided view of entries spread evenly over the array."""
    flags = array.flags
    if flags.c_contiguous:
        return array.reshape(-1)[:: stride_of(array)]
    if flags.f_contiguous:
        return array.T.reshape(-1)[:: stride_of(array.T)]
    return _Flat(array, stride_of(array))


def stride_of(array: Array) -> int:
    """Return a step through the entries in C order that meets each column in turn.

    One that has a factor in common with the length of a row would see only some of
    the columns, and miss that another one was written to.
    """
    step = max(array.size // SAMPLES, 1)
    length = array.shape[-1] if array.shape else 1
    while gcd(step, length) > 1:
        step -= 1
    return step


class _Flat:
    """What `sampled` is for an array that has no flat view."""

    __slots__ = ("array", "step")

    def __init__(self, array: Array, step: int) -> None:
        self.array = array
        self.step = step

    def tobytes(self) -> bytes:
        """Return the entries' bytes, read now."""
        return self.array.flat[:: self.step].tobytes()


def is_immutable(array: Array) -> bool:
    """Tell whether nobody can write to the array through a flag that is still set."""
    holder: Any = array
    while type(holder) is np.ndarray:
        if holder.flags.writeable:
            return False
        holder = holder.base
    return holder is None


class Guard:
    """A large foreign array, and what a sample of it was when the op was applied."""

    __slots__ = ("entries", "fingerprint", "op_name", "shape")

    def __init__(self, array: Array, op_name: str) -> None:
        self.entries = sampled(array)
        self.fingerprint = self.entries.tobytes()
        self.op_name = op_name
        self.shape = array.shape

    def check(self) -> None:
        """Raise GraphError if a sampled entry differs from what it was."""
        if self.entries.tobytes() != self.fingerprint:
            raise GraphError(
                explain(
                    f"gradient of {self.op_name}",
                    f"the plain array of shape {self.shape} that it multiplies or "
                    "indexes was written to after the operation was recorded",
                    "the values that the forward pass saw",
                    "Pass a copy (a.copy()), or write to the array after the gradient",
                )
            )
