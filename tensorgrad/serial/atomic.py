"""Writing a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

__all__ = ["write_atomically"]


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file beside the target, and put it in the target's place when complete.

    Parameters
    ----------
    path : Path
        The target; a symbolic link is followed. Into a device or a pipe, such as
        ``/dev/stdout``, the bytes go as they come.
    write : callable
        Writes everything to the binary file that it is given.

    Raises
    ------
    OSError
        If the directory cannot be written to, or the disk is full. Whatever is raised,
        an old file is untouched and the new one is removed.

    Notes
    -----
    The data are flushed to the disk before the name changes, so that after a crash
    the name stands for the old content or for the new, never for half of one.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.bin"
    ...     write_atomically(path, lambda file: file.write(b"abc"))
    ...     path.read_bytes()
    b'abc'
    """
    if path.exists() and not path.is_file():
        # To rename a file over /dev/null would destroy it for the whole machine.
        with path.open("wb") as device:
            write(device)
        return
    target = Path(os.path.realpath(path))
    # Opened by name rather than by `tempfile`, whose files only their owner may read.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    try:
        with temporary.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o7777)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush_directory(target.parent)


def _flush_directory(folder: Path) -> None:
    """Make the new name durable, where directories can be opened at all."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
