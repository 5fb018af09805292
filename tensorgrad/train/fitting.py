"""The trainer: shuffled mini-batches, one optimiser, what happened, the best of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad._typing import Array, Rng
from tensorgrad.core.modes import no_grad
from tensorgrad.core.tensor import Tensor, as_value
from tensorgrad.data import minibatches
from tensorgrad.errors import ArgumentError, GraphError, ShapeError, explain
from tensorgrad.nn.module import Module
from tensorgrad.nn.penalty import l2_penalty
from tensorgrad.nn.scaling import learn_scaling
from tensorgrad.optim import Adam
from tensorgrad.train.evaluation import evaluate
from tensorgrad.train.history import History
from tensorgrad.train.job import Job
from tensorgrad.train.precision import (
    in_dtype,
    model_dtype,
    warn_of_wide_cost,
    warn_of_wide_data,
)
from tensorgrad.train.progress import make_progress
from tensorgrad.train.settings import BATCH_SIZE, EPOCHS, LEARNING_RATE
from tensorgrad.train.targets import Loss, check_examples, choose_loss, fit_labels
from tensorgrad.train.threads import blas_threads, choose_threads, limited_threads

__all__ = ["fit"]


# size: the design fixes the signature, and each argument is documented
# size: a fixed signature
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
        A memory-mapped x is read a batch at a time. Floats wider than the model's are
        converted, with a warning.
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
        bit for bit as if it had not stopped, on as many BLAS threads as it began with.
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
        If data and model do not fit, or a loss of your own returns no single number.
    GraphError
        If the loss becomes NaN or infinite; the parameters are then those before the
        epoch.
    ArgumentError
        If an argument is out of range, or no loss belongs to the head.
    FileFormatError
        If the checkpoint is damaged, or of another training.

    Notes
    -----
    The same seed gives the same bits on one machine, BLAS build and thread count.
    Where threadpoolctl is installed (the extra ``fast``), small products run on one
    BLAS thread, which is faster; the number is restored at the end.

    The optimiser object is not changed; its state is in the history.

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
    _check_optimizer(optimizer)
    compute, loss_name = choose_loss(model, loss)
    x, y = _check_pair("fit", model, train, loss_name)
    if dev is not None:
        dev = _check_pair("fit: dev", model, dev, loss_name)
    dtype = model_dtype(model)
    warn_of_wide_data(dtype, x=x, y=y)
    scaling = learn_scaling(model, x) if standardise else None
    job = Job(model, Adam(LEARNING_RATE) if optimizer is None else optimizer, rng)
    job.settings = {
        "examples": len(x),
        "batch_size": batch_size,
        "lam": float(lam),
        "loss": loss_name,
        "standardise": bool(standardise),
    }
    job.threads = choose_threads(_largest_product(model, batch_size), blas_threads())
    file = None if checkpoint is None else Path(checkpoint)
    if file is not None and file.exists():
        job.restore(file)
    # From here on the model changes: whatever can be refused has been.
    if scaling is not None:
        model.scaling = scaling  # type: ignore[attr-defined]  # learn_scaling looked
    plan = Plan(x, y, compute, lam, batch_size, dtype)
    with (
        limited_threads(job.threads),
        make_progress(epochs, enabled=progress) as report,
    ):
        if job.threads is not None:
            report.note(f"BLAS threads: {job.threads}")
        for epoch in range(len(job.history.train_loss), epochs):
            if _is_done(job.history, early_stopping):
                break
            _run_epoch(job, plan)
            if dev is not None:
                _measure(job, dev, loss, keeps_best=early_stopping is not None)
            report.update(epoch + 1, _figures(job.history, lam))
            if file is not None:
                job.store(file)
    job.finish()
    job.history.stopped_early = len(job.history.train_loss) < epochs
    return job.history


@dataclass(frozen=True, slots=True)
class Plan:
    """What one epoch goes through."""

    x: Array
    y: Array
    loss: Loss
    lam: float
    batch_size: int
    dtype: np.dtype[Any]


def _run_epoch(job: Job, plan: Plan) -> None:
    """Update the parameters once for each mini-batch."""
    model = job.model
    n = len(plan.x)
    before = job.arrays()
    total = 0.0
    is_first = not job.history.train_loss
    for x, y in minibatches(plan.x, plan.y, plan.batch_size, rng=job.shuffler):
        x, y = in_dtype(x, plan.dtype), in_dtype(y, plan.dtype)  # noqa: PLW2901
        # Read-only arrays that own their data need no guard in the graph.
        x.flags.writeable = y.flags.writeable = False
        cost = plan.loss(model(x, rng=job.dropper), y)
        if plan.lam:
            cost = cost + l2_penalty(model, plan.lam, n)
        value = _checked_cost(cost)
        if not isfinite(value):
            job.assign(before)
            raise _diverged(value, len(job.history.train_loss))
        if is_first:
            warn_of_wide_cost(cost, plan.dtype)
            is_first = False
        total += value * len(x)
        job.step(cost)
    job.history.train_loss.append(total / n)


def _checked_cost(cost: Any) -> float:
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
    is_best = value < min(history.dev_loss, default=inf)
    history.dev_loss.append(value)
    if rate is not None:
        history.dev_error.append(rate)
    if keeps_best and is_best:
        job.best = job.arrays()
        history.best_epoch = len(history.dev_loss) - 1


def _figures(history: History, lam: float) -> dict[str, float]:
    # With a penalty it is not to be compared with the loss of the dev set.
    figures = {"train cost" if lam else "train loss": history.train_loss[-1]}
    if history.dev_loss:
        figures["dev loss"] = history.dev_loss[-1]
    if history.dev_error:
        figures["dev error"] = history.dev_error[-1]
    return figures


def _is_done(history: History, patience: int | None) -> bool:
    if patience is None or not history.dev_loss:
        return False
    return len(history.dev_loss) - 1 - history.best_epoch >= patience


def _check_pair(
    caller: str, model: Module, pair: Any, loss_name: str | None
) -> tuple[Array, Array]:
    """Return examples, and labels as the loss wants them for the model's outputs."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        came = f"a {type(pair).__name__}"
        raise ArgumentError(
            explain(
                caller, came, "a pair (x, y)", "Pass examples and labels in a tuple"
            )
        )
    x, y = check_examples(caller, *pair)
    # The shape of an output is found by computing one.
    with no_grad():
        shape = model(x[:1]).shape[1:]
    return x, fit_labels(caller, y, loss_name, shape)


