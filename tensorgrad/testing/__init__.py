"""What checks derivatives, of this package and of its users."""

from __future__ import annotations

__all__: list[str] = []
