"""A step of a training as one compiled program, in memory that it keeps."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.autodiff.transforms import value_and_grad
from tensorgrad.compiler import compile as compile_function
from tensorgrad.core.modes import no_grad
from tensorgrad.core.tensor import as_value
from tensorgrad.errors import CaptureError, TensorgradError, explain
from tensorgrad.nn import to_spec
from tensorgrad.nn.module import Module
from tensorgrad.nn.penalty import l2_penalty
from tensorgrad.optim import SGD, Adam, AdamW, RMSProp
from tensorgrad.optim.base import Optimizer
from tensorgrad.optim.memory import copy_state
from tensorgrad.optim.schedules import rate_at
from tensorgrad.train.job import Job, as_tree
from tensorgrad.train.precision import in_dtype, warn_of_wide_cost
from tensorgrad.train.steps import GraphStep, Plan, Step, check_cost
from tensorgrad.tree import flatten, set_value, unflatten

__all__ = ["CompiledStep", "choose_step"]

OURS = (SGD, RMSProp, Adam, AdamW)
TOLD = {"c": "steps: compiled, C", "numpy": "steps: compiled, NumPy"}


def choose_step(
    job: Job, plan: Plan, loss_name: str | None, *, compiled: str | bool
) -> Step:
    """Return what takes the steps of a training.

    A training that goes on keeps what it began with. A new one is compiled if it is
    asked for, or if all its parts are known to do the same at every call.
    """
    if job.runs_on == "graph" or compiled is False:
        reason = "as asked" if compiled is False else "as before"
    elif compiled == "auto" and job.runs_on is None:
        reason = _why_not(job, plan, loss_name)
    else:
        reason = ""
    if reason:
        job.runs_on = "graph"
        return GraphStep(job, plan, f"steps: on the graph, {reason}")
    return CompiledStep(job, plan, loss_name)


def _why_not(job: Job, plan: Plan, loss_name: str | None) -> str:
    """Say what might do otherwise at the next call than at the one that is captured."""
    for module in modules_of(job.model):
        if not type(module).__module__.startswith("tensorgrad.nn."):
            return f"as {type(module).__name__} might change (compile=True)"
    try:
        to_spec(job.model)
    except TensorgradError:
        return "as a layer of the model has no name (compile=True)"
    if loss_name is None:
        return "as the loss is your own (compile=True)"
    if type(job.optimizer) not in OURS:
        return "as the optimiser is your own (compile=True)"
    tensors = job.named.values()
    is_plain = all(t.requires_grad and t.dtype.kind == "f" for t in tensors)
    if not is_plain or plan.y.dtype.kind == "c":
        return "as numbers are complex or parameters fixed"
    return ""


class CompiledStep:
    """Cost, gradient and update as one program.

    Parameters and optimiser state are donated: each step writes the new ones over the
    old. They are copied when training begins, so that no array of the caller's is
    written to, and are the model's all the time.
    """

    reuses = True

    def __init__(self, job: Job, plan: Plan, loss_name: str | None) -> None:
        self._job = job
        self._plan = plan
        self._loss_name = loss_name
        self._is_first = not job.n_steps
        self._wanted = job.runs_on
        self._keys = keys_of(job)
        self._memory: dict[str, Array] = {}
        self._before: dict[str, Array] = {}
        self._n_outputs = 0
        dtype = plan.dtype
        self._decay = np.asarray(plan.lam / len(plan.x), dtype)
        self._rate = np.zeros((), dtype)
        self._function = compile_function(
            make_program(job, plan),
            donate=(0, 1),
            printer="numpy" if job.runs_on == "numpy" else "auto",
        )

    @property
    def told(self) -> str:
        """What the report says, once there has been a step."""
        return TOLD[self._job.runs_on or "c"]

    def begin_epoch(self) -> None:
        """Copy the parameters, at the first time into memory of their own."""
        job = self._job
        if not self._before:
            self._before = job.copies()
            job.state = copy_state(job.state)
            job.assign(job.copies())
        for path, value in job.arrays().items():
            np.copyto(self._before[path], value)

    def go_back(self) -> None:
        """Give the model the parameters that were noted."""
        self._job.assign(self._before)

    def __call__(self, x: Array, y: Array) -> float:
        """Update the parameters, and return the cost; they are lost if it is infinite."""
        job = self._job
        x, y = self._staged(x, y)
        if self._is_first:
            self._look(x, y)
        rate = self._rate
        if isinstance(job.optimizer, Optimizer):
            rate[...] = rate_at(job.optimizer.lr, int(job.state["step"]))
        tensors = job.named.values()
        params = dict(zip(self._keys, map(as_value, tensors), strict=True))
        cost, new, job.state = self._function(
            params, job.state, x, y, rate, self._decay, job.dropper
        )
        for t, value in zip(tensors, new.values(), strict=True):
            set_value(t, value)
        if self._is_first or job.runs_on != self._function.printer:
            self._note_printer()
        self._is_first = False
        return float(cost)

    def _look(self, x: Array, y: Array) -> None:
        """Compute the first cost on the graph, which says more of what is wrong."""
        job, plan = self._job, self._plan
        cost = plan.cost(job.model, x, y, copy.deepcopy(job.dropper))
        check_cost(cost)
        if isfinite(float(as_value(cost))):
            warn_of_wide_cost(cost, plan.dtype)

    def _note_printer(self) -> None:
        """Note what runs the steps, and say if it is not what ran those before."""
        self._job.runs_on = found = self._function.printer
        if self._wanted not in (None, found):
            text = explain(
                "fit",
                f"a checkpoint of steps that ran as {self._wanted}; here they run as "
                f"{found}",
                "the same compiler, for the same bits",
                "Install one, or accept results that differ in the last digits",
            )
            warnings.warn(text, stacklevel=5)
            self._wanted = None

    # ------------------------------------------------------------------- batches

    def _staged(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return a batch in the dtype of the model, in memory that is used again."""
        dtype = self._plan.dtype
        if self._loss_name is None:
            # A loss or a layer of one's own may want integers.
            return in_dtype(x, dtype), in_dtype(y, dtype)
        if self._loss_name == "cross_entropy" and y.ndim == 1:
            y = self._one_hot(x, y)
        elif self._loss_name != "mse" or y.dtype.kind not in "biu":
            y = self._converted("y", y)
        return self._converted("x", x), y

    def _converted(self, name: str, values: Array) -> Array:
        if values.dtype == self._plan.dtype:
            return values
        out = self._kept(name, values.shape)
        np.copyto(out, values, casting="unsafe")
        return out

    def _one_hot(self, x: Array, y: Array) -> Array:
        if not self._n_outputs:
            with no_grad():
                self._n_outputs = self._job.model(x[:1]).shape[-1]
        out = self._kept("y", (len(y), self._n_outputs))
        out[...] = 0
        out[np.arange(len(y)), y] = 1
        return out

    def _kept(self, name: str, shape: tuple[int, ...]) -> Array:
        """Return memory for a batch: the beginning of what the largest one took."""
        memory = self._memory.get(name)
        if memory is None or len(memory) < shape[0]:
            memory = self._memory[name] = np.empty(shape, self._plan.dtype)
        return memory[: shape[0]]


