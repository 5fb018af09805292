"""Which results may be written over arguments that the caller gave up.

An argument's memory is free for a result if nothing reads the argument afterwards. In the
loops that write the result it may be read at the entry that is being written, in the same
phase or an earlier one: operands are read before results are stored.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tensorgrad.compiler.native.fusion import Group, operands_of
from tensorgrad.compiler.native.loops import Product, Value, on_rows
from tensorgrad.compiler.native.writing import Lowered

__all__ = ["choose_reuse"]


def choose_reuse(
    lowered: Lowered, groups: Sequence[Group], donated: Collection[int]
) -> dict[int, int]:
    """Return, for results by number, the argument whose memory they take.

    Examples
    --------
    >>> import numpy as np
    >>> from tensorgrad.compiler import capture
    >>> from tensorgrad.compiler.native.fusion import fuse
    >>> from tensorgrad.compiler.native.lowering import lower
    >>> lowered = lower(capture(lambda x, g: x - g, np.ones(3), np.ones(3)).program)
    >>> choose_reuse(lowered, fuse(lowered.statements), {0})
    {0: 0}
    """
    reads: dict[Value, list[int]] = {}
    writer: dict[Value, int] = {}
    for k, group in enumerate(groups):
        for statement in group.statements:
            writer[statement.out] = k
            for ref in operands_of(statement):
                reads.setdefault(ref.value, []).append(k)
    found: dict[int, int] = {}
    for out, (value, shape) in enumerate(
        zip(lowered.outputs, lowered.shapes, strict=True)
    ):
        at = writer[value]
        free = [
            k
            for k in sorted(donated)
            if k not in found.values()
            and (lowered.inputs[k].shape, lowered.inputs[k].dtype)
            == (shape, value.dtype)
            and max(reads.get(lowered.inputs[k], [-1])) <= at
            and _is_overwritten_in_step(groups[at], lowered.inputs[k], value)
        ]
        # What is read last is nearest, as a parameter is to its new value.
        free.sort(key=lambda k: -max(reads.get(lowered.inputs[k], [-1])))
        if free:
            found[out] = free[0]
    return found


def _is_overwritten_in_step(group: Group, old: Value, new: Value) -> bool:
    """Tell whether each entry is read before it is written, in the group that writes."""
    if group.alone is not None:
        # What a product starts from is there already, or copied there first.
        read = operands_of(group.alone)
        read = read[:2] if isinstance(group.alone, Product) else read
        return all(ref.value is not old for ref in read)
    readers = [
        m
        for m in group.members
        if any(ref.value is old for ref in operands_of(m.statement))
    ]
    if not readers:
        return True
    if group.has_turns:  # which may have to begin anew
        return False
    written = next(m for m in group.members if m.statement.out is new)
    return written.level == "entry" and all(
        reader.level == "entry"
        and reader.phase <= written.phase
        and all(
            on_rows(ref) == group.place
            for ref in operands_of(reader.statement)
            if ref.value is old
        )
        for reader in readers
    )
