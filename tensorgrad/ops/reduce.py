"""The table: reductions over axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad._typing import Axis
from tensorgrad.core.aval import Aval
from tensorgrad.ops.entry import Example, linear
from tensorgrad.ops.shapes import normalise_axes, reduced_shape
from tensorgrad.ops.shaping import broadcast_to, reshape


def spread(g: Any, x_like: Aval, axis: Axis) -> Any:
    """Undo a reduction's change of shape: repeat along the axes it ran over."""
    axes = normalise_axes("sum", axis, x_like.ndim)
    kept = tuple(1 if i in axes else n for i, n in enumerate(x_like.shape))
    return broadcast_to(reshape(g, kept), x_like.shape)


def _sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    return np.add.reduce(x, axis=axis, keepdims=keepdims)


def _sum_shape(x: Aval, axis: Axis = None, keepdims: bool = False) -> Aval:
    dtype = np.add.reduce(np.zeros(0, x.dtype)).dtype
    return Aval(reduced_shape("sum", x.shape, axis, keepdims=keepdims), dtype)


sum = linear(
    "sum",
    _sum,
    T=lambda g, x_like, axis: spread(g, x_like, axis),
    shape_rule=_sum_shape,
    numpy=np.sum,
    method="sum",
    examples=(Example(((3, 4),)), Example(((3, 4),), {"axis": 0}),
              Example(((3, 4),), {"axis": (0, 1), "keepdims": True})),
    latex=r"\sum {0}",
    onnx="ReduceSum",
    doc="Sum over axes.",
    source="Array API standard, sum.",
    doctest=("tg.sum(np.ones((2, 3)), axis=0)", "array([2., 2., 2.])"),
)
