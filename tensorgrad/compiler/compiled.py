"""`compile`: a function that is captured once for each kind of arguments, then printed."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, update_wrapper
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from tensorgrad._typing import Array, Tree
from tensorgrad.compiler.buffers import Plan, is_fresh, make_buffers, plan_buffers
from tensorgrad.compiler.capture import Captured, capture
from tensorgrad.compiler.matching import Matcher, make_builder, make_matcher
from tensorgrad.compiler.native.build import BuildError
from tensorgrad.compiler.native.c_printer import Printed
from tensorgrad.compiler.native.calling import (
    NativeStep,
    is_free,
    make_native,
    owners_of,
)
from tensorgrad.compiler.native.writing import Unprintable
from tensorgrad.compiler.numpy_printer import constant_names, print_numpy
from tensorgrad.compiler.passes import PASSES, ROUNDING, simplify
from tensorgrad.compiler.program import Program
from tensorgrad.core.modes import MODE
from tensorgrad.core.node import Leaf, Node
from tensorgrad.core.tensor import Tensor, as_value
from tensorgrad.errors import ArgumentError, CaptureError, explain
from tensorgrad.serial.atomic import write_atomically
from tensorgrad.tree import Structure, flatten

__all__ = ["Compiled", "compile"]

Printer: TypeAlias = Literal["auto", "numpy", "c"]

MANY = 8
"""Programs of one function after which it warns: something varies that should not."""


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """A program, its printed function, and the kind of arguments that it is for."""

    captured: Captured
    n_captured: int
    functions: tuple[Callable[..., Any], Callable[..., Any] | None] | None
    plan: Plan
    taken: frozenset[int]
    is_fresh: bool
    free: list[list[Array]]
    reason: str
    native: NativeStep | None
    printer: str
    build: Callable[[list[Any]], Tree]

    def run(self, values: list[Any]) -> list[Array]:
        """Return the results, in memory of their own."""
        if self.native is not None:
            return self.native.run(values)
        assert self.functions is not None
        plain, planned = self.functions
        program = self.captured.program
        work: list[Array] = []
        kept: Sequence[Any] = values
        if planned is None or not all(v.flags.c_contiguous for v in values):
            found = plain(*values)
        else:
            if self.taken:
                kept = self._give_up(values)
            if self.plan.buffers:
                work = self._buffers()
                found = planned(*values, work)
            else:
                found = planned(*values)
        results = found if len(program.outputs) != 1 else (found,)
        if self.is_fresh:
            owned = [np.asarray(result) for result in results]
        else:
            owned = self.captured.owned(results, [*kept, *work])
        if work:
            self.free.append(work)
        return owned

    def _give_up(self, values: list[Any]) -> list[Any]:
        """Copy the arrays that may not be overwritten; return those that will not be."""
        constants = [constant.value for constant in self.captured.program.constants]
        owners = owners_of([*values, *constants])
        for k in self.taken:
            if not is_free(values[k], owners):
                values[k] = values[k].copy()
        return [v for k, v in enumerate(values) if k not in self.taken]

    def _buffers(self) -> list[Array]:
        # Memory for one run at a time: another thread takes, or makes, its own.
        try:
            return self.free.pop()
        except IndexError:
            return make_buffers(self.plan)


class Compiled:
    """A function that runs as a printed program; what `compile` returns.

    Attributes
    ----------
    source : str
        NumPy, of the program that ran last; runs without this package.
    program : Program
        The same as data.
    printer : str
        "c" or "numpy": what runs it.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        leave_out: tuple[str, ...],
        printer: Printer,
        donate: tuple[int, ...],
    ) -> None:
        self._f = f
        self._donate = donate
        self._leave_out = leave_out
        self._printer = printer
        self._matched: list[tuple[Matcher, _Entry]] = []
        self._entries: dict[Any, _Entry] = {}
        self._last: _Entry | None = None
        self._lock = threading.Lock()
        update_wrapper(self, f)

    def __call__(self, *args: Any, **kwargs: Any) -> Tree:
        """Run the program for these arguments, capturing it if they are new in kind.

        Inside a function that is being differentiated or captured the original function
        runs, so that it takes part.
        """
        if not kwargs and not MODE.get().depth:
            for match, entry in self._matched:
                values = match(args)
                if values is not None:
                    self._last = entry
                    for guard in entry.captured.guards:
                        guard.check()
                    return entry.build(entry.run(values))
        leaves, structure = flatten((args, kwargs))
        if MODE.get().depth or any(map(_takes_part, leaves)):
            return self._f(*args, **kwargs)
        key = _kind(leaves, structure)
        entry = self._entries.get(key) or self._captured(key, args, kwargs)
        self._last = entry
        captured = entry.captured
        for guard in captured.guards:
            guard.check()
        return entry.build(entry.run(captured.values(leaves)))

    def _captured(self, key: Any, args: Any, kwargs: Any) -> _Entry:
        with self._lock:
            # Another thread may have been faster.
            if key not in self._entries:
                reason = self._why(key)
                captured = capture(self._f, *args, **kwargs)
                n = len(captured.program)
                program = simplify(captured.program, self._leave_out)
                name, donated = _name(self._f), _donated(captured, self._donate)
                plan = plan_buffers(
                    program, [program.inputs[k] for k in sorted(donated)]
                )
                native, printer = _native(program, plan, self._printer, donated)
                # C needs no NumPy beside it; `source` prints it when it is asked for.
                functions = None
                if native is None:
                    is_planned = bool(plan.buffers or plan.taken)
                    functions = (
                        _executed(program, name, None),
                        _executed(program, name, plan) if is_planned else None,
                    )
                entry = self._entries[key] = _Entry(
                    captured.with_program(program),
                    n,
                    functions,
                    plan,
                    frozenset(map(program.inputs.index, plan.taken.values())),
                    _has_fresh_outputs(program),
                    [],
                    reason,
                    native,
                    printer,
                    make_builder(captured.outputs),
                )
                self._remember(entry, args, kwargs)
                if len(self._entries) == MANY:
                    self._warn(reason)
            return self._entries[key]

    def _remember(self, entry: _Entry, args: Any, kwargs: Any) -> None:
        """Keep the quick way for arguments like these, if there is one."""
        leaves, structure = flatten((args, kwargs))
        match = make_matcher(structure, leaves, entry.captured.draws)
        if match is not None:
            self._matched.append((match, entry))

    def _why(self, key: Any) -> str:
        """Say what is new in the arguments."""
        if not self._entries:
            return "first call"
        last = next(reversed(self._entries))
        if key[0] != last[0]:
            return "other containers"
        changed = [
            f"{path}: {_shown(new)} after {_shown(old)}"
            for path, old, new in zip(key[0].paths(), last[1], key[1], strict=True)
            if old != new
        ]
        return "; ".join(changed[:3])

    def _warn(self, reason: str) -> None:
        warnings.warn(
            explain(
                f"compile: {_name(self._f)}",
                f"{MANY} programs for one function, the last one because of {reason}",
                "few kinds of arguments",
                "Pass numbers that vary as arrays, np.asarray(x), and keep shapes fixed",
            ),
            stacklevel=4,
        )

    @property
    def source(self) -> str:
        """NumPy of the program that ran last."""
        # Printed when asked for: arrays that it was captured with have to be packed.
        entry = self._needed("source")
        return print_numpy(entry.captured.program, _name(self._f), plan=entry.plan)

    @property
    def printer(self) -> str:
        """What runs the program that ran last: "c" or "numpy"."""
        return "numpy" if self._needed("printer").native is None else "c"

    @property
    def program(self) -> Any:
        """The program that ran last."""
        return self._needed("program").captured.program

    def save(self, path: str | Path) -> None:
        """Write the source to a file; it runs without this package."""
        text = self.source
        write_atomically(Path(path), lambda file: file.write(text.encode()))

    def explain(self) -> str:
        """Return a line for each program: why it was made, and what the passes took away."""
        lines = []
        for k, entry in enumerate(self._entries.values(), start=1):
            n_left = len(entry.captured.program)
            lines.append(
                f"program {k}: {entry.reason}: {entry.n_captured} ops captured, "
                f"{n_left} left; {entry.printer}"
            )
        passes = [name for name in PASSES if name not in self._leave_out]
        rounding = [name for name in passes if name in ROUNDING]
        told = f"not exact: {', '.join(rounding)}" if rounding else "all exact"
        lines.append(f"passes: {', '.join(passes) or 'none'}; {told}")
        return "\n".join(lines)

    def _needed(self, what: str) -> _Entry:
        if self._last is None:
            raise ArgumentError(
                explain(
                    f"compile: {what} of {_name(self._f)}",
                    "a function that has not been called",
                    "a call, which tells shapes and dtypes",
                    "Call it once",
                )
            )
        return self._last


