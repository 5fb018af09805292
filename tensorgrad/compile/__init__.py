"""Functions captured as straight-line programs: ops, shapes and dtypes, and no Python."""

from __future__ import annotations

from tensorgrad.compile.capture import Captured, capture
from tensorgrad.compile.program import Constant, Instruction, Program, Variable

__all__ = ["Captured", "Constant", "Instruction", "Program", "Variable", "capture"]
