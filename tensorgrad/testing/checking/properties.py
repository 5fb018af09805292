"""What a derivative must satisfy without being compared with any difference."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.core.tensor import as_value
from tensorgrad.testing.checking.flat import Flat, Handwritten
from tensorgrad.testing.checking.judging import (
    CONFIRMED,
    INCONCLUSIVE,
    REFUTED,
    Check,
)
from tensorgrad.testing.points import LAYOUTS

__all__ = [
    "check_cotangent",
    "check_layouts",
    "check_memory",
    "find_randomness",
]

Pull = Callable[[Sequence[Any], Sequence[Any]], list[Any]]


def find_randomness(flat: Flat, arrays: Sequence[Array]) -> Check | None:
    """Return a check that failed if two calls at one point differ, naming the cause."""
    before = _global_state()
    hidden = _generators_of(flat.f)
    states = {name: repr(g.bit_generator.state) for name, g in hidden.items()}
    first, second = ([as_value(r) for r in flat(*arrays)] for _ in range(2))
    pairs = zip(first, second, strict=True)
    if all(np.array_equal(a, b, equal_nan=True) for a, b in pairs):
        return None
    moved = [n for n, g in hidden.items() if repr(g.bit_generator.state) != states[n]]
    if moved:
        cause = f"it draws from the generator {moved[0]!r}: dropout, or noise"
    elif _global_state() != before:
        cause = "it draws from NumPy's global random state"
    else:
        cause = "something that changes between two calls"
    reason = f"two calls at one point differ: {cause}; pass a generator as an argument"
    return Check("same twice", "the function", INCONCLUSIVE, reason)


def _global_state() -> str:
    return repr(np.random.get_state(legacy=False))  # noqa: NPY002  # to see it used


def _generators_of(f: Any) -> dict[str, np.random.Generator]:
    """Return the generators that a function reaches by its closure or its globals."""
    try:
        reached = inspect.getclosurevars(f)
    except TypeError:
        return {}
    found = {**reached.globals, **reached.nonlocals}
    return {k: v for k, v in found.items() if isinstance(v, np.random.Generator)}


def check_cotangent(
    pull: Pull, arrays: Sequence[Array], weights: Sequence[Array], name: str
) -> Check:
    """Check that adjoints are linear in the cotangent: doubled, and added up."""
    once = pull(arrays, weights)
    twice = pull(arrays, [2.0 * w for w in weights])
    where = "the cotangent"
    for a, b in zip(once, twice, strict=True):
        if np.array_equal(2.0 * a, b, equal_nan=True):
            continue
        if np.array_equal(a, b, equal_nan=True):
            return Check(name, where, REFUTED, "it ignores the cotangent")
        slack = 1e-5 * np.abs(b).max(initial=0.0)
        if not (np.abs(2.0 * a - b) <= slack).all():
            return Check(name, where, REFUTED, "it is not linear in the cotangent")
    # A part of the results at a time, so that the whole is no multiple of either.
    upper = [np.where(np.arange(w.size).reshape(w.shape) % 2, w, 0.0) for w in weights]
    lower = [w - u for w, u in zip(weights, upper, strict=True)]
    parts = zip(pull(arrays, upper), pull(arrays, lower), once, strict=True)
    for a, b, both in parts:
        slack = 1e-5 * max(np.abs(a).max(initial=0.0), np.abs(b).max(initial=0.0))
        gap = np.abs(a + b - both)
        if (gap > slack).any():
            return Check(name, where, REFUTED, "it is not linear in the cotangent")
    return Check(name, where, CONFIRMED)


def check_memory(
    claim: Handwritten, arrays: Sequence[Array], weights: Sequence[Array]
) -> Check:
    """Check that a handwritten gradient leaves its inputs alone and returns its own."""
    given = [np.array(a) for a in arrays]
    cotangents = [np.array(w) for w in weights]
    results = [r for r in claim.raw(given, cotangents) if isinstance(r, np.ndarray)]
    names = claim.arguments.names
    for name, array, original in zip(names, given, arrays, strict=True):
        if not np.array_equal(array, original, equal_nan=True):
            return Check("memory", name, REFUTED, "it writes to its input")
    for k, result in enumerate(results):
        for name, array in zip(names, given, strict=True):
            if np.may_share_memory(result, array):
                return Check("memory", name, REFUTED, "it returns an input's memory")
        for other, later in enumerate(results[k + 1 :], k + 1):
            if np.may_share_memory(result, later):
                where = f"{names[k]} and {names[other]}"
                return Check("memory", where, REFUTED, "two gradients share memory")
    return Check("memory", "all arguments", CONFIRMED)


def check_layouts(
    pull: Pull,
    arrays: Sequence[Array],
    weights: Sequence[Array],
    names: Sequence[str],
    noise: Sequence[Array],
    eps: float,
) -> Check:
    """Check that a gradient does not depend on how the same values lie in memory."""
    expected = pull([LAYOUTS["C"](a) for a in arrays], weights)
    for layout, arranged in LAYOUTS.items():
        try:
            found = pull([arranged(a) for a in arrays], weights)
        except Exception as error:  # noqa: BLE001  # it ran on the same values before
            reason = f"it raises {type(error).__name__} where the argument is {layout}"
            return Check("layouts", "all arguments", REFUTED, f"{reason} in memory")
        for name, a, b, off in zip(names, expected, found, noise, strict=True):
            slack = 4.0 * off + 1e3 * eps * np.abs(a).max(initial=0.0)
            with np.errstate(invalid="ignore"):
                differs = ~(np.abs(a - b) <= slack) & ~(np.isnan(a) & np.isnan(b))
            if differs.any() and not np.array_equal(a, b, equal_nan=True):
                reason = f"it is another one where the argument is {layout} in memory"
                return Check("layouts", name, REFUTED, reason)
    return Check("layouts", "all arguments", CONFIRMED)
