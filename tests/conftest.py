"""Set-up of every test: Hypothesis profiles, and state that a test must not leak.

Warnings are errors by configuration (pyproject), and pytest-randomly shuffles the
tests. It also reseeds global generators, which no test here relies on: seeds are
arguments.
"""

from __future__ import annotations

import importlib
import os
from contextvars import ContextVar
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# Time limits are off: they would measure the machine, and fail on a busy one.
settings.register_profile(
    "dev",
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "ci", settings.get_profile("dev"), max_examples=50, derandomize=True, database=None
)
settings.register_profile("thorough", settings.get_profile("dev"), max_examples=1000)


def _profile_name() -> str:
    """Return the profile asked for, else `ci` on a CI machine, else `dev`."""
    on_ci = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
    return os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if on_ci else "dev")


settings.load_profile(_profile_name())


def _modes() -> dict[str, object]:
    """Return the value of every context variable of the engine, and NumPy's modes."""
    module = importlib.import_module("tensorgrad.core.modes")
    found: dict[str, object] = {
        name: variable.get(None)
        for name, variable in vars(module).items()
        if isinstance(variable, ContextVar)
    }
    found["np.geterr()"] = np.geterr()
    return found


@pytest.fixture(autouse=True)
def _no_mode_is_leaked() -> Iterator[None]:
    """Fail the test that leaves a recording mode or NumPy's error state changed."""
    before = _modes()
    yield
    after = _modes()
    leaked = [name for name in after if after[name] != before.get(name)]
    assert not leaked, f"the test leaves {', '.join(leaked)} changed: {after}"


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a generator with a fixed seed, new for each test."""
    return np.random.default_rng(20260101)
