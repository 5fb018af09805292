"""Training on files, folders and objects, killed and taken up again."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.data import augment, batches, mix, noise
from tensorgrad.errors import ArgumentError, DataError, FileFormatError, ShapeError
from tensorgrad.train import Checkpoint, fit
from tests.data.test_rows import Recorder, write_shards
from tests.train.problems import as_bytes

N = 600
EPOCHS = 3


def make_data(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N, 4))
    return x, (x[:, 0] * x[:, 1] > 0).astype(np.int64)


def make_net():
    return tg.nn.mlp([4, 8, 2], ["tanh", "softmax"], keep_prob=0.9, rng=0)


def train(data, dev=None, model=None, **options):
    model = make_net() if model is None else model
    history = fit(
        model,
        data,
        dev,
        **{"epochs": EPOCHS, "batch_size": 32, "progress": False, **options},
    )
    return model, history


@pytest.fixture(autouse=True)
def small_windows(monkeypatch):
    monkeypatch.setattr(batches, "WINDOW_BYTES", 128 * 32)


def stored(tmp_path, x, y):
    """Return the data in every form that is not in memory."""
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    xs = write_shards(tmp_path / "xs", x, [100, 350])
    ys = write_shards(tmp_path / "ys", y, [410])
    return {
        "mapped": (np.load(tmp_path / "x.npy", mmap_mode="r"), y),
        "files": (tmp_path / "x.npy", str(tmp_path / "y.npy")),
        "folders": (xs, ys),
        "object": (Recorder(x), Recorder(y)),
    }


def test_training_is_the_same_wherever_the_data_lie(tmp_path):
    x, y = make_data()
    forms = stored(tmp_path, x, y)
    trained = {
        name: train(pair, (x, y), standardise=True) for name, pair in forms.items()
    }
    expected, course = trained.pop("mapped")
    for model, history in trained.values():
        assert as_bytes(model) == as_bytes(expected)
        assert history.train_loss == course.train_loss


def test_measures_are_those_of_the_arrays(tmp_path):
    x, y = make_data()
    model, _ = train((x, y))
    expected = (*tg.train.evaluate(model, x, y), tg.train.error_rate(model, x, y))
    for pair in stored(tmp_path, x, y).values():
        found = (*tg.train.evaluate(model, *pair), tg.train.error_rate(model, *pair))
        assert found == expected


def test_whole_batch_is_batch_descent_bit_for_bit():
    x, y = make_data()
    options = {"optimizer": tg.optim.SGD(0.1), "epochs": 5, "compile": False}
    plain = tg.nn.mlp([4, 8, 2], ["tanh", "softmax"], rng=0)
    by_fit, _ = train((x, y), model=plain, batch_size=N, rng=7, **options)
    by_hand = tg.nn.mlp([4, 8, 2], ["tanh", "softmax"], rng=0)
    optimizer = tg.optim.SGD(0.1)
    for _ in range(5):
        grads = tg.grad(lambda model: tg.cross_entropy(model(x), y))(by_hand)
        optimizer.step(by_hand, grads)
    assert as_bytes(by_fit) == as_bytes(by_hand)


@pytest.mark.parametrize("size", [7, 32, 599, N])
@pytest.mark.parametrize("lam", [0.0, 0.7])
def test_weighted_mean_of_batch_gradients_is_the_gradient(size, lam):
    x, y = make_data()
    model = tg.nn.mlp([4, 8, 2], ["tanh", "softmax"], rng=0)

    def gradient(x, y):
        def cost(model):
            return tg.cross_entropy(model(x), y) + tg.l2_penalty(model, lam, N)

        found = tg.tree.flatten(tg.grad(cost)(model))[0]
        return [np.asarray(part) for part in found]

    whole = gradient(x, y)
    mean = [np.zeros_like(part) for part in whole]
    for rows, labels in tg.data.minibatches(x, y, size, rng=1):
        shares = [len(rows) / N * part for part in gradient(rows, labels)]
        mean = [total + share for total, share in zip(mean, shares, strict=True)]
    for found, expected in zip(mean, whole, strict=True):
        assert np.linalg.norm(found - expected) <= 1e-12 * np.linalg.norm(expected)


# ------------------------------------------------------------------------- augmentation


def test_augmented_training_is_repeated_by_its_seed_and_leaves_the_data():
    x, y = make_data()
    before = x.copy()
    models = [train(augment(x, y, noise(0.3), rng=s))[0] for s in (1, 1, 2)]
    first, second, other = map(as_bytes, models)
    assert first == second != other
    np.testing.assert_array_equal(x, before)


def test_every_epoch_sees_new_examples_and_the_dev_set_stays():
    x, y = make_data()
    seen = []

    def watch(examples, rng):
        seen.append(examples + rng.normal(size=examples.shape))
        return seen[-1]

    _, history = train(augment(x, y, watch), (x, y), batch_size=N, epochs=2)
    assert [len(part) for part in seen] == [1, N, N]
    assert not np.array_equal(seen[1], seen[2])
    assert len(history.dev_loss) == 2


def test_mixed_labels_train():
    x, _ = make_data()
    y = (x[:, 0] > 0).astype(int)
    data = augment(x, np.eye(2)[y], mix(0.4))
    model, history = train(data, epochs=10, optimizer=tg.optim.Adam(0.02))
    assert history.train_loss[-1] < history.train_loss[0]
    assert tg.train.error_rate(model, x, y) < 0.1


def test_data_of_augmentation_are_checked_before_training():
    x, y = make_data()
    with pytest.raises(DataError, match="labels from 0 to 5"):
        train(augment(x, 5 * y, noise(0.1)))


# ---------------------------------------------------------------- killed, and taken up

CHILD = """
import os, signal, sys
import numpy as np
import tensorgrad as tg
from tensorgrad.data import augment, batches, noise
from tensorgrad.train import Checkpoint, EarlyStopping, fit
from tests.train.test_sources import make_data, make_net

