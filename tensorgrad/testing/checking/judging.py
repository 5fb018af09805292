"""From a claim, a slope and the noise of both to a verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, nan

from tensorgrad.testing.checking.slopes import Slope

__all__ = [
    "CONFIRMED",
    "INCONCLUSIVE",
    "REFUTED",
    "RESOLUTION",
    "Check",
    "Claimed",
    "difference",
    "judge",
    "overall",
]

CONFIRMED, REFUTED, INCONCLUSIVE = "confirmed", "refuted", "inconclusive"

RESOLUTION = 2e-5
"""What an agreement has to resolve, as a part of the derivative: a factor of 1.0001 in
it is five times as much."""

EPSILON = 2.0**-52
ZERO_ULPS, ZERO_LEVEL = 1e5, 1e-4
"""Roundings of the function's size, and a part of it in single precision, below which a
derivative may be called zero."""

NEGLIGIBLE = 1e-25
"""A part of the function's size: what is left of a product of rounded numbers."""

FAR = 1e6
"""A factor beyond which two numbers say more than their ratio."""

SAFETY = 5.0
"""How many times its own estimate a slope may be off."""


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison, or one property.

    Attributes
    ----------
    name : str
        What was looked at: a mode, a property.
    where : str
        The argument, and the entry of it if it is one.
    verdict : str
        "confirmed", "refuted" or "inconclusive".
    reason : str
        Why it is not confirmed; empty if it is.
    claimed, reference, bound : float
        The derivative under test, the measured one, and how far they may differ. NaN
        for a property.
    """

    name: str
    where: str
    verdict: str
    reason: str = ""
    claimed: float = nan
    reference: float = nan
    bound: float = nan

    @property
    def excess(self) -> float:
        """How many times the allowed distance the two are apart."""
        gap = abs(self.claimed - self.reference)
        if not isfinite(gap):
            return float("inf") if self.verdict == REFUTED else 0.0
        return gap / self.bound if self.bound else (float("inf") if gap else 0.0)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A derivative under test, along a direction.

    ``noise`` is how far rounding may have moved it, ``eps`` the rounding of the code that
    it is from; ``vanishes`` tells that it is zero because each of its terms is.
    """

    value: float
    noise: float
    eps: float = EPSILON
    vanishes: bool = False


def judge(
    name: str,
    where: str,
    claim: Claimed,
    slope: Slope,
    again: Callable[[], Slope],
    *,
    scale: float = 0.0,
) -> Check:
    """Compare a claimed derivative with a measured one.

    Parameters
    ----------
    name, where : str
        As in `Check`.
    claim : Claimed
    slope : Slope
    again : callable
        Measures once more, with other steps: nothing is refuted by one measurement.
    scale : float
        Size of what the function adds up. A derivative that is zero for all that rounding
        leaves, on both sides, is confirmed if that is little by this measure.

    Examples
    --------
    >>> slope = Slope(2.0, 1e-9)
    >>> judge("reverse", "x", Claimed(2.0, 1e-15), slope, lambda: slope).verdict
    'confirmed'
    >>> judge("reverse", "x", Claimed(2.1, 1e-15), slope, lambda: slope).verdict
    'refuted'
    """
    claimed, noise, eps = claim.value, claim.noise, claim.eps
    if slope.reason:
        reason = {
            "kink": "a kink lies within every stencil around this point",
            "not finite": "the function is not finite around this point",
        }[slope.reason]
        return Check(name, where, INCONCLUSIVE, reason, claimed)
    reference, bound = slope.value, SAFETY * slope.error + noise

    def result(verdict: str, reason: str = "") -> Check:
        return Check(name, where, verdict, reason, claimed, reference, bound)

    if claim.vanishes and (slope.is_constant or slope.error == slope.value == 0):
        return result(CONFIRMED)
    size = max(abs(claimed), abs(reference))
    gap = abs(claimed - reference)
    if gap <= bound:
        if bound <= max(RESOLUTION, min(1e4 * eps, 1e-2)) * size:
            return result(CONFIRMED)
        if slope.is_exact and size <= bound <= min(ZERO_ULPS * eps, ZERO_LEVEL) * scale:
            return result(CONFIRMED)
        limit = (
            "rounding leaves" if noise > SAFETY * slope.error else "differences find"
        )
        return result(
            INCONCLUSIVE, f"{limit} this derivative no better than ±{bound:.1e}"
        )
    if isfinite(gap) and gap <= NEGLIGIBLE * scale:
        return result(
            INCONCLUSIVE, "it is too small beside the function's values to tell"
        )
    second = again()
    if second.reason:
        return result(INCONCLUSIVE, "a second measurement met a kink")
    spread = abs(second.value - reference)
    bound = SAFETY * (slope.error + second.error + spread) + noise
    if isfinite(claimed) and gap <= 2.0 * bound:
        return result(INCONCLUSIVE, "two measurements differ by as much as the claim")
    return result(REFUTED, difference(claimed, reference))


def difference(claimed: float, reference: float) -> str:
    """Say how a claim differs, in the words that lead to the mistake.

    Examples
    --------
    >>> difference(-2.0, 2.0), difference(3.0, 2.0)
    ('its sign is wrong', 'it is 1.5 times the slope')
    """
    if not isfinite(claimed):
        return f"it is {claimed}, the function is smooth"
    if claimed == 0:
        return f"it is zero, the slope is {reference:.6g}"
    if reference == 0:
        return f"it is {claimed:.6g}, the function does not change"
    ratio = claimed / reference
    if not 1 / FAR < abs(ratio) < FAR:
        return f"it is {claimed:.6g}, the slope is {reference:.6g}"
    if abs(ratio + 1) < RESOLUTION:
        return "its sign is wrong"
    return f"it is {ratio:.6g} times the slope"


def overall(verdicts: list[str]) -> str:
    """Return the verdict of several.

    Examples
    --------
    >>> overall(["confirmed", "inconclusive"]), overall(["refuted", "inconclusive"])
    ('inconclusive', 'refuted')
    """
    if REFUTED in verdicts:
        return REFUTED
    return INCONCLUSIVE if INCONCLUSIVE in verdicts or not verdicts else CONFIRMED
