"""Activations by name, and the initial weights that suit them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias

from tensorgrad.errors import ArgumentError, explain
from tensorgrad.nn import init
from tensorgrad.nn.arguments import nearest
from tensorgrad.ops import TABLE

__all__ = ["ACTIVATIONS", "Activation", "find_activation", "name_of"]

Initialiser: TypeAlias = Callable[..., Any]

LEAKY_SLOPE = 0.01
"""Slope of ``leaky_relu`` for negative arguments: the default of the op."""


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation: its name, its function, and how weights before it start.

    Examples
    --------
    >>> find_activation("relu")([-1.0, 2.0])
    array([0., 2.])
    """

    name: str
    function: Callable[[Any], Any]
    init: Initialiser

    def __call__(self, z: Any) -> Any:
        """Apply the function."""
        return self.function(z)

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        # Copies and pickles of a named activation are that activation.
        if ACTIVATIONS.get(self.name) is self:
            return find_activation, (self.name,)
        return Activation, (self.name, self.function, self.init)


def linear(z: Any) -> Any:
    """Return the argument.

    Examples
    --------
    >>> linear(2.0)
    2.0
    """
    return z


def _make() -> Mapping[str, Activation]:
    found = (
        Activation("linear", linear, init.xavier),
        Activation("sigmoid", TABLE["sigmoid"], init.xavier),
        Activation("tanh", TABLE["tanh"], init.xavier),
        Activation("relu", TABLE["relu"], init.he),
        Activation(
            "leaky_relu",
            TABLE["leaky_relu"],
            partial(init.he, slope=LEAKY_SLOPE),
        ),
        Activation("softmax", TABLE["softmax"], init.xavier),
    )
    return MappingProxyType({activation.name: activation for activation in found})


ACTIVATIONS: Mapping[str, Activation] = _make()
_SHORT = MappingProxyType({"leaky": "leaky_relu"})


def find_activation(activation: Any) -> Activation:
    """Return the activation of a name; None is linear, a function becomes one.

    Parameters
    ----------
    activation : str, callable or None
        ``linear sigmoid tanh relu leaky_relu softmax``; ``leaky`` is ``leaky_relu``
        (slope 0.01). A function takes and returns arrays and Tensors of one shape;
        weights before it start as for ``linear``.

    Raises
    ------
    ArgumentError
        If the name is unknown; the message says which known one is nearest.

    Examples
    --------
    >>> find_activation("leaky")
    leaky_relu
    """
    if isinstance(activation, Activation):
        return activation
    if activation is None:
        return ACTIVATIONS["linear"]
    if isinstance(activation, str):
        found = ACTIVATIONS.get(_SHORT.get(activation, activation))
        if found is not None:
            return found
    elif callable(activation) and not isinstance(activation, type):
        name = name_of(activation)
        if name is not None:
            return ACTIVATIONS[name]
        own = getattr(activation, "__name__", type(activation).__name__)
        return Activation(own, activation, init.xavier)
    raise ArgumentError(
        explain(
            "choosing an activation",
            f"{activation!r}",
            f"a function or one of {' '.join(ACTIVATIONS)}",
            nearest(activation, (*ACTIVATIONS, *_SHORT)),
        )
    )


def name_of(function: Any) -> str | None:
    """Return the name under which a function can be found again, or None.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> name_of(tg.tanh)
    'tanh'
    """
    for name, activation in ACTIVATIONS.items():
        if function is activation or function is activation.function:
            return name
    return None
