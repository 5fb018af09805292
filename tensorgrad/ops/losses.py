"""The table: losses, and the way from an activation back to its logits.

``log_loss(a, y)`` with ``a = sigmoid(z)`` is computed from z: finite for every finite
z, with the adjoint ``(a - y)/n`` there. `a` stays an operand, for show: the sweep gives
it the plain ∂J/∂a if it is a target (autodiff/reverse.py). Softmax and `cross_entropy`
likewise. docs/decisions/losses.md tells why the graph is not rewritten instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad._typing import Array, Shape
from tensorgrad.core import shortcuts
from tensorgrad.core.aval import Aval
from tensorgrad.core.modes import MODE
from tensorgrad.core.pool import POOL_BYTES, scratch
from tensorgrad.core.tensor import Tensor, as_value
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, explain
from tensorgrad.ops.activations import (
    holomorphic_softplus,
    largest,
    log_softmax,
    total,
)
from tensorgrad.ops.arithmetic import safe_multiply
from tensorgrad.ops.compare import where
from tensorgrad.ops.entry import Domain, Example, custom
from tensorgrad.ops.exponential import log, log1p
from tensorgrad.ops.origins import Origin
from tensorgrad.ops.reduce import sum as sum_op
from tensorgrad.ops.shapes import normalise_axis

__all__ = ["cross_entropy", "log_loss", "mse"]


def origin_of(a: Any, kind: str) -> Origin | None:
    """Return the origin of an activation if a loss may be computed from its logits."""
    if not isinstance(a, Tensor) or not MODE.get().fuse:
        return None
    origin = getattr(a, "_origin", None)
    return origin if origin is not None and origin.kind == kind else None


# --------------------------------------------------------------------- binary


def _plain_log_loss(a: Any, y: Any, n: int) -> Any:
    """Return −(1/n) Σ y log a + (1 − y) log(1 − a), with 0 · log 0 = 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(y == 0, 0.0, y * np.log(a))
        rest = np.where(y == 1, 0.0, (1 - y) * np.log1p(-a))
    return np.asarray(-(gain + rest).sum() / n, dtype=np.result_type(a, 0.0))[()]


def _scalar_shape(a: Any, *_: Any, **__: Any) -> Aval:
    return Aval((), np.result_type(a.dtype, 0.0))


def _plain_partial_a(a: Any, y: Any, n: Any) -> Any:
    """∂J/∂a entry by entry; no 0/0 where a label is exactly 0 or 1."""
    gain = where(y == 0, 0.0, y / where(y == 0, 1.0, a))
    rest = where(y == 1, 0.0, (1 - y) / where(y == 1, 1.0, 1 - a))
    return (rest - gain) * (1.0 / n)


def _plain_partial_y(a: Any, n: Any) -> Any:
    return (log1p(-a) - log(a)) * (1.0 / n)


log_loss_of_probabilities = custom(
    "log_loss_of_probabilities",
    _plain_log_loss,
    vjp=(
        lambda g, a, y, n: g * _plain_partial_a(a, y, n),
        lambda g, a, n: safe_multiply(g, _plain_partial_y(a, n)),
    ),
    jvp=(
        lambda t, a, y, n: sum_op(t * _plain_partial_a(a, y, n)),
        lambda t, a, n: sum_op(safe_multiply(t, _plain_partial_y(a, n))),
    ),
    shape_rule=_scalar_shape,
    is_fitted=True,
    domain=(Domain(0.1, 0.9), Domain(0.1, 0.9)),
    examples=(Example(((5, 2), (5, 2)), {"n": 5}), Example(((4,), (4,)), {"n": 4})),
    latex=r"-\tfrac1n \sum y \log {0} + (1 - y) \log(1 - {0})",
    doc="Compute the binary log-loss from probabilities.",
    source="Notes, section 1; Bishop, PRML, 4.3.2.",
    doctest=(
        "tg.log_loss(np.array([0.5, 0.5]), np.array([0.0, 1.0])).round(6)",
        "np.float64(0.693147)",
    ),
)


