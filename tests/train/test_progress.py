"""What a training says while it runs, with tqdm and without it."""

from __future__ import annotations

import contextlib
import io
import sys

import pytest

from tensorgrad.train import fit
from tensorgrad.train.progress import make_progress
from tests.train.problems import make_blobs, make_model


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def without_tqdm(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)


def report(stream, n_epochs=30, **figures):
    with make_progress(n_epochs, enabled=True, stream=stream) as progress:
        for epoch in range(1, n_epochs + 1):
            progress.update(epoch, figures or {"train loss": 1 / epoch})
    return stream.getvalue()


def test_terminal_without_tqdm_gets_ten_lines(without_tqdm):
    assert report(Terminal()).count("\n") == 10


def test_last_epoch_is_always_reported(without_tqdm):
    last = report(io.StringIO(), n_epochs=37).splitlines()[-1]
    assert last == "epoch 37/37  train loss 0.0270"


def test_few_epochs_have_a_line_each(without_tqdm):
    assert report(io.StringIO(), n_epochs=3).count("epoch") == 3


def test_file_gets_lines_though_tqdm_is_installed():
    assert "\r" not in report(io.StringIO())


def test_terminal_gets_a_bar_that_ends_complete():
    assert "30/30" in report(Terminal()).rpartition("\r")[2]


def test_bar_is_closed_when_the_training_fails():
    stream = Terminal()
    with (
        contextlib.suppress(KeyboardInterrupt),
        make_progress(3, enabled=True, stream=stream) as bar,
    ):
        bar.update(1, {"train loss": 0.5})
        raise KeyboardInterrupt
    assert stream.getvalue().endswith("\n")


def test_error_is_a_percentage_and_loss_a_number(without_tqdm):
    figures = {"train loss": 0.5, "dev error": 0.025}
    text = report(io.StringIO(), n_epochs=1, **figures)
    assert "train loss 0.5000, dev error 2.50%" in text


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_note_is_a_line_of_its_own(stream):
    out = stream()
    with make_progress(3, enabled=True, stream=out) as progress:
        progress.note("BLAS threads: 1")
    assert "BLAS threads: 1\n" in out.getvalue()


def test_training_reports_on_stderr(without_tqdm, capsys):
    x, y = make_blobs()
    fit(make_model(), (x, y), (x, y), epochs=2)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "epoch 2/2  train loss" in captured.err
    assert "dev loss" in captured.err


def test_training_without_progress_is_silent(capsys):
    fit(make_model(), make_blobs(), epochs=2, progress=False)
    assert capsys.readouterr() == ("", "")
