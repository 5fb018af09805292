"""Capture: run a function on abstract values, and write down what it applies.

Theory
------
An `Aval` stands for an array in every Tensor that the function gets. Ops that meet one
compute shapes by their rules, and the mode's ``watch`` hears of each: that is the program.
An abstract value is recognised by its identity, so that results of sweeps, which restore
what nodes saved, are the values that were saved. Derivatives inside the function are
nothing special: reverse mode is written with ops, and so is recorded like the rest.

What does not depend on the arguments is computed once, now. A random generator among the
arguments is replaced by one that hands out abstract draws: these are inputs, and are
drawn anew for each run, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from inspect import Parameter, signature
from itertools import takewhile
from typing import Any

import numpy as np

from tensorgrad._typing import Array, Tree
from tensorgrad.compiler.program import (
    Constant,
    Instruction,
    Operand,
    Program,
    Variable,
    run,
)
from tensorgrad.core.aval import Aval, aval_of
from tensorgrad.core.graph import ancestors
from tensorgrad.core.guard import Guard, is_immutable
from tensorgrad.core.modes import switch
from tensorgrad.core.node import Leaf
from tensorgrad.core.op import Op
from tensorgrad.core.tensor import Tensor, as_value, node_of, wrap
from tensorgrad.errors import ArgumentError, CaptureError, explain
from tensorgrad.tree import Structure, flatten, unflatten

__all__ = ["Captured", "Draw", "capture"]


@dataclass(frozen=True, slots=True)
class Draw:
    """Random numbers that a run draws: which generator, which method, with what."""

    generator: int
    method: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """A program, and the way from a function's arguments to its inputs and back.

    Calling it runs the program: for arguments of the shapes and dtypes that it was
    captured with it returns what the function would.

    Attributes
    ----------
    program : Program
    draws : tuple of Draw
        For the inputs after those of the arguments.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> from tensorgrad.compiler import capture
    >>> step = capture(tg.grad(lambda w: (w**3).sum()), np.ones(2))
    >>> step(np.array([1.0, 2.0]))
    array([ 3., 12.])
    """

    program: Program
    draws: tuple[Draw, ...]
    inputs: Structure
    places: tuple[int, ...]
    fixed: tuple[Any, ...]
    outputs: Structure
    guards: tuple[Guard, ...]

    def __call__(self, *args: Any, **kwargs: Any) -> Tree:
        """Run the program on arguments like those that it was captured with.

        Raises
        ------
        ArgumentError
            If the arguments have other containers, shapes, dtypes or fixed values.
        GraphError
            If an array that it was captured with has been written to since.
        """
        leaves, structure = flatten((args, kwargs))
        self._check(leaves, structure)
        for guard in self.guards:
            guard.check()
        values = self.values(leaves)
        found = run(self.program, values)
        return unflatten(self.outputs, self.owned(found, values))

    def values(self, leaves: Sequence[Any]) -> list[Any]:
        """Return the program's inputs: arrays among the arguments' leaves, and draws."""
        values = [np.asarray(as_value(leaves[i])) for i in self.places]
        values += [
            getattr(leaves[draw.generator], draw.method)(*draw.args, **draw.kwargs)
            for draw in self.draws
        ]
        return values

    def owned(self, results: Sequence[Any], values: Sequence[Any]) -> list[Array]:
        """Return results that share memory with nothing that lives on."""
        seen = {id(value) for value in values}
        seen.update(id(constant.value) for constant in self.program.constants)
        owned = []
        for result in results:
            array = np.asarray(result)
            base = array.base
            # A view of all of a fresh array, as a transposed product, is nobody else's.
            is_whole = isinstance(base, np.ndarray) and base.size == array.size
            is_shared = id(array) in seen or not array.flags.writeable
            if base is not None:
                is_shared = is_shared or not is_whole or id(base) in seen
                is_shared = is_shared or base.base is not None
            if is_shared:
                array = array.copy(order="K")
            seen.add(id(array))
            if array.base is not None:
                seen.add(id(array.base))
            owned.append(array)
        return owned

    def with_program(self, program: Program) -> Captured:
        """Return the same with another program, which a pass has made of this one's."""
        return replace(self, program=program)

    def _check(self, leaves: Sequence[Any], structure: Structure) -> None:
        came = ""
        if structure != self.inputs:
            came = f"arguments with leaves {list(structure.paths())}"
        else:
            for i, variable in zip(self.places, self.program.inputs, strict=False):
                if aval_of(as_value(leaves[i])) != variable.aval:
                    came = f"{aval_of(as_value(leaves[i]))!r} for {variable.aval!r}"
            for i, value in enumerate(self.fixed):
                if value is not VARIES and not _is_same(value, leaves[i]):
                    came = f"{leaves[i]!r} for {value!r}"
        if came:
            raise ArgumentError(
                explain(
                    "calling a captured function",
                    came,
                    "what it was captured with",
                    "Capture it again for other shapes, dtypes and plain values",
                )
            )


