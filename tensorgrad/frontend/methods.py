"""Methods of ndarray on Tensor: those that the table names, and the rest of NumPy's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tensorgrad.autodiff.gradients import backward
from tensorgrad.core.op import OpFunction
from tensorgrad.core.tensor import Tensor, is_recorded
from tensorgrad.core.views import SCALAR, check_writable, is_scalar, rebind
from tensorgrad.errors import DTypeError, UnsupportedError, explain
from tensorgrad.frontend import writing
from tensorgrad.frontend.assignment import assign, convert
from tensorgrad.frontend.calls import adapt, put_out, refuse_option
from tensorgrad.ops import TABLE
from tensorgrad.ops.shapes import as_dtype

__all__ = ["install"]

_astype = TABLE["astype"]
_reshape = TABLE["reshape"]
_transpose = TABLE["transpose"]
_swapaxes = TABLE["swapaxes"]
_getitem = TABLE["getitem"]


def _from_table(function: OpFunction) -> Callable[..., Any]:
    """Make a method of an op: positions are those of NumPy's function after ``self``."""
    op = function.op
    general = adapt(op.numpy[0], function) if op.numpy else function

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        if not args and not kwargs:
            return function(self)
        return general(self, *args, **kwargs)

    method.__name__ = method.__qualname__ = str(op.method)
    method.__doc__ = function.__doc__
    return method


# ------------------------------------------------- methods with a signature of their own


def reshape(
    self: Tensor, *shape: Any, order: str = "C", copy: bool | None = None
) -> Tensor:
    """Give the entries another shape: ``t.reshape(2, 3)`` or ``t.reshape((2, 3))``."""
    if copy is not None:
        raise refuse_option("reshape", "copy", copy)
    size = shape[0] if len(shape) == 1 else shape
    return _reshape(self, size, order=order)  # type: ignore[no-any-return]


def transpose(self: Tensor, *axes: Any) -> Tensor:
    """Reverse or permute the axes: ``t.transpose(1, 0)`` or ``t.transpose((1, 0))``."""
    if not axes:
        return _transpose(self)  # type: ignore[no-any-return]
    order = axes[0] if len(axes) == 1 else axes
    return _transpose(self, (order,) if isinstance(order, int) else order)  # type: ignore[no-any-return]


def astype(
    self: Tensor,
    dtype: Any,
    order: str = "K",
    casting: str = "unsafe",
    subok: bool = True,
    copy: bool = True,
) -> Any:
    """Convert to another dtype; integers and booleans are constants, plain arrays.

    Raises
    ------
    DTypeError
        If ``casting`` forbids the conversion.
    """
    target = as_dtype("astype", dtype)
    if not np.can_cast(self.dtype, target, casting):  # type: ignore[arg-type]
        raise DTypeError(
            explain(
                "astype",
                f"dtype {self.dtype} to {target}",
                f"what casting={casting!r} allows",
                "Use casting='unsafe'",
            )
        )
    if not copy and target == self.dtype:
        return self
    return _as_scalar(self, _astype(self, target))


def copy(self: Tensor, order: str = "C") -> Tensor:
    """Return the same entries in memory of their own, recorded."""
    return _as_scalar(self, TABLE["copy"](self))  # type: ignore[no-any-return]


def _as_scalar(self: Tensor, result: Any) -> Any:
    """Mark a copy of a scalar as one: NumPy's scalars are copied to scalars."""
    if is_scalar(self) and isinstance(result, Tensor):
        result._alias = SCALAR
    return result


def flatten(self: Tensor, order: str = "C") -> Tensor:
    """Return the entries on one axis, in memory of their own."""
    return TABLE["copy"](TABLE["ravel"](self, order=order))  # type: ignore[no-any-return]


def conj(self: Tensor) -> Tensor:
    """Return the complex conjugate; of real entries, this very Tensor, as NumPy does."""
    return TABLE["conjugate"](self) if self.dtype.kind == "c" else self


def dot(self: Tensor, b: Any, out: Any = None) -> Any:
    """Multiply as `numpy.dot` does."""
    return put_out("dot", TABLE["dot"](self, b), out)


def tolist(self: Tensor) -> Any:
    """Return nested lists of numbers; refuse where a gradient would be lost."""
    return self._leave(".tolist()", ".numpy().tolist()").tolist()


def iterate(self: Tensor) -> Iterator[Any]:
    """Yield the entries of the first axis, recorded."""
    if not self.shape:
        raise DTypeError(
            explain(
                "iteration",
                "a Tensor of shape ()",
                "at least one axis",
                "Use the Tensor itself, or .reshape(1)",
            )
        )
    return (_getitem(self, i) for i in range(self.shape[0]))


