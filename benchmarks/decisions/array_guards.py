"""Guarding a foreign array that a rule needs later: what it costs, what it finds.

``copy``         every array is copied;
``fingerprint``  a sample of entries is taken, and compared when the rule runs;
``checksum``     the same with all bytes (CRC-32);
``freeze``       the array is made read-only and writable again, so its owner can't write.

Run it from the root of the repository with
``python -m benchmarks.decisions.array_guards``.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.decisions.figures import format_table, quiet_seconds, run
from tensorgrad.core.guard import COPY_BYTES, Guard
from tensorgrad.errors import GraphError

SIZES = (10, 128, COPY_BYTES // 8, 4096, 2**15, 2**20)
INNER = 200
TRIALS = 400


def costs(array: Any) -> dict[str, Callable[[], None]]:
    """Return what each way of guarding does for one operand and one use of it."""

    def copy() -> None:
        array.copy(order="K")

    def fingerprint() -> None:
        Guard(array, "multiply").check()

    def checksum() -> None:
        if zlib.crc32(array) != zlib.crc32(array):
            raise AssertionError

    def freeze() -> None:
        array.flags.writeable = False
        array.flags.writeable = True

    return {
        "copy": copy,
        "fingerprint": fingerprint,
        "checksum": checksum,
        "freeze": freeze,
    }


def repeated(action: Callable[[], None], n_times: int) -> Callable[[], None]:
    """Return a function that does something several times."""

    def repeat() -> None:
        for _ in range(n_times):
            action()

    return repeat


def writes(shape: tuple[int, int]) -> dict[str, Callable[[Any, Any], None]]:
    """Return kinds of writes, each a function of an array and a generator."""
    n_rows, n_columns = shape

    def entry(a: Any, rng: Any) -> None:
        a[rng.integers(n_rows), rng.integers(n_columns)] += 1

    def row(a: Any, rng: Any) -> None:
        a[rng.integers(n_rows)] += 1

    def column(a: Any, rng: Any) -> None:
        a[:, rng.integers(n_columns)] += 1

    def block(a: Any, rng: Any) -> None:
        start = int(rng.integers(n_rows - n_rows // 10))
        a[start : start + n_rows // 10] += 1

    def everywhere(a: Any, rng: Any) -> None:
        a *= 0.9

    def shuffled(a: Any, rng: Any) -> None:
        rng.shuffle(a)

    return {
        "one entry": entry,
        "one row": row,
        "one column": column,
        "a tenth of the rows": block,
        "every entry, `a *= 0.9`": everywhere,
        "rows shuffled": shuffled,
    }


def found(guarded: Any, write: Callable[[Any, Any], None], n_trials: int) -> float:
    """Return the fraction of writes of one kind that a fingerprint notices."""
    rng = np.random.default_rng(0)
    n_found = 0
    for _ in range(n_trials):
        array = guarded.copy()
        guard = Guard(array, "multiply")
        write(array, rng)
        try:
            guard.check()
        except GraphError:
            n_found += 1
    return n_found / n_trials


def report(*, smoke: bool) -> Iterator[str]:
    """Yield the tables."""
    rng = np.random.default_rng(0)
    yield "Microseconds for guarding one float64 operand and checking it once"
    rows = []
    for size in SIZES[: 2 if smoke else None]:
        n_times = 1 if smoke or size > 10**5 else INNER
        ways = costs(rng.standard_normal(size))
        steps = {name: repeated(way, n_times) for name, way in ways.items()}
        seconds = quiet_seconds(steps, smoke=smoke)
        rows.append(
            [f"{8 * size} B", *[f"{1e6 * s / n_times:.2f}" for s in seconds.values()]]
        )
    yield format_table(["operand", "copy", "fingerprint", "checksum", "freeze"], rows)
    shapes = ((1000, 64), (10_000, 20))
    yield "Writes that a fingerprint notices, percent; the other three notice all"
    table = []
    for name in writes(shapes[0]):
        line = [name]
        for shape in shapes:
            array = rng.standard_normal(shape)
            share = found(array, writes(shape)[name], 3 if smoke else TRIALS)
            line.append(f"{100 * share:.1f}")
        table.append(line)
    yield format_table(["write", *[f"{a}×{b}" for a, b in shapes]], table)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    return run("array_guards", argv, report)


if __name__ == "__main__":
    sys.exit(main())
