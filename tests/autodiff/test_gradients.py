"""Gradients by explicit targets: of anything in the graph, and nothing silently."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import pytest

import tensorgrad as tg


def test_adjoints_come_back_in_the_structure_of_the_targets() -> None:
    x = tg.tensor([1.0, 2.0])
    z = x * x
    found = tg.gradients(z.sum(), {"inner": [z], "input": (x,)})
    np.testing.assert_array_equal(found["inner"][0], [1.0, 1.0])
    np.testing.assert_array_equal(found["input"][0], [2.0, 4.0])


def test_an_intermediate_and_what_is_behind_it_are_targets_at_once() -> None:
    x = tg.tensor(3.0)
    z = tg.sin(x)
    J = z * z * x
    dz, dx = tg.gradients(J, [z, x])
    np.testing.assert_allclose(dz, 2 * np.sin(3.0) * 3.0, rtol=1e-15)
    np.testing.assert_allclose(
        dx, 2 * np.sin(3.0) * 3.0 * np.cos(3.0) + np.sin(3.0) ** 2, rtol=1e-15
    )


def test_the_output_itself_is_a_target() -> None:
    x = tg.tensor([1.0, 2.0])
    J = x.sum()
    np.testing.assert_array_equal(tg.gradients(J, J), 1.0)


def test_a_graph_is_swept_any_number_of_times_with_the_same_result() -> None:
    x = tg.tensor([0.5, -1.0])
    J = (tg.tanh(x) * x).sum()
    first = tg.gradients(J, x)
    np.testing.assert_array_equal(tg.gradients(J, x), first)


def test_results_do_not_share_memory_with_each_other_or_the_seed() -> None:
    x, y = tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0])
    seed = np.ones(2)
    dx, dy = tg.gradients(x + y, [x, y], grad=seed)
    dx[:] = 7.0
    np.testing.assert_array_equal(dy, [1.0, 1.0])
    np.testing.assert_array_equal(seed, [1.0, 1.0])


def test_a_broadcast_operand_gets_a_writable_gradient_of_its_shape() -> None:
    x = tg.tensor(2.0)
    (dx,) = tg.gradients(tg.broadcast_to(x, (3, 4)).sum(), [x])
    dx[...] = 0.0
    assert dx.shape == ()


def test_a_target_without_a_path_raises_and_is_named() -> None:
    x = tg.tensor(1.0, name="x")
    y = tg.tensor(1.0, name="lonely")
    with pytest.raises(tg.GraphError, match="no path leads from lonely"):
        tg.gradients(x * 2.0, [x, y])


def test_a_target_without_a_path_gets_zero_when_that_is_asked_for() -> None:
    x, y = tg.tensor(1.0), tg.tensor([1.0, 2.0])
    found = tg.gradients(x * 2.0, [x, y], unused="zero")
    np.testing.assert_array_equal(found[1], [0.0, 0.0])


def test_a_target_without_a_path_gets_none_when_that_is_asked_for() -> None:
    x, y = tg.tensor(1.0), tg.tensor([1.0, 2.0])
    assert tg.gradients(x * 2.0, [x, y], unused="none")[1] is None


def test_a_path_of_zero_derivative_is_a_path() -> None:
    x = tg.tensor([1.0, -2.0])
    np.testing.assert_array_equal(tg.gradients(tg.sign(x).sum(), x), [0.0, 0.0])


def test_a_vector_output_needs_a_cotangent() -> None:
    x = tg.tensor([1.0, 2.0])
    with pytest.raises(tg.ShapeError, match=r"output of shape \(2,\) and no grad"):
        tg.gradients(x * x, x)


def test_a_cotangent_of_another_shape_raises() -> None:
    x = tg.tensor([1.0, 2.0])
    with pytest.raises(tg.ShapeError, match=r"grad of shape \(3,\)"):
        tg.gradients(x * x, x, grad=np.ones(3))


def test_a_complex_cotangent_of_a_real_output_raises() -> None:
    x = tg.tensor([1.0, 2.0])
    with pytest.raises(tg.DTypeError, match="a real cotangent"):
        tg.gradients(x * x, x, grad=np.array([1j, 0.0]))


@pytest.mark.parametrize("data", [[[1.0], [1.0, 2.0]], ["a"], object()])
def test_data_that_are_no_array_of_numbers_raise(data: object) -> None:
    with pytest.raises(tg.DTypeError, match="numbers of one shape"):
        tg.tensor(data, dtype=float)


def test_integer_targets_raise() -> None:
    x = tg.tensor([1, 2])
    with pytest.raises(tg.DTypeError, match="target of dtype int64"):
        tg.gradients((x * 1.5).sum(), x)


def test_an_output_that_is_no_tensor_raises() -> None:
    with pytest.raises(tg.ArgumentError, match="output of type float"):
        tg.gradients(1.0, tg.tensor(1.0))


def test_a_constant_that_was_read_by_float_is_no_target() -> None:
    x = tg.tensor(2.0, name="x")
    J = x * float(x)
    with pytest.raises(
        tg.GraphError, match=r"x was read as a plain value by float\(\)"
    ):
        tg.gradients(J, x)


def test_create_graph_gives_tensors_that_are_differentiated_again() -> None:
    x = tg.tensor(2.0)
    first = tg.gradients(x**4, x, create_graph=True)
    second = tg.gradients(first, x, create_graph=True)
    np.testing.assert_allclose(tg.gradients(second, x), 48.0, rtol=1e-14)


def test_backward_sets_and_does_not_add() -> None:
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    J = (w * w).sum()
    J.backward()
    J.backward()
    np.testing.assert_array_equal(w.grad, [2.0, 4.0])


def test_backward_leaves_constants_alone() -> None:
    w, x = tg.tensor(1.0, requires_grad=True), tg.tensor(2.0)
    (w * x).backward()
    assert x.grad is None


def test_backward_of_a_vector_needs_a_cotangent() -> None:
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(tg.ShapeError, match="no grad"):
        (w * w).backward()


def test_backward_without_a_leaf_that_asks_raises() -> None:
    with pytest.raises(tg.GraphError, match="no leaf with requires_grad"):
        (tg.tensor(1.0) * 2.0).backward()


def test_a_complex_gradient_follows_the_convention_of_jax_and_autograd() -> None:
    z = tg.tensor(1.0 + 2.0j)
    # f = |z|² has ∂f/∂x − i ∂f/∂y = 2x − 2iy.
    np.testing.assert_allclose(
        tg.gradients(tg.real(z * tg.conj(z)), z), 2.0 - 4.0j, rtol=1e-15
    )


def test_a_real_operand_of_a_complex_result_has_a_real_gradient() -> None:
    x = tg.tensor(2.0)
    found = tg.gradients(tg.real(x * (1.0 + 3.0j)), x)
    assert found.dtype == np.float64


def test_float32_stays_float32_through_the_sweep() -> None:
    x = tg.tensor([1.0, 2.0], dtype=np.float32)
    found = tg.gradients((tg.tanh(x) * 2.0 + 1.0).sum(), x)
    assert found.dtype == np.float32


def test_a_float32_operand_of_a_float64_result_gets_a_float32_gradient() -> None:
    x = tg.tensor([1.0, 2.0], dtype=np.float32)
    y = tg.tensor([1.0, 2.0])
    found = tg.gradients((x * y).sum(), [x, y])
    assert [a.dtype.name for a in found] == ["float32", "float64"]


def test_a_long_chain_needs_no_recursion() -> None:
    x = tg.tensor(1.0)
    h = x
    for _ in range(20 * sys.getrecursionlimit()):
        h = h + 1.0
    found = tg.gradients(h, x)
    del h
    np.testing.assert_array_equal(found, 1.0)


def test_a_swept_graph_leaves_no_cyclic_garbage() -> None:
    def step() -> None:
        w = tg.tensor([1.0, 2.0], requires_grad=True)
        J = (tg.tanh(w) * w).sum()
        J.backward()
        tg.gradients(J, w, create_graph=True)

    step()
    gc.collect()
    for _ in range(5):
        step()
    assert gc.collect() == 0


def test_threads_build_and_sweep_graphs_of_their_own() -> None:
    failures: list[str] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        data = rng.normal(size=50)
        for _ in range(50):
            x = tg.tensor(data)
            with tg.no_grad():
                silent = x * 2.0
            J = (tg.sin(x) * x).sum()
            found = tg.gradients(J, x)
            expected = np.cos(data) * data + np.sin(data)
            is_right = np.allclose(found, expected, rtol=1e-14)
            failures.extend(["value"] * (not is_right))
            failures.extend(["mode"] * (silent._node is not None))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert failures == []


@pytest.mark.parametrize("manager", [tg.no_grad, tg.debug])
def test_an_exception_inside_a_context_manager_leaves_no_trace(
    manager: Callable[[], AbstractContextManager[None]],
) -> None:
    with pytest.raises(ZeroDivisionError), manager():
        1 / 0  # noqa: B018
    x = tg.tensor(3.0)
    np.testing.assert_array_equal(tg.gradients(x * x, x), 6.0)


def test_no_grad_results_are_outside_the_graph() -> None:
    x = tg.tensor(3.0)
    with tg.no_grad():
        y = x * x
    with pytest.raises(tg.GraphError, match="no path"):
        tg.gradients(y * 2.0, x)


def test_debug_names_the_line_of_the_op_that_makes_a_nan() -> None:
    x = tg.tensor([1.0, 2.0])
    with tg.debug(), np.errstate(all="ignore"):
        J = ((x * np.inf) * 0.0).sum()
        with pytest.raises(tg.GraphError, match=r"test_gradients\.py.*tg\.where"):
            tg.gradients(J, x)


def test_a_large_foreign_array_that_was_overwritten_is_noticed() -> None:
    data = np.ones(1000)
    x = tg.tensor(np.ones(1000))
    J = (x * data).sum()
    data[:] = 2.0
    with pytest.raises(tg.GraphError, match="written to after"):
        tg.gradients(J, x)


def test_a_small_foreign_array_is_copied() -> None:
    data = np.ones(3)
    x = tg.tensor(np.ones(3))
    J = (x * data).sum()
    data[:] = 2.0
    np.testing.assert_array_equal(tg.gradients(J, x), [1.0, 1.0, 1.0])


def test_debug_freezes_foreign_arrays_so_that_the_writer_raises() -> None:
    data = np.ones(3)
    with tg.debug():
        x = tg.tensor(np.ones(3))
        J = x * data
        with pytest.raises(ValueError, match="read-only"):
            data[0] = 2.0
    assert J.shape == (3,)


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_large_share_in_one_buffer_has_the_bits_of_the_rule(
    name: str, dtype: type
) -> None:
    rng = np.random.default_rng(3)
    value, seed = rng.normal(size=(2, 300, 200)).astype(dtype)
    x = tg.tensor(value)
    out = getattr(tg, name)(x)
    found = tg.gradients(out, x, grad=seed)
    rule = getattr(tg, name).op.rule(0)
    np.testing.assert_array_equal(found, seed * rule(out.numpy()), strict=True)


def test_a_large_output_that_is_itself_the_target_passes_nothing_on() -> None:
    x = tg.tensor(np.ones((300, 200)))
    out = tg.tanh(x)
    found = tg.gradients((out * 2.0).sum(), out)
    np.testing.assert_array_equal(found, np.full((300, 200), 2.0))
