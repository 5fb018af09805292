"""One pass over the training data, a step for each mini-batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.core.tensor import Tensor, as_value
from tensorgrad.data.augmentation import Augmented
from tensorgrad.data.batches import batches_from
from tensorgrad.data.rows import Rows
from tensorgrad.errors import GraphError, ShapeError, explain
from tensorgrad.nn.penalty import l2_penalty
from tensorgrad.train.job import Job
from tensorgrad.train.precision import in_dtype, warn_of_wide_cost
from tensorgrad.train.targets import Loss

__all__ = ["Plan", "run_epoch"]


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


def run_epoch(job: Job, plan: Plan, after_step: Callable[[], object]) -> None:
    """Update the parameters once for each mini-batch that is still to come.

    ``after_step`` is called after each; it may write the state of the training down.
    """
    model, n = job.model, len(plan.x)
    before = job.arrays()
    is_first = not job.history.train_loss and not job.n_done
    job.begin_epoch()
    batches = batches_from(plan.x, plan.y, plan.batch_size, job.shuffler, job.n_done)
    for x, y in batches:
        x, y = _prepared(job, plan, x, y)  # noqa: PLW2901
        cost = plan.loss(model(x, rng=job.dropper), y)
        if plan.lam:
            cost = cost + l2_penalty(model, plan.lam, n)
        value = checked_cost(cost)
        if not isfinite(value):
            job.assign(before)
            raise _diverged(value, len(job.history.train_loss))
        if is_first:
            warn_of_wide_cost(cost, plan.dtype)
            is_first = False
        job.step(cost)
        job.count(value, len(x))
        after_step()
    job.end_epoch(n)


def _prepared(job: Job, plan: Plan, x: Array, y: Array) -> tuple[Array, Array]:
    """Return a batch as the model takes it, transformed if that was asked for."""
    y = plan.form(y)
    if plan.augmented is not None:
        epoch = len(job.history.train_loss)
        x, y = plan.augmented.transformed(x, y, epoch, job.n_done)
    x, y = in_dtype(x, plan.dtype), in_dtype(y, plan.dtype)
    # Read-only arrays that own their data need no guard in the graph.
    x.flags.writeable = y.flags.writeable = False
    return x, y


def checked_cost(cost: Any) -> float:
    """Return the value of the cost, or say why it cannot be minimised."""
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
    return float(as_value(cost))


def _diverged(value: float, epoch: int) -> GraphError:
    return GraphError(
        explain(
            "fit",
            f"the cost became {value} in epoch {epoch + 1}",
            "a finite cost; the parameters are those before the epoch, or where a "
            "checkpoint took it up",
            "Lower the learning rate, clip gradients, or standardise the features",
        )
    )
