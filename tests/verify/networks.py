"""Random networks of every kind, by number: the same ones in every run."""

from __future__ import annotations

import numpy as np

from tensorgrad.verify.cases import ANY, draw_network

RATES = (0.4, 0.7, 0.9)
LAMS = (0.0, 0.3, 2.0)


def numbered_network(number, scale=1.0):
    """Return a network of depth 1 to 8, with any activations, penalty and masks."""
    rng = np.random.default_rng([number, 41])
    depth = 1 + number % 8
    sizes = rng.integers(1, 5, depth + 1).tolist()
    names = rng.choice(ANY, depth).tolist()
    dropped = np.flatnonzero(rng.random(depth) < 0.3).tolist()
    return draw_network(
        number,
        sizes,
        names,
        n=int(rng.integers(1, 8)),
        lam=float(rng.choice(LAMS)),
        keep_prob={l: float(rng.choice(RATES)) for l in dropped},
        scale=scale,
    )
