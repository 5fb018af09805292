"""Compositions of products: Kronecker, cross, chains and powers of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad._typing import Axis
from tensorgrad.errors import ArgumentError, ShapeError, explain
from tensorgrad.frontend.composition import as_operand, implements

__all__ = [
    "cross",
    "diagflat",
    "kron",
    "linalg_diagonal",
    "linalg_matmul",
    "linalg_outer",
    "linalg_tensordot",
    "linalg_trace",
    "matrix_norm",
    "matrix_power",
    "matrix_transpose",
    "matvec",
    "multi_dot",
    "vander",
    "vecdot",
    "vecmat",
    "vector_norm",
]


# ------------------------------------------------------------------- products of two


@implements("vecdot", "linalg.vecdot")
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Multiply the conjugate of the first with the second, and add up along an axis.

    Examples
    --------
    >>> vecdot(np.ones((2, 3)), np.arange(3.0))
    array([3., 3.])
    """
    return np.sum(np.conjugate(as_operand(x1)) * x2, axis=axis)


@implements("matvec")
def matvec(x1: Any, x2: Any, /) -> Any:
    """Multiply matrices with vectors.

    Examples
    --------
    >>> matvec(np.eye(2), np.arange(2.0))
    array([0., 1.])
    """
    return (as_operand(x1) @ as_operand(x2)[..., None])[..., 0]


@implements("vecmat")
def vecmat(x1: Any, x2: Any, /) -> Any:
    """Multiply conjugate vectors with matrices.

    Examples
    --------
    >>> vecmat(np.arange(2.0), np.eye(2))
    array([0., 1.])
    """
    row = np.conjugate(as_operand(x1))[..., None, :]
    return (row @ as_operand(x2))[..., 0, :]


@implements("kron")
def kron(a: Any, b: Any) -> Any:
    """Compute the Kronecker product.

    Examples
    --------
    >>> kron(np.eye(2), np.ones((1, 2)))
    array([[1., 1., 0., 0.],
           [0., 0., 1., 1.]])
    """
    x, y = as_operand(a), as_operand(b)
    ndim = max(x.ndim, y.ndim)
    x = x.reshape((1,) * (ndim - x.ndim) + x.shape)
    y = y.reshape((1,) * (ndim - y.ndim) + y.shape)
    wide = [size for n in x.shape for size in (n, 1)]
    fine = [size for n in y.shape for size in (1, n)]
    product = x.reshape(wide) * y.reshape(fine)
    return product.reshape([n * k for n, k in zip(x.shape, y.shape, strict=True)])[()]


@implements("cross", "linalg.cross")
def cross(
    a: Any,
    b: Any,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: int | None = None,
) -> Any:
    """Compute the cross product of vectors in three dimensions.

    Examples
    --------
    >>> cross(np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    array([0., 0., 1.])
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    x = np.moveaxis(as_operand(a), axisa, -1)
    y = np.moveaxis(as_operand(b), axisb, -1)
    if x.shape[-1] != 3 or y.shape[-1] != 3:
        raise ShapeError(
            explain(
                "np.cross",
                f"vectors of {x.shape[-1]} and {y.shape[-1]} components",
                "three components each",
                "Append a zero component; for the plane, write a0 * b1 - a1 * b0",
            )
        )
    x0, x1, x2 = x[..., 0], x[..., 1], x[..., 2]
    y0, y1, y2 = y[..., 0], y[..., 1], y[..., 2]
    product = np.stack([x1 * y2 - x2 * y1, x2 * y0 - x0 * y2, x0 * y1 - x1 * y0], -1)
    return np.moveaxis(product, -1, axisc)


@implements("linalg.outer")
def linalg_outer(x1: Any, x2: Any, /) -> Any:
    """Multiply every entry of one vector with every entry of another.

    Examples
    --------
    >>> linalg_outer(np.ones(2), np.arange(2.0))
    array([[0., 1.],
           [0., 1.]])
    """
    x, y = as_operand(x1), as_operand(x2)
    if x.ndim != 1 or y.ndim != 1:
        raise ShapeError(
            explain(
                "np.linalg.outer",
                f"shapes {x.shape} and {y.shape}",
                "two vectors",
                "Use np.outer, which flattens them",
            )
        )
    return x[:, None] * y


@implements("linalg.matmul")
def linalg_matmul(x1: Any, x2: Any, /) -> Any:
    """Multiply matrices.

    Examples
    --------
    >>> linalg_matmul(np.eye(2), np.arange(2.0))
    array([0., 1.])
    """
    return np.matmul(x1, x2)


@implements("linalg.tensordot")
def linalg_tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    """Multiply and add up over given axes.

    Examples
    --------
    >>> linalg_tensordot(np.ones(3), np.arange(3.0), axes=1)
    array(3.)
    """
    return np.tensordot(x1, x2, axes=axes)


# ------------------------------------------------------------------- many matrices


@implements("linalg.multi_dot")
def multi_dot(arrays: Sequence[Any], *, out: None = None) -> Any:
    """Multiply a chain of matrices in the order that costs least.

    Examples
    --------
    >>> multi_dot([np.ones((2, 3)), np.ones((3, 4)), np.ones(4)])
    array([12., 12.])
    """
    operands = [as_operand(x) for x in arrays]
    if len(operands) < 2:
        raise ArgumentError(
            explain(
                "np.linalg.multi_dot",
                f"{len(operands)} arrays",
                "two or more",
                "Leave the call out",
            )
        )
    is_row, is_column = operands[0].ndim == 1, operands[-1].ndim == 1
    if is_row:
        operands[0] = operands[0][None, :]
    if is_column:
        operands[-1] = operands[-1][:, None]
    sizes = [x.shape[0] for x in operands] + [operands[-1].shape[1]]
    product = _multiplied(operands, _cheapest_splits(sizes), 0, len(operands) - 1)
    return product[(0 if is_row else slice(None), 0 if is_column else slice(None))]


def _cheapest_splits(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Return where to split each chain of matrices (Cormen et al., section 14.2)."""
    n = len(sizes) - 1
    cost = {(i, i): 0 for i in range(n)}
    best: dict[tuple[int, int], int] = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i, j], best[i, j] = min(
                (
                    cost[i, k]
                    + cost[k + 1, j]
                    + sizes[i] * sizes[k + 1] * sizes[j + 1],
                    k,
                )
                for k in range(i, j)
            )
    return best


