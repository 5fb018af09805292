"""What the documentation's build runs, and that a wrong page stops it."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.generate.executed_pages import FOLDER, run_pages

PAGE = """# Page

```pycon
>>> 1 + 1
{result}

```
"""


def test_pages_of_the_notes_have_examples() -> None:
    texts = [path.read_text(encoding="utf-8") for path in FOLDER.glob("[1-7]*.md")]
    assert [text.count(">>>") > 10 for text in texts] == [True] * 7


def test_right_page_is_run(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(PAGE.format(result=2), encoding="utf-8")
    assert run_pages(tmp_path) == 1


def test_wrong_page_stops_the_build(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(PAGE.format(result=3), encoding="utf-8")
    with pytest.raises(RuntimeError, match=r"page\.md: 1 examples"):
        run_pages(tmp_path)
