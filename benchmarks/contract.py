"""What a contender and a row of the table are."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.problem import Arrays, Problem


class NotOfferedError(Exception):
    """A package has no way of its own to compute what a row asks for."""


@dataclass(frozen=True)
class Step:
    """One contender's training step on one problem.

    Attributes
    ----------
    run
        Does one whole step, forward, backward and update, and returns when the
        result is there.
    evaluate
        Returns the loss and the gradients at the current parameters, in the names
        and shapes of the problem; changes nothing.
    params
        Returns copies of the current parameters; empty where nothing is updated.
    """

    run: Callable[[], object]
    evaluate: Callable[[], tuple[float, Arrays]]
    params: Callable[[], Arrays]


def nothing_updated() -> Arrays:
    """Return no parameters, for problems that have none."""
    return {}


def no_preparation(threads: int) -> None:
    """Prepare nothing: the BLAS limit of the harness is enough."""


@dataclass(frozen=True)
class Contender:
    """A way of computing a training step.

    Attributes
    ----------
    name
        Heading of its column.
    package
        The module that has to be importable.
    make_step
        Makes a `Step` for a problem. Compiling belongs here or into the warm-up.
    prepare
        Called once before the first step with the number of threads to use, for
        packages with a thread pool of their own.
    on_request
        Runs only when the command line asks for it.
    has_own_memory
        Its arrays are not NumPy's.
    """

    name: str
    package: str
    make_step: Callable[[Problem], Step]
    prepare: Callable[[int], None] = no_preparation
    on_request: bool = False
    has_own_memory: bool = False

    def is_installed(self) -> bool:
        """Tell whether the package is there; a bare directory does not count."""
        spec = importlib.util.find_spec(self.package)
        return spec is not None and spec.origin is not None


@dataclass(frozen=True)
class Row:
    """A row of the table: a name and the problem that it times."""

    name: str
    make_problem: Callable[[np.random.Generator], Problem]
