"""The op record, and the public function that is made from it.

An op is one entry in the table (package `ops`). This module defines what an entry
says, and turns it into a function with NumPy's signature. It knows how to apply an
op; what a derivative *is* stands in `autodiff`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, cast

import numpy as np

from tensorgrad.core import bind as _bind
from tensorgrad.core.shortcuts import binary, unary
from tensorgrad.core.tensor import Tensor
from tensorgrad.errors import TensorgradError, UnsupportedError, explain

__all__ = [
    "PROJECTION",
    "REALS",
    "Domain",
    "Example",
    "Kind",
    "Op",
    "OpFunction",
    "Rule",
    "make_function",
]

Kind: TypeAlias = Literal["Pointwise", "Linear", "Select", "Custom", "Zero"]
Rule: TypeAlias = Callable[..., Any]

bind = _bind.bind
_ndarray = np.ndarray


class OpFunction(Protocol):
    """The public function of an op; `op` is its entry."""

    op: Op
    __name__: str
    __module__: str

    def __call__(self, *args: Any, **static: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Domain:
    """An open interval on which a function is smooth and finite in float64.

    ``low`` and ``high`` bound each entry of an operand.
    """

    low: float = -5.0
    high: float = 5.0


REALS = Domain()


@dataclass(frozen=True, slots=True)
class Example:
    """One call that shows the op: tests, docs and capture replay it.

    An operand is a shape, to be filled from the op's domain, or a value to be passed
    as it is. For a variadic op the operands are the members of its sequence.
    """

    operands: tuple[Any, ...]
    static: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """One entry of the table.

    ``kind`` says what the rules are: one partial for each operand (Pointwise), one
    transpose for each operand (Linear, also bilinear), both modes by hand (Select for
    a choice among entries, Custom for the rest), or none (Zero).

    A rule's parameter names say what it gets: ``g`` the cotangent (not for a partial),
    ``t`` the tangent (in ``jvps``), ``out`` the result, an operand's name its value,
    ``x_like`` the shape and dtype of operand x, a static argument's name that argument.

    A variadic op has one rule for all operands. It may ask for ``i``, the number of
    the operand; ``avals``, the shapes and dtypes of all; ``arrays``, the values of all,
    with None for a value that no rule of a linear op can need.
    """

    name: str
    kind: Kind
    forward: Callable[..., Any]
    operands: tuple[str, ...]
    rules: tuple[Rule | None, ...]
    shape_rule: Callable[..., Any]
    jvps: tuple[Rule | None, ...] = ()
    ufunc: np.ufunc | None = None
    n_outputs: int | None = None
    """None for one plain result; 0 for a number that depends on the arguments."""
    projection: Op | None = None
    """`PROJECTION`, for an op with several outputs."""
    is_projection: bool = False
    adapt: Callable[..., tuple[tuple[Any, ...], dict[str, Any]]] | None = None
    """From the arguments of the public function to operands and static arguments,
    where they are not simply in this order, or must be made safe to keep."""
    is_variadic: bool = False
    is_layout: bool = False
    is_matmul: bool = False
    is_constant: bool = False
    """Boolean, integer and index results: constants by declaration."""
    is_singular: bool = False
    """Some partial is infinite where the value is finite: zero times it is zero."""
    discards: bool = False
    """Entries of an operand may not reach the result, as in every Select op."""
    is_fitted: bool = False
    """Rules return shares in the operand's own shape and dtype: nothing to fit."""
    has_optional_operands: bool = False
    origin: Callable[[Tensor, dict[str, Any]], Any] | None = None
    """Notes on the result's handle what it was made of (ops/origins.py)."""
    large_share: Callable[[Any, Any], Any] | None = None
    """For one operand: forms g · partial of large plain arrays, from g and what was
    saved, in one buffer instead of one for each operator; the same bits as the rule."""
    report_only: tuple[int, ...] = ()
    """Operands that get their cotangent only as targets (losses from logits)."""
    batch: Callable[..., Any] | None = None
    """Applies the op in many lanes by one NumPy call (ops/batching.py)."""
    domain: tuple[Domain, ...] = (REALS,)
    kink: Callable[..., Any] | None = None
    analytic: Callable[..., Any] | None = None
    examples: tuple[Example, ...] = ()
    numpy: tuple[Any, ...] = ()
    method: str | None = None
    operator: str | None = None
    latex: str = ""
    onnx: str | None = None
    doc: str = ""
    source: str = ""
    doctest: tuple[str, str] = ("", "")
    notes: str = ""
    layout: tuple[tuple[str, int], ...] = ()
    wants_avals: bool = False
    cache: dict[Any, Any] = field(default_factory=dict)

    def __call__(self, *args: Any, **static: Any) -> Any:
        return bind(self, args, static)

    def __repr__(self) -> str:
        return f"<op {self.name}: {self.kind}>"

    def needs(self, recorded: tuple[bool, ...]) -> frozenset[str]:
        """Return which values the rules of the recorded operands ask for."""
        if self.is_variadic:
            recorded = (any(recorded),)
        found = self.cache.get(recorded)
        if found is None:
            names: set[str] = set()
            for i, is_recorded in enumerate(recorded):
                rule = self.rule(i) if is_recorded else None
                if rule is not None:
                    names.update(parameters_of(rule))
            known = {name for name, _ in self.layout}
            found = self.cache[recorded] = frozenset(names & known)
        return cast("frozenset[str]", found)

    def plan(self, recorded: tuple[bool, ...]) -> tuple[int | None, ...]:
        """Return, for each entry of `layout`, which operand to save: -1 for the result.

        None stands for a value that no rule of a recorded operand asks for.
        """
        key = ("plan", recorded)
        found = self.cache.get(key)
        if found is None:
            needed = self.needs(recorded)
            found = tuple(
                index if name in needed else None for name, index in self.layout
            )
            self.cache[key] = found
        return cast("tuple[int | None, ...]", found)

    def latex_call(self) -> str:
        """Return the op as LaTeX with its operands' names filled in."""
        return self.latex.format(*self.operands)

    def rule(self, i: int) -> Rule | None:
        """Return the rule for operand ``i``; a variadic op has one for all."""
        return self.rules[0] if self.is_variadic else self.rules[i]


