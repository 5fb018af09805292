"""The trainer: shuffled mini-batches, one optimiser, what happened, the best of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from tensorgrad._typing import Array, Rng
from tensorgrad.autodiff.transforms import gradients
from tensorgrad.core.modes import no_grad
from tensorgrad.core.tensor import as_value
from tensorgrad.data import minibatches
from tensorgrad.errors import ArgumentError, GraphError, explain
from tensorgrad.nn.module import Module
from tensorgrad.nn.penalty import l2_penalty
from tensorgrad.nn.scaling import learn_scaling
from tensorgrad.optim import Adam
from tensorgrad.train.evaluation import evaluate
from tensorgrad.train.history import History
from tensorgrad.train.job import Job
from tensorgrad.train.progress import make_progress
from tensorgrad.train.targets import Loss, check_examples, choose_loss, fit_labels

__all__ = ["fit"]

EPOCHS = 60
BATCH_SIZE = 32
LEARNING_RATE = 1e-3


def fit(
    model: Module,
    train: tuple[Any, Any],
    dev: tuple[Any, Any] | None = None,
    *,
    loss: str | Loss | None = None,
    optimizer: Any = None,
    epochs: int = EPOCHS,
    batch_size: int = BATCH_SIZE,
    lam: float = 0.0,
    standardise: bool = False,
    early_stopping: int | None = None,
    checkpoint: str | Path | None = None,
    rng: Rng = 0,
    progress: bool = True,
    compile: str | bool = "auto",  # noqa: A002  # fixed signature
) -> History:
    """Train a model in place.

    Parameters
    ----------
    model : Module
        Its parameters get new values and keep their identity.
    train, dev : tuple (x, y)
        x of shape (examples, features), y of shape (examples,) or (examples, outputs).
        A memory-mapped x is read a batch at a time.
    loss : str or callable, optional
        "cross_entropy", "log_loss", "mse", or a function of (prediction, labels). By
        default the head decides.
    optimizer : optimiser, optional
        By default ``Adam(1e-3)``.
    epochs : int
    batch_size : int, examples
    lam : float
        λ of the penalty λ/(2n) Σ ‖W‖², n being the number of training examples in every
        batch, so that the mean of the batches' gradients is the gradient of the whole.
    standardise : bool
        Learn each feature's mean and spread on the training part; the model applies
        them to whatever it gets, and they are saved with it.
    early_stopping : int, epochs, optional
        Stop when the dev loss has not fallen for so many epochs, and give the model the
        parameters of the best epoch. Needs ``dev``.
    checkpoint : path, optional
        Written after each epoch, atomically. If it exists, training goes on from it,
        bit for bit as if it had not stopped.
    rng : seed or Generator
        Order of the examples, and dropout.
    progress : bool
        A bar where tqdm is installed, lines of text elsewhere.
    compile : "auto" or False
        Whether steps may be compiled; in this version each step runs on the graph.

    Returns
    -------
    History

    Raises
    ------
    DataError
        If there is NaN or infinity in the data, or a label outside the classes.
    ShapeError
        If data and model do not fit.
    GraphError
        If the loss becomes NaN or infinite; the parameters are then those before the
        epoch.
    ArgumentError
        If an argument is out of range.

    Notes
    -----
    The same seed gives the same bits on one machine, BLAS build and thread count.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> x, y = tg.data.load("breast_cancer")
    >>> train, dev, test = tg.data.split(x, y)
    >>> model = tg.nn.mlp([30, 8, 1], ["tanh", "sigmoid"], rng=0)
    >>> history = fit(model, train, dev, epochs=20, standardise=True, progress=False)
    >>> tg.train.error_rate(model, *test) < 0.1
    True
    """
    _check_arguments(epochs, batch_size, lam, early_stopping, dev, compile)
    x, y = check_examples("fit", *train)
    compute, loss_name = choose_loss(model, loss)
    if standardise:
        learn_scaling(model, x)
    y = fit_labels("fit", y, loss_name, _output_shape(model, x))
    if dev is not None:
        dev = check_examples("fit", *dev)
    job = Job(model, optimizer or Adam(LEARNING_RATE), rng)
    plan = Plan(x, y, compute, lam, batch_size)
    if checkpoint is not None and Path(checkpoint).exists():
        job.restore(Path(checkpoint))
    history = job.history
    with make_progress(epochs, enabled=progress) as report:
        for epoch in range(len(history.train_loss), epochs):
            if _is_done(history, early_stopping):
                break
            _run_epoch(job, plan)
            if dev is not None:
                _measure(job, dev, loss, keeps_best=early_stopping is not None)
            report.update(epoch + 1, _figures(history))
            if checkpoint is not None:
                job.store(Path(checkpoint))
    history.stopped_early = len(history.train_loss) < epochs
    job.finish()
    return history


@dataclass(frozen=True, slots=True)
class Plan:
    """What one epoch goes through."""

    x: Array
    y: Array
    loss: Loss
    lam: float
    batch_size: int


def _run_epoch(job: Job, plan: Plan) -> None:
    """Update the parameters once for each mini-batch."""
    model = job.model
    n = len(plan.x)
    before = job.arrays()
    total = 0.0
    batches = minibatches(plan.x, plan.y, plan.batch_size, rng=job.shuffler)
    for x, y in batches:
        _freeze(x)
        cost = plan.loss(model(x, rng=job.dropper), y)
        if plan.lam:
            cost = cost + l2_penalty(model, plan.lam, n)
        value = float(as_value(cost))
        if not isfinite(value):
            job.assign(before)
            raise _diverged(value, len(job.history.train_loss))
        total += value * len(x)
        job.step(gradients(cost, job.parameters))
    job.history.train_loss.append(total / n)


def _freeze(batch: Array) -> None:
    """A read-only array that owns its data needs no guard in the graph."""
    if batch.flags.owndata:
        batch.flags.writeable = False


def _diverged(value: float, epoch: int) -> GraphError:
    return GraphError(
        explain(
            "fit",
            f"the cost became {value} in epoch {epoch + 1}",
            "a finite cost; the parameters are those before the epoch",
            "Lower the learning rate, clip gradients, or standardise the features",
        )
    )


def _measure(
    job: Job, dev: tuple[Any, Any], loss: str | Loss | None, *, keeps_best: bool
) -> None:
    """Measure the dev set, and keep the parameters if they are the best so far."""
    history = job.history
    value, rate = evaluate(job.model, *dev, loss=loss)
    history.dev_loss.append(value)
    if rate is not None:
        history.dev_error.append(rate)
    if keeps_best and value <= min(history.dev_loss):
        job.best = job.arrays()
        history.best_epoch = len(history.dev_loss) - 1


def _figures(history: History) -> dict[str, float]:
    figures = {"train loss": history.train_loss[-1]}
    if history.dev_loss:
        figures["dev loss"] = history.dev_loss[-1]
    if history.dev_error:
        figures["dev error"] = history.dev_error[-1]
    return figures


def _is_done(history: History, patience: int | None) -> bool:
    if patience is None or not history.dev_loss:
        return False
    return len(history.dev_loss) - 1 - history.best_epoch >= patience


def _output_shape(model: Module, x: Array) -> tuple[int, ...]:
    """Return the shape of one example's output, found by running one example."""
    with no_grad():
        out = model(x[:1])
    shape: tuple[int, ...] = out.shape[1:]
    return shape


def _check_arguments(
    epochs: int,
    batch_size: int,
    lam: float,
    patience: int | None,
    dev: Any,
    compiled: str | bool,
) -> None:
    checks = (
        (epochs >= 0, f"epochs={epochs}", "at least 0"),
        (batch_size >= 1, f"batch_size={batch_size}", "at least 1"),
        (lam >= 0, f"lam={lam}", "at least 0"),
        (patience is None or patience >= 1, f"early_stopping={patience}", "at least 1"),
        (
            patience is None or dev is not None,
            "early_stopping without a dev set",
            "data to stop by: dev=(x, y)",
        ),
        (
            compiled == "auto" or compiled is False,
            f"compile={compiled!r}",
            "'auto' or False",
        ),
    )
    for is_right, came, expected in checks:
        if not is_right:
            raise ArgumentError(explain("fit", came, expected, "Correct the argument"))
