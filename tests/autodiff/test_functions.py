"""Gradients of functions of nested containers."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pytest

import tensorgrad as tg


def test_the_gradient_has_the_structure_of_the_argument() -> None:
    params = {"w": [np.array([1.0, 2.0]), 3.0], "b": (np.array(4.0),)}
    found = tg.grad(lambda p: (p["w"][0] * p["w"][1]).sum() * p["b"][0])(params)
    np.testing.assert_array_equal(found["w"][0], [12.0, 12.0])
    np.testing.assert_array_equal(found["w"][1], 12.0)
    np.testing.assert_array_equal(found["b"][0], 9.0)


class MappingWithOptions(dict):  # type: ignore[type-arg]
    def __init__(self, option: int, **entries: Any) -> None:
        super().__init__(**entries)
        self.option = option


class Point(NamedTuple):
    x: Any
    y: Any


def test_named_tuples_come_back_as_named_tuples() -> None:
    found = tg.grad(lambda p: p.x * p.y)(Point(2.0, 3.0))
    assert found == Point(3.0, 2.0)


@pytest.mark.parametrize(
    "container",
    [
        OrderedDict(b=2.0, a=3.0),
        defaultdict(float, b=2.0, a=3.0),
        MappingWithOptions(10, b=2.0, a=3.0),
    ],
    ids=lambda c: type(c).__name__,
)
def test_dicts_of_other_classes_come_back_as_theirs(container: Any) -> None:
    found = tg.grad(lambda p: p["a"] * p["b"])(container)
    assert type(found) is type(container)
    assert list(found.items()) == [("b", 3.0), ("a", 2.0)]


def test_results_are_plain_arrays_of_the_arguments_shape() -> None:
    found = tg.grad(lambda x: x * x)(3.0)
    assert type(found) is np.ndarray
    assert found.shape == ()


def test_several_arguments_give_a_tuple() -> None:
    dx, dy = tg.grad(lambda x, y: x * y, argnums=(0, 1))(2.0, 3.0)
    assert (float(dx), float(dy)) == (3.0, 2.0)


def test_negative_argnums_count_from_the_end() -> None:
    assert float(tg.grad(lambda x, y: x * y, argnums=-1)(2.0, 3.0)) == 2.0


def test_an_ignored_argument_has_gradient_zero() -> None:
    found = tg.grad(lambda x, y: y * 1.0, argnums=0)(np.ones(3), 2.0)
    np.testing.assert_array_equal(found, np.zeros(3))


def test_a_constant_function_has_gradient_zero() -> None:
    assert float(tg.grad(lambda x: 5.0)(2.0)) == 0.0


def test_third_derivatives_by_nesting() -> None:
    third = tg.grad(tg.grad(tg.grad(lambda x: tg.sin(x) * x)))
    np.testing.assert_allclose(third(0.7), -3 * np.sin(0.7) - 0.7 * np.cos(0.7))


def test_inner_and_outer_variables_are_not_confused() -> None:
    inner = tg.grad(lambda x: x * tg.grad(lambda y: x + y)(x))
    assert float(inner(2.0)) == 1.0


def test_an_inner_gradient_sees_the_outer_variable_through_its_closure() -> None:
    found = tg.grad(lambda x: tg.grad(lambda y: x * y * y)(3.0))(2.0)
    assert float(found) == 6.0


def test_nesting_works_where_the_inner_argument_is_computed_from_the_outer() -> None:
    found = tg.grad(lambda x: tg.grad(lambda y: y**3)(x * x))(2.0)
    np.testing.assert_allclose(found, 3 * 4 * 2.0**3)


def test_value_and_grad_returns_both() -> None:
    value, found = tg.value_and_grad(lambda x: (x * x).sum())(np.array([1.0, 2.0]))
    assert float(value) == 5.0
    np.testing.assert_array_equal(found, [2.0, 4.0])


def test_keyword_arguments_are_passed_on() -> None:
    assert float(tg.grad(lambda x, scale: x * scale)(1.0, scale=4.0)) == 4.0


def test_the_caller_s_array_is_never_written() -> None:
    data = np.array([1.0, 2.0])

    def f(x: tg.Tensor) -> tg.Tensor:
        x += 1.0
        x[0] = 0.0
        return (x * x).sum()

    found = tg.grad(f)(data)
    np.testing.assert_array_equal(found, [0.0, 6.0])
    np.testing.assert_array_equal(data, [1.0, 2.0])


def test_a_tensor_argument_gives_an_array() -> None:
    assert (
        type(tg.grad(lambda x: x * x)(tg.tensor(3.0, requires_grad=True))) is np.ndarray
    )


def test_create_graph_links_the_result_to_a_tensor_argument() -> None:
    x = tg.tensor(3.0, requires_grad=True)
    slope = tg.grad(lambda v: v**3, create_graph=True)(x)
    slope.backward()
    np.testing.assert_allclose(x.grad, 18.0)


def test_no_grad_outside_does_not_stop_a_transform() -> None:
    with tg.no_grad():
        found = tg.grad(lambda x: x * x)(3.0)
    assert float(found) == 6.0


def test_an_exception_in_the_function_leaves_no_trace() -> None:
    def broken(x: tg.Tensor) -> tg.Tensor:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        tg.grad(broken)(1.0)
    assert float(tg.grad(lambda x: x * x)(3.0)) == 6.0


def test_integer_arguments_raise() -> None:
    with pytest.raises(tg.DTypeError, match="argument of type int"):
        tg.grad(lambda x: x * x)(3)


def test_integer_arrays_raise() -> None:
    with pytest.raises(tg.DTypeError, match="int64"):
        tg.grad(lambda x: (x * x).sum())(np.array([1, 2]))


def test_a_vector_value_raises_and_says_what_to_do() -> None:
    with pytest.raises(tg.ShapeError, match=r"value has shape \(2,\)"):
        tg.grad(lambda x: x * x)(np.ones(2))


def test_a_complex_value_raises() -> None:
    with pytest.raises(tg.DTypeError, match="complex value"):
        tg.grad(lambda z: z * z)(1.0 + 1.0j)


def test_a_tensor_in_place_of_a_function_raises() -> None:
    with pytest.raises(tg.ArgumentError, match="a function"):
        tg.grad(tg.tensor(1.0))


def test_float_of_a_traced_argument_raises_instead_of_detaching() -> None:
    with pytest.raises(tg.DetachedError, match=r"\.item\(\)"):
        tg.grad(lambda x: x * float(x))(2.0)


def test_python_scalars_behave_as_immutable_inside_the_function() -> None:
    def f(x: tg.Tensor) -> tg.Tensor:
        s = x
        s += 1.0
        return s * x

    assert float(tg.grad(f)(2.0)) == 5.0


def test_gradients_inside_a_function_are_differentiated_with_it() -> None:
    def slope_at(x: Any) -> Any:
        return tg.gradients((x**3).sum(), x).sum()

    found = tg.grad(slope_at)(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(found, [6.0, 12.0])


def test_a_cotangent_that_is_being_differentiated_stays_in_the_graph() -> None:
    w = tg.tensor([1.0, 2.0])

    def pulled_back(g: Any) -> Any:
        return (tg.gradients(w * w, w, grad=g) * np.array([1.0, 10.0])).sum()

    np.testing.assert_array_equal(tg.grad(pulled_back)(np.ones(2)), [2.0, 40.0])


def test_gradients_of_what_no_transform_records_are_arrays() -> None:
    w = tg.tensor([1.0, 2.0])
    kinds = []

    def loss(x: Any) -> Any:
        kinds.append(type(tg.gradients((w * w).sum(), w)))
        return x * x

    tg.grad(loss)(3.0)
    assert kinds == [np.ndarray]


def test_no_grad_inside_a_function_makes_its_gradients_constants() -> None:
    def loss(x: Any) -> Any:
        with tg.no_grad():
            slope = tg.grad(lambda y: y**3)(x)
        return slope * x

    assert float(tg.grad(loss)(2.0)) == 12.0


@pytest.mark.parametrize(
    "discrete",
    [
        lambda x: np.allclose(x, x),
        lambda x: (x > 1.0).sum(),
        np.argmax,
        lambda x: x.astype(int).sum(),
        lambda x: x[0] > 1.0,
    ],
)
def test_a_condition_a_count_or_an_index_has_no_gradient(discrete: Any) -> None:
    with pytest.raises(tg.DTypeError, match="a condition, a count or an index"):
        tg.grad(discrete)(np.array([1.0, 2.0]))


@pytest.mark.parametrize("argnums", ["x", 1.0, ("x",), None])
def test_argnums_that_are_no_positions_raise(argnums: Any) -> None:
    with pytest.raises(tg.ArgumentError, match="the position of an argument"):
        tg.grad(lambda x, y: x * y, argnums=argnums)


@pytest.mark.parametrize("argnums", [(0, 0), (1, -1)])
def test_one_argument_cannot_be_differentiated_twice(argnums: Any) -> None:
    with pytest.raises(tg.ArgumentError, match="several different ones"):
        tg.grad(lambda x, y: x * y, argnums=argnums)(2.0, 3.0)


def test_argnums_may_be_numpy_integers() -> None:
    assert float(tg.grad(lambda x, y: x * y * y, argnums=np.int64(1))(2.0, 3.0)) == 12.0


def test_a_nested_gradient_in_a_thread_stays_in_the_graph() -> None:
    def loss(x: Any) -> Any:
        with ThreadPoolExecutor(2) as pool:
            slopes = pool.map(tg.grad(lambda y: y * y * x), (1.0, 2.0))
            return sum(slopes)

    assert float(tg.grad(loss)(3.0)) == 6.0


def test_a_small_argument_that_the_function_overwrites_does_not_matter() -> None:
    a = np.ones(2)

    def loss(x: Any) -> Any:
        y = (x * x).sum()
        a[:] = 7.0
        return y

    np.testing.assert_array_equal(tg.grad(loss)(a), [2.0, 2.0])


def test_a_large_argument_that_the_function_overwrites_is_noticed() -> None:
    a = np.ones(1000)

    def loss(x: Any) -> Any:
        y = (x * x).sum()
        a[:] = 7.0
        return y

    with pytest.raises(tg.GraphError, match="was written to"):
        tg.grad(loss)(a)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("make", [np.ma.array, np.asmatrix])
def test_arguments_for_which_operators_mean_something_else_are_refused(
    make: Any,
) -> None:
    with pytest.raises(tg.DTypeError, match=r"np\.asarray"):
        tg.grad(lambda x: (x * x).sum())(make([[1.0, 2.0]]))
