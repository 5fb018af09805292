"""The stub of the package root, whose names come from the table at run time.

``python -m docs.generate.package_stub`` writes `tensorgrad/__init__.pyi`; with
``--check`` it fails where the file is stale.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import tensorgrad
from docs.generate.files import HEADER, ROOT, write_or_compare
from docs.generate.signatures import (
    LIKE,
    Imports,
    parameters_of_function,
    result_annotation,
    stub,
    stub_of_op,
)
from tensorgrad.core.op import Op

STUB = ROOT / "tensorgrad" / "__init__.pyi"


def exported() -> dict[str, Any]:
    """Return the public names of the package with what they stand for."""
    return {name: getattr(tensorgrad, name) for name in sorted(set(tensorgrad.__all__))}


def home(name: str, value: Any) -> str | None:
    """Return the module that a stub can import a name from, or None."""
    if isinstance(value, ModuleType):
        return value.__name__.rpartition(".")[0]
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    if module is None or getattr(module, name, None) is not value:
        return None
    return module.__name__


def declared(name: str, value: Any, imports: Imports) -> str:
    """Return the stub of a function that is made when the package is imported."""
    doc = (inspect.getdoc(value) or "").partition("\n")[0]
    parameters = parameters_of_function(value, imports)
    return stub(name, parameters, result_annotation(value, imports), doc=doc)


def render() -> str:
    """Return the text of the stub."""
    imports = Imports()
    imports.add("tensorgrad._typing", "Array", "ArrayLike")
    imports.add("tensorgrad.core._installed", LIKE)
    written: list[str] = []
    for name, value in exported().items():
        op = getattr(value, "op", None)
        if isinstance(op, Op):
            written.append(stub_of_op(op, imports, name=name))
        elif module := home(name, value):
            # In a stub, what `__all__` lists is exported though it is imported.
            imports.add(module, name)
        else:
            written.append(declared(name, value, imports))
    body = "".join(written)
    imports.add("typing", *re.findall(r"\b(Any)\b", body))
    imports.add("collections.abc", *re.findall(r"\b(Sequence)\[", body))
    head = [f"# {HEADER}", _docstring(), *imports.lines(), *_all(), ""]
    return "\n".join(head) + "\n__version__: str\n\n" + body


def _docstring() -> str:
    return f'"""{(inspect.getdoc(tensorgrad) or "").partition(chr(10))[0]}"""\n'


def _all() -> Iterator[str]:
    yield "__all__ = ["
    yield from (f'    "{name}",' for name in exported())
    yield "]"


def main(arguments: list[str]) -> int:
    """Write the stub, or compare it."""
    return write_or_compare({STUB: render()}, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
