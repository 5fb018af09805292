"""Products with the Jacobian, from either side, and with the Hessian.

`jvp` follows a direction through the function (forward mode), `vjp` brings a cotangent
back through its graph (reverse mode). They share the table's entries and none of their
code, so that ⟨Jv, u⟩ = ⟨v, Jᵀu⟩ is a test of both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad._typing import Tree
from tensorgrad.autodiff.gradients import finished, is_enclosed
from tensorgrad.autodiff.inputs import (
    Inputs,
    as_positions,
    check_function,
    discrete,
    places_of,
    trace,
)
from tensorgrad.autodiff.joint import join
from tensorgrad.autodiff.pushforward import Pushforward
from tensorgrad.autodiff.reverse import sweep
from tensorgrad.autodiff.transforms import grad
from tensorgrad.core.aval import Aval
from tensorgrad.core.modes import MODE
from tensorgrad.core.tensor import Tensor, as_value, node_of, wrap
from tensorgrad.errors import (
    ArgumentError,
    CaptureError,
    DTypeError,
    GraphError,
    ShapeError,
    explain,
)
from tensorgrad.tree import Structure, flatten, unflatten

__all__ = ["Outputs", "elementwise_grad", "hvp", "jvp", "vjp"]


# ------------------------------------------------------------------------ results


class Outputs:
    """What a function returned, as leaves, and what of it depends on the inputs."""

    __slots__ = ("leaves", "names", "structure")

    def __init__(self, caller: str, value: Any) -> None:
        found, self.structure = flatten(value)
        self.names = list(self.structure.paths())
        self.leaves = [
            _result(caller, leaf, name)
            for leaf, name in zip(found, self.names, strict=True)
        ]

    def plain(self, *, keep: bool) -> Tree:
        """Return the results, as arrays unless they belong to another graph."""
        values = self.leaves if keep else [as_value(leaf) for leaf in self.leaves]
        return unflatten(self.structure, values)


def _result(caller: str, leaf: Any, name: str) -> Any:
    named = f" ({name})" if name else ""
    if isinstance(leaf, Tensor):
        value: Any = leaf
    else:
        value = np.asarray(leaf)
    if value.dtype.kind in "biu":
        raise discrete(caller, f"a function that returned {value.dtype} numbers{named}")
    if value.dtype.kind not in "fc":
        raise DTypeError(
            explain(
                caller,
                f"a function that returned a {type(leaf).__name__}{named}",
                "Tensors, arrays and numbers, or nested containers of them",
                "Return what is to be differentiated alone",
            )
        )
    return value


def fitting(
    caller: str, given: Tree, like: Sequence[Any], structure: Structure, what: str
) -> list[Any]:
    """Return the leaves of a tangent or cotangent, checked against what it belongs to.

    Raises
    ------
    ArgumentError
        If the containers differ.
    ShapeError
        If a leaf has another shape.
    DTypeError
        If a leaf is complex where its partner is real, or is no number.
    """
    found, other = flatten(given)
    if other != structure:
        raise ArgumentError(
            explain(
                caller,
                f"{what} with leaves {list(other.paths()) or 'none'}",
                f"the containers of its partner, with leaves {list(structure.paths())}",
                "Build it in the same nested tuples, lists and dicts",
            )
        )
    paths = structure.paths()
    return [
        _partner(caller, leaf, partner, f"{what}{f' ({path})' if path else ''}")
        for leaf, partner, path in zip(found, like, paths, strict=True)
    ]


def _partner(caller: str, leaf: Any, like: Any, what: str) -> Any:
    value = leaf if isinstance(leaf, Tensor) else np.asarray(leaf)
    if value.dtype.kind not in "biufc" or (
        value.dtype.kind == "c" and like.dtype.kind != "c"
    ):
        raise DTypeError(
            explain(
                caller,
                f"{what} of dtype {value.dtype} for values of dtype {like.dtype}",
                "numbers, real ones for real values",
                "Pass the real and the imaginary part in turn",
            )
        )
    if value.shape != like.shape:
        raise ShapeError(
            explain(
                caller,
                f"{what} of shape {value.shape} for values of shape {like.shape}",
                "equal shapes",
                "Broadcast it first: np.broadcast_to(v, x.shape)",
            )
        )
    # A copy: what the caller passed may be written to before it is used.
    return value.astype(like.dtype)


# --------------------------------------------------------------------- forward mode


def jvp(
    f: Callable[..., Any], args: Sequence[Any], tangents: Sequence[Any]
) -> tuple[Tree, Tree]:
    """Return a function's value and its derivative in a direction, by forward mode.

    Parameters
    ----------
    f : callable
        Takes and returns nested tuples, lists, dicts, modules of arrays.
    args : tuple
        The arguments, at which ``f`` is differentiated.
    tangents : tuple
        The direction: for each argument the same containers, shapes and dtypes. None
        for an argument that does not move, which may then be anything.

    Returns
    -------
    (out, tangent)
        Both in the structure of what ``f`` returns; plain arrays, unless an argument or
        a tangent is itself being recorded.

    Raises
    ------
    ArgumentError
        If arguments and tangents do not fit together.
    ShapeError, DTypeError
        If a tangent's leaf has another shape or kind than its argument's, or the
        function returns no floating numbers.

    Notes
    -----
    The product of the Jacobian with the tangents, exactly; it costs about as much as
    two or three calls of ``f`` and does not grow with the sizes of its results.

    References
    ----------
    A. Griewank, A. Walther, *Evaluating Derivatives*, 2nd ed., section 3.1.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.5))
    (array(6.), array(4.))
    >>> tg.jvp(tg.grad(lambda x: x**3), (2.0,), (1.0,))[1]
    array(12.)
    """
    check_function("jvp", f)
    _check_pair(args, tangents)
    places = [i for i, t in enumerate(tangents) if t is not None]
    inputs = trace("jvp", args, places)
    moved: list[Any] = []
    start = 0
    for place, structure in zip(places, inputs.structures, strict=True):
        like = inputs.targets[start : start + structure.n_leaves]
        start += structure.n_leaves
        what = f"tangent {place}" if len(args) > 1 else "a tangent"
        moved += fitting("jvp", tangents[place], like, structure, what)
    # Whatever transform is around may follow the values, also through a closure.
    outer = MODE.get()
    linked = outer.record and (inputs.is_inner or _may_be_followed(moved))
    push = Pushforward(outer, linked=linked)
    for target, direction in zip(inputs.targets, moved, strict=True):
        push.move(target, direction)
    value = inputs.call(f, {}, forward=push)
    inputs.check()
    outputs = Outputs("jvp", value)
    found = [push.tangent_of(leaf) for leaf in outputs.leaves]
    keep = inputs.keeps(*outputs.leaves, *found)
    results = [
        _as_result(t, leaf, keep=keep)
        for t, leaf in zip(found, outputs.leaves, strict=True)
    ]
    return outputs.plain(keep=keep), unflatten(outputs.structure, results)


def _may_be_followed(values: Sequence[Any]) -> bool:
    return MODE.get().depth > 0 or any(isinstance(v, Tensor) for v in values)


def _as_result(t: Any, like: Any, *, keep: bool) -> Any:
    """Return a tangent as the caller gets it: an array of its own, or a Tensor."""
    if t is None:
        zeros = np.zeros(like.shape, like.dtype)
        return wrap(zeros, None) if keep else zeros
    if keep:
        return t if isinstance(t, Tensor) else wrap(np.asarray(t), None)
    value = np.asarray(as_value(t))
    # A view (of the tangent that was given, say) must not be handed out.
    return value if value.flags.owndata and value.flags.writeable else value.copy()


def _check_pair(args: Any, tangents: Any) -> None:
    for name, value in (("args", args), ("tangents", tangents)):
        if not isinstance(value, (tuple, list)):
            raise ArgumentError(
                explain(
                    "jvp",
                    f"{name} of type {type(value).__name__}",
                    "a tuple with an entry for each argument of the function",
                    f"Write a tuple of one as ({'x' if name == 'args' else 'v'},)",
                )
            )
    if len(args) != len(tangents):
        raise ArgumentError(
            explain(
                "jvp",
                f"{len(args)} arguments and {len(tangents)} tangents",
                "a tangent for each argument",
                "Pass None for an argument that does not move",
            )
        )
    if not args or all(t is None for t in tangents):
        raise ArgumentError(
            explain("jvp", "no direction", "a tangent", "Pass one that is not None")
        )


# --------------------------------------------------------------------- reverse mode


def vjp(f: Callable[..., Any], *args: Any) -> tuple[Tree, Callable[[Tree], Any]]:
    """Return a function's value and the map from cotangents to adjoints.

    Parameters
    ----------
    f : callable
        Takes and returns nested tuples, lists, dicts, modules of arrays.
    *args
        Where it is differentiated.

    Returns
    -------
    out : structure of what ``f`` returns
    pullback : callable
        ``pullback(g)``, with ``g`` in the structure of ``out``, is the adjoint of
        ``sum(g * out)``: a tuple with an entry for each argument, in its structure. May
        be called any number of times.

    Raises
    ------
    DTypeError
        If an argument or a result holds no floating or complex numbers.
    ShapeError, ArgumentError
        By the pullback, if the cotangent does not fit the results.

    Notes
    -----
    One pullback costs about as much as two calls of ``f``, however many arguments
    there are. The graph lives as long as the pullback.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> out, pullback = tg.vjp(lambda x, y: x * y, np.array([1.0, 2.0]), 3.0)
    >>> out, pullback(np.array([1.0, 10.0]))
    (array([3., 6.]), (array([ 3., 30.]), array(21.)))
    """
    check_function("vjp", f)
    inputs = trace("vjp", args, range(len(args)))
    outputs = Outputs("vjp", inputs.call(f, {}))
    inputs.check()
    keep = inputs.keeps(*outputs.leaves)

    def pullback(g: Tree) -> tuple[Any, ...]:
        cotangents = fitting(
            "vjp: pullback", g, outputs.leaves, outputs.structure, "a cotangent"
        )
        return tuple(inputs.trees(adjoints(inputs, outputs, cotangents, keep=keep)))

    return outputs.plain(keep=keep), pullback


def adjoints(
    inputs: Inputs, outputs: Outputs, cotangents: Sequence[Any], *, keep: bool
) -> list[Any]:
    """Return the adjoints of all traced leaves for one cotangent of the results."""
    keep = keep or is_enclosed(*outputs.leaves, *cotangents)
    pairs = [
        (leaf, g)
        for leaf, g in zip(outputs.leaves, cotangents, strict=True)
        if isinstance(leaf, Tensor) and leaf._node is not None
    ]
    found: dict[Any, Any] = {}
    nodes = [node_of(t) for t in inputs.targets]
    if pairs and nodes:
        root, seed = join(
            [node_of(leaf) for leaf, _ in pairs],
            [_seed(g, keep=keep) for _, g in pairs],
        )
        found = sweep(root, seed, nodes, create_graph=keep)
    inputs.check()
    results = [
        finished(found.get(node), target, create_graph=keep)
        for node, target in zip(nodes, inputs.targets, strict=True)
    ]
    if keep:
        return results
    # Nobody else may hold what is handed out.
    return [np.array(r) for r in results]


def _seed(g: Any, *, keep: bool) -> Any:
    if keep:
        return g if isinstance(g, Tensor) else wrap(g, None)
    return as_value(g)


def elementwise_grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0
) -> Callable[..., Tree]:
    """Return the derivative of a function that works entry by entry.

    Parameters
    ----------
    f : callable
        Each entry of its result depends on the same entry of the argument alone.
    argnums : int or sequence of int
        Which positional arguments to differentiate.

    Returns
    -------
    callable
        Of the same arguments; returns the derivative at each entry, in the argument's
        shape (a tuple of arrays for several ``argnums``). Can be differentiated again.

    Raises
    ------
    ShapeError
        At the call: if the result has another shape than the argument.
    GraphError
        At the call: if some entry depends on other ones, as in a sum along an axis. A
        second, random cotangent tells, which costs as much as the derivative.
    CaptureError
        At the call, inside `compile`: shapes cannot tell.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> tg.elementwise_grad(np.tanh)(np.array([0.0, 1.0])).round(4)
    array([1.  , 0.42])
    >>> tg.elementwise_grad(tg.elementwise_grad(lambda x: x**3))(np.array([1.0, 2.0]))
    array([ 6., 12.])
    """
    check_function("elementwise_grad", f)
    is_single, positions = as_positions("elementwise_grad", argnums)

    def derivative(*args: Any, **kwargs: Any) -> Tree:
        places = places_of("elementwise_grad", argnums, positions, len(args))
        inputs = trace("elementwise_grad", args, places)
        outputs = Outputs("elementwise_grad", inputs.call(f, kwargs))
        inputs.check()
        _check_entrywise(inputs, outputs)
        keep = inputs.keeps(*outputs.leaves)
        ones = [np.ones(leaf.shape, leaf.dtype) for leaf in outputs.leaves]
        found = adjoints(inputs, outputs, ones, keep=keep)
        probe = _probe(outputs.leaves[0])
        _check_diagonal(found, adjoints(inputs, outputs, [probe], keep=False), probe)
        trees = inputs.trees(found)
        return trees[0] if is_single else tuple(trees)

    return derivative


def _check_entrywise(inputs: Inputs, outputs: Outputs) -> None:
    shapes = [leaf.shape for leaf in outputs.leaves]
    if len(shapes) != 1 or any(t.shape != shapes[0] for t in inputs.targets):
        raise ShapeError(
            explain(
                "elementwise_grad",
                f"arguments of shapes {[t.shape for t in inputs.targets]} and results of "
                f"shapes {shapes}",
                "one result, of the shape of each argument",
                "Use tg.jacobian, or tg.vjp with a cotangent",
            )
        )


def _probe(like: Any) -> Any:
    """Return signed powers of two: multiplying by them rounds nothing."""
    rng = np.random.default_rng(0)
    powers = np.ldexp(1.0, rng.integers(-12, 13, like.shape))
    return np.asarray(rng.choice([-1.0, 1.0], like.shape) * powers, like.dtype)


def _check_diagonal(found: list[Any], probed: list[Any], probe: Any) -> None:
    """Compare with the adjoint of the probe, which a diagonal Jacobian passes on."""
    if any(isinstance(as_value(one), Aval) for one in found):
        raise CaptureError(
            explain(
                "elementwise_grad under capture",
                "shapes without values, which cannot tell whether entries are separate",
                "a derivative that needs no such check",
                "Write tg.grad of the sum: tg.grad(lambda x: f(x).sum())",
            )
        )
    for one, other in zip(found, probed, strict=True):
        expected = as_value(one) * probe
        slack = 100 * np.finfo(expected.dtype).eps * np.abs(expected)
        with np.errstate(invalid="ignore"):
            is_other = np.abs(as_value(other) - expected) > slack
        if is_other.any():
            raise GraphError(
                explain(
                    "elementwise_grad",
                    f"a function whose entries depend on each other (at entry "
                    f"{tuple(int(i) for i in np.argwhere(is_other)[0])}, for one)",
                    "one that works entry by entry",
                    "Use tg.jacobian, or tg.vjp with a cotangent",
                )
            )


# ------------------------------------------------------------------- second order


def hvp(
    f: Callable[..., Any], args: Sequence[Any], vectors: Sequence[Any]
) -> Tree | tuple[Tree, ...]:
    """Return the product of a scalar function's Hessian with vectors.

    Parameters
    ----------
    f : callable
        Takes nested containers of arrays; returns a real scalar.
    args : tuple
        The point.
    vectors : tuple
        For each argument the same containers and shapes. None for an argument that
        is held constant, which may then be anything.

    Returns
    -------
    tuple
        For each argument that moves its part of the product, in its structure; None for
        the others.

    Raises
    ------
    ArgumentError, ShapeError, DTypeError
        As `jvp` and `grad`.

    Notes
    -----
    Forward mode over reverse mode: the directional derivative of the gradient. It costs
    a few gradients; the Hessian is never formed.

    References
    ----------
    B. Pearlmutter, *Fast exact multiplication by the Hessian*, Neural Computation 6,
    1994.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> x = np.array([1.0, 2.0])
    >>> tg.hvp(lambda x: (x**3).sum(), (x,), (np.array([1.0, 10.0]),))
    (array([  6., 120.]),)
    """
    check_function("hvp", f)
    _check_pair(args, vectors)
    moving = tuple(i for i, v in enumerate(vectors) if v is not None)
    _, product = jvp(grad(f, moving), args, vectors)
    parts = iter(product)
    return tuple(next(parts) if v is not None else None for v in vectors)