def _log_loss_of_logits(z: Any, a: Any, y: Any, n: int) -> Any:
    """Return (1/n) Σ max(z, 0) − y z + log(1 + e^−|z|), which does not overflow."""
    if z.dtype.kind == "c":
        return np.add.reduce(holomorphic_softplus(z) - y * z, axis=None) / n
    is_plain = z.shape and z.flags.c_contiguous and y.dtype is z.dtype
    if is_plain and z.nbytes < POOL_BYTES:
        total, work = np.maximum(z, 0.0), z * y  # a pass with out= costs more here
    else:
        total, work = scratch(z), scratch(z)
        np.maximum(z, 0.0, out=total)
        np.multiply(z, y, out=work)
    np.subtract(total, work, out=total)  # entry by entry: the sums would cancel
    np.abs(z, out=work)
    np.negative(work, out=work)
    np.exp(work, out=work)
    np.log1p(work, out=work)
    np.add(total, work, out=total)
    mean = np.add.reduce(total, axis=None) / n
    return mean if mean.dtype is z.dtype else z.dtype.type(mean)


def _share(difference: Any, g: Any, n: int) -> Any:
    """Return g · difference / n, which is to the last bit difference / n for g = 1."""
    if type(g) is np.ndarray and g.size == 1 and g.item() == 1:
        return difference / n
    return difference * g / n


_LOGITS = np.array([[-1.5, 0.4, 2.0], [0.3, -0.8, 1.1]])

log_loss_of_logits = custom(
    "log_loss_of_logits",
    _log_loss_of_logits,
    vjp=(
        lambda g, a, y, n: _share(a - y, g, n),
        lambda g, a, y, n: g * _plain_partial_a(a, y, n),
        lambda g, z, n: z * (g * (-1.0 / n)),
    ),
    jvp=(
        lambda t, a, y, n: sum_op(t * (a - y)) * (1.0 / n),
        None,
        lambda t, z, n: sum_op(t * z) * (-1.0 / n),
    ),
    shape_rule=_scalar_shape,
    is_fitted=True,
    report_only=(1,),
    domain=(Domain(), Domain(0.1, 0.9), Domain(0.1, 0.9)),
    examples=(
        Example((_LOGITS, 1 / (1 + np.exp(-_LOGITS)), (2, 3)), {"n": 2}),
        Example((np.zeros(2), np.full(2, 0.5), np.array([0.0, 1.0])), {"n": 2}),
    ),
    analytic=lambda z, a, y, n: np.sum(np.log1p(np.exp(z)) - z * y) / n,
    latex=r"-\tfrac1n \sum y \log {1} + (1 - y) \log(1 - {1}),\; {1} = \sigma({0})",
    doc="Compute the binary log-loss from logits.",
    notes="Operands are the logits, the probabilities made of them, and the labels.",
    source="Notes, section 2.3; the stable form is softplus(z) - y z.",
    doctest=(
        "tg.log_loss(tg.sigmoid(tg.tensor([0.0])), [1.0])",
        "tensor(0.69314718, op=log_loss_of_logits)",
    ),
)

_record_log_loss = shortcuts.loss(log_loss_of_logits.op)


def log_loss(a: Any, y: Any, example_axis: int = 0) -> Any:
    r"""Compute the binary log-loss: summed over outputs, averaged over examples.

    Parameters
    ----------
    a : Tensor or array_like, any shape
        Probabilities. Where they come from `sigmoid`, also through reshape, transpose,
        squeeze and indexing, the loss is computed from the logits.
    y : array_like, shape of ``a``
        Labels, 0 or 1, or probabilities.
    example_axis : int
        The axis of ``a`` that runs over the examples: 0 for rows, 1 for the notes'
        columns.

    Returns
    -------
    Scalar Tensor, or NumPy scalar if nothing is a Tensor

    Raises
    ------
    ShapeError
        If the shapes differ, or there is no such axis, or no example.

    Notes
    -----
    .. math:: J = -\frac1n \sum_j y_j \log a_j + (1 - y_j) \log(1 - a_j)

    With logits it is finite for every finite logit, and its adjoint there is exactly
    ``(a - y)/n``. Otherwise 0 · log 0 = 0, and a = 0 with y = 1 gives inf: nothing is
    clipped.

    References
    ----------
    Notes, sections 1 and 2.3.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> z = tg.tensor([[-1.0, 2000.0]])
    >>> J = tg.log_loss(tg.sigmoid(z), [[0.0, 0.0]], example_axis=1)
    >>> tg.gradients(J, z).round(4)
    array([[0.1345, 0.5   ]])
    """
    a, y, n = _checked("log_loss", a, y, example_axis)
    origin = origin_of(a, "sigmoid")
    if origin is not None:
        return _record_log_loss(origin.arrived(), a, y, {"n": n})
    return log_loss_of_probabilities(a, y, n=n)


