"""Trees: nested tuples, lists, dicts and modules, with arrays or Tensors as leaves.

A class joins by two methods: ``tree_children()`` returns a dict from name to child,
``tree_rebuild(children)`` a new object of the same structure. A path is the keys from
the root to a leaf joined by ``.``, list indices in decimal: ``layers.0.W``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from tensorgrad._typing import Array, Tree
from tensorgrad.core.modes import switch
from tensorgrad.core.node import Node
from tensorgrad.core.tensor import StaleTensor, Tensor, stale, wrap
from tensorgrad.core.views import rebind
from tensorgrad.errors import ArgumentError, ShapeError, explain

__all__ = [
    "PathDict",
    "Structure",
    "assign",
    "assign_leaves",
    "flatten",
    "leaves",
    "map_leaves",
    "paths",
    "unflatten",
]


class PathDict(dict[str, Any]):
    """A dict from paths to leaves: what is left of a tree when it is laid out flat.

    Its keys may contain dots, unlike those of other dicts in a tree, so that it has the
    paths of the tree that it was made from: an optimiser takes the gradients of either.

    Examples
    --------
    >>> paths(PathDict({"layers.0.W": 1.0, "layers.0.b": 2.0}))
    ['layers.0.W', 'layers.0.b']
    """

    __slots__ = ()


class Structure:
    """The shape of a tree without its leaves; equal for trees that fit each other.

    Examples
    --------
    >>> leaves, structure = flatten({"W": [np.ones(2), np.ones(3)], "b": 0.5})
    >>> list(structure.paths())
    ['W.0', 'W.1', 'b']
    >>> structure == flatten({"W": [0.0, 0.0], "b": 0.0})[1]
    True
    """

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

    @property
    def n_leaves(self) -> int:
        """Number of leaves."""
        if self.template is LEAF:
            return 1
        return sum(child.n_leaves for child in self.children)

    def paths(self, prefix: str = "") -> Iterator[str]:
        """Yield the paths of the leaves, in tree order."""
        if self.template is LEAF:
            yield prefix
            return
        for key, child in zip(self.keys, self.children, strict=True):
            yield from child.paths(f"{prefix}.{key}" if prefix else str(key))


LEAF = object()
_LEAF_STRUCTURE = Structure(LEAF, (), ())


def _kind(template: Any) -> Any:
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
    if type(tree) is Tensor or type(tree) is np.ndarray:  # most nodes are leaves
        found.append(tree)
        return _LEAF_STRUCTURE
    parts = _split(tree)
    if parts is None:
        found.append(tree)
        return _LEAF_STRUCTURE
    keys, children = parts
    if isinstance(tree, dict) and not isinstance(tree, PathDict):
        for key in keys:
            _check_key(key)
    return Structure(tree, keys, tuple([_flatten(child, found) for child in children]))


def _check_key(key: Any) -> None:
    if "." in (key if type(key) is str else str(key)):
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
    return _assembled(structure, children)


def _assembled(structure: Structure, children: list[Tree]) -> Tree:
    """Return an inner node of the structure with these children."""
    template = structure.template
    if isinstance(template, dict):
        rebuilt = dict(zip(structure.keys, children, strict=True))
        if type(template) is dict:
            return rebuilt
        # A copy, since classes of dicts differ in what they are made from.
        duplicate = copy.copy(template)
        duplicate.clear()
        duplicate.update(rebuilt)
        return duplicate
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


def assign(t: Tensor, value: Array) -> None:
    """Give a leaf Tensor another value of its shape and dtype; it stays the same leaf.

    Parameters
    ----------
    t : Tensor
        A parameter, an input or a constant; views of it become stale.
    value : ndarray, shape and dtype of ``t``
        Kept, not copied: nobody may write to it afterwards.

    Raises
    ------
    ArgumentError
        If ``t`` is the result of an op: its value is what the op made.
    ShapeError
        If shape or dtype differ.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> assign(w, np.array([3.0, 4.0]))
    >>> w
    tensor([3., 4.], requires_grad=True)
    """
    if not _is_assignable(t, value):
        _refuse(t, value, "")
    set_value(t, value)


def set_value(t: Tensor, value: Array) -> None:
    """Assign what is known to fit."""
    if hasattr(t, "_alias"):  # views of it have to become stale
        with switch(record=False):
            rebind(t, wrap(value, None))
    else:
        t._value = value


def _is_assignable(t: Tensor, value: Array) -> bool:
    old = t._value
    return (
        not isinstance(t._node, Node)
        and type(t) is Tensor
        and value.shape == old.shape
        and value.dtype == old.dtype
    )


def _refuse(t: Tensor, value: Array, path: str) -> NoReturn:
    if type(t) is StaleTensor:
        raise stale(t)
    name = path or t.name or "a Tensor"
    if isinstance(t._node, Node):
        raise ArgumentError(
            explain(
                "giving a Tensor a new value",
                f"{name} is the result of {t._node.op.name}",
                "a leaf",
                "Pass the parameters, not what was computed from them",
            )
        )
    raise ShapeError(
        explain(
            "giving a Tensor a new value",
            f"{name} has shape {t.shape} and dtype {t.dtype}, its new value "
            f"{value.shape} and {value.dtype}",
            "the same shape and dtype",
            "Convert the value with .astype and .reshape",
        )
    )


def assign_leaves(
    tree: Tree, values: Iterable[Any], parts: tuple[list[Any], Structure] | None = None
) -> Tree:
    """Return the tree with new leaves, its Tensors and modules being the old objects.

    Parameters
    ----------
    tree : tree
    values : iterable, one value a leaf in tree order
        A Tensor leaf is assigned an array; any other leaf is replaced.
    parts : (leaves, Structure), optional
        What `flatten` returns for the tree, if it is known already.

    Returns
    -------
    The tree itself, if all its leaves are Tensors; else one whose containers are new
    wherever a leaf in them is replaced

    Raises
    ------
    ArgumentError, ShapeError
        As `assign`; then no Tensor has been changed.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tree = {"w": tg.tensor([1.0]), "b": 0.0}
    >>> new = assign_leaves(tree, [np.array([2.0]), 5.0])
    >>> new["w"] is tree["w"], new["b"]
    (True, 5.0)
    """
    found, structure = flatten(tree) if parts is None else parts
    new = list(values)
    tensors = [
        (i, leaf, value)
        for i, (leaf, value) in enumerate(zip(found, new, strict=True))
        if isinstance(leaf, Tensor)
    ]
    for i, leaf, value in tensors:
        if not _is_assignable(leaf, value):
            _refuse(leaf, value, list(structure.paths())[i])
    for i, leaf, value in tensors:
        set_value(leaf, value)
        new[i] = leaf
    if len(tensors) == len(found):
        return tree
    return _replaced(structure, iter(found), iter(new))


def _replaced(structure: Structure, old: Iterator[Any], new: Iterator[Any]) -> Tree:
    """Unflatten, but keep every part of which all leaves are kept."""
    before = [next(old) for _ in range(structure.n_leaves)]
    after = [next(new) for _ in range(structure.n_leaves)]
    if all(a is b for a, b in zip(before, after, strict=True)):
        return before[0] if structure.template is LEAF else structure.template
    if structure.template is LEAF:
        return after[0]
    rows = iter(before), iter(after)
    children = [_replaced(child, *rows) for child in structure.children]
    return _assembled(structure, children)
