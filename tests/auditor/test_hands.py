"""Whatever a function does instead of returning gradients, the audit says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg

RNG = np.random.default_rng(1)
PARAMS = {"W": RNG.normal(size=(2, 3)), "b": RNG.normal(size=(2, 1))}
X, Y = RNG.normal(size=(3, 5)), RNG.normal(size=(2, 5))


def loss(p: Any, x: Any, y: Any) -> Any:
    return tg.mse(np.tanh(p["W"] @ x + p["b"]), y, example_axis=1)


def right(p: Any, x: Any, y: Any) -> dict[str, Any]:
    a = np.tanh(p["W"] @ x + p["b"])
    delta = 2 * (a - y) * (1 - a * a) / x.shape[1]
    return {"W": delta @ x.T, "b": delta.sum(axis=1, keepdims=True)}


def with_b(change: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return the right gradient with another one by b."""

    def gradient(p: Any, x: Any, y: Any) -> Any:
        found = right(p, x, y)
        return {**found, "b": change(found["b"])}

    return gradient


def raising(p: Any, x: Any, y: Any) -> Any:
    raise KeyError("W3")


def stale() -> Callable[..., Any]:
    kept: dict[str, Any] = {}

    def gradient(p: Any, x: Any, y: Any) -> Any:
        if not kept:
            kept.update(right(p, x, y))
        return dict(kept)

    return gradient


def late() -> Callable[..., Any]:
    kept: dict[str, Any] = {}

    def gradient(p: Any, x: Any, y: Any) -> Any:
        before = dict(kept) or right(p, x, y)
        kept.update(right(p, x, y))
        return before

    return gradient


def random() -> Callable[..., Any]:
    rng = np.random.default_rng(0)
    return with_b(lambda b: b * rng.random())


def writing(p: Any, x: Any, y: Any) -> Any:
    found = right(p, x, y)
    p["W"] -= 0.1 * found["W"]
    return found


def unsummed(p: Any, x: Any, y: Any) -> Any:
    a = np.tanh(p["W"] @ x + p["b"])
    delta = 2 * (a - y) * (1 - a * a) / x.shape[1]
    return {"W": delta @ x.T, "b": delta}


def without_b(p: Any, x: Any, y: Any) -> Any:
    return {"W": right(p, x, y)["W"]}


def transposed(p: Any, x: Any, y: Any) -> Any:
    found = right(p, x, y)
    return {**found, "W": found["W"].T}


CASES = {
    "raises": (raising, "inconclusive", "unexplained", "KeyError: 'W3'"),
    "returns nothing": (lambda *_: None, "inconclusive", "unexplained", "a return is"),
    "flat bias": (with_b(np.ravel), "refuted", "shape", "another arrangement"),
    "unsummed": (unsummed, "refuted", "reduction", "not summed over the examples"),
    "no b": (without_b, "refuted", "shape", "No gradient for b"),
    "transposed": (transposed, "refuted", "transpose", "and otherwise right"),
    "NaN": (with_b(lambda b: b * np.nan), "refuted", "unexplained", "NaN"),
    "whole": (with_b(lambda b: (9 * b).astype(int)), "refuted", "precision", "cut off"),
    "text": (with_b(lambda _: "hello"), "refuted", "shape", "is a str"),
    "ragged": (with_b(lambda _: [[1.0], [2.0, 3.0]]), "refuted", "shape", "b"),
    "half": (
        with_b(lambda b: b.astype(np.float16).astype(float)),
        "refuted",
        "unexplained",
        "b",
    ),
    "rounded": (with_b(lambda b: np.float32(b) * 1.0), "confirmed", "", ""),
    "stale": (stale(), "refuted", "state", "earlier call"),
    "late": (late(), "refuted", "state", "earlier call"),
    "random": (random(), "inconclusive", "state", "drawn anew"),
    "writes": (writing, "refuted", "state", "in place: W"),
}


@pytest.mark.parametrize("name", [n for n in CASES if n != "rounded"])
def test_misbehaviour_gets_a_verdict_and_a_sentence(name: str) -> None:
    hand, verdict, family, words = CASES[name]
    report = tg.audit(hand, loss, PARAMS, X, Y)
    assert report.verdict == verdict
    assert report.findings[0].family == family
    assert words in report.findings[0].message
    assert not report.ok


