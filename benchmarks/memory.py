"""What the C library does with freed memory, which decides a third of some rows.

glibc hands large freed blocks back to the system, and the next step takes them anew,
page fault by page fault. When it does so depends on what the process freed before: its
thresholds grow with the largest block that was freed. Importing a large package is
enough to stop the faults for everybody in the process.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import importlib.util
import math
import platform
import tracemalloc
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, get_args

MemoryPolicy: TypeAlias = Literal["as-found", "kept", "returned"]
POLICIES: tuple[MemoryPolicy, ...] = get_args(MemoryPolicy)

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_LARGEST_MMAP_THRESHOLD = 32 * 1024 * 1024
_NEVER_TRIM = 2**31 - 1
_INITIAL_THRESHOLD = 128 * 1024


class MemoryPolicyError(Exception):
    """The C library does not take the policy."""


def set_memory_policy(policy: MemoryPolicy) -> None:
    """Tell glibc for the rest of the process what to do with freed memory.

    Parameters
    ----------
    policy
        ``as-found`` changes nothing. ``kept`` keeps blocks up to 32 MiB, so that they
        are used again without a page fault. ``returned`` fixes the thresholds at their
        initial 128 KiB: every larger array is mapped anew, the worst case.

    Raises
    ------
    MemoryPolicyError
        If the C library is not glibc, or refuses.
    """
    if policy == "as-found":
        return
    if platform.libc_ver()[0] != "glibc":
        raise MemoryPolicyError(
            f"memory policy {policy!r}: the C library is not glibc: expected its "
            "mallopt. Use 'as-found'."
        )
    mapped, trimmed = {
        "kept": (_LARGEST_MMAP_THRESHOLD, _NEVER_TRIM),
        "returned": (_INITIAL_THRESHOLD, _INITIAL_THRESHOLD),
    }[policy]
    libc = ctypes.CDLL(None)
    accepted = libc.mallopt(_M_MMAP_THRESHOLD, mapped)
    if not (accepted and libc.mallopt(_M_TRIM_THRESHOLD, trimmed)):
        raise MemoryPolicyError(
            f"memory policy {policy!r}: mallopt refused {mapped} or {trimmed} bytes: "
            "expected to be obeyed. Use 'as-found'."
        )


def count_page_faults() -> float:
    """Return the minor page faults of this process so far, NaN where unknown."""
    if importlib.util.find_spec("resource") is None:
        return math.nan
    resource: Any = importlib.import_module("resource")
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)


def peak_bytes(step: Callable[[], object]) -> int:
    """Return what one step allocates at most, in memory that Python and NumPy know of.

    Examples
    --------
    >>> peak_bytes(lambda: bytes(100_000)) > 100_000
    True
    """
    step()
    gc.collect()
    tracemalloc.start()
    step()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    result = step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    del result
    return peak - before
