"""The report of an audit: verdicts, findings, blind spots, as text, JSON and HTML."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tensorgrad._typing import Array

__all__ = ["AuditReport", "Finding", "Verdict", "Where"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What can be said of one tensor.

    Attributes
    ----------
    status : str
        confirmed, refuted or inconclusive.
    error : float
        ‖hand − true‖ / (‖hand‖ + ‖true‖), between 0 and 1.
    reason : str
    """

    status: Literal["confirmed", "refuted", "inconclusive"]
    error: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Where:
    """Where a mistake sits: tensors, layers, the value it passes, and the line of the cost."""

    tensors: tuple[str, ...]
    layer: int | None
    node: str
    line: str
    layers: tuple[int, ...] = ()

    def __str__(self) -> str:
        layers = ", ".join(map(str, self.layers))
        head = f"layer {layers}" if len(self.layers) == 1 else f"layers {layers}"
        return f"{head}, at {self.node}" if self.layers else self.node


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake, and the evidence.

    Attributes
    ----------
    family : str
        scale, sign, reduction, transpose, operand, activation-derivative, output-delta,
        softmax-jacobian, penalty, dropout, detached, state, precision, shape or unexplained.
    where : Where
    factor : float
        Handwritten ÷ true where the mistake is a factor, NaN elsewhere.
    factor_expr : str
        The same as a product of sizes: ``"n"`` for a forgotten 1/n.
    explains : tuple of str
        The tensors that it explains.
    predicted : dict of str to ndarray
        The gradient that this mistake would give.
    residual : float
        Largest relative distance of ``predicted`` from the handwritten one.
    message, fix : str
    alternatives : tuple of Finding
        Other mistakes that give the same gradient at this point.
    """

    family: str
    where: Where
    factor: float
    factor_expr: str
    explains: tuple[str, ...]
    predicted: Mapping[str, Array] = field(repr=False)
    residual: float
    message: str
    fix: str
    alternatives: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found; true only if every tensor is confirmed and nothing was found.

    Attributes
    ----------
    verdicts : dict of str to Verdict
        By the parameters' paths; ``delta.1`` … where those came as well.
    findings : tuple of Finding
    blind_spots : tuple of str
        What this point cannot tell, and which sizes would.
    reference : str
        How the true gradient was itself checked.
    """

    verdicts: Mapping[str, Verdict]
    findings: tuple[Finding, ...]
    blind_spots: tuple[str, ...]
    reference: str

    @property
    def ok(self) -> bool:
        """Whether every tensor is confirmed, and nothing was found."""
        return not self.findings and all(
            v.status == "confirmed" for v in self.verdicts.values()
        )

    def __bool__(self) -> bool:
        return self.ok

    @property
    def verdict(self) -> str:
        """The verdict on the whole: refuted if anything is, else inconclusive if anything is."""
        kinds = {v.status for v in self.verdicts.values()}
        if "refuted" in kinds or (self.findings and "inconclusive" not in kinds):
            return "refuted"
        return "inconclusive" if "inconclusive" in kinds else "confirmed"

    def __str__(self) -> str:
        lines = [f"{self.verdict}: {_summary(self)}", ""]
        width = max((len(name) for name in self.verdicts), default=0)
        for name, verdict in self.verdicts.items():
            reason = f"  {verdict.reason}" if verdict.reason else ""
            lines.append(
                f"  {name:<{width}}  {verdict.status:<12}  error {verdict.error:.1e}{reason}"
            )
        for number, finding in enumerate(self.findings, 1):
            lines += ["", f"{number}. {finding.message}"]
            lines += [f"   {label:<9}{text}" for label, text in _facts(finding)]
        if self.blind_spots:
            lines += ["", "What this point cannot tell:"]
            lines += [f"  - {spot}" for spot in self.blind_spots]
        lines += ["", f"Reference: {self.reference}"]
        return "\n".join(lines)

    def to_json(self) -> str:
        """Return the report as JSON, without the predicted arrays."""
        return json.dumps(
            {
                "verdict": self.verdict,
                "ok": self.ok,
                "verdicts": {
                    name: {
                        "status": v.status,
                        "error": _number(v.error),
                        "reason": v.reason,
                    }
                    for name, v in self.verdicts.items()
                },
                "findings": [_plain(f) for f in self.findings],
                "blind_spots": list(self.blind_spots),
                "reference": self.reference,
            },
            indent=2,
            ensure_ascii=False,
        )

    def to_html(self) -> str:
        """Return the report as a fragment of HTML; notebooks show it."""
        color = {
            "confirmed": "#1a7f37",
            "refuted": "#cf222e",
            "inconclusive": "#9a6700",
        }
        esc = html.escape
        rows = "".join(
            f"<tr><td><code>{esc(name)}</code></td>"
            f'<td style="color:{color[v.status]}">{v.status}</td>'
            f"<td>{v.error:.1e}</td><td>{esc(v.reason)}</td></tr>"
            for name, v in self.verdicts.items()
        )
        findings = "".join(
            f"<li><p><strong>{esc(f.message)}</strong></p><dl>"
            + "".join(f"<dt>{esc(k)}</dt><dd>{esc(t)}</dd>" for k, t in _facts(f))
            + "</dl></li>"
            for f in self.findings
        )
        spots = "".join(f"<li>{esc(spot)}</li>" for spot in self.blind_spots)
        parts = [
            (
                f'<p style="color:{color[self.verdict]}"><strong>{self.verdict}</strong>: '
                f"{esc(_summary(self))}</p>"
            ),
            (
                "<table><thead><tr><th>tensor</th><th>verdict</th><th>error</th><th></th></tr>"
                f"</thead><tbody>{rows}</tbody></table>"
            ),
            f"<ol>{findings}</ol>" if findings else "",
            f"<p>What this point cannot tell:</p><ul>{spots}</ul>" if spots else "",
            f"<p><small>Reference: {esc(self.reference)}</small></p>",
        ]
        return f'<div class="tensorgrad-audit">{"".join(parts)}</div>'

    def _repr_html_(self) -> str:
        return self.to_html()


