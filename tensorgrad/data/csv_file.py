"""Read a table from text: names in the first line, cells with a delimiter between."""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from tensorgrad.errors import DataError, FileFormatError, explain

from .table import MISSING, Table, choose_columns, number_classes, to_float

if TYPE_CHECKING:
    from _csv import Reader

__all__ = ["read_csv"]

DELIMITERS = ",;\t|"


def read_csv(
    file: Path,
    target: str | None,
    columns: Sequence[str] | None,
    labels: Sequence[str] | None,
) -> Table:
    """Return the table in a text file; `read_table` documents the arguments."""
    caller = f"read_table {str(file)!r}"
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return _read(caller, lines, target, columns, labels)
    except UnicodeDecodeError as error:
        raise FileFormatError(
            explain(
                caller,
                f"line {_undecodable(file)} is not UTF-8 ({error.reason})",
                "text in UTF-8",
                "Save the table as CSV in UTF-8; give arrays the suffix .npz",
            )
        ) from error
    except csv.Error as error:
        raise FileFormatError(
            explain(
                caller,
                f"the quotes or line ends are damaged ({error})",
                "cells in plain text or in closed double quotes",
                "Export the table again",
            )
        ) from error


def _undecodable(file: Path) -> int:
    """Return the number of the first line that is not UTF-8, from 1."""
    with file.open("rb") as lines:
        return 1 + sum(1 for _ in takewhile(_is_utf_8, lines))


def _is_utf_8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _read(
    caller: str,
    lines: IO[str],
    target: str | None,
    columns: Sequence[str] | None,
    labels: Sequence[str] | None,
) -> Table:
    reader = csv.reader(lines, delimiter=_find_delimiter(lines), strict=True)
    header = _read_header(caller, reader, columns)
    features = choose_columns(caller, header, target, columns)
    rows = _Rows(caller, header, features, target)
    for line, row in _rows_of(caller, reader, len(header)):
        rows.add(line, row)
    return rows.table(labels)


def _find_delimiter(lines: IO[str]) -> str:
    """Return the delimiter that cuts the header and the first row alike.

    csv.Sniffer is not asked: it takes letters for delimiters in short tables.
    """
    scores = []
    for delimiter in DELIMITERS:
        lines.seek(0)
        filled = filter(None, csv.reader(lines, delimiter=delimiter, strict=True))
        widths = [0, 0]
        with suppress(csv.Error):  # damaged quotes are reported when they are read
            widths[0] = len(next(filled, []))
            widths[1] = len(next(filled, []))
        scores.append((widths[0] == widths[1] > 1, widths[0]))
    lines.seek(0)
    return DELIMITERS[scores.index(max(scores))]


def _read_header(
    caller: str, reader: Reader, columns: Sequence[str] | None
) -> list[str]:
    header = [cell.strip() for cell in next((row for row in reader if row), [])]
    if not any(header):
        raise DataError(
            explain(
                caller,
                "the file is empty",
                "a line with column names, then rows",
                "Check that the export has finished",
            )
        )
    asked_for = columns is not None and set(columns) <= set(header)
    if not asked_for and _is_data(header):
        raise DataError(
            explain(
                caller,
                f"the first line has only numbers ({', '.join(header[:4])}, …)",
                "column names in the first line",
                "Put a line with names above the data",
            )
        )
    if "" in header:
        raise DataError(
            explain(
                caller,
                f"column {header.index('') + 1} of the header has no name",
                "a name for every column",
                "Name it, or export without the index (index=False in pandas)",
            )
        )
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise DataError(
            explain(
                caller,
                f"the header has {twice[0]!r} {header.count(twice[0])} times",
                "different names",
                "Rename or remove one of the columns",
            )
        )
    return header


def _is_data(header: Sequence[str]) -> bool:
    """Tell numbers from names; 0, 1, 2, … are names that data frames write."""
    values = [to_float(cell) for cell in header]
    counted = [values[0] + i for i in range(len(values))]
    return not any(map(math.isnan, values)) and not (
        values == counted and values[0] in (0, 1) and len(values) > 1
    )


def _rows_of(
    caller: str, reader: Reader, width: int
) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells; blank lines are skipped, ragged rows refused."""
    blank = 0
    for row in reader:
        line = reader.line_num
        if not any(cell.strip() for cell in row) and len(row) <= 1:
            blank = blank or line
            continue
        if blank and width == 1:
            raise _bad_cell(caller, blank, "the only one", "")
        if len(row) != width:
            raise DataError(
                explain(
                    caller,
                    f"line {line} has {len(row)} cells",
                    f"{width}, as many as the header",
                    "Put cells that contain the delimiter in double quotes, and leave "
                    "no cell out",
                )
            )
        yield line, row


class _Rows:
    """The cells read so far, as numbers, with the lines that they come from."""

    def __init__(
        self,
        caller: str,
        header: list[str],
        features: tuple[str, ...],
        target: str | None,
    ) -> None:
        self._caller = caller
        self._features = features
        self._target = target
        self._places = [header.index(name) for name in features]
        self._target_place = None if target is None else header.index(target)
        self._values = array("d")
        self._lines = array("q")
        self._codes = array("q")
        self._names: dict[str, int] = {}

    def add(self, line: int, row: list[str]) -> None:
        """Append one row."""
        cells = [row[i] for i in self._places]
        try:
            self._values.extend(map(float, cells))
        except ValueError:
            raise self._first_bad(line, cells) from None
        if "_" in "".join(cells):
            raise self._first_bad(line, cells)
        self._lines.append(line)
        if self._target_place is not None:
            name = row[self._target_place].strip()
            if name.casefold() in MISSING:
                raise _bad_cell(self._caller, line, repr(self._target), name)
            self._codes.append(self._names.setdefault(name, len(self._names)))

    def table(self, labels: Sequence[str] | None) -> Table:
        """Return what was added."""
        if not self._lines:
            raise DataError(
                explain(
                    self._caller,
                    "there are no rows below the header",
                    "at least one example",
                    "Check that the export has finished",
                )
            )
        x = np.frombuffer(self._values, dtype=np.float64).reshape(
            -1, len(self._features)
        )
        bad = np.argwhere(~np.isfinite(x))
        if bad.size:
            i, j = bad[0].tolist()
            name = repr(self._features[j])
            raise _bad_cell(self._caller, self._lines[i], name, str(x[i, j]))
        if self._target is None:
            return Table(x, None, self._features, tuple(labels or ()), None)
        codes = np.frombuffer(self._codes, dtype=np.int64)
        y, known = number_classes(self._caller, list(self._names), codes, labels)
        return Table(x, y, self._features, known, self._target)

    def _first_bad(self, line: int, cells: list[str]) -> DataError:
        missing = (j for j, cell in enumerate(cells) if math.isnan(to_float(cell)))
        j = next(missing)
        return _bad_cell(self._caller, line, repr(self._features[j]), cells[j].strip())


def _bad_cell(caller: str, line: int, column: str, cell: str) -> DataError:
    came = f"is {cell!r}" if cell else "is empty"
    if cell in ("inf", "-inf"):
        came = "is infinite, or too large for a float"
    if cell in ("inf", "-inf") or cell.casefold() in MISSING:
        remedy = "Fill in or remove such rows"
    else:
        remedy = (
            "Leave the column out, encode its categories as numbers, or name it as the "
            "target; decimals have a point"
        )
    return DataError(
        explain(
            caller,
            f"line {line}, column {column}: the cell {came}",
            "a finite number (in a target: a class)",
            remedy,
        )
    )
