"""From a program to C: one function, which is called with everything it works on.

The function gets a tuple of arrays, and reads the addresses of their entries out of the
objects; where they stand in an object is looked up once (`calling`). Large products are
calls to BLAS; all else is loops that a compiler vectorises. Sums are reordered, into
lanes and pieces: the bits are others than NumPy's, the bounds are not larger.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from tensorgrad.compiler.native.donation import choose_reuse
from tensorgrad.compiler.native.folding import fold_steps
from tensorgrad.compiler.native.fusion import (
    Group,
    Member,
    fuse,
    operands_of,
    row_stride,
    turned,
)
from tensorgrad.compiler.native.lanes import ROWS_AT_ONCE, Lanes, has_short_rows
from tensorgrad.compiler.native.loops import (
    Copy,
    Map,
    Nest,
    Product,
    Reduce,
    Ref,
    Value,
    natural,
    on_rows,
)
from tensorgrad.compiler.native.lowering import lower
from tensorgrad.compiler.native.products import small_product, vector_product
from tensorgrad.compiler.native.writing import (
    C_TYPES,
    F32,
    FIRST,
    Lowered,
    combine,
    expression,
    index,
)
from tensorgrad.compiler.program import Program

__all__ = ["Printed", "print_c"]

PIECE = 4096
"""Entries of a long row that are summed before they join the total."""

ALIGNMENT = 64
INNER = ("entry", "columns", "rows", "all")
"""Levels of what happens in the loop over columns."""

SMALL_PRODUCT = 1 << 15
"""Multiplications up to which a loop may beat a call."""


@dataclass(frozen=True, slots=True, eq=False)
class Printed:
    """C, and what the function takes: inputs, constants, results, memory, in this order.

    ``reused`` tells which results may lie in the memory of which donated inputs.
    """

    source: str
    lowered: Lowered
    work_bytes: int
    n_groups: int
    reused: dict[int, int]


def print_c(
    program: Program, integer: str = "long long", donated: Collection[int] = ()
) -> Printed:
    r"""Return C for a program.

    Parameters
    ----------
    program : Program
    integer : str
        The C type of sizes in BLAS.
    donated : collection of int
        Inputs that a call may overwrite.

    Raises
    ------
    Unprintable
        If an op, a dtype or a shape of the program has no loop.

    Examples
    --------
    >>> from tensorgrad.compiler import capture
    >>> import numpy as np
    >>> printed = print_c(capture(lambda x: np.tanh(x) * 2.0, np.ones(3)).program)
    >>> lines = [line.strip() for line in printed.source.splitlines()]
    >>> print("\n".join(lines[lines.index("#pragma omp simd") :][1:6]))
    for (long j = 0; j < 3; j++) {
    const double x0_0 = p0[j];
    const double v1 = tg_tanh(x0_0);
    const double v2 = (v1 * (0x1.0000000000000p+1));
    p2[j] = v2;
    """
    lowered = fold_steps(lower(program))
    printer = _Printer(lowered)
    body = "\n".join(printer.groups())
    text = PROLOGUE.replace("INTEGER", integer) + printer.head() + body + "\n}\n"
    source = text + EPILOGUE.replace("COUNT", str(printer.n_given + 1))
    reused = choose_reuse(lowered, printer.fused, donated)
    return Printed(source, lowered, printer.work_bytes, len(printer.fused), reused)


PROLOGUE = """\
#include "vector_math.h"

typedef void (*gemm_s)(int, int, int, INTEGER, INTEGER, INTEGER, float, const float *,
                       INTEGER, const float *, INTEGER, float, float *, INTEGER);
typedef void (*gemm_d)(int, int, int, INTEGER, INTEGER, INTEGER, double, const double *,
                       INTEGER, const double *, INTEGER, double, double *, INTEGER);
static gemm_s sgemm;
static gemm_d dgemm;
void set_blas(void *s, void *d) { sgemm = (gemm_s)s; dgemm = (gemm_d)d; }
enum { ROWS = 101, PLAIN = 111, TURNED = 112 };

static void step(void **memory) {
"""


EPILOGUE = """
/* Arguments are a tuple of arrays; ITEMS and DATA say where addresses stand in objects. */
void call(char *tuple, long items, long data) {
    void *memory[COUNT];
    for (long k = 0; k < COUNT; k++)
        memory[k] = *(void **)(((char **)(tuple + items))[k] + data);
    step(memory);
}
"""


class _Printer:
    """Names, places and text of the values of one program."""

    def __init__(self, lowered: Lowered) -> None:
        self.lowered = lowered
        self.fused = fuse(lowered.statements)
        given = [*lowered.inputs, *(v for _, v in lowered.constants), *lowered.outputs]
        self.numbers: dict[Value, int] = {}
        self.pointers = {value: f"memory[{k}]" for k, value in enumerate(given)}
        self.n_given = len(given)
        self.stored = self._stored()
        self.work_bytes = self._plan_memory()

    def number(self, value: Value) -> int:
        return self.numbers.setdefault(value, len(self.numbers))

    def _stored(self) -> set[Value]:
        """Return the values that need memory: those that other groups read."""
        stored = set(self.lowered.outputs)
        for group in self.fused:
            for statement in group.statements:
                for ref in operands_of(statement):
                    known = group.values.get(ref.value)
                    if known is None or known[0] == "later":
                        stored.add(ref.value)
        for group in self.fused:
            for member in group.members:
                stored.update(self._kept_in_row(group, member))
        return stored

    def is_read_outside(self, group: Group, value: Value) -> bool:
        """Tell whether an output, or another group, needs a value in memory."""
        return (
            value in self.lowered.outputs
            or any(
                ref.value is value
                for other in self.fused
                if other is not group
                for statement in other.statements
                for ref in operands_of(statement)
            )
            or group.values[value][0] == "later"
        )

    def _kept_in_row(self, group: Group, member: Member) -> Iterator[Value]:
        """Yield entries that a later phase of the row reads again."""
        if member.level in ("row", "rows of rows"):
            return
        for ref in operands_of(member.statement):
            known = group.values.get(ref.value)
            if known is not None and known[0] == "entry" and known[1] < member.phase:
                yield ref.value

    def _plan_memory(self) -> int:
        """Give each stored value a place in the working memory, reused when it is dead."""
        last: dict[Value, int] = {}
        for k, group in enumerate(self.fused):
            for statement in group.statements:
                for value in (
                    statement.out,
                    *(r.value for r in operands_of(statement)),
                ):
                    last[value] = k
        taken: list[tuple[int, int, int]] = []
        total = 0
        for k, group in enumerate(self.fused):
            taken = [part for part in taken if part[2] >= k]
            for statement in group.statements:
                value = statement.out
                if value not in self.stored or value in self.pointers:
                    continue
                n_bytes = -(-value.size * value.dtype.itemsize // ALIGNMENT) * ALIGNMENT
                start = _first_gap(taken, n_bytes)
                taken.append((start, start + n_bytes, last[value]))
                total = max(total, start + n_bytes)
                work = f"(char *)memory[{self.n_given}] + {start}"
                self.pointers[value] = work
        return total

    def head(self) -> str:
        """Return the declarations of all pointers."""
        lines = []
        for value, number in self.numbers.items():
            if value in self.pointers:
                kind = C_TYPES[value.dtype]
                place = self.pointers[value]
                lines.append(f"    {kind} *p{number} = ({kind} *)({place});\n")
        return "".join(lines)

    def groups(self) -> Iterator[str]:
        """Yield the text of all groups."""
        for group in self.fused:
            if isinstance(group.alone, Product):
                yield self._product(group.alone)
            elif isinstance(group.alone, Nest):
                yield self._nest(group.alone)
            elif group.alone is not None:
                yield self._copy(group.alone)
            elif group.has_turns:
                yield self._turning(group)
            else:
                yield self._loops(group)

    # ------------------------------------------------------------------------- loops

    def _turning(self, group: Group) -> str:
        """Return loops with sines of our own, and the C library's should one be large.

        A call of a function that is not seen keeps a compiler from vectorising a loop;
        so does a branch. Nothing that the group reads is overwritten by it.
        """
        text = self._loops(group)
        is_single = group.n_rows * group.n_columns == 1
        plain = "\n".join(
            line for line in text.split("\n") if not line.lstrip().startswith("far |=")
        )
        for ours, theirs in (("tg_sin", "sin"), ("tg_cos", "cos")):
            plain = plain.replace(ours, theirs)
        plain = plain.replace(" reduction(|:far)", "")
        if is_single:  # there is nothing to vectorise
            return plain
        return f"    {{\n    int far = 0;\n{text}\n    if (far)\n{plain}\n    }}"

    def _loops(self, group: Group) -> str:
        n_rows, n_columns = group.n_rows, group.n_columns
        if self._is_flat(group) and n_rows > 1:
            n_rows, n_columns = 1, n_rows * n_columns
        inner = [m for m in group.members if m.level in INNER]
        has_one_loop = all(m.phase == 0 for m in inner)
        last = max(m.phase + (m.level == "columns") for m in group.members)
        lines = ["    {", *self._before(group), *self._scalars(group)]
        if n_rows == 1 and n_columns > PIECE and has_one_loop:
            lines += [
                f"    for (long j0 = 0; j0 < {n_columns}; j0 += {PIECE}) {{",
                f"    const long n = {n_columns};",
                f"    const long j1 = j0 + {PIECE} < n ? j0 + {PIECE} : n;",
                *self._phase(group, 0, "j0", "j1"),
                "    }",
                "    {",
                *self._joined(group),
            ]
            first = 1
        else:
            start = 0
            if has_short_rows(group):
                lines += Lanes(self, group).lines()
                start = n_rows - n_rows % ROWS_AT_ONCE
            is_nest = n_rows > 1
            lines.append(
                f"    for (long i = {start}; i < {n_rows}; i++) {{"
                if is_nest
                else "    {"
            )
            first = 0
        for phase in range(first, last + 1):
            lines += self._phase(group, phase, "0", str(n_columns))
        lines += ["    }", *self._after(group), "    }"]
        return "\n".join(lines)

    def _scalars(self, group: Group) -> Iterator[str]:
        """Yield what is the same at all entries, read once."""
        seen: set[tuple[Value, int]] = set()
        for member in group.members:
            for ref in operands_of(member.statement):
                is_there = ref.value in group.values or (ref.value, ref.offset) in seen
                if not is_there and on_rows(ref) == (0, 0, ref.offset):
                    seen.add((ref.value, ref.offset))
                    k, kind = self.number(ref.value), C_TYPES[ref.value.dtype]
                    yield f"    const {kind} c{k}_{ref.offset} = p{k}[{ref.offset}];"

    def _joined(self, group: Group) -> Iterator[str]:
        """Yield a long row's sums, when all of its pieces are done."""
        for member in group.members:
            if member.level == "columns":
                k = self.number(member.statement.out)
                kind = C_TYPES[member.statement.out.dtype]
                yield f"    const {kind} r{k} = t{k};"
                if member.statement.out in self.stored:
                    yield f"    p{k}[0] = r{k};"

    def _is_flat(self, group: Group) -> bool:
        """Tell whether rows follow each other in memory, and no row is special."""
        natural = (group.n_columns, int(group.n_columns > 1), 0)
        for member in group.members:
            if member.level not in ("entry", "all"):
                return False
            for ref in operands_of(member.statement):
                place = on_rows(ref)
                if place is None or (place[:2] != (0, 0) and place[:2] != natural[:2]):
                    return False
        return True

    def _before(self, group: Group) -> Iterator[str]:
        """Yield what totals and sums over rows start from."""
        for member in group.members:
            statement = member.statement
            if isinstance(statement, Map):
                continue
            k, first = self.number(statement.out), FIRST[statement.kind]
            kind = C_TYPES[statement.out.dtype]
            if member.level == "rows":
                yield (
                    f"    for (long j = 0; j < {group.n_columns}; j++) p{k}[j] = {first};"
                )
            elif member.level in ("all", "rows of rows") or group.n_rows == 1:
                wide = "double" if statement.kind == "sum" else kind
                yield f"    {wide} t{k} = {first};"

    def _after(self, group: Group) -> Iterator[str]:
        """Yield where totals go."""
        for member in group.members:
            is_total = member.level in ("all", "rows of rows")
            if is_total and member.statement.out in self.stored:
                k = self.number(member.statement.out)
                yield f"    p{k}[0] = t{k};"

    def _phase(self, group: Group, phase: int, start: str, stop: str) -> Iterator[str]:
        """Yield one loop over the columns, what comes before it, and what after."""
        here = [m for m in group.members if m.phase == phase]
        for member in here:
            if member.level not in INNER:
                yield from self._row_statement(group, member)
        inner = [m for m in here if m.level in INNER]
        if inner:
            yield from self._columns(group, inner, start, stop)

    def _columns(
        self, group: Group, inner: Sequence[Member], start: str, stop: str
    ) -> Iterator[str]:
        """Yield a loop over columns, with what its sums start from and end in."""
        reductions = [m for m in inner if m.level in ("columns", "all")]
        sums = ["reduction(|:far)"] * any(turned(m.statement) for m in inner)
        for member in reductions:
            yield from self._accumulators(member, sums)
        loads = self._loads(group, inner)
        body = [line for m in inner for line in self._entry_statement(group, m, loads)]
        yield f"    #pragma omp simd {' '.join(sums)}".rstrip()
        yield f"    for (long j = {start}; j < {stop}; j++) {{"
        yield from (f"        const {load};" for load in loads.values())
        yield from body
        yield "    }"
        is_pieces = start != "0"
        for member in reductions:
            yield from self._reduced(group, member, is_pieces=is_pieces)

    def _loads(self, group: Group, inner: Sequence[Member]) -> dict[str, str]:
        """Return what the loop reads, each place once.

        A load in an expression with branches keeps a compiler from vectorising it.
        """
        loads: dict[str, str] = {}
        for member in inner:
            for ref in operands_of(member.statement):
                text = self._entry_operand(group, ref, member.phase)
                if text.startswith("p") and text not in loads:
                    kind = C_TYPES[ref.value.dtype]
                    name = f"x{self.number(ref.value)}_{len(loads)}"
                    loads[text] = f"{kind} {name} = {text}"
        return loads

    def _accumulators(self, member: Member, sums: list[str]) -> Iterator[str]:
        statement = member.statement
        assert isinstance(statement, Reduce)
        k, kind = self.number(statement.out), C_TYPES[statement.out.dtype]
        symbol = {"sum": "+", "min": "min"}.get(statement.kind, "max")
        sums.append(f"reduction({symbol}:a{k})")
        yield f"    {kind} a{k} = {FIRST[statement.kind]};"
        if statement.kind in ("max", "min"):
            sums.append(f"reduction(+:n{k})")
            yield f"    {kind} n{k} = 0;"

    def _reduced(
        self, group: Group, member: Member, *, is_pieces: bool
    ) -> Iterator[str]:
        """Yield what happens to a row's sum or extremum when its loop is done."""
        statement = member.statement
        assert isinstance(statement, Reduce)
        k, kind = self.number(statement.out), C_TYPES[statement.out.dtype]
        if statement.kind in ("max", "min"):
            yield f"    a{k} = n{k} > 0 ? NAN : a{k};"
        if member.level == "all" or is_pieces:
            yield combine(f"t{k}", f"a{k}", statement.kind)
            return
        yield f"    const {kind} r{k} = a{k};"
        if statement.out in self.stored:
            yield f"    p{k}[{'i' if group.n_rows > 1 else '0'}] = r{k};"

    def _row_statement(self, group: Group, member: Member) -> Iterator[str]:
        statement = member.statement
        k = self.number(statement.out)
        row = "i" if group.n_rows > 1 else "0"
        if isinstance(statement, Reduce):
            source = self._row_operand(group, statement.operand, row)
            yield combine(f"t{k}", source, statement.kind)
            return
        texts = [
            o if isinstance(o, str) else self._row_operand(group, o, row)
            for o in statement.operands
        ]
        if turned(statement):
            yield f"    far |= fabs({texts[0]}) > TG_FAR;"
        kind = C_TYPES[statement.out.dtype]
        yield f"    const {kind} r{k} = {expression(statement, texts)};"
        if statement.out in self.stored:
            yield f"    p{k}[{row}] = r{k};"

    def _row_operand(self, group: Group, ref: Ref, row: str) -> str:
        k = self.number(ref.value)
        if ref.value in group.values:
            return f"r{k}"
        if on_rows(ref) == (0, 0, ref.offset):
            return f"c{k}_{ref.offset}"
        stride = row_stride(ref) or 0
        return f"p{k}[{index((row, stride), offset=ref.offset)}]"

    def _entry_statement(
        self, group: Group, member: Member, loads: dict[str, str]
    ) -> Iterator[str]:
        def read(ref: Ref) -> str:
            text = self._entry_operand(group, ref, member.phase)
            return (
                loads[text].partition(" = ")[0].split()[-1] if text in loads else text
            )

        statement = member.statement
        k = self.number(statement.out)
        if isinstance(statement, Reduce):
            v = read(statement.operand)
            target = f"p{k}[j]" if member.level == "rows" else f"a{k}"
            yield "    " + combine(target, v, statement.kind)
            if member.level != "rows" and statement.kind in ("max", "min"):
                yield f"        n{k} += {v} != {v} ? 1 : 0;"
            return
        texts = [o if isinstance(o, str) else read(o) for o in statement.operands]
        kind, text = C_TYPES[statement.out.dtype], expression(statement, texts)
        if turned(statement):
            yield f"        far |= fabs({texts[0]}) > TG_FAR;"
        yield f"        const {kind} v{k} = {text};"
        if statement.out in self.stored:
            row = (
                group.n_columns if group.n_rows > 1 and not self._is_flat(group) else 0
            )
            yield f"        p{k}[{index(('i', row), ('j', 1))}] = v{k};"

    def _entry_operand(self, group: Group, ref: Ref, phase: int) -> str:
        k = self.number(ref.value)
        known = group.values.get(ref.value)
        is_flat = self._is_flat(group)
        if known is not None and known[0] == "row":
            return f"r{k}"
        if known is not None and known[1] == phase:
            return f"v{k}"
        place = on_rows(ref)
        assert place is not None
        if known is None and place[:2] == (0, 0):
            return f"c{k}_{ref.offset}"
        row, column, offset = place
        if is_flat:
            row, column = (
                0,
                int(place[:2] != (0, 0) or group.n_rows * group.n_columns == 1),
            )
        if group.n_rows == 1:
            row = 0
        return f"p{k}[{index(('i', row), ('j', column), offset=offset)}]"

    def _copy(self, copy: Copy) -> str:
        """Return one loop inside the other for each axis."""
        shape, letters = copy.x.shape, [f"i{k}" for k in range(len(copy.x.shape))]
        source = index(*zip(letters, copy.x.strides, strict=True), offset=copy.x.offset)
        target = index(*zip(letters, natural(shape), strict=True))
        lines = [
            f"    for (long {i} = 0; {i} < {n}; {i}++)"
            for i, n in zip(letters, shape, strict=True)
        ]
        k, x = self.number(copy.out), self.number(copy.x.value)
        return "\n".join([*lines, f"        p{k}[{target}] = p{x}[{source}];"])

    def _nest(self, nest: Nest) -> str:
        """Return one loop inside the other for each axis, the last one in vectors."""
        shape, letters = nest.out.shape, [f"i{k}" for k in range(len(nest.out.shape))]
        *outer, (last, n_last) = zip(letters, shape, strict=True)
        lines = [f"    for (long {i} = 0; {i} < {n}; {i}++)" for i, n in outer]
        texts = []
        for o in nest.operands:
            if isinstance(o, str):
                texts.append(o)
            else:
                place = index(*zip(letters, o.strides, strict=True), offset=o.offset)
                texts.append(f"p{self.number(o.value)}[{place}]")
        target = index(*zip(letters, natural(shape), strict=True))
        text = expression(nest, texts).replace("tg_sin", "sin").replace("tg_cos", "cos")
        return "\n".join(
            [
                *lines,
                "    {",
                "    #pragma omp simd",
                f"    for (long {last} = 0; {last} < {n_last}; {last}++)",
                f"        p{self.number(nest.out)}[{target}] = {text};",
                "    }",
            ]
        )

    # ---------------------------------------------------------------------- products

    def _product(self, product: Product) -> str:
        (n_rows, n_inner), n_columns = product.x.shape, product.y.shape[1]
        kx, ky = self.number(product.x.value), self.number(product.y.value)
        k = self.number(product.out)
        if product.start is None and 1 in product.out.shape:
            return vector_product(product, kx, ky, k)
        if product.start is None and self._wants_loops(product):
            return small_product(product, kx, ky, k)
        name = "sgemm" if product.out.dtype == F32 else "dgemm"
        turned_x, step_x = _for_blas(product.x)
        turned_y, step_y = _for_blas(product.y)
        first, beta = "", 0
        if product.start is not None:
            old = self.number(product.start.value)
            n_bytes = product.out.size * product.out.dtype.itemsize
            first, beta = (
                f"    if (p{k} != p{old}) memcpy(p{k}, p{old}, {n_bytes});\n",
                1,
            )
        return (
            f"{first}    {name}(ROWS, {turned_x}, {turned_y}, {n_rows}, {n_columns}, "
            f"{n_inner}, {product.factor}, "
            f"p{kx} + {product.x.offset}, {step_x}, p{ky} + {product.y.offset}, {step_y}, "
            f"{beta}, p{k}, {n_columns});"
        )

    def _wants_loops(self, product: Product) -> bool:
        (n_rows, n_inner), n_columns = product.x.shape, product.y.shape[1]
        if n_rows * n_inner * n_columns > SMALL_PRODUCT:
            return False
        is_wide = product.y.strides[1] == 1 and n_columns >= 16 and n_inner <= 32
        is_long = n_rows * n_columns <= 64
        return is_wide or is_long


def _first_gap(taken: Sequence[tuple[int, int, int]], n_bytes: int) -> int:
    start = 0
    for low, high, _ in sorted(taken):
        if start + n_bytes <= low:
            break
        start = max(start, high)
    return start


def _for_blas(ref: Ref) -> tuple[str, int]:
    """Return how BLAS is to read a matrix, and how far its rows are apart."""
    (n, m), (row, column) = ref.shape, ref.strides
    if (column == 1 or m == 1) and (row >= m or n == 1):
        return "PLAIN", max(row if n > 1 else m, m)
    return "TURNED", max(column if m > 1 else n, n)
