"""What fresh temporaries cost: allocation against buffers against a lazier allocator.

Times the step of the 64-128-10 network in float64, whose activations take 1.8 MB, in a
fresh process for every way of writing it and every behaviour of glibc with freed
memory. No other package is imported there, since that alone changes glibc's thresholds.

Run it from the root of the repository with ``python -m benchmarks.memory_reuse``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.contenders import CONTENDERS
from benchmarks.contract import Contender, Row
from benchmarks.machine import limited_threads
from benchmarks.memory import POLICIES, MemoryPolicy, set_memory_policy
from benchmarks.problem import at_rest
from benchmarks.rows import ROWS
from benchmarks.timing import Plan, time_interleaved

ROOT = Path(__file__).resolve().parents[1]
ROW_NAME = "64-128-10 tanh/softmax n=1797 f64"
WRITTEN = ("numpy", "numpy out=", "tensorgrad")
CHILD_TIMEOUT_S = 300


@dataclass(frozen=True)
class Figure:
    """Milliseconds and minor page faults of one step."""

    step_ms: float
    page_faults: float


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of ``python -m benchmarks.memory_reuse``."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory_reuse",
        description="Time one step with fresh and with reused memory.",
    )
    parser.add_argument("--row", default=ROW_NAME, help="row (default: %(default)s)")
    parser.add_argument(
        "--launches",
        type=int,
        default=5,
        help="processes for every figure, in turns (default: %(default)s)",
    )
    parser.add_argument("--rounds", type=int, default=Plan().rounds)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = make_parser().parse_args(argv)
    if options.child:
        name, policy = options.child
        print(json.dumps(asdict(_measure(options.row, name, policy, options.rounds))))
        return 0
    medians = _medians(options.row, options.launches, options.rounds)
    print(_format(options.row, medians))
    if options.json is not None:
        plain = {
            name: {policy: asdict(figure) for policy, figure in by_policy.items()}
            for name, by_policy in medians.items()
        }
        text = json.dumps({"row": options.row, "figures": plain}, indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def _medians(row: str, launches: int, rounds: int) -> dict[str, dict[str, Figure]]:
    """Launch every contender under every policy, in turns, and take the medians."""
    present = [c.name for c in CONTENDERS if c.name in WRITTEN and c.is_installed()]
    pairs = [(name, policy) for name in present for policy in POLICIES]
    figures: dict[tuple[str, str], list[Figure]] = {pair: [] for pair in pairs}
    for _ in range(launches):
        for name, policy in pairs:
            figures[name, policy].append(_launch(row, name, policy, rounds))
    return {
        name: {policy: _median(figures[name, policy]) for policy in POLICIES}
        for name in present
    }


def _launch(row: str, name: str, policy: str, rounds: int) -> Figure:
    command = [sys.executable, "-m", "benchmarks.memory_reuse", "--row", row]
    command += ["--rounds", str(rounds), "--child", name, policy]
    done = subprocess.run(
        command,
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=CHILD_TIMEOUT_S,
    )
    return Figure(**json.loads(done.stdout))


def _measure(row_name: str, name: str, policy: MemoryPolicy, rounds: int) -> Figure:
    set_memory_policy(policy)
    problem = _row(row_name).make_problem(np.random.default_rng(0))
    step = _contender(name).make_step(at_rest(problem))
    with limited_threads(1):
        plan = Plan(rounds=rounds)
        timing = time_interleaved({name: step.run}, baseline=name, plan=plan)[name]
    return Figure(1e3 * timing.seconds.median, timing.page_faults)


def _row(name: str) -> Row:
    return next(row for row in ROWS if row.name == name)


def _contender(name: str) -> Contender:
    return next(contender for contender in CONTENDERS if contender.name == name)


def _median(figures: Sequence[Figure]) -> Figure:
    return Figure(
        statistics.median(figure.step_ms for figure in figures),
        statistics.median(figure.page_faults for figure in figures),
    )


def _format(row: str, medians: dict[str, dict[str, Figure]]) -> str:
    lines = [f"{row}: ms a step (page faults a step), by what glibc does with memory"]
    lines.append(f"{'':<12}" + "".join(f"{policy:>18}" for policy in POLICIES))
    for name, by_policy in medians.items():
        cells = [f"{f.step_ms:.2f} ({f.page_faults:.0f})" for f in by_policy.values()]
        lines.append(f"{name:<12}" + "".join(f"{cell:>18}" for cell in cells))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
