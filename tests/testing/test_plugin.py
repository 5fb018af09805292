"""The pytest plugin, run by pytest itself on a package of a user's."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

pytest_plugins = ["pytester"]

PACKAGE = """
import numpy as np
from tensorgrad.testing import checked


@checked(np.array([0.5, -1.0]), order=2)
def smooth(x):
    return np.sin(x) * x


def slopes(x):
    return 2 * x**2


@checked(lambda: (np.array([1.0, 2.0]),), gradient=slopes)
def cube(x):
    return (x**3).sum()


def unmarked(x):
    return x
"""

TESTS = """
import numpy as np
import pytest


def test_right(gradcheck):
    assert gradcheck(np.tanh, np.ones(3)).verdict == "confirmed"


def test_wrong(gradcheck):
    gradcheck((lambda x: (x**2).sum(), lambda x: 3 * x), np.ones(3))


def test_other():
    pass
"""


@pytest.fixture
def project(pytester):
    pytester.makepyfile(package_of_mine=PACKAGE, test_mine=TESTS)
    return pytester


def run(project, *arguments):
    return project.runpytest_subprocess(
        "-p", "no:randomly", "-p", "no:cacheprovider", *arguments
    )


def test_fixture_fails_unless_confirmed_and_the_summary_counts(project):
    result = run(project, "test_mine.py")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*gradcheck: *refuted*1.5 times the slope*",
            "*gradients*",
            "1 confirmed, 1 refuted, 0 inconclusive",
            "refuted: test_mine.py::test_wrong: *1.5 times the slope",
        ]
    )


def test_tests_with_the_fixture_have_the_mark(project):
    run(project, "test_mine.py", "-m", "gradients").assert_outcomes(
        passed=1, failed=1, deselected=1
    )


def test_marked_functions_of_a_package_are_checked(project):
    result = run(project, "--tensorgrad-check", "package_of_mine", "package_of_mine.py")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*0.666667 times the slope*", "1 confirmed, 1 refuted*"]
    )
    result.stdout.no_fnmatch_line("*unmarked*")


def test_junit_file_carries_the_reports(project):
    run(project, "test_mine.py", "--junitxml=out.xml")
    found = ET.parse(project.path / "out.xml").iter("property")  # our own
    texts = [p.get("value") for p in found if p.get("name") == "gradcheck"]
    assert len(texts) == 2
    assert sum('"refuted"' in text for text in texts) == 1


def test_workers_report_too(project):
    result = run(project, "test_mine.py", "-n", "2")
    result.stdout.fnmatch_lines(["1 confirmed, 1 refuted, 0 inconclusive"])


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_module", "*importing it raises ModuleNotFoundError*"),
        ("no_such_file.py", "*there is no such file*"),
        ("json", "*no marked function*"),
    ],
)
def test_package_that_cannot_be_checked_is_named(project, target, message):
    result = run(project, "--tensorgrad-check", target)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])
