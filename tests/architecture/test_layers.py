from __future__ import annotations

import subprocess
import sys
import tomllib
from typing import Any

import pytest

from tests.architecture.layer_examples import EXAMPLES
from tests.architecture.sources import PACKAGE, ROOT, layer_names

# These may know test frameworks, drawing libraries and the command line.
TOP_LAYERS = {"auditor", "cli", "derive", "interop", "show", "testing", "verify"}
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc"}
TIMEOUT_S = 60

# An empty root, so that nothing is loaded by the imports of the real one.
EMPTY_ROOT = """
import sys, types
root = types.ModuleType("tensorgrad")
root.__path__ = [sys.argv[1]]
sys.modules["tensorgrad"] = root
"""

# Imports all of one layer, and prints which layers came with it.
IMPORT_ALONE = """
import importlib, pkgutil
layer = importlib.import_module("tensorgrad." + sys.argv[2])
for found in pkgutil.walk_packages(getattr(layer, "__path__", []), layer.__name__ + "."):
    importlib.import_module(found.name)
print(*sorted({name.split(".")[1] for name in sys.modules if "tensorgrad." in name}))
"""

# Runs a doctest, and prints what it should not have printed.
RUN_ALONE = """
import doctest
import numpy as np
test = doctest.DocTestParser().get_doctest(sys.argv[2], {"np": np}, "example", None, 0)
sys.exit(doctest.DocTestRunner().run(test).failed)
"""

HEAVY = ("argparse", "hypothesis", "pytest", "safetensors", "scipy", "sklearn", "tqdm")
IMPORT_ROOT = "import sys, tensorgrad; print(*set(sys.argv[1:]) & set(sys.modules))"
# NumPy imports some of its packages when they are first looked up.
MORE_OF_NUMPY = """
import sys, numpy
before = set(sys.modules)
import tensorgrad
more = set(sys.modules) - before
print(*[name for name in more if name.startswith("numpy.")])
"""


def run_python(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(
        command,
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def contract(identifier: str) -> dict[str, Any]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    return next(found for found in contracts if found["id"] == identifier)


def layer_ranks() -> dict[str, int]:
    """Return the height of every layer, the lowest being 0."""
    rows = reversed(contract("layers")["layers"])
    return {
        name.strip(" ()"): rank
        for rank, row in enumerate(rows)
        for name in row.split("|")
    }


def test_import_linter_keeps_every_contract() -> None:
    code = "from importlinter.cli import lint_imports_command as run; run()"
    report = run_python(code, "--no-cache")
    assert "0 broken" in report, report


@pytest.mark.parametrize("layer", layer_names())
def test_layer_imports_alone_and_brings_only_lower_layers(layer: str) -> None:
    ranks = layer_ranks()
    loaded = set(run_python(EMPTY_ROOT + IMPORT_ALONE, str(PACKAGE), layer).split()) - {
        layer
    }
    too_high = {name for name in loaded if ranks[name] >= ranks[layer]}
    assert too_high == set()


@pytest.mark.parametrize("layer", layer_names())
def test_layer_works_with_lower_layers_alone(layer: str) -> None:
    assert run_python(EMPTY_ROOT + RUN_ALONE, str(PACKAGE), EXAMPLES[layer]) == ""


def test_every_layer_below_the_top_is_kept_from_the_tools() -> None:
    sources = {name.rpartition(".")[2] for name in contract("tools")["source_modules"]}
    assert sources == set(layer_names()) - TOP_LAYERS


def test_import_of_the_package_loads_no_optional_library() -> None:
    assert run_python(IMPORT_ROOT, *HEAVY).split() == []


def test_import_of_the_package_loads_no_more_of_numpy_than_numpy_itself() -> None:
    assert run_python(MORE_OF_NUMPY).split() == []


def test_every_module_names_its_thing() -> None:
    names = {path.stem for path in PACKAGE.rglob("*")}
    assert names & FORBIDDEN_NAMES == set()
