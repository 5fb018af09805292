"""Real data sets that travel inside the package."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.errors import ArgumentError, explain

from .arguments import nearest

__all__ = ["Description", "describe", "load"]

NAMES = ("digits", "breast_cancer")


@dataclass(frozen=True)
class Description:
    """What an embedded data set holds, who made it, and under which licence.

    Attributes
    ----------
    name, title : str
        The name that `load` takes, and the title of the publication.
    task : str
        ``"classification"``.
    n_examples : int
        Rows of x.
    columns : tuple of str
        A name for every column of x.
    labels : tuple of str
        The class that label 0, 1, … of y stands for.
    content, citation, licence, source, changes : str
        The notice beside the data, part by part.
    """

    name: str
    title: str
    task: str
    n_examples: int
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    content: str
    citation: str
    licence: str
    source: str
    changes: str

    def __str__(self) -> str:
        """Return the notice as text."""
        shape = f"{self.n_examples} examples, {len(self.columns)} columns"
        return "\n".join(
            [
                f"{self.title} ({self.name}): {self.task}, {shape}",
                f"Classes: {', '.join(self.labels)}",
                self.content,
                f"Cite: {self.citation}",
                f"Licence: {self.licence}",
                f"Source: {self.source}",
                f"Changes: {self.changes}",
            ]
        )


def load(name: str) -> tuple[Array, Array]:
    """Return an embedded data set, examples in rows, values as published.

    Parameters
    ----------
    name : str
        ``"digits"``: 1797 images of 8 by 8 pixels, counts of ink from 0 to 16,
        10 classes. ``"breast_cancer"``: 569 tumours, 30 measures, 2 classes.

    Returns
    -------
    x : ndarray of float64, shape (examples, columns)
    y : ndarray of int64, shape (examples,)
        Labels 0, 1, …; `describe` names them.

    Raises
    ------
    ArgumentError
        If there is no data set of that name.

    See Also
    --------
    describe : Column names, class names, citation and licence (CC BY 4.0).

    Notes
    -----
    Breast cancer is stored as integers over a power of ten. IEEE division rounds
    correctly, so the quotient is the float64 nearest to the published decimal, which
    is what parsing the decimal gives.

    Examples
    --------
    >>> from tensorgrad.data import load
    >>> x, y = load("digits")
    >>> x.shape, y.shape, float(x.max())
    ((1797, 64), (1797,), 16.0)
    """
    arrays = _arrays("load", name)
    x = arrays["counts"] / arrays["divisor"].astype(np.float64)
    return x, arrays["y"].astype(np.int64)


def describe(name: str) -> Description:
    """Return the column names, class names, citation and licence of a data set.

    Parameters
    ----------
    name : str
        A name that `load` takes.

    Returns
    -------
    Description

    Raises
    ------
    ArgumentError
        If there is no data set of that name.

    Examples
    --------
    >>> from tensorgrad.data import describe
    >>> about = describe("breast_cancer")
    >>> about.labels, about.columns[0], len(about.columns)
    (('malignant', 'benign'), 'mean radius', 30)
    >>> "CC BY 4.0" in about.licence
    True
    """
    arrays = _arrays("describe", name)
    notice = _parse_notice(_read_resource(f"{name}.txt").decode("utf-8"))
    return Description(
        name=name,
        n_examples=len(arrays["y"]),
        columns=tuple(arrays["columns"].tolist()),
        labels=tuple(arrays["labels"].tolist()),
        **notice,
    )


def _arrays(caller: str, name: str) -> dict[str, Array]:
    if name not in NAMES:
        raise ArgumentError(
            explain(
                caller,
                f"no data set is called {name!r}",
                " or ".join(repr(n) for n in NAMES),
                nearest(str(name), NAMES),
            )
        )
    with np.load(io.BytesIO(_read_resource(f"{name}.npz")), allow_pickle=False) as file:
        return dict(file)


def _read_resource(filename: str) -> bytes:
    """Read a file of the package, from a wheel in a zip too.

    The import stands here because it costs 14 ms, half of what the whole package may
    add to the import of NumPy, and most programs load data of their own.
    """
    from importlib.resources import files  # noqa: PLC0415

    return (files("tensorgrad.data") / "sets" / filename).read_bytes()


def _parse_notice(text: str) -> dict[str, str]:
    """Split paragraphs ``Key: text`` into a dict with keys in lower case."""
    pairs = (paragraph.partition(":") for paragraph in text.strip().split("\n\n"))
    return {key.strip().lower(): " ".join(body.split()) for key, _, body in pairs}
