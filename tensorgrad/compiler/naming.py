"""Names that backpropagation gives its values, read off a program.

A layer is a product of a weight, an input of the program, with what came before it. What the
product and a bias add up to is z, an activation of it a, and the cost's slope by z is δ: the
factor beside the layer's input in the product that has the weight's shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tensorgrad.compiler.program import (
    Constant,
    Instruction,
    Operand,
    Program,
    Variable,
)

__all__ = ["name_roles"]

ACTIVATIONS = frozenset(
    (
        *("relu", "leaky_relu", "sigmoid", "tanh", "softplus", "softmax"),
        *("log_softmax", "sin", "cos", "exp"),
    )
)
VIEWS = frozenset(("transpose", "swapaxes", "reshape"))


@dataclass(slots=True)
class Layer:
    """A weight, what goes into its product, and what comes out."""

    number: int
    weight: Variable
    given: Variable | Constant
    z: Variable
    bias: Variable | None = None
    a: Variable | None = None


def name_roles(program: Program) -> dict[Variable, str]:
    """Return names as z1, a1, delta1, dW1, db1 for the values that play these roles.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> from tensorgrad.compiler import capture
    >>> from tensorgrad.compiler.passes import simplify
    >>> def loss(W, b, x):
    ...     return tg.log_loss(tg.sigmoid(x @ W.T + b), np.ones((4, 1)))
    >>> slope = tg.grad(loss, (0, 1))
    >>> captured = capture(slope, np.ones((1, 3)), np.ones(1), np.ones((4, 3)))
    >>> sorted(name_roles(simplify(captured.program)).values())
    ['a1', 'dW', 'db', 'delta1', 'z1']
    """
    reader = _Reader(program)
    layers = list(reader.layers())
    found: dict[Variable, str] = {}
    names = _Names(program, layers)
    for layer in layers:
        found.update(names.of_inputs(layer))
    for layer in layers:
        found[layer.z] = f"z{layer.number}"
        if layer.a is not None:
            found[layer.a] = f"a{layer.number}"
        for slope, delta in reader.slopes(layer):
            found.setdefault(slope, f"d{names.weight(layer)}")
            found.setdefault(delta, f"delta{layer.number}")
            for total in reader.totals(delta, layer.bias):
                found.setdefault(total, f"d{names.bias(layer)}")
    for line in program.instructions:
        if "entropy" in line.op.name or line.op.name.startswith(("log_loss", "mse")):
            found.setdefault(line.results[0], "cost")
    found.update(_updated(program, found))
    return _unique(program, found)


class _Names:
    """What weights and biases are called, with the layer's number if many share a name."""

    def __init__(self, program: Program, layers: list[Layer]) -> None:
        names = [v.name for v in program.inputs]
        self._shared = {name for name in names if names.count(name) > 1 or not name}

    def weight(self, layer: Layer) -> str:
        return self._of(layer.weight, "W", layer.number)

    def bias(self, layer: Layer) -> str:
        return self._of(layer.bias, "b", layer.number) if layer.bias else ""

    def _of(self, v: Variable, usual: str, number: int) -> str:
        return f"{v.name or usual}{number}" if v.name in self._shared else v.name

    def of_inputs(self, layer: Layer) -> Iterator[tuple[Variable, str]]:
        """Yield new names for the inputs that share theirs with others."""
        if layer.weight.name in self._shared:
            yield layer.weight, self.weight(layer)
        if layer.bias is not None and layer.bias.name in self._shared:
            yield layer.bias, self.bias(layer)


