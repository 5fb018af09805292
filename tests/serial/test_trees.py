"""Saving and loading: what goes in comes out, in place, by name, or not at all."""

from __future__ import annotations

import json
import sys
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from safetensors.numpy import load_file, save_file

import tensorgrad as tg
from tensorgrad.errors import (
    ArgumentError,
    DTypeError,
    FileFormatError,
    MissingExtraError,
)
from tensorgrad.optim import SGD, Adam
from tensorgrad.serial import read
from tensorgrad.tree import PathDict, leaves, map_leaves, paths

BOTH = pytest.mark.parametrize("suffix", [".npz", ".safetensors"])

COMMON = ["?", "i1", "u1", "i4", "i8", "u8", "f2", "f4", "f8", "c8"]
DTYPES = {".npz": [*COMMON, "c16", "longdouble"], ".safetensors": COMMON}


@BOTH
@given(data=st.data())
def test_every_array_comes_back_with_its_bits(suffix, data, tmp_path_factory):
    dtype = np.dtype(data.draw(st.sampled_from(DTYPES[suffix])))
    shape = data.draw(array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    array = data.draw(arrays(dtype, shape))
    path = tmp_path_factory.mktemp("a") / f"a{suffix}"
    tg.save(path, {"a": array})
    found = tg.load(path, {"a": np.zeros(shape, dtype)})["a"]
    assert (found.dtype, found.shape) == (dtype, shape)
    np.testing.assert_array_equal(found, array)


LAYOUTS = {
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "strided": np.arange(12.0).reshape(4, 3)[::2],
    "reversed": np.arange(6.0).reshape(2, 3)[:, ::-1],
    "read-only": np.broadcast_to(np.arange(3.0), (2, 3)),
    "big-endian": np.arange(6.0, dtype=">f8").reshape(2, 3),
}


@BOTH
@pytest.mark.parametrize("layout", LAYOUTS)
def test_memory_layout_does_not_change_values(suffix, layout, tmp_path):
    path = tmp_path / f"a{suffix}"
    tg.save(path, LAYOUTS[layout])
    found = tg.load(path, np.zeros((2, 3)))
    np.testing.assert_array_equal(found, LAYOUTS[layout])
    assert found.dtype.isnative
    assert found.flags.writeable


@BOTH
def test_fortran_order_of_a_layer_stays(suffix, tmp_path):
    model = tg.nn.Dense(3, 2, rng=0)
    tg.save(tmp_path / f"a{suffix}", model)
    again = tg.load(tmp_path / f"a{suffix}", tg.nn.Dense(3, 2, rng=1))
    assert again.W.numpy().strides == model.W.numpy().strides


class Counted(tg.nn.Module):
    """A module with parameters, buffers in containers, and a child with a buffer."""

    def __init__(self, seed: int) -> None:
        generator = np.random.default_rng(seed)
        self.layer = tg.nn.Dense(3, 2, rng=seed)
        self.mean = generator.standard_normal(3)
        self.seen = [generator.integers(9, size=2), "text"]
        self.scaling = tg.nn.Standardise(generator.standard_normal(3), np.ones(3))


NAMES = ["layer.W", "layer.b", "mean", "seen.0", "scaling.mean", "scaling.scale"]


def content(model: tg.nn.Module) -> dict[str, Any]:
    parameters = {name: t.numpy().tolist() for name, t in model.parameters().items()}
    return parameters | {name: a.tolist() for name, a in model.buffers().items()}


@BOTH
def test_parameters_and_buffers_of_a_module_travel(suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    model, other = Counted(1), Counted(2)
    tg.save(path, model)
    tg.load(path, other)
    assert sorted(read(path).arrays) == sorted(NAMES)
    assert content(other) == content(model)


def test_tensors_and_modules_keep_their_identity(tmp_path):
    tg.save(tmp_path / "a.npz", Counted(1))
    model = Counted(2)
    before = model.parameters()
    returned = tg.load(tmp_path / "a.npz", model)
    assert returned is model
    assert all(t is before[name] for name, t in model.parameters().items())
    assert all(t.requires_grad for t in before.values())


def test_buffers_that_others_hold_are_not_written(tmp_path):
    tg.save(tmp_path / "a.npz", Counted(1))
    model = Counted(2)
    held = model.mean
    copy = held.copy()
    tg.load(tmp_path / "a.npz", model)
    np.testing.assert_array_equal(held, copy)
    assert (model.mean != copy).all()


def test_loaded_model_trains_on(tmp_path):
    model = tg.nn.mlp([3, 4, 2], ["tanh", "softmax"])
    tg.save(tmp_path / "a.npz", model)
    again = tg.load(
        tmp_path / "a.npz", tg.nn.mlp([3, 4, 2], ["tanh", "softmax"], rng=9)
    )
    x, y = np.ones((2, 3)), np.array([0, 1])
    for m in (model, again):
        SGD(0.1).step(m, tg.gradients(tg.cross_entropy(m(x), y), m))
    for a, b in zip(leaves(model), leaves(again), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@BOTH
def test_containers_numbers_and_optimiser_states_travel(suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    model = tg.nn.Dense(3, 2, rng=0)
    optimizer = Adam(0.1)
    optimizer.step(model, {"W": np.ones((2, 3)), "b": np.ones(2)})
    tree = {
        "model": model,
        "state": optimizer.state,
        "epoch": 3,
        "best": 0.25,
        "done": True,
        "more": (np.float32(1.5), [None, 1 + 2j if suffix == ".npz" else 1.0]),
    }
    tg.save(path, tree)
    blank = map_leaves(lambda leaf: leaf * 0 if np.ndim(leaf) else leaf, tree)
    blank |= {"model": tg.nn.Dense(3, 2, rng=1), "epoch": 0, "best": 0.0, "done": False}
    found = tg.load(path, blank)
    assert paths(found) == paths(tree)
    assert found["model"] is blank["model"]
    assert [found["epoch"], found["best"], found["done"]] == [3, 0.25, True]
    assert type(found["epoch"]) is int
    assert found["more"] == tree["more"]
    assert type(found["more"][0]) is np.float32
    np.testing.assert_array_equal(found["state"]["m"].W, tree["state"]["m"].W)


@BOTH
def test_saving_is_reproducible(suffix, tmp_path):
    for name in ("a", "b"):
        tg.save(tmp_path / f"{name}{suffix}", Counted(1), {"k": [1, 2]})
    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
    assert first == second


def test_numpy_reads_the_file_without_pickle(tmp_path):
    tg.save(tmp_path / "a.npz", {"w": {"x": np.arange(3.0)}})
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["w.x"], [0, 1, 2])


def test_safetensors_reads_the_file(tmp_path):
    tg.save(tmp_path / "a.safetensors", {"w": {"x": np.arange(3.0)}})
    np.testing.assert_array_equal(
        load_file(tmp_path / "a.safetensors")["w.x"], [0, 1, 2]
    )


def test_files_of_other_programs_are_read(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", **{"w.x": np.arange(3.0)})
    save_file({"w.x": np.arange(3.0)}, tmp_path / "a.safetensors")
    for suffix in (".npz", ".safetensors"):
        found = tg.load(tmp_path / f"a{suffix}", {"w": {"x": np.zeros(3)}})
        np.testing.assert_array_equal(found["w"]["x"], [0, 1, 2])
        assert read(tmp_path / f"a{suffix}").metadata == {}


# ------------------------------------------------------------------------- metadata

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
).filter(lambda value: "Infinity" not in json.dumps(value))


@BOTH
@given(metadata=st.dictionaries(st.text(), JSON))
def test_metadata_come_back_as_they_were(suffix, metadata, tmp_path_factory):
    path = tmp_path_factory.mktemp("m") / f"a{suffix}"
    tg.save(path, {}, metadata)
    arrays_, found = read(path)
    assert (arrays_, found) == ({}, metadata)


def test_arrays_in_metadata_become_lists_of_the_same_numbers(tmp_path):
    mean = np.array([0.1, 1 / 3])
    tg.save(
        tmp_path / "a.npz", {}, {"mean": mean, "n": np.int64(3), "names": np.array("a")}
    )
    assert read(tmp_path / "a.npz").metadata == {
        "mean": mean.tolist(),
        "n": 3,
        "names": "a",
    }


CIRCULAR: list[Any] = []
CIRCULAR.append(CIRCULAR)


@pytest.mark.parametrize(
    "metadata",
    [
        {"a": np.nan},
        {"a": [np.inf]},
        {"a": {1, 2}},
        {"a": {1: 2}},
        {1: 2},
        {"a": object()},
        {"a": np.array([None])},
        {"a": b"bytes"},
        {"a": CIRCULAR},
        ["a"],
        "text",
    ],
    ids=lambda m: repr(m)[:20],
)
def test_metadata_beyond_json_are_refused_before_a_file_is_touched(metadata, tmp_path):
    with pytest.raises(ArgumentError, match=r"save: metadata .* expected a dict"):
        tg.save(tmp_path / "a.npz", {}, metadata)
    assert list(tmp_path.iterdir()) == []


def test_architecture_of_metadata_must_be_the_trees(tmp_path):
    model = tg.nn.mlp([3, 2], "tanh")
    tg.save(tmp_path / "a.npz", model, {"labels": [1]})
    metadata = read(tmp_path / "a.npz").metadata
    tg.save(tmp_path / "b.npz", model, metadata)
    assert read(tmp_path / "b.npz").metadata == metadata
    with pytest.raises(ArgumentError, match="'architecture' that is not the tree's"):
        tg.save(tmp_path / "b.npz", tg.nn.mlp([3, 3], "tanh"), metadata)


# --------------------------------------------------------------------- what differs

LIKE = {"a": np.zeros(2), "b": np.zeros((2, 3)), "c": np.zeros(1)}


@BOTH
@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"a": np.zeros(2), "c": np.zeros(1)}, "missing in the file: b:"),
        ({**LIKE, "d": np.zeros(1)}, "unexpected in the file: d:"),
        (
            {**LIKE, "b": np.zeros((3, 2))},
            r"shapes differ: b \(3, 2\) in the file, \(2, 3\) wanted:",
        ),
        (
            {**LIKE, "a": np.zeros(2, "f4")},
            "dtypes differ: a float32 in the file, float64 wanted:",
        ),
        (
            {"a": np.zeros(3), "x": np.zeros(1), "c": np.zeros(1, "i8")},
            (
                r"missing in the file: b; unexpected in the file: x; "
                r"shapes differ: a \(3,\).*; dtypes differ: c int64 in"
            ),
        ),
        ({}, "missing in the file: a, b, c:"),
    ],
)
def test_every_difference_is_named(suffix, tree, message, tmp_path):
    path = tmp_path / f"a{suffix}"
    tg.save(path, tree)
    with pytest.raises(
        FileFormatError, match=rf"load '.*': {message}.* expected the 3"
    ):
        tg.load(path, LIKE)


