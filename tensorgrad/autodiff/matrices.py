"""Jacobians and Hessians: products with every unit direction, many of them at a time.

The rows come from reverse mode, the columns from forward mode, whichever are fewer.
The unit directions go through the rules together, as lanes (core/lanes.py), so that a
Jacobian takes a few NumPy calls for each op and not one for each op and direction.
Where a transform around records what happens, the directions go one by one instead:
what it would have to follow is then the same as for a product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tensorgrad._typing import Array, Tree
from tensorgrad.autodiff.inputs import (
    Inputs,
    as_positions,
    check_function,
    places_of,
    trace,
)
from tensorgrad.autodiff.joint import join
from tensorgrad.autodiff.products import Outputs, adjoints, jvp
from tensorgrad.autodiff.pushforward import Pushforward
from tensorgrad.autodiff.reverse import sweep
from tensorgrad.autodiff.transforms import grad
from tensorgrad.core.lanes import Lanes
from tensorgrad.core.modes import MODE, recording
from tensorgrad.core.tensor import Tensor, as_value, node_of, wrap
from tensorgrad.errors import DTypeError, explain
from tensorgrad.ops.joining import stack
from tensorgrad.ops.shaping import reshape
from tensorgrad.tree import unflatten

__all__ = ["hessian", "jacobian"]

LANE_ENTRIES = 1 << 21
"""Entries of inputs or results in all lanes of one pass: 16 MiB in float64."""


def jacobian(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0
) -> Callable[..., Tree]:
    """Return a function that computes the Jacobian.

    Parameters
    ----------
    f : callable
        Takes and returns nested tuples, lists, dicts, modules of arrays.
    argnums : int or sequence of int
        Which positional arguments to differentiate.

    Returns
    -------
    callable
        Of the same arguments. For an array from an array, an array of shape
        ``out.shape + x.shape``. For containers, the structure of the result, with the
        argument's structure (a tuple of them for several ``argnums``) at each leaf.

    Raises
    ------
    DTypeError
        At the call: if an argument or a result holds no floating numbers, or a complex
        function of complex numbers is not holomorphic.

    Notes
    -----
    Of p results and m inputs, costs about min(p, m) products with vectors, made
    together. When m is smaller, ``f`` is called a second time.

    A real function of complex numbers gets the gradient convention of `grad`,
    ∂f/∂x - i ∂f/∂y.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> tg.jacobian(lambda x: x * x.sum())(np.array([1.0, 2.0]))
    array([[4., 1.],
           [2., 5.]])
    >>> tg.jacobian(lambda p: {"y": p["a"] * p["b"]})({"a": np.ones(2), "b": 3.0})
    {'y': {'a': array([[3., 0.],
           [0., 3.]]), 'b': array([1., 1.])}}
    """
    return _jacobian("jacobian", f, argnums)


def hessian(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0
) -> Callable[..., Tree]:
    """Return a function that computes the Hessian of a scalar function.

    Parameters
    ----------
    f : callable
        Takes nested tuples, lists, dicts, modules of arrays; returns a real scalar.
    argnums : int or sequence of int
        Which positional arguments to differentiate.

    Returns
    -------
    callable
        Of the same arguments. For an array ``x``, an array of shape
        ``x.shape + x.shape``; for containers, the argument's structure (a tuple for
        several ``argnums``) with itself at each leaf.

    Raises
    ------
    DTypeError, ShapeError
        At the call, as `grad`; and for complex arguments, whose gradient is no
        holomorphic function: differentiate in the real and the imaginary part.

    Notes
    -----
    Costs as many products as there are inputs; for one product use `hvp`.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> tg.hessian(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 5.0]))
    array([[10.,  6.],
           [ 6.,  0.]])
    """
    check_function("hessian", f)
    return _jacobian("hessian", grad(f, argnums), argnums)


def _jacobian(
    caller: str, f: Callable[..., Any], argnums: int | Sequence[int]
) -> Callable[..., Tree]:
    check_function(caller, f)
    is_single, positions = as_positions(caller, argnums)

    def compute(*args: Any, **kwargs: Any) -> Tree:
        places = places_of(caller, argnums, positions, len(args))
        inputs = trace(caller, args, places)
        outputs = Outputs(caller, inputs.call(f, kwargs))
        inputs.check()
        n_rows = sum(leaf.size for leaf in outputs.leaves)
        n_columns = sum(t.size for t in inputs.targets)
        values = [*outputs.leaves, *inputs.targets]
        is_real = not any(v.dtype.kind == "c" for v in values)
        keep = inputs.keeps(*outputs.leaves)
        if n_columns < n_rows and is_real:
            columns = _columns_one_by_one if keep else _columns
            blocks = columns(caller, lambda *a: f(*a, **kwargs), args, places, outputs)
        else:
            blocks = _rows(caller, inputs, outputs, keep=keep)
        trees = [inputs.trees(row) for row in blocks]
        found = [row[0] if is_single else tuple(row) for row in trees]
        return unflatten(outputs.structure, found)

    return compute


# ----------------------------------------------------------------- by reverse mode


def _rows(
    caller: str, inputs: Inputs, outputs: Outputs, *, keep: bool
) -> list[list[Any]]:
    """Return, for each result, its derivative by each input."""
    blocks = []
    for k, leaf in enumerate(outputs.leaves):
        pull = _pulled_one_by_one if keep else _pulled
        rows = pull(inputs, outputs, k, 1.0)
        if leaf.dtype.kind == "c":
            others = pull(inputs, outputs, k, -1j)
            rows = [
                _complex_rows(caller, target, row, other)
                for target, row, other in zip(inputs.targets, rows, others, strict=True)
            ]
        blocks.append(
            [
                reshape(row, (*leaf.shape, *target.shape))
                for row, target in zip(rows, inputs.targets, strict=True)
            ]
        )
    return blocks


def _complex_rows(caller: str, target: Tensor, row: Any, other: Any) -> Any:
    """Put together what the real and the imaginary part of a result pull back to."""
    if target.dtype.kind != "c":
        return row + 1j * other
    # The Cauchy-Riemann equations: only then is there one complex derivative.
    size = np.abs(as_value(row)).max(initial=0.0)
    if (np.abs(as_value(other) + 1j * as_value(row)) > 1e-6 * size).any():
        raise DTypeError(
            explain(
                caller,
                "a function of complex numbers that is not holomorphic",
                "a holomorphic one, or real inputs, or real results",
                "Differentiate in the real and the imaginary part, as two inputs",
            )
        )
    return row


def _pulled(inputs: Inputs, outputs: Outputs, k: int, unit: complex) -> list[Array]:
    """Return what each entry of a result pulls back to, in the lanes of few sweeps."""
    leaf = outputs.leaves[k]
    nodes = [node_of(t) for t in inputs.targets]
    found = [np.zeros((leaf.size, *t.shape), t.dtype) for t in inputs.targets]
    if not isinstance(leaf, Tensor) or leaf._node is None or not nodes:
        return found
    widest = max(leaf.size, *[t.size for t in inputs.targets])
    for part in _parts(leaf.size, widest):
        seed = wrap(Lanes(_units(part, leaf.shape, leaf.dtype, unit)), None)
        root, seeds = join([node_of(leaf)], [seed])
        results = sweep(root, seeds, nodes, create_graph=True, record=False)
        for rows, node in zip(found, nodes, strict=True):
            adjoint = results.get(node)
            if adjoint is not None:
                rows[part] = _in_lanes(adjoint)
    inputs.check()
    return found


def _in_lanes(value: Any) -> Array:
    """Return the lanes of a result; one that depends on no lane is the same in all."""
    inner = as_value(value)
    return inner.array if isinstance(inner, Lanes) else np.asarray(inner)[None]


def _pulled_one_by_one(
    inputs: Inputs, outputs: Outputs, k: int, unit: complex
) -> list[Any]:
    leaf = outputs.leaves[k]
    columns: list[list[Any]] = [[] for _ in inputs.targets]
    for i in range(leaf.size):
        cotangents: list[Any] = [np.zeros(o.shape, o.dtype) for o in outputs.leaves]
        cotangents[k] = _units(slice(i, i + 1), leaf.shape, leaf.dtype, unit)[0]
        rows = adjoints(inputs, outputs, cotangents, keep=True)
        for column, row in zip(columns, rows, strict=True):
            column.append(row)
    return [
        stack(column) if column else np.zeros((0, *t.shape), t.dtype)
        for column, t in zip(columns, inputs.targets, strict=True)
    ]


# ----------------------------------------------------------------- by forward mode


def _columns(
    caller: str,
    f: Callable[..., Any],
    args: Sequence[Any],
    places: Sequence[int],
    outputs: Outputs,
) -> list[list[Any]]:
    """Return the same blocks by pushing the unit directions forward, as lanes."""
    shapes = [t.shape for t in trace(caller, args, places).targets]
    blocks: list[list[Any]] = [[None] * len(shapes) for _ in outputs.leaves]
    widest = max(leaf.size for leaf in outputs.leaves)
    for i, shape in enumerate(shapes):
        size = int(np.prod(shape, dtype=int))
        found = [np.zeros((size, *o.shape), o.dtype) for o in outputs.leaves]
        for part in _parts(size, widest):
            inputs = trace(caller, args, places)
            push = Pushforward(recording(MODE.get(), record=False), linked=False)
            target = inputs.targets[i]
            push.move(target, wrap(Lanes(_units(part, shape, target.dtype, 1.0)), None))
            results = Outputs(caller, inputs.call(f, {}, forward=push))
            for columns, leaf in zip(found, results.leaves, strict=True):
                moved = push.tangent_of(leaf)
                if moved is not None:
                    columns[part] = _in_lanes(moved)
        for k, leaf in enumerate(outputs.leaves):
            block = np.moveaxis(found[k], 0, -1).reshape((*leaf.shape, *shape))
            blocks[k][i] = np.ascontiguousarray(block)
    return blocks


def _columns_one_by_one(
    caller: str,
    f: Callable[..., Any],
    args: Sequence[Any],
    places: Sequence[int],
    outputs: Outputs,
) -> list[list[Any]]:
    inputs = trace(caller, args, places)
    zeros = [np.zeros(t.shape, t.dtype) for t in inputs.targets]
    blocks: list[list[Any]] = [[] for _ in outputs.leaves]
    for i, target in enumerate(inputs.targets):
        columns: list[list[Any]] = [[] for _ in outputs.leaves]
        for j in range(target.size):
            unit = _units(slice(j, j + 1), target.shape, target.dtype, 1.0)[0]
            trees = iter(inputs.trees([*zeros[:i], unit, *zeros[i + 1 :]]))
            tangents = [next(trees) if p in places else None for p in range(len(args))]
            _, moved = jvp(f, args, tangents)
            for column, t in zip(columns, Outputs(caller, moved).leaves, strict=True):
                column.append(t)
        for k, leaf in enumerate(outputs.leaves):
            shape = (*leaf.shape, *target.shape)
            block = stack(columns[k], axis=-1) if columns[k] else np.zeros(shape)
            blocks[k].append(reshape(block, shape))
    return blocks


# ----------------------------------------------------------------- unit directions


def _parts(n: int, widest: int) -> Iterator[slice]:
    """Yield slices of the unit directions whose lanes fit into memory together."""
    step = max(1, LANE_ENTRIES // max(widest, 1))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def _units(
    part: slice, shape: tuple[int, ...], dtype: np.dtype[Any], unit: complex
) -> Array:
    """Return some of the arrays that are ``unit`` at one place and 0 elsewhere."""
    size = int(np.prod(shape, dtype=int))
    units = np.zeros((part.stop - part.start, size), dtype)
    lanes = np.arange(part.stop - part.start)
    units[lanes, lanes + part.start] = unit if dtype.kind == "c" else 1.0
    return units.reshape(-1, *shape)