# ----------------------------------------------------------------- many classes


def _plain_cross_entropy(a: Any, y: Any, n: int) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(y == 0, 0.0, y * np.log(a))
    return np.asarray(-gain.sum() / n, dtype=np.result_type(a, 0.0))[()]


def _entropy_partial_a(a: Any, y: Any, n: Any) -> Any:
    return where(y == 0, 0.0, y / where(y == 0, 1.0, a)) * (-1.0 / n)


cross_entropy_of_probabilities = custom(
    "cross_entropy_of_probabilities",
    _plain_cross_entropy,
    vjp=(
        lambda g, a, y, n: g * _entropy_partial_a(a, y, n),
        lambda g, a, n: safe_multiply(g * (-1.0 / n), log(a)),
    ),
    jvp=(
        lambda t, a, y, n: sum_op(t * _entropy_partial_a(a, y, n)),
        lambda t, a, n: sum_op(safe_multiply(t, log(a))) * (-1.0 / n),
    ),
    shape_rule=_scalar_shape,
    is_fitted=True,
    domain=(Domain(0.1, 0.9), Domain(0.1, 0.9)),
    examples=(Example(((5, 3), (5, 3)), {"n": 5}),),
    latex=r"-\tfrac1n \sum {1} \log {0}",
    doc="Compute the cross-entropy from probabilities.",
    source="Bishop, PRML, 4.3.4.",
    doctest=(
        "tg.cross_entropy(np.array([[0.5, 0.5]]), [0]).round(6)",
        "np.float64(0.693147)",
    ),
)


def _cross_entropy_of_logits(
    z: Any, a: Any, y: Any, n: int, axis: int, one_hot: bool = False
) -> Any:
    """Return (1/n) Σ (Σ_k y_k) logsumexp(z) − Σ_k y_k z_k."""
    if one_hot and a.dtype.kind == "f":
        rows = _rows_of_one_hot(a, y, axis)
        if rows is not None:
            return np.asarray(np.add.reduce(rows, axis=None) / n, dtype=z.dtype)[()]
    shifted = z - largest(z, axis)
    gain = np.add.reduce(np.where(y == 0, 0, y * shifted), axis=None)
    np.exp(shifted, out=shifted)
    spread = np.log(total(shifted, axis))
    loss = (np.add.reduce(total(y, axis) * spread, axis=None) - gain) / n
    return np.asarray(loss, dtype=z.dtype)[()]


def _rows_of_one_hot(a: Array, y: Array, axis: int) -> Array | None:
    """Return −log of each example's probability, or None where that underflows.

    A probability near 1 has no digits left to tell how near: there −log a is formed
    from the other classes' probabilities, −log(1 − Σ a_j), which keep theirs.
    """
    letters = list(range(a.ndim))
    kept = [k for k in letters if k != axis]
    chosen = np.einsum(a, letters, y, letters, kept)
    if not chosen.min(initial=1.0) >= np.finfo(a.dtype).tiny:
        return None
    others = np.einsum(a, letters, 1 - y, letters, kept)
    is_likely = chosen >= 0.5
    far = np.log(np.where(is_likely, 1, chosen))
    near = np.log1p(np.where(is_likely, -others, 0))
    return -(far + near)


def _is_one_hot(y: Any, axis: int) -> bool:
    """Tell whether each example has one label, with weight 1."""
    if isinstance(y, Tensor):
        return False
    return bool(((y == 0) | (y == 1)).all() and (total(y, axis) == 1).all())


def _entropy_adjoint(a: Any, y: Any, axis: int, one_hot: bool) -> Any:
    """Return a Σy − y, which is a − y where the labels of an example sum to one."""
    if one_hot:
        return a - y
    return a * sum_op(y, axis=axis, keepdims=True) - y


_PROBABILITIES = np.exp(_LOGITS) / np.exp(_LOGITS).sum(axis=1, keepdims=True)

