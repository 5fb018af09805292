"""Training that is interrupted and continued, against training that is not."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import ArgumentError, FileFormatError
from tensorgrad.train import fit, threads
from tests.train.problems import as_bytes, make_blobs, make_model, make_noisy

OPTIMIZERS = {
    "sgd": lambda: tg.optim.SGD(0.1),
    "nesterov": lambda: tg.optim.SGD(0.1, momentum=0.9, nesterov=True),
    "rmsprop": lambda: tg.optim.RMSProp(0.01),
    "adam": lambda: tg.optim.Adam(0.01),
    "adamw": lambda: tg.optim.AdamW(tg.optim.cosine(0.01, 60)),
}


class KilledError(Exception):
    """Ends a training in the middle of an epoch."""


def run(epochs, checkpoint=None, optimizer="adam", kill_after=None, **options):
    """Train a model with dropout, and return it with its history."""
    model = make_model(classes=2, keep_prob=0.7)
    n_batches = []

    def loss(a, y):
        n_batches.append(1)
        if kill_after is not None and len(n_batches) > kill_after:
            raise KilledError
        return tg.cross_entropy(a, y)

    history = fit(
        model,
        make_noisy(seed=0),
        make_noisy(seed=1),
        loss=loss,
        optimizer=OPTIMIZERS[optimizer](),
        epochs=epochs,
        batch_size=16,
        lam=0.5,
        standardise=True,
        checkpoint=checkpoint,
        rng=3,
        progress=False,
        **options,
    )
    return model, history


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_continued_training_gives_the_bits_of_the_whole_one(tmp_path, optimizer):
    file = tmp_path / "training.npz"
    run(3, file, optimizer)
    continued, _ = run(7, file, optimizer)
    whole, _ = run(7, None, optimizer)
    assert as_bytes(continued) == as_bytes(whole)


def test_continued_history_is_that_of_the_whole_training(tmp_path):
    file = tmp_path / "training.npz"
    run(3, file)
    _, continued = run(7, file)
    _, whole = run(7)
    assert (continued.train_loss, continued.dev_loss, continued.dev_error) == (
        whole.train_loss,
        whole.dev_loss,
        whole.dev_error,
    )


def test_training_that_is_killed_within_an_epoch_continues_from_the_last_one(tmp_path):
    file = tmp_path / "training.npz"
    with pytest.raises(KilledError):
        # Four batches and one evaluation an epoch: this is in the third.
        run(7, file, kill_after=12)
    continued, _ = run(7, file)
    whole, _ = run(7)
    assert as_bytes(continued) == as_bytes(whole)


def test_best_parameters_survive_the_interruption(tmp_path):
    file = tmp_path / "training.npz"
    options = {"early_stopping": 30, "optimizer": "nesterov"}
    _, first = run(25, file, **options)
    assert first.best_epoch < 24
    continued, history = run(30, file, **options)
    whole, expected = run(30, **options)
    assert history.best_epoch == expected.best_epoch
    assert as_bytes(continued) == as_bytes(whole)


def test_training_that_was_stopped_early_stays_stopped(tmp_path):
    file = tmp_path / "training.npz"
    _, first = run(90, file, "nesterov", early_stopping=4)
    _, history = run(90, file, "nesterov", early_stopping=4)
    assert (history.stopped_early, len(history.dev_loss)) == (True, len(first.dev_loss))


def test_patience_may_grow_when_a_training_goes_on(tmp_path):
    file = tmp_path / "training.npz"
    run(90, file, "nesterov", early_stopping=4)
    continued, history = run(90, file, "nesterov", early_stopping=9)
    whole, expected = run(90, None, "nesterov", early_stopping=9)
    assert len(history.dev_loss) == len(expected.dev_loss)
    assert as_bytes(continued) == as_bytes(whole)


@pytest.mark.parametrize(
    ("name", "error", "named"),
    [
        ("missing/run.npz", FileNotFoundError, "missing' is not there"),
        ("run.txt", ArgumentError, "ends in .npz or .safetensors"),
        ("folder.npz", IsADirectoryError, "folder.npz' is a folder"),
        ("file.npz/run.npz", NotADirectoryError, "file.npz' is no folder"),
    ],
)
def test_path_that_cannot_be_written_is_refused_before_training(
    tmp_path, name, error, named
):
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "file.npz").touch()
    model = make_model()
    before = as_bytes(model)
    with pytest.raises(error, match=f"fit: checkpoint: .*{named}"):
        continue_with(tmp_path / name, model)
    assert as_bytes(model) == before


def test_finished_training_runs_no_further_epoch(tmp_path):
    file = tmp_path / "training.npz"
    first, _ = run(3, file)
    again, history = run(3, file)
    assert (as_bytes(again), len(history.train_loss)) == (as_bytes(first), 3)


def test_scaling_is_learned_again(tmp_path):
    file = tmp_path / "training.npz"
    run(2, file)
    continued, _ = run(3, file)
    np.testing.assert_array_equal(
        continued.scaling.mean, make_noisy(seed=0)[0].mean(axis=0)
    )


def continue_with(file, model=None, data=None, optimizer=None, **options):
    model = make_model() if model is None else model
    return fit(
        model,
        make_blobs() if data is None else data,
        epochs=4,
        checkpoint=file,
        optimizer=optimizer,
        progress=False,
        **options,
    )


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"model": tg.nn.mlp([4, 5, 3], ["tanh", "softmax"])}, "parameters.layers.0.W"),
        ({"data": make_blobs(n=61)}, "examples: 60 there, 61 here"),
        ({"optimizer": tg.optim.SGD(0.1)}, "optimizer"),
        ({"lam": 1.0}, "lam: 0.0 there, 1.0 here"),
        ({"batch_size": 8}, "batch_size: 32 there, 8 here"),
        ({"model": make_model(dtype=np.float32)}, "parameters"),
        ({"dev": make_blobs(n=9)}, "dev examples: None there, 9 here"),
        (
            {"dev": make_blobs(n=9), "early_stopping": 2},
            "min_delta of early stopping: None there, 0.0 here",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:fit. x of float64 would widen")
def test_checkpoint_of_another_training_is_refused(tmp_path, options, named):
    file = tmp_path / "training.npz"
    continue_with(file)
    with pytest.raises(FileFormatError, match=named):
        continue_with(file, **options)


def test_model_is_as_it_was_after_a_refused_checkpoint(tmp_path):
    file = tmp_path / "training.npz"
    continue_with(file)
    model = make_model(seed=9)
    before = as_bytes(model)
    with pytest.raises(FileFormatError, match="another training"):
        continue_with(file, model, lam=1.0, standardise=True)
    assert (as_bytes(model), model.scaling) == (before, None)


def test_file_that_is_no_checkpoint_is_refused(tmp_path):
    tg.save(tmp_path / "model.npz", make_model())
    with pytest.raises(FileFormatError, match="no checkpoint of a training"):
        continue_with(tmp_path / "model.npz")


def test_damaged_checkpoint_is_refused(tmp_path):
    file = tmp_path / "training.npz"
    continue_with(file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(FileFormatError, match="corrupt"):
        continue_with(file)


def test_number_of_threads_is_taken_from_the_checkpoint(tmp_path, monkeypatch):
    file = tmp_path / "training.npz"
    used = []
    module = "tensorgrad.train.fitting"
    monkeypatch.setattr(f"{module}.blas_threads", lambda: 4)
    monkeypatch.setattr(f"{module}.choose_threads", lambda _, available: available)
    continue_with(file)
    monkeypatch.setattr(f"{module}.blas_threads", lambda: 8)
    original = threads.limited_threads

    def watched(n_threads):
        used.append(n_threads)
        return original(n_threads)

    monkeypatch.setattr(f"{module}.limited_threads", watched)
    continue_with(file)
    assert used == [4]


def test_checkpoint_is_readable_as_arrays(tmp_path):
    file = tmp_path / "training.npz"
    continue_with(file)
    arrays, metadata = tg.serial.read(file)
    assert "parameters.layers.0.W" in arrays
    assert json.loads(metadata["shuffler"])["bit_generator"] == "PCG64"
