"""How often the auditor is right: planted mistakes on many drawn networks.

    python -m tests.auditor.score --networks 100

plants each mistake in so many networks (distinct widths, different activations, λ ≠ 0 and
dropout), audits the result, and counts: whether the wrong tensors are refuted and the others
confirmed, and whether the one finding has the family, the place and the factor of the mistake.
Pairs of mistakes come after, and the gradient without any.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from time import perf_counter

import tensorgrad as tg
from tensorgrad.auditor import AuditReport
from tests.auditor.planted import KINDS, PAIRS, PLANTED, Case, backward, plant

__all__ = ["main"]

Outcome = tuple[bool, bool, float]
"""Whether the verdicts are right, whether the findings are, and the seconds it took."""


def audited(words: tuple[str, ...], seed: int) -> Outcome:
    """Plant mistakes, audit, and compare with what was planted."""
    case = plant(words, seed)
    start = perf_counter()
    report = tg.audit(case.handwritten(), case.network)
    seconds = perf_counter() - start
    refuted = {n for n, v in report.verdicts.items() if v.status == "refuted"}
    return refuted == case.wrong, _is_named(case, report), seconds


def _is_named(case: Case, report: AuditReport) -> bool:
    kinds = [KINDS[word] for word in case.words]
    findings = list(report.findings)
    if len(findings) != len(kinds) or any(not f.residual < 1e-8 for f in findings):
        return False
    explained = {name for finding in findings for name in finding.explains}
    return explained == case.wrong and all(
        any(
            f.family in kind.families and kind.expression in (None, f.factor_expr)
            for f in findings
        )
        for kind in kinds
    )


def confirmed(seed: int) -> Outcome:
    """Audit the gradient without mistakes."""
    network = plant(("missing",), seed).network
    start = perf_counter()
    report = tg.audit(backward(network), network)
    return report.ok, report.ok, perf_counter() - start


def main(argv: Sequence[str] | None = None) -> int:
    """Count, and print a line for each kind of mistake."""
    parser = argparse.ArgumentParser(prog="python -m tests.auditor.score")
    parser.add_argument("--networks", type=int, default=20, help="of each kind")
    args = parser.parse_args(argv)
    seeds = range(1000, 1000 + args.networks)
    words = [(kind.word,) for kind in PLANTED] + list(PAIRS)
    worst, total, slowest = 100.0, [0, 0, 0], 0.0
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for one in [(), *words]:
            audit = partial(audited, one) if one else confirmed
            outcomes = list(pool.map(audit, seeds))
            right = sum(o[0] for o in outcomes)
            named = sum(o[1] for o in outcomes)
            slowest = max(slowest, *[o[2] for o in outcomes])
            share = 100 * named / len(outcomes)
            worst = min(worst, share)
            total = [total[0] + len(outcomes), total[1] + right, total[2] + named]
            label = " and ".join(one) or "no mistake"
            print(f"{label:36} verdicts {right}/{len(outcomes)}  named {share:5.1f} %")
    print(
        f"{total[0]} audits: verdicts right in {total[1]}, mistakes named in {total[2]}; "
        f"worst kind {worst:.0f} %; slowest {slowest:.1f} s"
    )
    return 0 if worst >= 97 else 1


if __name__ == "__main__":
    raise SystemExit(main())
