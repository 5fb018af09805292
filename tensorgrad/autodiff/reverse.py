"""Reverse mode: from one output's cotangent to the adjoints of any nodes of its graph.

Theory
------
A node's number is larger than its parents'. Going through the reachable nodes from
the largest number down, every contribution to a node has arrived when its turn comes:
its adjoint is complete and can be passed on (this is the δ-recursion of the notes,
section 2.1, for an arbitrary graph).

Only nodes on a path to a target are visited, and nothing older than the oldest target:
the adjoint of the data is not computed unless somebody asks for it. An adjoint is
dropped as soon as it has been passed on. The second contribution to a node makes an
array that belongs to the sweep; further ones are added in place.

With ``create_graph`` the same rules run on Tensors restored from what the nodes saved,
so the adjoints are results of recorded ops, and can be differentiated again.

Large cotangents are wrapped as Tensors outside any graph: the operators inside a rule
are then ours, and write into reused memory (core/pool.py).

Losses from logits (docs/decisions/losses.md) have an operand that is for show: `a` of
``log_loss(a, y)`` when ``a = sigmoid(z)``. The sweep passes ``(a - y)/n`` straight to z.
If `a`, or a reshaped or indexed form of it, is itself a target, it gets ∂J/∂a by the
plain formula, which is reported and not passed on: z would otherwise count it twice.

What `where` and its kin discard has a cotangent of exactly zero, and 0 · inf on the way
back would make it NaN. Ops with a singular partial see to that always; a product and
the other pointwise ops do in a second, careful run, which is made only if the first one
ends in a NaN and something was discarded. In debug mode the first run is careful then.

Doubt: contributions are added in the order in which the nodes come, so a program that
builds the same graph in another order may differ in the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from operator import attrgetter
from typing import Any

import numpy as np

from tensorgrad.autodiff.rules import fit, pullback, restore, short_pulls, without_grad
from tensorgrad.core.aval import Aval
from tensorgrad.core.graph import ancestors, on_a_path
from tensorgrad.core.lanes import Lanes
from tensorgrad.core.modes import MODE, recording
from tensorgrad.core.node import AnyNode, Extra, Leaf, Node
from tensorgrad.core.op import Op
from tensorgrad.core.pool import POOL_BYTES
from tensorgrad.core.tensor import Tensor, wrap
from tensorgrad.errors import GraphError, TensorgradError, explain

__all__ = ["sweep"]


def sweep(
    root: AnyNode,
    seed: Any,
    targets: Sequence[AnyNode],
    *,
    create_graph: bool,
    record: bool | None = None,
    oldest: int | None = None,
) -> dict[AnyNode, Any]:
    """Return the adjoints of the targets that the root depends on.

    Parameters
    ----------
    root : node of the output
    seed : ndarray or Tensor, shape of the output
        The output's cotangent.
    targets : sequence of nodes
    create_graph : bool
        Record the sweep, so that the adjoints are Tensors.
    record : bool, optional
        Whether the mode records, ``create_graph`` by default: without, Tensors go
        through the rules and no graph is made, as lanes do.
    oldest : int, optional
        Number of the oldest node to go through: older targets get what arrives there,
        and do not pass it on.

    Returns
    -------
    dict
        From target to adjoint; a target without a path has no key, one whose only
        paths have zero derivative has None.
    """
    wanted = set(targets)
    if oldest is None:
        order = ancestors((root,), min([node.number for node in wanted]))
        reached = wanted.intersection(order)
    else:
        order = ancestors((root,), oldest)
        reached = wanted.intersection(
            [*order, *[parent for node in order for parent in node.parents]]
        )
    if not reached:
        return {}
    # Set and reset by hand: a context manager costs as much as a small op.
    is_recorded = create_graph if record is None else record
    token = MODE.set(recording(MODE.get(), record=is_recorded))
    try:
        with np.errstate(all="ignore"):
            found = _run(order, root, seed, reached, create_graph=create_graph)
    finally:
        MODE.reset(token)
    if len(found) < len(reached):
        return {node: found.get(node) for node in reached}
    return found


_OP = attrgetter("op")


def _discards(order: Sequence[AnyNode]) -> bool:
    """Tell whether entries are discarded, in the graph or in a derivative's."""
    ops = set(map(_OP, order))  # nodes are many, ops are few
    ops.discard(None)
    return any(op.discards or op.kind == "Select" for op in ops)


def _has_nan(found: dict[AnyNode, Any]) -> bool:
    for adjoint in found.values():
        value = adjoint._value if type(adjoint) is Tensor else adjoint
        value = value.array if type(value) is Lanes else value
        # One pass, no temporary: a NaN anywhere shows in the sum.
        if type(value) is np.ndarray and isnan(abs(np.add.reduce(value, axis=None))):
            return True
    return False


