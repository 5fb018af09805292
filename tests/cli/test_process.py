"""The command line as a process: entry points, encodings, pipes, interruptions."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import tensorgrad as tg

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "tensorgrad"]
TIMEOUT_S = 120


def environment(**changes):
    # Without the checkout's site hooks, and without a terminal's own width.
    return {**os.environ, "PYTHONPATH": str(ROOT), **changes}


def execute(*arguments, **changes):
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(**changes),
        check=False,
        capture_output=True,
        timeout=TIMEOUT_S,
    )


def test_version_is_that_of_the_package():
    assert (
        execute("--version").stdout.decode().strip() == f"tensorgrad {tg.__version__}"
    )


def test_bare_command_prints_the_commands(run):
    done = run()
    assert done.status == 0
    assert all(name in done.out for name in ("demo", "train", "predict"))


@pytest.mark.slow
def test_module_without_arguments_runs_the_demo_in_ascii(folder):
    done = execute(PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert b"all agree" in done.stdout
    assert b"python -m tensorgrad predict" in done.stdout
    assert (folder / "tensorgrad-demo.npz").is_file()


def test_messages_name_the_command_that_was_typed():
    assert execute("trian").stderr.startswith(b"python -m tensorgrad: ")


def test_error_has_no_traceback_and_status_two():
    done = execute("train", "digits", "--hidden", "x")
    assert (done.returncode, b"Traceback" in done.stderr) == (2, False)


def test_names_that_the_encoding_lacks_are_escaped(folder):
    lines = [f"{i % 3}.5,{'éüß'[i % 3]}" for i in range(30)]
    (folder / "a.csv").write_text("x,k\n" + "\n".join(lines), encoding="utf-8")
    arguments = ("train", "a.csv", "--target", "k", "--epochs", "1")
    done = execute(*arguments, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert rb"\xdf, \xe9, \xfc" in done.stdout


def test_predictions_are_utf_8_whatever_the_encoding(folder):
    lines = [f"{i % 3}.5,{'éüß'[i % 3]}" for i in range(30)]
    (folder / "a.csv").write_text("x,k\n" + "\n".join(lines), encoding="utf-8")
    execute("train", "a.csv", "--target", "k", "--epochs", "1")
    done = execute("predict", "a-model.npz", "a.csv", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.decode("utf-8").split()[1:]) <= {"é", "ü", "ß"}


def test_reader_that_stops_reading_is_no_error(run):
    run("train", "digits", "--epochs", 1, "--quiet")
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            [*COMMAND, "predict", "digits-model.npz", "digits", "--proba"],
            env=environment(),
            check=False,
            stdout=closed,
            stderr=subprocess.PIPE,
            timeout=TIMEOUT_S,
        )
    assert (done.returncode, done.stderr) == (141, b"")


def heed_interrupts():
    """Undo what a shell does to jobs in its background: they ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_interrupted_training_leaves_no_file(folder):
    process = subprocess.Popen(
        [*COMMAND, "train", "digits", "--epochs", "10000"],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=heed_interrupts,  # noqa: PLW1509  # no thread runs here
    )
    # The first figures say that the training is under way.
    lines = iter(process.stderr.readline, b"")
    assert any(line.startswith(b"epoch") for line in lines)
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=TIMEOUT_S)[1]
    assert (process.returncode, b"Traceback" in rest) == (130, False)
    assert b"interrupted" in rest
    assert list(folder.iterdir()) == []


def test_interruption_while_saving_leaves_the_old_model(run, model, monkeypatch):
    def interrupt(descriptor):
        raise KeyboardInterrupt

    before = model.read_bytes()
    monkeypatch.setattr("os.fsync", interrupt)
    done = run("train", "flowers.csv", "--target", "kind", "--epochs", 1)
    assert done.status == 130
    assert model.read_bytes() == before
    assert sorted(path.name for path in model.parent.iterdir()) == [
        "flowers-model.npz",
        "flowers.csv",
    ]


def execute_in_shell(redirection, *arguments):
    script = f'"$@" {redirection}'
    return subprocess.run(
        ["sh", "-c", script, "sh", *COMMAND, *arguments],
        env=environment(),
        check=False,
        capture_output=True,
        timeout=TIMEOUT_S,
    )


PREDICT = ("predict", "flowers-model.npz", "flowers.csv")


@pytest.mark.parametrize("stream", [1, 2])
@pytest.mark.usefixtures("model")
def test_closed_stream_is_no_error(folder, stream):
    done = execute_in_shell(f"{stream}>&-", *PREDICT, "--output=out.csv")
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert (folder / "out.csv").read_text().startswith("prediction\n")


@pytest.mark.usefixtures("model")
def test_predictions_without_a_stdout_go_nowhere():
    done = execute_in_shell(">&-", *PREDICT)
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr == b"error rate: 0.00% (0 of 45 wrong)\n"


@pytest.mark.usefixtures("model")
def test_output_may_be_the_device_of_stdout():
    done = execute(*PREDICT, "--output=/dev/stdout")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"prediction\n")