builtin_compile = compile


def compile(  # noqa: A001  # the name is fixed
    f: Callable[..., Any],
    *,
    printer: Printer = "auto",
    donate: int | tuple[int, ...] = (),
    leave_out: tuple[str, ...] = (),
) -> Compiled:
    """Return a function that is captured once and then runs as one printed program.

    Parameters
    ----------
    f : callable
        Takes and returns nested containers and modules of arrays; may itself call `grad`
        and the other transforms.
    printer : {"auto", "numpy", "c"}
        ``"numpy"`` gives the results of ``f``, and to the last bit for arguments in C
        order with ``leave_out=("products",)``.
        ``"c"`` builds the program with a C compiler: sums are reordered, and exp, log
        and tanh are within 3 ulp. ``"auto"`` is C where there is a compiler and C has
        words for the whole program, else NumPy; a missing compiler is told once.
    donate : int or tuple of int
        Positions of arguments that the caller gives up: their arrays may be overwritten
        by results, and must not be used after the call. That is done where shape and
        dtype fit and nothing else lies in that memory; NumPy leaves small ones alone.
    leave_out : tuple of str
        Passes to leave out: copies, products, transposes, identities, axes, common, dead.
        All but ``products`` keep every bit.

    Returns
    -------
    Compiled
        Takes the same arguments and returns plain arrays. ``.source`` is the program as
        NumPy, ``.explain()`` tells what was captured and why.

    Raises
    ------
    ArgumentError
        If ``f`` is no function, or there is no such pass or printer, or a position to
        donate is no count.
    CaptureError
        At the call, with ``printer="c"``: if C has no words for the program, or cannot
        be built.
    CaptureError
        At the call: if the function depends on data where a program cannot, or on a
        parameter that is no argument.

    Notes
    -----
    There is one program for each structure, shapes and dtypes of the arguments, and for
    each value of those that are no arrays: Python numbers are part of the program. Random
    generators among the arguments are drawn from anew in every call.

    Every result is an array of its own: later calls leave it alone.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> step = compile(
    ...     lambda w, x: w - 0.1 * tg.grad(lambda w: ((x @ w) ** 2).sum())(w),
    ...     printer="numpy",
    ... )
    >>> step(np.ones(2), np.eye(2))
    array([0.8, 0.8])
    >>> print(step.explain())
    program 1: first call: 9 ops captured, 6 left; NumPy, 0 buffers for 0 results
    passes: copies, products, transposes, identities, axes, common, dead; not exact: products
    """
    unknown = sorted(set(leave_out) - PASSES.keys())
    given: Any = f
    came = expected = ""
    if not callable(given):
        came, expected = f"a {type(f).__name__}", "a function"
    elif unknown:
        came, expected = (
            f"leave_out with {unknown[0]!r}",
            f"passes among {list(PASSES)}",
        )
    elif printer not in get_args(Printer):
        came, expected = f"printer={printer!r}", f"one of {list(get_args(Printer))}"
    positions: tuple[Any, ...] = (donate,) if isinstance(donate, int) else tuple(donate)
    if not all(type(k) is int and k >= 0 for k in positions):
        came, expected = f"donate={donate!r}", "positions of arguments, from 0"
    if came:
        raise ArgumentError(
            explain(
                "compile", came, expected, "Pass the function itself, and known names"
            )
        )
    return Compiled(f, tuple(leave_out), printer, positions)


