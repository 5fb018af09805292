"""Checks of the arguments that the functions of this package share."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from tensorgrad._typing import Array, Rng
from tensorgrad.errors import ArgumentError, DataError, ShapeError, explain

from .rows import Rows, as_rows

__all__ = ["check_arrays", "check_count", "check_pair", "make_generator", "nearest"]


def make_generator(caller: str, rng: Rng) -> np.random.Generator:
    """Return the generator that a seed stands for; a generator passes through."""
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and rng >= 0:
        return np.random.default_rng(int(rng))
    raise ArgumentError(
        explain(
            caller,
            f"rng is {rng!r}",
            "a seed (an integer of at least 0) or a numpy.random.Generator",
            "Pass rng=0, or numpy.random.default_rng(0)",
        )
    )


def check_count(caller: str, name: str, value: Any, least: int = 1) -> int:
    """Return `value` as an int, or say why it counts nothing."""
    try:
        count = -1 if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        count = -1
    if count < least:
        raise ArgumentError(
            explain(
                caller,
                f"{name} is {value!r}",
                f"an integer of at least {least}",
                f"Pass {name}={max(least, 1)} or more",
            )
        )
    return count


def check_pair(caller: str, x: Any, y: Any) -> tuple[Rows, Rows]:
    """Return `x` and `y` as rows, one for each example, without copying or reading."""
    x, y = as_rows(caller, "x", x), as_rows(caller, "y", y)
    if x.ndim == 0 or y.ndim == 0 or x.shape[0] != y.shape[0]:
        raise ShapeError(
            explain(
                caller,
                f"x has shape {x.shape} and y has shape {y.shape}",
                "as many rows in x as in y, one per example",
                "Transpose the array that holds its examples in columns, or pass the "
                "labels that belong to x",
            )
        )
    if x.shape[0] == 0:
        raise DataError(
            explain(
                caller,
                f"x has shape {x.shape}: it has no examples",
                "at least one row",
                "Check the filter or the file that x comes from",
            )
        )
    return x, y


def check_arrays(caller: str, x: Any, y: Any) -> tuple[Array, Array]:
    """Return `x` and `y` as arrays, for what picks rows in any order.

    A memory-mapped array comes back as an ndarray over the same map: a subclass
    would follow the rows into every result.
    """
    pair = check_pair(caller, x, y)
    for name, rows in zip("xy", pair, strict=True):
        if not isinstance(rows, np.ndarray):
            raise ArgumentError(
                explain(
                    caller,
                    f"{name} is a {type(rows).__name__}, which gives slices only",
                    "an array, or a .npy file, of which rows are picked",
                    "Read it into an array first, x[:], if it fits into memory",
                )
            )
    return np.asarray(pair[0]), np.asarray(pair[1])


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint at the known name that looks most like `name`, or the names.

    Examples
    --------
    >>> nearest("Sepcies", ["length", "species"])
    "Did you mean 'species'?"
    >>> nearest("q", ["length", "species"])
    "There are 'length', 'species'"
    """
    names = list(known)
    folded = {n.casefold(): n for n in reversed(names)}
    close = difflib.get_close_matches(name.casefold(), folded, n=1)
    if close:
        return f"Did you mean {folded[close[0]]!r}?"
    shown = ", ".join(repr(n) for n in names[:8])
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"There are {shown}{more}"
