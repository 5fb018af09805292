"""Optimisers, schedules and gradient clipping."""

from __future__ import annotations

from tensorgrad.optim.clipping import clip_by_global_norm, clip_by_value, global_norm
from tensorgrad.optim.optimizers import SGD, Adam, AdamW, RMSProp
from tensorgrad.optim.schedules import (
    constant,
    cosine,
    exponential,
    step_decay,
    warmup,
)

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "RMSProp",
    "clip_by_global_norm",
    "clip_by_value",
    "constant",
    "cosine",
    "exponential",
    "global_norm",
    "step_decay",
    "warmup",
]
