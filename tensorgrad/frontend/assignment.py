"""Assignment: ``t[i] = v`` and the in-place operators, recorded and rebound.

Values are never written. An assignment computes the new value by an op (`setitem`, or
the operator's own), and the handle is rebound to it; what NumPy would have shown
through other handles of the same memory raises (core/views.py).

An in-place operator keeps the target's shape and dtype, as NumPy does. On a result for
which NumPy returns a scalar (``x.sum()``, ``x[0]``) it makes a new Tensor: scalars are
immutable there.

``y[0] += v`` reaches us as an in-place operation on a view whose base is in use, which
must work, and ``r = y[0]; r += v`` as the same operation on the same kind of view,
which must raise. A view that only the interpreter holds is the former. Should an
interpreter not let us count references, the latter raises at the next use of `y`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad._typing import Shape
from tensorgrad.core.tensor import StaleTensor, Tensor, is_recorded, wrap
from tensorgrad.core.views import (
    check_writable,
    is_scalar,
    owner_of,
    rebind,
    resume,
    suspend,
)
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, explain
from tensorgrad.ops import TABLE

__all__ = ["assign", "convert", "install", "store"]

_setitem = TABLE["setitem"]
_astype = TABLE["astype"]


# ------------------------------------------------------------------------ assignment


def plain_index(index: Any) -> Any:
    """Return an index with its Tensors replaced by their values."""
    if type(index) is tuple:
        return tuple(plain_index(part) for part in index)
    if not isinstance(index, Tensor):
        return index
    value = index._concrete("indexing")
    if value.dtype.kind not in "biu":
        raise DTypeError(
            explain(
                "indexing",
                f"a Tensor of dtype {value.dtype}",
                "integers or booleans",
                "Compare it (t > 0), or round it and convert it with .astype(int)",
            )
        )
    return value


def assign(t: Tensor, index: Any, value: Any, *, action: str = "assignment") -> None:
    """Rebind a handle to its value with some entries replaced.

    Parameters
    ----------
    t : Tensor
    index : anything that NumPy accepts as an index, with Tensors for arrays
    value : Tensor or array_like, broadcast to the shape of ``t[index]``
        Converted to the dtype of `t`, as NumPy does.
    action : str
        What messages call it.

    Raises
    ------
    StaleViewError
        If another handle in use shows some of the same entries.
    DTypeError
        If `t` is a scalar, or holds integers that a recorded value cannot become.
    GraphError
        If `t` is a leaf with ``requires_grad``.

    Examples
    --------
    >>> from tensorgrad.core.tensor import tensor
    >>> t = tensor([1.0, 2.0, 3.0])
    >>> assign(t, slice(1, None), 0.0)
    >>> t.numpy()
    array([1., 0., 0.])
    """
    index = plain_index(index)
    if type(t) is StaleTensor:
        resume(t, index, value)
    check_writable(t, action)
    check_kept(t.dtype, value, action)
    result = _setitem(t, value, index)
    rebind(t, result if isinstance(result, Tensor) else wrap(result, None))


def check_kept(dtype: np.dtype[Any], value: Any, action: str) -> None:
    """Raise if a recorded value would lose its gradient by becoming an integer."""
    if dtype.kind in "biu" and isinstance(value, Tensor) and is_recorded(value):
        raise DTypeError(
            explain(
                action,
                f"a recorded Tensor of dtype {value.dtype} into one of dtype {dtype}",
                "floating or complex entries, since integers have no gradient",
                "Make the target with dtype=float, or assign value.detach()",
            )
        )


def _delete(t: Tensor, index: Any) -> None:
    raise ArgumentError(
        explain(
            "del t[i]",
            f"a Tensor of shape {t.shape}",
            "a container whose length can change",
            "Use np.delete(t, i), which returns a new Tensor",
        )
    )


# ------------------------------------------------------------------ operators in place


def convert(result: Any, shape: Shape, dtype: np.dtype[Any], action: str) -> Tensor:
    """Return a result as the target of an operation in place would hold it.

    Raises
    ------
    ShapeError
        If the target would have to be broadcast.
    DTypeError
        If the conversion loses more than precision ("same_kind" of NumPy).
    """
    if result.shape != shape:
        raise ShapeError(
            explain(
                action,
                f"a target of shape {shape} and a result of shape {result.shape}",
                "equal shapes: the target is not broadcast",
                "Write t = t + v, which makes a new Tensor",
            )
        )
    if result.dtype != dtype:
        if not np.can_cast(result.dtype, dtype, "same_kind"):
            raise DTypeError(
                explain(
                    action,
                    f"a target of dtype {dtype} and a result of dtype {result.dtype}",
                    "a result of the target's kind",
                    "Convert the target first, for example t = t.astype(float)",
                )
            )
        result = _astype(result, dtype)
    return result if isinstance(result, Tensor) else wrap(np.asarray(result), None)


def store(t: Tensor, result: Any, action: str) -> Tensor:
    """Rebind a handle to a result, as NumPy's ``out=t`` would fill it, and return it."""
    check_writable(t, action)
    rebind(t, convert(result, t.shape, t.dtype, action))
    return t


class _Probe:
    """Counts references as an in-place operator sees them."""

    def __iadd__(self, other: object) -> int:
        return sys.getrefcount(self)


class _Shelf:
    def __init__(self) -> None:
        self.count: Any = 0

    def __getitem__(self, index: int) -> Any:
        return _Probe()

    def __setitem__(self, index: int, count: Any) -> None:
        self.count = count


def _references_of_nameless() -> int:
    shelf = _Shelf()
    shelf[0] += 1
    return int(shelf.count)


_NAMELESS = _references_of_nameless()


def _in_place(name: str, sign: str, operate: Callable[[Any, Any], Any]) -> Any:
    """Make the method for ``t += v`` from the operator that it stands for."""
    action = f"t {sign}= v"

    def method(self: Any, other: Any) -> Any:
        is_nameless = sys.getrefcount(self) <= _NAMELESS
        if is_scalar(self):
            return operate(self, other)
        if is_nameless and owner_of(self) is not None:
            result = convert(operate(self, other), self.shape, self.dtype, action)
            suspend(self, result)
            return result
        check_writable(self, action)
        rebind(self, convert(operate(self, other), self.shape, self.dtype, action))
        return self

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"Compute ``t {sign} v``, and rebind this handle to the result."
    return method


_IN_PLACE = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "truediv",
    "//": "floordiv",
    "%": "mod",
    "**": "pow",
    "@": "matmul",
    "&": "and",
    "|": "or",
    "^": "xor",
    "<<": "lshift",
    ">>": "rshift",
}


def install() -> None:
    """Install assignment and the operators in place on Tensor."""
    for sign, name in _IN_PLACE.items():
        operate = getattr(Tensor, f"__{name}__", None)
        if operate is not None:
            in_place = f"__i{name}__"
            setattr(Tensor, in_place, _in_place(in_place, sign, operate))
    members: dict[str, Any] = {"__setitem__": assign, "__delitem__": _delete}
    for name, member in members.items():
        setattr(Tensor, name, member)
