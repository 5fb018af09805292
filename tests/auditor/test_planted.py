"""A mistake planted in the derivation of the notes is named, located and measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.testing.networks import draw_mlp
from tests.auditor.planted import KINDS, PAIRS, PLANTED, Planted, backward, plant

SEEDS = range(3)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", PLANTED, ids=lambda kind: kind.word)
def test_mistake_is_named_and_explains_every_wrong_tensor(
    kind: Planted, seed: int
) -> None:
    case = plant((kind.word,), seed)
    report = tg.audit(case.handwritten(), case.network)
    (finding,) = report.findings
    assert {
        n for n, v in report.verdicts.items() if v.status == "refuted"
    } == case.wrong
    assert finding.family in kind.families
    assert kind.expression in (None, finding.factor_expr)
    assert set(finding.explains) == case.wrong
    assert finding.residual < 1e-8


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("words", PAIRS, ids=" and ".join)
def test_two_mistakes_are_told_apart(words: tuple[str, str], seed: int) -> None:
    case = plant(words, seed)
    report = tg.audit(case.handwritten(), case.network)
    wanted = [KINDS[word].families for word in words]
    found = [finding.family for finding in report.findings]
    assert {
        n for n, v in report.verdicts.items() if v.status == "refuted"
    } == case.wrong
    assert len(found) == 2
    assert all(any(family in families for family in found) for families in wanted)
    assert all(finding.residual < 1e-8 for finding in report.findings)


@pytest.mark.parametrize("seed", SEEDS)
def test_gradients_that_add_up_over_calls_are_told(seed: int) -> None:
    network = plant(("missing",), seed).network
    report = tg.audit(backward(network, ("accumulated",)), network)
    (finding,) = report.findings
    assert finding.family == "state"
    assert set(finding.explains) == set(report.verdicts)


@pytest.mark.parametrize("seed", SEEDS)
def test_place_is_the_layer_of_the_mistake(seed: int) -> None:
    case = plant(("missing",), seed)
    (finding,) = tg.audit(case.handwritten(), case.network).findings
    assert finding.where.layer == case.layer


@pytest.mark.parametrize("seed", SEEDS)
def test_predicted_gradient_is_the_handwritten_one(seed: int) -> None:
    case = plant(("z for a",), seed)
    network = case.network
    (finding,) = tg.audit(case.handwritten(), network).findings
    hand = case.handwritten()(network.params, network.x, network.y)
    name = f"w.{case.layer}"
    assert finding.predicted[name] == pytest.approx(hand["w"][case.layer], rel=1e-9)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-6, 1e-3, 0.5]))
def test_a_disturbed_entry_is_never_confirmed(seed: int, size: float) -> None:
    network = draw_mlp(seed, dropout=True)
    right = backward(network)
    rng = np.random.default_rng(seed)
    layer = int(rng.integers(1, len(network.activations) + 1))

    def disturbed(params: Any, x: Any, y: Any) -> Any:
        found = right(params, x, y)
        entry = np.abs(found["w"][layer]).argmax()
        found["w"][layer].flat[entry] *= 1 + size
        return found

    report = tg.audit(disturbed, network)
    statuses = {name: v.status for name, v in report.verdicts.items()}
    others = {n: s for n, s in statuses.items() if n != f"w.{layer}"}
    assert statuses[f"w.{layer}"] == "refuted"
    assert set(others.values()) == {"confirmed"}


@pytest.mark.parametrize("word", ["missing", "no mean in db", "lambda", "z for a"])
def test_mistake_is_named_in_single_precision(word: str) -> None:
    case = plant((word,), 0)
    net = case.network

    def single(values: Any) -> Any:
        return {l: v.astype(np.float32) for l, v in values.items()}

    network = replace(
        net,
        params={kind: single(values) for kind, values in net.params.items()},
        x=net.x.astype(np.float32),
        y=net.y.astype(np.float32),
        masks=single(net.masks),
    )
    report = tg.audit(backward(network, (word,), case.layer), network)
    assert {
        n for n, v in report.verdicts.items() if v.status == "refuted"
    } == case.wrong
    assert report.findings[0].family in KINDS[word].families
