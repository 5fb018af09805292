"""Steps of descent folded into the product that gives the gradient.

``W - rate * (x @ y)`` is one call of BLAS, which adds to what is there: the gradient is
never written. The product then runs where the step stood, after everything else that
reads W.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tensorgrad.compiler.native.fusion import operands_of
from tensorgrad.compiler.native.loops import Map, Product, Ref, Statement, Value, whole
from tensorgrad.compiler.native.writing import Lowered

__all__ = ["LEAST_ENTRIES", "fold_steps"]

LEAST_ENTRIES = 4096
"""Smaller gradients stay in the nearest cache, and their loops are fused with others."""

SCALED, STEPPED = "({0} * {1})", "({0} - {1})"


def fold_steps(lowered: Lowered) -> Lowered:
    """Return the loops with products that add to a parameter.

    Examples
    --------
    >>> import numpy as np
    >>> from tensorgrad.compiler import capture
    >>> from tensorgrad.compiler.native.lowering import lower
    >>> W, x = np.ones((64, 64)), np.ones((64, 64))
    >>> step = capture(lambda W, x: W - 0.5 * (x @ x), W, x).program
    >>> [type(s).__name__ for s in fold_steps(lower(step)).statements]
    ['Product']
    """
    makers = {statement.out: statement for statement in lowered.statements}
    uses: dict[Value, int] = dict.fromkeys(lowered.outputs, 2)
    for statement in lowered.statements:
        for ref in operands_of(statement):
            uses[ref.value] = uses.get(ref.value, 0) + 1
    gone: set[Value] = set()
    statements: list[Statement] = []
    for statement in lowered.statements:
        folded = _folded(statement, makers, uses)
        if folded is not None:
            product, between = folded
            gone.update(between)
            statements.append(product)
        else:
            statements.append(statement)
    kept = tuple(s for s in statements if s.out not in gone)
    return replace(lowered, statements=kept)


def _folded(
    statement: Statement, makers: dict[Value, Statement], uses: dict[Value, int]
) -> tuple[Product, Sequence[Value]] | None:
    """Return the product that does a step of descent, and what it makes superfluous."""
    if not isinstance(statement, Map) or statement.code != STEPPED:
        return None
    start, scaled = statement.operands
    if not isinstance(start, Ref) or not isinstance(scaled, Ref):
        return None
    scaling = _sole_maker(scaled, makers, uses)
    if not isinstance(scaling, Map) or scaling.code != SCALED:
        return None
    numbers = [o for o in scaling.operands if isinstance(o, str)]
    arrays = [o for o in scaling.operands if isinstance(o, Ref)]
    product = _sole_maker(arrays[0], makers, uses) if len(numbers) == 1 else None
    is_large = isinstance(product, Product) and product.out.size >= LEAST_ENTRIES
    is_natural = start == whole(start.value) and start.shape == statement.out.shape
    is_other = {statement.out.dtype} == {start.value.dtype, scaled.value.dtype}
    if not (isinstance(product, Product) and is_large and is_natural and is_other):
        return None
    folded = Product(statement.out, product.x, product.y, f"-{numbers[0]}", start)
    return folded, (scaling.out, product.out)


def _sole_maker(
    ref: Ref, makers: dict[Value, Statement], uses: dict[Value, int]
) -> Statement | None:
    """Return what computes an operand that is read here alone, as it lies."""
    is_sole = uses.get(ref.value) == 1 and ref == whole(ref.value)
    return makers.get(ref.value) if is_sole else None
