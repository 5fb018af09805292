"""Results as text for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.bench import RowResult
from benchmarks.timing import Timing

NAME_WIDTH = 14
MISSING = "-"
HEAD = (
    f"  {'':<{NAME_WIDTH}} {'ms a step':>10} {'quartiles':>19} "
    f"{'ratio':>8} {'quartiles':>15} {'cores':>6} {'faults':>7} {'peak KiB':>9} {'error':>6}"
)


def format_row(result: RowResult) -> str:
    """Return the block of one row: a line for every contender, failures below."""
    lines = [
        result.name,
        HEAD,
    ]
    for name, timing in result.timings.items():
        error, peak = result.errors.get(name), result.peaks.get(name)
        lines.append(_timing_line(name, timing, error, peak))
    for name, reason in result.failures.items():
        lines.append(f"  {name:<{NAME_WIDTH}} NOT TIMED: {reason}")
    return "\n".join(lines)


def _timing_line(
    name: str, timing: Timing, error: float | None, peak: int | None
) -> str:
    seconds, ratio = timing.seconds, timing.ratio
    spread = f"{1e3 * seconds.low:.4g} … {1e3 * seconds.high:.4g}"
    ratio_spread = f"{ratio.low:.2f} … {ratio.high:.2f}"
    shown_error = MISSING if error is None else f"{error:.0e}"
    shown_peak = MISSING if peak is None else f"{peak / 1024:.0f}"
    return (
        f"  {name:<{NAME_WIDTH}} {1e3 * seconds.median:>10.4g} {spread:>19} "
        f"{ratio.median:>8.3f} {ratio_spread:>15} {timing.cores:>6.2f} "
        f"{timing.page_faults:>7.0f} {shown_peak:>9} {shown_error:>6}"
    )


def format_table(results: Sequence[RowResult]) -> str:
    """Return the table of median ratios as Markdown, a column for every contender."""
    names = list(dict.fromkeys(name for r in results for name in _columns(r)))
    widths = [max(len(name), 5) for name in names]
    first = max([len("workload"), *(len(r.name) for r in results)])
    head = [f"{'workload':<{first}}"]
    head += [f"{name:>{width}}" for name, width in zip(names, widths, strict=True)]
    lines = [_cells(head), _cells(["-" * len(head[0]), *("-" * w for w in widths)])]
    for result in results:
        cells = [f"{result.name:<{first}}"]
        for name, width in zip(names, widths, strict=True):
            timing = result.timings.get(name)
            text = MISSING if timing is None else f"{timing.ratio.median:.2f}"
            cells.append(f"{text:>{width}}")
        lines.append(_cells(cells))
    return "\n".join(lines)


def _columns(result: RowResult) -> list[str]:
    return [*result.timings, *result.failures]


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def as_json(results: Sequence[RowResult], context: dict[str, Any]) -> dict[str, Any]:
    """Return everything as plain data: `context` and the figures of every row."""
    return {**context, "rows": [asdict(result) for result in results]}
