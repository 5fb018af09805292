"""A training of hundreds of steps keeps nothing, and leaves nothing to collect."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.train import fit
from tests.train.problems import make_blobs, make_model

N_STEPS = 200
N_MEASURED = 600
# Free lists of the interpreter vary by some 10,000; the smallest array, kept in each of
# 400 steps, would be 50,000.
SLACK_BYTES = 30_000


@pytest.fixture
def uncollected():
    """Return the objects that only the cyclic collector can free, of our making."""
    gc.collect()
    gc.disable()

    def find():
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found = [
            thing
            for thing in gc.garbage
            if type(thing).__module__.startswith("tensorgrad")
            or isinstance(thing, np.ndarray)
        ]
        gc.set_debug(0)
        gc.garbage.clear()
        return found

    yield find
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


@pytest.mark.parametrize("keep_prob", [None, 0.8])
def test_training_leaves_no_cyclic_garbage(uncollected, keep_prob):
    x, y = make_blobs(n=64)
    fit(
        make_model(keep_prob=keep_prob),
        (x, y),
        (x, y),
        epochs=N_STEPS // 4,
        batch_size=16,
        lam=0.1,
        standardise=True,
        early_stopping=N_STEPS,
        progress=False,
    )
    assert uncollected() == []


def test_collector_test_finds_a_cycle_of_tensors(uncollected):
    """The test above can fail."""
    node = tg.nn.Dense(2, 2, rng=0)
    node.itself = node
    del node
    assert uncollected() != []


def test_memory_is_flat_from_step_to_step():
    """The net has 60 parameters in 4 arrays; Adam remembers them twice."""
    x, y = make_blobs(n=64)
    sizes = np.zeros(N_MEASURED, dtype=np.int64)
    steps = iter(range(N_MEASURED))

    class Measured(tg.optim.Adam):
        def update(self, grads, state, params):
            step = next(steps)
            if step % 50 == 49:
                # Empties the interpreter's lists of free tuples, which count as
                # memory; that there are no cycles to find is the test above.
                gc.collect()
            sizes[step] = tracemalloc.get_traced_memory()[0]
            return super().update(grads, state, params)

    tracemalloc.start()
    fit(
        make_model(keep_prob=0.8),
        (x, y),
        optimizer=Measured(0.01),
        epochs=N_MEASURED // 4,
        batch_size=16,
        progress=False,
    )
    tracemalloc.stop()
    assert sizes[599] - sizes[199] < SLACK_BYTES


@pytest.mark.parametrize("standardise", [False, True])
def test_memory_of_an_epoch_does_not_grow_with_the_file(tmp_path, standardise):
    """Of x, the 16 MiB that are shuffled are the largest piece that is ever in memory."""
    peaks = []
    # Both files are larger than what is read and shuffled at once.
    for n in (600_000, 810_000):
        path = tmp_path / f"{n}.npy"
        np.save(path, np.random.default_rng(0).standard_normal((n, 8)))
        x, y = np.load(path, mmap_mode="r"), np.zeros(n, dtype=np.uint8)
        model = tg.nn.mlp([8, 2], ["softmax"], rng=0)
        tracemalloc.start()
        fit(
            model,
            (x, y),
            epochs=1,
            batch_size=5000,
            standardise=standardise,
            progress=False,
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # Checks of the labels, which are in memory anyway, take a few bytes for each;
    # an example in the file has 64.
    assert peaks[1] - peaks[0] < 4 * 210_000
