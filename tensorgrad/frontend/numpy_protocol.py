"""NumPy's protocols: ``np.exp(t)``, ``np.sum(t, axis=0)``, ``array += t``.

A ufunc or function is looked up in dictionaries made from the table and from
`functional`. What is not there raises and names the nearest that is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

import numpy as np

from tensorgrad.core.tensor import Tensor
from tensorgrad.errors import DTypeError, UnsupportedError, explain
from tensorgrad.frontend import constants, functional
from tensorgrad.frontend.assignment import convert, plain_index, store
from tensorgrad.frontend.calls import adapt, put_out, refuse_option
from tensorgrad.ops import TABLE

__all__ = ["FUNCTIONS", "SCIPY", "UFUNCS", "install"]

_astype = TABLE["astype"]
_reshape = TABLE["reshape"]
_scatter_add = TABLE["scatter_add"]


def _from_table(is_ufunc: bool) -> dict[Any, Callable[..., Any]]:
    found: dict[Any, Callable[..., Any]] = {}
    for function in TABLE.values():
        for target in function.op.numpy:
            if isinstance(target, np.ufunc) == is_ufunc:
                found[target] = function if is_ufunc else adapt(target, function)
    return found


def _from_compositions(is_ufunc: bool) -> dict[Any, Callable[..., Any]]:
    return {
        target: function
        for function in functional.COMPOSITIONS
        for target in function.numpy
        if isinstance(target, np.ufunc) == is_ufunc
    }


UFUNCS: dict[np.ufunc, Callable[..., Any]] = {
    **_from_compositions(is_ufunc=True),
    **_from_table(is_ufunc=True),
}
FUNCTIONS: dict[Any, Callable[..., Any]] = {
    **constants.FUNCTIONS,
    **_from_compositions(is_ufunc=False),
    **_from_table(is_ufunc=False),
    np.where: constants.where,
}

# ---------------------------------------------------------------------------- ufuncs


def numpy_aliases() -> dict[str, Callable[..., Any]]:
    """Return the ops of the table under the names that NumPy has for them.

    Examples
    --------
    >>> numpy_aliases()["conj"].op.name
    'conjugate'
    """
    ops = {f: op for op in TABLE.values() for f in op.op.numpy}
    return {
        name: ops[function]
        for name, function in vars(np).items()
        if callable(function) and not name.startswith("_") and function in ops
    }


def array_ufunc(
    self: Tensor, ufunc: Any, method: str, *inputs: Any, **kwargs: Any
) -> Any:
    """Apply a ufunc, or a method of one, to Tensors among other operands.

    Raises
    ------
    UnsupportedError
        If there is no rule for the ufunc, the method or an option.
    """
    if method != "__call__":
        return _METHODS[method](ufunc, *inputs, **kwargs)
    function = UFUNCS.get(ufunc)
    if function is None:
        function = _other_ufunc(ufunc)
    if not kwargs:
        return function(*inputs)
    return _call_with_options(ufunc, function, inputs, kwargs)


def _other_ufunc(ufunc: Any) -> Callable[..., Any]:
    if _gives_constants(ufunc):
        return lambda *inputs: ufunc(*[constants.value_of(x) for x in inputs])
    scipy_special = sys.modules.get("scipy.special")
    name = ufunc.__name__
    if scipy_special is not None and getattr(scipy_special, name, None) is ufunc:
        function = SCIPY.get(name)
        if function is not None:
            return function
        raise unknown(f"scipy.special.{name}", SCIPY, "scipy.special.")
    raise unknown(f"np.{name}", [u.__name__ for u in UFUNCS], "np.")


def _gives_constants(ufunc: Any) -> bool:
    """Tell whether all results are booleans or integers: constants by nature."""
    # A ufunc of objects alone (np.frompyfunc) may give anything.
    loops = [loop.partition("->")[2] for loop in ufunc.types if "O" not in loop]
    return bool(loops) and all(set(types) <= set("?bBhHiIlLqQpPmM") for types in loops)


SCIPY: dict[str, Callable[..., Any]] = {
    **functional.SCIPY,
    # SciPy has ufuncs of its own where NumPy has some of the same name and meaning.
    **{u.__name__: f for u, f in UFUNCS.items() if u.__name__ in ("cbrt", "exp2")},
    **{u.__name__: f for u, f in UFUNCS.items() if u.__name__ in ("expm1", "log1p")},
}


def unknown(name: str, supported: Iterable[str], prefix: str) -> UnsupportedError:
    """Return the error for a function without a rule, with what comes closest."""
    close = get_close_matches(
        name.rpartition(".")[2], sorted(set(supported)), n=3, cutoff=0.7
    )
    hint = (
        f"Nearest: {', '.join(prefix + c for c in close)}"
        if close
        else ("Write it with supported functions")
    )
    return UnsupportedError(
        explain(
            name,
            "a Tensor for a function that has no derivative rule",
            "one of the supported functions",
            f"{hint}; or leave the graph with .numpy()",
        )
    )


_UFUNC_DEFAULTS: dict[str, Any] = {
    "where": True,
    "casting": "same_kind",
    "order": "K",
    "subok": True,
    "signature": None,
    "keepdims": False,
}


def _call_with_options(
    ufunc: Any, function: Callable[..., Any], inputs: Any, kwargs: dict[str, Any]
) -> Any:
    options = dict(kwargs)
    out = options.pop("out", (None,))
    dtype = options.pop("dtype", None)
    axes = options.pop("axes", None)
    if axes is not None and not _are_default_axes(axes, inputs):
        raise refuse_option(ufunc.__name__, "axes", axes)
    for name, value in options.items():
        if name not in _UFUNC_DEFAULTS or value is not _UFUNC_DEFAULTS[name]:
            raise refuse_option(ufunc.__name__, name, value)
    if len(out) != 1:
        raise refuse_option(ufunc.__name__, "out", out)
    (target,) = out
    if type(target) is not Tensor and target is not None and target is inputs[0]:
        return _augmented(ufunc, function, target, inputs)
    if dtype is not None:
        inputs = [_same_kind(ufunc.__name__, x, np.dtype(dtype)) for x in inputs]
    result = function(*inputs)
    if dtype is not None and result.dtype != dtype:
        raise refuse_option(ufunc.__name__, "dtype", dtype)
    return put_out(ufunc.__name__, result, target)


def _are_default_axes(axes: Any, inputs: Any) -> bool:
    """Accept what NumPy itself says for ``array @= t``."""
    expected = [(-1,) if np.ndim(x) == 1 else (-2, -1) for x in inputs]
    return list(axes[:2]) == expected and axes[2] == expected[0]


def _same_kind(name: str, x: Any, dtype: np.dtype[Any]) -> Any:
    if isinstance(x, (bool, int, float, complex)):
        return x
    array = x if isinstance(x, Tensor) else np.asarray(x)
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        raise refuse_option(name, "dtype", dtype)
    return _astype(array, dtype)


def _augmented(
    ufunc: Any, function: Callable[..., Any], array: Any, inputs: Any
) -> Tensor:
    """Compute ``array += t``: NumPy binds the name to what this returns.

    The array itself would have been overwritten. Whoever else holds it must not read
    the old entries, so they become NaN: the one place where an array is written to.
    """
    action = f"array {_SIGNS.get(ufunc, ufunc.__name__)}= t"
    if type(array) is not np.ndarray or array.dtype.kind not in "fc":
        raise DTypeError(
            explain(
                action,
                f"a {type(array).__name__} of dtype {array.dtype}",
                "an ndarray of floating or complex numbers",
                "Convert it first (array = array.astype(float)), or write "
                "array = array + t",
            )
        )
    if not array.flags.writeable:
        raise UnsupportedError(
            explain(
                action,
                "a read-only array",
                "an array that may be overwritten",
                "Write array = array + t",
            )
        )
    # What a rule may need later is a copy that nobody writes to.
    before = array.copy()
    before.flags.writeable = False
    operands = [before if x is array else x for x in inputs]
    result = convert(function(*operands), array.shape, array.dtype, action)
    array.fill(np.nan)
    return result


_SIGNS = {
    np.add: "+",
    np.subtract: "-",
    np.multiply: "*",
    np.true_divide: "/",
    np.floor_divide: "//",
    np.remainder: "%",
    np.power: "**",
    np.matmul: "@",
}

# ------------------------------------------------------------------ methods of ufuncs

_REDUCTIONS: dict[Any, str] = {
    np.add: "sum",
    np.multiply: "prod",
    np.maximum: "max",
    np.minimum: "min",
    np.logaddexp: "logsumexp",
}
_ACCUMULATIONS: dict[Any, str] = {np.add: "cumsum", np.multiply: "cumprod"}


def _reduce(ufunc: Any, x: Any, axis: Any = 0, dtype: Any = None, out: Any = None,
            keepdims: bool = False, **options: Any) -> Any:  # fmt: skip
    if _gives_constants(ufunc):
        return ufunc.reduce(constants.value_of(x), axis=axis, keepdims=keepdims)
    name = _REDUCTIONS.get(ufunc)
    if name is None:
        raise _unknown_method(ufunc, "reduce", _REDUCTIONS)
    _refuse_others(f"{ufunc.__name__}.reduce", options)
    if dtype is not None:
        x = _astype(x, np.dtype(dtype))
    result = TABLE[name](x, axis=axis, keepdims=keepdims)
    return put_out(f"{ufunc.__name__}.reduce", result, out[0] if out else None)


def _accumulate(
    ufunc: Any, x: Any, axis: int = 0, dtype: Any = None, out: Any = None
) -> Any:
    if _gives_constants(ufunc):
        return ufunc.accumulate(constants.value_of(x), axis=axis)
    if ufunc in (np.maximum, np.minimum):
        return put_out(
            f"{ufunc.__name__}.accumulate",
            _running_extremum(ufunc, x, axis),
            out[0] if out else None,
        )
    name = _ACCUMULATIONS.get(ufunc)
    if name is None:
        raise _unknown_method(ufunc, "accumulate", _ACCUMULATIONS)
    if dtype is not None:
        x = _astype(x, np.dtype(dtype))
    result = TABLE[name](x, axis=axis)
    return put_out(f"{ufunc.__name__}.accumulate", result, out[0] if out else None)


def _running_extremum(ufunc: Any, x: Any, axis: int) -> Any:
    """Take each entry from the place of the latest record."""
    values = np.moveaxis(constants.value_of(x), axis, -1)
    is_record = values == ufunc.accumulate(values, axis=-1)
    is_record |= np.isnan(values)
    places = np.where(is_record, np.arange(values.shape[-1]), 0)
    latest = np.maximum.accumulate(places, axis=-1)
    return np.take_along_axis(x, np.moveaxis(latest, -1, axis), axis=axis)


def _outer(ufunc: Any, x: Any, y: Any, **options: Any) -> Any:
    out = options.pop("out", None)
    _refuse_others(f"{ufunc.__name__}.outer", options)
    if ufunc.signature is not None:
        raise _unknown_method(ufunc, "outer", _SIGNS)
    columns = _reshape(x, (*np.shape(x), *(1,) * np.ndim(y)))
    return put_out(
        f"{ufunc.__name__}.outer", ufunc(columns, y), out[0] if out else None
    )


def _at(ufunc: Any, target: Any, index: Any, *values: Any) -> None:
    if ufunc in (np.add, np.subtract) and isinstance(target, Tensor):
        # Repeated places add up, which is what the transpose of reading does.
        place = plain_index(index)
        region = np.broadcast_to(np.empty(()), target.shape)[place].shape
        (value,) = values
        total = _scatter_add(np.broadcast_to(value, region), place, target.shape)
        store(target, ufunc(target, total), f"np.{ufunc.__name__}.at")
        return
    sign = _SIGNS.get(ufunc, "+")
    raise UnsupportedError(
        explain(
            f"np.{ufunc.__name__}.at",
            "a Tensor, for what is not a sum, or a plain array to be written to",
            "np.add.at or np.subtract.at of a Tensor, or an assignment",
            f"Write t[i] {sign}= v where no index repeats; add repeated ones up first, "
            "for example with one_hot.T @ v",
        )
    )


def _reduceat(ufunc: Any, x: Any, index: Any, **options: Any) -> Any:
    raise UnsupportedError(
        explain(
            f"np.{ufunc.__name__}.reduceat",
            "a Tensor",
            "reduce, accumulate or outer",
            "Split with np.split and reduce the parts",
        )
    )


_METHODS: dict[str, Callable[..., Any]] = {
    "reduce": _reduce,
    "accumulate": _accumulate,
    "outer": _outer,
    "at": _at,
    "reduceat": _reduceat,
}


def _refuse_others(name: str, options: dict[str, Any]) -> None:
    for option, value in options.items():
        is_absent = value is np._NoValue or value is None
        if not is_absent and not (option == "where" and value is True):
            raise refuse_option(name, option, value)


def _unknown_method(ufunc: Any, method: str, known: Iterable[Any]) -> UnsupportedError:
    listed = ", ".join(sorted(u.__name__ for u in known))
    return UnsupportedError(
        explain(
            f"np.{ufunc.__name__}.{method}",
            "a Tensor for a method that has no derivative rule",
            f"one of {listed}",
            "Write a loop over the axis, or use one of these",
        )
    )


# -------------------------------------------------------------------------- functions


def array_function(
    self: Tensor, func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Apply one of NumPy's functions to Tensors among other arguments.

    Raises
    ------
    UnsupportedError
        If there is no rule for the function or an option.
    """
    function = FUNCTIONS.get(func)
    if function is None:
        if func in _LEAVING:
            raise _outside(_name_of(func))
        raise unknown(_name_of(func), [f.__name__ for f in FUNCTIONS], "np.")
    for kind in types:
        if not issubclass(kind, (Tensor, np.ndarray)):
            return NotImplemented
    return function(*args, **kwargs)


_LEAVING = frozenset(
    {np.save, np.savez, np.savez_compressed, np.savetxt, np.histogram, np.histogram2d}
    | {np.histogramdd, np.histogram_bin_edges, np.packbits, np.unpackbits}
)
"""Functions whose result is a file or counts, outside any graph."""


def _outside(name: str) -> UnsupportedError:
    return UnsupportedError(
        explain(
            name,
            "a Tensor",
            "arrays, since no gradient flows through its result",
            f"Leave the graph first: {name}(…, t.numpy(), …)",
        )
    )


def _name_of(func: Any) -> str:
    module = getattr(func, "__module__", "numpy") or "numpy"
    return f"{module.replace('numpy', 'np', 1)}.{func.__name__}"


def install() -> None:
    """Install NumPy's protocols on Tensor."""
    members: dict[str, Any] = {
        "__array_ufunc__": array_ufunc,
        "__array_function__": array_function,
    }
    for name, member in members.items():
        setattr(Tensor, name, member)
