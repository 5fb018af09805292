from __future__ import annotations

import inspect
from dataclasses import is_dataclass
from types import ModuleType
from typing import Any

import pytest

from tests.architecture.public_api import (
    PUBLIC_MODULES,
    SNAPSHOT,
    is_definition,
    public_objects,
    render,
)
from tests.architecture.sources import ROOT


def is_record(thing: Any) -> bool:
    """Tell exceptions and dataclasses, which are read more often than called."""
    is_exception = inspect.isclass(thing) and issubclass(thing, Exception)
    return is_exception or is_dataclass(thing)


OBJECTS = [(f"{module}.{name}", thing) for module, name, thing in public_objects()]
CALLABLES = [
    pytest.param(thing, id=name)
    for name, thing in OBJECTS
    if is_definition(thing) and not is_record(thing)
]


def test_snapshot_of_the_public_names_is_fresh() -> None:
    assert SNAPSHOT.read_text(encoding="utf-8") == render(), "run `nox -s gen`"


def test_every_public_module_of_the_root_is_in_the_snapshot() -> None:
    modules = {name for name, thing in OBJECTS if isinstance(thing, ModuleType)}
    assert modules <= set(PUBLIC_MODULES)


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_reference_lists_the_public_module(module: str) -> None:
    page = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    assert module in page.split()


@pytest.mark.parametrize("thing", CALLABLES)
def test_public_callable_has_an_example(thing: Any) -> None:
    text = inspect.getdoc(thing) or ""
    assert "\nExamples\n--------\n" in text
    assert ">>> " in text.partition("\nExamples\n")[2]
