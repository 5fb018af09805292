"""``tensorgrad verify``: the claims of the notes put to the test, and their errata."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from tensorgrad.cli.model_file import check_folder
from tensorgrad.cli.options import Parser, UsageError, count
from tensorgrad.cli.report import WIDTH, facts, heading, say, table
from tensorgrad.errors import MissingExtraError, explain
from tensorgrad.serial.atomic import write_atomically
from tensorgrad.train.progress import make_progress

__all__ = ["add", "run"]

CASES = 100
NOT_SETTLED = 1

EXAMPLES = """\
examples:
  {prog} verify
  {prog} verify --section 2.2 --count 1000
  {prog} verify --html notes.html --json notes.json
"""


def add(commands: Any, prog: str) -> None:
    """Declare the command."""
    parser: Parser = commands.add_parser(
        "verify",
        help="put the claims of the lecture notes to the test, and list their errata",
        description=(
            "Compare every derivation of the lecture notes in random cases: by hand, by\n"
            "the graph, and numerically. Claims that hold as printed are confirmed;\n"
            "those that hold in another form are corrected. Then list the errata, each\n"
            "with a measured figure. The exit status is 1 if a claim or an erratum does\n"
            "not come out as expected."
        ),
        epilog=EXAMPLES.format(prog=prog),
    )
    parser.add_argument(
        "--count",
        type=count("--count", 1),
        default=CASES,
        metavar="N",
        help="random cases for each claim (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=count("--seed", 0),
        default=0,
        metavar="N",
        help="where the cases come from (default: %(default)s)",
    )
    parser.add_argument(
        "--section",
        action="append",
        metavar="S",
        help="only this section and what is under it, such as 2 or 2.2.4; repeatable",
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write a page that stands alone"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write claims and errata as data"
    )
    parser.add_argument(
        "--quiet", action="store_true", help="show no progress, only the result"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Settle the claims, measure the errata, write them down."""
    _check_files(options)
    verify = _load()
    claims, errata = _selected(verify, options.section)
    n_parts = len(claims) + 1
    with make_progress(n_parts, enabled=not options.quiet, unit="claim") as progress:
        settled = []
        for k, claim in enumerate(claims, start=1):
            settled.append(
                verify.settling.settle(claim, count=options.count, seed_=options.seed)
            )
            progress.update(k, {})
        measured = list(verify.settling.measure(errata, seed_=options.seed))
        progress.update(n_parts, {})
    findings = verify.report.Findings(settled, measured, options.count, options.seed)
    _show(findings, verify.report)
    _write(options, findings, verify)
    return 0 if findings.is_settled else NOT_SETTLED


def _load() -> Any:
    """Import what needs the extra, or name it."""
    try:
        from tensorgrad import verify  # noqa: PLC0415
        from tensorgrad.verify import page, report, settling  # noqa: F401, PLC0415
    except ImportError as error:
        if str(error.name).startswith("tensorgrad"):
            raise
        raise MissingExtraError(
            explain(
                "verify",
                f"the package {error.name} is not installed",
                "the extra that brings it",
                "Run pip install 'tensorgrad-np[test]'",
            )
        ) from error
    return verify


def _check_files(options: argparse.Namespace) -> None:
    """Refuse destinations that cannot be written to before anything is computed."""
    for name in ("html", "json"):
        path = getattr(options, name)
        if path is None:
            continue
        caller = f"--{name} {str(path)!r}"
        if path.is_dir():
            raise UsageError(
                explain(caller, "a directory", "a file", "Choose another name")
            )
        if path.is_file() or not path.exists():
            check_folder(caller, path.parent)
    if options.html is not None and options.html == options.json:
        raise UsageError(
            explain(
                f"--json {str(options.json)!r}",
                "the file of --html",
                "a file of its own",
                "Choose another name",
            )
        )


def _selected(
    verify: Any, sections: Sequence[str] | None
) -> tuple[list[Any], list[Any]]:
    """Return the claims and errata of the sections asked for, all without any."""
    known = {part.section for part in (*verify.CLAIMS, *verify.ERRATA)}
    for section in sections or ():
        if not any(_is_under(name, section) for name in known):
            raise UsageError(
                explain(
                    f"--section {section!r}",
                    "no section of the notes with a claim or an erratum",
                    f"one of {', '.join(sorted(known, key=_numbers))}",
                    "Write its number, such as 2.2.4, or 2 for all of chapter 2",
                )
            )

    def chosen(parts: Iterable[Any]) -> list[Any]:
        return [
            part
            for part in parts
            if not sections or any(_is_under(part.section, s) for s in sections)
        ]

    return chosen(verify.CLAIMS), chosen(verify.ERRATA)


def _is_under(name: str, section: str) -> bool:
    return f"{name}.".startswith(f"{section}.")


def _numbers(section: str) -> tuple[int, ...]:
    return tuple(int(part) for part in section.split("."))


def _show(findings: Any, report: ModuleType) -> None:
    heading("Claims")
    header = ["section", "claim", "cases", "worst", "verdict"]
    rows = [
        [
            found.claim.section,
            found.claim.title,
            str(found.cases),
            f"{found.worst:.1e}",
            found.verdict if found.is_settled else found.verdict.upper(),
        ]
        for found in findings.claims
    ]
    table(header, rows, n_left=2)
    for found in findings.claims:
        if found.counterexample:
            say()
            say(_wrapped(f"{found.claim.id}: {found.counterexample}"))
    say()
    heading("Errata")
    for found in findings.errata:
        erratum = found.erratum
        facts(
            section=f"{erratum.section}, {erratum.kind}",
            printed=report.as_text(erratum.printed),
            right=report.as_text(erratum.right),
            why=report.as_text(erratum.why),
            measured=report.as_text(found.evidence.text),
            invisible=report.as_text(erratum.invisible),
        )
        if not found.is_settled:
            facts(
                EVIDENCE="MISSING: the mistake did not show, or not hide, as it should"
            )
        say()
    facts(
        worst=(
            "the largest relative distance of two opinions in norm; 1 where no digit is "
            "left, which the claims on rounding allow"
        ),
        result=report.summary(findings),
    )


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_on_hyphens=False)


def _write(options: argparse.Namespace, findings: Any, verify: Any) -> None:
    if options.html is not None:
        text = verify.page.page(findings)
        write_atomically(options.html, lambda file: file.write(text.encode()))
        facts(page=str(options.html))
    if options.json is not None:
        data = verify.report.as_data(findings)
        text_ = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        write_atomically(options.json, lambda file: file.write(text_.encode()))
        facts(data=str(options.json))
