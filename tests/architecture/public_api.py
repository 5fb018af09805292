"""The public names and their signatures, as text that a change has to touch.

``python -m tests.architecture.public_api`` writes `public_api.txt`; with ``--check``
it fails where the file is stale.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

SNAPSHOT = Path(__file__).with_name("public_api.txt")

# Public means: in the `__all__` of one of these, and in the reference documentation.
PUBLIC_MODULES = (
    "tensorgrad",
    "tensorgrad.nn",
    "tensorgrad.nn.init",
    "tensorgrad.optim",
    "tensorgrad.data",
    "tensorgrad.train",
    "tensorgrad.testing",
    "tensorgrad.testing.strategies",
    "tensorgrad.serial",
    "tensorgrad.tree",
    "tensorgrad.errors",
    "tensorgrad.derivations",
    "tensorgrad.derivations.activations",
    "tensorgrad.derivations.diagnosis",
    "tensorgrad.derivations.dropout",
    "tensorgrad.derivations.gradient_check",
    "tensorgrad.derivations.initialisation",
    "tensorgrad.derivations.l_layer",
    "tensorgrad.derivations.logistic",
    "tensorgrad.derivations.losses",
    "tensorgrad.derivations.minibatch",
    "tensorgrad.derivations.partition",
    "tensorgrad.derivations.regularisation",
    "tensorgrad.derivations.two_layer",
)


def public_objects() -> Iterator[tuple[str, str, Any]]:
    """Yield (module, name, object) for every public name, in order."""
    for module_name in PUBLIC_MODULES:
        module = importlib.import_module(module_name)
        for name in sorted(module.__all__):
            yield module_name, name, getattr(module, name)


def is_definition(thing: Any) -> bool:
    """Tell functions and classes from modules, constants and aliases of types."""
    return inspect.isclass(thing) or inspect.isroutine(thing)


def describe(name: str, thing: Any) -> Iterator[str]:
    """Yield the lines that say what a public name is and how it is called."""
    if isinstance(thing, ModuleType):
        yield f"module {name}"
    elif inspect.isclass(thing):
        bases = ", ".join(base.__name__ for base in thing.__bases__)
        yield f"class {name}({bases}){_signature(thing)}"
        if not issubclass(thing, BaseException):
            yield from _members(thing)
    elif callable(thing):
        yield f"def {name}{_signature(thing)}"
    else:
        yield f"{name}: {type(thing).__name__}"


def _members(cls: type) -> Iterator[str]:
    inherited = set(dir(object))
    for name in sorted(set(dir(cls)) - inherited):
        if not name.startswith("_"):
            member = inspect.getattr_static(cls, name)
            signature = _signature(member) if callable(member) else ""
            yield f"    {name}{signature or ': ' + type(member).__name__}"


class _Bare(str):
    """An annotation that prints without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _bare(annotation: Any) -> Any:
    return _Bare(annotation) if isinstance(annotation, str) else annotation


def _signature(thing: Any) -> str:
    try:
        quoted = inspect.signature(thing)
    except (TypeError, ValueError):
        return ""
    parameters = [
        parameter.replace(annotation=_bare(parameter.annotation))
        for parameter in quoted.parameters.values()
    ]
    text = str(
        inspect.Signature(parameters, return_annotation=_bare(quoted.return_annotation))
    )
    # An address in a default would change with every run.
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def render() -> str:
    """Return the text of the snapshot."""
    lines: list[str] = []
    module = ""
    for module_name, name, thing in public_objects():
        if module_name != module:
            module = module_name
            lines += ["", f"# {module}"]
        lines += describe(name, thing)
    return "\n".join(lines).lstrip() + "\n"


def main(arguments: list[str]) -> int:
    """Write the snapshot, or compare it."""
    text = render()
    if arguments != ["--check"]:
        SNAPSHOT.write_text(text, encoding="utf-8")
        return 0
    if SNAPSHOT.exists() and SNAPSHOT.read_text(encoding="utf-8") == text:
        return 0
    print(f"{SNAPSHOT.name} is stale: the public names changed. Run `nox -s gen`.")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
