"""Products of matrices as loops, where a call to BLAS is not what is fastest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from tensorgrad.compiler.native.loops import Product, Ref
from tensorgrad.compiler.native.writing import C_TYPES, index

__all__ = ["small_product", "vector_product"]

_At: TypeAlias = Callable[[str, str], str]
_Given: TypeAlias = Callable[[str], str]

AT_ONCE = 4
"""Rows of a matrix that a vector meets together: each entry of it is read once for all."""

WIDE = 8
"""Rows that are added up together, before the sum is stored."""


def small_product(product: Product, kx: int, ky: int, k: int) -> str:
    """Return a small product as loops; the compiler unrolls what is short.

    ``kx``, ``ky`` and ``k`` are the numbers of the pointers to both factors and the result.
    """
    (n_rows, n_inner), n_columns = product.x.shape, product.y.shape[1]
    kind = C_TYPES[product.out.dtype]
    x, y = _entry(kx, product.x, ("i", "l")), _entry(ky, product.y, ("l", "j"))
    is_wide = product.y.strides[1] == 1 and n_columns >= 16
    over_columns = "    #pragma omp simd"
    over_terms = "    #pragma omp simd reduction(+:sum)"
    lines = [
        f"    for (long i = 0; i < {n_rows}; i++)",
        *([over_columns] if is_wide else []),
        f"    for (long j = 0; j < {n_columns}; j++) {{",
        f"        {kind} sum = 0;",
        *([] if is_wide else [over_terms]),
        f"        for (long l = 0; l < {n_inner}; l++) sum += {x} * {y};",
        f"        p{k}[i * {n_columns} + j] = sum;",
        "    }",
    ]
    return "\n".join(lines)


def _entry(k: int, ref: Ref, names: tuple[str, str]) -> str:
    (row, column), offset = ref.strides, ref.offset
    return f"p{k}[{index((names[0], row), (names[1], column), offset=offset)}]"


def vector_product(product: Product, kx: int, ky: int, k: int) -> str:
    """Return a product with one row or one column: the matrix is read once, in its order.

    A matrix whose rows along the result are contiguous is added up row by row, any other
    is multiplied row by row.
    """
    x, y = product.x, product.y
    if x.shape[0] == 1:
        n_out, n_inner = y.shape[1], y.shape[0]
        (inner, out), matrix, km = y.strides, y, ky
        vector, kv, step = x, kx, x.strides[1]
    else:
        n_out, n_inner = x.shape
        (out, inner), matrix, km = x.strides, x, kx
        vector, kv, step = y, ky, y.strides[0]
    kind = C_TYPES[product.out.dtype]

    def at(row: str, column: str) -> str:
        return f"p{km}[{index((row, out), (column, inner), offset=matrix.offset)}]"

    def given(column: str) -> str:
        return f"p{kv}[{index((column, step), offset=vector.offset)}]"

    if out == 1 and n_out > 1:
        lines = _added_rows(kind, k, n_out, n_inner, at, given)
    else:
        lines = _dot_products(kind, k, n_out, n_inner, at, given)
    return "\n".join(f"    {line}" for line in lines)


def _added_rows(
    kind: str, k: int, n_out: int, n_inner: int, at: _At, given: _Given
) -> Iterator[str]:
    """Yield the sum of rows, several at a time, each times an entry of the vector."""
    whole = n_inner - n_inner % WIDE
    yield f"for (long j = 0; j < {n_out}; j++) p{k}[j] = 0;"
    for start, stop, wide in ((0, whole, WIDE), (whole, n_inner, 1)):
        if start == stop:
            continue
        terms = [f"x{m} * {at('j', f'(l + {m})')}" for m in range(wide)]
        yield f"for (long l = {start}; l < {stop}; l += {wide}) {{"
        yield from (
            f"    const {kind} x{m} = {given(f'(l + {m})')};" for m in range(wide)
        )
        yield "    #pragma omp simd"
        yield f"    for (long j = 0; j < {n_out}; j++)"
        yield f"        p{k}[j] += {' + '.join(terms)};"
        yield "}"


def _dot_products(
    kind: str, k: int, n_out: int, n_inner: int, at: _At, given: _Given
) -> Iterator[str]:
    """Yield the dot products of the vector with rows, several at a time."""
    whole = n_out - n_out % AT_ONCE
    for start, stop, wide in ((0, whole, AT_ONCE), (whole, n_out, 1)):
        if start == stop:
            continue
        sums = ", ".join(f"s{m}" for m in range(wide))
        yield f"for (long j = {start}; j < {stop}; j += {wide}) {{"
        yield f"    {kind} {', '.join(f's{m} = 0' for m in range(wide))};"
        yield f"    #pragma omp simd reduction(+:{sums})"
        yield f"    for (long l = 0; l < {n_inner}; l++) {{"
        yield f"        const {kind} x = {given('l')};"
        yield from (
            f"        s{m} += x * {at(f'(j + {m})', 'l')};" for m in range(wide)
        )
        yield "    }"
        yield from (f"    p{k}[j + {m}] = s{m};" for m in range(wide))
        yield "}"
