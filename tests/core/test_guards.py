"""Plain arrays that a rule needs later: copied, fingerprinted or frozen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.core.guard import COPY_BYTES, SAMPLES, Guard

LARGE = COPY_BYTES // 8 + 1
LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda array: np.repeat(array, 2, axis=0)[::2],
}


def product_with(array: np.ndarray) -> tuple[tg.Tensor, tg.Tensor]:
    """Return a target and a scalar whose gradient needs the plain array."""
    w = tg.tensor(np.ones(array.shape), requires_grad=True)
    return w, (w * array).sum()


def test_small_array_that_is_overwritten_leaves_the_gradient_as_it_was() -> None:
    x = np.arange(COPY_BYTES // 8, dtype=float)
    w, out = product_with(x)
    x[:] = 0
    np.testing.assert_array_equal(tg.gradients(out, w), np.arange(len(x)))


def test_large_array_that_is_overwritten_raises_and_names_the_op() -> None:
    x = np.arange(LARGE, dtype=float)
    w, out = product_with(x)
    x *= 0.9
    with pytest.raises(tg.GraphError, match=r"gradient of multiply: .* written to"):
        tg.gradients(out, w)


def test_large_array_that_is_left_alone_is_not_copied() -> None:
    x = np.arange(LARGE, dtype=float)
    guard = Guard(x, "multiply")
    assert np.shares_memory(guard.entries, x)


def test_writing_to_a_large_array_that_no_rule_needs_is_allowed() -> None:
    x = np.arange(LARGE, dtype=float)
    w = tg.tensor(np.ones(LARGE), requires_grad=True)
    out = (w + x).sum()
    x *= 0.9
    np.testing.assert_array_equal(tg.gradients(out, w), np.ones(LARGE))


def test_debug_mode_makes_the_line_that_writes_raise() -> None:
    x = np.arange(LARGE, dtype=float)
    with tg.debug():
        product_with(x)
    with pytest.raises(ValueError, match="read-only"):
        x *= 0.9


@pytest.mark.parametrize("layout", LAYOUTS)
@given(
    n_columns=st.integers(2, SAMPLES // 2),
    n_rows=st.integers(50, 400),
    part=st.floats(0, 1, exclude_max=True),
)
def test_a_column_that_is_standardised_in_place_is_noticed(
    layout: str, n_columns: int, n_rows: int, part: float
) -> None:
    rng = np.random.default_rng(0)
    x = LAYOUTS[layout](rng.standard_normal((n_rows, n_columns)))
    guard = Guard(x, "matmul")
    x[:, int(part * n_columns)] -= 10.0
    with pytest.raises(tg.GraphError, match="matmul"):
        guard.check()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_array_that_is_left_alone_passes(layout: str) -> None:
    x = LAYOUTS[layout](np.random.default_rng(0).standard_normal((100, 20)))
    Guard(x, "matmul").check()


@pytest.mark.parametrize("shape", [(), (1,), (3, 0), (0, 3)])
def test_a_guard_takes_arrays_of_any_shape(shape: tuple[int, ...]) -> None:
    Guard(np.zeros(shape), "matmul").check()
