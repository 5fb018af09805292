"""Long chains: time and memory for an operation, and what importing costs.

For chains of 10³ to 10⁶ elementwise operations on one element: the time to build the
graph, to differentiate it and to free it, for each operation, with the cyclic collector
on and off; the bytes that the graph takes for each node beyond its values; and the time
that ``import tensorgrad`` takes once NumPy is imported.

Run it from the root of the repository with ``python -m benchmarks.chain_scaling``.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.agreement import TOLERANCE, DisagreementError, relative_error
from benchmarks.contenders import BASELINE
from benchmarks.machine import describe_machine
from benchmarks.problem import (
    CHAIN_PERIOD,
    CHAIN_SCALE,
    CHAIN_SHIFT,
    Array,
    Chain,
    make_chain,
)

NUMPY_DOMAIN: int = np.lib.tracemalloc_domain
ROOT = Path(__file__).resolve().parents[1]
LENGTHS = (10**3, 10**4, 10**5, 10**6)
COUNTED_OPS = 4000
IMPORT_LAUNCHES = 11
IMPORT_TIMEOUT_S = 120


@dataclass(frozen=True)
class ChainTimes:
    """Microseconds for each operation of a chain."""

    build_us: float
    sweep_us: float
    free_us: float

    @property
    def total_us(self) -> float:
        """Building, differentiating and freeing together."""
        return self.build_us + self.sweep_us + self.free_us


@dataclass(frozen=True)
class ChainFigures:
    """What one length of chain costs.

    Attributes
    ----------
    n_ops
        Length of the chain.
    collector_off, collector_on
        Times without and with Python's cyclic collector.
    graph_bytes
        Traced bytes for each node of the graph, its value not counted.
    numpy_us
        Handwritten NumPy, forward and backward, collector on, for each operation.
    """

    n_ops: int
    collector_off: ChainTimes
    collector_on: ChainTimes
    graph_bytes: float
    numpy_us: float


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of ``python -m benchmarks.chain_scaling``."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.chain_scaling",
        description="Time and memory of chains of elementwise operations.",
    )
    parser.add_argument(
        "--lengths",
        type=_lengths,
        default=LENGTHS,
        help="lengths with commas between, multiples of four (default: 10³ to 10⁶)",
    )
    parser.add_argument(
        "--repeats", type=int, default=3, help="the fastest counts (%(default)s)"
    )
    parser.add_argument(
        "--import-launches",
        type=int,
        default=IMPORT_LAUNCHES,
        help="processes for the time of importing (default: %(default)s)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    return parser


def _lengths(text: str) -> tuple[int, ...]:
    lengths = tuple(int(float(part)) for part in text.split(","))
    if any(n <= 0 or n % CHAIN_PERIOD for n in lengths):
        raise argparse.ArgumentTypeError(
            f"{text}: expected positive multiples of {CHAIN_PERIOD}"
        )
    return lengths


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = make_parser().parse_args(argv)
    machine = describe_machine()
    print("machine: " + ", ".join(f"{key} {value}" for key, value in machine.items()))
    print(_HEAD)
    figures = []
    for n_ops in options.lengths:
        figures.append(measure_chain(n_ops, repeats=options.repeats))
        print(_format(figures[-1]), flush=True)
    launches = options.import_launches
    import_ms = measure_import(launches)
    print(f"import beyond NumPy's: {import_ms:.1f} ms, median of {launches}")
    if options.json is not None:
        chains = [asdict(figure) for figure in figures]
        document = {"machine": machine, "chains": chains, "import_ms": import_ms}
        text = json.dumps(document, indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def measure_chain(n_ops: int, *, repeats: int) -> ChainFigures:
    """Check the gradient of a chain of `n_ops` operations and measure it.

    Raises
    ------
    DisagreementError
        If the gradient is not that of handwritten NumPy.
    """
    problem = make_chain(np.random.default_rng(0), 1, n_ops=n_ops)
    _check(problem)
    with _collector(on=False):
        off = _fastest([_time_chain(problem) for _ in range(repeats)])
        graph_bytes = _graph_bytes(problem)
    with _collector(on=True):
        on = _fastest([_time_chain(problem) for _ in range(repeats)])
        by_hand_us = min(_time_by_hand(problem) for _ in range(repeats))
    return ChainFigures(n_ops, off, on, graph_bytes, by_hand_us)


def _tensorgrad() -> Any:
    return importlib.import_module("tensorgrad")


def _leaf(problem: Chain) -> Any:
    return _tensorgrad().tensor(problem.x, requires_grad=True)


def _build(problem: Chain, x: Any) -> Any:
    tg = _tensorgrad()
    out = x
    for _ in range(problem.n_ops // CHAIN_PERIOD):
        out = tg.sin(tg.tanh(out)) * CHAIN_SCALE + CHAIN_SHIFT
    return out


def _check(problem: Chain) -> None:
    x = _leaf(problem)
    grad = _tensorgrad().gradients(_build(problem, x).sum(), x)
    _, expected = BASELINE.make_step(problem).evaluate()
    error = relative_error(grad, expected["x"])
    if not error <= TOLERANCE["float64"]:
        raise DisagreementError(
            f"chain of {problem.n_ops}: relative error {error:.1e} of the gradient, "
            f"expected at most {TOLERANCE['float64']:.0e}"
        )


def _time_chain(problem: Chain) -> ChainTimes:
    tg, x = _tensorgrad(), _leaf(problem)
    moments = [time.perf_counter()]
    out = _build(problem, x)
    moments.append(time.perf_counter())
    grad = tg.gradients(out, x, grad=np.ones(1))
    moments.append(time.perf_counter())
    del out, grad
    moments.append(time.perf_counter())
    return ChainTimes(*(1e6 * np.diff(moments) / problem.n_ops).tolist())


def _fastest(times: Sequence[ChainTimes]) -> ChainTimes:
    return min(times, key=lambda figure: figure.total_us)


def _time_by_hand(problem: Chain) -> float:
    step = BASELINE.make_step(problem)
    start = time.perf_counter()
    step.run()
    return 1e6 * (time.perf_counter() - start) / problem.n_ops


def _graph_bytes(problem: Chain) -> float:
    x = _leaf(problem)
    with _tracing():
        before, _ = tracemalloc.get_traced_memory()
        out = _build(problem, x)
        after, _ = tracemalloc.get_traced_memory()
        del out
    values = _count_kept_values() * _bytes_of_a_value(problem)
    return (after - before) / problem.n_ops - values


def _count_kept_values() -> float:
    """Return how many arrays a graph keeps for each node: rules drop what they can.

    Counted on a short chain, since the list of all allocations is long.
    """
    problem = make_chain(np.random.default_rng(0), 1, n_ops=COUNTED_OPS)
    x = _leaf(problem)
    with _tracing():
        out = _build(problem, x)
        snapshot = tracemalloc.take_snapshot()
        del out
    array_data = tracemalloc.DomainFilter(inclusive=True, domain=NUMPY_DOMAIN)
    return len(snapshot.filter_traces([array_data]).traces) / problem.n_ops


def _bytes_of_a_value(problem: Chain) -> float:
    """Return the traced bytes of one array like those in the chain, header included."""
    slots: list[Array | None] = [None] * COUNTED_OPS
    with _tracing():
        before, _ = tracemalloc.get_traced_memory()
        for i in range(COUNTED_OPS):
            slots[i] = np.tanh(problem.x)
        after, _ = tracemalloc.get_traced_memory()
    return (after - before) / COUNTED_OPS


@contextmanager
def _tracing() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


@contextmanager
def _collector(*, on: bool) -> Iterator[None]:
    was_on = gc.isenabled()
    gc.collect()
    if on:
        gc.enable()
    else:
        gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
        else:
            gc.disable()


def measure_import(launches: int) -> float:
    """Return the milliseconds of ``import tensorgrad`` after ``import numpy``, median.

    The first launch compiles to bytecode, in a directory of its own, and does not
    count. The others find it there, also where Python is told to write none.
    """
    with tempfile.TemporaryDirectory() as bytecode:
        times = [_time_import(bytecode) for _ in range(launches + 1)]
    return statistics.median(times[1:])


def _time_import(bytecode: str) -> float:
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-X", "importtime", "-c"]
    done = subprocess.run(
        [*command, "import numpy; import tensorgrad"],
        cwd=ROOT,
        env=environment,
        check=True,
        stderr=subprocess.PIPE,
        text=True,
        timeout=IMPORT_TIMEOUT_S,
    )
    return parse_import_time(done.stderr, "tensorgrad")


def parse_import_time(report: str, module: str) -> float:
    """Return the cumulative milliseconds of `module` in a ``-X importtime`` report.

    Examples
    --------
    >>> parse_import_time("import time:  200 |  2500 | numpy", "numpy")
    2.5
    """
    for line in report.splitlines():
        columns = [part.strip() for part in line.split("|")]
        if columns[-1] == module:
            return float(columns[1]) / 1e3
    raise LookupError(f"no line of the import report names {module}: {report[-500:]}")


_HEAD = (
    f"{'ops':>8} | {'collector off, µs an op':^31} | {'on':>6} {'on/off':>6} | "
    f"{'NumPy':>6} | bytes a node\n"
    f"{'':>8} | {'build':>7} {'sweep':>7} {'free':>7} {'total':>7} | {'total':>6} "
    f"{'':>6} | {'total':>6} | beyond values"
)


def _format(figures: ChainFigures) -> str:
    off, on = figures.collector_off, figures.collector_on
    return (
        f"{figures.n_ops:>8} | {off.build_us:>7.2f} {off.sweep_us:>7.2f} "
        f"{off.free_us:>7.2f} {off.total_us:>7.2f} | {on.total_us:>6.2f} "
        f"{on.total_us / off.total_us:>6.2f} | {figures.numpy_us:>6.2f} | "
        f"{figures.graph_bytes:.0f}"
    )


if __name__ == "__main__":
    sys.exit(main())
