"""What a handwritten function gives back, taken with gloves.

It gets copies, whatever it raises is an answer, and it is called more than once: a function
that adds to what it returned before, or answers from a cache, looks right the first time.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.core.tensor import as_value
from tensorgrad.errors import TensorgradError
from tensorgrad.tree import Structure, flatten, unflatten

__all__ = ["Answer", "Behaviour", "Complaint", "behaviour", "call"]


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with an answer before any number is compared."""

    name: str
    family: str
    reason: str
    fix: str


@dataclass(slots=True)
class Answer:
    """The gradients that a call returned, by the parameters' paths."""

    gradients: dict[str, Array] = field(default_factory=dict)
    deltas: dict[int, Array] = field(default_factory=dict)
    complaints: list[Complaint] = field(default_factory=list)
    error: str = ""
    whole: set[str] = field(default_factory=set)
    """Tensors that came as whole numbers."""
    written: tuple[str, ...] = ()
    """Arguments that it has written to."""


def call(
    handwritten: Callable[..., Any],
    leaves: Sequence[Any],
    structure: Structure,
    data: Sequence[Any],
    shapes: Mapping[str, tuple[int, ...]],
) -> Answer:
    """Call a function on copies of its arguments, and sort what it returns."""
    plain = [copy.copy(as_value(leaf)) for leaf in leaves]
    before = [copy.copy(value) for value in plain]
    params = unflatten(structure, plain)
    given = copy.deepcopy(tuple(data))
    was = copy.deepcopy(given)
    try:
        with np.errstate(all="ignore"):
            found = handwritten(params, *given)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the answer
        return Answer(error=f"it raises {type(error).__name__}: {error}")
    answer = _sorted(found, structure, shapes)
    if answer.error or answer.complaints:  # nested lists of numbers, perhaps
        other = _sorted(_with_arrays(found), structure, shapes)
        if not other.error and len(other.complaints) < len(answer.complaints or "1"):
            answer = other
    paths = list(structure.paths())
    written = [p for p, a, b in zip(paths, plain, before, strict=True) if _differ(a, b)]
    now, shape = flatten(given)
    then, _ = flatten(was)
    written += [
        f"data {p}"
        for p, a, b in zip(shape.paths(), now, then, strict=False)
        if _differ(a, b)
    ]
    answer.written = tuple(written)
    return answer


def _differ(a: Any, b: Any) -> bool:
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray):
        return False
    is_number = a.dtype.kind in "fc"
    return not np.array_equal(a, b, equal_nan=is_number)


def _sorted(
    found: Any, structure: Structure, shapes: Mapping[str, tuple[int, ...]]
) -> Answer:
    """Match what came with the parameters: in their structure, or by names."""
    answer = Answer()
    if found is None:
        answer.error = "it returns None: a return is missing"
        return answer
    try:
        leaves, came = flatten(found)
        paths = list(came.paths())
    except TensorgradError as error:
        answer.error = (
            f"it returns {type(found).__name__}, which holds no arrays: {error}"
        )
        return answer
    entries = dict(zip(paths, leaves, strict=True))
    names = [p for p in structure.paths() if p in shapes]
    if "" in entries and len(names) > 1:
        answer.error = (
            f"it returns one {type(found).__name__} for {len(names)} parameters"
        )
        return answer
    if isinstance(found, (tuple, list)) and names and names[0] not in entries:
        entries = _by_name(entries, names)
    for name in names:
        keys = [key for key in _spellings(name) if key in entries]
        if not keys:
            near = ", ".join(sorted(entries)[:6]) or "nothing"
            answer.complaints.append(
                Complaint(
                    name,
                    "shape",
                    f"no gradient for {name} came back; what came is {near}",
                    f"return an array of shape {shapes[name]} under the name {name}",
                )
            )
            continue
        _take(answer, name, entries[keys[0]], shapes[name])
    answer.deltas = _deltas(entries)
    return answer


