"""``tensorgrad demo``: gradients checked, a network trained, on the embedded digits."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad.cli import training
from tensorgrad.cli.agreement import (
    ACTIVATIONS,
    EXACT,
    LAM,
    NUMERICAL,
    SIZES,
    Comparison,
    compare,
)
from tensorgrad.cli.model_file import check_destination
from tensorgrad.cli.options import Parser, count, widths
from tensorgrad.cli.report import facts, heading, say, table
from tensorgrad.cli.sources import Labelled, read_labelled

__all__ = ["add", "run"]

SAVE = "tensorgrad-demo.npz"
DATA = "digits"
CHECKED_EXAMPLES = 20
DISAGREEMENT = 1

EXAMPLES = """\
examples:
  {prog} demo
  {prog} demo --save digits.npz
"""


def add(commands: Any, prog: str) -> None:
    """Declare the command."""
    parser: Parser = commands.add_parser(
        "demo",
        help="check gradients and train a network on embedded data (seconds)",
        description=(
            "Compare the gradients of a network with those derived by hand and with\n"
            "differences, then train a network on the embedded digits and save it.\n"
            "The exit status is 1 if the gradients disagree."
        ),
        epilog=EXAMPLES.format(prog=prog),
    )
    parser.add_argument(
        "--save",
        type=Path,
        default=SAVE,
        metavar="FILE",
        help=".npz or .safetensors (default: %(default)s in the current directory)",
    )
    parser.add_argument(
        "--seed",
        type=count("--seed", 0),
        default=0,
        metavar="N",
        help="of everything that is random (default: %(default)s)",
    )
    parser.set_defaults(run=run, prog=prog)


def run(options: argparse.Namespace) -> int:
    """Check, train, measure, save."""
    check_destination(options.save)
    data = read_labelled(DATA, None)
    heading("1. Gradients: graph, by hand, numerical")
    rows = _compare(data, options.seed)
    _show(rows)
    if not all(row.agrees for row in rows):
        return DISAGREEMENT
    plan = training.Plan(hidden=widths(training.HIDDEN), seed=options.seed)
    parts, model = training.prepare(data, plan)
    say()
    heading("2. Training")
    training.show_plan(data, plan, name=DATA, parts=parts, model=model)
    say()
    trained = training.train(model, parts, plan, progress=True)
    say()
    heading("3. Errors")
    training.show_errors(trained, parts)
    training.save_trained(options.save, trained, data=data, plan=plan, name=DATA)
    say()
    heading("4. Model")
    training.show_saved(options.save, options.prog, DATA)
    return 0


def _compare(data: Labelled, seed: int) -> list[Comparison]:
    """Compare on a random batch, with ink from 0 to 1."""
    order = np.random.default_rng(seed).permutation(len(data.x))[:CHECKED_EXAMPLES]
    x = data.x[order].T / data.x.max()
    y = np.eye(len(data.labels))[data.y[order]].T
    return compare(x, y, rng=seed)


def _show(rows: Sequence[Comparison]) -> None:
    widths_text = "-".join(map(str, SIZES))
    facts(
        network=f"{widths_text}, {', '.join(ACTIVATIONS)}, in the notes' notation",
        cost=f"cross-entropy of {CHECKED_EXAMPLES} digits + L2 penalty, lambda {LAM:g}",
        difference="|F - G| / (|F| + |G|), norms of whole tensors",
    )
    say()
    header = ["", "shape", "graph-hand", "graph-numerical", "hand-numerical", "verdict"]
    table(header, [_cells(row) for row in rows])
    say()
    if all(row.agrees for row in rows):
        verdict = f"all agree: to {EXACT:g} by hand, to {NUMERICAL:g} numerically"
    else:
        wrong = [row.name for row in rows if not row.agrees]
        verdict = f"they disagree in {', '.join(wrong)}"
    facts(verdict=verdict)


def _cells(row: Comparison) -> list[str]:
    errors = (row.graph_by_hand, row.graph_numerical, row.by_hand_numerical)
    figures = ["-" if error is None else f"{error:.1e}" for error in errors]
    shape = "x".join(map(str, row.shape))
    return [row.name, shape, *figures, "agree" if row.agrees else "DISAGREE"]