def _summary(report: AuditReport) -> str:
    kinds = [verdict.status for verdict in report.verdicts.values()]
    counts = {kind: kinds.count(kind) for kind in dict.fromkeys(sorted(kinds)[::-1])}
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    noun = "finding" if len(report.findings) == 1 else "findings"
    found = f"; {len(report.findings)} {noun}" if report.findings else ""
    return f"of {len(kinds)} tensors {told}{found}"


def _facts(finding: Finding) -> list[tuple[str, str]]:
    facts = [("family", finding.family), ("where", str(finding.where))]
    if finding.where.line:
        facts.append(("line", finding.where.line))
    if not math.isnan(finding.factor):
        expression = f" = {finding.factor_expr}" if finding.factor_expr else ""
        facts.append(("factor", f"{finding.factor:.6g}{expression}"))
    if finding.explains:
        facts.append(("explains", ", ".join(finding.explains)))
        facts.append(("residual", f"{finding.residual:.1e}"))
    facts.append(("fix", finding.fix))
    facts += [("or", f"{a.message} ({a.family})") for a in finding.alternatives]
    return facts


def _plain(finding: Finding) -> dict[str, Any]:
    where = finding.where
    return {
        "family": finding.family,
        "where": {
            "tensors": list(where.tensors),
            "layer": where.layer,
            "layers": list(where.layers),
            "node": where.node,
            "line": where.line,
        },
        "factor": _number(finding.factor),
        "factor_expr": finding.factor_expr,
        "explains": list(finding.explains),
        "residual": _number(finding.residual),
        "message": finding.message,
        "fix": finding.fix,
        "alternatives": [_plain(a) for a in finding.alternatives],
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
