"""The list of faults that the tests do not notice, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).with_name("survivors.txt")
HEADER = """\
# Faults that no check notices, by `python -m tests.mutants --write`.
#
# name | status | reason. Status `equivalent`: the changed rule gives the same derivative
# everywhere, so that no test can notice it. Status `survives`: a test could, and none does.
"""
STATES = ("equivalent", "survives")


@dataclass(frozen=True)
class Entry:
    """Why a fault is not noticed."""

    status: str
    reason: str


def read(path: Path = LIST) -> dict[str, Entry]:
    """Return the list, by the faults' names.

    Raises
    ------
    ValueError
        If a line does not have three parts, or another status.
    """
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        name, status, reason = line.rsplit(" | ", 2)
        if status not in STATES:
            raise ValueError(f"status {status!r} of {name!r}: expected one of {STATES}")
        found[name] = Entry(status, reason)
    return found


def write(entries: dict[str, Entry], path: Path = LIST) -> None:
    """Write the list, sorted by name."""
    lines = [f"{name} | {e.status} | {e.reason}" for name, e in sorted(entries.items())]
    path.write_text(HEADER + "\n" + "\n".join(lines) + "\n", encoding="utf-8")
