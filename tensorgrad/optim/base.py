"""What all optimisers do: check trees, apply a rule to each leaf, remember a state.

`Optimizer.init` and `Optimizer.update` are pure. `Optimizer.step` is a shell around
them that owns a state, and may therefore write to it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import FrozenInstanceError
from functools import partial
from itertools import repeat
from typing import Any, ClassVar, cast

import numpy as np

from tensorgrad._typing import Array, Tree
from tensorgrad.core.aval import Aval
from tensorgrad.core.node import Leaf, Node
from tensorgrad.core.tensor import Tensor, wrap
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, explain
from tensorgrad.ops import TABLE
from tensorgrad.optim.clipping import clip_by_global_norm, clip_by_value
from tensorgrad.optim.kernels import Kernel, run
from tensorgrad.optim.memory import Known, Memory, copy_state
from tensorgrad.optim.schedules import (
    Rate,
    check_given,
    check_number,
    check_rate,
    rate_at,
)
from tensorgrad.tree import (
    Structure,
    assign_leaves,
    check_same_paths,
    flatten,
    set_value,
    unflatten,
)

__all__ = ["Optimizer"]

STEP = "step"


class Optimizer(ABC):
    """Base of the optimisers; a subclass adds its constants and its rule.

    The constants cannot be changed; `dataclasses.replace` makes another optimiser.
    The state of `step` is the one thing that an optimiser object remembers.
    """

    slot_names: ClassVar[tuple[str, ...]] = ()
    """What the rule remembers of each parameter, one array each."""

    lr: Rate
    clip_norm: float | None
    clip_value: float | None
    _memory: Memory

    def __post_init__(self) -> None:
        """Check the constants that all optimisers have."""
        name = type(self).__name__
        self._keep("lr", check_rate(name, self.lr))
        for limit in ("clip_norm", "clip_value"):
            value = getattr(self, limit)
            if value is not None:
                self._keep(limit, check_number(name, limit, value))
        self._keep("_memory", Memory())

    def _keep(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "state" and name in self.__dict__:
            raise FrozenInstanceError(
                explain(
                    "changing an optimiser",
                    f"a new value for {name}",
                    "constants that stay",
                    f"Make another one: dataclasses.replace(opt, {name}=...)",
                )
            )
        super().__setattr__(name, value)

    def __getstate__(self) -> dict[str, Any]:
        # A copy goes on from the same state, with Tensors of its own.
        return {**vars(self), "_memory": self.state}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            self._keep(name, value)
        self._keep("_memory", Memory())
        self._memory.preset(copy_state(state["_memory"]))

    # -------------------------------------------------------------- the pure part

    def slots(self) -> tuple[str, ...]:
        """Return the names of what the rule remembers of each parameter.

        Examples
        --------
        >>> import tensorgrad as tg
        >>> tg.optim.Adam(0.1).slots()
        ('m', 'v')
        """
        return self.slot_names

    @abstractmethod
    def shared_kernel(self, lr: float, step: int) -> Kernel | None:
        """Return the update of one flat array; ``step`` counts from 1.

        None means that the update depends on the path: then `kernel_for` is asked.
        """

    def kernel_for(self, path: str, lr: float, step: int) -> Kernel:
        """Return the update of the parameter at a path; by default the shared one."""
        return cast("Kernel", self.shared_kernel(lr, step))

    @abstractmethod
    def formula_for(self, path: str) -> Any:
        """Return the rule for the parameter at a path, as a graph can record it.

        A function of parameter, gradient, slots, rate and step that returns the new
        parameter and the new slots.
        """

    def init(self, params: Tree) -> dict[str, Any]:
        """Return the state before the first update.

        Parameters
        ----------
        params : tree of arrays and Tensors
            A module, or nested containers.

        Returns
        -------
        dict
            ``step``, the number of updates so far (0-d integer array), and trees in
            the structure of ``params`` with zeros, one for each name in `slots`.

        Raises
        ------
        DTypeError
            If a parameter is not of floating or complex dtype.
        ArgumentError
            If one Tensor is found under two paths.

        Examples
        --------
        >>> import numpy as np, tensorgrad as tg
        >>> tg.optim.SGD(0.1, momentum=0.9).init({"w": np.ones(2)})
        {'step': array(0), 'velocity': {'w': array([0., 0.])}}
        """
        found, structure = flatten(params)
        _check_parameters(type(self).__name__, found, list(structure.paths()))
        state: dict[str, Any] = {STEP: np.array(0)}
        for name in self.slots():
            state[name] = unflatten(structure, [_zeros(leaf) for leaf in found])
        return state

    def update(
        self,
        grads: Tree,
        state: dict[str, Any],
        params: Tree,
        *,
        lr: float | Array | None = None,
    ) -> tuple[Tree, dict[str, Any]]:
        """Return new parameters and the new state; nothing that is given changes.

        Parameters
        ----------
        grads : tree of arrays, shapes of ``params``
            Containers may be of other types; the paths are compared.
        state : dict
            From `init`, from the update before, or from a file.
        params : tree of arrays and Tensors
        lr : float or 0-d array, optional
            The rate of this update instead of the optimiser's own; an argument of a
            compiled step, so that a schedule needs no program for each rate.

        Returns
        -------
        new_params : tree in the structure of ``params``
            Where a Tensor was, a new leaf of the same name; dtypes stay.
        new_state : dict

        Raises
        ------
        ArgumentError
            If the trees or the state do not fit each other.
        ShapeError
            If a gradient or a part of the state has another shape than its parameter.
        DTypeError
            If a gradient is complex and its parameter is not.

        Notes
        -----
        If a gradient is a Tensor (``create_graph=True``), the update is recorded and
        can be differentiated.

        For complex parameters the conjugate of the gradient is subtracted: the
        gradient of a real function is ∂f/∂x - i ∂f/∂y, the direction of steepest
        ascent is its conjugate. Moments are kept of real and imaginary part.

        Examples
        --------
        >>> import numpy as np, tensorgrad as tg
        >>> opt = tg.optim.SGD(0.5)
        >>> params = {"w": np.array([1.0, 2.0])}
        >>> new, state = opt.update({"w": np.array([1.0, 0.0])}, opt.init(params), params)
        >>> new
        {'w': array([0.5, 2. ])}
        """
        found, structure = flatten(params)
        self._check_parameters(found, structure)
        slopes = self._checked_gradients(grads, found, structure)
        done, columns = self._checked_state(state, found, structure)
        rate = rate_at(self.lr, done) if lr is None else check_given(lr)
        new, columns = self._advance(found, slopes, (done, columns, rate), structure)
        leaves = [
            _like_leaf(value, leaf) for value, leaf in zip(new, found, strict=True)
        ]
        return (
            unflatten(structure, leaves),
            self._tree_of(done + 1, columns, structure),
        )

    def _advance(
        self,
        found: list[Any],
        slopes: list[Any],
        memory: tuple[Any, list[list[Any]], Any],
        structure: Structure,
        *,
        in_place: bool = False,
    ) -> tuple[list[Any], list[list[Any]]]:
        """Return the values of the new parameters, and the new slots."""
        done, columns, lr = memory
        slopes = self._clipped(slopes)
        rows = zip(*columns, strict=True) if columns else [()] * len(found)
        # A recorded gradient, or rate, makes the update part of the graph.
        is_recorded = any(isinstance(part, Tensor) for part in (lr, *slopes))
        move = _recorded_move if is_recorded else _move
        where = (found, structure)
        movers = self._movers(lr, done + 1, where, is_recorded=is_recorded)
        moved = [
            move(mover, p, g, slots, in_place=in_place)
            for mover, p, g, slots in zip(movers, found, slopes, rows, strict=True)
        ]
        new_columns = [[slots[i] for _, slots in moved] for i in range(len(columns))]
        return [p for p, _ in moved], new_columns

    def _movers(
        self,
        lr: Any,
        step: Any,
        parts: tuple[list[Any], Structure],
        *,
        is_recorded: bool,
    ) -> list[Any]:
        """Return the kernel, or the formula, of each parameter."""
        found, structure = parts
        shared = self.shared_kernel(lr, step) if not is_recorded else None
        if shared is not None:
            return [shared] * len(found)
        paths = structure.paths()
        if is_recorded:
            return [
                partial(self.formula_for(path), lr=_rate_for(lr, p), step=step)
                for path, p in zip(paths, found, strict=True)
            ]
        return [self.kernel_for(path, lr, step) for path in paths]

    def _clipped(self, slopes: list[Any]) -> list[Any]:
        """Limit the gradients: each entry first, then their common norm."""
        if self.clip_value is not None:
            slopes = clip_by_value(slopes, self.clip_value)
        if self.clip_norm is not None:
            slopes = clip_by_global_norm(slopes, self.clip_norm)
        return slopes

    def _tree_of(
        self, done: Any, columns: list[list[Any]], structure: Structure
    ) -> dict[str, Any]:
        """Return a state in the form in which it is handed out."""
        step = done if isinstance(done, Tensor) else np.array(done)
        slots = zip(self.slots(), columns, strict=True)
        return {STEP: step} | {name: unflatten(structure, c) for name, c in slots}

    # ------------------------------------------------------------------- the shell

    def step(self, params: Tree, grads: Tree) -> Tree:
        """Update parameters by their gradients, remembering the state in between.

        Parameters
        ----------
        params : tree of arrays and Tensors
        grads : tree of arrays, shapes of ``params``

        Returns
        -------
        The tree: Tensors and modules are the same objects with new values, arrays are
        new

        Raises
        ------
        As `update`; nothing has been changed then.

        Notes
        -----
        Each tree has a state of its own. A tree of Tensors is recognised by these
        Tensors, as long as they live. Arrays come back new every time, so a tree with
        arrays is recognised by its paths, shapes and dtypes: two such trees that look
        alike need two optimisers, or `update`.

        Examples
        --------
        >>> import numpy as np, tensorgrad as tg
        >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
        >>> opt = tg.optim.SGD(0.5)
        >>> params = opt.step({"w": w}, {"w": np.array([1.0, 0.0])})
        >>> w.numpy(), params["w"] is w
        (array([0.5, 2. ]), True)
        """
        if self.clip_norm is None and self.clip_value is None:
            known = self._memory.known(params, grads)
            if known is not None:
                self._step_known(known)
                return params
        found, structure = flatten(params)
        entry = self._memory.entry(found, structure)
        if entry.is_new:
            self._check_parameters(found, structure)
        if entry.state is not None:
            done, columns = self._checked_state(entry.state, found, structure)
        elif entry.is_new:
            done, columns = 0, [[_zeros(leaf) for leaf in found] for _ in self.slots()]
        else:
            done, columns = entry.done, entry.columns
        slopes = self._checked_gradients(grads, found, structure)
        # What the shell changes is no part of a graph, even if its gradients are.
        slopes = [_value_of(g) for g in slopes]
        _check_leaves(type(self).__name__, found, structure)
        memory = (done, columns, rate_at(self.lr, done))
        new, columns = self._advance(found, slopes, memory, structure, in_place=True)
        updated = assign_leaves(params, new, (found, structure))
        hollow = entry.structure or _without_leaves(structure)
        self._memory.store(entry, (done + 1, columns, hollow))
        return updated

    def _step_known(self, known: Known) -> None:
        """Step a tree of which everything has been checked: what a small net needs."""
        done, columns, structure = known.kept
        lr = rate_at(self.lr, done)
        where = (known.tensors, structure)
        movers = self._movers(lr, done + 1, where, is_recorded=False)
        rows = zip(*columns, strict=True) if columns else repeat(())
        moved = [
            run(kernel, t._value, g, slots, in_place=True)
            for kernel, t, g, slots in zip(  # noqa: B905  # rows may have no end
                movers, known.tensors, known.slopes, rows
            )
        ]
        for t, (value, _) in zip(known.tensors, moved, strict=True):
            set_value(t, value)
        columns = [[slots[i] for _, slots in moved] for i in range(len(columns))]
        self._memory.advance(known, columns)

    @property
    def state(self) -> dict[str, Any] | None:
        """The state of the tree that `step` updated last, as a copy; None before.

        Set it to resume: the next `step` goes on from there.
        """
        current = self._memory.current()
        if current is None or isinstance(current, dict):
            return copy_state(current)
        return copy_state(self._tree_of(*current))

    @state.setter
    def state(self, state: dict[str, Any] | None) -> None:
        self._memory.preset(copy_state(state))

    # ------------------------------------------------------------------------ checks

    def _check_parameters(self, found: list[Any], structure: Structure) -> None:
        _check_parameters(type(self).__name__, found, list(structure.paths()))

    def _checked_gradients(
        self, grads: Tree, found: list[Any], structure: Structure
    ) -> list[Any]:
        """Return the gradients as arrays of the parameters' shapes."""
        caller = type(self).__name__
        slopes, its_structure = flatten(grads)
        if structure != its_structure:
            check_same_paths(structure, its_structure, f"{caller}: params and grads")
        for i, (g, p) in enumerate(zip(slopes, found, strict=True)):
            value = p._value if type(p) is Tensor else np.asarray(p)
            if type(g) is not np.ndarray and not isinstance(g, Tensor):
                g = slopes[i] = np.asarray(g)  # noqa: PLW2901
            if g.shape != value.shape or g.dtype is not value.dtype:
                _check_gradient(caller, g, value, list(structure.paths())[i])
        return slopes

    def _checked_state(
        self, state: Any, found: list[Any], structure: Structure
    ) -> tuple[Any, list[list[Any]]]:
        """Return the step and the leaves of each slot, after a look at everything."""
        caller = type(self).__name__
        wanted = (STEP, *self.slots())
        if not isinstance(state, dict) or set(state) != set(wanted):
            came = list(state) if isinstance(state, dict) else type(state).__name__
            raise ArgumentError(
                explain(
                    caller,
                    f"a state of {came}",
                    f"{list(wanted)}",
                    "Start from opt.init(params), or load what this optimiser saved",
                )
            )
        paths = list(structure.paths())
        columns = []
        for name in self.slots():
            leaves, its_structure = flatten(state[name])
            check_same_paths(structure, its_structure, f"{caller}: state[{name!r}]")
            for leaf, p, path in zip(leaves, found, paths, strict=True):
                _check_slot(caller, f"{name}.{path}" if path else name, leaf, p)
            columns.append(leaves)
        step = state[STEP]
        return step if isinstance(step, Tensor) else int(step), columns


