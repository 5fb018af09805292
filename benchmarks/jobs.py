"""Whole jobs: a network trained until it is good, and an epoch over five million examples.

Everyone trains the same network by the same rule (Adam, or descent) from the same parameters on
the same batches; what differs is who takes the steps. A job is run several times in turns. Run
it with ``python -m benchmarks.jobs``; the rows of single steps are in ``python -m benchmarks``.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import math
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from benchmarks.machine import describe_machine, describe_versions, limited_threads
from benchmarks.problem import Array, Arrays, layer_names, make_class_net

TARGET = 0.03
"""Test error at which the digits are learned."""

MOST_EPOCHS = 100
RATE = 1e-3
HUGE = 5_000_000
HUGE_SIZES = (20, 64, 1)
HUGE_BATCH = 1024

Train: TypeAlias = Callable[[], float]
"""Runs the job once, and returns a figure that shows it was done: an error, or a loss."""


@dataclass(frozen=True)
class Outcome:
    """Seconds of each run of a job, and the figure that it ended with."""

    job: str
    contender: str
    seconds: list[float]
    figure: float


# ------------------------------------------------------------------------- the digits


@dataclass(frozen=True)
class Digits:
    """Standardised digits, a network to begin with, and the batches of each epoch."""

    train: tuple[Array, Array]
    test: tuple[Array, Array]
    params: Arrays
    batch: int = 32

    def epoch(self, k: int) -> Iterator[tuple[Array, Array]]:
        """Yield the batches of epoch ``k``."""
        tg: Any = importlib.import_module("tensorgrad")
        yield from tg.data.minibatches(*self.train, self.batch, rng=k)

    def error(self, p: Any) -> float:
        """Return the share of test examples that parameters tell wrongly."""
        x, y = self.test
        a = np.tanh(x @ np.asarray(p["W1"]).T + np.asarray(p["b1"]))
        z = a @ np.asarray(p["W2"]).T + np.asarray(p["b2"])
        return float(np.mean(z.argmax(axis=1) != y))


def make_digits() -> Digits:
    """Return the job: 64-128-10, tanh and softmax, float32."""
    tg: Any = importlib.import_module("tensorgrad")
    x, y = tg.data.load("digits")
    (x, y), _, test = tg.data.split(x, y, rng=0)
    mean, spread = x.mean(axis=0), x.std(axis=0)
    spread[spread == 0] = 1

    def scaled(x: Array) -> Array:
        return ((x - mean) / spread).astype(np.float32)

    net = make_class_net(
        np.random.default_rng(0),
        (64, 128, 10),
        n=1,
        dtype=np.float32,
        hidden="tanh",
        optimizer="adam",
        lr=RATE,
    )
    return Digits((scaled(x), y), (scaled(test[0]), test[1]), net.params)


def until_good(
    job: Digits, step: Callable[[Array, Array], object], params: Any
) -> float:
    """Take steps until the test error is small enough; return that error."""
    for epoch in range(MOST_EPOCHS):
        for x, y in job.epoch(epoch):
            step(x, np.eye(10, dtype=np.float32)[y])
        error = job.error(params())
        if error <= TARGET:
            return error
    return math.nan


def by_fit(job: Digits, *, compiled: str | bool, epochs: int) -> float:
    """Train by ``tg.train.fit``, which evaluates after each epoch as the others do."""
    return fitted(job, epochs, compiled=compiled)[-1]


def fitted(job: Digits, epochs: int, *, compiled: str | bool = "auto") -> list[float]:
    """Return the test error after each epoch of ``tg.train.fit``."""
    tg: Any = importlib.import_module("tensorgrad")
    model = make_model([64, 128, 10], ["tanh", "softmax"], job.params)
    history = tg.train.fit(
        model,
        job.train,
        job.test,
        optimizer=tg.optim.Adam(RATE),
        epochs=epochs,
        batch_size=job.batch,
        compile=compiled,
        progress=False,
    )
    return [float(error) for error in history.dev_error]


def make_model(sizes: list[int], activations: list[str], params: Arrays) -> Any:
    """Return a network with the parameters that everyone begins with."""
    tg: Any = importlib.import_module("tensorgrad")
    model = tg.nn.mlp(sizes, activations, rng=0, dtype=np.float32)
    places = [(layer, kind) for layer in model.layers for kind in "Wb"]
    for (layer, kind), value in zip(places, params.values(), strict=True):
        setattr(layer, kind, tg.tensor(value, requires_grad=True, name=kind))
    return model


def epochs_needed(job: Digits) -> int:
    """Return after how many epochs ``fit`` is good enough; it cannot stop at an error."""
    errors = np.array(fitted(job, MOST_EPOCHS))
    return int(np.argmax(errors <= TARGET)) + 1


def by_hand(job: Digits) -> float:
    """Train by handwritten NumPy, Adam included."""
    p = {name: value.copy() for name, value in job.params.items()}
    m, v = ({name: np.zeros_like(a) for name, a in p.items()} for _ in range(2))
    t = 0

    def step(x: Array, y: Array) -> None:
        nonlocal t
        t += 1
        a = np.tanh(x @ p["W1"].T + p["b1"])
        z = a @ p["W2"].T + p["b2"]
        e = np.exp(z - z.max(axis=1, keepdims=True))
        delta2 = (e / e.sum(axis=1, keepdims=True) - y) / len(x)
        delta1 = (delta2 @ p["W2"]) * (1 - a * a)
        grads = {
            "W1": delta1.T @ x,
            "b1": delta1.sum(axis=0),
            "W2": delta2.T @ a,
            "b2": delta2.sum(axis=0),
        }
        root = math.sqrt(1 - 0.999**t)
        rate = RATE * root / (1 - 0.9**t)
        for name, g in grads.items():
            m[name] = 0.9 * m[name] + 0.1 * g
            v[name] = 0.999 * v[name] + 0.001 * g * g
            p[name] -= rate * m[name] / (np.sqrt(v[name]) + 1e-8 * root)

    return until_good(job, step, lambda: p)


def by_jax(job: Digits) -> float:
    """Train by JAX, the step under jit with its state donated."""
    jax = importlib.import_module("jax")
    jnp, tree = jax.numpy, jax.tree_util

    def loss(p: Any, x: Any, y: Any) -> Any:
        a = jnp.tanh(x @ p["W1"].T + p["b1"])
        return -jnp.mean(jnp.sum(y * jax.nn.log_softmax(a @ p["W2"].T + p["b2"]), -1))

    def move(state: Any, x: Any, y: Any) -> Any:
        p, m, v, t = state
        g = jax.grad(loss)(p, x, y)
        t = t + 1
        m = tree.tree_map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = tree.tree_map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        root = jnp.sqrt(1 - 0.999**t)
        rate = RATE * root / (1 - 0.9**t)
        p = tree.tree_map(
            lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-8 * root), p, m, v
        )
        return p, m, v, t

    compiled = jax.jit(move, donate_argnums=0)
    zeros = [
        {k: jnp.zeros(a.shape, a.dtype) for k, a in job.params.items()} for _ in "mv"
    ]
    start = {k: jnp.array(a) for k, a in job.params.items()}
    held = [(start, *zeros, jnp.zeros((), jnp.float32))]

    def step(x: Array, y: Array) -> None:
        held[0] = compiled(held[0], x, y)

    return until_good(job, step, lambda: held[0][0])


def by_torch(job: Digits) -> float:
    """Train by PyTorch, with its own Adam."""
    torch = importlib.import_module("torch")
    p = {k: torch.tensor(a, requires_grad=True) for k, a in job.params.items()}
    optimizer = torch.optim.Adam(p.values(), lr=RATE, fused=True)

    def step(x: Array, y: Array) -> None:
        optimizer.zero_grad()
        a = torch.tanh(torch.from_numpy(x) @ p["W1"].T + p["b1"])
        z = a @ p["W2"].T + p["b2"]
        torch.nn.functional.cross_entropy(z, torch.from_numpy(y)).backward()
        optimizer.step()

    return until_good(job, step, lambda: {k: a.detach().numpy() for k, a in p.items()})


def by_sklearn(job: Digits) -> float:
    """Train by scikit-learn, epoch by epoch, from a start of its own."""
    network = importlib.import_module("sklearn.neural_network")
    model = network.MLPClassifier(
        (128,), activation="tanh", batch_size=job.batch, learning_rate_init=RATE,
        alpha=0.0, random_state=0,
    )  # fmt: skip
    x, y = job.test
    for _ in range(MOST_EPOCHS):
        # One pass over shuffled batches.
        model.partial_fit(*job.train, classes=np.arange(10))
        error = float(np.mean(model.predict(x) != y))
        if error <= TARGET:
            return error
    return math.nan


# --------------------------------------------------------------------- the large epoch


@dataclass(frozen=True)
class LargeEpoch:
    """Examples in files, a network with a sigmoid, and plain descent."""

    x: Path
    y: Path
    params: Arrays

    def batches(self) -> Iterator[tuple[Array, Array]]:
        """Yield the batches, read in blocks from the files."""
        tg: Any = importlib.import_module("tensorgrad")
        yield from tg.data.minibatches(self.x, self.y, HUGE_BATCH, rng=0)


def make_large_epoch(folder: Path, n: int) -> LargeEpoch:
    """Write examples of two classes, and return the job."""
    rng = np.random.default_rng(0)
    x, y = folder / "x.npy", folder / "y.npy"
    rows = np.lib.format.open_memmap(x, "w+", np.float32, (n, HUGE_SIZES[0]))
    labels = np.lib.format.open_memmap(y, "w+", np.float32, (n, 1))
    for start in range(0, n, 1 << 18):
        part = slice(start, min(start + (1 << 18), n))
        rows[part] = rng.standard_normal((part.stop - start, HUGE_SIZES[0]), np.float32)
        labels[part, 0] = rows[part, 0] * rows[part, 1] > 0
    net = make_class_net(
        rng, HUGE_SIZES, n=1, dtype=np.float32, hidden="tanh", optimizer="sgd", lr=0.1
    )
    return LargeEpoch(x, y, net.params)


def large_by_fit(job: LargeEpoch, *, compiled: str | bool) -> float:
    """One epoch of ``tg.train.fit`` from the files."""
    tg: Any = importlib.import_module("tensorgrad")
    model = make_model(list(HUGE_SIZES), ["tanh", "sigmoid"], job.params)
    history = tg.train.fit(
        model,
        (job.x, job.y),
        optimizer=tg.optim.SGD(0.1),
        epochs=1,
        batch_size=HUGE_BATCH,
        compile=compiled,
        progress=False,
    )
    return float(history.train_loss[0])


def large_by_hand(job: LargeEpoch) -> float:
    """One epoch of handwritten NumPy over the same batches."""
    p = [job.params[name].copy() for name in layer_names(2)]
    total = n = 0.0
    for x, y in job.batches():
        W1, b1, W2, b2 = p
        a = np.tanh(x @ W1.T + b1)
        s = 1 / (1 + np.exp(-(a @ W2.T + b2)))
        total -= float(np.sum(np.log(np.where(y > 0, s, 1 - s))))
        n += len(x)
        delta2 = (s - y) / len(x)
        delta1 = (delta2 @ W2) * (1 - a * a)
        W1 -= 0.1 * (delta1.T @ x)
        b1 -= 0.1 * delta1.sum(axis=0)
        W2 -= 0.1 * (delta2.T @ a)
        b2 -= 0.1 * delta2.sum(axis=0)
    return total / n


def large_by_jax(job: LargeEpoch) -> float:
    """One epoch of JAX over the same batches."""
    jax = importlib.import_module("jax")
    jnp = jax.numpy

    def loss(p: Any, x: Any, y: Any) -> Any:
        z = jnp.tanh(x @ p["W1"].T + p["b1"]) @ p["W2"].T + p["b2"]
        return jnp.mean(jax.nn.softplus(z) - y * z)

    def move(p: Any, x: Any, y: Any) -> Any:
        value, grads = jax.value_and_grad(loss)(p, x, y)
        return jax.tree_util.tree_map(lambda p, g: p - 0.1 * g, p, grads), value

    step = jax.jit(move, donate_argnums=0)
    p: Any = {k: jnp.array(a) for k, a in job.params.items()}
    total = n = 0.0
    for x, y in job.batches():
        p, value = step(p, x, y)
        total, n = total + float(value) * len(x), n + len(x)
    return total / n


def large_by_torch(job: LargeEpoch) -> float:
    """One epoch of PyTorch over the same batches."""
    torch = importlib.import_module("torch")
    p = {k: torch.tensor(a, requires_grad=True) for k, a in job.params.items()}
    total = n = 0.0
    for rows, labels in job.batches():
        x, y = torch.from_numpy(rows), torch.from_numpy(labels)
        z = torch.tanh(x @ p["W1"].T + p["b1"]) @ p["W2"].T + p["b2"]
        value = torch.nn.functional.binary_cross_entropy_with_logits(z, y)
        grads = torch.autograd.grad(value, list(p.values()))
        with torch.no_grad():
            for leaf, g in zip(p.values(), grads, strict=True):
                leaf.sub_(g, alpha=0.1)
        total, n = total + float(value) * len(x), n + len(x)
    return total / n


# --------------------------------------------------------------------------- running


def contenders_of(job: Digits | LargeEpoch) -> dict[str, tuple[str, Train]]:
    """Return, by name, the package that has to be there, and the way to do the job."""
    if isinstance(job, Digits):
        n = epochs_needed(job)
        return {
            "numpy": ("numpy", lambda: by_hand(job)),
            "fit": ("tensorgrad", lambda: by_fit(job, compiled="auto", epochs=n)),
            "fit, graph": ("tensorgrad", lambda: by_fit(job, compiled=False, epochs=n)),
            "jax jit": ("jax", lambda: by_jax(job)),
            "torch": ("torch", lambda: by_torch(job)),
            "scikit-learn": ("sklearn", lambda: by_sklearn(job)),
        }
    return {
        "numpy": ("numpy", lambda: large_by_hand(job)),
        "fit": ("tensorgrad", lambda: large_by_fit(job, compiled="auto")),
        "fit, graph": ("tensorgrad", lambda: large_by_fit(job, compiled=False)),
        "jax jit": ("jax", lambda: large_by_jax(job)),
        "torch": ("torch", lambda: large_by_torch(job)),
    }


def run_job(name: str, job: Digits | LargeEpoch, rounds: int) -> list[Outcome]:
    """Run a job in turns, compiling included; what is kept on disk is kept."""
    present = {
        contender: train
        for contender, (package, train) in contenders_of(job).items()
        if importlib.util.find_spec(package) is not None
    }
    seconds: dict[str, list[float]] = {contender: [] for contender in present}
    figures: dict[str, float] = {}
    for _ in range(rounds):
        for contender, train in present.items():
            start = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                figures[contender] = train()
            seconds[contender].append(time.perf_counter() - start)
    return [Outcome(name, c, seconds[c], figures[c]) for c in present]


def format_outcomes(outcomes: Sequence[Outcome]) -> str:
    """Return a table: median seconds, the ratio to handwritten NumPy, and the figure."""
    units = {o.job: np.median(o.seconds) for o in outcomes if o.contender == "numpy"}
    lines = ["| job | contender | seconds | range | ratio | figure |", "|---" * 6 + "|"]
    for o in outcomes:
        median = float(np.median(o.seconds))
        lines.append(
            f"| {o.job} | {o.contender} | {median:.2f} | {min(o.seconds):.2f} … "
            f"{max(o.seconds):.2f} | {median / units[o.job]:.2f} | {o.figure:.4f} |"
        )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the status is 1 if somebody did not learn the digits."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.jobs", description=str(__doc__).partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=1, help="default: %(default)s")
    parser.add_argument(
        "--examples", type=int, default=HUGE, help="of the epoch (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    options = parser.parse_args(argv)
    if importlib.util.find_spec("jax") is not None:
        importlib.import_module("benchmarks.contenders.jax_jit").prepare(
            options.threads
        )
    if importlib.util.find_spec("torch") is not None:
        importlib.import_module("torch").set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder, limited_threads(options.threads):
        jobs: dict[str, Digits | LargeEpoch] = {
            f"digits to {TARGET:.0%} test error": make_digits(),
            f"epoch of {options.examples:,} × {HUGE_SIZES[0]}": make_large_epoch(
                Path(folder), options.examples
            ),
        }
        outcomes = [
            outcome
            for name, job in jobs.items()
            for outcome in run_job(name, job, options.rounds)
        ]
    print(format_outcomes(outcomes))
    if options.json is not None:
        packages = ["tensorgrad", "numpy", "jax", "torch", "scikit-learn"]
        document = {
            "machine": describe_machine(),
            "versions": describe_versions(packages),
            "threads": options.threads,
            "jobs": [asdict(outcome) for outcome in outcomes],
        }
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return int(any(math.isnan(outcome.figure) for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
