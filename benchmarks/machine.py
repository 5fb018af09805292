"""Which machine, which versions, how many threads: what every figure depends on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from threadpoolctl import threadpool_info, threadpool_limits

DISTRIBUTIONS = {"tensorgrad": "tensorgrad-np"}
"""Packages whose distribution has another name."""


@contextmanager
def limited_threads(threads: int) -> Iterator[list[str]]:
    """Pin BLAS and OpenMP to `threads`; yield what was pinned, in words.

    A pool is only pinned if its library is loaded, so import the peers before.
    """
    with threadpool_limits(limits=threads):
        yield [_pool_text(pool) for pool in threadpool_info()]


def _pool_text(pool: dict[str, object]) -> str:
    version = pool.get("version") or "unknown version"
    library = f"{pool['internal_api']} {version} in {Path(str(pool['filepath'])).name}"
    kernels = pool.get("architecture")
    which = f", kernels for {kernels}" if kernels else ""
    return f"{library}: {pool['num_threads']} thread(s){which}"


def describe_machine() -> dict[str, str]:
    """Return processor, cores, system and Python, as text."""
    return {
        "processor": _processor_name(),
        "cores": f"{len(os.sched_getaffinity(0))}"
        if hasattr(os, "sched_getaffinity")
        else f"{os.cpu_count()}",
        "system": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def describe_versions(packages: Sequence[str]) -> dict[str, str]:
    """Return the installed version of each of `packages`, in order, without doubles."""
    return {package: _version(package) for package in dict.fromkeys(packages)}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(DISTRIBUTIONS.get(package, package))
    except importlib.metadata.PackageNotFoundError:
        return "from the source tree"


def _processor_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
