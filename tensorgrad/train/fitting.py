"""The trainer: shuffled mini-batches, one optimiser, what happened, the best of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad._typing import Array, Rng
from tensorgrad.core.modes import no_grad
from tensorgrad.data.augmentation import Augmented
from tensorgrad.data.rows import Rows
from tensorgrad.errors import ArgumentError, explain
from tensorgrad.nn.module import Module
from tensorgrad.nn.scaling import learn_scaling
from tensorgrad.optim import Adam
from tensorgrad.serial.tree_file import check_target
from tensorgrad.train.checkpoint import Checkpoint, as_checkpoint, make_writer
from tensorgrad.train.compiled_step import choose_step
from tensorgrad.train.epoch import run_epoch
from tensorgrad.train.evaluation import evaluate
from tensorgrad.train.history import History
from tensorgrad.train.job import Job
from tensorgrad.train.precision import model_dtype, warn_of_wide_data
from tensorgrad.train.progress import make_progress
from tensorgrad.train.settings import BATCH_SIZE, EPOCHS, LEARNING_RATE
from tensorgrad.train.steps import Plan
from tensorgrad.train.stopping import EarlyStopping, as_stopping
from tensorgrad.train.targets import Loss, check_examples, choose_loss, label_rows
from tensorgrad.train.threads import blas_threads, choose_threads, limited_threads

__all__ = ["check_part", "fit"]


# size: the design fixes the signature, and each argument is documented
# size: a fixed signature
def fit(
    model: Module,
    train: tuple[Any, Any] | Augmented,
    dev: tuple[Any, Any] | None = None,
    *,
    loss: str | Loss | None = None,
    optimizer: Any = None,
    epochs: int = EPOCHS,
    batch_size: int = BATCH_SIZE,
    lam: float = 0.0,
    standardise: bool = False,
    early_stopping: int | EarlyStopping | None = None,
    checkpoint: str | Path | Checkpoint | None = None,
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
        Each is an array; a memory-mapped one, a path to a ``.npy`` file or a folder of
        them, or an object with a length and slices is read a block at a time, and
        memory does not grow with it. Floats wider than the model's are converted, with
        a warning. ``train`` may be what `tg.data.augment` returns.
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
    early_stopping : int, epochs, or EarlyStopping, optional
        Stop when the dev loss has not fallen for so many epochs, and give the model the
        parameters of the best epoch, bit for bit. Needs ``dev``.
    checkpoint : path or Checkpoint, optional
        Written after each epoch and every minute within it, atomically. If it exists,
        training goes on from it, bit for bit as if it had not stopped, on as many BLAS
        threads as it began with. Only ``epochs`` and the patience of early stopping may
        differ from those of the training that wrote it.
    rng : seed or Generator
        Order of the examples, and dropout.
    progress : bool
        A bar where tqdm is installed, lines of text elsewhere.
    compile : "auto" or bool
        Whether a step (cost, gradient and update) is captured once for each size of
        batch and then runs as one program, in C where there is a compiler. "auto" does
        so if layers, loss and optimiser are of this package, and so the same at every
        call. True takes your word for yours: what they do besides computing happens
        once. False records the graph of each batch. See `tg.compile`.

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
    CaptureError
        With ``compile=True``, if the step branches on data, or a module changes.

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
    stopping = as_stopping(early_stopping)
    saving = as_checkpoint(checkpoint)
    _check_arguments(epochs, batch_size, lam, stopping, dev, compile)
    _check_optimizer(optimizer)
    file = None if saving is None else check_target("fit: checkpoint", saving.path)
    compute, loss_name = choose_loss(model, loss)
    augmented = train if isinstance(train, Augmented) else None
    pair: Any = train if augmented is None else (augmented.x, augmented.y)
    x, y, form = check_part("fit", model, pair, loss_name)
    if dev is not None:
        dev = check_part("fit: dev", model, dev, loss_name)[:2]
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
        "augmented": None if augmented is None else augmented.seed,
        "dev examples": None if dev is None else len(dev[0]),
        "min_delta of early stopping": None if stopping is None else stopping.min_delta,
        "compile": compile,
    }
    job.threads = choose_threads(_largest_product(model, batch_size), blas_threads())
    if file is not None and file.exists():
        job.restore(file)
    # From here on the model changes: whatever can be refused has been.
    if scaling is not None:
        model.scaling = scaling  # type: ignore[attr-defined]  # learn_scaling looked
    plan = Plan(x, y, form, compute, lam, batch_size, dtype, augmented)
    step = choose_step(job, plan, loss_name, compiled=compile)
    write = _nothing if file is None else partial(job.store, file)
    every_s = inf if saving is None else saving.every_s
    with (
        limited_threads(job.threads),
        make_progress(epochs, enabled=progress) as report,
    ):
        if job.threads is not None:
            report.note(f"BLAS threads: {job.threads}")
        for epoch in range(len(job.history.train_loss), epochs):
            if stopping is not None and stopping.is_over(job.history):
                break
            run_epoch(job, plan, step, make_writer(every_s, write))
            if not epoch:
                report.note(step.told)
            if dev is not None:
                _measure(job, dev, loss, stopping)
            report.update(epoch + 1, _figures(job.history, lam))
            write()
    job.finish()
    job.history.stopped_early = len(job.history.train_loss) < epochs
    return job.history


def _nothing() -> None:
    """Write no checkpoint."""


def _measure(
    job: Job,
    dev: tuple[Any, Any],
    loss: str | Loss | None,
    stopping: EarlyStopping | None,
) -> None:
    """Measure the dev set, and keep the parameters if they are the best so far."""
    history = job.history
    value, rate = evaluate(job.model, *dev, loss=loss)
    is_best = stopping is not None and stopping.is_better(value, history)
    history.dev_loss.append(value)
    if rate is not None:
        history.dev_error.append(rate)
    if is_best:
        job.best = job.copies()
        history.best_epoch = len(history.dev_loss) - 1
        history.best_step = job.n_steps


def _figures(history: History, lam: float) -> dict[str, float]:
    # With a penalty it is not to be compared with the loss of the dev set.
    figures = {"train cost" if lam else "train loss": history.train_loss[-1]}
    if history.dev_loss:
        figures["dev loss"] = history.dev_loss[-1]
    if history.dev_error:
        figures["dev error"] = history.dev_error[-1]
    return figures


def check_part(
    caller: str, model: Module, pair: Any, loss_name: str | None
) -> tuple[Rows, Rows, Callable[[Array], Array]]:
    """Return examples, labels, and what makes a batch of these fit the loss."""
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
        shape = model(np.asarray(x[:1])).shape[1:]
    return x, *label_rows(caller, y, loss_name, shape)


def _largest_product(model: Module, batch_size: int) -> int:
    """Return the multiplications of the largest product with a weight."""
    sizes = [t.size for t in model.parameters().values() if t.ndim >= 2]
    return batch_size * max(sizes, default=0)


def _check_arguments(
    epochs: int,
    batch_size: int,
    lam: float,
    stopping: EarlyStopping | None,
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
            stopping is None or dev is not None,
            "early_stopping without a dev set",
            "data to stop by: dev=(x, y)",
        ),
        (
            compiled == "auto" or isinstance(compiled, bool),
            f"compile={compiled!r}",
            "'auto', True or False",
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
