"""Train, measure, save: what the commands ``train`` and ``demo`` have in common."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.cli.model_file import Names, write_model
from tensorgrad.cli.report import counted, facts, say, table
from tensorgrad.cli.sources import Labelled
from tensorgrad.data import split
from tensorgrad.nn import Sequential, mlp
from tensorgrad.optim import SGD, Adam, AdamW, RMSProp
from tensorgrad.train import History, diagnose, error_rate, fit
from tensorgrad.train.settings import BATCH_SIZE, EPOCHS, LEARNING_RATE

__all__ = [
    "OPTIMIZERS",
    "Plan",
    "Trained",
    "prepare",
    "save_trained",
    "show_errors",
    "show_plan",
    "show_saved",
    "train",
]

HIDDEN = "128"
ACTIVATION = "relu"
L2 = 1.0
DROPOUT = 0.0
"""Chosen on the dev parts of the digits, ten splits, one or two layers of 64 and 128,
tanh and relu, lambda from 0 to 3, dropout from 0 to 0.5. The mean dev error of
``tensorgrad train digits --quiet --seed N``, N from 0 to 9, is 2.5 %, and 2.8 % with
``--l2 0``."""

SHOWN_LABELS = 6
SHOWN_LETTERS = 40

OPTIMIZERS: MappingProxyType[str, tuple[Callable[[float], Any], float]] = (
    MappingProxyType(
        {
            "adam": (Adam, LEARNING_RATE),
            "adamw": (AdamW, LEARNING_RATE),
            "rmsprop": (RMSProp, LEARNING_RATE),
            "sgd": (lambda lr: SGD(lr, momentum=0.9), 0.05),
        }
    )
)
"""Makers of optimisers, with the learning rate that is the default for each."""


@dataclass(frozen=True)
class Plan:
    """Everything that decides what a training gives, apart from the data."""

    hidden: tuple[int, ...]
    activation: str = ACTIVATION
    optimizer: str = "adam"
    lr: float | None = None
    epochs: int = EPOCHS
    batch: int = BATCH_SIZE
    l2: float = L2
    dropout: float = DROPOUT
    seed: int = 0
    ratio: float | tuple[float, ...] | None = None
    early_stopping: int | None = None

    @property
    def rate(self) -> float:
        """The learning rate: the one asked for, or the optimiser's default."""
        return OPTIMIZERS[self.optimizer][1] if self.lr is None else self.lr


Parts = tuple[tuple[Array, Array], tuple[Array, Array], tuple[Array, Array]]


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained model, how it went, and its errors on the three parts."""

    model: Sequential
    history: History
    errors: dict[str, float]


def prepare(data: Labelled, plan: Plan) -> tuple[Parts, Sequential]:
    """Split as ``tg.data.split(x, y, rng=seed)`` does, and make the network.

    Its head is softmax for several classes, and a single sigmoid for two.
    """
    parts = split(data.x, data.y, rng=plan.seed, ratio=plan.ratio)
    n_classes = len(data.labels)
    n_out, head = (1, "sigmoid") if n_classes == 2 else (n_classes, "softmax")
    model = mlp(
        [data.x.shape[1], *plan.hidden, n_out],
        [*[plan.activation] * len(plan.hidden), head],
        keep_prob=1 - plan.dropout,
        rng=plan.seed,
    )
    return parts, model


def show_plan(
    data: Labelled, plan: Plan, *, name: str, parts: Parts, model: Sequential
) -> None:
    """Print what is going to happen."""
    counts = [len(x) for x, _ in parts]
    n_batches = -(-counts[0] // plan.batch)
    widths = [str(data.x.shape[1]), *map(str, plan.hidden), str(_n_out(model))]
    names = [*[plan.activation] * len(plan.hidden), str(model.head)]
    n_parameters = sum(t.size for t in model.parameters().values())
    facts(
        data=f"{_short(name)}: {counted(len(data.x), 'row')}, "
        f"{counted(data.x.shape[1], 'column')}, "
        f"{counted(len(data.labels), 'class')} ({_shown(data.labels)})",
        parts=f"{counts[0]} train, {counts[1]} dev, {counts[2]} test (seed {plan.seed})",
        network=f"{'-'.join(widths)}, {', '.join(names)}; {n_parameters:,} parameters",
        training=f"{plan.optimizer}, learning rate {plan.rate:g}, "
        f"{counted(plan.epochs, 'epoch')} of {counted(n_batches, 'batch')}, "
        f"lambda {plan.l2:g}, dropout {plan.dropout:g}",
    )
    missing = sorted(set(range(len(data.labels))) - set(parts[0][1].tolist()))
    if missing:
        name = _short(data.labels[missing[0]])
        facts(note=f"class {name!r} has no example in the train part")


def _n_out(model: Sequential) -> int:
    shape: tuple[int, ...] = list(model.parameters().values())[-1].shape
    return shape[0]


def _shown(labels: tuple[str, ...]) -> str:
    more = ", ..." if len(labels) > SHOWN_LABELS else ""
    return ", ".join(map(_short, labels[:SHOWN_LABELS])) + more


def _short(name: str) -> str:
    return name if len(name) <= SHOWN_LETTERS else f"{name[: SHOWN_LETTERS - 3]}..."


def train(model: Sequential, parts: Parts, plan: Plan, *, progress: bool) -> Trained:
    """Fit the model to the first part, and measure it on all three."""
    first, dev, test = parts
    make_optimizer = OPTIMIZERS[plan.optimizer][0]
    # A training that diverges is reported as such; NumPy's warnings say less.
    with np.errstate(over="ignore", invalid="ignore"):
        history = fit(
            model,
            first,
            dev,
            optimizer=make_optimizer(plan.rate),
            epochs=plan.epochs,
            batch_size=plan.batch,
            lam=plan.l2,
            standardise=True,
            early_stopping=plan.early_stopping,
            rng=plan.seed,
            progress=progress,
        )
    named = {"train": first, "dev": dev, "test": test}
    errors = {name: error_rate(model, *part) for name, part in named.items()}
    return Trained(model, history, errors)


def show_errors(trained: Trained, parts: Parts) -> None:
    """Print the errors of the three parts, and what they mean."""
    rows = [
        [name, str(len(x)), str(round(error * len(x))), f"{error:.2%}"]
        for (name, error), (x, _) in zip(trained.errors.items(), parts, strict=True)
    ]
    table(["part", "rows", "wrong", "error"], rows)
    say()
    found = diagnose(trained.errors["train"], trained.errors["dev"])
    facts(diagnosis=str(found))
    if trained.history.stopped_early:
        epoch = trained.history.best_epoch + 1
        facts(stopped=f"early; the parameters are those of epoch {epoch}")


def save_trained(
    path: Path, trained: Trained, *, data: Labelled, plan: Plan, name: str
) -> None:
    """Save the model with its scaling, its names, and how it was made."""
    names = Names(data.columns, data.labels, data.target)
    about = {
        "data": name,
        "seed": plan.seed,
        "optimizer": plan.optimizer,
        "lr": plan.rate,
        "epochs": len(trained.history.train_loss),
        "errors": trained.errors,
    }
    write_model(path, trained.model, names, about)


def show_saved(path: Path, prog: str, name: str) -> None:
    """Print where the model is, and what to do with it."""
    facts(saved=f"{path} ({path.stat().st_size / 1000:.0f} kB)")
    # Not wrapped: a command is copied.
    say(f"predict with  {prog} predict {shlex.quote(str(path))} {shlex.quote(name)}")
