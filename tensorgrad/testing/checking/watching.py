"""What ops decide, how they round, and what they do to a complex step: watched runs.

A derivative exists where a program takes one branch around a point. `Decisions` writes
down, as one number, every choice that a run makes: which branch of ``where``, which side
of a kink, which entry is the largest, in which order entries are sorted, how comparisons
come out. Two runs with the same number lie on one smooth piece.

`Rounding` changes each result in its last bits, at random. What then changes in a
gradient is what its rounding amounts to, however it is computed (J. Vignes, *A
stochastic arithmetic for reliable scientific computation*, 1993).

`Complex` carries a step in the imaginary part through the whole run: Im f(x + ih)/h is
the derivative without any cancellation (W. Squire and G. Trapp, *Using complex variables
to estimate derivatives of real functions*, SIAM Review 40, 1998).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zlib import crc32

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.autodiff.forward import tangent
from tensorgrad.core.lanes import Lanes
from tensorgrad.core.modes import EAGER, MODE
from tensorgrad.core.op import Op, static_defaults

__all__ = ["Complex", "Decisions", "Rounding", "is_exact"]


class Decisions:
    """A running number of the choices of one run; install it as the mode's ``watch``.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> from tensorgrad.core.modes import switch
    >>> def number(x):
    ...     with switch(watch=(seen := Decisions())):
    ...         tg.relu(tg.tensor(x))
    ...     return seen.number
    >>> number([1.0, -2.0]) == number([3.0, -0.5]), number([1.0]) == number([-1.0])
    (True, False)
    """

    __slots__ = ("number", "tangents")

    def __init__(self) -> None:
        self.number = 0
        self.tangents: dict[Any, Array] = {}

    def __call__(
        self,
        op: Op,
        values: list[Any],
        static: dict[str, Any],
        evaluate: Callable[[], Any],
    ) -> Any:
        """Note the choices of one op, and let its result pass."""
        out = evaluate()
        if op.kind == "Zero":
            self._note(out)
        elif op.kind == "Select" or (op.kink is not None and op.kind == "Pointwise"):
            self._note_choice(op, values, static, out)
        return out

    def _note(self, choice: Any) -> None:
        array = np.ascontiguousarray(choice)
        self.number = crc32(array.view(np.uint8).data, self.number)

    def _note_choice(
        self, op: Op, values: list[Any], static: dict[str, Any], out: Any
    ) -> None:
        """Note which operand each entry of the tangent is from.

        The tangents are random numbers: where the choice differs, so does the result.
        """
        if any(type(v) is Lanes for v in values):
            return
        if op.kind == "Pointwise":
            self._note_partials(op, values, static, out)
            return
        moves = [self._tangent_of(k, v) for k, v in enumerate(values)]
        token = MODE.set(EAGER)
        try:
            with np.errstate(all="ignore"):
                known = {**static_defaults(op), **static}
                picked = tangent(op, values, moves, static=known, out=out)
        finally:
            MODE.reset(token)
        for part in picked if isinstance(picked, (list, tuple)) else (picked,):
            if part is not None:
                self._note(part)

    def _note_partials(
        self, op: Op, values: list[Any], static: dict[str, Any], out: Any
    ) -> None:
        """Note partials that take whole numbers: slopes of pieces, counts of periods."""
        for k, value in enumerate(values):
            if value is None:
                continue
            moves: list[Any] = [None] * len(values)
            moves[k] = np.ones(np.shape(value), np.result_type(value, np.float32))
            token = MODE.set(EAGER)
            try:
                with np.errstate(all="ignore"):
                    known = {**static_defaults(op), **static}
                    partial = tangent(op, values, moves, static=known, out=out)
            finally:
                MODE.reset(token)
            if partial is not None and (partial == np.rint(partial.real)).all():
                self._note(partial)

    def _tangent_of(self, k: int, value: Any) -> Any:
        if value is None:
            return None
        shape, dtype = np.shape(value), np.result_type(value)
        if dtype.kind not in "fc":
            return None
        key = (k, shape, dtype)
        found = self.tangents.get(key)
        if found is None:
            rng = np.random.default_rng(len(shape) + 7 * k)
            found = self.tangents[key] = rng.uniform(1.0, 2.0, shape).astype(dtype)
        return found


def is_exact(op: Op) -> bool:
    """Tell whether an op picks, moves or negates entries, and rounds none."""
    return op.is_layout or op.kind in ("Select", "Zero") or op.name in _EXACT


class Rounding:
    """Changes each computed result by a rounding of some size; install it likewise.

    Parameters
    ----------
    eps : float
        Relative size of a rounding; results change by up to three.
    rng : numpy.random.Generator

    Examples
    --------
    >>> import tensorgrad as tg
    >>> from tensorgrad.core.modes import switch
    >>> with switch(watch=Rounding(1e-3, np.random.default_rng(0))):
    ...     y = tg.exp(tg.tensor(0.0))
    >>> 0 < abs(y.item() - 1) <= 3e-3
    True
    """

    __slots__ = ("eps", "rng")

    def __init__(self, eps: float, rng: np.random.Generator) -> None:
        self.eps = eps
        self.rng = rng

    def __call__(
        self,
        op: Op,
        values: list[Any],
        static: dict[str, Any],
        evaluate: Callable[[], Any],
    ) -> Any:
        """Return a result with other last bits, if it was computed and not just moved."""
        if op.kind == "Linear" and not is_exact(op):
            return self.summed(op, values, static)
        return self.rounded(op, evaluate())

    def summed(self, op: Op, values: list[Any], static: dict[str, Any]) -> Any:
        """Return what a linear op gives for operands with other last bits.

        A sum is rounded by the size of its terms, however small it comes out, and so
        are the sums on the way to it.
        """
        out = op.forward(*self.terms(op, values), **static)
        if op.name not in _SUMS:
            return out
        sizes = op.forward(*[np.abs(v) for v in values], **static)
        signs = self.rng.choice([-1.0, 1.0], np.shape(out))
        return np.asarray(out + self.eps * signs * sizes, np.asarray(out).dtype)

    def terms(self, op: Op, values: list[Any]) -> list[Any]:
        """Return a linear op's operands with other last bits."""
        if op.kind != "Linear" or is_exact(op):
            return values
        return [v if type(v) in _NUMBERS else self._rounded(v) for v in values]

    def rounded(self, op: Op, out: Any) -> Any:
        """Change the last bits of what an op computed."""
        if op.kind == "Linear" or is_exact(op):
            return out
        if isinstance(out, (tuple, list)):
            return type(out)(self._rounded(part) for part in out)
        return self._rounded(out)

    def _rounded(self, out: Any) -> Any:
        array = np.asarray(out)
        if array.dtype.kind not in "fc" or type(out) is Lanes:
            return out
        # Half a unit may round to the number itself; equal ones may cancel each other.
        sizes = self.rng.choice([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0], array.shape)
        real = array.real.dtype
        changed: Array = array + array * (self.eps * sizes).astype(real)
        # What underflows is off by the smallest number there is, however small it is.
        return changed + (np.finfo(real).smallest_subnormal * sizes).astype(real)


