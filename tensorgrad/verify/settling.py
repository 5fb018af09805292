"""Put claims to the test by Hypothesis, and measure the errata."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy

from tensorgrad.verify.records import (
    HIDES,
    SHOWS,
    Claim,
    Erratum,
    Evidence,
    Opinions,
    Verdict,
)

__all__ = ["Measured", "Settled", "measure", "settle"]


@dataclass(slots=True)
class Settled:
    """What the cases say of a claim.

    Attributes
    ----------
    claim : Claim
    cases : int
        How many were compared.
    worst : float
        The largest relative error of the right form.
    worst_by_bound : float
        The largest error in units of the bound of its case: above 1 it contradicts.
    off, should_be_off : int
        In how many cases the printed form was wrong, and in how many it is not said to
        be right by accident.
    verdict : str
        confirmed: it holds as printed. corrected: it holds in its right form, and the
        printed one fails. refuted: the right form fails. unsettled: the printed form
        did not show itself as it should.
    counterexample : str
        The simplest case against the right form; empty where there is none.
    """

    claim: Claim
    cases: int = 0
    worst: float = 0.0
    worst_by_bound: float = 0.0
    off: int = 0
    should_be_off: int = 0
    verdict: Verdict = "unsettled"
    counterexample: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether the verdict is the expected one."""
        return self.verdict == self.claim.expected


@dataclass(frozen=True, slots=True)
class Measured:
    """An erratum and what was measured of it."""

    erratum: Erratum
    evidence: Evidence = field()

    @property
    def is_settled(self) -> bool:
        """Whether the mistake showed, and hid where it is said to hide."""
        return self.evidence.holds


class Contradiction(Exception):  # noqa: N818  # it is what a claim may meet
    """Opinions differ by more than their bound."""


def settle(claim: Claim, *, count: int, seed_: int) -> Settled:
    """Compare in up to ``count`` random cases, and give the verdict.

    Parameters
    ----------
    claim : Claim
    count : int
        Hypothesis stops earlier where there are fewer different cases.
    seed_ : int
        The same seed gives the same cases.

    Returns
    -------
    Settled
    """
    found = Settled(claim)
    trial = _make_trial(found)
    try:
        _run(trial, claim.cases, count, seed_)
    except Contradiction as contradiction:
        found.counterexample = str(contradiction)
        found.verdict = "refuted"
    except Unsatisfiable:
        # No case was found: nothing is known.
        found.verdict = "unsettled"
    else:
        found.verdict = _verdict(found)
    return found


def _verdict(found: Settled) -> Verdict:
    if found.claim.as_printed is None:
        return "confirmed"
    if found.off and found.off == found.should_be_off:
        return "corrected"
    return "unsettled"


def _make_trial(found: Settled) -> Callable[[Any], None]:
    claim = found.claim
    # Hypothesis repeats and simplifies a failing case; only new ones are counted.
    failed = False

    def trial(case: Any) -> None:
        nonlocal failed
        # Far cases may overflow on the way to a finite result; errors tell the rest.
        with np.errstate(over="ignore", under="ignore"):
            opinions = list(claim.compare(case))
        errors = [(opinion.error(), opinion) for opinion in opinions]
        if not failed:
            found.cases += 1
            found.worst = max(found.worst, *(error for error, _ in errors))
            shares = [
                error / opinion.bound for error, opinion in errors if opinion.bound
            ]
            found.worst_by_bound = max(found.worst_by_bound, *shares, 0.0)
        for error, opinion in errors:
            if not error <= opinion.bound:
                failed = True
                raise Contradiction(_contradiction(case, opinion, error))
        if claim.as_printed is not None:
            _try_printed(found, case)

    return trial


def _try_printed(found: Settled, case: Any) -> None:
    """Count whether the printed form is off; where it hides it must not be."""
    claim = found.claim
    assert claim.as_printed is not None
    with np.errstate(all="ignore"):
        error = _worst(claim.as_printed(case))
    if claim.hides(case):
        # One that shows where it is said to hide unsettles the claim.
        found.off += error > HIDES
        return
    found.should_be_off += 1
    found.off += error > SHOWS


def _worst(opinions: Iterable[Opinions]) -> float:
    return max(opinion.error() for opinion in opinions)


def _contradiction(case: Any, opinion: Opinions, error: float) -> str:
    return (
        f"{opinion.name}: the opinions differ by {error:.1e}, where {opinion.bound:.1e} "
        f"is expected at most, in the case {case!r}"
    )


def _run(
    trial: Callable[[Any], None], cases: SearchStrategy[Any], count: int, seed_: int
) -> None:
    """Let Hypothesis draw cases; a failing one comes back simplified."""
    drawn: Callable[[], None] = given(cases)(trial)
    limit = settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=False,
        report_multiple_bugs=False,
        print_blob=False,
        verbosity=Verbosity.quiet,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    run: Callable[[], None] = seed(seed_)(limit(drawn))
    run()


def measure(errata: Iterable[Erratum], *, seed_: int) -> Iterator[Measured]:
    """Measure the errata, each with a generator of its own.

    Yields
    ------
    Measured
    """
    for erratum in errata:
        rng = np.random.default_rng(seed_)
        with np.errstate(all="ignore"):
            yield Measured(erratum, erratum.measure(rng))
