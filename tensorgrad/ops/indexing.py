"""The table: reading and writing by index.

An index is a static argument: its arrays are copied when it is given, so that a later
write to them cannot change the graph. `take` and `take_along_axis` have their indices
as an operand, and are the way to index with what is only known when a captured
program runs.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tensorgrad._typing import Array, Shape
from tensorgrad.core.aval import Aval
from tensorgrad.core.guard import is_immutable
from tensorgrad.core.op import OpFunction
from tensorgrad.core.tensor import Tensor
from tensorgrad.errors import (
    CaptureError,
    DTypeError,
    IndexRangeError,
    ShapeError,
    explain,
)
from tensorgrad.ops import batching
from tensorgrad.ops.entry import Example, linear
from tensorgrad.ops.shapes import as_aval, broadcast_shapes, normalise_axis, stand_in
from tensorgrad.ops.shaping import reshape

# -------------------------------------------------------------------- the index itself


def fixed(index: Any) -> Any:
    """Return an index that nobody else can change: arrays copied, Tensors by value."""
    kind = type(index)
    if kind is int or index is None or index is Ellipsis or kind is bool:
        return index
    if kind is slice:
        return slice(_bound(index.start), _bound(index.stop), _bound(index.step))
    if kind is tuple:
        return tuple([fixed(part) for part in index])
    if isinstance(index, Tensor):
        return _fixed_array(_value_of_index(index))
    if isinstance(index, np.generic):
        return index.item() if index.dtype.kind in "iub" else _fixed_array(index)
    if isinstance(index, (np.ndarray, list)):
        return _fixed_array(index)
    if hasattr(index, "__index__"):
        return operator.index(index)
    raise _bad_index(f"an index of type {kind.__name__}")


def _bound(bound: Any) -> int | None:
    if bound is None:
        return None
    try:
        return operator.index(bound)
    except TypeError:
        if isinstance(bound, Tensor):
            raise
        raise _bad_index(
            f"a slice with a bound of type {type(bound).__name__}"
        ) from None


def _value_of_index(index: Tensor) -> Any:
    value = index._value
    if isinstance(value, Aval):
        raise CaptureError(
            explain(
                "getitem",
                f"an abstract index, {value!r}",
                "an index that is known while the function is captured",
                "Use tg.take or tg.take_along_axis for places, tg.where for a mask",
            )
        )
    return value


def _fixed_array(index: Any) -> Array:
    if type(index) is np.ndarray and is_immutable(index):
        return index
    if isinstance(index, list):
        index = [_value_of_index(p) if isinstance(p, Tensor) else p for p in index]
    array = np.array(index)
    if array.size == 0 and isinstance(index, list):
        array = array.astype(np.intp)
    if array.dtype.kind not in "iub":
        raise _bad_index(f"an index of dtype {array.dtype}")
    array.flags.writeable = False
    return array


def _bad_index(came: str) -> DTypeError:
    return DTypeError(
        explain(
            "getitem",
            came,
            "integers, slices, None, Ellipsis, or arrays of integers or booleans",
            "Convert it, for example index.astype(int)",
        )
    )


def is_repeating(index: Any) -> bool:
    """Tell whether an index may name an entry twice: it has an array of integers."""
    parts = index if type(index) is tuple else (index,)
    return any(isinstance(p, np.ndarray) and p.dtype.kind in "iu" for p in parts)


def _indexed_shape(x: Any, index: Any) -> Aval:
    like = as_aval(x)
    try:
        out = stand_in(like)[index]
    except IndexError as error:
        raise IndexRangeError(
            explain(
                "getitem",
                f"shape {like.shape} with index {index!r} ({error})",
                "no more indices than axes, each within its axis",
                "Check the sizes, or use a slice",
            )
        ) from None
    return Aval(np.shape(out), like.dtype)


# -------------------------------------------------------------------- reading, adding up


def _getitem(x: Any, index: Any) -> Any:
    return np.asarray(x)[index]


_PLACES = np.array([2, 0, 2])
_GRID = (np.array([[0], [1]]), np.array([0, 2, 2]))
_INDICES = (
    Example(((3, 4),), {"index": 1}),
    Example(((3, 4),), {"index": (slice(None, None, -2), -1)}),
    Example(((3, 4),), {"index": (Ellipsis, None, slice(1, 3))}),
    Example(((3,),), {"index": 2}),
    Example(((),), {"index": ()}),
    Example(((3, 4),), {"index": _PLACES}),
    Example(((3, 4),), {"index": _GRID}),
    Example(((2, 3, 4),), {"index": (slice(None), _PLACES, slice(1, None))}),
    Example(((2, 3, 4),), {"index": (_PLACES % 2, slice(None), _PLACES)}),
    Example(
        ((3, 2),), {"index": np.array([[True, False], [False, True], [True, True]])}
    ),
    Example(((3, 2),), {"index": np.array([], dtype=np.intp)}),
    Example(((3, 2),), {"index": slice(2, 2)}),
)

getitem: OpFunction = linear(
    "getitem",
    _getitem,
    discards=True,
    T=lambda g, x_like, index: scatter_add(g, index=index, shape=x_like.shape),
    batch=batching.with_index,
    shape_rule=_indexed_shape,
    adapt=lambda x, index: ((x,), {"index": fixed(index)}),
    is_layout=True,
    examples=_INDICES,
    latex=r"{0}_{{[\,\cdot\,]}}",
    onnx="GatherND",
    doc="Read entries by a basic or advanced index, or by a mask.",
    notes="An entry that is read several times gets the sum of their cotangents.",
    source="NumPy user guide, indexing on ndarrays.",
    doctest=("tg.getitem(np.arange(4.0), [3, 3])", "array([3., 3.])"),
)


def _scatter_add(x: Any, index: Any, shape: Shape) -> Any:
    out = np.zeros(shape, np.asarray(x).dtype)
    if is_repeating(index):
        np.add.at(out, index, x)
    else:
        out[index] = x
    return out


def _scatter_shape(x: Any, index: Any, shape: Shape) -> Aval:
    like = as_aval(x)
    target = Aval(tuple(shape), like.dtype)
    broadcast_shapes("scatter_add", like.shape, _indexed_shape(target, index).shape)
    return target


scatter_add: OpFunction = linear(
    "scatter_add",
    _scatter_add,
    T=lambda g, index: getitem(g, index),
    batch=batching.with_index,
    shape_rule=_scatter_shape,
    adapt=lambda x, index, shape: ((x,), {"index": fixed(index), "shape": shape}),
    examples=(
        Example(((4,),), {"index": 1, "shape": (3, 4)}),
        Example(((3,),), {"index": _PLACES, "shape": (4,)}),
        Example(((2, 3),), {"index": _GRID, "shape": (3, 4)}),
    ),
    latex=r"\operatorname{{scatter}}\left({0}\right)",
    onnx="ScatterND",
    doc="Add entries into zeros of a given shape, at an index: the transpose of getitem.",
    source="Array programming literature: gather and scatter.",
    doctest=(
        "tg.scatter_add(np.ones(3), index=[0, 2, 2], shape=(4,))",
        "array([1., 0., 2., 0.])",
    ),
)

# ----------------------------------------------------------------------------- writing


def _setitem(x: Any, value: Any, index: Any) -> Any:
    _check_assignment(x, value)
    out = np.array(x, copy=True)
    out[index] = value
    return out


def _check_assignment(x: Any, value: Any) -> None:
    """Refuse what NumPy would truncate: the gradient would be lost without a word."""
    target, source = as_aval(x).dtype, as_aval(value).dtype
    ranks = "biufc"
    is_lossy = source.kind in "fc" and ranks.index(source.kind) > ranks.index(
        target.kind
    )
    if is_lossy:
        raise DTypeError(
            explain(
                "setitem",
                f"a value of dtype {source} for an array of dtype {target}",
                "an array that can hold the value",
                "Convert the array first: x = x.astype(float)",
            )
        )


def _setitem_shape(x: Any, value: Any, index: Any) -> Aval:
    like, source = as_aval(x), as_aval(value)
    _check_assignment(like, source)
    region = _indexed_shape(like, index).shape
    lead = max(len(source.shape) - len(region), 0)
    sizes = zip(source.shape[::-1], region[::-1], strict=False)
    fits = all(n == 1 for n in source.shape[:lead]) and all(
        n in (1, size) for n, size in sizes
    )
    if not fits:
        raise ShapeError(
            explain(
                "setitem",
                f"a value of shape {source.shape} for a region of shape {region}",
                "a value that broadcasts to the region",
                "Reshape the value, or select a region of its shape",
            )
        )
    return like


def _survivors(index: Any, shape: Shape) -> Any:
    """Return which of the values assigned at an index are still there afterwards.

    None where all are. The same assignment with numbers for values tells: of several
    for one entry the last one stays.
    """
    if not is_repeating(index):
        return None
    last = np.zeros(shape, np.intp)
    numbers = np.arange(last[index].size).reshape(last[index].shape)
    last[index] = numbers
    is_there = last[index] == numbers
    return None if is_there.all() else is_there


def _value_vjp(g: Any, value_like: Aval, index: Any) -> Any:
    share = getitem(g, index)
    kept = _survivors(index, g.shape)
    if kept is not None:
        share = share * kept
    lead = value_like.ndim - len(share.shape)
    return reshape(share, (1,) * lead + share.shape) if lead > 0 else share


setitem: OpFunction = linear(
    "setitem",
    _setitem,
    T=(lambda g, index: setitem(g, 0.0, index=index), _value_vjp),
    shape_rule=_setitem_shape,
    adapt=lambda x, value, index: ((x, value), {"index": fixed(index)}),
    examples=(
        Example(((3, 4), (4,)), {"index": 1}),
        Example(((3, 4), ()), {"index": (slice(None), -1)}),
        Example(((3, 4), (1, 2, 1)), {"index": (slice(0, 2), slice(1, 3))}),
        Example(((3, 4), (3, 4)), {"index": _PLACES}),
        Example(((3, 4), (2, 3)), {"index": _GRID}),
        Example(((3, 2), (1,)), {"index": np.array([True, False, True])}),
        Example(((), ()), {"index": ()}),
    ),
    latex=r"{0}_{{[\,\cdot\,]}} \leftarrow {1}",
    onnx="ScatterND",
    doc="Return a copy with the entries at an index replaced by a value.",
    notes="An index that names an entry several times keeps the last value, as in NumPy; "
    "the others get gradient zero.",
    source="NumPy user guide, assigning values to indexed arrays.",
    doctest=(
        "tg.setitem(np.zeros(3), 5.0, index=slice(1, None))",
        "array([0., 5., 5.])",
    ),
)

# -------------------------------------------------------------- indices as an operand


def _check_places(name: str, indices: Any) -> None:
    dtype = as_aval(indices).dtype
    if dtype.kind not in "iu":
        raise DTypeError(
            explain(
                name,
                f"indices of dtype {dtype}",
                "integers",
                "Convert them with .astype(int); for a mask use x[mask]",
            )
        )


def _take(x: Any, indices: Any, axis: int | None = None, mode: Any = "raise") -> Any:
    _check_places("take", indices)
    return np.take(x, indices, axis=axis, mode=mode)


def _take_shape(
    x: Any, indices: Any, axis: int | None = None, mode: Any = "raise"
) -> Aval:
    like, places = as_aval(x), as_aval(indices)
    _check_places("take", places)
    if axis is None or not like.shape:
        return Aval(places.shape, like.dtype)
    k = normalise_axis("take", axis, like.ndim)
    return Aval(like.shape[:k] + places.shape + like.shape[k + 1 :], like.dtype)


take: OpFunction = linear(
    "take",
    _take,
    discards=True,
    T=(
        lambda g, indices, x_like, axis, mode: index_add(
            g, indices, shape=x_like.shape, axis=axis, mode=mode
        ),
        None,
    ),
    shape_rule=_take_shape,
    numpy=np.take,
    method="take",
    examples=(
        Example(((3, 4), np.array([2, 0, 2])), {"axis": 0}),
        Example(((3, 4), np.array([[1, -1], [3, 3]])), {"axis": -1}),
        Example(((3, 4), np.array([11, 0]))),
        Example(((3, 4), np.array([5, -4])), {"axis": 1, "mode": "wrap"}),
        Example(((3, 4), np.array([5, -4])), {"axis": 1, "mode": "clip"}),
        Example(((3,), np.array(1)), {"axis": 0}),
        Example(((), np.array([0, -1])), {"axis": 0}),
    ),
    latex=r"\operatorname{{take}}\left({0}, {1}\right)",
    onnx="Gather",
    doc="Read entries along an axis at given places.",
    source="Array API standard, take.",
    doctest=("tg.take(np.array([1.0, 2.0]), [1, 1])", "array([2., 2.])"),
)


def _index_add(
    x: Any, indices: Any, shape: Shape, axis: int | None = None, mode: Any = "raise"
) -> Any:
    out = np.zeros(shape, np.asarray(x).dtype)
    if not shape:
        axis = None  # a number is indexed as if it had one axis
    n = out.size if axis is None else shape[axis]
    places = np.asarray(indices)
    if mode == "wrap":
        places = places % n
    elif mode == "clip":
        places = np.clip(places, 0, n - 1)
    if axis is None:
        np.add.at(out.reshape(-1), places, x)
    else:
        where: Any = (slice(None),) * (axis % out.ndim) + (places,)
        np.add.at(out, where, x)
    return out


index_add: OpFunction = linear(
    "index_add",
    _index_add,
    T=(
        lambda g, indices, axis, mode: take(g, indices, axis=axis, mode=mode),
        None,
    ),
    shape_rule=lambda x, indices, shape, axis=None, mode="raise": Aval(
        tuple(shape), as_aval(x).dtype
    ),
    examples=(
        Example(((3, 2), np.array([2, 0, 2])), {"shape": (4, 2), "axis": 0}),
        Example(((3,), np.array([0, 5, 5])), {"shape": (2, 3)}),
    ),
    latex=r"\operatorname{{add}}\left({0}, {1}\right)",
    onnx="ScatterElements",
    doc="Add entries into zeros along an axis, at given places: the transpose of take.",
    source="Array programming literature: gather and scatter.",
    doctest=(
        "tg.index_add(np.ones(3), [0, 2, 2], shape=(3,), axis=0)",
        "array([1., 0., 2.])",
    ),
)


def _take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Any:
    _check_places("take_along_axis", indices)
    return np.take_along_axis(np.asarray(x), np.asarray(indices), axis)


def _along_shape(x: Any, indices: Any, axis: int | None = -1) -> Aval:
    like, places = as_aval(x), as_aval(indices)
    _check_places("take_along_axis", places)
    if axis is None:
        return Aval(places.shape, like.dtype)
    k = normalise_axis("take_along_axis", axis, like.ndim)
    if like.ndim != places.ndim:
        raise ShapeError(
            explain(
                "take_along_axis",
                f"{places.ndim} axes of indices for {like.ndim} axes",
                "as many axes of indices as of the operand",
                "Add axes to the indices with np.expand_dims",
            )
        )
    others = [(*s[:k], 1, *s[k + 1 :]) for s in (like.shape, places.shape)]
    shape = broadcast_shapes("take_along_axis", *others)
    return Aval((*shape[:k], places.shape[k], *shape[k + 1 :]), like.dtype)


take_along_axis: OpFunction = linear(
    "take_along_axis",
    _take_along_axis,
    discards=True,
    T=(
        lambda g, indices, x_like, axis: add_along_axis(
            g, indices, shape=x_like.shape, axis=axis
        ),
        None,
    ),
    shape_rule=_along_shape,
    numpy=np.take_along_axis,
    examples=(
        Example(((3, 4), np.array([[1], [3], [3]])), {"axis": 1}),
        Example(((3, 4), np.array([[1, 0, 2, 2], [0, 0, 1, 1]])), {"axis": 0}),
        Example(((3, 1), np.array([[1, 0, 2], [0, 0, 1]])), {"axis": 0}),
        Example(((2, 3), np.array([5, 5])), {"axis": None}),
    ),
    latex=r"\operatorname{{take}}\left({0}, {1}\right)",
    onnx="GatherElements",
    doc="Read along an axis at places that differ from row to row.",
    source="Array API standard, take_along_axis.",
    doctest=(
        "tg.take_along_axis(np.array([[1.0, 2.0]]), np.array([[1]]), axis=1)",
        "array([[2.]])",
    ),
)


def _add_along_axis(x: Any, indices: Any, shape: Shape, axis: int | None = -1) -> Any:
    out = np.zeros(shape, np.asarray(x).dtype)
    places = np.asarray(indices)
    if axis is None:
        np.add.at(out.reshape(-1), places, x)
        return out
    k = normalise_axis("add_along_axis", axis, out.ndim)
    # Where the operand's other axes have size 1, NumPy repeats it: all go to one entry.
    where: list[Any] = [
        np.arange(n).reshape([-1 if i == j else 1 for j in range(out.ndim)])
        if n > 1
        else np.zeros((1,) * out.ndim, np.intp)
        for i, n in enumerate(shape)
    ]
    where[k] = places
    np.add.at(out, tuple(where), x)
    return out


add_along_axis: OpFunction = linear(
    "add_along_axis",
    _add_along_axis,
    T=(lambda g, indices, axis: take_along_axis(g, indices, axis), None),
    shape_rule=lambda x, indices, shape, axis=-1: Aval(tuple(shape), as_aval(x).dtype),
    examples=(
        Example(((2, 1), np.array([[1], [3]])), {"shape": (2, 4), "axis": 1}),
        Example(((2, 2), np.array([[1, 1], [0, 3]])), {"shape": (2, 4), "axis": -1}),
    ),
    latex=r"\operatorname{{add}}\left({0}, {1}\right)",
    onnx="ScatterElements",
    doc="Add into zeros along an axis: the transpose of take_along_axis.",
    source="Array programming literature: gather and scatter.",
    doctest=(
        "tg.add_along_axis(np.ones((1, 2)), np.array([[2, 2]]), shape=(1, 3), axis=1)",
        "array([[0., 0., 2.]])",
    ),
)
