"""When a training ends early, and what counts as better."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

from tensorgrad.errors import ArgumentError, explain
from tensorgrad.train.history import History

__all__ = ["EarlyStopping", "as_stopping"]


@dataclass(frozen=True, slots=True)
class EarlyStopping:
    """Stop when the dev loss has not fallen for some epochs, and keep the best.

    Parameters
    ----------
    patience : int, epochs
        How long to go on without a better dev loss.
    min_delta : float
        A dev loss is better if it is below the best one by more than this.

    Raises
    ------
    ArgumentError
        If `patience` is no integer of at least 1, or `min_delta` is negative.

    References
    ----------
    Notes, section 5.3. L. Prechelt, *Early stopping, but when?*, 1998.

    Examples
    --------
    >>> EarlyStopping(5, min_delta=1e-3)
    EarlyStopping(patience=5, min_delta=0.001)
    """

    patience: int
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        patience: Any = self.patience
        is_count = isinstance(patience, int) and not isinstance(patience, bool)
        if not is_count or patience < 1:
            raise ArgumentError(
                explain(
                    "fit",
                    f"early_stopping={self.patience!r}",
                    "an integer of at least 1, or None",
                    "Pass the number of epochs to wait for a better dev loss",
                )
            )
        if not 0 <= self.min_delta < inf:
            raise ArgumentError(
                explain(
                    "EarlyStopping",
                    f"min_delta={self.min_delta!r}",
                    "a finite number of at least 0",
                    "Pass what the dev loss has to fall by",
                )
            )

    def is_better(self, value: float, history: History) -> bool:
        """Tell whether a dev loss is better than the best one so far.

        Examples
        --------
        >>> history = History(dev_loss=[0.5], best_epoch=0)
        >>> EarlyStopping(3, min_delta=0.1).is_better(0.45, history)
        False
        """
        if history.best_epoch < 0:
            return value < inf
        return value < history.dev_loss[history.best_epoch] - self.min_delta

    def is_over(self, history: History) -> bool:
        """Tell whether the patience has run out.

        Examples
        --------
        >>> EarlyStopping(2).is_over(History(dev_loss=[0.5, 0.6, 0.7], best_epoch=0))
        True
        """
        waited = len(history.dev_loss) - 1 - history.best_epoch
        return bool(history.dev_loss) and waited >= self.patience


def as_stopping(value: Any) -> EarlyStopping | None:
    """Return the rule that an argument of `fit` stands for.

    Raises
    ------
    ArgumentError
        If it is neither a number of epochs nor an `EarlyStopping`.

    Examples
    --------
    >>> as_stopping(3)
    EarlyStopping(patience=3, min_delta=0.0)
    """
    if value is None or isinstance(value, EarlyStopping):
        return value
    if hasattr(value, "__index__") and not isinstance(value, bool):
        value = int(value)
    return EarlyStopping(value)
