"""Trees: nested tuples, lists, dicts and modules, with arrays or Tensors as leaves.

A class joins by two methods: ``tree_children()`` returns a dict from name to child,
``tree_rebuild(children)`` a new object of the same structure. A path is the keys from
the root to a leaf joined by ``.``, list indices in decimal: ``layers.0.W``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from tensorgrad._typing import Tree
from tensorgrad.core.tensor import Tensor
from tensorgrad.errors import ArgumentError, explain

__all__ = ["Structure", "flatten", "leaves", "map_leaves", "paths", "unflatten"]


class Structure:
    """The shape of a tree without its leaves; equal for trees that fit each other."""

    __slots__ = ("children", "keys", "template")

    def __init__(
        self, template: Any, keys: tuple[Any, ...], children: tuple[Structure, ...]
    ) -> None:
        self.template = template
        self.keys = keys
        self.children = children

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Structure)
            and _kind(self.template) == _kind(other.template)
            and self.keys == other.keys
            and self.children == other.children
        )

    def __hash__(self) -> int:
        return hash((_kind(self.template), self.keys))

    def __repr__(self) -> str:
        return f"Structure({list(self.paths()) or 'leaf'})"

    def paths(self, prefix: str = "") -> Iterator[str]:
        """Yield the paths of the leaves, in tree order."""
        if self.template is LEAF:
            yield prefix
            return
        for key, child in zip(self.keys, self.children, strict=True):
            yield from child.paths(f"{prefix}.{key}" if prefix else str(key))


LEAF = object()
_LEAF_STRUCTURE = Structure(LEAF, (), ())
_NodeKind: TypeAlias = Any


def _kind(template: Any) -> _NodeKind:
    return template if template is LEAF or template is None else type(template)


def _split(tree: Tree) -> tuple[tuple[Any, ...], tuple[Any, ...]] | None:
    """Return keys and children of an inner node, or None for a leaf."""
    if isinstance(tree, (Tensor, np.ndarray)):
        return None
    if isinstance(tree, dict):
        return tuple(tree), tuple(tree.values())
    if isinstance(tree, (list, tuple)):
        return tuple(range(len(tree))), tuple(tree)
    if tree is None:
        return (), ()
    if hasattr(tree, "tree_children"):
        children = tree.tree_children()
        return tuple(children), tuple(children.values())
    return None


def flatten(tree: Tree) -> tuple[list[Any], Structure]:
    """Return the leaves in tree order, and the structure that puts them back.

    Parameters
    ----------
    tree : nested tuples, lists, dicts and modules
        Anything else is a leaf; None is a node without leaves.

    Raises
    ------
    ArgumentError
        If a dict key contains a dot, since paths would be ambiguous.

    Examples
    --------
    >>> found, structure = flatten({"w": {1: 2.0}, "b": [3.0, 4.0]})
    >>> found
    [2.0, 3.0, 4.0]
    >>> unflatten(structure, [1, 2, 3])
    {'w': {1: 1}, 'b': [2, 3]}
    """
    found: list[Any] = []
    return found, _flatten(tree, found)


def _flatten(tree: Tree, found: list[Any]) -> Structure:
    parts = _split(tree)
    if parts is None:
        found.append(tree)
        return _LEAF_STRUCTURE
    keys, children = parts
    if isinstance(tree, dict):
        for key in keys:
            _check_key(key)
    return Structure(tree, keys, tuple(_flatten(child, found) for child in children))


def _check_key(key: Any) -> None:
    if "." in str(key):
        raise ArgumentError(
            explain(
                "naming the leaves of a tree",
                f"the dict key {key!r}",
                "keys without a dot, which separates the parts of a path",
                "Rename the key, for example with an underscore",
            )
        )


def unflatten(structure: Structure, found: Iterable[Any]) -> Tree:
    """Put leaves back into a structure; as many as it has.

    Examples
    --------
    >>> _, structure = flatten((1, [2, 3]))
    >>> unflatten(structure, "abc")
    ('a', ['b', 'c'])
    """
    return _unflatten(structure, iter(found))


def _unflatten(structure: Structure, found: Iterator[Any]) -> Tree:
    template = structure.template
    if template is LEAF:
        return next(found)
    if template is None:
        return None
    children = [_unflatten(child, found) for child in structure.children]
    if isinstance(template, dict):
        rebuilt = dict(zip(structure.keys, children, strict=True))
        return rebuilt if type(template) is dict else type(template)(rebuilt)
    if isinstance(template, list):
        return children
    if isinstance(template, tuple):
        is_named = hasattr(template, "_fields")
        return type(template)(*children) if is_named else tuple(children)
    return template.tree_rebuild(dict(zip(structure.keys, children, strict=True)))


def leaves(tree: Tree) -> list[Any]:
    """Return the leaves in tree order.

    Examples
    --------
    >>> leaves([1, (2, {"a": 3})])
    [1, 2, 3]
    """
    return flatten(tree)[0]


def paths(tree: Tree) -> list[str]:
    """Return the path of each leaf, in tree order.

    Examples
    --------
    >>> paths({"w": [1, 2], "b": 3})
    ['w.0', 'w.1', 'b']
    """
    return list(flatten(tree)[1].paths())


def map_leaves(function: Callable[..., Any], tree: Tree, *others: Tree) -> Tree:
    """Apply a function to the leaves of trees of one structure.

    Raises
    ------
    ArgumentError
        If a further tree differs in structure; the message names the first path that
        differs.

    Examples
    --------
    >>> map_leaves(lambda a, b: a + b, {"w": 1, "b": 2}, {"w": 10, "b": 20})
    {'w': 11, 'b': 22}
    """
    found, structure = flatten(tree)
    columns = [found]
    for other in others:
        more, its_structure = flatten(other)
        check_same_paths(structure, its_structure, "combining trees")
        columns.append(more)
    return unflatten(structure, [function(*row) for row in zip(*columns, strict=True)])


def check_same_paths(first: Structure, second: Structure, action: str) -> None:
    """Raise ArgumentError naming the paths in which two structures differ.

    Only paths count: a module and the dict of its gradients fit each other.
    """
    one: Sequence[str] = list(first.paths())
    two: Sequence[str] = list(second.paths())
    if one == two:
        return
    missing = [p for p in one if p not in set(two)]
    extra = [p for p in two if p not in set(one)]
    raise ArgumentError(
        explain(
            action,
            f"trees that differ (missing: {missing[:3]}, unexpected: {extra[:3]})",
            f"the same {len(one)} paths in the same order",
            "Compare tg.tree.paths of both",
        )
    )
