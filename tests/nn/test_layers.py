"""Dense layers, dropout, composition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError

# Two matrix products in different orders of summation, a few rounding errors apart.
ROUNDING = 1e-13

ACTIVATIONS = {
    "linear": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.where(z > 0, z, 0.0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "leaky": lambda z: np.where(z > 0, z, 0.01 * z),
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_dense_computes_the_activation_of_the_weighted_sums(name, rng):
    layer = tg.nn.Dense(5, 3, name, rng=1)
    layer.b = tg.tensor(rng.standard_normal(3), requires_grad=True)
    x = rng.standard_normal((7, 5))
    expected = ACTIVATIONS[name](x @ layer.W.numpy().T + layer.b.numpy())
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=ROUNDING)


def test_dense_holds_named_leaves_that_require_gradients():
    layer = tg.nn.Dense(5, 3, rng=1)
    assert [(t.shape, t.name) for t in (layer.W, layer.b)] == [
        ((3, 5), "W"),
        ((3,), "b"),
    ]
    assert layer.W.requires_grad
    assert layer.b.requires_grad


def test_biases_start_at_zero():
    np.testing.assert_array_equal(tg.nn.Dense(5, 3, rng=1).b.numpy(), np.zeros(3))


def test_dense_without_bias_has_one_parameter(rng):
    layer = tg.nn.Dense(5, 3, bias=False, rng=1)
    x = rng.standard_normal((7, 5))
    assert list(layer.parameters()) == ["W"]
    np.testing.assert_array_equal(layer(x).numpy(), x @ layer.W.numpy().T)


def test_dense_accepts_a_function_as_activation(rng):
    x = rng.standard_normal((7, 5))
    by_name = tg.nn.Dense(5, 3, "tanh", rng=1)(x).numpy()
    by_function = tg.nn.Dense(5, 3, np.tanh, rng=1)(x).numpy()
    np.testing.assert_array_equal(by_function, by_name)


def test_dense_takes_lists_single_examples_and_batches_of_sequences():
    layer = tg.nn.Dense(2, 3, rng=1)
    assert layer([[1, 2]]).shape == (1, 3)
    assert layer(np.ones(2)).shape == (3,)
    assert layer(np.ones((4, 5, 2))).shape == (4, 5, 3)
    assert layer(np.ones((0, 2))).shape == (0, 3)


@pytest.mark.parametrize("kind", [np.int64, np.uint8, bool])
def test_integer_data_do_not_widen_a_float32_layer(kind):
    layer = tg.nn.Dense(2, 3, dtype=np.float32, rng=1)
    assert layer(np.ones((4, 2), kind)).dtype == np.float32


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_float32_layer_stays_float32(name):
    layer = tg.nn.Dense(4, 3, name, dtype=np.float32, rng=1)
    out = layer(np.ones((2, 4), np.float32))
    grads = tg.gradients(out, layer, grad=np.ones((2, 3), np.float32))
    assert (out.dtype, grads.W.dtype, grads.b.dtype) == (np.float32,) * 3


def test_both_precisions_start_from_the_same_weights():
    wide = tg.nn.Dense(4, 3, rng=1).W.numpy()
    narrow = tg.nn.Dense(4, 3, rng=1, dtype=np.float32).W.numpy()
    np.testing.assert_array_equal(narrow, wide.astype(np.float32))


def test_gradient_of_weights_lies_in_memory_as_the_weights_do(rng):
    layer = tg.nn.Dense(5, 3, rng=1)
    grads = tg.gradients(layer(rng.standard_normal((7, 5))).sum(), layer)
    assert grads.W.strides == layer.W.numpy().strides


# Mean of squares of 40,000 normal numbers is within 4 % of the variance (5.6 σ).
VARIANCE_RTOL = 0.04


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("relu", 2 / 100),
        ("leaky_relu", 2 / (1.0001 * 100)),
        ("tanh", 2 / 500),
        ("sigmoid", 2 / 500),
        ("softmax", 2 / 500),
        ("linear", 2 / 500),
        (np.cos, 2 / 500),
    ],
)
def test_default_variance_follows_the_activation(name, variance):
    weights = tg.nn.Dense(100, 400, name, rng=5).W.numpy()
    assert np.mean(weights**2) == pytest.approx(variance, rel=VARIANCE_RTOL)


def test_init_is_chosen_by_name_or_function():
    assert not tg.nn.Dense(5, 3, init="zeros").W.numpy().any()
    own = tg.nn.Dense(5, 3, init=lambda rng, shape, dtype: np.full(shape, 2.0))
    np.testing.assert_array_equal(own.W.numpy(), np.full((3, 5), 2.0))


def test_init_of_the_wrong_shape_is_refused():
    with pytest.raises(
        ShapeError, match=r"weights of shape \(5, 3\): expected .*\(3, 5\)"
    ):
        tg.nn.Dense(5, 3, init=lambda rng, shape, dtype: np.zeros((5, 3)))


@pytest.mark.parametrize(
    ("x", "remedy"),
    [
        (np.ones((5, 7)), r"pass x\.T"),
        (np.ones((7, 4)), r"n_in=4"),
        (np.ones((7, 5, 5, 1)), r"x\.reshape\(len\(x\), -1\)"),
        (np.ones(()), r"n_in=1"),
    ],
)
def test_wrong_number_of_features_says_what_to_do(x, remedy):
    layer = tg.nn.Dense(5, 3, rng=1)
    match = rf"Dense: x of shape .*: expected \(examples, 5\), .* rows?.*{remedy}"
    with pytest.raises(ShapeError, match=match.replace("rows?", "row")):
        layer(x)


def test_text_is_refused():
    with pytest.raises(DTypeError, match=r"Dense: x of dtype <U1: expected numbers"):
        tg.nn.Dense(1, 1, rng=0)(np.array([["a"]]))


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("rellu", "'relu'"),
        ("Sigmoid", "'sigmoid'"),
        ("leakyrelu", "leaky"),
        (3, "linear"),
    ],
)
def test_unknown_activation_names_the_nearest(wrong, hint):
    with pytest.raises(ArgumentError, match=rf"choosing an activation: .*{hint}"):
        tg.nn.Dense(5, 3, wrong)


def test_unknown_init_names_the_nearest():
    with pytest.raises(
        ArgumentError, match=r"choosing initial weights: .* mean 'xavier'"
    ):
        tg.nn.Dense(5, 3, init="xavir")


@pytest.mark.parametrize("size", [0, -1, 2.5, True, "3", None])
def test_size_must_be_a_positive_integer(size):
    with pytest.raises(ArgumentError, match=r"Dense: n_in is .* expected an integer"):
        tg.nn.Dense(size, 3)


@pytest.mark.parametrize("dtype", [int, object, "float99"])
def test_parameters_must_have_gradients(dtype):
    with pytest.raises(DTypeError, match=r"Dense: dtype is .* expected a floating"):
        tg.nn.Dense(2, 3, dtype=dtype)


# ------------------------------------------------------------------------- dropout


def test_dropout_is_off_without_rng(rng):
    x = rng.standard_normal((3, 4))
    assert tg.nn.Dropout(0.5)(x) is x


@given(
    keep_prob=st.floats(0.05, 1.0),
    seed=st.integers(0, 2**32),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_dropout_divides_what_the_generator_keeps(keep_prob, seed, dtype):
    x = np.linspace(1, 2, 60, dtype=dtype).reshape(5, 12)
    out = tg.nn.Dropout(keep_prob)(x, rng=np.random.default_rng(seed))
    mask = np.random.default_rng(seed).random((5, 12)) < keep_prob
    assert out.dtype == dtype
    # The scale is rounded once, the product once.
    tolerance = 2 * np.finfo(dtype).eps
    np.testing.assert_allclose(out, x * mask / keep_prob, rtol=tolerance)


def test_gradient_passes_where_dropout_keeps():
    x = tg.tensor(np.ones((5, 12)))
    out = tg.nn.Dropout(0.25)(x, rng=3)
    np.testing.assert_array_equal(tg.gradients(out.sum(), x), out.numpy())


def test_keeping_everything_changes_nothing_but_draws():
    generator = np.random.default_rng(0)
    out = tg.nn.Dropout(1)(np.ones(8), rng=generator)
    np.testing.assert_array_equal(out, np.ones(8))
    assert generator.random() == np.random.default_rng(0).random(9)[-1]


@pytest.mark.parametrize("keep_prob", [0, -0.1, 1.1, np.nan, True, "0.5", None])
def test_keep_prob_must_be_a_share(keep_prob):
    with pytest.raises(
        ArgumentError, match=r"Dropout: keep_prob is .* expected .*\(0, 1\]"
    ):
        tg.nn.Dropout(keep_prob)


# ---------------------------------------------------------------------- composition


def test_sequential_applies_layers_in_order(rng):
    first, second = tg.nn.Dense(3, 4, rng=0), tg.nn.Dense(4, 2, rng=1)
    x = rng.standard_normal((5, 3))
    expected = second(np.tanh(first(x))).numpy()
    np.testing.assert_array_equal(
        tg.nn.Sequential(first, tg.tanh, second)(x).numpy(), expected
    )


def test_sequential_counts_functions_in_its_paths():
    model = tg.nn.Sequential(tg.nn.Dense(3, 4), tg.tanh, tg.nn.Dense(4, 2, bias=False))
    assert list(model.parameters()) == ["layers.0.W", "layers.0.b", "layers.2.W"]


def test_sequential_is_a_sequence():
    layers = (tg.nn.Dense(3, 4), tg.tanh, tg.nn.Dense(4, 2))
    model = tg.nn.Sequential(*layers)
    assert len(model) == 3
    assert tuple(model) == layers
    assert model[-1] is layers[2]
    assert tuple(model[:2]) == layers[:2]


@pytest.mark.parametrize("layer", [3, "relu", None, tg.nn.Dense, [tg.tanh]])
def test_sequential_refuses_what_cannot_be_called(layer):
    with pytest.raises(
        ArgumentError, match=r"Sequential: layer 1 is .* expected a module"
    ):
        tg.nn.Sequential(tg.tanh, layer)


@pytest.mark.parametrize(
    ("layers", "head"),
    [
        ((tg.nn.Dense(3, 4, "softmax"),), "softmax"),
        ((tg.nn.Dense(3, 4), tg.sigmoid), "sigmoid"),
        ((tg.nn.Dense(3, 4), abs), None),
        ((tg.nn.Sequential(tg.nn.Dense(3, 4, "tanh")),), "tanh"),
        ((), None),
    ],
)
def test_head_is_the_activation_of_the_last_layer(layers, head):
    assert tg.nn.Sequential(*layers).head == head


def shapes_and_names(model: Any) -> list[tuple[int, int, str]]:
    dense = [layer for layer in model if isinstance(layer, tg.nn.Dense)]
    return [(layer.n_in, layer.n_out, layer.activation.name) for layer in dense]


@pytest.mark.parametrize(
    ("activations", "names"),
    [
        ("relu", ["relu", "relu", "linear"]),
        (("tanh", "softmax"), ["tanh", "tanh", "softmax"]),
        (["tanh", "relu", "sigmoid"], ["tanh", "relu", "sigmoid"]),
        (None, ["linear", "linear", "linear"]),
    ],
)
def test_mlp_takes_activations_in_three_forms(activations, names):
    found = shapes_and_names(tg.nn.mlp([6, 5, 4, 3], activations))
    assert found == [(6, 5, names[0]), (5, 4, names[1]), (4, 3, names[2])]


@pytest.mark.parametrize(
    ("keep_prob", "kinds"),
    [
        (None, ["Dense", "Dense", "Dense"]),
        (0.5, ["Dense", "Dropout", "Dense", "Dropout", "Dense"]),
        ([0.9, 1, 0.5], ["Dropout", "Dense", "Dense", "Dropout", "Dense"]),
    ],
)
def test_mlp_puts_dropout_before_the_layers_that_want_it(keep_prob, kinds):
    model = tg.nn.mlp([6, 5, 4, 3], "relu", keep_prob=keep_prob)
    assert [type(layer).__name__ for layer in model] == kinds


def test_mlp_of_one_seed_is_one_model():
    first = tg.nn.mlp([6, 5, 3], "relu", rng=4).parameters()
    second = tg.nn.mlp([6, 5, 3], "relu", rng=4).parameters()
    for path, t in first.items():
        np.testing.assert_array_equal(t.numpy(), second[path].numpy())


def test_dropout_does_not_change_the_initial_weights():
    plain = tg.nn.mlp([6, 5, 3], "relu", rng=4)
    dropping = tg.nn.mlp([6, 5, 3], "relu", rng=4, keep_prob=0.5)
    np.testing.assert_array_equal(plain[1].W.numpy(), dropping[2].W.numpy())


def test_layers_of_equal_shape_start_differently():
    model = tg.nn.mlp([4, 4, 4], "relu")
    assert (model[0].W.numpy() != model[1].W.numpy()).all()


@pytest.mark.parametrize(
    ("sizes", "options", "match"),
    [
        ([5], {"activations": "relu"}, "expected at least two"),
        ([5, 0], {"activations": "relu"}, "a size is 0"),
        ([5, 4, 3], {"activations": ["relu"]}, "1 activations for 2 layers"),
        ([5, 4, 3], {"activations": ["relu"] * 3}, "3 activations for 2 layers"),
        ([5, 4, 3], {"activations": "relu", "keep_prob": [0.5]}, "1 keep rates for 2"),
        ([5, 3], {"activations": "relu", "keep_prob": 0}, "keep_prob is 0"),
        ([5, 3], {"activations": "relu", "rng": "x"}, "rng is 'x'"),
    ],
)
def test_mlp_says_what_does_not_fit(sizes, options, match):
    with pytest.raises(ArgumentError, match=match):
        tg.nn.mlp(sizes, **options)


def test_scaling_is_applied_to_the_input(rng):
    x = rng.standard_normal((5, 3))
    model = tg.nn.mlp([3, 2], "linear")
    before = model((x - 1) / 2).numpy()
    model.scaling = tg.nn.Standardise(np.ones(3), np.full(3, 2.0))
    np.testing.assert_array_equal(model(x).numpy(), before)
    assert list(model.buffers()) == ["scaling.mean", "scaling.scale"]
