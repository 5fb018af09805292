"""What every optimiser promises, whatever its formula."""

from __future__ import annotations

import copy
import dataclasses
import gc
import pickle
import weakref
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError
from tensorgrad.optim import SGD, Adam, AdamW, RMSProp, cosine
from tensorgrad.tree import leaves, map_leaves, paths

OPTIMIZERS = {
    "sgd": SGD(0.1),
    "momentum": SGD(0.1, momentum=0.9),
    "nesterov": SGD(0.1, momentum=0.9, nesterov=True),
    "rmsprop": RMSProp(0.1),
    "adam": Adam(0.1),
    "adamw": AdamW(0.1),
    "scheduled": Adam(cosine(0.1, 10)),
    "clipped": Adam(0.1, clip_norm=1.0, clip_value=0.5),
}


ONES = np.ones(2)
ONES.flags.writeable = False


@pytest.fixture(params=OPTIMIZERS)
def optimizer(request: pytest.FixtureRequest) -> Any:
    return dataclasses.replace(OPTIMIZERS[request.param])


def frozen(array: Any) -> Any:
    array = np.array(array)
    array.flags.writeable = False
    return array


def make_params() -> dict[str, Any]:
    generator = np.random.default_rng(1)
    w = [frozen(generator.standard_normal(s)) for s in ((2, 3), (3,), ())]
    large = frozen(generator.standard_normal((200, 300)).astype(np.float32))
    return {"w": w, "large": large, "none": None, "empty": frozen(np.zeros((0, 2)))}


def make_grads(seed: int) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    return map_leaves(
        lambda p: frozen(np.asarray(generator.standard_normal(p.shape), p.dtype)),
        make_params(),
    )


def same_bits(first: Any, second: Any) -> bool:
    return paths(first) == paths(second) and all(
        np.asarray(a).tobytes() == np.asarray(b).tobytes() and a.dtype == b.dtype
        for a, b in zip(leaves(first), leaves(second), strict=True)
    )


def test_update_does_not_write_to_what_it_is_given(optimizer):
    # The inputs are read-only, and so are the state's arrays after the first update.
    params, state = make_params(), optimizer.init(make_params())
    for seed in range(3):
        state = map_leaves(frozen, state)
        before = map_leaves(np.array, (params, state))
        new = optimizer.update(make_grads(seed), state, params)
        assert same_bits(before, (params, state))
        params, state = new


def test_structure_shapes_and_dtypes_stay(optimizer):
    params, state = make_params(), optimizer.init(make_params())
    looks = [(a.shape, a.dtype) for a in leaves((params, state))]
    new_params, new_state = optimizer.update(make_grads(0), state, params)
    assert paths(new_state) == paths(state)
    assert paths(new_params) == paths(params)
    assert [(a.shape, a.dtype) for a in leaves((new_params, new_state))] == looks


def test_zero_gradient_leaves_the_parameters_at_first(optimizer):
    params = {"w": np.arange(3.0)}
    without_decay = {"weight_decay": 0.0} if isinstance(optimizer, AdamW) else {}
    optimizer = dataclasses.replace(optimizer, **without_decay)
    found, _ = optimizer.update({"w": np.zeros(3)}, optimizer.init(params), params)
    np.testing.assert_array_equal(found["w"], params["w"])


def test_saved_state_resumes_to_the_same_bits(optimizer, tmp_path):
    params, state = make_params(), optimizer.init(make_params())
    for seed in range(3):
        params, state = optimizer.update(make_grads(seed), state, params)
    tree = {"params": params, "state": state}
    tg.save(tmp_path / "a.npz", tree)
    again = tg.load(tmp_path / "a.npz", map_leaves(np.zeros_like, tree))
    onward = optimizer.update(make_grads(9), state, params)
    resumed = optimizer.update(make_grads(9), again["state"], again["params"])
    assert same_bits(resumed, onward)