class _Reader:
    """A program with the way from each value to the lines that make and use it."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.inputs = set(program.inputs)
        self.made: dict[Operand, Instruction] = {}
        self.users: dict[Operand, list[Instruction]] = {}
        for line in program.instructions:
            self.made.update((v, line) for v in line.results)
            for operand in line.operands:
                if isinstance(operand, (Variable, Constant)):
                    self.users.setdefault(operand, []).append(line)

    def layers(self) -> Iterator[Layer]:
        """Yield the layers in the order in which they are computed."""
        known: set[Variable | Constant] = set()
        number = 0
        for line in self.program.instructions:
            pair = self._weight_and_input(line) if line.op.is_matmul else None
            # A weight comes again on the way back, and so do the examples.
            if pair is None or pair[0] in known:
                continue
            known.update(pair)
            number += 1
            layer = Layer(number, *pair, z=line.results[0])
            self._follow(layer)
            yield layer

    def _weight_and_input(
        self, line: Instruction
    ) -> tuple[Variable, Variable | Constant] | None:
        """Return the factors of a product if one of them is an input, a matrix."""
        first, second = (self.source(o) for o in line.operands)
        pairs = [
            (weight, given)
            for weight, given in ((second, first), (first, second))
            if isinstance(weight, Variable)
            and isinstance(given, (Variable, Constant))
            and weight in self.inputs
            and weight.aval.ndim == 2
            and weight is not given
        ]
        # Of two inputs the weight is the one that says so, or else the second.
        pairs.sort(key=lambda pair: pair[0].name[:1] not in ("W", "w"))
        return pairs[0] if pairs else None

    def source(self, operand: Operand) -> Operand:
        """Return what an operand is a view of."""
        while operand in self.made and self.made[operand].op.name in VIEWS:
            operand = self.made[operand].operands[0]
        return operand

    def _follow(self, layer: Layer) -> None:
        """Find the bias that is added to a product, and the activation of the sum."""
        after = self.users.get(layer.z, [])
        if len(after) == 1 and after[0].op.name == "add":
            for operand in after[0].operands:
                bias = self.source(operand)
                if isinstance(bias, Variable) and bias in self.inputs:
                    layer.bias = bias
            layer.z = after[0].results[0]
        for line in self.users.get(layer.z, []):
            is_first = line.operands[0] is layer.z
            if line.op.name in ACTIVATIONS and is_first and layer.a is None:
                layer.a = line.results[0]

    def slopes(self, layer: Layer) -> Iterator[tuple[Variable, Variable]]:
        """Yield what may be the weight's slope, with the other factor, the δ."""
        shape = layer.weight.aval.shape
        for line in self.program.instructions:
            if not line.op.is_matmul:
                continue
            product = line.results[0]
            sources = [self.source(o) for o in line.operands]
            if layer.given not in sources or layer.weight in sources:
                continue
            delta = sources[sources[0] is layer.given]
            if not isinstance(delta, Variable) or delta in self.inputs:
                continue
            if delta.aval.shape != layer.z.aval.shape:
                continue
            for slope in (*self._views(product), product):
                if slope.aval.shape == shape:
                    yield slope, delta
                    break

    def _views(self, value: Variable) -> Iterator[Variable]:
        for line in self.users.get(value, []):
            if line.op.name in VIEWS:
                yield line.results[0]

    def totals(self, delta: Variable, bias: Variable | None) -> Iterator[Variable]:
        """Yield the sums of a δ that have the bias's shape."""
        for line in self.users.get(delta, []):
            if line.op.name != "sum" or bias is None:
                continue
            for total in (*self._views(line.results[0]), line.results[0]):
                if total.aval.shape == bias.aval.shape:
                    yield total


def _updated(
    program: Program, names: dict[Variable, str]
) -> Iterator[tuple[Variable, str]]:
    """Yield names for outputs that are an input less something: a descended parameter."""
    outputs = set(program.outputs)
    for line in program.instructions:
        old, new = (line.operands or (None,))[0], line.results[0]
        is_step = line.op.name == "subtract" and new in outputs and new not in names
        if is_step and isinstance(old, Variable) and old in program.inputs:
            name = names.get(old, old.name)
            if name and old.aval == new.aval:
                yield new, f"{name}_new"


def _unique(program: Program, names: dict[Variable, str]) -> dict[Variable, str]:
    """Leave out names that an input has, or a value before."""
    taken = {v.name for v in program.inputs if v not in names}
    found = {}
    for value, name in names.items():
        if name not in taken and name.isidentifier():
            taken.add(name)
            found[value] = name
    return found
