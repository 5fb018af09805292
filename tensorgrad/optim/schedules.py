"""Learning rates that change: pure functions from the step, counted from 0, to a rate.

Every function here returns such a function, to be given as ``lr=``. Any function of
one integer will do as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from tensorgrad.core.aval import Aval
from tensorgrad.core.tensor import Tensor, as_value
from tensorgrad.errors import ArgumentError, explain

__all__ = [
    "Rate",
    "Schedule",
    "constant",
    "cosine",
    "exponential",
    "rate_at",
    "step_decay",
    "warmup",
]

Schedule: TypeAlias = Callable[[int], float]
Rate: TypeAlias = float | Schedule


def check_number(
    caller: str, name: str, value: Any, *, low: float = 0.0, high: float = math.inf
) -> float:
    """Return a finite number in [low, high) as a float, or say what is wrong.

    Examples
    --------
    >>> check_number("SGD", "momentum", 0.9, high=1.0)
    0.9
    """
    try:
        number = math.nan if isinstance(value, (bool, str)) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not low <= number < high:
        upper = f" and below {high:g}" if math.isfinite(high) else ""
        raise ArgumentError(
            explain(
                caller,
                f"{name} is {value!r}",
                f"a finite number of at least {low:g}{upper}",
                f"Correct {name}",
            )
        )
    return number


def _check_steps(caller: str, name: str, value: Any) -> int:
    is_count = isinstance(value, int) and not isinstance(value, bool) and value > 0
    if not is_count:
        raise ArgumentError(
            explain(
                caller,
                f"{name} is {value!r}",
                "an integer of at least 1, in steps",
                "Steps are updates: epochs times batches an epoch",
            )
        )
    return int(value)


def check_rate(caller: str, lr: Any) -> Rate:
    """Return a rate or a schedule as it is kept.

    Examples
    --------
    >>> check_rate("SGD", 1)
    1.0
    """
    return lr if callable(lr) else check_number(caller, "lr", lr)


def rate_at(lr: Rate, step: Any) -> Any:
    """Return the learning rate of a step.

    Raises
    ------
    ArgumentError
        If a schedule returns something else than a finite number of at least 0.

    Examples
    --------
    >>> rate_at(exponential(1.0, 0.5), 2)
    0.25
    """
    if not callable(lr):
        return lr
    return check_number("a schedule", f"lr at step {step}", lr(step))


def check_given(lr: Any) -> Any:
    """Return the rate of one update: a Tensor as it is, anything else as a float.

    Raises
    ------
    ArgumentError
        If it is no finite number of at least 0, or has a shape.

    Examples
    --------
    >>> check_given(np.array(0.5))
    0.5
    """
    if np.ndim(lr) != 0:
        raise ArgumentError(
            explain(
                "update",
                f"lr of shape {np.shape(lr)}",
                "one rate for all parameters",
                "Pass a number, or a 0-d array",
            )
        )
    is_tensor = isinstance(lr, Tensor)
    if is_tensor and isinstance(lr._value, Aval):
        return lr  # it has no value to be checked
    rate = check_number("update", "lr", as_value(lr) if is_tensor else lr)
    return lr if is_tensor else rate


def constant(lr: float) -> Schedule:
    """Return the schedule that stays at one rate.

    Parameters
    ----------
    lr : float, per step

    Raises
    ------
    ArgumentError
        If ``lr`` is negative or not finite.

    Examples
    --------
    >>> constant(0.1)(1000)
    0.1
    """
    return partial(_constant, lr=check_number("constant", "lr", lr))


def _constant(step: int, *, lr: float) -> float:
    return lr


def step_decay(lr: float, factor: float, every: int) -> Schedule:
    """Return the schedule that multiplies the rate by a factor every so many steps.

    Parameters
    ----------
    lr : float, per step
        Rate at the start.
    factor : float
        At least 0.
    every : int, steps

    Raises
    ------
    ArgumentError
        If a number is negative or not finite, or ``every`` is below 1.

    Notes
    -----
    ``lr * factor ** (step // every)``.

    Examples
    --------
    >>> [step_decay(1.0, 0.5, every=10)(step) for step in (0, 9, 10, 20)]
    [1.0, 1.0, 0.5, 0.25]
    """
    return partial(
        _step_decay,
        lr=check_number("step_decay", "lr", lr),
        factor=check_number("step_decay", "factor", factor),
        every=_check_steps("step_decay", "every", every),
    )


def _step_decay(step: int, *, lr: float, factor: float, every: int) -> float:
    return lr * factor ** (step // every)


def exponential(lr: float, factor: float) -> Schedule:
    """Return the schedule that multiplies the rate by a factor at each step.

    Parameters
    ----------
    lr : float, per step
        Rate at the start.
    factor : float
        At least 0.

    Raises
    ------
    ArgumentError
        If a number is negative or not finite.

    Examples
    --------
    >>> exponential(1.0, 0.5)(3)
    0.125
    """
    return partial(
        _exponential,
        lr=check_number("exponential", "lr", lr),
        factor=check_number("exponential", "factor", factor),
    )


def _exponential(step: int, *, lr: float, factor: float) -> float:
    return lr * factor**step


def cosine(lr: float, steps: int, final: float = 0.0) -> Schedule:
    """Return the schedule that falls from one rate to another along half a cosine.

    Parameters
    ----------
    lr : float, per step
        Rate at the start.
    steps : int
        The step from which on the rate is ``final``.
    final : float, per step

    Raises
    ------
    ArgumentError
        If a number is negative or not finite, or ``steps`` is below 1.

    References
    ----------
    Loshchilov, Hutter, *SGDR*, ICLR 2017, equation 5, without restarts.

    Examples
    --------
    >>> [round(cosine(1.0, 10)(step), 3) for step in (0, 5, 10, 99)]
    [1.0, 0.5, 0.0, 0.0]
    """
    return partial(
        _cosine,
        lr=check_number("cosine", "lr", lr),
        steps=_check_steps("cosine", "steps", steps),
        final=check_number("cosine", "final", final),
    )


def _cosine(step: int, *, lr: float, steps: int, final: float) -> float:
    share = min(step, steps) / steps
    return final + (lr - final) * (1 + math.cos(math.pi * share)) / 2


def warmup(lr: Rate, steps: int) -> Schedule:
    """Return the schedule that rises evenly, and then follows another.

    Parameters
    ----------
    lr : float, per step, or schedule
        What is reached; a schedule starts at its own step 0 when it is.
    steps : int
        How many updates are smaller: the first has ``lr / steps``, the last of them
        ``lr``.

    Raises
    ------
    ArgumentError
        If ``lr`` is negative or not finite, or ``steps`` is below 1.

    References
    ----------
    Goyal et al., *Accurate, Large Minibatch SGD*, 2017, section 2.2.

    Examples
    --------
    >>> [warmup(1.0, 4)(step) for step in (0, 1, 3, 4)]
    [0.25, 0.5, 1.0, 1.0]
    """
    return partial(
        _warmup,
        lr=check_rate("warmup", lr),
        steps=_check_steps("warmup", "steps", steps),
    )


def _warmup(step: int, *, lr: Rate, steps: int) -> float:
    if step < steps:
        peak = float(rate_at(lr, 0))
        return peak * (step + 1) / steps
    return float(rate_at(lr, step - steps))