folder, kill_at = sys.argv[1], int(sys.argv[2])
batches.WINDOW_BYTES = 128 * 32
x, y = make_data()
n_steps = 0

def loss(a, y):
    global n_steps
    n_steps += 1
    if n_steps == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return tg.cross_entropy(a, y)

train = (folder + "/x.npy", folder + "/y.npy")
if sys.argv[3] == "augmented":
    train = augment(*train, noise(0.1), rng=5)
model = make_net()
history = fit(
    model, train, (x[:100], y[:100]), loss=loss, epochs=3, batch_size=32, lam=0.1,
    standardise=True, early_stopping=EarlyStopping(2), progress=False,
    checkpoint=Checkpoint(folder + "/run.npz", every_s=float(sys.argv[4])),
)
tg.save(folder + "/final.npz", model)
print(history.best_step, [value.hex() for value in history.train_loss])
"""


def run_child(folder, kill_at, kind="plain", every_s=0.0):
    return subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), str(kill_at), kind, str(every_s)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Return output and final file of trainings that nobody killed."""
    found = {}
    for kind in ("plain", "augmented"):
        folder = tmp_path_factory.mktemp(kind)
        stored(folder, *make_data())
        done = run_child(folder, 0, kind)
        assert done.returncode == 0, done.stderr
        found[kind] = (done.stdout, (folder / "final.npz").read_bytes())
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kill_at", "kind", "every_s"),
    [
        (2, "plain", 0.0),
        (7, "plain", 0.0),
        (19, "plain", 0.0),
        (31, "augmented", 0.0),
        (45, "plain", 0.0),
        (31, "plain", 1e6),
    ],
)
def test_killed_training_ends_as_if_it_had_not_been(
    tmp_path, uninterrupted, kill_at, kind, every_s
):
    stored(tmp_path, *make_data())
    killed = run_child(tmp_path, kill_at, kind, every_s)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "final.npz").exists()
    resumed = run_child(tmp_path, 0, kind, every_s)
    assert resumed.returncode == 0, resumed.stderr
    expected = uninterrupted[kind]
    assert (resumed.stdout, (tmp_path / "final.npz").read_bytes()) == expected


def test_resumed_epoch_computes_no_step_twice(tmp_path):
    x, y = make_data()
    calls = []

    def loss(a, labels):
        calls.append(len(labels))
        if len(calls) == 10:
            raise KeyboardInterrupt
        return tg.cross_entropy(a, labels)

    file = Checkpoint(tmp_path / "run.npz", every_s=0)
    with pytest.raises(KeyboardInterrupt):
        train((x, y), loss=loss, epochs=1, checkpoint=file)
    train((x, y), loss=loss, epochs=1, checkpoint=file)
    # Nineteen batches; the tenth was begun and not finished.
    assert len(calls) == 19 + 1


@pytest.mark.parametrize("kind", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_any_generator_is_taken_up_again(tmp_path, kind):
    data = make_data()
    whole, _ = train(data, rng=np.random.Generator(kind(3)))
    file = tmp_path / "run.npz"
    train(data, rng=np.random.Generator(kind(3)), epochs=1, checkpoint=file)
    model, _ = train(data, rng=np.random.Generator(kind(3)), checkpoint=file)
    assert as_bytes(model) == as_bytes(whole)


@pytest.mark.parametrize("every_s", [-1.0, float("nan"), "60"])
def test_time_between_writings_is_not_negative(every_s):
    with pytest.raises(ArgumentError, match="every_s"):
        Checkpoint("run.npz", every_s)


def test_checkpoint_of_other_augmentation_is_refused(tmp_path):
    x, y = make_data()
    file = tmp_path / "run.npz"
    train((x, y), epochs=1, checkpoint=file)
    with pytest.raises(FileFormatError, match="augmented: None there"):
        train(augment(x, y, noise(0.1)), epochs=1, checkpoint=file)


# ------------------------------------------------------------------------------ refused


@pytest.mark.parametrize(
    ("change", "error", "pattern"),
    [
        (lambda x, y: ("no/x.npy", y), DataError, "does not exist"),
        (lambda x, y: (Recorder(x[:0]), y[:0]), DataError, "no examples"),
        (lambda x, y: (Recorder(x), Recorder(y[1:])), ShapeError, "a label for each"),
        (lambda x, y: (Recorder(x), Recorder(y + 1)), DataError, "for a head with 2"),
        (lambda x, y: (Recorder(x * np.nan), y), DataError, "nan in x"),
    ],
)
def test_rows_that_do_not_fit_are_refused_before_any_work(change, error, pattern):
    model = make_net()
    before = as_bytes(model)
    with pytest.raises(error, match=pattern):
        train(change(*make_data()), model=model)
    assert as_bytes(model) == before
