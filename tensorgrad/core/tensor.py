"""The Tensor: a handle on a value and on the node that made it.

Handles may be rebound (``t[i] = v``, ``t += v``); values are never written. The
class holds no mathematics: infix operators are attached by `ops`, named methods and
NumPy's protocols by `frontend`.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad._typing import Array, Shape
from tensorgrad.core.aval import Aval
from tensorgrad.core.node import AnyNode, Extra, Leaf, Node
from tensorgrad.errors import (
    ArgumentError,
    CaptureError,
    DetachedError,
    DTypeError,
    StaleViewError,
    TensorgradError,
    explain,
)

if TYPE_CHECKING:
    from tensorgrad.core._installed import Installed
else:
    Installed = object

__all__ = [
    "StaleTensor",
    "Tensor",
    "as_value",
    "is_recorded",
    "node_of",
    "tensor",
    "wrap",
]


class Tensor(Installed):
    """An array that records the operations applied to it.

    Make one with `tg.tensor`. All of NumPy's operators and methods work on it, and
    NumPy's functions too (``np.exp(t)``).

    Attributes
    ----------
    shape : tuple of int
    ndim, size : int
    dtype : numpy.dtype
    requires_grad : bool
        Whether `backward` sets `grad` here. True only on leaves.
    grad : ndarray of the Tensor's shape, or None
    name : str or None

    Examples
    --------
    >>> import tensorgrad as tg
    >>> t = tg.tensor([[1.0, 2.0]], requires_grad=True)
    >>> (t * t).sum().backward()
    >>> t.grad
    array([[2., 4.]])
    """

    # `_value` and `_node` are always set. The others are set where they are needed
    # and read through `getattr`, so that making a Tensor costs two assignments:
    # `_alias`  the handles that share memory in NumPy's sense (core/views.py);
    # `_origin` the logits that this activation was computed from (ops/losses.py).
    __slots__ = ("__weakref__", "_alias", "_node", "_origin", "_value")

    _value: Any
    _node: AnyNode | None
    _alias: Any
    _origin: Any

    # ---------------------------------------------------------------- facts

    @property
    def shape(self) -> Shape:
        """Sizes of the axes."""
        return self._value.shape  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._value.shape)

    @property
    def size(self) -> int:
        """Number of entries."""
        return self._value.size  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy dtype of the entries."""
        return self._value.dtype  # type: ignore[no-any-return]

    @property
    def name(self) -> str | None:
        """Name used in messages, printed programs and pictures."""
        node = self._node
        if isinstance(node, Leaf):
            return node.name
        return node.extra.name if node is not None and node.extra is not None else None

    @name.setter
    def name(self, name: str | None) -> None:
        node = node_of(self)
        if isinstance(node, Leaf):
            node.name = name
        else:
            if node.extra is None:
                node.extra = Extra()
            node.extra.name = name

    @property
    def requires_grad(self) -> bool:
        """Whether `backward` sets `grad` here; only a leaf can ask for it."""
        return isinstance(self._node, Leaf) and self._node.requires_grad

    @requires_grad.setter
    def requires_grad(self, requires_grad: bool) -> None:
        node = node_of(self)
        if not isinstance(node, Leaf):
            raise ArgumentError(
                explain(
                    "setting requires_grad",
                    f"the result of {node.op.name}",
                    "a leaf",
                    "Use tg.gradients(output, t) for the adjoint of an intermediate",
                )
            )
        if requires_grad:
            _check_differentiable(self._value.dtype)
        node.requires_grad = bool(requires_grad)

    @property
    def grad(self) -> Array | None:
        """What the last `backward` found here, or None."""
        return self._node.grad if isinstance(self._node, Leaf) else None

    @grad.setter
    def grad(self, grad: Array | None) -> None:
        node = node_of(self)
        if not isinstance(node, Leaf):
            raise ArgumentError(
                explain(
                    "setting grad",
                    f"the result of {node.op.name}",
                    "a leaf",
                    "Ask for the adjoint of an intermediate with tg.gradients",
                )
            )
        node.grad = grad

    # ------------------------------------------------------ leaving the graph

    def numpy(self) -> Array:
        """Return the value as a read-only view; no gradient flows through it.

        Raises
        ------
        CaptureError
            If the Tensor is abstract.

        Examples
        --------
        >>> import tensorgrad as tg
        >>> tg.tensor([1.0, 2.0]).numpy()
        array([1., 2.])
        """
        view: Array = self._concrete(".numpy()").view()
        view.flags.writeable = False
        return view

    def item(self) -> Any:
        """Return the only entry as a Python number; no gradient flows through it.

        Raises
        ------
        ArgumentError
            If there is not exactly one entry.
        CaptureError
            If the Tensor is abstract.

        Examples
        --------
        >>> import tensorgrad as tg
        >>> tg.tensor([[2.5]]).item()
        2.5
        """
        value = self._concrete(".item()")
        if value.size != 1:
            raise ArgumentError(
                explain(
                    "item",
                    f"a Tensor of shape {value.shape}",
                    "exactly one entry",
                    "Index it first, or use .numpy()",
                )
            )
        return value.item()

    def detach(self) -> Tensor:
        """Return a Tensor of the same value that the graph does not know.

        Examples
        --------
        >>> import tensorgrad as tg
        >>> x = tg.tensor(3.0, requires_grad=True)
        >>> tg.gradients(x * x.detach(), x)
        array(3.)
        """
        return wrap(self._value, None)

    def _concrete(self, action: str) -> Array:
        if isinstance(self._value, Aval):
            raise CaptureError(
                explain(
                    action,
                    f"an abstract Tensor, {self._value!r}",
                    "a value that exists",
                    "Use tg.where for a choice by value, or compute it outside",
                )
            )
        return self._value  # type: ignore[no-any-return]

    def _leave(self, action: str, cure: str) -> Array:
        """Return the value for an implicit conversion, or refuse to detach it."""
        value = self._concrete(action)
        if is_recorded(self):
            raise DetachedError(
                explain(
                    action,
                    f"a recorded Tensor of shape {value.shape}",
                    "a plain value, since the gradient would stop here unnoticed",
                    f"{_SPELLINGS.get(action, '')}Use {cure} to leave the graph",
                )
            )
        if isinstance(self._node, Leaf):
            self._node.escaped = action
        return value

    def __array__(
        self,
        dtype: np.dtype[Any] | None = None,
        copy: bool | None = None,  # noqa: FBT001  # the protocol passes it so
    ) -> np.ndarray[Any, np.dtype[np.object_]]:
        # The declared dtype makes type checkers call `array @ t` anything, and not an
        # array of the left operand's dtype: NumPy's stubs take it for its fallback.
        value = self._leave("np.asarray", ".numpy()")
        # A new array whatever `copy` says: a shared one could be written to.
        return np.array(value, dtype=dtype)

    def _number(self, action: str) -> Any:
        value = self._leave(f"{action}()", ".item()")
        if value.size != 1:
            raise DTypeError(
                explain(
                    f"{action}()",
                    f"a Tensor of shape {value.shape}",
                    "exactly one entry",
                    "Use .any() or .all() on a comparison, or index the Tensor first",
                )
            )
        return value.item()

    def __float__(self) -> float:
        return float(self._number("float"))

    def __int__(self) -> int:
        return int(self._number("int"))

    def __complex__(self) -> complex:
        return complex(self._number("complex"))

    def __bool__(self) -> bool:
        return bool(self._number("bool"))

    def __round__(self, ndigits: int | None = None) -> Any:
        # As NumPy's scalars: to an integer, or to a number of decimals.
        if ndigits is None:
            return round(self._number("round"))
        return np.round(self, ndigits)

    def __trunc__(self) -> int:
        return int(self._number("math.trunc"))

    def __index__(self) -> int:
        number = self._number("index")
        if self._value.dtype.kind not in "iu":
            raise DTypeError(
                explain(
                    "index()",
                    f"a Tensor of dtype {self._value.dtype}",
                    "an integer",
                    "Convert it with int(t.item())",
                )
            )
        return int(number)

    # ------------------------------------------------------------- container

    def __len__(self) -> int:
        if not self.shape:
            raise DTypeError(
                explain(
                    "len()",
                    "a Tensor of shape ()",
                    "at least one axis",
                    "Use .size for the number of entries",
                )
            )
        return self.shape[0]

    def __repr__(self) -> str:
        if isinstance(self._value, Aval):
            return f"tensor({self._value!r})"
        body = np.array2string(self._value, separator=", ", prefix="tensor(")
        notes = "" if self._value.dtype.char in "dl?" else f", dtype={self.dtype.name}"
        if self.name:
            notes += f", name={self.name!r}"
        if isinstance(self._node, Node):
            notes += f", op={self._node.op.name}"
        elif self.requires_grad:
            notes += ", requires_grad=True"
        return f"tensor({body}{notes})"

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        if self.size == 1:
            return format(self._concrete("format()").item(), spec)
        return format(self._concrete("format()"), spec)

    __hash__ = object.__hash__

    def __copy__(self) -> Tensor:
        if isinstance(self._node, Leaf):
            return _copy_of_leaf(self)
        return wrap(self._value, self._node)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        duplicate = copy.copy(self)
        memo[id(self)] = duplicate
        return duplicate

    def __reduce__(self) -> tuple[Any, ...]:
        if isinstance(self._node, Node):
            raise DetachedError(
                explain(
                    "pickling",
                    f"a recorded Tensor, the result of {self._node.op.name}",
                    "a value without a graph",
                    "Pickle t.numpy() or t.detach()",
                )
            )
        value = self._concrete("pickling")
        return tensor, (value, None, self.requires_grad, self.name)


