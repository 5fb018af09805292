"""The table: joining arrays, splitting one, and repeating or padding its entries."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad._typing import Shape
from tensorgrad.core.aval import Aval
from tensorgrad.core.op import OpFunction
from tensorgrad.errors import ArgumentError, ShapeError, explain
from tensorgrad.ops.entry import Example, custom, linear
from tensorgrad.ops.indexing import getitem, index_add, scatter_add
from tensorgrad.ops.reduce import sum as sum_op
from tensorgrad.ops.shapes import as_aval, normalise_axis, stand_in
from tensorgrad.ops.shaping import broadcast_to, reshape

_FULL = slice(None)


def _along(axis: int, part: Any) -> tuple[Any, ...]:
    return (_FULL,) * axis + (part,)


# ----------------------------------------------------------------------------- joining


def _concatenate(*arrays: Any, axis: int | None = 0) -> Any:
    return np.concatenate(arrays, axis=axis)


def _concatenate_shape(*arrays: Any, axis: int | None = 0) -> Aval:
    likes = [as_aval(x) for x in arrays]
    if not likes or (axis is not None and likes[0].ndim == 0):
        raise ShapeError(
            explain(
                "concatenate",
                f"{len(likes)} operands, the first without axes" if likes else "none",
                "one operand or more, each with an axis",
                "Use tg.stack to join scalars",
            )
        )
    dtype = np.result_type(*[x.dtype for x in likes])
    if axis is None:
        total = 0
        for x in likes:
            total += x.size
        return Aval((total,), dtype)
    k = normalise_axis("concatenate", axis, likes[0].ndim)
    total = 0
    for x in likes:
        if (
            x.shape[:k] + x.shape[k + 1 :]
            != likes[0].shape[:k] + likes[0].shape[k + 1 :]
        ):
            listed = " and ".join(str(x.shape) for x in likes)
            raise ShapeError(
                explain(
                    "concatenate",
                    f"shapes {listed} differ beyond axis {axis}",
                    "equal sizes on all other axes",
                    "Reshape or slice the operands, or join along another axis",
                )
            )
        total += x.shape[k]
    return Aval((*likes[0].shape[:k], total, *likes[0].shape[k + 1 :]), dtype)


def _part(g: Any, i: int, avals: Any, axis: int | None) -> Any:
    """Return what belongs to operand ``i`` of a concatenation."""
    shape = avals[i].shape
    start = 0
    if axis is None:
        for before in avals[:i]:
            start += before.size
        return reshape(getitem(g, slice(start, start + avals[i].size)), shape)
    k = axis % len(shape)
    for before in avals[:i]:
        start += before.shape[k]
    return getitem(g, _along(k, slice(start, start + shape[k])))


concatenate: OpFunction = linear(
    "concatenate",
    _concatenate,
    T=_part,
    shape_rule=_concatenate_shape,
    is_variadic=True,
    numpy=np.concatenate,
    examples=(
        Example(((2, 3), (1, 3))),
        Example(((2, 3), (2, 1), (2, 0)), {"axis": -1}),
        Example(((2, 3), (4,)), {"axis": None}),
        Example(((3,),)),
    ),
    latex=r"\left[{0}\right]",
    onnx="Concat",
    doc="Join operands along an axis that they have.",
    source="Array API standard, concat.",
    doctest=("tg.concatenate([np.ones(2), np.zeros(1)])", "array([1., 1., 0.])"),
)


def _stack(*arrays: Any, axis: int = 0) -> Any:
    return np.stack(arrays, axis=axis)


def _stack_shape(*arrays: Any, axis: int = 0) -> Aval:
    likes = [as_aval(x) for x in arrays]
    if len({x.shape for x in likes}) != 1:
        listed = " and ".join(str(x.shape) for x in likes) or "no operand"
        raise ShapeError(
            explain(
                "stack",
                f"shapes {listed}",
                "one operand or more, all of one shape",
                "Broadcast them first, or use tg.concatenate",
            )
        )
    shape = likes[0].shape
    k = normalise_axis("stack", axis, len(shape) + 1)
    dtype = np.result_type(*[x.dtype for x in likes])
    return Aval((*shape[:k], len(likes), *shape[k:]), dtype)


stack: OpFunction = linear(
    "stack",
    _stack,
    T=lambda g, i, axis: getitem(g, _along(axis % len(g.shape), i)),
    shape_rule=_stack_shape,
    is_variadic=True,
    numpy=np.stack,
    examples=(
        Example(((2, 3), (2, 3))),
        Example(((2, 3), (2, 3), (2, 3)), {"axis": -1}),
        Example(((), ())),
    ),
    latex=r"\left[{0}\right]",
    onnx="ConcatFromSequence",
    doc="Join operands of one shape along a new axis.",
    source="Array API standard, stack.",
    doctest=("tg.stack([1.0, 2.0])", "array([1., 2.])"),
)

# --------------------------------------------------------------------------- splitting


def _split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    return np.split(x, indices_or_sections, axis)


def _split_shape(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Aval]:
    like = as_aval(x)
    k = normalise_axis("split", axis, like.ndim)
    try:
        parts = np.split(stand_in(like), indices_or_sections, k)
    except ValueError as error:
        raise ShapeError(
            explain(
                "split",
                f"shape {like.shape} in {indices_or_sections} along axis {axis} ({error})",
                "a number that divides the size of the axis, or positions to cut at",
                "Give the positions, or use np.array_split for unequal parts",
            )
        ) from None
    return [Aval(part.shape, like.dtype) for part in parts]


def _split_transpose(g: Any, x_like: Aval, indices_or_sections: Any, axis: int) -> Any:
    """Join the cotangents again; an output that nobody used has gradient zero."""
    shapes = [a.shape for a in _split_shape(x_like, indices_or_sections, axis)]
    if _total(shapes, axis) != x_like.shape[axis]:
        return _overlapping(g, x_like, indices_or_sections, axis)
    zero = _zero_like(g)
    parts = [
        broadcast_to(zero, shape) if part is None else part
        for part, shape in zip(g, shapes, strict=True)
    ]
    return concatenate(parts, axis=axis)


def _total(shapes: list[Shape], axis: int) -> int:
    total = 0
    for shape in shapes:
        total += shape[axis]
    return total


def _zero_like(g: Any) -> Any:
    """Return a zero of the dtype of the cotangents that are there."""
    return np.zeros((), next(part.dtype for part in g if part is not None))


def _overlapping(g: Any, x_like: Aval, indices: Any, axis: int) -> Any:
    """Add up the parts of a split whose cuts go backwards, so that parts overlap."""
    bounds = [None, *[int(b) for b in indices], None]
    total: Any = None
    for k, part in enumerate(g):
        if part is not None:
            where = _along(axis % x_like.ndim, slice(bounds[k], bounds[k + 1]))
            share = scatter_add(part, index=where, shape=x_like.shape)
            total = share if total is None else total + share
    return total


split: OpFunction = linear(
    "split",
    _split,
    T=_split_transpose,
    shape_rule=_split_shape,
    n_outputs=0,
    is_layout=True,
    numpy=np.split,
    examples=(
        Example(((6,),), {"indices_or_sections": 3}),
        Example(((2, 5),), {"indices_or_sections": (1, 3), "axis": -1}),
        Example(((4, 2),), {"indices_or_sections": (3, 2, 9)}),
    ),
    latex=r"\operatorname{{split}}\left({0}\right)",
    onnx="Split",
    doc="Cut into parts along an axis; returns a list.",
    source="NumPy, split.",
    doctest=("tg.split(np.arange(4.0), 2)", "[array([0., 1.]), array([2., 3.])]"),
)

# --------------------------------------------------------------------------- repeating


def _tile(x: Any, reps: Any) -> Any:
    return np.tile(x, reps)


def _tiling(shape: Shape, reps: Any) -> tuple[Shape, Shape]:
    """Return repetitions and shape, led by ones to the same length."""
    times = tuple(int(r) for r in np.atleast_1d(reps))
    n = max(len(times), len(shape))
    times = (1,) * (n - len(times)) + times
    return times, (1,) * (n - len(shape)) + shape


def _tile_shape(x: Any, reps: Any) -> Aval:
    like = as_aval(x)
    times, shape = _tiling(like.shape, reps)
    if any(r < 0 for r in times):
        raise ShapeError(
            explain(
                "tile", f"reps={reps!r}", "no negative repetition", "Use 0 for none"
            )
        )
    return Aval(tuple(r * n for r, n in zip(times, shape, strict=True)), like.dtype)


def _tile_transpose(g: Any, x_like: Aval, reps: Any) -> Any:
    """Add up the copies: the axes of repetitions alternate with those of the tile."""
    times, shape = _tiling(x_like.shape, reps)
    pairs = tuple(n for pair in zip(times, shape, strict=True) for n in pair)
    blocks = sum_op(reshape(g, pairs), axis=tuple(range(0, len(pairs), 2)))
    return reshape(blocks, x_like.shape)


tile: OpFunction = linear(
    "tile",
    _tile,
    T=_tile_transpose,
    shape_rule=_tile_shape,
    numpy=np.tile,
    examples=(
        Example(((2, 3),), {"reps": 2}),
        Example(((3,),), {"reps": (2, 2)}),
        Example(((2, 1, 2),), {"reps": (3, 1)}),
        Example(((),), {"reps": 2}),
        Example(((2,),), {"reps": 0}),
    ),
    latex=r"\operatorname{{tile}}\left({0}\right)",
    onnx="Tile",
    doc="Repeat the whole array along axes.",
    source="Array API standard, tile.",
    doctest=("tg.tile(np.array([1.0, 2.0]), 2)", "array([1., 2., 1., 2.])"),
)


def _repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    return np.repeat(x, repeats, axis=axis)


def _origins(n: int, repeats: Any) -> Any:
    """Return which entry each repetition comes from."""
    return np.repeat(np.arange(n), repeats)


def _repeat_shape(x: Any, repeats: Any, axis: int | None = None) -> Aval:
    like = as_aval(x)
    k = 0 if axis is None else normalise_axis("repeat", axis, like.ndim)
    shape = (like.size,) if axis is None else like.shape
    try:
        n = len(_origins(shape[k], repeats))
    except ValueError as error:
        raise ShapeError(
            explain(
                "repeat",
                f"repeats={repeats!r} for {shape[k]} entries ({error})",
                "one number, or one for each entry along the axis, none negative",
                "Check the length of repeats",
            )
        ) from None
    return Aval((*shape[:k], n, *shape[k + 1 :]), like.dtype)


def _repeat_transpose(g: Any, x_like: Aval, repeats: Any, axis: int | None) -> Any:
    if axis is None:
        places = _origins(x_like.size, repeats)
        return reshape(index_add(g, places, (x_like.size,), axis=0), x_like.shape)
    places = _origins(x_like.shape[axis], repeats)
    return index_add(g, places, x_like.shape, axis=axis)


repeat: OpFunction = linear(
    "repeat",
    _repeat,
    T=_repeat_transpose,
    shape_rule=_repeat_shape,
    numpy=np.repeat,
    method="repeat",
    examples=(
        Example(((2, 3),), {"repeats": 2}),
        Example(((2, 3),), {"repeats": 3, "axis": -1}),
        Example(((3, 2),), {"repeats": (0, 2, 1), "axis": 0}),
        Example(((),), {"repeats": 2}),
    ),
    latex=r"\operatorname{{repeat}}\left({0}\right)",
    doc="Repeat each entry.",
    source="Array API standard, repeat.",
    doctest=("tg.repeat(np.array([1.0, 2.0]), 2)", "array([1., 1., 2., 2.])"),
)

# ----------------------------------------------------------------------------- padding

_MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


def _pad(
    x: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0
) -> Any:
    if mode not in _MODES:
        raise ArgumentError(
            explain("pad", f"mode={mode!r}", f"one of {_MODES}", "Compose the others")
        )
    if isinstance(pad_width, dict):  # which NumPy knows from 2.2 on
        pad_width = _widths(pad_width, np.ndim(x))
    if mode == "constant":
        return np.pad(x, pad_width, mode="constant", constant_values=constant_values)
    return np.pad(x, pad_width, mode=mode)  # type: ignore[call-overload]


def _widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    """Return how much is added before and after each axis."""
    if isinstance(pad_width, dict):
        widths: list[tuple[int, int]] = [(0, 0)] * ndim
        for axis, width in pad_width.items():
            (widths[axis],) = _widths(width, 1)
        return widths
    return [(int(a), int(b)) for a, b in np.broadcast_to(pad_width, (ndim, 2))]


def _pad_shape(
    x: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0
) -> Aval:
    like = as_aval(x)
    try:
        widths = _widths(pad_width, like.ndim)
    except ValueError as error:
        raise ShapeError(
            explain(
                "pad",
                f"pad_width={pad_width!r} for shape {like.shape} ({error})",
                "one number, one pair, or a pair for each axis",
                "Write ((before, after), …)",
            )
        ) from None
    sizes = zip(like.shape, widths, strict=True)
    return Aval(tuple(n + a + b for n, (a, b) in sizes), like.dtype)


def _origins_in_pad(n: int, width: tuple[int, int], mode: str) -> Any:
    """Return which entry of an axis each entry of the padded axis shows."""
    return np.pad(np.arange(n), width, mode=mode)  # type: ignore[call-overload]


def _pad_vjp(g: Any, x_like: Aval, pad_width: Any, mode: str) -> Any:
    widths = _widths(pad_width, x_like.ndim)
    if mode == "constant":
        spans = zip(widths, x_like.shape, strict=True)
        return getitem(g, tuple(slice(a, a + n) for (a, _), n in spans))
    for axis, (n, width) in enumerate(zip(x_like.shape, widths, strict=True)):
        if width != (0, 0):
            shape = (*g.shape[:axis], n, *g.shape[axis + 1 :])
            g = index_add(g, _origins_in_pad(n, width, mode), shape, axis=axis)
    return g


pad: OpFunction = custom(
    "pad",
    _pad,
    vjp=_pad_vjp,
    jvp=lambda t, pad_width, mode: pad(t, pad_width, mode),
    shape_rule=_pad_shape,
    numpy=np.pad,
    examples=(
        Example(((2, 3),), {"pad_width": 1}),
        Example(((2, 3),), {"pad_width": ((1, 0), (0, 2)), "constant_values": 4.0}),
        Example(((3,),), {"pad_width": (2, 1), "mode": "edge"}),
        Example(((3, 4),), {"pad_width": 2, "mode": "reflect"}),
        Example(((3,),), {"pad_width": (2, 3), "mode": "symmetric"}),
        Example(((3,),), {"pad_width": (4, 0), "mode": "wrap"}),
        Example(((0,),), {"pad_width": 1}),
    ),
    latex=r"\operatorname{{pad}}\left({0}\right)",
    onnx="Pad",
    doc="Add entries at the ends of axes.",
    notes="Modes: constant, edge, reflect, symmetric, wrap. Constants have no gradient.",
    source="NumPy, pad.",
    doctest=("tg.pad(np.ones(1), (1, 2))", "array([0., 1., 0., 0.])"),
)
