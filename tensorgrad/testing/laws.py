"""What a mean loss must satisfy whatever it computes: laws of the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad.autodiff.transforms import value_and_grad
from tensorgrad.errors import ArgumentError, explain
from tensorgrad.testing.checking.flat import Arguments
from tensorgrad.testing.checking.judging import CONFIRMED, REFUTED, Check
from tensorgrad.testing.checking.report import GradReport
from tensorgrad.testing.checking.snippet import snippet
from tensorgrad.tree import flatten, unflatten

__all__ = ["batch_laws"]

SHIFT = 0.75
ROUNDINGS = 1e4
"""Of the larger side: sums over another number of terms, in another order."""


def batch_laws(
    loss: Callable[..., Any],
    *args: Any,
    batch: Sequence[int],
    axis: int = 0,
    logits: int | None = None,
    class_axis: int = -1,
    rng: int | np.random.Generator = 0,
) -> GradReport:
    """Check that a loss is a mean over its examples, without any difference quotient.

    Parameters
    ----------
    loss : callable
        Returns a scalar.
    *args
        Parameters and data, as arrays or nested containers of arrays.
    batch : sequence of int
        Positions of the arguments with one entry for each example.
    axis : int
        Their axis of examples: 0 for rows, 1 for the notes' columns.
    logits : int, optional
        Position of an argument of logits: the loss must not change when the same number
        is added to all classes of an example.
    class_axis : int
        The axis of the classes in the logits.
    rng : int or numpy.random.Generator
        Of the permutation.

    Returns
    -------
    GradReport
        With a check for each law: *repeat* (a batch given twice has the same value and
        the same gradients of the parameters), *permute* (so has any order of it; the
        gradients by the data are permuted) and *shift*.

    Raises
    ------
    ArgumentError
        If a position is none of the arguments.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> w, x, y = np.ones((1, 2)), np.eye(2), np.array([[0.0], [1.0]])
    >>> def mean(w, x, y):
    ...     return tg.log_loss(tg.sigmoid(x @ w.T), y)
    >>> bool(batch_laws(mean, w, x, y, batch=(1, 2)))
    True
    >>> report = batch_laws(lambda w, x, y: 2 * mean(w, x, y) * len(x), w, x, y, batch=(1, 2))
    >>> report.reason
    'repeat (the value): it is not a mean over the examples'
    """
    positions = (*batch, *([] if logits is None else [logits]))
    if not batch or not all(0 <= p < len(args) for p in positions):
        raise ArgumentError(
            explain(
                "batch_laws",
                f"batch={tuple(batch)!r}, logits={logits!r} for {len(args)} arguments",
                "positions of arguments, counted from 0",
                "Write for example batch=(1, 2) for loss(params, x, y)",
            )
        )
    laws = _Laws(loss, args, tuple(batch), axis)
    n = _sizes(args, batch, axis)
    order = np.random.default_rng(rng).permutation(n)
    checks = [*laws.repeat(n), *laws.permute(order)]
    if logits is not None:
        checks += laws.shift(logits, class_axis)
    options = {"batch": tuple(batch), "axis": axis}
    code = snippet(loss, args, options).replace(
        "testing.gradcheck", "testing.batch_laws"
    )
    name = getattr(loss, "__qualname__", type(loss).__name__)
    return GradReport(name, tuple(checks), n_calls=2 + len(checks), reproduce=code)


class _Laws:
    """A loss at a point, and what it must be at points that are made from it."""

    def __init__(
        self,
        loss: Callable[..., Any],
        args: tuple[Any, ...],
        batch: tuple[int, ...],
        axis: int,
    ) -> None:
        self.loss, self.args, self.batch, self.axis = loss, args, batch, axis
        self.moving = [
            k
            for k, arg in enumerate(args)
            if all(np.asarray(leaf).dtype.kind in "fc" for leaf in flatten(arg)[0])
            and flatten(arg)[0]
        ]
        self.names = Arguments(args).names
        self.value, self.slopes = self.at(args)

    def at(self, args: Sequence[Any]) -> tuple[Any, dict[int, Any]]:
        """Return the value, and the gradients by position."""
        value, slopes = value_and_grad(self.loss, tuple(self.moving))(*args)
        return value, dict(zip(self.moving, slopes, strict=True))

    def repeat(self, n: int) -> list[Check]:
        """Give every example twice."""
        twice = np.concatenate([np.arange(n), np.arange(n)])
        value, slopes = self.at(self._chosen(twice))
        checks = [self._same("repeat", "the value", value, self.value)]
        for k in self.moving:
            found = slopes[k]
            if k in self.batch:
                # Each copy weighs half as much.
                found = _mapped(lambda g: 2.0 * np.take(g, range(n), self.axis), found)
            checks.append(self._same("repeat", f"argument {k}", found, self.slopes[k]))
        return checks

    def permute(self, order: Any) -> list[Check]:
        """Give the examples in another order."""
        value, slopes = self.at(self._chosen(order))
        checks = [self._same("permute", "the value", value, self.value)]
        for k in self.moving:
            expected = self.slopes[k]
            if k in self.batch:
                expected = _mapped(lambda g: np.take(g, order, self.axis), expected)
            checks.append(self._same("permute", f"argument {k}", slopes[k], expected))
        return checks

    def shift(self, k: int, class_axis: int) -> list[Check]:
        """Add one number to all classes."""
        args = list(self.args)
        args[k] = _mapped(lambda z: z + SHIFT, args[k])
        value, slopes = self.at(args)
        totals = _mapped(lambda g: np.sum(g, axis=class_axis), self.slopes[k])
        zeros = _mapped(np.zeros_like, totals)
        scale = max(float(np.abs(g).max(initial=0)) for g in flatten(self.slopes[k])[0])
        return [
            self._same("shift", "the value", value, self.value),
            self._same("shift", f"argument {k}", slopes[k], self.slopes[k]),
            self._same("shift", "sum over classes", totals, zeros, scale),
        ]

    def _chosen(self, rows: Any) -> list[Any]:
        return [
            _mapped(lambda a: np.take(a, rows, self.axis), arg)
            if k in self.batch
            else arg
            for k, arg in enumerate(self.args)
        ]

    def _same(
        self, law: str, where: str, found: Any, expected: Any, scale: float = 0.0
    ) -> Check:
        pairs = zip(flatten(found)[0], flatten(expected)[0], strict=True)
        worst, claimed, reference, bound = -1.0, 0.0, 0.0, 0.0
        for a, b in pairs:
            size = max(float(np.abs(b).max(initial=0.0)), scale)
            slack = ROUNDINGS * float(np.finfo(b.dtype).eps) * size
            gap = np.abs(np.asarray(a) - b)
            if gap.size and float(gap.max()) - slack > worst:
                at = np.unravel_index(int(np.argmax(gap)), gap.shape)
                worst = float(gap.max()) - slack
                claimed, reference, bound = float(a[at].real), float(b[at].real), slack
        verdict, reason = (CONFIRMED, "") if worst <= 0 else (REFUTED, _REASONS[law])
        return Check(law, where, verdict, reason, claimed, reference, bound)


_REASONS = {
    "repeat": "it is not a mean over the examples",
    "permute": "it depends on the order of the examples",
    "shift": "it changes when a number is added to all classes",
}


def _mapped(f: Callable[[Any], Any], tree: Any) -> Any:
    leaves, structure = flatten(tree)
    return unflatten(structure, [f(np.asarray(leaf)) for leaf in leaves])


def _sizes(args: Sequence[Any], batch: Sequence[int], axis: int) -> int:
    """Return the number of examples, the same in all arguments of the batch."""
    sizes = {
        np.shape(leaf)[axis] if np.ndim(leaf) > axis else -1
        for k in batch
        for leaf in flatten(args[k])[0]
    }
    if len(sizes) != 1 or -1 in sizes:
        raise ArgumentError(
            explain(
                "batch_laws",
                f"arguments with {sorted(sizes)} examples on axis {axis}",
                "as many examples in each",
                "Name the arguments of the batch, and their axis",
            )
        )
    return int(sizes.pop())
