"""Text for a terminal: at most 80 columns, and whatever encoding it has."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from typing import TextIO

__all__ = ["complain", "counted", "facts", "heading", "say", "table"]

WIDTH = 79
INDENT = 14


def say(text: str = "") -> None:
    """Print to stdout; what the encoding lacks is escaped.

    Examples
    --------
    >>> say("W1 agrees")
    W1 agrees
    """
    _write(text, sys.stdout)


def complain(text: str) -> None:
    """Print to stderr; what the encoding lacks is escaped."""
    _write(text, sys.stderr)


def _write(text: str, stream: TextIO) -> None:
    encoding = stream.encoding or "utf-8"
    safe = text.encode(encoding, "backslashreplace").decode(encoding)
    print(safe, file=stream, flush=True)


def heading(text: str) -> None:
    """Print a title with a line under it.

    Examples
    --------
    >>> heading("Data")
    Data
    ----
    """
    say(text)
    say("-" * len(text))


def facts(**named: str) -> None:
    """Print a line for each fact, its name in front, longer ones wrapped.

    Examples
    --------
    >>> facts(data="digits", saved="model.npz")
    data          digits
    saved         model.npz
    """
    for name, text in named.items():
        label = name.replace("_", " ").ljust(INDENT)
        wrapped = textwrap.fill(
            text,
            WIDTH,
            initial_indent=label,
            subsequent_indent=" " * INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )
        # No-break spaces have done their work: a terminal, and grep, want plain ones.
        say(wrapped.replace("\N{NO-BREAK SPACE}", " "))


def counted(n: int, noun: str) -> str:
    """Return a number with its noun, in the plural where there is not one.

    Examples
    --------
    >>> counted(1, "row"), counted(0, "row"), counted(34, "batch")
    ('1 row', '0 rows', '34 batches')
    """
    ending = "" if n == 1 else "es" if noun.endswith(("s", "tch")) else "s"
    return f"{n} {noun}{ending}"


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, n_left: int = 1
) -> None:
    """Print columns under their names: the first ones to the left, the others to the right.

    Examples
    --------
    >>> table(["part", "rows"], [["train", "1078"], ["dev", "360"]])
    part   rows
    train  1078
    dev     360
    """
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            cell.ljust(width) if i < n_left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        say("  ".join(cells).rstrip())
