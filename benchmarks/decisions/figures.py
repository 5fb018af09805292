"""What the scripts share: timing of small things, and tables."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence

from benchmarks.machine import describe_machine, limited_threads
from benchmarks.timing import SMOKE, Plan, time_interleaved

__all__ = ["format_table", "quiet_seconds", "run"]


def quiet_seconds(
    steps: Mapping[str, Callable[[], object]], *, smoke: bool
) -> dict[str, float]:
    """Return the seconds of each step, timed in turns on one BLAS thread.

    The lower quartile: other work on the machine can only add to a time.
    """
    plan = SMOKE if smoke else Plan()
    with limited_threads(1):
        timings = time_interleaved(steps, baseline=next(iter(steps)), plan=plan)
    return {name: timing.seconds.low for name, timing in timings.items()}


def format_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table.

    Examples
    --------
    >>> print(format_table(["a", "b"], [["1", "2"]]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    lines = [header, ["---"] * len(header), *rows]
    texts = ["| " + " | ".join(line) + " |" for line in lines]
    texts[1] = texts[1].replace(" ", "")
    return "\n".join(texts)


def run(
    name: str, argv: Sequence[str] | None, report: Callable[..., Iterable[str]]
) -> int:
    """Parse the command line of a script, print its report and return the status."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.decisions.{name}")
    parser.add_argument(
        "--smoke", action="store_true", help="run everything once; no figure counts"
    )
    options = parser.parse_args(argv)
    machine = describe_machine()
    print(f"{machine['processor']}, {machine['python']}, one BLAS thread\n")
    for part in report(smoke=options.smoke):
        print(part)
        print()
    return 0
