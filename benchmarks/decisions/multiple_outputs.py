"""Where the number of an output lives, for ops with several outputs.

Three small engines that differ in this only: a chain of ops with one output, which is
what graphs are made of, and a chain in which every fourth op has three outputs.

``projection``  the op makes one node, and one more node for each output;
``index``       a handle is (node, number), and so is every edge and every adjoint;
``stacked``     the op returns one array with all outputs, and outputs are indexed from it.

Run it from the root of the repository with
``python -m benchmarks.decisions.multiple_outputs``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np

from benchmarks.decisions.figures import format_table, quiet_seconds, run

DESIGNS = ("projection", "index", "stacked")
CHAIN_LENGTH = 4000
ENTRIES = (3, 3000)


class Node:
    """An application of an op, for whichever engine."""

    __slots__ = ("number", "parents", "pull", "saved")

    pull: Callable[[Any, Any], Any]
    parents: tuple[Any, ...]
    saved: Any
    number: int


class Handle:
    """A value and its node; ``index`` is used by one engine only."""

    __slots__ = ("index", "node", "value")

    value: Any
    node: Any
    index: int


_next_number = count().__next__


def _node(
    pull: Callable[[Any, Any], Any], parents: tuple[Any, ...], saved: Any
) -> Node:
    node = Node()
    node.pull = pull
    node.parents = parents
    node.saved = saved
    node.number = _next_number()
    return node


def _handle(value: Any, node: Any) -> Handle:
    handle = Handle()
    handle.value = value
    handle.node = node
    return handle


def _pull_tanh(g: Any, saved: Any) -> Any:
    return g * (1 - saved * saved)


def _pull_split(shares: Any, saved: Any) -> Any:
    return np.concatenate([np.zeros(saved) if s is None else s for s in shares])


class _Projection:
    """Nodes with one result; a projection node for each output."""

    @staticmethod
    def leaf(value: Any) -> Handle:
        return _handle(value, _node(_pull_tanh, (), None))

    @staticmethod
    def tanh(x: Handle) -> Handle:
        out = np.tanh(x.value)
        return _handle(out, _node(_pull_tanh, (x.node,), out))

    @staticmethod
    def split(x: Handle) -> list[Handle]:
        parts = np.split(x.value, 3)
        node = _node(_pull_split, (x.node,), parts[0].shape)
        return [_handle(p, _node(_gather, (node,), k)) for k, p in enumerate(parts)]

    @staticmethod
    def join(parts: list[Handle]) -> Handle:
        out = np.concatenate([p.value for p in parts])
        return _handle(out, _node(_pull_join, tuple(p.node for p in parts), None))

    @staticmethod
    def sweep(end: Handle, nodes: list[Node]) -> Any:
        """Return the adjoint of the first node."""
        pending: dict[Any, Any] = {end.node: np.ones_like(end.value)}
        for node in reversed(nodes):
            g = pending.pop(node, None)
            if g is None or not node.parents:
                continue
            if node.pull is _gather:
                shares = pending.setdefault(node.parents[0], [None] * 3)
                shares[node.saved] = g
                continue
            share = node.pull(g, node.saved)
            if len(node.parents) == 1:
                _add(pending, node.parents[0], share)
            else:
                for parent, part in zip(node.parents, share, strict=True):
                    _add(pending, parent, part)
        return g


class _Index:
    """Every edge is (node, number of its output), and so is every adjoint's key."""

    @staticmethod
    def leaf(value: Any) -> Handle:
        return _Index._output(value, _node(_pull_tanh, (), None), 0)

    @staticmethod
    def _output(value: Any, node: Node, index: int) -> Handle:
        handle = Handle()
        handle.value = value
        handle.node = node
        handle.index = index
        return handle

    @staticmethod
    def tanh(x: Handle) -> Handle:
        out = np.tanh(x.value)
        return _Index._output(out, _node(_pull_tanh, ((x.node, x.index),), out), 0)

    @staticmethod
    def split(x: Handle) -> list[Handle]:
        parts = np.split(x.value, 3)
        node = _node(_pull_split, ((x.node, x.index),), parts[0].shape)
        return [_Index._output(p, node, k) for k, p in enumerate(parts)]

    @staticmethod
    def join(parts: list[Handle]) -> Handle:
        out = np.concatenate([p.value for p in parts])
        edges = tuple((p.node, p.index) for p in parts)
        return _Index._output(out, _node(_pull_join, edges, None), 0)

    @staticmethod
    def sweep(end: Handle, nodes: list[Node]) -> Any:
        """Return the adjoint of the first node."""
        pending: dict[Any, Any] = {(end.node, 0): np.ones_like(end.value)}
        for node in reversed(nodes):
            if node.pull is _pull_split:
                g: Any = [pending.pop((node, k), None) for k in range(3)]
            else:
                g = pending.pop((node, 0), None)
            if g is None or not node.parents:
                continue
            share = node.pull(g, node.saved)
            if len(node.parents) == 1:
                _add(pending, node.parents[0], share)
            else:
                for edge, part in zip(node.parents, share, strict=True):
                    _add(pending, edge, part)
        return g


