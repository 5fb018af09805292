"""Applying an op: from operands to a result that remembers how it was made.

Theory
------
An application has three steps: take the values out of the Tensors, run the forward
function on them, and, if any operand was a Tensor and the mode records, wrap the
result with a node. `bind` is the general way and handles everything: modes, abstract
values, several outputs, foreign arrays, differing shapes and dtypes. Unary, binary and
matmul-like ops have short cuts in `core/op.py` for the case that fills most graphs
(Tensors of one dtype in the default mode); a property test holds both to the same
results.

What a node saves is decided by the rules: a rule's parameter names say what it needs
(``out``, an operand's name, ``x_like`` for its shape and dtype only), and only rules
whose operand is a Tensor count. An `add` therefore keeps nothing alive, a `matmul`
with constant data keeps the data and not the weights.

A foreign array, that is, a plain one, that must be saved could be overwritten by its
owner before the sweep. It is copied if small and fingerprinted otherwise
(core/guard.py).

Under capture some value is an `Aval`. Then the shape rule replaces the forward
function, the node is the same, and nothing else in the package has to know.

An op with several outputs makes one node, whose result nobody sees, and one
projection node for each output. Sweeps then meet nodes with one result only, except
in the one place that gathers the cotangents of a projection's parent
(docs/decisions/multiple-outputs.md).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import prod
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad._typing import Shape
from tensorgrad.core.aval import Aval, aval_of
from tensorgrad.core.guard import COPY_BYTES, Guard, is_immutable
from tensorgrad.core.lanes import Lanes, spread
from tensorgrad.core.modes import MODE, Mode
from tensorgrad.core.node import AnyNode, Extra, Node, make_node
from tensorgrad.core.pool import POOL_BYTES, take
from tensorgrad.core.tensor import Tensor, node_of, stale, wrap
from tensorgrad.core.views import SCALAR, link, shares_memory
from tensorgrad.errors import (
    DTypeError,
    IndexRangeError,
    ShapeError,
    TensorgradError,
    explain,
)

if TYPE_CHECKING:
    from tensorgrad.core.op import Op

__all__ = ["bind", "describe", "guarded"]

_ndarray = np.ndarray
_NUMBERS = (float, int, bool, complex)


def bind(op: Op, args: tuple[Any, ...], static: dict[str, Any]) -> Any:
    """Apply an op to arrays, scalars and Tensors; record it if a Tensor is among them."""
    values: list[Any] = []
    parents: list[AnyNode | None] = []
    any_tensor = is_abstract = is_large = False
    for arg in args:
        kind = type(arg)
        if kind is Tensor:
            any_tensor = True
            value = arg._value
            node = arg._node
            parents.append(node_of(arg) if node is None else node)
        elif isinstance(arg, Tensor):
            raise stale(arg)
        else:
            # Below 17 are NumPy's own numbers, in every release; float16 is looked at.
            is_ready = kind is float or (kind is _ndarray and arg.dtype.num < 17)
            value = arg if is_ready else _operand(op, arg)
            parents.append(None)
        if type(value) is _ndarray:
            is_large = is_large or value.nbytes >= POOL_BYTES
        elif isinstance(value, Aval):
            is_abstract = True
        values.append(value)
    if is_abstract:
        out = _without_arrays(op, values, static)
    elif any_tensor and MODE.get().watch is not None:
        out = _watched(op, values, static)
    else:
        out = _evaluate(op, values, static, is_large=is_large)
    if not any_tensor:
        return out
    mode = MODE.get()
    if op.n_outputs is not None:
        return _record_many(op, args, values, parents, static, out, mode)
    if op.is_constant and not is_abstract:
        return out
    return _record(op, args, values, parents, static, out, mode)


def _evaluate(
    op: Op, values: list[Any], static: dict[str, Any], *, is_large: bool
) -> Any:
    """Run the forward function, into reused memory if the result is large."""
    try:
        if is_large and op.ufunc is not None:
            buffer = _reusable(op, values)
            if buffer is not None:
                return op.ufunc(*values, out=buffer)
        return op.forward(*values, **static)
    except (TensorgradError, Warning, FloatingPointError, MemoryError):
        # The second and third are what the user asked NumPy to raise for an overflow.
        raise
    except Exception as error:
        raise explained(op, values, static, error) from error


def _watched(op: Op, values: list[Any], static: dict[str, Any]) -> Any:
    """Let the mode's watch see an op, and compute its result or another one."""

    def evaluate() -> Any:
        return _evaluate(op, values, static, is_large=False)

    return MODE.get().watch(op, values, static, evaluate)


def _without_arrays(op: Op, values: list[Any], static: dict[str, Any]) -> Any:
    """Apply an op to what stands for arrays: to many at once, or to shapes alone."""
    if any(type(value) is Lanes for value in values):
        return spread(op, values, static)

    def evaluate() -> Any:
        return op.shape_rule(*[_abstract(v) for v in values], **static)

    watch = MODE.get().watch
    return evaluate() if watch is None else watch(op, values, static, evaluate)


