"""From a hand's numbers to verdicts and findings, at one point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.auditor.anatomy import Anatomy
from tensorgrad.auditor.catalogue import Context
from tensorgrad.auditor.directions import decay_of
from tensorgrad.auditor.intake import Answer, Behaviour
from tensorgrad.auditor.judging import (
    Kinks,
    kinks,
    relative_error,
    saturated,
    tolerances,
)
from tensorgrad.auditor.recording import Record
from tensorgrad.auditor.report import Finding, Verdict
from tensorgrad.auditor.searching import Problem, search
from tensorgrad.auditor.sweeping import Truth
from tensorgrad.auditor.telling import findings_of, of_numbers, of_shapes, of_state

__all__ = ["Scene"]

WORN = 1e-3
"""A relative error that is no agreement, however large the rounding may be."""

CLOSE = 1e-9
"""A relative error that no mistake leaves, and differences may."""


@dataclass(slots=True)
class Scene:
    """Everything known before the hand's numbers are looked at."""

    found: Record
    true: Truth
    parts: Anatomy
    rng: np.random.Generator
    seconds: float

    def judged(
        self, answer: Answer, manners: Behaviour, *, is_sound: bool
    ) -> tuple[dict[str, Verdict], list[Finding]]:
        """Return the verdict on every tensor, and the findings."""
        findings = of_state(manners, answer, self.true)
        findings += of_shapes(answer, self.parts, self.true)
        excused = {c.name for c in answer.complaints}
        hand = {n: v for n, v in answer.gradients.items() if n not in excused}
        hand.update({n: v for n, v in manners.increment.items() if n in hand})
        tolerance = self._tolerance(hand)
        verdicts = self._verdicts(answer, manners, hand, tolerance)
        reason = "the reference itself fails its check" if not is_sound else ""
        if manners.varies:
            reason = "two calls with the same arguments give different gradients"
        if reason:
            return _in_doubt(verdicts, reason), findings
        wrong = [n for n, v in verdicts.items() if v.status == "refuted" and n in hand]
        findings += of_numbers(answer, hand, wrong)
        # What accumulates is told already; each call's share may be wrong besides.
        told = {name for finding in findings for name in finding.where.tensors}
        told -= manners.accumulates
        findings += self._explained(hand, set(wrong) - told, told, tolerance)
        verdicts.update(self._deltas(answer))
        return verdicts, findings

    def _verdicts(
        self,
        answer: Answer,
        manners: Behaviour,
        hand: Mapping[str, Array],
        tolerance: Mapping[str, float],
    ) -> dict[str, Verdict]:
        corners = kinks(self.parts, self.true)
        verdicts = {
            name: self._verdict(name, hand.get(name), tolerance[name], corners)
            for name in self.true.gradients
        }
        for complaint in answer.complaints:
            verdicts[complaint.name] = Verdict("refuted", 1.0, complaint.reason)
        for name in manners.accumulates:
            reason = "every call adds to what was returned before"
            error = relative_error(answer.gradients[name], self.true.gradients[name])
            verdicts[name] = Verdict("refuted", error, reason)
        return verdicts

    def _tolerance(self, hand: Mapping[str, Array]) -> dict[str, float]:
        """Return how far each tensor may be off, in the precision that it came in."""
        eps = {
            name: max(
                float(np.finfo(kind).eps)
                for kind in (true.dtype, hand.get(name, true).dtype)
            )
            for name, true in self.true.gradients.items()
        }
        by_eps = {
            e: tolerances(self.found, self.true, e, self.rng) for e in set(eps.values())
        }
        return {name: by_eps[e][name] for name, e in eps.items()}

    def _is_right(
        self, name: str, hand: Mapping[str, Array], tolerance: Mapping[str, float]
    ) -> bool:
        true = self.true.gradients[name]
        gap = float(np.linalg.norm(hand[name] - true))
        return gap <= tolerance[name] or relative_error(hand[name], true) <= CLOSE

    def _verdict(
        self, name: str, hand: Array | None, tolerance: float, corners: Kinks
    ) -> Verdict:
        true = self.true.gradients[name]
        if hand is None:
            return Verdict("inconclusive", 1.0, "no gradient came back")
        error = relative_error(hand, true)
        if not np.isfinite(true).all():
            reason = "the true gradient is not finite here"
            return Verdict("inconclusive", 1.0, reason)
        if not np.isfinite(hand).all():
            worn = saturated(self.parts)
            count = int((~np.isfinite(hand)).sum())
            reason = f"{count} of {hand.size} entries are NaN or infinite"
            if worn:
                told = f"{reason}, where {worn.texts[0]}"
                return Verdict("inconclusive", 1.0, told)
            return Verdict("refuted", 1.0, reason)
        gap = float(np.linalg.norm(hand - true))
        if gap <= tolerance or error <= CLOSE:
            reason = ""
            if gap > tolerance:
                reason = f"to {error:.0e}: rounding alone would leave less"
            elif error > WORN and tolerance > CLOSE * self._largest():
                reason = "no digit is left: rounding alone moves it as far"
                return Verdict("inconclusive", error, reason)
            if not np.any(true):
                reason = (
                    "zero over zero: this point cannot tell it from a missing gradient"
                )
            return Verdict("confirmed", error, reason)
        if name in corners.tensors:
            other = float(np.linalg.norm(hand - true - corners.moved[name]))
            if other <= tolerance + 1e-12 * float(np.linalg.norm(true)):
                reason = f"with the other slope at a kink: {corners.texts[0]}"
                return Verdict("confirmed", error, reason)
            return Verdict("inconclusive", error, corners.texts[0])
        return Verdict("refuted", error)

    def _largest(self) -> float:
        """Return the size of the largest tensor of the gradient."""
        norms = [float(np.linalg.norm(v)) for v in self.true.gradients.values()]
        return max((n for n in norms if np.isfinite(n)), default=0.0)

    def _explained(
        self,
        hand: Mapping[str, Array],
        wrong: set[str],
        told: set[str],
        tolerance: Mapping[str, float],
    ) -> list[Finding]:
        """Search for what explains the wrong tensors and leaves the right ones alone."""
        right = {n for n in hand if self._is_right(n, hand, tolerance)}
        if not wrong - right:
            return []
        names = [
            n
            for n in hand
            if n in wrong | (right - told) and np.isfinite(hand[n]).all()
        ]
        context = Context(self.parts, self.true)
        problem = Problem(
            context,
            {n: hand[n] for n in names},
            {n: self.true.gradients[n] for n in names},
            tolerance,
            self.parts.sizes,
            {n: v for n, v in decay_of(context).items() if n in names},
        )
        with np.errstate(all="ignore"):
            return findings_of(problem, search(problem, self.seconds))

    def _deltas(self, answer: Answer) -> dict[str, Verdict]:
        """Judge the δ that came with the gradients, with or without 1/n."""
        verdicts = {}
        n = float(self.parts.sizes.get("n", 1))
        for layer in self.parts.layers:
            delta = answer.deltas.get(layer.number)
            true = self.true.adjoints.get(layer.z)
            if delta is None or true is None:
                continue
            errors = [
                relative_error(side, scale * true)
                for side in (delta, delta.T)
                for scale in (1.0, n)
            ]
            error = min(errors)
            is_right = error < 1e-9
            verdicts[f"delta.{layer.number}"] = Verdict(
                "confirmed" if is_right else "refuted",
                error,
                "with or without the 1/n of the mean" if is_right else "",
            )
        return verdicts


def _in_doubt(verdicts: Mapping[str, Verdict], reason: str) -> dict[str, Verdict]:
    return {n: Verdict("inconclusive", v.error, reason) for n, v in verdicts.items()}
