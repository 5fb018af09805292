"""What a claim and an erratum are: plain records, one for each statement of the notes.

Text is prose with LaTeX between dollar signs. The terminal, the page, the file and the
documentation read the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

__all__ = [
    "HIDES",
    "ROUNDING",
    "SHOWS",
    "Claim",
    "Erratum",
    "Evidence",
    "Opinions",
    "Verdict",
    "distance",
]

Verdict = Literal["confirmed", "corrected", "refuted", "unsettled"]

ROUNDING = 1e-12
"""Ways to one formula differ by rounding alone: a few hundred units of 1e-16 in norm,
for sums of some ten terms that go through up to eight layers."""

SHOWS = 1e-3
"""A printed form that is off by less in every case has not been seen to be wrong."""

HIDES = 1e-9
"""Where a mistake is called invisible, what it changes is rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Opinions:
    """One quantity, found in up to three ways that know nothing of each other.

    Attributes
    ----------
    name : str
        The quantity, such as ``"dW1"``.
    hand, graph, numerical : ndarray or None, same shapes
        By the formula derived by hand; by the graph; and without any derivative: by a
        complex step or differences, by counting or by simulation. At least two.
    bound : float
        The largest relative distance that is no contradiction.
    """

    name: str
    hand: Any
    graph: Any = None
    numerical: Any = None
    bound: float = ROUNDING

    def error(self) -> float:
        """Return the largest relative distance of two of the opinions.

        Examples
        --------
        >>> Opinions("J", 1.0, graph=1.0, numerical=1.5).error()
        0.3333333333333333
        """
        given = [
            part for part in (self.hand, self.graph, self.numerical) if part is not None
        ]
        assert len(given) > 1, f"{self.name}: one opinion cannot be contradicted"
        pairs = [(a, b) for i, a in enumerate(given) for b in given[:i]]
        # max() would lose a NaN that does not come first.
        return float(np.max([distance(a, b) for a, b in pairs]))


def distance(first: Any, second: Any) -> float:
    """Return ‖a - b‖ / max(‖a‖, ‖b‖), in the Euclidean norm.

    Parameters
    ----------
    first, second : array_like

    Returns
    -------
    float
        0 for two zero arrays; infinity if the shapes differ or an entry is not finite.

    Notes
    -----
    Arrays are scaled by their largest entry, so that no square overflows or vanishes.

    Examples
    --------
    >>> distance([3.0, 4.0], [3.0, 4.0]), distance([1.0], [[1.0]])
    (0.0, inf)
    """
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    largest = max(np.abs(a).max(initial=0.0), np.abs(b).max(initial=0.0))
    if largest == 0.0:
        return 0.0
    # In units of the largest entry; subnormal numbers have no reciprocal.
    a, b = a / largest, b / largest
    norm = np.linalg.norm
    return float(norm(np.ravel(a - b)) / max(norm(np.ravel(a)), norm(np.ravel(b))))


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """One statement of the notes, in its right form, and how it is put to the test.

    Attributes
    ----------
    id : str
        Its name among the claims.
    section : str
        Of the notes, such as ``"2.1"``.
    title : str
        A few words, without LaTeX.
    statement : str
        The right form, with the conditions that it needs.
    cases : hypothesis.strategies.SearchStrategy
        Random cases.
    compare : callable
        ``compare(case)`` returns `Opinions`, by hand, by the graph and numerically.
    as_printed : callable, optional
        The same with the printed form in place of the hand derivation, where that form
        is wrong. A claim that has it expects the verdict "corrected".
    hides : callable
        ``hides(case)`` tells the cases in which the printed form is right by accident.
    """

    id: str
    section: str
    title: str
    statement: str
    cases: Any
    compare: Callable[[Any], Iterable[Opinions]]
    as_printed: Callable[[Any], Iterable[Opinions]] | None = None
    hides: Callable[[Any], bool] = lambda case: False

    @property
    def expected(self) -> Verdict:
        """The verdict that a reader of the notes should see."""
        return "confirmed" if self.as_printed is None else "corrected"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured of a mistake.

    Attributes
    ----------
    text : str
        The figure in a sentence.
    shown : float
        How far the printed form is from the right one, in the measure of the text: 0
        where nothing is wrong, 1 where an input fails that should work.
    hidden : float or None
        The same where the mistake is said to be invisible; None where it always shows.
    """

    text: str
    shown: float
    hidden: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the mistake shows, and hides where it is said to hide."""
        return self.shown > SHOWS and (self.hidden is None or self.hidden <= HIDES)


@dataclass(frozen=True, slots=True, eq=False)
class Erratum:
    """A mistake of the notes.

    Attributes
    ----------
    id : str
        Its name among the errata.
    section : str
    kind : {"formula", "listing", "statement"}
    printed : str
        What is printed, as a formula or in other words.
    right : str
    why : str
    invisible : str
        Under which circumstances it does not show.
    measure : callable
        ``measure(rng)`` returns `Evidence`, `rng` being a numpy.random.Generator.
    claim : str or None
        The id of the claim that has the right form.
    """

    id: str
    section: str
    kind: Literal["formula", "listing", "statement"]
    printed: str
    right: str
    why: str
    invisible: str
    measure: Callable[[np.random.Generator], Evidence]
    claim: str | None = None
