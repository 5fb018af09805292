"""Which statements share a loop.

A group is one nest of two loops, rows and columns. What its maps compute stays in
registers, unless something outside needs it. A map of the group's shape computes an entry
of a row; a reduction over columns gives one number a row, which later maps of the same row
can use: they belong to the row's next phase, a second loop over its columns. Reductions
over rows, and over everything, are ready when the group is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from tensorgrad._typing import Shape
from tensorgrad.compiler.native.loops import (
    Copy,
    Map,
    Nest,
    Product,
    Reduce,
    Ref,
    Statement,
    Value,
    on_rows,
)

__all__ = ["Group", "Member", "fuse", "operands_of", "rows_and_columns", "turned"]

LOOK_AHEAD = 12
"""Groups that are tried for a statement, the first of those that are early enough."""


@dataclass(frozen=True, slots=True)
class Member:
    """A statement in a group: for each entry or each row, and in which phase."""

    statement: Map | Reduce
    level: str
    phase: int


@dataclass(slots=True, eq=False)
class Group:
    """Statements that run in one nest of loops, or a product or a copy."""

    n_rows: int
    n_columns: int
    members: list[Member] = field(default_factory=list)
    alone: Product | Copy | Nest | None = None
    # How a value of the group can be read in it: entry or row, and from which phase on.
    values: dict[Value, tuple[str, int]] = field(default_factory=dict)

    @property
    def place(self) -> tuple[int, int, int]:
        """Strides and offset, as `on_rows` tells them, of what the group computes."""
        row = self.n_columns if self.n_rows > 1 else 0
        return (row, int(self.n_columns > 1), 0)

    @property
    def has_turns(self) -> bool:
        """Whether sines are computed in a way that may have to be given up."""
        return any(turned(member.statement) for member in self.members)

    @property
    def statements(self) -> list[Statement]:
        """All statements of the group."""
        if self.alone is not None:
            return [self.alone]
        return [member.statement for member in self.members]


def turned(statement: Statement) -> bool:
    """Tell whether a statement is a sine or cosine that is not right for large angles."""
    return isinstance(statement, Map) and statement.code.startswith(
        ("tg_sin", "tg_cos")
    )


def rows_and_columns(shape: Shape) -> tuple[int, int]:
    """Return the loops over an array: all axes but the last, and the last.

    Examples
    --------
    >>> rows_and_columns((2, 3, 4)), rows_and_columns((5,)), rows_and_columns(())
    ((6, 4), (1, 5), (1, 1))
    """
    return (prod(shape[:-1]), shape[-1]) if shape else (1, 1)


def fuse(statements: Sequence[Statement]) -> list[Group]:
    """Return the groups in an order in which they can run.

    Examples
    --------
    >>> from tensorgrad.compiler import capture
    >>> from tensorgrad.compiler.native.lowering import lower
    >>> import numpy as np
    >>> program = capture(lambda x: np.exp(np.tanh(x)).sum(), np.ones((2, 3))).program
    >>> [len(group.members) for group in fuse(lower(program).statements)]
    [3]
    """
    groups: list[Group] = []
    place: dict[Value, int] = {}
    for statement in statements:
        first = max(
            (place.get(ref.value, -1) for ref in operands_of(statement)), default=-1
        )
        at = _find(groups, statement, max(first, 0))
        if at is None:
            at = len(groups)
            groups.append(_new_group(statement))
        place[statement.out] = at
    return groups


def operands_of(statement: Statement) -> list[Ref]:
    """Return the arrays that a statement reads."""
    if isinstance(statement, Product):
        start = [statement.start] if statement.start is not None else []
        return [statement.x, statement.y, *start]
    if isinstance(statement, Copy):
        return [statement.x]
    operands = (
        statement.operands
        if isinstance(statement, (Map, Nest))
        else (statement.operand,)
    )
    return [o for o in operands if isinstance(o, Ref)]


def _new_group(statement: Statement) -> Group:
    if isinstance(statement, (Product, Copy, Nest)):
        return Group(1, 1, alone=statement)
    shape = statement.out.shape
    if isinstance(statement, Reduce):
        shape = statement.operand.shape
    group = Group(*rows_and_columns(shape))
    is_taken = _join(group, statement)
    assert is_taken
    return group


def _find(groups: list[Group], statement: Statement, first: int) -> int | None:
    if isinstance(statement, (Product, Copy, Nest)):
        return None
    for at in range(first, min(len(groups), first + LOOK_AHEAD)):
        if groups[at].alone is None and _join(groups[at], statement):
            return at
    return None


def _join(group: Group, statement: Map | Reduce) -> bool:
    """Add a statement to a group if it fits there."""
    if isinstance(statement, Map):
        member = _as_map(group, statement)
    else:
        member = _as_reduction(group, statement)
    if member is None:
        return False
    group.members.append(member)
    reads = {"entry": "entry", "row": "row", "columns": "row"}
    kind = reads.get(member.level, "later")
    phase = member.phase + (member.level == "columns")
    group.values[statement.out] = (kind, phase)
    return True


def _as_map(group: Group, statement: Map) -> Member | None:
    loops = rows_and_columns(statement.out.shape)
    refs = operands_of(statement)
    if loops == (group.n_rows, group.n_columns):
        phases = [_entry_phase(group, ref) for ref in refs]
        if None not in phases:
            return Member(statement, "entry", max([p for p in phases if p], default=0))
    is_row = prod(loops) == group.n_rows and group.n_columns > 1 and 1 in loops
    if is_row and any(ref.value in group.values for ref in refs):
        phases = [_row_phase(group, ref) for ref in refs]
        if None not in phases:
            return Member(statement, "row", max([p for p in phases if p], default=0))
    return None


def _as_reduction(group: Group, statement: Reduce) -> Member | None:
    ref, over = statement.operand, statement.over
    loops = rows_and_columns(ref.shape)
    if loops == (group.n_rows, group.n_columns):
        phase = _entry_phase(group, ref)
        if phase is None:
            return None
        level = "columns" if over == "all" and group.n_rows == 1 else over
        return Member(statement, level, phase)
    is_row = prod(loops) == group.n_rows and group.n_columns > 1 and over == "all"
    if is_row and group.values.get(ref.value, ("", 0))[0] == "row":
        phase = _row_phase(group, ref)
        return None if phase is None else Member(statement, "rows of rows", phase)
    return None


def _entry_phase(group: Group, ref: Ref) -> int | None:
    """Return from which phase on an operand can be read at each entry, if it can."""
    place = on_rows(ref)
    if place is None:
        return None
    known = group.values.get(ref.value)
    if known is None:
        return 0
    kind, phase = known
    if kind == "entry":
        is_there = place == group.place
    else:
        is_there = kind == "row" and place == (int(group.n_rows > 1), 0, 0)
    return phase if is_there else None


def _row_phase(group: Group, ref: Ref) -> int | None:
    """Return from which phase on an operand can be read at each row, if it can."""
    known = group.values.get(ref.value)
    row = row_stride(ref)
    if known is None:
        return 0 if row is not None else None
    kind, phase = known
    if kind != "row" or row is None:
        return None
    return phase if row == int(group.n_rows > 1) and ref.offset == 0 else None


def row_stride(ref: Ref) -> int | None:
    """Return the stride from row to row of what has one entry a row."""
    place = on_rows(ref)
    if place is None:
        return None
    n_rows, n_columns = rows_and_columns(ref.shape)
    return place[1] if n_rows == 1 and n_columns > 1 else place[0]
