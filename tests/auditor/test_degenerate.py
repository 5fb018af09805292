"""On sizes that hide something the truth is named, or is among the ties."""

from __future__ import annotations

import pytest

import tensorgrad as tg
from tensorgrad.testing.networks import draw_mlp
from tests.auditor.planted import KINDS, backward, spoilt

SQUARE = {"sizes": [4, 4, 4, 4], "activations": ["tanh", "sigmoid", "softmax"], "n": 4}
ALIKE = {"sizes": [3, 5, 6, 2], "activations": ["tanh"] * 2 + ["sigmoid"], "n": 5}
WORDS = (
    "no mean",
    "no mean in db",
    "doubled delta",
    "sign",
    "lambda",
    "means",
    "not transposed",
    "z for a",
    "missing",
    "neighbour",
    "mask missing",
    "dropout missing",
)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("shape", [SQUARE, ALIKE], ids=["square", "alike"])
def test_truth_is_found_or_tied(word: str, shape: dict[str, object]) -> None:
    network = draw_mlp(1, dropout=True, **shape)  # type: ignore[arg-type]
    report = tg.audit(backward(network, (word,), 2), network)
    wrong = spoilt(network, (word,), 2)
    told = [f for one in report.findings for f in (one, *one.alternatives)]
    families = {finding.family for finding in told}
    assert {n for n, v in report.verdicts.items() if v.status == "refuted"} == wrong
    assert (not wrong) or families & set(KINDS[word].families)
    assert report.blind_spots


def test_equal_sizes_are_told_as_a_tie_of_factors() -> None:
    network = draw_mlp(1, dropout=True, **SQUARE)  # type: ignore[arg-type]
    (finding,) = tg.audit(backward(network, ("no mean in db",)), network).findings
    assert finding.factor == pytest.approx(4)
    assert "may as well be" in finding.message


def test_same_activations_are_a_blind_spot() -> None:
    network = draw_mlp(1, **ALIKE)  # type: ignore[arg-type]
    spots = tg.audit(backward(network), network).blind_spots
    assert any("all have tanh" in spot for spot in spots)
