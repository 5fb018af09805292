"""Initial weights: their distribution, dtype and shape."""

from __future__ import annotations

import numpy as np
import pytest

from tensorgrad.errors import ArgumentError, DTypeError, ShapeError
from tensorgrad.nn import init

SHAPE = (400, 100)
# 40,000 draws: the mean square is within 4 % of the variance at 5.6 σ.
RTOL = 0.04
DRAWN = [init.he, init.xavier, init.lecun, init.normal, init.uniform]


@pytest.mark.parametrize(
    ("draw", "variance"),
    [
        (lambda: init.he(1, SHAPE), 2 / 100),
        (lambda: init.he(1, SHAPE, slope=1.0), 1 / 100),
        (lambda: init.xavier(1, SHAPE), 2 / 500),
        (lambda: init.lecun(1, SHAPE), 1 / 100),
        (lambda: init.normal(1, SHAPE), 1e-4),
        (lambda: init.normal(1, SHAPE, std=2.0), 4.0),
        (lambda: init.uniform(1, SHAPE), (1 / 10) ** 2 / 3),
        (lambda: init.uniform(1, SHAPE, bound=3.0), 3.0),
    ],
)
def test_variance_is_as_documented(draw, variance):
    assert np.mean(draw() ** 2) == pytest.approx(variance, rel=RTOL)


def test_he_keeps_the_mean_square_of_relu_layers():
    generator = np.random.default_rng(7)
    a = generator.standard_normal((200, 300))
    before = np.mean(a**2)
    for _ in range(10):
        a = np.maximum(a @ init.he(generator, (300, 300)).T, 0)
    # Ten layers of 300 units: a few per cent each; 1/n_in would leave 2⁻¹⁰ of it.
    assert np.mean(a**2) == pytest.approx(before, rel=0.5)


@pytest.mark.parametrize("draw", [*DRAWN, init.zeros])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_result_has_the_dtype_and_shape_asked_for(draw, dtype):
    found = draw(3, (4, 5), dtype)
    assert (found.shape, found.dtype) == ((4, 5), np.dtype(dtype))


@pytest.mark.parametrize("draw", DRAWN)
def test_precisions_differ_by_rounding_alone(draw):
    wide = draw(3, (4, 5))
    np.testing.assert_array_equal(draw(3, (4, 5), np.float32), wide.astype(np.float32))


@pytest.mark.parametrize("draw", DRAWN)
def test_generator_moves_on(draw):
    generator = np.random.default_rng(3)
    assert (draw(generator, (4, 5)) != draw(generator, (4, 5))).all()


@pytest.mark.parametrize("draw", [init.he, init.xavier, init.lecun, init.uniform])
@pytest.mark.parametrize("shape", [(), (0, 3), (3, 0)])
def test_shape_without_inputs_is_refused(draw, shape):
    with pytest.raises(ShapeError, match=r"expected \(n_out, n_in\)"):
        draw(0, shape)


@pytest.mark.parametrize("scale", [-1.0, np.nan, np.inf])
def test_scale_must_be_finite_and_not_negative(scale):
    with pytest.raises(ArgumentError, match="normal: std is"):
        init.normal(0, (2, 3), std=scale)
    with pytest.raises(ArgumentError, match="uniform: bound is"):
        init.uniform(0, (2, 3), bound=scale)


@pytest.mark.parametrize("draw", [*DRAWN, init.zeros])
def test_integers_are_no_parameters(draw):
    with pytest.raises(DTypeError, match="expected a floating"):
        draw(0, (2, 3), int)
