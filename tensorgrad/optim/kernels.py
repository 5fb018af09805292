"""The arithmetic of an update, on flat pieces of arrays, in place.

A piece is small enough for the second-level cache, and all passes of an update run
over it before the next piece is touched: Adam's twelve passes over a network of half
a million float32 parameters take 1.0 ms in pieces of 32,768 entries, 1.4 ms in whole
arrays, and 1.6 ms in a handwritten update with ``out=`` (two-core machine). The
formulas themselves stand in `optimizers`, where tests compare both.

Any input may be the same memory as the output of its name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.core import pool

__all__ = ["Kernel", "adam", "fresh_like", "rmsprop", "run", "sgd"]

PIECE = 32768

Kernel: TypeAlias = Callable[
    [Array, Array, Sequence[Array], Array, Sequence[Array], Array], None
]
"""kernel(p, g, slots, new_p, new_slots, scratch)"""


def run(
    kernel: Kernel,
    p: Array,
    g: Array,
    slots: Sequence[Array],
    *,
    in_place: bool,
) -> tuple[Array, Sequence[Array]]:
    """Apply a kernel to a parameter, and return its new value and its new slots.

    Parameters
    ----------
    kernel : callable
    p, g : ndarray of one shape and dtype
        Parameter and gradient; neither is written to.
    slots : sequence of ndarray, shape of ``p``
        The optimiser's memory of this parameter.
    in_place : bool
        Whether the slots may be overwritten.

    Returns
    -------
    new_p : ndarray, shape and dtype of ``p``
        In the memory order of the gradient: that of ``x @ W.T`` by W is in Fortran
        order, and walking through both in different orders costs more than the update.
    new_slots : list of ndarray; ``slots`` themselves where they were overwritten
    """
    if p.size <= PIECE and _is_plain(p, g, slots):
        return _run_whole(kernel, p, g, slots, in_place=in_place)
    if p.dtype == np.float16:  # too narrow for epsilon and for squares: widen
        wide, new = run(kernel, _wide(p), _wide(g), slots, in_place=in_place)
        return wide.astype(np.float16), new
    new_p = fresh_like(g if _is_contiguous(g) else p)
    sources = [_laid_out(slot, new_p) for slot in slots]
    is_own = [in_place and _is_writable(s, new_p) for s in slots]
    new_slots = [
        slot if own else fresh_like(new_p)
        for slot, own in zip(sources, is_own, strict=True)
    ]
    old = [_flat(a) for a in (_laid_out(p, new_p), _laid_out(g, new_p), *sources)]
    out = [_flat(a) for a in (new_p, *new_slots)]
    n = old[0].size
    scratch = np.empty(min(n, PIECE), old[0].dtype)
    for start in range(0, n, PIECE):
        piece = slice(start, start + PIECE)
        p_, g_, *slots_ = (a[piece] for a in old)
        new_p_, *new_slots_ = (a[piece] for a in out)
        kernel(p_, g_, slots_, new_p_, new_slots_, scratch[: p_.size])
    return new_p, new_slots


def _is_plain(p: Array, g: Array, slots: Sequence[Array]) -> bool:
    """Tell whether the arrays can be given to a kernel as they are."""
    if p.dtype.char not in "fd" or not (p.flags.c_contiguous and g.flags.c_contiguous):
        return False
    for slot in slots:  # noqa: SIM110  # a generator costs as much as a small update
        if not slot.flags.carray:
            return False
    return True


def _run_whole(
    kernel: Kernel, p: Array, g: Array, slots: Sequence[Array], *, in_place: bool
) -> tuple[Array, Sequence[Array]]:
    """Update a small parameter in one piece, without a detour."""
    new_p = np.empty(p.shape, p.dtype)
    new_slots = slots if in_place else [np.empty(s.shape, s.dtype) for s in slots]
    kernel(p, g, slots, new_p, new_slots, np.empty(p.shape, p.dtype))
    return new_p, new_slots


def _is_contiguous(array: Array) -> bool:
    return array.flags.c_contiguous or array.flags.f_contiguous


def _wide(array: Array) -> Array:
    return array.astype(np.float32)


def fresh_like(array: Array) -> Array:
    """Return an uninitialised contiguous array in the order of another one.

    Examples
    --------
    >>> fresh_like(np.zeros((2, 3), order="F")).flags.f_contiguous
    True
    """
    is_fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    shape = array.shape[::-1] if is_fortran else array.shape
    if array.nbytes >= pool.POOL_BYTES:
        made = pool.take(shape, array.dtype)
    else:
        made = np.empty(shape, array.dtype)
    return made.T if is_fortran else made


def _laid_out(array: Array, like: Array) -> Array:
    """Return an array in the memory order of another one, copied if it must be."""
    if like.flags.c_contiguous:
        is_same = array.flags.c_contiguous
        return array if is_same else array.copy(order="C")
    return array if array.flags.f_contiguous else array.copy(order="F")


def _is_writable(array: Array, like: Array) -> bool:
    is_same = _laid_out(array, like) is array
    return is_same and bool(array.flags.writeable)


def _flat(array: Array) -> Array:
    """Return a contiguous array as a flat view; complex entries as pairs of reals.

    Moments of complex parameters are then those of real and imaginary part.
    """
    straight = array if array.flags.c_contiguous else array.T
    flat = straight.reshape(-1)
    if flat.dtype.kind == "c":
        flat = flat.view(flat.real.dtype)
    return flat


def sgd(lr: float, momentum: float, *, nesterov: bool) -> Kernel:
    """Return the kernel of gradient descent; one slot with momentum, none without."""

    def plain(
        p: Array, g: Array, slots: Any, new_p: Array, new: Any, scratch: Array
    ) -> None:
        np.multiply(g, lr, out=scratch)
        np.subtract(p, scratch, out=new_p)

    def heavy(
        p: Array, g: Array, slots: Any, new_p: Array, new: Any, scratch: Array
    ) -> None:
        (velocity,), (new_velocity,) = slots, new
        np.multiply(velocity, momentum, out=new_velocity)
        np.add(new_velocity, g, out=new_velocity)
        if nesterov:
            np.multiply(new_velocity, momentum, out=scratch)
            np.add(scratch, g, out=scratch)
            np.multiply(scratch, lr, out=scratch)
        else:
            np.multiply(new_velocity, lr, out=scratch)
        np.subtract(p, scratch, out=new_p)

    return heavy if momentum else plain


def rmsprop(lr: float, decay: float, eps: float) -> Kernel:
    """Return the kernel of RMSProp; one slot, the mean square."""

    def kernel(
        p: Array, g: Array, slots: Any, new_p: Array, new: Any, scratch: Array
    ) -> None:
        (mean_square,), (new_mean_square,) = slots, new
        _average(mean_square, g, decay, new_mean_square, scratch, squared=True)
        np.sqrt(new_mean_square, out=scratch)
        np.add(scratch, eps, out=scratch)
        np.divide(g, scratch, out=scratch)
        np.multiply(scratch, lr, out=scratch)
        np.subtract(p, scratch, out=new_p)

    return kernel


def adam(
    lr: float, betas: tuple[float, float], eps: float, step: int, shrink: float
) -> Kernel:
    """Return the kernel of step ``step`` = 1, 2, … of Adam; slots m and v.

    ``shrink`` is what AdamW subtracts: the parameter's share lr · weight_decay.
    """
    beta1, beta2 = betas
    root = math.sqrt(1 - beta2**step)
    # m̂ / (√v̂ + eps) = (root / (1 - β₁ᵗ)) · m / (√v + eps · root), in two passes fewer.
    rate = lr * root / (1 - beta1**step)
    scaled_eps = eps * root

    def kernel(
        p: Array, g: Array, slots: Any, new_p: Array, new: Any, scratch: Array
    ) -> None:
        (m, v), (new_m, new_v) = slots, new
        _average(m, g, beta1, new_m, scratch, squared=False)
        _average(v, g, beta2, new_v, scratch, squared=True)
        np.sqrt(new_v, out=scratch)
        np.add(scratch, scaled_eps, out=scratch)
        np.divide(new_m, scratch, out=scratch)
        np.multiply(scratch, rate, out=scratch)
        if shrink:
            np.multiply(p, 1 - shrink, out=new_p)
            np.subtract(new_p, scratch, out=new_p)
        else:
            np.subtract(p, scratch, out=new_p)

    return kernel


def _average(
    mean: Array, g: Array, decay: float, out: Array, scratch: Array, *, squared: bool
) -> None:
    """Set out = decay · mean + (1 - decay) · g, or g²."""
    np.multiply(mean, decay, out=out)
    if squared:
        np.multiply(g, g, out=scratch)
        np.multiply(scratch, 1 - decay, out=scratch)
    else:
        np.multiply(g, 1 - decay, out=scratch)
    np.add(out, scratch, out=out)
