"""Examples in rows, wherever they are: in memory, in a file, in a folder of files.

Everything that trains or measures reads slices of consecutive rows. What is too large
for memory is therefore taken as it lies: a memory-mapped ``.npy`` file, a folder of
them, or any object that has a length and slices.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from tensorgrad._typing import Array, Shape
from tensorgrad.errors import ArgumentError, DataError, FileFormatError, explain

__all__ = ["Rows", "Shards", "Sliced", "as_rows", "lies_on_disk", "slices"]

CHUNK_ROWS = 65_536
"""Rows that are looked at together where all of them have to be."""

NUMBERS = re.compile(r"(\d+)")


class Shards:
    """The rows of several ``.npy`` files in a folder, one file after the other.

    Parameters
    ----------
    folder : path
        Its ``.npy`` files are taken in the order of their names, numbers in them by
        value: ``x2.npy`` before ``x10.npy``. Each is memory-mapped while it is read.

    Raises
    ------
    DataError
        If there is no such file, or the rows of two files differ in shape or dtype.
    FileFormatError
        If a file is no array.

    Notes
    -----
    Only slices of consecutive rows are read, and copied. One file is open at a time.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(pathlib.Path(folder) / "part-1.npy", np.zeros((3, 2)))
    ...     np.save(pathlib.Path(folder) / "part-2.npy", np.ones((2, 2)))
    ...     x = Shards(folder)
    ...     len(x), x[2:4].tolist()
    (5, [[0.0, 0.0], [1.0, 1.0]])
    """

    __slots__ = ("dtype", "ends", "folder", "paths", "shape")

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.paths = sorted(self.folder.glob("*.npy"), key=_natural)
        if not self.paths:
            raise DataError(
                explain(
                    "Shards",
                    f"{str(folder)!r}, a folder without .npy files",
                    "at least one",
                    "Write the parts by np.save, or name another folder",
                )
            )
        found = [_map(path) for path in self.paths]
        for one, other in zip(self.paths, found, strict=True):
            first = found[0]
            if (other.shape[1:], other.dtype) != (first.shape[1:], first.dtype):
                raise DataError(
                    explain(
                        "Shards",
                        f"{one.name} with rows of shape {other.shape[1:]} and dtype "
                        f"{other.dtype}",
                        f"{first.shape[1:]} and {first.dtype}, as in "
                        f"{self.paths[0].name}",
                        "Convert it, or move it to another folder",
                    )
                )
        self.ends = list(accumulate(len(part) for part in found))
        self.shape: Shape = (self.ends[-1], *found[0].shape[1:])
        self.dtype: np.dtype[Any] = found[0].dtype

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """The number of axes, that of the rows included."""
        return len(self.shape)

    def __getitem__(self, rows: slice) -> Array:
        """Return consecutive rows, as a new array."""
        start, stop = _bounds("Shards", rows, len(self))
        out: Array = np.empty((stop - start, *self.shape[1:]), self.dtype)
        k = bisect_right(self.ends, start)
        filled = 0
        while filled < len(out):
            first = self.ends[k - 1] if k else 0
            part = _map(self.paths[k])[start + filled - first : stop - first]
            out[filled : filled + len(part)] = part
            filled += len(part)
            k += 1
        return out

    def __repr__(self) -> str:
        return f"Shards({str(self.folder)!r}: {len(self.paths)} files, {self.shape})"


class Sliced:
    """Rows of an object that has a length and slices, checked as they are read."""

    __slots__ = ("dtype", "name", "shape", "source")

    def __init__(self, caller: str, name: str, source: Any) -> None:
        self.source = source
        self.name = f"{caller}: {name}" if caller else name
        n = len(source)
        first = np.asarray(source[0 : min(n, 1)])
        self.shape: Shape = (n, *first.shape[1:])
        self.dtype: np.dtype[Any] = first.dtype
        if first.ndim == 0 or len(first) != min(n, 1):
            raise self._wrong(slice(0, 1), first)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """The number of axes, that of the rows included."""
        return len(self.shape)

    def __getitem__(self, rows: slice) -> Array:
        """Return consecutive rows as the source has them.

        Raises
        ------
        DataError
            If the source gives other rows than it was asked for.
        """
        start, stop = _bounds(self.name, rows, len(self))
        found: Array = np.asarray(self.source[start:stop])
        if found.shape != (stop - start, *self.shape[1:]) or found.dtype != self.dtype:
            raise self._wrong(slice(start, stop), found)
        return found

    def _wrong(self, rows: slice, found: Array) -> DataError:
        n_rows = min(rows.stop, len(self)) - rows.start
        return DataError(
            explain(
                self.name,
                f"rows {rows.start} to {rows.stop} of a {type(self.source).__name__} "
                f"came with shape {found.shape} and dtype {found.dtype}",
                f"shape {(n_rows, *self.shape[1:])} and dtype {self.dtype}",
                "Let its slices have a row for each index, all of one kind",
            )
        )


Rows: TypeAlias = "Array | Shards | Sliced"
"""What has a length, a shape, a dtype, and slices of rows."""


def as_rows(caller: str, name: str, value: Any) -> Rows:
    """Return examples as something to take slices of rows from, without reading all.

    Parameters
    ----------
    caller, name : str
        For messages.
    value : array_like, path, or object with ``__len__`` and slicing
        A path names a ``.npy`` file, which is memory-mapped, or a folder of them. An
        object that converts itself to an array and to nothing else (a data frame) is
        converted; one that has slices is read slice by slice.

    Returns
    -------
    ndarray, Shards or Sliced

    Raises
    ------
    DataError
        If there is no such file or folder, or an object's slices are no rows.
    FileFormatError
        If a file is no array.

    Examples
    --------
    >>> as_rows("fit", "x", [[1.0, 2.0]]).shape
    (1, 2)
    >>> as_rows("fit", "x", "no-such-file.npy")
    Traceback (most recent call last):
        ...
    tensorgrad.errors.DataError: fit: x='no-such-file.npy', which does not exist: expected a ...
    """
    if isinstance(value, (str, Path)):
        return _opened(caller, name, Path(value))
    if isinstance(value, (np.ndarray, Shards, Sliced)):
        return value
    has_slices = hasattr(value, "__len__") and hasattr(value, "__getitem__")
    is_builtin = isinstance(value, (list, tuple, dict, set, bytes))
    # Data frames, Tensors and the like say themselves what they are as arrays.
    converts = hasattr(value, "to_numpy") or hasattr(value, "detach")
    if (
        has_slices
        and not is_builtin
        and not converts
        and not isinstance(value, np.generic)
    ):
        return Sliced(caller, name, value)
    array: Array = np.asanyarray(value)
    return array


def _opened(caller: str, name: str, path: Path) -> Rows:
    if path.is_dir():
        return Shards(path)
    if not path.exists():
        raise DataError(
            explain(
                caller,
                f"{name}={str(path)!r}, which does not exist",
                "a .npy file, or a folder of them",
                "Check the path",
            )
        )
    return _map(path)


def _map(path: Path) -> Array:
    """Map a file into memory; its rows are read when they are looked at."""
    try:
        mapped: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise FileFormatError(
            explain(
                f"reading {str(path)!r}",
                f"no array could be mapped ({error})",
                "a .npy file with an array of numbers",
                "Write it by np.save",
            )
        ) from error
    if not isinstance(mapped, np.ndarray) or mapped.ndim == 0:
        raise FileFormatError(
            explain(
                f"reading {str(path)!r}",
                "an archive, or a single number",
                "a .npy file with an array of rows",
                "Write it by np.save",
            )
        )
    array: Array = mapped
    return array


def lies_on_disk(rows: Rows) -> bool:
    """Tell whether rows are better read in blocks than picked one by one.

    Examples
    --------
    >>> lies_on_disk(np.zeros((3, 2)))
    False
    """
    if not isinstance(rows, np.ndarray):
        return True
    base: Any = rows
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap):
            return True
        base = base.base
    return False


def slices(n: int, size: int = CHUNK_ROWS) -> Iterator[slice]:
    """Yield slices of consecutive rows that cover all of them.

    Examples
    --------
    >>> [(part.start, part.stop) for part in slices(5, 2)]
    [(0, 2), (2, 4), (4, 5)]
    """
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def _bounds(caller: str, rows: Any, n: int) -> tuple[int, int]:
    if not isinstance(rows, slice) or rows.step not in (None, 1):
        raise ArgumentError(
            explain(
                caller,
                f"rows[{rows!r}]",
                "a slice of consecutive rows",
                "Read the rows by slices, and pick from the result",
            )
        )
    start, stop, _ = rows.indices(n)
    return start, max(start, stop)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Return a key by which 2 comes before 10."""
    parts = NUMBERS.split(path.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
