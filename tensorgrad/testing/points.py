"""Points to test derivatives at, drawn from a generator.

All that a point needs comes from the entry of the op: an example gives the shapes, the
domain the values, the kink function what to keep away from, or to meet. Hypothesis is
not needed here; `strategies` lets it choose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from types import MappingProxyType
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.core.op import Domain, Example, Op, static_defaults

__all__ = [
    "DRAWS",
    "KINK_DISTANCE",
    "LAYOUTS",
    "OpPoint",
    "draw_kink",
    "draw_point",
    "draw_values",
    "fill",
    "frozen",
    "is_shape",
    "kink_distance",
    "positive_definite",
    "separated_spectrum",
]

KINK_DISTANCE = 0.02
"""How far points stay from kinks: five times the longest step of a difference."""

EDGE = 0.03
"""The part of a domain, at either end, that points keep clear of, for the same reason."""

DRAWS = 1000
"""Draws before a domain is said to have no room between its kinks."""

SPECIAL = (
    (0.0,),
    (1.0,),
    (-1.0,),
    (0.5,),
    (1.0, 0.0, -1.0, 1.0, 2.0),
    (0.0, 1.0, -1.0, 0.0, 2.0),
    (1.5, 2.5, -0.5),
    (0.25, 0.75),
)
"""Values among which kinks are: zeros, integers, halves, and ties."""


@dataclass(frozen=True, slots=True, eq=False)
class OpPoint:
    """Operands and static arguments of an op.

    Attributes
    ----------
    op : Op
    operands : tuple
        Arrays, and whatever the example passes as it is.
    static : dict
    """

    op: Op
    operands: tuple[Any, ...]
    static: dict[str, Any]

    def __call__(self, *moved: Any) -> Any:
        """Apply the op, with other values or Tensors for the operands that move."""
        operands = list(self.operands)
        for i, value in zip(self.moving, moved, strict=True):
            operands[i] = value
        return self.op(*operands, **self.static)

    @property
    def moving(self) -> tuple[int, ...]:
        """Which operands are arrays of floating or complex numbers."""
        return tuple(
            i
            for i, value in enumerate(self.operands)
            if isinstance(value, np.ndarray) and value.dtype.kind in "fc"
        )

    @property
    def moved(self) -> list[Any]:
        """The operands by which a derivative can be asked for."""
        return [self.operands[i] for i in self.moving]


def is_shape(operand: Any) -> bool:
    """Tell whether an example's operand is a shape to be filled.

    Examples
    --------
    >>> is_shape((2, 3)), is_shape(1.0)
    (True, False)
    """
    return isinstance(operand, tuple) and all(isinstance(n, int) for n in operand)


def draw_values(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    domain: Domain,
    dtype: Any = np.float64,
) -> Array:
    """Return entries of a domain, away from its ends.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
    domain : Domain
    dtype : dtype
        A complex point has such a real part, and a small imaginary part that is not
        zero, so that no branch cut on the real axis is met.

    Returns
    -------
    ndarray
        Read-only: no op may write into its operands.

    Examples
    --------
    >>> values = draw_values(np.random.default_rng(0), (1000,), Domain(0.0, 1.0))
    >>> bool((values > 0.02).all() and (values < 0.98).all())
    True
    """
    edge = EDGE * (domain.high - domain.low)
    values = rng.uniform(domain.low + edge, domain.high - edge, shape)
    if np.dtype(dtype).kind == "c":
        values = values + 1j * rng.uniform(0.1, 0.4, shape) * rng.choice((-1, 1), shape)
    return frozen(np.asarray(values).astype(dtype))


def frozen(array: Any) -> Array:
    """Return an array after making it read-only."""
    found: Array = np.asarray(array)
    found.flags.writeable = False
    return found


def kink_distance(op: Op, operands: Sequence[Any], static: Mapping[str, Any]) -> float:
    """Return the distance to the nearest kink, as the entry tells it.

    Examples
    --------
    >>> from tensorgrad.ops import TABLE
    >>> kink_distance(TABLE["absolute"].op, [np.array([0.5, -0.25])], {})
    0.25
    >>> kink_distance(TABLE["exp"].op, [np.array([0.5])], {})
    inf
    """
    if op.kink is None:
        return float("inf")
    code = getattr(op.kink, "__code__", None)
    wants_more = code is not None and code.co_argcount + code.co_kwonlyargcount > len(
        operands
    )
    distances = op.kink(*operands, **static) if wants_more else op.kink(*operands)
    return float(np.min(distances, initial=np.inf))


def draw_point(
    op: Op, example: Example, rng: np.random.Generator, dtype: Any = np.float64
) -> OpPoint | None:
    """Return the point of an example on the op's domain, away from kinks.

    Parameters
    ----------
    op : Op
    example : Example
        One of the entry's.
    rng : numpy.random.Generator
    dtype : dtype
        Floating or complex.

    Returns
    -------
    OpPoint or None
        None where values written in the example lie on a kink.

    Examples
    --------
    >>> from tensorgrad.ops import TABLE
    >>> op = TABLE["absolute"].op
    >>> at = draw_point(op, op.examples[0], np.random.default_rng(0))
    >>> kink_distance(op, at.operands, at.static) >= KINK_DISTANCE
    True
    """
    static = {**static_defaults(op), **example.static}
    is_complex = np.dtype(dtype).kind == "c"
    for _ in range(DRAWS):
        operands = fill(op, example, rng, dtype)
        if is_complex or kink_distance(op, operands, static) >= KINK_DISTANCE:
            return OpPoint(op, operands, static)
        if not any(map(is_shape, example.operands)):
            return None
    return None


def fill(
    op: Op, example: Example, rng: np.random.Generator, dtype: Any
) -> tuple[Any, ...]:
    """Return an example's operands: shapes filled, floating arrays in the dtype."""
    operands = []
    for i, operand in enumerate(example.operands):
        domain = op.domain[0 if op.is_variadic else i]
        if is_shape(operand):
            operands.append(draw_values(rng, operand, domain, dtype))
        elif isinstance(operand, np.ndarray):
            operands.append(frozen(cast_like(operand, dtype)))
        else:
            operands.append(operand)
    return tuple(operands)


