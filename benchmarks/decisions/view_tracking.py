"""Assignments and views: what each way of keeping them right costs.

``handles``         the engine: an assignment records an op and rebinds the handle; the
                    other handles of that memory become stale;
``write-through``   NumPy's own way, with a version counter that a sweep would compare;
``functional``      an assignment records an op, and every view of the base is taken again.

Run it from the root of the repository with
``python -m benchmarks.decisions.view_tracking``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import tensorgrad as tg
from benchmarks.decisions.figures import format_table, quiet_seconds, run
from tensorgrad.core.tensor import wrap
from tensorgrad.core.views import link

SIZES = (10, 1000, 100_000, 1_000_000)
INNER = 100
N_VIEWS = 8


class _Versioned:
    """An array that counts the writes to it."""

    __slots__ = ("array", "version")

    def __init__(self, array: Any) -> None:
        self.array = array
        self.version = 0

    def write(self, index: Any, value: Any) -> None:
        self.array[index] = value
        self.version += 1


def assignments(size: int, n_times: int) -> dict[str, Callable[[], None]]:
    """Return functions that assign to one entry, in each of the ways."""
    start = np.zeros(size)
    value = tg.tensor(1.0, requires_grad=True) * 1.0

    def handles() -> None:
        t = tg.tensor(start)
        for i in range(n_times):
            t[i % size] = value

    def functional() -> None:
        # The engine's assignment, and what regenerating the views of the base adds.
        t = tg.tensor(start)
        for i in range(n_times):
            t[i % size] = value
            for k in range(N_VIEWS):
                t[k:]

    def write_through() -> None:
        t = _Versioned(start.copy())
        for i in range(n_times):
            t.write(i % size, 1.0)

    return {
        "handles": handles,
        f"functional, {N_VIEWS} views": functional,
        "write-through": write_through,
    }


def views(n_times: int) -> dict[str, Callable[[], None]]:
    """Return functions that take a view of NumPy, of a handle, and note the sharing."""
    array = np.zeros((4, 3))
    t = tg.tensor(array, requires_grad=True) * 1.0
    value, node = t._value, t._node

    def numpy_view() -> None:
        for _ in range(n_times):
            array.transpose()

    def recorded_view() -> None:
        for _ in range(n_times):
            t.transpose()

    def unlinked() -> None:
        for _ in range(n_times):
            wrap(value, node)

    def linked() -> None:
        for _ in range(n_times):
            link(wrap(value, node), t)

    return {
        "`array.transpose()`": numpy_view,
        "`t.transpose()`, recorded": recorded_view,
        "a handle": unlinked,
        "a handle that is noted as a view": linked,
    }


def report(*, smoke: bool) -> Iterator[str]:
    """Yield the tables."""
    n_times = 1 if smoke else INNER
    yield "microseconds for an assignment to one entry"
    columns = [quiet_seconds(assignments(n, n_times), smoke=smoke) for n in SIZES]
    yield format_table(
        ["way", *[f"{n:,} entries" for n in SIZES]],
        [
            [way, *[f"{1e6 * column[way] / n_times:.1f}" for column in columns]]
            for way in columns[0]
        ],
    )
    taken = quiet_seconds(views(n_times), smoke=smoke)
    yield "microseconds for taking a view"
    yield format_table(
        ["what", "µs"],
        [[name, f"{1e6 * s / n_times:.2f}"] for name, s in taken.items()],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    return run("view_tracking", argv, report)


if __name__ == "__main__":
    sys.exit(main())
