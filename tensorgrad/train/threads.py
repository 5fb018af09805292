"""How many threads BLAS may use during a training.

On small products two threads wait for each other longer than they work; and another
number of threads adds in another order, so that a training that is continued needs the
number it began with.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["blas_threads", "choose_threads", "limited_threads"]

SMALL_PRODUCT = 4_000_000
"""Multiplications of a layer's product below which one thread is not slower: 128
examples by 256 by 128, about 0.3 ms."""


def blas_threads() -> int | None:
    """Return the number of threads BLAS uses now; None without threadpoolctl.

    Examples
    --------
    >>> blas_threads() in (None, *range(1, 1025))
    True
    """
    library = _threadpoolctl()
    if library is None:
        return None
    found = library.ThreadpoolController().select(user_api="blas").info()
    return max((entry["num_threads"] for entry in found), default=None)


def choose_threads(largest_product: int, available: int | None) -> int | None:
    """Return how many threads suit products of this many multiplications.

    Examples
    --------
    >>> choose_threads(32 * 64 * 10, 8), choose_threads(10**9, 8)
    (1, 8)
    """
    if available is None:
        return None
    return 1 if largest_product < SMALL_PRODUCT else available


@contextmanager
def limited_threads(n_threads: int | None) -> Iterator[None]:
    """Let BLAS use so many threads, and give the others back at the end.

    Without threadpoolctl (the extra ``fast``), or with None, nothing changes.

    Examples
    --------
    >>> with limited_threads(1):
    ...     blas_threads() in (None, 1)
    True
    """
    library = None if n_threads is None else _threadpoolctl()
    if library is None:
        yield
        return
    with library.threadpool_limits(limits=n_threads, user_api="blas"):
        yield


def _threadpoolctl() -> Any:
    """Import the optional package (tensorgrad-np[fast]); None where it is missing."""
    try:
        import threadpoolctl  # noqa: PLC0415
    except ImportError:
        return None
    return threadpoolctl
