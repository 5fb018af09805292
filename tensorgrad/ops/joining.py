"""The table: joining."""

from __future__ import annotations
