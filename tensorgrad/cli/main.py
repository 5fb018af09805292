"""From arguments to an exit status: commands, messages, interruptions."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tensorgrad.cli.commands import audit, check, demo, predict, train, verify
from tensorgrad.cli.options import Parser, UsageError, nearest
from tensorgrad.cli.report import complain
from tensorgrad.errors import TensorgradError, explain

__all__ = ["main"]

COMMANDS = ("demo", "train", "predict", "verify", "check", "audit")

USER_ERROR = 2
INTERRUPTED = 130
BROKEN_PIPE = 141
"""What a shell reports for a program that SIGPIPE ends."""


def main(argv: Sequence[str] | None = None, prog: str = "tensorgrad") -> int:
    """Run the command line and return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments without the program's name; by default those of the process.
    prog : str
        What the user types to get here, for messages.

    Returns
    -------
    int
        0: done. 1: gradients disagree (demo), a claim is not settled (verify), or a
        derivative is refuted (check, audit). 2: the arguments, the data or a file cannot be
        used; the reason is on stderr. 3: a derivative cannot be told (check, audit). 130:
        interrupted. 141: nobody reads the output any more.

    Examples
    --------
    >>> main(["train", "no-such-file.csv"])
    2
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    with _open_streams():
        return _run(arguments, prog)


def _run(arguments: list[str], prog: str) -> int:
    try:
        status = _dispatch(arguments, prog)
        sys.stdout.flush()
    except TensorgradError as error:
        complain(f"{prog}: {error}")
    except FileNotFoundError as error:
        complain(f"{prog}: {error if error.errno is None else _system(error)}")
    except BrokenPipeError:
        _silence_stdout()
        return BROKEN_PIPE
    except OSError as error:
        complain(f"{prog}: {_system(error)}")
    except MemoryError as error:
        complain(f"{prog}: {_memory(error)}")
    except KeyboardInterrupt:
        complain(f"\n{prog}: interrupted, files are as they were")
        return INTERRUPTED
    else:
        return status
    return USER_ERROR


def _dispatch(arguments: list[str], prog: str) -> int:
    parser = _make_parser(prog)
    if not arguments:
        parser.print_help()
        return 0
    if not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
        raise UsageError(
            explain(
                "choosing a command",
                repr(arguments[0]),
                f"one of {', '.join(COMMANDS)}",
                nearest(arguments[0], COMMANDS),
            )
        )
    try:
        options, unknown = parser.parse_known_args(arguments)
    except SystemExit as exit_:
        # --help and --version: argparse has printed what was asked for.
        return int(exit_.code or 0)
    if unknown:
        raise _unknown_argument(unknown[0], options)
    return int(options.run(options))


def _make_parser(prog: str) -> argparse.ArgumentParser:
    parser = Parser(
        prog=prog,
        description="Train small networks on a CPU, with gradients that were checked.",
        epilog=f"'{prog} COMMAND --help' explains a command.",
    )
    # The root module knows the version; it is loaded, since this module is part of it.
    version = getattr(sys.modules["tensorgrad"], "__version__", "of unknown version")
    parser.add_argument("--version", action="version", version=f"tensorgrad {version}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in (demo, train, predict, verify, check, audit):
        command.add(commands, prog)
    parser.set_defaults(run=None)
    return parser


def _unknown_argument(argument: str, options: argparse.Namespace) -> UsageError:
    internal = {"run", "prog", "data", "model"}
    known = [f"--{name.replace('_', '-')}" for name in set(vars(options)) - internal]
    name = argument.partition("=")[0]
    is_option = name.startswith("-")
    hint = nearest(name, sorted(["--help", *known])) if is_option else "Remove it"
    return UsageError(
        explain(
            "reading the arguments",
            f"{argument!r}, which belongs to no option",
            "the arguments that --help lists",
            hint,
        )
    )


def _system(error: OSError) -> str:
    named = "" if error.filename is None else f" {str(error.filename)!r}"
    return explain(
        f"using a file{named}",
        error.strerror or type(error).__name__,
        "a path that can be read, or written to",
        "Check the path, its permissions, and the space on the disk",
    )


def _memory(error: MemoryError) -> str:
    return explain(
        "running the command",
        str(error) or "the memory is exhausted",
        "data and a network that fit into memory",
        "Take fewer rows, or smaller layers (--hidden)",
    )


@contextlib.contextmanager
def _open_streams() -> Iterator[None]:
    """Give what is printed somewhere to go when the caller has closed a stream."""
    with contextlib.ExitStack() as stack:
        if sys.stdout is None or sys.stderr is None:
            nowhere = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
            stack.enter_context(contextlib.redirect_stdout(sys.stdout or nowhere))
            stack.enter_context(contextlib.redirect_stderr(sys.stderr or nowhere))
        yield


def _silence_stdout() -> None:
    """Let the interpreter's last flush go nowhere, or it complains about the pipe."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
