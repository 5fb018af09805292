"""Every example lands in exactly one part, and the parts have the sizes promised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.data import load, split
from tensorgrad.data.partition import part_sizes
from tensorgrad.errors import ArgumentError, DataError, ShapeError


def numbered(n):
    """Return examples that carry their row in x and in y."""
    return np.arange(n)[:, None] * [1.0, -1.0], np.arange(n)


def rows_of(parts):
    return np.concatenate([y for _, y in parts])


fractions = st.tuples(*[st.integers(1, 1000)] * 3).map(
    lambda weights: tuple(w / sum(weights) for w in weights)
)
class_counts = st.lists(st.integers(3, 40), min_size=1, max_size=8)


@given(n=st.integers(3, 400), seed=st.integers(0, 99), ratio=fractions)
def test_every_example_is_in_exactly_one_part(n, seed, ratio):
    parts = split(*numbered(n), rng=seed, ratio=ratio)
    np.testing.assert_array_equal(np.sort(rows_of(parts)), np.arange(n))


@given(n=st.integers(3, 400), seed=st.integers(0, 99))
def test_labels_stay_with_their_examples(n, seed):
    parts = split(*numbered(n), rng=seed)
    x = np.concatenate([x for x, _ in parts])
    np.testing.assert_array_equal(x, rows_of(parts)[:, None] * [1.0, -1.0])


@given(n=st.integers(3, 20_000), ratio=st.none() | fractions)
def test_no_part_is_empty(n, ratio):
    assert all(len(y) > 0 for _, y in split(*numbered(n), ratio=ratio))


@given(n=st.integers(3, 10**7), ratio=fractions)
def test_sizes_miss_their_shares_by_less_than_one_or_fill_an_empty_part(n, ratio):
    sizes = part_sizes(n, ratio)
    misses = [abs(size - n * share) for size, share in zip(sizes, ratio, strict=True)]
    assert max(misses) < 1 or 1 in sizes


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (3, [1, 1, 1]),
        (4, [2, 1, 1]),
        (5, [3, 1, 1]),
        (100, [60, 20, 20]),
        (1797, [1078, 360, 359]),
        (10_000, [6000, 2000, 2000]),
        (10_001, [9801, 100, 100]),
        (50_000, [49_000, 500, 500]),
    ],
)
def test_default_sizes_follow_the_rule_of_the_notes(n, expected):
    assert [len(y) for _, y in split(*numbered(n))] == expected


def test_a_single_ratio_halves_the_rest():
    assert [len(y) for _, y in split(*numbered(100), ratio=0.8)] == [80, 10, 10]


def test_rounding_of_the_fractions_breaks_no_tie():
    # Exactly 1.5, 10.5 and 138 examples; 150 * 0.07 comes out above 10.5.
    assert part_sizes(150, (0.01, 0.07, 0.92)) == [2, 10, 138]


@given(counts=class_counts, seed=st.integers(0, 99), ratio=fractions)
def test_stratified_parts_cover_every_example_once(counts, seed, ratio):
    y = np.repeat(np.arange(len(counts)), counts)
    x = np.arange(len(y))
    parts = split(x, y, rng=seed, ratio=ratio, stratify=True)
    np.testing.assert_array_equal(np.sort(np.concatenate([x for x, _ in parts])), x)


@given(counts=class_counts, ratio=fractions)
def test_stratified_classes_miss_their_share_by_at_most_one(counts, ratio):
    y = np.repeat(np.arange(len(counts)), counts)
    parts = split(y, y, ratio=ratio, stratify=True)
    found = np.array([np.bincount(p, minlength=len(counts)) for _, p in parts])
    exact = np.outer([len(p) for _, p in parts], counts) / len(y)
    assert abs(found - exact).max() <= 1


@given(counts=class_counts, ratio=fractions)
def test_stratifying_keeps_the_sizes(counts, ratio):
    y = np.repeat(np.arange(len(counts)), counts)
    plain = [len(p) for _, p in split(y, y, ratio=ratio)]
    assert [len(p) for _, p in split(y, y, ratio=ratio, stratify=True)] == plain


@pytest.mark.parametrize(
    "as_labels",
    [np.int8, np.eye(10).__getitem__, np.char.mod("%d", np.arange(10)).__getitem__],
)
def test_labels_and_one_hot_rows_stratify_alike(as_labels):
    _, y = load("digits")
    rows = np.arange(len(y))
    train, _, _ = split(rows, as_labels(y), stratify=True)
    expected, _, _ = split(rows, y, stratify=True)
    np.testing.assert_array_equal(train[0], expected[0])


def test_text_labels_stratify():
    y = np.array(["no", "yes"], dtype=object)[np.arange(50) % 2]
    _, dev, _ = split(y, y, stratify=True)
    assert sorted(dev[1]) == ["no"] * 5 + ["yes"] * 5


def test_stratified_parts_are_shuffled():
    y = np.repeat([0, 1], 50)
    train, _, _ = split(y, y, stratify=True)
    assert 10 < train[1][:30].sum() < 20


def test_same_seed_gives_the_same_parts():
    first, second = split(*numbered(50), rng=3), split(*numbered(50), rng=3)
    np.testing.assert_array_equal(rows_of(first), rows_of(second))


def test_another_seed_gives_other_parts():
    first, second = split(*numbered(50), rng=3), split(*numbered(50), rng=4)
    assert (rows_of(first) != rows_of(second)).any()


def test_without_rng_rows_keep_their_order():
    np.testing.assert_array_equal(
        rows_of(split(*numbered(50), rng=None)), np.arange(50)
    )


def test_without_rng_stratified_rows_keep_their_order():
    y = np.arange(60) % 3
    parts = split(np.arange(60), y, rng=None, stratify=True)
    assert all((np.diff(x) > 0).all() for x, _ in parts)


def test_without_rng_parts_share_the_memory_of_the_whole():
    x, y = numbered(50)
    assert all(np.shares_memory(part, x) for part, _ in split(x, y, rng=None))


def test_arguments_may_be_lists():
    train, _, _ = split([[1.0]] * 5, [0] * 5)
    assert train[0].shape == (3, 1)


def test_different_lengths_are_refused():
    with pytest.raises(
        ShapeError, match=r"split: x has shape \(4, 2\) and y has .*\(3,\)"
    ):
        split(np.zeros((4, 2)), np.zeros(3))


@pytest.mark.parametrize("n", [1, 2])
def test_fewer_than_three_examples_are_refused(n):
    with pytest.raises(DataError, match=f"there are {n} examples: expected at least 3"):
        split(*numbered(n))


def test_no_examples_are_refused():
    with pytest.raises(DataError, match="no examples"):
        split(np.zeros((0, 2)), np.zeros(0))


@pytest.mark.parametrize(
    "ratio",
    [
        0.0,
        1.0,
        -0.1,
        1.5,
        float("nan"),
        "most",
        (0.5, 0.5),
        (0.5, 0.5, 0.5),
        (1.0, 0.0, 0.0),
        (1.2, -0.1, -0.1),
        [[0.6, 0.2, 0.2]],
    ],
)
def test_bad_ratio_is_refused(ratio):
    with pytest.raises(ArgumentError, match=r"ratio is .* expected .* Pass ratio=0\.6"):
        split(*numbered(10), ratio=ratio)


@pytest.mark.parametrize("rng", ["0", -1, 0.5, True, np.random])
def test_what_is_no_seed_is_refused(rng):
    with pytest.raises(ArgumentError, match=r"split: rng is .* expected a seed"):
        split(*numbered(10), rng=rng)


def test_rare_class_is_refused_when_stratifying():
    with pytest.raises(DataError, match=r"class 1 has 2 example\(s\)"):
        split(np.zeros(12), np.repeat([0, 1], [10, 2]), stratify=True)


def test_labels_in_a_cube_are_refused_when_stratifying():
    with pytest.raises(ShapeError, match="one label or one row"):
        split(np.zeros(8), np.zeros((8, 2, 2)), stratify=True)
