"""Read a table from the arrays in an NPZ file."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.errors import DataError, FileFormatError, ShapeError, explain

from .table import MISSING, Table, choose_columns, number_classes

__all__ = ["read_npz"]


def read_npz(
    file: Path,
    target: str | None,
    columns: Sequence[str] | None,
    labels: Sequence[str] | None,
) -> Table:
    """Return the table in an NPZ file; `read_table` documents the arguments."""
    caller = f"read_table {str(file)!r}"
    key = "y" if target is None else target
    arrays, members = _read_arrays(caller, file, [key, "x", "columns", "labels"])
    x = _features(caller, arrays)
    header = _names(caller, arrays, "columns", x.shape[1])
    features = choose_columns(caller, header, None, columns)
    x = x[:, [header.index(name) for name in features]]
    _check_finite(caller, x, features)
    if key not in arrays:
        if target is None:
            return Table(x, None, features, tuple(labels or ()), None)
        raise _missing(caller, key, members)
    y = _labels_of(caller, key, arrays[key], len(x))
    names, codes = np.unique(y, return_inverse=True)
    spelled, in_file = [str(name) for name in names.tolist()], None
    if "labels" in arrays and names.dtype.kind in "iu":
        in_file = _names(caller, arrays, "labels", int(names.max()) + 1)
        _check_range(caller, key, int(names.min()))
        spelled = [in_file[int(code)] for code in names]
    numbers, known = number_classes(caller, spelled, codes, labels or in_file)
    return Table(x, numbers, features, known, key)


def _read_arrays(
    caller: str, file: Path, keys: Sequence[str]
) -> tuple[dict[str, Array], Sequence[str]]:
    """Return the arrays of these names, without unpickling any, and all names."""
    damage = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError)
    try:
        # Opened here: NumPy leaves the file open when the archive is damaged.
        with file.open("rb") as stream:
            found, members = _members(np.load(stream, allow_pickle=False), keys)
    except (*damage, RuntimeError) as error:
        raise FileFormatError(
            explain(
                caller,
                f"the file is corrupt, holds objects, or is no NPZ file ({error})",
                "arrays written by numpy.savez",
                "Write it again with numpy.savez(path, x=x, y=y), numbers or text only",
            )
        ) from error
    if "x" not in found:
        raise _missing(caller, "x", members)
    return found, members


def _members(
    archive: Any, keys: Sequence[str]
) -> tuple[dict[str, Array], Sequence[str]]:
    """Return the arrays asked for, and the names of all members."""
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise zipfile.BadZipFile("a single array")
    found = {key: archive[key] for key in keys if key in archive.files}
    for key, member in found.items():
        if not isinstance(member, np.ndarray):
            raise zipfile.BadZipFile(f"{key} is no array")
    return found, archive.files


def _missing(caller: str, key: str, found: Sequence[str]) -> DataError:
    shown = ", ".join(repr(name) for name in found) or "nothing"
    return DataError(
        explain(
            caller,
            f"the file has no array {key!r}; it has {shown}",
            "features under 'x' and classes under 'y' or the target's name",
            "Write it with numpy.savez(path, x=x, y=y)",
        )
    )


def _features(caller: str, arrays: dict[str, Array]) -> Array:
    x = arrays["x"]
    if x.ndim != 2 or 0 in x.shape or x.dtype.kind not in "biuf":
        raise DataError(
            explain(
                caller,
                f"x has shape {x.shape} and dtype {x.dtype}",
                "numbers of shape (examples, columns), neither of them 0",
                "Flatten images with x.reshape(len(x), -1), and keep text out of x",
            )
        )
    return x.astype(np.float64)


def _names(caller: str, arrays: dict[str, Array], key: str, least: int) -> list[str]:
    """Return the names under `key`; ``x0, x1, …`` for columns without names."""
    if key not in arrays:
        return [f"x{j}" for j in range(least)]
    names = arrays[key]
    texts = [str(name) for name in names.reshape(-1).tolist()]
    exact = key == "columns"
    fits = len(texts) == least if exact else len(texts) >= least
    if names.ndim != 1 or not fits or len(set(texts)) != len(texts):
        raise DataError(
            explain(
                caller,
                f"{key} has shape {names.shape} and {len(set(texts))} different names",
                f"{'exactly' if exact else 'at least'} {least} different names",
                f"Write one name each, or leave {key} out of the file",
            )
        )
    return texts


def _labels_of(caller: str, key: str, y: Array, n: int) -> Array:
    if y.shape not in ((n,), (n, 1)):
        raise ShapeError(
            explain(
                caller,
                f"{key} has shape {y.shape} and x has {n} rows",
                f"shape ({n},), one class per example",
                "Turn one-hot rows into classes with y.argmax(axis=1)",
            )
        )
    if y.dtype.kind not in "biufU":
        raise DataError(
            explain(
                caller,
                f"{key} has dtype {y.dtype}",
                "integers or text",
                "Write y.astype(int) or y.astype(str)",
            )
        )
    is_gap = _gaps(y.reshape(-1))
    if is_gap.any():
        row = int(np.flatnonzero(is_gap)[0])
        raise DataError(
            explain(
                caller,
                f"row {row} of {key} is {str(y.reshape(-1)[row]) or 'empty'}",
                "a class",
                "Fill in or remove such rows",
            )
        )
    return y.reshape(-1).astype(np.int64) if y.dtype.kind == "b" else y.reshape(-1)


def _gaps(y: Array) -> Array:
    """Return where a class is missing, shape of y."""
    if y.dtype.kind == "f":
        return ~np.isfinite(y)
    if y.dtype.kind == "U":
        names, codes = np.unique(y, return_inverse=True)
        is_missing = [name.strip().casefold() in MISSING for name in names.tolist()]
        return np.array(is_missing, dtype=bool)[codes]
    return np.zeros(y.shape, dtype=bool)


def _check_range(caller: str, key: str, smallest: int) -> None:
    if smallest < 0:
        raise DataError(
            explain(
                caller,
                f"{key} has the value {smallest}",
                "positions in labels, from 0 on",
                "Leave labels out of the file, or number the classes from 0",
            )
        )


def _check_finite(caller: str, x: Array, names: Sequence[str]) -> None:
    bad = np.argwhere(~np.isfinite(x))
    if bad.size:
        i, j = bad[0].tolist()
        raise DataError(
            explain(
                caller,
                f"row {i}, column {names[j]!r} of x is {x[i, j]}",
                "finite numbers",
                "Fill in or remove such rows",
            )
        )
