"""Commands run in a directory of their own, within this process."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tensorgrad.cli.main import main
from tests.cli.tables import COLUMNS, write_csv


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Return the working directory of the commands, empty at first."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys):
    """Return a function that runs a command and returns status, stdout and stderr."""

    def run_(*arguments):
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return SimpleNamespace(status=status, out=captured.out, err=captured.err)

    return run_


@pytest.fixture
def flowers(folder):
    return write_csv(folder / "flowers.csv", (*COLUMNS, "kind"))


@pytest.fixture
def model(folder, flowers, run):
    """Return the file of a model that tells the flowers apart."""
    done = run("train", flowers, "--target", "kind", "--epochs", 40, "--quiet")
    assert done.status == 0, done.err
    return folder / "flowers-model.npz"
