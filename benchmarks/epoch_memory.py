"""Anonymous memory of one epoch over a file, for a small and a large number of rows.

``python -m benchmarks.epoch_memory`` writes 500,000 and 5,000,000 rows of 20 numbers in
single precision to disk, trains a network for one epoch of batches of 5,000 on each, and
samples RssAnon meanwhile: what the process holds itself, without the pages of the file
that the system keeps. Each number of rows has a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

FEATURES = 20
SMALL, LARGE = 500_000, 5_000_000
BATCH = 5_000
CHUNK = 250_000
SAMPLE_S = 0.005


def write_data(folder: Path, n: int) -> None:
    """Write x and y, piece by piece."""
    rng = np.random.default_rng(0)
    x = np.lib.format.open_memmap(
        folder / "x.npy", mode="w+", dtype=np.float32, shape=(n, FEATURES)
    )
    y = np.lib.format.open_memmap(
        folder / "y.npy", mode="w+", dtype=np.float32, shape=(n, 1)
    )
    for start in range(0, n, CHUNK):
        part = rng.standard_normal((min(CHUNK, n - start), FEATURES), dtype=np.float32)
        x[start : start + CHUNK] = part
        y[start : start + CHUNK] = part[:, :1] * part[:, 1:2] > 0
    x.flush()
    y.flush()


def anonymous_bytes() -> int:
    """Return RssAnon of this process."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise OSError(
        "RssAnon: /proc/self/status has no such line: expected Linux 4.5 or later."
    )


def measure(folder: Path) -> dict[str, float]:
    """Train for an epoch, and return the peak and the time."""
    import tensorgrad as tg

    peak, is_over = anonymous_bytes(), threading.Event()

    def sample() -> None:
        nonlocal peak
        while not is_over.wait(SAMPLE_S):
            peak = max(peak, anonymous_bytes())

    model = tg.nn.mlp([FEATURES, 64, 1], ["relu", "sigmoid"], dtype=np.float32, rng=0)
    sampler = threading.Thread(target=sample)
    sampler.start()
    start = time.perf_counter()
    history = tg.train.fit(
        model,
        (folder / "x.npy", folder / "y.npy"),
        epochs=1,
        batch_size=BATCH,
        standardise=True,
        progress=False,
    )
    elapsed_s = time.perf_counter() - start
    is_over.set()
    sampler.join()
    return {"peak": peak, "seconds": elapsed_s, "loss": history.train_loss[-1]}


def run(n: int) -> dict[str, float]:
    """Measure in a process of its own, which starts small."""
    with tempfile.TemporaryDirectory() as folder:
        write_data(Path(folder), n)
        command = [sys.executable, "-m", "benchmarks.epoch_memory", "--measure", folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Print peak and time for both numbers of rows, and the difference."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs=2, default=(SMALL, LARGE))
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.measure is not None:
        print(json.dumps(measure(options.measure)))
        return 0
    peaks = []
    for n in options.rows:
        found = run(n)
        peaks.append(found["peak"] / 1e6)
        print(
            f"{n:>10,} rows: RssAnon at most {peaks[-1]:6.1f} MB, "
            f"{found['seconds']:6.1f} s, mean loss {found['loss']:.4f}"
        )
    print(f"difference: {peaks[1] - peaks[0]:+.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
