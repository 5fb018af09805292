"""What a user can get wrong: status 2, one paragraph on stderr, nothing written."""

from __future__ import annotations

import errno
import re
import sys

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.cli import training
from tests.cli.tables import COLUMNS, make_examples, write_csv

# what: what came: expected …. What to do.
FOUR_PARTS = re.compile(r"tensorgrad: .+: .+: expected .+[.)'] .+[.?]\n", re.DOTALL)
TRAIN = ("train", "flowers.csv", "--target", "kind")
QUICK = ("--epochs", 1)


@pytest.fixture
def refused(run, folder):
    """Return a function that runs a command, and checks how it is refused."""

    def refused_(*arguments):
        before = {path: path.read_bytes() for path in folder.iterdir()}
        done = run(*arguments)
        assert done.status == 2
        assert done.out == ""
        assert FOUR_PARTS.fullmatch(done.err), done.err
        assert done.err.count("\n") == 1
        assert {path: path.read_bytes() for path in folder.iterdir()} == before
        return done.err

    return refused_


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (["-V"], "'-V', which belongs to no option.*Choose one of --help"),
        (["train", "digits", "--model", "a"], "'--model'.*Choose one of"),
        (["train", "iris"], "'iris': there is no such.*Choose one of digits, breast"),
        (
            ["trian"],
            "'trian': .*demo, train, predict, verify, check, audit. Did you mean 'train'?",
        ),
        (["train"], "required: DATA.*train --help"),
        (["train", "digits", "--hiden", "3"], "'--hiden'.*Did you mean '--hidden'?"),
        (["train", "digits", "--hiden=3"], "Did you mean '--hidden'?"),
        (["train", "digits", "more"], "'more'.*Remove it"),
        (["train", "digits", "--lr"], "argument --lr: expected one argument"),
        (["--verson"], "verson"),
        (["train", "digits", "--hidden", "64,,32"], "--hidden: '64,,32'.*64,32"),
        (["train", "digits", "--hidden", "64;32"], "--hidden: '64;32'"),
        (["train", "digits", "--hidden", "0"], "--hidden: '0'"),
        (["train", "digits", "--hidden", "²"], "--hidden: "),
        (["train", "digits", "--activation", "rellu"], "'rellu'.*Did you mean 'relu'?"),
        (["train", "digits", "--optimizer", "adm"], "'adm'.*Did you mean 'adam'?"),
        (["train", "digits", "--epochs", "ten"], "--epochs: 'ten'.*at least 0"),
        (["train", "digits", "--epochs", "-1"], "--epochs: '-1'"),
        (["train", "digits", "--batch", "0"], "--batch: '0'.*at least 1"),
        (["train", "digits", "--seed", "1.5"], "--seed: '1.5'"),
        (["train", "digits", "--lr", "0"], "--lr: '0'.*above 0"),
        (["train", "digits", "--lr", "nan"], "--lr: 'nan'"),
        (["train", "digits", "--l2", "-1"], "--l2: '-1'.*at least 0"),
        (["train", "digits", "--dropout", "1"], "--dropout: '1'.*below 1"),
        (["train", "digits", "--ratio", "60/20/20"], "--ratio: '60/20/20'.*0.6,0.2"),
        (["train", "digits", "--ratio", "0.6,0.2,0.3"], "ratio is .*with sum 1"),
        (["train", "digits", "--target", "y"], "--target: 'y' for digits.*Leave"),
        (["train", "digts"], "'digts': there is no such file.*Did you mean 'digits'?"),
        (["train", "none.csv"], "'none.csv': there is no such file"),
        (["train", "."], "'.': it is no file"),
        (
            ["train", "digits", "--lr", "1e200", "--quiet"],
            "the cost became .*Lower the learning",
        ),
        (["predict", "none.npz", "digits"], "none.npz': there is no such file"),
        (["predict", "none.txt", "digits"], "none.txt'.*npz or .safetensors.*saved"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_arguments_that_cannot_be_used_are_explained(refused, arguments, pattern):
    assert re.search(pattern, refused(*arguments))


# ------------------------------------------------------------------- data to train on


def test_csv_without_a_target_shows_its_first_line(refused, flowers):
    message = refused("train", flowers)
    assert "Choose one from the first line: length,width,height,kind." in message


def test_target_that_is_missing_hints_at_the_nearest_column(refused, flowers):
    message = refused("train", flowers, "--target", "kimd")
    assert "no target column 'kimd'" in message
    assert "Did you mean 'kind'?" in message


@pytest.mark.parametrize("cell", ["nan", "", "inf", "tall"])
def test_cell_that_is_no_number_is_named_by_line_and_column(refused, folder, cell):
    widths = ["1.0"] * 45
    widths[7] = cell
    write_csv(folder / "flowers.csv", (*COLUMNS, "kind"), extra={"width": widths})
    assert "line 9, column 'width'" in refused(*TRAIN)


def test_amounts_are_no_classes(refused, folder):
    extra = {"kind": [0.5 + i for i in range(45)]}
    write_csv(folder / "flowers.csv", (*COLUMNS, "kind"), extra=extra)
    assert "expected classes: names or integers" in refused(*TRAIN)


@pytest.mark.parametrize("kinds", [range(1000, 1045), [1] * 45])
def test_whole_amounts_and_a_single_class_are_refused(refused, folder, kinds):
    write_csv(folder / "flowers.csv", (*COLUMNS, "kind"), extra={"kind": list(kinds)})
    pattern = r"(45 different values|1 different value) of 'kind' in 45 rows"
    assert re.search(pattern, refused(*TRAIN))


def test_arrays_without_labels_are_refused(refused, folder):
    np.savez(folder / "a.npz", x=make_examples()[0])
    assert "no array 'y'; it has 'x'" in refused("train", "a.npz")


def test_corrupt_arrays_are_refused(refused, folder):
    (folder / "a.npz").write_bytes(b"PK\x03\x04 nothing more")
    assert "corrupt" in refused("train", "a.npz")


def test_text_that_is_not_utf_8_is_refused(refused, folder):
    (folder / "flowers.csv").write_bytes(b"kind,width\n\xe9,1\n")
    assert "UTF-8" in refused(*TRAIN)


# -------------------------------------------------------------------- where to save to


@pytest.fixture
def no_training(monkeypatch):
    """Let every training fail: what is refused is refused before."""
    monkeypatch.setattr(training, "fit", None)


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("missing/model.npz", "no file can be made in 'missing'"),
        ("flowers.csv/model.npz", "no file can be made in 'flowers.csv'"),
        ("model.txt", "the suffix '.txt'.*model.npz"),
        ("model", "the suffix ''"),
    ],
)
@pytest.mark.usefixtures("flowers", "no_training")
def test_path_that_cannot_be_saved_to_is_refused_before_the_training(
    refused, path, pattern
):
    assert re.search(pattern, refused(*TRAIN, "--save", path))