def _donated(captured: Captured, positions: tuple[int, ...]) -> set[int]:
    """Return the program's inputs that belong to donated arguments."""
    paths = list(captured.inputs.paths())
    wanted = tuple(f"0.{k}." for k in positions)
    return {
        number
        for number, place in enumerate(captured.places)
        if f"{paths[place]}.".startswith(wanted)
    }


def _has_fresh_outputs(program: Program) -> bool:
    """Tell whether each result is an array of its own for certain."""
    fresh = {
        v for line in program.instructions if is_fresh(line.op) for v in line.results
    }
    return fresh.issuperset(program.outputs) and len(set(program.outputs)) == len(
        program.outputs
    )


def _native(
    program: Program, plan: Plan, printer: Printer, donated: set[int]
) -> tuple[NativeStep | None, str]:
    """Return the program built as C, if that is wanted and works, and what to say."""
    numpy = f"NumPy, {len(plan.buffers)} buffers for {len(plan.places)} results"
    if plan.taken:
        numpy += f", {len(plan.taken)} results in donated memory"
    if printer == "numpy":
        return None, numpy
    try:
        native = make_native(program, donated)
    except Unprintable as reason:
        if printer == "c":
            raise CaptureError(
                explain(
                    "compile with printer='c'",
                    f"{reason}",
                    "ops and dtypes that the C printer has words for",
                    "Leave the printer to 'auto', which takes NumPy then",
                )
            ) from None
        return None, f"{numpy}, since C has no words for {reason}"
    except BuildError as error:
        if printer == "c":
            raise
        _warn_of_build(str(error))
        return None, f"{numpy}, since C could not be built"
    return native, _told(native.printed)


