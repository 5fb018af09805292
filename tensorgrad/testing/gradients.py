"""`gradcheck` tells whether a derivative is right, is wrong, or cannot be told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, explain
from tensorgrad.testing.checking.drawing import check_drawn, is_strategy
from tensorgrad.testing.checking.flat import Arguments, Flat, Handwritten
from tensorgrad.testing.checking.judging import Check
from tensorgrad.testing.checking.report import GradReport
from tensorgrad.testing.checking.session import Session
from tensorgrad.testing.checking.snippet import snippet

__all__ = ["Check", "GradReport", "gradcheck"]

MODES = ("reverse", "forward")


def gradcheck(
    f: Callable[..., Any] | tuple[Callable[..., Any], Callable[..., Any]],
    *args: Any,
    order: int = 1,
    modes: Sequence[str] = MODES,
    rng: int | np.random.Generator = 0,
    n_entries: int | None = None,
    n_points: int = 25,
) -> GradReport:
    """Compare a function's derivative with the slopes of its values.

    Parameters
    ----------
    f : callable, or pair of callables
        Built of Tensors or of plain NumPy: this package's derivative is checked. A pair
        (value, gradient) has a handwritten gradient checked: ``gradient(*args)`` returns
        a tuple with an entry for each argument, in its structure, or the gradient by the
        first argument alone. Arguments without one (None, or left out) are constants. A
        gradient of more than one number takes a cotangent as ``g``.
    *args
        Where: arrays, numbers, nested containers, modules. What holds no floating or
        complex numbers is passed on. Where one is a Hypothesis strategy, ``n_points``
        points are drawn, and a refuted one is made as simple as it can be.
    order : int
        1, or 2 for second derivatives too.
    modes : sequence of str
        "reverse", "forward", or both. Not for a handwritten gradient.
    rng : int or numpy.random.Generator
        Where directions come from.
    n_entries : int, optional
        Single entries to compare, shared out fairly; by default up to 60.
    n_points : int
        Points to draw from strategies.

    Returns
    -------
    GradReport
        True only if every argument is confirmed. ``.verdict`` is "confirmed", "refuted"
        or "inconclusive", ``.reason`` says why, ``.worst`` are the comparisons that are
        furthest off, ``.table()`` shows all, ``.raise_if_failed()`` is for tests.

    Raises
    ------
    ArgumentError
        If an option is out of range, or a handwritten gradient has another structure.
    DTypeError
        If there is nothing to differentiate.

    Notes
    -----
    The slopes are central differences in double precision, extrapolated, each with an
    estimate of its error; what rounding does to the derivative itself is measured by
    running it with other roundings. From these two follows how far both may be apart: no
    tolerance is a constant, and none grows with the size of an array. Each argument is
    compared along random directions and in single entries; of two wrong ones both are
    named, and the entry is found by halving.

    Kinks are read off the ops that the function applies: where two points of a stencil
    take different branches, a smaller one is used, and a point that lies at a kink is
    moved by less than a tenth.

    A derivative that differences cannot resolve to 2e-5 of itself is inconclusive, not
    confirmed.

    References
    ----------
    Notes, section 6, whose check uses one step and one tolerance for everything.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> x = np.array([0.3, -1.2])
    >>> gradcheck(lambda x: np.sin(x) * x, x, order=2).verdict
    'confirmed'
    >>> report = gradcheck((lambda x: (x**3).sum(), lambda x: 2 * x**2), x)
    >>> report.verdict, report.worst[0].reason
    ('refuted', 'it is 0.666667 times the slope')
    """
    chosen = _checked(f, order, modes, n_entries, n_points)
    generator = (
        rng if isinstance(rng, np.random.Generator) else np.random.default_rng(rng)
    )
    options = {"order": order} if order != 1 else {}

    def at(*point: Any) -> GradReport:
        return _at_point(f, point, order, chosen, generator, n_entries, options)

    if any(is_strategy(arg) for arg in args):
        return check_drawn(at, args, n_points)
    return at(*args)


def _at_point(
    f: Any,
    args: tuple[Any, ...],
    order: int,
    modes: tuple[str, ...],
    rng: np.random.Generator,
    n_entries: int | None,
    options: dict[str, Any],
) -> GradReport:
    arguments = Arguments(args)
    value, gradient = f if isinstance(f, tuple) else (f, None)
    handwritten = None
    if gradient is not None:
        handwritten = Handwritten(gradient, arguments)
        handwritten.restrict()
    session = Session(
        flat=Flat(value, arguments),
        arguments=arguments,
        handwritten=handwritten,
        modes=modes,
        rng=rng,
        n_entries=n_entries,
    )
    # Measuring goes beyond where the function is at home; its values tell.
    with np.errstate(all="ignore"):
        session.run(order)
    function = value if gradient is None else gradient
    return GradReport(
        function=getattr(function, "__qualname__", type(function).__name__),
        checks=tuple(session.checks),
        entries=tuple(session.entries),
        n_calls=session.n_calls,
        n_redrawn=session.n_redrawn,
        reproduce=snippet(f, args, options),
    )


def _checked(
    f: Any, order: Any, modes: Any, n_entries: Any, n_points: Any
) -> tuple[str, ...]:
    """Refuse what cannot be checked, and return the modes."""
    parts = f if isinstance(f, tuple) else (f,)
    chosen = (modes,) if isinstance(modes, str) else tuple(modes)
    checks = (
        (
            len(parts) == (2 if isinstance(f, tuple) else 1)
            and all(map(callable, parts)),
            f"{f!r}",
            "a function, or a pair (value, gradient) of functions",
        ),
        (order in (1, 2), f"order={order!r}", "1 or 2"),
        (
            order == 1 or not isinstance(f, tuple),
            "order=2 with a handwritten gradient",
            "order 1: the second derivative is not in it",
        ),
        (
            bool(chosen) and set(chosen) <= set(MODES),
            f"modes={modes!r}",
            "'reverse', 'forward', or both",
        ),
        (
            n_entries is None or (isinstance(n_entries, int) and n_entries >= 1),
            f"n_entries={n_entries!r}",
            "a positive integer, or None",
        ),
        (
            isinstance(n_points, int) and n_points >= 1,
            f"n_points={n_points!r}",
            "a positive integer",
        ),
    )
    for is_right, came, expected in checks:
        if not is_right:
            raise ArgumentError(
                explain("gradcheck", came, expected, "Correct the argument")
            )
    return chosen