# The action may be NumPy's own or Python's, on behalf of these.
_SPELLINGS = {
    "np.asarray": "For array[i] = t make the array with np.zeros_like(x) of a Tensor; for "
    "np.array([t, u]), np.sum([t, u]) or np.r_[t, u] join the Tensors with np.stack or "
    "np.concatenate. ",
    "float()": "For array[i] = t make the array with np.zeros_like(x) of a Tensor; for "
    "math.exp(t) write np.exp(t). ",
    "bool()": "For a choice by value compare it (t > 0), or use np.where. ",
}


class StaleTensor(Tensor):
    """A view whose base was assigned to: NumPy would show the new entries here.

    The only subclass; a handle becomes one in place, so every name for it sees it.
    """

    __slots__ = ()

    @property
    def shape(self) -> Shape:
        """Refuse, like every other use."""
        raise stale(self)

    ndim = size = dtype = shape  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "tensor(<a stale view>)"

    def _concrete(self, action: str) -> Array:
        raise stale(self)


def stale(view: Tensor) -> StaleViewError:
    """Return the error for any use of a stale view."""
    if getattr(view, "_alias", None) is not None:  # suspended: see core/views.py
        return StaleViewError(
            explain(
                "using an array",
                "an operation in place on a part of it that has no name",
                "an assignment to that part, since NumPy has changed the array",
                "Write y[0] += v",
            )
        )
    return StaleViewError(
        explain(
            "using a view",
            "one taken before its base (or another view of it) was assigned to",
            "a view taken after the assignment, since NumPy would show the new values",
            "Take the view again after the assignment, or copy it before with .copy()",
        )
    )


