"""A training step of a network with one hidden layer: by hand, on the graph, compiled.

Ratios to handwritten NumPy that allocates what it computes. Run it from the root of the
repository with ``python -m benchmarks.decisions.compiled_steps``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import tensorgrad as tg
from benchmarks.decisions.figures import format_table, quiet_seconds, run

NETS = (
    ("2-4-2, n = 400, f64", 400, (2, 4, 2), np.float64),
    ("64-128-10, n = 1797, f32", 1797, (64, 128, 10), np.float32),
    ("784-128-10, n = 32, f32", 32, (784, 128, 10), np.float32),
)
RATE = 0.1


def steps(
    n: int, sizes: tuple[int, int, int], dtype: Any
) -> dict[str, Callable[[], Any]]:
    """Return the three steps, which give the same up to rounding."""
    rng = np.random.default_rng(0)
    n_in, n_hidden, n_out = sizes
    x = rng.normal(size=(n, n_in)).astype(dtype)
    labels = rng.integers(0, n_out, n)
    one_hot, rate = np.eye(n_out, dtype=dtype)[labels], np.asarray(RATE, dtype)
    p = {
        "W1": (rng.normal(size=(n_hidden, n_in)) / 8).astype(dtype),
        "b1": np.zeros(n_hidden, dtype),
        "W2": (rng.normal(size=(n_out, n_hidden)) / 8).astype(dtype),
        "b2": np.zeros(n_out, dtype),
    }

    def loss(p: Any, x: Any) -> Any:
        a = tg.tanh(x @ p["W1"].T + p["b1"])
        return tg.cross_entropy(tg.softmax(a @ p["W2"].T + p["b2"]), labels)

    def step(p: Any, x: Any) -> Any:
        cost, grads = tg.value_and_grad(loss)(p, x)
        return cost, {name: p[name] - rate * grads[name] for name in p}

    def by_hand() -> Any:
        a = np.tanh(x @ p["W1"].T + p["b1"])
        z = a @ p["W2"].T + p["b2"]
        e = np.exp(z - z.max(axis=1, keepdims=True))
        s = e / e.sum(axis=1, keepdims=True)
        cost = -np.log(s[np.arange(n), labels]).mean()
        delta2 = (s - one_hot) / n
        delta1 = (delta2 @ p["W2"]) * (1 - a * a)
        grads = {
            "W1": delta1.T @ x,
            "b1": delta1.sum(axis=0),
            "W2": delta2.T @ a,
            "b2": delta2.sum(axis=0),
        }
        return cost, {name: p[name] - rate * grads[name] for name in p}

    compiled = tg.compile(step, printer="numpy")
    native = tg.compile(step, printer="c")
    expected = by_hand()[1]
    for found in (step(p, x)[1], compiled(p, x)[1], native(p, x)[1]):
        for name, value in expected.items():
            np.testing.assert_allclose(
                np.asarray(found[name]), value, rtol=1e-3, atol=1e-6
            )
    return {
        "by hand": by_hand,
        "graph": lambda: step(p, x),
        "compiled, NumPy": lambda: compiled(p, x),
        "compiled, C": lambda: native(p, x),
    }


def report(*, smoke: bool) -> Iterator[str]:
    """Yield the table."""
    yield "Time of a step, as a ratio to handwritten NumPy"
    rows = []
    for name, n, sizes, dtype in NETS[: 1 if smoke else None]:
        seconds = quiet_seconds(steps(n, sizes, dtype), smoke=smoke)
        ratios = [f"{s / seconds['by hand']:.2f}" for s in seconds.values()]
        rows.append([name, f"{1e6 * seconds['by hand']:.0f} µs", *ratios[1:]])
    yield format_table(["net", "by hand", "graph", "NumPy", "C"], rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    return run("compiled_steps", argv, report)


if __name__ == "__main__":
    sys.exit(main())
