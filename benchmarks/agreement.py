"""Does a contender compute what handwritten NumPy computes? Asked before timing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.contract import Step
from benchmarks.problem import Array, Arrays, ClassNet, Problem

TOLERANCE: Mapping[str, float] = {"float64": 1e-9, "float32": 1e-4}
"""Largest relative difference in norm, per array, by dtype.

Both leave four to seven digits for other orders of summation; the longest sums have
1797 terms, and the losses are formed from logits by some and from probabilities by
others. A wrong factor, sign or axis is far larger.
"""

KINK_TOLERANCE: Mapping[str, float] = {"float64": 1e-9, "float32": 1e-2}
"""The same for gradients of networks with ReLU.

In float32 a few of the 10⁵ pre-activations lie within rounding of the kink, where the
contenders may take different sides; each changes a gradient by about 10⁻³.
"""

TRAVEL_TOLERANCE: Mapping[str, float] = {"float64": 1e-7, "float32": 2e-2}
"""The same for the way that parameters travel in `N_STEPS` steps.

Looser, since the parameters are rounded to their own size, and since Adam divides
each entry by its own magnitude, which raises the noise of the smallest gradients to
the size of the others.
"""

N_STEPS = 3


class DisagreementError(Exception):
    """A contender does not compute the values of handwritten NumPy."""


def relative_error(got: Array, expected: Array) -> float:
    """Return ‖got − expected‖ / ‖expected‖, and 0 where both are zero."""
    size = float(np.linalg.norm(expected))
    distance = float(np.linalg.norm(np.asarray(got, dtype=np.float64) - expected))
    return 0.0 if distance == 0 else distance / size if size > 0 else np.inf


def check_agreement(step: Step, baseline: Step, problem: Problem) -> float:
    """Compare loss, gradients and the parameters after a few steps.

    Both steps move their parameters, so they are of no use for timing afterwards.

    Returns
    -------
    float
        The largest relative error of a gradient.

    Raises
    ------
    DisagreementError
        If a name, shape or dtype differs, or a value by more than its tolerance.
    """
    loss, grads = step.evaluate()
    expected_loss, expected = baseline.evaluate()
    has_kink = isinstance(problem, ClassNet) and problem.hidden == "relu"
    tolerance = KINK_TOLERANCE if has_kink else TOLERANCE
    worst = _compare("gradient", grads, expected, tolerance=tolerance)
    dtype = next(iter(expected.values())).dtype.name
    loss_error = abs(loss - expected_loss) / abs(expected_loss)
    if not loss_error <= TOLERANCE[dtype]:
        raise DisagreementError(
            f"loss: {loss!r} came, expected {expected_loss!r} to a relative error of "
            f"{TOLERANCE[dtype]:.0e}"
        )
    for _ in range(N_STEPS):
        step.run()
        baseline.run()
    start = getattr(problem, "params", {})
    expected_params = baseline.params()
    params = step.params()
    _same_names("parameters", params, expected_params)
    _compare(
        f"way travelled in {N_STEPS} steps by",
        {name: params[name] - start[name] for name in expected_params},
        {name: expected_params[name] - start[name] for name in expected_params},
        tolerance=TRAVEL_TOLERANCE,
    )
    return worst


def _same_names(what: str, got: Arrays, expected: Arrays) -> None:
    if got.keys() != expected.keys():
        raise DisagreementError(
            f"{what}: the names {sorted(got)} came, expected {sorted(expected)}"
        )


def _compare(
    what: str, got: Arrays, expected: Arrays, *, tolerance: Mapping[str, float]
) -> float:
    _same_names(what, got, expected)
    worst = 0.0
    for name, reference in expected.items():
        value = got[name]
        if value.shape != reference.shape or value.dtype != reference.dtype:
            raise DisagreementError(
                f"{what} {name}: shape {value.shape} and dtype {value.dtype} came, "
                f"expected {reference.shape} and {reference.dtype}"
            )
        error = relative_error(value, reference)
        if not error <= tolerance[reference.dtype.name]:
            raise DisagreementError(
                f"{what} {name}: relative error {error:.1e} in norm, expected at most "
                f"{tolerance[reference.dtype.name]:.0e}"
            )
        worst = max(worst, error)
    return worst
