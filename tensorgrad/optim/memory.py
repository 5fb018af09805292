"""What the shell of an optimiser remembers: one state for each tree it steps."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tensorgrad._typing import Array, Tree
from tensorgrad.core.node import Node
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

    ``key`` is how the tree is recognised, ``witnesses`` the Tensors whose end means
    that the tree is gone; ``state`` a state that was set from outside, still unchecked.
    """

    key: Any
    witnesses: tuple[Tensor, ...]
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


class Known(NamedTuple):
    """A flat tree of Tensors that was stepped before, and gradients that fit it."""

    key: Any
    tensors: list[Tensor]
    slopes: list[Array]
    kept: Kept


class Memory:
    """States by tree; a state that was set waits for the next tree."""

    __slots__ = ("__weakref__", "_kept", "_latest", "_waiting", "_witnesses")

    def __init__(self) -> None:
        self._kept: dict[Any, Kept] = {}
        self._witnesses: dict[Any, list[weakref.ref[Tensor]]] = {}
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
        key, witnesses = _key(found, structure)
        if self._waiting is not None:
            return Entry(key, witnesses, self._waiting)
        kept = self._kept.get(key)
        if kept is None:
            return Entry(key, witnesses)
        return Entry(key, witnesses, None, *kept)

    def known(self, params: Tree, grads: Tree) -> Known | None:
        """Return a flat tree that needs no more checks, or None if it is not one.

        What was checked when the tree was new is not checked again: its keys, that no
        Tensor is there twice, and the state. The rest is compared here, by identity.
        """
        flat = None if self._waiting is not None else _flat(params, grads)
        if flat is None:
            return None
        keys, tensors, slopes = flat
        key = tuple(map(id, tensors))
        kept = self._kept.get(key)
        if kept is None or kept[2].keys != keys:
            return None
        if type(kept[2].template) is not type(params):
            return None
        for t, g in zip(tensors, slopes, strict=True):
            if not _fits(t, g):
                return None
        return Known(key, tensors, slopes, kept)

    def advance(self, known: Known, columns: list[list[Any]]) -> None:
        """Remember the slots of a known tree after one more update."""
        done, _, structure = known.kept
        self._kept[known.key] = (done + 1, columns, structure)
        self._latest = known.key

    def store(self, entry: Entry, kept: Kept) -> None:
        """Remember a tree's slots, for as long as its Tensors live."""
        key = entry.key
        if entry.witnesses and key not in self._witnesses:
            # The callback must not keep the memory alive, nor hold it in a cycle.
            memory = weakref.ref(self)

            def forget(_: Any) -> None:
                alive = memory()
                if alive is not None:
                    alive._kept.pop(key, None)
                    alive._witnesses.pop(key, None)

            # Of each Tensor: another one may get the identity of one that is gone.
            self._witnesses[key] = [weakref.ref(t, forget) for t in entry.witnesses]
        self._kept[key] = kept
        self._latest = key
        self._waiting = None


def _flat(params: Any, grads: Any) -> tuple[Any, list[Any], list[Any]] | None:
    """Return keys, parameters and gradients of two flat dicts or lists of one form."""
    kind = type(params)
    if kind is not type(grads):
        return None
    if kind is dict:
        keys = tuple(params)
        if keys == tuple(grads):
            return keys, list(params.values()), list(grads.values())
    elif kind is list and len(params) == len(grads):
        return tuple(range(len(params))), params, grads
    return None


def _fits(t: Any, g: Any) -> bool:
    """Tell whether a leaf can be moved along a gradient as they are."""
    if type(t) is not Tensor:
        return False
    value = t._value
    return (
        type(g) is np.ndarray
        and type(value) is np.ndarray
        and g.dtype is value.dtype
        and g.shape == value.shape
        and value.dtype.kind == "f"
        and type(t._node) is not Node
    )


def _key(found: list[Any], structure: Structure) -> tuple[Any, tuple[Tensor, ...]]:
    """Return how a tree is recognised, and the Tensors that it lives as long as."""
    tensors = tuple([leaf for leaf in found if isinstance(leaf, Tensor)])
    if tensors and len(tensors) == len(found):
        return tuple(map(id, tensors)), tensors
    looks = tuple((np.shape(leaf), np.result_type(leaf).str) for leaf in found)
    return (tuple(structure.paths()), looks), ()
