"""Checks of arguments that layers and initialisers share."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, DTypeError, explain

__all__ = ["check_count", "check_dtype", "make_generator", "nearest"]


def make_generator(caller: str, rng: Any) -> np.random.Generator:
    """Return the generator that a seed stands for; None draws one from the system.

    Examples
    --------
    >>> make_generator("Dense", 0).integers(10)
    np.int64(8)
    """
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is None:
        return np.random.default_rng()
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


def check_count(caller: str, name: str, value: Any) -> int:
    """Return a size as an int, or say why it is none.

    Examples
    --------
    >>> check_count("Dense", "n_in", 3)
    3
    """
    try:
        count = 0 if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        count = 0
    if count < 1:
        raise ArgumentError(
            explain(
                caller,
                f"{name} is {value!r}",
                "an integer of at least 1",
                f"Pass {name} as a number of features",
            )
        )
    return count


def check_dtype(caller: str, dtype: Any) -> np.dtype[Any]:
    """Return a dtype that parameters can have; None is float64.

    Examples
    --------
    >>> check_dtype("Dense", None)
    dtype('float64')
    """
    try:
        found = np.dtype(np.float64 if dtype is None else dtype)
    except TypeError:
        found = np.dtype(object)
    if found.kind not in "fc":
        raise DTypeError(
            explain(
                caller,
                f"dtype is {dtype!r}",
                "a floating or complex dtype, since parameters have gradients",
                "Pass dtype=np.float64 or dtype=np.float32",
            )
        )
    return found


def nearest(name: Any, known: Iterable[str]) -> str:
    """Return a hint at the known name that looks most like ``name``.

    Examples
    --------
    >>> nearest("rellu", ["tanh", "relu"])
    "Did you mean 'relu'?"
    """
    names = list(known)
    close = difflib.get_close_matches(str(name).casefold(), names, n=1, cutoff=0.4)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Choose one of {', '.join(repr(n) for n in names)}"
