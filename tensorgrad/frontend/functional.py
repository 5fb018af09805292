"""All compositions: what a user of NumPy differentiates and the table does not list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.core.op import OpFunction
from tensorgrad.frontend import (
    arranging,
    choices,
    ordering,
    products,
    sequences,
    statistics,
    writing,
)
from tensorgrad.frontend.composition import Composition, collect
from tensorgrad.ops import TABLE

__all__ = ["COMPOSITIONS", "FUNCTIONS", "SCIPY"]

COMPOSITIONS: tuple[Composition, ...] = collect(
    arranging, choices, ordering, products, sequences, statistics, writing
)

FUNCTIONS: dict[str, Composition] = {
    f.__name__: f for f in COMPOSITIONS if not f.__name__.startswith("linalg_")
}
"""The public functions by name; those that write into an array are among them.

Not those that `numpy.linalg` has under a name that means something else in `numpy`.
"""


# ------------------------------------------------------------- names of scipy.special

_multiply: OpFunction = TABLE["safe_multiply"]
_softplus: OpFunction = TABLE["softplus"]


def _logit(p: Any) -> Any:
    return np.log(p) - np.log1p(-p)


def _log_expit(x: Any) -> Any:
    return -_softplus(-x)


def _xlogy(x: Any, y: Any) -> Any:
    # 0 · log 0 is 0, without the warning of a logarithm of zero.
    is_nothing = (x == 0) & (y == 0)
    return _multiply(x, np.log(np.where(is_nothing, 1.0, y)))


def _xlog1py(x: Any, y: Any) -> Any:
    is_nothing = (x == 0) & (y == -1)
    return _multiply(x, np.log1p(np.where(is_nothing, 0.0, y)))


def _entr(x: Any) -> Any:
    return -_xlogy(x, x)


def _rel_entr(x: Any, y: Any) -> Any:
    return _xlogy(x, x) - _xlogy(x, y)


def _kl_div(x: Any, y: Any) -> Any:
    return _rel_entr(x, y) - x + y


SCIPY: dict[str, Callable[..., Any]] = {
    "entr": _entr,
    "expit": TABLE["sigmoid"],
    "kl_div": _kl_div,
    "log_expit": _log_expit,
    "logit": _logit,
    "rel_entr": _rel_entr,
    "xlog1py": _xlog1py,
    "xlogy": _xlogy,
}
"""Ufuncs that SciPy has and NumPy has not, on the domain where they are finite."""
