"""Small files to train on and predict for."""

from __future__ import annotations

import numpy as np

KINDS = ("daisy", "rose", "tulip")
COLUMNS = ("length", "width", "height")


def make_examples(n=45, seed=0):
    """Return three columns in which the kinds lie far apart, and the kinds' numbers."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % len(KINDS)
    return 5 * np.eye(len(COLUMNS))[y] + rng.standard_normal((n, 3)) / 4, y


def write_csv(path, columns=COLUMNS, n=45, seed=0, extra=None):
    """Write the named columns in this order, among them ``kind`` and ``note``."""
    x, y = make_examples(n, seed)
    known = {name: x[:, j].tolist() for j, name in enumerate(COLUMNS)}
    known["kind"] = [KINDS[k] for k in y]
    known["note"] = ["seen"] * n
    known.update(extra or {})
    lines = [",".join(columns)]
    lines += [",".join(str(known[c][i]) for c in columns) for i in range(n)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
