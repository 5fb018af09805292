"""The table: Einstein's summation."""

from __future__ import annotations

from operator import index
from string import ascii_letters, ascii_lowercase, ascii_uppercase
from typing import Any

import numpy as np

from tensorgrad._typing import Shape
from tensorgrad.core.aval import Aval
from tensorgrad.core.op import OpFunction
from tensorgrad.errors import ShapeError, UnsupportedError, explain
from tensorgrad.ops.entry import Example, linear
from tensorgrad.ops.indexing import scatter_add
from tensorgrad.ops.reduce import sum as sum_op
from tensorgrad.ops.shapes import as_aval
from tensorgrad.ops.shaping import broadcast_to, reshape


def _bad(subscripts: str, came: str, expected: str) -> ShapeError:
    remedy = "Compare the letters with the axes of the operands"
    return ShapeError(explain(f"einsum {subscripts!r}", came, expected, remedy))


def _adapt(subscripts: Any, *operands: Any, optimize: Any = False) -> Any:
    """Put the operands first, and write the output of the subscripts out."""
    if not isinstance(subscripts, str):
        subscripts, operands = _from_lists(subscripts, *operands)
    static = {"subscripts": _explicit(subscripts), "optimize": optimize}
    return operands, static


# In this order, as NumPy has it: an implied output is sorted by number, and by letter.
_LETTERS = dict(enumerate(ascii_uppercase + ascii_lowercase))


def _from_lists(*arguments: Any) -> tuple[str, tuple[Any, ...]]:
    """Read einsum(x, [0, 1], y, [1, 2], [0, 2]) as einsum('AB,BC->AC', x, y)."""
    pairs = len(arguments) // 2
    lists = [_letters(axes) for axes in arguments[1 : 2 * pairs : 2]]
    subscripts = ",".join(lists)
    if len(arguments) % 2:
        subscripts += "->" + _letters(arguments[-1])
    return subscripts, arguments[: 2 * pairs : 2]


def _letters(axes: Any) -> str:
    try:
        return "".join("..." if k is Ellipsis else _LETTERS[index(k)] for k in axes)
    except (TypeError, KeyError) as error:
        raise UnsupportedError(
            explain(
                "einsum",
                f"{type(axes).__name__} where the axes of an operand are named",
                "subscripts as a string, or a list of integers after each operand",
                "Write einsum('ij,jk->ik', x, y), or einsum(x, [0, 1], y, [1, 2], [0, 2])",
            )
        ) from error


def _explicit(subscripts: str) -> str:
    """Write the output out where it is implied: letters that occur once, in order."""
    text = subscripts.replace(" ", "")
    if "->" in text:
        return text
    letters = text.replace("...", "").replace(",", "")
    once = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    return f"{text}->{'...' if '...' in text else ''}{once}"


def _lettered(
    subscripts: str, shapes: list[Shape]
) -> tuple[list[str], str, dict[str, int]]:
    """Return the letters of each operand and of the output, and the size of each.

    An ellipsis becomes letters of its own, counted from the last axis.
    """
    left, _, output = subscripts.partition("->")
    parts = left.split(",")
    if len(parts) != len(shapes):
        raise _bad(subscripts, f"{len(shapes)} operands", f"{len(parts)} operands")
    spare = [c for c in ascii_letters if c not in subscripts]
    hidden = [
        len(shape) - len(part.replace("...", "")) if "..." in part else 0
        for part, shape in zip(parts, shapes, strict=True)
    ]
    n_hidden = max(hidden)
    names = "".join(spare[:n_hidden])
    inputs = []
    sizes: dict[str, int] = {}
    for part, shape, n in zip(parts, shapes, hidden, strict=True):
        letters = part.replace("...", names[n_hidden - n :] if n > 0 else "")
        if n < 0 or len(letters) != len(shape):
            raise _bad(subscripts, f"shape {shape} for {part!r}", "one axis a letter")
        for letter, size in zip(letters, shape, strict=True):
            known = sizes.setdefault(letter, size)
            if known == 1:
                sizes[letter] = size
            elif size not in (1, known):
                raise _bad(
                    subscripts, f"sizes {known} and {size} for {letter!r}", "one size"
                )
        inputs.append(letters)
    if n_hidden and "..." not in output:
        raise _bad(subscripts, f"output {output!r}", "'...' in the output too")
    output = output.replace("...", names)
    unknown = sorted(set(output) - set(sizes))
    if unknown or len(set(output)) != len(output):
        raise _bad(
            subscripts, f"output {output!r}", "letters of the operands, each once"
        )
    return inputs, output, sizes


