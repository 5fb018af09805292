"""A progress bar where tqdm is installed, lines of text where it is not."""

from __future__ import annotations

import sys
from types import MappingProxyType
from typing import Any, Protocol, Self, TextIO

__all__ = ["Progress", "make_progress"]

LINES = 10
"""How many lines the plain report has, whatever the number of epochs."""


class Progress(Protocol):
    """What `fit` tells about its course."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def update(self, epoch: int, figures: dict[str, float]) -> None:
        """Report one finished epoch, counted from 1."""

    def note(self, text: str) -> None:
        """Say something that is no figure."""


class Silence:
    """Report nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def update(self, epoch: int, figures: dict[str, float]) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""


class Lines:
    """Report about ten steps, a line each."""

    def __init__(self, n_epochs: int, stream: TextIO, unit: str = "epoch") -> None:
        self.n_epochs = n_epochs
        self.stream = stream
        self.unit = unit
        self.every = max(n_epochs // LINES, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stream.flush()

    def update(self, epoch: int, figures: dict[str, float]) -> None:
        if epoch % self.every == 0 or epoch == self.n_epochs:
            width = len(str(self.n_epochs))
            print(
                f"{self.unit} {epoch:{width}d}/{self.n_epochs}  {written(figures)}".rstrip(),
                file=self.stream,
                flush=True,
            )

    def note(self, text: str) -> None:
        print(text, file=self.stream, flush=True)


BAR = "{desc} {n_fmt}/{total_fmt} |{bar}| {remaining} left{postfix}"
SHORT = MappingProxyType(
    {
        "train loss": "train",
        "train cost": "train",
        "dev loss": "dev",
        "dev error": "error",
    }
)
"""Names that leave room for a bar in 80 columns."""


class Bar:
    """Report on a tqdm bar."""

    def __init__(self, bar: Any) -> None:
        self.bar = bar

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()

    def update(self, epoch: int, figures: dict[str, float]) -> None:
        short = {SHORT.get(name, name): value for name, value in figures.items()}
        self.bar.set_postfix_str(written(short), refresh=False)
        self.bar.update(epoch - self.bar.n)

    def note(self, text: str) -> None:
        self.bar.write(text, file=self.bar.fp)


def written(figures: dict[str, float]) -> str:
    """Write figures for one line: rates in percent, the rest to four digits."""
    return ", ".join(
        f"{name} {value:.2%}" if name.endswith("error") else f"{name} {value:.4f}"
        for name, value in figures.items()
    )


def make_progress(
    n_epochs: int, *, enabled: bool, stream: TextIO | None = None, unit: str = "epoch"
) -> Progress:
    """Return the best report that is to be had: a bar, lines, or silence."""
    if not enabled:
        return Silence()
    out = sys.stderr if stream is None else stream
    try:
        from tqdm import tqdm  # noqa: PLC0415  # optional: tensorgrad-np[progress]
    except ImportError:
        return Lines(n_epochs, out, unit)
    # A bar rewrites its line; in a file or a pipe that is one long mess.
    if not out.isatty():
        return Lines(n_epochs, out, unit)
    return Bar(tqdm(total=n_epochs, file=out, desc=unit, bar_format=BAR))
