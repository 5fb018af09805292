"""Gradients of recorded Tensors, by explicit targets or on the leaves that ask."""

from __future__ import annotations

from collections.abc import Sequence
from threading import get_ident, main_thread
from typing import Any, Literal, NoReturn

import numpy as np

from tensorgrad._typing import Tree
from tensorgrad.autodiff.reverse import sweep
from tensorgrad.core.aval import Aval
from tensorgrad.core.graph import ancestors
from tensorgrad.core.modes import MODE
from tensorgrad.core.node import AnyNode, Leaf, Node
from tensorgrad.core.tensor import StaleTensor, Tensor, node_of, stale, wrap
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, ShapeError, explain
from tensorgrad.tree import flatten, unflatten

__all__ = ["backward", "finished", "gradients", "is_enclosed", "refuse_target"]

Unused = Literal["raise", "zero", "none"]


def gradients(
    output: Tensor,
    wrt: Tree,
    grad: Any = None,
    create_graph: bool = False,  # noqa: FBT001, FBT002  # fixed signature
    unused: Unused = "raise",
) -> Tree:
    """Return the adjoints of any nodes of the graph that ends in ``output``.

    Parameters
    ----------
    output : Tensor
        What is differentiated; a scalar, unless ``grad`` is given.
    wrt : Tensor, or nested lists, tuples, dicts, modules of Tensors
        Inputs, parameters or intermediates such as ``z[l]``.
    grad : array_like, shape of ``output``, optional
        Cotangent of the output: the result is the adjoint of ``sum(grad * output)``.
    create_graph : bool
        Record the sweep: the adjoints are Tensors that can be differentiated again.
    unused : {"raise", "zero", "none"}
        What a target without a path to the output gets. A path whose derivative is
        zero (through `sign`, say) is a path: it gives zeros.

    Returns
    -------
    Structure of ``wrt`` with arrays (Tensors with ``create_graph``) of the targets'
    shapes and dtypes. Inside a function that is being differentiated the results are
    Tensors too, if they depend on its arguments.

    Raises
    ------
    GraphError
        If a target has no path to the output, or was read as a plain number.
    ShapeError
        If ``output`` is not a scalar and ``grad`` is missing or has another shape.
    DTypeError
        If a target holds integers.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> x = tg.tensor([1.0, 2.0])
    >>> z = x * x
    >>> tg.gradients(z.sum(), {"x": x, "z": z})
    {'x': array([2., 4.]), 'z': array([1., 1.])}
    """
    if type(output) is not Tensor:
        _refuse_output(output)
    if unused not in ("raise", "zero", "none"):
        raise _wrong_unused(unused)
    targets, structure = _targets(wrt)
    if not targets:
        return wrt
    # Abstract values are differentiated by recording: the sweep is part of the program.
    keep = create_graph or type(output._value) is Aval or is_enclosed(output, grad)
    seed = _seed(output, grad, create_graph=keep)
    nodes = [t._node or node_of(t) for t in targets]
    found = sweep(node_of(output), seed, nodes, create_graph=keep)
    results: list[Any] = []
    for node, target in zip(nodes, targets, strict=True):
        adjoint = found.get(node)
        is_found = adjoint is not None or node in found
        if not is_found or (type(node) is Leaf and node.escaped is not None):
            _check_reached(output, targets, nodes, found, unused, structure)
        if type(adjoint) is not np.ndarray or keep:
            is_none = unused == "none" and not is_found
            adjoint = None if is_none else finished(adjoint, target, create_graph=keep)
        results.append(adjoint)
    if not keep:
        _unalias(results, seed, grad)
    return _rebuilt(structure, results)


def is_enclosed(*values: Any) -> bool:
    """Tell whether a transform that is under way records what a value depends on."""
    mode = MODE.get()
    # A thread of a pool does not inherit the depth of the one that waits for it.
    is_outermost = mode.depth == 0 and get_ident() == main_thread().ident
    if is_outermost or not mode.record:
        return False
    roots = [node_of(t) for t in values if isinstance(t, Tensor)]
    return any(type(node) is Leaf and node.traced for node in ancestors(roots))


