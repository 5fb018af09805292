"""``tensorgrad audit`` says what is wrong with a file's gradient, and by its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tensorgrad.cli.main import main

FILE = """
import numpy as np
import tensorgrad as tg

def softmax(z):
    e = np.exp(z - z.max(axis=0))
    return e / e.sum(axis=0)

def backward(params, x, y, wrong=False):
    w, b = params["w"], params["b"]
    a1 = np.tanh(w[1] @ x + b[1])
    d2 = (softmax(w[2] @ a1 + b[2]) - y) / x.shape[1]
    d1 = w[2].T @ d2 * (1 if wrong else 1 - a1**2)
    return {"dW1": d1 @ x.T, "db1": d1.sum(1, keepdims=True),
            "dW2": d2 @ a1.T, "db2": d2.sum(1, keepdims=True)}

def missing(params, x, y):
    return backward(params, x, y, wrong=True)

def by_cache(w, a, y):
    d2 = (a[2] - y) / y.shape[1]
    d1 = w[2].T @ d2 * (1 - a[1]**2)
    return {"w": {1: d1 @ a[0].T, 2: d2 @ a[1].T},
            "b": {1: d1.sum(1, keepdims=True), 2: d2.sum(1, keepdims=True)}}

def rows(w, a, y):
    d2 = (a[2] - y) / len(y)
    d1 = d2 @ w[2] * (1 - a[1]**2)
    return {"dW1": d1.T @ a[0], "db1": d1.sum(axis=0),
            "dW2": d2.T @ a[1], "db2": d2.sum(axis=0)}

def stuck(params, x, y):
    raise RuntimeError("no idea")

def odd(params, x, y, something):
    pass

def cost(v):
    return (v**2).sum()

def slope(v):
    return v
"""
NETWORK = ["--network", "5,4,3", "--activations", "tanh,softmax"]


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "backprop.py"
    path.write_text(FILE)
    return str(path)


@pytest.mark.parametrize(
    ("function", "layout", "status"),
    [
        ("backward", "columns", 0),
        ("by_cache", "columns", 0),
        ("rows", "rows", 0),
        ("missing", "columns", 1),
        ("stuck", "columns", 3),
    ],
)
def test_exit_status_is_the_verdict(
    file: str, function: str, layout: str, status: int
) -> None:
    found = main(["audit", f"{file}:{function}", *NETWORK, "--layout", layout])
    assert found == status


def test_report_names_mistake_place_and_fix(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["audit", f"{file}:missing", *NETWORK])
    out = capsys.readouterr().out
    assert "The derivative of tanh is missing." in out
    assert "layer 1" in out
    assert "delta1 = da1 * (1 - a1**2)" in out


def test_report_is_written_as_data_and_as_a_page(file: str, tmp_path: Path) -> None:
    data, page = tmp_path / "report.json", tmp_path / "report.html"
    outputs = ["--json", str(data), "--html", str(page)]
    main(["audit", f"{file}:missing", *NETWORK, *outputs])
    assert json.loads(data.read_text())["findings"][0]["where"]["layer"] == 1
    assert "<h1>Audit of <code>missing</code></h1>" in page.read_text()


def test_any_gradient_is_audited_with_its_cost(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    target = [f"{file}:slope", "--loss", "cost", "--args", "np.array([1.0, -2.0, 3.0])"]
    assert main(["audit", *target]) == 1
    assert "halved" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{file}"], "Name the function after a colon"),
        (["{file}:backward"], "neither --network nor --loss"),
        (["{file}:backwards", *NETWORK], "no function 'backwards'"),
        (["{file}:odd", *NETWORK], "something"),
        (["{file}:backward", "--network", "5"], "two or more positive widths"),
        (
            ["{file}:backward", "--network", "5,4,3", "--activations", "tanh"],
            "2, one for",
        ),
        (
            ["{file}:backward", "--network", "5,3", "--activations", "tan"],
            "names among linear",
        ),
    ],
)
def test_wrong_usage_says_what_to_do(
    file: str, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", *[a.format(file=file) for a in arguments]]) == 2
    assert words in capsys.readouterr().err