def test_step_gives_the_bits_of_update(optimizer):
    pure, state = make_params(), optimizer.init(make_params())
    stepped = make_params()
    for seed in range(4):
        pure, state = optimizer.update(make_grads(seed), state, pure)
        stepped = optimizer.step(stepped, make_grads(seed))
    assert same_bits(stepped, pure)
    assert same_bits(optimizer.state, state)


def test_step_keeps_the_identity_of_tensors_and_modules(optimizer):
    model = tg.nn.mlp([3, 4, 2], "tanh")
    before = model.parameters()
    values = [t.numpy() for t in before.values()]
    grads = tg.grad(lambda m: (m(np.ones((2, 3))) ** 2).sum())(model)
    returned = optimizer.step(model, grads)
    assert returned is model
    assert all(t is before[path] for path, t in model.parameters().items())
    assert all(t.requires_grad for t in before.values())
    assert any(
        (t.numpy() != old).any() for t, old in zip(before.values(), values, strict=True)
    )


def test_step_of_a_module_takes_the_gradients_of_its_parameters(optimizer):
    first, second = (tg.nn.mlp([3, 4, 2], "tanh") for _ in range(2))
    x = np.ones((2, 3))
    optimizer.step(first, tg.gradients((first(x) ** 2).sum(), first.parameters()))
    optimizer.step(second.parameters(), tg.grad(lambda m: (m(x) ** 2).sum())(second))
    assert same_bits(
        [t.numpy() for t in leaves(first)], [t.numpy() for t in leaves(second)]
    )


def test_old_values_are_not_overwritten_by_a_step(optimizer):
    w = tg.tensor(np.ones((200, 300)), requires_grad=True)
    old = w.numpy()
    for _ in range(3):
        optimizer.step({"w": w}, {"w": np.ones((200, 300))})
    np.testing.assert_array_equal(old, np.ones((200, 300)))


def test_gradient_of_a_graph_built_before_a_step_is_still_right(optimizer):
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    optimizer.step(w, np.ones(2))
    np.testing.assert_array_equal(tg.gradients(loss, w), [2.0, 4.0])


def test_mixed_tree_comes_back_with_new_arrays_and_old_tensors(optimizer):
    w = tg.tensor([1.0], requires_grad=True)
    tree = {"w": w, "rest": [np.array([1.0])]}
    found = optimizer.step(tree, {"w": np.ones(1), "rest": [np.ones(1)]})
    assert found["w"] is w
    assert found["rest"][0] is not tree["rest"][0]
    np.testing.assert_array_equal(tree["rest"][0], [1.0])
    np.testing.assert_array_equal(found["rest"][0], w.numpy())


def test_update_returns_leaves_of_the_same_name(optimizer):
    w = tg.tensor([1.0, 2.0], requires_grad=True, name="w")
    found, _ = optimizer.update({"w": np.ones(2)}, optimizer.init({"w": w}), {"w": w})
    assert (found["w"].name, found["w"].requires_grad) == ("w", True)
    np.testing.assert_array_equal(w.numpy(), [1.0, 2.0])


def test_trees_of_other_tensors_have_states_of_their_own(optimizer):
    one, two = (tg.tensor([1.0], requires_grad=True) for _ in range(2))
    for _ in range(3):
        optimizer.step({"w": one}, {"w": np.ones(1)})
    optimizer.step({"w": two}, {"w": np.ones(1)})
    assert optimizer.state["step"] == 1
    optimizer.step({"w": one}, {"w": np.ones(1)})
    assert optimizer.state["step"] == 4


def test_state_goes_with_its_tensors(optimizer):
    w = tg.tensor(np.ones(3), requires_grad=True)
    optimizer.step({"w": w}, {"w": np.ones(3)})
    gone = weakref.ref(w)
    gc.disable()
    del w
    is_freed_by_counting = gone() is None
    gc.enable()
    assert is_freed_by_counting
    assert optimizer.state is None


