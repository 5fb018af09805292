"""One pass over the training data, a step for each mini-batch."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

from tensorgrad._typing import Array
from tensorgrad.data.batches import batches_from
from tensorgrad.errors import GraphError, explain
from tensorgrad.train.job import Job
from tensorgrad.train.steps import Plan, Step

__all__ = ["run_epoch"]


def run_epoch(
    job: Job, plan: Plan, step: Step, after_step: Callable[[], object]
) -> None:
    """Update the parameters once for each mini-batch that is still to come.

    ``after_step`` is called after each; it may write the state of the training down.
    """
    step.begin_epoch()
    job.begin_epoch()
    batches = batches_from(
        plan.x, plan.y, plan.batch_size, job.shuffler, job.n_done, reuse=step.reuses
    )
    for x, y in batches:
        x, y = _prepared(job, plan, x, y)  # noqa: PLW2901
        value = step(x, y)
        if not isfinite(value):
            step.go_back()
            raise _diverged(value, len(job.history.train_loss))
        job.count(value, len(x))
        after_step()
    job.end_epoch(len(plan.x))


def _prepared(job: Job, plan: Plan, x: Array, y: Array) -> tuple[Array, Array]:
    """Return a batch with labels that fit, transformed if that was asked for."""
    y = plan.form(y)
    if plan.augmented is None:
        return x, y
    epoch = len(job.history.train_loss)
    return plan.augmented.transformed(x, y, epoch, job.n_done)


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
