"""Batches cover the data once, in memory that does not grow with it."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.data import minibatches
from tensorgrad.data.batches import CHUNK, WINDOW_BYTES, shuffled_places
from tensorgrad.errors import ArgumentError, DataError, ShapeError

# Indices of a chunk, its working copies in the network, and a batch: some 4 MiB. A
# permutation of the 20 million places would be 160 MB.
ORDER_BYTES = 16 * CHUNK * 8

LARGE = 3 * CHUNK + 17


def numbered(n):
    return np.arange(n)[:, None] * [1.0, -1.0], np.arange(n)


sizes = st.integers(1, 300)
orders = st.none() | st.integers(0, 99)


@given(n=sizes, batch_size=sizes, rng=orders)
def test_every_example_comes_exactly_once(n, batch_size, rng):
    labels = [y for _, y in minibatches(*numbered(n), batch_size, rng)]
    np.testing.assert_array_equal(np.sort(np.concatenate(labels)), np.arange(n))


@given(n=sizes, batch_size=sizes, rng=orders)
def test_only_the_last_batch_is_smaller(n, batch_size, rng):
    lengths = [len(y) for _, y in minibatches(*numbered(n), batch_size, rng)]
    n_full, rest = divmod(n, batch_size)
    assert lengths == [batch_size] * n_full + [rest] * (rest > 0)


@given(n=sizes, batch_size=sizes, rng=orders)
def test_labels_stay_with_their_examples(n, batch_size, rng):
    pairs = minibatches(*numbered(n), batch_size, rng)
    assert all((x == y[:, None] * [1.0, -1.0]).all() for x, y in pairs)


@given(n=sizes, batch_size=sizes)
def test_without_rng_rows_come_in_order(n, batch_size):
    labels = [y for _, y in minibatches(*numbered(n), batch_size)]
    np.testing.assert_array_equal(np.concatenate(labels), np.arange(n))


@pytest.mark.parametrize("batch_size", [1000, CHUNK, CHUNK + 1, LARGE + 1])
def test_large_data_is_covered_across_chunks(batch_size):
    y = np.arange(LARGE)
    labels = [b for _, b in minibatches(y, y, batch_size, rng=1)]
    np.testing.assert_array_equal(np.sort(np.concatenate(labels)), y)


@given(n=st.integers(CHUNK - 2, 4 * CHUNK + 5), seed=st.integers(0, 10**6))
def test_places_are_a_permutation_at_every_size(n, seed):
    chunks = list(shuffled_places(n, np.random.default_rng(seed)))
    np.testing.assert_array_equal(np.sort(np.concatenate(chunks)), np.arange(n))


def test_large_order_looks_random():
    places = np.concatenate(list(shuffled_places(LARGE, np.random.default_rng(5))))
    # The correlation of n pairs of a random order is 0 ± 1/sqrt(n); 5 deviations.
    correlation = np.corrcoef(places[1:], places[:-1])[0, 1]
    assert abs(correlation) < 5 / np.sqrt(LARGE)


def test_large_order_mixes_far_and_near_places():
    places = next(shuffled_places(LARGE, np.random.default_rng(5)))
    counts, _ = np.histogram(places, bins=64, range=(0, LARGE))
    # Chi-square with 63 degrees of freedom passes 120 once in 10^5 orders.
    expected = len(places) / 64
    assert ((counts - expected) ** 2 / expected).sum() < 120


@pytest.mark.parametrize("n", [100, LARGE])
def test_same_seed_gives_the_same_order(n):
    y = np.arange(n)
    first = [b for _, b in minibatches(y, y, n, rng=7)]
    second = [b for _, b in minibatches(y, y, n, rng=7)]
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("n", [100, LARGE])
def test_a_generator_gives_another_order_each_epoch(n, rng):
    y = np.arange(n)
    first = np.concatenate([b for _, b in minibatches(y, y, n - 1, rng)])
    second = np.concatenate([b for _, b in minibatches(y, y, n - 1, rng)])
    # Two random orders agree in one place on average.
    assert (first == second).sum() < 10


@pytest.mark.parametrize("order", [None, 0])
def test_memory_mapped_batches_are_plain_arrays(order, tmp_path):
    np.save(tmp_path / "x.npy", np.arange(40.0).reshape(20, 2))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    batches = [type(b) for b, _ in minibatches(x, np.arange(20), 6, order)]
    assert batches == [np.ndarray] * 4


def test_memory_mapped_columns_are_not_read_as_a_whole(tmp_path):
    n = 2_000_000
    table = np.lib.format.open_memmap(
        tmp_path / "x.npy", mode="w+", dtype=np.float64, shape=(n, 4)
    )
    batches = minibatches(table[:, 1:3], table[:, 0], 256, rng=0)
    tracemalloc.start()
    for _ in range(3):
        next(batches)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The window, its half of labels, and batches; the file has 64 MB.
    assert peak < 2.5 * WINDOW_BYTES < table.nbytes


def test_order_of_many_examples_is_not_held():
    n = 20_000_000
    y = np.broadcast_to(np.int8(0), (n,))
    batches = minibatches(y, y, 1024, rng=0)
    tracemalloc.start()
    for _ in range(200):
        next(batches)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < ORDER_BYTES


def test_batches_in_order_cannot_overwrite_the_data():
    x, y = numbered(5)
    batch, _ = next(minibatches(x, y, 2))
    with pytest.raises(ValueError, match="read-only"):
        batch[0] = 9


def test_data_stay_writable():
    x, y = numbered(5)
    next(minibatches(x, y, 2))
    x[0] = 9
    assert x[0, 0] == 9


@pytest.mark.parametrize("batch_size", [0, -1, 2.0, "8", True, None])
def test_bad_batch_size_is_refused_by_the_call(batch_size):
    with pytest.raises(
        ArgumentError, match=r"minibatches: batch_size is .* at least 1"
    ):
        minibatches(*numbered(5), batch_size)


def test_different_lengths_are_refused_by_the_call():
    with pytest.raises(ShapeError, match="as many rows in x as in y"):
        minibatches(np.zeros((4, 2)), np.zeros(3), 2)


def test_a_scalar_is_refused():
    with pytest.raises(ShapeError, match=r"y has shape \(\)"):
        minibatches(np.zeros((4, 2)), 1.0, 2)


def test_no_examples_are_refused():
    with pytest.raises(DataError, match="no examples"):
        minibatches(np.zeros((0, 2)), np.zeros(0), 2)


def test_bad_seed_is_refused_by_the_call():
    with pytest.raises(ArgumentError, match="minibatches: rng is 'x'"):
        minibatches(*numbered(5), 2, rng="x")
