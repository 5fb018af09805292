"""The λ-sweep of the notes, section 5: train for each λ, choose by the dev set."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tensorgrad.errors import ArgumentError, explain
from tensorgrad.nn.module import Module
from tensorgrad.train.evaluation import evaluate
from tensorgrad.train.fitting import fit

__all__ = ["SweepResult", "sweep"]


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What a sweep over λ found.

    Attributes
    ----------
    lams : tuple of float
    train_scores, dev_scores : tuple of float
        Error rate for each λ; the loss for a regression.
    best_lam : float
        The λ with the lowest dev score; the larger one in a tie.
    model : Module
        Trained with the best λ.
    """

    lams: tuple[float, ...]
    train_scores: tuple[float, ...]
    dev_scores: tuple[float, ...]
    best_lam: float
    model: Module

    def __str__(self) -> str:
        rows = [f"{'lambda':>10}  {'train':>8}  {'dev':>8}"]
        for lam, train, dev in zip(
            self.lams, self.train_scores, self.dev_scores, strict=True
        ):
            mark = "  <- best" if lam == self.best_lam else ""
            rows.append(f"{lam:>10.4g}  {train:>8.4f}  {dev:>8.4f}{mark}")
        return "\n".join(rows)


def sweep(
    model: Module,
    train: tuple[Any, Any],
    dev: tuple[Any, Any],
    lams: Sequence[float],
    **options: Any,
) -> SweepResult:
    """Train a copy of the model for each λ and choose the best by the dev set.

    Parameters
    ----------
    model : Module
        Where each training starts; it is left as it is.
    train, dev : tuple (x, y)
    lams : sequence of float
    **options
        Passed to `fit`.

    Returns
    -------
    SweepResult

    Raises
    ------
    ArgumentError
        If there is no λ.

    References
    ----------
    Notes, section 5, steps i to v. The test set is for the chosen model alone.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> train, dev, test = tg.data.split(*tg.data.load("breast_cancer"))
    >>> model = tg.nn.mlp([30, 1], ["sigmoid"], rng=0)
    >>> found = sweep(model, train, dev, [0.0, 1.0], epochs=5, standardise=True,
    ...               progress=False)
    >>> len(found.dev_scores)
    2
    """
    if not lams:
        raise ArgumentError(
            explain("sweep", "no lam", "at least one", "Try lams=[0, 0.1, 1, 10]")
        )
    models = []
    train_scores: list[float] = []
    dev_scores: list[float] = []
    for lam in lams:
        candidate = copy.deepcopy(model)
        fit(candidate, train, dev, lam=lam, **options)
        loss = options.get("loss")
        for scores, part in ((train_scores, train), (dev_scores, dev)):
            value, rate = evaluate(candidate, *part, loss=loss)
            scores.append(value if rate is None else rate)
        models.append(candidate)
    best = min(range(len(lams)), key=lambda i: (dev_scores[i], -lams[i]))
    return SweepResult(
        tuple(lams),
        tuple(train_scores),
        tuple(dev_scores),
        lams[best],
        models[best],
    )
