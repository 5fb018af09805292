"""The table: sorting, and where entries go when they are sorted."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.core.aval import Aval
from tensorgrad.core.op import OpFunction
from tensorgrad.ops.entry import Example, select, zero
from tensorgrad.ops.indexing import add_along_axis, take_along_axis
from tensorgrad.ops.reduce import gaps
from tensorgrad.ops.shapes import as_aval, normalise_axis
from tensorgrad.ops.shaping import reshape

_EXAMPLES = (
    Example(((3, 4),)),
    Example(((3, 4),), {"axis": 0}),
    Example(((2, 3),), {"axis": None}),
    Example(((1,),)),
    Example(((0,),)),
)


def _sorted_shape(name: str, dtype: Any) -> Any:
    def rule(x: Any, axis: int | None = -1) -> Aval:
        like = as_aval(x)
        if axis is not None:
            normalise_axis(name, axis, like.ndim)
        shape = (like.size,) if axis is None else like.shape
        return Aval(shape, like.dtype if dtype is None else np.dtype(dtype))

    return rule


def _argsort(x: Any, axis: int | None = -1) -> Any:
    return np.argsort(x, axis=axis, kind="stable")


argsort: OpFunction = zero(
    "argsort",
    _argsort,
    is_constant=True,
    shape_rule=_sorted_shape("argsort", np.intp),
    numpy=np.argsort,
    method="argsort",
    kink=gaps,
    examples=_EXAMPLES,
    latex=r"\operatorname{{argsort}}\left({0}\right)",
    doc="Tell which entries to take, in which order, to sort; equal ones in their order.",
    source="Array API standard, argsort.",
    doctest=("tg.argsort(np.array([3.0, 1.0, 2.0]))", "array([1, 2, 0])"),
)


def _sort(x: Any, axis: int | None = -1) -> Any:
    return np.sort(x, axis=axis, kind="stable")


def _sort_vjp(g: Any, x: Any, axis: int | None) -> Any:
    if axis is None:
        share = add_along_axis(g, argsort(x, axis=None), shape=(x.size,), axis=0)
        return reshape(share, x.shape)
    return add_along_axis(g, argsort(x, axis=axis), shape=x.shape, axis=axis)


sort: OpFunction = select(
    "sort",
    _sort,
    vjp=_sort_vjp,
    jvp=lambda t, x, axis: take_along_axis(t, argsort(x, axis=axis), axis),
    shape_rule=_sorted_shape("sort", None),
    numpy=np.sort,
    kink=gaps,
    examples=_EXAMPLES,
    latex=r"\operatorname{{sort}}\left({0}\right)",
    doc="Sort along an axis, in ascending order.",
    notes="Equal entries keep their order, so each has a gradient of its own.",
    source="Array API standard, sort.",
    doctest=("tg.sort(np.array([3.0, 1.0, 2.0]))", "array([1., 2., 3.])"),
)
