"""Mini-batches, shuffled in memory that does not grow with the data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tensorgrad._typing import Array, Rng

from .arguments import check_count, check_pair, make_generator
from .rows import Rows, lies_on_disk

__all__ = ["batches_from", "minibatches"]

CHUNK = 1 << 16
"""Rows whose shuffled places are computed at once: 512 KiB of indices."""

WINDOW_BYTES = 1 << 24
"""What is read from disk and shuffled at once: 16 MiB."""

N_BLOCKS = 16
"""Blocks of consecutive rows in that."""

N_ROUNDS = 6
"""Rounds of the Feistel network: four make it pseudo-random in both directions when
the rounds are (Luby and Rackoff, 1988); two more because SplitMix64 only looks so."""


def minibatches(
    x: Any, y: Any, batch_size: int, rng: Rng | None = None
) -> Iterator[tuple[Array, Array]]:
    """Yield the examples in batches, every example exactly once.

    Parameters
    ----------
    x : array_like, path, or object with a length and slices; shape (examples, …)
        A path names a ``.npy`` file or a folder of them (`Shards`). What does not lie
        in memory is read in blocks of consecutive rows.
    y : likewise, shape (examples, …)
    batch_size : int, examples per batch
        The last batch is smaller when this does not divide the number of examples.
    rng : int or numpy.random.Generator or None
        Seed or generator of the order. None keeps the order of the rows, and so does a
        batch that holds them all: shuffled, it would be the same batch.

    Yields
    ------
    x, y : ndarray
        Copies when shuffled; in order, read-only.

    Raises
    ------
    ShapeError
        If `x` and `y` differ in length.
    DataError
        If there are no examples, no such file, or files that do not fit together.
    ArgumentError
        If `batch_size` is not a positive integer, or `rng` is no seed.

    Notes
    -----
    Arguments are checked by the call, not by the first batch. Memory does not grow with
    the number of examples.

    In memory, up to 65,536 examples the order is drawn uniformly from all permutations.
    Above, it is a keyed pseudo-random permutation (a Feistel network of six rounds)
    whose places are computed in chunks: an epoch over n examples needs 512 KiB for the
    order, not 8n bytes, and any n is covered exactly.

    From disk, blocks of consecutive rows are read in random order, sixteen at a time
    (16 MiB of `x` together), and the rows of these are shuffled among each other. Reads
    are sequential within a block. Two rows of one block stay within sixteen blocks of
    each other, so that data sorted by class in runs longer than that should be shuffled
    once before they are written. How the rows are cut into files makes no difference.

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
    pair = check_pair("minibatches", x, y)
    size = check_count("minibatches", "batch_size", batch_size)
    generator = None if rng is None else make_generator("minibatches", rng)
    return batches_from(*pair, size, generator)


def batches_from(
    x: Rows,
    y: Rows,
    size: int,
    rng: np.random.Generator | None,
    skip: int = 0,
    *,
    reuse: bool = False,
) -> Iterator[tuple[Array, Array]]:
    """Yield the batches of checked rows, the first ones left out without reading them.

    Whatever is left out, the generator is left behind as if it had all been read. With
    ``reuse`` a batch lies where the one before it lay, if rows can be copied there.

    Examples
    --------
    >>> y = np.arange(7)
    >>> whole = [b.tolist() for b, _ in batches_from(y, y, 2, np.random.default_rng(0))]
    >>> part = batches_from(y, y, 2, np.random.default_rng(0), skip=2)
    >>> [b.tolist() for b, _ in part] == whole[2:]
    True
    """
    if rng is None or size >= len(x):
        return _in_order(x, y, size, skip)
    if lies_on_disk(x) or lies_on_disk(y):
        return _in_blocks(x, y, size, rng, skip * size)
    pick = _pick_into(size) if reuse else _pick
    return _shuffled((np.asarray(x), np.asarray(y)), size, rng, skip * size, pick)


