"""Data: embedded sets, tables from files, partitions, batches and augmentation.

Examples are rows everywhere. Every function returns new arrays or read-only views
and leaves its arguments as they are; randomness comes in as `rng`.
"""

from __future__ import annotations

from .augmentation import Augmented, Mix, augment, flip, mix, noise, shift
from .batches import minibatches
from .embedded import Description, describe, load
from .partition import split
from .reading import read_table
from .rows import Shards
from .table import Table

__all__ = [
    "Augmented",
    "Description",
    "Mix",
    "Shards",
    "Table",
    "augment",
    "describe",
    "flip",
    "load",
    "minibatches",
    "mix",
    "noise",
    "read_table",
    "shift",
    "split",
]
