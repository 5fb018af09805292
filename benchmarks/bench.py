"""Run one row: make the steps, check that they agree, time them."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.agreement import check_agreement
from benchmarks.contenders import BASELINE
from benchmarks.contract import Contender, NotOfferedError, Row, Step
from benchmarks.memory import peak_bytes
from benchmarks.problem import Problem, at_rest
from benchmarks.timing import Plan, Timing, time_interleaved


@dataclass(frozen=True)
class RowResult:
    """What came out of one row.

    Attributes
    ----------
    name
        Name of the row.
    timings
        Figures of the contenders that agree with handwritten NumPy.
    peaks
        Bytes that NumPy and Python allocate in one step at most, beyond what is there
        before it; of packages with memory of their own nothing is seen.
    errors
        Largest relative error of a gradient, of the same contenders.
    failures
        Of the others, what went wrong; they are not timed.
    """

    name: str
    timings: dict[str, Timing]
    errors: dict[str, float]
    peaks: dict[str, int] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def run_row(
    row: Row, contenders: Sequence[Contender], *, plan: Plan, seed: int = 0
) -> RowResult:
    """Check and time `contenders` on `row`; the baseline always takes part.

    A contender that raises or disagrees becomes a failure with its reason, and the
    others are timed all the same.
    """
    problem = row.make_problem(np.random.default_rng(seed))
    steps = {BASELINE.name: BASELINE.make_step(at_rest(problem)).run}
    errors: dict[str, float] = {}
    failures: dict[str, str] = {}
    for contender in contenders:
        if contender is BASELINE:
            continue
        try:
            error, step = _checked_step(contender, problem)
        except NotOfferedError:
            continue
        except Exception as raised:  # noqa: BLE001 - any package may fail in any way
            last = traceback.extract_tb(raised.__traceback__)[-1]
            failures[contender.name] = (
                f"{type(raised).__name__}: {raised} ({last.name}, line {last.lineno})"
            )
        else:
            errors[contender.name] = error
            steps[contender.name] = step.run
    timings = time_interleaved(steps, baseline=BASELINE.name, plan=plan)
    seen = {c.name for c in contenders if not c.has_own_memory}
    peaks = {name: peak_bytes(run) for name, run in steps.items() if name in seen}
    return RowResult(row.name, timings, errors, peaks, failures)


def _checked_step(contender: Contender, problem: Problem) -> tuple[float, Step]:
    """Return the error of a trial step, and a fresh step for timing."""
    baseline = BASELINE.make_step(problem)
    error = check_agreement(contender.make_step(problem), baseline, problem)
    return error, contender.make_step(at_rest(problem))
