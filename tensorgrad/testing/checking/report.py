"""What a check found, for people, for machines and for notebooks."""

from __future__ import annotations

import html
import json
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

from tensorgrad.errors import GradientCheckError, explain
from tensorgrad.testing.checking.judging import (
    CONFIRMED,
    INCONCLUSIVE,
    REFUTED,
    Check,
    overall,
)

__all__ = ["GradReport"]

N_WORST = 5
_ORDER = {REFUTED: 0, INCONCLUSIVE: 1, CONFIRMED: 2}


@dataclass(frozen=True, slots=True)
class GradReport:
    """The verdict on a derivative, and what it rests on. True only if confirmed.

    Attributes
    ----------
    function : str
        What was checked.
    checks : tuple of Check
        Every comparison and every property that was looked at.
    entries : tuple of Check
        Single entries that were compared.
    n_calls : int
        Evaluations of the function.
    n_redrawn : int
        Points that lay at a kink and were moved by less than a tenth.
    reproduce : str
        A program that makes the same check.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> report = tg.testing.gradcheck(np.tanh, np.array([0.5, -1.0]))
    >>> report.verdict, bool(report)
    ('confirmed', True)
    """

    function: str
    checks: tuple[Check, ...]
    entries: tuple[Check, ...] = ()
    n_calls: int = 0
    n_redrawn: int = 0
    reproduce: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return self.verdict == CONFIRMED

    @property
    def verdict(self) -> str:
        """One of "confirmed", "refuted" and "inconclusive"."""
        refuted = [c.verdict for c in self.entries if c.verdict == REFUTED]
        return overall([c.verdict for c in self.checks] + refuted)

    @property
    def reason(self) -> str:
        """Why the verdict is not "confirmed"; empty if it is."""
        # A broken property explains figures; a single entry says more than a direction.
        properties = [c for c in self.checks if c.claimed != c.claimed]
        entries = self.entries if self.verdict == REFUTED else ()
        for check in (*properties, *entries, *self.checks):
            if check.verdict == self.verdict != CONFIRMED:
                return f"{check.name} ({check.where}): {check.reason}"
        return ""

    @property
    def worst(self) -> tuple[Check, ...]:
        """The comparisons that are furthest off, refuted ones first."""
        compared = [c for c in (*self.entries, *self.checks) if isfinite(c.bound)]
        compared += [
            c for c in self.checks if c.verdict == REFUTED and c not in compared
        ]
        ranked = sorted(compared, key=lambda c: (_ORDER[c.verdict], -c.excess))
        return tuple(ranked[:N_WORST])

    def table(self) -> str:
        """Return the checks as a table of text."""
        header = ("check", "of", "claimed", "measured", "±", "verdict")
        shown = [c for c in self.entries if c.verdict == REFUTED][:N_WORST]
        rows = [header, *[_cells(c) for c in (*self.checks, *shown)]]
        widths = [max(len(row[k]) for row in rows) for k in range(len(header))]
        lines = [
            "  ".join(
                cell.ljust(w) for cell, w in zip(row, widths, strict=True)
            ).rstrip()
            for row in rows
        ]
        counted = f"{self.n_calls} evaluations, {len(self.entries)} entries compared"
        moved = f", {self.n_redrawn} points moved off a kink" if self.n_redrawn else ""
        lines += ["", f"{self.function}: {self.verdict} ({counted}{moved})"]
        if self.reason:
            lines.append(self.reason)
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.table()

    def to_json(self) -> str:
        """Return everything as JSON; numbers that are not finite are null."""
        data = {
            "function": self.function,
            "verdict": self.verdict,
            "reason": self.reason,
            "n_calls": self.n_calls,
            "n_redrawn": self.n_redrawn,
            "checks": [_plain(c) for c in self.checks],
            "entries": [_plain(c) for c in self.entries],
            "reproduce": self.reproduce,
        }
        return json.dumps(data, indent=2, allow_nan=False)

    def _repr_html_(self) -> str:
        rows = [*self.checks, *[c for c in self.entries if c.verdict == REFUTED]]
        header = ("check", "of", "claimed", "measured", "±", "verdict")
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(x)}</td>" for x in _cells(c)) + "</tr>"
            for c in rows
        )
        head = "".join(f"<th>{name}</th>" for name in header)
        text = f"{self.function}: {self.verdict}"
        reason = f"<p>{html.escape(self.reason)}</p>" if self.reason else ""
        return (
            f"<p><strong>{html.escape(text)}</strong></p>{reason}"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )

    def raise_if_failed(self) -> None:
        """Raise unless the derivative is confirmed.

        Raises
        ------
        GradientCheckError
            With the table, and the program that makes the same check.
        """
        if self:
            return
        message = explain(
            "gradcheck",
            f"{self.function} is {self.verdict}: {self.reason}",
            "a derivative that agrees with the slopes of the function",
            "The table tells what was compared; the program below repeats it",
        )
        raise GradientCheckError(f"{message}\n\n{self.table()}\n\n{self.reproduce}")


def _cells(check: Check) -> tuple[str, ...]:
    def number(x: float) -> str:
        return f"{x:.8g}" if x == x else ""  # noqa: PLR0124  # NaN is not itself

    return (
        check.name,
        check.where,
        number(check.claimed),
        number(check.reference),
        f"{check.bound:.1e}" if check.bound == check.bound else "",
        check.verdict,
    )


def _plain(check: Check) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and not isfinite(value) else value
        for key, value in asdict(check).items()
    }
