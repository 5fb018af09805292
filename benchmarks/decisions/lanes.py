"""A matrix of derivatives: all directions as lanes, or one product after the other.

Run it from the root of the repository with ``python -m benchmarks.decisions.lanes``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import tensorgrad as tg
from benchmarks.decisions.figures import format_table, quiet_seconds, run

SIZES = (10, 40, 120)
HIDDEN = 50


def ways(n: int) -> dict[str, Callable[[], Any]]:
    """Return both ways to the Hessian of a small network in its n inputs."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(n, HIDDEN)), rng.normal(size=(HIDDEN, 10))
    x = rng.normal(size=n)

    def f(x: Any) -> Any:
        return tg.logsumexp(np.tanh(x @ first) @ second)

    def products() -> Any:
        return np.stack([tg.hvp(f, (x,), (unit,))[0] for unit in np.eye(n)])

    np.testing.assert_allclose(tg.hessian(f)(x), products(), atol=1e-10)
    return {"lanes": lambda: tg.hessian(f)(x), "products": products}


def report(*, smoke: bool) -> Iterator[str]:
    """Yield the table."""
    yield "Milliseconds for a Hessian"
    rows = []
    for n in SIZES[: 1 if smoke else None]:
        seconds = quiet_seconds(ways(n), smoke=smoke)
        times = [f"{1e3 * s:.2f}" for s in seconds.values()]
        ratio = seconds["products"] / seconds["lanes"]
        rows.append([f"{n} × {n}", *times, f"{ratio:.1f}"])
    yield format_table(["Hessian", "lanes", "products", "ratio"], rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    return run("lanes", argv, report)


if __name__ == "__main__":
    sys.exit(main())
