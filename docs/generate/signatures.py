"""Signatures of what the table makes, as text for pages and for stubs."""

from __future__ import annotations

import ast
import builtins
import collections.abc
import inspect
import json
import typing
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import CodeType
from typing import Any

from tensorgrad import _typing
from tensorgrad.core.op import Op
from tensorgrad.ops import TABLE

__all__ = [
    "Imports",
    "Parameter",
    "annotation_text",
    "call_text",
    "imported",
    "parameters_of_function",
    "parameters_of_op",
    "result_annotation",
    "result_of_op",
    "stub",
    "stub_of_op",
]

LIKE = "TensorLike"
WIDTH = 88
_BY_KEYWORD = inspect.Parameter.KEYWORD_ONLY
_BY_POSITION = inspect.Parameter.POSITIONAL_ONLY
_EITHER = inspect.Parameter.POSITIONAL_OR_KEYWORD
_SPREAD = inspect.Parameter.VAR_POSITIONAL
_OPTIONS = inspect.Parameter.VAR_KEYWORD
_MISSING = object()


@dataclass(frozen=True)
class Parameter:
    """One parameter of a signature; ``default`` is None where there is none."""

    name: str
    annotation: str
    default: str | None
    kind: Any
    is_operand: bool = False

    def text(self, *, typed: bool) -> str:
        """Return the parameter as a signature has it."""
        stars = {_SPREAD: "*", _OPTIONS: "**"}.get(self.kind, "")
        annotation = f": {self.annotation}" if typed and self.annotation else ""
        if self.default is None:
            return f"{stars}{self.name}{annotation}"
        equals = " = " if annotation else "="
        return f"{stars}{self.name}{annotation}{equals}{self.default}"


class Imports:
    """The names that annotations use, by the module they come from."""

    def __init__(self) -> None:
        self.names: dict[str, set[str]] = {}

    def add(self, module: str, *names: str) -> None:
        """Note that names of a module are used."""
        self.names.setdefault(module, set()).update(names)

    def add_annotation(self, annotation: str, scope: dict[str, Any]) -> None:
        """Note the names in an annotation that is written in a module with this scope."""
        for node in ast.walk(ast.parse(annotation, mode="eval")):
            if isinstance(node, ast.Name) and not hasattr(builtins, node.id):
                self.add(_home(node.id, scope), node.id)

    def lines(self) -> Iterator[str]:
        """Yield the import statements, the standard library first."""
        modules = sorted(module for module in self.names if self.names[module])
        modules = [module for module in modules if module != "numpy"]
        own = [module for module in modules if module.startswith("tensorgrad")]
        standard = [module for module in modules if module not in own]
        groups = (standard, ["numpy"] if "numpy" in self.names else [], own)
        for group in filter(None, groups):
            for module in group:
                names = sorted(self.names[module])
                yield (
                    "import numpy as np"
                    if module == "numpy"
                    else imported(module, names)
                )
            yield ""


def imported(module: str, names: Iterable[str]) -> str:
    """Return one import statement, broken where it is long."""
    listed = list(names)
    line = f"from {module} import {', '.join(listed)}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"from {module} import (", *[f"    {n}," for n in listed], ")"])


def _home(name: str, scope: dict[str, Any]) -> str:
    """Return the module from which a stub imports the name of an annotation."""
    if name == "np":
        return "numpy"
    for module in (typing, collections.abc, _typing):
        if getattr(module, name, None) is scope.get(name, _MISSING):
            return module.__name__
    value = scope.get(name)
    home = getattr(value, "__module__", None)
    if home is None or not home.startswith("tensorgrad"):
        raise LookupError(f"an annotation names {name}, which a stub can't import")
    return str(home)


# ------------------------------------------------------------------------ parameters


def parameters_of_function(
    function: Callable[..., Any], imports: Imports
) -> tuple[Parameter, ...]:
    """Return the parameters of a Python function as it declares them."""
    scope = getattr(inspect.unwrap(function), "__globals__", {})
    found = inspect.signature(function).parameters.values()
    return tuple(_declared(parameter, scope, imports) for parameter in found)


def _declared(
    parameter: inspect.Parameter, scope: dict[str, Any], imports: Imports
) -> Parameter:
    annotation = annotation_text(parameter.annotation)
    imports.add_annotation(annotation, scope)
    default = None
    if parameter.default is not inspect.Parameter.empty:
        default = _literal(parameter.default)
    return Parameter(parameter.name, annotation, default, parameter.kind)


def annotation_text(annotation: Any) -> str:
    """Return an annotation as text; what is not annotated may be anything."""
    if annotation is inspect.Parameter.empty:
        return "Any"
    return annotation if isinstance(annotation, str) else repr(annotation)


def result_annotation(function: Callable[..., Any], imports: Imports) -> str:
    """Return what a Python function declares as its result."""
    text = annotation_text(inspect.signature(function).return_annotation)
    imports.add_annotation(text, getattr(inspect.unwrap(function), "__globals__", {}))
    return text


def _literal(value: Any) -> str:
    if type(value) is str:
        return json.dumps(value)
    is_plain = value is None or type(value) in (bool, int, float, complex)
    is_tuple = type(value) is tuple and all(_literal(part) != "..." for part in value)
    return repr(value) if is_plain or is_tuple else "..."


