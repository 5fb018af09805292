"""The table: one entry for each op.

This package collects the families, refuses two ops of one name, and attaches the
infix operators to Tensor, since rules are written with them. Named methods
(``t.sum()``) and NumPy's protocols come in `frontend`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np

from tensorgrad.core.op import Op, OpFunction
from tensorgrad.core.tensor import Tensor
from tensorgrad.errors import ArgumentError, DTypeError, explain
from tensorgrad.ops import (
    activations,
    arithmetic,
    compare,
    complexes,
    contraction,
    diagonals,
    exponential,
    indexing,
    joining,
    linalg,
    losses,
    powers,
    reduce,
    scans,
    selection,
    shaping,
    sorting,
    trigonometric,
)

__all__ = ["FAMILIES", "TABLE", "collect"]

FAMILIES: tuple[ModuleType, ...] = (
    activations,
    arithmetic,
    compare,
    complexes,
    contraction,
    diagonals,
    exponential,
    indexing,
    joining,
    linalg,
    losses,
    powers,
    reduce,
    scans,
    selection,
    shaping,
    sorting,
    trigonometric,
)


def collect(families: Iterable[ModuleType]) -> dict[str, OpFunction]:
    """Return the ops that the modules define, by name.

    Parameters
    ----------
    families : iterable of modules
        A function that a module imports from another one is found once; names that
        begin with an underscore are left out.

    Returns
    -------
    dict
        From an op's name to its public function.

    Raises
    ------
    ArgumentError
        If two different ops have one name.

    Examples
    --------
    >>> from tensorgrad.ops import reduce
    >>> collect([reduce])["mean"].op
    <op mean: Linear>
    """
    table: dict[str, OpFunction] = {}
    for family in families:
        for name, value in vars(family).items():
            op = getattr(value, "op", None)
            if not isinstance(op, Op) or name.startswith("_"):
                continue
            before = table.setdefault(op.name, value)
            if before is not value:
                raise ArgumentError(
                    explain(
                        "collecting the table",
                        f"a second op of the name {op.name!r}, in {family.__name__}",
                        "one entry for each name",
                        "Rename one, or remove the copy",
                    )
                )
    return table


TABLE: MappingProxyType[str, OpFunction] = MappingProxyType(collect(FAMILIES))

_BINARY = {
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
_COMPARISONS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_EQUALITIES = {"==": "eq", "!=": "ne"}
_UNARY = {"-": "neg", "+": "pos", "~": "invert", "abs": "abs"}


def _reflected(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda y, x: function(x, y)


def _equality(
    function: Callable[[Any, Any], Any], *, otherwise: bool
) -> Callable[[Any, Any], Any]:
    """Make ``==`` or ``!=``: what is not a number equals no entry, as in NumPy."""

    def compare(x: Any, y: Any) -> Any:
        try:
            return function(x, y)
        except DTypeError:
            if getattr(y, "__array_ufunc__", np.ufunc) is None:
                return NotImplemented  # it compares itself with arrays
            return np.full(x.shape, otherwise)

    return compare


def _attach(function: OpFunction) -> None:
    """Install an op's infix operator; the number of operands tells ``-x`` from ``x-y``."""
    sign = function.op.operator
    if sign is None:
        return
    if len(function.op.operands) == 1:
        setattr(Tensor, f"__{_UNARY[sign]}__", function)
    elif sign in _EQUALITIES:
        is_other = sign == "!="
        compare = _equality(function, otherwise=is_other)
        setattr(Tensor, f"__{_EQUALITIES[sign]}__", compare)
    elif sign in _COMPARISONS:
        # Python itself turns `1 < t` into `t > 1`.
        setattr(Tensor, f"__{_COMPARISONS[sign]}__", function)
    else:
        setattr(Tensor, f"__{_BINARY[sign]}__", function)
        setattr(Tensor, f"__r{_BINARY[sign]}__", _reflected(function))


def _attach_divmod() -> None:
    """Install ``divmod``, which is two ops."""

    def quotient_and_remainder(x: Any, y: Any) -> tuple[Any, Any]:
        return x // y, x % y

    setattr(Tensor, "__divmod__", quotient_and_remainder)  # noqa: B010  # mypy: not declared
    setattr(Tensor, "__rdivmod__", _reflected(quotient_and_remainder))  # noqa: B010


for _function in TABLE.values():
    _attach(_function)
_attach_divmod()
