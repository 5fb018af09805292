"""Every example is in one set, with its label, and the sizes follow the ratio rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.derivations.partition import (
    is_partition,
    partition,
    partition_indices,
    partition_sizes,
)

SIZES = st.integers(3, 60)
SEEDS = st.integers(0, 10**6)


def examples(n):
    """Return n different columns, and labels that tell them apart."""
    x = np.arange(2.0 * n).reshape(2, n)
    return x, x[:1] + 0.5


@given(n=st.integers(3, 10**9))
def test_sizes_add_to_the_whole(n):
    assert sum(partition_sizes(n)) == n


@given(n=st.integers(3, 10**9))
def test_no_set_is_empty(n):
    assert min(partition_sizes(n)) >= 1


@given(n=st.integers(3, 10_000))
def test_small_sets_are_within_an_example_of_three_fifths_and_two_fifths(n):
    found = np.array(partition_sizes(n))
    # Two roundings by half an example, and the one example that no set may lack.
    assert np.all(np.abs(found - n * np.array([0.6, 0.2, 0.2])) <= [1, 0.5, 0.5])


@given(n=st.integers(10_001, 10**9))
def test_large_sets_are_within_an_example_of_98_percent_and_the_rest(n):
    found = np.array(partition_sizes(n))
    slack = 1e-6  # of n/100 in binary, up to n = 10⁹
    assert np.all(
        np.abs(found - n * np.array([0.98, 0.01, 0.01]))
        <= np.array([1, 0.5, 0.5]) + slack
    )


def test_ten_thousand_examples_are_still_few():
    found = [partition_sizes(10_000), partition_sizes(10_001)]
    assert found == [(6000, 2000, 2000), (9801, 100, 100)]


def test_percentages_of_a_hundred_are_exact():
    percentages = list(range(1, 99))
    assert [partition_sizes(100, p / 100)[0] for p in percentages] == percentages


def test_printed_truncation_loses_an_example_of_29_percent_but_none_of_60():
    lost = [int(percent / 100 * 100) - percent for percent in (29, 57, 58, 60)]
    assert lost == [-1, -1, -1, 0]


@given(n=st.integers(10, 10**6), ratio=st.floats(0.1, 0.8))
def test_dev_and_test_set_halve_the_rest(n, ratio):
    _, n_dev, n_test = partition_sizes(n, ratio)
    assert n_test - n_dev in {0, 1}


@given(n=SIZES, seed=SEEDS)
def test_every_index_is_in_one_set(n, seed):
    together = np.concatenate(partition_indices(n, rng=seed))
    np.testing.assert_array_equal(np.sort(together), np.arange(n))


@given(n=SIZES, seed=SEEDS)
def test_parts_hold_all_pairs(n, seed):
    x, y = examples(n)
    assert is_partition(partition(x, y, rng=seed), x, y)


@given(n=SIZES, seed=SEEDS)
def test_every_example_keeps_its_label(n, seed):
    for x, y in partition(*examples(n), rng=seed):
        np.testing.assert_array_equal(y, x[:1] + 0.5)


def test_same_seed_gives_the_same_partition():
    np.testing.assert_equal(
        partition(*examples(20), rng=5), partition(*examples(20), rng=5)
    )


def test_another_seed_gives_another_partition():
    first, second = partition_indices(20, rng=5)[0], partition_indices(20, rng=6)[0]
    assert first.tolist() != second.tolist()


def test_every_example_is_as_often_in_the_test_set(rng):
    counts = np.zeros(10)
    for _ in range(4000):
        counts[partition_indices(10, rng=rng)[2]] += 1
    # 4,000 draws of chance 1/5: a deviation of 25; 5 deviations.
    assert np.all(np.abs(counts - 800) < 127)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_examples_are_refused(n):
    with pytest.raises(ValueError, match=f"partition: {n} examples would be divided"):
        partition(*examples(n))


@pytest.mark.parametrize("ratio", [0.0, 0.95, 1.0])
def test_ratio_that_leaves_a_set_empty_is_refused(ratio):
    with pytest.raises(ValueError, match="an example in each set"):
        partition_sizes(10, ratio)


@pytest.mark.parametrize("ratio", [-0.1, 1.1, 60, float("nan")])
def test_ratio_outside_of_zero_to_one_is_refused(ratio):
    with pytest.raises(ValueError, match="a share between 0 and 1"):
        partition_sizes(10, ratio)


@pytest.mark.parametrize(
    ("x", "y"),
    [(np.zeros((2, 9)), np.zeros((1, 8))), (np.zeros((2, 9)), np.zeros(9))],
)
def test_unequal_numbers_of_examples_are_refused(x, y):
    with pytest.raises(ValueError, match="Put examples in columns"):
        partition(x, y)


def replaced(parts):
    (x, y), dev, test = parts
    return [(x + 1.0, y), dev, test]


def repeated(parts):
    train, dev, _ = parts
    return [train, dev, dev]


def unpaired(parts):
    (x, y), dev, test = parts
    return [(x, y[:, ::-1]), dev, test]


def incomplete(parts):
    return parts[:2]


def with_an_empty_part(parts):
    return [*parts, (np.zeros((2, 0)), np.zeros((1, 0)))]


def without_a_label(parts):
    (x, y), dev, test = parts
    return [(x, y[:, 1:]), dev, test]


@pytest.mark.parametrize(
    "spoil",
    [replaced, repeated, unpaired, incomplete, with_an_empty_part, without_a_label],
)
def test_check_notices(spoil):
    x, y = examples(10)
    assert not is_partition(spoil(partition(x, y)), x, y)


@pytest.mark.parametrize("spoil", [replaced, repeated, unpaired])
def test_printed_check_does_not_notice(spoil):
    x, y = examples(10)
    parts = spoil(partition(x + 1.0, y))
    together = [np.concatenate(side, axis=1) for side in zip(*parts, strict=True)]
    assert [(x + 1.0).all(), y.all()] == [side.all() for side in together]


def test_sets_are_copies():
    x, y = examples(10)
    train, _, _ = partition(x, y)
    assert not np.shares_memory(train[0], x)
