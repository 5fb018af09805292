"""Random graphs against an oracle that shares nothing with the engine."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.testing import oracle

# Both compute the same sums of products, in another order.
ROUNDING = 1e-9
# A central difference of the oracle's gradient: truncation h² and rounding eps/h.
STEP = 1e-5
DIFFERENCE = 1e-4

UNARY = ("negative", "sin", "tanh", "transpose", "reverse", "sum", "mean")
BINARY = ("add", "subtract", "multiply", "divide_safely", "matmul")
N_INPUTS = 3
SIZE = 3

ON_TENSORS = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y,
    "matmul": lambda x, y: x @ y,
    "negative": lambda x: -x,
    "exp": tg.exp,
    "sin": tg.sin,
    "tanh": tg.tanh,
    "square": lambda x: x**2,
    "sum": lambda x: x.sum(axis=0, keepdims=True),
    "mean": lambda x: x.mean(axis=-1, keepdims=True),
    "transpose": lambda x: x.T,
    "reverse": lambda x: x[::-1],
    "positive_part": lambda x: np.where(x > 0, x, 0.0),
}

steps = st.lists(
    st.tuples(st.sampled_from(UNARY + BINARY), st.integers(0, 99), st.integers(0, 99)),
    min_size=1,
    max_size=7,
)


def grow(plan):
    """Return expressions, each of earlier ones; all are square matrices or broadcast."""
    found = list(range(N_INPUTS))
    for name, i, j in plan:
        x, y = found[i % len(found)], found[j % len(found)]
        if name == "matmul":
            # Sums and means have other shapes: added to zeros, they are square again.
            square = np.zeros((SIZE, SIZE))
            found.append(("matmul", ("add", square, x), ("add", square, y)))
        elif name == "divide_safely":
            found.append(("divide", x, ("add", ("square", y), np.ones((1, 1)))))
        elif name in BINARY:
            found.append((name, x, y))
        else:
            found.append((name, x))
    return found


def build(expression, inputs, known):
    """Build the graph of an expression, each subexpression once: with sharing."""
    if isinstance(expression, int):
        return inputs[expression]
    if isinstance(expression, np.ndarray):
        return expression
    if id(expression) not in known:
        name, *operands = expression
        values = [build(x, inputs, known) for x in operands]
        known[id(expression)] = ON_TENSORS[name](*values)
    return known[id(expression)]


def combined(plan):
    """Return one expression that uses the last three results, so that nodes are shared."""
    last = grow(plan)[-3:]
    zeros = np.zeros((SIZE, SIZE))
    return ("add", ("add", zeros, last[0]), ("multiply", last[1], last[2]))


def points(seed):
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, (SIZE, SIZE)) for _ in range(N_INPUTS)]


@given(steps, st.integers(0, 2**32 - 1))
def test_values_of_a_random_graph_equal_the_oracles(plan, seed):
    expression, inputs = combined(plan), points(seed)
    found = build(expression, [tg.tensor(x) for x in inputs], {})
    expected = oracle.evaluate(expression, inputs)
    np.testing.assert_allclose(found.numpy(), expected, rtol=ROUNDING, atol=ROUNDING)


@given(steps, st.integers(0, 2**32 - 1))
def test_gradients_of_a_random_graph_equal_the_oracles(plan, seed):
    expression, inputs = combined(plan), points(seed)
    cotangent = np.random.default_rng(seed + 1).normal(size=(SIZE, SIZE))
    leaves = [tg.tensor(x) for x in inputs]
    output = build(expression, leaves, {})
    found = tg.gradients(output, leaves, grad=cotangent, unused="zero")
    expected = oracle.adjoints(expression, inputs, cotangent)
    for g, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(g, reference, rtol=ROUNDING, atol=ROUNDING)


@given(steps, st.integers(0, 2**32 - 1))
def test_second_derivatives_of_a_random_graph_equal_differences_of_the_oracle(
    plan, seed
):
    expression, inputs = combined(plan), points(seed)
    rng = np.random.default_rng(seed + 2)
    cotangent = rng.normal(size=(SIZE, SIZE))
    directions = [rng.normal(size=x.shape) for x in inputs]
    leaves = [tg.tensor(x) for x in inputs]
    output = build(expression, leaves, {})
    first = tg.gradients(
        output, leaves, grad=cotangent, create_graph=True, unused="zero"
    )
    # The zero that keeps the graph connected where the first derivative is constant.
    slope = sum((g * v).sum() for g, v in zip(first, directions, strict=True))
    slope = slope + sum(0.0 * leaf.sum() for leaf in leaves)
    found = tg.gradients(slope, leaves)
    ahead = [x + STEP * v for x, v in zip(inputs, directions, strict=True)]
    behind = [x - STEP * v for x, v in zip(inputs, directions, strict=True)]
    expected = [
        (high - low) / (2 * STEP)
        for high, low in zip(
            oracle.adjoints(expression, ahead, cotangent),
            oracle.adjoints(expression, behind, cotangent),
            strict=True,
        )
    ]
    scale = 1 + max(np.abs(e).max() for e in expected)
    for g, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(g, reference, rtol=0, atol=DIFFERENCE * scale)


@given(steps, st.integers(0, 2**32 - 1))
def test_adjoints_of_intermediates_are_those_of_inputs_in_their_place(plan, seed):
    expressions, inputs = grow(plan), points(seed)
    leaves = [tg.tensor(x) for x in inputs]
    known = {}
    middle = build(expressions[-1], leaves, known) * 1.0
    output = (tg.tanh(middle) * middle).sum()
    found = tg.gradients(output, middle)
    fresh = tg.tensor(middle.numpy())
    expected = tg.gradients((tg.tanh(fresh) * fresh).sum(), fresh)
    np.testing.assert_allclose(found, expected, rtol=ROUNDING, atol=ROUNDING)
