"""What an entry of the catalogue is, and what it may look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.auditor import lines
from tensorgrad.auditor.anatomy import Anatomy, Place
from tensorgrad.auditor.sweeping import Change, Truth, share
from tensorgrad.autodiff.rules import fit
from tensorgrad.core.aval import Aval

__all__ = ["CATALOGUE", "Context", "Entry", "Mistake", "entry", "own_slope"]


@dataclass(frozen=True, slots=True)
class Context:
    """What entries may look at."""

    parts: Anatomy
    true: Truth

    def value(self, number: int) -> Any:
        """Return a value of the record."""
        return self.parts.found.values[number]

    def share(self, place: Place, g: Any, values: Any = None, out: Any = None) -> Array:
        """Apply the true rule at a place, to other values if there are any."""
        step = self.parts.step(place)
        found = share(self.parts.found, step, place.site[1], g, values, out)
        assert found is not None
        return found

    def fitted(self, place: Place, g: Any) -> Array:
        """Return a cotangent summed to the shape of the operand at a place."""
        like = self.value(self.parts.operand(place.site))
        return np.asarray(
            fit(np.asarray(g), Aval(np.shape(like), np.result_type(like)))
        )

    def alike(self, number: int) -> list[int]:
        """Return the other values with the shape of one, those that a hand could name."""
        found = self.parts.found
        shape = found.shape(number)
        array = np.asarray(self.value(number))
        seen = [array]
        others = []
        for k in self._nameable():
            value = np.asarray(self.value(k))
            if value.shape != shape or value.dtype.kind not in "fc" or k == number:
                continue
            if any(np.array_equal(value, one) for one in seen):
                continue
            seen.append(value)
            others.append(k)
        return others

    def _nameable(self) -> dict[int, str]:
        """Return the values with names first, then views of parameters and other results."""
        known = dict(self.parts.names)
        known.update((v, "") for v in self.parts.pure if v not in known)
        for step in self.parts.found.steps:
            known.update((r, "") for r in step.results if r not in known)
        return known

    def name(self, number: int) -> str:
        """Return what a value is called."""
        names, pure = self.parts.names, self.parts.pure
        if number in names:
            return names[number]
        if number in pure:
            return f"{pure[number]}.T"
        for step in self.parts.found.steps:
            if number in step.results:
                where = f" ({step.line})" if step.line else ""
                return f"the result of {step.op.name}{where}"
        return "another array"


@dataclass(frozen=True, slots=True)
class Mistake:
    """A rule that somebody may have written instead of the true one.

    Attributes
    ----------
    key : str
        The same in every layer: the mistake may have been made in all of them.
    family : str
    change : callable
    text : str
        What was done, after "…".
    fix : str
        What belongs there.
    cost : float
        How unlikely it is beside the others.
    """

    key: str
    family: str
    change: Change
    text: str
    fix: str
    cost: float = 1.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One kind of mistake: its name, its family, where it can be made, and what it does."""

    name: str
    family: str
    roles: tuple[str, ...]
    doc: str
    find: Callable[[Context, Place], Iterator[Mistake]]


CATALOGUE: list[Entry] = []


def entry(
    name: str, family: str, roles: tuple[str, ...], doc: str
) -> Callable[[Callable[[Context, Place], Iterator[Mistake]]], Any]:
    """Enter a function that finds one kind of mistake at a place."""

    def add(find: Callable[[Context, Place], Iterator[Mistake]]) -> Any:
        CATALOGUE.append(Entry(name, family, roles, doc, find))
        return find

    return add


def own_slope(context: Context, place: Place) -> str:
    """Return the derivative at a place as a formula."""
    step = context.parts.step(place)
    beta = step.static.get("beta", 0.01)
    return lines.delta(context.parts, place.layer, step.op.name, beta)
