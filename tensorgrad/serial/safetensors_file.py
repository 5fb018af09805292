"""Safetensors files, through the library of that name (an extra)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.errors import (
    DTypeError,
    FileFormatError,
    MissingExtraError,
    explain,
)
from tensorgrad.serial.content import NOTE, Content, decode_note, encode_note

__all__ = ["read_safetensors", "require_safetensors", "write_safetensors"]

DTYPES = (
    *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"),
    *("uint64", "float16", "float32", "float64", "complex64"),
)


def require_safetensors() -> Any:
    """Import the optional package, or name the extra that brings it."""
    try:
        import safetensors  # noqa: PLC0415
        import safetensors.numpy  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError(
            explain(
                "a .safetensors file",
                "the package safetensors is not installed",
                "the extra that brings it",
                "Run pip install 'tensorgrad-np[safetensors]', or use .npz",
            )
        ) from error
    return safetensors


def write_safetensors(file: BinaryIO, content: Content) -> None:
    """Write arrays in C order and little-endian, and the note as metadata.

    Raises
    ------
    DTypeError
        If the format has no such dtype (complex128, longdouble).
    MissingExtraError
        If the package is not installed.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> write_safetensors(file, Content({"w": np.array([1.0, 2.0])}, {}))
    >>> file.getvalue()[8:19]
    b'{"__metadat'
    """
    library = require_safetensors()
    plain: dict[str, Array] = {}
    for name, array in content.arrays.items():
        if array.dtype.name not in DTYPES:
            raise DTypeError(
                explain(
                    "saving as .safetensors",
                    f"{name or 'the array'} of dtype {array.dtype}",
                    f"one of {' '.join(DTYPES)}",
                    "Save as .npz, which has every dtype of numbers",
                )
            )
        little = array.dtype.newbyteorder("<")
        plain[name] = np.array(array, dtype=little, order="C", copy=None)
    note = {NOTE: encode_note(content)}
    file.write(library.numpy.save(plain, metadata=note))


def read_safetensors(caller: str, path: Path) -> Content:
    """Read every tensor of a file, or raise FileFormatError.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.safetensors"
    ...     with path.open("wb") as file:
    ...         write_safetensors(file, Content({"w": np.array([1.0, 2.0])}, {}))
    ...     read_safetensors("read", path).arrays
    {'w': array([1., 2.])}
    """
    library = require_safetensors()
    try:
        with library.safe_open(str(path), framework="np") as file:
            note = (file.metadata() or {}).get(NOTE)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # whatever damage provokes, the file is damaged
        raise FileFormatError(
            explain(
                caller,
                f"the file is corrupt, foreign, or has a dtype that NumPy lacks ({error})",
                "a .safetensors file of dtypes " + " ".join(DTYPES),
                "Save it again, or convert bfloat16 to float32 where it was made",
            )
        ) from error
    return Content(arrays, decode_note(caller, note))
