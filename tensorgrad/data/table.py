"""A table of examples: its columns are chosen, its classes are numbered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.errors import ArgumentError, DataError, explain

from .arguments import nearest

__all__ = ["MISSING", "Table", "choose_columns", "number_classes", "to_float"]

MISSING = frozenset(("", "nan", "na", "n/a", "<na>", "#n/a", "null", "?"))
"""How spreadsheets and data frames write a gap, in lower case; ``none`` is a class."""


@dataclass(frozen=True, eq=False)
class Table:
    """Examples in rows, with the names of columns and classes.

    Attributes
    ----------
    x : ndarray of float64, shape (examples, columns)
    y : ndarray of int64, shape (examples,), or None
        Positions in `labels`; None when the file has no target.
    columns : tuple of str
        A name for every column of x.
    labels : tuple of str
        The classes, integers in their order, other names alphabetically.
    target : str or None
        The name of the column that y comes from.
    """

    x: Array
    y: Array | None
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    target: str | None


def choose_columns(
    caller: str,
    header: Sequence[str],
    target: str | None,
    columns: Sequence[str] | None,
) -> tuple[str, ...]:
    """Return the names of the features, after checking that all names exist."""
    wanted = tuple(header if columns is None else columns)
    features = (
        wanted if columns is not None else tuple(c for c in wanted if c != target)
    )
    if target is not None and target in features:
        raise ArgumentError(
            explain(
                caller,
                f"columns contains the target {target!r}",
                "features only: a model that sees the target learns to copy it",
                "Leave it out of columns",
            )
        )
    missing = [
        name for name in (target, *features) if name is not None and name not in header
    ]
    if missing:
        n_others = len(missing) - 1
        others = f", nor {n_others} other{'s' * (n_others > 1)} needed" * bool(n_others)
        role = "target column" if missing[0] == target else "column"
        raise DataError(
            explain(
                caller,
                f"the file has no {role} {missing[0]!r}{others}",
                f"{missing[0]!r} among its {len(header)} columns",
                nearest(missing[0], header),
            )
        )
    if not features:
        raise DataError(
            explain(
                caller,
                f"no column is left beside the target {target!r}",
                "at least one feature",
                "Check the header and the delimiter of the file",
            )
        )
    return features


def number_classes(
    caller: str,
    names: Sequence[str],
    codes: Array,
    labels: Sequence[str] | None,
) -> tuple[Array, tuple[str, ...]]:
    """Return labels for the examples, and the classes that the labels stand for.

    `names` are the distinct classes as the file spells them, `codes` their positions.
    """
    spelled = _canonical(caller, names)
    known = tuple(labels) if labels is not None else _in_order(spelled)
    unknown = [name for name in spelled if name not in known]
    if unknown:
        raise DataError(
            explain(
                caller,
                f"the target has the class {unknown[0]!r}",
                "only the classes that are known",
                nearest(unknown[0], known),
            )
        )
    position = {name: i for i, name in enumerate(known)}
    new_codes = np.array([position[name] for name in spelled], dtype=np.int64)
    return new_codes[codes], known


def to_float(cell: str) -> float:
    """Return the number that a cell holds; NaN when it holds none.

    Unlike `float`, this takes ``1_000`` for the text that it is in a table.
    """
    try:
        return math.nan if "_" in cell else float(cell)
    except ValueError:
        return math.nan


def _canonical(caller: str, names: Sequence[str]) -> list[str]:
    """Return integers without a point or leading zeros, other names as they are."""
    values = [to_float(name) for name in names]
    if not all(math.isfinite(v) for v in values):
        return list(names)
    fractions = [
        name for name, v in zip(names, values, strict=True) if not v.is_integer()
    ]
    if fractions:
        raise DataError(
            explain(
                caller,
                f"the target has the value {fractions[0]}",
                "classes: names or integers",
                "Choose a target with classes, or cut its range into intervals",
            )
        )
    return [str(int(v)) for v in values]


def _in_order(names: Sequence[str]) -> tuple[str, ...]:
    """Return the distinct names, by number if all are numbers, else by alphabet."""
    distinct = set(names)
    if all(math.isfinite(to_float(name)) for name in distinct):
        return tuple(sorted(distinct, key=to_float))
    return tuple(sorted(distinct))