def _multiplied(
    operands: list[Any], best: dict[tuple[int, int], int], i: int, j: int
) -> Any:
    if i == j:
        return operands[i]
    k = best[i, j]
    return _multiplied(operands, best, i, k) @ _multiplied(operands, best, k + 1, j)


@implements("linalg.matrix_power")
def matrix_power(a: Any, n: int) -> Any:
    """Multiply a square matrix with itself; a negative power inverts it first.

    Examples
    --------
    >>> matrix_power(np.array([[1.0, 1.0], [0.0, 1.0]]), 3)
    array([[1., 3.],
           [0., 1.]])
    """
    x = as_operand(a)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(
            explain(
                "np.linalg.matrix_power",
                f"an array of shape {x.shape}",
                "square matrices on the last two axes",
                "Check the shape",
            )
        )
    if n == 0:
        # Constant, but of the graph: its derivative is zero.
        return x * 0 + np.eye(x.shape[-1], dtype=x.dtype)
    if n < 0:
        x, n = np.linalg.inv(x), -n
    product = None
    while n:
        if n & 1:
            product = x if product is None else product @ x
        n >>= 1
        x = x @ x if n else x
    return product


# ------------------------------------------------------------------- parts of matrices


@implements("matrix_transpose", "linalg.matrix_transpose")
def matrix_transpose(x: Any, /) -> Any:
    """Exchange the last two axes.

    Examples
    --------
    >>> matrix_transpose(np.ones((4, 2, 3))).shape
    (4, 3, 2)
    """
    m = as_operand(x)
    if m.ndim < 2:
        raise ShapeError(
            explain(
                "np.matrix_transpose",
                f"shape {m.shape}",
                "at least two axes",
                "Add an axis with x[:, None]",
            )
        )
    return np.swapaxes(m, -1, -2)


@implements("linalg.diagonal")
def linalg_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """Take the diagonals of matrices on the last two axes.

    Examples
    --------
    >>> linalg_diagonal(np.eye(2)[None])
    array([[1., 1.]])
    """
    return np.diagonal(x, offset, -2, -1)


@implements("linalg.trace")
def linalg_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """Add up the diagonals of matrices on the last two axes.

    Examples
    --------
    >>> linalg_trace(np.eye(2)[None])
    array([2.])
    """
    return np.sum(linalg_diagonal(x, offset=offset), axis=-1, dtype=dtype)


@implements("linalg.vector_norm")
def vector_norm(
    x: Any, /, *, axis: Axis = None, keepdims: bool = False, ord: Any = 2
) -> Any:
    """Compute the norm of all entries, or of vectors along axes.

    Examples
    --------
    >>> vector_norm(np.array([[3.0, 4.0]]))
    np.float64(5.0)
    """
    m = as_operand(x)
    axes = range(m.ndim) if axis is None else [k % m.ndim for k in np.atleast_1d(axis)]
    rest = [k for k in range(m.ndim) if k not in axes]
    shape = [m.shape[k] for k in rest]
    lines = m.transpose((*rest, *axes)).reshape((*shape, -1))
    norm = np.linalg.norm(lines, ord=ord, axis=-1)
    if not keepdims:
        return norm
    return norm.reshape([1 if k in axes else n for k, n in enumerate(m.shape)])


@implements("linalg.matrix_norm")
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """Compute the norm of matrices on the last two axes.

    Examples
    --------
    >>> matrix_norm(np.array([[3.0, 4.0]]))
    np.float64(5.0)
    """
    return np.linalg.norm(as_operand(x), ord=ord, axis=(-2, -1), keepdims=keepdims)


@implements("diagflat")
def diagflat(v: Any, k: int = 0) -> Any:
    """Put all entries on a diagonal.

    Examples
    --------
    >>> diagflat(np.array([[1.0, 2.0]]))
    array([[1., 0.],
           [0., 2.]])
    """
    return np.diag(as_operand(v).ravel(), k)


@implements("vander")
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Return the powers of the entries as columns.

    Examples
    --------
    >>> vander(np.array([2.0, 3.0]))
    array([[2., 1.],
           [3., 1.]])
    """
    points = as_operand(x)
    if points.ndim != 1:
        raise ShapeError(
            explain("np.vander", f"shape {points.shape}", "a vector", "Use .ravel()")
        )
    n = points.shape[0] if N is None else N
    dtype = np.promote_types(points.dtype, int)
    if points.dtype != dtype:
        points = points.astype(dtype)
    columns = [np.ones_like(points)][:n]
    while len(columns) < n:
        columns.append(columns[-1] * points)
    if not columns:
        return np.zeros_like(points, shape=(points.shape[0], 0))
    return np.stack(columns if increasing else columns[::-1], axis=-1)
