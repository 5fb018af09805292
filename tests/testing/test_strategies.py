"""Strategies: what they draw, and what they refuse."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import find, given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import tree
from tensorgrad.errors import ArgumentError
from tensorgrad.ops import TABLE
from tensorgrad.testing import points, strategies
from tensorgrad.testing.networks import Mlp, draw_mlp


@given(shapes=strategies.broadcastable_shapes(3))
def test_shapes_broadcast(shapes):
    assert len(shapes) == 3
    np.broadcast_shapes(*shapes)


@pytest.mark.parametrize("side", [0, 1, 4])
def test_sides_of_every_size_are_drawn(side):
    assert side in find(strategies.shapes(), lambda shape: side in shape)


def test_complex_dtypes_are_drawn_only_if_asked_for():
    assert find(strategies.dtypes(with_complex=True), lambda d: d.kind == "c")
    assert {d.kind for d in map(np.dtype, ("f4", "f8"))} == {"f"}


@given(x=strategies.in_layouts(st.just(np.arange(6.0).reshape(2, 3))))
def test_layouts_keep_the_values(x):
    np.testing.assert_array_equal(x, np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize("name", ["log", "arcsin", "sqrt", "arccosh"])
@given(data=st.data())
def test_arrays_lie_on_the_domain(name, data):
    x = data.draw(strategies.arrays(name))
    assert np.isfinite(getattr(np, name)(x)).all()


@pytest.mark.parametrize("name", ["maximum", "sort", "matmul", "where", "concatenate"])
@given(data=st.data())
def test_operands_call_their_op_away_from_kinks(name, data):
    at = data.draw(strategies.operands(name))
    at(*at.moved)
    distance = points.kink_distance(at.op, at.operands, at.static)
    assert distance >= points.KINK_DISTANCE


@pytest.mark.parametrize("name", ["relu", "max", "sort", "clip", "absolute"])
@given(data=st.data())
def test_kinks_lie_on_kinks(name, data):
    at = data.draw(strategies.kinks(name))
    assert points.kink_distance(at.op, at.operands, at.static) == 0


@given(params=strategies.trees())
def test_trees_are_trees_of_float_arrays(params):
    leaves, _ = tree.flatten(params)
    assert {leaf.dtype for leaf in leaves} == {np.dtype(np.float64)}


@given(network=strategies.mlps(depths=(3, 5)))
def test_networks_reveal(network):
    sizes, names = network.sizes, network.activations
    assert network.x.shape[1] in {5, 7}
    assert any(a == b for a, b in itertools.pairwise(sizes))
    assert len(set(sizes)) >= len(sizes) - 1
    assert all(a != b for a, b in itertools.pairwise(names))
    assert network.lam not in {0, 1}
    assert {0.5, 1.0}.isdisjoint(network.keep_prob.values())
    assert all(np.abs(b).min() > 0 for b in network.params["b"].values())


@given(network=strategies.mlps(revealing=False, depths=(1, 3)))
def test_networks_need_not_reveal(network):
    assert len(network.sizes) == len(network.activations) + 1


def test_networks_that_hide_are_drawn_if_asked_for():
    hidden = find(
        strategies.mlps(revealing=False), lambda network: network.x.shape[1] == 1
    )
    assert isinstance(hidden, Mlp)


@given(network=strategies.mlps())
def test_cost_of_a_network_has_a_gradient_for_every_parameter(network):
    grads = tg.grad(network.cost)(network.params)
    shapes = {
        kind: {l: p.shape for l, p in layers.items()}
        for kind, layers in network.params.items()
    }
    found = {
        kind: {l: np.shape(g) for l, g in layers.items()}
        for kind, layers in grads.items()
    }
    assert found == shapes


@given(network=strategies.mlps(dropout=True, depths=(2, 4)))
def test_cost_is_that_of_the_derivation_by_hand(network):
    l_layer = tg.derivations.l_layer
    cache = l_layer.forward_propagation(
        network.params, network.x, network.activations, network.masks, network.keep_prob
    )
    by_hand = l_layer.compute_cost(
        network.params, cache, network.y, network.activations, lam=network.lam
    )
    assert float(np.asarray(network.cost())) == pytest.approx(by_hand, rel=1e-12)


def test_same_seed_draws_the_same_network():
    one, other = draw_mlp(3), draw_mlp(3)
    assert one.sizes == other.sizes
    np.testing.assert_array_equal(one.x, other.x)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: strategies.arrays("lgo"), "lgo"),
        (lambda: strategies.arrays(np.log), "log"),
        (lambda: strategies.arrays("log", 1), "operand=1"),
        (lambda: strategies.kinks("exp"), "smooth"),
        (lambda: strategies.in_layouts(st.just(np.ones(2)), ["F"]), "'F'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, named):
    with pytest.raises(ArgumentError, match="expected") as caught:
        call()
    assert named in str(caught.value)


@pytest.mark.parametrize("op", ["tanh", TABLE["tanh"], TABLE["tanh"].op])
def test_op_is_named_or_passed(op):
    assert find(strategies.operands(op), lambda at: True).op.name == "tanh"


WITHOUT_HYPOTHESIS = """
import sys
sys.modules["hypothesis"] = None
import tensorgrad as tg
try:
    tg.testing.strategies
except ImportError as error:
    print(type(error).__name__, error)
"""


def test_missing_hypothesis_is_named_with_its_extra():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_HYPOTHESIS],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.startswith("MissingExtraError")
    assert "tensorgrad-np[test]" in done.stdout
