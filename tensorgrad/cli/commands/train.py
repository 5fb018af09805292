"""``tensorgrad train DATA``: a classifier from a table, saved with all it needs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tensorgrad.cli import training
from tensorgrad.cli.model_file import check_destination
from tensorgrad.cli.options import Parser, choice, count, fractions, number, widths
from tensorgrad.cli.report import say
from tensorgrad.cli.sources import EMBEDDED, read_labelled
from tensorgrad.nn.activations import find_activation
from tensorgrad.train.settings import BATCH_SIZE, EPOCHS

__all__ = ["add", "run"]

EXAMPLES = """\
examples:
  {prog} train digits
  {prog} train digits --hidden 64,32 --dropout 0.2
  {prog} train flowers.csv --target species --save flowers.npz
  {prog} train measured.npz --epochs 200 --early-stopping 10

A CSV file needs names in its first line and numbers below; the target may be
text. An NPZ file holds arrays x (examples, columns) and y (examples), and may
hold names in columns and labels. Missing values are refused, not repaired.
"""


def add(commands: Any, prog: str) -> None:
    """Declare the command."""
    parser: Parser = commands.add_parser(
        "train",
        help="train a classifier and save it",
        description=(
            "Train a network to tell classes apart, measure it on data it has not seen,\n"
            "and save it. Columns are standardised with the mean and the spread of the\n"
            "train part, and both are saved with the model."
        ),
        epilog=EXAMPLES.format(prog=prog),
    )
    _add_data(parser)
    _add_network(parser)
    _add_training(parser)
    _add_output(parser)
    parser.set_defaults(run=run, prog=prog)


def _add_data(parser: Parser) -> None:
    group = parser.add_argument_group("data")
    group.add_argument(
        "data", metavar="DATA", help=f"{', '.join(EMBEDDED)}, or a CSV or NPZ file"
    )
    group.add_argument(
        "--target",
        metavar="NAME",
        help="column with the classes (needed for CSV; default in NPZ: y)",
    )
    group.add_argument(
        "--ratio",
        type=fractions,
        metavar="F[,F,F]",
        help="part that trains, or train, dev and test parts "
        "(default: 0.6,0.2,0.2; above 10,000 rows 0.98,0.01,0.01)",
    )


def _add_network(parser: Parser) -> None:
    group = parser.add_argument_group("network")
    group.add_argument(
        "--hidden",
        type=widths,
        default=training.HIDDEN,
        metavar="N,N,...",
        help="widths of the hidden layers (default: %(default)s)",
    )
    group.add_argument(
        "--activation",
        default=training.ACTIVATION,
        metavar="NAME",
        help="of the hidden layers: tanh, relu, leaky_relu, sigmoid or linear "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--dropout",
        type=number("--dropout", below=1),
        default=training.DROPOUT,
        metavar="P",
        help="fraction of each hidden layer that is dropped (default: %(default)g)",
    )


def _add_training(parser: Parser) -> None:
    group = parser.add_argument_group("training")
    rates = ", ".join(f"{name} {lr:g}" for name, (_, lr) in training.OPTIMIZERS.items())
    group.add_argument(
        "--optimizer",
        type=choice("--optimizer", training.OPTIMIZERS),
        default="adam",
        metavar="NAME",
        help="adam, adamw, rmsprop, or sgd with momentum 0.9 (default: %(default)s)",
    )
    group.add_argument(
        "--lr",
        type=number("--lr", above=0),
        metavar="RATE",
        help=f"learning rate (default: {rates})",
    )
    group.add_argument(
        "--epochs",
        type=count("--epochs", 0),
        default=EPOCHS,
        metavar="N",
        help="passes over the train part (default: %(default)s)",
    )
    group.add_argument(
        "--batch",
        type=count("--batch", 1),
        default=BATCH_SIZE,
        metavar="N",
        help="rows in a mini-batch (default: %(default)s)",
    )
    group.add_argument(
        "--l2",
        type=number("--l2"),
        default=training.L2,
        metavar="LAMBDA",
        help="penalty LAMBDA/(2n) times the sum of squared weights "
        "(default: %(default)g)",
    )
    group.add_argument(
        "--early-stopping",
        type=count("--early-stopping", 1),
        metavar="N",
        help="stop when the dev loss has not fallen for N epochs, and keep the best "
        "(default: off)",
    )
    group.add_argument(
        "--seed",
        type=count("--seed", 0),
        default=0,
        metavar="N",
        help="of the split, the weights, the order and the dropout "
        "(default: %(default)s)",
    )


def _add_output(parser: Parser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument(
        "--save",
        type=Path,
        metavar="FILE",
        help=".npz or .safetensors (default: the name of the data and '-model.npz', "
        "in the current directory)",
    )
    group.add_argument(
        "--quiet", action="store_true", help="print only the errors and the file"
    )


def run(options: argparse.Namespace) -> int:
    """Train and save; everything that can be refused is refused before."""
    find_activation(options.activation)
    name = Path(options.data).stem
    path = options.save or Path(f"{name}-model.npz")
    check_destination(path)
    plan = training.Plan(
        hidden=options.hidden,
        activation=options.activation,
        optimizer=options.optimizer,
        lr=options.lr,
        epochs=options.epochs,
        batch=options.batch,
        l2=options.l2,
        dropout=options.dropout,
        seed=options.seed,
        ratio=options.ratio,
        early_stopping=options.early_stopping,
    )
    data = read_labelled(options.data, options.target)
    parts, model = training.prepare(data, plan)
    if not options.quiet:
        training.show_plan(data, plan, name=name, parts=parts, model=model)
        say()
    trained = training.train(model, parts, plan, progress=not options.quiet)
    training.save_trained(path, trained, data=data, plan=plan, name=name)
    if options.quiet:
        rates = ", ".join(f"{part} {e:.2%}" for part, e in trained.errors.items())
        say(f"error: {rates}; saved: {path}")
        return 0
    say()
    training.show_errors(trained, parts)
    training.show_saved(path, options.prog, options.data)
    return 0
