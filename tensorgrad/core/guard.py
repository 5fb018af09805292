"""Guards: a plain array that a rule needs later must not change meanwhile.

Small arrays are copied. Of a large one a sample of entries is remembered and
compared when the rule uses it. docs/decisions/guards.md has the figures.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.errors import GraphError, explain

__all__ = ["COPY_BYTES", "Guard", "is_immutable"]

COPY_BYTES = 4096
SAMPLES = 61  # prime, so that the stride rarely follows a row length


def sample(array: Array) -> bytes:
    """Return the bytes of entries spread evenly over the array, both ends included."""
    flags = array.flags
    # A flat view costs a fraction of an iterator over a strided array.
    if flags.c_contiguous:
        flat: Any = array.reshape(-1)
    elif flags.f_contiguous:
        flat = array.T.reshape(-1)
    else:
        flat = array.flat
    step = max(array.size // SAMPLES, 1)
    return flat[::step].tobytes() + flat[-1:].tobytes()


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

    __slots__ = ("array", "fingerprint", "op_name")

    def __init__(self, array: Array, op_name: str) -> None:
        self.array = array
        self.fingerprint = sample(array)
        self.op_name = op_name

    def check(self) -> None:
        """Raise GraphError if a sampled entry differs from what it was."""
        if sample(self.array) != self.fingerprint:
            shape = self.array.shape
            raise GraphError(
                explain(
                    f"gradient of {self.op_name}",
                    f"the plain array of shape {shape} that it multiplies or indexes "
                    "was written to after the operation was recorded",
                    "the values that the forward pass saw",
                    "Pass a copy (a.copy()), or write to the array after the gradient",
                )
            )
