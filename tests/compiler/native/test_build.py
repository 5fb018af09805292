"""The cache of libraries: whatever happens to it, results are right."""

from __future__ import annotations

import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.compiler.native import build as module
from tensorgrad.compiler.native.build import BuildError, build, cache_directory, load

X = np.linspace(0, 1, 50)
SOURCE = "int answer(void) { return 42; }"


@pytest.fixture
def directory(tmp_path, monkeypatch):
    path = tmp_path / "libraries"
    monkeypatch.setenv("TENSORGRAD_CACHE", str(path))
    module._warn_once.cache_clear()
    return path


def check_right():
    np.testing.assert_allclose(
        tg.compile(lambda x: np.exp(x) * 2.0, printer="c")(X), np.exp(X) * 2
    )


def test_library_is_kept_and_used_again(directory, monkeypatch):
    first = build(SOURCE)
    assert first.parent == directory
    monkeypatch.setattr(module, "_compiled", None)
    assert build(SOURCE) == first
    assert load(first).answer() == 42


def test_directory_is_closed_to_others(directory):
    check_right()
    assert directory.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", [b"", b"\x7fELF", b"x" * 5000])
def test_damaged_library_is_built_again(directory, damage):
    path = build(SOURCE)
    path.unlink()
    path.write_bytes(damage)
    assert load(build(SOURCE)).answer() == 42
    assert path.read_bytes() != damage


def test_cut_off_library_is_built_again(directory):
    path = build(SOURCE)
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-1])
    build(SOURCE)
    assert len(path.read_bytes()) == len(content)


def test_directory_that_others_write_to_is_not_used(directory):
    directory.mkdir()
    directory.chmod(0o777)
    with pytest.warns(UserWarning, match="belongs to this user alone"):
        check_right()
    assert list(directory.iterdir()) == []


def test_directory_of_someone_else_is_not_used(directory, monkeypatch):
    directory.mkdir(mode=0o700)
    monkeypatch.setattr(module.os, "getuid", lambda: 123_456)
    with pytest.warns(UserWarning, match="belongs to this user alone"):
        check_right()
    assert list(directory.iterdir()) == []


def test_no_directory_at_all_is_no_obstacle(directory):
    directory.write_text("a file")
    assert cache_directory() is None
    with pytest.warns(UserWarning, match="TENSORGRAD_CACHE"):
        check_right()


def test_full_disk_is_no_obstacle_and_leaves_nothing_behind(directory, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fdopen", full)
    with pytest.warns(UserWarning, match="No space left"):
        path = build(SOURCE)
    assert load(path).answer() == 42
    assert list(directory.iterdir()) == []


def test_a_directory_in_trouble_warns_once(directory):
    directory.write_text("a file")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for k in range(3):
            build(f"int answer(void) {{ return {k}; }}")
    assert len(caught) == 1


def test_processes_share_a_directory(directory):
    code = (
        "import numpy as np, tensorgrad as tg\n"
        "f = tg.compile(lambda x: np.exp(x).sum(), printer='c')\n"
        "print(float(f(np.zeros(8))))"
    )

    def run(_):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        return done.stdout.strip(), done.stderr

    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(run, range(3))) == {("8.0", "")}
    assert [path.suffix for path in directory.iterdir()] == [".so"]


def test_refused_source_is_told_with_its_line(directory):
    with pytest.raises(
        BuildError,
        match=r"step: step\.c:1:.*error.* in: int answer\(void\) \{ return forty_two; \}",
    ):
        build("int answer(void) { return forty_two; }")


def test_failing_build_runs_as_numpy_and_says_so(directory, monkeypatch):
    monkeypatch.setattr(module, "OPTIONS", ("--no-such-option",))
    compiled = tg.compile(lambda x: np.exp(x) * 3.0)
    with pytest.warns(UserWarning, match="building a compiled step.*run as NumPy"):
        np.testing.assert_array_equal(compiled(X), np.exp(X) * 3.0)
    assert "could not be built" in compiled.explain()


def test_machine_without_compiler_says_how_to_get_one(directory, monkeypatch):
    monkeypatch.setattr(module, "find_compiler", lambda: None)
    with pytest.raises(BuildError, match=r"tensorgrad-np\[native\]"):
        build(SOURCE)
