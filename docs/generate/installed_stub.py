"""The stub of what the table and the frontend install on Tensor.

``python -m docs.generate.installed_stub`` writes `tensorgrad/core/_installed.pyi`, the
class that `Tensor` inherits where only types are read; with ``--check`` it fails where
the file is stale.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import tensorgrad
from docs.generate.files import HEADER, ROOT, write_or_compare
from docs.generate.signatures import (
    LIKE,
    Imports,
    Parameter,
    parameters_of_function,
    parameters_of_op,
    result_annotation,
    result_of_op,
    stub,
)
from tensorgrad.core.op import Op
from tensorgrad.core.tensor import Tensor
from tensorgrad.ops import TABLE

STUB = ROOT / "tensorgrad" / "core" / "_installed.pyi"

_DOC = '''"""What `ops` and `frontend` install on Tensor: operators and methods."""
'''
_SELF = Parameter("self", "", None, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_OTHER = Parameter("other", LIKE, None, inspect.Parameter.POSITIONAL_ONLY)
_ANYTHING = Parameter("other", "object", None, inspect.Parameter.POSITIONAL_ONLY)
_EQUALITIES = ("__eq__", "__ne__")


def installed() -> dict[str, Any]:
    """Return what Tensor offers and its class statement does not, by name."""
    own = set(_names_of_class_statement())
    assert tensorgrad.Tensor is Tensor  # the import installed everything
    found = {
        name: value
        for name, value in vars(Tensor).items()
        if name not in own and not _is_refused(value)
    }
    return dict(sorted(found.items(), key=_order))


def _is_refused(value: Any) -> bool:
    # A method that only raises is for run time; a type checker should not know it.
    return (value.__doc__ or "").startswith("Refuse: ")


def _order(item: tuple[str, Any]) -> tuple[bool, str]:
    name, _ = item
    return name.startswith("__"), name


def _names_of_class_statement() -> list[str]:
    source = Path(str(inspect.getsourcefile(Tensor))).read_text(encoding="utf-8")
    (statement,) = (
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and node.name == "Tensor"
    )
    names = ["__module__", "__doc__", "__annotations__", "__weakref__", "__dict__"]
    for part in ast.walk(statement):
        if isinstance(part, ast.FunctionDef):
            names.append(part.name)
        elif isinstance(part, ast.Name | ast.Constant):
            # Assignments, annotations, and the names in __slots__.
            names.append(str(part.id if isinstance(part, ast.Name) else part.value))
    return names


def member(name: str, value: Any, imports: Imports) -> str:
    """Return the stub of one installed member."""
    if isinstance(value, property):
        assert value.fget is not None
        result = result_annotation(value.fget, imports)
        return "    @property\n" + stub(
            name, (_SELF,), result, doc=_first_line(value), indent="    "
        )
    if name in _EQUALITIES:
        comment = "type: ignore[override]"
        return stub(name, (_SELF, _ANYTHING), "Array", indent="    ", comment=comment)
    op = _op_of(name, value)
    if not name.startswith("__") and _is_open(value):
        return _like_numpy(name, imports)
    if op is not None and name.startswith("__"):
        parameters = parameters_of_op(op, imports)
        others = (_OTHER,) if len(op.operands) == 2 else ()
        static = tuple(p for p in parameters if not p.is_operand)
        is_in_place = name.startswith("__i") and name != "__invert__"
        result = "Tensor" if is_in_place else result_of_op(op)
        return stub(name, (_SELF, *others, *static), result, indent="    ")
    if op is not None:
        _, *rest = parameters_of_op(op, imports)
        return stub(name, (_SELF, *rest), result_of_op(op), doc=op.doc, indent="    ")
    return _declared(name, value, imports)


def _op_of(name: str, value: Any) -> Op | None:
    """Return the op behind a member; ``__radd__`` and ``__iadd__`` are add's."""
    op = getattr(value, "op", None)
    if op is None and name[:3] in ("__r", "__i"):
        op = getattr(vars(Tensor).get(f"__{name[3:]}"), "op", None)
    return op


def _is_open(value: Any) -> bool:
    """Tell whether a function passes all its arguments on to NumPy's of its name."""
    kinds = [p.kind for p in inspect.signature(value).parameters.values()]
    return inspect.Parameter.VAR_KEYWORD in kinds


def _like_numpy(name: str, imports: Imports) -> str:
    """Return the stub of a method whose positions are those of NumPy's function.

    Types are those of the op; what NumPy takes beyond the op's last argument is left out.
    """
    op = _op_of_method(name)
    typed = {} if op is None else {p.name: p for p in parameters_of_op(op, imports)}
    _, *declared = inspect.signature(getattr(np, name)).parameters.values()
    names = [p.name for p in declared]
    n_known = max((i for i, n in enumerate(names, 1) if n in typed), default=0)
    chosen = [
        replace(typed[p.name], kind=p.kind) if p.name in typed else _unknown(p)
        for p in (declared if op is None else declared[:n_known])
        if p.name in typed or p.kind is not inspect.Parameter.KEYWORD_ONLY
    ]
    result = "Any" if op is None else result_of_op(op)
    doc = f"Apply `numpy.{name}`." if op is None else op.doc
    return stub(name, (_SELF, *chosen), result, doc=doc, indent="    ")


def _op_of_method(name: str) -> Op | None:
    by_method = {f.op.method: f.op for f in TABLE.values() if f.op.method is not None}
    function = TABLE.get(name)
    return by_method.get(name, None if function is None else function.op)


def _unknown(parameter: inspect.Parameter) -> Parameter:
    is_required = parameter.default is inspect.Parameter.empty
    default = None if is_required else "..."
    return Parameter(parameter.name, "Any", default, parameter.kind)


def _declared(name: str, value: Any, imports: Imports) -> str:
    """Return the stub of a function as its annotations declare it."""
    _, *rest = parameters_of_function(value, imports)
    doc = "" if name.startswith("__") else _first_line(value)
    result = result_annotation(value, imports)
    return stub(name, (_SELF, *rest), result, doc=doc, indent="    ")


def _first_line(value: Any) -> str:
    return (inspect.getdoc(value) or "").partition("\n")[0]


def render() -> str:
    """Return the text of the stub."""
    imports = Imports()
    imports.add("tensorgrad._typing", "Array", "ArrayLike")
    imports.add("typing", "TypeAlias")
    imports.add("tensorgrad.core.tensor", "Tensor")
    members = [member(name, value, imports) for name, value in installed().items()]
    body = "".join(members)
    imports.add("typing", *re.findall(r"\b(Any)\b", body))
    imports.add("collections.abc", *re.findall(r"\b(Sequence)\[", body))
    alias = f"{LIKE}: TypeAlias = Tensor | ArrayLike\n"
    lines = [f"# {HEADER}", _DOC, *imports.lines(), alias, "class Installed:"]
    return "\n".join(lines) + "\n" + body


def main(arguments: list[str]) -> int:
    """Write the stub, or compare it."""
    return write_or_compare({STUB: render()}, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
