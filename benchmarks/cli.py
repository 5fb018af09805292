"""Command line of the benchmarks."""

from __future__ import annotations

import argparse
import fnmatch
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.bench import RowResult, run_row
from benchmarks.contenders import BASELINE, CONTENDERS
from benchmarks.contract import Contender, Row
from benchmarks.machine import describe_machine, describe_versions, limited_threads
from benchmarks.memory import POLICIES, MemoryPolicyError, set_memory_policy
from benchmarks.report import as_json, format_row, format_table
from benchmarks.rows import ROWS
from benchmarks.timing import SMOKE, Plan

EPILOG = """\
A figure is the wall time of one whole step: forward, backward and update. Contenders
take turns in one process; a ratio is the median over the rounds of a contender's time
over that of straightforward handwritten NumPy in the same round. A contender is timed
only after its loss, gradients and updated parameters agree with handwritten NumPy.
The exit status is 1 when one of them does not, or raises.
"""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of ``python -m benchmarks``."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Time whole training steps against handwritten NumPy and peers.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = Plan()
    parser.add_argument(
        "--rows",
        metavar="PATTERN",
        action="append",
        help="only rows whose name contains PATTERN, which may have * (repeatable)",
    )
    parser.add_argument(
        "--contenders",
        metavar="NAMES",
        help="only these, with commas between; handwritten NumPy always runs",
    )
    parser.add_argument(
        "--compile", action="store_true", help="time torch.compile too (slow to start)"
    )
    parser.add_argument(
        "--rounds",
        type=_positive(int),
        default=default.rounds,
        help="rounds of one slice for every contender (default: %(default)s)",
    )
    parser.add_argument(
        "--slice",
        type=_positive(float),
        metavar="SECONDS",
        default=default.slice_s,
        help="length of a slice (default: %(default)s)",
    )
    parser.add_argument(
        "--threads",
        type=_positive(int),
        default=1,
        help="threads for BLAS and for the peers' own pools (default: %(default)s)",
    )
    parser.add_argument(
        "--memory",
        choices=POLICIES,
        default="as-found",
        help="what glibc does with freed arrays: as it does by itself, which depends "
        "on everything imported before; keep them; or return them, which costs page "
        "faults at every step (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the data (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument(
        "--smoke", action="store_true", help="run everything once; times mean nothing"
    )
    parser.add_argument("--list", action="store_true", help="list rows and contenders")
    return parser


def _positive(kind: type[int | float]) -> Any:
    def convert(text: str) -> float:
        value = kind(text)
        if not (value > 0 and math.isfinite(value)):
            raise argparse.ArgumentTypeError(f"{text} is not a positive number")
        return value

    convert.__name__ = f"positive {kind.__name__}"
    return convert


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = make_parser()
    options = parser.parse_args(argv)
    rows = choose_rows(options.rows)
    if not rows:
        parser.error(f"no row matches {options.rows}; see --list")
    try:
        asked = choose_contenders(options.contenders, compiled=options.compile)
    except ValueError as error:
        parser.error(str(error))
    present = [contender for contender in asked if contender.is_installed()]
    if options.list:
        _print_list(rows, asked)
        return 0
    if options.smoke:
        plan = SMOKE
    else:
        plan = Plan(rounds=options.rounds, slice_s=options.slice)
    try:
        set_memory_policy(options.memory)
    except MemoryPolicyError as error:
        parser.error(str(error))
    absent = [contender.name for contender in asked if contender not in present]
    unprepared = _prepare(present, options.threads)
    context = {
        "machine": describe_machine(),
        "versions": describe_versions([c.package for c in present]),
        "threads": options.threads,
        "memory": options.memory,
        "seed": options.seed,
        "plan": asdict(plan),
        "absent": absent,
        "unprepared": unprepared,
    }
    ready = [contender for contender in present if contender.name not in unprepared]
    with limited_threads(options.threads) as pools:
        context["pools"] = pools
        _print_context(context)
        results = _run(rows, ready, plan=plan, seed=options.seed)
    print(format_table(results), flush=True)
    if options.json is not None:
        text = json.dumps(as_json(results, context), indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 1 if unprepared or any(result.failures for result in results) else 0


def choose_rows(patterns: Sequence[str] | None) -> list[Row]:
    """Return the rows whose name contains one of `patterns`; all without patterns."""
    if patterns is None:
        return list(ROWS)
    wanted = [f"*{pattern.lower()}*" for pattern in patterns]
    return [
        row
        for row in ROWS
        if any(fnmatch.fnmatchcase(row.name.lower(), pattern) for pattern in wanted)
    ]


def choose_contenders(names: str | None, *, compiled: bool) -> list[Contender]:
    """Return the contenders called `names`, or all that need no request.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    if names is None:
        return [c for c in CONTENDERS if compiled or not c.on_request]
    wanted = [name.strip() for name in names.split(",")]
    known = [contender.name for contender in CONTENDERS]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ValueError(f"no contender is called {unknown}; there are {known}")
    return [c for c in CONTENDERS if c is BASELINE or c.name in wanted]


def _prepare(contenders: Sequence[Contender], threads: int) -> dict[str, str]:
    """Prepare `contenders`; return the reasons of those that cannot be."""
    failures: dict[str, str] = {}
    for contender in contenders:
        try:
            contender.prepare(threads)
        except Exception as raised:  # noqa: BLE001 - any package may fail in any way
            failures[contender.name] = f"{type(raised).__name__}: {raised}"
    return failures


def _run(
    rows: Sequence[Row], contenders: Sequence[Contender], *, plan: Plan, seed: int
) -> list[RowResult]:
    results = []
    for row in rows:
        result = run_row(row, contenders, plan=plan, seed=seed)
        print(format_row(result), end="\n\n", flush=True)
        results.append(result)
    return results


def _print_context(context: dict[str, Any]) -> None:
    for group in ("machine", "versions"):
        print(f"{group}: " + ", ".join(f"{k} {v}" for k, v in context[group].items()))
    print(f"threads: {context['threads']}; " + "; ".join(context["pools"]))
    plan = context["plan"]
    print(f"plan: {plan['rounds']} rounds of {plan['slice_s']} s slices, interleaved")
    print(f"freed memory: {context['memory']}")
    if context["absent"]:
        print("not installed: " + ", ".join(context["absent"]))
    for name, reason in context["unprepared"].items():
        print(f"cannot be imported: {name}: {reason}")
    print(flush=True)


def _print_list(rows: Sequence[Row], contenders: Sequence[Contender]) -> None:
    for row in rows:
        print(f"row        {row.name}")
    for contender in contenders:
        state = "installed" if contender.is_installed() else "not installed"
        print(f"contender  {contender.name} ({state})")
