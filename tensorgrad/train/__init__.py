"""Training: `fit`, what it returns, and how well a model does."""

from __future__ import annotations

from tensorgrad.train.checkpoint import Checkpoint
from tensorgrad.train.diagnosis import Diagnosis, diagnose
from tensorgrad.train.evaluation import error_rate, evaluate, predict
from tensorgrad.train.fitting import fit
from tensorgrad.train.history import History
from tensorgrad.train.signals import LayerSignal, Signals, signals
from tensorgrad.train.stopping import EarlyStopping
from tensorgrad.train.sweep import SweepResult, sweep

__all__ = [
    "Checkpoint",
    "Diagnosis",
    "EarlyStopping",
    "History",
    "LayerSignal",
    "Signals",
    "SweepResult",
    "diagnose",
    "error_rate",
    "evaluate",
    "fit",
    "predict",
    "signals",
    "sweep",
]
