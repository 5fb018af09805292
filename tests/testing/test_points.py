"""Points: on the domain, away from kinks or on them, in every memory layout."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tensorgrad.core.op import Domain
from tensorgrad.ops import TABLE
from tensorgrad.testing import points

OPS = list(dict.fromkeys(f.op for f in TABLE.values()))
KINKED = [op for op in OPS if op.kink is not None]
NO_ROOM = {"heaviside", "argsort", "any", "all", "count_nonzero"}
by_name = {"ids": lambda op: op.name}

shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


@pytest.mark.parametrize("layout", points.LAYOUTS)
@given(x=hnp.arrays(np.float64, shapes, elements=st.floats(-9, 9)))
def test_layout_keeps_values_shape_and_dtype(layout, x):
    laid = points.LAYOUTS[layout](x)
    np.testing.assert_array_equal(laid, x)
    assert (laid.shape, laid.dtype) == (x.shape, x.dtype)


@pytest.mark.parametrize("layout", points.LAYOUTS)
def test_layout_is_a_new_array(layout):
    x = np.ones((3, 4))
    assert not np.shares_memory(points.LAYOUTS[layout](x), x)


def test_layouts_are_what_they_are_called():
    laid = {name: lay(np.ones((3, 4))) for name, lay in points.LAYOUTS.items()}
    assert laid["C"].flags.c_contiguous
    assert laid["Fortran"].flags.f_contiguous
    assert not laid["strided"].flags.contiguous
    assert max(laid["reversed"].strides) < 0
    assert not laid["unaligned"].flags.aligned
    assert not laid["read-only"].flags.writeable


@given(low=st.floats(-9, 0), width=st.floats(0.1, 9), seed=st.integers(0, 99))
def test_values_lie_within_the_domain(low, width, seed):
    domain = Domain(low, low + width)
    values = points.draw_values(np.random.default_rng(seed), (50,), domain)
    assert domain.low < values.min() <= values.max() < domain.high


def test_complex_values_keep_off_the_real_axis():
    values = points.draw_values(
        np.random.default_rng(0), (100,), Domain(), np.complex128
    )
    assert np.abs(values.imag).min() > 0.09


@pytest.mark.parametrize("op", KINKED, **by_name)
def test_drawn_points_keep_away_from_kinks(op):
    rng = np.random.default_rng(0)
    drawn = [points.draw_point(op, example, rng) for example in op.examples]
    distances = [
        points.kink_distance(op, at.operands, at.static)
        for at in drawn
        if at is not None
    ]
    assert min(distances, default=np.inf) >= points.KINK_DISTANCE


@pytest.mark.parametrize(
    "op", [op for op in KINKED if op.name not in NO_ROOM], **by_name
)
def test_points_on_kinks_are_found(op):
    rng = np.random.default_rng(0)
    drawn = [points.draw_kink(op, example, rng) for example in op.examples]
    distances = [
        points.kink_distance(op, at.operands, at.static)
        for at in drawn
        if at is not None
    ]
    assert distances
    assert max(distances) == 0.0


def test_smooth_op_has_no_point_on_a_kink():
    op = TABLE["exp"].op
    assert points.draw_kink(op, op.examples[0], np.random.default_rng(0)) is None


@given(n=st.integers(0, 6), seed=st.integers(0, 999))
def test_spectrum_is_separated_and_symmetric(n, seed):
    a = points.separated_spectrum(np.random.default_rng(seed), n)
    np.testing.assert_array_equal(a, a.T)
    assert np.diff(np.linalg.eigvalsh(a)).min(initial=np.inf) > 0.29


@given(n=st.integers(1, 6), seed=st.integers(0, 999))
def test_positive_definite_matrix_has_a_cholesky_factor(n, seed):
    a = points.positive_definite(np.random.default_rng(seed), n)
    np.testing.assert_array_equal(a, a.T)
    assert np.linalg.eigvalsh(a)[0] > 0.49
