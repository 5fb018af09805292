"""``tensorgrad check``: verdicts, statuses, and what it refuses."""

from __future__ import annotations

import json

import pytest

SOURCE = """
import numpy as np
from tensorgrad.testing import checked

W = np.array([[1.0, 2.0]])


def loss(x):
    return (np.tanh(x @ W.T) ** 2).sum()


@checked(np.array([0.5, -1.0]), order=2)
def smooth(x):
    return np.sin(x)


def slopes(x):
    return 2 * x


def square(x):
    return 0.5 * (x**2).sum()


def hidden(x):
    return 1e9 + 1e-12 * float(x[0])


def hidden_slopes(x):
    return np.array([1e-12, 0.0, 0.0])
"""


@pytest.fixture(autouse=True)
def file(folder):
    path = folder / "mine.py"
    path.write_text(SOURCE, encoding="utf-8")
    return path


def test_function_of_a_file_is_checked_at_given_arguments(run):
    done = run("check", "mine.py:loss", "--args", "np.ones((3, 2))")
    assert (done.status, "loss: confirmed" in done.out) == (0, True)


def test_arguments_may_use_the_names_of_the_file(run):
    done = run("check", "mine.py:loss", "--args", "W + 1")
    assert done.status == 0


def test_arguments_may_be_strategies(run):
    strategy = "st.floats(-1, 1).map(lambda v: np.full((2, 2), v))"
    assert run("check", "mine.py:loss", "--args", strategy).status == 0


def test_module_by_name_and_three_numbers_by_default(run, monkeypatch, folder):
    monkeypatch.syspath_prepend(folder)
    assert run("check", "mine:square").status == 0


def test_wrong_gradient_has_status_1_and_its_mistake_is_told(run):
    done = run("check", "mine.py:square", "--gradient", "slopes", "--quiet")
    assert done.status == 1
    assert done.out.startswith("slopes: refuted: handwritten")
    assert "2 times the slope" in done.out


def test_what_cannot_be_told_has_status_3(run):
    done = run("check", "mine.py:hidden", "--gradient", "hidden_slopes")
    assert (done.status, "inconclusive" in done.out) == (3, True)


def test_file_without_a_function_checks_the_marked_ones(run):
    done = run("check", "mine.py")
    assert (done.status, "smooth: confirmed" in done.out) == (0, True)
    assert "second order" in done.out
    assert "loss" not in done.out


def test_reports_are_written_as_data(run, folder):
    run("check", "mine.py:square", "--gradient", "slopes", "--json", "out.json")
    (report,) = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    assert (report["verdict"], report["function"]) == ("refuted", "slopes")


WRONG = {
    "missing file": (("nothing.py:f",), "there is no such file"),
    "missing function": (("mine.py:lost",), "Did you mean 'loss'?"),
    "missing gradient": (("mine.py:loss", "--gradient", "slope"), "'slopes'"),
    "broken file": (("broken.py:f",), "importing it raises SyntaxError"),
    "no mark": (("plain.py",), "no function in it is marked"),
    "arguments that raise": (("mine.py:loss", "--args", "1 +"), "SyntaxError"),
    "arguments for no function": (
        ("mine.py", "--args", "1.0"),
        "no function that it is for",
    ),
    "nothing to move": (("mine.py:loss", "--args", "3"), "without floating"),
    "folder": (("mine.py:loss", "--json", "no/out.json"), "--json"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_has_status_2_and_says_what_to_do(run, folder, name):
    (folder / "broken.py").write_text("def f(:\n", encoding="utf-8")
    (folder / "plain.py").write_text("x = 1\n", encoding="utf-8")
    arguments, message = WRONG[name]
    done = run("check", *arguments)
    assert (done.status, done.out) == (2, "")
    assert message in done.err
    assert ": expected " in done.err


def test_error_in_the_function_itself_is_the_users_to_see(run, folder):
    (folder / "bad.py").write_text(
        "def f(x):\n    return x.nothing\n", encoding="utf-8"
    )
    with pytest.raises(AttributeError, match="nothing"):
        run("check", "bad.py:f")