def test_single_precision_in_one_tensor_is_confirmed() -> None:
    hand, *_ = CASES["rounded"]
    assert tg.audit(hand, loss, PARAMS, X, Y).ok


@pytest.mark.parametrize(
    "form",
    [
        lambda g: g,
        lambda g: (g["W"], g["b"]),
        lambda g: {"dW": g["W"], "db": g["b"]},
        lambda g: {"grads": g},
        lambda g: (g, "cache"),
        lambda g: {k: v.tolist() for k, v in g.items()},
    ],
)
def test_gradients_come_in_many_forms(form: Callable[[Any], Any]) -> None:
    assert tg.audit(lambda *args: form(right(*args)), loss, PARAMS, X, Y).ok


def test_arguments_are_as_they_were() -> None:
    before = {name: value.copy() for name, value in PARAMS.items()}
    tg.audit(writing, loss, PARAMS, X, Y)
    assert all(np.array_equal(PARAMS[name], before[name]) for name in before)


def test_lower_precision_is_told_from_a_mistake() -> None:
    near = with_b(lambda b: b * (1 + 3e-8 * np.array([[1.0], [-1.0]])))
    (finding,) = tg.audit(near, loss, PARAMS, X, Y).findings
    assert finding.family == "precision"
    assert finding.where.tensors == ("b",)


def test_a_cost_that_is_no_number_is_refused() -> None:
    with pytest.raises(tg.ArgumentError, match="shape \\(2, 5\\)"):
        tg.audit(right, lambda p, x, y: p["W"] @ x - y, PARAMS, X, Y)


def test_a_cost_without_a_graph_is_refused() -> None:
    with pytest.raises(tg.ArgumentError, match="without a graph"):
        tg.audit(right, lambda p, x, y: 1.0, PARAMS, X, Y)


def test_delta_is_judged_with_and_without_the_mean() -> None:
    def with_delta(p: Any, x: Any, y: Any) -> Any:
        a = np.tanh(p["W"] @ x + p["b"])
        return {"grads": right(p, x, y), "delta": {1: 2 * (a - y) * (1 - a * a)}}

    assert tg.audit(with_delta, loss, PARAMS, X, Y).verdicts["delta.1"].status == (
        "confirmed"
    )


def test_wrong_delta_is_refuted() -> None:
    def with_delta(p: Any, x: Any, y: Any) -> Any:
        return {"grads": right(p, x, y), "delta": {1: np.ones((2, 5))}}

    report = tg.audit(with_delta, loss, PARAMS, X, Y)
    assert report.verdicts["delta.1"].status == "refuted"


def test_report_is_the_same_as_data() -> None:
    import json

    hand, *_ = CASES["unsummed"]
    report = tg.audit(hand, loss, PARAMS, X, Y)
    data = json.loads(report.to_json())
    assert data["verdict"] == report.verdict
    assert [f["message"] for f in data["findings"]] == [
        f.message for f in report.findings
    ]


def test_report_as_html_escapes_what_came() -> None:
    def hand(p: Any, x: Any, y: Any) -> Any:
        raise ValueError("<script>")

    text = tg.audit(hand, loss, PARAMS, X, Y)._repr_html_()
    assert "&lt;script&gt;" in text
    assert "<script>" not in text


def test_strategies_are_drawn_from_and_made_simple() -> None:
    from hypothesis import strategies as st
    from hypothesis.extra.numpy import arrays

    points = st.fixed_dictionaries(
        {
            "W": arrays(float, (2, 3), elements=st.floats(-2, 2)),
            "b": arrays(float, (2, 1), elements=st.floats(-2, 2)),
        }
    )
    assert tg.audit(right, loss, points, X, Y).verdict == "confirmed"
    doubled = with_b(lambda b: 2 * b)
    assert tg.audit(doubled, loss, points, X, Y).verdict == "refuted"


def test_a_reference_that_fails_its_own_check_judges_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from types import SimpleNamespace

    from tensorgrad.auditor import auditing

    refuted = SimpleNamespace(verdict="refuted", reason="it is twice the slope")
    monkeypatch.setattr(auditing, "gradcheck", lambda *_, **__: refuted)
    report = tg.audit(unsummed, loss, PARAMS, X, Y)
    assert report.verdicts["W"].status == "inconclusive"
    assert "twice the slope" in report.reference
