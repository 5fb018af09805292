"""The random partition into training, dev and test set (notes, section 4).

Up to 10⁴ examples are divided 60/20/20, more of them 98/1/1. The code of section 4.0.1

- asserts ``x.all() == concatenated.all()``, which compares two truth values: it holds
  for data that were replaced by others, and it is made after the shuffle, so that it
  could not see a loss of pairing either. `is_partition` compares the examples;
- takes ``int(ratio * N)``, which loses an example where the product rounds downwards
  (0.29 · 100 gives 28). At 0.6 · N it is invisible: no N up to 10⁴ that 5 divides
  loses one;
- returns empty sets for small N without a word, and has no way to repeat a shuffle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from .activations import Array

__all__ = ["LARGE", "is_partition", "partition", "partition_indices", "partition_sizes"]

LARGE = 10_000
"""Up to this number of examples a dev and a test set take a fifth each."""

Part: TypeAlias = tuple[Array, Array]


def partition_sizes(n: int, train_ratio: float | None = None) -> tuple[int, int, int]:
    """Return how many examples the training, dev and test set get.

    Parameters
    ----------
    n : int
        Examples, at least 3.
    train_ratio : float, between 0 and 1, optional
        The share of the training set; dev and test set halve the rest, and an odd
        example goes to the test set. By default the rule of the notes: dev and test set
        get n/5 each up to 10⁴ examples and n/100 above, rounded, and at least 1.

    Returns
    -------
    n_train, n_dev, n_test : int
        Positive, and n together.

    Raises
    ------
    ValueError
        If a set would be empty, or the ratio is not between 0 and 1.

    References
    ----------
    Notes, section 4.

    Examples
    --------
    >>> partition_sizes(10_000), partition_sizes(10_001)
    ((6000, 2000, 2000), (9801, 100, 100))
    >>> partition_sizes(100, 0.29)
    (29, 35, 36)
    """
    if train_ratio is None:
        n_dev = max(1, round(n / 5 if n <= LARGE else n / 100))
        sizes = (n - 2 * n_dev, n_dev, n_dev)
    else:
        if not 0 <= train_ratio <= 1:
            raise ValueError(
                f"partition: train_ratio is {train_ratio}: expected a share between 0 "
                "and 1. Divide a percentage by 100."
            )
        n_train = round(train_ratio * n)
        n_dev = (n - n_train) // 2
        sizes = (n_train, n_dev, n - n_train - n_dev)
    if min(sizes) < 1:
        raise ValueError(
            f"partition: {n} examples would be divided into {sizes}: expected an example "
            "in each set at least. Take more examples, or another train_ratio."
        )
    return sizes


def partition_indices(
    n: int,
    train_ratio: float | None = None,
    *,
    rng: int | np.random.Generator = 0,
) -> tuple[Array, Array, Array]:
    """Return the columns of the three sets, in random order.

    Parameters
    ----------
    n : int
    train_ratio : float, optional
        As in `partition_sizes`.
    rng : int or numpy.random.Generator

    Returns
    -------
    train, dev, test : ndarray of int

    Raises
    ------
    ValueError
        If a set would be empty, or the ratio is not between 0 and 1.

    Examples
    --------
    >>> [len(part) for part in partition_indices(50)]
    [30, 10, 10]
    """
    n_train, n_dev, _ = partition_sizes(n, train_ratio)
    order = np.random.default_rng(rng).permutation(n)
    return order[:n_train], order[n_train : n_train + n_dev], order[n_train + n_dev :]


def partition(
    x: Array,
    y: Array,
    train_ratio: float | None = None,
    *,
    rng: int | np.random.Generator = 0,
) -> tuple[Part, Part, Part]:
    """Divide the examples at random, every x keeping its y.

    Parameters
    ----------
    x : ndarray, shape (m, n)
    y : ndarray, shape (outputs, n)
    train_ratio : float, optional
        As in `partition_sizes`.
    rng : int or numpy.random.Generator
        The same seed gives the same partition.

    Returns
    -------
    train, dev, test : tuple of ndarray
        (x, y) each; copies.

    Raises
    ------
    ValueError
        If x and y differ in their number of columns, a set would be empty, or the ratio
        is not between 0 and 1.

    References
    ----------
    Notes, sections 4 and 4.0.1.

    Examples
    --------
    >>> x = np.arange(10.0)[None]
    >>> train, dev, test = partition(x, 2 * x)
    >>> train[0].shape, dev[0].shape, test[0].shape
    ((1, 6), (1, 2), (1, 2))
    >>> np.array_equal(train[1], 2 * train[0])
    True
    >>> is_partition([train, dev, test], x, 2 * x)
    True
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(
            f"partition: x has shape {x.shape} and y has shape {y.shape}: expected "
            "(features, examples) and (outputs, examples). Put examples in columns."
        )
    train, dev, test = partition_indices(x.shape[1], train_ratio, rng=rng)
    return (
        (x[:, train], y[:, train]),
        (x[:, dev], y[:, dev]),
        (x[:, test], y[:, test]),
    )


def is_partition(parts: Sequence[Part], x: Array, y: Array) -> bool:
    """Return whether the parts hold every example (x, y) exactly as often as the whole.

    Parameters
    ----------
    parts : sequence of (ndarray, ndarray)
        Shapes (m, ·) and (outputs, ·).
    x : ndarray, shape (m, n)
    y : ndarray, shape (outputs, n)

    Returns
    -------
    bool
        False also where an x has the y of another, or a part is empty.

    Notes
    -----
    The columns of x over y are sorted and compared: n log n comparisons.

    Examples
    --------
    >>> x, y = np.array([[1.0, 2.0]]), np.array([[0, 1]])
    >>> is_partition([(x[:, :1], y[:, :1]), (x[:, 1:], y[:, 1:])], x, y)
    True
    >>> is_partition([(x[:, :1], y[:, 1:]), (x[:, 1:], y[:, :1])], x, y)
    False
    """
    if any(part_x.shape[1] == 0 for part_x, _ in parts):
        return False
    if any(part_x.shape[1] != part_y.shape[1] for part_x, part_y in parts):
        return False
    together = np.concatenate([np.concatenate(part) for part in parts], axis=1)
    return np.array_equal(
        _sorted_columns(together), _sorted_columns(np.concatenate([x, y]))
    )


def _sorted_columns(columns: Array) -> Array:
    """Return the columns in lexicographic order."""
    in_order: Array = columns[:, np.lexsort(columns)]
    return in_order