def _largest_product(model: Module, batch_size: int) -> int:
    """Return the multiplications of the largest product with a weight."""
    sizes = [t.size for t in model.parameters().values() if t.ndim >= 2]
    return batch_size * max(sizes, default=0)


def _check_arguments(
    epochs: int,
    batch_size: int,
    lam: float,
    patience: int | None,
    dev: Any,
    compiled: Any,
) -> None:
    checks = (
        (_is_count(epochs, 0), f"epochs={epochs!r}", "an integer of at least 0"),
        (
            _is_count(batch_size, 1),
            f"batch_size={batch_size!r}",
            "an integer of at least 1",
        ),
        (_is_number(lam), f"lam={lam!r}", "a finite number of at least 0"),
        (
            patience is None or _is_count(patience, 1),
            f"early_stopping={patience!r}",
            "an integer of at least 1, or None",
        ),
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


def _check_optimizer(optimizer: Any) -> None:
    has_parts = callable(getattr(optimizer, "init", None)) and callable(
        getattr(optimizer, "update", None)
    )
    if optimizer is not None and (isinstance(optimizer, type) or not has_parts):
        raise ArgumentError(
            explain(
                "fit",
                f"optimizer={optimizer!r}",
                "an optimiser with init and update, or None for Adam",
                "Make one, for example tg.optim.SGD(0.1)",
            )
        )


def _is_count(value: Any, least: int) -> bool:
    is_integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return is_integer and bool(value >= least)


def _is_number(value: Any) -> bool:
    is_real = isinstance(value, (int, float, np.integer, np.floating))
    return is_real and bool(0 <= value < inf)
