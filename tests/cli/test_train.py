"""``tensorgrad train``: what it trains on, prints and saves."""

from __future__ import annotations

import argparse
import re

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.cli import training
from tensorgrad.train import settings
from tests.cli.tables import COLUMNS, KINDS, make_examples, write_csv

QUICK = ("--epochs", 2, "--hidden", 4)
MAX_COLUMNS = 80


def test_table_is_learned_without_error(run, flowers):
    done = run("train", flowers, "--target", "kind", "--epochs", 40)
    assert done.status == 0
    assert re.search(r"^test +9 +0 +0.00%$", done.out, flags=re.MULTILINE)


def test_report_names_data_network_and_training(run, flowers):
    out = " ".join(run("train", flowers, "--target", "kind", *QUICK).out.split())
    assert "45 rows, 3 columns, 3 classes (daisy, rose, tulip)" in out
    assert "27 train, 9 dev, 9 test (seed 0)" in out
    assert "3-4-3, relu, softmax; 31 parameters" in out
    assert "adam, learning rate 0.001, 2 epochs of 1 batch," in out


def test_report_says_where_the_model_is_and_how_to_use_it(run, flowers, folder):
    out = run("train", flowers, "--target", "kind", *QUICK, "--save", "a b.npz").out
    assert "saved         a b.npz" in out
    assert "tensorgrad predict 'a b.npz'" in out
    assert (folder / "a b.npz").is_file()


def test_report_fits_into_eighty_columns(run, folder):
    labels = {"kind": [f"a rather long name of a class {i % 9}" for i in range(45)]}
    write_csv(folder / "flowers.csv", (*COLUMNS, "kind"), extra=labels)
    out = run("train", "flowers.csv", "--target", "kind", *QUICK).out
    assert max(map(len, out.splitlines())) <= MAX_COLUMNS


def test_long_names_are_shortened(run, folder):
    kinds = [("a" * 90, "b" * 90)[i % 2] for i in range(45)]
    write_csv(folder / f"{'n' * 90}.csv", (*COLUMNS, "kind"), extra={"kind": kinds})
    done = run(
        "train", f"{'n' * 90}.csv", "--target", "kind", "--save", "m.npz", *QUICK
    )
    lines = done.out.splitlines()
    assert max(len(line) for line in lines if not line.startswith("predict")) <= 80


def test_progress_goes_to_stderr(run, flowers):
    done = run("train", flowers, "--target", "kind", *QUICK)
    assert "epoch 2/2" in done.err
    assert "epoch 2/2" not in done.out


def test_quiet_prints_one_line_and_no_progress(run, flowers):
    done = run("train", flowers, "--target", "kind", *QUICK, "--quiet")
    assert done.out.count("\n") == 1
    assert "saved: flowers-model.npz" in done.out
    assert done.err == ""


def test_model_keeps_columns_labels_target_and_scaling(model):
    network, metadata = tg.nn.load_model(model)
    assert metadata["columns"] == list(COLUMNS)
    assert metadata["labels"] == list(KINDS)
    assert metadata["target"] == "kind"
    x, y = make_examples()
    (x_train, _), _, _ = tg.data.split(x, y, rng=0)
    np.testing.assert_allclose(network.scaling.mean, x_train.mean(axis=0), rtol=1e-12)


def test_split_is_that_of_the_seed(run, folder):
    """The printed test error can be computed again from the file."""
    run("train", "digits", *QUICK, "--seed", 3)
    network, metadata = tg.nn.load_model(folder / "digits-model.npz")
    _, _, test = tg.data.split(*tg.data.load("digits"), rng=3)
    error = tg.train.error_rate(network, *test)
    assert metadata["about"]["errors"]["test"] == error


def test_same_seed_writes_the_same_bytes(run, flowers, folder):
    files = [folder / "a.npz", folder / "b.npz"]
    for file in files:
        run(
            "train",
            flowers,
            "--target",
            "kind",
            *QUICK,
            "--dropout",
            0.5,
            "--save",
            file,
        )
    assert files[0].read_bytes() == files[1].read_bytes()


