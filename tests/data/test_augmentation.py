"""Augmentation adds what it says and leaves the originals alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.data import augment, flip, load, minibatches, mix, noise, shift
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError

SHAPES = st.tuples(st.integers(1, 5), st.integers(3, 7), st.integers(3, 7))


def ramp(shape):
    """Return images whose pixels are all different and at least 1."""
    return np.arange(1.0, 1 + np.prod(shape)).reshape(shape)


def frozen_digits():
    x, y = load("digits")
    x.flags.writeable = y.flags.writeable = False
    return x[:100], y[:100]


@given(copies=st.integers(1, 4), seed=st.integers(0, 99))
def test_originals_come_first_and_unchanged(copies, seed):
    x, y = frozen_digits()
    enlarged, _ = augment(x, y, shift(1), shape=(8, 8), rng=seed).enlarged(copies)
    np.testing.assert_array_equal(enlarged[:100], x)


@given(copies=st.integers(1, 4))
def test_labels_repeat_with_the_copies(copies):
    x, y = frozen_digits()
    _, labels = augment(x, y, noise(0.1)).enlarged(copies)
    np.testing.assert_array_equal(labels, np.tile(y, copies + 1))


def brighten(images, rng):
    images += 1
    return images


@pytest.mark.parametrize("rng", [None, 0])
def test_transform_that_works_in_place_leaves_the_data_alone(rng):
    x, y = (array.copy() for array in frozen_digits())
    before = x.copy()
    data = augment(x, y, brighten)
    batches = [batch for batch, _ in data.minibatches(10, rng)]
    enlarged, _ = data.enlarged()
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(enlarged[100:], before + 1)
    assert sum(batch.sum() for batch in batches) == (before + 1).sum()


def test_batch_size_is_checked_by_the_call():
    x, y = frozen_digits()
    with pytest.raises(ArgumentError, match="batch_size is 0"):
        augment(x, y, noise(0.1)).minibatches(0)


def test_rows_come_back_as_rows():
    x, y = frozen_digits()
    assert augment(x, y, flip(), shape=(8, 8)).enlarged()[0].shape == (200, 64)


def test_transforms_apply_one_after_the_other():
    x, y = frozen_digits()
    twice, _ = augment(x, y, flip(), flip(), shape=(8, 8)).enlarged()
    np.testing.assert_array_equal(twice[100:], x)


def test_same_seed_gives_the_same_copies():
    x, y = frozen_digits()
    first, second = (augment(x, y, noise(1.0), rng=2).enlarged()[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_copies_differ_from_each_other():
    x, y = frozen_digits()
    enlarged, _ = augment(x, y, noise(1.0)).enlarged(copies=2)
    assert (enlarged[100:200] != enlarged[200:]).all()


@given(shape=SHAPES, reach=st.integers(1, 2), seed=st.integers(0, 99))
def test_shift_is_one_of_the_moves(shape, reach, seed):
    images = ramp(shape)
    moved = shift(reach)(images, np.random.default_rng(seed))
    _, height, width = shape
    border = [(0, 0), (reach, reach), (reach, reach)]
    padded = np.pad(images, border)
    side = range(2 * reach + 1)
    windows = [padded[:, i : i + height, j : j + width] for i in side for j in side]
    same = np.array([(window == moved).all(axis=(1, 2)) for window in windows])
    assert same.any(axis=0).all()


@given(shape=SHAPES, seed=st.integers(0, 99))
def test_shift_never_leaves_an_image_in_place(shape, seed):
    images = ramp(shape)
    moved = shift(1)(images, np.random.default_rng(seed))
    assert (moved != images).any(axis=(1, 2)).all()


def test_shift_draws_every_move_equally(rng):
    images = np.zeros((8000, 3, 3))
    images[:, 1, 1] = 1
    counts = shift(1)(images, rng).sum(axis=0)
    # 1000 of each of the eight moves, with a deviation of 30: within 5 deviations.
    assert abs(np.delete(counts.ravel(), 4) - 1000).max() < 150


def test_shift_fills_the_border(rng):
    moved = shift(1, fill=7.0)(np.zeros((20, 3, 3)), rng)
    assert ((moved == 7).sum(axis=(1, 2)) >= 3).all()


def test_shift_keeps_channels_together(rng):
    images = ramp((4, 5, 5))[..., None] * [1.0, 10.0]
    moved = shift(2)(images, rng)
    np.testing.assert_array_equal(moved[..., 1], 10 * moved[..., 0])


@pytest.mark.parametrize(("direction", "axis"), [("vertical", 1), ("horizontal", 2)])
def test_flip_mirrors_the_axis_it_names(direction, axis, rng):
    images = ramp((3, 4, 5))
    np.testing.assert_array_equal(
        flip(direction)(images, rng), np.flip(images, axis=axis)
    )


def test_flip_mirrors_about_the_share_it_is_told(rng):
    images = np.tile(ramp((1, 2, 2)), (1000, 1, 1))
    changed = (flip(probability=0.3)(images, rng) != images).any(axis=(1, 2))
    # 300 ± 14.5: within 5 deviations.
    assert abs(changed.sum() - 300) < 75


def test_noise_has_the_scale_it_is_told(rng):
    disturbed = noise(2.0)(np.zeros((100, 1000)), rng)
    # A deviation of 10^5 draws is exact to 1/sqrt(2 · 10^5) = 0.2 %; 5 deviations.
    assert abs(disturbed.std() / 2.0 - 1) < 0.012


def test_noise_keeps_single_precision(rng):
    assert noise(1.0)(np.zeros(3, np.float32), rng).dtype == np.float32


def test_noise_on_integers_is_refused():
    with pytest.raises(DTypeError, match="noise: the examples have dtype int64"):
        augment(np.zeros((3, 2), np.int64), np.zeros(3), noise(0.1))


@pytest.mark.parametrize("transform", [shift(1), flip()])
def test_rows_without_a_shape_are_refused_by_image_transforms(transform):
    with pytest.raises(ShapeError, match=r"Pass shape=\(height, width\) to augment"):
        augment(np.zeros((3, 64)), np.zeros(3), transform)


def test_shift_larger_than_the_image_is_refused():
    with pytest.raises(ShapeError, match="at least 9 pixels"):
        augment(np.zeros((3, 64)), np.zeros(3), shift(8), shape=(8, 8))


def test_shape_that_rows_do_not_fill_is_refused():
    with pytest.raises(
        ShapeError, match=r"shape is \(8, 9\) and x has shape \(3, 64\)"
    ):
        augment(np.zeros((3, 64)), np.zeros(3), flip(), shape=(8, 9))


def test_no_transform_is_refused():
    with pytest.raises(ArgumentError, match="there is no transform"):
        augment(np.zeros((3, 2)), np.zeros(3))


@pytest.mark.parametrize("copies", [0, -1, 1.5])
def test_bad_number_of_copies_is_refused(copies):
    with pytest.raises(ArgumentError, match="augment: copies is"):
        augment(np.zeros((3, 2)), np.zeros(3), noise(1.0)).enlarged(copies)


def test_transform_that_changes_the_shape_is_refused():
    with pytest.raises(ShapeError, match=r"transform crop made shape \(1, 1\)"):
        augment(np.zeros((3, 2)), np.zeros(3), crop)


def test_transform_that_changes_the_dtype_is_refused():
    with pytest.raises(DTypeError, match="transform narrow made dtype float32"):
        augment(np.zeros((3, 2)), np.zeros(3), narrow)


def crop(examples, rng):
    return examples[:, :1]


def narrow(examples, rng):
    return examples.astype(np.float32)


def test_augmenting_needs_a_seed():
    with pytest.raises(ArgumentError, match="augment: rng is None"):
        augment(np.zeros((3, 2)), np.zeros(3), noise(1.0), rng=None)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("inf"), float("nan")])
def test_bad_scale_is_refused(scale):
    with pytest.raises(ArgumentError, match="noise: scale is"):
        noise(scale)


@pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan")])
def test_bad_probability_is_refused(probability):
    with pytest.raises(ArgumentError, match="flip: probability is"):
        flip(probability=probability)


def test_bad_direction_is_refused():
    with pytest.raises(ArgumentError, match="direction is 'sideways'"):
        flip("sideways")


@pytest.mark.parametrize("max_pixels", [0, 1.5, "1"])
def test_bad_reach_is_refused(max_pixels):
    with pytest.raises(ArgumentError, match="shift: max_pixels is"):
        shift(max_pixels)


# ------------------------------------------------------------------------------ batches


def test_batches_are_transformed_and_keep_their_labels():
    x, y = frozen_digits()
    data = augment(x, y, flip(), shape=(8, 8))
    plain = list(minibatches(x, y, 32, 5))
    for (rows, labels), (expected, same) in zip(
        data.minibatches(32, 5), plain, strict=True
    ):
        mirrored = expected.reshape(-1, 8, 8)[:, :, ::-1].reshape(-1, 64)
        np.testing.assert_array_equal(rows, mirrored)
        np.testing.assert_array_equal(labels, same)


def test_nothing_is_transformed_before_it_is_asked_for():
    calls = []

    def count(examples, rng):
        calls.append(len(examples))
        return examples

    batches = augment(*frozen_digits(), count).minibatches(40)
    assert calls == [1]  # the trial with the first example
    next(batches)
    assert calls == [1, 40]


def test_epochs_and_batches_draw_differently_and_seeds_repeat():
    x, y = np.zeros((4, 3)), np.zeros(4)
    data = augment(x, y, noise(1.0), rng=3)
    drawn = [data.transformed(x, y, epoch, k)[0] for epoch in (0, 1) for k in (0, 1)]
    assert len({part.tobytes() for part in drawn}) == 4
    again = augment(x, y, noise(1.0), rng=3).transformed(x, y, 1, 1)[0]
    np.testing.assert_array_equal(again, drawn[3])


def test_data_stay_as_they_are():
    x, y = load("digits")
    before = x.copy()
    list(augment(x, y, noise(1.0), flip(), shape=(8, 8)).minibatches(100))
    np.testing.assert_array_equal(x, before)


@given(seed=st.integers(0, 99), alpha=st.floats(0.1, 5))
def test_mixed_labels_are_in_the_proportion_of_the_examples(seed, alpha):
    rng = np.random.default_rng(seed)
    y = np.eye(3)[rng.integers(0, 3, 20)]
    x = np.concatenate([y, 2 * y], axis=1)
    mixed, labels = mix(alpha)(x, y, rng)
    np.testing.assert_allclose(mixed, np.concatenate([labels, 2 * labels], axis=1))
    np.testing.assert_allclose(labels.sum(axis=1), 1)


def test_mixing_keeps_single_precision():
    x, y = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)
    mixed, labels = mix()(x, y, np.random.default_rng(0))
    assert (mixed.dtype, labels.dtype) == (np.float32, np.float32)


def test_mixing_of_class_numbers_is_refused_before_any_batch():
    with pytest.raises(DTypeError, match=r"labels of dtype int64.*one-hot"):
        augment(*frozen_digits(), mix())


@pytest.mark.parametrize("alpha", [0, -1.0, float("nan"), float("inf")])
def test_bad_alpha_is_refused(alpha):
    with pytest.raises(ArgumentError, match="mix: alpha is"):
        mix(alpha)


def test_what_is_no_function_is_refused():
    with pytest.raises(ArgumentError, match="'flip' as a transform"):
        augment(*frozen_digits(), "flip")
