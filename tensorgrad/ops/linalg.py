"""The table: linalg."""

from __future__ import annotations
