"""Time of the first call of a compiled step on the digits, in new processes.

Once with an empty cache of libraries, C build included, and once with what that left.
Run it from the root of the repository with ``python -m benchmarks.first_call``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

CHILD = """
import time
import numpy as np
start = time.perf_counter()
import tensorgrad as tg
x, y = tg.data.load("digits")
x, y = x.astype(np.float32), np.eye(10, dtype=np.float32)[y]
rng = np.random.default_rng(0)
sizes = [64, 128, 10]
p = {}
for l, (n_in, n_out) in enumerate(zip(sizes, sizes[1:]), 1):
    p[f"W{l}"] = (rng.normal(size=(n_out, n_in)) / 8).astype(np.float32)
    p[f"b{l}"] = np.zeros(n_out, np.float32)
loaded = time.perf_counter()

def loss(p, x, y):
    a = tg.tanh(x @ p["W1"].T + p["b1"])
    return tg.cross_entropy(tg.softmax(a @ p["W2"].T + p["b2"]), y)

def step(p, x, y):
    cost, grads = tg.value_and_grad(loss)(p, x, y)
    return cost, {name: p[name] - 0.1 * grads[name] for name in p}

compiled = tg.compile(step)
compiled(p, x, y)
called = time.perf_counter()
print(loaded - start, called - loaded, compiled.explain().splitlines()[0], sep="|")
"""


def first_call(cache: str) -> tuple[float, float, str]:
    """Return seconds of import and data, of the first call, and what was compiled."""
    environment = {**os.environ, "TENSORGRAD_CACHE": cache}
    done = subprocess.run(  # this interpreter, on the text above
        [sys.executable, "-c", CHILD],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    load_s, call_s, told = done.stdout.strip().split("|")
    return float(load_s), float(call_s), told


def main() -> int:
    """Print both and return the exit status."""
    with tempfile.TemporaryDirectory() as cache:
        for name in ("empty cache", "warm cache"):
            load_s, call_s, told = first_call(cache)
            print(f"{name}: import and data {load_s:.3f} s, first call {call_s:.3f} s")
        print(told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