def test_state_goes_with_the_first_of_its_tensors_to_go(optimizer):
    kept, gone = (tg.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    optimizer.step({"a": kept, "b": gone}, {"a": np.ones(2), "b": np.ones(2)})
    del gone
    assert optimizer.state is None


def make_tensors() -> dict[str, Any]:
    generator = np.random.default_rng(2)
    shapes = {"W": (3, 4), "b": (3, 1), "s": (), "none": (0, 2), "large": (200, 300)}
    return {
        name: tg.tensor(
            generator.standard_normal(shape),
            dtype=np.float32 if name == "b" else np.float64,
            requires_grad=True,
        )
        for name, shape in shapes.items()
    }


def slopes_of(params: dict[str, Any], seed: int) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    return {
        name: frozen(np.asarray(generator.standard_normal(p.shape), p.dtype, order="F"))
        for name, p in params.items()
    }


@pytest.mark.parametrize("container", [dict, lambda items: list(dict(items).values())])
def test_steps_of_a_flat_tree_that_is_known_give_the_bits_of_update(
    optimizer, container
):
    params = make_tensors()
    pure, state = params, optimizer.init(params)
    stepped = container(make_tensors())
    for seed in range(4):
        grads = slopes_of(params, seed)
        pure, state = optimizer.update(grads, state, pure)
        optimizer.step(stepped, container(grads))
    assert [t.numpy().tobytes() for t in leaves(stepped)] == [
        t.numpy().tobytes() for t in pure.values()
    ]
    assert [a.tobytes() for a in leaves(optimizer.state)] == [
        a.tobytes() for a in leaves(state)
    ]


def test_known_tree_makes_views_of_its_tensors_stale(optimizer):
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    optimizer.step({"w": w}, {"w": np.ones(2)})
    part = w[:1]
    optimizer.step({"w": w}, {"w": np.ones(2)})
    with pytest.raises(tg.StaleViewError):
        part.numpy()


@pytest.mark.parametrize(
    ("keys", "grads", "error", "match"),
    [
        ("w b", {"w": np.ones(2), "b": np.ones(3)}, ShapeError, "gradient of b"),
        ("w b", {"w": np.ones(2), "c": np.ones(2)}, ArgumentError, "missing"),
        ("w b", {"b": np.ones(2), "w": np.ones(2)}, ArgumentError, "same 2 paths"),
        ("w b", [np.ones(2), np.ones(2)], ArgumentError, "missing"),
        ("w b.c", {"w": np.ones(2), "b.c": np.ones(2)}, ArgumentError, "without a dot"),
        ("w b", {"w": np.ones(2), "b": np.full(2, 1j)}, DTypeError, "gradient of b"),
    ],
)
def test_known_tree_is_refused_what_a_new_one_is(optimizer, keys, grads, error, match):
    tensors = [tg.tensor([1.0, 2.0], requires_grad=True) for _ in range(2)]
    optimizer.step(dict(zip("wb", tensors, strict=True)), dict.fromkeys("wb", ONES))
    before = [t.numpy() for t in tensors], optimizer.state
    with pytest.raises(error, match=match):
        optimizer.step(dict(zip(keys.split(), tensors, strict=True)), grads)
    assert same_bits(before, ([t.numpy() for t in tensors], optimizer.state))


def test_known_tree_whose_parameter_became_a_result_is_refused(optimizer):
    w, b = (tg.tensor([1.0, 2.0]) for _ in range(2))
    slopes = {"w": np.ones(2), "b": np.ones(2)}
    optimizer.step({"w": w, "b": b}, slopes)
    value = w.numpy()
    b *= 2.0
    with pytest.raises(ArgumentError, match="b is the result of multiply"):
        optimizer.step({"w": w, "b": b}, slopes)
    np.testing.assert_array_equal(w.numpy(), value)


def test_state_is_a_copy_and_can_be_set(optimizer):
    first, second = (tg.tensor([1.0, -2.0], requires_grad=True) for _ in range(2))
    for _ in range(3):
        optimizer.step(first, np.array([1.0, 0.5]))
    state = optimizer.state
    kept = map_leaves(np.array, state)
    optimizer.step(first, np.array([1.0, 0.5]))
    assert same_bits(state, kept)
    tg.tree.assign(second, np.array([1.0, -2.0]))
    other = dataclasses.replace(optimizer)
    for _ in range(3):
        other.step(second, np.array([1.0, 0.5]))
    resumed = dataclasses.replace(optimizer)
    resumed.state = kept
    resumed.step(second, np.array([1.0, 0.5]))
    assert same_bits(second.numpy(), first.numpy())
    assert same_bits(resumed.state, optimizer.state)


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda opt: pickle.loads(pickle.dumps(opt))]
)
def test_copies_go_on_alone_from_the_same_state(optimizer, duplicate):
    p = optimizer.step(np.ones(2), np.ones(2))
    again = duplicate(optimizer)
    assert repr(again) == repr(optimizer)
    assert same_bits(
        again.step(p, np.ones(2)), duplicate(optimizer).step(p, np.ones(2))
    )
    assert (again.state["step"], optimizer.state["step"]) == (2, 1)


