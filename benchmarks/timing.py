"""Interleaved timing of several steps in one process.

A round gives every contender one slice in turn, so that a slow spell of the machine
meets all of them. A slice repeats the step until it is long enough to be timed, after
one untimed step that brings its data back into the caches. Ratios are taken within a
round and only then reduced to a median.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from benchmarks.memory import count_page_faults

Seconds: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

MAX_REPEATS = 10_000


@dataclass(frozen=True)
class Plan:
    """How long to measure.

    Attributes
    ----------
    rounds
        Number of rounds.
    slice_s
        Length of a slice in seconds; a longer step is run once.
    warm_up_steps
        Steps before the first round.
    """

    rounds: int = 21
    slice_s: float = 0.02
    warm_up_steps: int = 5


SMOKE = Plan(rounds=1, slice_s=0.0, warm_up_steps=1)
"""Every step runs, no figure means anything."""


@dataclass(frozen=True)
class Quartiles:
    """Lower quartile, median and upper quartile."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Timing:
    """One contender's figures.

    Attributes
    ----------
    seconds
        Wall time of one step.
    ratio
        Wall time of one step over that of the baseline in the same round.
    cores
        Processor time over wall time: above the thread limit, a pool got away.
    page_faults
        Minor page faults of one step: memory that went back to the system and came
        again. Depends on what the process allocated before; NaN where unknown.
    repeats
        Steps in a slice.
    """

    seconds: Quartiles
    ratio: Quartiles
    cores: float
    page_faults: float
    repeats: int


@dataclass(frozen=True)
class _Slice:
    """What one slice took, for one step of it."""

    wall_s: float
    processor_s: float
    page_faults: float


def time_interleaved(
    steps: Mapping[str, Callable[[], object]], *, baseline: str, plan: Plan
) -> dict[str, Timing]:
    """Time `steps` in turns and return the figures of each.

    Parameters
    ----------
    steps
        The callables, by name, in the order in which they take turns.
    baseline
        The name whose time is the unit of the ratios.
    plan
        How long to measure.

    Examples
    --------
    >>> figures = time_interleaved({"sum": lambda: sum(range(99))}, baseline="sum",
    ...                            plan=SMOKE)
    >>> figures["sum"].ratio.median
    1.0
    """
    for step in steps.values():
        for _ in range(plan.warm_up_steps):
            step()
    repeats = {name: _calibrate(step, plan.slice_s) for name, step in steps.items()}
    slices: dict[str, list[_Slice]] = {name: [] for name in steps}
    with _frozen_heap():
        for _ in range(plan.rounds):
            for name, step in steps.items():
                slices[name].append(_time_slice(step, repeats[name]))
    unit = np.array([part.wall_s for part in slices[baseline]])
    return {name: _reduce(slices[name], unit, repeats[name]) for name in steps}


def _reduce(slices: list[_Slice], unit: Seconds, repeats: int) -> Timing:
    wall = np.array([part.wall_s for part in slices])
    return Timing(
        seconds=_quartiles(wall),
        ratio=_quartiles(wall / unit),
        cores=float(sum(part.processor_s for part in slices) / np.sum(wall)),
        page_faults=float(np.median([part.page_faults for part in slices])),
        repeats=repeats,
    )


def _time_slice(step: Callable[[], object], repeats: int) -> _Slice:
    step()
    faults = count_page_faults()
    processor_start = time.process_time()
    start = time.perf_counter()
    for _ in range(repeats):
        step()
    wall_s = time.perf_counter() - start
    processor_s = time.process_time() - processor_start
    return _Slice(
        wall_s=wall_s / repeats,
        processor_s=processor_s / repeats,
        page_faults=(count_page_faults() - faults) / repeats,
    )


def _calibrate(step: Callable[[], object], slice_s: float) -> int:
    repeats = 1
    while repeats < MAX_REPEATS:
        if repeats * _time_slice(step, repeats).wall_s >= slice_s:
            break
        repeats = min(2 * repeats, MAX_REPEATS)
    return repeats


@contextmanager
def _frozen_heap() -> Iterator[None]:
    """Hide what is already allocated from the cyclic collector.

    The collector stays on, as for any user, but a contender that makes many objects
    does not pay for walking those of the other packages in the process.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _quartiles(values: Seconds) -> Quartiles:
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    return Quartiles(low=float(low), median=float(median), high=float(high))
