"""What the benchmarks say about memory and imports is what they measure."""

from __future__ import annotations

import math

import pytest

from benchmarks import memory_reuse
from benchmarks.chain_scaling import parse_import_time
from benchmarks.memory import MemoryPolicyError, count_page_faults, set_memory_policy
from benchmarks.memory_reuse import ROW_NAME
from benchmarks.rows import ROWS


def test_the_row_of_the_memory_benchmark_exists() -> None:
    assert ROW_NAME in [row.name for row in ROWS]


def test_leaving_memory_as_found_needs_no_particular_c_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    set_memory_policy("as-found")


def test_another_c_library_than_glibc_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("platform.libc_ver", lambda: ("musl", "1.2"))
    with pytest.raises(MemoryPolicyError, match="is not glibc"):
        set_memory_policy("kept")


def test_page_faults_without_their_module_are_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert math.isnan(count_page_faults())


def test_the_memory_benchmark_prints_a_line_for_each_way_of_writing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_reuse, "POLICIES", ("as-found",))
    monkeypatch.setattr(memory_reuse, "WRITTEN", ("numpy", "numpy out="))
    arguments = ["--launches", "1", "--rounds", "1", "--row", "logistic 30x569 f64"]
    assert memory_reuse.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:12].strip() for line in lines[2:]] == ["numpy", "numpy out="]


def test_the_import_time_of_a_module_is_its_own_line() -> None:
    report = (
        "import time: self [us] | cumulative | imported package\n"
        "import time:       300 |        900 |   numpy.core\n"
        "import time:       200 |       2500 | numpy\n"
    )
    assert parse_import_time(report, "numpy") == 2.5


def test_a_module_that_was_not_imported_is_an_error() -> None:
    with pytest.raises(LookupError, match="names tensorgrad"):
        parse_import_time("import time:  1 |  2 | numpy", "tensorgrad")
