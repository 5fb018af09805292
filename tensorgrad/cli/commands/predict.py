"""``tensorgrad predict MODEL DATA``: classes from a saved model, as CSV."""

from __future__ import annotations

import argparse
import csv
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.cli.model_file import check_folder, read_model
from tensorgrad.cli.options import Parser, UsageError
from tensorgrad.cli.report import complain
from tensorgrad.cli.sources import read_features
from tensorgrad.errors import explain
from tensorgrad.nn import Sequential
from tensorgrad.serial.atomic import write_atomically
from tensorgrad.train.evaluation import decide, outputs

__all__ = ["add", "run"]

EXAMPLES = """\
examples:
  {prog} predict digits-model.npz digits --output digits.csv
  {prog} predict flowers-model.npz new-flowers.csv --proba
"""


def add(commands: Any, prog: str) -> None:
    """Declare the command."""
    parser: Parser = commands.add_parser(
        "predict",
        help="predict classes with a saved model",
        description=(
            "Predict the class of every example with a model that 'train' has saved.\n"
            "The columns of a CSV file are found by their names, and others ignored;\n"
            "those of an NPZ file by position. The model's own scaling is applied.\n"
            "The result is CSV in UTF-8, a line for each example, in their order."
        ),
        epilog=EXAMPLES.format(prog=prog),
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="a saved model")
    parser.add_argument(
        "data", metavar="DATA", help="digits, breast_cancer, or a CSV or NPZ file"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write there instead of stdout"
    )
    parser.add_argument(
        "--proba", action="store_true", help="add the probability of each class"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the predictions; where the data have classes, say the error rate."""
    if options.output is not None:
        _check_output(options)
    model, names = read_model(options.model)
    x, y, remark = read_features(
        options.data, names.columns, names.labels, names.target
    )
    with np.errstate(over="ignore"):
        a = outputs(model, x)
    classes = decide(model, a)
    probabilities = _probabilities(model, a) if options.proba else None
    text = _as_csv(names.labels, classes, probabilities)
    if options.output is None:
        _print(text)
    else:
        write_atomically(options.output, lambda file: file.write(text.encode()))
    if remark:
        complain(remark)
    if y is not None:
        n_wrong = int((classes != y).sum())
        complain(f"error rate: {n_wrong / len(y):.2%} ({n_wrong} of {len(y)} wrong)")
    return 0


def _check_output(options: argparse.Namespace) -> None:
    """Refuse to overwrite what is read, and paths that cannot be written to."""
    caller = f"--output {str(options.output)!r}"
    if options.output.is_file() or not options.output.exists():
        check_folder(caller, options.output.parent)
    is_taken = options.output.is_dir()
    for other in (options.model, options.data):
        if options.output.exists() and os.path.exists(other):  # noqa: PTH110
            is_taken = is_taken or options.output.samefile(other)
    if is_taken:
        raise UsageError(
            explain(
                caller,
                "a directory, or the model or data themselves",
                "a file of its own",
                "Choose another name",
            )
        )


def _probabilities(model: Sequential, a: Array) -> Array:
    """Return the probability of each class, shape (examples, classes)."""
    if model.head == "sigmoid" and a.shape[1] == 1:
        return np.concatenate([1 - a, a], axis=1)
    return a


def _as_csv(labels: Sequence[str], classes: Array, probabilities: Array | None) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    proba = [] if probabilities is None else [f"proba_{label}" for label in labels]
    writer.writerow(["prediction", *proba])
    rows = [[]] * len(classes) if probabilities is None else probabilities.tolist()
    for k, row in zip(classes.tolist(), rows, strict=True):
        writer.writerow([labels[k], *row])
    return file.getvalue()


def _print(text: str) -> None:
    """Write to stdout in UTF-8, whatever the terminal's encoding is."""
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        sys.stdout.write(text)
        return
    sys.stdout.flush()
    buffer.write(text.encode())
    buffer.flush()
