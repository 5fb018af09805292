"""NPZ files: what `numpy.load` opens, written and read without pickle."""

from __future__ import annotations

import zipfile
from typing import Any, BinaryIO

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.errors import FileFormatError, explain
from tensorgrad.serial.content import NOTE, Content, decode_note, encode_note

__all__ = ["read_npz", "write_npz"]

SUFFIX = ".npy"
# One date for all members: the same tree gives the same bytes.
DATE = (1980, 1, 1, 0, 0, 0)


def write_npz(file: BinaryIO, content: Content) -> None:
    """Write arrays and note as members of a zip archive, uncompressed.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> write_npz(file, Content({"w": np.array([1.0, 2.0])}, {}))
    >>> _ = file.seek(0)
    >>> np.load(file)["w"]
    array([1., 2.])
    """
    note = np.array(encode_note(content))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in (*content.arrays.items(), (NOTE, note)):
            member = zipfile.ZipInfo(name + SUFFIX, DATE)
            member.external_attr = 0o644 << 16
            with archive.open(member, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def read_npz(caller: str, file: BinaryIO) -> Content:
    """Read every member of an archive, or raise FileFormatError.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> np.savez(file, w=np.array([1.0, 2.0]))
    >>> read_npz("read", file).arrays
    {'w': array([1., 2.])}
    """
    try:
        with zipfile.ZipFile(file) as archive:
            arrays = _members(archive)
    except Exception as error:  # whatever damage provokes, the file is damaged
        raise FileFormatError(
            explain(
                caller,
                f"the file is corrupt, or no archive of arrays ({_reason(error)})",
                "an .npz file of numbers, as tg.save or numpy.savez writes it",
                "Save it again, or restore it from a copy",
            )
        ) from error
    note = arrays.pop(NOTE, None)
    text = None if note is None else str(note)
    return Content(arrays, decode_note(caller, text))


def _members(archive: zipfile.ZipFile) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(SUFFIX)
        if name == member.filename:
            raise zipfile.BadZipFile(f"{name!r} is not an array")
        if name in arrays:
            raise zipfile.BadZipFile(f"{name!r} is there twice")
        with archive.open(member) as stream:
            arrays[name] = np.lib.format.read_array(stream, allow_pickle=False)
            # Reading past the array compares the member's checksum.
            if stream.read(1):
                raise zipfile.BadZipFile(f"{name!r} has more bytes than its array")
    return arrays


def _reason(error: Any) -> str:
    return str(error) or type(error).__name__
