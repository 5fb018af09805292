"""Checkpoints: functions that keep their arguments alone and are computed again.

The first run records a graph without values, to find what the function used besides its
arguments; the pullback runs it once more and sweeps over that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from tensorgrad.autodiff.inputs import check_function
from tensorgrad.autodiff.joint import join
from tensorgrad.autodiff.reverse import sweep
from tensorgrad.autodiff.whole import Call, captured_by, fresh, name_of, whole
from tensorgrad.core.aval import Aval
from tensorgrad.core.modes import MODE, switch
from tensorgrad.core.node import AnyNode, next_number
from tensorgrad.core.tensor import Tensor, as_value, node_of
from tensorgrad.errors import GraphError, explain
from tensorgrad.tree import flatten, unflatten

__all__ = ["checkpoint"]


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that keeps its arguments alone and recomputes the rest.

    Parameters
    ----------
    f : callable
        Takes and returns nested containers; may use Tensors from outside. Called twice
        for a gradient, so it must compute the same again: draw random numbers from a
        generator among its arguments, which is put back, or outside.

    Returns
    -------
    callable
        Of the same arguments and results, with the same gradients, bit for bit.

    Raises
    ------
    GraphError
        By the sweep: if the second run gives other values than the first, because it
        drew other random numbers or an array was changed in between.

    Notes
    -----
    Memory for intermediate values is given back until the sweep comes by; time grows by
    one more call. In forward mode, which keeps nothing, ``f`` runs as it is.

    References
    ----------
    A. Griewank, A. Walther, *Algorithm 799: revolve*, ACM TOMS 26, 2000.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> layer = tg.checkpoint(lambda x, W: np.tanh(x @ W))
    >>> W = tg.tensor(np.eye(2))
    >>> tg.gradients(layer(np.ones((1, 2)), W).sum(), W).round(4)
    array([[0.42, 0.42],
           [0.42, 0.42]])
    """
    check_function("checkpoint", f)

    @wraps(f)
    def saving(*args: Any, **kwargs: Any) -> Any:
        mode = MODE.get()
        if not mode.record or mode.forward is not None:
            return f(*args, **kwargs)
        call = Call(f, args, kwargs)
        start = next_number()
        inputs = fresh(call.tensors, linked=False)
        with switch(save=False, depth=mode.depth + 1):
            value = call.run(inputs, again=False)
        leaves, structure = flatten(value)
        recorded = [v for v in leaves if isinstance(v, Tensor) and v._node is not None]
        known: set[AnyNode] = {node_of(t) for t in inputs}
        captured = captured_by(recorded, known, start)
        values = [as_value(v) for v in leaves]
        parents = [*[node_of(t) for t in call.tensors], *captured]
        if not parents or not recorded:
            return unflatten(structure, values)
        run = Recomputed(call, captured, [_fingerprint(v) for v in values])
        return whole(run, parents, values, structure)[1]

    return saving


def _fingerprint(value: Any) -> Any:
    if isinstance(value, Aval):
        return None
    array = np.ascontiguousarray(value)
    return hashlib.blake2b(array.view(np.uint8).data, digest_size=16).digest()


class Recomputed:
    """The pullback of a checkpointed call: the function again, and a sweep over it."""

    __slots__ = ("call", "captured", "prints")

    def __init__(self, call: Call, captured: list[AnyNode], prints: list[Any]) -> None:
        self.call = call
        self.captured = captured
        self.prints = prints

    def pull(self, g: Sequence[Any]) -> tuple[Any, ...]:
        """Return the shares of the arguments, and of what was captured."""
        is_linked = MODE.get().record
        as_tensors = is_linked or any(isinstance(part, Tensor) for part in g)
        start = next_number()
        inputs = fresh(self.call.tensors, linked=is_linked)
        with switch(record=True, depth=MODE.get().depth + 1):
            value = self.call.run(inputs)
        leaves = flatten(value)[0]
        # Somebody who changes results on purpose compares them too.
        is_watched = MODE.get().watch is not None
        if (
            not is_watched
            and [_fingerprint(as_value(v)) for v in leaves] != self.prints
        ):
            raise GraphError(
                explain(
                    "checkpoint",
                    f"other values when {name_of(self.call.f)} was computed again",
                    "a function that gives the same twice",
                    "Draw random numbers from a generator that is passed as an argument, "
                    "and do not write to arrays that it uses before the sweep",
                )
            )
        pairs = [
            (node_of(v), part)
            for v, part in zip(leaves, g, strict=True)
            if part is not None and isinstance(v, Tensor) and v._node is not None
        ]
        nodes = [*[node_of(t) for t in inputs], *self.captured]
        root, seeds = join([n for n, _ in pairs], [part for _, part in pairs])
        found = sweep(
            root, seeds, nodes, create_graph=as_tensors, record=is_linked, oldest=start
        )
        return tuple(found.get(node) for node in nodes)
