"""Pages whose examples are run whenever the documentation is built."""

from __future__ import annotations

import doctest
from pathlib import Path

from docs.generate.files import ROOT

__all__ = ["run_pages"]

FOLDER = ROOT / "docs" / "tutorial" / "notes"
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def run_pages(folder: Path = FOLDER) -> int:
    """Run the examples of every page, and return how many there were.

    Raises
    ------
    RuntimeError
        If an example prints something else than the page says.
    """
    n_examples = 0
    for path in sorted(folder.glob("*.md")):
        found = doctest.testfile(
            str(path), module_relative=False, optionflags=OPTIONS, encoding="utf-8"
        )
        if found.failed:
            raise RuntimeError(f"{path.name}: {found.failed} examples print otherwise")
        n_examples += found.attempted
    return n_examples
