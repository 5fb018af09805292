"""The auditor: which tensors of a handwritten gradient are right, and what went wrong."""

from __future__ import annotations

from tensorgrad.auditor.auditing import audit
from tensorgrad.auditor.report import AuditReport, Finding, Verdict, Where

__all__ = ["AuditReport", "Finding", "Verdict", "Where", "audit"]
