"""What `fit` returns: the course of a training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["History"]


@dataclass(slots=True)
class History:
    """The course of a training, an entry for each epoch.

    Attributes
    ----------
    train_loss : list of float
        Mean cost over the batches of the epoch, penalty included, each batch measured
        before its update and with dropout on.
    dev_loss : list of float
        Loss on the dev set after the epoch, without penalty and dropout; empty
        without a dev set.
    dev_error : list of float
        Fraction of the dev set that is misclassified; empty for regression.
    best_epoch : int
        The epoch, counted from 0, whose parameters the model has now.
    best_step : int
        How many steps of the optimiser led to them.
    stopped_early : bool
        Whether early stopping ended the training.
    state : dict
        Optimiser state and generator states after the last epoch, as `fit` stores them
        in a checkpoint.

    Examples
    --------
    >>> History([0.7, 0.5], [0.6, 0.55], [0.2, 0.1], best_epoch=1)
    History(2 epochs, train_loss 0.5, dev_loss 0.55, dev_error 0.1, best_epoch 1)
    """

    train_loss: list[float] = field(default_factory=list)
    dev_loss: list[float] = field(default_factory=list)
    dev_error: list[float] = field(default_factory=list)
    best_epoch: int = -1
    best_step: int = 0
    stopped_early: bool = False
    state: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        parts = [f"{len(self.train_loss)} epochs"]
        for name in ("train_loss", "dev_loss", "dev_error"):
            values = getattr(self, name)
            if values:
                parts.append(f"{name} {values[-1]:.4g}")
        parts.append(f"best_epoch {self.best_epoch}")
        return f"History({', '.join(parts)})"
