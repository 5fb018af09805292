"""Findings in words: from the changes of a search to sentences, places and fixes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.auditor.anatomy import Anatomy
from tensorgrad.auditor.intake import Answer, Behaviour
from tensorgrad.auditor.judging import relative_error
from tensorgrad.auditor.report import Finding, Where
from tensorgrad.auditor.searching import Candidate, Found, Part, Problem
from tensorgrad.auditor.sweeping import Truth

__all__ = ["findings_of", "of_numbers", "of_shapes", "of_state"]

NOT_A_NUMBER = float("nan")

NODES = {
    "cost": "the whole cost",
    "data": "the cost without its penalty",
    "penalty": "the penalty",
    "decay": "the penalty",
    "weight": "the weights",
    "bias": "the biases",
    "signal": "what passes the weights",
    "activation": "the activations",
    "mask": "the masks",
    "keep": "the scales of the masks",
    "loss": "the loss",
    "other": "several steps",
}


def findings_of(problem: Problem, found: Found) -> list[Finding]:
    """Return a finding for each change of the best explanation, and for what is left."""
    wrong = frozenset(problem.hand) - problem.matches({})
    findings = [
        _finding(problem, found.best, k, wrong, found.ties)
        for k in range(len(found.best.parts))
    ]
    left = sorted(found.unexplained & wrong)
    if left:
        findings.append(_unexplained(problem, left, found.best))
    return findings


def _finding(
    problem: Problem,
    candidate: Candidate,
    k: int,
    wrong: frozenset[str],
    ties: Sequence[Candidate] = (),
) -> Finding:
    part = candidate.parts[k]
    explained = sorted(part.affects & wrong & candidate.matched)
    predicted = {
        name: _moved(problem.true[name], candidate.moved.get(name))
        for name in explained
    }
    residual = max(
        (relative_error(problem.hand[n], p) for n, p in predicted.items()), default=0.0
    )
    where = _where(part, explained)
    alternatives = []
    for tie in ties:
        for j, other in enumerate(tie.parts):
            is_same_part = any(_is_same(other, p) for p in candidate.parts)
            if not is_same_part and other.affects & part.affects:
                alternatives.append(_finding(problem, tie, j, wrong))
    return Finding(
        part.family,
        where,
        part.factor,
        part.expressions[0] if part.expressions else "",
        tuple(explained),
        predicted,
        residual,
        _sentence(part),
        f"{part.fix}, and so in every layer" if len(where.layers) > 1 else part.fix,
        tuple(alternatives),
    )


def _is_same(one: Part, other: Part) -> bool:
    return (one.family, one.text) == (other.family, other.text)


def _moved(true: Array, move: Array | None) -> Array:
    return true if move is None else np.asarray(true + move)


def _where(part: Part, explained: Sequence[str]) -> Where:
    layers = tuple(sorted({p.layer for p in part.places if p.layer}))
    leaves = tuple(dict.fromkeys(p.leaf for p in part.places if p.leaf))
    role = part.places[0].role
    is_whole = role in ("cost", "data", "penalty")
    return Where(
        leaves or tuple(explained),
        layers[0] if len(layers) == 1 and not is_whole else None,
        part.places[0].text if len(part.places) == 1 and not is_whole else NODES[role],
        part.places[0].line,
        () if is_whole else layers,
    )


def _sentence(part: Part) -> str:
    text = f"{_capital(part.text)}."
    others = part.expressions[1:4]
    if others:
        listed = ", ".join(others)
        text += f" (The factor may as well be {listed}: these sizes are the same here.)"
    return text


def _start(
    problem: Problem, left: Sequence[str], best: Candidate
) -> tuple[str, int | None]:
    """Return where the trouble begins: the wrong layer that is nearest to the output."""
    parts = problem.context.parts
    wrong = {parts.layer_of(name) for name in left} - {0}
    right = {parts.layer_of(name) for name in best.matched} - {0}
    if not wrong:
        return "", None
    first = max(wrong)
    if all(l > first for l in right) and right:
        return (
            f" It begins between the layers {first + 1} and {first}: above, all is right.",
            first,
        )
    if first == parts.top and len(wrong) == parts.top:
        return f" It begins at the output, in delta{first} or before it.", first
    layers = ", ".join(map(str, sorted(wrong)))
    return f" It sits in the gradients of the layers {layers} alone.", first


def _capital(text: str) -> str:
    """Begin a sentence with a capital, unless it begins with a name such as delta1."""
    first = text.split(maxsplit=1)[0]
    is_word = first.isalpha() and len(first) > 1
    return f"{text[0].upper()}{text[1:]}" if is_word else text


def _unexplained(problem: Problem, left: Sequence[str], best: Candidate) -> Finding:
    errors = {n: relative_error(problem.hand[n], problem.true[n]) for n in left}
    is_small = max(errors.values()) < 1e-5
    worst = max(errors, key=lambda name: errors[name])
    message = (
        f"No mistake of the catalogue, and no two in different places, explain the gradient "
        f"of {', '.join(left)} (error {errors[worst]:.1e})."
    )
    begins, layer = _start(problem, left, best)
    message += begins
    fix = "compare the intermediates: return the deltas as {'grads': ..., 'delta': {1: ...}}"
    if is_small:
        message = (
            f"The gradient of {', '.join(left)} is right to {errors[worst]:.1e}, and no "
            "further: it was computed in lower precision, by differences, or with a small "
            "number added to a denominator."
        )
        fix = "compute in float64, and without a term such as 1e-8"
    return Finding(
        "precision" if is_small else "unexplained",
        Where(tuple(left), layer, "unknown", ""),
        NOT_A_NUMBER,
        "",
        tuple(left) if is_small else (),
        {},
        NOT_A_NUMBER,
        message,
        fix,
    )


def of_state(manners: Behaviour, answer: Answer, true: Truth) -> list[Finding]:
    """Return findings about what a function keeps between calls, or writes to."""
    found = []

    def add(family: str, tensors: Any, message: str, fix: str) -> None:
        names = tuple(sorted(tensors))
        found.append(
            Finding(
                family,
                Where(names, None, "between calls", ""),
                NOT_A_NUMBER,
                "",
                names,
                {},
                0.0,
                message,
                fix,
            )
        )

    if manners.accumulates:
        names = ", ".join(sorted(manners.accumulates))
        add(
            "state",
            manners.accumulates,
            f"Gradients are accumulated over calls: each call adds to {names}.",
            "start from zeros in every call",
        )
    if manners.varies:
        add(
            "state",
            (),
            "Two calls with the same arguments give different gradients: something is drawn "
            "anew, a dropout mask perhaps, or kept.",
            "pass the mask, or the seed, as an argument",
        )
    if manners.is_stale:
        add(
            "state",
            true.gradients,
            "The gradient does not follow the parameters: it is that of an earlier call, "
            "out of a cache that is not filled anew.",
            "run the forward pass inside the function, or pass its cache as an argument",
        )
    if answer.written:
        listed = ", ".join(answer.written)
        add(
            "state",
            (),
            f"The function changes its arguments in place: {listed}.",
            "write W = W - lr * dW instead of W -= lr * dW",
        )
    return found


def of_numbers(
    answer: Answer, hand: Mapping[str, Array], wrong: Sequence[str]
) -> list[Finding]:
    """Return findings about wrong gradients that hold whole numbers or NaN."""
    found = []
    for name in wrong:
        bad = int((~np.isfinite(hand[name])).sum())
        if name not in answer.whole and not bad:
            continue
        message = (
            f"The gradient of {name} holds whole numbers: its digits were cut off."
        )
        fix = (
            "keep floating numbers: no astype(int), no // and no integer array to fill"
        )
        if bad:
            count = f"{bad} of {hand[name].size} entries"
            message = f"{count} of {name}'s gradient are NaN or infinite."
            fix = "look for 0/0, log(0) or an overflowing exp; δ = (a - y)/n needs none of them"
        found.append(
            Finding(
                "unexplained" if bad else "precision",
                Where((name,), None, name, ""),
                NOT_A_NUMBER,
                "",
                () if bad else (name,),
                {},
                NOT_A_NUMBER,
                message,
                fix,
            )
        )
    return found


def of_shapes(answer: Answer, parts: Anatomy, true: Truth) -> list[Finding]:
    """Return findings about gradients that are missing or have other shapes."""
    found = []
    for complaint in answer.complaints:
        family, message = complaint.family, complaint.reason
        hand, right = (
            answer.gradients.get(complaint.name),
            true.gradients[complaint.name],
        )
        fix = complaint.fix
        if hand is not None and hand.ndim == 2 and hand.T.shape == right.shape:
            if relative_error(hand.T, right) < 1e-9:
                family, message = "transpose", f"{message}, and otherwise right"
                fix = f"return {complaint.name}'s gradient transposed"
        elif hand is not None and hand.size == right.size:
            if relative_error(hand.reshape(right.shape), right) < 1e-9:
                message = f"{message}, and otherwise right"
        elif hand is not None:
            family, message = _unsummed(parts, true, complaint.name, hand, message)
        found.append(
            Finding(
                family,
                Where(
                    (complaint.name,),
                    parts.layer_of(complaint.name) or None,
                    complaint.name,
                    "",
                ),
                NOT_A_NUMBER,
                "",
                (complaint.name,),
                {},
                NOT_A_NUMBER,
                f"{_capital(message)}.",
                fix,
            )
        )
    return found


def _unsummed(
    parts: Anatomy, true: Truth, name: str, hand: Array, message: str
) -> tuple[str, str]:
    """Tell whether a gradient is a δ over which nobody has summed."""
    n = float(parts.sizes.get("n", 1))
    for place in parts.places:
        delta = true.adjoints.get(parts.step(place).results[0])
        if place.role != "bias" or place.leaf != name or delta is None:
            continue
        if min(relative_error(hand, delta), relative_error(hand, n * delta)) < 1e-9:
            return (
                "reduction",
                f"{message}: it is δ itself, not summed over the examples",
            )
    return "shape", message
