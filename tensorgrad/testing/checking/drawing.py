"""A check at points that Hypothesis draws, and makes simple when one is refuted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from tensorgrad.testing.checking.judging import CONFIRMED, REFUTED

__all__ = ["check_drawn", "is_strategy"]


class _Report(Protocol):
    """What says whether a point was confirmed, refuted, or cannot be told."""

    @property
    def verdict(self) -> str: ...


R = TypeVar("R", bound=_Report)

MAX_INCONCLUSIVE = 0.5
"""More of the points than this cannot be told: then the whole cannot."""


def is_strategy(value: Any) -> bool:
    """Tell whether an argument is a Hypothesis strategy, without importing that.

    Examples
    --------
    >>> is_strategy(3.0)
    False
    """
    return any(
        c.__name__ == "SearchStrategy" and c.__module__.startswith("hypothesis")
        for c in type(value).__mro__
    )


def check_drawn(at: Callable[..., R], args: Sequence[Any], n_points: int) -> R:
    """Check at drawn points and return the report that decides.

    The simplest refuted one, if there is one; else the last that could not be told, if
    most could not; else the last that was confirmed.
    """
    from hypothesis import HealthCheck, Phase, given, settings  # noqa: PLC0415
    from hypothesis import strategies as st  # noqa: PLC0415

    reports: list[R] = []
    points = st.tuples(*[a if is_strategy(a) else st.just(a) for a in args])

    @settings(
        max_examples=n_points,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )
    @given(points)
    def check(point: tuple[Any, ...]) -> None:
        reports.append(at(*point))
        if reports[-1].verdict == REFUTED:
            raise _RefutedError

    try:
        check()
    except _RefutedError:
        # The last one that Hypothesis runs is the simplest that fails.
        return next(r for r in reversed(reports) if r.verdict == REFUTED)
    confirmed = [r for r in reports if r.verdict == CONFIRMED]
    doubtful = [r for r in reports if r.verdict != CONFIRMED]
    if len(doubtful) > MAX_INCONCLUSIVE * len(reports):
        return doubtful[-1]
    return confirmed[-1]


class _RefutedError(Exception):
    """A point at which the derivative is wrong."""