VARIES = object()
"""In the place of an argument that is no fixed part of the program."""


def _is_same(first: Any, second: Any) -> bool:
    return type(first) is type(second) and bool(first == second)


def capture(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Captured:
    """Return the program of a function for arguments of these shapes and dtypes.

    Parameters
    ----------
    f : callable
        Takes and returns nested containers and modules of arrays.
    *args, **kwargs
        Examples: arrays and Tensors vary from run to run, and so do the draws of a random
        generator; Python numbers, text and None are part of the program.

    Returns
    -------
    Captured

    Raises
    ------
    CaptureError
        Where the function asks for a value that is not there (a branch, a loop or an index
        that depends on data), or uses a Tensor with ``requires_grad`` that is no argument.

    Notes
    -----
    Arrays that the function reaches otherwise are constants; writing to one later raises
    at the next call.

    Examples
    --------
    >>> print(capture(lambda x, n: x**n, np.ones(3), 2).program)
    input  x: float64[3]
    v0 = power(x, 2)  # float64[3]
    output v0
    """
    leaves, structure = flatten((args, kwargs))
    tracer = _Tracer(_parameters(f))
    places: list[int] = []
    traced: list[Any] = []
    fixed: list[Any] = []
    for i, (leaf, path) in enumerate(zip(leaves, structure.paths(), strict=True)):
        if isinstance(leaf, (Tensor, np.ndarray, np.generic)):
            places.append(i)
            fixed.append(VARIES)
            traced.append(tracer.input(leaf, path))
        elif isinstance(leaf, np.random.Generator):
            fixed.append(VARIES)
            traced.append(_Generator(i, tracer))
        else:
            fixed.append(leaf)
            traced.append(leaf)
    new_args, new_kwargs = unflatten(structure, traced)
    with switch(record=True, watch=tracer, guard=False, depth=1):
        value = f(*new_args, **new_kwargs)
    found, outputs = flatten(value)
    results = tuple(tracer.operand(as_value(leaf)) for leaf in found)
    tracer.refuse_parameters([leaf for leaf in found if isinstance(leaf, Tensor)])
    inputs = (*tracer.inputs, *[variable for variable, _ in tracer.drawn])
    program = Program(inputs, tuple(tracer.lines), results)
    program.check()
    guards = [
        Guard(constant.value, "a captured function")
        for constant in program.constants
        if not is_immutable(constant.value)
    ]
    return Captured(
        program,
        tuple(draw for _, draw in tracer.drawn),
        structure,
        tuple(places),
        tuple(fixed),
        outputs,
        tuple(guards),
    )


class _Tracer:
    """Hears of every op that an abstract value goes into."""

    def __init__(self, parameters: list[str]) -> None:
        self.parameters = parameters
        self.inputs: list[Variable] = []
        self.lines: list[Instruction] = []
        self.drawn: list[tuple[Variable, Draw]] = []
        # By identity; the values are kept, so that no identity is given out twice.
        self.variables: dict[int, tuple[Aval, Variable]] = {}
        self.constants: dict[int, Constant] = {}
        self.leaves: set[Leaf] = set()

    def input(self, leaf: Any, path: str) -> Tensor:
        """Return the Tensor that stands for an array among the arguments."""
        name = leaf.name if isinstance(leaf, Tensor) and leaf.name else ""
        name = name or _argument(path, self.parameters)
        value = self._new(aval_of(as_value(leaf)), name)
        self.inputs.append(self.variables[id(value)][1])
        node = Leaf(name=name, traced=True)
        self.leaves.add(node)
        return wrap(value, node)

    def draw(self, draw: Draw, like: Any) -> Tensor:
        """Return the Tensor that stands for random numbers."""
        value = self._new(aval_of(like), "")
        self.drawn.append((self.variables[id(value)][1], draw))
        return wrap(value, None)

    def _new(self, aval: Aval, name: str = "") -> Aval:
        value = Aval(aval.shape, aval.dtype)
        self.variables[id(value)] = (value, Variable(value, name))
        return value

    def operand(self, value: Any) -> Operand:
        """Return what stands for a value in the program."""
        known = self.variables.get(id(value))
        if known is not None:
            return known[1]
        if value is None or type(value) in (bool, int, float, complex):
            return value  # type: ignore[no-any-return]
        if isinstance(value, Aval):
            raise CaptureError(
                explain(
                    "capturing a function",
                    f"an abstract {value!r} of another capture",
                    "values of its own arguments",
                    "Pass it as an argument",
                )
            )
        array = np.asarray(value)
        found = self.constants.get(id(value))
        if found is None or found.value is not array:
            found = self.constants[id(value)] = Constant(array)
        return found

    def __call__(
        self,
        op: Op,
        values: list[Any],
        static: dict[str, Any],
        evaluate: Callable[[], Any],
    ) -> Any:
        """Note an op with an abstract operand; compute the others now."""
        out = evaluate()
        if not any(isinstance(v, Aval) for v in values):
            return out
        operands = tuple(self.operand(v) for v in values)
        several = isinstance(out, (tuple, list))
        results = [self._new(aval) for aval in (out if several else [out])]
        variables = tuple(self.variables[id(r)][1] for r in results)
        self.lines.append(Instruction(op, operands, dict(static), variables))
        return type(out)(results) if several else results[0]

    def refuse_parameters(self, results: Sequence[Tensor]) -> None:
        """Raise if the results depend on a parameter that is no argument."""
        for node in ancestors([node_of(t) for t in results]):
            if type(node) is Leaf and node.requires_grad and node not in self.leaves:
                raise CaptureError(
                    explain(
                        "capturing a function",
                        f"a parameter that is no argument ({node.name or 'without a name'})",
                        "parameters among the arguments, since their values change",
                        "Pass the parameters or the model to the function",
                    )
                )


def _parameters(f: Callable[..., Any]) -> list[str]:
    """Return the names of a function's positional parameters, if it tells them."""
    try:
        found = signature(f).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in takewhile(lambda p: p.kind in kinds, found)]


