"""Methods of ndarray on Tensor, with NumPy's signatures."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.core.views import is_scalar

ROUNDING = 1e-14

CALLS = {
    "all": lambda x: x.all(),
    "any": lambda x: x.any(axis=0),
    "argmax": lambda x: x.argmax(1),
    "argmin": lambda x: x.argmin(),
    "argsort": lambda x: x.argsort(0),
    "argpartition": lambda x: x.argpartition(1),
    "astype": lambda x: x.astype("f4"),
    "clip": lambda x: x.clip(-0.5, 0.5),
    "clip with one bound": lambda x: x.clip(-0.5, None),
    "compress": lambda x: x.compress([True, False], axis=0),
    "conj": lambda x: x.conj(),
    "conjugate": lambda x: x.conjugate(),
    "copy": lambda x: x.copy(),
    "cumprod": lambda x: x.cumprod(1),
    "cumsum": lambda x: x.cumsum(),
    "diagonal": lambda x: x.diagonal(1),
    "dot": lambda x: x.dot(x.T),
    "flatten": lambda x: x.flatten("F"),
    "max": lambda x: x.max(1),
    "mean": lambda x: x.mean(0, keepdims=True),
    "mean by position": lambda x: x.mean(0, None, None, True),
    "min": lambda x: x.min(),
    "nonzero": lambda x: x.nonzero()[0],
    "prod": lambda x: x.prod(axis=-1),
    "ravel": lambda x: x.ravel(),
    "repeat": lambda x: x.repeat(2, 0),
    "reshape": lambda x: x.reshape(3, 2),
    "reshape of a tuple": lambda x: x.reshape((3, -1)),
    "reshape in order": lambda x: x.reshape(3, 2, order="F"),
    "round": lambda x: x.round(1),
    "searchsorted": lambda x: x.ravel().searchsorted(0.1),
    "squeeze": lambda x: x[None].squeeze(0),
    "std": lambda x: x.std(1, ddof=1),
    "sum": lambda x: x.sum(),
    "sum by position": lambda x: x.sum(1, np.float32),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "take": lambda x: x.take([0, 2], 1),
    "tolist": lambda x: x.tolist(),
    "trace": lambda x: x.trace(1),
    "transpose": lambda x: x.transpose(),
    "transpose of axes": lambda x: x.transpose(1, 0),
    "transpose of a tuple": lambda x: x.transpose((1, 0)),
    "var": lambda x: x.var(),
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "real": lambda x: x.real,
    "imag": lambda x: (x * (1 + 2j)).imag,
    "iteration": lambda x: [row * 2 for row in x][1],
    "containment": lambda x: x[0, 0] in x,
    "no containment": lambda x: 9.0 in x,
    "len": len,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_method_gives_what_ndarrays_gives(call, rng):
    x = rng.normal(size=(2, 3))
    found = call(tg.tensor(x))
    value = found.numpy() if isinstance(found, tg.Tensor) else found
    np.testing.assert_allclose(value, call(x), rtol=ROUNDING)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_method_gives_a_scalar_where_ndarrays_does(call, rng):
    x = rng.normal(size=(2, 3))
    found = call(tg.tensor(x))
    scalar = is_scalar(found) if isinstance(found, tg.Tensor) else np.isscalar(found)
    assert scalar == np.isscalar(call(x))


NOT_METHODS = {
    "ctypes",
    "data",
    "flags",
    "flat",
    "itemsize",
    "nbytes",
    "strides",
    "base",
}
REMOVED = {"itemset", "ptp", "tostring"}
"""What ndarrays of NumPy 2.0 still list, but do no more."""
ELSEWHERE = {"device", "to_device", "dtype", "shape", "ndim", "size", "newbyteorder"}


def test_every_method_of_ndarray_is_there_or_refuses_with_a_cure():
    known = {name for name in dir(np.ndarray) if not name.startswith("_")} - REMOVED
    missing = {n for n in known if not hasattr(tg.Tensor, n)}
    assert missing - NOT_METHODS - ELSEWHERE == set()


@pytest.mark.parametrize("name", ["view", "resize", "partition", "tobytes", "setflags"])
def test_a_method_that_cannot_be_recorded_names_the_cure(name):
    with pytest.raises(tg.UnsupportedError, match=r"Use|Leave|Assign|Values"):
        getattr(tg.tensor([1.0]), name)()


def test_methods_are_plain_functions():
    assert inspect.isfunction(inspect.getattr_static(tg.Tensor, "sum"))


def test_conj_of_real_numbers_is_the_tensor_itself():
    t = tg.tensor([1.0])
    assert t.conj() is t


def test_astype_without_copy_is_the_tensor_itself():
    t = tg.tensor([1.0])
    assert t.astype(float, copy=False) is t


def test_astype_refuses_what_casting_forbids():
    with pytest.raises(tg.DTypeError, match="casting='safe'"):
        tg.tensor([1.5]).astype(int, casting="safe")


def test_conversion_to_integers_gives_a_plain_constant():
    found = tg.tensor([1.5, -2.5]).astype(int)
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, [1, -2])


def test_conversion_of_a_scalar_to_an_integer_gives_a_plain_scalar():
    assert tg.tensor([1.5, 1.0]).sum().astype(int) == 2


def test_choose_by_a_tensor_of_numbers_differentiates():
    x = tg.tensor([1.0, 2.0])
    found = tg.tensor([1, 0]).choose([x * 0.0, x * 3.0])
    np.testing.assert_array_equal(tg.gradients(found.sum(), x), [3.0, 0.0])


def test_a_wrong_argument_of_a_method_raises_with_numpys_signature():
    with pytest.raises(tg.ArgumentError, match=r"np\.sum.*axis=None"):
        tg.tensor([1.0]).sum(axes=0)


def test_a_tensor_without_axes_is_not_iterated_over():
    with pytest.raises(tg.DTypeError, match="at least one axis"):
        iter(tg.tensor(1.0))


def test_a_vector_has_no_matrix_transpose():
    with pytest.raises(tg.UnsupportedError, match="two axes"):
        tg.tensor([1.0]).mT  # noqa: B018


def test_the_real_part_is_not_assigned_to():
    t = tg.tensor([1.0 + 1.0j])
    with pytest.raises(tg.UnsupportedError, match=r"re \+ 1j \* im"):
        t.real = 0.0
