"""What `fit` and the command line do unless they are told otherwise, said once."""

from __future__ import annotations

__all__ = ["BATCH_SIZE", "EPOCHS", "LEARNING_RATE"]

EPOCHS = 80
BATCH_SIZE = 32
"""Examples in a mini-batch."""

LEARNING_RATE = 1e-3
"""Per step, of the default optimiser, Adam."""
