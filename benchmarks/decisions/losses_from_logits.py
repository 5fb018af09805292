"""Losses from logits: digits of the adjoint, and the time of a step.

``logits``  the engine's way: the loss keeps its argument, and its handle knows the logits;
``plain``   the formula with log a and log(1 - a), differentiated as it stands.

Run it from the root of the repository with
``python -m benchmarks.decisions.losses_from_logits``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import tensorgrad as tg
from benchmarks.decisions.figures import format_table, quiet_seconds, run
from tensorgrad.core.modes import switch

LOGITS = (1.0, 10.0, 20.0, 30.0, 36.0, 40.0, 800.0)
SHAPES = ((400, 1), (1797, 10))
INNER = 200


def adjoint(z: float, *, fuse: bool) -> tuple[float, float]:
    """Return loss and adjoint at one logit, for the label 0."""
    with switch(fuse=fuse), np.errstate(all="ignore"):
        t = tg.tensor(np.array([[z]]), requires_grad=True)
        J = tg.log_loss(tg.sigmoid(t), np.zeros((1, 1)))
        g = tg.gradients(J, t)
    return float(J.item()), float(g.item())


def exact(z: float) -> tuple[float, float]:
    """Return softplus(z) and σ(z), by formulas that keep all digits for z > 0."""
    tail = np.exp(-z)
    return float(z + np.log1p(tail)), float(1 / (1 + tail))


def relative(value: float, reference: float) -> str:
    """Return a relative error as text."""
    if not np.isfinite(value):
        return str(value)
    error = abs(value - reference) / abs(reference)
    return f"{error:.0e}" if error else "0"


def steps(shape: tuple[int, int], n_times: int) -> dict[str, Callable[[], None]]:
    """Return functions that compute a loss and the adjoint of its logits."""
    rng = np.random.default_rng(0)
    z = tg.tensor(rng.standard_normal(shape), requires_grad=True)
    y = (rng.uniform(size=shape) < 0.5).astype(float)

    def repeat(*, fuse: bool) -> Callable[[], None]:
        def step() -> None:
            with switch(fuse=fuse):
                for _ in range(n_times):
                    tg.gradients(tg.log_loss(tg.sigmoid(z), y), z)

        return step

    return {"logits": repeat(fuse=True), "plain": repeat(fuse=False)}


def origins(n_times: int) -> dict[str, Callable[[], None]]:
    """Return functions of which one pays for carrying the origin of an activation."""
    start = tg.tensor(np.full((4, 1), 0.5), requires_grad=True)
    origin = tg.sigmoid(start)._origin
    reshape: Any = tg.reshape

    def reshaping() -> None:
        for _ in range(n_times):
            reshape(start, (4,))

    def passing_on() -> None:
        for _ in range(n_times):
            origin.through(reshape.op, {"shape": (4,)})

    return {"a reshape": reshaping, "its part in passing an origin on": passing_on}


def report(*, smoke: bool) -> Iterator[str]:
    """Yield the tables."""
    yield "relative error at one logit z with label 0, float64"
    rows = []
    for z in LOGITS:
        line = [f"{z:g}"]
        for fuse in (True, False):
            pairs = zip(adjoint(z, fuse=fuse), exact(z), strict=True)
            line += [relative(value, reference) for value, reference in pairs]
        rows.append(line)
    header = ["z", "J, logits", "∂J/∂z, logits", "J, plain", "∂J/∂z, plain"]
    yield format_table(header, rows)
    n_times = 1 if smoke else INNER
    yield "microseconds for sigmoid, loss and the adjoint of z"
    columns = [quiet_seconds(steps(s, n_times), smoke=smoke) for s in SHAPES]
    yield format_table(
        ["way", *[f"{a}×{b}" for a, b in SHAPES]],
        [
            [way, *[f"{1e6 * column[way] / n_times:.0f}" for column in columns]]
            for way in columns[0]
        ],
    )
    carried = quiet_seconds(origins(n_times), smoke=smoke)
    yield "microseconds for passing an origin on through a reshape"
    yield format_table(
        ["what", "µs"],
        [[name, f"{1e6 * s / n_times:.2f}"] for name, s in carried.items()],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    return run("losses_from_logits", argv, report)


if __name__ == "__main__":
    sys.exit(main())