def test_replaced_optimizer_starts_afresh(optimizer):
    optimizer.step(np.ones(2), np.ones(2))
    assert dataclasses.replace(optimizer, lr=0.2).state is None


def test_constants_cannot_be_changed(optimizer):
    with pytest.raises(dataclasses.FrozenInstanceError, match=r"replace\(opt, lr="):
        optimizer.lr = 3.0


def test_integer_gradients_and_lists_of_numbers_are_taken(optimizer):
    found = optimizer.step(np.ones(2), np.array([1, 0]))
    assert found.dtype == np.float64


def test_float16_parameters_are_updated_in_float32(optimizer):
    p = np.ones(4, np.float16)
    p = optimizer.step(p, np.array([0, 1e-4, 1, 300], np.float16))
    assert p.dtype == np.float16
    assert np.isfinite(p).all()


def test_squares_of_small_float16_gradients_do_not_vanish():
    p = Adam(0.1).step(np.ones(2, np.float16), np.array([1e-4, -1e-4], np.float16))
    np.testing.assert_array_equal(p, np.array([0.9, 1.1], np.float16))


@pytest.mark.parametrize("action", ["update", "step"])
def test_gradient_of_another_shape_is_refused(optimizer, action):
    params = {"w": np.ones((2, 3)), "b": np.ones(2)}
    grads = {"w": np.ones((2, 3)), "b": np.ones((2, 1))}
    calls = {
        "update": lambda: optimizer.update(grads, optimizer.init(params), params),
        "step": lambda: optimizer.step(params, grads),
    }
    with pytest.raises(
        ShapeError,
        match=r"\w+\.update: the gradient of b has shape \(2, 1\): expected the "
        r"parameter's shape \(2,\)\. Check",
    ):
        calls[action]()


def test_trees_that_differ_name_the_paths(optimizer):
    params = {"w": np.ones(2), "b": np.ones(2)}
    with pytest.raises(ArgumentError, match=r"missing: \['b'\], unexpected: \['c'\]"):
        optimizer.step(params, {"w": np.ones(2), "c": np.ones(2)})


def test_complex_gradient_of_a_real_parameter_is_refused(optimizer):
    with pytest.raises(DTypeError, match="dtype complex128: expected real numbers"):
        optimizer.step(np.ones(2), np.ones(2) * 1j)


@pytest.mark.parametrize("leaf", [np.arange(3), "text", 3, True])
def test_parameter_without_gradient_is_refused(optimizer, leaf):
    with pytest.raises(
        DTypeError, match=r"the parameter w of dtype .* expected floating"
    ):
        optimizer.init({"w": leaf})


def test_state_of_another_optimizer_is_refused(optimizer):
    with pytest.raises(ArgumentError, match=r"a state of \['step', 'q'\]: expected"):
        optimizer.update(np.ones(2), {"step": np.array(0), "q": 1}, np.ones(2))


@pytest.mark.parametrize("other", [np.ones(3), np.ones(2, np.float32)])
def test_state_of_other_parameters_is_refused(other):
    optimizer = Adam(0.1)
    with pytest.raises(ShapeError, match=r"m of the state has shape .* expected shape"):
        optimizer.update(np.ones(2), optimizer.init(other), np.ones(2))


