"""The notes' hand derivations, one module a chapter, in plain NumPy.

Examples are in columns, as in the notes: x has shape (features, examples). Nothing of
the engine is imported here, so that these modules are an opinion of their own about
every gradient. Where a chapter and its code disagree, the chapter's mathematics holds,
and the docstring says what differs.
"""

from __future__ import annotations

from . import (
    activations,
    diagnosis,
    dropout,
    gradient_check,
    initialisation,
    l_layer,
    logistic,
    losses,
    minibatch,
    partition,
    regularisation,
    two_layer,
)

__all__ = [
    "activations",
    "diagnosis",
    "dropout",
    "gradient_check",
    "initialisation",
    "l_layer",
    "logistic",
    "losses",
    "minibatch",
    "partition",
    "regularisation",
    "two_layer",
]