class Complex:
    """Computes with complex numbers whose imaginary part is a step, and keeps it.

    Where NumPy's function drops the step or refuses it, the entry's ``analytic`` form
    takes its place; decisions are made by the real parts. Install it likewise.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> from tensorgrad.core.modes import switch
    >>> with switch(watch=Complex(None)):
    ...     y = abs(tg.tensor(-2.0 + 1e-30j))
    >>> y.item()
    (2-1e-30j)
    """

    __slots__ = ("rounding",)

    def __init__(self, rounding: Rounding | None) -> None:
        self.rounding = rounding

    def __call__(
        self,
        op: Op,
        values: list[Any],
        static: dict[str, Any],
        evaluate: Callable[[], Any],
    ) -> Any:
        """Return the result as a function of complex numbers."""
        if not any(np.iscomplexobj(v) for v in values):
            out = evaluate()
        elif op.kind == "Zero":
            out = op.forward(*[np.real(v) for v in values], **static)
        elif op.name == "astype":
            out = np.asarray(values[0], np.result_type(static["dtype"], np.complex64))
        else:
            # Roundings of the real part are no concern: that of the step is what counts.
            terms = values if self.rounding is None else self.rounding.terms(op, values)
            out = (op.analytic or op.forward)(*terms, **static)
        return out if self.rounding is None else self.rounding.rounded(op, out)


_SUMS = frozenset(
    (
        *("cumsum", "dot", "einsum", "inner", "matmul", "mean", "sum", "tensordot"),
        *("trace", "vdot"),
    )
)
"""Ops whose results are sums of many terms."""

_NUMBERS = (bool, int, float, complex, type(None))

_EXACT = frozenset(
    (
        *("absolute", "astype", "concatenate", "conjugate", "copy", "fabs", "flip"),
        *("getitem", "negative", "pad", "positive", "repeat", "roll", "scatter_add"),
        *("setitem", "stack", "take", "tile"),
        "norm",  # some of its rules look for the entries that equal the result
    )
)
"""Ops that move entries and compute nothing that is rounded."""
