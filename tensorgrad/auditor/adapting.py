"""Handwritten backprop in the notes' style, called by the names of its parameters.

``backward(params, x, y)``, ``backward(w, b, x, y, z, a)``, ``backward(cache, y)``: what a
function asks for by name, it gets, in columns or in rows.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, explain
from tensorgrad.testing.networks import Mlp

__all__ = ["adapted", "known_names"]

PARAMS = ("params", "parameters", "theta", "weights_and_biases")


def adapted(handwritten: Callable[..., Any], net: Mlp, *, rows: bool = False) -> Any:
    """Return ``f(params, x, y)`` that calls a function with what its parameters name.

    Parameters
    ----------
    handwritten : callable
        Its parameters without a default are among `known_names`; any first three others
        are taken for the parameters, x and y.
    net : Mlp
        For masks, keep rates, λ, activations and sizes.
    rows : bool
        Examples in rows: x is (n, m), b is (nodes,), z and a are (n, nodes).

    Raises
    ------
    ArgumentError
        If a parameter has a name that stands for nothing.

    Examples
    --------
    >>> from tensorgrad.testing.networks import draw_mlp
    >>> net = draw_mlp(0, sizes=[3, 1], activations=["sigmoid"], lam=0.0)
    >>> def backward(w, x, a, y):
    ...     delta = (a[1] - y) / y.shape[1]
    ...     return {"w": {1: delta @ x.T}, "b": {1: delta.sum(axis=1, keepdims=True)}}
    >>> found = adapted(backward, net)(net.params, net.x, net.y)
    >>> found["w"][1].shape
    (1, 3)
    """
    try:
        asked = [
            p.name
            for p in inspect.signature(handwritten).parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
            and (p.default is p.empty or p.name in known_names())
        ]
    except (TypeError, ValueError):
        asked = ["params", "x", "y"]
    unknown = [name for name in asked if name.lower() not in known_names()]
    if unknown and len(asked) == 3:
        asked, unknown = ["params", "x", "y"], []
        is_by_place = True
    else:
        is_by_place = False
    if unknown:
        raise ArgumentError(
            explain(
                "audit",
                f"parameters {unknown} of {getattr(handwritten, '__name__', 'the function')}",
                f"names among {sorted(known_names())}",
                "Rename them, give them defaults, or wrap the function",
            )
        )

    def call(params: Any, x: Any, y: Any) -> Any:
        there = _values(net, params, x, y, rows=rows)
        if is_by_place:
            found = handwritten(*(there[name] for name in asked))
        else:
            found = handwritten(**{name: there[name.lower()] for name in asked})
        return _in_columns(found, params) if rows else found

    return call


def known_names() -> frozenset[str]:
    """Return the names by which a handwritten function can ask."""
    return frozenset(
        (
            *PARAMS,
            *(
                "w",
                "b",
                "z",
                "a",
                "x",
                "y",
                "cache",
                "caches",
                "n",
                "m",
                "lam",
                "lambd",
            ),
            *("masks", "mask", "d", "keep_prob", "keep_probs", "activations", "sizes"),
            *("n_layers", "loss", "lambda_"),
        )
    )


def _values(net: Mlp, params: Any, x: Any, y: Any, *, rows: bool) -> dict[str, Any]:
    w, b = params["w"], params["b"]
    graph = net.trace(params, x)
    z: dict[int, Any] = {l: np.array(v) for l, v in graph.z.items()}
    a: dict[int, Any] = {l: np.array(v) for l, v in graph.a.items()}
    masks: dict[int, Any] = {l: m.copy() for l, m in net.masks.items()}
    if rows:
        x, y = x.T.copy(), y.T.copy()
        z, a, masks = ({l: v.T.copy() for l, v in t.items()} for t in (z, a, masks))
        b = {l: v.reshape(-1).copy() for l, v in b.items()}
        params = {"w": w, "b": b}
    cache = {
        "z": z,
        "a": a,
        "mask": {l: m / net.keep_prob[l] for l, m in masks.items()},
    }
    n = net.x.shape[1]
    found: dict[str, Any] = {
        **dict.fromkeys(PARAMS, params),
        "w": w,
        "b": b,
        "z": z,
        "a": a,
        "x": x,
        "y": y,
        "n": n,
        "m": net.sizes[0],
        **dict.fromkeys(("cache", "caches"), cache),
        **dict.fromkeys(("lam", "lambd", "lambda_"), net.lam),
        **dict.fromkeys(("masks", "mask", "d"), masks),
        **{key: dict(net.keep_prob) for key in ("keep_prob", "keep_probs")},
        "activations": list(net.activations),
        "sizes": list(net.sizes),
        "n_layers": len(net.activations),
        "loss": net.loss,
    }
    return found


def _in_columns(found: Any, params: Any) -> Any:
    """Return gradients by rows in the layout of the parameters: biases as columns."""
    if not isinstance(found, Mapping):
        return found
    shapes = {l: np.shape(v) for l, v in params["b"].items()}

    def turned(key: Any, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {
                k: turned(key if isinstance(k, int) else k, v) for k, v in value.items()
            }
        array = np.asarray(value)
        is_bias = str(key).lower().lstrip("d").startswith("b")
        sizes = {int(np.prod(s)) for s in shapes.values()}
        if (
            is_bias
            and array.size in sizes
            and array.ndim <= 2
            and 1 in (*array.shape, 1)
        ):
            return array.reshape(-1, 1)
        return array.T if str(key).startswith("delta") else value

    return {key: turned(key, value) for key, value in found.items()}
