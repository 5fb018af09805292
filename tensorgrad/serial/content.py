"""What a file holds: arrays by path, and a note in JSON.

The note is one object: ``format`` (an integer, raised when a reader of today could
misread the file) and ``metadata`` (the user's, and the architecture of a network).
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.errors import ArgumentError, FileFormatError, explain

__all__ = ["FORMAT", "NOTE", "Content", "decode_note", "encode_note"]

FORMAT = 1
NOTE = "__tensorgrad__"
"""Under this name a file keeps its note; no path of a tree may be it."""


class Content(NamedTuple):
    """Arrays by path, and metadata.

    Examples
    --------
    >>> Content({"w": np.zeros(2)}, {"unit": "m"}).metadata
    {'unit': 'm'}
    """

    arrays: dict[str, Array]
    metadata: dict[str, Any]


def encode_note(content: Content) -> str:
    """Return the note of a file as JSON.

    Raises
    ------
    ArgumentError
        If the metadata hold something that JSON cannot, such as NaN or an object.

    Examples
    --------
    >>> encode_note(Content({}, {"mean": np.array([0.5])}))
    '{"format": 1, "metadata": {"mean": [0.5]}}'
    """
    note: dict[str, Any] = {"format": FORMAT, "metadata": content.metadata}
    try:
        _check_keys(note)
        text = json.dumps(note, allow_nan=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise ArgumentError(
            explain(
                "save",
                f"metadata that JSON cannot hold ({error})",
                "a dict with text as keys, of text, finite numbers, booleans, None, "
                "lists, dicts and arrays of them",
                "Convert it, or put arrays into the tree",
            )
        ) from error
    return text


def _plain(value: Any) -> Any:
    """Turn arrays and NumPy's scalars into what JSON has."""
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufU":
        return value.tolist()
    raise TypeError(f"a {type(value).__name__}")


def _check_keys(value: Any) -> None:
    """Refuse keys that JSON would silently turn into text."""
    if isinstance(value, dict):
        for key, entry in value.items():
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r}")
            _check_keys(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            _check_keys(entry)


def decode_note(caller: str, text: str | None) -> dict[str, Any]:
    """Return the metadata of a note; a file without a note has none.

    Raises
    ------
    FileFormatError
        If the note is damaged, or of a newer format.

    Examples
    --------
    >>> decode_note("read", '{"format": 1, "metadata": {"a": 1}}')
    {'a': 1}
    """
    if text is None:
        return {}
    try:
        note = json.loads(text)
        version = note["format"]
        metadata = note["metadata"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _bad_note(caller, f"its note is damaged ({error!r})") from error
    if type(version) is not int or not 1 <= version <= FORMAT:
        raise FileFormatError(
            explain(
                caller,
                f"the file is of format {version!r}",
                f"format {FORMAT} or older",
                "Upgrade tensorgrad-np, or save the file again",
            )
        )
    if not isinstance(metadata, dict):
        raise _bad_note(caller, "its metadata are no object")
    return metadata


def _bad_note(caller: str, reason: str) -> FileFormatError:
    return FileFormatError(
        explain(
            caller,
            reason,
            "a file that tg.save wrote",
            "Save the model again, or restore the file from a copy",
        )
    )
