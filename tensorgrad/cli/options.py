"""Arguments: a parser whose messages read like the others, and types of values."""

from __future__ import annotations

import argparse
import difflib
import math
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from tensorgrad.errors import TensorgradError, explain

__all__ = [
    "Parser",
    "UsageError",
    "choice",
    "count",
    "fractions",
    "nearest",
    "number",
    "widths",
]


CLOSE = 0.65
"""Swapped, missing and doubled letters are closer; ``iris`` is 0.6 from ``digits``."""


class UsageError(TensorgradError):
    """The arguments cannot be used.

    It is no ValueError, which argparse would replace by a message of its own.
    """


class Parser(argparse.ArgumentParser):
    """A parser that raises `UsageError` and takes options by their full names alone."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError instead of ending the process."""
        raise UsageError(
            explain(
                "reading the arguments",
                message,
                "the arguments that --help lists",
                f"Run {self.prog} --help",
            )
        )


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint at the known name that looks most like ``name``.

    Examples
    --------
    >>> nearest("trian", ["demo", "train"])
    "Did you mean 'train'?"
    """
    names = list(known)
    close = difflib.get_close_matches(name.casefold(), names, n=1, cutoff=CLOSE)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Choose one of {', '.join(names)}"


def widths(text: str) -> tuple[int, ...]:
    """Read the widths of the hidden layers; no text means no hidden layer.

    Examples
    --------
    >>> widths("64,32"), widths("")
    ((64, 32), ())
    """
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise UsageError(
            explain(
                "--hidden",
                repr(text),
                "whole numbers above 0 with commas between, one for each hidden layer",
                "Write for example --hidden 64,32, or --hidden '' for none",
            )
        )
    return tuple(int(part) for part in parts)


def count(option: str, least: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from ``least`` on.

    Examples
    --------
    >>> count("--epochs", 0)("60")
    60
    """

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise UsageError(
                explain(
                    option,
                    repr(text),
                    f"a whole number of at least {least}",
                    f"Write for example {option} {max(least, 10)}",
                )
            )
        return value

    return read


def number(
    option: str, *, above: float | None = None, below: float = math.inf
) -> Callable[[str], float]:
    """Return a reader of finite numbers: above ``above``, or from 0 on.

    Examples
    --------
    >>> number("--dropout", below=1)("0.25")
    0.25
    """
    lower = "at least 0" if above is None else f"above {above:g}"
    upper = f" and below {below:g}" if math.isfinite(below) else ""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        is_low = value >= 0 if above is None else value > above
        if not (is_low and value < below):
            raise UsageError(
                explain(
                    option,
                    repr(text),
                    f"a number {lower}{upper}",
                    f"Write for example {option} 0.1",
                )
            )
        return value

    return read


def fractions(text: str) -> float | tuple[float, ...]:
    """Read the fraction that trains, or three fractions.

    Examples
    --------
    >>> fractions("0.6"), fractions("0.6,0.2,0.2")
    (0.6, (0.6, 0.2, 0.2))
    """
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) not in (1, 3):
        raise UsageError(
            explain(
                "--ratio",
                repr(text),
                "the fraction that trains, or three fractions with sum 1",
                "Write for example --ratio 0.6, or --ratio 0.6,0.2,0.2",
            )
        )
    return values[0] if len(values) == 1 else values


def choice(option: str, known: Iterable[str]) -> Callable[[str], str]:
    """Return a reader of one of some names, which hints at the nearest one.

    Examples
    --------
    >>> choice("--optimizer", ["adam", "sgd"])("sgd")
    'sgd'
    """
    names = list(known)

    def read(text: str) -> str:
        if text not in names:
            raise UsageError(
                explain(
                    option,
                    repr(text),
                    f"one of {', '.join(names)}",
                    nearest(text, names),
                )
            )
        return text

    return read