cross_entropy_of_logits = custom(
    "cross_entropy_of_logits",
    _cross_entropy_of_logits,
    vjp=(
        lambda g, a, y, n, axis, one_hot: _share(
            _entropy_adjoint(a, y, axis, one_hot), g, n
        ),
        lambda g, a, y, n: g * _entropy_partial_a(a, y, n),
        lambda g, z, n, axis: log_softmax(z, axis=axis) * (g * (-1.0 / n)),
    ),
    jvp=(
        lambda t, a, y, n, axis, one_hot: (
            sum_op(t * _entropy_adjoint(a, y, axis, one_hot)) * (1.0 / n)
        ),
        None,
        lambda t, z, n, axis: sum_op(t * log_softmax(z, axis=axis)) * (-1.0 / n),
    ),
    shape_rule=_scalar_shape,
    is_fitted=True,
    report_only=(1,),
    domain=(Domain(), Domain(0.1, 0.9), Domain(0.1, 0.9)),
    examples=(
        Example((_LOGITS, _PROBABILITIES, (2, 3)), {"n": 2, "axis": 1}),
        Example((_LOGITS.T, _PROBABILITIES.T, np.eye(3)[:, :2]), {"n": 2, "axis": 0}),
        # Integers: labels that are declared to be one-hot cannot move.
        Example(
            (_LOGITS, _PROBABILITIES, np.eye(3, dtype=np.int8)[:2]),
            {"n": 2, "axis": 1, "one_hot": True},
        ),
    ),
    latex=r"-\tfrac1n \sum {2} \log {1},\; {1} = \operatorname{{softmax}}({0})",
    doc="Compute the cross-entropy from logits.",
    notes="Operands are the logits, the probabilities made of them, and the labels.",
    source="Notes, sections 2.2.4 and 3.1; Bishop, PRML, 4.3.4.",
    doctest=(
        "tg.cross_entropy(tg.softmax(tg.tensor([[0.0, 0.0]])), [0])",
        "tensor(0.69314718, op=cross_entropy_of_logits)",
    ),
)

_record_cross_entropy = shortcuts.loss(cross_entropy_of_logits.op)


def cross_entropy(a: Any, y: Any, example_axis: int = 0) -> Any:
    r"""Compute the cross-entropy of class probabilities, averaged over examples.

    Parameters
    ----------
    a : Tensor or array_like, 1-D or 2-D (more axes where softmax's is known)
        Probabilities of the classes. Where they come from `softmax` the loss is
        computed from the logits, and the class axis is softmax's; otherwise it is the
        other axis than ``example_axis``.
    y : array_like
        One-hot rows (any weights), in the shape of ``a``; or integer labels, in the
        shape of ``a`` without the class axis.
    example_axis : int
        The axis of ``a`` that runs over the examples.

    Returns
    -------
    Scalar Tensor, or NumPy scalar if nothing is a Tensor

    Raises
    ------
    ShapeError
        If the shapes do not fit, or the class axis cannot be told.
    ArgumentError
        If a label is not one of the classes.

    Notes
    -----
    .. math:: J = -\frac1n \sum_j \sum_k y_{jk} \log a_{jk}

    References
    ----------
    Notes, section 3.1.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> z = tg.tensor([[0.0, 0.0], [1000.0, 0.0]])
    >>> J = tg.cross_entropy(tg.softmax(z), [0, 1])
    >>> tg.gradients(J, z)
    array([[-0.25,  0.25],
           [ 0.5 , -0.5 ]])
    """
    a = a if isinstance(a, Tensor) else np.asarray(a, dtype=_at_least_float(a))
    origin = origin_of(a, "softmax")
    axis = None if origin is None else origin.class_axis()
    if axis is None:
        origin = None
        axis = _class_axis(a.shape, example_axis)
    y, is_made = _one_hot(a, y, axis)
    a, y, n = _checked("cross_entropy", a, y, example_axis)
    if origin is not None:
        static = {"n": n, "axis": axis, "one_hot": is_made or _is_one_hot(y, axis)}
        return _record_cross_entropy(origin.arrived(), a, y, static)
    return cross_entropy_of_probabilities(a, y, n=n)


def _class_axis(shape: Shape, example_axis: int) -> int:
    if len(shape) == 1:
        raise ShapeError(
            explain(
                "cross_entropy",
                f"probabilities of shape {shape}",
                "an axis of examples and an axis of classes",
                "For one probability an example use tg.log_loss; for one example add "
                "an axis: a[None, :]",
            )
        )
    if len(shape) != 2:
        raise ShapeError(
            explain(
                "cross_entropy",
                f"probabilities of shape {shape} whose class axis is not known",
                "two axes, or the result of tg.softmax",
                "Reshape to (examples, classes)",
            )
        )
    return 1 - normalise_axis("cross_entropy", example_axis, 2)


