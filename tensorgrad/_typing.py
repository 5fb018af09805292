"""Aliases that the whole package uses in its signatures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
"""An array of any shape and dtype: NumPy's own parameters carry no more here."""

Scalar: TypeAlias = bool | int | float | complex | np.generic
Shape: TypeAlias = tuple[int, ...]
Axis: TypeAlias = int | tuple[int, ...] | None

Tree: TypeAlias = Any
"""Nested tuples, lists, dicts and modules with arrays or Tensors as leaves.

A recursive alias would reject the user's own module classes, hence `Any`.
"""

Rng: TypeAlias = "int | np.random.Generator | None"
"""A seed, a generator, or None where the caller wants no randomness.

In quotes, since looking ``np.random`` up would import it: a third of the whole import.
"""

ArrayLike: TypeAlias = Array | Scalar | Sequence[Any]
