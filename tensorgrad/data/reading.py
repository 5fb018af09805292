"""Read a table of examples from a file, whatever its format."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath

from .table import Table

__all__ = ["read_table"]


def read_table(
    path: str | PathLike[str],
    target: str | None = None,
    *,
    columns: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
) -> Table:
    r"""Read examples from a CSV file with a header, or from an NPZ file.

    Parameters
    ----------
    path : str or path
        ``.npz`` is read as NumPy arrays ``x`` and ``y`` (and, if there, ``columns``
        and ``labels``); everything else as text in UTF-8, with commas, semicolons,
        tabs or bars between the cells.
    target : str, optional
        The column (the array, in an NPZ file) that holds the class. Without it, all
        columns of a text are features and y is None, as a prediction needs it; an NPZ
        file gives its ``y`` if it has one.
    columns : sequence of str, optional
        The features wanted, in this order; others are ignored. By default all columns
        but the target.
    labels : sequence of str, optional
        The classes, in the order of a model; any other class in the file is an error.
        By default those found.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        If the path is not a file, the file is empty or has no rows, a header is missing
        or names a column twice, a column is missing, a row is ragged, or a feature is
        empty, NaN, infinite or no number. The message says the line and the column.
    FileFormatError
        If the file is corrupt, not UTF-8, or not of the format its name says.

    Notes
    -----
    Nothing is guessed and nothing is dropped but blank lines: imputing missing values
    is a decision of the analysis. A class is text or an integer (``1.0`` is the class
    ``1``); targets with fractions are refused. A CSV file is read in one pass and needs
    the memory of the result and little more.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tensorgrad.data import read_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "flowers.csv")
    ...     _ = path.write_text("length,width,kind\n5.1,3.5,rose\n4.9,3.0,daisy\n")
    ...     table = read_table(path, target="kind")
    >>> table.columns, table.labels, table.y.tolist()
    (('length', 'width'), ('daisy', 'rose'), [1, 0])
    """
    # The readers bring csv, zipfile and pathlib, a third of what the whole package may
    # add to the import of NumPy: they wait for the first file.
    from tensorgrad.data.formats import read_file  # noqa: PLC0415

    return read_file(fspath(path), target, columns, labels)
