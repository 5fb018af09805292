"""The buffer pool against fresh temporaries, and against telling glibc to keep memory.

Times the step of the 64-128-10 network in float64 in fresh processes: with the pool of
`tensorgrad.core.pool`, without it, and handwritten NumPy beside both; glibc as it is
found, and told to keep freed memory (`benchmarks.memory`).

Run it from the root of the repository with
``python -m benchmarks.decisions.buffer_pool``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contenders import CONTENDERS
from benchmarks.decisions.figures import format_table, run
from benchmarks.machine import limited_threads
from benchmarks.memory import MemoryPolicy, set_memory_policy
from benchmarks.problem import at_rest
from benchmarks.rows import ROWS
from benchmarks.timing import SMOKE, Plan, time_interleaved

ROOT = Path(__file__).resolve().parents[2]
ROW = "64-128-10 tanh/softmax n=1797 f64"
POLICIES: tuple[MemoryPolicy, ...] = ("as-found", "kept")
WAYS = {
    "handwritten NumPy": ("numpy", False),
    "handwritten, `out=`": ("numpy out=", False),
    "engine, fresh temporaries": ("tensorgrad", False),
    "engine, pool": ("tensorgrad", True),
}
LAUNCHES = 5
TIMEOUT_S = 300


@dataclass(frozen=True)
class Figure:
    """Milliseconds and minor page faults of one step, and what the pool holds."""

    step_ms: float
    page_faults: float
    pool_bytes: int


def measure(way: str, policy: MemoryPolicy, *, smoke: bool) -> Figure:
    """Time one way of writing the step; meant for a process of its own."""
    set_memory_policy(policy)
    name, has_pool = WAYS[way]
    held = _prepare_pool(has_pool=has_pool) if name == "tensorgrad" else None
    row = next(row for row in ROWS if row.name == ROW)
    contender = next(c for c in CONTENDERS if c.name == name)
    step = contender.make_step(at_rest(row.make_problem(np.random.default_rng(0))))
    with limited_threads(1):
        plan = SMOKE if smoke else Plan()
        timing = time_interleaved({way: step.run}, baseline=way, plan=plan)[way]
    pool_bytes = 0 if held is None else held.held_bytes
    return Figure(1e3 * timing.seconds.low, timing.page_faults, pool_bytes)


def _prepare_pool(*, has_pool: bool) -> Any:
    from tensorgrad.core import pool

    if not has_pool:
        # What it does where reference counts can't be relied on.
        pool._is_counted = False
    return pool._pool


def launch(way: str, policy: str, *, smoke: bool) -> Figure:
    """Measure in a fresh process."""
    code = (
        "import json; from dataclasses import asdict; "
        "from benchmarks.decisions.buffer_pool import measure; "
        f"print(json.dumps(asdict(measure({way!r}, {policy!r}, smoke={smoke}))))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command,
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT_S,
    )
    return Figure(**json.loads(done.stdout.splitlines()[-1]))


def report(*, smoke: bool) -> Iterator[str]:
    """Yield the table."""
    policies = POLICIES[:1] if smoke else POLICIES
    figures: dict[tuple[str, str], list[dict[str, float]]] = {}
    for _ in range(1 if smoke else LAUNCHES):
        for policy in policies:
            for way in WAYS:
                figure = asdict(launch(way, policy, smoke=smoke))
                figures.setdefault((way, policy), []).append(figure)
    yield f"{ROW}: one training step"
    rows = []
    for way in WAYS:
        line = [way]
        for policy in policies:
            found = figures[way, policy]
            # Other work on the machine can only add to a time.
            quietest = min(found, key=lambda figure: figure["step_ms"])
            line += [f"{quietest['step_ms']:.2f}", f"{quietest['page_faults']:.0f}"]
        line.append(f"{quietest['pool_bytes'] / 2**20:.1f}")
        rows.append(line)
    header = ["way"]
    for policy in policies:
        header += [f"glibc {policy}, ms", "page faults"]
    yield format_table([*header, "pool holds, MiB"], rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    return run("buffer_pool", argv, report)


if __name__ == "__main__":
    sys.exit(main())
