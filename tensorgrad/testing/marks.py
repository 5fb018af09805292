"""Functions that say at which points their derivatives are to be checked.

The mark is plain data on the function: the package that is marked needs neither pytest
nor Hypothesis to be imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from tensorgrad.errors import ArgumentError, explain
from tensorgrad.testing.checking.report import GradReport
from tensorgrad.testing.gradients import gradcheck

__all__ = ["CheckPlan", "checked", "import_target", "marked_in", "run_plan"]

F = TypeVar("F", bound=Callable[..., Any])

ATTRIBUTE = "__tensorgrad_check__"


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """Where a function's derivative is checked, and against what.

    ``args`` are those of `gradcheck`, or a function without parameters that returns them;
    ``gradient`` a handwritten gradient; ``options`` the other arguments.
    """

    args: tuple[Any, ...]
    gradient: Callable[..., Any] | None = None
    options: dict[str, Any] = field(default_factory=dict)


def checked(
    *args: Any, gradient: Callable[..., Any] | None = None, **options: Any
) -> Callable[[F], F]:
    """Mark a function to have its derivative checked.

    Parameters
    ----------
    *args
        As for `gradcheck`: arrays, numbers, strategies. A single function without
        parameters is called for them when they are needed: strategies need Hypothesis,
        and the marked package need not.
    gradient : callable, optional
        A handwritten gradient to check in place of ours.
    **options
        ``order``, ``modes``, ``rng``, ``n_entries``, ``n_points`` of `gradcheck`.

    Returns
    -------
    callable
        A decorator; the function stays what it is.

    Raises
    ------
    ArgumentError
        If there is no argument to check at, or an unknown option.

    Notes
    -----
    ``pytest --tensorgrad-check PACKAGE`` and ``tensorgrad check FILE.py`` run the checks.

    Examples
    --------
    >>> @checked(2.0, order=2)
    ... def cube(x):
    ...     return x**3
    >>> run_plan(cube).verdict
    'confirmed'
    """
    known = {"order", "modes", "rng", "n_entries", "n_points"}
    wrong = sorted(options.keys() - known)
    if not args or wrong:
        raise ArgumentError(
            explain(
                "checked",
                f"the option {wrong[0]}" if wrong else "no argument",
                f"points, and options among {', '.join(sorted(known))}"
                if wrong
                else "the arguments to check the function at",
                "Write for example @checked(np.ones(3), order=2)",
            )
        )

    def mark(f: F) -> F:
        setattr(f, ATTRIBUTE, CheckPlan(args, gradient, options))
        return f

    return mark


def run_plan(f: Callable[..., Any]) -> GradReport:
    """Check a marked function as its mark says."""
    plan: CheckPlan = getattr(f, ATTRIBUTE)
    args = plan.args
    if len(args) == 1 and callable(args[0]) and not hasattr(args[0], "example"):
        found = args[0]()
        args = found if isinstance(found, tuple) else (found,)
    target = f if plan.gradient is None else (f, plan.gradient)
    return gradcheck(target, *args, **plan.options)


def marked_in(module: ModuleType) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the marked functions of a module, and of those under it if it is a package."""
    names = [module.__name__]
    if hasattr(module, "__path__"):
        prefix = f"{module.__name__}."
        names += [m.name for m in pkgutil.walk_packages(module.__path__, prefix)]
    for name in names:
        inner = module if name == module.__name__ else importlib.import_module(name)
        for value in vars(inner).values():
            # Where it is written, not where it is imported to.
            is_here = getattr(value, "__module__", None) == inner.__name__
            if is_here and isinstance(getattr(value, ATTRIBUTE, None), CheckPlan):
                yield f"{inner.__name__}.{value.__qualname__}", value


def import_target(target: str) -> ModuleType:
    """Import a module by its dotted name, or a file by its path.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ArgumentError
        If there is no such module, or it fails while it is imported.
    """
    is_file = target.endswith(".py")
    path = Path(target)
    if is_file and not path.is_file():
        raise FileNotFoundError(
            explain(
                f"check {target!r}",
                "there is no such file",
                "a Python file",
                "Correct the path; it is relative to the working directory",
            )
        )
    sys.path.insert(0, str(path.resolve().parent if is_file else Path.cwd()))
    try:
        if not is_file:
            return importlib.import_module(target)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
    except Exception as error:
        raise ArgumentError(
            explain(
                f"check {target!r}",
                f"importing it raises {type(error).__name__}: {error}",
                "a file or module that can be imported",
                f"Run python {target} to see where"
                if is_file
                else "Check the name, and where it is installed",
            )
        ) from error
    else:
        return module
    finally:
        sys.path.pop(0)
