"""The findings as one HTML page that needs nothing else: no script, no font, no server.

Formulas are MathML, which browsers draw by themselves.
"""

from __future__ import annotations

import html

from latex2mathml.converter import convert

from tensorgrad.verify.report import MATH, Findings, summary
from tensorgrad.verify.settling import Measured, Settled

__all__ = ["as_html", "page"]

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881;
  --good: #1a7f37; --mended: #9a6700; --bad: #cf222e; }
@media (prefers-color-scheme: dark) {
  :root { --good: #3fb950; --mended: #d29922; --bad: #f85149; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 72rem;
  padding: 2rem 1rem 4rem; }
h1 { line-height: 1.2; }
h2 { margin-top: 3rem; }
.lead { max-width: 44rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .5rem .75rem .5rem 0;
  text-align: left; vertical-align: top; }
td.number, th.number { font-variant-numeric: tabular-nums; padding-right: 1.25rem;
  text-align: right; white-space: nowrap; }
math { font-size: 1.08em; }
.statement { margin: .25rem 0 0; }
.verdict { font-weight: 600; white-space: nowrap; }
.confirmed { color: var(--good); } .corrected { color: var(--mended); }
.refuted, .unsettled { color: var(--bad); }
article { border: 1px solid var(--line); border-radius: .5rem; margin: 1rem 0;
  padding: .25rem 1.25rem 1rem; }
article h3 { margin: .75rem 0 .5rem; font-size: 1rem; }
dl { display: grid; grid-template-columns: 7rem 1fr; gap: .35rem 1rem; margin: 0; }
dt { opacity: .7; } dd { margin: 0; overflow-x: auto; }
.measured { background: var(--soft); border-radius: .25rem; padding: 0 .4rem; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; } }
"""


def page(findings: Findings) -> str:
    """Return the page.

    Parameters
    ----------
    findings : Findings

    Returns
    -------
    str
        A whole HTML document.
    """
    rows = "\n".join(_row(found) for found in findings.claims)
    cards = "\n".join(_card(found) for found in findings.errata)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>What the notes claim, and what holds</title>
<style>{STYLE}</style>
</head>
<body>
<h1>What the notes claim, and what holds</h1>
<p class="lead">Every claim was compared in up to {findings.count} random cases
(seed {findings.seed}): by the derivation by hand, by the graph, and numerically.
<em>Confirmed</em> claims hold as they are printed; <em>corrected</em> ones hold in the
form given here, and fail as printed.</p>
<p class="lead"><strong>{html.escape(summary(findings))}.</strong></p>
<h2>Claims</h2>
<div class="scroll"><table>
<thead><tr><th>Section</th><th>Claim</th><th class="number">Cases</th>
<th class="number">Worst relative error</th><th>Verdict</th></tr></thead>
<tbody>
{rows}
</tbody></table></div>
<h2>Errata</h2>
{cards}
</body>
</html>
"""


def as_html(prose: str) -> str:
    r"""Return prose with its LaTeX as MathML.

    Examples
    --------
    >>> as_html("a < b")
    'a &lt; b'
    >>> "<math" in as_html(r"the slope is $\beta$")
    True
    """
    parts, end = [], 0
    for found in MATH.finditer(prose):
        parts += [html.escape(prose[end : found.start()]), convert(found[1])]
        end = found.end()
    return "".join([*parts, html.escape(prose[end:])])


def _row(found: Settled) -> str:
    claim = found.claim
    detail = ""
    if found.counterexample:
        detail = f'<p class="statement refuted">{html.escape(found.counterexample)}</p>'
    return (
        f'<tr id="claim-{claim.id}"><td>{claim.section}</td>'
        f"<td>{html.escape(claim.title)}"
        f'<p class="statement">{as_html(claim.statement)}</p>{detail}</td>'
        f'<td class="number">{found.cases}</td>'
        f'<td class="number">{found.worst:.1e}</td>'
        f'<td class="verdict {found.verdict}">{found.verdict}</td></tr>'
    )


def _card(found: Measured) -> str:
    erratum = found.erratum
    claim = ""
    if erratum.claim is not None:
        claim = f"<dt>claim</dt><dd><a href='#claim-{erratum.claim}'>{erratum.claim}</a></dd>"
    mark = "" if found.is_settled else ' <span class="refuted">without evidence</span>'
    return (
        f'<article id="erratum-{erratum.id}">'
        f"<h3>{erratum.section} · {erratum.kind} · {erratum.id}{mark}</h3><dl>"
        f"<dt>printed</dt><dd>{as_html(erratum.printed)}</dd>"
        f"<dt>right</dt><dd>{as_html(erratum.right)}</dd>"
        f"<dt>why</dt><dd>{as_html(erratum.why)}</dd>"
        f'<dt>measured</dt><dd><span class="measured">'
        f"{as_html(found.evidence.text)}</span></dd>"
        f"<dt>invisible</dt><dd>{as_html(erratum.invisible)}</dd>{claim}"
        "</dl></article>"
    )