def test_defaults_are_those_of_fit_and_of_the_plan(run, flowers, monkeypatch):
    seen = {}

    def watched(model, first, dev, **options):
        seen.update(options)
        return tg.train.History([0.5], [0.5])

    monkeypatch.setattr(training, "fit", watched)
    run("train", flowers, "--target", "kind")
    assert (seen["epochs"], seen["batch_size"]) == (
        settings.EPOCHS,
        settings.BATCH_SIZE,
    )
    assert seen["optimizer"] == tg.optim.Adam(settings.LEARNING_RATE)
    assert (seen["lam"], seen["rng"]) == (training.L2, 0)


def test_options_reach_the_training(run, flowers, monkeypatch):
    seen = {}

    def watched(model, first, dev, **options):
        seen.update(options, network=model.describe())
        return tg.train.History([0.5], [0.5])

    monkeypatch.setattr(training, "fit", watched)
    run(
        *("train", flowers, "--target", "kind", "--hidden", "5,4"),
        *("--activation", "leaky_relu", "--dropout", 0.25, "--optimizer", "sgd"),
        *("--lr", 0.5, "--epochs", 7, "--batch", 9, "--l2", 3, "--seed", 2),
        *("--early-stopping", 6),
    )
    assert seen["network"] == (
        "Sequential(Dense(3 -> 5, leaky_relu), Dropout(0.75), "
        "Dense(5 -> 4, leaky_relu), Dropout(0.75), Dense(4 -> 3, softmax))"
    )
    assert seen["optimizer"] == tg.optim.SGD(0.5, momentum=0.9)
    named = ("epochs", "batch_size", "lam", "rng", "early_stopping")
    assert [seen[name] for name in named] == [7, 9, 3.0, 2, 6]


@pytest.mark.parametrize("optimizer", training.OPTIMIZERS)
def test_every_optimizer_learns_the_table(run, flowers, optimizer):
    done = run(
        *("train", flowers, "--target", "kind", "--optimizer", optimizer),
        *("--epochs", 60, "--quiet"),
    )
    assert "train 0.00%" in done.out


def test_two_classes_get_a_single_sigmoid(run):
    out = run("train", "breast_cancer", *QUICK).out
    assert "30-4-1, relu, sigmoid" in out


def test_no_hidden_layer_is_a_linear_classifier(run, flowers):
    out = run("train", flowers, "--target", "kind", "--hidden", "", "--epochs", 2).out
    assert "3-3, softmax; 12 parameters" in out


def test_ratio_sets_the_parts(run, flowers):
    out = run(
        "train", flowers, "--target", "kind", *QUICK, "--ratio", "0.8,0.1,0.1"
    ).out
    assert "36 train, 5 dev, 4 test" in out


def test_early_stopping_is_said(run, folder):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, 5)), rng.integers(0, 2, 60)
    np.savez(folder / "noise.npz", x=x, y=y)
    out = run("train", "noise.npz", "--early-stopping", 2, "--lr", 0.05).out
    assert "stopped       early; the parameters are those of epoch" in out


def test_arrays_are_a_table_too(run, folder):
    x, y = make_examples()
    np.savez(folder / "flowers.npz", x=x, kind=np.array(KINDS)[y])
    out = run("train", "flowers.npz", "--target", "kind", *QUICK).out
    assert "3 classes (daisy, rose, tulip)" in out


def test_class_that_is_missing_in_the_train_part_is_noted(run, folder):
    x, y = make_examples(46)
    _, _, (x_test, _) = tg.data.split(x, y, rng=0)
    y[(x == x_test[0]).all(axis=1)] = 3
    np.savez(folder / "rare.npz", x=x, y=y)
    out = run("train", "rare.npz", *QUICK).out
    assert "class '3' has no example in the train part" in out


def test_old_model_is_replaced(run, flowers, model):
    before = model.read_bytes()
    done = run("train", flowers, "--target", "kind", *QUICK, "--save", model)
    assert done.status == 0
    assert model.read_bytes() != before


def test_help_shows_every_default(run):
    out = run("train", "--help").out
    lines = " ".join(out.split())
    for shown in (
        "(default: 128)",
        "(default: relu)",
        "(default: 80)",
        "(default: 32)",
    ):
        assert shown in lines
    assert "examples:" in out
    assert max(map(len, out.splitlines())) <= MAX_COLUMNS


def test_every_option_has_a_help_text():
    from tensorgrad.cli.main import _make_parser

    parser = _make_parser("tensorgrad")
    (commands,) = (
        action
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    without = [
        (name, action.dest)
        for name, command in commands.choices.items()
        for action in command._actions
        if not action.help
    ]
    assert without == []
