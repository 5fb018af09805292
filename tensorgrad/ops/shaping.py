"""The table: the same entries in another shape, order or dtype."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad._typing import Array, Axis, Shape
from tensorgrad.core.aval import Aval
from tensorgrad.core.op import OpFunction
from tensorgrad.errors import ArgumentError, explain
from tensorgrad.ops import batching
from tensorgrad.ops.entry import Example, linear, zero
from tensorgrad.ops.shapes import (
    as_aval,
    as_dtype,
    layout_shape_rule,
    normalise_axes,
    normalise_axis,
)

_VALID_AXES = "axes of the operand, each once"
_COUNT_AXES = "Count the axes of .shape, from 0"

# ----------------------------------------------------------------------------- shape


def _reshape(x: Any, shape: Any, order: str = "C") -> Any:
    if order == "C" and type(x) is np.ndarray:
        return x.reshape(shape)
    if order not in ("C", "F"):
        raise ArgumentError(
            explain(
                "reshape",
                f"order={order!r}",
                "order 'C' or 'F', which do not depend on how entries lie in memory",
                "Use order='C', or transpose first",
            )
        )
    return np.reshape(x, shape, order=order)  # type: ignore[call-overload]


reshape: OpFunction = linear(
    "reshape",
    _reshape,
    T=lambda g, x_like, order: reshape(g, x_like.shape, order=order),
    batch=batching.reshaped,
    shape_rule=layout_shape_rule(
        "reshape",
        _reshape,
        expected="a shape of the same number of entries, with at most one -1",
        remedy="Compare the products of the sizes",
    ),
    numpy=np.reshape,
    method="reshape",
    is_layout=True,
    examples=(
        Example(((3, 4),), {"shape": (2, 6)}),
        Example(((3, 4),), {"shape": -1}),
        Example(((2, 3, 2),), {"shape": (4, -1), "order": "F"}),
        Example(((),), {"shape": (1, 1)}),
        Example(((0, 3),), {"shape": (3, 0)}),
    ),
    latex=r"\operatorname{{reshape}}\left({0}\right)",
    onnx="Reshape",
    doc="Give the entries another shape.",
    source="Array API standard, reshape.",
    doctest=(
        "tg.reshape(np.arange(4.0), (2, 2))",
        "array([[0., 1.],\n       [2., 3.]])",
    ),
)


def _ravel(x: Any, order: str = "C") -> Any:
    return _reshape(x, -1, order)


ravel: OpFunction = linear(
    "ravel",
    _ravel,
    T=lambda g, x_like, order: reshape(g, x_like.shape, order=order),
    shape_rule=layout_shape_rule(
        "ravel", _ravel, expected="order 'C' or 'F'", remedy="Use order='C'"
    ),
    numpy=np.ravel,
    method="ravel",
    is_layout=True,
    examples=(Example(((3, 4),)), Example(((2, 3),), {"order": "F"}), Example(((),))),
    latex=r"\operatorname{{vec}}\left({0}\right)",
    onnx="Flatten",
    doc="Put all entries on one axis.",
    source="NumPy, ravel.",
    doctest=("tg.ravel(np.ones((2, 2)))", "array([1., 1., 1., 1.])"),
)


def _squeeze(x: Any, axis: Axis = None) -> Any:
    return np.squeeze(x, axis=axis)


squeeze: OpFunction = linear(
    "squeeze",
    _squeeze,
    T=lambda g, x_like: reshape(g, x_like.shape),
    shape_rule=layout_shape_rule(
        "squeeze",
        _squeeze,
        expected="axes of size 1",
        remedy="Leave axis out to remove all axes of size 1",
    ),
    numpy=np.squeeze,
    method="squeeze",
    is_layout=True,
    examples=(
        Example(((1, 3, 1),)),
        Example(((1, 3, 1),), {"axis": -1}),
        Example(((1, 1),), {"axis": (0, 1)}),
        Example(((3, 2),), {"axis": ()}),
    ),
    latex=r"\operatorname{{squeeze}}\left({0}\right)",
    onnx="Squeeze",
    doc="Remove axes of size 1.",
    source="Array API standard, squeeze.",
    doctest=("tg.squeeze(np.ones((1, 2)))", "array([1., 1.])"),
)


def _expand_dims(x: Any, axis: int | tuple[int, ...]) -> Any:
    return np.expand_dims(x, axis)


expand_dims: OpFunction = linear(
    "expand_dims",
    _expand_dims,
    T=lambda g, x_like: reshape(g, x_like.shape),
    shape_rule=layout_shape_rule(
        "expand_dims",
        _expand_dims,
        expected="positions in the result's shape, each once",
        remedy="Count the axes of the result, from 0",
    ),
    numpy=np.expand_dims,
    is_layout=True,
    examples=(
        Example(((3, 2),), {"axis": 1}),
        Example(((3,),), {"axis": (0, -1)}),
        Example(((),), {"axis": 0}),
    ),
    latex="{0}",
    onnx="Unsqueeze",
    doc="Insert axes of size 1.",
    source="Array API standard, expand_dims.",
    doctest=("tg.expand_dims(np.ones(2), 0)", "array([[1., 1.]])"),
)


def _broadcast_to(x: Any, shape: Any) -> Any:
    return np.broadcast_to(x, shape)


broadcast_to: OpFunction = linear(
    "broadcast_to",
    _broadcast_to,
    T=lambda g, x_like: g,  # the sweep sums over the axes that were added
    batch=batching.broadcast,
    shape_rule=layout_shape_rule(
        "broadcast_to",
        _broadcast_to,
        expected="sizes that are equal or 1, counted from the last axis",
        remedy="Reshape the operand, or add an axis with x[:, None]",
    ),
    numpy=np.broadcast_to,
    is_layout=True,
    examples=(
        Example(((3, 1),), {"shape": (2, 3, 4)}),
        Example(((),), {"shape": (2,)}),
        Example(((1, 2),), {"shape": (0, 2)}),
    ),
    latex="{0}",
    onnx="Expand",
    doc="Repeat along new or unit axes without copying.",
    source="Array API standard, broadcast_to.",
    doctest=(
        "tg.broadcast_to(np.ones(2), (2, 2))",
        "array([[1., 1.],\n       [1., 1.]])",
    ),
)

# ------------------------------------------------------------------------ order of axes


def inverse_permutation(axes: Sequence[int] | None, ndim: int) -> Shape | None:
    """Return the axes that undo a transpose."""
    if axes is None:
        return None
    order = [axis % ndim for axis in axes]
    return tuple(sorted(range(ndim), key=order.__getitem__))


def _transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    return np.transpose(x, axes)


transpose: OpFunction = linear(
    "transpose",
    _transpose,
    T=lambda g, axes: transpose(g, axes=inverse_permutation(axes, g.ndim)),
    batch=batching.permuted,
    shape_rule=layout_shape_rule(
        "transpose",
        _transpose,
        expected="a permutation of the operand's axes",
        remedy=_COUNT_AXES,
    ),
    numpy=np.transpose,
    method="transpose",
    is_layout=True,
    examples=(
        Example(((3, 4),)),
        Example(((2, 3, 4),), {"axes": (1, 2, 0)}),
        Example(((2, 3, 4),), {"axes": (-1, 0, 1)}),
        Example(((),)),
        Example(((0, 2),)),
    ),
    latex=r"{0}^{{\top}}",
    onnx="Transpose",
    doc="Reverse or permute the axes.",
    source="Array API standard, permute_dims.",
    doctest=("tg.transpose(np.array([[1.0, 2.0]]))", "array([[1.],\n       [2.]])"),
)


def _swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    return np.swapaxes(x, axis1, axis2)


swapaxes: OpFunction = linear(
    "swapaxes",
    _swapaxes,
    T=lambda g, axis1, axis2: swapaxes(g, axis1, axis2),
    shape_rule=layout_shape_rule(
        "swapaxes", _swapaxes, expected=_VALID_AXES, remedy=_COUNT_AXES
    ),
    numpy=np.swapaxes,
    method="swapaxes",
    is_layout=True,
    examples=(
        Example(((2, 3, 4),), {"axis1": 0, "axis2": -1}),
        Example(((2, 3),), {"axis1": 1, "axis2": 1}),
    ),
    latex=r"{0}^{{\top}}",
    onnx="Transpose",
    doc="Exchange two axes.",
    source="NumPy, swapaxes.",
    doctest=(
        "tg.swapaxes(np.array([[1.0, 2.0]]), 0, 1)",
        "array([[1.],\n       [2.]])",
    ),
)


def _moveaxis(x: Any, source: Any, destination: Any) -> Any:
    return np.moveaxis(x, source, destination)


moveaxis: OpFunction = linear(
    "moveaxis",
    _moveaxis,
    T=lambda g, source, destination: moveaxis(g, destination, source),
    shape_rule=layout_shape_rule(
        "moveaxis",
        _moveaxis,
        expected="as many destinations as sources, all different",
        remedy=_COUNT_AXES,
    ),
    numpy=np.moveaxis,
    is_layout=True,
    examples=(
        Example(((2, 3, 4),), {"source": 0, "destination": -1}),
        Example(((2, 3, 4),), {"source": (0, 1), "destination": (-1, 0)}),
    ),
    latex=r"\operatorname{{moveaxis}}\left({0}\right)",
    onnx="Transpose",
    doc="Move axes to other positions.",
    source="Array API standard, moveaxis.",
    doctest=("tg.moveaxis(np.ones((2, 3, 4)), 0, -1).shape", "(3, 4, 2)"),
)


# --------------------------------------------------------------------- order of entries


def _flip(x: Any, axis: Axis = None) -> Any:
    return np.flip(x, axis)


flip: OpFunction = linear(
    "flip",
    _flip,
    T=lambda g, axis: flip(g, axis=axis),
    shape_rule=layout_shape_rule(
        "flip", _flip, expected=_VALID_AXES, remedy=_COUNT_AXES
    ),
    numpy=np.flip,
    is_layout=True,
    examples=(
        Example(((3, 4),)),
        Example(((3, 4),), {"axis": -1}),
        Example(((3, 4),), {"axis": (0, 1)}),
        Example(((),)),
        Example(((0,),)),
    ),
    latex=r"\operatorname{{flip}}\left({0}\right)",
    doc="Reverse the entries along axes.",
    source="Array API standard, flip.",
    doctest=("tg.flip(np.array([1.0, 2.0]))", "array([2., 1.])"),
)


def _roll(x: Any, shift: Any, axis: Any = None) -> Any:
    return np.roll(x, shift, axis=axis)


def _roll_shape(x: Any, shift: Any, axis: Any = None) -> Aval:
    like = as_aval(x)
    for a in () if axis is None else np.atleast_1d(axis):
        normalise_axis("roll", int(a), like.ndim)
    np.broadcast(shift, 0 if axis is None else axis)
    return Aval(like.shape, like.dtype)


def _backwards(shift: Any) -> Any:
    return tuple(-s for s in shift) if isinstance(shift, (tuple, list)) else -shift


roll: OpFunction = linear(
    "roll",
    _roll,
    T=lambda g, shift, axis: roll(g, _backwards(shift), axis=axis),
    shape_rule=_roll_shape,
    numpy=np.roll,
    examples=(
        Example(((3, 4),), {"shift": 1}),
        Example(((3, 4),), {"shift": -2, "axis": 1}),
        Example(((3, 4),), {"shift": (1, 1), "axis": (0, -1)}),
        Example(((0,),), {"shift": 1}),
    ),
    latex=r"\operatorname{{roll}}\left({0}\right)",
    doc="Shift the entries along axes; what leaves at one end enters at the other.",
    source="Array API standard, roll.",
    doctest=("tg.roll(np.array([1.0, 2.0, 3.0]), 1)", "array([3., 1., 2.])"),
)


def _rot90(x: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    return np.rot90(x, k, axes)


rot90: OpFunction = linear(
    "rot90",
    _rot90,
    T=lambda g, k, axes: rot90(g, -k, axes),
    shape_rule=layout_shape_rule(
        "rot90",
        _rot90,
        expected="two different axes of an operand with at least two",
        remedy=_COUNT_AXES,
    ),
    numpy=np.rot90,
    is_layout=True,
    examples=(Example(((3, 4),)), Example(((2, 3, 4),), {"k": 3, "axes": (1, -1)})),
    latex=r"\operatorname{{rot}}\left({0}\right)",
    doc="Rotate by quarter turns in the plane of two axes.",
    source="NumPy, rot90.",
    doctest=("tg.rot90(np.array([[1.0, 2.0]]))", "array([[2.],\n       [1.]])"),
)

# -------------------------------------------------------------------- dtype and identity


def _astype(x: Any, dtype: Any) -> Any:
    return np.asarray(x).astype(dtype)


def _cast_shape(x: Any, dtype: Any) -> Aval:
    return Aval(as_aval(x).shape, np.dtype(dtype))


_cast: OpFunction = linear(
    "astype",
    _astype,
    T=lambda g, x_like: g,  # the sweep casts it back, and takes the real part
    batch=batching.aligned,
    shape_rule=_cast_shape,
    method="astype",
    examples=(
        Example(((3, 2),), {"dtype": np.float64}),
        Example(((),), {"dtype": np.complex128}),
    ),
    latex="{0}",
    onnx="Cast",
    doc="Convert to another dtype; the result is a copy.",
    notes="A conversion to integers or booleans has derivative zero, and gives a plain "
    "array: it is the op `as_integer`.",
    source="Array API standard, astype.",
    doctest=("tg.astype(np.arange(2), float)", "array([0., 1.])"),
)

as_integer: OpFunction = zero(
    "as_integer",
    _astype,
    is_constant=True,
    shape_rule=_cast_shape,
    examples=(
        Example(((3, 2),), {"dtype": np.int64}),
        Example(((),), {"dtype": np.bool_}),
    ),
    kink=lambda x: np.abs(x - np.rint(x)),
    latex=r"\lfloor {0} \rfloor",
    onnx="Cast",
    doc="Convert to a dtype of integers or booleans: a constant.",
    source="Array API standard, astype.",
    doctest=("tg.as_integer(np.array([1.5]), int)", "array([1])"),
)


def astype(x: Any, dtype: Any) -> Any:
    """Convert to another dtype; see the entry, from which the reference is made."""
    target = as_dtype("astype", dtype)
    return _cast(x, target) if target.kind in "fc" else as_integer(x, target)


astype.op = _cast.op  # type: ignore[attr-defined]
astype.__doc__ = _cast.__doc__


def _copy(x: Any) -> Any:
    return np.array(x, copy=True, order="K")


copy: OpFunction = linear(
    "copy",
    _copy,
    T=lambda g: g,
    batch=batching.aligned,
    shape_rule=as_aval,
    numpy=np.copy,
    method="copy",
    examples=(Example(((3, 4),)), Example(((),)), Example(((0, 2),))),
    latex="{0}",
    onnx="Identity",
    doc="Return the same entries in memory of their own.",
    source="NumPy, copy.",
    doctest=("tg.copy(tg.tensor([1.0]))", "tensor([1.], op=copy)"),
)


def kept_shape(shape: Shape, axis: Axis) -> Shape:
    """Return the shape after a reduction that keeps its axes with size 1."""
    axes = normalise_axes("reduction", axis, len(shape))
    return tuple(1 if k in axes else n for k, n in enumerate(shape))


def spread(g: Any, x_like: Aval, axis: Axis) -> Any:
    """Undo a reduction's change of shape: repeat along the axes it ran over."""
    if isinstance(g, (np.ndarray, np.generic)):
        return _repeated(g, x_like.shape, axis)
    return broadcast_to(reshape(g, kept_shape(x_like.shape, axis)), x_like.shape)


def _repeated(g: Any, shape: Shape, axis: Axis) -> Array:
    """Do for a plain cotangent what `spread` does, without the cost of two ops.

    Most losses end in one number; np.broadcast_to takes ten times as long for it.
    """
    if g.ndim > 0:
        return np.broadcast_to(g.reshape(kept_shape(shape, axis)), shape)
    out: Array = np.ndarray(shape, g.dtype, np.array(g), 0, (0,) * len(shape))
    out.flags.writeable = False
    return out
