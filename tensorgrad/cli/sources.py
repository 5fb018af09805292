"""Examples from an embedded data set or a file of the user's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.cli.options import UsageError, nearest
from tensorgrad.cli.report import counted
from tensorgrad.data import Table, describe, load, read_table
from tensorgrad.errors import DataError, explain

__all__ = ["EMBEDDED", "Labelled", "read_features", "read_labelled"]

EMBEDDED = ("digits", "breast_cancer")
NPZ = ".npz"


@dataclass(frozen=True, eq=False)
class Labelled:
    """Examples with their classes, and the names of both.

    ``y`` holds positions in ``labels``; ``target`` is where the classes come from.
    """

    x: Array
    y: Array
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    target: str


def read_labelled(data: str, target: str | None) -> Labelled:
    """Return examples to train with.

    Parameters
    ----------
    data : str
        The name of an embedded data set, or a path.
    target : str or None
        The column with the classes.

    Raises
    ------
    UsageError
        If there is no such data, or the target has to be named, or must not be.
    TensorgradError
        If the file or the values in it cannot be used.

    Examples
    --------
    >>> read_labelled("breast_cancer", None).labels
    ('malignant', 'benign')
    """
    if data in EMBEDDED:
        if target is not None:
            raise UsageError(
                explain(
                    "--target",
                    f"{target!r} for {data}, which has its classes beside the columns",
                    "a target for files alone",
                    "Leave --target out",
                )
            )
        about = describe(data)
        return Labelled(*load(data), about.columns, about.labels, "y")
    path = _existing(data)
    if target is None and path.suffix.lower() != NPZ:
        raise UsageError(
            explain(
                f"training on {data!r}",
                "no --target",
                "the name of the column that holds the classes",
                f"Choose one from the first line: {_first_line(path)}",
            )
        )
    table = read_table(path, "y" if target is None else target)
    assert table.y is not None
    _check_classes(data, table.y, table.target)
    return Labelled(table.x, table.y, table.columns, table.labels, table.target or "y")


def read_features(
    data: str, columns: Sequence[str], labels: Sequence[str], target: str
) -> tuple[Array, Array | None, str]:
    """Return examples to predict, their classes if they have any, and a remark.

    Parameters
    ----------
    data : str
        The name of an embedded data set, or a path.
    columns : sequence of str
        The features of the model, in its order. Those of a text are found by name;
        those of an NPZ file too if it names them so, else by position.
    labels : sequence of str
        The classes of the model.
    target : str
        Where the classes are, if the data have them.

    Returns
    -------
    x : ndarray, shape (examples, columns)
    y : ndarray, shape (examples,), or None
    remark : str
        Why there is no y although there is a target; empty otherwise.

    Raises
    ------
    TensorgradError
        If the data cannot be used, or a column is missing.

    Examples
    --------
    >>> about = describe("digits")
    >>> x, y, _ = read_features("digits", about.columns, about.labels, "y")
    >>> x.shape, y.shape
    ((1797, 64), (1797,))
    """
    if data in EMBEDDED:
        return _embedded_features(data, columns, labels)
    path = _existing(data)
    by_name = None if path.suffix.lower() == NPZ else columns
    remark = ""
    try:
        table = read_table(path, target, columns=by_name, labels=labels)
    except DataError as error:
        # Without classes, or with others, there is no error rate, but a prediction.
        table = read_table(path, columns=by_name)
        is_absent = "the file has no" in str(error)
        remark = "" if is_absent else f"no error rate: {error}"
        return _in_order(data, table, columns), None, remark
    return _in_order(data, table, columns), table.y, remark


def _embedded_features(
    data: str, columns: Sequence[str], labels: Sequence[str]
) -> tuple[Array, Array | None, str]:
    about = describe(data)
    x, y = load(data)
    table = Table(x, y, about.columns, about.labels, "y")
    x = _in_order(data, table, columns)
    if tuple(labels) != about.labels:
        shown = ", ".join(labels[:3])
        return x, None, f"no error rate: the model's classes are others ({shown}, ...)"
    return x, y, ""


def _in_order(data: str, table: Table, columns: Sequence[str]) -> Array:
    """Return the features as the model wants them: by name, or else by position."""
    if set(columns) <= set(table.columns):
        return table.x[:, [table.columns.index(name) for name in columns]]
    is_named = table.columns != tuple(f"x{j}" for j in range(table.x.shape[1]))
    if data in EMBEDDED or table.x.shape[1] != len(columns):
        missing = [name for name in columns if name not in table.columns]
        raise DataError(
            explain(
                f"predicting {data!r}",
                f"{table.x.shape[1]} columns, without {missing[0]!r}"
                if is_named
                else f"{table.x.shape[1]} columns",
                f"the {len(columns)} columns of the model",
                "Use data like those the model was trained on",
            )
        )
    return table.x


def _existing(data: str) -> Path:
    """Return the path, or say which embedded data set may have been meant."""
    path = Path(data)
    if not path.is_file():
        is_name = not path.suffix and not path.exists()
        raise UsageError(
            explain(
                f"reading {data!r}",
                "there is no such file" if not path.exists() else "it is no file",
                f"{' or '.join(EMBEDDED)}, or the path of a CSV or NPZ file",
                nearest(data, EMBEDDED)
                if is_name
                else "Correct the path; it is relative to the working directory",
            )
        )
    return path


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        line = lines.readline(400).strip()
    return line if len(line) <= 200 else f"{line[:200]}..."


def _check_classes(data: str, y: Array, target: str | None) -> None:
    """Refuse targets that are no classes: one value, or almost all different."""
    n_classes, n = len(np.unique(y)), len(y)
    if n_classes < 2 or n_classes > n // 2:
        raise DataError(
            explain(
                f"training on {data!r}",
                f"{counted(n_classes, 'different value')} of {target!r} in "
                f"{counted(n, 'row')}",
                "at least 2 classes, with 2 examples each on average",
                "Choose another --target; an amount to predict (regression) needs "
                "tg.train.fit with a linear head",
            )
        )