def test_shared_tensor_is_refused(optimizer):
    w = tg.tensor([1.0], requires_grad=True)
    with pytest.raises(ArgumentError, match="a and b are the same Tensor"):
        optimizer.step({"a": w, "b": w}, {"a": np.ones(1), "b": np.ones(1)})


def test_result_of_an_op_cannot_be_stepped_and_nothing_changes(optimizer):
    w = tg.tensor([1.0], requires_grad=True)
    tree, grads = {"w": w, "z": w * 2.0}, {"w": np.ones(1), "z": np.ones(1)}
    with pytest.raises(ArgumentError, match="z is the result of multiply"):
        optimizer.step(tree, grads)
    np.testing.assert_array_equal(w.numpy(), [1.0])
    assert optimizer.state is None


def test_refused_step_changes_no_state(optimizer):
    w = tg.tensor([1.0], requires_grad=True)
    optimizer.step(w, np.ones(1))
    before = optimizer.state
    with pytest.raises(ShapeError):
        optimizer.step(w, np.ones(2))
    assert same_bits(optimizer.state, before)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: SGD(-0.1), "SGD: lr is -0.1: expected a finite number of at least 0"),
        (lambda: SGD(np.nan), "SGD: lr is nan"),
        (lambda: SGD("fast"), "SGD: lr is 'fast'"),
        (lambda: SGD(0.1, momentum=1.0), "momentum is 1.0: .* below 1"),
        (lambda: SGD(0.1, nesterov=True), "nesterov=True with momentum=0"),
        (lambda: RMSProp(0.1, decay=-1), "RMSProp: decay is -1"),
        (lambda: RMSProp(0.1, eps=-1), "RMSProp: eps is -1"),
        (lambda: Adam(0.1, beta1=1), "Adam: beta1 is 1"),
        (lambda: Adam(0.1, beta2=2), "Adam: beta2 is 2"),
        (lambda: Adam(0.1, eps=None), "Adam: eps is None"),
        (lambda: Adam(0.1, clip_norm=-1), "Adam: clip_norm is -1"),
        (lambda: AdamW(0.1, weight_decay=-1), "AdamW: weight_decay is -1"),
    ],
)
def test_constants_out_of_range_are_refused(make, match):
    with pytest.raises(ArgumentError, match=match):
        make()


def test_schedule_is_asked_for_each_step():
    asked: list[int] = []

    def schedule(step: int) -> float:
        asked.append(step)
        return 0.5 ** (step + 1)

    p, optimizer = np.array([1.0]), SGD(schedule)
    for _ in range(3):
        p = optimizer.step(p, np.ones(1))
    assert asked == [0, 1, 2]
    np.testing.assert_array_equal(p, [1 - 0.5 - 0.25 - 0.125])


def test_schedule_that_returns_nonsense_is_refused():
    with pytest.raises(ArgumentError, match=r"a schedule: lr at step 0 is nan"):
        SGD(lambda step: np.nan).step(np.ones(1), np.ones(1))


def test_float64_rate_of_numpy_does_not_widen_float32():
    p = Adam(lambda step: np.float64(0.1)).step(np.ones(2, "f4"), np.ones(2, "f4"))
    assert p.dtype == np.float32


def test_entries_are_clipped_before_the_norm():
    optimizer = SGD(1.0, clip_value=1.0, clip_norm=1.0)
    found = optimizer.step(np.zeros(2), np.array([100.0, 0.0]))
    np.testing.assert_array_equal(found, [-1.0, 0.0])
    optimizer = SGD(1.0, clip_value=1.0, clip_norm=0.5)
    found = optimizer.step(np.zeros(2), np.array([100.0, 0.0]))
    np.testing.assert_array_equal(found, [-0.5, 0.0])


def test_recorded_gradients_step_without_a_graph():
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    grads = tg.gradients((w**2).sum(), w, create_graph=True)
    optimizer = SGD(0.1, momentum=0.9)
    optimizer.step(w, grads)
    assert isinstance(optimizer.state["velocity"], np.ndarray)
    np.testing.assert_allclose(w.numpy(), [0.8, 1.6], rtol=1e-15)
