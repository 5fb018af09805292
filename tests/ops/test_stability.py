"""Losses from far logits, and activations over the whole range of floats."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import derivations

FAR = 1e4
DTYPES = [np.float64, np.float32]

logits = st.floats(-FAR, FAR)


@pytest.mark.parametrize("dtype", DTYPES)
@given(z=st.lists(logits, min_size=1, max_size=6), data=st.data())
def test_log_loss_from_logits_is_finite_with_its_gradient(dtype, z, data):
    z = np.array([[-FAR, *z, FAR]], dtype=dtype)
    y = np.array(
        [data.draw(st.lists(st.integers(0, 1), min_size=z.size, max_size=z.size))]
    )
    t = tg.tensor(z, requires_grad=True)
    a = tg.sigmoid(t)
    loss = tg.log_loss(a, y, example_axis=1)
    by_hand = derivations.losses.mean_loss("log_loss", "sigmoid", z.astype(float), y)
    assert loss.item() == pytest.approx(by_hand, rel=8 * float(np.finfo(dtype).eps))
    expected = (a.numpy() - y.astype(dtype)) / dtype(z.size)
    np.testing.assert_array_equal(tg.gradients(loss, t), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@given(z=st.lists(st.tuples(logits, logits, logits), min_size=1, max_size=4))
def test_cross_entropy_from_logits_is_finite_with_its_gradient(dtype, z):
    z = np.array([(-FAR, 0.0, FAR), *z], dtype=dtype)
    y = np.eye(3, dtype=dtype)[np.arange(len(z)) % 3]
    t = tg.tensor(z, requires_grad=True)
    a = tg.softmax(t)
    loss = tg.cross_entropy(a, y)
    by_hand = derivations.losses.mean_loss(
        "cross_entropy", "softmax", z.T.astype(float), y.T
    )
    assert loss.item() == pytest.approx(by_hand, rel=8 * float(np.finfo(dtype).eps))
    expected = (a.numpy() - y) / dtype(len(z))
    np.testing.assert_allclose(
        tg.gradients(loss, t), expected, rtol=0, atol=np.finfo(dtype).eps
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_activations_take_every_float_without_a_warning(dtype, name):
    info = np.finfo(dtype)
    sizes = [info.max, 1e30, 1e4, 90, 1, info.tiny, info.smallest_subnormal, 0]
    z = np.array([*sizes, *(-size for size in sizes)], dtype=dtype)
    t = tg.tensor(z, requires_grad=True)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        a = getattr(tg, name)(t)
        slope = tg.gradients(a.sum(), t)
    assert np.isfinite(a.numpy()).all()
    assert np.isfinite(slope).all()
    low = {"sigmoid": 0, "tanh": -1}[name]
    assert low <= a.numpy().min() <= a.numpy().max() <= 1
    assert (np.diff(a.numpy()[np.argsort(z, kind="stable")]) >= 0).all()


@given(z=st.floats(-740, 740))
def test_sigmoid_is_accurate_to_the_last_digits(z):
    e = Fraction(math.exp(-abs(z)))
    exact = (Fraction(1) if z >= 0 else e) / (1 + e)
    assert float(tg.sigmoid(np.float64(z))) == pytest.approx(
        float(exact), rel=4 * np.finfo(float).eps
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_takes_every_float(dtype):
    info = np.finfo(dtype)
    z = np.array(
        [
            [info.max, 0.0, -info.max / 2],
            [info.max, info.max, info.max],
            [-info.max / 2, -info.max / 2, -info.max / 2],
            [info.smallest_subnormal, 0.0, -info.smallest_subnormal],
        ],
        dtype=dtype,
    )
    t = tg.tensor(z, requires_grad=True)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        s = tg.softmax(t)
        pulled = tg.gradients(s[:, 0].sum(), t)
    np.testing.assert_allclose(s.numpy().sum(axis=1), 1, rtol=4 * info.eps)
    np.testing.assert_allclose(s.numpy()[1:], 1 / 3, rtol=4 * info.eps)
    np.testing.assert_array_equal(s.numpy()[0], [1, 0, 0])
    assert np.isfinite(pulled).all()


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softmax"])
def test_floats_of_every_size_agree_with_the_derivations(name):
    z = np.array([[-800.0, -30.0, -1e-300, 0.0, 2.0, 30.0, 800.0]]).T
    by_hand = derivations.activations.activate(name, z)
    found = getattr(tg, name)(z, **({"axis": 0} if name == "softmax" else {}))
    np.testing.assert_allclose(found, by_hand, rtol=1e-15, atol=0)