# size: one loop, written out: what it calls for each node is what a step costs.
def _run(
    order: list[AnyNode],
    root: AnyNode,
    seed: Any,
    reached: set[AnyNode],
    *,
    create_graph: bool,
    is_careful: bool = False,
) -> dict[AnyNode, Any]:
    active = on_a_path(order, reached)
    state = Adjoints(reached)
    pending, owned, results = state.pending, state.owned, state.results
    pending[root] = seed
    is_debug = MODE.get().debug
    # Whether a NaN comes out is not known beforehand of values that are not there.
    is_blind = type(seed) is Tensor and type(seed._value) is Aval
    is_careful = is_careful or ((is_debug or is_blind) and _discards(order))
    is_plain = not (create_graph or is_debug or is_careful)
    pulls_of: dict[Op, tuple[Any, ...]] = {}
    for node in reversed(order):
        g = pending.pop(node, None)
        if g is None:
            continue
        if node in reached:
            results[node] = g
            if owned:  # it is handed out: no longer ours to add to
                owned.discard(node)
        if type(node) is Leaf:
            continue
        op = node.op
        pulls = pulls_of.get(op)
        if pulls is None:
            pulls = short_pulls(op) if is_plain else ()
            if not op.report_only:
                pulls_of[op] = pulls
            elif state.may_report(node):
                pulls = ()
        # The short way, for what fills most graphs: small arrays, an ordinary op.
        if not pulls or g.nbytes >= POOL_BYTES:
            _pass_on(
                node,
                g,
                active,
                state,
                create_graph=create_graph,
                debug=is_debug,
                is_careful=is_careful,
            )
            continue
        extra = node.extra
        avals = None
        if extra is not None:
            avals = extra.avals
            for guard in extra.guards:
                guard.check()
        saved = node.saved
        parents = node.parents
        try:
            for i in range(len(parents)):
                parent = parents[i]
                if parent in active and (pull := pulls[i]) is not None:
                    share = pull(g, saved, extra)
                    if avals is not None and (like := avals[i]) is not None:
                        share = fit(share, like)
                    if parent in pending:
                        state.add(parent, share)
                    else:
                        pending[parent] = share
        except TensorgradError:
            raise
        except Exception as error:
            raise _rule_error(node, error) from error
    if pending:  # targets that are older than what the sweep goes through
        results.update((node, pending[node]) for node in reached if node in pending)
    for node, report in state.reports.items():
        results[node] = results[node] + report if node in results else report
    if is_careful or not (_discards(order) and _has_nan(results)):
        return results
    return _run(order, root, seed, reached, create_graph=create_graph, is_careful=True)


class Adjoints:
    """What a sweep has in hand: adjoints not yet passed on, and results."""

    __slots__ = ("owned", "pending", "reached", "reports", "results")

    def __init__(self, reached: set[AnyNode]) -> None:
        self.pending: dict[AnyNode, Any] = {}
        self.results: dict[AnyNode, Any] = {}
        self.reports: dict[AnyNode, Any] = {}
        self.owned: set[AnyNode] = set()
        self.reached = reached

    def may_report(self, node: Node) -> bool:
        """Tell whether some target may be between a loss and its logits."""
        reached = self.reached
        # Written out: a generator costs as much as a rule.
        for target in reached:
            if type(target) is Node:
                return True
        for i in node.op.report_only:  # noqa: SIM110
            if node.parents[i] in reached:
                return True
        return False

    def add(self, node: AnyNode, share: Any) -> None:
        """Add a contribution to the adjoint of a node."""
        pending = self.pending
        before = pending.get(node)
        if before is None:
            pending[node] = share
        elif node in self.owned and before.dtype is share.dtype:
            np.add(before, share, out=before)
        else:
            total = before + share
            pending[node] = total
            if type(total) is np.ndarray:
                self.owned.add(node)


