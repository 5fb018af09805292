"""``tensorgrad check``: the derivatives of functions in a file, against slopes."""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad.cli.model_file import check_folder
from tensorgrad.cli.options import Parser, UsageError, count, nearest
from tensorgrad.cli.report import facts, say
from tensorgrad.errors import explain
from tensorgrad.serial.atomic import write_atomically

__all__ = ["add", "arguments_of", "function_in", "run", "split_target"]

REFUTED, INCONCLUSIVE = 1, 3

EXAMPLES = """\
examples:
  {prog} check model.py:loss --args "np.ones((3, 2)), 0.5"
  {prog} check model.py:loss --gradient slopes --args "np.eye(2)"
  {prog} check model.py            all functions marked with tg.testing.checked
"""


def add(commands: Any, prog: str) -> None:
    """Declare the command."""
    parser: Parser = commands.add_parser(
        "check",
        help="compare the derivative of a function with the slopes of its values",
        description=(
            "Import a file or module and check the derivative of one function in it, or\n"
            "of all functions marked with tensorgrad.testing.checked. The exit status is\n"
            "0 if all are confirmed, 1 if one is refuted, 3 if one cannot be told."
        ),
        epilog=EXAMPLES.format(prog=prog),
    )
    parser.add_argument(
        "target",
        metavar="FILE.py[:FUNCTION]",
        help="a file, or the dotted name of a module, and a function in it",
    )
    parser.add_argument(
        "--args",
        metavar="EXPRESSION",
        help="the arguments as Python, with np, tg, st (Hypothesis) and the file's own "
        "names; by default arrays of three numbers",
    )
    parser.add_argument(
        "--gradient",
        metavar="NAME",
        help="check this handwritten gradient of the same file",
    )
    parser.add_argument(
        "--order",
        type=int,
        choices=(1, 2),
        default=1,
        help="2 checks second derivatives too (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=count("--seed", 0),
        default=0,
        metavar="N",
        help="where directions come from (default: %(default)s)",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the reports as data"
    )
    parser.add_argument(
        "--quiet", action="store_true", help="print the verdicts, without the tables"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check what was named, print and write the reports."""
    if options.json is not None:
        check_folder(f"--json {str(options.json)!r}", options.json.parent)
    marks = importlib.import_module("tensorgrad.testing.marks")
    target, function = split_target(options.target)
    module = marks.import_target(target)
    if function is None:
        reports = _marked(marks, module, options)
    else:
        reports = [_one(module, function, options)]
    for report in reports:
        if options.quiet:
            reason = f": {report.reason}" if report.reason else ""
            say(f"{report.function}: {report.verdict}{reason}")
        else:
            say(report.table())
            say()
    if options.json is not None:
        data = [json.loads(report.to_json()) for report in reports]
        text = json.dumps(data, indent=2) + "\n"
        write_atomically(options.json, lambda file: file.write(text.encode()))
        facts(data=str(options.json))
    verdicts = {report.verdict for report in reports}
    if "refuted" in verdicts:
        return REFUTED
    return INCONCLUSIVE if "inconclusive" in verdicts else 0


def split_target(target: str) -> tuple[str, str | None]:
    """Return the file or module, and the function in it if one is named."""
    file, colon, function = target.rpartition(":")
    # A colon may belong to the drive of a path.
    is_function = colon and function.replace(".", "").isidentifier()
    return (file, function) if is_function else (target, None)


def _marked(marks: Any, module: Any, options: argparse.Namespace) -> list[Any]:
    for name in ("args", "gradient"):
        if getattr(options, name) is not None:
            raise UsageError(
                explain(
                    f"--{name}",
                    "no function that it is for",
                    "FILE.py:FUNCTION",
                    "Name the function after a colon",
                )
            )
    found = list(marks.marked_in(module))
    if not found:
        raise UsageError(
            explain(
                f"check {options.target!r}",
                "no function in it is marked",
                "a function, or marked ones",
                f"Name it: {options.target}:FUNCTION, or decorate it with "
                "tensorgrad.testing.checked(…)",
            )
        )
    return [marks.run_plan(function) for _, function in found]


def _one(module: Any, name: str, options: argparse.Namespace) -> Any:
    gradcheck = importlib.import_module("tensorgrad.testing.gradients").gradcheck
    marks = importlib.import_module("tensorgrad.testing.marks")
    f = function_in(module, name, options.target)
    is_marked = isinstance(getattr(f, marks.ATTRIBUTE, None), marks.CheckPlan)
    if is_marked and options.args is None and options.gradient is None:
        return marks.run_plan(f)
    target: Any = f
    if options.gradient is not None:
        target = (f, function_in(module, options.gradient, "--gradient"))
    args = arguments_of(module, f, options)
    return gradcheck(target, *args, order=options.order, rng=options.seed)


def function_in(
    module: Any, name: str, caller: str, command: str = "check"
) -> Callable[..., Any]:
    """Return a function of the user's file, or say what there is."""
    found = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if callable(found):
        return found  # type: ignore[no-any-return]
    known = [k for k, v in vars(module).items() if callable(v) and k[0] != "_"]
    raise UsageError(
        explain(
            f"{command} {caller!r}",
            f"no function {name!r} in {module.__name__}",
            "a function that it defines",
            nearest(name, known) if known else "Check the name of the file",
        )
    )


def arguments_of(
    module: Any, f: Callable[..., Any], options: argparse.Namespace
) -> Sequence[Any]:
    """Return the arguments that were given as Python, or drawn ones."""
    if options.args is None:
        rng = np.random.default_rng(options.seed)
        return [rng.normal(size=3) for _ in range(_n_required(f))]
    scope = {"np": np, "tg": importlib.import_module("tensorgrad")}
    if "st." in options.args:
        scope["st"] = importlib.import_module("hypothesis.strategies")
    try:
        found = eval(options.args, {**scope, **vars(module)})  # noqa: S307  # the user's
    except Exception as error:
        raise UsageError(
            explain(
                f"--args {options.args!r}",
                f"{type(error).__name__}: {error}",
                "Python that gives the arguments, with commas between",
                'Write for example --args "np.ones((3, 2)), 0.5"',
            )
        ) from error
    return found if isinstance(found, tuple) else (found,)


def _n_required(f: Callable[..., Any]) -> int:
    inspect = importlib.import_module("inspect")
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return 1
    positional = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )
    needed = [p for p in parameters if p.kind in positional and p.default is p.empty]
    return max(1, len(needed))