def _argument(path: str, parameters: list[str]) -> str:
    """Return a name for an input from its path among (args, kwargs)."""
    kind, _, rest = path.partition(".")
    number, _, inner = rest.partition(".")
    name = (rest if kind == "1" else inner).replace(".", "_")
    if name.isidentifier():
        return name
    place = int(number)
    whole = parameters[place] if place < len(parameters) else f"x{number}"
    return f"{whole}_{name}" if name else whole


class _Generator(np.random.Generator):
    """Stands for a random generator: its draws are inputs of the program."""

    def __init__(self, place: int, tracer: _Tracer) -> None:
        super().__init__(np.random.PCG64(0))
        self._place = place
        self._tracer = tracer


def _drawing(method: str) -> Callable[..., Any]:
    def draw(self: _Generator, *args: Any, **kwargs: Any) -> Any:
        like = getattr(np.random.Generator, method)(self, *args, **kwargs)
        return self._tracer.draw(Draw(self._place, method, args, kwargs), like)

    return draw


def _refusing(method: str) -> Callable[..., Any]:
    def refuse(self: _Generator, *args: Any, **kwargs: Any) -> Any:
        raise CaptureError(
            explain(
                f"Generator.{method} under capture",
                "random numbers that would be part of the program",
                f"one of {', '.join(_DRAWS)}",
                "Draw them outside, and pass them as an argument",
            )
        )

    return refuse


_DRAWS = (
    "random",
    "normal",
    "standard_normal",
    "uniform",
    "integers",
    "exponential",
    "binomial",
    "permutation",
)
for _name in dir(np.random.Generator):
    if not _name.startswith("_") and _name != "bit_generator":
        _make = _drawing if _name in _DRAWS else _refusing
        setattr(_Generator, _name, _make(_name))