def contains(self: Tensor, item: Any) -> bool:
    """Tell whether some entry equals a number."""
    return bool(np.any(self == item))


# ------------------------------------------------------------------ methods that write


def sort(self: Tensor, axis: int = -1, kind: Any = None, order: Any = None) -> None:
    """Sort in place; `numpy.sort` returns a sorted copy."""
    check_writable(self, "t.sort()")
    result = TABLE["sort"](self, axis=axis)
    rebind(self, convert(result, self.shape, self.dtype, "t.sort()"))


def fill(self: Tensor, value: Any) -> None:
    """Assign a number to all entries."""
    assign(self, ..., value, action="t.fill(v)")


def put(self: Tensor, indices: Any, values: Any, mode: str = "raise") -> None:
    """Assign to entries counted in C order."""
    writing.put(self, indices, values, mode)


# ----------------------------------------------------------------- methods from functions


def _from_function(name: str) -> Callable[..., Any]:
    """Make a method that is NumPy's function of the same name."""
    function = getattr(np, name)

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"Apply `numpy.{name}`."
    return method


_FUNCTIONS = (
    "argpartition",
    "argsort",
    "clip",
    "cumprod",
    "cumsum",
    "diagonal",
    "nonzero",
    "prod",
    "repeat",
    "round",
    "searchsorted",
    "squeeze",
    "swapaxes",
    "take",
    "trace",
)


def choose(self: Tensor, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """Choose among arrays by these numbers."""
    return np.choose(self, choices, out, mode)  # type: ignore[call-overload]


def compress(self: Tensor, condition: Any, axis: Any = None, out: None = None) -> Any:
    """Keep the slices along an axis for which a condition holds."""
    return np.compress(condition, self, axis, out)


def _refused(name: str, remedy: str) -> Callable[..., Any]:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        raise UnsupportedError(
            explain(
                f".{name}()",
                f"a Tensor of shape {self.shape}",
                "a method that can be recorded",
                remedy,
            )
        )

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"Refuse: {remedy[0].lower()}{remedy[1:]}."
    return method


_LEAVE = "Leave the graph with .numpy() first"
_REFUSED = {
    "byteswap": _LEAVE,
    "dump": _LEAVE,
    "dumps": _LEAVE,
    "getfield": _LEAVE,
    "partition": "Use np.partition, which returns a new Tensor",
    "resize": "Use np.resize, which returns a new Tensor",
    "setfield": "Assign to an index: t[i] = v",
    "setflags": "Values of Tensors are read-only, and handles may be rebound",
    "tobytes": _LEAVE,
    "tofile": _LEAVE,
    "view": "Use .reshape for another shape, .astype for another dtype",
}


# -------------------------------------------------------------------------- properties


def _transposed(self: Tensor) -> Tensor:
    """Reverse the order of the axes."""
    return _transpose(self)  # type: ignore[no-any-return]


def _matrix_transposed(self: Tensor) -> Tensor:
    """Exchange the last two axes."""
    if self.ndim < 2:
        raise UnsupportedError(
            explain(
                ".mT",
                f"a Tensor of shape {self.shape}",
                "at least two axes",
                "Use .T, or add an axis with t[:, None]",
            )
        )
    return _swapaxes(self, -1, -2)  # type: ignore[no-any-return]


def _part(name: str) -> property:
    function = TABLE[name]

    def get(self: Tensor) -> Tensor:
        return function(self)  # type: ignore[no-any-return]

    def put(self: Tensor, value: Any) -> None:
        is_own = isinstance(value, Tensor) and not is_recorded(value)
        raise UnsupportedError(
            explain(
                f"t.{name} = v",
                f"a {'constant' if is_own else 'value'} for a part of complex numbers",
                "a new Tensor",
                "Write t = re + 1j * im",
            )
        )

    get.__doc__ = f"The {name} part, recorded."
    return property(get, put)


def _members() -> Iterator[tuple[str, Any]]:
    for function in TABLE.values():
        if function.op.method:
            yield function.op.method, _from_table(function)
    for name in _FUNCTIONS:
        yield name, _from_function(name)
    for name, remedy in _REFUSED.items():
        yield name, _refused(name, remedy)
    for method in (
        reshape, transpose, astype, copy, flatten, conj, dot, tolist, sort, fill, put,
        choose, compress, backward,
    ):  # fmt: skip
        yield method.__name__, method
    yield "conjugate", conj
    yield "__iter__", iterate
    yield "__contains__", contains
    yield "__getitem__", _getitem
    yield "T", property(_transposed)
    yield "mT", property(_matrix_transposed)
    yield "real", _part("real")
    yield "imag", _part("imag")


def install() -> None:
    """Install the methods on Tensor."""
    for name, member in _members():
        setattr(Tensor, name, member)
