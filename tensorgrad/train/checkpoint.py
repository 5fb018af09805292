"""When the state of a training is written down."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from tensorgrad.errors import ArgumentError, explain

__all__ = ["Checkpoint", "as_checkpoint", "make_writer"]

EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file for the state of a training, and how often it is written.

    Parameters
    ----------
    path : path
        ``.npz`` or ``.safetensors``. Written atomically; if it exists, `fit` goes on
        from it.
    every_s : float, seconds
        Time between two writings within an epoch. It is written after each epoch in any
        case; 0 writes after each step.

    Raises
    ------
    ArgumentError
        If `every_s` is negative or not a number.

    Examples
    --------
    >>> Checkpoint("run.npz", every_s=300.0).every_s
    300.0
    """

    path: str | Path
    every_s: float = EVERY_S

    def __post_init__(self) -> None:
        is_number = isinstance(self.every_s, (int, float))
        if not is_number or not 0 <= self.every_s <= inf:
            raise ArgumentError(
                explain(
                    "Checkpoint",
                    f"every_s={self.every_s!r}",
                    "a number of seconds, at least 0",
                    "Pass for example every_s=60",
                )
            )


def as_checkpoint(value: Any) -> Checkpoint | None:
    """Return the checkpoint that an argument of `fit` stands for.

    Examples
    --------
    >>> as_checkpoint("run.npz")
    Checkpoint(path='run.npz', every_s=60.0)
    """
    if value is None or isinstance(value, Checkpoint):
        return value
    return Checkpoint(value)


def make_writer(every_s: float, write: Callable[[], object]) -> Callable[[], None]:
    """Return a function that writes if it was long ago that it did.

    Examples
    --------
    >>> written = []
    >>> often = make_writer(0.0, lambda: written.append(1))
    >>> often(), often(), len(written)
    (None, None, 2)
    """
    last = time.monotonic()

    def write_if_due() -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= every_s:
            write()
            last = time.monotonic()

    return write_if_due
