"""Ops that NumPy has no function for, written for a program that runs without us.

Each text defines a function of the op's name, operands and static arguments, in NumPy
alone, that gives the bits of the op's own forward function; a test holds every example of
the table to that. They are shorter than the originals, which take memory from a pool and
explain wrong arguments: a printed program has neither.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from textwrap import dedent
from types import MappingProxyType

from tensorgrad.core.pool import POOL_BYTES

__all__ = ["HELPERS", "NEEDED_BY", "SCRATCH", "TAKES_OUT"]

_TEXTS = {
    "where": """
        def where(condition, x, y, out=None):
            if out is None:
                return np.where(condition, x, y)
            # Bits are chosen, not numbers: there is no branch to mispredict.
            if type(x) is int:
                condition, x, y = ~condition, y, x
            bits = np.dtype(f"i{x.itemsize}")
            mask, chosen = np.negative(condition.view(np.int8)), out.view(bits)
            if type(y) is int:
                np.bitwise_and(x.view(bits), mask, out=chosen)
                return out
            np.bitwise_xor(x.view(bits), y.view(bits), out=chosen)
            np.bitwise_and(chosen, mask, out=chosen)
            np.bitwise_xor(chosen, y.view(bits), out=chosen)
            return out
        """,
    "as_floats": """
        def as_floats(z):
            z = np.asarray(z)
            return z if z.dtype.kind in "fc" else z.astype(float)
        """,
    "largest": """
        def largest(z, axis):
            # Rows this short are faster as columns.
            if z.ndim < 2 or axis not in (-1, z.ndim - 1) or z.shape[-1] > 32 or not z.nbytes:
                return np.maximum.reduce(z, axis=axis, keepdims=True)
            columns = np.ascontiguousarray(z.reshape(-1, z.shape[-1]).T)
            return np.maximum.reduce(columns, axis=0).reshape(*z.shape[:-1], 1)
        """,
    "total": """
        def total(x, axis):
            if x.ndim < 2 or axis not in (-1, x.ndim - 1) or x.shape[-1] > 1024:
                return np.add.reduce(x, axis=axis, keepdims=True)
            letters = list(range(x.ndim))
            return np.einsum(x, letters, letters[:-1])[..., None]
        """,
    "below_top": """
        def below_top(z, axis, out=None):
            order = z.real if z.dtype.kind == "c" else z
            top = largest(order, axis)
            with np.errstate(over="ignore", invalid="ignore"):
                below = np.subtract(z, top, out=out)
            if np.isfinite(top).all():
                return np.asarray(below)
            is_top = np.isinf(top) & (order == top)
            np.copyto(below, 0, where=is_top)
            return below
        """,
    "sigmoid": """
        def sigmoid(z, out=None):
            z = as_floats(z)
            if z.dtype.kind == "c":
                is_right = z.real >= 0
                small = np.exp(np.where(is_right, -z, z))
                return np.where(is_right, 1, small) / (1 + small)
            with np.errstate(over="ignore", under="ignore"):
                if out is None:
                    return np.reciprocal(1.0 + np.exp(-z))
                np.exp(np.negative(z, out=out), out=out)
                return np.reciprocal(np.add(1.0, out, out=out), out=out)
        """,
    "relu": """
        def relu(z, out=None):
            return np.maximum(z, 0, out=out)
        """,
    "leaky_relu": """
        def leaky_relu(z, beta=0.01, out=None):
            if beta == 0:
                return np.maximum(z, 0, out=out)
            z = as_floats(z)
            larger = np.maximum if beta <= 1 else np.minimum
            return larger(z, np.multiply(z, beta, out=out), out=out)
        """,
    "softplus": """
        def softplus(z):
            z = as_floats(z)
            return np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0)
        """,
    "softmax": """
        def softmax(z, axis=-1, out=None):
            z = as_floats(z)
            if not z.size:
                return z.copy()
            e = np.exp(below_top(z, axis, out), out=out)
            return np.asarray(np.divide(e, total(e, axis), out=out))
        """,
    "log_softmax": """
        def log_softmax(z, axis=-1):
            z = as_floats(z)
            if not z.size:
                return z.copy()
            below = below_top(z, axis)
            return below - np.log(np.add.reduce(np.exp(below), axis=axis, keepdims=True))
        """,
    "logsumexp": """
        def logsumexp(z, axis=None, keepdims=False):
            z = as_floats(z)
            if not z.size:
                sums = np.add.reduce(z, axis=axis, keepdims=keepdims)
                return np.full(np.shape(sums), -np.inf, z.dtype)[()]
            order = z.real if z.dtype.kind == "c" else z
            top = np.maximum.reduce(order, axis=axis, keepdims=True)
            top = np.where(np.isinf(top), 0, top)
            with np.errstate(over="ignore", divide="ignore"):
                e = np.exp(np.asarray(np.subtract(z, top)))
                found = np.log(np.add.reduce(e, axis=axis, keepdims=True)) + top
            axes = tuple(range(z.ndim)) if axis is None else axis
            return found if keepdims else np.squeeze(found, axis=axes)[()]
        """,
    "softmax_jacobian": """
        def softmax_jacobian(x, s, axis=-1, out=None):
            x, s = np.asarray(x), np.asarray(s)
            given = axis if isinstance(axis, tuple) else (axis,)
            axes = range(x.ndim) if axis is None else [a % x.ndim for a in given]
            is_large = x.nbytes >= POOL_BYTES and x.flags.c_contiguous
            is_like = x.dtype == s.dtype and x.shape == s.shape
            if is_large and is_like and np.prod([x.shape[k] for k in axes]) <= 1024:
                letters = list(range(x.ndim))
                kept = [k for k in letters if k not in axes]
                mean = np.expand_dims(np.einsum(x, letters, s, letters, kept), tuple(axes))
            else:
                mean = np.add.reduce(np.multiply(x, s, out=out), axis=axis, keepdims=True)
            return np.multiply(np.subtract(x, mean, out=out), s, out=out)
        """,
    "safe_multiply": """
        def safe_multiply(x, y):
            # An exact 0 stays 0, whatever it is multiplied by.
            with np.errstate(invalid="ignore", over="ignore"):
                return np.where((x == 0) | (y == 0), 0, np.multiply(x, y))
        """,
    "getitem": """
        def getitem(x, index):
            return np.asarray(x)[index]
        """,
    "setitem": """
        def setitem(x, value, index):
            out = np.array(x, copy=True)
            out[index] = value
            return out
        """,
    "scatter_add": """
        def scatter_add(x, index, shape):
            out = np.zeros(shape, np.asarray(x).dtype)
            parts = index if type(index) is tuple else (index,)
            if any(isinstance(p, np.ndarray) and p.dtype.kind in "iu" for p in parts):
                np.add.at(out, index, x)
            else:
                out[index] = x
            return out
        """,
    "index_add": """
        def index_add(x, indices, shape, axis=None, mode="raise"):
            out = np.zeros(shape, np.asarray(x).dtype)
            axis = axis if shape else None
            n = out.size if axis is None else shape[axis]
            places = np.asarray(indices)
            if mode == "wrap":
                places = places % n
            elif mode == "clip":
                places = np.clip(places, 0, n - 1)
            if axis is None:
                np.add.at(out.reshape(-1), places, x)
            else:
                np.add.at(out, (slice(None),) * (axis % out.ndim) + (places,), x)
            return out
        """,
    "add_along_axis": """
        def add_along_axis(x, indices, shape, axis=-1):
            out = np.zeros(shape, np.asarray(x).dtype)
            places = np.asarray(indices)
            if axis is None:
                np.add.at(out.reshape(-1), places, x)
                return out
            where = [
                np.arange(n).reshape([-1 if i == j else 1 for j in range(out.ndim)])
                if n > 1
                else np.zeros((1,) * out.ndim, np.intp)
                for i, n in enumerate(shape)
            ]
            where[axis % out.ndim] = places
            np.add.at(out, tuple(where), x)
            return out
        """,
    "pad": """
        def pad(x, pad_width, mode="constant", constant_values=0):
            if isinstance(pad_width, dict):
                widths = [(0, 0)] * np.ndim(x)
                for axis, width in pad_width.items():
                    widths[axis] = tuple(int(w) for w in np.broadcast_to(width, 2))
                pad_width = widths
            if mode == "constant":
                return np.pad(x, pad_width, mode=mode, constant_values=constant_values)
            return np.pad(x, pad_width, mode=mode)
        """,
    "einsum": """
        def einsum(*arrays, subscripts, optimize=False):
            return np.einsum(subscripts, *arrays, optimize=optimize)
        """,
    "astype": """
        def astype(x, dtype):
            return np.asarray(x).astype(dtype)
        """,
    "as_integer": """
        def as_integer(x, dtype):
            return np.asarray(x).astype(dtype)
        """,
    "log_loss_of_probabilities": """
        def log_loss_of_probabilities(a, y, n):
            with np.errstate(divide="ignore", invalid="ignore"):
                gain = np.where(y == 0, 0.0, y * np.log(a))
                rest = np.where(y == 1, 0.0, (1 - y) * np.log1p(-a))
            return np.asarray(-(gain + rest).sum() / n, np.result_type(a, 0.0))[()]
        """,
    "log_loss_of_logits": """
        def log_loss_of_logits(z, a, y, n, scratch=None):
            if scratch is not None:
                terms, other = scratch
                np.maximum(z, 0.0, out=terms)
                np.subtract(terms, np.multiply(z, y, out=other), out=terms)
                np.exp(np.negative(np.abs(z, out=other), out=other), out=other)
                np.add(terms, np.log1p(other, out=other), out=terms)
                return z.dtype.type(np.add.reduce(terms, axis=None) / n)
            terms = np.maximum(z, 0.0) - np.multiply(z, y).astype(z.dtype)
            terms = terms + np.log1p(np.exp(-np.abs(z)))
            return z.dtype.type(np.add.reduce(terms, axis=None) / n)
        """,
    "cross_entropy_of_probabilities": """
        def cross_entropy_of_probabilities(a, y, n):
            with np.errstate(divide="ignore", invalid="ignore"):
                gain = np.where(y == 0, 0.0, y * np.log(a))
            return np.asarray(-gain.sum() / n, np.result_type(a, 0.0))[()]
        """,
    "cross_entropy_of_logits": """
        def cross_entropy_of_logits(z, a, y, n, axis, one_hot=False, scratch=(None, None)):
            if one_hot and a.dtype.kind == "f":
                letters = list(range(a.ndim))
                kept = [k for k in letters if k != axis]
                chosen = np.einsum(a, letters, y, letters, kept)
                if chosen.min(initial=1.0) >= np.finfo(a.dtype).tiny:
                    # Near 1 a probability has no digits left to tell how near.
                    others = np.einsum(a, letters, 1 - y, letters, kept)
                    is_likely = chosen >= 0.5
                    far = np.log(np.where(is_likely, 1, chosen))
                    near = np.log1p(np.where(is_likely, -others, 0))
                    rows = -(far + near)
                    return np.asarray(np.add.reduce(rows, axis=None) / n, z.dtype)[()]
            first, second = scratch
            shifted = np.subtract(z, largest(z, axis), out=first)
            weighted = where(y == 0, 0, np.multiply(y, shifted, out=second), second)
            gain = np.add.reduce(weighted, axis=None)
            e = np.exp(shifted, out=first)
            spread = np.log(total(e, axis))
            loss = (np.add.reduce(total(y, axis) * spread, axis=None) - gain) / n
            return np.asarray(loss, z.dtype)[()]
        """,
    "var": """
        def var(x, axis=None, ddof=0, correction=None, keepdims=False):
            ddof = ddof if correction is None else correction
            return np.var(x, axis=axis, ddof=ddof, keepdims=keepdims)
        """,
    "std": """
        def std(x, axis=None, ddof=0, correction=None, keepdims=False):
            ddof = ddof if correction is None else correction
            return np.std(x, axis=axis, ddof=ddof, keepdims=keepdims)
        """,
}  # fmt: skip

TAKES_OUT = frozenset(
    ("sigmoid", "relu", "leaky_relu", "softmax", "softmax_jacobian", "where")
)
"""Helpers that write their result into memory that they are given."""

SCRATCH: Mapping[str, int] = MappingProxyType(
    {"log_loss_of_logits": 2, "cross_entropy_of_logits": 2}
)
"""How many arrays of their first operand's shape helpers need meanwhile."""

HELPERS: Mapping[str, str] = MappingProxyType(
    {
        name: dedent(text).strip().replace("POOL_BYTES", str(POOL_BYTES)) + "\n"
        for name, text in _TEXTS.items()
    }
)
"""Source of the helpers, by name."""

NEEDED_BY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        name: tuple(
            other
            for other in _TEXTS
            if other != name and re.search(rf"(?<![.\w]){other}\(", text)
        )
        for name, text in _TEXTS.items()
    }
)
"""Which other helpers each of them calls."""
