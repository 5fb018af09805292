"""Writing whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.serial.atomic import write_atomically


def test_failure_while_writing_keeps_the_old_file_and_leaves_nothing(tmp_path):
    path = tmp_path / "a.npz"
    tg.save(path, {"w": np.arange(3.0)})
    before = path.read_bytes()

    def fail(file: BinaryIO) -> None:
        file.write(b"half of it")
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, fail)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_interruption_keeps_the_old_file_and_leaves_nothing(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def interrupt(file: BinaryIO) -> None:
        file.write(b"half of it")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, interrupt)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_failure_at_the_end_keeps_the_old_file(failing, tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail(*args: object) -> None:
        raise OSError("I/O error")

    targets = {"fsync": (os, "fsync"), "replace": (Path, "replace")}
    monkeypatch.setattr(*targets[failing], fail)
    with pytest.raises(OSError, match="I/O error"):
        write_atomically(path, lambda file: file.write(b"new"))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_data_are_flushed_before_the_name_changes(tmp_path, monkeypatch):
    events: list[str] = []
    flush, replace = os.fsync, Path.replace

    def note_flush(descriptor: int) -> None:
        events.append("flush")
        flush(descriptor)

    def note_replace(self: Path, target: Path) -> Path:
        events.append("replace")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", note_flush)
    monkeypatch.setattr(Path, "replace", note_replace)
    write_atomically(tmp_path / "a.bin", lambda file: file.write(b"new"))
    assert events[:2] == ["flush", "replace"]


def test_symbolic_link_is_followed(tmp_path):
    target, link = tmp_path / "target.npz", tmp_path / "link.npz"
    target.write_bytes(b"old")
    link.symlink_to(target)
    tg.save(link, {"w": np.arange(3.0)})
    assert link.is_symlink()
    np.testing.assert_array_equal(tg.load(target, {"w": np.zeros(3)})["w"], [0, 1, 2])


def test_permissions_of_an_old_file_stay(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(b"old")
    path.chmod(0o640)  # where there are such permissions
    before = path.stat().st_mode
    tg.save(path, {})
    assert path.stat().st_mode == before


def test_new_file_has_the_permissions_of_any_new_file(tmp_path):
    tg.save(tmp_path / "a.npz", {})
    (tmp_path / "other").touch()
    modes = {stat.S_IMODE((tmp_path / n).stat().st_mode) for n in ("a.npz", "other")}
    assert len(modes) == 1


def test_missing_directory_is_not_made(tmp_path):
    with pytest.raises(FileNotFoundError):
        tg.save(tmp_path / "none" / "a.npz", {})
    assert list(tmp_path.iterdir()) == []


def test_pipe_is_written_to_and_not_replaced(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(path, lambda file: file.write(b"abc"))
    found = os.read(reading, 10)
    os.close(reading)
    assert (found, stat.S_ISFIFO(path.stat().st_mode)) == (b"abc", True)