def _targets(wrt: Tree) -> tuple[list[Tensor], Any]:
    """Return the targets, and what rebuilds their structure: a fast way for flat ones."""
    kind = type(wrt)
    structure: Any
    if kind is Tensor:
        targets, structure = [wrt], Tensor
    elif kind is dict:
        targets, structure = list(wrt.values()), tuple(wrt)
    elif kind is list:
        targets, structure = wrt, list
    else:
        return _flattened(wrt)
    for target in targets:
        if type(target) is not Tensor or target._value.dtype.kind not in "fc":
            return _flattened(wrt)
    return targets, structure


def _flattened(wrt: Tree) -> tuple[list[Tensor], Any]:
    """Return the targets of any tree, each of which is looked at."""
    targets, structure = flatten(wrt)
    for target, path in zip(targets, structure.paths(), strict=True):
        if type(target) is not Tensor or target._value.dtype.kind not in "fc":
            refuse_target(target, path)
    return targets, structure


def _rebuilt(structure: Any, results: list[Any]) -> Tree:
    if structure is Tensor:
        return results[0]
    if structure is list:
        return results
    if type(structure) is tuple:
        return dict(zip(structure, results))  # noqa: B905  # one result a key
    return unflatten(structure, results)


def _refuse_output(output: Any) -> NoReturn:
    if type(output) is StaleTensor:
        raise stale(output)
    raise ArgumentError(
        explain(
            "gradients",
            f"an output of type {type(output).__name__}",
            "a Tensor computed from the targets",
            "Compute it from Tensors; a function of arrays is differentiated by tg.grad",
        )
    )


def _wrong_unused(unused: Any) -> ArgumentError:
    return ArgumentError(
        explain(
            "gradients",
            f"unused={unused!r}",
            "'raise', 'zero' or 'none'",
            "Choose what a target without a path gets",
        )
    )


def refuse_target(target: Any, path: str) -> NoReturn:
    """Raise the error for what can't be a target."""
    named = f" ({path})" if path else ""
    if type(target) is StaleTensor:
        raise stale(target)
    if not isinstance(target, Tensor):
        raise ArgumentError(
            explain(
                "gradients",
                f"a target of type {type(target).__name__}{named}",
                "a Tensor of the graph",
                "Pass the Tensor that the output was computed from",
            )
        )
    raise DTypeError(
        explain(
            "gradients",
            f"a target of dtype {target.dtype}{named}",
            "floating or complex numbers: integers are values without gradient",
            "Convert it before the computation, for example tg.tensor(data, float)",
        )
    )


def _seed(output: Tensor, grad: Any, *, create_graph: bool) -> Any:
    shape = output._value.shape
    if grad is None and not create_graph and shape == ():
        dtype = output._value.dtype
        if dtype.kind in "fc":
            return np.array(1, dtype)
    if output.dtype.kind not in "fc":
        raise DTypeError(
            explain(
                "gradients",
                f"an output of dtype {output.dtype}",
                "floating or complex numbers",
                "Differentiate a quantity that varies continuously",
            )
        )
    if grad is None:
        if output._value.size != 1:
            raise ShapeError(
                explain(
                    "gradients",
                    f"an output of shape {shape} and no grad",
                    "a scalar",
                    "Reduce it (output.sum()), or pass its cotangent as grad=",
                )
            )
        seed: Any = np.ones(shape, output.dtype)
    elif isinstance(grad, Tensor) and create_graph:
        seed = grad
    else:
        # Results may alias the seed (the rule of add hands it on), so it is ours.
        value = grad.numpy() if isinstance(grad, Tensor) else grad
        seed = np.array(value)
        if seed.dtype.kind == "c" and output.dtype.kind != "c":
            raise DTypeError(
                explain(
                    "gradients",
                    f"grad of dtype {seed.dtype} for an output of dtype {output.dtype}",
                    "a real cotangent of a real output",
                    "Pass its real and its imaginary part in turn",
                )
            )
        seed = seed.astype(output.dtype, copy=False)
    if seed.shape != shape:
        raise ShapeError(
            explain(
                "gradients",
                f"grad of shape {seed.shape} for an output of shape {shape}",
                "equal shapes",
                "Broadcast grad to the output's shape",
            )
        )
    return wrap(seed, None) if create_graph and type(seed) is np.ndarray else seed