def parameters_of(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return a rule's parameter names (`inspect.signature` costs 20 times as much)."""
    code = function.__code__
    return code.co_varnames[: code.co_argcount]


def layout_of(
    operands: Sequence[str], rules: Sequence[Rule | None]
) -> tuple[tuple[tuple[str, int], ...], bool]:
    """Return what nodes may have to save, and whether rules ask for avals."""
    asked: set[str] = set()
    for rule in rules:
        if rule is not None:
            asked.update(parameters_of(rule))
    saved = [(name, i) for i, name in enumerate(operands) if name in asked]
    if "out" in asked:
        saved.append(("out", -1))
    wants_avals = any(name.endswith("_like") or name == "avals" for name in asked)
    return tuple(saved), wants_avals


def _pick(x: Sequence[Any], index: int, count: int, aval: Any) -> Any:
    return x[index]


PROJECTION = Op(
    name="output",
    kind="Linear",
    forward=_pick,
    operands=("x",),
    rules=(None,),
    shape_rule=_pick,
    is_projection=True,
    doc="Pick one of several outputs.",
)
"""The op of the node between an op with several outputs and each Tensor it gives.

Sweeps gather the cotangents of all outputs here, so that rules get them as one list,
with None for an output that nobody used.
"""

# --------------------------------------------------------------- public functions


def make_function(op: Op) -> OpFunction:
    """Return the public function of an op, with the short cut that fits its form."""
    statics = static_defaults(op)
    if op.adapt is not None:
        function = _adapted(op, op.adapt)
    elif op.is_variadic:
        function = _variadic(op, statics)
    elif statics:
        function = _with_static(op, statics)
    elif len(op.operands) == 1:
        function = unary(op)
    elif len(op.operands) == 2 and op.n_outputs is None:
        function = binary(op)
    else:
        function = _plain(op)
    function.__name__ = function.__qualname__ = op.name
    function.__doc__ = docstring(op)
    function.op = op  # type: ignore[attr-defined]
    return cast("OpFunction", function)


def static_defaults(op: Op) -> dict[str, Any]:
    """Return the static parameters of the forward function with their defaults."""
    code = getattr(op.forward, "__code__", None)
    if code is None:
        return {}
    n = code.co_argcount
    first = 0 if op.is_variadic else len(op.operands)
    names = code.co_varnames[first:n]
    found = dict.fromkeys(names, inspect.Parameter.empty)
    defaults = op.forward.__defaults__ or ()
    found.update(zip(code.co_varnames[n - len(defaults) : n], defaults, strict=True))
    by_keyword = code.co_varnames[n : n + code.co_kwonlyargcount]
    found.update(dict.fromkeys(by_keyword, inspect.Parameter.empty))
    found.update(op.forward.__kwdefaults__ or {})
    return found


def _adapted(op: Op, adapt: Callable[..., Any]) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        operands, static = adapt(*args, **kwargs)
        return bind(op, operands, static)

    function.__wrapped__ = adapt  # type: ignore[attr-defined]
    return function


def _plain(op: Op) -> Callable[..., Any]:
    n = len(op.operands)

    def function(*args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) != n:
            args = _matched(op, args, kwargs).args
        return bind(op, args, {})

    function.__wrapped__ = op.forward  # type: ignore[attr-defined]
    return function


def _with_static(op: Op, statics: dict[str, Any]) -> Callable[..., Any]:
    n = len(op.operands)
    names = tuple(statics)
    n_by_position = op.forward.__code__.co_argcount - n
    missing = inspect.Parameter.empty
    required = frozenset(k for k, v in statics.items() if v is missing)

    def function(*args: Any, **kwargs: Any) -> Any:
        given = len(args) - n
        if given == 0 and not required:
            if not kwargs:
                return bind(op, args, statics)
            if kwargs.keys() <= statics.keys():
                return bind(op, args, {**statics, **kwargs})
        elif 0 <= given <= n_by_position:
            first = names[:given]
            known = {**dict(zip(first, args[n:], strict=True)), **kwargs}
            is_once = len(known) == given + len(kwargs)
            if is_once and required <= known.keys() <= statics.keys():
                return bind(op, args[:n], {**statics, **known})
        bound = _matched(op, args, kwargs)
        values = bound.args + tuple(bound.kwargs.values())
        return bind(op, values[:n], dict(zip(names, values[n:], strict=True)))

    function.__wrapped__ = op.forward  # type: ignore[attr-defined]
    return function


def _matched(
    op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> inspect.BoundArguments:
    """Match arguments with the forward function's parameters, or say what it takes."""
    signature = inspect.signature(op.forward)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        names = ", ".join(signature.parameters)
        raise UnsupportedError(
            explain(
                op.name,
                f"{error}",
                f"arguments among ({names})",
                "Leave the other arguments of NumPy's function out",
            )
        ) from None
    bound.apply_defaults()
    return bound


def _variadic(op: Op, statics: dict[str, Any]) -> Callable[..., Any]:
    """Make a function whose first argument is a sequence of operands."""

    def function(arrays: Any, *args: Any, **kwargs: Any) -> Any:
        static = {**statics, **dict(zip(statics, args, strict=False)), **kwargs}
        if len(args) > len(statics) or len(static) > len(statics):
            names = ", ".join(statics)
            raise UnsupportedError(
                explain(
                    op.name,
                    f"arguments {args[len(statics) :]} {sorted(kwargs)}",
                    f"a sequence of operands, and arguments among ({names})",
                    "Leave the other arguments of NumPy's function out",
                )
            )
        return bind(op, _as_operands(op, arrays), static)

    function.__wrapped__ = op.forward  # type: ignore[attr-defined]
    return function


def _as_operands(op: Op, arrays: Any) -> tuple[Any, ...]:
    try:
        return tuple(arrays)
    except TensorgradError:
        raise
    except TypeError as error:
        raise UnsupportedError(
            explain(
                op.name,
                f"operands of type {type(arrays).__name__}",
                "a sequence of arrays or Tensors",
                f"Write {op.name}([x, y])",
            )
        ) from error


# --------------------------------------------------------------------- docstrings


def docstring(op: Op) -> str:
    """Write the docstring of a public function from its entry."""
    code, result = op.doctest
    lines = [
        op.doc,
        "",
        "Parameters",
        "----------",
        f"{', '.join(op.operands)} : Tensor or array_like",
        "    Operands, with NumPy's meaning and broadcasting.",
        "",
        "Returns",
        "-------",
        "Tensor, or ndarray if no operand is a Tensor",
    ]
    notes = [f".. math:: {op.latex_call()}"] if op.latex else []
    if op.notes:
        notes += ["", op.notes] if notes else [op.notes]
    if notes:
        lines += ["", "Notes", "-----", *notes]
    if op.source:
        lines += ["", "References", "----------", op.source]
    if code:
        lines += ["", "Examples", "--------", ">>> import tensorgrad as tg"]
        lines += [f">>> {line}" for line in code.split("\n")]
        lines += result.split("\n") if result else []
    return "\n".join(lines) + "\n"