def parameters_of_op(op: Op, imports: Imports) -> tuple[Parameter, ...]:
    """Return the parameters of an op's public function; operands say that they are."""
    if op.ufunc is not None:
        return tuple(_operand(name, _BY_POSITION) for name in op.operands)
    public = TABLE[op.name]
    code: CodeType = public.__code__  # type: ignore[attr-defined]  # it is a function
    is_made = Path(code.co_filename).parent.name == "core"
    # Of a function written around the op, its own signature is what callers see.
    source = (op.adapt or op.forward) if is_made else public
    declared = parameters_of_function(source, imports)
    if op.is_variadic and op.adapt is None:
        _, *rest = declared
        first = Parameter("arrays", f"Sequence[{LIKE}]", None, _EITHER, is_operand=True)
        return (first, *[_either(parameter) for parameter in rest])
    found = tuple(
        _as_operand(parameter)
        if parameter.name in op.operands or parameter.kind is _SPREAD
        else parameter
        for parameter in declared
    )
    is_short = len(found) == len(op.operands) <= 2
    if is_short and op.adapt is None and op.n_outputs is None:
        return tuple(replace(parameter, kind=_BY_POSITION) for parameter in found)
    return found


def _operand(name: str, kind: Any) -> Parameter:
    return Parameter(name, LIKE, None, kind, is_operand=True)


def _as_operand(parameter: Parameter) -> Parameter:
    annotation = f"{LIKE} | None" if parameter.default == "None" else LIKE
    return replace(parameter, annotation=annotation, is_operand=True)


def _either(parameter: Parameter) -> Parameter:
    return replace(parameter, kind=_EITHER)


def call_text(name: str, parameters: Iterable[Parameter]) -> str:
    """Return a signature without types, as a page shows it."""
    parts = [part for part in _parts(parameters, typed=False) if part != "/"]
    return f"{name}({', '.join(parts)})"


def _parts(parameters: Iterable[Parameter], *, typed: bool) -> list[str]:
    """Return the parameters' texts with the marks ``/`` and ``*`` between them."""
    parts: list[str] = []
    before = None
    for parameter in parameters:
        kind = parameter.kind
        if before is _BY_POSITION and kind is not _BY_POSITION:
            parts.append("/")
        if kind is _BY_KEYWORD and before not in (_BY_KEYWORD, _SPREAD):
            parts.append("*")
        parts.append(parameter.text(typed=typed))
        before = kind
    if before is _BY_POSITION:
        parts.append("/")
    return parts


# ----------------------------------------------------------------------------- stubs


def stub(
    name: str,
    parameters: Iterable[Parameter],
    result: str,
    *,
    doc: str = "",
    indent: str = "",
    comment: str = "",
) -> str:
    """Return one ``def`` of a stub, on one line where it fits."""
    parts = _parts(parameters, typed=True)
    body = f'"""{doc}"""' if doc else "..."
    head = f"{indent}def {name}({', '.join(parts)}) -> {result}:"
    tail = f"  # {comment}" if comment else ""
    if len(head) > WIDTH:
        inner = "".join(f"{indent}    {part},\n" for part in parts)
        head = f"{indent}def {name}({tail}\n{inner}{indent}) -> {result}:"
        tail = ""
    if doc:
        return f"{head}{tail}\n{indent}    {body}\n"
    return f"{head} {body}{tail}\n"


def result_of_op(op: Op) -> str:
    """Return the type of what an op makes of Tensors."""
    if op.is_constant:
        return "Array"
    if op.n_outputs is None:
        return "Tensor"
    gives_list = str(op.forward.__annotations__.get("return", "")).startswith("list")
    return "list[Tensor]" if gives_list else "tuple[Tensor, ...]"


def stub_of_op(op: Op, imports: Imports, *, name: str) -> str:
    """Return the overloads of an op's public function, under the name it is exported by.

    With a Tensor among the operands the result is one; of plain arrays it is plain.
    """
    parameters = parameters_of_op(op, imports)
    result = result_of_op(op)
    imports.add("tensorgrad._typing", "Array", "ArrayLike")
    doc = op.doc.replace("\\", "\\\\")
    if op.is_constant:
        return stub(name, parameters, result, doc=doc)
    plain = result.replace("Tensor", "Array")
    imports.add("typing", "overload")
    if any("Sequence" in p.annotation or p.kind is _SPREAD for p in parameters):
        # Of a mixed sequence, types do not tell that one Tensor makes the result one.
        versions = [
            (_with_operands(parameters, "Tensor"), result),
            (_with_operands(parameters, "ArrayLike"), plain),
            (parameters, "Any"),
        ]
    else:
        places = [i for i, p in enumerate(parameters) if p.is_operand]
        versions = [(_with_tensor(parameters, i), result) for i in places]
        versions.append((_with_operands(parameters, "ArrayLike"), plain))
    return "".join(
        "@overload\n" + stub(name, version, given, doc=doc)
        for version, given in versions
    )


def _with_operands(parameters: Iterable[Parameter], kind: str) -> tuple[Parameter, ...]:
    """Return the version whose operands are all of one kind."""
    return tuple(
        replace(p, annotation=p.annotation.replace(LIKE, kind)) for p in parameters
    )


def _with_tensor(
    parameters: tuple[Parameter, ...], place: int
) -> tuple[Parameter, ...]:
    """Return the version in which the first Tensor is the operand at this place."""
    tensor = replace(parameters[place], annotation="Tensor", default=None)
    before = _with_operands(parameters[:place], "ArrayLike")
    required = tuple(replace(parameter, default=None) for parameter in before)
    return (*required, tensor, *parameters[place + 1 :])
