"""From a call in NumPy's signature to a call of an op.

NumPy's functions and ops agree on names, but not on positions: `np.sum` has ``dtype``
and ``out`` between ``axis`` and ``keepdims``. The quick way serves calls that leave no
doubt; the rest are bound to NumPy's own signature first.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from tensorgrad.core.op import Op, OpFunction, static_defaults
from tensorgrad.core.tensor import Tensor
from tensorgrad.errors import ArgumentError, UnsupportedError, explain
from tensorgrad.frontend.assignment import store
from tensorgrad.frontend.masked import MASKED, reduce_masked
from tensorgrad.ops import TABLE

__all__ = ["adapt", "put_out", "refuse_option"]

_astype = TABLE["astype"]
# Memory order, subclasses and algorithms say nothing about values.
_MASKS = frozenset({"where", "initial", "mean"})
_IMMATERIAL = frozenset({"subok", "device", "copy", "optimize", "stable", "kind"})

# NumPy 2.0 still has the old name.
_RENAMED = {"newshape": "shape"}


def adapt(numpy_function: Any, function: OpFunction) -> Callable[..., Any]:
    """Return the function that serves NumPy's calls of ``numpy_function`` by an op.

    Examples
    --------
    >>> adapt(np.sum, TABLE["sum"])(np.ones((2, 3)), 0, None, None, True)
    array([[2., 2., 2.]])
    """
    op = function.op
    statics = static_defaults(op)
    known = statics.keys()
    n_operands = 1 if op.is_variadic else len(op.operands)
    if op.adapt is not None:
        return _adapted(numpy_function.__name__, function)

    def call(*args: Any, **kwargs: Any) -> Any:
        n_args = len(args)
        if n_args == n_operands and kwargs.keys() <= known:
            return function(*args, **kwargs)
        names = _positions(numpy_function, op)
        if n_operands < n_args <= n_operands + len(names) and kwargs.keys() <= known:
            named = dict(zip(names, args[n_operands:], strict=False))
            if not named.keys() & kwargs.keys():
                return function(*args[:n_operands], **named, **kwargs)
        operands, options = _sorted_arguments(numpy_function, n_operands, args, kwargs)
        return _with_options(numpy_function.__name__, function, operands, options)

    call.__name__ = call.__qualname__ = op.name
    call.__doc__ = function.__doc__
    return call


def _adapted(name: str, function: OpFunction) -> Callable[..., Any]:
    """Serve an op that sorts its arguments itself: all but ``out`` is its own."""

    def call(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        for option in ("dtype", "casting"):
            value = kwargs.pop(option, None)
            if value not in (None, "same_kind", "safe"):
                raise refuse_option(name, option, value)
        return put_out(name, function(*args, **kwargs), out)

    call.__name__ = call.__qualname__ = function.__name__
    call.__doc__ = function.__doc__
    return call


@lru_cache(maxsize=512)
def _positions(numpy_function: Any, op: Op) -> tuple[str, ...]:
    """Return the static arguments that NumPy's positions after the operands stand for.

    Up to the first that the op does not have, such as ``out``.
    """
    statics = static_defaults(op)
    try:
        parameters = list(_signature(numpy_function).parameters.values())
    except ValueError:
        return ()
    names = []
    for parameter in parameters[1 if op.is_variadic else len(op.operands) :]:
        is_positional = parameter.kind in (
            parameter.POSITIONAL_ONLY,
            parameter.POSITIONAL_OR_KEYWORD,
        )
        name = _RENAMED.get(parameter.name, parameter.name)
        if not is_positional or name not in statics:
            break
        names.append(name)
    return tuple(names)


@lru_cache(maxsize=512)
def _signature(numpy_function: Any) -> inspect.Signature:
    return inspect.signature(numpy_function)


def _sorted_arguments(
    numpy_function: Any, n_operands: int, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Return the operands of a call, and the options that differ from the default."""
    try:
        signature = _signature(numpy_function)
    except ValueError:
        # Functions written in C tell their signature from NumPy 2.4 on.
        return list(args), dict(kwargs)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise ArgumentError(
            explain(
                f"np.{numpy_function.__name__}",
                str(error),
                f"arguments {signature}",
                "Compare the call with NumPy's documentation",
            )
        ) from None
    operands: list[Any] = []
    options: dict[str, Any] = {}
    for position, (name, parameter) in enumerate(signature.parameters.items()):
        if position < n_operands:
            operands.append(bound.arguments.get(name, parameter.default))
        elif name not in bound.arguments:
            continue
        elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
            options.update(bound.arguments[name])
        elif not _is_default(bound.arguments[name], parameter.default):
            options[_RENAMED.get(name, name)] = bound.arguments[name]
    return operands, options