def _copy_of_leaf(leaf: Tensor) -> Tensor:
    value = leaf._value if isinstance(leaf._value, Aval) else leaf._value.copy()
    return wrap(value, Leaf(requires_grad=leaf.requires_grad, name=leaf.name))


def wrap(value: Any, node: AnyNode | None) -> Tensor:
    """Make a handle; `Tensor` has no ``__init__`` for the reason that `Node` has none."""
    t = Tensor()
    t._value = value
    t._node = node
    return t


def node_of(t: Tensor) -> AnyNode:
    """Return the Tensor's node; one without a history becomes a leaf now."""
    node = t._node
    if node is None:
        node = t._node = Leaf()
    return node


def is_recorded(t: Tensor) -> bool:
    """Tell whether a gradient may have to pass through this Tensor.

    True for the result of an op, the input of a transform that is under way, and a
    leaf that asks for its gradient; False for constants and detached values.
    """
    node = t._node
    if node is None:
        return False
    return not isinstance(node, Leaf) or node.requires_grad or node.traced


def as_value(x: Any) -> Any:
    """Return the array inside a Tensor, anything else as it is."""
    return x._value if isinstance(x, Tensor) else x


def _check_differentiable(dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "fc":
        raise DTypeError(
            explain(
                "requires_grad=True",
                f"data of dtype {dtype}",
                "floating or complex numbers",
                "Convert the data, for example tg.tensor(data, dtype=float)",
            )
        )


def tensor(
    data: Any,
    dtype: Any = None,
    requires_grad: bool = False,  # noqa: FBT001, FBT002  # fixed signature
    name: str | None = None,
) -> Tensor:
    """Make a Tensor from a copy of the data.

    Parameters
    ----------
    data : array_like or Tensor, any shape
        Numbers; a Tensor gives its value, detached.
    dtype : dtype, optional
        NumPy's default for the data if omitted: Python floats become float64.
    requires_grad : bool
        Whether `Tensor.backward` sets ``.grad`` here; needs floating or complex data.
    name : str, optional
        Used in messages, printed programs and pictures.

    Returns
    -------
    Tensor
        A leaf.

    Raises
    ------
    DTypeError
        If the data are not numbers, or integers with ``requires_grad=True``.
    DetachedError
        If the data are a list with recorded Tensors in it.

    Examples
    --------
    >>> tensor([1.0, 2.0])
    tensor([1., 2.])
    """
    if isinstance(data, Tensor):
        data = data._concrete("tensor")
    try:
        value: Array = np.array(data, dtype=dtype)
    except (ValueError, TypeError) as error:
        if isinstance(error, TensorgradError):
            raise
        raise DTypeError(
            explain(
                "tensor",
                f"a {type(data).__name__} that NumPy makes no array of ({error})",
                "numbers of one shape",
                "Convert the data, and check that all rows have the same length",
            )
        ) from error
    if value.dtype.kind not in "biufc":
        raise DTypeError(
            explain(
                "tensor",
                f"data of dtype {value.dtype}",
                "numbers of one shape",
                "Convert the data, and check that all rows have the same length",
            )
        )
    if requires_grad:
        _check_differentiable(value.dtype)
    # Nobody else holds this array, and read-only arrays need no guard.
    value.flags.writeable = False
    return wrap(value, Leaf(requires_grad=requires_grad, name=name))