# --------------------------------------------------------------------- one leaf


def _move(
    kernel: Kernel, p: Any, g: Array, slots: Sequence[Array], *, in_place: bool
) -> tuple[Array, Sequence[Array]]:
    """Return the new value and slots of one parameter, by the kernel."""
    value = _value_of(p)
    if g.dtype is not value.dtype:
        g = g.astype(value.dtype, copy=False)
    if value.dtype.kind == "c":
        g = g.conj()
    return run(kernel, value, g, slots, in_place=in_place)


def _value_of(leaf: Any) -> Array:
    """Return the array of a leaf; abstract Tensors have none, and raise."""
    if type(leaf) is Tensor and type(leaf._value) is np.ndarray:
        return leaf._value
    return leaf._concrete("an update") if isinstance(leaf, Tensor) else np.asarray(leaf)


def _recorded_move(
    formula: Any, p: Any, g: Any, slots: Sequence[Any], *, in_place: bool
) -> tuple[Any, list[Any]]:
    """Return the new value and slots of one parameter, by the recorded formula."""
    if np.result_type(p.dtype).kind == "c":
        raise DTypeError(
            explain(
                "recording an update",
                "a complex parameter",
                "real parameters",
                "Pass gradients as arrays: tg.gradients(..., create_graph=False)",
            )
        )
    wanted = _slot_dtype(p)
    wide = [TABLE["astype"](a, wanted) if a.dtype != wanted else a for a in (p, g)]
    new_p, new_slots = formula(*wide, slots)
    narrow = [
        new if new.dtype == old.dtype else TABLE["astype"](new, old.dtype)
        for new, old in zip((new_p, *new_slots), (p, *slots), strict=True)
    ]
    return narrow[0], narrow[1:]


