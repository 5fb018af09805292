"""The set-up of the tests is itself a promise: what leaks must fail."""

from __future__ import annotations

import pytest

from tests.architecture.sources import ROOT

LEAKS = {
    "recording": """
        from tensorgrad.core import modes

        def test_that_leaks():
            modes.MODE.set(modes.Mode(debug=True))
    """,
    "floating point": """
        import numpy as np

        def test_that_leaks():
            np.seterr(divide="ignore")
    """,
}


@pytest.mark.parametrize("name", LEAKS)
def test_test_that_leaks_state_is_reported(
    name: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"))
    pytester.makepyfile(LEAKS[name])
    report = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    report.assert_outcomes(passed=1, errors=1)
