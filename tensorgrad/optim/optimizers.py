"""The optimisers: constants, and one rule each, as a formula and as a kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tensorgrad.errors import ArgumentError, explain
from tensorgrad.ops import TABLE
from tensorgrad.optim import kernels
from tensorgrad.optim.base import Optimizer
from tensorgrad.optim.kernels import Kernel
from tensorgrad.optim.schedules import Rate, check_number

__all__ = ["SGD", "Adam", "AdamW", "RMSProp"]


@dataclass(unsafe_hash=True)
class SGD(Optimizer):
    r"""Gradient descent, with momentum if wanted.

    Parameters
    ----------
    lr : float or schedule, per step
    momentum : float
        In [0, 1): share of the velocity that is kept from step to step.
    nesterov : bool
        Whether to look ahead along the velocity.
    clip_norm : float, optional
        Limit on the common norm of all gradients.
    clip_value : float, optional
        Limit on each entry; applied before ``clip_norm``.

    Raises
    ------
    ArgumentError
        If a constant is out of range, or ``nesterov`` is asked for without momentum.

    Notes
    -----
    .. math::
        v \leftarrow \mu v + g, \qquad
        p \leftarrow p - \eta v \quad\text{or, with Nesterov,}\quad
        p \leftarrow p - \eta (g + \mu v)

    The velocity holds gradients, and the rate multiplies it when it is used, as in
    most libraries; in the papers the velocity holds steps. Both agree while the rate
    is constant; here a change of the rate acts at once.

    References
    ----------
    Polyak, *Some methods of speeding up the convergence of iteration methods*, 1964,
    equation 9. Sutskever, Martens, Dahl, Hinton, *On the importance of initialization
    and momentum in deep learning*, ICML 2013, equations 3 and 4.

    Examples
    --------
    >>> import numpy as np
    >>> opt = SGD(0.1, momentum=0.9)
    >>> p = np.array([1.0])
    >>> p = opt.step(p, np.array([2.0]))
    >>> opt.step(p, np.array([2.0]))
    array([0.42])
    """

    lr: Rate
    momentum: float = 0.0
    nesterov: bool = False
    clip_norm: float | None = None
    clip_value: float | None = None

    def __post_init__(self) -> None:
        """Check the constants."""
        momentum = check_number("SGD", "momentum", self.momentum, high=1.0)
        self._keep("momentum", momentum)
        if self.nesterov and not momentum:
            raise ArgumentError(
                explain(
                    "SGD",
                    "nesterov=True with momentum=0",
                    "a momentum above 0 to look ahead along",
                    "Pass momentum=0.9, or leave nesterov out",
                )
            )
        super().__post_init__()

    def slots(self) -> tuple[str, ...]:
        """Return ``("velocity",)`` with momentum, else nothing.

        Examples
        --------
        >>> SGD(0.1).slots()
        ()
        """
        return ("velocity",) if self.momentum else ()

    def shared_kernel(self, lr: float, step: int) -> Kernel:
        """Return the update of one flat array; ``step`` counts from 1."""
        return kernels.sgd(lr, self.momentum, nesterov=self.nesterov)

    def formula_for(self, path: str) -> Any:
        """Return the formula, which is the same for every parameter."""
        return self.formula

    def formula(
        self, p: Any, g: Any, slots: Sequence[Any], lr: Any, step: Any
    ) -> tuple[Any, tuple[Any, ...]]:
        """Return the new parameter and slots, in operators that a graph can record."""
        if not self.momentum:
            return p - lr * g, ()
        velocity = self.momentum * slots[0] + g
        move = g + self.momentum * velocity if self.nesterov else velocity
        return p - lr * move, (velocity,)


@dataclass(unsafe_hash=True)
class RMSProp(Optimizer):
    r"""Gradient descent with each entry divided by its recent size.

    Parameters
    ----------
    lr : float or schedule, per step
    decay : float
        In [0, 1): share of the mean square that is kept from step to step.
    eps : float
        Added to the root of the mean square.
    clip_norm : float, optional
        Limit on the common norm of all gradients.
    clip_value : float, optional
        Limit on each entry; applied before ``clip_norm``.

    Raises
    ------
    ArgumentError
        If a constant is out of range.

    Notes
    -----
    .. math::
        s \leftarrow \rho s + (1 - \rho) g^2, \qquad
        p \leftarrow p - \eta \frac{g}{\sqrt{s} + \varepsilon}

    The lecture has no ε; here it stands outside the root, as in PyTorch (Keras and
    optax's default put it inside). The mean square starts at 0 and is not corrected
    for that: the first step is η / √(1 - ρ) long.

    References
    ----------
    Hinton, *Neural Networks for Machine Learning*, lecture 6e, 2012, slide 29.

    Examples
    --------
    >>> import numpy as np
    >>> RMSProp(0.1, decay=0.75).step(np.array([1.0]), np.array([4.0]))
    array([0.8])
    """

    lr: Rate = 0.001
    decay: float = 0.9
    eps: float = 1e-8
    clip_norm: float | None = None
    clip_value: float | None = None
    slot_names: ClassVar[tuple[str, ...]] = ("mean_square",)

    def __post_init__(self) -> None:
        """Check the constants."""
        self._keep("decay", check_number("RMSProp", "decay", self.decay, high=1.0))
        self._keep("eps", check_number("RMSProp", "eps", self.eps))
        super().__post_init__()

    def shared_kernel(self, lr: float, step: int) -> Kernel:
        """Return the update of one flat array; ``step`` counts from 1."""
        return kernels.rmsprop(lr, self.decay, self.eps)

    def formula_for(self, path: str) -> Any:
        """Return the formula, which is the same for every parameter."""
        return self.formula

    def formula(
        self, p: Any, g: Any, slots: Sequence[Any], lr: Any, step: Any
    ) -> tuple[Any, tuple[Any, ...]]:
        """Return the new parameter and slots, in operators that a graph can record."""
        mean_square = self.decay * slots[0] + (1 - self.decay) * (g * g)
        return p - lr * (g / (TABLE["sqrt"](mean_square) + self.eps)), (mean_square,)


@dataclass(unsafe_hash=True)
class Adam(Optimizer):
    r"""Adaptive moments: a running mean of gradients over the root of that of squares.

    Parameters
    ----------
    lr : float or schedule, per step
    beta1, beta2 : float
        In [0, 1): shares of the means that are kept from step to step.
    eps : float
        Added to the root of the corrected mean of squares.
    clip_norm : float, optional
        Limit on the common norm of all gradients.
    clip_value : float, optional
        Limit on each entry; applied before ``clip_norm``.

    Raises
    ------
    ArgumentError
        If a constant is out of range.

    Notes
    -----
    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g, \qquad
        v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \qquad
        p \leftarrow p - \eta\,
        \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon}

    with t = 1 at the first step. ε stands outside the root and is added after the
    correction, as in algorithm 1 (the form at the end of section 2, with ε̂ added to
    √v, makes ε grow with t).

    References
    ----------
    Kingma, Ba, *Adam: A Method for Stochastic Optimization*, ICLR 2015, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> Adam(0.1).step(np.array([1.0, 1.0]), np.array([5.0, -0.5])).round(6)
    array([0.9, 1.1])
    """

    lr: Rate = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    clip_norm: float | None = None
    clip_value: float | None = None
    slot_names: ClassVar[tuple[str, ...]] = ("m", "v")

    def __post_init__(self) -> None:
        """Check the constants."""
        _check_moments(self)
        super().__post_init__()

    def shared_kernel(self, lr: float, step: int) -> Kernel:
        """Return the update of one flat array; ``step`` counts from 1."""
        return kernels.adam(lr, (self.beta1, self.beta2), self.eps, step, 0.0)

    def formula_for(self, path: str) -> Any:
        """Return the formula, which is the same for every parameter."""
        return self.formula

    def formula(
        self, p: Any, g: Any, slots: Sequence[Any], lr: Any, step: Any
    ) -> tuple[Any, tuple[Any, ...]]:
        """Return the new parameter and slots, in operators that a graph can record."""
        move, moments = _adam_move(self, g, slots, lr, step)
        return p - move, moments


@dataclass(unsafe_hash=True)
class AdamW(Optimizer):
    """Adam with weight decay that does not pass through the moments.

    Parameters
    ----------
    lr : float or schedule, per step
    beta1, beta2 : float
        In [0, 1): shares of the means that are kept from step to step.
    eps : float
        Added to the root of the corrected mean of squares.
    weight_decay : float
        Share of a parameter that is subtracted in each step, times ``lr``.
    decays : callable, optional
        From a path to whether that parameter decays; all do if omitted. For weights
        alone: ``model.weights().__contains__``.
    clip_norm : float, optional
        Limit on the common norm of all gradients.
    clip_value : float, optional
        Limit on each entry; applied before ``clip_norm``.

    Raises
    ------
    ArgumentError
        If a constant is out of range.

    Notes
    -----
    The update of `Adam`, and p ← (1 - η λ) p before it. With an L2 penalty in the loss
    Adam would divide the penalty's gradient by the root of v, so that parameters with
    large gradients hardly shrink. In the paper the decay is multiplied by the
    schedule's factor alone; here, as in PyTorch and optax, by the whole rate.

    References
    ----------
    Loshchilov, Hutter, *Decoupled Weight Decay Regularization*, ICLR 2019,
    algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> AdamW(0.1, weight_decay=0.5).step(np.array([2.0]), np.array([0.0]))
    array([1.9])
    """

    lr: Rate = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.01
    decays: Callable[[str], bool] | None = None
    clip_norm: float | None = None
    clip_value: float | None = None
    slot_names: ClassVar[tuple[str, ...]] = ("m", "v")

    def __post_init__(self) -> None:
        """Check the constants."""
        _check_moments(self)
        decay = check_number("AdamW", "weight_decay", self.weight_decay)
        self._keep("weight_decay", decay)
        super().__post_init__()

    def shared_kernel(self, lr: float, step: int) -> Kernel | None:
        """Return the update of one flat array, if all parameters decay."""
        return self.kernel_for("", lr, step) if self.decays is None else None

    def kernel_for(self, path: str, lr: float, step: int) -> Kernel:
        """Return the update of the parameter at a path, with or without decay."""
        shrink = lr * self._decay_of(path)
        return kernels.adam(lr, (self.beta1, self.beta2), self.eps, step, shrink)

    def formula_for(self, path: str) -> Any:
        """Return the formula for the parameter at a path, with or without decay."""
        decay = self._decay_of(path)

        def formula(
            p: Any, g: Any, slots: Sequence[Any], lr: Any, step: Any
        ) -> tuple[Any, tuple[Any, ...]]:
            move, moments = _adam_move(self, g, slots, lr, step)
            return (1 - lr * decay) * p - move, moments

        return formula

    def _decay_of(self, path: str) -> float:
        is_decaying = self.decays is None or self.decays(path)
        return self.weight_decay if is_decaying else 0.0


def _check_moments(optimizer: Adam | AdamW) -> None:
    caller = type(optimizer).__name__
    for name in ("beta1", "beta2"):
        value = check_number(caller, name, getattr(optimizer, name), high=1.0)
        optimizer._keep(name, value)
    optimizer._keep("eps", check_number(caller, "eps", optimizer.eps))


def _adam_move(
    optimizer: Adam | AdamW, g: Any, slots: Sequence[Any], lr: Any, step: Any
) -> tuple[Any, tuple[Any, ...]]:
    """Return what is subtracted, and the new moments; scaled as in `kernels.adam`."""
    beta1, beta2 = optimizer.beta1, optimizer.beta2
    m = beta1 * slots[0] + (1 - beta1) * g
    v = beta2 * slots[1] + (1 - beta2) * (g * g)
    root = _correction(beta2, step, g) ** 0.5
    rate = lr * root / _correction(beta1, step, g)
    return rate * (m / (TABLE["sqrt"](v) + optimizer.eps * root)), (m, v)


def _correction(beta: float, step: Any, g: Any) -> Any:
    """Return 1 - βᵗ in the precision of the gradient, which an array would widen."""
    found = 1 - beta**step
    is_number = isinstance(found, (int, float))
    return found if is_number else TABLE["astype"](found, dtype=g.dtype)
