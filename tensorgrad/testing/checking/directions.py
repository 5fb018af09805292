"""Directions to measure along: of the size of the point, and exact to add to it.

Entries are signed powers of two near the size of the entry they move, so that neither
x + hv nor x - hv is rounded while h is a power of two, and the step that is divided by is
the one that was taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad._typing import Array

__all__ = ["drawn", "sampled", "single", "sizes"]


def sizes(x: Array) -> Array:
    """Return a power of two for each entry, near its size; for 0 that of the array.

    Examples
    --------
    >>> sizes(np.array([3.0, -1e-3, 0.0])).tolist()
    [4.0, 0.0009765625, 4.0]
    """
    size = np.abs(x)
    largest = size.max(initial=0.0, where=np.isfinite(size))
    size = np.where((size == 0) | ~np.isfinite(size), largest or 1.0, size)
    # Far smaller neighbours move with them: their slopes show in a common step.
    return np.asarray(2.0 ** np.round(np.log2(size)))


def drawn(rng: np.random.Generator, x: Array) -> Array:
    """Return a random direction in which every entry moves."""
    signs = rng.choice([-1.0, 1.0], x.shape) * rng.choice([0.25, 0.5, 1.0], x.shape)
    direction: Array = signs * sizes(x)
    if x.dtype.kind == "c":
        turned = rng.choice([-1.0, 1.0], x.shape) * sizes(x)
        direction = direction + 1j * turned
    return direction


def single(x: Array, place: tuple[int, ...], unit: complex = 1.0) -> Array:
    """Return the direction in which one entry moves by its size."""
    direction = np.zeros(x.shape, x.dtype)
    direction[place] = sizes(x)[place] * unit
    return direction


def sampled(
    rng: np.random.Generator, arrays: Sequence[Any], n_total: int
) -> list[list[tuple[int, ...]]]:
    """Return places to look at in each array: all of a small one, a share of a large.

    Examples
    --------
    >>> places = sampled(np.random.default_rng(0), [np.ones(2), np.ones(1000)], 10)
    >>> [len(part) for part in places]
    [2, 8]
    """
    left = n_total
    chosen: list[tuple[int, list[tuple[int, ...]]]] = []
    for k, x in sorted(enumerate(arrays), key=lambda pair: pair[1].size):
        share = min(x.size, left // (len(arrays) - len(chosen)))
        left -= share
        flat = rng.choice(x.size, share, replace=False) if x.size else []
        places = [tuple(int(i) for i in np.unravel_index(j, x.shape)) for j in flat]
        chosen.append((k, places))
    return [places for _, places in sorted(chosen)]
