"""The auditor knows ops, not networks: shared weights, residuals, several inputs, rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg

RNG = np.random.default_rng(0)
N, M, K = 7, 4, 3
SHARED = {
    "W": RNG.normal(size=(M, M)) / 2,
    "U": RNG.normal(size=(K, M)),
    "b": RNG.normal(size=M),
    "c": RNG.normal(size=K),
}
ROWS = RNG.normal(size=(N, M))
LABELS = np.eye(K)[RNG.integers(0, K, N)]

BRANCHES = {
    "A": RNG.normal(size=(3, 4)),
    "B": RNG.normal(size=(3, 5)),
    "b": RNG.normal(size=(3, 1)),
    "v": RNG.normal(size=(1, 3)),
}
INPUTS = (RNG.normal(size=(4, 6)), RNG.normal(size=(5, 6)), RNG.normal(size=(1, 6)))


def residual_loss(p: Any, x: Any, y: Any) -> Any:
    h = np.tanh(x @ p["W"].T + p["b"]) + x
    g = np.tanh(h @ p["W"].T + p["b"])
    return tg.cross_entropy(tg.softmax(g @ p["U"].T + p["c"], axis=1), y)


def residual_gradient(p: Any, x: Any, y: Any, wrong: str = "") -> Any:
    t = np.tanh(x @ p["W"].T + p["b"])
    h = t + x
    g = np.tanh(h @ p["W"].T + p["b"])
    e = np.exp(g @ p["U"].T + p["c"])
    d3 = (e / e.sum(1, keepdims=True) - y) / len(x)
    d2 = d3 @ p["U"] * (1 - g * g)
    dh = d2 @ (p["W"].T if wrong == "transposed" else p["W"])
    d1 = dh * (1 - (h if wrong == "after the sum" else t) ** 2)
    dW = d2.T @ (t if wrong == "before the sum" else h) + d1.T @ x
    if wrong == "one use":
        dW = d2.T @ h
    dc = d3.mean(0) if wrong == "mean" else d3.sum(0)
    return {"W": dW, "U": d3.T @ g, "b": d2.sum(0) + d1.sum(0), "c": dc}


def branch_loss(p: Any, x1: Any, x2: Any, t: Any) -> Any:
    s = np.tanh(p["A"] @ x1 + p["B"] @ x2 + p["b"])
    return np.sum(np.log(np.cosh(p["v"] @ s - t))) / 6 + 0.05 * np.sum(p["v"] ** 2)


def branch_gradient(p: Any, x1: Any, x2: Any, t: Any, wrong: str = "") -> Any:
    s = np.tanh(p["A"] @ x1 + p["B"] @ x2 + p["b"])
    d = np.tanh(p["v"] @ s - t) / (1 if wrong == "sum" else 6)
    ds = p["v"].T @ d * (1 if wrong == "missing" else 1 - s * s)
    dB = -ds @ x2.T if wrong == "negated" else ds @ x2.T
    decay = 0.05 if wrong == "half" else 0.1
    return {
        "A": ds @ x1.T,
        "B": dB,
        "b": ds.sum(1, keepdims=True),
        "v": d @ s.T + decay * p["v"],
    }


@pytest.mark.parametrize(
    ("wrong", "family", "tensors"),
    [
        ("transposed", "transpose", {"W", "b"}),
        ("after the sum", "activation-derivative", {"W", "b"}),
        ("before the sum", "operand", {"W"}),
        ("one use", "detached", {"W"}),
        ("mean", "scale", {"c"}),
    ],
)
def test_mistake_in_a_residual_net_with_shared_weights_is_named(
    wrong: str, family: str, tensors: set[str]
) -> None:
    def gradient(p: Any, x: Any, y: Any) -> Any:
        return residual_gradient(p, x, y, wrong)

    report = tg.audit(gradient, residual_loss, SHARED, ROWS, LABELS)
    (finding,) = report.findings
    assert finding.family == family
    assert set(finding.explains) == tensors


@pytest.mark.parametrize(
    ("wrong", "family", "expression"),
    [
        ("sum", "scale", "n"),
        ("missing", "activation-derivative", ""),
        ("negated", "sign", "-1"),
        ("half", "penalty", "1/2"),
    ],
)
def test_mistake_with_two_inputs_and_a_loss_of_ones_own_is_named(
    wrong: str, family: str, expression: str
) -> None:
    def gradient(p: Any, *data: Any) -> Any:
        return branch_gradient(p, *data, wrong)

    (finding,) = tg.audit(gradient, branch_loss, BRANCHES, *INPUTS).findings
    assert (finding.family, finding.factor_expr) == (family, expression)


def test_correct_gradients_of_both_are_confirmed() -> None:
    assert tg.audit(residual_gradient, residual_loss, SHARED, ROWS, LABELS)
    assert tg.audit(branch_gradient, branch_loss, BRANCHES, *INPUTS)


def test_the_line_of_the_cost_is_told() -> None:
    def gradient(p: Any, *data: Any) -> Any:
        return branch_gradient(p, *data, "missing")

    (finding,) = tg.audit(gradient, branch_loss, BRANCHES, *INPUTS).findings
    assert 'np.tanh(p["A"] @ x1 + p["B"] @ x2 + p["b"])' in finding.where.line


def test_fix_is_written_for_examples_in_rows() -> None:
    def gradient(p: Any, x: Any, y: Any) -> Any:
        return residual_gradient(p, x, y, "mean")

    (finding,) = tg.audit(gradient, residual_loss, SHARED, ROWS, LABELS).findings
    assert "delta3.sum(axis=0)" in finding.fix


def test_unexplained_gradient_says_where_the_trouble_begins() -> None:
    def gradient(p: Any, x: Any, y: Any) -> Any:
        found = residual_gradient(p, x, y)
        return {**found, "U": np.sin(found["U"] * 40)}

    (finding,) = tg.audit(gradient, residual_loss, SHARED, ROWS, LABELS).findings
    assert finding.family == "unexplained"
    assert "layers 3 alone" in finding.message


def test_a_module_is_audited_by_the_paths_of_its_parameters() -> None:
    model = tg.nn.mlp([4, 3], ["softmax"], rng=0)

    def loss(model: Any, x: Any, y: Any) -> Any:
        return tg.cross_entropy(model(x), y)

    def gradient(model: Any, x: Any, y: Any) -> Any:
        delta = model(x) - y
        return {"layers": [{"W": delta.T @ x / len(x), "b": delta.sum(0)}]}

    report = tg.audit(gradient, loss, model, ROWS, LABELS)
    assert report.verdicts["layers.0.W"].status == "confirmed"
    assert report.findings[0].factor_expr == "n"
