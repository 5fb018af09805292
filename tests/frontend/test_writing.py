"""NumPy's functions that write, on Tensors: NumPy's result, and the right gradient."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg

STEP = 1e-6
DIFFERENCE = 1e-8

WRITES = {
    "copyto": lambda x, v: np.copyto(x, v[0]),
    "copyto where": lambda x, v: np.copyto(x, v, where=np.eye(3) > 0),
    "put": lambda x, v: np.put(x, [0, -1, 4], v[1, :2]),
    "put clip": lambda x, v: np.put(x, [20, -5], v[0], mode="clip"),
    "put wrap": lambda x, v: np.put(x, [20, -5], v[0], mode="wrap"),
    "place": lambda x, v: np.place(x, np.eye(3) > 0, v[0, :2]),
    "putmask": lambda x, v: np.putmask(x, np.eye(3) > 0, v[0, :2]),
    "putmask of its shape": lambda x, v: np.putmask(x, np.eye(3) > 0, v),
    "fill_diagonal": lambda x, v: np.fill_diagonal(x, v[0]),
    "put_along_axis": lambda x, v: np.put_along_axis(x, np.array([[0], [2], [1]]), v[:, :1], 1),
    "put_along_axis flat": lambda x, v: np.put_along_axis(x, np.array([8, 0]), v[0, :2], None),
    "add at": lambda x, v: np.add.at(x, ([0, 0, 2], [1, 1, 0]), v[0]),
    "subtract at": lambda x, v: np.subtract.at(x, [0, 0, 1], v),
    "add at a number": lambda x, v: np.add.at(x, np.array([[0], [0]]), v[0, 0]),
    "fill": lambda x, v: x.fill(v[0, 0]),
    "method put": lambda x, v: x.put([3, 1], v[2]),
    "sort": lambda x, v: x.sort(axis=0),
    "out of a ufunc": lambda x, v: np.multiply(x, v, out=x),
    "out of a function": lambda x, v: np.cumsum(v, axis=0, out=x),
    "out of a reduction": lambda x, v: np.add.accumulate(v, out=x),
}  # fmt: skip


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_what_is_written_equals_numpys(write, rng):
    x, v = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    t = tg.tensor(x) * 1.0
    write(t, tg.tensor(v))
    write(x, v)
    np.testing.assert_allclose(t.numpy(), x, rtol=1e-15)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_the_gradient_of_what_is_written_equals_a_difference(write, rng):
    x, v, weights, dx, dv = rng.normal(size=(5, 3, 3))

    def along(h):
        moved = x + h * dx
        write(moved, v + h * dv)
        return (weights * moved**2).sum()

    a, b = tg.tensor(x), tg.tensor(v)
    t = a * 1.0
    write(t, b)
    ga, gb = tg.gradients((weights * t**2).sum(), [a, b], unused="zero")
    expected = (along(STEP) - along(-STEP)) / (2 * STEP)
    np.testing.assert_allclose(
        (ga * dx).sum() + (gb * dv).sum(), expected, rtol=1e-7, atol=DIFFERENCE
    )


@pytest.mark.parametrize("name", ["copyto", "place", "putmask"])
def test_writing_a_tensor_into_an_array_raises(name):
    masks = {"copyto": (), "place": (np.ones(2, bool),), "putmask": (np.ones(2, bool),)}
    with pytest.raises(tg.UnsupportedError, match=r"np\.zeros_like"):
        getattr(np, name)(np.zeros(2), *masks[name], tg.tensor([1.0, 2.0]))


def test_copying_floats_into_integers_raises_as_numpy_does():
    with pytest.raises(tg.DTypeError, match="casting='same_kind'"):
        np.copyto(tg.tensor([1, 2]), tg.tensor([0.5, 1.5]))


def test_writing_nothing_at_some_places_raises_as_numpy_does():
    with pytest.raises(tg.ArgumentError, match="no values"):
        np.place(tg.tensor([1.0]), [True], [])


def test_a_plain_array_as_out_raises_and_names_the_cure():
    with pytest.raises(tg.UnsupportedError, match=r"np\.zeros_like"):
        np.exp(tg.tensor([1.0]), out=np.zeros(1))
