"""The statements of the notes, put to the test: what holds, and what is wrong.

Every statement is a `Claim`, compared in random cases by hand, by the graph and
numerically; every mistake is an `Erratum`, with a figure that shows it. The command is
``tensorgrad verify``.
"""

from __future__ import annotations

from tensorgrad.verify.chapters import (
    activations,
    deep,
    deep_listing,
    dropout_listing,
    example,
    hidden_layer,
    logistic,
    logistic_listing,
    minibatch,
    regularisation,
    remarks,
    sets,
)
from tensorgrad.verify.records import Claim, Erratum

__all__ = ["CLAIMS", "ERRATA"]

_CHAPTERS = (
    logistic,
    logistic_listing,
    hidden_layer,
    activations,
    example,
    deep,
    deep_listing,
    sets,
    regularisation,
    dropout_listing,
    remarks,
    minibatch,
)

CLAIMS: tuple[Claim, ...] = tuple(c for chapter in _CHAPTERS for c in chapter.CLAIMS)
ERRATA: tuple[Erratum, ...] = tuple(e for chapter in _CHAPTERS for e in chapter.ERRATA)
