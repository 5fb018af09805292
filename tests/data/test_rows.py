"""Rows from files, folders and objects: the same batches, read in order, and refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.data import Shards, batches, minibatches
from tensorgrad.data.batches import batches_from
from tensorgrad.data.rows import Sliced, as_rows, lies_on_disk
from tensorgrad.errors import ArgumentError, DataError, FileFormatError, ShapeError

N = 500


class Recorder:
    """Rows that can only be sliced, and remember how."""

    def __init__(self, rows):
        self.rows = rows
        self.asked = []

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, rows):
        assert isinstance(rows, slice), rows
        self.asked.append((rows.start, rows.stop))
        return self.rows[rows]


@pytest.fixture(autouse=True)
def small_windows(monkeypatch):
    """Let sixteen blocks of five rows be shuffled together."""
    monkeypatch.setattr(batches, "WINDOW_BYTES", 16 * 5 * 16)


def numbered(n=N):
    return np.arange(n)[:, None] * [1.0, -1.0], np.arange(n)


def write_shards(folder, rows, cuts, name="part"):
    Path(folder).mkdir(exist_ok=True)
    for k, part in enumerate(np.split(rows, cuts)):
        np.save(Path(folder) / f"{name}-{k}.npy", part)
    return folder


def collect(x, y, size, rng):
    return list(minibatches(x, y, size, rng))


def assert_same(one, other):
    assert len(one) == len(other)
    for pair, expected in zip(one, other, strict=True):
        np.testing.assert_array_equal(pair[0], expected[0])
        np.testing.assert_array_equal(pair[1], expected[1])


@given(
    n=st.integers(1, 400),
    size=st.integers(1, 120),
    seed=st.integers(0, 99),
)
def test_rows_from_disk_come_exactly_once_with_their_labels(n, size, seed):
    x, y = numbered(n)
    found = collect(Recorder(x), Recorder(y), size, seed)
    labels = np.concatenate([labels for _, labels in found])
    np.testing.assert_array_equal(np.sort(labels), y)
    assert all((rows == labels[:, None] * [1.0, -1.0]).all() for rows, labels in found)


@given(n=st.integers(1, 400), size=st.integers(1, 120))
def test_only_the_last_batch_from_disk_is_smaller(n, size):
    found = collect(Recorder(numbered(n)[0]), numbered(n)[1], size, 0)
    full, rest = divmod(n, size)
    assert [len(y) for _, y in found] == [size] * full + [rest] * (rest > 0)


@pytest.mark.parametrize("rng", [None, 3])
@pytest.mark.parametrize("size", [7, 80, 200, N])
def test_batches_do_not_depend_on_how_rows_are_stored(tmp_path, rng, size):
    x, y = numbered()
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    expected = collect(mapped, y, size, rng)
    few = write_shards(tmp_path / "few", x, [123, 321])
    many = write_shards(tmp_path / "many", x, list(range(10, N, 37)))
    assert_same(
        collect(tmp_path / "x.npy", str(tmp_path / "y.npy"), size, rng), expected
    )
    assert_same(collect(few, y, size, rng), expected)
    assert_same(collect(Shards(many), y, size, rng), expected)
    assert_same(collect(Recorder(x), Recorder(y), size, rng), expected)


def test_blocks_are_read_once_and_as_a_whole():
    x = Recorder(numbered()[0])
    collect(x, numbered()[1], 32, 0)
    read = x.asked[1:]  # the first row was looked at before
    assert sorted(read) == [(k, k + 5) for k in range(0, N, 5)]
    assert read != sorted(read)


def test_rows_of_different_blocks_meet_in_a_batch():
    _, labels = collect(Recorder(numbered()[0]), numbered()[1], 20, 0)[0]
    assert len({int(k) // 5 for k in labels}) > 8


def test_epochs_differ_and_seeds_repeat():
    x, y = Recorder(numbered()[0]), numbered()[1]
    rng = np.random.default_rng(0)
    first, second = (collect(x, y, 50, rng) for _ in range(2))
    assert not np.array_equal(first[0][1], second[0][1])
    assert_same(collect(x, y, 50, 4), collect(x, y, 50, 4))


@pytest.mark.parametrize("kind", [np.asarray, Recorder])
@given(
    n=st.integers(2, 300),
    size=st.integers(1, 90),
    skip=st.integers(0, 40),
    data=st.data(),
)
def test_batches_after_skipped_ones_are_the_same(kind, n, size, skip, data):
    x, y = numbered(n)
    rngs = [np.random.default_rng(1), np.random.default_rng(1)]
    rows = as_rows("", "x", kind(x))
    whole = list(batches_from(rows, y, size, rngs[0]))
    part = list(batches_from(rows, y, size, rngs[1], skip=skip))
    assert_same(part, whole[skip:])
    assert rngs[0].bit_generator.state == rngs[1].bit_generator.state


@pytest.mark.parametrize(
    "lay", [np.asarray, np.asfortranarray, lambda a: np.repeat(a, 2, axis=0)[::2]]
)
@given(n=st.integers(1, 300), size=st.integers(1, 90), skip=st.integers(0, 40))
def test_batches_in_memory_that_is_used_again_are_the_same(lay, n, size, skip):
    x, y = numbered(n)
    rngs = [np.random.default_rng(1), np.random.default_rng(1)]
    fresh = list(batches_from(lay(x), y, size, rngs[0], skip))
    again = batches_from(lay(x), y, size, rngs[1], skip, reuse=True)
    assert_same([(a.copy(), b.copy()) for a, b in again], fresh)


def test_skipped_blocks_are_not_read():
    x, y = numbered()
    recorder = Recorder(x)
    rows = Sliced("", "x", recorder)
    recorder.asked.clear()
    # Two windows of eighty rows are left out, and half of the third.
    list(batches_from(rows, y, 40, np.random.default_rng(0), skip=5))
    assert sum(stop - start for start, stop in recorder.asked) == N - 160


@pytest.mark.parametrize("kind", [np.asarray, Recorder])
@pytest.mark.parametrize("size", [N, N + 1])
def test_a_batch_of_all_rows_keeps_their_order(kind, size):
    x, y = numbered()
    ((rows, labels),) = collect(kind(x), y, size, 0)
    np.testing.assert_array_equal(rows, x)
    np.testing.assert_array_equal(labels, y)


# ------------------------------------------------------------------------------ shards


@given(cuts=st.lists(st.integers(0, 40), max_size=4), bounds=st.data())
def test_slices_of_shards_are_those_of_the_whole(cuts, bounds, tmp_path_factory):
    rows = np.arange(80.0).reshape(40, 2)
    folder = write_shards(tmp_path_factory.mktemp("parts"), rows, sorted(cuts))
    shards = Shards(folder)
    start = bounds.draw(st.integers(-45, 45))
    stop = bounds.draw(st.integers(-45, 45))
    np.testing.assert_array_equal(shards[start:stop], rows[start:stop])
    assert (len(shards), shards.shape, shards.ndim) == (40, (40, 2), 2)


def test_files_come_in_the_order_of_their_numbers(tmp_path):
    for k in (10, 9, 2, 1):
        np.save(tmp_path / f"x{k}.npy", np.full((1, 1), float(k)))
    assert Shards(tmp_path)[:][:, 0].tolist() == [1, 2, 9, 10]


@pytest.mark.parametrize("rows", [3, slice(0, 4, 2), [0, 1], slice(4, 0, -1)])
def test_only_consecutive_rows_can_be_read(tmp_path, rows):
    shards = Shards(write_shards(tmp_path / "x", numbered()[0], [100]))
    with pytest.raises(ArgumentError, match="slice of consecutive rows"):
        shards[rows]


@pytest.mark.parametrize(
    "other",
    [np.zeros((3, 3)), np.zeros((3, 2), np.float32), np.zeros(3)],
    ids=["columns", "dtype", "axes"],
)
def test_files_that_do_not_fit_together_are_refused(tmp_path, other):
    np.save(tmp_path / "a.npy", np.zeros((3, 2)))
    np.save(tmp_path / "b.npy", other)
    with pytest.raises(DataError, match=r"b\.npy with rows of shape .* as in a\.npy"):
        Shards(tmp_path)


def test_folder_without_files_is_refused(tmp_path):
    with pytest.raises(DataError, match="a folder without"):
        minibatches(tmp_path, np.zeros(3), 2)


def test_missing_file_is_refused():
    with pytest.raises(DataError, match=r"x='no/x\.npy', which does not exist"):
        minibatches("no/x.npy", np.zeros(3), 2)


@pytest.mark.parametrize("content", [b"", b"not an array", b"\x93NUMPY\x01\x00"])
def test_file_that_is_no_array_is_refused(tmp_path, content):
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(FileFormatError, match="no array could be mapped"):
        minibatches(tmp_path / "x.npy", np.zeros(3), 2)


def test_archive_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.zeros(3))
    with pytest.raises(FileFormatError, match="archive"):
        minibatches(tmp_path / "x.npz", np.zeros(3), 2)


def test_pickled_objects_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(FileFormatError):
        minibatches(tmp_path / "x.npy", np.zeros(1), 1)


# ----------------------------------------------------------------------------- objects


class Short(Recorder):
    def __getitem__(self, rows):
        return super().__getitem__(rows)[:1]


class Widening(Recorder):
    def __getitem__(self, rows):
        found = super().__getitem__(rows)
        return found.astype(np.float32) if rows.start else found


@pytest.mark.parametrize("kind", [Short, Widening])
def test_slices_that_are_not_what_was_asked_for_are_refused(kind):
    batches_ = minibatches(kind(numbered()[0]), numbered()[1], 8, 0)
    with pytest.raises(DataError, match=r"rows .* came with shape"):
        list(batches_)


def test_object_of_another_length_is_refused_by_the_call():
    with pytest.raises(ShapeError, match="as many rows"):
        minibatches(Recorder(np.zeros((4, 2))), np.zeros(5), 2)


def test_object_without_rows_is_refused_by_the_call():
    with pytest.raises(DataError, match="no examples"):
        minibatches(Recorder(np.zeros((0, 2))), np.zeros(0), 2)


def test_views_of_a_mapped_file_lie_on_disk(tmp_path):
    np.save(tmp_path / "x.npy", numbered()[0])
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    views = [mapped, mapped[:, 1:], mapped.T, np.asarray(mapped)]
    assert [lies_on_disk(view) for view in views] == [True] * 4
    assert not lies_on_disk(np.array(mapped))
