"""Small problems with known answers, and optimisers that watch."""

from __future__ import annotations

from typing import Any

import numpy as np

import tensorgrad as tg

N_FEATURES = 4


def make_blobs(n=60, classes=3, seed=0):
    """Return examples around one centre for each class, and their classes."""
    rng = np.random.default_rng(seed)
    centres = 4 * np.eye(N_FEATURES)[:classes]
    y = np.arange(n) % classes
    return centres[y] + 0.3 * rng.standard_normal((n, N_FEATURES)), y


def make_noisy(n=60, seed=0):
    """Return two classes that overlap: a network can only learn them by heart."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, N_FEATURES)), rng.integers(0, 2, n)


def make_model(classes=3, seed=0, keep_prob=None, dtype=None):
    return tg.nn.mlp(
        [N_FEATURES, 6, classes],
        ["tanh", "softmax"],
        keep_prob=keep_prob,
        rng=seed,
        dtype=dtype,
    )


def values(model) -> dict[str, Any]:
    return {path: t.numpy().copy() for path, t in model.parameters().items()}


def as_bytes(model) -> dict[str, bytes]:
    return {path: value.tobytes() for path, value in values(model).items()}


class Watcher:
    """An optimiser that does nothing but keep the gradients it is given."""

    def __init__(self, on_update=lambda: None):
        self.seen = []
        self.on_update = on_update

    def init(self, params):
        return {}

    def update(self, grads, state, params):
        self.seen.append(grads)
        self.on_update()
        return params, state
