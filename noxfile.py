"""One command for each habit: `nox -s NAME`; without a name, what a commit needs.

The sessions that only need the development tools share one environment,
`.nox/shared`, so that a clean checkout installs once. It is made anew whenever
`pyproject.toml` changes. Sessions that try the package from outside (`build`,
`readme`, `oldest`, `bench`) have their own.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).parent
SHARED = ROOT / ".nox" / "shared"
BIN = "Scripts" if sys.platform == "win32" else "bin"
PYTHON_FILES = ("tensorgrad", "tests", "benchmarks", "docs", "noxfile.py")

# Each of these writes what it generates, and with `--check` only compares.
GENERATORS = (
    "docs.generate.installed_stub",
    "docs.generate.package_stub",
    "docs.generate.op_pages",
    "tests.architecture.public_api",
)

# Small products lose more than they gain from BLAS threads beside test workers.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = (
    "fmt",
    "lint",
    "types",
    "layers",
    "gen",
    "size",
    "test",
    "doctest",
    "docs",
    "build",
)


def shared(
    session: nox.Session, *command: str, env: dict[str, str] | None = None
) -> None:
    """Run a Python module of the shared environment, which is made when needed."""
    python = SHARED / BIN / "python"
    stamp = SHARED / "pyproject.sha256"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(SHARED, ignore_errors=True)
        session.run(sys.executable, "-m", "venv", str(SHARED), external=True)
        pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        session.run(str(python), *pip, "-e", ".[dev]", external=True)
        stamp.write_text(wanted)
    session.run(str(python), *command, env=env, external=True)


def existing(*names: str) -> list[str]:
    """Return the names that exist in the checkout."""
    return [name for name in names if (ROOT / name).exists()]


@nox.session(venv_backend="none")
def fmt(session: nox.Session) -> None:
    """Format the code; `-- --check` only says what would change."""
    files = existing(*PYTHON_FILES)
    shared(session, "-m", "ruff", "format", *session.posargs, *files)


@nox.session(venv_backend="none")
def lint(session: nox.Session) -> None:
    """Lint with every rule of ruff but a commented list."""
    shared(session, "-m", "ruff", "check", *session.posargs, *existing(*PYTHON_FILES))


@nox.session(venv_backend="none")
def types(session: nox.Session) -> None:
    """Check the types strictly."""
    shared(session, "-m", "mypy", *session.posargs)


@nox.session(venv_backend="none")
def layers(session: nox.Session) -> None:
    """Check who imports whom."""
    shared(
        session, "-c", "from importlinter.cli import lint_imports_command as run; run()"
    )


@nox.session(venv_backend="none")
def gen(session: nox.Session) -> None:
    """Write the generated files; `-- --check` fails where one is stale."""
    for module in GENERATORS:
        shared(session, "-m", module, *session.posargs)


@nox.session(venv_backend="none")
def size(session: nox.Session) -> None:
    """Report the sizes, and fail where a hard limit is passed without a reason."""
    shared(session, "-m", "tests.architecture.size_report", *session.posargs)


@nox.session(venv_backend="none")
def test(session: nox.Session) -> None:
    """Run the tests in random order on all cores."""
    arguments = session.posargs or ["-n", "auto"]
    shared(session, "-m", "pytest", *arguments, env=ONE_THREAD)


@nox.session(venv_backend="none")
def thorough(session: nox.Session) -> None:
    """Run the tests with 1,000 examples a property, and measure branch coverage."""
    env = {**ONE_THREAD, "HYPOTHESIS_PROFILE": "thorough"}
    shared(session, "-m", "coverage", "run", "-m", "pytest", *session.posargs, env=env)
    shared(session, "-m", "coverage", "report")


@nox.session(venv_backend="none")
def doctest(session: nox.Session) -> None:
    """Run the examples of the docstrings, the README and the documentation."""
    options = ["-p", "no:randomly", "--doctest-modules", "--doctest-glob=*.md"]
    pages = [str(path) for path in sorted((ROOT / "docs").rglob("*.md"))]
    where = ["tensorgrad", "README.md", *(p for p in pages if "_build" not in p)]
    shared(session, "-m", "pytest", *options, *session.posargs, *where, env=ONE_THREAD)


@nox.session(venv_backend="none")
def docs(session: nox.Session) -> None:
    """Build the documentation; warnings are errors, and public names are complete."""
    html = "docs/_build/html"
    shutil.rmtree(ROOT / "docs" / "reference" / "generated", ignore_errors=True)
    shared(session, "-m", "sphinx", "-W", "--keep-going", "-q", "-E", "docs", html)
    shared(session, "-m", "tests.architecture.docs_inventory", f"{html}/objects.inv")


@nox.session(venv_backend="none")
def mutants(session: nox.Session) -> None:
    """Plant faults in the rules of the table; the tests must catch them."""
    shared(session, "-m", "tests.mutants", *session.posargs, env=ONE_THREAD)


@nox.session(reuse_venv=True)
def bench(session: nox.Session) -> None:
    """Time tensorgrad beside handwritten NumPy and the peers."""
    session.install("-e", ".[bench]")
    session.run("python", "-m", "benchmarks", *session.posargs, env=ONE_THREAD)


@nox.session
def build(session: nox.Session) -> None:
    """Build wheel and sdist, check them, and run the wheel in a bare environment."""
    dist = Path(session.create_tmp()) / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    shared(session, "-m", "build", "--outdir", str(dist))
    shared(session, "-m", "twine", "check", "--strict", *map(str, dist.iterdir()))
    session.install(str(next(dist.glob("*.whl"))))
    # From an empty directory, so that the checkout cannot stand in for the wheel.
    session.chdir(str(dist))
    session.run("tensorgrad", "--help", silent=True)
    session.run("python", "-m", "tensorgrad", "--help", silent=True)
    session.run("python", "-c", "import tensorgrad as tg; tg.data.load('digits')")


def tracked_files() -> list[str]:
    """Return the files that git knows or would add, relative to the root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    names = listed.stdout.decode().split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


def readme_commands() -> list[str]:
    """Return the two commands of the README: the demo, and the tests."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.compile(r"^```console\n\$ (.*?)\n```$", flags=re.MULTILINE | re.DOTALL)
    return block.findall(text)[:2]


@nox.session(venv_backend="none")
def readme(session: nox.Session) -> None:
    """Run the two commands of the README, as written, on a copy of the checkout."""
    copy = ROOT / ".nox" / "readme"
    shutil.rmtree(copy, ignore_errors=True)
    for name in tracked_files():
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    session.chdir(str(copy))
    for command in readme_commands():
        session.run("bash", "-euc", command, env=ONE_THREAD, external=True)


@nox.session(reuse_venv=True)
def oldest(session: nox.Session) -> None:
    """Run the tests of the engine with the oldest NumPy that is supported."""
    session.install("-e", ".[test]", "numpy==2.0.*")
    names = (
        "core",
        "table",
        "ops",
        "autodiff",
        "frontend",
        "tree",
        "nn",
        "optim",
        "data",
    )
    parts = existing(*(f"tests/{name}" for name in names))
    command = ("python", "-m", "pytest", "-n", "auto", *(session.posargs or parts))
    session.run(*command, env={**os.environ, **ONE_THREAD})
