"""Mini-batches, shuffled in memory that does not grow with the data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorgrad._typing import Array, Rng

from .arguments import check_count, check_pair, make_generator

__all__ = ["minibatches"]

CHUNK = 1 << 16
"""Rows whose shuffled places are computed at once: 512 KiB of indices."""

N_ROUNDS = 6
"""Rounds of the Feistel network: four make it pseudo-random in both directions when
the rounds are (Luby and Rackoff, 1988); two more because SplitMix64 only looks so."""


def minibatches(
    x: Any, y: Any, batch_size: int, rng: Rng | None = None
) -> Iterator[tuple[Array, Array]]:
    """Yield the examples in batches, every example exactly once.

    Parameters
    ----------
    x : array_like, shape (examples, …)
        May be memory-mapped: only the rows of the current batch are read.
    y : array_like, shape (examples, …)
    batch_size : int, examples per batch
        The last batch is smaller when this does not divide the number of examples.
    rng : int or numpy.random.Generator or None
        Seed or generator of the order. None keeps the order of the rows.

    Yields
    ------
    x, y : ndarray
        Copies when shuffled; in order, read-only views of the arguments.

    Raises
    ------
    ShapeError
        If `x` and `y` differ in length.
    DataError
        If there are no examples.
    ArgumentError
        If `batch_size` is not a positive integer, or `rng` is no seed.

    Notes
    -----
    Arguments are checked by the call, not by the first batch. Up to 65,536 examples
    the order is drawn uniformly from all permutations. Above, it is a keyed
    pseudo-random permutation (a Feistel network of six rounds) whose places are
    computed in chunks: an epoch over n examples needs 512 KiB for the order, not 8n
    bytes, and any n is covered exactly.

    References
    ----------
    Notes, section 7. J. Black and P. Rogaway, *Ciphers with arbitrary finite
    domains*, CT-RSA 2002, for the walk that restricts the network to n places.

    Examples
    --------
    >>> import numpy as np
    >>> from tensorgrad.data import minibatches
    >>> x, y = np.arange(10.0).reshape(5, 2), np.arange(5)
    >>> [labels.tolist() for _, labels in minibatches(x, y, 2)]
    [[0, 1], [2, 3], [4]]
    >>> sorted(int(k) for _, labels in minibatches(x, y, 2, rng=0) for k in labels)
    [0, 1, 2, 3, 4]
    """
    x, y = check_pair("minibatches", x, y)
    size = check_count("minibatches", "batch_size", batch_size)
    if rng is None:
        return _in_order(x, y, size)
    return _shuffled(x, y, size, make_generator("minibatches", rng))


def _in_order(x: Array, y: Array, size: int) -> Iterator[tuple[Array, Array]]:
    x, y = x.view(), y.view()
    x.flags.writeable = y.flags.writeable = False
    for start in range(0, x.shape[0], size):
        yield x[start : start + size], y[start : start + size]


def _shuffled(
    x: Array, y: Array, size: int, rng: np.random.Generator
) -> Iterator[tuple[Array, Array]]:
    # Fancy indexing, not np.take: take copies a whole array that is not contiguous.
    pending = np.empty(0, dtype=np.int64)
    for places in shuffled_places(x.shape[0], rng):
        pending = np.concatenate([pending, places]) if pending.size else places
        n_ready = pending.size - pending.size % size
        for start in range(0, n_ready, size):
            rows = pending[start : start + size]
            yield x[rows], y[rows]
        pending = pending[n_ready:]
    if pending.size:
        yield x[pending], y[pending]


def shuffled_places(n: int, rng: np.random.Generator) -> Iterator[Array]:
    """Yield the numbers below `n` in random order, in chunks, each once.

    Examples
    --------
    >>> import numpy as np
    >>> chunks = list(shuffled_places(200_000, np.random.default_rng(0)))
    >>> bool((np.sort(np.concatenate(chunks)) == np.arange(200_000)).all())
    True
    """
    if n <= CHUNK:
        yield rng.permutation(n)
        return
    half_bits = ((n - 1).bit_length() + 1) // 2
    keys = rng.integers(0, 1 << 64, size=N_ROUNDS, dtype=np.uint64)
    for start in range(0, n, CHUNK):
        places = np.arange(start, min(start + CHUNK, n), dtype=np.uint64)
        places = _permute(places, half_bits, keys)
        outside = np.flatnonzero(places >= n)
        # The network permutes a power of four; walking its cycles until they come
        # back below n is a permutation of the first n.
        while outside.size:
            places[outside] = _permute(places[outside], half_bits, keys)
            outside = outside[places[outside] >= n]
        yield places.astype(np.int64)


def _permute(places: Array, half_bits: int, keys: Array) -> Array:
    """Apply the Feistel network to numbers of ``2 * half_bits`` bits."""
    bits, mask = np.uint64(half_bits), np.uint64((1 << half_bits) - 1)
    left, right = places >> bits, places & mask
    for key in keys:
        left, right = right, left ^ (_mix(right ^ key) & mask)
    return (left << bits) | right


def _mix(z: Array) -> Array:
    """Return the finaliser of SplitMix64 (Steele, Lea and Flood, 2014)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Array = z ^ (z >> np.uint64(31))
    return mixed
