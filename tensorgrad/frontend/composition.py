"""How a function with NumPy's name is composed of others, and how NumPy finds it.

Compositions are written with NumPy's own functions and with operators. On Tensors
those are ops of the table, so derivatives of every order follow; on plain arrays they
are NumPy.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any, Protocol, cast

import numpy as np

from tensorgrad.core.tensor import Tensor

__all__ = ["Composition", "as_operand", "collect", "implements"]


class Composition(Protocol):
    """A function that stands for some of NumPy's; `numpy` lists them."""

    numpy: tuple[Any, ...]
    __name__: str

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: D102  # as NumPy's
        ...


def implements(*names: str) -> Callable[[Callable[..., Any]], Composition]:
    """Mark a function as the one for NumPy's functions of these names.

    Parameters
    ----------
    *names : str
        As in ``np.<name>``. Those that the installed NumPy does not have are left out.

    Examples
    --------
    >>> @implements("fliplr")
    ... def fliplr(m):
    ...     return m[:, ::-1]
    >>> fliplr.numpy == (np.fliplr,)
    True
    """
    found = tuple(f for f in (_look_up(name) for name in names) if f is not None)

    def mark(function: Callable[..., Any]) -> Composition:
        function.numpy = found  # type: ignore[attr-defined]
        summary, _, rest = inspect.cleandoc(function.__doc__ or "").partition("\n")
        function.__doc__ = "\n".join(
            [
                summary,
                "",
                f"Parameters and result are those of :func:`numpy.{names[0]}`; operands",
                "may be Tensors, and the result is one if any of them is.",
                rest,
            ]
        )
        return cast("Composition", function)

    return mark


def as_operand(x: Any) -> Any:
    """Return a Tensor as it is, and anything else as an array.

    A list with Tensors in it is joined, as NumPy would make an array of it.

    Examples
    --------
    >>> as_operand([1.0, 2.0])
    array([1., 2.])
    """
    if isinstance(x, Tensor):
        return x
    return np.stack([as_operand(v) for v in x]) if _holds(x) else np.asanyarray(x)


def _holds(x: Any) -> bool:
    """Tell whether a Tensor is in nested lists."""
    if not isinstance(x, (list, tuple)):
        return False
    return any(isinstance(v, Tensor) or _holds(v) for v in x)


def _look_up(name: str) -> Any:
    place: Any = np
    for part in name.split("."):
        place = getattr(place, part, None)
    return place


def collect(*modules: ModuleType) -> tuple[Composition, ...]:
    """Return the compositions that the modules define, in order."""
    return tuple(
        thing
        for module in modules
        for thing in vars(module).values()
        if inspect.isfunction(thing)
        and hasattr(thing, "numpy")
        and thing.__module__ == module.__name__
    )
