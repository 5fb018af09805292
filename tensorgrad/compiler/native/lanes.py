"""Short rows, several at a time: entry j of sixteen rows side by side.

A row of ten entries fills no vector, and each of its sums ends in a reduction across one. Here a
block of rows is copied so that the same entry of all of them is contiguous; loops run over rows,
a row's sum is a lane of a vector, and the results are copied back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from tensorgrad.compiler.native.fusion import Group, Member, operands_of, row_stride
from tensorgrad.compiler.native.loops import Map, Reduce, Ref, Value, on_rows
from tensorgrad.compiler.native.writing import (
    C_TYPES,
    FIRST,
    combine,
    expression,
    index,
)

__all__ = ["ROWS_AT_ONCE", "Lanes", "has_short_rows"]

ROWS_AT_ONCE = 16
SHORTEST, LONGEST = 2, 24
"""Columns of rows that are short; longer ones fill vectors by themselves."""

FEWEST = 64
"""Rows below which a block is not worth its code."""

ENTRY = ("entry", "columns", "rows", "all")


class Numbers(Protocol):
    """What the lines of a group need to know of the whole program."""

    def number(self, value: Value) -> int:
        """Return the number of a value's pointer."""

    def is_read_outside(self, group: Group, value: Value) -> bool:
        """Tell whether an output, or another group, needs a value in memory."""


def has_short_rows(group: Group) -> bool:
    """Tell whether a group's rows are many, short, and looked at as a whole."""
    is_short = SHORTEST <= group.n_columns <= LONGEST and group.n_rows >= FEWEST
    is_whole = any(m.level == "columns" for m in group.members)
    return is_short and is_whole and not group.has_turns


