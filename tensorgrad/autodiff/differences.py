"""Central differences that know how far they can be trusted.

Theory
------
D(h) = (φ(h) − φ(−h))/2h has an error c₁h² + c₂h⁴ + …, so that (4 D(h/2) − D(h))/3 lacks
the first term, and so on: a triangle of estimates (L. F. Richardson 1911). Each step
down the triangle removes a power of h² and keeps the rounding of φ, which grows as 1/h.
Two neighbours of an estimate tell its error, whichever of the two it is from; the entry
with the smallest one is taken (C. Ridders, *Accurate computation of F'(x) and
F'(x)F''(x)*, Advances in Engineering Software 4, 1982). Where φ has a kink or a jump
within the stencil the columns do not settle, and the error says so.

The tolerance of a comparison is hence never a constant: it follows from the function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorgrad._typing import Array

__all__ = ["Estimate", "differentiate"]

N_STEPS = 6
"""Evaluations on either side: from h to h/32."""

NOISE_ULPS = 4.0
"""How many roundings of its size a value of φ is taken to be off by, at least."""


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A derivative, how far off it may be, and the steps that it was found with.

    ``value`` and ``error`` have the shape of what was differentiated; ``n_calls`` counts
    evaluations.
    """

    value: Array
    error: Array
    n_calls: int


def differentiate(
    phi: Callable[[float], Any],
    step: float,
    n_steps: int = N_STEPS,
    *,
    noise: float = 0.0,
) -> Estimate:
    """Return φ'(0) of a function of a number, with an estimate of the error.

    Parameters
    ----------
    phi : callable
        From a float to an array in float64 or complex128, always of one shape.
    step : float
        The largest step: within it φ should look like a polynomial.
    n_steps : int
        Steps, each half of the one before.
    noise : float
        How far a value of φ may be off, if that is known to be more than a few roundings
        of its size.

    Returns
    -------
    Estimate
        NaN with infinite error where φ is not finite at all steps.

    Examples
    --------
    >>> found = differentiate(lambda h: np.exp(h), 0.1)
    >>> bool(abs(found.value - 1) <= found.error < 1e-11)
    True
    """
    rows: list[Array] = []
    best: Any = np.nan
    error: Any = np.inf
    size: Any = 0.0
    with np.errstate(all="ignore"):
        for k in range(n_steps):
            h = step / 2.0**k
            above, below = np.asarray(phi(h)), np.asarray(phi(-h))
            size = np.maximum(size, np.maximum(np.abs(above), np.abs(below)))
            row = [(above - below) / (2.0 * h)]
            off_by = NOISE_ULPS * np.finfo(np.float64).eps * size + noise
            for j, before in enumerate(rows):
                factor = 4.0 ** (j + 1)
                entry = (factor * row[j] - before) / (factor - 1.0)
                off = (
                    np.maximum(np.abs(entry - row[j]), np.abs(entry - before))
                    + off_by / h
                )
                off = np.where(np.isnan(off), np.inf, off)
                row.append(entry)
                best = np.where(off < error, entry, best)
                error = np.minimum(off, error)
            rows = row
    return Estimate(np.asarray(best), np.asarray(error), 2 * n_steps)
