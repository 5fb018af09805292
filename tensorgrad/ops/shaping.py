"""The table: reshaping, reordering, joining and splitting."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.core.aval import Aval
from tensorgrad.ops.entry import Example, linear


def _reshape(x: Any, shape: Any) -> Any:
    return np.reshape(x, shape)


def _reshape_shape(x: Aval, shape: Any) -> Aval:
    return Aval(np.broadcast_to(0, x.shape).reshape(shape).shape, x.dtype)


reshape = linear(
    "reshape",
    _reshape,
    T=lambda g, x_like: reshape(g, x_like.shape),
    shape_rule=_reshape_shape,
    numpy=np.reshape,
    is_layout=True,
    examples=(Example(((3, 4),), {"shape": (2, 6)}),),
    latex=r"\operatorname{{reshape}} {0}",
    onnx="Reshape",
    doc="Give the entries another shape.",
    source="Array API standard, reshape.",
    doctest=("tg.reshape(np.arange(4.0), (2, 2))", "array([[0., 1.],\n       [2., 3.]])"),
)


def _astype(x: Any, dtype: Any) -> Any:
    return x.astype(dtype)


astype = linear(
    "astype",
    _astype,
    T=lambda g, x_like: astype(g, x_like.dtype),
    shape_rule=lambda x, dtype: Aval(x.shape, np.dtype(dtype)),
    examples=(Example(((3,),), {"dtype": np.float64}),),
    latex="{0}",
    onnx="Cast",
    doc="Convert to another dtype.",
    source="Array API standard, astype.",
    doctest=("tg.astype(np.arange(2), float)", "array([0., 1.])"),
)


def _broadcast_to(x: Any, shape: Any) -> Any:
    return np.broadcast_to(x, shape)


broadcast_to = linear(
    "broadcast_to",
    _broadcast_to,
    T=lambda g: g,  # the sweep sums over the axes that were added
    shape_rule=lambda x, shape: Aval(tuple(shape), x.dtype),
    numpy=np.broadcast_to,
    examples=(Example(((3, 1),), {"shape": (2, 3, 4)}),),
    latex=r"{0}",
    onnx="Expand",
    doc="Repeat along new or unit axes without copying.",
    source="Array API standard, broadcast_to.",
    doctest=("tg.broadcast_to(np.ones(2), (2, 2))", "array([[1., 1.],\n       [1., 1.]])"),
)
