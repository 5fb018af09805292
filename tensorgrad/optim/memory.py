"""What the shell of an optimiser remembers: one state for each tree it steps."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from tensorgrad.core.tensor import Tensor
from tensorgrad.tree import Structure, map_leaves

__all__ = ["Entry", "Memory", "copy_state"]


def copy_state(state: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a state whose arrays are its own.

    Examples
    --------
    >>> copy_state({"step": np.array(3)})
    {'step': array(3)}
    """
    copied: dict[str, Any] | None = map_leaves(np.array, state)
    return copied


@dataclass(frozen=True, slots=True)
class Entry:
    """What is remembered of one tree.

    ``key`` is how the tree is recognised, ``witness`` the Tensor whose end means that
    the tree is gone; ``state`` a state that was set from outside, still unchecked.
    """

    key: Any
    witness: Tensor | None
    state: dict[str, Any] | None = None
    done: int = 0
    columns: list[list[Any]] = field(default_factory=list)
    structure: Structure | None = None

    @property
    def is_new(self) -> bool:
        """Whether the tree is not known yet, or its state is still unchecked."""
        return self.structure is None


Kept: TypeAlias = tuple[int, list[list[Any]], Structure]
"""Number of updates, slots of each leaf, and the structure that orders them."""


class Memory:
    """States by tree; a state that was set waits for the next tree."""

    __slots__ = ("__weakref__", "_kept", "_latest", "_waiting", "_witnesses")

    def __init__(self) -> None:
        self._kept: dict[Any, Kept] = {}
        self._witnesses: dict[Any, weakref.ref[Tensor]] = {}
        self._latest: Any = None
        self._waiting: dict[str, Any] | None = None

    def current(self) -> dict[str, Any] | Kept | None:
        """Return the state that waits, else what is kept of the tree stepped last."""
        if self._waiting is not None:
            return self._waiting
        return self._kept.get(self._latest)

    def preset(self, state: dict[str, Any] | None) -> None:
        """Let a state wait for the next step; None forgets every state."""
        self._waiting = state
        if state is None:
            self._kept.clear()
            self._witnesses.clear()

    def entry(self, found: list[Any], structure: Structure) -> Entry:
        """Return what is remembered of a tree."""
        key, witness = _key(found, structure)
        if self._waiting is not None:
            return Entry(key, witness, self._waiting)
        kept = self._kept.get(key)
        if kept is None:
            return Entry(key, witness)
        return Entry(key, witness, None, *kept)

    def store(self, entry: Entry, kept: Kept) -> None:
        """Remember a tree's slots, for as long as its Tensors live."""
        key = entry.key
        if entry.witness is not None and key not in self._witnesses:
            # The callback must not keep the memory alive, nor hold it in a cycle.
            memory = weakref.ref(self)

            def forget(_: Any) -> None:
                alive = memory()
                if alive is not None:
                    alive._kept.pop(key, None)
                    alive._witnesses.pop(key, None)

            self._witnesses[key] = weakref.ref(entry.witness, forget)
        self._kept[key] = kept
        self._latest = key
        self._waiting = None


def _key(found: list[Any], structure: Structure) -> tuple[Any, Tensor | None]:
    """Return how a tree is recognised, and a Tensor that lives as long as it does."""
    tensors = [leaf for leaf in found if isinstance(leaf, Tensor)]
    if tensors and len(tensors) == len(found):
        return tuple(id(t) for t in tensors), tensors[0]
    looks = tuple((np.shape(leaf), np.result_type(leaf).str) for leaf in found)
    return (tuple(structure.paths()), looks), None
