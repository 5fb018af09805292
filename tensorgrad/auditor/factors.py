"""Factors as what they are made of: n examples, m features, widths, constants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import product

import numpy as np

from tensorgrad._typing import Array

__all__ = ["expressions"]

# How long-winded a factor is: doubling is likelier than a width that is 2, a forgotten
# number of examples likelier than a factor of 3.
CONSTANTS = {
    (1, 1): 0.0,
    (2, 1): 1.0,
    (1, 2): 1.0,
    (3, 1): 2.0,
    (1, 3): 2.0,
    (4, 1): 2.0,
    (1, 4): 2.0,
    (10, 1): 2.0,
    (1, 10): 2.0,
}
LONGEST, NEAR = 4.0, 1.0
"""Longer products are chance; those that are longer by less may be meant."""

WEIGHTS = {"n": 1.5, "m": 2.5}
RATIOS = {("n", "m"): 2.0}
CLOSE = 1e-7


def expressions(factor: float, sizes: Mapping[str, float]) -> list[str]:
    """Return the simplest ways to write a factor as a product of sizes and constants.

    Parameters
    ----------
    factor : float
        Handwritten ÷ true.
    sizes : dict
        From name to value: n examples, m features, widths s1, s2 …, λ, keep rates.

    Returns
    -------
    list of str
        The simplest first, and others that are nearly as simple: a size that has the value
        of another one cannot be told from it.

    Examples
    --------
    >>> expressions(7.0, {"n": 7, "m": 4}), expressions(-1.75, {"n": 7, "m": 4})
    (['n'], ['-n/m'])
    >>> expressions(0.123, {"n": 7, "m": 4})
    []
    """
    texts, values, weights = _table(tuple(sizes.items()))
    found: dict[str, float] = {}
    is_same = np.abs(values - abs(factor)) <= CLOSE * abs(factor)
    for k in np.flatnonzero(is_same):
        found.setdefault(f"{'-' if factor < 0 else ''}{texts[k]}", float(weights[k]))
    best = min(found.values(), default=0.0)
    near = [text for text, weight in found.items() if weight <= best + NEAR]
    return sorted(near, key=lambda text: found[text])


@lru_cache(maxsize=64)
def _table(sizes: tuple[tuple[str, float], ...]) -> tuple[list[str], Array, Array]:
    """Return all products that are not too long: texts, values, weights."""
    rows = [row for row in _written(dict(sizes)) if row[2] <= LONGEST]
    texts, values, weights = zip(*rows, strict=True)
    return list(texts), np.array(values), np.array(weights)


def _written(sizes: Mapping[str, float]) -> Iterator[tuple[str, float, float]]:
    """Yield texts, values and how long-winded they are."""
    known = {name: value for name, value in sizes.items() if value and value != 1}
    plain = {name: WEIGHTS.get(name, 3.0) for name in known}
    ratios: list[tuple[tuple[str, ...], tuple[str, ...], float]] = [((), (), 0.0)]
    for top, weight in plain.items():
        ratios += [((top,), (), weight), ((), (top,), weight)]
        ratios += [
            ((top,), (low,), RATIOS.get((top, low), weight + plain[low]))
            for low in plain
            if low != top
        ]
    if known.get("n", 0) > 2:
        known["(n-1)"] = known["n"] - 1
        ratios += [(("n",), ("(n-1)",), 3.0), (("(n-1)",), ("n",), 3.0)]
    if "n" in known:
        ratios += [(("n", "n"), (), 2.5), ((), ("n", "n"), 2.5)]
    for (constant, extra), (above, below, weight) in product(CONSTANTS.items(), ratios):
        over, under = constant
        value = over / under
        for name in above:
            value *= known[name]
        for name in below:
            value /= known[name]
        tops = [str(over)] * (over != 1) + list(above)
        downs = [str(under)] * (under != 1) + list(below)
        yield _fraction(tops, downs), value, weight + extra


def _fraction(above: list[str], below: list[str]) -> str:
    top = "*".join(above) or "1"
    if not below:
        return top
    bottom = "*".join(below)
    return f"{top}/({bottom})" if len(below) > 1 else f"{top}/{bottom}"
