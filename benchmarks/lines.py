"""Where the time of printed NumPy goes: the share of each line of its source.

    python -m benchmarks.lines --rows "batch 128" --top 12

runs the printed step of each row whose name contains the words, with a clock between its lines,
and tells the dearest lines. The clock takes about 50 ns a line of its own, so rows whose lines
are that short are told apart by their number of lines rather than by their shares.
"""

from __future__ import annotations

import argparse
import ast
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.contenders import tensorgrad_compiled
from benchmarks.machine import limited_threads
from benchmarks.rows import ROWS, Row
from tensorgrad.compiler import compiled
from tensorgrad.compiler.buffers import Plan
from tensorgrad.compiler.numpy_printer import constant_names, print_numpy
from tensorgrad.compiler.program import Program

__all__ = ["main", "profile", "told"]


@dataclass
class Clocked:
    """A printed function, its lines, and the seconds that each has taken."""

    function: Callable[..., Any]
    lines: list[str]
    seconds: list[float]


def clocked(source: str, name: str, scope: dict[str, Any]) -> Clocked:
    """Return the function `name` of `source` with a clock between its lines."""
    tree = ast.parse(source)
    definition = next(
        s for s in tree.body if isinstance(s, ast.FunctionDef) and s.name == name
    )
    lines: list[str] = []
    seconds: list[float] = []
    body: list[ast.stmt] = []
    for statement in definition.body:
        if isinstance(statement, ast.Return):
            body.append(statement)
            continue
        k = len(lines)
        lines.append(ast.unparse(statement))
        seconds.append(0.0)
        before, after = ast.parse(f"_t = _clock()\n_seconds[{k}] += _clock() - _t").body
        body += [before, statement, after]
    definition.body = body
    scope |= {"_clock": perf_counter, "_seconds": seconds}
    exec(compile(ast.fix_missing_locations(tree), "<clocked>", "exec"), scope)
    return Clocked(scope[name], lines, seconds)


def measure(row: Row, seconds: float) -> tuple[int, Clocked]:
    """Run the printed step of `row` for about `seconds`; return how often, and the clock."""
    found: list[Clocked] = []

    def executed(program: Program, name: str, plan: Plan | None) -> Callable[..., Any]:
        text = print_numpy(program, name, with_constants=False, plan=plan)
        found.append(clocked(text, name, dict(constant_names(program))))
        return found[-1].function

    with patch.object(compiled, "_executed", executed):
        step = tensorgrad_compiled.make_step(
            row.make_problem(np.random.default_rng(0)), "numpy"
        )
        step.run()
    step.run()
    for one in found:
        one.seconds[:] = [0.0] * len(one.lines)
    n, end = 0, perf_counter() + seconds
    while perf_counter() < end:
        step.run()
        n += 1
    return n, max(found, key=lambda one: sum(one.seconds))


def profile(row: Row, seconds: float) -> dict[str, Any]:
    """Return the microseconds of a step of `row`, and of each of its lines, dearest first."""
    n, clock = measure(row, seconds)
    lines = sorted(zip(clock.seconds, clock.lines, strict=True), reverse=True)
    return {
        "name": row.name,
        "n_lines": len(lines),
        "us": 1e6 * sum(clock.seconds) / n,
        "lines": [{"us": 1e6 * spent / n, "line": line} for spent, line in lines],
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the rows asked for, and print their dearest lines."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lines")
    parser.add_argument("--rows", default="", help="rows whose name contains this")
    parser.add_argument("--top", type=int, default=10, help="lines to print")
    parser.add_argument("--seconds", type=float, default=2.0, help="time for a row")
    parser.add_argument("--json", type=Path, help="file for the figures")
    args = parser.parse_args(argv)
    found = []
    with limited_threads(1):
        for row in ROWS:
            if args.rows in row.name:
                one = profile(row, args.seconds)
                one["lines"] = one["lines"][: args.top]
                found.append(one)
                print("\n".join(told(one, args.top)))
    if args.json is not None:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


def told(found: dict[str, Any], top: int) -> list[str]:
    """Return a profile as lines of text: shares, microseconds, source."""
    total = found["us"]
    return [
        f"{found['name']}: {total:.0f} us in {found['n_lines']} lines",
        *(
            f"  {one['us'] / total:6.1%} {one['us']:9.1f} us  {one['line'][:80]}"
            for one in found["lines"][:top]
        ),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
