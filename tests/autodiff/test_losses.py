"""Losses from logits: finite, exact at the logits, counted once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.core.modes import switch
from tensorgrad.core.views import is_scalar

VIEWS: dict[
    str, tuple[Callable[[tg.Tensor], tg.Tensor], Callable[[np.ndarray], np.ndarray]]
] = {
    "itself": (lambda a: a, lambda v: v),
    "reshaped": (lambda a: a.reshape(-1, 1), lambda v: v.reshape(-1, 1)),
    "transposed": (lambda a: a.T, lambda v: v.T),
    "indexed": (lambda a: a[1:], lambda v: v[1:]),
    "masked": (lambda a: a[[2, 0]], lambda v: v[[2, 0]]),
    "squeezed": (lambda a: a[:, None].squeeze(1), lambda v: v),
}


def labels(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random(shape) > 0.5).astype(float)


@pytest.mark.parametrize("view", VIEWS)
def test_log_loss_is_finite_for_every_finite_logit(view: str) -> None:
    through, same = VIEWS[view]
    z = tg.tensor(np.array([[1e308, -1e308], [800.0, -800.0], [0.0, 3.0]]))
    a = through(tg.sigmoid(z))
    J = tg.log_loss(a, np.zeros(a.shape))
    dz = tg.gradients(J, z)
    n = same(np.zeros((3, 2))).shape[0]
    expected = np.zeros((3, 2))
    chosen = same(np.arange(6).reshape(3, 2)).ravel()
    expected.flat[chosen] = tg.sigmoid(z).numpy().flat[chosen] / n
    assert np.isfinite(dz).all()
    np.testing.assert_array_equal(dz, expected)


def test_the_adjoint_at_the_logits_is_exactly_a_minus_y_over_n() -> None:
    z = tg.tensor(np.random.default_rng(1).normal(size=(1, 7)) * 20)
    a = tg.sigmoid(z)
    y = labels((1, 7))
    dz = tg.gradients(tg.log_loss(a, y, example_axis=1), z)
    np.testing.assert_array_equal(dz, (a.numpy() - y) / 7)


def test_the_activation_as_a_target_gets_the_plain_formula() -> None:
    z = tg.tensor(np.random.default_rng(1).normal(size=8))
    a = tg.sigmoid(z)
    y = labels((8,))
    da, dz = tg.gradients(tg.log_loss(a, y), [a, z])
    A = a.numpy()
    np.testing.assert_allclose(da, ((1 - y) / (1 - A) - y / A) / 8, rtol=1e-13)
    np.testing.assert_allclose(dz, (A - y) / 8, rtol=1e-14)


def test_a_view_of_the_activation_and_the_activation_are_both_targets() -> None:
    z = tg.tensor(np.random.default_rng(1).normal(size=(2, 4)))
    a = tg.sigmoid(z)
    v = a.reshape(8)
    y = labels((8,))
    da, dv = tg.gradients(tg.log_loss(v, y), [a, v])
    np.testing.assert_array_equal(da, dv.reshape(2, 4))


def test_an_activation_with_another_use_is_counted_once_for_each() -> None:
    z = tg.tensor(np.random.default_rng(1).normal(size=6))
    a = tg.sigmoid(z)
    y = labels((6,))
    J = tg.log_loss(a, y) + (a * a).sum()
    A = a.numpy()
    dz, da = tg.gradients(J, [z, a])
    np.testing.assert_allclose(dz, (A - y) / 6 + 2 * A * A * (1 - A), rtol=1e-13)
    np.testing.assert_allclose(da, ((1 - y) / (1 - A) - y / A) / 6 + 2 * A, rtol=1e-13)


def test_second_derivatives_of_the_loss_by_the_logits() -> None:
    z = tg.tensor(np.random.default_rng(1).normal(size=6))
    a = tg.sigmoid(z)
    dz = tg.gradients(tg.log_loss(a, labels((6,))), z, create_graph=True)
    A = a.numpy()
    np.testing.assert_allclose(tg.gradients(dz.sum(), z), A * (1 - A) / 6, rtol=1e-13)


def test_probabilities_of_any_other_origin_take_the_plain_formula() -> None:
    a = tg.tensor([0.25, 0.5])
    J = tg.log_loss(a, [1.0, 0.0])
    np.testing.assert_allclose(J.item(), -(np.log(0.25) + np.log(0.5)) / 2)
    np.testing.assert_allclose(tg.gradients(J, a), [-2.0, 1.0])


def test_zero_times_log_zero_is_zero() -> None:
    a = tg.tensor([0.0, 1.0])
    J = tg.log_loss(a, [0.0, 1.0])
    assert J.item() == 0.0
    np.testing.assert_array_equal(tg.gradients(J, a), [0.5, -0.5])


def test_a_certain_mistake_costs_infinity_and_is_not_clipped() -> None:
    assert tg.log_loss(tg.tensor([0.0]), [1.0]).item() == np.inf


def test_log_loss_sums_over_outputs_and_averages_over_examples() -> None:
    a = tg.tensor(np.full((4, 3), 0.5))
    rows = tg.log_loss(a, np.zeros((4, 3))).item()
    columns = tg.log_loss(a, np.zeros((4, 3)), example_axis=1).item()
    np.testing.assert_allclose([rows, columns], [3 * np.log(2), 4 * np.log(2)])


def test_labels_of_another_shape_raise_instead_of_broadcasting() -> None:
    with pytest.raises(tg.ShapeError, match=r"\(4, 1\) and labels of shape \(4,\)"):
        tg.log_loss(tg.tensor(np.full((4, 1), 0.5)), np.zeros(4))


SOFTMAX_VIEWS: dict[str, tuple[Callable[[tg.Tensor], tg.Tensor], int]] = {
    "rows": (tg.softmax, 0),
    "columns": (lambda z: tg.softmax(z.T, axis=0), 1),
    "transposed": (lambda z: tg.softmax(z).T, 1),
    "reshaped": (lambda z: tg.softmax(z.reshape(5, 1, 3)).reshape(5, 3), 0),
    "indexed": (lambda z: tg.softmax(z[None])[0], 0),
}


@pytest.mark.parametrize("form", SOFTMAX_VIEWS)
def test_cross_entropy_is_computed_from_logits_in_every_layout(form: str) -> None:
    through, axis = SOFTMAX_VIEWS[form]
    logits = np.random.default_rng(2).normal(size=(5, 3)) * 1000
    y = np.array([0, 1, 2, 1, 0])
    z = tg.tensor(logits)
    J = tg.cross_entropy(through(z), y, example_axis=axis)
    shifted = logits - logits.max(1, keepdims=True)
    p = np.exp(shifted) / np.exp(shifted).sum(1, keepdims=True)
    expected = np.log(np.exp(shifted).sum(1)) - shifted[np.arange(5), y]
    np.testing.assert_allclose(J.item(), expected.mean(), rtol=1e-14)
    np.testing.assert_allclose(tg.gradients(J, z), (p - np.eye(3)[y]) / 5, atol=1e-17)


def test_a_part_of_the_classes_takes_the_plain_formula() -> None:
    z = tg.tensor(np.random.default_rng(2).normal(size=(4, 3)))
    a = tg.softmax(z)[:, :2]
    y = np.array([[1.0, 0.0]] * 4)
    J = tg.cross_entropy(a, y)
    np.testing.assert_allclose(J.item(), -np.log(a.numpy()[:, 0]).mean(), rtol=1e-14)


def test_integer_and_one_hot_labels_agree() -> None:
    z = tg.tensor(np.random.default_rng(2).normal(size=(4, 3)))
    y = np.array([2, 0, 1, 1])
    one = tg.cross_entropy(tg.softmax(z), y).item()
    assert one == tg.cross_entropy(tg.softmax(z), np.eye(3)[y]).item()


def test_rows_reordered_by_an_index_keep_the_loss_from_logits() -> None:
    z = tg.tensor(np.array([[1000.0, 0.0], [0.0, 1000.0]]))
    J = tg.cross_entropy(tg.softmax(z)[[1, 0]], [0, 1])
    assert J.item() == 1000.0


def test_labels_outside_the_classes_raise() -> None:
    with pytest.raises(tg.ArgumentError, match="labels from 0 to 3"):
        tg.cross_entropy(tg.softmax(tg.tensor(np.zeros((2, 3)))), [0, 3])


def test_text_labels_raise() -> None:
    with pytest.raises(tg.DTypeError, match="labels of dtype float64"):
        tg.cross_entropy(tg.softmax(tg.tensor(np.zeros((2, 3)))), [0.5, 1.0])


def test_mse_has_no_half_and_sums_over_outputs() -> None:
    a = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    J = tg.mse(a, np.zeros((2, 2)))
    assert J.item() == 15.0
    np.testing.assert_array_equal(tg.gradients(J, a), a.numpy())


def test_soft_labels_that_do_not_sum_to_one_have_the_right_adjoint() -> None:
    z = tg.tensor(np.random.default_rng(3).normal(size=(2, 3)))
    y = np.array([[0.5, 0.2, 0.1], [1.0, 1.0, 0.0]])
    dz = tg.gradients(tg.cross_entropy(tg.softmax(z), y), z)
    a = tg.softmax(z).numpy()
    np.testing.assert_allclose(dz, (a * y.sum(1, keepdims=True) - y) / 2, rtol=1e-13)


def test_differentiable_labels_get_their_gradient() -> None:
    z = tg.tensor([0.3, -2.0])
    y = tg.tensor([0.25, 0.5])
    dy = tg.gradients(tg.log_loss(tg.sigmoid(z), y), y)
    np.testing.assert_allclose(dy, -z.numpy() / 2)


def test_a_confident_one_hot_loss_keeps_its_relative_digits() -> None:
    J = tg.cross_entropy(tg.softmax(tg.tensor([[40.0, 0.0, -1.0]])), [0])
    np.testing.assert_allclose(J.item(), np.exp(-40.0) + np.exp(-41.0), rtol=1e-14)


def test_one_hot_and_soft_labels_take_different_ways_to_the_same_loss() -> None:
    rng = np.random.default_rng(5)
    a = tg.softmax(tg.tensor(rng.normal(size=(20, 4)) * 5))
    hot = np.eye(4)[rng.integers(0, 4, 20)]
    one, soft = (tg.cross_entropy(a, y).item() for y in (hot, hot * (1 + 1e-15)))
    np.testing.assert_allclose(one, soft, rtol=1e-13)


def test_a_complex_step_goes_through_the_losses() -> None:
    rng = np.random.default_rng(6)
    z, d = rng.normal(size=(2, 5, 3))
    y, labels_ = labels((5, 3)), rng.integers(0, 3, 5)
    for activation, loss, truth in (
        (tg.sigmoid, tg.log_loss, y),
        (tg.softmax, tg.cross_entropy, labels_),
    ):
        t = tg.tensor(z)
        slope = np.vdot(tg.gradients(loss(activation(t), truth), t), d)
        step = 1e-30
        plain = loss(activation(z + 1j * step * d), truth).imag / step
        graph = (
            loss(activation(tg.tensor(z + 1j * step * d)), truth).numpy().imag / step
        )
        np.testing.assert_allclose([plain, graph], slope, rtol=1e-13)


def both_ways(loss: Callable[[], tg.Tensor]) -> list[tg.Tensor]:
    """Return a loss recorded on the short way, and on the general one."""
    with switch(depth=1):  # any mode but the default
        general = loss()
    return [loss(), general]


LOSSES: dict[str, Callable[[tg.Tensor, np.ndarray], tg.Tensor]] = {
    "log-loss": lambda z, y: tg.log_loss(tg.sigmoid(z), y),
    "log-loss of columns": lambda z, y: tg.log_loss(tg.sigmoid(z), y, example_axis=1),
    "cross-entropy": lambda z, y: tg.cross_entropy(tg.softmax(z), y),
}
LOGITS: dict[str, np.ndarray] = {
    "rows": np.random.default_rng(5).normal(size=(6, 4)),
    "columns": np.random.default_rng(5).normal(size=(4, 6)).T,
    "float32": np.random.default_rng(5).normal(size=(6, 4)).astype(np.float32),
    "large": np.random.default_rng(5).normal(size=(100, 100)),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("logits", LOGITS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_losses_are_recorded_alike_on_both_ways(
    loss: str, logits: str, dtype: type
) -> None:
    z = tg.tensor(LOGITS[logits])
    y = np.eye(z.shape[1], dtype=dtype)[np.arange(z.shape[0]) % z.shape[1]]
    short, general = both_ways(lambda: LOSSES[loss](z, y))
    slopes = [tg.gradients(J, z) for J in (short, general)]
    assert (short.dtype, short.shape) == (general.dtype, general.shape) == (z.dtype, ())
    assert short.numpy().tobytes() == general.numpy().tobytes()
    assert slopes[0].tobytes() == slopes[1].tobytes()


@pytest.mark.parametrize("loss", LOSSES)
def test_labels_may_be_written_to_after_a_small_loss(loss: str) -> None:
    z = tg.tensor(LOGITS["rows"])
    y = np.eye(4)[np.arange(6) % 4]
    J = LOSSES[loss](z, y)
    expected = tg.gradients(J, z)
    y[:] = 0.5
    np.testing.assert_array_equal(tg.gradients(J, z), expected)


@pytest.mark.parametrize("loss", LOSSES)
def test_large_labels_written_to_before_the_gradient_are_noticed(loss: str) -> None:
    z = tg.tensor(LOGITS["large"])
    y = np.eye(100)
    J = LOSSES[loss](z, y)
    y[:] = 0.5
    with pytest.raises(tg.GraphError, match="written to after"):
        tg.gradients(J, z)


def test_scalar_of_a_loss_is_a_scalar_on_both_ways() -> None:
    z = tg.tensor(LOGITS["rows"])
    y = np.eye(4)[np.arange(6) % 4]
    for J in both_ways(lambda: tg.log_loss(tg.sigmoid(z), y)):
        assert is_scalar(J)
