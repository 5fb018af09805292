"""The command line: a shell around `tensorgrad.data`, `tensorgrad.train` and files."""

from __future__ import annotations