def _abstract(value: Any) -> Any:
    # Python scalars stay themselves: they take part in promotion as weak types.
    is_number = type(value) in (bool, int, float, complex)
    return value if is_number or value is None else aval_of(value)


def _reusable(op: Op, values: list[Any]) -> Any:
    """Return a pooled buffer for a large C-ordered result of one dtype, or None.

    Where NumPy would choose another memory order or dtype, it allocates as usual.
    """
    arrays = [v for v in values if type(v) is _ndarray]
    dtype = arrays[0].dtype
    n_scalars = sum(type(v) is float or type(v) is int for v in values)
    if (
        op.is_constant
        or dtype.kind != "f"
        or len(arrays) + n_scalars < len(values)
        or any(v.dtype is not dtype for v in arrays)
    ):
        return None
    shape = _ordered_shape(op, arrays)
    if shape is None or prod(shape) * dtype.itemsize < POOL_BYTES:
        return None
    return take(shape, dtype)


def _ordered_shape(op: Op, arrays: list[Any]) -> Shape | None:
    """Return the shape of a result that NumPy would lay out in C order, else None."""
    if op.is_matmul:
        is_product = all(v.ndim == 2 for v in arrays)
        return (arrays[0].shape[0], arrays[1].shape[1]) if is_product else None
    if not all(v.flags.c_contiguous for v in arrays):
        return None
    first = arrays[0].shape
    if all(v.shape == first for v in arrays):
        return first  # type: ignore[no-any-return]
    return np.broadcast_shapes(*[v.shape for v in arrays])


def _operand(op: Op, arg: Any) -> Any:
    """Accept arrays and scalars; turn sequences of numbers into arrays."""
    if type(arg) is _ndarray and arg.dtype.kind in "biufc":
        return arg
    if isinstance(arg, (bool, int, float, complex, Aval)):
        return arg
    if arg is None and op.has_optional_operands:
        return None
    if getattr(arg, "__array_priority__", 0) > 0 and isinstance(arg, _ndarray):
        # Masked arrays and matrices: operators mean something else for them.
        raise operand_error(op, arg)
    try:
        array = arg if isinstance(arg, np.generic) else np.asarray(arg)
    except TensorgradError:
        raise
    except Exception as error:
        raise operand_error(op, arg) from error
    if array.dtype.kind not in "biufc":
        raise operand_error(op, arg)
    return array


def operand_error(op: Op, arg: Any) -> DTypeError:
    """Return the error for an operand that is not numeric."""
    return DTypeError(
        explain(
            op.name,
            f"an operand of type {type(arg).__name__}"
            + (f" and dtype {arg.dtype}" if isinstance(arg, _ndarray) else ""),
            "a Tensor, an array of numbers or a number",
            "Convert it first; Tensors in a list are joined by np.stack",
        )
    )


def _record(
    op: Op,
    args: tuple[Any, ...],
    values: list[Any],
    parents: list[AnyNode | None],
    static: dict[str, Any],
    out: Any,
    mode: Mode,
) -> Tensor:
    is_scalar = False
    if type(out) is not _ndarray and type(out) is not Aval and type(out) is not Lanes:
        out = np.asarray(out)
        is_scalar = True
    if out.dtype.kind == "O":
        raise operand_error(op, out)
    if not mode.record:
        result = wrap(out, None)
    else:
        node = make_node(op, tuple(parents), None, None)
        _save(op, node, values, out, static, mode)
        result = wrap(out, node)
        if mode.forward is not None:
            mode.forward.see(op, args, values, static, result)
    if op.origin is not None and isinstance(args[0], Tensor):
        result._origin = op.origin(args[0], static)
    if is_scalar:
        result._alias = SCALAR
    elif op.is_layout and isinstance(args[0], Tensor):
        _carry_over(op, args[0], static, result)
    return result


def _carry_over(op: Op, base: Tensor, static: dict[str, Any], result: Tensor) -> None:
    """Pass on what a view inherits: shared memory, and the way back to logits."""
    _carry_over_memory(base, result)
    origin = getattr(base, "_origin", None)
    if origin is not None:
        result._origin = origin.through(op, static)


def _carry_over_memory(base: Tensor, result: Tensor) -> None:
    if type(result._value) is _ndarray and shares_memory(result._value, base._value):
        link(result, base)


def _save(
    op: Op, node: Node, values: list[Any], out: Any, static: dict[str, Any], mode: Mode
) -> None:
    """Keep what the rules of the recorded operands need, and nothing else."""
    if not mode.save:
        return
    parents = node.parents
    guards: list[Guard] = []
    kept: list[Any] = []
    for index in op.plan(tuple([p is not None for p in parents])):
        if index is None:
            kept.append(None)
        elif index < 0:
            kept.append(out)
        elif op.is_variadic:
            kept.append(_all_operands(op, node, values, guards, mode))
        else:
            value = values[index]
            if parents[index] is None and type(value) is _ndarray:
                value = guarded(value, op, guards, mode)
            kept.append(value)
    node.saved = kept[0] if len(kept) == 1 else tuple(kept) if kept else None
    avals = None if op.is_fitted else _differing(op, values, out)
    line = creating_line() if mode.debug else None
    if static or avals or guards or line:
        node.extra = Extra(static or None, avals, tuple(guards), line)


