"""A step on the graph, and what every kind of step has in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any, Protocol

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.core.tensor import Tensor, as_value
from tensorgrad.data.augmentation import Augmented
from tensorgrad.data.rows import Rows
from tensorgrad.errors import ShapeError, explain
from tensorgrad.nn.penalty import l2_penalty
from tensorgrad.train.job import Job
from tensorgrad.train.precision import in_dtype, warn_of_wide_cost
from tensorgrad.train.targets import Loss

__all__ = ["GraphStep", "Plan", "Step", "check_cost"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What an epoch goes through.

    ``form`` makes a batch of labels fit the loss; ``augmented`` transforms batches.
    """

    x: Rows
    y: Rows
    form: Callable[[Array], Array]
    loss: Loss
    lam: float
    batch_size: int
    dtype: np.dtype[Any]
    augmented: Augmented | None = None

    def cost(self, model: Any, x: Any, y: Any, rng: Any) -> Any:
        """Return the cost of a batch, dropout being driven by the generator."""
        cost = self.loss(model(x, rng=rng), y)
        return cost + l2_penalty(model, self.lam, len(self.x)) if self.lam else cost


class Step(Protocol):
    """One update of a training's parameters; returns the cost before it.

    ``reuses`` tells whether batches may be handed over in memory that the next ones
    take; ``told`` is for the report.
    """

    reuses: bool

    @property
    def told(self) -> str:
        """What the report says of these steps."""

    def begin_epoch(self) -> None:
        """Note the parameters, to be had again should the cost become infinite."""

    def go_back(self) -> None:
        """Give the model the parameters that `begin_epoch` noted."""

    def __call__(self, x: Array, y: Array) -> float:
        """Update the parameters by a batch."""


class GraphStep:
    """Record the graph of each batch, differentiate it, and forget it."""

    reuses = False

    def __init__(self, job: Job, plan: Plan, told: str) -> None:
        self.told = told
        self._job = job
        self._plan = plan
        self._before: dict[str, Array] = {}
        self._is_first = not job.n_steps

    def begin_epoch(self) -> None:
        """Note the parameters, which are replaced and never written: no copies."""
        self._before = self._job.arrays()

    def go_back(self) -> None:
        """Give the model the parameters that were noted."""
        self._job.assign(self._before)

    def __call__(self, x: Array, y: Array) -> float:
        """Update the parameters unless the cost is NaN or infinite."""
        job, plan = self._job, self._plan
        x, y = in_dtype(x, plan.dtype), in_dtype(y, plan.dtype)
        # Read-only arrays that own their data need no guard in the graph.
        x.flags.writeable = y.flags.writeable = False
        cost = check_cost(plan.cost(job.model, x, y, job.dropper))
        value = float(as_value(cost))
        if isfinite(value):
            if self._is_first:
                warn_of_wide_cost(cost, plan.dtype)
                self._is_first = False
            job.step(cost)
        return value


def check_cost(cost: Any) -> Tensor:
    """Return the cost, or say why it cannot be minimised."""
    if not isinstance(cost, Tensor) or cost.shape != ():
        came = f"shape {cost.shape}" if hasattr(cost, "shape") else repr(cost)
        raise ShapeError(
            explain(
                "fit",
                f"the loss returned a {type(cost).__name__} of {came}",
                "one number, computed from the prediction: a Tensor of shape ()",
                "Average over the examples, and use tg's functions or NumPy's",
            )
        )
    return cost
