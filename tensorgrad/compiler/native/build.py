"""From C to a loaded library: the compiler, the cache of what it made, and BLAS.

A library is kept in a directory of the user's, under the digest of everything that it was
made of: source, compiler, options, processor. Its last bytes are the digest of the others,
so that a damaged file is seen before it is loaded, and it is moved to its name when it is
complete, so that two processes can share the directory. A directory that others may write
to is not used: what lies there would be run. Without a usable directory the library is
built into a temporary one.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tensorgrad.errors import CaptureError, explain

__all__ = ["BuildError", "build", "cache_directory", "find_compiler", "load"]

OPTIONS = (
    "-O3",
    "-march=native",
    "-fopenmp-simd",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-strict-aliasing",
    "-fwrapv",
    "-std=gnu11",
    "-fPIC",
    "-shared",
)
"""No option here lets a compiler reorder sums or forget about NaN and infinities."""

DIGEST_BYTES = 32
HEADER = Path(__file__).with_name("vector_math.h")


class BuildError(CaptureError):
    """A program that could not be made into a library; the message says why."""


@cache
def find_compiler() -> tuple[str, ...] | None:
    """Return the command of a C compiler, or None if there is none.

    The environment's ``CC`` comes first, then the system's compilers, then the one in the
    package ``ziglang``.

    Examples
    --------
    >>> command = find_compiler()
    >>> command is None or isinstance(command[0], str)
    True
    """
    for name in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        words = name.split()
        found = shutil.which(words[0]) if words else None
        if found is not None:
            return (found, *words[1:])
    if find_spec("ziglang") is not None:
        return (sys.executable, "-m", "ziglang", "cc")
    return None


def cache_directory() -> Path | None:
    """Return where libraries are kept, made if it is missing, or None if none is safe.

    ``TENSORGRAD_CACHE`` in the environment names another one.

    Examples
    --------
    >>> directory = cache_directory()
    >>> directory is None or directory.is_dir()
    True
    """
    named = os.environ.get("TENSORGRAD_CACHE")
    base = os.environ.get("XDG_CACHE_HOME")
    if named:
        directory = Path(named)
    elif base:
        directory = Path(base) / "tensorgrad"
    else:
        try:
            directory = Path.home() / ".cache" / "tensorgrad"
        except RuntimeError:
            return None
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_safe = _is_own(directory)
    except OSError:
        return None
    return directory if is_safe else None


def _is_own(path: Path) -> bool:
    """Tell whether nobody else can write to a file or directory."""
    if not hasattr(os, "getuid"):
        return True
    status = path.stat()
    is_closed = not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return status.st_uid == os.getuid() and is_closed


def build(source: str) -> Path:
    """Return a library made of C, from the cache or built now.

    Raises
    ------
    BuildError
        If there is no compiler, or it refuses the source; its words are in the message.

    Examples
    --------
    >>> load(build("int answer(void) { return 42; }")).answer()
    42
    """
    command = find_compiler()
    if command is None:
        raise BuildError(
            explain(
                "building a compiled step",
                "a machine without a C compiler",
                "cc, gcc or clang, or the package ziglang",
                "Install one, for instance by pip install tensorgrad-np[native]",
            )
        )
    name = f"step-{_digest(source, command)}.so"
    directory = cache_directory()
    if directory is None:
        _warn_once("no directory that belongs to this user alone")
    elif _is_sound(directory / name):
        return directory / name
    built = _compiled(source, command)
    if directory is None:
        return built
    return _kept(built, directory / name)


def load(path: Path) -> ctypes.CDLL:
    """Load a library; calls into it release Python's lock."""
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise BuildError(
            explain(
                "loading a compiled step",
                f"{path.name}: {error}",
                "a library that this system can load",
                "Remove it from the cache, or let TENSORGRAD_CACHE name another one",
            )
        ) from error


def _digest(source: str, command: Sequence[str]) -> str:
    parts = (source, HEADER.read_text(), *command, *OPTIONS, _processor())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@cache
def _processor() -> str:
    """Name the processor: libraries use all of its instructions."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    told = [
        line for line in lines if line.startswith(("model name", "flags", "Feature"))
    ]
    return "\n".join([platform.machine(), platform.processor(), *told[:2]])


def _is_sound(path: Path) -> bool:
    """Tell whether a library is there, ours, and as it was written."""
    try:
        if not _is_own(path):
            return False
        content = path.read_bytes()
    except OSError:
        return False
    body, digest = content[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
    return hashlib.sha256(body).digest() == digest


_TEMPORARY: list[tempfile.TemporaryDirectory[str]] = []
"""Kept until the process ends, which removes them."""


def _compiled(source: str, command: Sequence[str]) -> Path:
    """Compile into a temporary directory."""
    try:
        held = tempfile.TemporaryDirectory(prefix="tensorgrad-")
        _TEMPORARY.append(held)
        directory = Path(held.name)
        text, library = directory / "step.c", directory / "step.so"
        text.write_text(source, encoding="utf-8")
        include = f"-I{HEADER.parent}"
        words = [*command, *OPTIONS, include, str(text), "-o", str(library), "-lm"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError as error:
        raise BuildError(_refusal(f"{command[0]}: {error}")) from error
    if done.returncode:
        raise BuildError(_refusal(_first_error(done.stderr, source)))
    return library


def _refusal(came: str) -> str:
    return explain(
        "building a compiled step",
        came,
        "a library",
        "Run with printer='numpy', and report it with the program",
    )


def _first_error(told: str, source: str) -> str:
    """Return a compiler's first complaint, and the line that it is about."""
    lines = [line for line in told.splitlines() if "error" in line] or [told.strip()]
    # Without its directory, which is another one each time, a complaint is told once.
    lines[0] = lines[0][max(lines[0].rfind("/step.c"), -1) + 1 :]
    parts = lines[0].split(":")
    numbers = [int(part) for part in parts if part.isdigit()]
    text = source.splitlines()
    is_there = bool(numbers) and numbers[0] <= len(text)
    quoted = f" in: {text[numbers[0] - 1].strip()}" if is_there else ""
    return f"{lines[0][-300:]}{quoted}"


def _kept(built: Path, path: Path) -> Path:
    """Move a library into the cache; where that fails, use it where it is."""
    body = built.read_bytes()
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".step-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(body + hashlib.sha256(body).digest())
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        _warn_once(f"{path.parent}: {error.strerror}")
        return built
    return path


@cache
def _warn_once(came: str) -> None:
    warnings.warn(
        explain(
            "keeping a compiled step",
            came,
            "a directory of this user's that can be written to",
            "Let TENSORGRAD_CACHE name one; until then steps are built in every process",
        ),
        stacklevel=5,
    )
