"""The findings as plain data, and prose with LaTeX for a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pylatexenc.latex2text import LatexNodes2Text

from tensorgrad.verify.settling import Measured, Settled

__all__ = ["Findings", "as_data", "as_text", "summary", "verdict_counts"]

MATH = re.compile(r"\$(.+?)\$", re.DOTALL)
"""Mathematics between dollar signs, as in all texts of claims and errata."""

NO_BREAK = "\N{NO-BREAK SPACE}"
SHORT = 50
"""Characters of a formula that is kept on one line."""

_TO_TEXT = LatexNodes2Text(math_mode="text")


@dataclass(frozen=True, slots=True)
class Findings:
    """What one run found.

    Attributes
    ----------
    claims : sequence of Settled
    errata : sequence of Measured
    count, seed : int
        Cases for each claim, and where they come from.
    """

    claims: Sequence[Settled]
    errata: Sequence[Measured]
    count: int
    seed: int

    @property
    def is_settled(self) -> bool:
        """Whether every claim got its verdict, and every mistake its evidence."""
        claims = all(found.is_settled for found in self.claims)
        return claims and all(found.is_settled for found in self.errata)


def as_data(findings: Findings) -> dict[str, Any]:
    """Return the findings as dicts and lists, for JSON.

    Returns
    -------
    dict
        ``claims`` and ``errata``, lists of dicts; ``count``, ``seed``, and ``settled``.
        Numbers are finite: an infinite error, of different shapes, is None.
    """
    return {
        "claims": [_claim(found) for found in findings.claims],
        "errata": [_erratum(found) for found in findings.errata],
        "count": findings.count,
        "seed": findings.seed,
        "settled": findings.is_settled,
    }


def _claim(found: Settled) -> dict[str, Any]:
    claim = found.claim
    return {
        "id": claim.id,
        "section": claim.section,
        "claim": claim.title,
        "statement": claim.statement,
        "cases": found.cases,
        "worst_relative_error": _finite(found.worst),
        "worst_by_bound": _finite(found.worst_by_bound),
        "verdict": found.verdict,
        "expected": claim.expected,
        "settled": found.is_settled,
        "printed_form_off": found.off,
        "printed_form_should_be_off": found.should_be_off,
        "counterexample": found.counterexample,
    }


def _erratum(found: Measured) -> dict[str, Any]:
    erratum, evidence = found.erratum, found.evidence
    return {
        "id": erratum.id,
        "section": erratum.section,
        "kind": erratum.kind,
        "printed": erratum.printed,
        "right": erratum.right,
        "why": erratum.why,
        "evidence": evidence.text,
        "shown": _finite(evidence.shown),
        "invisible": erratum.invisible,
        "hidden": None if evidence.hidden is None else _finite(evidence.hidden),
        "claim": erratum.claim,
        "settled": found.is_settled,
    }


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None


def as_text(prose: str) -> str:
    r"""Return prose with its LaTeX spelled in Unicode, for a terminal.

    Blanks within a short formula are no-break spaces.

    Examples
    --------
    >>> as_text(r"the slope is $\sigma'(z) = a (1 - a)$").replace(NO_BREAK, " ")
    "the slope is σ'(z) = a (1 - a)"
    """
    return MATH.sub(_as_formula, prose)


def _as_formula(found: re.Match[str]) -> str:
    text: str = _TO_TEXT.latex_to_text(found[1])
    # A formula is not broken at the end of a line, unless it fills most of one.
    one_line = " ".join(text.split())
    return one_line.replace(" ", NO_BREAK) if len(one_line) <= SHORT else one_line


def verdict_counts(findings: Findings) -> dict[str, int]:
    """Return how many claims got each verdict, in the order of the first of each."""
    counts: dict[str, int] = {}
    for found in findings.claims:
        counts[found.verdict] = counts.get(found.verdict, 0) + 1
    return counts


def summary(findings: Findings) -> str:
    """Return the outcome in a sentence."""
    counts = ", ".join(f"{n} {name}" for name, n in verdict_counts(findings).items())
    shown = sum(found.is_settled for found in findings.errata)
    return (
        f"{len(findings.claims)} claims: {counts or 'none'}; "
        f"{len(findings.errata)} errata: {shown} with evidence"
    )
