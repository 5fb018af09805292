"""The λ-sweep of the notes, section 5: train for each λ, choose by the dev set."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from tensorgrad.data.augmentation import Augmented
from tensorgrad.errors import ArgumentError, explain
from tensorgrad.nn.module import Module
from tensorgrad.train.evaluation import evaluate
from tensorgrad.train.fitting import check_part, fit
from tensorgrad.train.progress import make_progress
from tensorgrad.train.targets import choose_loss

__all__ = ["SweepResult", "sweep"]


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What a sweep over λ found.

    Attributes
    ----------
    lams : tuple of float
        Increasing, from 0.
    train_scores, dev_scores : tuple of float
        Error rate for each λ; the loss for a regression.
    best_lam : float
        The λ with the lowest dev score, the largest of them in a tie.
    model : Module
        Trained with it.
    test_score : float or None
        Of that model alone; None without a test set.
    """

    lams: tuple[float, ...]
    train_scores: tuple[float, ...]
    dev_scores: tuple[float, ...]
    best_lam: float
    model: Module
    test_score: float | None = None

    def __str__(self) -> str:
        rows = [f"{'lambda':>10}  {'train':>8}  {'dev':>8}"]
        for lam, train, dev in zip(
            self.lams, self.train_scores, self.dev_scores, strict=True
        ):
            mark = "  <- best" if lam == self.best_lam else ""
            rows.append(f"{lam:>10.4g}  {train:>8.4f}  {dev:>8.4f}{mark}")
        if self.test_score is not None:
            rows.append(f"test score of the best: {self.test_score:.4f}")
        return "\n".join(rows)


def sweep(
    model: Module,
    train: Any,
    dev: tuple[Any, Any],
    lams: Iterable[float],
    test: tuple[Any, Any] | None = None,
    **options: Any,
) -> SweepResult:
    """Train a copy of the model for each λ and choose the best by the dev set.

    Parameters
    ----------
    model : Module
        Where each training starts; it is left as it is.
    train, dev : tuple (x, y)
        Trained on, and chosen by. As `fit` takes them.
    lams : iterable of float
        Each at least 0. 0, no penalty, takes part in any case: a penalty that helps is
        better than none.
    test : tuple (x, y), optional
        Looked at once, for the model that was chosen.
    **options
        Passed to `fit`. ``progress`` also shows the λ.

    Returns
    -------
    SweepResult

    Raises
    ------
    ArgumentError
        If there is no λ, one is negative or not finite, or an option is not for a sweep;
        before any training.
    DataError, ShapeError
        As `fit`, and for the test set, before any training.

    Notes
    -----
    The rule: the lowest dev score (error rate, or loss for a regression); in a tie, the
    largest λ, which has the smallest weights. The dev score of the chosen model is the
    least of several, hence too low on average; that is what the test set is for.

    References
    ----------
    Notes, section 5, steps i to vi, which name no rule and leave λ = 0 out.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> train, dev, test = tg.data.split(*tg.data.load("breast_cancer"))
    >>> model = tg.nn.mlp([30, 1], ["sigmoid"], rng=0)
    >>> found = sweep(model, train, dev, [0.1, 1.0], test, epochs=5, standardise=True,
    ...               progress=False)
    >>> found.lams, found.test_score < 0.2
    ((0.0, 0.1, 1.0), True)
    """
    candidates = _checked(lams, options)
    loss = options.get("loss")
    measured = [train if not isinstance(train, Augmented) else (train.x, train.y), dev]
    _, loss_name = choose_loss(model, loss)
    named = {
        "train": measured[0],
        "dev": dev,
        **({} if test is None else {"test": test}),
    }
    for name, part in named.items():
        # What cannot be measured is refused before anything is trained.
        check_part(f"sweep: {name}", model, part, loss_name)
    if isinstance(options.get("rng"), np.random.Generator):
        # Every training draws the same: what differs is λ alone.
        options["rng"] = int(options["rng"].integers(2**63))
    shown = options.get("progress", True)
    models, scores = [], []
    with make_progress(len(candidates), enabled=shown, unit="lambda") as report:
        for k, lam in enumerate(candidates, start=1):
            candidate = copy.deepcopy(model)
            fit(candidate, train, dev, **{**options, "lam": lam, "progress": False})
            models.append(candidate)
            scores.append([_score(candidate, part, loss) for part in measured])
            report.update(
                k, {"lambda": lam, "train": scores[-1][0], "dev": scores[-1][1]}
            )
    best = max(range(len(models)), key=lambda i: (-scores[i][1], candidates[i]))
    return SweepResult(
        lams=candidates,
        train_scores=tuple(score[0] for score in scores),
        dev_scores=tuple(score[1] for score in scores),
        best_lam=candidates[best],
        model=models[best],
        test_score=None if test is None else _score(models[best], test, loss),
    )


def _score(model: Module, part: tuple[Any, Any], loss: Any) -> float:
    """Return the error rate, or the loss of a regression."""
    value, rate = evaluate(model, *part, loss=loss)
    return value if rate is None else rate


def _checked(lams: Iterable[float], options: dict[str, Any]) -> tuple[float, ...]:
    """Return the candidates, 0 among them, each once and in order."""
    given = list(lams)
    for lam in given:
        is_number = isinstance(lam, (int, float, np.integer, np.floating))
        if not is_number or not 0 <= lam < inf:
            raise ArgumentError(
                explain(
                    "sweep",
                    f"lams with {lam!r}",
                    "finite numbers of at least 0",
                    "A negative penalty would reward large weights: leave it out",
                )
            )
    if not given:
        raise ArgumentError(
            explain("sweep", "no lam", "at least one", "Try lams=[0.1, 1, 10]")
        )
    for name in ("lam", "checkpoint"):
        if name in options:
            raise ArgumentError(
                explain(
                    "sweep",
                    f"the option {name}, which every training would share",
                    "options that all trainings may have in common",
                    f"Leave {name} out",
                )
            )
    return tuple(sorted({0.0, *map(float, given)}))
