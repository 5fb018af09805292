"""What checks derivatives, of this package and of its users."""

from __future__ import annotations

import importlib
from typing import Any

from tensorgrad.errors import MissingExtraError, explain
from tensorgrad.testing.gradients import Check, GradReport, gradcheck
from tensorgrad.testing.laws import batch_laws
from tensorgrad.testing.marks import checked
from tensorgrad.testing.mutation.score import (
    MutationReport,
    Survivor,
    mutation_score,
)

__all__ = [
    "Check",
    "GradReport",
    "MutationReport",
    "Survivor",
    "batch_laws",
    "checked",
    "gradcheck",
    "mutation_score",
    "strategies",
]


def __getattr__(name: str) -> Any:
    """Import `strategies` at first use: it needs Hypothesis, which is an extra."""
    if name != "strategies":
        raise AttributeError(f"module 'tensorgrad.testing' has no attribute {name!r}")
    try:
        return importlib.import_module("tensorgrad.testing.strategies")
    except ImportError as error:
        if error.name != "hypothesis":
            raise
        raise MissingExtraError(
            explain(
                "tg.testing.strategies",
                "the package hypothesis is not installed",
                "the extra that brings it",
                "Run pip install 'tensorgrad-np[test]'",
            )
        ) from error
