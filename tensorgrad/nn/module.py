"""Modules: functions with parameters, which are trees.

Theory
------
A module is data and one function. Its data are the fields that ``__init__`` sets; its
function is ``__call__``. Nothing is registered: what a field holds says what it is.

    a Tensor                        a parameter: trained, saved
    a plain array                   a buffer: saved, not trained
    a module                        a child
    a list, tuple or dict           looked into, entry by entry
    anything else                   static: sizes, names, functions

So a module is a tree whose leaves are its parameters, and everything that works on
trees (`tg.grad`, optimisers, files) works on modules. `tree_children` returns the
fields that hold a parameter or a child, with everything else left out (in a list or
tuple None keeps the place, so that the second layer is ``layers.1`` whatever stands
before it). `tree_rebuild` makes a new module whose static fields and buffers are
those of the old one.

A rebuilt module need not hold Tensors. `tg.grad(loss)(model)` is a module of plain
arrays; asking "what is a parameter?" by type would take all of them for buffers. A
rebuilt module therefore remembers the paths of its parameters, in `_parameter_paths`.
A module that a user made has None there and is asked by type, so that fields may be
set after ``__init__``. One consequence: a Tensor that is put into a rebuilt module by
hand, in a place where no parameter was, is static. Rebuilt modules are results, not
places to build in.

A Tensor that two fields share would be two leaves, and an optimiser would apply two
updates to it, each from half of the gradient or both from all of it, depending on how
the gradient was computed. That is refused by `parameters` and by the optimisers; a
shared weight lives in one field and is used twice in ``__call__``.

Randomness is an argument: a module keeps no generator. A seed becomes one generator
at the outermost call, since two dropout layers that each start from the same seed
would draw the same mask. ``__init_subclass__`` wraps ``__call__`` for this reason
alone. A call without `rng` is inference.

`trace` observes a call. Layers with weights number themselves in the order in which
they are called, l = 1 … L, and report their input and z[l]. What layer l + 1 is given
is, by definition, what layer l passed on: a[l], after activation and dropout,
wherever these were computed. This needs no knowledge of the module's structure and is
right for every chain of layers. In a net with branches a[l] is the input of layer
l + 1, which need not come from layer l alone.

Doubt: the walk does not look for cycles. A module that refers to its own parent is
not a tree, and recurses until Python stops it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, ClassVar, Self

import numpy as np

from tensorgrad._typing import Array, Rng
from tensorgrad.core.tensor import Tensor, tensor
from tensorgrad.errors import ArgumentError, explain
from tensorgrad.nn.arguments import check_dtype, make_generator
from tensorgrad.nn.penalty import is_bias
from tensorgrad.tree import PathDict, flatten, map_leaves

__all__ = ["Module", "Trace", "current_trace", "title"]


class Trace:
    """What happened in one call of a module, by layer.

    Attributes
    ----------
    z : dict from int to Tensor
        ``z[l]``, shape (examples, features of layer l): before the activation.
    a : dict from int to Tensor
        ``a[l]``: what layer l passes on, after activation and dropout; ``a[0]`` is
        what the first layer is given, ``a[L]`` what the module returns.
    mask : dict from int to ndarray of bool
        ``mask[l]``, shape of ``a[l]``: the entries that dropout keeps. Only where
        dropout is on.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> model = tg.nn.mlp([3, 2, 1], ["tanh", "sigmoid"], rng=0)
    >>> trace = model.trace([[1.0, 2.0, 3.0]])
    >>> trace.z[1].shape, trace.a[2].shape
    ((1, 2), (1, 1))
    """

    __slots__ = ("a", "mask", "z")

    def __init__(self) -> None:
        self.z: dict[int, Tensor] = {}
        self.a: dict[int, Any] = {}
        self.mask: dict[int, Array] = {}

    def __repr__(self) -> str:
        shapes = ", ".join(f"{number}: {z.shape}" for number, z in self.z.items())
        return f"Trace(z={{{shapes}}}, mask={sorted(self.mask)})"

    def enter(self, x: Any) -> None:
        """Note the input of the next layer: what the one before passes on."""
        self.a[len(self.z)] = x

    def note_sum(self, z: Tensor) -> None:
        """Note the weighted sum of the layer that was entered."""
        self.z[len(self.z) + 1] = z

    def note_mask(self, mask: Array) -> None:
        """Note the mask of the layer that came last; two in a row keep what both keep."""
        number = len(self.z)
        before = self.mask.get(number)
        self.mask[number] = mask if before is None else before & mask


_TRACE: ContextVar[Trace | None] = ContextVar("tensorgrad_trace", default=None)


def current_trace() -> Trace | None:
    """Return the trace that a layer reports to, or None if nobody watches.

    Examples
    --------
    >>> current_trace() is None
    True
    """
    return _TRACE.get()


class Module:
    """Base of layers and models: subclass it, set fields, define ``__call__``.

    ``__init__`` sets fields: Tensors are parameters, plain arrays are buffers (saved,
    not trained), modules and containers of them are children, the rest is static.
    ``__call__(self, x, rng=None)`` computes; without ``rng`` it is inference.

    Attributes
    ----------
    weight_names : tuple of str or None
        Class attribute: which of the module's own parameters an L2 penalty shrinks,
        by their paths in the module. None means: all but those whose last name,
        indices apart, begins with ``b``.

    Notes
    -----
    `copy.copy` of a module shares its Tensors, `copy.deepcopy` copies them.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> class Scale(tg.nn.Module):
    ...     def __init__(self):
    ...         self.w = tg.tensor([1.0, 2.0], requires_grad=True)
    ...     def __call__(self, x, rng=None):
    ...         return x * self.w
    >>> model = Scale()
    >>> tg.grad(lambda m: m([3.0, 4.0]).sum())(model).w
    array([3., 4.])
    """

    # A slot, so that the bookkeeping is no field.
    __slots__ = ("__dict__", "__weakref__", "_parameter_paths")

    _parameter_paths: frozenset[str] | None
    weight_names: ClassVar[tuple[str, ...] | None] = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make the object; subclasses need not call ``super().__init__``."""
        module = super().__new__(cls)
        object.__setattr__(module, "_parameter_paths", None)
        return module

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__call__" in cls.__dict__:
            cls.__call__ = _with_generator(cls.__call__)  # type: ignore[method-assign]

    def __call__(self, x: Any, rng: Rng = None) -> Any:
        """Compute the outputs for examples in rows; with ``rng`` in training mode."""
        raise ArgumentError(
            explain(
                "calling a module",
                f"{type(self).__name__}, which does not define __call__",
                "a method __call__(self, x, rng=None)",
                "Define it in the subclass",
            )
        )

    # ------------------------------------------------------------------ as a tree

    def tree_children(self) -> dict[str, Any]:
        """Return the fields that hold parameters or children, the rest left out."""
        pruned = {
            name: self._prune(value, name) for name, value in _fields(self).items()
        }
        return {name: child for name, child in pruned.items() if _holds(child)}

    def tree_rebuild(self, children: dict[str, Any]) -> Self:
        """Return a new module with these children; its other fields are this one's."""
        cls = type(self)
        rebuilt = cls.__new__(cls)
        paths: set[str] = set()
        for name, value in _fields(self).items():
            paths.update(path for path, _ in self._own(value, name))
            child = children.get(name)
            grafted = self._graft(value, child, name) if name in children else value
            object.__setattr__(rebuilt, name, grafted)
        object.__setattr__(rebuilt, "_parameter_paths", frozenset(paths))
        return rebuilt

    def tree_buffers(self) -> dict[str, Array]:
        """Return the module's own buffers by path, without those of its children."""
        return {
            path: value
            for name, field in _fields(self).items()
            for path, value in _entries(field, name)
            if isinstance(value, np.ndarray) and not self._is_parameter(path, value)
        }

    def tree_set_buffers(self, values: dict[str, Array]) -> None:
        """Replace own buffers, given by path; arrays that others hold are not written."""
        for name, field in _fields(self).items():
            replaced = _replace(field, name, values)
            if replaced is not field:
                object.__setattr__(self, name, replaced)

    def tree_spec(self) -> dict[str, Any] | None:
        """Return a description to rebuild the module from, or None if there is none."""
        return None

    def _is_parameter(self, path: str, value: Any) -> bool:
        known = self._parameter_paths
        return isinstance(value, Tensor) if known is None else path in known

    def _own(self, value: Any, path: str) -> Iterator[tuple[str, Any]]:
        """Yield the module's own parameters in a field, without those of children."""
        for entry_path, entry in _entries(value, path):
            if self._is_parameter(entry_path, entry):
                yield entry_path, entry

    def _prune(self, value: Any, path: str) -> Any:
        if self._is_parameter(path, value) or _is_child(value):
            return value
        if isinstance(value, dict):
            kept = {k: self._prune(v, f"{path}.{k}") for k, v in value.items()}
            return {k: v for k, v in kept.items() if _holds(v)}
        if isinstance(value, (list, tuple)):
            return [self._prune(v, f"{path}.{i}") for i, v in enumerate(value)]
        return None

    def _graft(self, value: Any, child: Any, path: str) -> Any:
        if self._is_parameter(path, value) or _is_child(value):
            return child
        if child is None:
            return value
        if isinstance(value, dict):
            grafted = {
                k: self._graft(v, child[k], f"{path}.{k}") if k in child else v
                for k, v in value.items()
            }
            return _like(value, grafted)
        if isinstance(value, (list, tuple)):
            pairs = zip(value, child, strict=True)
            return _like(
                value,
                [self._graft(v, c, f"{path}.{i}") for i, (v, c) in enumerate(pairs)],
            )
        return value

    # ----------------------------------------------------------------- parameters

    def parameters(self) -> PathDict:
        """Return the parameters of the module and its children, by path in tree order.

        Raises
        ------
        ArgumentError
            If one Tensor is found under two paths.

        Examples
        --------
        >>> import tensorgrad as tg
        >>> list(tg.nn.mlp([2, 4, 1], ["tanh", "sigmoid"]).parameters())
        ['layers.0.W', 'layers.0.b', 'layers.1.W', 'layers.1.b']
        """
        found, structure = flatten(self)
        named = PathDict(zip(structure.paths(), found, strict=True))
        seen: dict[int, str] = {}
        for path, value in named.items():
            first = seen.setdefault(id(value), path)
            if first != path:
                raise ArgumentError(
                    explain(
                        "listing the parameters of a module",
                        f"{first} and {path} are the same Tensor",
                        "one path for each parameter",
                        "Keep a shared Tensor in one field and use it twice in __call__",
                    )
                )
        return named

    def buffers(self) -> PathDict:
        """Return the buffers of the module and its children, by path in tree order.

        Examples
        --------
        >>> import numpy as np, tensorgrad as tg
        >>> class Shift(tg.nn.Module):
        ...     def __init__(self):
        ...         self.mean = np.array([0.5, 0.0])
        ...     def __call__(self, x, rng=None):
        ...         return x - self.mean
        >>> tg.nn.Sequential(Shift()).buffers()
        {'layers.0.mean': array([0.5, 0. ])}
        """
        return PathDict(
            (_join(prefix, path), value)
            for prefix, module in self._modules()
            for path, value in module.tree_buffers().items()
        )

    def weights(self) -> PathDict:
        """Return the parameters that an L2 penalty shrinks, by path; never biases.

        Examples
        --------
        >>> import tensorgrad as tg
        >>> list(tg.nn.mlp([2, 4, 1], ["tanh", "sigmoid"]).weights())
        ['layers.0.W', 'layers.1.W']
        """
        return PathDict(
            (path, value) for path, value, is_weight in self._roles() if is_weight
        )

    def biases(self) -> PathDict:
        """Return the parameters that an L2 penalty leaves alone, by path.

        Examples
        --------
        >>> import tensorgrad as tg
        >>> list(tg.nn.mlp([2, 4, 1], ["tanh", "sigmoid"]).biases())
        ['layers.0.b', 'layers.1.b']
        """
        return PathDict(
            (path, value) for path, value, is_weight in self._roles() if not is_weight
        )

    def _roles(self) -> Iterator[tuple[str, Any, bool]]:
        """Yield path, value, and whether it is a weight, in tree order."""
        declared: set[str] = set()
        for prefix, module in self._modules():
            names = module.weight_names
            for name, field in _fields(module).items():
                for path, _ in module._own(field, name):
                    if not is_bias(path) if names is None else path in names:
                        declared.add(_join(prefix, path))
        found, structure = flatten(self)
        for path, value in zip(structure.paths(), found, strict=True):
            yield path, value, path in declared

    def _modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield this module and those below it, with their paths."""
        yield prefix, self
        for name, field in _fields(self).items():
            for path, value in _entries(field, name):
                if isinstance(value, Module):
                    yield from value._modules(_join(prefix, path))

    def astype(self, dtype: Any) -> Self:
        """Return a copy whose parameters and real buffers have another dtype.

        Parameters
        ----------
        dtype : dtype
            A floating or complex dtype.

        Raises
        ------
        DTypeError
            If the dtype is neither floating nor complex.

        Examples
        --------
        >>> import numpy as np, tensorgrad as tg
        >>> tg.nn.Dense(3, 2, rng=0).astype(np.float32).W.dtype
        dtype('float32')
        """
        wanted = check_dtype("astype", dtype)
        rebuilt: Self = map_leaves(lambda leaf: _cast(leaf, wanted), self)
        for _, module in rebuilt._modules():
            floating = module.tree_buffers().items()
            module.tree_set_buffers(
                {p: a.astype(wanted) for p, a in floating if a.dtype.kind in "fc"}
            )
            object.__setattr__(module, "_parameter_paths", None)
        return rebuilt

    def trace(self, x: Any, rng: Rng = None) -> Trace:
        """Call the module and return what each layer computed.

        Parameters
        ----------
        x : array_like or Tensor, shape (examples, features)
        rng : seed, Generator or None
            As for a call: None is inference, without masks.

        Returns
        -------
        Trace
            With ``z[l]``, ``a[l]`` and ``mask[l]`` for l = 1 … L, and ``a[0]``.

        Examples
        --------
        >>> import tensorgrad as tg
        >>> model = tg.nn.mlp([2, 4, 1], ["tanh", "sigmoid"])
        >>> model.trace([[1.0, 2.0]]).z[2].shape
        (1, 1)
        """
        record = Trace()
        token = _TRACE.set(record)
        try:
            out = self(x) if rng is None else self(x, rng=rng)
        finally:
            _TRACE.reset(token)
        record.enter(out)
        return record

    def __getstate__(self) -> dict[str, Any]:
        return {"fields": _fields(self), "paths": self._parameter_paths}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Not `setattr`: a subclass may be a frozen dataclass.
        for name, value in state["fields"].items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_parameter_paths", state["paths"])

    def __repr__(self) -> str:
        return summary(self)


def summary(module: Module) -> str:
    """Return a table of the parameters: path, shape, how many, and the total.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> print(summary(tg.nn.Dense(3, 2, "tanh", rng=0)))
    Dense(3 -> 2, tanh)
      W      (2, 3)  6
      b      (2,)    2
      total          8  float64
    """
    found, structure = flatten(module)
    rows = [
        (path, str(np.shape(leaf)), f"{math.prod(np.shape(leaf)):,}", "")
        for path, leaf in zip(structure.paths(), found, strict=True)
    ]
    total = sum(math.prod(np.shape(leaf)) for leaf in found)
    dtypes = dict.fromkeys(str(getattr(leaf, "dtype", "")) for leaf in found)
    rows.append(("total", "", f"{total:,}", ", ".join(dtypes)))
    rows += [
        (path, str(a.shape), "buffer", str(a.dtype))
        for path, a in module.buffers().items()
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [
        f"  {path:<{widths[0]}}  {shape:<{widths[1]}}  {n:>{widths[2]}}  {note}"
        for path, shape, n, note in rows
    ]
    return "\n".join([title(module), *(line.rstrip() for line in lines)])


def title(module: Module) -> str:
    """Return what a module says of itself in a line, or the name of its class.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> title(tg.nn.Dropout(0.8))
    'Dropout(0.8)'
    """
    describe = getattr(module, "describe", None)
    return str(describe()) if describe is not None else type(module).__name__


# ------------------------------------------------------------------------- fields


def _fields(module: Module) -> dict[str, Any]:
    """Return the fields in the order in which they were set; slots come last."""
    found = dict(vars(module))
    for cls in reversed(type(module).__mro__[: -len(Module.__mro__)]):
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(module, name) and not name.startswith("__"):
                found[name] = getattr(module, name)
    return found


def _is_child(value: Any) -> bool:
    return hasattr(value, "tree_children") and not isinstance(value, type)


def _holds(pruned: Any) -> bool:
    """Tell whether anything is left of a pruned field."""
    if isinstance(pruned, dict):
        return any(_holds(v) for v in pruned.values())
    if isinstance(pruned, list):
        return any(_holds(v) for v in pruned)
    return pruned is not None


def _entries(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield what a field holds, containers looked into, with paths."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from _entries(entry, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for i, entry in enumerate(value):
            yield from _entries(entry, f"{path}.{i}")
    else:
        yield path, value


def _like(container: Any, entries: Any) -> Any:
    """Return the entries in a container of the same type."""
    if hasattr(container, "_fields"):
        return type(container)(*entries)
    if isinstance(container, tuple):
        return tuple(entries)
    return entries


def _replace(value: Any, path: str, values: dict[str, Array]) -> Any:
    """Return a field with the entries at some paths replaced; itself if there are none."""
    if path in values:
        return values[path]
    if isinstance(value, dict):
        new: Any = {k: _replace(v, f"{path}.{k}", values) for k, v in value.items()}
        is_same = all(new[k] is v for k, v in value.items())
    elif isinstance(value, (list, tuple)):
        new = [_replace(v, f"{path}.{i}", values) for i, v in enumerate(value)]
        is_same = all(v is w for v, w in zip(new, value, strict=True))
    else:
        return value
    return value if is_same else _like(value, new)


def _join(prefix: str, path: str) -> str:
    return f"{prefix}.{path}" if prefix else path


def _cast(leaf: Any, dtype: np.dtype[Any]) -> Any:
    if isinstance(leaf, Tensor):
        return tensor(leaf, dtype, requires_grad=leaf.requires_grad, name=leaf.name)
    return np.asarray(leaf).astype(dtype)


def _with_generator(call: Callable[..., Any]) -> Callable[..., Any]:
    """Make a seed a generator before a module's layers see it."""

    @functools.wraps(call)
    def call_with_generator(self: Module, *args: Any, **kwargs: Any) -> Any:
        rng = kwargs.get("rng")
        if rng is not None:
            kwargs["rng"] = make_generator(type(self).__name__, rng)
        elif len(args) == 2 and args[1] is not None:
            args = (args[0], make_generator(type(self).__name__, args[1]))
        return call(self, *args, **kwargs)

    return call_with_generator
