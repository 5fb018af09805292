"""The table: indexing."""

from __future__ import annotations
