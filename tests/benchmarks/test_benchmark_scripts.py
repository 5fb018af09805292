"""The scripts beside the table run once, small; no time and no error is asserted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import (
    chain_scaling,
    digits_vs_sklearn,
    epoch_memory,
    first_call,
    jobs,
    lines,
    page,
)


def test_a_chain_is_measured_for_each_length(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "chains.json"
    arguments = ["--lengths", "40,400", "--repeats", "1", "--import-launches", "1"]
    status = chain_scaling.main([*arguments, "--json", str(file)])
    figures = json.loads(file.read_text())
    assert status == 0
    assert [chain["n_ops"] for chain in figures["chains"]] == [40, 400]
    assert figures["import_ms"] > 0
    assert "beyond NumPy's" in capsys.readouterr().out


def test_a_length_that_is_no_multiple_of_the_period_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        chain_scaling.main(["--lengths", "10"])
    assert "expected positive multiples of 4" in capsys.readouterr().err


def test_digits_outcomes_are_fractions_of_the_test_examples() -> None:
    outcome = digits_vs_sklearn.compare(0, hidden=(8,), activation="tanh", epochs=1)
    assert 0 <= outcome.tensorgrad_error <= 1
    assert 0 <= outcome.sklearn_error <= 1


def test_the_digits_script_fails_when_the_error_is_above_its_limit() -> None:
    status = digits_vs_sklearn.main(["--hidden", "1", "--epochs", "1", "--seeds", "0"])
    assert status == 1


def test_memory_of_an_epoch_is_measured_for_both_files(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert epoch_memory.main(["--rows", "2000", "6000"]) == 0
    out = capsys.readouterr().out
    assert "2,000 rows: RssAnon at most" in out
    assert "difference:" in out


def test_the_first_call_is_measured_with_both_caches(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert first_call.main() == 0
    out = capsys.readouterr().out
    assert "empty cache: import" in out
    assert "warm cache: import" in out
    assert "loops and products" in out


def test_every_contender_does_the_large_epoch(tmp_path: Path) -> None:
    job = jobs.make_large_epoch(tmp_path, 5000)
    outcomes = jobs.run_job("small", job, rounds=1)
    by_hand = outcomes[0].figure
    assert outcomes[0].contender == "numpy"
    for outcome in outcomes:
        # The order of the examples is another one in fit.
        assert outcome.figure == pytest.approx(by_hand, rel=0.05)


def test_every_contender_learns_the_digits() -> None:
    outcomes = jobs.run_job("digits", jobs.make_digits(), rounds=1)
    assert {o.contender for o in outcomes} >= {"numpy", "fit", "fit, graph"}
    assert all(outcome.figure <= jobs.TARGET for outcome in outcomes)
    assert "| digits | numpy |" in jobs.format_outcomes(outcomes)


def test_page_of_the_docs_is_what_the_last_run_gives() -> None:
    figures = (
        json.loads(file.read_text(encoding="utf-8"))
        for file in (page.ROWS, page.JOBS, page.LINES)
    )
    assert page.PAGE.read_text(encoding="utf-8") == page.page(*figures)


def test_page_names_what_is_slower_than_a_peer() -> None:
    rows = json.loads(page.ROWS.read_text(encoding="utf-8"))
    slow = rows["rows"][0]
    slow["timings"][page.OURS]["ratio"]["median"] = 7.0
    done = json.loads(page.JOBS.read_text(encoding="utf-8"))
    assert f"- **{slow['name']}**: compiled C 7" in page.page(rows, done, [])


def test_the_lines_of_a_printed_step_share_its_time(tmp_path: Path) -> None:
    file = tmp_path / "lines.json"
    asked = ["--rows", "2-4-1", "--seconds", "0.01", "--json", str(file)]
    assert lines.main(asked) == 0
    (found,) = json.loads(file.read_text())
    dearest = [one["us"] for one in found["lines"]]
    assert 0 < sum(dearest) <= found["us"] * (1 + 1e-9)
    assert dearest == sorted(dearest, reverse=True)
