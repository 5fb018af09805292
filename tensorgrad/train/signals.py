"""How large activations and δ are from layer to layer: vanishing, steady, exploding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import inf
from typing import Any, Literal, TypeAlias

import numpy as np

from tensorgrad._typing import Array, Rng
from tensorgrad.autodiff.gradients import gradients
from tensorgrad.core.tensor import as_value
from tensorgrad.errors import ArgumentError, explain
from tensorgrad.nn.module import Module
from tensorgrad.train.precision import in_dtype, model_dtype
from tensorgrad.train.targets import Loss, check_examples, choose_loss, fit_labels

__all__ = ["LayerSignal", "Signals", "signals"]

Course: TypeAlias = Literal["vanishing", "steady", "exploding"]

FACTOR = 100.0
"""A change by more than this over all hidden layers is no longer called steady."""


@dataclass(frozen=True, slots=True)
class LayerSignal:
    """What passes one layer.

    Attributes
    ----------
    layer : int
        Its number, from 1.
    z_mean, z_rms : float
        Mean and root mean square of the pre-activations.
    a_mean, a_rms : float
        Of what is passed on.
    delta_rms : float
        Root mean square of δ = n ∂J/∂z, without the 1/n of the cost.
    idle : float
        Fraction of nodes whose δ is 0 for every example: they learn nothing.
    """

    layer: int
    z_mean: float
    z_rms: float
    a_mean: float
    a_rms: float
    delta_rms: float
    idle: float


@dataclass(frozen=True, slots=True)
class Signals:
    """Sizes of activations and δ by depth.

    Attributes
    ----------
    layers : tuple of LayerSignal
        In the order of the forward pass, the last layer included.
    activations, deltas : {"vanishing", "steady", "exploding"}
        What becomes of the activations on their way forward, and of δ on its way back,
        over all hidden layers.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> x, y = np.random.default_rng(0).normal(size=(50, 8)), np.zeros(50)
    >>> small = tg.nn.mlp([8] * 11 + [1], ["tanh"] * 10 + ["sigmoid"],
    ...                   init=lambda rng, shape, dtype: 0.01 * rng.normal(size=shape))
    >>> found = signals(small, x, y)
    >>> found.activations, found.deltas
    ('vanishing', 'vanishing')
    """

    layers: tuple[LayerSignal, ...]
    activations: Course
    deltas: Course

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain dicts, lists and numbers, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        header = ("layer", "z mean", "z rms", "a mean", "a rms", "delta rms", "idle")
        rows = ["  ".join(f"{name:>9}" for name in header)]
        for layer in self.layers:
            sizes = (
                layer.z_mean,
                layer.z_rms,
                layer.a_mean,
                layer.a_rms,
                layer.delta_rms,
            )
            figures = "  ".join(f"{size:>9.2e}" for size in sizes)
            rows.append(f"{layer.layer:>9}  {figures}  {layer.idle:>9.0%}")
        rows.append(f"activations: {self.activations}, delta: {self.deltas}")
        return "\n".join(rows)


def signals(
    model: Module,
    x: Any,
    y: Any,
    loss: str | Loss | None = None,
    rng: Rng = None,
) -> Signals:
    """Measure the sizes of activations and δ in every layer.

    Parameters
    ----------
    model : Module
        Of layers that are traced, such as `Sequential` of `Dense`. It stays as it is.
    x : array_like, shape (examples, features)
        A batch; some hundred examples tell enough.
    y : array_like, shape (examples,) or (examples, outputs)
    loss : str or callable, optional
        As for `fit`.
    rng : seed, Generator or None
        Of dropout; None leaves it off.

    Returns
    -------
    Signals

    Raises
    ------
    ArgumentError
        If the model has no layers to look into, or no loss belongs to its head.
    DataError, ShapeError
        As `fit`.

    Notes
    -----
    The activations vanish if their root mean square in the last hidden layer is less
    than a hundredth of that in the first one, and explode if it is more than a hundred
    times as large, or not finite; likewise δ, from the last hidden layer to the first.
    The output layer does not count: its δ belongs to the loss. With one hidden layer
    both are steady.

    References
    ----------
    Notes, section 6. X. Glorot, Y. Bengio, AISTATS 2010, figures 6 and 7.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> x, y = tg.data.load("digits")
    >>> model = tg.nn.mlp([64, 32, 32, 10], ["relu", "relu", "softmax"], rng=0)
    >>> found = signals(model, x[:200] / 16, y[:200])
    >>> found.activations, found.deltas, len(found.layers)
    ('steady', 'steady', 3)
    """
    x, y = check_examples("signals", x, y)
    compute, loss_name = choose_loss(model, loss)
    dtype = model_dtype(model)
    with np.errstate(over="ignore", invalid="ignore"):
        trace = model.trace(in_dtype(np.asarray(x[:]), dtype), rng)
        if not trace.z:
            raise ArgumentError(
                explain(
                    "signals",
                    f"a {type(model).__name__} in which no layer is traced",
                    "a model with layers that have z and a, such as Dense",
                    "Build it of tg.nn.Dense, for example with tg.nn.mlp",
                )
            )
        last = trace.a[max(trace.z)]
        labels = fit_labels("signals", np.asarray(y[:]), loss_name, last.shape[1:])
        cost = compute(last, in_dtype(labels, dtype))
        deltas = gradients(cost, trace.z, unused="zero")
        layers = tuple(
            _measured(l, as_value(z), as_value(trace.a[l]), len(x) * deltas[l])
            for l, z in trace.z.items()
        )
    hidden = layers[:-1]
    return Signals(
        layers=layers,
        activations=_course([layer.a_rms for layer in hidden]),
        deltas=_course([layer.delta_rms for layer in reversed(hidden)]),
    )


def _measured(l: int, z: Array, a: Array, delta: Array) -> LayerSignal:
    nodes = delta.reshape(-1, delta.shape[-1])
    return LayerSignal(
        layer=l,
        z_mean=float(z.mean()),
        z_rms=_rms(z),
        a_mean=float(a.mean()),
        a_rms=_rms(a),
        delta_rms=_rms(delta),
        idle=float((nodes == 0).all(axis=0).mean()),
    )


def _rms(values: Array) -> float:
    """Return the root mean square, of values whose squares may not be numbers."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0.0 or not np.isfinite(largest):
        return largest
    return largest * float(np.sqrt(np.mean((values / largest) ** 2)))


def _course(sizes: Sequence[float]) -> Course:
    """Tell what becomes of a size from the first to the last."""
    if not all(size < inf for size in sizes):
        return "exploding"
    if len(sizes) < 2:
        return "steady"
    first, last = sizes[0], sizes[-1]
    if last * FACTOR < first or last == 0.0:
        return "vanishing"
    return "exploding" if last > first * FACTOR else "steady"
