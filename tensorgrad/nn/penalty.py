"""The L2 penalty of the notes, section 5: on weights, never on biases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tensorgrad._typing import Tree
from tensorgrad.errors import ArgumentError, explain
from tensorgrad.ops.reduce import sum as sum_op
from tensorgrad.tree import LEAF, Structure, flatten

__all__ = ["is_bias", "l2_penalty"]


def l2_penalty(params: Tree, lam: float, n: int) -> Any:
    """Compute λ/(2n) · Σ ‖W‖² over the weights, never the biases.

    Parameters
    ----------
    params : dict, or module
        A module declares its weights (``weights()``). In nested containers a leaf is a
        bias if its last name begins with ``b``, as in ``b1`` or ``{"b": {1: …}}``.
    lam : float
        λ, at least 0.
    n : int
        Number of training examples.

    Returns
    -------
    Scalar Tensor, or NumPy scalar if nothing is a Tensor

    Raises
    ------
    ArgumentError
        If ``lam`` is negative or ``n`` not positive.

    References
    ----------
    Notes, section 5.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> import numpy as np
    >>> float(tg.l2_penalty({"W1": np.array([[3.0]]), "b1": np.array([9.0])}, 2.0, 6))
    1.5
    """
    if not lam >= 0 or not n > 0:
        raise ArgumentError(
            explain(
                "l2_penalty",
                f"lam={lam} and n={n}",
                "lam at least 0, and n the positive number of training examples",
                "Check the order of the arguments: params, lam, n",
            )
        )
    total: Any = 0.0
    for weight in weights_of(params):
        total = total + sum_op(weight * weight)
    return total * (lam / (2.0 * n))


def weights_of(params: Tree) -> list[Any]:
    """Return the leaves that a penalty counts."""
    found, structure = flatten(params)
    return list(_weights(structure, iter(found), ""))


def _weights(structure: Structure, found: Iterator[Any], prefix: str) -> Iterator[Any]:
    if hasattr(structure.template, "weights") and hasattr(
        structure.template, "tree_children"
    ):
        for _ in structure.paths():
            next(found)
        yield from structure.template.weights().values()
    elif structure.template is LEAF:
        leaf = next(found)
        if not is_bias(prefix):
            yield leaf
    else:
        for key, child in zip(structure.keys, structure.children, strict=True):
            yield from _weights(child, found, f"{prefix}.{key}")


def is_bias(path: str) -> bool:
    """Tell whether the last name in a path, indices apart, begins with ``b``.

    Examples
    --------
    >>> [is_bias(path) for path in ("b1", "b.1", "layers.0.b", "w.1", "b.w")]
    [True, True, True, False, False]
    """
    names = [part for part in path.split(".") if not part.isdecimal()]
    return bool(names) and names[-1].startswith("b")
