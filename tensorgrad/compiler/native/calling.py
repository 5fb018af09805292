"""Calling a built step: addresses of arrays in, results out."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from tensorgrad._typing import Array, Shape
from tensorgrad.compiler.native.blas import find_blas
from tensorgrad.compiler.native.build import build, load
from tensorgrad.compiler.native.c_printer import Printed, print_c
from tensorgrad.compiler.native.loops import DType
from tensorgrad.compiler.native.writing import Unprintable
from tensorgrad.compiler.program import Program

__all__ = ["NativeStep", "is_free", "make_native", "owners_of"]


@dataclass(frozen=True, slots=True, eq=False)
class NativeStep:
    """A loaded program; `run` may be called by several threads at once."""

    printed: Printed
    function: Any
    constants: tuple[Array, ...]
    places: tuple[int, int]
    results: tuple[tuple[Shape, DType], ...]
    free: list[Array] = field(default_factory=list)

    def run(self, values: Sequence[Array]) -> list[Array]:
        """Return the results for the program's inputs.

        They lie in memory of their own, or of donated inputs that nothing shares.
        """
        given = [
            v if v.flags.c_contiguous else np.ascontiguousarray(v).reshape(v.shape)
            for v in values
        ]
        reused = self.printed.reused
        owners = owners_of((*values, *self.constants)) if reused else {}
        outputs = [
            given[reused[k]]
            if k in reused and is_free(values[reused[k]], owners)
            else np.empty(shape, dtype)
            for k, (shape, dtype) in enumerate(self.results)
        ]
        try:
            work = self.free.pop()
        except IndexError:
            work = np.empty(self.printed.work_bytes, np.uint8)
        self.function((*given, *self.constants, *outputs, work), *self.places)
        self.free.append(work)
        return outputs


def owners_of(values: Sequence[Array]) -> dict[int, int]:
    """Return how many of the arrays lie in each piece of memory."""
    counts: dict[int, int] = {}
    for value in values:
        owner = id(value if value.base is None else value.base)
        counts[owner] = counts.get(owner, 0) + 1
    return counts


def is_free(value: Array, owners: dict[int, int]) -> bool:
    """Tell whether an array can be overwritten without another one changing."""
    flags = value.flags
    is_alone = value.base is None and owners[id(value)] == 1
    return is_alone and flags.c_contiguous and flags.writeable


WORDS = 12
"""How far into an object its addresses are looked for."""


@cache
def find_places() -> tuple[int, int] | None:
    """Return where a tuple keeps its items, and an array the address of its entries.

    Python and NumPy have kept both in their place for decades, but other builds have
    other headers: they are looked for in objects whose addresses are known.

    Examples
    --------
    >>> found = find_places()
    >>> found is None or all(place > 0 for place in found)
    True
    """
    if platform.python_implementation() != "CPython":
        return None
    array = np.arange(7.0)
    pair = (array, None)
    items = _place(id(pair), id(array))
    data = _place(id(array), array.ctypes.data)
    return None if items is None or data is None else (items, data)


def _place(address: int, wanted: int) -> int | None:
    """Return how many bytes after an address a word has a value."""
    size = ctypes.sizeof(ctypes.c_void_p)
    for k in range(1, WORDS if wanted else 0):
        if ctypes.c_size_t.from_address(address + k * size).value == wanted:
            return k * size
    return None


def make_native(program: Program, donated: Collection[int] = ()) -> NativeStep:
    """Print, build and load a program.

    Raises
    ------
    Unprintable
        If the C printer has no words for it, or BLAS cannot be found.
    BuildError
        If there is no compiler, or it fails.
    """
    blas = find_blas()
    if blas is None:
        raise Unprintable("products: NumPy's BLAS is not to be found")
    printed = print_c(program, blas.integer, donated)
    library = load(build(printed.source))
    library.set_blas(ctypes.c_void_p(blas.single), ctypes.c_void_p(blas.double))
    library.call.restype = None
    library.call.argtypes = (ctypes.py_object, ctypes.c_long, ctypes.c_long)
    places = find_places()
    if places is None:
        raise Unprintable("arrays: where their entries are is not to be found")
    constants = tuple(
        np.ascontiguousarray(constant.value).reshape(constant.value.shape)
        for constant, _ in printed.lowered.constants
    )
    lowered = printed.lowered
    kinds = [
        (shape, v.dtype)
        for shape, v in zip(lowered.shapes, lowered.outputs, strict=True)
    ]
    return NativeStep(printed, library.call, constants, places, tuple(kinds))
