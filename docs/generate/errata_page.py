"""The page of claims and errata, from the claims: settled and measured on the spot.

``python -m docs.generate.errata_page`` writes it; the documentation's build does so
before it reads any page. It is no file of the repository, since it holds measurements.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from docs.generate.files import ROOT
from tensorgrad.verify import CLAIMS, ERRATA
from tensorgrad.verify.report import Findings, summary
from tensorgrad.verify.settling import Measured, Settled, measure, settle

PAGE = ROOT / "docs" / "reference" / "errata.md"

COUNT = 50
SEED = 0

CHAPTERS = {
    "1": "Logistic regression",
    "2": "A single hidden layer",
    "3": "Deep networks",
    "4": "Training, development and test sets",
    "5": "Regularisation",
    "6": "Gradients and numerical remarks",
    "7": "Mini-batch descent",
}

HEAD = """\
<!-- Written when the documentation is built: edit tensorgrad/verify, not this file. -->
# Claims and errata of the notes

What the lecture notes derive and state, put to the test, and where they are wrong. Each
claim is compared in random cases: the derivation by hand ([`tensorgrad.derivations`](api.md)),
the graph, and a numerical opinion that knows no derivative. *Confirmed* claims hold as
they are printed. *Corrected* ones hold in the form given here, while the printed form
fails in every case but those in which it is right by accident. Each erratum is run, in
code of our own, and measured.

This page was made by the command that you can run yourself:

```sh
tensorgrad verify --count {count} --seed {seed}
```

**{summary}.**

The worst relative error is the largest distance of two of the opinions, in norm, in all
cases. It is 1 where no digit is left, which the claims on rounding allow: their bound is
set for each case.
"""


def text_of(findings: Findings) -> str:
    """Return the page."""
    head = HEAD.format(
        count=findings.count, seed=findings.seed, summary=summary(findings)
    )
    return "\n".join([head, *_claims(findings), *_errata(findings)]) + "\n"


def _claims(findings: Findings) -> Iterator[str]:
    yield "## Claims\n"
    for number, title in CHAPTERS.items():
        chosen = [f for f in findings.claims if f.claim.section[0] == number]
        if not chosen:
            continue
        yield f"### {number} {title}: claims\n"
        for found in chosen:
            yield _row(found)


def _row(found: Settled) -> str:
    claim = found.claim
    return f"""\
{claim.section} **{claim.title}**
: {claim.statement}
: *{found.verdict}*, {found.cases} cases, worst relative error {found.worst:.1e}
"""


def _errata(findings: Findings) -> Iterator[str]:
    yield "## Errata\n"
    for number, title in CHAPTERS.items():
        chosen = [f for f in findings.errata if f.erratum.section[0] == number]
        if not chosen:
            continue
        yield f"### {number} {title}: errata\n"
        yield from (_entry(found) for found in chosen)


def _entry(found: Measured) -> str:
    erratum = found.erratum
    return f"""\
#### {erratum.section}, {erratum.kind}: {erratum.id}

Printed
: {erratum.printed}

Right
: {erratum.right}

Why
: {erratum.why}

Measured
: {found.evidence.text}

Invisible
: {erratum.invisible}
"""


def find() -> Findings:
    """Settle all claims and measure all errata.

    Raises
    ------
    RuntimeError
        If one does not come out as expected: the page would print what does not hold.
    """
    claims = [settle(claim, count=COUNT, seed_=SEED) for claim in CLAIMS]
    findings = Findings(claims, list(measure(ERRATA, seed_=SEED)), COUNT, SEED)
    if not findings.is_settled:
        wrong = [f.claim.id for f in claims if not f.is_settled]
        wrong += [f.erratum.id for f in findings.errata if not f.is_settled]
        raise RuntimeError(f"not settled as expected: {', '.join(wrong)}")
    return findings


def write(path: Path = PAGE) -> None:
    """Write the page."""
    path.write_text(text_of(find()), encoding="utf-8")


if __name__ == "__main__":
    write()