@pytest.mark.usefixtures("flowers", "no_training")
def test_folder_that_cannot_be_written_to_is_refused(refused, monkeypatch):
    def fail(**options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", fail)
    assert "(Permission denied)" in refused(*TRAIN, "--save", "model.npz")


@pytest.mark.usefixtures("flowers", "no_training")
def test_file_that_is_no_model_is_not_overwritten(refused, folder):
    np.savez(folder / "data.npz", x=np.zeros(3))
    assert "is no model of tensorgrad" in refused(*TRAIN, "--save", "data.npz")


@pytest.mark.usefixtures("flowers", "no_training")
def test_folder_is_not_overwritten(run, folder):
    (folder / "model.npz").mkdir()
    done = run(*TRAIN, "--save", "model.npz")
    assert (done.status, "is no model of tensorgrad" in done.err) == (2, True)


@pytest.mark.usefixtures("flowers", "no_training")
def test_format_whose_package_is_missing_is_refused_before_the_training(
    refused, monkeypatch
):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    message = refused(*TRAIN, "--save", "model.safetensors")
    assert "tensorgrad-np[safetensors]" in message


@pytest.mark.usefixtures("flowers")
def test_disk_that_is_full_leaves_no_half_file(refused, monkeypatch):
    def fail(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    assert "No space left on device" in refused(*TRAIN, *QUICK, "--quiet")


@pytest.mark.usefixtures("flowers")
def test_network_that_does_not_fit_into_memory_is_explained(refused, monkeypatch):
    def fail(*args, **options):
        raise MemoryError("Unable to allocate 7.45 TiB")

    monkeypatch.setattr(training, "mlp", fail)
    assert "Unable to allocate 7.45 TiB" in refused(*TRAIN)


# ------------------------------------------------------------------------- prediction


def test_column_that_is_missing_is_named(refused, model, folder):
    write_csv(folder / "new.csv", ("length", "height"))
    assert "no column 'width'" in refused("predict", model, "new.csv")


def test_gap_in_the_data_is_named(refused, model, folder):
    extra = {"height": ["1"] * 44 + ["nan"]}
    write_csv(folder / "new.csv", COLUMNS, extra=extra)
    assert "line 46, column 'height'" in refused("predict", model, "new.csv")


def test_wrong_number_of_columns_is_said(refused, model, folder):
    np.savez(folder / "new.npz", x=np.zeros((5, 4)))
    message = refused("predict", model, "new.npz")
    assert "4 columns: expected the 3 columns of the model" in message


def test_embedded_data_of_another_kind_are_refused(refused, model):
    message = refused("predict", model, "breast_cancer")
    assert "30 columns, without 'length'" in message


@pytest.mark.parametrize("keep", [0, 10, -1, -200])
def test_damaged_model_is_refused(refused, model, keep):
    model.write_bytes(model.read_bytes()[:keep])
    assert "corrupt" in refused("predict", model, "digits")


def test_arrays_that_are_no_model_are_refused(refused, folder):
    np.savez(folder / "a.npz", x=np.zeros(3))
    message = refused("predict", "a.npz", "digits")
    assert "does not describe its network" in message


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"kind": "classifier 1", "columns": ["a"], "labels": ["0", "1"], "target": "y"},
        {
            "kind": "classifier 1",
            "columns": [1, 2],
            "labels": ["0", "1"],
            "target": "y",
        },
        {"kind": "classifier 1", "columns": None, "labels": None, "target": "y"},
        {"kind": "other", "columns": ["a", "b"], "labels": ["0", "1"], "target": "y"},
    ],
)
def test_network_without_fitting_names_is_refused(refused, folder, metadata):
    tg.save(folder / "a.npz", tg.nn.mlp([2, 1], ["sigmoid"], rng=0), metadata)
    message = refused("predict", "a.npz", "digits")
    assert "without the names of its columns and classes" in message


@pytest.mark.parametrize(
    "output", ["missing/out.csv", "folder", "model.npz", "new.csv"]
)
def test_output_that_would_destroy_something_is_refused(run, model, folder, output):
    (folder / "folder").mkdir()
    model.rename(folder / "model.npz")
    write_csv(folder / "new.csv", COLUMNS)
    done = run("predict", "model.npz", "new.csv", "--output", output)
    assert done.status == 2
    assert FOUR_PARTS.fullmatch(done.err)
