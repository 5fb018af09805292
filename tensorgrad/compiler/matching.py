"""Quick ways in and out: arguments to arrays, and results to a tree.

A call of a small program costs less than walking through its arguments. For plain
containers of arrays a function is printed that takes them apart with one test for each,
and answers None for everything else, which then goes the general way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from tensorgrad._typing import Tree
from tensorgrad.compiler.capture import Draw
from tensorgrad.tree import Structure, unflatten

__all__ = ["Matcher", "make_builder", "make_matcher"]

Matcher: TypeAlias = Callable[[tuple[Any, ...]], list[Any] | None]

PLAIN = (tuple, list, dict)
KEYS = (str, int)


def make_matcher(
    structure: Structure, leaves: Sequence[Any], draws: Sequence[Draw] = ()
) -> Matcher | None:
    """Return a function from positional arguments like these to a program's inputs.

    These are the arrays among them, then what generators among them draw.

    Examples
    --------
    >>> from tensorgrad.tree import flatten
    >>> leaves, structure = flatten((({"w": np.ones(2)}, 3), {}))
    >>> match = make_matcher(structure, leaves)
    >>> match(({"w": np.zeros(2)}, 3))
    [array([0., 0.])]
    >>> match(({"w": np.zeros(5)}, 3)) is None
    True
    """
    positional, named = structure.children
    if named.keys or not _is_plain(positional) or not all(map(_is_easy, leaves)):
        return None
    scope: dict[str, Any] = {"ndarray": np.ndarray}
    lines = ["def match(t0):"]
    names: list[str] = []
    _write_match(positional, "t0", iter(leaves), lines, names, scope)
    inputs = [n for n, v in zip(names, leaves, strict=True) if type(v) is np.ndarray]
    for k, draw in enumerate(draws):
        scope[f"a{k}_"], scope[f"n{k}_"] = draw.args, draw.kwargs
        inputs.append(f"{names[draw.generator]}.{draw.method}(*a{k}_, **n{k}_)")
    lines.append(f"    return [{', '.join(inputs)}]")
    exec("\n".join(lines), scope)  # noqa: S102
    found: Matcher = scope.pop("match")  # or function and scope would be a cycle
    return found


def _write_match(  # a visitor with five accumulators
    structure: Structure,
    name: str,
    leaves: Any,
    lines: list[str],
    names: list[str],
    scope: dict[str, Any],
) -> None:
    """Write the tests of one node, and of those below it."""
    if not structure.keys and structure.n_leaves == 1:
        leaf = next(leaves)
        names.append(name)
        k = len(scope)
        if isinstance(leaf, np.random.Generator):
            scope[f"d{k}"] = type(leaf)
            lines.append(f"    if type({name}) is not d{k}: return None")
        elif isinstance(leaf, np.ndarray):
            scope[f"s{k}"], scope[f"d{k}"] = leaf.shape, leaf.dtype
            test = f"{name}.shape != s{k} or {name}.dtype is not d{k}"
            lines.append(f"    if type({name}) is not ndarray or {test}: return None")
        else:
            scope[f"s{k}"], scope[f"d{k}"] = leaf, type(leaf)
            lines.append(
                f"    if type({name}) is not d{k} or {name} != s{k}: return None"
            )
        return
    k = len(scope)
    kind = type(structure.template)
    scope[f"k{k}"] = structure.keys
    scope[f"t{k}_"] = kind
    lines.append(f"    if type({name}) is not t{k}_: return None")
    if kind is dict:
        lines.append(f"    if tuple({name}) != k{k}: return None")
    else:
        lines.append(f"    if len({name}) != {len(structure.keys)}: return None")
    for n, (key, child) in enumerate(
        zip(structure.keys, structure.children, strict=True)
    ):
        inner = f"{name}_{n}"
        lines.append(f"    {inner} = {name}[{key!r}]")
        _write_match(child, inner, leaves, lines, names, scope)


def make_builder(structure: Structure) -> Callable[[list[Any]], Tree]:
    """Return a function that puts results into their containers.

    Examples
    --------
    >>> from tensorgrad.tree import flatten
    >>> build = make_builder(flatten((1.0, {"w": 2.0}))[1])
    >>> build([3.0, 4.0])
    (3.0, {'w': 4.0})
    """
    if not _is_plain(structure):
        return lambda results: unflatten(structure, results)
    numbers = iter(range(structure.n_leaves))
    scope: dict[str, Any] = {}
    exec(f"def build(r): return {_written(structure, numbers)}", scope)  # noqa: S102
    found: Callable[[list[Any]], Tree] = scope.pop("build")
    return found


def _written(structure: Structure, numbers: Any) -> str:
    if not structure.keys and structure.n_leaves == 1:
        return f"r[{next(numbers)}]"
    parts = [_written(child, numbers) for child in structure.children]
    if isinstance(structure.template, dict):
        pairs = zip(structure.keys, parts, strict=True)
        return "{" + ", ".join(f"{key!r}: {part}" for key, part in pairs) + "}"
    text = "".join(f"{part}, " for part in parts)
    return f"[{text}]" if isinstance(structure.template, list) else f"({text})"


def _is_plain(structure: Structure) -> bool:
    """Tell whether a tree is made of tuples, lists and dicts, and of nothing else."""
    if not structure.keys and structure.n_leaves == 1:
        return True
    is_plain = type(structure.template) in PLAIN
    keys_are_plain = all(type(key) in KEYS for key in structure.keys)
    return is_plain and keys_are_plain and all(map(_is_plain, structure.children))


def _is_easy(leaf: Any) -> bool:
    """Tell whether one comparison says that a leaf is of the same kind."""
    if type(leaf) in (np.ndarray, np.random.Generator):
        return True
    if type(leaf) is float:
        return leaf == leaf and leaf != 0.0  # noqa: PLR0124  # NaN; 0.0 equals -0.0
    return type(leaf) in (int, bool, str)