def _is_default(value: Any, default: Any) -> bool:
    if value is default or value is np._NoValue:
        return True
    return type(value) is type(default) and bool(np.all(value == default))


def _with_options(
    name: str, function: OpFunction, operands: list[Any], options: Mapping[str, Any]
) -> Any:
    """Call an op, and do what NumPy's ``dtype`` and ``out`` ask for around it."""
    statics = static_defaults(function.op)
    own = {key: value for key, value in options.items() if key in statics}
    other = {key: value for key, value in options.items() if key not in statics}
    dtype = other.pop("dtype", None)
    out = other.pop("out", None)
    casting = other.pop("casting", "same_kind")
    masked = {}
    if function.op.name in MASKED:
        masked = {key: other.pop(key) for key in _MASKS & other.keys()}
    for key, value in other.items():
        if key not in _IMMATERIAL and not (key == "where" and value is True):
            raise refuse_option(name, key, value)
    if casting != "same_kind":
        raise refuse_option(name, "casting", casting)
    if dtype is not None:
        is_joining = function.op.is_variadic
        operands = [
            [_cast(x, dtype) for x in operand] if is_joining else _cast(operand, dtype)
            for operand in operands
        ]
    if masked:
        result = reduce_masked(function, operands[0], **masked, **own)
    else:
        result = function(*operands, **own)
    return put_out(name, result, out)


def _cast(x: Any, dtype: Any) -> Any:
    return _astype(x if isinstance(x, Tensor) else np.asarray(x), np.dtype(dtype))


def put_out(name: str, result: Any, out: Any) -> Any:
    """Return a result by way of ``out=``: a Tensor's handle is rebound to it.

    Raises
    ------
    UnsupportedError
        If `out` is a plain array, which can't hold what a gradient needs.
    """
    if out is None:
        return result
    if isinstance(out, Tensor):
        return store(out, result, f"np.{name}(…, out=t)")
    raise UnsupportedError(
        explain(
            f"np.{name}",
            "out= with a plain array for a result that is recorded",
            "no out=, or a Tensor",
            "Take the returned value, or make `out` with np.zeros_like of a Tensor",
        )
    )


_REMEDIES = {
    "where": "Write np.where(mask, x, neutral) before the function",
    "initial": "Apply the operation to the result and the initial value",
    "casting": "Convert with .astype first",
    "dtype": "Convert with .astype first",
    "signature": "Convert with .astype first",
    "order": "Results have NumPy's default order",
    "mode": "Use the default mode, or bring the indices into range first",
    "axes": "Move the axes first, with np.moveaxis",
    "axis": "Move the axis first, with np.moveaxis",
    "keepdims": "Insert the axis afterwards, with np.expand_dims",
}


def refuse_option(name: str, option: str, value: Any) -> UnsupportedError:
    """Return the error for an option that has no rule."""
    return UnsupportedError(
        explain(
            f"np.{name}",
            f"{option}={value!r:.60} on a Tensor",
            f"{option} left at its default",
            _REMEDIES.get(option, "Write it as a composition of supported functions"),
        )
    )
