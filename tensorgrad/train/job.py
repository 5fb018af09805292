"""A training under way: what changes from step to step, and its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad._typing import Array, Rng
from tensorgrad.autodiff.gradients import gradients
from tensorgrad.core.tensor import Tensor, as_value
from tensorgrad.errors import FileFormatError, explain
from tensorgrad.nn.arguments import make_generator
from tensorgrad.nn.module import Module
from tensorgrad.serial import read, save
from tensorgrad.train.history import History
from tensorgrad.tree import assign, flatten, unflatten

__all__ = ["Job", "as_tree"]

_FORMAT = "tensorgrad training 3"
_FIGURES = ("train_loss", "dev_loss", "dev_error")


class Job:
    """Parameters, optimiser state, generators and history of one training.

    ``settings`` are numbers and names that a continued training has to share with the
    one that was interrupted; ``threads`` it takes over, and ``runs_on``: "graph",
    "numpy" or "c".
    """

    __slots__ = (
        "best",
        "dropper",
        "epoch_start",
        "history",
        "model",
        "n_done",
        "n_steps",
        "named",
        "optimizer",
        "params",
        "runs_on",
        "settings",
        "shuffler",
        "state",
        "threads",
        "total",
    )

    def __init__(self, model: Module, optimizer: Any, rng: Rng) -> None:
        self.model = model
        self.named: dict[str, Tensor] = model.parameters()
        self.params = as_tree(self.named)
        self.optimizer = optimizer
        self.state = optimizer.init(self.params)
        # Two streams, so that adding dropout does not change the order of examples.
        self.shuffler, self.dropper = make_generator("fit", rng).spawn(2)
        self.history = History()
        self.best: dict[str, Array] | None = None
        self.settings: dict[str, Any] = {}
        self.threads: int | None = None
        self.runs_on: str | None = None
        self.n_steps = 0
        # Of the epoch under way: steps done, the sum of their costs, and where the
        # shuffler stood when it began, from which its order can be had again.
        self.n_done = 0
        self.total = 0.0
        self.epoch_start: dict[str, Any] | None = None

    def arrays(self) -> dict[str, Array]:
        """Return the parameters' values by path; a compiled step writes over them."""
        return {path: as_value(t) for path, t in self.named.items()}

    def copies(self) -> dict[str, Array]:
        """Return the parameters' values by path, as they are now and will stay."""
        return {path: value.copy() for path, value in self.arrays().items()}

    def assign(self, arrays: dict[str, Array]) -> None:
        """Give the parameters new values."""
        for path, t in self.named.items():
            assign(t, arrays[path])

    def step(self, cost: Tensor) -> None:
        """Take one step of the optimiser down the gradient of the cost."""
        grads = gradients(cost, self.params)
        values = as_tree(self.arrays())
        new, self.state = self.optimizer.update(grads, self.state, values)
        for t, value in zip(self.named.values(), flatten(new)[0], strict=True):
            assign(t, value)

    def begin_epoch(self) -> None:
        """Note where the shuffler stands, or put it back there to go on."""
        if self.epoch_start is None:
            self.epoch_start = dict(self.shuffler.bit_generator.state)
        else:
            self.shuffler.bit_generator.state = self.epoch_start

    def count(self, value: float, n_examples: int) -> None:
        """Note a step and its cost."""
        self.n_done += 1
        self.n_steps += 1
        self.total += value * n_examples

    def end_epoch(self, n: int) -> None:
        """Put the mean cost of the epoch into the history."""
        self.history.train_loss.append(self.total / n)
        self.n_done, self.total, self.epoch_start = 0, 0.0, None

    def finish(self) -> None:
        """Give the model the best parameters, if any were kept, and fill the history."""
        history = self.history
        if self.best is not None:
            self.assign(self.best)
        else:
            history.best_epoch = len(history.train_loss) - 1
            history.best_step = self.n_steps
        history.state = {"optimizer": self.state, **self._generators()}

    def _generators(self) -> dict[str, str]:
        return {
            name: _as_json(getattr(self, name).bit_generator.state)
            for name in ("shuffler", "dropper")
        }

    # --------------------------------------------------------------------- the file

    def store(self, path: Path) -> None:
        """Write everything that the rest of the training depends on, atomically."""
        history = self.history
        tree = {
            "parameters": as_tree(self.arrays()),
            "optimizer": flatten(self.state)[0],
            "best": as_tree(self.best or {}),
            # As arrays: JSON has no infinity.
            "history": {name: np.array(getattr(history, name)) for name in _FIGURES},
        }
        metadata = {
            "format": _FORMAT,
            "settings": self.settings,
            "threads": self.threads,
            "runs_on": self.runs_on,
            "best_epoch": history.best_epoch,
            "best_step": history.best_step,
            "n_steps": self.n_steps,
            "n_done": self.n_done,
            "total": self.total,
            "epoch_start": _as_json(self.epoch_start),
            **self._generators(),
        }
        save(path, tree, metadata)

    def restore(self, path: Path) -> None:
        """Continue from a file that `store` wrote for the same training.

        Raises
        ------
        FileFormatError
            If the file is damaged, or of another training; nothing is changed then.
        """
        content = read(path)
        metadata = content.metadata
        if metadata.get("format") != _FORMAT:
            raise FileFormatError(
                explain(
                    "fit",
                    f"checkpoint={str(path)!r}, which is no checkpoint of a training",
                    "a file that fit wrote, or none",
                    "Name another file, or remove this one to start afresh",
                )
            )
        parts = _parts(content.arrays)
        self._check(parts, metadata, path)
        found, structure = flatten(self.state)
        saved = [parts["optimizer"][str(i)] for i in range(len(found))]
        leaves = [
            new if isinstance(old, np.ndarray) else type(old)(new.item())
            for old, new in zip(found, saved, strict=True)
        ]
        self.state = unflatten(structure, leaves)
        self.assign(parts["parameters"])
        self.best = parts["best"] or None
        for name in ("shuffler", "dropper"):
            getattr(self, name).bit_generator.state = json.loads(metadata[name])
        for name in _FIGURES:
            setattr(self.history, name, parts["history"][name].tolist())
        self.history.best_epoch = metadata["best_epoch"]
        self.history.best_step = metadata["best_step"]
        self.n_steps, self.n_done = metadata["n_steps"], metadata["n_done"]
        self.total = metadata["total"]
        self.epoch_start = json.loads(metadata["epoch_start"])
        self.threads = metadata["threads"]
        self.runs_on = metadata["runs_on"]

    def _check(
        self, parts: dict[str, dict[str, Array]], metadata: dict[str, Any], path: Path
    ) -> None:
        """Refuse the file of another training, saying what differs."""
        saved = metadata.get("settings", {})
        state = {
            str(i): np.asarray(leaf) for i, leaf in enumerate(flatten(self.state)[0])
        }
        wanted = [("parameters", self.arrays()), ("optimizer", state)]
        if parts["best"]:
            wanted.append(("best", self.arrays()))
        differing = [
            f"{name}: {saved.get(name)} there, {value} here"
            for name, value in self.settings.items()
            if saved.get(name) != value
        ]
        for part, arrays in wanted:
            here = {name: (a.shape, a.dtype) for name, a in arrays.items()}
            there = {name: (a.shape, a.dtype) for name, a in parts[part].items()}
            names = sorted(here.keys() | there.keys())
            differing += [
                f"{part}.{name}" for name in names if here.get(name) != there.get(name)
            ]
        if differing:
            raise FileFormatError(
                explain(
                    "fit",
                    f"checkpoint={str(path)!r} of another training "
                    f"({'; '.join(differing[:3])})",
                    "the data, model and optimiser that wrote it",
                    "Use the same ones, or remove the file to start afresh",
                )
            )


def _as_json(state: Any) -> str:
    """Write the state of a generator; some kinds hold arrays of integers."""
    return json.dumps(state, default=np.ndarray.tolist)


def _parts(arrays: dict[str, Array]) -> dict[str, dict[str, Array]]:
    parts: dict[str, dict[str, Array]] = {
        name: {} for name in ("parameters", "optimizer", "best", "history")
    }
    for name, array in arrays.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = array
    return parts


def as_tree(named: dict[str, Any]) -> dict[str, Any]:
    """Nest a dict of paths, since a key of a tree may not contain a dot."""
    tree: dict[str, Any] = {}
    for path, leaf in named.items():
        *outer, last = path.split(".")
        at = tree
        for key in outer:
            at = at.setdefault(key, {})
        at[last] = leaf
    return tree