def test_many_differences_are_counted(tmp_path):
    tg.save(tmp_path / "a.npz", {})
    with pytest.raises(FileFormatError, match=r"0, 1, 2, 3 and 6 more"):
        tg.load(tmp_path / "a.npz", [np.zeros(1)] * 10)


def test_file_that_does_not_fit_changes_nothing(tmp_path):
    tree = PathDict(Counted(1).parameters() | {"mean": np.zeros(4)})
    tg.save(tmp_path / "a.npz", tree)
    model = Counted(2)
    before = content(model)
    with pytest.raises(FileFormatError):
        tg.load(tmp_path / "a.npz", model)
    assert content(model) == before


def test_result_of_an_op_is_not_loaded_into_and_nothing_changes(tmp_path):
    tg.save(tmp_path / "a.npz", {"w": np.ones(2), "z": np.ones(2)})
    w = tg.tensor([3.0, 4.0])
    with pytest.raises(ArgumentError, match="z is the result of multiply"):
        tg.load(tmp_path / "a.npz", {"w": w, "z": w * 2.0})
    np.testing.assert_array_equal(w.numpy(), [3.0, 4.0])


# ---------------------------------------------------------------- what is not saved


@BOTH
@pytest.mark.parametrize(
    "leaf",
    [
        "text",
        np.array(["a"]),
        np.array([None]),
        np.zeros(2, "datetime64[s]"),
        np.zeros(2, [("x", float)]),
        np.zeros(2, "V2"),
        len,
        np.tanh,
    ],
    ids=lambda leaf: repr(leaf)[:24],
)
def test_leaves_that_are_no_numbers_are_refused(suffix, leaf, tmp_path):
    with pytest.raises(
        DTypeError, match=r"tree: a\.0 of (dtype|type) .* expected an array"
    ):
        tg.save(tmp_path / f"a{suffix}", {"a": [leaf]})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", [np.complex128, np.longdouble])
