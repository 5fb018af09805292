"""Layers, and modules to make one's own."""

from __future__ import annotations

from tensorgrad.nn import init
from tensorgrad.nn.layers import Dense, Dropout, Sequential, mlp
from tensorgrad.nn.module import Module, Trace
from tensorgrad.nn.scaling import Standardise
from tensorgrad.nn.spec import from_spec, load_model, to_spec

__all__ = [
    "Dense",
    "Dropout",
    "Module",
    "Sequential",
    "Standardise",
    "Trace",
    "from_spec",
    "init",
    "load_model",
    "mlp",
    "to_spec",
]
