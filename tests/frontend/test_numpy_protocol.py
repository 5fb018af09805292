"""NumPy's protocols: what is supported is recorded, and the rest raises with a cure."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

import tensorgrad as tg
from tensorgrad.frontend.functional import SCIPY
from tensorgrad.frontend.numpy_protocol import FUNCTIONS, UFUNCS

ROUNDING = 1e-14
STEP = 1e-6
DIFFERENCE = 1e-8


@pytest.fixture
def x(rng):
    return rng.uniform(0.3, 0.7, (2, 3))


@pytest.fixture
def t(x):
    return tg.tensor(x)


# ---------------------------------------------------------------------------- ufuncs


def test_a_ufunc_of_a_list_and_a_tensor_is_recorded(t):
    np.testing.assert_array_equal(
        np.add([1.0, 2.0, 3.0], t).numpy(), np.arange(1.0, 4.0) + t.numpy()
    )


def test_an_array_on_the_left_leaves_the_operator_to_the_tensor(x, t):
    assert isinstance(np.ones(3) - t, tg.Tensor)
    np.testing.assert_array_equal((np.ones(3) - t).numpy(), np.ones(3) - x)


def test_a_numpy_scalar_on_the_left_leaves_the_operator_to_the_tensor(x, t):
    np.testing.assert_array_equal((np.float64(2.0) / t).numpy(), 2.0 / x)


REDUCTIONS = [np.add, np.multiply, np.maximum, np.minimum, np.logaddexp]


@pytest.mark.parametrize("options", [{}, {"axis": 1}, {"axis": None, "keepdims": True}])
@pytest.mark.parametrize("ufunc", REDUCTIONS)
def test_reduce_equals_numpys(ufunc, options, x, t):
    found = ufunc.reduce(t, **options)
    np.testing.assert_allclose(found.numpy(), ufunc.reduce(x, **options), rtol=ROUNDING)


def test_reduce_of_a_test_is_a_constant(x, t):
    np.testing.assert_array_equal(
        np.logical_and.reduce(t > 0.5), np.all(x > 0.5, axis=0)
    )


def test_reduce_honours_dtype(x, t):
    found = np.add.reduce(t, dtype=np.float32)
    np.testing.assert_array_equal(found.numpy(), np.add.reduce(x, dtype=np.float32))


@pytest.mark.parametrize("ufunc", [np.add, np.multiply])
def test_accumulate_equals_numpys(ufunc, x, t):
    np.testing.assert_allclose(
        ufunc.accumulate(t, axis=1).numpy(), ufunc.accumulate(x, axis=1), rtol=ROUNDING
    )


def test_outer_equals_numpys_and_differentiates(x, t):
    found = np.subtract.outer(t, np.ones(2))
    np.testing.assert_array_equal(found.numpy(), np.subtract.outer(x, np.ones(2)))
    np.testing.assert_array_equal(tg.gradients(found.sum(), t), np.full(x.shape, 2.0))


def test_dtype_of_a_ufunc_is_honoured(x, t):
    found = np.add(t, 1.0, dtype=np.float32)
    np.testing.assert_array_equal(found.numpy(), np.add(x, 1.0, dtype=np.float32))


@pytest.mark.parametrize(
    ("call", "option"),
    [
        (lambda t: np.add(t, 1.0, where=t.numpy() > 0.5), "where"),
        (lambda t: np.add(t, 1.0, casting="unsafe"), "casting"),
        (lambda t: np.add.reduce(t, initial=1.0), "initial"),
        (lambda t: np.add(t, 1.0, dtype=int), "dtype"),
    ],
)
def test_an_option_without_a_rule_raises_and_is_named(call, option, t):
    with pytest.raises(tg.UnsupportedError, match=option):
        call(t)


@pytest.mark.parametrize(
    ("call", "cure"),
    [
        (lambda t: np.multiply.at(t, [0, 0], 1.0), r"t\[i\] \*= v"),
        (lambda t: np.add.at(np.zeros(2), [0], t[0, 0]), r"t\[i\] \+= v"),
        (lambda t: np.add.reduceat(t, [0, 1]), "np.split"),
        (np.hypot.reduce, "add"),
        (lambda t: np.nextafter(t, 1.0), "Nearest|supported"),
    ],
)
def test_a_ufunc_method_without_a_rule_raises_and_names_the_cure(call, cure, t):
    with pytest.raises(tg.UnsupportedError, match=cure):
        call(t)


FOREIGN = {
    "masked array": np.ma.masked_array([1.0, 2.0, 3.0], mask=[True, False, False]),
    "matrix": np.eye(3).view(np.matrix),
    "array of objects": np.array([1.0, 2.0, 3.0], dtype=object),
    "text": np.array(["a", "b", "c"]),
    "text in a scalar": np.str_("a"),
}


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
def test_arrays_for_which_operators_mean_something_else_are_refused(foreign, t):
    with pytest.raises(tg.TensorgradError):
        t * foreign


def test_a_memory_mapped_array_is_an_operand(t, x):
    mapped = np.ones(3).view(np.memmap)
    np.testing.assert_array_equal((t * mapped).numpy(), x)


def test_tests_of_entries_are_plain_arrays(t):
    assert type(np.isnan(t)) is np.ndarray
    assert type(t > 0.5) is np.ndarray
    assert type(np.isfinite(t) & True) is np.ndarray


def test_integer_ufuncs_work_on_values():
    np.testing.assert_array_equal(np.gcd(tg.tensor([4, 6]), 10), [2, 2])


# ------------------------------------------------------------------- scipy's by name


@pytest.mark.parametrize("name", sorted(SCIPY))
def test_a_ufunc_of_scipy_has_scipys_value(name, x):
    ufunc = getattr(special, name)
    operands = [x, x[::-1]][: ufunc.nin]
    found = ufunc(*[tg.tensor(a) for a in operands])
    np.testing.assert_allclose(found.numpy(), ufunc(*operands), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", sorted(SCIPY))
def test_a_ufunc_of_scipy_has_the_gradient_of_a_difference(name, x):
    ufunc = getattr(special, name)
    operands = [x, x[::-1]][: ufunc.nin]
    leaves = [tg.tensor(a) for a in operands]
    grads = tg.gradients(ufunc(*leaves).sum(), leaves)
    ahead = ufunc(*[a + STEP for a in operands]).sum()
    behind = ufunc(*[a - STEP for a in operands]).sum()
    expected = (ahead - behind) / (2 * STEP)
    np.testing.assert_allclose(sum(g.sum() for g in grads), expected, rtol=DIFFERENCE)


def test_x_log_y_is_zero_at_zero_with_a_finite_gradient():
    zero, y = tg.tensor(0.0), tg.tensor(0.0)
    found = special.xlogy(zero * 1.0, y)
    assert found.item() == 0.0
    assert tg.gradients(found, y) == 0.0


def test_a_ufunc_of_scipy_without_a_rule_raises_by_its_name(t):
    with pytest.raises(tg.UnsupportedError, match=r"scipy\.special\.j0"):
        special.j0(t)


# -------------------------------------------------------------------------- functions


def test_an_unknown_function_raises_and_names_the_nearest(t):
    with pytest.raises(tg.UnsupportedError, match=r"np\.fft.*\.numpy\(\)"):
        np.fft.fft(t)


def test_the_nearest_supported_function_is_named(t):
    with pytest.raises(tg.UnsupportedError, match=r"np\.ediff1d"):
        np.setdiff1d(t, 0.5)


def test_positions_are_those_of_numpys_signature(x, t):
    found = np.sum(t, 0, None, None, True)
    np.testing.assert_array_equal(found.numpy(), np.sum(x, 0, None, None, True))


def test_operands_may_be_given_by_name(x, t):
    np.testing.assert_array_equal(np.sum(a=t, axis=1).numpy(), np.sum(x, axis=1))


def test_dtype_of_a_function_is_honoured(x, t):
    found = np.concatenate([t, t], dtype=np.float32)
    np.testing.assert_array_equal(
        found.numpy(), np.concatenate([x, x], dtype=np.float32)
    )


CONSTANTS = {
    "shape": np.shape,
    "ndim": np.ndim,
    "size": np.size,
    "size along": lambda x: np.size(x, 1),
    "argmax": lambda x: np.argmax(x, axis=0),
    "argsort": np.argsort,
    "nonzero": lambda x: np.nonzero(x)[0],
    "where": lambda x: np.where(x)[1],
    "result_type": lambda x: np.result_type(x, np.float32),
    "isclose": lambda x: np.isclose(x, 0.5),
    "allclose": lambda x: np.allclose(x, x),
    "array_equal": lambda x: np.array_equal(x, x),
    "array_repr": np.array_repr,
    "array_str": np.array_str,
    "iscomplexobj": np.iscomplexobj,
    "searchsorted": lambda x: np.searchsorted(x[0], 0.5),
    "digitize": lambda x: np.digitize(x, [0.4, 0.6]),
    "count_nonzero": np.count_nonzero,
}


@pytest.mark.parametrize("function", CONSTANTS.values(), ids=CONSTANTS)
def test_a_discrete_function_gives_numpys_plain_result(function, x, t):
    found = function(t)
    assert not isinstance(found, tg.Tensor)
    np.testing.assert_array_equal(found, function(x))


LIKES = {
    "zeros_like": np.zeros_like,
    "ones_like": np.ones_like,
    "full_like": lambda x: np.full_like(x, 2.0),
    "of a shape": lambda x: np.zeros_like(x, shape=(4,)),
    "of a dtype": lambda x: np.ones_like(x, dtype=np.float32),
}


@pytest.mark.parametrize("make", LIKES.values(), ids=LIKES)
def test_an_array_like_a_tensor_is_a_tensor(make, x, t):
    found = make(t * 1.0)
    assert isinstance(found, tg.Tensor)
    assert found.dtype == make(x).dtype
    np.testing.assert_array_equal(found.numpy(), make(x))


def test_an_empty_array_like_a_tensor_is_a_tensor(x, t):
    assert np.empty_like(t).shape == x.shape


def test_an_array_full_of_a_tensor_has_its_gradient(t):
    s = tg.tensor(3.0)
    full = np.full_like(t, s)
    assert tg.gradients(full.sum(), s) == t.size


def test_arrays_like_a_tensor_keep_its_memory_order():
    t = tg.tensor(np.ones((2, 3))).T
    assert np.zeros_like(t)._value.flags.f_contiguous


# ------------------------------------------------------------ nothing detaches silently


LEAVING = {
    "np.asarray": np.asarray,
    "np.array of a list": lambda t: np.array([t, t]),
    "float": float,
    "int": int,
    "complex": complex,
    "math.sqrt": math.sqrt,
    "bool": bool,
    "tolist": lambda t: t.tolist(),
    "math.floor": math.floor,
}


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
def test_a_recorded_tensor_does_not_leave_the_graph_unnoticed(leave):
    t = tg.tensor([2.0]).sum()
    with pytest.raises(tg.DetachedError, match="leave the graph"):
        leave(t)


def test_an_array_of_tensors_raises_and_names_stack():
    t = tg.tensor([2.0]) * 1.0
    with pytest.raises(tg.DetachedError, match=r"np\.stack"):
        np.array([t, t])


@pytest.mark.parametrize(
    ("leave", "spelling"),
    [
        (lambda t: math.exp(t[0]), "np.exp(t)"),
        (lambda t: np.sum([t, t]), "np.stack"),
        (lambda t: np.r_[t, t], "np.concatenate"),
        (lambda t: round(t[0]), ".item()"),
        (lambda t: math.trunc(t[0]), ".item()"),
        (lambda t: 1.0 if t[0] else 0.0, "np.where"),
        (lambda t: np.save("entries.npy", t), "t.numpy()"),
        (np.histogram, "t.numpy()"),
        (np.frompyfunc(lambda v: v * v, 1, 1), ".numpy()"),
    ],
)
def test_what_would_leave_the_graph_names_the_spelling_that_does_not(leave, spelling):
    with pytest.raises((tg.DetachedError, tg.UnsupportedError)) as caught:
        leave(tg.tensor([1.0, 2.0], requires_grad=True) * 2.0)
    assert spelling in str(caught.value)


def test_rounding_to_decimals_is_recorded():
    t = tg.tensor(1.2345, requires_grad=True) * 1.0
    assert round(t, 2).numpy() == 1.23


def test_rounding_of_a_constant_gives_pythons_integer():
    assert type(round(tg.tensor(2.7))) is int


def test_what_compares_itself_with_arrays_is_left_to_do_so():
    assert tg.tensor(2.0) == pytest.approx(2.0 + 1e-9)


def test_a_masked_maximum_needs_a_value_to_begin_with(t):
    with pytest.raises(tg.ArgumentError, match=r"for example -np\.inf"):
        np.max(t, where=t.numpy() > 0.5)


def test_the_root_of_a_masked_variance_of_zero_has_slope_zero():
    found = tg.grad(lambda x: np.std(x, where=[True, True, False]))(np.ones(3))
    np.testing.assert_array_equal(found, np.zeros(3))


def test_a_constant_tensor_is_an_array():
    np.testing.assert_array_equal(np.asarray(tg.tensor([1.0, 2.0])), [1.0, 2.0])


def test_a_choice_by_a_comparison_is_allowed(t):
    assert bool((t > 0.0).all())


# -------------------------------------------------------------------------- tables


def test_every_implementation_is_callable():
    assert all(callable(f) for f in [*UFUNCS.values(), *FUNCTIONS.values()])


COMMON = """
absolute add arccos arccosh arcsin arcsinh arctan arctan2 arctanh cbrt ceil conjugate
copysign cos cosh deg2rad degrees divide divmod exp exp2 expm1 fabs float_power floor
floor_divide fmax fmin fmod frexp heaviside hypot ldexp log log10 log1p log2 logaddexp
logaddexp2 matmul maximum minimum modf multiply negative positive power rad2deg radians
reciprocal remainder rint sign sin sinh sqrt square subtract tan tanh trunc
"""


@pytest.mark.parametrize("name", COMMON.split())
def test_a_common_ufunc_is_supported(name):
    assert getattr(np, name) in UFUNCS


@pytest.mark.parametrize("name", ["modf", "divmod", "frexp"])
def test_a_ufunc_of_two_results_gives_numpys(name):
    ufunc = getattr(np, name)
    x = np.array([2.75, -0.3])
    operands = (x, 0.5)[: ufunc.nin]
    found = ufunc(tg.tensor(x), *operands[1:])
    for part, expected in zip(found, ufunc(*operands), strict=True):
        value = part.numpy() if isinstance(part, tg.Tensor) else part
        np.testing.assert_allclose(value, expected, rtol=ROUNDING)