class _Stacked(_Projection):
    """One stacked result; each output is an index into it, with a node of its own."""

    @staticmethod
    def split(x: Handle) -> list[Handle]:
        stacked = np.stack(np.split(x.value, 3))
        node = _node(_pull_stacked, (x.node,), None)
        shape = stacked.shape
        return [
            _handle(part, _node(_pull_item, (node,), (k, shape)))
            for k, part in enumerate(stacked)
        ]


def _gather(g: Any, saved: Any) -> Any:
    raise AssertionError  # the sweep itself does what a projection needs


def _pull_join(g: Any, saved: Any) -> Any:
    return np.split(g, 3)


def _pull_stacked(g: Any, saved: Any) -> Any:
    return g.reshape(-1)


def _pull_item(g: Any, saved: Any) -> Any:
    k, shape = saved
    full = np.zeros(shape)
    full[k] = g
    return full


def _add(pending: dict[Any, Any], key: Any, share: Any) -> None:
    before = pending.get(key)
    pending[key] = share if before is None else before + share


ENGINES: dict[str, Any] = {
    "projection": _Projection,
    "index": _Index,
    "stacked": _Stacked,
}


def gradient(engine: Any, x: Any, n_ops: int, *, splits: bool) -> Any:
    """Return the adjoint of the start of a chain."""
    t = engine.leaf(x)
    for i in range(n_ops):
        if splits and i % 4 == 3:
            t = engine.join(engine.split(t))
        else:
            t = engine.tanh(t)
    return engine.sweep(t, _sorted_nodes(t))


def _sorted_nodes(end: Handle) -> list[Node]:
    found = [end.node]
    seen = {end.node}
    for node in found:
        for edge in node.parents:
            parent = edge[0] if type(edge) is tuple else edge
            if parent not in seen:
                seen.add(parent)
                found.append(parent)
    return sorted(found, key=lambda node: node.number)


def report(*, smoke: bool) -> Iterator[str]:
    """Yield the tables."""
    n_ops = 40 if smoke else CHAIN_LENGTH
    for splits in (False, True):
        what = "every fourth op has three outputs" if splits else "one output each"
        yield f"microseconds an op, forward and backward, {what}"
        columns = [_times(size, n_ops, splits=splits, smoke=smoke) for size in ENTRIES]
        rows = [[d, *[f"{c[d] * 1e6 / n_ops:.2f}" for c in columns]] for d in DESIGNS]
        yield format_table(["design", *[f"{size} entries" for size in ENTRIES]], rows)


def _times(size: int, n_ops: int, *, splits: bool, smoke: bool) -> dict[str, float]:
    x = np.random.default_rng(0).uniform(-0.5, 0.5, size)
    expected = gradient(_Projection, x, n_ops, splits=splits)
    for engine in ENGINES.values():
        np.testing.assert_allclose(gradient(engine, x, n_ops, splits=splits), expected)

    def step(engine: Any) -> Callable[[], Any]:
        return lambda: gradient(engine, x, n_ops, splits=splits)

    return quiet_seconds(
        {name: step(engine) for name, engine in ENGINES.items()}, smoke=smoke
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    return run("multiple_outputs", argv, report)


if __name__ == "__main__":
    sys.exit(main())