def _one_hot(a: Any, y: Any, axis: int) -> tuple[Any, bool]:
    """Return labels in the shape of the probabilities, and whether they were made so."""
    if isinstance(y, Tensor) and y.shape == a.shape:
        return y, False
    labels = np.asarray(as_value(y))
    if labels.shape == a.shape:
        return labels, False
    n_classes = a.shape[axis]
    expected = tuple(n for k, n in enumerate(a.shape) if k != axis)
    if labels.shape != expected:
        raise ShapeError(
            explain(
                "cross_entropy",
                f"labels of shape {labels.shape} for probabilities of shape {a.shape}",
                f"one-hot labels of shape {a.shape} or integer labels of shape "
                f"{expected}",
                "Check example_axis and the layout of the labels",
            )
        )
    if labels.dtype.kind not in "iub":
        raise DTypeError(
            explain(
                "cross_entropy",
                f"labels of dtype {labels.dtype}",
                "integers counted from 0, or one-hot rows",
                "Convert them with y.astype(int)",
            )
        )
    if labels.size and not (labels.min() >= 0 and labels.max() < n_classes):
        raise ArgumentError(
            explain(
                "cross_entropy",
                f"labels from {labels.min()} to {labels.max()}",
                f"labels from 0 to {n_classes - 1}, one for each of {n_classes} classes",
                "Number the classes from 0 with np.unique(y, return_inverse=True)",
            )
        )
    spots = np.expand_dims(labels, axis)
    column = [1] * (labels.ndim + 1)
    column[axis] = n_classes
    hot = spots == np.arange(n_classes).reshape(column)
    return hot.astype(a.dtype), True


# ------------------------------------------------------------------ shared, squares


def _at_least_float(a: Any) -> np.dtype[Any]:
    dtype = np.asarray(a).dtype
    return dtype if dtype.kind in "fc" else np.dtype(float)


def _checked(name: str, a: Any, y: Any, example_axis: int) -> tuple[Any, Any, int]:
    """Return prediction, labels in its dtype, and the number of examples."""
    if type(a) is Tensor and type(y) is np.ndarray and example_axis in (0, 1):
        shape = y.shape  # what nearly every step passes: nothing to convert
        is_fit = a._value.shape == shape and a._value.dtype is y.dtype
        if is_fit and example_axis < len(shape) and shape[example_axis]:
            return a, y, shape[example_axis]
    if not isinstance(a, Tensor):
        a = np.asarray(a, dtype=_at_least_float(a))
    if not isinstance(y, Tensor):
        y = np.asarray(y)
        dtype = a._value.dtype if isinstance(a, Tensor) else a.dtype
        if y.dtype != dtype and y.dtype.kind in "biuf":
            # Labels are real also where a complex step goes through the loss.
            y = y.astype(dtype.type(0).real.dtype)
    if a.shape != y.shape:
        raise ShapeError(
            explain(
                name,
                f"a prediction of shape {a.shape} and labels of shape {y.shape}",
                "equal shapes, since broadcasting would pair each with every other",
                "Reshape the labels: y.reshape(a.shape)",
            )
        )
    if not a.shape:
        raise ShapeError(
            explain(name, "a scalar", "an axis of examples", "Add one: a[None]")
        )
    n = a.shape[normalise_axis(name, example_axis, len(a.shape))]
    if n == 0:
        raise ShapeError(
            explain(name, f"shape {a.shape}", "at least one example", "Check the data")
        )
    return a, y, n


def mse(a: Any, y: Any, example_axis: int = 0) -> Any:
    r"""Compute the mean over examples of the sum of squared errors over outputs.

    Parameters
    ----------
    a : Tensor or array_like, any shape
        Predictions.
    y : array_like, shape of ``a``
        What they should be.
    example_axis : int
        The axis of ``a`` that runs over the examples.

    Returns
    -------
    Scalar Tensor, or NumPy scalar if nothing is a Tensor

    Raises
    ------
    ShapeError
        If the shapes differ, or there is no such axis, or no example.

    Notes
    -----
    .. math:: J = \frac1n \sum_j \lVert a_j - y_j \rVert^2

    There is no factor ½, and the sum runs over the outputs: with several of them it is
    their number times scikit-learn's mean squared error.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> float(tg.mse([[1.0, 2.0]], [[0.0, 0.0]]))
    5.0
    """
    a, y, n = _checked("mse", a, y, example_axis)
    error = a - y
    return sum_op(error * error) * (1.0 / n)
