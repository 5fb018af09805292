"""Buffer reuse: large results are written into memory that nobody holds any more.

A fresh large array costs a page fault for each 4 KiB of it, which at the size of a
small net is more than the arithmetic. The pool keeps the large arrays that it made
and hands one out again once its reference count says that nobody else has it: no
view, no Tensor, no user. docs/decisions/buffers.md has the figures.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np

from tensorgrad._typing import Array, Shape

__all__ = ["POOL_BYTES", "clear_pool", "scratch", "take"]

POOL_BYTES = 1 << 16  # smaller arrays are cheaper from malloc's own free lists
LIMIT_BYTES = 1 << 28  # what one thread keeps at most


class _Pool(threading.local):
    """Arrays by shape and dtype; one pool a thread, so no locks."""

    def __init__(self) -> None:
        self.shelves: dict[tuple[Shape, Any], list[Array]] = {}
        self.held_bytes = 0


_pool = _Pool()


def _references(shelf: list[Array], index: int) -> int:
    return sys.getrefcount(shelf[index])


# What the count reads for an array that only its shelf holds; measured rather than
# assumed, since interpreters differ in the references that a call itself takes.
_UNSHARED = _references([np.empty(0)], 0)
# Without a global lock a count may be stale when it is read: no reuse there.
_is_counted = getattr(sys, "_is_gil_enabled", lambda: True)()


def take(shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Return an uninitialised C-ordered array, from the pool if one is free.

    Examples
    --------
    >>> take((3, 4), np.dtype(float)).shape
    (3, 4)
    """
    if not _is_counted:
        return np.empty(shape, dtype)
    pool = _pool
    key = (shape, dtype)
    shelf = pool.shelves.get(key)
    if shelf is None:
        shelf = pool.shelves[key] = []
    for i in range(len(shelf)):
        if _references(shelf, i) == _UNSHARED:
            return shelf[i]
    array: Array = np.empty(shape, dtype)
    if pool.held_bytes + array.nbytes > LIMIT_BYTES:
        # Forgetting an array is always safe: whoever uses it holds it.
        pool.shelves = {key: shelf}
        pool.held_bytes = len(shelf) * array.nbytes
    if pool.held_bytes + array.nbytes <= LIMIT_BYTES:
        pool.held_bytes += array.nbytes
        shelf.append(array)
    return array


def scratch(like: Array) -> Array:
    """Return an uninitialised array of the same shape and dtype, pooled if large.

    Examples
    --------
    >>> scratch(np.ones((3, 4))).shape
    (3, 4)
    """
    if like.nbytes < POOL_BYTES:
        return np.empty(like.shape, like.dtype)
    return take(like.shape, like.dtype)


def clear_pool() -> None:
    """Give the memory that this thread's pool keeps back to the system.

    Examples
    --------
    >>> clear_pool()
    """
    _pool.__init__()  # type: ignore[misc]  # a fresh state for this thread alone
