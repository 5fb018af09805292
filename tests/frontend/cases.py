"""One or more calls for each composition; NumPy's own function is the reference.

Operands are shapes, to be filled with random numbers, or arrays. Under ``call`` the
function is NumPy's, given plain arrays or Tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

NAN = np.nan


@dataclass(frozen=True)
class Case:
    name: str
    operands: tuple[Any, ...]
    call: Callable[..., Any] = lambda f, *xs: f(*xs)
    is_second_order: bool = True

    def function(self) -> Any:
        place: Any = np
        for part in self.name.split("."):
            place = getattr(place, part, None)
        return place

    def points(self, rng: np.random.Generator) -> list[Any]:
        return [
            rng.uniform(0.3, 1.7, x) if isinstance(x, tuple) else np.array(x)
            for x in self.operands
        ]

    def __str__(self) -> str:
        return self.name


WITH_NAN = np.array([[0.5, NAN, 2.0], [1.5, 0.25, NAN]])
COLUMN_OF_NAN = np.array([[0.5, NAN], [1.5, NAN]])


MASK = np.array([[True, False, True], [True, True, False]])

ALL = (
    # order statistics that skip NaN
    Case("nanmedian", (WITH_NAN,)),
    Case("nanmedian", ((3, 4),), lambda f, x: f(x, axis=(0, 1), keepdims=True)),
    Case("nanmedian", (COLUMN_OF_NAN[:, :1],), lambda f, x: f(x, axis=0)),
    Case("nanpercentile", (WITH_NAN,), lambda f, x: f(x, 30, axis=1)),
    Case("nanquantile", (WITH_NAN,), lambda f, x: f(x, [0.2, 0.7], axis=0)),
    Case("nanquantile", (WITH_NAN,), lambda f, x: f(x, [0.0, 1.0], keepdims=True)),
    # arranging
    Case("append", ((2, 3), (1, 3)), lambda f, x, y: f(x, y, 0)),
    Case("append", ((2, 3), (2,))),
    Case("append", ((3,), (), ()), lambda f, x, y, z: f(x, [y, z])),
    Case("append", ((2, 2), (), ()), lambda f, x, y, z: f(x, [[y, z]], axis=0)),
    Case("array_split", ((5, 2),), lambda f, x: f(x, 3)),
    Case("array_split", ((2, 5),), lambda f, x: f(x, [1, 3], axis=-1)),
    Case("atleast_1d", ((), (2,))),
    Case("atleast_2d", ((), (2,), (2, 2))),
    Case("atleast_3d", ((), (2,), (2, 2), (1, 2, 1))),
    Case("block", ((2, 2), (2, 1), (1, 3)), lambda f, x, y, z: f([[x, y], [z]])),
    Case("block", ((2,), ()), lambda f, x, y: f([x, y])),
    Case("block", ((2, 2),)),
    Case("broadcast_arrays", ((3, 1), (2,), ())),
    Case("column_stack", ((3,), (3, 2)), lambda f, *xs: f(xs)),
    Case("delete", ((4, 3),), lambda f, x: f(x, [0, -1], axis=0)),
    Case("delete", ((4, 3),), lambda f, x: f(x, slice(1, 5))),
    Case("delete", ((4,),), lambda f, x: f(x, 2)),
    Case("dsplit", ((2, 2, 4),), lambda f, x: f(x, 2)),
    Case("dstack", ((2,), (2,)), lambda f, *xs: f(xs)),
    Case("fliplr", ((2, 3),)),
    Case("flipud", ((3,),)),
    Case("hsplit", ((2, 4),), lambda f, x: f(x, 2)),
    Case("hsplit", ((4,),), lambda f, x: f(x, [1])),
    Case("hstack", ((2,), (3,)), lambda f, *xs: f(xs)),
    Case("hstack", ((2, 2), (2, 1)), lambda f, *xs: f(xs)),
    Case("insert", ((4,), ()), lambda f, x, v: f(x, 1, v)),
    Case("insert", ((2, 3), (2, 1)), lambda f, x, v: f(x, [1], v, axis=1)),
    Case("insert", ((2, 3), (2,)), lambda f, x, v: f(x, 1, v, axis=1)),
    Case("insert", ((4,), (3,)), lambda f, x, v: f(x, [0, 2, 2], v)),
    Case("insert", ((4,), (2,)), lambda f, x, v: f(x, slice(1, 3), v)),
    Case("meshgrid", ((3,), (2,))),
    Case("meshgrid", ((3,), (2,), (2,)), lambda f, *xs: f(*xs, indexing="ij")),
    Case("meshgrid", ((3,), (2,)), lambda f, *xs: f(*xs, sparse=True)),
    Case("resize", ((2, 2),), lambda f, x: f(x, (3, 3))),
    Case("resize", ((4,),), lambda f, x: f(x, 2)),
    Case("rollaxis", ((2, 3, 4),), lambda f, x: f(x, 2, 1)),
    Case("lib.stride_tricks.sliding_window_view", ((5,),), lambda f, x: f(x, 2)),
    Case("lib.stride_tricks.sliding_window_view", ((4, 3),),
         lambda f, x: f(x, (2, 3))),
    Case("lib.stride_tricks.sliding_window_view", ((2, 4, 3),),
         lambda f, x: f(x, [2, 2], axis=[-2, 0])),
    # ordering
    Case("partition", ((5,),), lambda f, x: f(x, 2)),
    Case("partition", ((3, 4),), lambda f, x: f(x, (0, 2), axis=0)),
    Case("partition", ((3, 4),), lambda f, x: f(x, 5, axis=None)),
    Case("trim_zeros", ((5,),), lambda f, x: f(x * [0, 1, 0, 1, 0])),
    Case("trim_zeros", ((5,),), lambda f, x: f(x * [0, 1, 0, 1, 0], "f")),
    Case("trim_zeros", ((2,),), lambda f, x: f(x * 0.0)),
    Case("union1d", ((3,), (2, 2))),
    Case("unique", ((2, 3),)),
    Case("unique", ((3,),), lambda f, x: f(x[[0, 1, 0, 2, 1]])),
    Case("unique", ((2, 3),), lambda f, x: f(x[[1, 0, 1]], axis=0)),
    Case("unique", ((3,),), lambda f, x: f(x[[0, 1, 0]], return_inverse=True)[0]),
    Case("unique_values", ((3,),), lambda f, x: np.sort(f(x[[0, 1, 0, 2]]))),
    Case("rollaxis", ((2, 3, 4),), lambda f, x: f(x, -2)),
    Case("unstack", ((3, 2),)),
    Case("unstack", ((2, 2),), lambda f, x: f(x, axis=1)),
    Case("vsplit", ((4, 2),), lambda f, x: f(x, 2)),
    Case("vstack", ((2,), (1, 2)), lambda f, *xs: f(xs)),
    # products
    Case("cross", ((2, 3), (3,))),
    Case("cross", ((3, 2), (3, 2)), lambda f, x, y: f(x, y, axis=0)),
    Case("diagflat", ((2, 2),), lambda f, x: f(x, 1)),
    Case("kron", ((2, 2), (3,))),
    Case("kron", ((), (2,))),
    Case("kron", ((), ())),
    Case("linalg.matrix_power", ((3, 3),), lambda f, x: f(x, 3)),
    Case("linalg.matrix_power", ((2, 2, 2),), lambda f, x: f(x, 1)),
    Case("linalg.matrix_power", ((2, 2),), lambda f, x: f(x, 0)),
    Case("linalg.multi_dot", ((2, 3), (3, 4), (4, 1), (1, 2)), lambda f, *xs: f(xs)),
    Case("linalg.multi_dot", ((3,), (3, 4), (4,)), lambda f, *xs: f(xs)),
    Case("matvec", ((2, 3, 4), (4,))),
    Case("vander", ((3,),)),
    Case("vander", ((3,),), lambda f, x: f(x, 4, increasing=True)),
    Case("vecdot", ((2, 3), (3,))),
    Case("vecmat", ((3,), (2, 3, 4))),
    Case("linalg.diagonal", ((2, 3, 4),), lambda f, x: f(x, offset=1)),
    Case("linalg.matmul", ((2, 3), (3,))),
    Case("linalg.matrix_norm", ((2, 3, 4),), lambda f, x: f(x, keepdims=True)),
    Case("linalg.matrix_transpose", ((2, 3, 4),)),
    Case("linalg.outer", ((2,), (3,))),
    Case("linalg.tensordot", ((2, 3), (2, 3)), lambda f, x, y: f(x, y, axes=(1, 1))),
    Case("linalg.trace", ((2, 3, 4),)),
    Case("linalg.vector_norm", ((2, 3),)),
    Case("linalg.vector_norm", ((2, 3, 4),), lambda f, x: f(x, axis=(0, 2), ord=3)),
    Case("linalg.vector_norm", ((2, 3),), lambda f, x: f(x, axis=0, keepdims=True)),
    Case("matrix_transpose", ((2, 3),)),
    # sequences
    Case("bincount", ((4,),), lambda f, w: f(np.array([0, 2, 2, 1]), w, 5)),
    Case("cumulative_prod", ((2, 3),), lambda f, x: f(x, axis=1, include_initial=True)),
    Case("cumulative_sum", ((3,),)),
    Case("cumulative_sum", ((2, 3),), lambda f, x: f(x, axis=0, include_initial=True)),
    Case("geomspace", ((), ()), lambda f, *xs: f(*xs, 4)),
    Case("geomspace", ((2,), (2,)), lambda f, x, y: f(-x, -y, 4, axis=-1)),
    Case("geomspace", ((), (2,)), lambda f, *xs: f(*xs, 4, endpoint=False)),
    Case("logspace", ((), ()), lambda f, *xs: f(*xs, 4)),
    Case("logspace", ((2,), ()), lambda f, x, b: f(0.5, x, 4, base=b)),
    Case("linspace", ((2,),), lambda f, x: f(0, x, 4)),
    Case("linspace", ((),), lambda f, x: f(x, 2.0, 4)),
    Case("linspace", ((), ()), lambda f, a, b: f(a, b, 4)),
    Case("linspace", ((2,), ()), lambda f, a, b: f(a, b, 4, endpoint=False, axis=-1)),
    Case("linspace", ((), ()), lambda f, a, b: f(a, b, 4, retstep=True)),
    Case("linspace", ((), ()), lambda f, a, b: f(a, b, 1)),
    Case("apply_along_axis", ((2, 3),), lambda f, x: f(np.sum, 1, x)),
    Case("apply_along_axis", ((2, 3, 2),), lambda f, x: f(lambda v: v[:2] * v[1], 1, x)),
    Case("choose", ((3,), (3,)), lambda f, x, y: f(np.array([1, 0, 1]), [x, y])),
    Case("choose", ((3,), ()), lambda f, x, y: f(np.array([4, -1, 0]), [x, y], mode="wrap")),
    Case("choose", ((3,), ()), lambda f, x, y: f(np.array([4, -1, 0]), [x, y], mode="clip")),
    Case("compress", ((3, 2),), lambda f, x: f([True, False, True], x, axis=0)),
    Case("convolve", ((5,), (3,))),
    Case("convolve", ((3,), (4,)), lambda f, x, y: f(x, y, "same")),
    Case("convolve", ((5,), (2,)), lambda f, x, y: f(x, y, "valid")),
    Case("correlate", ((5,), (3,))),
    Case("correlate", ((3,), (4,)), lambda f, x, y: f(x, y, "same")),
    Case("correlate", ((2,), (5,)), lambda f, x, y: f(x, y, "full")),
    Case("correlate", ((2,), (5,)), lambda f, x, y: f(x, y, "valid")),
    Case("diff", ((3, 4),)),
    Case("diff", ((4, 2),), lambda f, x: f(x, 2, axis=0)),
    Case("diff", ((3,), (), (2,)), lambda f, x, a, b: f(x, prepend=a, append=b)),
    Case("diff", ((3,), (2,)), lambda f, x, b: f(x, append=b)),
    Case("divmod", ((3,), (3,)), lambda f, x, y: f(x * 5, y)),
    Case("ediff1d", ((2, 2), (1,), (2,)), lambda f, x, a, b: f(x, a, b)),
    Case("extract", ((2, 2),), lambda f, x: f(np.eye(2) > 0, x)),
    Case("frexp", ((3,),), lambda f, x: f(x)[0]),
    Case("gradient", ((4,),)),
    Case("gradient", ((3, 4), ()), lambda f, x, h: f(x, 0.5)),
    Case("gradient", ((3, 4),), lambda f, x: f(x, 0.5, 2.0, edge_order=2)),
    Case("gradient", ((4, 3),), lambda f, x: f(x, axis=0)),
    Case("gradient", ((4, 3),), lambda f, x: f(x, axis=(1, 0))),
    Case("gradient", ((4,), [0.0, 1.0, 2.5, 3.0]), lambda f, x, at: f(x, at, edge_order=2)),
    Case("interp", ([0.2, 1.3, 2.7], [0.0, 1.0, 2.0, 3.0], (4,))),
    Case("interp", ([-1.0, 1.5, 9.0], [0.0, 1.0, 2.0], (3,)), lambda f, *xs: f(*xs, 7.0, 8.0)),
    Case("interp", (0.25, [0.0, 1.0], (2,))),
    Case("interp", ([-1.0, 9.0], [0.0, 1.0], (2,))),
    Case("ldexp", ((3,),), lambda f, x: f(x, np.array([2, -3, 0]))),
    Case("modf", ([1.25, -2.75, 0.5],)),
    Case(
        "piecewise",
        ((4,),),
        lambda f, x: f(x, [np.arange(4) < 1, np.arange(4) > 2], [np.sin, 0.5, np.exp]),
    ),
    Case("piecewise", ((3,),), lambda f, x: f(x, np.arange(3) < 1, [np.sin, np.exp])),
    Case("polyval", ((3,), (2, 2))),
    Case("polyval", ((3,), ())),
    Case("apply_over_axes", ((2, 3, 2),), lambda f, x: f(np.sum, x, [0, -1])),
    Case("real_if_close", ((3,),)),
    Case("real_if_close", ((3,),), lambda f, x: f(x + 1e-20j)),
    Case("real_if_close", ((3,),), lambda f, x: np.abs(f(x + 1j))),
    Case("select", ((3,), (3,)), lambda f, x, y: f([[True, False, False], [True, True, False]],
                                                   [x, y], 0.5)),
    Case("trapezoid", ((3, 4),)),
    Case("trapezoid", ((3, 4),), lambda f, x: f(x, dx=0.5, axis=0)),
    Case("trapezoid", ((4, 2), (4,)), lambda f, y, x: f(y, x, axis=0)),
    Case("trapezoid", ((2, 4), (2, 4))),
    Case("unwrap", ([0.0, 3.0, 6.5, 0.5],)),
    # statistics
    Case("average", ((3, 2),)),
    Case("average", ((3, 2),), lambda f, x: f(x, axis=0, keepdims=True)),
    Case("average", ((3, 2), (3, 2)), lambda f, x, w: f(x, axis=1, weights=w)),
    Case("average", ((3, 2), (3,)), lambda f, x, w: f(x, axis=0, weights=w)),
    Case("average", ((3,), (3,)), lambda f, x, w: f(x, weights=w, returned=True)),
    Case("corrcoef", ((3, 5),)),
    Case("corrcoef", ((5,), (5,))),
    Case("cov", ((3, 5),)),
    Case("cov", ((5,),)),
    Case("cov", ((4,), (4,)), lambda f, x, y: f(x, y, bias=True)),
    Case("cov", ((4, 2),), lambda f, x: f(x, rowvar=False, ddof=2)),
    Case("cov", ((2, 4),), lambda f, x: f(x, fweights=np.array([1, 2, 1, 3]))),
    Case("cov", ((2, 4), (4,)), lambda f, x, w: f(x, aweights=np.array([1.0, 2, 1, 3]))),
    Case("median", ((5,),)),
    Case("median", ((2, 4),), lambda f, x: f(x, axis=1, keepdims=True)),
    Case("median", ((2, 3, 2),), lambda f, x: f(x, axis=(0, 2))),
    Case("nancumprod", (WITH_NAN,), lambda f, x: f(x, axis=1)),
    Case("nancumsum", (WITH_NAN,)),
    Case("nanmax", (WITH_NAN,), lambda f, x: f(x, axis=0)),
    Case("nanmax", (WITH_NAN,)),
    Case("nanmean", (WITH_NAN,), lambda f, x: f(x, axis=1, keepdims=True)),
    Case("nanmin", (WITH_NAN,), lambda f, x: f(x, axis=0)),
    Case("nanprod", (WITH_NAN,)),
    Case("nanstd", (WITH_NAN,)),
    Case("nansum", (WITH_NAN,), lambda f, x: f(x, axis=0)),
    Case("nanvar", (WITH_NAN,), lambda f, x: f(x, ddof=1)),
    Case("nanvar", (WITH_NAN[:, ::2],), lambda f, x: f(x, axis=1)),
    Case("percentile", ((5,),), lambda f, x: f(x, 30.0)),
    Case("percentile", ((5, 2),), lambda f, x: f(x, [30.0, 70.0], axis=0)),
    Case("quantile", ((4, 3),), lambda f, x: f(x, np.array([[0.1], [0.7]]), axis=-1)),
    Case("quantile", ((4, 3),), lambda f, x: f(x, [0.1, 0.7], axis=(0, 1), keepdims=True)),
)  # fmt: skip

OPTIONS = (
    # reductions with where= and initial=
    Case("sum", ((2, 3),), lambda f, x: f(x, where=MASK)),
    Case("sum", ((2, 3),), lambda f, x: f(x, 1, initial=2.0, keepdims=True)),
    Case("prod", ((2, 3),), lambda f, x: f(x, axis=0, where=MASK, initial=3.0)),
    Case("max", ((2, 3),), lambda f, x: f(x, axis=1, where=MASK, initial=-1.0)),
    Case("max", ((2, 3),), lambda f, x: f(x, initial=9.0)),
    Case("min", ((2, 3),), lambda f, x: f(x, where=MASK[0], initial=np.inf)),
    Case("mean", ((2, 3),), lambda f, x: f(x, axis=0, where=MASK)),
    Case("mean", ((2, 3),), lambda f, x: f(x, where=MASK, keepdims=True)),
    Case("var", ((2, 3),), lambda f, x: f(x, where=MASK, ddof=1)),
    Case("var", ((2, 3),), lambda f, x: f(x, axis=1, where=MASK, correction=0.5)),
    Case("var", ((2, 3),),
         lambda f, x: f(x, 0, mean=np.mean(x, axis=0, keepdims=True))),
    Case("std", ((2, 3),), lambda f, x: f(x, axis=1, where=MASK, keepdims=True)),
    # running extrema
    Case("maximum", ((2, 5),), lambda f, x: f.accumulate(x, axis=1)),
    Case("minimum", ((5, 2),), lambda f, x: f.accumulate(x)),
    Case("maximum", ([0.5, NAN, 2.0],), lambda f, x: f.accumulate(x)[:1]),
)  # fmt: skip
"""Calls of ops of the table by NumPy's functions, with options that ops do not have."""

AVAILABLE = tuple(case for case in ALL if case.function() is not None)
