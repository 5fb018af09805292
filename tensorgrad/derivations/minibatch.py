"""Mini-batch descent (notes, section 7), with the steps that the text breaks off before.

The n training examples are divided into ⌈n/b⌉ batches Xᵗ of b examples, the last one of
what remains. A step on a batch of nₜ examples is

    iii.  δᴸ = (d𝕃)ᵀ at zᴸ,    δˡ = g'ˡ(zˡ) ⊙ Wˡ⁺¹ᵀ δˡ⁺¹,
          ∂Jᵗ/∂Wˡ = (1/nₜ) δˡ aˡ⁻¹ᵀ + (λ/n) Wˡ,    ∂Jᵗ/∂bˡ = (1/nₜ) Σ δˡ,
    iv.   Wˡ ↦ Wˡ - α ∂Jᵗ/∂Wˡ,    bˡ ↦ bˡ - α ∂Jᵗ/∂bˡ.

The loss is averaged over the batch and the penalty is divided by n, so that

    Σ (nₜ/n) Jᵗ = J    and    Σ (nₜ/n) ∂Jᵗ = ∂J.

The notes print λ/(2|Xᵗ|) in Jᵗ. Its size-weighted mean has λ/(2n) once for every batch:
the penalty is ⌈n/b⌉ times as strong as the λ of the whole set, 1000 times in the example
of n = 5,000,000 and b = 5,000. It is invisible with λ = 0, or one batch. Batches are
numbered from 1 in the definition and from 0 in the loop; here from 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from .activations import Array
from .l_layer import (
    Params,
    backward_propagation,
    compute_cost,
    forward_propagation,
    update_parameters,
)
from .losses import check_targets, loss_of_head
from .regularisation import regularised_cost, regularised_gradients

__all__ = [
    "batch_cost",
    "batch_gradients",
    "descend",
    "divide",
    "mean_gradients",
    "schedule",
]


def divide(
    n: int, batch_size: int, rng: int | np.random.Generator | None = None
) -> list[Array]:
    """Return the columns of each batch.

    Parameters
    ----------
    n : int
        Training examples.
    batch_size : int
        b. The last batch is smaller where b does not divide n.
    rng : int or numpy.random.Generator, optional
        Shuffle by it. Without, and where one batch is all, the order stays.

    Returns
    -------
    list of ndarray of int
        ⌈n/b⌉ arrays that hold every one of 0 … n - 1 once.

    Raises
    ------
    ValueError
        If n or the batch size is below 1.

    References
    ----------
    Notes, section 7.

    Examples
    --------
    >>> [batch.tolist() for batch in divide(5, 2)]
    [[0, 1], [2, 3], [4]]
    """
    if n < 1 or batch_size < 1:
        raise ValueError(
            f"minibatch: {n} examples in batches of {batch_size}: expected both to be at "
            "least 1. Take the number of examples as batch size for batch descent."
        )
    order = np.arange(n)
    if rng is not None and batch_size < n:
        order = np.random.default_rng(rng).permutation(n)
    return [order[start : start + batch_size] for start in range(0, n, batch_size)]


def schedule(
    n: int,
    batch_size: int,
    num_epochs: int,
    rng: int | np.random.Generator | None = 0,
) -> Iterator[Array]:
    """Yield the columns of batch after batch, shuffled anew for every epoch.

    Parameters
    ----------
    n, batch_size : int
        As in `divide`.
    num_epochs : int
        How often every example is seen; the I of the notes.
    rng : int or numpy.random.Generator, optional
        None keeps the order.

    Yields
    ------
    ndarray of int
        ``num_epochs`` times ⌈n/b⌉ of them.

    Raises
    ------
    ValueError
        If n or the batch size is below 1.

    References
    ----------
    Notes, section 7, loops 1 and a.

    Examples
    --------
    >>> [len(batch) for batch in schedule(5, 2, num_epochs=2)]
    [2, 2, 1, 2, 2, 1]
    """
    generator = None if rng is None else np.random.default_rng(rng)
    for _ in range(num_epochs):
        yield from divide(n, batch_size, generator)


def batch_cost(
    params: Params,
    x: Array,
    y: Array,
    activations: Sequence[str],
    *,
    n: int,
    lam: float = 0.0,
) -> float:
    """Return Jᵗ: the mean loss of a batch, and the penalty λ/(2n) Σ ‖Wˡ‖².

    Parameters
    ----------
    params : dict
        As in `l_layer`.
    x : ndarray, shape (sizes[0], n_t)
    y : ndarray, shape (sizes[L], n_t)
        The batch.
    activations : sequence of str
        The loss is that of the last one.
    n : int
        Examples of the whole training set.
    lam : float, at least 0

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If λ is negative, or shapes do not fit.

    References
    ----------
    Notes, section 7, ii, where the penalty is divided by n_t.

    Examples
    --------
    >>> params = {"w": {1: np.array([[2.0]])}, "b": {1: np.array([[-2.0]])}}
    >>> x, y = np.array([[1.0]]), np.array([[3.0]])
    >>> batch_cost(params, x, y, ["linear"], n=4, lam=2.0)
    10.0
    """
    cache = forward_propagation(params, x, activations)
    cost = compute_cost(params, cache, y, activations)
    return regularised_cost(cost, params["w"], n, lam)


def batch_gradients(
    params: Params,
    x: Array,
    y: Array,
    activations: Sequence[str],
    *,
    n: int,
    lam: float = 0.0,
) -> Params:
    """Return ∂Jᵗ/∂Wˡ and ∂Jᵗ/∂bˡ.

    Parameters
    ----------
    params, x, y, activations, n, lam
        As in `batch_cost`.

    Returns
    -------
    dict
        ``w[l]``, ``b[l]`` in the shapes of the parameters.

    Raises
    ------
    ValueError
        If λ is negative, or shapes do not fit.

    References
    ----------
    Notes, section 7, iii, where they break off.

    Examples
    --------
    >>> params = {"w": {1: np.array([[2.0]])}, "b": {1: np.array([[-2.0]])}}
    >>> x, y = np.array([[1.0]]), np.array([[3.0]])
    >>> batch_gradients(params, x, y, ["linear"], n=4, lam=2.0)["w"][1].tolist()
    [[-5.0]]
    """
    cache = forward_propagation(params, x, activations)
    grads = backward_propagation(params, cache, y, activations)
    plain = {"w": grads["w"], "b": grads["b"]}
    return regularised_gradients(plain, params["w"], n, lam) if lam else plain


def mean_gradients(
    params: Params,
    x: Array,
    y: Array,
    activations: Sequence[str],
    *,
    batches: Iterable[Array],
    lam: float = 0.0,
) -> dict[str, dict[int, Array]]:
    """Return Σ (nₜ/n) ∂Jᵗ over batches that divide the training set: it is ∂J.

    Parameters
    ----------
    params : dict
    x : ndarray, shape (sizes[0], n)
    y : ndarray, shape (sizes[L], n)
    activations : sequence of str
    batches : iterable of ndarray of int
        From `divide`.
    lam : float, at least 0

    Returns
    -------
    dict
        The structure of `params`.

    Raises
    ------
    ValueError
        If λ is negative, or shapes do not fit.

    Notes
    -----
    The mean that does not weigh by size gives the examples of a small last batch too
    much weight; it is right only where b divides n. The parameters stand still here. In
    the descent they move from batch to batch, so that an epoch is no step of batch
    descent, not even in sum.

    Examples
    --------
    >>> params = {"w": {1: np.array([[0.0]])}, "b": {1: np.array([[0.0]])}}
    >>> x, y = np.array([[1.0, 1.0, 1.0]]), np.array([[1.0, 2.0, 6.0]])
    >>> found = mean_gradients(params, x, y, ["linear"], batches=divide(3, 2))
    >>> found["w"][1].round(12).tolist()
    [[-6.0]]
    """
    n = x.shape[1]
    mean = {
        kind: {l: np.zeros_like(p) for l, p in layers.items()}
        for kind, layers in params.items()
    }
    for batch in batches:
        grads = batch_gradients(
            params, x[:, batch], y[:, batch], activations, n=n, lam=lam
        )
        for kind, layers in mean.items():
            for l in layers:
                layers[l] += len(batch) / n * grads[kind][l]
    return mean


def descend(
    params: Params,
    x: Array,
    y: Array,
    activations: Sequence[str],
    *,
    batches: Iterable[Array],
    learning_rate: float = 0.1,
    lam: float = 0.0,
) -> tuple[Params, list[float]]:
    """Return the parameters after a step on every batch, and the costs on the way.

    Parameters
    ----------
    params : dict
        Where to start; not changed.
    x : ndarray, shape (sizes[0], n)
    y : ndarray, shape (sizes[L], n)
    activations : sequence of str
    batches : iterable of ndarray of int
        The columns of each step, as `schedule` yields them for several epochs.
    learning_rate : float, per step
    lam : float, at least 0

    Returns
    -------
    params : dict
    costs : list of float
        Jᵗ before every step, and J after the last.

    Raises
    ------
    ValueError
        If λ is negative, or shapes do not fit.

    Notes
    -----
    With one batch of all examples this is `l_layer.descend`, bit for bit.

    References
    ----------
    Notes, section 7.

    Examples
    --------
    >>> from tensorgrad.derivations.l_layer import initialise_parameters
    >>> x, y = np.array([[-2.0, -1.0, 1.0]]), np.array([[1.0, 1.0, 0.0]])
    >>> start = initialise_parameters([1, 3, 1])
    >>> params, costs = descend(
    ...     start, x, y, ["tanh", "sigmoid"], batches=schedule(3, 2, num_epochs=50)
    ... )
    >>> len(costs), costs[-1] < costs[0]
    (101, True)
    """
    check_targets(loss_of_head(activations[-1]), y)
    n = x.shape[1]
    costs = []
    for batch in batches:
        part = _columns(x, batch), _columns(y, batch)
        costs.append(batch_cost(params, *part, activations, n=n, lam=lam))
        grads = batch_gradients(params, *part, activations, n=n, lam=lam)
        params = update_parameters(params, grads, learning_rate)
    costs.append(batch_cost(params, x, y, activations, n=n, lam=lam))
    return params, costs


def _columns(whole: Array, batch: Array) -> Array:
    """Return the columns of a batch; all of them in order are the array itself.

    A copy may have another layout in memory, for which BLAS rounds differently.
    """
    if np.array_equal(batch, np.arange(whole.shape[1])):
        return whole
    return whole[:, batch]
