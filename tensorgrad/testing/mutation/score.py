"""`mutation_score` tells which mistakes the tests of a gradient do not notice."""

from __future__ import annotations

import ast
import dataclasses
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np

from tensorgrad.core.op import Op
from tensorgrad.errors import ArgumentError, explain
from tensorgrad.testing.mutation.code import compiled, definition
from tensorgrad.testing.mutation.faults import faults

__all__ = ["MutationReport", "Survivor", "mutation_score"]

N_FAULTS = 200


@dataclass(frozen=True, slots=True)
class Survivor:
    """A planted mistake that no test noticed.

    Attributes
    ----------
    function : str
        Where it was planted.
    line : int
        In its file.
    family : str
        sign, factor, dropped, inverted, transposed, reduction, operand, …
    change : str
        The expression before and after.
    """

    function: str
    line: int
    family: str
    change: str

    def __str__(self) -> str:
        return f"{self.function}, line {self.line}: {self.family}: {self.change}"


@dataclass(frozen=True, slots=True)
class MutationReport:
    """How many planted mistakes the tests noticed, and which they did not.

    Attributes
    ----------
    n_planted, n_noticed : int
    survivors : tuple of Survivor
        Some may be no mistakes at all, such as x * 1 for x / 1.

    Examples
    --------
    >>> MutationReport(4, 3, (Survivor("f", 2, "sign", "a -> -a"),)).score
    0.75
    """

    n_planted: int
    n_noticed: int
    survivors: tuple[Survivor, ...]

    @property
    def score(self) -> float:
        """The share of mistakes that were noticed; 1 if there were none."""
        return self.n_noticed / self.n_planted if self.n_planted else 1.0

    def __str__(self) -> str:
        head = (
            f"{self.n_noticed} of {self.n_planted} planted mistakes noticed "
            f"(score {self.score:.2f})"
        )
        missed = [f"  missed: {survivor}" for survivor in self.survivors]
        return "\n".join([head, *missed])

    def to_json(self) -> str:
        """Return everything as JSON."""
        return json.dumps({**dataclasses.asdict(self), "score": self.score}, indent=2)


def mutation_score(
    target: Any,
    test: Callable[[], Any] | Sequence[Callable[[], Any]],
    *,
    n_faults: int = N_FAULTS,
    rng: int | np.random.Generator = 0,
) -> MutationReport:
    """Plant the mistakes of hand derivations in a gradient, and see if tests notice.

    Parameters
    ----------
    target : function, sequence of functions, or op
        The gradient code, written in Python with its source at hand; of an op its rules.
    test : callable, or sequence of callables
        Each called without arguments; a mistake is noticed if one raises, or returns
        something false that is not None, such as a report of `gradcheck`.
    n_faults : int
        The most mistakes to plant; a random choice if there are more.
    rng : int or numpy.random.Generator
        Of that choice.

    Returns
    -------
    MutationReport

    Raises
    ------
    ArgumentError
        If a test fails with the code as it is, or a source cannot be found.

    Notes
    -----
    Signs, factors, terms left out, products for quotients, transposes, axes, sums for
    means, conditions, one variable for another. Each is planted into the running function
    and taken out again; nothing is written to a file.

    References
    ----------
    R. DeMillo, R. Lipton, F. Sayward, *Hints on test data selection*, Computer 11, 1978.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> def slope(x):
    ...     return 3.0 * x**2
    >>> def weak():
    ...     assert slope(np.ones(2)).shape == (2,)
    >>> def strong():
    ...     pair = (lambda x: (x**3).sum(), slope)
    ...     return tg.testing.gradcheck(pair, np.array([0.7, -2.0]))
    >>> mutation_score(slope, weak).score < mutation_score(slope, strong).score == 1.0
    True
    """
    functions = _functions(target)
    tests = [test] if callable(test) else list(test)
    failed = _first_failure(tests)
    if failed is not None:
        raise ArgumentError(
            explain(
                "mutation_score",
                f"a test that fails with the code as it is ({failed})",
                "tests that pass",
                "Correct the code or the test first",
            )
        )
    planted = [pair for f in functions for pair in _planted(f)]
    generator = (
        rng if isinstance(rng, np.random.Generator) else np.random.default_rng(rng)
    )
    if len(planted) > n_faults:
        chosen = sorted(generator.choice(len(planted), n_faults, replace=False))
        planted = [planted[k] for k in chosen]
    survivors = []
    for function, code, survivor in planted:
        with _code(function, code):
            if _first_failure(tests) is None:
                survivors.append(survivor)
    n_noticed = len(planted) - len(survivors)
    return MutationReport(len(planted), n_noticed, tuple(survivors))


def _functions(target: Any) -> list[FunctionType]:
    """Return the functions to plant mistakes in."""
    op = getattr(target, "op", target)
    if isinstance(op, Op):
        found: list[Any] = [*op.rules, *op.jvps]
        found = [rule for rule in found if isinstance(rule, FunctionType)]
    else:
        given = target if isinstance(target, (list, tuple)) else [target]
        found = [getattr(f, "__wrapped__", f) for f in given]
    if not found or not all(isinstance(f, FunctionType) for f in found):
        raise ArgumentError(
            explain(
                "mutation_score",
                f"{target!r}",
                "functions written in Python, or an op of the table",
                "Pass the function that computes the gradient",
            )
        )
    return found


def _planted(function: FunctionType) -> Iterator[tuple[FunctionType, Any, Survivor]]:
    """Yield the changed code of a function, for each mistake once."""
    try:
        node = definition(function)
    except (LookupError, SyntaxError, ValueError) as error:
        raise ArgumentError(
            explain(
                "mutation_score",
                f"{function.__qualname__}, whose source is not found",
                "a function from a file, or from a notebook's cell",
                "Write it into a file and import it",
            )
        ) from error
    # Only what the function has: a parameter more would change how it is called.
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
    names += sorted(
        {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and _is_stored(n)}
        - set(names)
    )
    seen = {function.__code__.co_code + repr(function.__code__.co_consts).encode()}
    for fault in faults(node, names):
        try:
            code = compiled(fault.node, function)
        except (SyntaxError, ValueError, TypeError):
            continue
        key = code.co_code + repr((code.co_consts, code.co_names)).encode()
        is_same_call = code.co_argcount == function.__code__.co_argcount
        if key in seen or not is_same_call:
            continue
        if code.co_freevars != function.__code__.co_freevars:
            continue
        seen.add(key)
        survivor = Survivor(
            function.__qualname__, fault.line, fault.family, fault.change
        )
        yield function, code, survivor


def _is_stored(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


@contextmanager
def _code(function: FunctionType, code: Any) -> Iterator[None]:
    """Give a function other code for a while."""
    before = function.__code__
    function.__code__ = code
    try:
        yield
    finally:
        function.__code__ = before


def _first_failure(tests: Sequence[Callable[[], Any]]) -> str | None:
    """Return how the first test failed, or None if all passed."""
    for test in tests:
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                found = test()
        except Exception as error:  # noqa: BLE001  # whatever a test fails with
            return f"{type(error).__name__}: {error}".partition("\n")[0]
        if found is not None and not found:
            return f"it returned {type(found).__name__} that is false"
    return None
