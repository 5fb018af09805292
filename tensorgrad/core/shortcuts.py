"""Short cuts for one and two operands and losses: what `bind` does, for most nodes.

They hold for plain eager recording, small arrays, and operands of one floating dtype;
anything else goes through `bind`. A property test holds both ways to the same bits.
Slots are filled in place, since a call to ``__init__`` costs a third of making a node
(docs/decisions/hot-path.md has the figures).
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.core.aval import Aval
from tensorgrad.core.bind import bind, guarded
from tensorgrad.core.guard import Guard
from tensorgrad.core.modes import EAGER, MODE
from tensorgrad.core.node import Extra, Node, make_node, next_number
from tensorgrad.core.pool import POOL_BYTES
from tensorgrad.core.tensor import Tensor, wrap
from tensorgrad.core.views import SCALAR

if TYPE_CHECKING:
    from tensorgrad.core.op import Op

__all__ = ["binary", "loss", "unary"]

_ndarray = np.ndarray


def unary(op: Op) -> Callable[[Any], Any]:
    """Return the function of an op with one operand."""
    forward = op.forward
    ufunc = op.ufunc
    origin = op.origin
    needs = op.needs((True,))
    keeps_x, keeps_out = op.operands[0] in needs, "out" in needs
    is_plain = not (op.wants_avals or op.is_layout or op.is_constant or op.n_outputs)
    is_short = is_plain and op.n_outputs is None and not (keeps_x and keeps_out)

    def function(x: Any, /) -> Any:
        if type(x) is Tensor and is_short and MODE.get() is EAGER:
            value = x._value
            parent = x._node
            if (
                parent is not None
                and type(value) is _ndarray
                and value.nbytes < POOL_BYTES
            ):
                try:
                    out = forward(value)
                except Exception:  # noqa: BLE001  # bind tries again and explains
                    return bind(op, (x,), {})
                if type(out) is _ndarray and out.dtype is value.dtype:
                    node = Node()
                    node.op = op
                    node.parents = (parent,)
                    node.saved = value if keeps_x else out if keeps_out else None
                    node.extra = None
                    node.number = next_number()
                    t = Tensor()
                    t._value = out
                    t._node = node
                    if origin is not None:
                        t._origin = origin(x, {})
                    return t
        elif type(x) is _ndarray and ufunc is not None:
            try:
                return ufunc(x)
            except TypeError:  # text and objects; bind explains
                return bind(op, (x,), {})
        return bind(op, (x,), {})

    return function


def _packer(op: Op, recorded: tuple[bool, bool]) -> Callable[..., Any]:
    """Return a function of (x, y, out) that builds what a binary node saves."""
    needs = op.needs(recorded)
    order = {"x": 0, "y": 1, "out": 2}
    picks = [order[name] if name in needs else -1 for name, _ in op.layout]
    if not picks or picks == [-1]:
        return lambda _x, _y, _out: None
    shapes: dict[tuple[int, ...], Callable[..., Any]] = {
        (0,): lambda x, _y, _out: x,
        (1,): lambda _x, y, _out: y,
        (2,): lambda _x, _y, out: out,
        (0, 1): lambda x, y, _out: (x, y),
        (-1, 1): lambda _x, y, _out: (None, y),
        (0, -1): lambda x, _y, _out: (x, None),
    }
    found = shapes.get(tuple(picks))
    if found is not None:
        return found
    return lambda x, y, out: tuple(
        None if pick < 0 else (x, y, out)[pick] for pick in picks
    )


# size: the closures that it holds, written out for the hot path
def binary(op: Op) -> Callable[[Any, Any], Any]:
    """Return the function of an op with two operands."""
    forward = op.forward
    is_short = not (op.wants_avals or op.is_layout or op.is_constant)
    is_matmul = op.is_matmul
    pack_both = _packer(op, (True, True))
    pack_x = _packer(op, (True, False))
    pack_y = _packer(op, (False, True))
    apply_mixed = _mixed(op)

    def plain(x: Any, y: Any) -> Any:
        """Compute without a graph, as rules do in a sweep."""
        if x.nbytes >= POOL_BYTES or y.nbytes >= POOL_BYTES:
            return bind(op, (x, y), {})
        try:
            return forward(x, y)
        except Exception:  # noqa: BLE001  # bind tries again and explains
            return bind(op, (x, y), {})

    # size: one exit for each case; a call more costs as much as the node it makes
    def function(x: Any, y: Any, /) -> Any:
        if type(x) is _ndarray and type(y) is _ndarray:
            return plain(x, y)
        if not is_short or MODE.get() is not EAGER:
            return bind(op, (x, y), {})
        xv = x._value if type(x) is Tensor else x
        yv = y._value if type(y) is Tensor else y
        try:
            if type(xv) is _ndarray and (is_matmul or xv.nbytes < POOL_BYTES):
                if type(yv) is _ndarray:
                    if xv is x or yv is y or is_matmul or xv.shape != yv.shape:
                        return apply_mixed(x, y, xv, yv)
                    parents = (x._node, y._node)
                    if None in parents:
                        return bind(op, (x, y), {})
                    out = forward(xv, yv)
                    pack = pack_both
                elif type(y) is float or type(y) is int:
                    if x is xv or x._node is None:
                        return bind(op, (x, y), {})
                    out = forward(xv, y)
                    parents = (x._node, None)
                    pack = pack_x
                else:
                    return bind(op, (x, y), {})
                is_kept = out.dtype is xv.dtype and (yv is y or yv.dtype is xv.dtype)
            elif (type(x) is float or type(x) is int) and type(yv) is _ndarray:
                if yv is y or y._node is None or yv.nbytes >= POOL_BYTES:
                    return bind(op, (x, y), {})
                out = forward(x, yv)
                parents = (None, y._node)
                pack = pack_y
                is_kept = out.dtype is yv.dtype
            else:
                return bind(op, (x, y), {})
            if is_kept and type(out) is _ndarray:
                node = Node()
                node.op = op
                node.parents = parents
                node.saved = pack(xv, yv, out)
                node.extra = None
                node.number = next_number()
                t = Tensor()
                t._value = out
                t._node = node
                return t
        except Exception:  # noqa: BLE001, S110  # bind tries again and explains
            pass
        return bind(op, (x, y), {})

    return function


def _mixed(op: Op) -> Callable[[Any, Any, Any, Any], Any]:
    """Return the way for matrix products, broadcasting, and an array on one side."""
    forward = op.forward
    is_matmul = op.is_matmul
    packers = {
        (True, True): _packer(op, (True, True)),
        (True, False): _packer(op, (True, False)),
        (False, True): _packer(op, (False, True)),
    }
    keeps_x = op.operands[0] in op.needs((False, True))
    keeps_y = op.operands[1] in op.needs((True, False))

    def apply(x: Any, y: Any, xv: Any, yv: Any) -> Any:
        dtype = xv.dtype
        is_x, is_y = xv is not x, yv is not y
        px = x._node if is_x else None
        py = y._node if is_y else None
        # A Tensor without a node becomes a leaf first; other dtypes are promoted.
        if (
            (px is None and (is_x or py is None))
            or (py is None and is_y)
            or yv.dtype is not dtype
            or dtype.kind != "f"
            or (is_matmul and not _is_small_product(xv, yv))
            or (yv.nbytes >= POOL_BYTES and not is_matmul)
        ):
            return bind(op, (x, y), {})
        out = forward(xv, yv)
        if type(out) is not _ndarray or out.dtype is not dtype:
            return bind(op, (x, y), {})
        extra = None
        if not is_matmul:
            left, right, shape = xv.shape, yv.shape, out.shape
            if left != right:
                like_x = None if left == shape else Aval(left, dtype)
                like_y = None if right == shape else Aval(right, dtype)
                extra = Extra(None, (like_x, like_y))
        if px is None or py is None:
            guards: list[Guard] = []
            if keeps_x and not is_x:
                xv = guarded(xv, op, guards, EAGER)
            if keeps_y and not is_y:
                yv = guarded(yv, op, guards, EAGER)
            if guards:
                avals = None if extra is None else extra.avals
                extra = Extra(None, avals, tuple(guards))
        node = Node()
        node.op = op
        node.parents = (px, py)
        node.saved = packers[is_x, is_y](xv, yv, out)
        node.extra = extra
        node.number = next_number()
        t = Tensor()
        t._value = out
        t._node = node
        return t

    return apply


def _is_small_product(x: Any, y: Any) -> bool:
    """Tell whether two matrices have a product that is not pooled, large as they are."""
    if x.ndim != 2 or y.ndim != 2:
        return False
    return x.shape[0] * y.shape[1] * y.itemsize < POOL_BYTES  # type: ignore[no-any-return]


def loss(op: Op) -> Callable[..., Any]:
    """Return the function of a loss of logits, activations, labels and static arguments.

    The short way is for labels that are a plain array in the dtype of the others.
    """
    forward = op.forward
    # What is saved, in the order of the layout: index 3 stands for a value left out.
    plan = op.plan((True, True, False))
    pick = itemgetter(*[3 if index is None else index for index in plan])

    def function(z: Tensor, a: Any, y: Any, static: dict[str, Any]) -> Any:
        if type(y) is _ndarray and type(a) is Tensor and MODE.get() is EAGER:
            zv, av = z._value, a._value
            parents = (z._node, a._node, None)
            if (
                type(zv) is _ndarray
                and type(av) is _ndarray
                and zv.dtype is av.dtype
                and av.dtype is y.dtype
                and y.dtype.kind == "f"
                and None not in parents[:2]
            ):
                try:
                    out = forward(zv, av, y, **static)
                except Exception:  # noqa: BLE001  # bind tries again and explains
                    return bind(op, (z, a, y), static)
                guards: list[Guard] = []
                saved = pick((zv, av, guarded(y, op, guards, EAGER), None, out))
                extra = Extra(static, None, tuple(guards))
                t = wrap(np.asarray(out), make_node(op, parents, saved, extra))
                t._alias = SCALAR
                return t
        return bind(op, (z, a, y), static)

    return function