def test_dtypes_that_safetensors_lacks_name_npz(dtype, tmp_path):
    with pytest.raises(DTypeError, match=r"a of dtype .* expected one of bool .*\.npz"):
        tg.save(tmp_path / "a.safetensors", {"a": np.zeros(2, dtype)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["model", "model.pkl", "model.npy", ".npz"])
def test_unknown_suffix_is_refused(name, tmp_path):
    with pytest.raises(ArgumentError, match=r"expected a name that ends in \.npz or"):
        tg.save(tmp_path / name, {})
    with pytest.raises(ArgumentError, match=r"expected a name that ends in \.npz or"):
        tg.load(tmp_path / name, {})


def test_name_of_the_note_is_reserved(tmp_path):
    with pytest.raises(ArgumentError, match="a leaf named __tensorgrad__"):
        tg.save(tmp_path / "a.npz", {"__tensorgrad__": np.zeros(1)})


def test_missing_extra_is_named(tmp_path, monkeypatch):
    tg.save(tmp_path / "a.safetensors", {})
    monkeypatch.setitem(sys.modules, "safetensors", None)
    for call in (tg.save, tg.load):
        with pytest.raises(MissingExtraError, match=r"tensorgrad-np\[safetensors\]"):
            call(tmp_path / "a.safetensors", {})


def test_abstract_values_are_not_saved(tmp_path):
    from tensorgrad.core.aval import Aval
    from tensorgrad.core.tensor import wrap

    with pytest.raises(tg.CaptureError):
        tg.save(tmp_path / "a.npz", {"a": wrap(Aval((2,), np.dtype(float)), None)})


def test_archive_is_uncompressed_and_dated_alike(tmp_path):
    tg.save(tmp_path / "a.npz", {"a": np.zeros(2)})
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        members = archive.infolist()
    assert {m.compress_type for m in members} == {zipfile.ZIP_STORED}
    assert {m.date_time for m in members} == {(1980, 1, 1, 0, 0, 0)}
