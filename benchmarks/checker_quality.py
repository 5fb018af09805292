"""How often gradient checkers are wrong: false alarms on right gradients, and misses.

``cases N`` runs this checker alone on N random programs and networks: none may be
refuted. ``peers`` runs it and those of autograd, JAX and PyTorch, with their defaults, on
the same right and wrong gradients, and prints the table of the documentation.

Run it from the root of the repository with ``python -m benchmarks.checker_quality``.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from typing import Any

import numpy as np

import tensorgrad as tg
from benchmarks.contenders import checkers
from benchmarks.machine import limited_threads
from tensorgrad.testing import gradcheck
from tensorgrad.testing.programs import build_program, usable_steps

NET_SHARE = 0.2
"""Of the random cases: networks; the rest are programs over the table."""


# ------------------------------------------------------------------- random cases


def random_program(seed: int) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return a program of one to five ops, and its inputs."""
    rng = np.random.default_rng(seed)
    steps = usable_steps()
    while True:
        chosen = [
            (
                steps[rng.integers(len(steps))],
                tuple(int(k) for k in rng.integers(10, size=3)),
            )
            for _ in range(rng.integers(1, 6))
        ]
        program = build_program(chosen, seed=seed)
        # Steps that do not fit are left out, and then none may be left.
        if program.inputs:
            return program, program.inputs


def random_network(seed: int) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return a loss, and a network with data: all activations, sizes and magnitudes.

    A third are in float32, a third have data of a magnitude from 1e-8 to 1e8, and in a
    fifth all inputs are 0, where every ReLU of the first layer has its kink but for the
    bias.
    """
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(1, 6))
    sizes = [int(rng.integers(1, 8)) for _ in range(depth + 1)]
    hidden = ["relu", "leaky_relu", "tanh", "sigmoid"]
    head = str(rng.choice(["sigmoid", "softmax", "linear"]))
    sizes[-1] = max(sizes[-1], 2 if head == "softmax" else 1)
    activations = [str(rng.choice(hidden)) for _ in range(depth - 1)] + [head]
    dtype: Any = np.float32 if rng.random() < 1 / 3 else np.float64
    model = tg.nn.mlp(sizes, activations, rng=seed, dtype=dtype)
    n = int(rng.choice([1, 2, 5, 20]))
    scale = 10.0 ** rng.uniform(-8, 8) if rng.random() < 1 / 3 else 1.0
    scale = 0.0 if rng.random() < 1 / 5 else scale
    x = (rng.normal(size=(n, sizes[0])) * scale).astype(dtype)
    shape = (n, sizes[-1])
    loss: Any
    loss, y = {
        "sigmoid": (tg.log_loss, rng.integers(0, 2, shape).astype(dtype)),
        "softmax": (tg.cross_entropy, rng.integers(0, sizes[-1], n)),
        "linear": (tg.mse, rng.normal(size=shape).astype(dtype)),
    }[head]
    return (lambda m, x: loss(m(x), y)), (model, x)


def check_case(seed: int) -> tuple[int, str, str]:
    """Return the verdict on a random case whose gradient is right."""
    warnings.simplefilter("ignore")
    is_network = np.random.default_rng([seed, 1]).random() < NET_SHARE
    f, args = random_network(seed) if is_network else random_program(seed)
    report = gradcheck(f, *args, rng=seed)
    kind = "network" if is_network else "program"
    return seed, f"{kind} {report.verdict}", report.reason


def run_cases(n: int, first: int, processes: int) -> int:
    """Check random cases and print how often each verdict came; the status is 0 or 1."""
    counts: Counter[str] = Counter()
    start = time.perf_counter()
    with limited_threads(1), get_context("fork").Pool(processes) as pool:
        for seed, verdict, reason in pool.imap_unordered(
            check_case, range(first, first + n), chunksize=20
        ):
            counts[verdict] += 1
            if not verdict.endswith("confirmed"):
                print(f"{seed:>7}  {verdict}: {reason}")
    print(f"\n{n} cases in {time.perf_counter() - start:.0f} s")
    for verdict, count in sorted(counts.items()):
        print(f"{count:>7}  {verdict}")
    n_refuted = sum(c for v, c in counts.items() if v.endswith("refuted"))
    print(f"{n_refuted:>7}  false alarms")
    return int(n_refuted > 0)


# --------------------------------------------------------------------------- peers


def run_peers() -> int:
    """Print what every checker says to right and wrong gradients."""
    rows = checkers.compare()
    names = list(rows[0].answers)
    print("| case | gradient | " + " | ".join(names) + " |")
    print("|---|---|" + "---|" * len(names))
    for row in rows:
        right = "right" if row.is_right else "wrong"
        print(f"| {row.name} | {right} | " + " | ".join(row.answers.values()) + " |")
    print()
    for name in names:
        alarms = sum(r.is_right and r.answers[name] == "rejects" for r in rows)
        misses = sum(not r.is_right and r.answers[name] == "accepts" for r in rows)
        print(f"{name}: {alarms} false alarms, {misses} misses")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checker_quality")
    commands = parser.add_subparsers(dest="command", required=True)
    cases = commands.add_parser("cases", help="random right gradients, this checker")
    cases.add_argument("count", type=int, help="how many")
    cases.add_argument("--first", type=int, default=0, help="seed of the first")
    cases.add_argument("--processes", type=int, default=2)
    commands.add_parser("peers", help="the table of all checkers")
    options = parser.parse_args(argv)
    if options.command == "cases":
        return run_cases(options.count, options.first, options.processes)
    return run_peers()


if __name__ == "__main__":
    sys.exit(main())
