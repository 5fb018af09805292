"""One dtype for a whole training: the model's."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.core.aval import Aval
from tensorgrad.core.graph import ancestors
from tensorgrad.core.node import AnyNode
from tensorgrad.core.tensor import Tensor
from tensorgrad.data.rows import Rows
from tensorgrad.errors import explain
from tensorgrad.nn.module import Module

__all__ = ["in_dtype", "model_dtype", "warn_of_wide_cost", "warn_of_wide_data"]


def model_dtype(model: Module) -> np.dtype[Any]:
    """Return the widest dtype of the parameters; float64 if there are none.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> model_dtype(tg.nn.Dense(2, 1, dtype=np.float32))
    dtype('float32')
    """
    dtypes = [t.dtype for t in model.parameters().values()]
    return np.result_type(*dtypes) if dtypes else np.dtype(np.float64)


def is_wider(dtype: np.dtype[Any], than: np.dtype[Any]) -> bool:
    """Tell whether floating numbers of a dtype would widen those of another.

    Examples
    --------
    >>> is_wider(np.dtype(float), np.dtype(np.float32))
    True
    >>> is_wider(np.dtype(int), np.dtype(np.float32))
    False
    """
    return dtype.kind in "fc" and np.result_type(dtype, than) != than


def in_dtype(values: Array, dtype: np.dtype[Any]) -> Array:
    """Return floating values in the dtype if theirs is wider; all others as they are.

    Examples
    --------
    >>> in_dtype(np.ones(2), np.dtype(np.float32)).dtype
    dtype('float32')
    """
    return values.astype(dtype) if is_wider(values.dtype, dtype) else values


def warn_of_wide_data(dtype: np.dtype[Any], **arrays: Rows) -> None:
    """Say which data are converted because they would widen the model."""
    wide = [f"{k} of {a.dtype}" for k, a in arrays.items() if is_wider(a.dtype, dtype)]
    if wide:
        text = explain(
            "fit",
            f"{' and '.join(wide)} would widen a model of {dtype}",
            f"data of {dtype}; each batch is converted",
            f"Convert once, with .astype(np.{dtype}), or make the model wider",
        )
        warnings.warn(text, stacklevel=3)


def warn_of_wide_cost(cost: Tensor, dtype: np.dtype[Any]) -> None:
    """Say which op made a cost wider than the model."""
    if not is_wider(cost.dtype, dtype):
        return
    nodes = [] if cost._node is None else ancestors([cost._node])
    op = next((str(n.op.name) for n in nodes if n.op and _mixes(n, dtype)), "an op")
    text = explain(
        "fit",
        f"{op} makes a cost of {cost.dtype} in a model of {dtype}",
        f"{dtype} throughout",
        "A scalar of np.float64 widens, a Python float does not: write float(scalar)",
    )
    warnings.warn(text, stacklevel=4)


def _mixes(node: AnyNode, dtype: np.dtype[Any]) -> bool:
    """Tell whether an op got a wide operand beside one of the model's dtype."""
    avals = None if node.extra is None else node.extra.avals
    found = {aval.dtype for aval in avals or () if isinstance(aval, Aval)}
    return dtype in found and any(is_wider(other, dtype) for other in found)