def cast_like(array: Array, dtype: Any) -> Array:
    """Return a copy, floating numbers in the precision asked for; integers stay."""
    kind = array.dtype.kind
    if kind == "f":
        return array.astype(dtype)
    if kind == "c":
        return array.astype(np.result_type(dtype, np.complex64))
    return array.copy()


def draw_kink(
    op: Op, example: Example, rng: np.random.Generator, dtype: Any = np.float64
) -> OpPoint | None:
    """Return a point of an example that lies exactly on a kink.

    Returns
    -------
    OpPoint or None
        None where the op has no kink, or the example meets none.

    Examples
    --------
    >>> from tensorgrad.ops import TABLE
    >>> op = TABLE["max"].op
    >>> at = draw_kink(op, op.examples[0], np.random.default_rng(0))
    >>> kink_distance(op, at.operands, at.static)
    0.0
    """
    static = {**static_defaults(op), **example.static}
    rows = [(k, k + shift) for k in range(len(SPECIAL)) for shift in (0, 1)]
    for k in rng.permutation(len(rows)):
        first, other = rows[int(k)]
        operands = tuple(
            _special(SPECIAL[(other if i else first) % len(SPECIAL)], operand, dtype)
            for i, operand in enumerate(example.operands)
        )
        with np.errstate(all="ignore"):
            if op.kink is not None and kink_distance(op, operands, static) == 0.0:
                return OpPoint(op, operands, static)
    return None


def _special(row: tuple[float, ...], operand: Any, dtype: Any) -> Any:
    if not is_shape(operand):
        return operand
    size = int(np.prod(operand))
    return frozen(np.array(list(islice(cycle(row), size)), dtype).reshape(operand))


# ----------------------------------------------------------------------------- matrices


def separated_spectrum(
    rng: np.random.Generator, n: int, *, least_gap: float = 0.3
) -> Array:
    """Return a symmetric matrix whose eigenvalues are well apart.

    Parameters
    ----------
    rng : numpy.random.Generator
    n : int
    least_gap : float
        Between neighbouring eigenvalues: derivatives of eigenvectors divide by it.

    Returns
    -------
    ndarray, shape (n, n)

    Examples
    --------
    >>> a = separated_spectrum(np.random.default_rng(0), 4)
    >>> bool((np.diff(np.linalg.eigvalsh(a)) > 0.29).all())
    True
    """
    values = np.cumsum(rng.uniform(least_gap, 3 * least_gap, n))
    middle = values.sum() / max(n, 1)
    return _with_spectrum(rng, values - middle)


def positive_definite(rng: np.random.Generator, n: int) -> Array:
    """Return a symmetric matrix with eigenvalues from ½ to about n, well apart.

    Examples
    --------
    >>> a = positive_definite(np.random.default_rng(0), 3)
    >>> bool(np.linalg.eigvalsh(a)[0] > 0.49)
    True
    """
    return _with_spectrum(rng, 0.5 + np.cumsum(rng.uniform(0.3, 1.0, n)) - 0.3)


def _with_spectrum(rng: np.random.Generator, values: Array) -> Array:
    n = values.size
    q, _ = np.linalg.qr(rng.normal(size=(n, n)))
    product = (q * values) @ q.T
    # Exactly symmetric, which a product rounded twice is not.
    symmetric: Array = (product + product.T) / 2
    return symmetric


# ------------------------------------------------------------------------------ layouts


def _strided(x: Array) -> Array:
    wide = np.empty((*x.shape, 2), x.dtype)
    view: Array = wide[..., 0]
    view[...] = x
    return view


def _reversed(x: Array) -> Array:
    # The ellipsis keeps an array without axes an array.
    backwards: Any = (..., *(slice(None, None, -1),) * x.ndim)
    view: Array = x[backwards].copy()[backwards]
    return view


def _unaligned(x: Array) -> Array:
    raw = np.empty(x.nbytes + 1, np.uint8)[1:]
    view: Array = raw.view(x.dtype).reshape(x.shape)
    view[...] = x
    return view


def _read_only(x: Array) -> Array:
    return frozen(x.copy())


LAYOUTS: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {
        "C": lambda x: np.array(x, order="C"),
        "Fortran": lambda x: np.array(x, order="F"),
        "strided": _strided,
        "reversed": _reversed,
        "unaligned": _unaligned,
        "read-only": _read_only,
    }
)
"""Ways for the same values to lie in memory, by name; each returns a new array."""
