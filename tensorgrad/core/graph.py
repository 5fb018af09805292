"""Walks over the graph, without recursion: a chain of a million ops is an ordinary graph."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from tensorgrad.core.node import AnyNode

__all__ = ["ancestors", "on_a_path"]

_NUMBER = attrgetter("number")


def ancestors(roots: Iterable[AnyNode], oldest: int = 0) -> list[AnyNode]:
    """Return roots and all they were computed from, operands before results.

    Parameters
    ----------
    roots : iterable of nodes
    oldest : int
        Nodes with a smaller creation number are left out, and what is behind them:
        they can't lead to a node that is younger than they are.
    """
    found = list(dict.fromkeys(roots))
    seen = set(found)
    add = seen.add
    push = found.append
    # The list grows while it is read: each node is looked at once, without recursion.
    for node in found:
        for parent in node.parents:
            if parent is not None and parent not in seen and parent.number >= oldest:
                add(parent)
                push(parent)
    found.sort(key=_NUMBER)
    return found


def on_a_path(ordered: list[AnyNode], targets: Iterable[AnyNode]) -> set[AnyNode]:
    """Return those of the ordered nodes from which some target can be reached."""
    active = set(targets)
    add = active.add
    for node in ordered:
        for parent in node.parents:
            if parent in active:
                add(node)
                break
    return active