class Lanes:
    """Writes the loop over the blocks of a group."""

    def __init__(self, numbers: Numbers, group: Group) -> None:
        self.numbers = numbers
        self.group = group
        # What is copied into a block: text of a place in memory to a block's name.
        self.tiles: dict[tuple[int, int, int, int], str] = {}
        self.kinds: dict[str, str] = {}

    def lines(self) -> list[str]:
        """Return the loop; it leaves the rows that fill no block."""
        n, n_columns = self.group.n_rows, self.group.n_columns
        body = list(self._phases())
        return [
            f"    for (long i0 = 0; i0 + {ROWS_AT_ONCE} <= {n}; i0 += {ROWS_AT_ONCE}) {{",
            *self._declared(),
            *self._copied_in(n_columns),
            *body,
            *self._copied_out(n_columns),
            "    }",
        ]

    # ------------------------------------------------------------------------- memory

    def _declared(self) -> Iterator[str]:
        for name, kind in self.kinds.items():
            yield f"    {kind} {name};"

    def _declare(self, name: str, kind: str, *sizes: int) -> None:
        shape = "".join(f"[{size}]" for size in (*sizes, ROWS_AT_ONCE))
        self.kinds[f"{name}{shape}"] = f"_Alignas(64) {kind}"

    def _copied_in(self, n_columns: int) -> Iterator[str]:
        for (k, row, column, offset), name in self.tiles.items():
            place = index(("(i0 + l)", row), ("j", column), offset=offset)
            yield f"    for (long l = 0; l < {ROWS_AT_ONCE}; l++)"
            if column:
                yield f"    for (long j = 0; j < {n_columns}; j++)"
            yield f"        {name}{'[j]' * bool(column)}[l] = p{k}[{place}];"

    def _copied_out(self, n_columns: int) -> Iterator[str]:
        for member in self.group.members:
            value = member.statement.out
            if member.level == "entry" and self.numbers.is_read_outside(
                self.group, value
            ):
                k = self.numbers.number(value)
                place = index(("(i0 + l)", n_columns), ("j", 1))
                yield f"    for (long l = 0; l < {ROWS_AT_ONCE}; l++)"
                yield f"    for (long j = 0; j < {n_columns}; j++)"
                yield f"        p{k}[{place}] = e{k}[j][l];"

    # ------------------------------------------------------------------------- phases

    def _phases(self) -> Iterator[str]:
        members = self.group.members
        last = max(m.phase + (m.level == "columns") for m in members)
        for phase in range(last + 1):
            here = [m for m in members if m.phase == phase]
            for member in here:
                if member.level not in ENTRY:
                    yield from self._row_statement(member)
            inner = [m for m in here if m.level in ENTRY]
            if inner:
                yield from self._entries(inner)

    def _entries(self, inner: list[Member]) -> Iterator[str]:
        """Yield a phase's loop over the columns."""
        for member in inner:
            if member.level == "columns":
                yield from self._started(member)
        yield f"    for (long j = 0; j < {self.group.n_columns}; j++) {{"
        sums: list[str] = []
        for member in inner:
            if member.level in ("rows", "all"):
                yield from self._accumulator(member, sums)
        yield f"    #pragma omp simd {' '.join(sums)}".rstrip()
        yield f"    for (long l = 0; l < {ROWS_AT_ONCE}; l++) {{"
        for member in inner:
            yield from self._entry_statement(member)
        yield "    }"
        for member in inner:
            if member.level in ("rows", "all"):
                yield from self._added(member)
        yield "    }"
        for member in inner:
            if member.level == "columns":
                yield from self._finished(member)

    def _started(self, member: Member) -> Iterator[str]:
        """Yield what the sums of rows start from, a lane for each row."""
        reduce = member.statement
        assert isinstance(reduce, Reduce)
        k, kind = self.numbers.number(reduce.out), C_TYPES[reduce.out.dtype]
        self._declare(f"r{k}", kind)
        yield f"    for (long l = 0; l < {ROWS_AT_ONCE}; l++) r{k}[l] = {FIRST[reduce.kind]};"
        if reduce.kind in ("max", "min"):
            self._declare(f"n{k}", kind)
            yield f"    for (long l = 0; l < {ROWS_AT_ONCE}; l++) n{k}[l] = 0;"

    def _finished(self, member: Member) -> Iterator[str]:
        reduce = member.statement
        assert isinstance(reduce, Reduce)
        k = self.numbers.number(reduce.out)
        if reduce.kind in ("max", "min"):
            yield f"    for (long l = 0; l < {ROWS_AT_ONCE}; l++)"
            yield f"        r{k}[l] = n{k}[l] > 0 ? NAN : r{k}[l];"
        yield from self._stored_row(reduce.out)

    def _stored_row(self, value: Value) -> Iterator[str]:
        if self.numbers.is_read_outside(self.group, value):
            k = self.numbers.number(value)
            yield f"    for (long l = 0; l < {ROWS_AT_ONCE}; l++) p{k}[i0 + l] = r{k}[l];"

    def _accumulator(self, member: Member, sums: list[str]) -> Iterator[str]:
        """Yield what the sum over a block's rows of one column starts from."""
        reduce = member.statement
        assert isinstance(reduce, Reduce)
        k, kind = self.numbers.number(reduce.out), C_TYPES[reduce.out.dtype]
        symbol = {"sum": "+", "min": "min"}.get(reduce.kind, "max")
        sums.append(f"reduction({symbol}:b{k})")
        yield f"    {kind} b{k} = {FIRST[reduce.kind]};"
        if reduce.kind in ("max", "min"):
            sums.append(f"reduction(+:m{k})")
            yield f"    {kind} m{k} = 0;"

    def _added(self, member: Member) -> Iterator[str]:
        reduce = member.statement
        assert isinstance(reduce, Reduce)
        k = self.numbers.number(reduce.out)
        if reduce.kind in ("max", "min"):
            yield f"    b{k} = m{k} > 0 ? NAN : b{k};"
        target = f"p{k}[j]" if member.level == "rows" else f"t{k}"
        yield combine(target, f"b{k}", reduce.kind)

    def _entry_statement(self, member: Member) -> Iterator[str]:
        statement = member.statement
        k, kind = self.numbers.number(statement.out), C_TYPES[statement.out.dtype]
        if isinstance(statement, Map):
            texts = [
                o if isinstance(o, str) else self._operand(o, member.phase)
                for o in statement.operands
            ]
            yield f"        const {kind} v{k} = {expression(statement, texts)};"
            if self._is_kept(statement.out):
                self._declare(f"e{k}", kind, self.group.n_columns)
                yield f"        e{k}[j][l] = v{k};"
            return
        assert isinstance(statement, Reduce)
        v = self._operand(statement.operand, member.phase)
        is_column = member.level == "columns"
        target, count = (f"r{k}[l]", f"n{k}[l]") if is_column else (f"b{k}", f"m{k}")
        yield "    " + combine(target, v, statement.kind, is_quiet=True)
        if statement.kind in ("max", "min"):
            yield f"        {count} += {v} != {v} ? 1 : 0;"

    def _is_kept(self, value: Value) -> bool:
        """Tell whether an entry is read in a later phase, or outside."""
        if self.numbers.is_read_outside(self.group, value):
            return True
        made = self.group.values[value][1]
        return any(
            ref.value is value and member.phase > made
            for member in self.group.members
            for ref in operands_of(member.statement)
        )

    def _operand(self, ref: Ref, phase: int) -> str:
        k = self.numbers.number(ref.value)
        known = self.group.values.get(ref.value)
        if known is not None:
            kind, made = known
            if kind == "row":
                return f"r{k}[l]"
            return f"v{k}" if made == phase else f"e{k}[j][l]"
        place = on_rows(ref)
        assert place is not None
        row, column, offset = place
        if (row, column) == (0, 0):
            return f"c{k}_{offset}"
        if row == 0:
            return f"p{k}[{index(('j', column), offset=offset)}]"
        return self._tile(ref, (k, row, column, offset))

    def _tile(self, ref: Ref, place: tuple[int, int, int, int]) -> str:
        """Return an entry of the block's copy of what lies in memory."""
        if place not in self.tiles:
            self.tiles[place] = name = f"x{place[0]}_{len(self.tiles)}"
            sizes = [self.group.n_columns] * bool(place[2])
            self._declare(name, C_TYPES[ref.value.dtype], *sizes)
        return f"{self.tiles[place]}{'[j]' * bool(place[2])}[l]"

    # --------------------------------------------------------------------------- rows

    def _row_statement(self, member: Member) -> Iterator[str]:
        statement = member.statement
        k = self.numbers.number(statement.out)
        if isinstance(statement, Reduce):
            source = self._row_operand(statement.operand)
            yield f"    for (long l = 0; l < {ROWS_AT_ONCE}; l++)"
            yield "    " + combine(f"t{k}", source, statement.kind)
            return
        assert isinstance(statement, Map)
        texts = [
            o if isinstance(o, str) else self._row_operand(o)
            for o in statement.operands
        ]
        self._declare(f"r{k}", C_TYPES[statement.out.dtype])
        yield "    #pragma omp simd"
        yield f"    for (long l = 0; l < {ROWS_AT_ONCE}; l++)"
        yield f"        r{k}[l] = {expression(statement, texts)};"
        yield from self._stored_row(statement.out)

    def _row_operand(self, ref: Ref) -> str:
        k = self.numbers.number(ref.value)
        if ref.value in self.group.values:
            return f"r{k}[l]"
        if on_rows(ref) == (0, 0, ref.offset):
            return f"c{k}_{ref.offset}"
        return self._tile(ref, (k, row_stride(ref) or 0, 0, ref.offset))