def _einsum(*arrays: Any, subscripts: str, optimize: Any = False) -> Any:
    out = np.einsum(subscripts, *arrays, optimize=optimize)
    # A view of an operand, which NumPy gives for a lone one, would not be linked to it.
    is_view = len(arrays) == 1 and np.shares_memory(out, arrays[0])
    return out.copy() if is_view else out


def _einsum_shape(*arrays: Any, subscripts: str, optimize: Any = False) -> Aval:
    likes = [as_aval(x) for x in arrays]
    _, output, sizes = _lettered(subscripts, [x.shape for x in likes])
    dtype = np.result_type(*[x.dtype for x in likes])
    return Aval(tuple(sizes[c] for c in output), dtype)


def _einsum_transpose(
    g: Any, arrays: Any, i: int, avals: Any, subscripts: str, optimize: Any
) -> Any:
    """Contract the cotangent with the other operands, onto operand i's letters.

    Letters that occur in operand i alone were summed away, so the result repeats along
    them; letters that it has twice picked a diagonal, so the result goes there.
    """
    inputs, output, sizes = _lettered(subscripts, [a.shape for a in avals])
    mine, shape = inputs[i], avals[i].shape
    others = [k for k in range(len(inputs)) if k != i]
    present = set(output).union(*[inputs[k] for k in others])
    letters = "".join(dict.fromkeys(mine))
    kept = "".join(c for c in letters if c in present)
    left = ",".join([output, *[inputs[k] for k in others]])
    factors = [arrays[k] for k in others]
    share = einsum(f"{left}->{kept}", g, *factors, optimize=bool(optimize))
    own = {c: shape[mine.index(c)] for c in letters}
    share = _repeated(share, kept, own, sizes)
    if len(letters) == len(mine):
        return share
    return scatter_add(share, index=_mesh(mine, own), shape=shape)


def _repeated(share: Any, kept: str, own: dict[str, int], sizes: dict[str, int]) -> Any:
    """Give a share all letters of its operand, in the sizes that they have there."""
    if len(kept) < len(own):
        share = reshape(share, tuple(sizes[c] if c in kept else 1 for c in own))
        full = tuple(sizes[c] if c in kept else own[c] for c in own)
        share = broadcast_to(share, full)
    widened = tuple(k for k, c in enumerate(own) if own[c] != sizes[c])
    return sum_op(share, axis=widened, keepdims=True) if widened else share


def _mesh(mine: str, own: dict[str, int]) -> tuple[Any, ...]:
    """Return open index arrays that run over the letters, one for each axis."""
    rows = []
    for c in mine:
        column = [own[c] if other == c else 1 for other in own]
        rows.append(np.arange(own[c]).reshape(column))
    return tuple(rows)


einsum: OpFunction = linear(
    "einsum",
    _einsum,
    T=_einsum_transpose,
    shape_rule=_einsum_shape,
    adapt=_adapt,
    is_variadic=True,
    numpy=np.einsum,
    examples=(
        Example(((3, 4), (4, 2)), {"subscripts": "ij,jk->ik"}),
        Example(((3, 4),), {"subscripts": "ij->"}),
        Example(((3, 3),), {"subscripts": "ii->i"}),
        Example(((3, 3),), {"subscripts": "ii->"}),
        Example(((3, 3, 2), (3,)), {"subscripts": "iij,i->j"}),
        Example(((2, 3), (4,)), {"subscripts": "ij,k->i"}),
        Example(((2, 3, 4), (4, 2)), {"subscripts": "...j,jk->...k"}),
        Example(((3, 2), (5, 3, 2)), {"subscripts": "...i,...i->..."}),
        Example(((2, 3), (3, 4), (4, 2)), {"subscripts": "ij,jk,ki->"}),
        Example(((), (3,)), {"subscripts": ",i->i"}),
    ),
    latex=r"\operatorname{{einsum}}\left({0}\right)",
    onnx="Einsum",
    doc="Sum products of entries over indices named by letters.",
    notes="Axes may be named by integers too, in a list after each operand. The result "
    "is never a view. ``optimize`` chooses the order of contractions as NumPy does, in "
    "the transposes too.",
    source="NumPy, einsum; Einstein 1916.",
    doctest=("tg.einsum('ij,j->i', np.ones((2, 3)), np.ones(3))", "array([3., 3.])"),
)
