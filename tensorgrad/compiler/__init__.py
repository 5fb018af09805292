"""Functions captured as straight-line programs: ops, shapes and dtypes, and no Python."""

from __future__ import annotations

from tensorgrad.compiler.capture import Captured, capture
from tensorgrad.compiler.compiled import Compiled, compile  # noqa: A004  # fixed name
from tensorgrad.compiler.program import Constant, Instruction, Program, Variable

__all__ = [
    "Captured",
    "Compiled",
    "Constant",
    "Instruction",
    "Program",
    "Variable",
    "capture",
    "compile",
]
