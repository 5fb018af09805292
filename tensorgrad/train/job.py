"""A training under way: what changes from step to step, and its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad._typing import Array, Rng
from tensorgrad.core.tensor import Tensor
from tensorgrad.errors import FileFormatError, explain
from tensorgrad.nn.module import Module
from tensorgrad.serial import read, save
from tensorgrad.train.history import History
from tensorgrad.tree import PathDict, assign, flatten, unflatten

__all__ = ["Job"]

_FORMAT = "tensorgrad training 1"


class Job:
    """Parameters, optimiser state, generators and history of one training."""

    __slots__ = (
        "best",
        "dropper",
        "history",
        "model",
        "optimizer",
        "parameters",
        "shuffler",
        "state",
    )

    def __init__(self, model: Module, optimizer: Any, rng: Rng) -> None:
        self.model = model
        self.optimizer = optimizer
        self.parameters: dict[str, Tensor] = model.parameters()
        self.state = optimizer.init(self.arrays())
        # Two streams, so that adding dropout does not change the order of examples.
        self.shuffler, self.dropper = np.random.default_rng(rng).spawn(2)
        self.history = History()
        self.best: dict[str, Array] | None = None

    def arrays(self) -> PathDict:
        """Return the parameters' values; they are never written, so no copies."""
        return PathDict((path, t.numpy()) for path, t in self.parameters.items())

    def assign(self, arrays: dict[str, Array]) -> None:
        """Give the parameters new values."""
        for path, t in self.parameters.items():
            assign(t, arrays[path])

    def step(self, grads: dict[str, Array]) -> None:
        """Take one step of the optimiser."""
        arrays, self.state = self.optimizer.update(grads, self.state, self.arrays())
        self.assign(arrays)

    def finish(self) -> None:
        """Give the model the best parameters, if any were kept, and fill the history."""
        history = self.history
        if self.best is not None:
            self.assign(self.best)
        else:
            history.best_epoch = len(history.train_loss) - 1
        history.state = {"optimizer": self.state, **self._generators()}

    def _generators(self) -> dict[str, str]:
        return {
            name: json.dumps(getattr(self, name).bit_generator.state)
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
        }
        figures = {
            name: getattr(history, name)
            for name in ("train_loss", "dev_loss", "dev_error", "best_epoch")
        }
        metadata = {"format": _FORMAT, "history": figures, **self._generators()}
        save(path, tree, metadata=metadata)

    def restore(self, path: Path) -> None:
        """Continue from a file that `store` wrote for the same model and optimiser."""
        arrays, metadata = read(path)
        if metadata.get("format") != _FORMAT:
            raise FileFormatError(
                explain(
                    "fit",
                    f"checkpoint={str(path)!r}, which is no checkpoint of a training",
                    "a file that fit wrote, or none",
                    "Name another file, or remove this one to start afresh",
                )
            )
        parts: dict[str, dict[str, Array]] = {
            "parameters": {},
            "optimizer": {},
            "best": {},
        }
        for name, array in arrays.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = array
        self._check(parts, path)
        found, structure = flatten(self.state)
        leaves = [parts["optimizer"][str(i)] for i in range(len(found))]
        self.state = unflatten(
            structure,
            [
                new if isinstance(old, np.ndarray) else type(old)(new.item())
                for old, new in zip(found, leaves, strict=True)
            ],
        )
        self.assign(parts["parameters"])
        self.best = parts["best"] or None
        for name in ("shuffler", "dropper"):
            getattr(self, name).bit_generator.state = json.loads(metadata[name])
        for name, value in metadata["history"].items():
            setattr(self.history, name, value)

    def _check(self, parts: dict[str, dict[str, Array]], path: Path) -> None:
        expected = {name: t.shape for name, t in self.parameters.items()}
        came = {name: a.shape for name, a in parts["parameters"].items()}
        n_state = len(flatten(self.state)[0])
        if came != expected or len(parts["optimizer"]) != n_state:
            differing = sorted(
                name
                for name in {*expected, *came}
                if expected.get(name) != came.get(name)
            )
            raise FileFormatError(
                explain(
                    "fit",
                    f"checkpoint={str(path)!r} of another training (differing: "
                    f"{differing[:3] or 'the optimiser state'})",
                    "the model and optimiser that wrote it",
                    "Use the same model and optimiser, or remove the file",
                )
            )


def as_tree(arrays: dict[str, Array]) -> dict[str, Any]:
    """Nest a dict of paths, since a key of a tree may not contain a dot."""
    tree: dict[str, Any] = {}
    for path, array in arrays.items():
        *outer, last = path.split(".")
        at = tree
        for key in outer:
            at = at.setdefault(key, {})
        at[last] = array
    return tree
