"""What the short cuts of the hot path save.

Making a node by ``__init__`` or by filling its slots; keeping it as other kinds of
record; an op through its short cut or through the general way.

Run it from the root of the repository with ``python -m benchmarks.decisions.hot_path``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import tensorgrad as tg
from benchmarks.decisions.figures import format_table, quiet_seconds, run
from tensorgrad.core.bind import bind
from tensorgrad.core.node import Node, next_number

INNER = 2000
SIZES = (1, 10, 1000)


class WithInit:
    """The node with an ``__init__``."""

    __slots__ = ("extra", "number", "op", "parents", "saved")

    def __init__(
        self, op: Any, parents: Any, saved: Any, extra: Any, number: int
    ) -> None:
        self.op = op
        self.parents = parents
        self.saved = saved
        self.extra = extra
        self.number = number


class AsTuple(NamedTuple):
    """The node as a named tuple."""

    op: Any
    parents: Any
    saved: Any
    extra: Any
    number: int


@dataclass(frozen=True, slots=True)
class AsFrozen:
    """The node as a frozen dataclass."""

    op: Any
    parents: Any
    saved: Any
    extra: Any
    number: int


def makers(n_times: int) -> dict[str, Callable[[], None]]:
    """Return functions that make the same node in different ways, many times."""
    op = tg.tanh.op  # type: ignore[attr-defined]  # a fact that the stub leaves out
    parents, saved = (None,), np.ones(1)

    def in_place() -> None:
        for _ in range(n_times):
            node = Node()
            node.op = op
            node.parents = parents
            node.saved = saved
            node.extra = None
            node.number = next_number()

    def by_call(record: Callable[..., Any]) -> Callable[[], None]:
        def make() -> None:
            for _ in range(n_times):
                record(op, parents, saved, None, next_number())

        return make

    return {
        "slots filled in place": in_place,
        "`__init__`": by_call(WithInit),
        "named tuple": by_call(AsTuple),
        "frozen dataclass": by_call(AsFrozen),
    }


def applications(size: int, n_times: int) -> dict[str, Callable[[], None]]:
    """Return functions that apply ops to Tensors of one size, many times."""
    x = tg.tensor(np.full(size, 0.5), requires_grad=True)
    array = np.full(size, 0.5)
    tanh, multiply = tg.tanh.op, tg.multiply.op  # type: ignore[attr-defined]

    def numpy_tanh() -> None:
        for _ in range(n_times):
            np.tanh(array)

    def short_tanh() -> None:
        for _ in range(n_times):
            tg.tanh(x)

    def general_tanh() -> None:
        for _ in range(n_times):
            bind(tanh, (x,), {})

    def numpy_multiply() -> None:
        for _ in range(n_times):
            array * array

    def short_multiply() -> None:
        for _ in range(n_times):
            x * x

    def general_multiply() -> None:
        for _ in range(n_times):
            bind(multiply, (x, x), {})

    return {
        "np.tanh": numpy_tanh,
        "tanh, short cut": short_tanh,
        "tanh, general way": general_tanh,
        "np.multiply": numpy_multiply,
        "multiply, short cut": short_multiply,
        "multiply, general way": general_multiply,
    }


def report(*, smoke: bool) -> Iterator[str]:
    """Yield the tables."""
    n_times = 2 if smoke else INNER
    seconds = quiet_seconds(makers(n_times), smoke=smoke)
    yield "nanoseconds for making a node"
    yield format_table(
        ["how", "ns"],
        [[name, f"{1e9 * s / n_times:.0f}"] for name, s in seconds.items()],
    )
    columns = [
        quiet_seconds(applications(size, n_times), smoke=smoke) for size in SIZES
    ]
    yield "nanoseconds for an op of the forward pass"
    rows = [
        [name, *[f"{1e9 * column[name] / n_times:.0f}" for column in columns]]
        for name in columns[0]
    ]
    yield format_table(["op", *[f"arrays of {size}" for size in SIZES]], rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    return run("hot_path", argv, report)


if __name__ == "__main__":
    sys.exit(main())
