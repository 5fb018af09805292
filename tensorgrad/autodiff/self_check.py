"""A pullback against differences, in one random direction."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.autodiff.differences import differentiate
from tensorgrad.core.aval import Aval
from tensorgrad.core.modes import switch
from tensorgrad.core.tensor import Tensor, as_value
from tensorgrad.tree import Structure, flatten, unflatten

__all__ = [
    "Comparison",
    "again",
    "as_entries",
    "compare_in_a_direction",
    "random_like",
    "widened",
]

STEP = 2.0**-6
RTOL = 1e-5
"""Of the terms of the derivative: any mistake worth the name is larger."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a pullback claims, what differences say, and how far these can be trusted."""

    claimed: float
    found: float
    error: float
    slack: float

    @property
    def is_settled(self) -> bool:
        """Whether the differences are good enough to tell."""
        return self.error <= self.slack

    @property
    def agrees(self) -> bool:
        """Whether claim and differences are the same, as far as can be told."""
        return abs(self.claimed - self.found) <= self.slack + 10 * self.error


def compare_in_a_direction(
    call: Callable[..., tuple[Any, Callable[..., Any]]],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Comparison | None:
    """Compare what a pullback makes of random numbers with differences of the values.

    Parameters
    ----------
    call : callable
        Returns (value, pullback) for arguments in double precision.
    args, kwargs
        The point: Tensors of floating or complex numbers are moved.

    Returns
    -------
    Comparison or None
        None where there is nothing to move, or the function takes no plain arrays.
    """
    leaves, structure = flatten((args, kwargs))
    points = {i: widened(as_value(v)) for i, v in enumerate(leaves) if _moves(v)}
    if not points:
        return None
    rng = np.random.default_rng(0)
    directions = {i: random_like(rng, point) for i, point in points.items()}

    def at(h: float) -> tuple[Any, Callable[..., Any]]:
        moved = [
            points[i] + h * directions[i] if i in points else again(v)
            for i, v in enumerate(leaves)
        ]
        new_args, new_kwargs = unflatten(structure, moved)
        with switch(record=False, forward=None):
            return call(*new_args, **new_kwargs)

    try:
        value, pullback = at(0.0)
        results, result_structure = flatten(value)
        weights = [random_like(rng, widened(as_value(r))) for r in results]
        with switch(record=False, forward=None):
            found = pullback(unflatten(result_structure, [w.copy() for w in weights]))
        products = _products(found, structure, len(args), directions)
    except (TypeError, ValueError):
        # Not written for plain arrays, or wrong in a way that the sweep will name.
        return None

    def phi(h: float) -> Any:
        moved = flatten(at(h)[0])[0]
        pairs = zip(weights, moved, strict=True)
        return sum(np.sum(w * as_value(r)).real for w, r in pairs)

    estimate = differentiate(phi, STEP)
    terms = sum(float(np.sum(np.abs(p))) for p in products)
    return Comparison(
        claimed=sum(float(np.sum(p).real) for p in products),
        found=float(estimate.value),
        error=float(estimate.error),
        slack=RTOL * max(terms, abs(float(estimate.value))),
    )


def _moves(leaf: Any) -> bool:
    return (
        isinstance(leaf, Tensor)
        and not isinstance(leaf._value, Aval)
        and leaf.dtype.kind in "fc"
    )


def as_entries(found: Any, n_args: int) -> Any:
    """Return what a pullback gave as entries by argument; one may come alone.

    Examples
    --------
    >>> as_entries(2.0, 1), as_entries((2.0,), 1)
    ((2.0,), (2.0,))
    """
    is_bare = n_args == 1 and not (isinstance(found, tuple) and len(found) == 1)
    return (found,) if is_bare else found


def again(leaf: Any) -> Any:
    """Return a generator as it was: every call has to draw the same numbers.

    Examples
    --------
    >>> again(3.0)
    3.0
    """
    return copy.deepcopy(leaf) if isinstance(leaf, np.random.Generator) else leaf


def _products(
    found: Any, structure: Structure, n_args: int, directions: dict[int, Array]
) -> list[Any]:
    """Return the terms of the derivative that a pullback claims."""
    places = unflatten(structure, list(range(structure.n_leaves)))[0]
    products = []
    for place, entry in zip(places, as_entries(found, n_args), strict=True):
        if entry is not None:
            pairs = zip(flatten(place)[0], flatten(entry)[0], strict=True)
            products += [
                as_value(share) * directions[i] for i, share in pairs if i in directions
            ]
    return products


def widened(value: Any) -> Array:
    """Return an array in double precision.

    Examples
    --------
    >>> widened(np.float32(0.5)).dtype
    dtype('float64')
    """
    array = np.asarray(value)
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def random_like(rng: np.random.Generator, like: Array) -> Array:
    """Return a direction of the size of a point, no entry of it near zero.

    Examples
    --------
    >>> random_like(np.random.default_rng(0), np.array([100.0, 0.0])).shape
    (2,)
    """
    scale = np.maximum(np.abs(like), 1e-3 * np.abs(like).max(initial=0.0))
    scale = np.where(scale == 0, 1.0, scale)
    signs = rng.choice([-1.0, 1.0], like.shape)
    return np.asarray(signs * rng.uniform(0.5, 1.0, like.shape) * scale, like.dtype)