def _by_name(entries: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Give the members of a tuple the names of the parameters, or unpack (grads, more)."""
    is_flat = not any("." in path for path in entries)
    if is_flat and len(entries) == len(names):
        return dict(zip(names, entries.values(), strict=True))
    if f"0.{names[0]}" in entries:
        return {p[2:]: v for p, v in entries.items() if p.startswith("0.")}
    return entries


def _deltas(entries: Mapping[str, Any]) -> dict[int, Array]:
    """Return the δ that came as well, by layer."""
    found = {}
    for path, value in entries.items():
        head, _, number = path.rpartition(".")
        if head.split(".")[-1] in ("delta", "deltas", "dz") and number.isdigit():
            array = np.asarray(as_value(value))
            if array.dtype.kind in "fc":
                found[int(number)] = array
    return found


def _with_arrays(found: Any) -> Any:
    """Return the same with arrays for nested lists of numbers."""
    if isinstance(found, dict):
        return {key: _with_arrays(value) for key, value in found.items()}
    if isinstance(found, (list, tuple)):
        first: Any = found
        while isinstance(first, (list, tuple)) and first:
            first = first[0]
        if isinstance(first, (int, float)):
            try:
                return np.asarray(found)
            except ValueError:  # rows of different lengths
                return found
        return type(found)(map(_with_arrays, found)) if type(found) is list else found
    return found


def _spellings(name: str) -> list[str]:
    """Return how the gradient of a parameter may be called, as dw.1, dW1 or grads.w.1."""
    head, _, tail = name.rpartition(".")
    # Numbered parameters are often flat: dW1 for w.1.
    forms = [(f"{head}.", tail), (head, tail)] if head else [("", tail)]
    inner = [name]
    for first, last in forms:
        inner += [f"{first}d{last}", f"d{first}{last}", f"{first}{last}"]
        if first:
            inner += [f"d{first.upper()}{last}", f"{first.upper()}{last}"]
    found = dict.fromkeys(inner)
    return [f"{front}{n}" for front in ("", "grads.", "gradients.") for n in found]


def _take(answer: Answer, name: str, value: Any, shape: tuple[int, ...]) -> None:
    def complain(family: str, reason: str, fix: str) -> None:
        answer.complaints.append(Complaint(name, family, reason, fix))

    wanted = f"return a floating array of shape {shape}"
    try:
        array = np.asarray(as_value(value))
    except ValueError as error:
        complain("shape", f"the gradient of {name} is no array: {error}", wanted)
        return
    if array.dtype.kind not in "fciub":
        kind = type(value).__name__
        complain("shape", f"the gradient of {name} is a {kind}, not an array", wanted)
        return
    if array.shape != shape:
        answer.gradients[name] = array
        complain(
            "shape",
            f"the gradient of {name} has shape {array.shape} and {name} has {shape}"
            f"{_cause(array.shape, shape)}",
            wanted,
        )
        return
    is_whole = array.dtype.kind in "iub"
    if is_whole:
        answer.whole.add(name)
    answer.gradients[name] = array.astype(np.float64) if is_whole else array


def _cause(came: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    if came == wanted[::-1]:
        return ": it is transposed"
    if np.prod(came) == np.prod(wanted):
        return ": it has the right number of entries in another arrangement"
    if len(came) > len(wanted) or np.prod(came) > np.prod(wanted):
        return ": a sum is missing, or a broadcast was kept"
    return ": too much has been summed"


# --------------------------------------------------------------------- behaviour


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What several calls tell: whether it accumulates, answers from a cache, or draws."""

    accumulates: frozenset[str] = frozenset()
    is_stale: bool = False
    varies: bool = False
    increment: Mapping[str, Array] = field(default_factory=dict)


def behaviour(
    ask: Callable[[Sequence[Any]], Answer],
    leaves: Sequence[Any],
    first: Answer,
    moves: Callable[[Sequence[Any]], bool],
) -> Behaviour:
    """Call again, elsewhere, and again, and compare with the first answer.

    ``moves(elsewhere)`` tells whether the true gradient is another one there; that of a
    linear cost is not.
    """
    again = ask(leaves)
    elsewhere = [
        leaf * 1.25 + 0.01
        if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "fc"
        else leaf
        for leaf in map(as_value, leaves)
    ]
    moved = ask(elsewhere)
    back = ask(leaves)
    grown = {
        name: again.gradients[name] - value
        for name, value in first.gradients.items()
        if name in again.gradients and again.gradients[name].shape == value.shape
    }
    names = frozenset(n for n, v in grown.items() if _is_large(v, first.gradients[n]))
    if names:
        # Steady growth is accumulation; anything else is chance.
        steady = all(
            name in back.gradients
            and name in moved.gradients
            and not _is_large(
                grown[name] - (back.gradients[name] - moved.gradients[name]),
                grown[name],
            )
            for name in names
        )
        if steady:
            return Behaviour(accumulates=names, increment=grown)
        return Behaviour(varies=True)
    is_late = any(
        name in back.gradients and _is_large(back.gradients[name] - value, value)
        for name, value in first.gradients.items()
    )
    is_same = bool(first.gradients) and all(
        name in moved.gradients and np.array_equal(moved.gradients[name], value)
        for name, value in first.gradients.items()
    )
    is_fixed = is_same and any(np.any(v) for v in first.gradients.values())
    return Behaviour(is_stale=is_late or (is_fixed and moves(elsewhere)))


def _is_large(difference: Array, beside: Array) -> bool:
    if difference.shape != beside.shape:
        return True
    size = float(np.abs(difference).max(initial=0.0))
    return size > 1e-9 * float(np.abs(beside).max(initial=0.0)) and size > 0
