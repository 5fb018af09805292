"""Test error on the digits, tensorgrad against scikit-learn's MLPClassifier.

Both get the same training part, the same scaling learned on it, and the same layers:
the split and the network of ``tensorgrad train digits``, whose penalty ours has too.
Everything else is what each of them does by default. The development part only informs
tensorgrad's history. The figure is the mean over the seeds of split and training.

Run it from the root of the repository with ``python -m benchmarks.digits_vs_sklearn``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe_versions, limited_threads
from benchmarks.problem import Array
from tensorgrad.cli import training
from tensorgrad.cli.options import widths

HIDDEN = widths(training.HIDDEN)
N_CLASSES = 10
SEEDS = (0, 1, 2, 3, 4)
LARGEST_ERROR = 0.03
"""The mean test error that the defaults have to reach."""
LARGEST_GAP = 0.005
"""How much better scikit-learn may be."""


@dataclass(frozen=True)
class Outcome:
    """Test error, as a fraction of the examples, and seconds of one training."""

    seed: int
    tensorgrad_error: float
    sklearn_error: float
    tensorgrad_s: float
    sklearn_s: float


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of ``python -m benchmarks.digits_vs_sklearn``."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.digits_vs_sklearn",
        description="Compare the test errors on the digits.",
    )
    parser.add_argument(
        "--hidden",
        type=_sizes,
        default=HIDDEN,
        help="widths of the hidden layers, with commas between (default: "
        f"{training.HIDDEN})",
    )
    parser.add_argument(
        "--activation",
        choices=("tanh", "relu", "sigmoid"),
        default=training.ACTIVATION,
        help="activation of the hidden layers (default: %(default)s)",
    )
    parser.add_argument("--epochs", type=int, help="instead of the defaults of each")
    parser.add_argument(
        "--seeds",
        type=_sizes,
        default=SEEDS,
        help="seeds, with commas between (default: 0,1,2,3,4)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    return parser


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the status is 1 where the errors are above the limits."""
    options = make_parser().parse_args(argv)
    versions = describe_versions(["tensorgrad", "scikit-learn", "numpy"])
    print("versions: " + ", ".join(f"{k} {v}" for k, v in versions.items()))
    outcomes = []
    with limited_threads(1):
        for seed in options.seeds:
            outcome = compare(
                seed,
                hidden=options.hidden,
                activation=options.activation,
                epochs=options.epochs,
            )
            print(_format(outcome), flush=True)
            outcomes.append(outcome)
    ours = float(np.mean([outcome.tensorgrad_error for outcome in outcomes]))
    theirs = float(np.mean([outcome.sklearn_error for outcome in outcomes]))
    print(f"mean test error: tensorgrad {ours:.2%}, scikit-learn {theirs:.2%}")
    if options.json is not None:
        document = {
            "versions": versions,
            "hidden": options.hidden,
            "activation": options.activation,
            "outcomes": [asdict(outcome) for outcome in outcomes],
        }
        text = json.dumps(document, indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0 if ours <= LARGEST_ERROR and ours - theirs <= LARGEST_GAP else 1


def _format(outcome: Outcome) -> str:
    return (
        f"seed {outcome.seed}: tensorgrad {outcome.tensorgrad_error:.2%} in "
        f"{outcome.tensorgrad_s:.1f} s, scikit-learn {outcome.sklearn_error:.2%} in "
        f"{outcome.sklearn_s:.1f} s"
    )


def compare(
    seed: int, *, hidden: Sequence[int], activation: str, epochs: int | None = None
) -> Outcome:
    """Train both on one split and return their test errors."""
    tg: Any = importlib.import_module("tensorgrad")
    x, y = tg.data.load("digits")
    train, dev, test = tg.data.split(x, y, rng=seed)
    start = time.perf_counter()
    tensorgrad_error = _tensorgrad_error(
        tg, (train, dev, test), _layers(x, hidden, activation), seed, epochs
    )
    between = time.perf_counter()
    sklearn_error = _sklearn_error(
        train, test, hidden=hidden, activation=activation, seed=seed, epochs=epochs
    )
    return Outcome(
        seed=seed,
        tensorgrad_error=tensorgrad_error,
        sklearn_error=sklearn_error,
        tensorgrad_s=between - start,
        sklearn_s=time.perf_counter() - between,
    )


def _layers(
    x: Array, hidden: Sequence[int], activation: str
) -> tuple[list[int], list[str]]:
    sizes = [x.shape[1], *hidden, N_CLASSES]
    return sizes, [*([activation] * len(hidden)), "softmax"]


def _tensorgrad_error(
    tg: Any,
    parts: Any,
    layers: tuple[list[int], list[str]],
    seed: int,
    epochs: int | None,
) -> float:
    train, dev, test = parts
    given: dict[str, Any] = {} if epochs is None else {"epochs": epochs}
    model = tg.nn.mlp(*layers, rng=seed)
    given |= {"standardise": True, "rng": seed, "progress": False}
    tg.train.fit(model, train, dev, lam=training.L2, **given)
    return float(tg.train.error_rate(model, *test))


def _sklearn_error(
    train: tuple[Array, Array],
    test: tuple[Array, Array],
    *,
    hidden: Sequence[int],
    activation: str,
    seed: int,
    epochs: int | None,
) -> float:
    network: Any = importlib.import_module("sklearn.neural_network")
    preprocessing: Any = importlib.import_module("sklearn.preprocessing")
    exceptions: Any = importlib.import_module("sklearn.exceptions")
    scaler = preprocessing.StandardScaler().fit(train[0])
    given = {} if epochs is None else {"max_iter": epochs}
    model = network.MLPClassifier(
        hidden_layer_sizes=tuple(hidden),
        activation={"sigmoid": "logistic"}.get(activation, activation),
        random_state=seed,
        **given,
    )
    with warnings.catch_warnings():
        # Ending at the last epoch is part of what is compared.
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
        model.fit(scaler.transform(train[0]), train[1])
    return 1 - float(model.score(scaler.transform(test[0]), test[1]))


if __name__ == "__main__":
    sys.exit(main())
