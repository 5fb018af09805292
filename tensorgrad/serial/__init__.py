"""Files of trees: parameters, buffers, optimiser states, with metadata."""

from __future__ import annotations

from tensorgrad.serial.content import Content
from tensorgrad.serial.tree_file import ARCHITECTURE, load, read, restore, save

__all__ = ["ARCHITECTURE", "Content", "load", "read", "restore", "save"]
