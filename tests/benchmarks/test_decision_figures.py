"""The scripts behind the decision pages run, and the pages name them."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

import benchmarks.decisions
from benchmarks.decisions.multiple_outputs import ENGINES, gradient

ROOT = Path(__file__).resolve().parents[2]
ROUNDING = 1e-12
"""A few roundings of numbers of size one, in float64."""
SHARED = ("__init__", "figures")
SCRIPTS = sorted(
    path.stem
    for path in Path(benchmarks.decisions.__file__).parent.glob("*.py")
    if path.stem not in SHARED
)
PAGES = "\n".join(
    page.read_text(encoding="utf-8")
    for page in (ROOT / "docs" / "decisions").glob("*.md")
)


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_of_a_decision_runs_once(
    script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module(f"benchmarks.decisions.{script}")
    assert module.main(["--smoke"]) == 0
    assert "|---|" in capsys.readouterr().out


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_page_names_the_command_of_its_figures(script: str) -> None:
    assert f"python -m benchmarks.decisions.{script}" in PAGES


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_of_the_comparison_differentiate_through_several_outputs(
    engine: str,
) -> None:
    x = np.array([0.1, 0.2, 0.3])
    # The fourth op splits and joins, which changes nothing.
    slope, a = np.ones(3), x
    for _ in range(3):
        a = np.tanh(a)
        slope *= 1 - a * a
    found = gradient(ENGINES[engine], x, 4, splits=True)
    np.testing.assert_allclose(found, slope, rtol=ROUNDING)