def make_program(job: Job, plan: Plan) -> Callable[..., Any]:
    """Return the function of parameters, state and batch that is captured.

    It returns the cost, the new parameters and the new state. Rate and λ/n are arguments,
    so that one program serves a schedule and a sweep.
    """
    names = {
        id(t): key for key, t in zip(keys_of(job), job.named.values(), strict=True)
    }
    leaves, structure = flatten(job.model)
    order = [names[id(t)] for t in leaves]
    takes_rate = isinstance(job.optimizer, Optimizer)

    def step(
        params: Any, state: Any, x: Any, y: Any, rate: Any, decay: Any, rng: Any
    ) -> Any:
        def cost_of(params: Any) -> Any:
            model = unflatten(structure, [params[key] for key in order])
            before = _fields_of(model)
            cost = plan.loss(model(x, rng=rng), y)
            _refuse_changes(model, before)
            if plan.lam:
                cost = cost + l2_penalty(model, 1.0, 1) * decay
            return check_cost(cost)

        cost, grads = value_and_grad(cost_of)(params)
        # The optimiser knows parameters by their paths, a program by names.
        tree, slopes = (
            as_tree(dict(zip(job.named, part.values(), strict=True)))
            for part in (params, grads)
        )
        given = {"lr": rate} if takes_rate else {}
        new, state = job.optimizer.update(slopes, state, tree, **given)
        return cost, dict(zip(params, flatten(new)[0], strict=True)), state

    return step


def keys_of(job: Job) -> list[str]:
    """Return a name for each parameter that a program can use."""
    return [path.replace(".", "_") for path in job.named]


def modules_of(value: Any) -> Iterator[Module]:
    """Yield a module and all those in its fields."""
    if isinstance(value, Module):
        yield value
        value = vars(value)
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from modules_of(part)


def _fields_of(model: Any) -> list[dict[str, Any]]:
    return [dict(vars(module)) for module in modules_of(model)]


def _refuse_changes(model: Any, before: list[dict[str, Any]]) -> None:
    """Raise if a module changed while it computed: a program would not repeat it."""
    for module, old in zip(modules_of(model), before, strict=False):
        new = vars(module)
        changed = [k for k in new if k not in old or new[k] is not old[k]]
        if changed:
            raise CaptureError(
                explain(
                    "fit with compile=True",
                    f"{type(module).__name__} sets its field {changed[0]} when called",
                    "modules whose calls change nothing, since a program is captured once",
                    "Leave compile at 'auto', which runs such a model on the graph",
                )
            )