def _all_operands(
    op: Op, node: Node, values: list[Any], guards: list[Guard], mode: Mode
) -> tuple[Any, ...]:
    """Return a variadic op's operands; a lone recorded factor of a product is not kept."""
    parents = node.parents
    n_recorded = sum(p is not None for p in parents)
    is_alone = op.kind == "Linear" and n_recorded == 1
    kept = []
    for value, parent in zip(values, parents, strict=True):
        if parent is not None:
            kept.append(None if is_alone else value)
        else:
            kept.append(
                guarded(value, op, guards, mode) if type(value) is _ndarray else value
            )
    return tuple(kept)


def _differing(op: Op, values: list[Any], out: Any) -> tuple[Aval, ...] | None:
    """Return the operands' avals if a rule asks or a cotangent may have to be fitted."""
    is_needed = op.wants_avals
    if not is_needed:
        shape, dtype = (None, None) if type(out) is tuple else (out.shape, out.dtype)
        for value in values:
            if type(value) in _NUMBERS or value is None:
                continue
            if value.shape != shape or value.dtype != dtype:
                is_needed = True
    if not is_needed:
        return None
    return tuple([None if v is None else aval_of(v) for v in values])  # type: ignore[misc]


def guarded(array: Any, op: Op, guards: list[Guard], mode: Mode) -> Any:
    """Return what a node keeps of a plain array: itself if safe, a copy, or under guard."""
    if not mode.guard or is_immutable(array):
        return array
    if mode.debug:
        array.flags.writeable = False
        return array
    if array.nbytes <= COPY_BYTES:
        return array.copy(order="K")
    guards.append(Guard(array, op.name))
    return array


def creating_line() -> str | None:
    """Return file and line of the innermost frame outside this package."""
    frame: FrameType | None = sys._getframe(1)
    package = __name__.split(".", maxsplit=1)[0] + "."
    while frame is not None:
        if not frame.f_globals.get("__name__", "").startswith(package):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return None


def _record_many(
    op: Op,
    args: tuple[Any, ...],
    values: list[Any],
    parents: list[AnyNode | None],
    static: dict[str, Any],
    outs: Any,
    mode: Mode,
) -> Sequence[Tensor]:
    """Wrap several outputs, in a list where the forward function gave a list."""
    arrays = tuple(o if isinstance(o, Aval) else np.asarray(o) for o in outs)
    node = None
    if mode.record:
        node = make_node(op, tuple(parents), None, None)
        _save(op, node, values, arrays, static, mode)
    results = [_output(op, node, arrays, k) for k in range(len(arrays))]
    if mode.record and mode.forward is not None:
        mode.forward.see(op, args, values, static, results)
    if op.is_layout and isinstance(args[0], Tensor):
        for result in results:
            _carry_over_memory(args[0], result)
    return results if type(outs) is list else tuple(results)


def _output(op: Op, node: Node | None, arrays: tuple[Any, ...], k: int) -> Tensor:
    if node is None:
        return wrap(arrays[k], None)
    static = {"index": k, "count": len(arrays), "aval": aval_of(arrays[k])}
    return wrap(arrays[k], make_node(op.projection, (node,), None, Extra(static)))


def describe(value: Any) -> str:
    """Describe an operand for a message: its shape and dtype, or the number itself."""
    if isinstance(value, (bool, int, float, complex)):
        return repr(value)
    if value is None:
        return "None"
    aval = aval_of(value)
    return f"{aval.shape} {aval.dtype}"


def _kind_of(error: Exception) -> type[TensorgradError]:
    """Return our error for what NumPy raised; its AxisError is a ValueError first."""
    if isinstance(error, TypeError):
        return DTypeError
    is_index = isinstance(error, IndexError) and not isinstance(error, ValueError)
    return IndexRangeError if is_index else ShapeError


def explained(
    op: Op, values: list[Any], static: dict[str, Any], error: Exception
) -> TensorgradError:
    """Turn NumPy's complaint into a message of four parts."""
    try:
        op.shape_rule(*[_abstract(v) for v in values], **static)
    except TensorgradError as exact:
        return exact
    except Exception:  # noqa: BLE001, S110  # NumPy's own words are the better ones
        pass
    came = " and ".join(describe(v) for v in values)
    options = ", ".join(f"{k}={v!r}" for k, v in static.items() if v is not None)
    return _kind_of(error)(
        explain(
            op.name,
            f"{came}{f' with {options}' if options else ''}",
            f"operands that fit NumPy's rules ({error})",
            "Check shapes, dtypes and arguments",
        )
    )
