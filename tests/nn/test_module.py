"""Modules: what is a parameter, how a module is a tree, what a trace says."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import ArgumentError, DTypeError
from tensorgrad.tree import flatten, leaves, map_leaves, paths, unflatten


def parameter(*shape: int) -> tg.Tensor:
    return tg.tensor(np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape), None, True)


class Affine(tg.nn.Module):
    def __init__(self) -> None:
        self.size = 3
        self.W = parameter(2, 3)
        self.mean = np.array([1.0, 2.0, 3.0])
        self.b = parameter(2)

    def __call__(self, x: Any, rng: Any = None) -> Any:
        return (x - self.mean) @ self.W.T + self.b


class Pair(NamedTuple):
    first: Any
    second: Any


class Nested(tg.nn.Module):
    def __init__(self) -> None:
        self.name = "nested"
        self.blocks = [np.tanh, Affine(), {"inner": Affine(), "note": "text"}]
        self.pair = Pair(parameter(2), 7)
        self.stats = (np.zeros(2), [np.ones(1)])

    def __call__(self, x: Any, rng: Any = None) -> Any:
        first, last = self.blocks[1], self.blocks[2]["inner"]
        return first(x).sum() * self.pair.first.sum() + last(x).sum()


X = np.array([[1.0, 0.0, 2.0], [0.5, 1.0, -1.0]])
NESTED_PATHS = [
    "blocks.1.W",
    "blocks.1.b",
    "blocks.2.inner.W",
    "blocks.2.inner.b",
    "pair.0",
]


def test_parameters_are_the_tensors_by_path_in_tree_order():
    assert list(Nested().parameters()) == NESTED_PATHS


def test_paths_of_the_tree_are_the_paths_of_the_parameters():
    assert paths(Nested()) == NESTED_PATHS


def test_buffers_are_the_plain_arrays_by_path():
    expected = ["stats.0", "stats.1.0", "blocks.1.mean", "blocks.2.inner.mean"]
    assert list(Nested().buffers()) == expected


def test_static_fields_are_neither_parameters_nor_buffers():
    model = Affine()
    model.scale = np.float64(2.0)
    model.flag = True
    assert list(model.parameters()) == ["W", "b"]
    assert list(model.buffers()) == ["mean"]


def test_field_set_after_init_is_found():
    model = Affine()
    model.extra = parameter(1)
    assert list(model.parameters()) == ["W", "b", "extra"]


def test_gradient_of_a_module_is_a_module_of_arrays():
    grads = tg.grad(lambda m: m(X).sum())(Affine())
    assert isinstance(grads, Affine)
    np.testing.assert_array_equal(grads.b, [2.0, 2.0])
    np.testing.assert_array_equal(grads.W, np.tile((X - [1, 2, 3]).sum(0), (2, 1)))


def test_gradients_of_a_module_by_targets_has_its_structure():
    model = Nested()
    grads = tg.gradients(model(X), model)
    np.testing.assert_array_equal(
        grads.pair.first, tg.grad(lambda m: m(X))(model).pair.first
    )


def test_gradient_of_parameters_has_their_paths():
    model = Nested()
    assert list(tg.gradients(model(X), model.parameters())) == NESTED_PATHS


def test_gradient_keeps_static_fields_and_buffers():
    grads = tg.grad(lambda m: m(X))(Nested())
    assert grads.name == "nested"
    assert grads.blocks[0] is np.tanh
    assert grads.blocks[2]["note"] == "text"
    assert grads.pair.second == 7
    np.testing.assert_array_equal(grads.blocks[1].mean, [1.0, 2.0, 3.0])


def test_module_of_arrays_still_knows_its_parameters():
    grads = tg.grad(lambda m: m(X))(Nested())
    assert list(grads.parameters()) == NESTED_PATHS
    assert list(grads.buffers()) == list(Nested().buffers())


def test_module_of_arrays_computes_like_the_module():
    model = Nested()
    arrays = map_leaves(lambda t: t.numpy(), model)
    assert arrays(X) == model(X).item()


def test_second_gradient_through_a_module_is_taken():
    def slope(model: Affine) -> Any:
        return (tg.grad(lambda m: (m(X) ** 2).sum())(model).b ** 2).sum()

    # The slope at b_k is s_k = Σ_i 2 z_ik, and 2 s_k ∂s_k/∂b_k = 8 s_k for 2 examples.
    model = Affine()
    expected = 16 * model(X).numpy().sum(axis=0)
    np.testing.assert_allclose(tg.grad(slope)(model).b, expected, rtol=1e-13)


def test_rebuilt_module_leaves_the_old_one_as_it_was():
    model = Nested()
    found, structure = flatten(model)
    unflatten(structure, [0.0 for _ in found])
    assert all(isinstance(leaf, tg.Tensor) for leaf in leaves(model))
    assert all(a is b for a, b in zip(leaves(model), found, strict=True))


def test_weights_are_all_but_the_names_that_begin_with_b():
    assert list(Nested().weights()) == ["blocks.1.W", "blocks.2.inner.W", "pair.0"]
    assert list(Nested().biases()) == ["blocks.1.b", "blocks.2.inner.b"]


def test_weights_are_as_declared():
    class Declared(Affine):
        weight_names = ("b",)

    assert list(Declared().weights()) == ["b"]
    assert list(Declared().biases()) == ["W"]


def test_weights_of_a_traced_module_are_traced():
    penalty = tg.grad(lambda m: sum((w * w).sum() for w in m.weights().values()))
    grads = penalty(Affine())
    np.testing.assert_array_equal(grads.W, 2 * Affine().W.numpy())
    np.testing.assert_array_equal(grads.b, [0.0, 0.0])


def test_l2_penalty_follows_declarations_inside_containers():
    class Declared(Affine):
        weight_names = ("b",)

    tree = {"model": Declared(), "bias": parameter(3), "scale": parameter(2)}
    # b = (1, 2) is declared a weight, scale = (1, 2) is one by its name.
    assert tg.l2_penalty(tree, 2.0, 1).item() == 1 + 4 + 1 + 4


def test_shared_tensor_is_refused_with_both_paths():
    model = Nested()
    model.again = model.pair.first
    with pytest.raises(ArgumentError, match=r"pair.0 and again are the same"):
        model.parameters()


def test_copy_shares_the_tensors_and_deepcopy_does_not():
    model = Affine()
    assert copy.copy(model).W is model.W
    deep = copy.deepcopy(model)
    assert deep.W is not model.W
    assert deep.W.requires_grad
    np.testing.assert_array_equal(deep.W.numpy(), model.W.numpy())


def test_deepcopy_of_gradients_knows_its_parameters():
    grads = copy.deepcopy(tg.grad(lambda m: m(X).sum())(Affine()))
    assert list(grads.parameters()) == ["W", "b"]


def test_pickle_keeps_a_network():
    model = tg.nn.mlp([3, 2, 1], ["leaky", "sigmoid"], keep_prob=0.5)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again(X).numpy(), model(X).numpy())
    assert again.tree_spec() == model.tree_spec()


@dataclass(frozen=True)
class Frozen(tg.nn.Module):
    w: Any
    power: int = 2

    def __call__(self, x: Any, rng: Any = None) -> Any:
        return (x * self.w) ** self.power


class Slotted(tg.nn.Module):
    __slots__ = ("w",)

    def __init__(self) -> None:
        self.w = parameter(2)

    def __call__(self, x: Any, rng: Any = None) -> Any:
        return x * self.w


@pytest.mark.parametrize("model", [Frozen(parameter(2)), Slotted()])
def test_frozen_dataclasses_and_slots_are_modules(model):
    grads = tg.grad(lambda m: m(np.ones(2)).sum())(model)
    assert list(grads.parameters()) == ["w"]
    assert list(copy.deepcopy(model).parameters()) == ["w"]


def test_astype_makes_a_trainable_copy_of_another_dtype():
    model = Nested().astype(np.float32)
    assert {t.dtype.name for t in model.parameters().values()} == {"float32"}
    assert {a.dtype.name for a in model.buffers().values()} == {"float32"}
    assert all(t.requires_grad for t in model.parameters().values())
    model.extra = parameter(1)
    assert "extra" in model.parameters()


def test_astype_leaves_the_module_as_it_was():
    model = Affine()
    model.astype(np.float32)
    assert model.W.dtype == np.float64
    assert model.mean.dtype == np.float64


@pytest.mark.parametrize("dtype", [int, bool, "no dtype"])
def test_astype_refuses_a_dtype_without_gradients(dtype):
    with pytest.raises(DTypeError, match=r"astype: .* expected a floating"):
        Affine().astype(dtype)


def test_repr_has_a_line_for_each_parameter_and_the_total():
    lines = repr(Affine()).splitlines()
    assert lines[0] == "Affine"
    assert lines[1].split() == ["W", "(2,", "3)", "6"]
    assert lines[3].split() == ["total", "8", "float64"]
    assert lines[4].split() == ["mean", "(3,)", "buffer", "float64"]


def test_calling_a_module_without_call_says_what_to_define():
    with pytest.raises(ArgumentError, match=r"does not define __call__: expected"):
        tg.nn.Module()(X)


def test_seed_draws_different_masks_in_two_dropout_layers():
    class Twice(tg.nn.Module):
        def __init__(self) -> None:
            self.first = tg.nn.Dropout(0.5)
            self.second = tg.nn.Dropout(0.5)

        def __call__(self, x: Any, rng: Any = None) -> Any:
            return self.first(x, rng), self.second(x, rng=rng)

    first, second = Twice()(np.ones(64), 3)
    assert (first != second).any()


def test_seed_is_the_generator_of_that_seed():
    model = tg.nn.Sequential(tg.nn.Dropout(0.5), tg.nn.Dropout(0.5))
    by_seed = model(np.ones(64), rng=3)
    np.testing.assert_array_equal(
        by_seed, model(np.ones(64), rng=np.random.default_rng(3))
    )


@pytest.mark.parametrize("rng", [-1, 0.5, "seed", True])
def test_what_is_no_seed_is_refused(rng):
    with pytest.raises(ArgumentError, match=r"rng is .* expected a seed"):
        tg.nn.Dropout(0.5)(np.ones(2), rng=rng)


# -------------------------------------------------------------------------- traces


def test_trace_has_sums_and_activations_of_each_layer():
    model = tg.nn.mlp([3, 4, 2], ["tanh", "softmax"])
    trace = model.trace(X)
    z1 = X @ model.layers[0].W.numpy().T
    np.testing.assert_allclose(trace.z[1].numpy(), z1, rtol=1e-14)
    np.testing.assert_allclose(trace.a[1].numpy(), np.tanh(z1), rtol=1e-14)
    np.testing.assert_array_equal(trace.a[2].numpy(), model(X).numpy())
    np.testing.assert_array_equal(trace.a[0], X)
    assert (sorted(trace.z), sorted(trace.a), trace.mask) == ([1, 2], [0, 1, 2], {})


def test_traced_activations_are_after_dropout():
    model = tg.nn.mlp([3, 40, 2], ["tanh", "linear"], keep_prob=0.5)
    trace = model.trace(X, rng=1)
    passed_on = np.tanh(trace.z[1].numpy()) * trace.mask[1] / 0.5
    np.testing.assert_allclose(trace.a[1].numpy(), passed_on, rtol=1e-14)
    assert sorted(trace.mask) == [1]
    assert trace.mask[1].dtype == bool


def test_trace_numbers_input_dropout_zero():
    model = tg.nn.mlp([3, 4, 2], ["tanh", "linear"], keep_prob=[0.5, 0.8])
    trace = model.trace(X, rng=1)
    assert sorted(trace.mask) == [0, 1]
    np.testing.assert_array_equal(trace.a[0], X * trace.mask[0] / 0.5)


def test_two_dropout_layers_in_a_row_give_the_mask_of_both():
    model = tg.nn.Sequential(tg.nn.Dense(3, 40), tg.nn.Dropout(0.5), tg.nn.Dropout(0.5))
    trace = model.trace(X, rng=1)
    generator = np.random.default_rng(1)
    both = (generator.random((2, 40)) < 0.5) & (generator.random((2, 40)) < 0.5)
    np.testing.assert_array_equal(trace.mask[1], both)


def test_trace_sees_layers_inside_a_module_of_ones_own():
    class Own(tg.nn.Module):
        def __init__(self) -> None:
            self.hidden = tg.nn.Dense(3, 4, rng=0)
            self.out = tg.nn.Dense(4, 1, rng=1)

        def __call__(self, x: Any) -> Any:
            return tg.sigmoid(self.out(np.tanh(self.hidden(x))))

    model = Own()
    trace = model.trace(X)
    np.testing.assert_array_equal(trace.a[1].numpy(), np.tanh(trace.z[1].numpy()))
    np.testing.assert_array_equal(trace.a[2].numpy(), model(X).numpy())


def test_adjoints_of_traced_sums_are_the_deltas():
    model = tg.nn.mlp([3, 4, 2], ["tanh", "softmax"])
    trace = model.trace(X)
    labels = np.array([0, 1])
    loss = tg.cross_entropy(trace.a[2], labels)
    delta = tg.gradients(loss, trace.z)
    expected = (trace.a[2].numpy() - np.eye(2)) / 2
    np.testing.assert_allclose(delta[2], expected, rtol=1e-13)
    back = expected @ model.layers[1].W.numpy() * (1 - trace.a[1].numpy() ** 2)
    np.testing.assert_allclose(delta[1], back, rtol=1e-12)


def test_trace_ends_when_the_call_raises():
    model = tg.nn.Dense(3, 2, rng=0)
    with pytest.raises(tg.ShapeError):
        model.trace(np.ones((2, 4)))
    inner = tg.nn.Dense(3, 2, rng=0)
    inner(X)
    assert sorted(model.trace(X).z) == [1]
