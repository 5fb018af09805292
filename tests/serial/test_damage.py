"""Damaged, foreign and hostile files raise FileFormatError and change nothing."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.errors import FileFormatError
from tensorgrad.serial import read

BOTH = pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
TREE = {"w": np.arange(6.0).reshape(2, 3), "b": np.arange(3)}


def content(suffix: str, folder: Path) -> bytes:
    path = folder / f"good{suffix}"
    tg.save(path, TREE, {"labels": ["no", "yes"]})
    return path.read_bytes()


def assert_refused(path: Path) -> None:
    w = tg.tensor(np.ones((2, 3)), requires_grad=True)
    with pytest.raises(FileFormatError, match=r"load '.*': .*: expected .*\. \w"):
        tg.load(path, {"w": w, "b": np.zeros(3, int)})
    np.testing.assert_array_equal(w.numpy(), np.ones((2, 3)))


@BOTH
@given(data=st.data())
def test_truncated_file_is_refused(suffix, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("t")
    whole = content(suffix, folder)
    path = folder / f"cut{suffix}"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    assert_refused(path)


@given(data=st.data())
def test_flipped_bit_of_an_array_is_noticed(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("f")
    whole = bytearray(content(".npz", folder))
    start = whole.index(np.arange(6.0).tobytes())
    position = start + data.draw(st.integers(0, 47))
    whole[position] ^= 1 << data.draw(st.integers(0, 7))
    (folder / "a.npz").write_bytes(bytes(whole))
    assert_refused(folder / "a.npz")


@BOTH
@given(noise=st.binary(max_size=200))
def test_noise_is_refused(suffix, noise, tmp_path_factory):
    path = tmp_path_factory.mktemp("n") / f"a{suffix}"
    path.write_bytes(noise)
    assert_refused(path)


@BOTH
@given(data=st.data())
def test_any_damaged_byte_is_refused_or_harmless(suffix, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("d")
    whole = bytearray(content(suffix, folder))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    path = folder / f"a{suffix}"
    path.write_bytes(bytes(whole))
    # The one thing that must not happen: another exception than ours.
    outcome = _attempt(path)
    assert outcome in {"read", "refused"}


def _attempt(path: Path) -> str:
    try:
        read(path)
    except FileFormatError:
        return "refused"
    return "read"


@BOTH
@pytest.mark.parametrize("text", [b"", b"a,b\n1,2\n", b"\x93NUMPY", b"PK\x03\x04"])
def test_foreign_content_is_refused(suffix, text, tmp_path):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(text)
    assert_refused(path)


@BOTH
def test_directory_is_refused(suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    path.mkdir()
    assert_refused(path)


@BOTH
def test_missing_file_is_a_missing_file(suffix, tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"no such file: expected .*Correct the path"
    ):
        tg.load(tmp_path / f"a{suffix}", TREE)


class Trap:
    """What a hostile pickle would run."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("a pickle was loaded",)


def test_pickled_objects_are_refused_and_not_run(tmp_path):
    np.savez(tmp_path / "a.npz", w=np.array([Trap()], dtype=object))
    assert_refused(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(pickle.dumps(Trap()))
    assert_refused(tmp_path / "b.npz")


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


HUGE = (
    b"\x93NUMPY\x01\x00v\x00"
    + (
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,), }"
    ).ljust(117)
    + b"\n"
)

MEMBERS = {
    "text": [("readme.txt", b"hello")],
    "twice": [("w.npy", npy(1.0)), ("w.npy", npy(2.0))],
    "empty": [("w.npy", b"")],
    "longer": [("w.npy", npy(1.0) + b"more")],
    "huge": [("w.npy", HUGE)],
    "header": [("w.npy", b"\x93NUMPY\x01\x00\x06\x00{evil\n")],
    "note is a number": [("__tensorgrad__.npy", npy(1.0))],
    "note is no object": [("__tensorgrad__.npy", npy("[]"))],
    "note is no JSON": [("__tensorgrad__.npy", npy("{"))],
    "note lacks metadata": [("__tensorgrad__.npy", npy('{"format": 1}'))],
    "metadata are a list": [
        ("__tensorgrad__.npy", npy('{"format": 1, "metadata": []}'))
    ],
    "nested too deep": [("__tensorgrad__.npy", npy("[" * 100_000))],
    "newer": [("__tensorgrad__.npy", npy('{"format": 2, "metadata": {}}'))],
    "format is true": [("__tensorgrad__.npy", npy('{"format": true, "metadata": {}}'))],
}


@pytest.mark.parametrize("members", MEMBERS)
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_archive_with_something_wrong_inside_is_refused(members, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name, data in MEMBERS[members]:
            archive.writestr(name, data)
    assert_refused(tmp_path / "a.npz")


def safetensors_bytes(header: dict[str, Any], data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def test_bfloat16_is_refused(tmp_path):
    header = {"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors_bytes(header, bytes(4)))
    assert_refused(path)


def test_newer_note_in_safetensors_is_refused(tmp_path):
    header = {"__metadata__": {"__tensorgrad__": '{"format": 9, "metadata": {}}'}}
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors_bytes(header, b""))
    with pytest.raises(
        FileFormatError, match=r"of format 9: expected format 1 or older"
    ):
        read(path)
