"""Modes of recording: context-local, immutable, restored in `finally`.

One context variable holds one frozen record, so that the hot path asks a single
question: ``MODE.get() is EAGER``. Anything else takes the general path.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

__all__ = [
    "EAGER",
    "MODE",
    "Mode",
    "debug",
    "no_grad",
    "recording",
    "switch",
]


@dataclass(frozen=True, slots=True)
class Mode:
    """What the application of an op does besides computing.

    ``record``  makes nodes; ``guard`` fingerprints foreign arrays; ``fuse`` computes
    losses from logits; ``debug`` stores the creating line and freezes foreign arrays;
    ``depth`` counts the transforms (`grad`, `vjp` …) that are under way; ``forward``
    is told of every recorded op (a `Pushforward`, which finds its tangent); ``save``
    off makes nodes that hold no values: a graph to look at, not to sweep; ``watch`` is
    called with every op that a Tensor goes into, as (op, values, static, evaluate), and
    returns the result, which ``evaluate()`` would compute.
    """

    record: bool = True
    guard: bool = True
    fuse: bool = True
    debug: bool = False
    depth: int = 0
    forward: Any = None
    save: bool = True
    watch: Any = None


EAGER = Mode()
MODE: ContextVar[Mode] = ContextVar("tensorgrad_mode", default=EAGER)


_SILENT = Mode(record=False)


def recording(mode: Mode, *, record: bool) -> Mode:
    """Return the mode with recording on or off; the default record stays that object.

    Examples
    --------
    >>> recording(EAGER, record=True) is EAGER
    True
    """
    if mode.record is record:
        return mode
    if mode is EAGER:
        return _SILENT
    changed = replace(mode, record=record)
    return EAGER if changed == EAGER else changed


@contextmanager
def switch(**changes: Any) -> Iterator[Mode]:
    """Run a block under the current mode with some fields changed.

    Examples
    --------
    >>> with switch(record=False):
    ...     MODE.get().record
    False
    """
    current = MODE.get()
    changed = replace(current, **changes)
    # The default record is the hot path's flag: equal records must be that one.
    token = MODE.set(EAGER if changed == EAGER else changed)
    try:
        yield changed
    finally:
        MODE.reset(token)


@contextmanager
def no_grad() -> Iterator[None]:
    """Compute without recording: results are Tensors that no gradient reaches.

    Notes
    -----
    Inside, a leaf Tensor may be updated in place (``W -= lr * g``); its identity stays.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> with tg.no_grad():
    ...     w -= 0.5
    >>> w.numpy()
    array([0.5, 1.5])
    """
    with switch(record=False):
        yield


@contextmanager
def debug() -> Iterator[None]:
    """Record where each node is made, freeze foreign arrays, and name the first NaN.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> with tg.debug():
    ...     x = tg.tensor(0.0, requires_grad=True)
    ...     with np.errstate(all="ignore"):
    ...         y = x * np.inf
    ...     try:
    ...         tg.gradients(y * 0.0, x)
    ...     except tg.GraphError as error:
    ...         print("NaN" in str(error))
    True
    """
    with switch(debug=True):
        yield
