"""What the shell of an optimiser remembers: one state for each tree it steps."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorgrad.core.tensor import Tensor
from tensorgrad.tree import Structure, map_leaves

__all__ = ["Entry", "Memory", "copy_state"]


def copy_state(state: Any) -> Any:
    """Return a state whose arrays are its own.

    Examples
    --------
    >>> copy_state({"step": np.array(3)})
    {'step': array(3)}
    """
    return map_leaves(np.array, state)


@dataclass(frozen=True, slots=True)
class Entry:
    """The state of one tree, None before its first step.

    ``key`` is how the tree is recognised, ``witness`` the Tensor whose end means that
    the tree is gone.
    """

    key: Any
    witness: Tensor | None
    state: dict[str, Any] | None


class Memory:
    """States by tree; a state that was set waits for the next tree."""

    __slots__ = ("__weakref__", "_latest", "_states", "_waiting", "_witnesses")

    def __init__(self, waiting: dict[str, Any] | None = None) -> None:
        self._states: dict[Any, dict[str, Any]] = {}
        self._witnesses: dict[Any, weakref.ref[Tensor]] = {}
        self._latest: Any = None
        self._waiting = waiting

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy of an optimiser goes on from the same state, with other Tensors.
        current = self.current()
        return Memory, (None if current is None else copy_state(current),)

    def current(self) -> dict[str, Any] | None:
        """Return the state that waits, else that of the tree stepped last."""
        if self._waiting is not None:
            return self._waiting
        return self._states.get(self._latest)

    def preset(self, state: dict[str, Any] | None) -> None:
        """Let a state wait for the next step; None forgets every state."""
        self._waiting = state
        if state is None:
            self._states.clear()
            self._witnesses.clear()

    def entry(self, found: list[Any], structure: Structure) -> Entry:
        """Return what is remembered of a tree."""
        key, witness = _key(found, structure)
        state = self._states.get(key) if self._waiting is None else self._waiting
        return Entry(key, witness, state)

    def store(self, entry: Entry, state: dict[str, Any]) -> None:
        """Remember the state of a tree, for as long as its Tensors live."""
        key = entry.key
        if entry.witness is not None and key not in self._witnesses:
            # The callback must not keep the memory alive, nor hold it in a cycle.
            memory = weakref.ref(self)

            def forget(_: Any) -> None:
                alive = memory()
                if alive is not None:
                    alive._states.pop(key, None)
                    alive._witnesses.pop(key, None)

            self._witnesses[key] = weakref.ref(entry.witness, forget)
        self._states[key] = state
        self._latest = key
        self._waiting = None


def _key(found: list[Any], structure: Structure) -> tuple[Any, Tensor | None]:
    """Return how a tree is recognised, and a Tensor that lives as long as it does."""
    tensors = [leaf for leaf in found if isinstance(leaf, Tensor)]
    if tensors and len(tensors) == len(found):
        return tuple(id(t) for t in tensors), tensors[0]
    looks = tuple((np.shape(leaf), np.result_type(leaf).str) for leaf in found)
    return (tuple(structure.paths()), looks), None
