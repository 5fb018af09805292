"""Partition a data set into training, development and test parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from tensorgrad._typing import Array, Rng
from tensorgrad.errors import ArgumentError, DataError, ShapeError, explain

from .arguments import check_arrays, make_generator

__all__ = ["split"]

Pair: TypeAlias = tuple[Array, Array]

SMALL_DATA = 10_000
"""Up to here the parts are 60/20/20, above 98/1/1 (notes, section 4)."""

SMALL_RATIO = (0.6, 0.2, 0.2)
LARGE_RATIO = (0.98, 0.01, 0.01)

RATIO_SLACK = 1e-9
"""How far three decimal fractions may miss a sum of 1 by rounding."""

REMAINDER_DIGITS = 6
"""Remainders that agree to this many digits tie: 0.2 · 5 is 1, whatever 0.2 is."""


def split(
    x: Any,
    y: Any,
    rng: Rng = 0,
    ratio: float | Sequence[float] | None = None,
    stratify: bool = False,  # noqa: FBT001, FBT002  (the signature is the design's)
) -> tuple[Pair, Pair, Pair]:
    """Split examples into training, development and test parts.

    Parameters
    ----------
    x : array_like, shape (examples, …)
    y : array_like, shape (examples,) or (examples, outputs)
    rng : int or numpy.random.Generator or None
        Seed or generator of the shuffle. None keeps the order of the rows: the first
        rows train, the last ones test, as a series in time needs it.
    ratio : float or three floats, optional
        The fraction that trains, the rest being halved; or the three fractions.
        By default 0.6, 0.2, 0.2 up to 10,000 examples and 0.98, 0.01, 0.01 above.
    stratify : bool
        Give every part the class proportions of the whole.

    Returns
    -------
    train, dev, test : tuple of (x, y)
        New arrays; every example is in exactly one part. With ``rng=None`` and
        without stratification they are views of `x` and `y`, so that a memory-mapped
        file is not read.

    Raises
    ------
    ShapeError
        If `x` and `y` differ in length, or the classes are not in rows of `y`.
    DataError
        If there are fewer than three examples, or fewer than three of a class when
        stratifying.
    ArgumentError
        If `ratio` is not a fraction, or not three positive ones with sum 1.

    Notes
    -----
    Sizes are the fractions of N rounded down, and the examples left over go to the
    parts with the largest remainders, the earlier part first in a tie. A part that
    would be empty takes one example from the largest.

    Stratifying keeps these sizes. A class with c examples has its exact share
    c · size / N in a part missed by at most one example.

    References
    ----------
    Notes, section 4. The fraction for training there may leave a part empty, and its
    check of the result compares two truth values; here a property test compares the
    examples.

    Examples
    --------
    >>> from tensorgrad.data import load, split
    >>> train, dev, test = split(*load("digits"), rng=0)
    >>> len(train[0]), len(dev[0]), len(test[0])
    (1078, 360, 359)
    """
    x, y = check_arrays("split", x, y)
    n = x.shape[0]
    if n < 3:
        raise DataError(
            explain(
                "split",
                f"there are {n} examples",
                "at least 3, one for each part",
                "Collect more data, or train without a split",
            )
        )
    sizes = part_sizes(n, _fractions(n, ratio))
    if rng is None and not stratify:
        cuts = [0, sizes[0], sizes[0] + sizes[1], n]
        train, dev, test = ((x[i:j], y[i:j]) for i, j in pairwise(cuts))
        return train, dev, test
    order = np.arange(n) if rng is None else make_generator("split", rng).permutation(n)
    if stratify:
        parts = _stratified(order, y, sizes)
    else:
        parts = np.split(order, np.cumsum(sizes)[:-1])
    train, dev, test = ((x[rows], y[rows]) for rows in parts)
    return train, dev, test


def part_sizes(n: int, fractions: Sequence[float]) -> list[int]:
    """Return sizes with sum `n`, by largest remainder, none of them empty."""
    quotas = [round(n * fraction, REMAINDER_DIGITS) for fraction in fractions]
    sizes = [math.floor(quota) for quota in quotas]
    by_remainder = sorted(range(3), key=lambda k: sizes[k] - quotas[k])
    for k in by_remainder[: n - sum(sizes)]:
        sizes[k] += 1
    while 0 in sizes:
        sizes[sizes.index(max(sizes))] -= 1
        sizes[sizes.index(0)] += 1
    return sizes


def _fractions(n: int, ratio: Any) -> tuple[float, ...]:
    """Return three positive fractions with sum 1."""
    if ratio is None:
        return SMALL_RATIO if n <= SMALL_DATA else LARGE_RATIO
    try:
        given = np.asarray(ratio, dtype=np.float64)
    except (TypeError, ValueError):
        given = np.empty(0)
    if given.ndim == 0:
        rest = (1.0 - float(given)) / 2.0
        given = np.array([float(given), rest, rest])
    if (
        given.shape != (3,)
        or not (given > 0).all()
        or abs(given.sum() - 1) > RATIO_SLACK
    ):
        raise ArgumentError(
            explain(
                "split",
                f"ratio is {ratio!r}",
                "the fraction that trains, between 0 and 1, or three positive "
                "fractions with sum 1",
                "Pass ratio=0.6, or ratio=(0.6, 0.2, 0.2)",
            )
        )
    return tuple(given.tolist())


def _stratified(order: Array, y: Array, sizes: Sequence[int]) -> list[Array]:
    """Return the rows of every part, in the order given."""
    classes, codes = _classes(y)
    counts = np.bincount(codes, minlength=len(classes))
    if counts.min() < 3:
        rare = classes[int(counts.argmin())]
        raise DataError(
            explain(
                "split with stratify=True",
                f"class {rare!r} has {counts.min()} example(s)",
                "at least 3 examples of every class",
                "Leave such classes out, merge them, or split without stratify",
            )
        )
    table = _spread(counts, sizes)
    by_class = order[np.argsort(codes[order], kind="stable")]
    part_of_row = np.empty(len(codes), dtype=np.intp)
    part_of_row[by_class] = np.repeat(np.tile(np.arange(3), len(table)), table.ravel())
    return [order[part_of_row[order] == k] for k in range(3)]


def _classes(y: Array) -> tuple[list[Any], Array]:
    """Return the distinct rows of `y` and the index of every row among them."""
    if y.ndim > 2:
        raise ShapeError(
            explain(
                "split with stratify=True",
                f"y has shape {y.shape}",
                "one label or one row of outputs per example",
                "Pass labels of shape (examples,)",
            )
        )
    axis = 0 if y.ndim == 2 else None  # without an axis, labels may be any objects
    classes, first, codes = np.unique(
        y, axis=axis, return_index=True, return_inverse=True
    )
    # In order of appearance, so that one-hot rows are split as their labels are.
    by_appearance = np.argsort(first)
    rank = np.empty_like(by_appearance)
    rank[by_appearance] = np.arange(len(rank))
    return classes[by_appearance].tolist(), rank[codes.reshape(-1)]


def _spread(counts: Array, sizes: Sequence[int]) -> Array:
    """Return integers (classes, parts) with row sums `counts`, column sums `sizes`.

    Shares are rounded down; what a class has left over goes, one at most to a part,
    to the parts that lack most. That greedy choice completes every such table (Ryser,
    1957), since the exact remainders are a solution with fractions.
    """
    exact = counts[:, None] * np.asarray(sizes)
    table: Array = exact // counts.sum()
    remainders = exact % counts.sum()
    lacking = np.asarray(sizes) - table.sum(axis=0)
    for row, rest in zip(table, remainders, strict=True):
        n_left = int(rest.sum() // counts.sum())
        receivers = np.lexsort((-rest, -lacking))[:n_left]
        row[receivers] += 1
        lacking[receivers] -= 1
    return table
