"""Where BLAS is: the library that NumPy has loaded, else the pointers that SciPy gives."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from importlib import import_module

__all__ = ["Blas", "find_blas"]

NUMPY_MODULE = "numpy._core._multiarray_umath"
SPELLINGS = (
    ("scipy_cblas_{}gemm64_", "long long"),
    ("cblas_{}gemm64_", "long long"),
    ("scipy_cblas_{}gemm", "int"),
    ("cblas_{}gemm", "int"),
)


@dataclass(frozen=True, slots=True)
class Blas:
    """Addresses of ``cblas_sgemm`` and ``cblas_dgemm``, and the C type of their sizes."""

    single: int
    double: int
    integer: str


@cache
def find_blas() -> Blas | None:
    """Return NumPy's own BLAS, or None where it cannot be seen.

    Examples
    --------
    >>> found = find_blas()
    >>> found is None or found.integer in ("int", "long long")
    True
    """
    try:
        # The names of all libraries that it was linked with can be seen through it.
        library = ctypes.CDLL(str(import_module(NUMPY_MODULE).__file__))
    except (ImportError, OSError):
        return None
    for spelling, integer in SPELLINGS:
        try:
            single, double = (
                ctypes.cast(getattr(library, spelling.format(kind)), ctypes.c_void_p)
                for kind in "sd"
            )
        except AttributeError:
            continue
        if single.value and double.value:
            return Blas(single.value, double.value, integer)
    return None
