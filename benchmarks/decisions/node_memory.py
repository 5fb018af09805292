"""What nodes keep alive: memory and time of three policies.

``rules``     a node keeps the values that the rules of its recorded operands name;
``operands``  a node keeps the values of all its operands;
``results``   a node keeps its own result, as a tape of boxed values does.

The engine has the first. The others are simulated exactly: what they would keep in
addition is kept in a list that lives as long as the graph.

Run it from the root of the repository with
``python -m benchmarks.decisions.node_memory``.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

import tensorgrad as tg
from benchmarks.decisions.figures import format_table, quiet_seconds, run
from tensorgrad.core.pool import clear_pool

POLICIES = ("rules", "operands", "results")
N_LAYERS, WIDTH, N_EXAMPLES = 20, 256, 1024
CHAIN_LENGTH = 100_000
CHAIN_ENTRIES = (1, 100)

Keep: TypeAlias = Callable[..., Any]


def make_keep(policy: str, kept: list[Any]) -> Keep:
    """Return a function of (result, *operands) that keeps what the policy keeps."""

    def nothing(result: Any, *operands: Any) -> Any:
        return result

    def operands_too(result: Any, *operands: Any) -> Any:
        kept.extend(x._value if isinstance(x, tg.Tensor) else x for x in operands)
        return result

    def result_too(result: Any, *operands: Any) -> Any:
        kept.append(result._value)
        return result

    by_policy = {"rules": nothing, "operands": operands_too, "results": result_too}
    return by_policy[policy]


class Net:
    """A deep net of equal layers, and its data."""

    def __init__(self, n_layers: int, width: int, n_examples: int) -> None:
        rng = np.random.default_rng(0)
        scale = 1 / np.sqrt(width)
        self.x = rng.standard_normal((n_examples, width))
        self.weights = [
            tg.tensor(scale * rng.standard_normal((width, width)), requires_grad=True)
            for _ in range(n_layers)
        ]
        self.biases = [
            tg.tensor(np.zeros(width), requires_grad=True) for _ in range(n_layers)
        ]

    def step(self, policy: str) -> list[Any]:
        """Run forward and backward; return the gradients."""
        kept: list[Any] = []
        keep = make_keep(policy, kept)
        a: Any = self.x
        for W, b in zip(self.weights, self.biases, strict=True):
            a = _layer(a, W, b, keep)
        J = tg.mean(a)
        gradients = tg.gradients(J, [*self.weights, *self.biases])
        kept.clear()
        return list(gradients)


def _layer(a: Any, W: Any, b: Any, keep: Keep) -> Any:
    # Handles die here; what lives on is what nodes keep.
    product = keep(a @ W, a, W)
    z = keep(product + b, product, b)
    return keep(tg.tanh(z), z)


def chain(policy: str, x: Any, n_ops: int) -> tuple[Any, list[Any]]:
    """Return the end of a chain of elementwise ops, and what the policy keeps."""
    kept: list[Any] = []
    keep = make_keep(policy, kept)
    for _ in range(n_ops // 4):
        x = keep(tg.tanh(x), x)
        x = keep(x * 1.02, x, 1.02)
        x = keep(x + 0.01, x, 0.01)
        x = keep(tg.sin(x), x)
    return x, kept


def traced_bytes(make: Callable[[], Any]) -> tuple[int, int]:
    """Return the bytes that a call leaves alive, and its peak."""
    clear_pool()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        result = make()
        alive, peak = tracemalloc.get_traced_memory()
        del result
    finally:
        tracemalloc.stop()
    return alive - before, peak - before


def report(*, smoke: bool) -> Iterator[str]:
    """Yield the tables."""
    layers, width, n = (3, 8, 16) if smoke else (N_LAYERS, WIDTH, N_EXAMPLES)
    length = 400 if smoke else CHAIN_LENGTH
    net = Net(layers, width, n)
    peaks = {p: traced_bytes(lambda p=p: net.step(p))[1] for p in POLICIES}  # type: ignore[misc]
    steps = {p: (lambda p=p: net.step(p)) for p in POLICIES}  # type: ignore[misc]
    seconds = quiet_seconds(steps, smoke=smoke)
    yield f"{layers} layers of {width}, {n} examples, float64: one gradient"
    rows = [[p, f"{peaks[p] / 2**20:.0f}", f"{1e3 * seconds[p]:.0f}"] for p in POLICIES]
    yield format_table(["policy", "peak, MiB", "time, ms"], rows)
    yield f"a chain of {length} elementwise ops: bytes a node, values included"
    yield format_table(
        ["policy", *[f"of {size}" for size in CHAIN_ENTRIES]],
        [
            [p, *[_bytes_a_node(p, size, length) for size in CHAIN_ENTRIES]]
            for p in POLICIES
        ],
    )


def _bytes_a_node(policy: str, size: int, length: int) -> str:
    x = tg.tensor(np.full(size, 0.5), requires_grad=True)
    alive, _ = traced_bytes(lambda: chain(policy, x, length))
    return f"{alive / length:.0f}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    return run("node_memory", argv, report)


if __name__ == "__main__":
    sys.exit(main())
