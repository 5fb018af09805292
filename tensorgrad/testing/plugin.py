"""The pytest plugin: a fixture, a mark, and the checks of a package's own functions.

It is registered as an entry point, so that installing tensorgrad is enough.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

__all__ = ["GradientItem", "gradcheck"]

REPORTS = pytest.StashKey[list[Any]]()
MARK = (
    "gradients: checks a derivative; every test that uses the fixture gradcheck has it"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--tensorgrad-check PACKAGE``."""
    group = parser.getgroup("tensorgrad")
    group.addoption(
        "--tensorgrad-check",
        action="append",
        default=[],
        metavar="PACKAGE",
        help="check the derivatives of the functions of this package, module or file "
        "that are marked with tensorgrad.testing.checked; repeatable",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark, and make room for the reports."""
    config.addinivalue_line("markers", MARK)
    config.stash[REPORTS] = []


class GradientItem(pytest.Item):
    """The check of one marked function."""

    def __init__(self, *, function: Callable[..., Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = function
        self.add_marker("gradients")

    def runtest(self) -> None:
        """Check the function as its mark says."""
        from tensorgrad.testing.marks import run_plan  # noqa: PLC0415

        report = run_plan(self.function)
        note(self, report)
        report.raise_if_failed()

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """Show the table of a check that failed, and no traceback of ours."""
        from tensorgrad.errors import GradientCheckError  # noqa: PLC0415

        if isinstance(excinfo.value, GradientCheckError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """Tell where the function is."""
        code = getattr(self.function, "__code__", None)
        line = None if code is None else code.co_firstlineno - 1
        return (
            (code.co_filename if code else self.path),
            line,
            f"gradient of {self.name}",
        )


def note(item: Any, report: Any) -> None:
    """Keep a report for the summary, and for JUnit as a property of the test."""
    item.config.stash[REPORTS].append((item.nodeid, report))
    item.user_properties.append(("gradcheck", json.dumps(json.loads(report.to_json()))))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Mark the tests that use the fixture, and add the functions that are marked."""
    for item in items:
        if "gradcheck" in getattr(item, "fixturenames", ()):
            item.add_marker("gradients")
    targets = config.getoption("--tensorgrad-check")
    if not targets:
        return
    from tensorgrad.errors import TensorgradError  # noqa: PLC0415
    from tensorgrad.testing.marks import import_target, marked_in  # noqa: PLC0415

    for target in targets:
        try:
            found = list(marked_in(import_target(target)))
        except (TensorgradError, FileNotFoundError) as error:
            raise pytest.UsageError(str(error)) from error
        if not found:
            message = (
                f"--tensorgrad-check {target}: no marked function: expected functions "
                "decorated with tensorgrad.testing.checked. Mark one, or correct the name"
            )
            raise pytest.UsageError(message)
        items += [
            GradientItem.from_parent(session, name=name, function=function)
            for name, function in found
        ]


@pytest.fixture
def gradcheck(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Check a derivative: `tensorgrad.testing.gradcheck`, failing unless confirmed.

    Returns the report; the terminal's summary counts it, and JUnit files carry it.
    """
    from tensorgrad.testing.gradients import gradcheck as check  # noqa: PLC0415

    def run(f: Any, *args: Any, **options: Any) -> Any:
        report = check(f, *args, **options)
        note(request.node, report)
        report.raise_if_failed()
        return report

    return run


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how many derivatives were confirmed, and why the others were not."""
    reports = _all_reports(terminalreporter, config)
    if not reports:
        return
    counts = {"confirmed": 0, "refuted": 0, "inconclusive": 0}
    for _, verdict, _ in reports:
        counts[verdict] += 1
    terminalreporter.section("gradients")
    terminalreporter.line(", ".join(f"{n} {name}" for name, n in counts.items()))
    for nodeid, verdict, reason in reports:
        if verdict != "confirmed":
            terminalreporter.line(f"{verdict}: {nodeid}: {reason}")


def _all_reports(
    terminalreporter: Any, config: pytest.Config
) -> list[tuple[str, str, str]]:
    """Return what was noted, here or by the workers of pytest-xdist."""
    found = []
    for outcome in terminalreporter.stats.values():
        for test in outcome:
            if getattr(test, "when", None) != "call":
                continue
            for name, value in getattr(test, "user_properties", ()):
                if name == "gradcheck":
                    data = json.loads(value)
                    found.append((test.nodeid, data["verdict"], data["reason"]))
    return found