def _told(printed: Printed) -> str:
    reused = len(printed.reused)
    where = f", {reused} results in donated memory" if reused else ""
    return f"C, {printed.n_groups} loops and products{where}"


@cache
def _warn_of_build(message: str) -> None:
    warnings.warn(f"{message} Until then steps run as NumPy.", stacklevel=6)


def _executed(program: Program, name: str, plan: Plan | None) -> Callable[..., Any]:
    """Return the function of a printed program."""
    text = print_numpy(program, name, with_constants=False, plan=plan)
    scope: dict[str, Any] = dict(constant_names(program))
    exec(builtin_compile(text, f"<compiled {name}>", "exec"), scope)  # noqa: S102
    function: Callable[..., Any] = scope.pop(name)  # no cycle of the two
    return function


def _kind(leaves: list[Any], structure: Structure) -> Any:
    """Return what a program is for: structure, shapes and dtypes, plain values."""
    return structure, tuple(map(_kind_of, leaves))


def _kind_of(leaf: Any) -> Any:
    if isinstance(leaf, (Tensor, np.ndarray, np.generic)):
        value = as_value(leaf)
        return ("array", value.shape, value.dtype)
    if isinstance(leaf, np.random.Generator):
        return ("generator",)
    # 1, 1.0 and True are equal keys.
    return (type(leaf), repr(leaf) if isinstance(leaf, float) else leaf)


def _takes_part(leaf: Any) -> bool:
    """Tell whether a value belongs to a graph; a parameter by itself is a plain value."""
    if not isinstance(leaf, Tensor):
        return False
    node = leaf._node
    return isinstance(node, Node) or (isinstance(node, Leaf) and node.traced)


def _shown(kind: Any) -> str:
    if kind[0] == "array":
        return f"{kind[2].name}{list(kind[1])}"
    return str(kind[-1])


def _name(f: Any) -> str:
    name = getattr(f, "__name__", "step")
    return name if name.isidentifier() else "step"