def _check_reached(
    output: Tensor,
    targets: Sequence[Tensor],
    nodes: Sequence[AnyNode],
    found: dict[AnyNode, Any],
    unused: Unused,
    structure: Any,
) -> None:
    paths = list(flatten(_rebuilt(structure, list(targets)))[1].paths())
    for target, node, path in zip(targets, nodes, paths, strict=True):
        name = target.name or path or f"a target of shape {target.shape}"
        if isinstance(node, Leaf) and node.escaped is not None:
            raise GraphError(
                explain(
                    "gradients",
                    f"{name} was read as a plain value by {node.escaped}",
                    "a target all of whose uses are recorded",
                    "Read it with .item() or .numpy() where no gradient is wanted",
                )
            )
        if unused == "raise" and node not in found:
            raise GraphError(
                explain(
                    "gradients",
                    f"no path leads from {name} to the output "
                    f"({_describe(output)}); this is not a zero gradient",
                    "a target that the output was computed from",
                    "Check that it was not detached or rebuilt, or pass unused='zero'",
                )
            )


def _describe(output: Tensor) -> str:
    node = output._node
    return f"result of {node.op.name}" if isinstance(node, Node) else "a leaf"


def finished(adjoint: Any, target: Tensor, *, create_graph: bool) -> Any:
    """Return an adjoint as the caller gets it; zero where only zero paths lead."""
    if type(adjoint) is np.ndarray and not create_graph:
        return adjoint
    if adjoint is None:
        zeros = np.zeros(target.shape, target.dtype)
        return wrap(zeros, None) if create_graph else zeros
    if create_graph:
        return adjoint if type(adjoint) is Tensor else wrap(np.asarray(adjoint), None)
    if type(adjoint) is Tensor:
        # Under capture even an unrecorded sweep has abstract results.
        return adjoint if isinstance(adjoint._value, Aval) else adjoint._value
    return np.asarray(adjoint)


def _unalias(results: list[Any], *others: Any) -> None:
    """Copy what is shared or handed out twice: results belong to the caller.

    A view of all of a fresh array, as the transpose of a product, is nobody else's.
    """
    seen = {id(other) for other in others}
    for i, result in enumerate(results):
        if type(result) is not np.ndarray:
            continue
        base = result.base
        is_shared = id(result) in seen or not result.flags.writeable
        if base is not None and not is_shared:
            is_whole = type(base) is np.ndarray and base.size == result.size
            is_shared = not is_whole or id(base) in seen
        if is_shared:
            results[i] = result = result.copy(order="K")  # noqa: PLW2901
            base = None
        seen.add(id(result))
        if base is not None:
            seen.add(id(base))


def backward(output: Tensor, grad: Any = None) -> None:
    """Set ``.grad`` on the leaves with ``requires_grad`` that the output depends on.

    Parameters
    ----------
    output : Tensor
        A scalar, unless ``grad`` is given.
    grad : array_like, shape of ``output``, optional
        Cotangent of the output.

    Raises
    ------
    GraphError
        If no leaf with ``requires_grad`` leads to the output.
    ShapeError
        If ``output`` is not a scalar and ``grad`` is missing or has another shape.

    Notes
    -----
    Gradients are set, not added to what was there before. A graph may be swept any
    number of times.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> w.grad
    array([2., 4.])
    """
    if type(output) is not Tensor:
        _refuse_output(output)
    seed = _seed(output, grad, create_graph=False)
    root = node_of(output)
    leaves = [
        node
        for node in ancestors((root,))
        if isinstance(node, Leaf) and node.requires_grad
    ]
    if not leaves:
        raise GraphError(
            explain(
                "backward",
                f"{_describe(output)} that depends on no leaf with requires_grad",
                "at least one",
                "Make the parameters with tg.tensor(data, requires_grad=True)",
            )
        )
    found = sweep(root, seed, leaves, create_graph=False)
    adjoints = [
        None if (a := found[leaf]) is None else np.asarray(a) for leaf in leaves
    ]
    _unalias(adjoints, seed)
    for leaf, adjoint in zip(leaves, adjoints, strict=True):
        leaf.grad = adjoint