def _rate_for(lr: Any, p: Any) -> Any:
    """Return a recorded rate in the dtype of an update, which it would widen."""
    wanted = _slot_dtype(p)
    is_weak = not isinstance(lr, (Tensor, np.ndarray)) or lr.dtype == wanted
    return lr if is_weak else TABLE["astype"](lr, wanted)


def _without_leaves(structure: Structure) -> Structure:
    """Return a structure that keeps no Tensor of the tree alive."""
    return flatten(unflatten(structure, [0.0] * structure.n_leaves))[1]


def _zeros(leaf: Any) -> Any:
    if isinstance(leaf, Tensor) and isinstance(leaf._value, Aval):
        return np.zeros(leaf.shape, _slot_dtype(leaf))
    value = leaf._value if isinstance(leaf, Tensor) else np.asarray(leaf)
    return np.zeros_like(value, dtype=_slot_dtype(value), subok=False)


def _slot_dtype(p: Any) -> np.dtype[Any]:
    """float16 is too narrow for squares of gradients: what is remembered is wider."""
    return np.dtype(np.float32) if p.dtype == np.float16 else p.dtype


def _like_leaf(value: Any, leaf: Any) -> Any:
    if isinstance(leaf, Tensor) and not isinstance(value, Tensor):
        return wrap(value, Leaf(requires_grad=leaf.requires_grad, name=leaf.name))
    return value


