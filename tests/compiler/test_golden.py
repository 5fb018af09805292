"""Programs of known functions, as files: a change of any shows as a difference.

After an intended change, write them anew with ``python -m tests.compiler.test_golden``
and read what changed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.compiler import capture
from tensorgrad.compiler.native.c_printer import print_c
from tensorgrad.compiler.numpy_printer import print_numpy
from tensorgrad.compiler.passes import simplify

FILES = Path(__file__).with_name("golden")


def logistic_step(W, b, x, y):
    """Gradient descent of logistic regression in the notes' layout."""

    def loss(W, b):
        return tg.log_loss(tg.sigmoid(W @ x + b), y, example_axis=1)

    dW, db = tg.grad(loss, argnums=(0, 1))(W, b)
    return W - 0.1 * dW, b - 0.1 * db


def network_step(p, x, y):
    """One hidden layer, softmax, cross-entropy, Adam."""
    optimizer = tg.optim.Adam(0.01)

    def loss(p):
        a = np.tanh(x @ p["W1"].T + p["b1"])
        return tg.cross_entropy(tg.softmax(a @ p["W2"].T + p["b2"]), y)

    cost, grads = tg.value_and_grad(loss)(p)
    return cost, *optimizer.update(grads, optimizer.init(p), p)


def second_derivative(x):
    """The diagonal of a Hessian."""
    return tg.grad(lambda x: tg.grad(lambda x: (np.tanh(x) * x).sum())(x).sum())(x)


def penalised_cost(p, x, y):
    """Leaky units, squares, and a penalty."""
    a = tg.leaky_relu(x @ p["W1"].T + p["b1"])
    return tg.mse(a @ p["W2"].T + p["b2"], y) + tg.l2_penalty(p, 0.1, 5)


PARAMS = {
    "W1": np.zeros((4, 3)),
    "b1": np.zeros(4),
    "W2": np.zeros((2, 4)),
    "b2": np.zeros(2),
}
X, Y = np.zeros((5, 3)), np.zeros((5, 2))
GOLDEN = {
    "logistic_step": (
        logistic_step,
        (np.zeros((1, 3)), np.zeros((1, 1)), X.T, np.zeros((1, 5))),
    ),
    "network_step": (network_step, (PARAMS, X, Y)),
    "second_derivative": (second_derivative, (np.zeros(3),)),
    "penalised_gradient": (tg.grad(penalised_cost), (PARAMS, X, Y)),
}


def texts(name):
    """Return a program as it is captured, as NumPy, and as C."""
    f, args = GOLDEN[name]
    program = simplify(capture(f, *args).program)
    return {
        "program": f"{program}\n",
        "py": print_numpy(program, name),
        "c": print_c(program).source,
    }


@pytest.mark.parametrize("kind", ["program", "py", "c"])
@pytest.mark.parametrize("name", GOLDEN)
def test_program_is_as_it_was(name, kind):
    expected = (FILES / f"{name}.{kind}.txt").read_text(encoding="utf-8")
    assert texts(name)[kind] == expected


def test_every_file_belongs_to_a_program():
    found = {path.name.partition(".")[0] for path in FILES.iterdir()}
    assert found == GOLDEN.keys()


if __name__ == "__main__":
    for golden in GOLDEN:
        for suffix, text in texts(golden).items():
            (FILES / f"{golden}.{suffix}.txt").write_text(text, encoding="utf-8")
