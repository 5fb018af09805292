"""NumPy's functions that write into an array, as assignments to a Tensor."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.core.tensor import Tensor, as_value
from tensorgrad.core.views import check_writable, rebind
from tensorgrad.errors import ArgumentError, DTypeError, UnsupportedError, explain
from tensorgrad.frontend.assignment import assign, check_kept, convert
from tensorgrad.frontend.composition import implements

__all__ = [
    "copyto",
    "fill_diagonal",
    "place",
    "put",
    "put_along_axis",
    "putmask",
]


def _require_tensor(name: str, target: Any) -> None:
    if not isinstance(target, Tensor):
        raise UnsupportedError(
            explain(
                f"np.{name}",
                "a Tensor to be written into a plain array",
                "a Tensor to write into",
                "Make the target with np.zeros_like of a Tensor",
            )
        )


def _assign_flat(name: str, t: Tensor, places: Any, values: Any, numbers: Any) -> None:
    """Assign to entries counted in C order the values of the given numbers.

    Values start over at their end; where there are none, nothing happens, as in NumPy.
    """
    operand: Any = values if isinstance(values, Tensor) else np.asarray(values)
    flat = operand.ravel()
    if not places.size or not flat.size:
        return
    chosen = flat[numbers % flat.size]
    if t.ndim:
        assign(t, np.unravel_index(places, t.shape), chosen, action=f"np.{name}")
    else:
        assign(t, (), chosen[-1], action=f"np.{name}")


@implements("copyto")
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    """Assign one array to another, or to some of its entries.

    Examples
    --------
    >>> from tensorgrad.core.tensor import tensor
    >>> t = tensor([1.0, 2.0])
    >>> copyto(t, 0.0, where=[True, False])
    >>> t.numpy()
    array([0., 2.])
    """
    _require_tensor("copyto", dst)
    dtype = getattr(src, "dtype", None)
    if dtype is not None and not np.can_cast(dtype, dst.dtype, casting):  # type: ignore[arg-type]
        raise DTypeError(
            explain(
                "np.copyto",
                f"values of dtype {dtype} for a Tensor of dtype {dst.dtype}",
                f"dtypes that casting={casting!r} allows",
                "Convert with .astype first",
            )
        )
    mask = as_value(where)
    if mask is True:
        assign(dst, ..., src, action="np.copyto")
        return
    check_writable(dst, "np.copyto")
    check_kept(dst.dtype, src, "np.copyto")
    chosen = np.where(mask, src, dst)
    rebind(dst, convert(chosen, dst.shape, dst.dtype, "np.copyto"))


@implements("put")
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    """Assign to entries counted in C order, values starting over at their end.

    Examples
    --------
    >>> from tensorgrad.core.tensor import tensor
    >>> t = tensor([1.0, 2.0, 3.0])
    >>> put(t, [0, -1], 9.0)
    >>> t.numpy()
    array([9., 2., 9.])
    """
    _require_tensor("put", a)
    places = np.asarray(as_value(ind)).ravel()
    n = a.size
    if mode == "clip":
        places = np.clip(places, 0, n - 1)
    elif mode == "wrap":
        places = places % n
    else:
        # Raises for what lies outside, and counts negative ones from the end.
        places = np.arange(n)[places]
    _assign_flat("put", a, places, v, np.arange(places.size))


@implements("place")
def place(arr: Any, mask: Any, vals: Any) -> None:
    """Assign to the entries under a mask, values starting over at their end.

    Examples
    --------
    >>> from tensorgrad.core.tensor import tensor
    >>> t = tensor([1.0, 2.0, 3.0])
    >>> place(t, t > 1, [8.0, 9.0])
    >>> t.numpy()
    array([1., 8., 9.])
    """
    _require_tensor("place", arr)
    places = np.flatnonzero(as_value(mask))
    if places.size and not np.size(as_value(vals)):
        raise ArgumentError(
            explain("np.place", "no values", "one value or more", "Check the values")
        )
    _assign_flat("place", arr, places, vals, np.arange(places.size))


@implements("putmask")
def putmask(a: Any, /, mask: Any, values: Any) -> None:
    """Assign under a mask those of the values that lie at the same places.

    Examples
    --------
    >>> from tensorgrad.core.tensor import tensor
    >>> t = tensor([1.0, 2.0, 3.0])
    >>> putmask(t, t > 1, [7.0, 8.0])
    >>> t.numpy()
    array([1., 8., 7.])
    """
    _require_tensor("putmask", a)
    places = np.flatnonzero(as_value(mask))
    _assign_flat("putmask", a, places, values, places)


@implements("fill_diagonal")
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """Assign to the main diagonal, values starting over at their end.

    Examples
    --------
    >>> from tensorgrad.core.tensor import tensor
    >>> t = tensor(np.ones((2, 2)))
    >>> fill_diagonal(t, 0.0)
    >>> t.numpy()
    array([[0., 1.],
           [1., 0.]])
    """
    _require_tensor("fill_diagonal", a)
    numbers = np.zeros(a.shape)
    np.fill_diagonal(numbers, 1.0, wrap=wrap)
    places = np.flatnonzero(numbers)
    _assign_flat("fill_diagonal", a, places, val, np.arange(places.size))


@implements("put_along_axis")
def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None = -1) -> None:
    """Assign along an axis at places that differ from row to row.

    Examples
    --------
    >>> from tensorgrad.core.tensor import tensor
    >>> t = tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> put_along_axis(t, np.array([[0], [1]]), 9.0, axis=1)
    >>> t.numpy()
    array([[9., 2.],
           [3., 9.]])
    """
    _require_tensor("put_along_axis", arr)
    places = np.asarray(as_value(indices))
    if axis is None:
        spread = np.broadcast_to(values, places.shape)
        flat = np.arange(arr.size)[places].ravel()
        _assign_flat("put_along_axis", arr, flat, spread, np.arange(flat.size))
        return
    k = axis % arr.ndim
    index: list[Any] = [
        np.arange(n).reshape([-1 if i == j else 1 for j in range(arr.ndim)])
        for i, n in enumerate(arr.shape)
    ]
    index[k] = places
    assign(arr, tuple(index), values, action="np.put_along_axis")