def _pass_on(
    node: Node,
    g: Any,
    active: set[AnyNode],
    state: Adjoints,
    *,
    create_graph: bool,
    debug: bool,
    is_careful: bool,
) -> None:
    """Pass an adjoint on the long way, which handles everything."""
    op = node.op
    extra = node.extra
    if op.kind == "Zero":
        return
    if op.is_projection:
        _gather(node, g, state)
        return
    _check_guards(extra)
    is_plain = not (create_graph or debug or is_careful)
    if is_plain and _shared_at_once(node, g, active, state):
        return
    g, saved = _prepared(node, g, create_graph=create_graph)
    avals = None if extra is None else extra.avals
    for i, parent in enumerate(node.parents):
        if parent not in active:
            continue
        if i in op.report_only:
            _report(node, i, g, saved, state)
            continue
        pull = pullback(op, i, is_careful=is_careful)
        if pull is None:
            continue
        try:
            # `i` tells the one rule of a variadic op which operand it is asked for.
            share = (
                pull(g, saved, extra, i) if op.is_variadic else pull(g, saved, extra)
            )
            if avals is not None and (like := avals[i]) is not None:
                share = fit(share, like)
        except TensorgradError:
            raise
        except Exception as error:
            raise _rule_error(node, error) from error
        if debug:
            _check_finite(node, g, share)
        state.add(parent, _unwrapped(share) if not create_graph else share)


def _shared_at_once(node: Node, g: Any, active: set[AnyNode], state: Adjoints) -> bool:
    """Pass on a large adjoint by the op's own way to form a share in one buffer."""
    saved = node.saved
    is_fit = (
        node.op.large_share is not None
        and type(g) is np.ndarray
        and g.nbytes >= POOL_BYTES
        and g.dtype is saved.dtype
        and g.shape == saved.shape
        and g.flags.c_contiguous
        and saved.flags.c_contiguous
    )
    (parent, *_) = node.parents
    if is_fit and parent in active:
        state.add(parent, node.op.large_share(g, saved))
    return is_fit


def _check_guards(extra: Extra | None) -> None:
    if extra is not None:
        for guard in extra.guards:
            guard.check()


def _prepared(node: Node, g: Any, *, create_graph: bool) -> tuple[Any, Any]:
    """Return cotangent and saved values as the rules get them.

    Tensors linked to the graph if the sweep is recorded, Tensors without one if they
    are large, since ops on those reuse memory, and plain arrays otherwise.
    """
    if create_graph:
        return g, restore(node)
    if type(g) is np.ndarray and g.nbytes >= POOL_BYTES:
        return wrap(g, None), without_grad(node)
    return g, node.saved


def _unwrapped(share: Any) -> Any:
    return share._value if type(share) is Tensor else share


def _gather(node: Node, g: Any, state: Adjoints) -> None:
    """Put the cotangent of one output into its place in the list for all outputs."""
    (parent,) = node.parents
    assert parent is not None
    assert node.extra is not None
    static: Any = node.extra.static
    shares = state.pending.get(parent)
    if shares is None:
        shares = state.pending[parent] = [None] * static["count"]
    k = static["index"]
    shares[k] = g if shares[k] is None else shares[k] + g


def _report(node: Node, i: int, g: Any, saved: Any, state: Adjoints) -> None:
    """Give targets between a loss and its logits the plain ∂J/∂a, and nobody else."""
    if not state.may_report(node):
        return
    at: AnyNode | None = node.parents[i]
    line = []
    while at is not None:
        line.append(at)
        is_layout = type(at) is Node and at.op.is_layout
        at = at.parents[0] if is_layout else None
    last = max((k for k, n in enumerate(line) if n in state.reached), default=-1)
    if last < 0:
        return
    share = pullback(node.op, i)(g, saved, node.extra)  # type: ignore[misc]
    for k, at in enumerate(line[: last + 1]):
        if at in state.reached:
            before = state.reports.get(at)
            state.reports[at] = share if before is None else before + share
        if k < last:
            pull = pullback(at.op, 0)
            share = pull(share, at.saved, at.extra)  # type: ignore[misc]


def _rule_error(node: Node, error: Exception) -> GraphError:
    line = None if node.extra is None else node.extra.line
    return GraphError(
        explain(
            f"gradient of {node.op.name}",
            f"{type(error).__name__}: {error}",
            "a rule that runs on what the node saved",
            f"The node was made at {line}"
            if line
            else "Run inside tg.debug() to learn which line made the node",
        )
    )


def _check_finite(node: Node, g: Any, share: Any) -> None:
    given = g._value if isinstance(g, Tensor) else g
    value = share._value if isinstance(share, Tensor) else share
    # Several at once, and what is abstract, are looked at where they arrive.
    several = (Aval, list, tuple)
    if isinstance(given, several) or isinstance(value, several):
        return
    if np.isnan(value).any() and not np.isnan(given).any():
        where = node.extra.line if node.extra is not None else None
        raise GraphError(
            explain(
                f"gradient of {node.op.name}",
                f"a NaN that was not in its cotangent (made at {where})",
                "finite derivatives on every branch",
                "Make the unused branch harmless: tg.where(ok, x, 1) before the function, "
                "and tg.where(ok, f, 0) after it",
            )
        )
