"""The table as a whole, and the operators that it gives Tensor."""

from __future__ import annotations

import operator
import pickle
from types import ModuleType

import numpy as np
import pytest

from tensorgrad.autodiff.gradients import gradients
from tensorgrad.core.tensor import Tensor, tensor
from tensorgrad.errors import ArgumentError
from tensorgrad.ops import FAMILIES, TABLE, collect
from tensorgrad.ops.reduce import sum as sum_op

BINARY = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.pow,
    operator.matmul,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
    operator.eq,
    operator.ne,
]
UNARY = [operator.neg, operator.pos, operator.abs]


def value_of(result):
    """Return the array in a Tensor, or the array itself."""
    return getattr(result, "_value", result)


def module_with(**names):
    """Return a module in which the names stand."""
    module = ModuleType("family")
    vars(module).update(names)
    return module


@pytest.mark.parametrize("apply", BINARY)
def test_operator_between_tensors_is_numpys(apply):
    x, y = np.array([1.0, 4.0, 2.5]), np.array([3.0, 4.0, 0.5])
    assert np.array_equal(value_of(apply(tensor(x), tensor(y))), apply(x, y))


@pytest.mark.parametrize("apply", [f for f in BINARY if f is not operator.matmul])
def test_operator_with_a_number_on_either_side_is_numpys(apply):
    x = np.array([1.0, 4.0, 2.5])
    assert np.array_equal(value_of(apply(tensor(x), 2.0)), apply(x, 2.0))
    assert np.array_equal(value_of(apply(2.0, tensor(x))), apply(2.0, x))


@pytest.mark.parametrize("apply", UNARY)
def test_unary_operator_is_numpys(apply):
    x = np.array([-1.0, 0.0, 2.5])
    assert np.array_equal(apply(tensor(x)).numpy(), apply(x))


def test_minus_with_one_operand_and_with_two_are_different_ops():
    x = tensor([1.0])
    assert [(-x)._node.op.name, (x - x)._node.op.name] == ["negative", "subtract"]


def test_reflected_minus_has_the_opposite_gradient():
    x = tensor([1.0, 2.0])
    assert gradients(sum_op(3.0 - x), x).tolist() == [-1.0, -1.0]


def test_divmod_is_quotient_and_remainder():
    quotient, rest = divmod(tensor([7.0, -7.0]), 2.0)
    assert (quotient.numpy().tolist(), rest.numpy().tolist()) == (
        [3.0, -4.0],
        [1.0, 1.0],
    )


@pytest.mark.parametrize("other", [None, "a", object()])
def test_tensor_equals_no_entry_of_what_is_not_a_number(other):
    x = tensor([1.0, 2.0])
    assert (x == other).tolist() == [False, False]
    assert (x != other).tolist() == [True, True]


def test_tensor_stays_hashable_by_identity():
    x, y = tensor([1.0]), tensor([1.0])
    assert {x: 1, y: 2}[y] == 2


def test_operator_is_the_function_of_the_table_itself():
    assert Tensor.__add__ is TABLE["add"]


def test_two_ops_of_one_name_are_refused():
    first, second = TABLE["add"], TABLE["copy"]
    impostor = module_with(add=first, other=second)
    copy_of_add = type("Function", (), {"op": first.op})()
    with pytest.raises(ArgumentError, match="a second op of the name 'add'"):
        collect([impostor, module_with(add=copy_of_add)])


def test_name_with_an_underscore_is_no_entry():
    assert collect([module_with(_hidden=TABLE["add"])]) == {}


def test_every_family_adds_to_the_table():
    sizes = [len(collect([family])) for family in FAMILIES]
    assert min(sizes) > 0


def test_table_cannot_be_written_to():
    with pytest.raises(TypeError, match="does not support item assignment"):
        TABLE["mine"] = TABLE["add"]


def test_a_public_function_is_pickled_by_its_name() -> None:
    assert pickle.loads(pickle.dumps(TABLE["tanh"])) is TABLE["tanh"]
