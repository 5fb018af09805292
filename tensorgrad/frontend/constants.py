"""NumPy's functions whose results no gradient passes through, on the values of Tensors.

Shapes, dtypes, tests, indices and counts are constants by declaration. The makers of
arrays that look like another (`np.zeros_like`) return Tensors, so that filling one in
a loop is recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.core.aval import Aval
from tensorgrad.core.tensor import Tensor, wrap
from tensorgrad.frontend.assignment import assign
from tensorgrad.frontend.calls import refuse_option
from tensorgrad.ops import TABLE

__all__ = ["FUNCTIONS", "value_of", "where"]


def value_of(x: Any) -> Any:
    """Return an argument with its Tensors replaced by their values.

    Examples
    --------
    >>> from tensorgrad.core.tensor import tensor
    >>> value_of([tensor(1.0), (2.0, "a")])
    [array(1.), (2.0, 'a')]
    """
    if isinstance(x, Tensor):
        return x._concrete("reading a value")
    if type(x) in (list, tuple):
        return type(x)([value_of(part) for part in x])
    return x


def _on_values(function: Any) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(
            *[value_of(x) for x in args],
            **{name: value_of(x) for name, x in kwargs.items()},
        )

    call.__name__ = call.__qualname__ = function.__name__
    call.__doc__ = function.__doc__
    return call


_DISCRETE = (
    # facts about arrays
    np.can_cast, np.common_type, np.iscomplexobj, np.isrealobj, np.may_share_memory,
    np.min_scalar_type, np.result_type, np.shares_memory,
    # tests
    np.all, np.allclose, np.any, np.array_equal, np.array_equiv, np.isclose,
    np.iscomplex, np.isin, np.isneginf, np.isposinf, np.isreal,
    # indices and counts
    np.argmax, np.argmin, np.argpartition, np.argsort, np.argwhere, np.count_nonzero,
    np.diag_indices_from, np.einsum_path,
    np.digitize, np.flatnonzero, np.ix_, np.lexsort, np.linalg.matrix_rank, np.nanargmax,
    np.nanargmin, np.nonzero, np.ravel_multi_index, np.searchsorted,
    np.tril_indices_from, np.triu_indices_from, np.unravel_index,
    # text
    np.array2string, np.array_repr, np.array_str,
)  # fmt: skip


def where(condition: Any, *choices: Any) -> Any:
    """Choose by a condition; with no choices, tell where it holds.

    Examples
    --------
    >>> where(np.array([0.0, 2.0]))
    (array([1]),)
    """
    if not choices:
        return np.nonzero(value_of(condition))
    return TABLE["where"](condition, *choices)


def _shape(a: Any) -> tuple[int, ...]:
    return a.shape if isinstance(a, Tensor) else np.shape(value_of(a))


def _ndim(a: Any) -> int:
    return len(_shape(a))


def _size(a: Any, axis: int | None = None) -> int:
    return a.size if axis is None else a.shape[axis]  # type: ignore[no-any-return]


def _fresh(
    make: Callable[..., Array], a: Any, dtype: Any, shape: Any, options: dict[str, Any]
) -> Tensor:
    for name, option in options.items():
        if name not in ("order", "subok", "device"):
            raise refuse_option(make.__name__, name, option)
    value = a._value if isinstance(a, Tensor) else a
    if isinstance(value, Aval):
        value = np.broadcast_to(np.zeros((), value.dtype), value.shape)
        options = {**options, "order": "C"}
    # In NumPy's own memory order, on which it depends what `ravel` returns.
    return wrap(make(value, dtype=dtype, shape=shape, **options), None)


def _zeros_like(a: Any, dtype: Any = None, order: str = "K", subok: bool = True,
                shape: Any = None, **options: Any) -> Tensor:  # fmt: skip
    return _fresh(np.zeros_like, a, dtype, shape, {"order": order, **options})


def _ones_like(a: Any, dtype: Any = None, order: str = "K", subok: bool = True,
               shape: Any = None, **options: Any) -> Tensor:  # fmt: skip
    return _fresh(np.ones_like, a, dtype, shape, {"order": order, **options})


def _empty_like(prototype: Any, dtype: Any = None, order: str = "K", subok: bool = True,
                shape: Any = None, **options: Any) -> Tensor:  # fmt: skip
    return _fresh(np.empty_like, prototype, dtype, shape, {"order": order, **options})


def _full_like(a: Any, fill_value: Any, dtype: Any = None, order: str = "K",
               subok: bool = True, shape: Any = None, **options: Any) -> Tensor:  # fmt: skip
    full = _fresh(np.zeros_like, a, dtype, shape, {"order": order, **options})
    assign(full, ..., fill_value, action="np.full_like")
    return full


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    **{function: _on_values(function) for function in _DISCRETE},
    np.shape: _shape,
    np.ndim: _ndim,
    np.size: _size,
    np.zeros_like: _zeros_like,
    np.ones_like: _ones_like,
    np.empty_like: _empty_like,
    np.full_like: _full_like,
}