def _pick(values: Array, rows: Array, place: int) -> Array:
    """Return some rows; fancy indexing, as take copies all of an array with gaps."""
    return values[rows]


def _pick_into(size: int) -> Callable[[Array, Array, int], Array]:
    """Return a function that copies rows into the memory of its last result there."""
    memory: dict[int, Array] = {}

    def pick(values: Array, rows: Array, place: int) -> Array:
        if not values.flags.c_contiguous:
            return values[rows]
        if place not in memory:
            memory[place] = np.empty((size, *values.shape[1:]), values.dtype)
        # Places come from a permutation; "raise" would fill a copy first.
        out = memory[place][: len(rows)]
        return np.take(values, rows, axis=0, out=out, mode="clip")

    return pick


def _in_order(x: Rows, y: Rows, size: int, skip: int) -> Iterator[tuple[Array, Array]]:
    for start in range(skip * size, len(x), size):
        batch = x[start : start + size].view(), y[start : start + size].view()
        for part in batch:
            part.flags.writeable = False
        yield np.asarray(batch[0]), np.asarray(batch[1])


def _shuffled(
    pair: tuple[Array, Array],
    size: int,
    rng: np.random.Generator,
    n_skipped: int,
    pick: Callable[[Array, Array, int], Array],
) -> Iterator[tuple[Array, Array]]:
    x, y = pair
    pending = np.empty(0, dtype=np.int64)
    for places in shuffled_places(x.shape[0], rng):
        dropped = min(n_skipped, places.size)
        n_skipped -= dropped
        pending = np.concatenate([pending, places[dropped:]])
        n_ready = pending.size - pending.size % size
        for start in range(0, n_ready, size):
            rows = pending[start : start + size]
            yield pick(x, rows, 0), pick(y, rows, 1)
        pending = pending[n_ready:]
    if pending.size:
        yield pick(x, pending, 0), pick(y, pending, 1)


def _in_blocks(
    x: Rows, y: Rows, size: int, rng: np.random.Generator, n_skipped: int
) -> Iterator[tuple[Array, Array]]:
    rest: tuple[Array, Array] | None = None
    for blocks in _windows(x, rng):
        n_rows = sum(part.stop - part.start for part in blocks)
        order = rng.permutation(n_rows)
        # What is skipped draws from the generator and is not read.
        order, n_skipped = order[n_skipped:], max(n_skipped - n_rows, 0)
        if not order.size:
            continue
        window = [np.concatenate([rows[part] for part in blocks]) for rows in (x, y)]
        used = 0
        if rest is not None:
            # A batch goes on in the next window.
            used = size - len(rest[0])
            picked = order[:used]
            rest = tuple(  # type: ignore[assignment]  # two of them
                np.concatenate([old, new[picked]])
                for old, new in zip(rest, window, strict=True)
            )
            if len(rest[0]) < size:
                continue
            yield rest
        last = used + (order.size - used) // size * size
        for start in range(used, last, size):
            picked = order[start : start + size]
            yield window[0][picked], window[1][picked]
        tail = order[last:]
        rest = (window[0][tail], window[1][tail]) if tail.size else None
        # Or this window would stay while the next one is put together.
        del window
    if rest is not None:
        yield rest


def _windows(x: Rows, rng: np.random.Generator) -> Iterator[list[slice]]:
    """Yield the blocks of rows that are shuffled together, in random order."""
    row_bytes = max(1, x.dtype.itemsize * int(np.prod(x.shape[1:])))
    block = max(1, WINDOW_BYTES // (row_bytes * N_BLOCKS))
    n_blocks = -(-len(x) // block)
    waiting: list[slice] = []
    for places in shuffled_places(n_blocks, rng):
        for k in places.tolist():
            waiting.append(slice(k * block, min((k + 1) * block, len(x))))
            if len(waiting) == N_BLOCKS:
                yield waiting
                waiting = []
    if waiting:
        yield waiting


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
