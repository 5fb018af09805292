"""Choose the reader of a file by its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tensorgrad.errors import DataError, explain

from .csv_file import read_csv
from .npz_file import read_npz
from .table import Table

__all__ = ["read_file"]


def read_file(
    path: str,
    target: str | None,
    columns: Sequence[str] | None,
    labels: Sequence[str] | None,
) -> Table:
    """Return the table in a file; `read_table` documents the arguments."""
    file = Path(path)
    if not file.is_file():
        raise DataError(
            explain(
                f"read_table {str(file)!r}",
                "the path is no regular file"
                if file.exists()
                else "there is no such path",
                "a CSV or NPZ file",
                "Check the spelling and the current directory",
            )
        )
    read = read_npz if file.suffix.lower() == ".npz" else read_csv
    return read(file, target, columns, labels)
