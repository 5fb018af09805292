"""The catalogue: rules of the backward pass as hands get them wrong.

An entry looks at one place of the recorded cost and yields the mistakes that can be made
there, each as another rule for what the operand gets. Entries speak of ops and of values of
the same shape, so they hold for any graph; nothing in them knows the networks of the notes.
Factors (a forgotten 1/n, a sign) are no entries: they are solved for at every place.
"""

from __future__ import annotations

from collections.abc import Iterator

# Importing a chapter enters its mistakes.
from tensorgrad.auditor.anatomy import Place
from tensorgrad.auditor.catalogue import dropping, outputs, products, slopes, softmax
from tensorgrad.auditor.catalogue.entries import CATALOGUE, Context, Entry, Mistake

__all__ = ["CATALOGUE", "Context", "Entry", "Mistake", "mistakes_at"]

CHAPTERS = (slopes, softmax, outputs, products, dropping)


def mistakes_at(context: Context, place: Place) -> Iterator[Mistake]:
    """Yield the mistakes of the whole catalogue that can be made at a place."""
    for entry in CATALOGUE:
        if place.role in entry.roles:
            yield from entry.find(context, place)