# -------------------------------------------------------------------------- checks


def _check_parameters(caller: str, found: list[Any], paths: list[str]) -> None:
    seen: dict[int, str] = {}
    for leaf, path in zip(found, paths, strict=True):
        dtype = leaf.dtype if isinstance(leaf, Tensor) else np.asarray(leaf).dtype
        if dtype.kind not in "fc":
            raise DTypeError(
                explain(
                    caller,
                    f"the parameter {path or repr(leaf)} of dtype {dtype}",
                    "floating or complex numbers",
                    "Convert it, or leave it out of the tree",
                )
            )
        first = seen.setdefault(id(leaf), path)
        if first != path and isinstance(leaf, Tensor):
            raise ArgumentError(
                explain(
                    caller,
                    f"{first} and {path} are the same Tensor",
                    "one path for each parameter, else it gets two updates",
                    "Keep a shared Tensor in one place of the tree, and use it twice",
                )
            )


def _check_gradient(caller: str, g: Any, p: Any, path: str) -> None:
    name = f"the gradient of {path}" if path else "the gradient"
    if g.shape != p.shape:
        raise ShapeError(
            explain(
                f"{caller}.update",
                f"{name} has shape {g.shape}",
                f"the parameter's shape {p.shape}",
                "Check that the gradient belongs to this parameter",
            )
        )
    if g.dtype.kind not in ("biufc" if p.dtype.kind == "c" else "biuf"):
        raise DTypeError(
            explain(
                f"{caller}.update",
                f"{name} has dtype {g.dtype}",
                "real numbers for a real parameter",
                "Differentiate a real function",
            )
        )


def _check_slot(caller: str, path: str, leaf: Any, p: Any) -> None:
    wanted = _slot_dtype(p if isinstance(p, Tensor) else np.asarray(p))
    shape, dtype = np.shape(leaf), getattr(leaf, "dtype", type(leaf).__name__)
    if shape != np.shape(p) or dtype != wanted:
        raise ShapeError(
            explain(
                f"{caller}.update",
                f"{path} of the state has shape {shape} and dtype {dtype}",
                f"shape {np.shape(p)} and dtype {wanted}, as its parameter needs",
                "Use the state that belongs to these parameters, or opt.init(params)",
            )
        )


def _check_leaves(caller: str, found: list[Any], structure: Structure) -> None:
    """Refuse results of ops before anything is written to."""
    for i, leaf in enumerate(found):
        if type(leaf) is Tensor and type(leaf._node) is Node:
            path = list(structure.paths())[i]
            raise ArgumentError(
                explain(
                    f"{caller}.step",
                    f"{path or 'the parameter'} is the result of {leaf._node.op.name}",
                    "a leaf, which keeps its identity",
                    "Pass the parameters themselves, or use opt.update",
                )
            )
