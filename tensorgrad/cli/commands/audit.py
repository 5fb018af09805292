"""``tensorgrad audit``: name and locate the mistake in a handwritten backprop."""

from __future__ import annotations

import argparse
import importlib
from functools import partial
from pathlib import Path
from typing import Any

from tensorgrad.cli.commands.check import function_in, split_target
from tensorgrad.cli.model_file import check_folder
from tensorgrad.cli.options import Parser, UsageError, count
from tensorgrad.cli.report import facts, say
from tensorgrad.errors import explain
from tensorgrad.serial.atomic import write_atomically

__all__ = ["add", "run"]

STATUS = {"confirmed": 0, "refuted": 1, "inconclusive": 3}

EXAMPLES = """\
examples:
  {prog} audit backprop.py:backward --network 5,4,6,3 --activations tanh,leaky,softmax
  {prog} audit backprop.py:backward --network 5,4,1 --activations relu,sigmoid --lam 0.7
  {prog} audit backprop.py:backward --network 4,3 --activations softmax --layout rows

The function is called with what its parameters name: params (dicts w and b by layer), or w
and b; x, y, z, a, cache, masks, keep_prob, lam, n, activations. It returns the gradients as
{{"w": {{1: ...}}, "b": {{1: ...}}}}, or by names such as dW1 and db1. With --loss it audits any
gradient: a function of the same file gives the cost, and --args the arguments.
"""

PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Audit of {name}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; }}
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; }} td, th {{ padding: .2rem .8rem; text-align: left; }}
tr:nth-child(even) {{ background: #f6f8fa; }}
dl {{ display: grid; grid-template-columns: max-content auto; gap: .1rem 1rem; }}
dd {{ margin: 0; }}
</style></head><body><h1>Audit of <code>{name}</code></h1>{body}</body></html>
"""


def add(commands: Any, prog: str) -> None:
    """Declare the command."""
    parser: Parser = commands.add_parser(
        "audit",
        help="find the mistake in a handwritten backprop",
        description=(
            "Import a file and audit a handwritten gradient in it: which tensors are right,\n"
            "which mistake explains the wrong ones, where it sits, and what belongs there.\n"
            "The exit status is 0 if all are confirmed, 1 if one is refuted, 3 if one cannot\n"
            "be told."
        ),
        epilog=EXAMPLES.format(prog=prog),
    )
    parser.add_argument("target", metavar="FILE.py:FUNCTION", help="the gradient")
    parser.add_argument(
        "--network",
        type=_widths,
        metavar="WIDTHS",
        help="nodes of the layers, input first, as 5,4,6,3",
    )
    parser.add_argument(
        "--activations",
        type=lambda text: text.split(","),
        metavar="NAMES",
        help="of the layers: linear, sigmoid, tanh, relu, leaky, softmax",
    )
    parser.add_argument(
        "--cost", choices=("log_loss", "cross_entropy", "mse"), help="by the last layer"
    )
    parser.add_argument(
        "--lam", type=float, default=0.0, help="λ of the penalty (default: %(default)s)"
    )
    parser.add_argument(
        "--dropout",
        action="store_true",
        help="draw masks, for functions that take them",
    )
    parser.add_argument(
        "--examples",
        type=count("--examples", 1),
        metavar="N",
        help="examples in a batch (default: 5 or 7)",
    )
    parser.add_argument(
        "--layout",
        choices=("columns", "rows"),
        default="columns",
        help="where the examples are (default: %(default)s)",
    )
    parser.add_argument(
        "--loss",
        metavar="NAME",
        help="the cost, a function of the same file, on tensors",
    )
    parser.add_argument(
        "--args", metavar="EXPRESSION", help="arguments of both, with --loss, as Python"
    )
    _add_outputs(parser)
    parser.set_defaults(run=run)


def _add_outputs(parser: Parser) -> None:
    parser.add_argument(
        "--seed",
        type=count("--seed", 0),
        default=0,
        metavar="N",
        help="where points are drawn from (default: %(default)s)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write it as data")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write it as a page")


def _widths(text: str) -> list[int]:
    try:
        widths = [int(part) for part in text.split(",")]
    except ValueError:
        widths = []
    if len(widths) < 2 or min(widths) < 1:
        raise argparse.ArgumentTypeError(
            explain(
                "--network",
                f"{text!r}",
                "two or more positive widths with commas between",
                "Write for example 5,4,6,3",
            )
        )
    return widths


def run(options: argparse.Namespace) -> int:
    """Audit what was named, print and write the report."""
    for name in ("json", "html"):
        path = getattr(options, name)
        if path is not None:
            check_folder(f"--{name} {str(path)!r}", path.parent)
    target, function_name = split_target(options.target)
    if function_name is None:
        raise UsageError(
            explain(
                f"audit {options.target!r}",
                "no function",
                "FILE.py:FUNCTION",
                "Name the function after a colon",
            )
        )
    module = importlib.import_module("tensorgrad.testing.marks").import_target(target)
    function = function_in(module, function_name, options.target, "audit")
    report = _report(module, function, options)
    say(str(report))
    outputs = {
        "json": report.to_json() + "\n",
        "html": PAGE.format(name=function_name, body=report.to_html()),
    }
    for kind, text in outputs.items():
        path = getattr(options, kind)
        if path is not None:
            write_atomically(path, partial(_write, text.encode()))
            facts(**{kind: str(path)})
    return STATUS[report.verdict]


def _write(data: bytes, file: Any) -> None:
    file.write(data)


def _report(module: Any, function: Any, options: argparse.Namespace) -> Any:
    auditing = importlib.import_module("tensorgrad.auditor.auditing")
    if options.loss is not None:
        arguments = importlib.import_module(
            "tensorgrad.cli.commands.check"
        ).arguments_of
        loss = function_in(module, options.loss, "--loss", "audit")
        args = arguments(module, loss, options)
        return auditing.audit(function, loss, *args, rng=options.seed)
    if options.network is None:
        raise UsageError(
            explain(
                f"audit {options.target!r}",
                "neither --network nor --loss",
                "the widths of a network, or a cost",
                "Write for example --network 5,4,6,3 --activations tanh,leaky,softmax",
            )
        )
    n_layers = len(options.network) - 1
    if options.activations is not None and len(options.activations) != n_layers:
        raise UsageError(
            explain(
                f"--activations {','.join(options.activations)}",
                f"{len(options.activations)} names",
                f"{n_layers}, one for each layer after the input",
                "Count the widths of --network, less one",
            )
        )
    _check_names(options.activations or [], auditing.ALIASES)
    return auditing.audit_drawn(
        function,
        options.network,
        options.activations,
        rows=options.layout == "rows",
        rng=options.seed,
        n=options.examples,
        loss=options.cost,
        lam=options.lam,
        dropout=options.dropout,
    )


def _check_names(names: list[str], aliases: dict[str, str]) -> None:
    known = importlib.import_module("tensorgrad.testing.networks").ACTIVATIONS
    for name in names:
        if aliases.get(name, name) not in known:
            raise UsageError(
                explain(
                    "--activations",
                    f"{name!r}",
                    f"names among {', '.join([*known, *aliases])}",
                    "Check the spelling",
                )
            )
