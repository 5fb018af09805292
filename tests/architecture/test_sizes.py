from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.size_report import measure_all, measure_file, offences

DEEP = """from __future__ import annotations
def deep(a, b, *, c):
    for i in a:
        while i:
            if b:
                with c:
                    try:
                        pass
                    finally:
                        pass
"""


def test_nothing_passes_a_hard_limit_without_a_reason() -> None:
    assert offences(measure_all()) == []


def test_nesting_over_the_limit_is_an_offence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.architecture.size_report.relative", str)
    path = tmp_path / "deep.py"
    path.write_text(DEEP)
    assert len(offences(measure_file(path))) == 1


def test_reason_at_the_place_excuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.architecture.size_report.relative", str)
    path = tmp_path / "excused.py"
    path.write_text(DEEP.replace("def deep", "# size: the sample is deep\ndef deep"))
    assert offences(measure_file(path)) == []


def test_reason_without_need_is_an_offence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.architecture.size_report.relative", str)
    path = tmp_path / "stale.py"
    path.write_text("# size: nothing here is large\ndef small():\n    pass\n")
    assert len(offences(measure_file(path))) == 1
