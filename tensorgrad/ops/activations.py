"""The table: what neural networks put between their layers.

Forwards are written for few passes over memory, since at the size of a layer a pass
costs more than its arithmetic; large results come from the pool (core/pool.py).
`sigmoid` and `softmax` note their logits on the result, for the losses (ops/origins.py).
"""

from __future__ import annotations

from math import isfinite, prod
from typing import Any, cast

import numpy as np

from tensorgrad._typing import Array, Axis
from tensorgrad.core import pool
from tensorgrad.core.aval import Aval
from tensorgrad.core.op import OpFunction
from tensorgrad.core.tensor import Tensor
from tensorgrad.errors import DTypeError, explain
from tensorgrad.ops import batching
from tensorgrad.ops.arithmetic import multiply, subtract
from tensorgrad.ops.compare import refuse_complex, where
from tensorgrad.ops.entry import Domain, Example, custom, pointwise, select
from tensorgrad.ops.exponential import exp
from tensorgrad.ops.origins import Origin, origin_maker
from tensorgrad.ops.reduce import sum as sum_op
from tensorgrad.ops.shapes import normalise_axes, reduced_shape
from tensorgrad.ops.shaping import reshape

_ONE = (Example(((3, 4),)), Example(((),)), Example(((2, 0),)))


def _floating(z: Any) -> Array:
    """Return an array of floating or complex numbers; integers become float64."""
    array = z if type(z) is np.ndarray else np.asarray(z)
    return array if array.dtype.kind in "fc" else array.astype(float)


def _result(z: Array) -> Array | None:
    """Return memory for a large result like z, or None where NumPy should choose."""
    if z.nbytes < pool.POOL_BYTES or not z.flags.c_contiguous:
        return None
    return pool.take(z.shape, z.dtype)


# ----------------------------------------------------------------------- sigmoid


def _complex_sigmoid(z: Array) -> Any:
    """1/(1 + e^-z), from whichever of e^z and e^-z does not overflow."""
    is_right = z.real >= 0
    small = np.exp(np.where(is_right, -z, z))
    return np.where(is_right, 1, small) / (1 + small)


def _sigmoid(z: Any) -> Any:
    """Compute 1/(1 + e^-z) in four passes.

    e^-z may overflow to inf, whose reciprocal is the right limit, so the flag is all
    there is to silence. The forms without overflow cost two to four times as much, or
    lose the relative digits of the left tail (½ + ½ tanh).
    """
    value = _floating(z)
    if value.dtype.kind == "c":
        return _complex_sigmoid(value)
    out = _result(value) if value.nbytes >= pool.POOL_BYTES else None
    with np.errstate(over="ignore", under="ignore"):
        if out is None:
            return np.reciprocal(1.0 + np.exp(-value))
        np.negative(value, out=out)
        np.exp(out, out=out)
        out += 1.0
        return np.reciprocal(out, out=out)


def _sigmoid_share(g: Any, out: Any) -> Any:
    share = np.subtract(1.0, out, out=pool.scratch(out))
    np.multiply(out, share, out=share)
    return np.multiply(g, share, out=share)


sigmoid = pointwise(
    "sigmoid",
    _sigmoid,
    d=lambda out: out * (1.0 - out),
    large_share=_sigmoid_share,
    origin=origin_maker("sigmoid"),
    examples=_ONE,
    latex=r"\sigma({0})",
    onnx="Sigmoid",
    doc="Compute the logistic function 1/(1 + exp(-z)), stable for every z.",
    notes="The derivative a(1 - a) is formed from the saved output: accurate in absolute "
    "terms, and in relative terms where a is not close to 1. Losses use the logits.",
    source="Notes, section 1; DLMF 4.7 for the derivative of exp.",
    doctest=("tg.sigmoid(np.array([-1000.0, 0.0, 1000.0]))", "array([0. , 0.5, 1. ])"),
)

# ------------------------------------------------------------------------ relu


def _relu(z: Any) -> Any:
    refuse_complex("relu", z)
    if type(z) is np.ndarray and z.dtype.kind == "f":
        out = _result(z)
        if out is not None:
            return np.maximum(z, 0, out=out)
    return np.maximum(z, 0)


def _leaky_relu(z: Any, beta: float = 0.01) -> Any:
    """Compute z for z >= 0 and beta z below, as the larger or smaller of the two."""
    refuse_complex("leaky_relu", z)
    if beta == 0:
        return _relu(z)  # not max(z, 0 z): 0 times infinity is NaN
    value = _floating(z)
    scaled = np.multiply(value, beta, out=_result(value))
    choose = np.maximum if beta <= 1 else np.minimum
    # A result without axes is a scalar: it cannot be written to.
    return choose(value, scaled, out=scaled if type(scaled) is np.ndarray else None)


def _checked_slope(beta: Any) -> float:
    if not isinstance(beta, (int, float, np.integer, np.floating, np.bool)):
        raise DTypeError(
            explain(
                "relu",
                f"a slope beta of type {type(beta).__name__}",
                "one real number, which is not differentiated",
                "Write tg.where(z >= 0, z, beta * z) for a slope that is learned",
            )
        )
    return float(beta)


leaky_relu = select(
    "leaky_relu",
    _leaky_relu,
    vjp=lambda g, z, beta: where(z >= 0, g, beta * g),
    jvp=lambda t, z, beta: where(z >= 0, t, beta * t),
    adapt=lambda z, beta=0.01: ((z,), {"beta": _checked_slope(beta)}),
    kink=lambda z: np.abs(z),
    analytic=lambda z, beta: np.where(z.real >= 0, z, beta * z),
    examples=(
        Example(((3, 4),)),
        Example(((),), {"beta": 0.2}),
        Example(((2, 0),)),
        Example(((3,),), {"beta": 2.0}),
        Example(((3,),), {"beta": -0.5}),
    ),
    latex=r"\operatorname{{ReLU}}({0}; \beta)",
    onnx="LeakyRelu",
    doc="Compute the rectified linear unit with slope beta for negative z.",
    notes="The value is z for z >= 0 and beta z for z < 0; the derivative is 1 for "
    "z >= 0, also at 0, and beta for z < 0. For beta <= 1 this is max(beta z, z). For "
    "beta > 1 that maximum would exchange the two sides and contradict the derivative; "
    "the derivative's reading is taken.",
    source="Notes, section 1; Maas, Hannun and Ng, Rectifier nonlinearities improve "
    "neural network acoustic models, 2013.",
    doctest=(
        "tg.leaky_relu(tg.tensor([-2.0, 3.0]))",
        "tensor([-0.02,  3.  ], op=leaky_relu)",
    ),
)


def _with_slope(function: OpFunction) -> OpFunction:
    """Give `relu` the notes' second argument; without it, it takes the short cut."""

    def relu(z: Any, beta: float = 0.0) -> Any:
        if type(beta) is float and beta == 0.0:
            return function(z)
        slope = _checked_slope(beta)
        return leaky_relu(z, slope) if slope else function(z)

    relu.__doc__ = function.__doc__
    relu.op = function.op  # type: ignore[attr-defined]
    return cast("OpFunction", relu)


relu = _with_slope(
    select(
        "relu",
        _relu,
        vjp=lambda g, z: where(z >= 0, g, 0),
        jvp=lambda t, z: where(z >= 0, t, 0),
        kink=lambda z: np.abs(z),
        analytic=lambda z: np.where(z.real >= 0, z, 0),
        examples=_ONE,
        latex=r"\operatorname{{ReLU}}({0})",
        onnx="Relu",
        doc="Compute the rectified linear unit max(z, 0); beta is the slope for z < 0.",
        notes="The derivative at 0 is 1. NaN passes through. ``relu(z, beta)`` with a "
        "slope other than 0 is `leaky_relu`.",
        source="Notes, section 1.",
        doctest=("tg.relu(tg.tensor([-2.0, 3.0]))", "tensor([0., 3.], op=relu)"),
    )
)

# --------------------------------------------------------------------- softplus


def _softplus(z: Any) -> Any:
    """Compute log(1 + e^z) as max(z, 0) + log(1 + e^-|z|).

    The same as `np.logaddexp(z, 0)`, which takes nine times as long.
    """
    refuse_complex("softplus", z)
    value = _floating(z)
    tail = np.abs(value, out=_result(value))
    if type(tail) is not np.ndarray:
        return np.maximum(value, 0) + np.log1p(np.exp(-tail))
    np.negative(tail, out=tail)
    np.exp(tail, out=tail)
    np.log1p(tail, out=tail)
    tail += np.maximum(value, 0)
    return tail


def holomorphic_softplus(z: Any) -> Any:
    """Continue softplus from the real line: each half by its own formula."""
    is_right = z.real >= 0
    tail = np.log1p(np.exp(np.where(is_right, -z, z)))
    return np.where(is_right, z + tail, tail)


softplus = pointwise(
    "softplus",
    _softplus,
    d=lambda z: sigmoid(z),
    analytic=holomorphic_softplus,
    examples=_ONE,
    latex=r"\log(1 + e^{{{0}}})",
    onnx="Softplus",
    doc="Compute log(1 + exp(z)), stable for every z.",
    source="Dugas et al., Incorporating second-order functional knowledge for better "
    "option pricing, 2001.",
    doctest=(
        "tg.softplus(tg.tensor([-1000.0, 1000.0]))",
        "tensor([   0., 1000.], op=softplus)",
    ),
)

# ---------------------------------------------------------------------- softmax


# Rows of a large array are summed by einsum up to this length, which saves a pass;
# longer ones pairwise, whose error does not grow with the length.
_SHORT_ROW = 1024
# A reduction along a last axis this short costs a call for each row; the transpose of
# a copy has long rows: 1797 x 10 takes 11 us instead of 103 (float32).
_TINY_ROW = 32


def largest(order: Array, axis: Axis) -> Any:
    """Return the largest entries along an axis, which is kept."""
    is_last = order.ndim >= 2 and axis in (-1, order.ndim - 1)
    if not is_last or order.shape[-1] > _TINY_ROW or order.nbytes == 0:
        return np.maximum.reduce(order, axis=axis, keepdims=True)
    columns = np.ascontiguousarray(order.reshape(-1, order.shape[-1]).T)
    return np.maximum.reduce(columns, axis=0).reshape(*order.shape[:-1], 1)


def total(values: Array, axis: Axis) -> Any:
    """Return the sums along an axis, which is kept."""
    is_last = values.ndim >= 2 and axis in (-1, values.ndim - 1)
    if not is_last or values.shape[-1] > _SHORT_ROW:
        return np.add.reduce(values, axis=axis, keepdims=True)
    letters = list(range(values.ndim))
    return np.einsum(values, letters, letters[:-1])[..., None]


def _below_top(z: Array, axis: Axis, out: Array | None = None) -> Any:
    """Subtract the largest entry (by real part), also where it is infinite.

    Entries equal to an infinite maximum get 0, as those equal to a finite one do.
    """
    order = z.real if z.dtype.kind == "c" else z
    top = largest(order, axis)
    # Finite logits may lie further apart than the largest number: -inf is right then.
    with np.errstate(over="ignore", invalid="ignore"):
        below = np.subtract(z, top, out=out)
        sum_of_tops = np.add.reduce(top, axis=None)
    if isfinite(sum_of_tops):
        return below
    is_top = np.isinf(top) & (order == top)
    return np.where(is_top, np.zeros((), z.dtype), below)


def _checked_logits(name: str, z: Any, axis: Axis) -> Array:
    value = _floating(z)
    if type(axis) is not int or not -value.ndim <= axis < value.ndim:
        normalise_axes(name, axis, value.ndim)
    return value


def _softmax(z: Any, axis: Axis = -1) -> Any:
    """Subtract the maximum, exponentiate and divide, all in one piece of memory."""
    value = _checked_logits("softmax", z, axis)
    if not value.size:
        return value.copy()
    out = np.asarray(_below_top(value, axis, _result(value)))
    np.exp(out, out=out)
    out /= total(out, axis)
    return out


def _same_shape(name: str) -> Any:
    """Make the shape rule of an op that keeps the shape and gives floating numbers."""

    def rule(z: Any, axis: Axis = -1) -> Aval:
        normalise_axes(name, axis, getattr(z, "ndim", 0))
        return Aval(z.shape, z.dtype if z.dtype.kind in "fc" else np.dtype(float))

    return rule


def _weighted_sum(g: Array, s: Array, axis: Axis, scratch: Array | None) -> Any:
    if scratch is not None:
        axes = normalise_axes("softmax", axis, g.ndim)
        if prod(g.shape[k] for k in axes) <= _SHORT_ROW:
            letters = list(range(g.ndim))
            kept = [k for k in letters if k not in axes]
            return np.expand_dims(np.einsum(g, letters, s, letters, kept), axes)
    return np.add.reduce(np.multiply(g, s, out=scratch), axis=axis, keepdims=True)


def _centred(x: Any, s: Any, axis: Axis = -1) -> Any:
    """Compute s ⊙ (x − Σ x ⊙ s), in memory of its own."""
    is_like = type(x) is np.ndarray and x.dtype == s.dtype and x.shape == s.shape
    out = _result(x) if is_like else None
    mean = _weighted_sum(np.asarray(x), np.asarray(s), axis, out)
    out = np.asarray(np.subtract(x, mean, out=out))
    return np.multiply(out, s, out=out)


def _centred_partial_s(h: Any, x: Any, s: Any, axis: Axis) -> Any:
    """Differentiate in s: h ⊙ (x − Σ x s) − x Σ h s."""
    mean = sum_op(multiply(x, s), axis=axis, keepdims=True)
    rest = sum_op(multiply(h, s), axis=axis, keepdims=True)
    return multiply(h, subtract(x, mean)) - multiply(x, rest)


softmax_jacobian: OpFunction = custom(
    "softmax_jacobian",
    _centred,
    # The Jacobian is symmetric, so it is its own transpose.
    vjp=(
        lambda g, s, axis: softmax_jacobian(g, s, axis=axis),
        lambda g, x, s, axis: _centred_partial_s(g, x, s, axis),
    ),
    jvp=(
        lambda t, s, axis: softmax_jacobian(t, s, axis=axis),
        lambda t, x, s, axis: (
            multiply(t, subtract(x, sum_op(multiply(x, s), axis=axis, keepdims=True)))
            - multiply(s, sum_op(multiply(x, t), axis=axis, keepdims=True))
        ),
    ),
    domain=(Domain(), Domain(0.1, 0.9)),
    examples=(
        Example(((3, 4), (3, 4))),
        Example(((3, 4), (3, 4)), {"axis": 0}),
        Example(((0, 4), (0, 4))),
    ),
    batch=batching.along_axis,
    latex=r"{1} \odot \left({0} - \sum {0} \odot {1}\right)",
    doc="Multiply by the Jacobian of softmax, given the probabilities s.",
    notes="One op for the δ of a softmax layer: three passes and one piece of memory.",
    source="Notes, section 2.2.4.",
    doctest=(
        "tg.softmax_jacobian(np.array([1.0, 0.0]), np.array([0.5, 0.5]))",
        "array([ 0.25, -0.25])",
    ),
)


def _softmax_origin(logits: Tensor, static: dict[str, Any]) -> Origin | None:
    """Note the logits where the classes lie on one axis."""
    is_one_axis = isinstance(static["axis"], (int, np.integer))
    return origin_maker("softmax")(logits, static) if is_one_axis else None


softmax = custom(
    "softmax",
    _softmax,
    vjp=lambda g, out, axis: softmax_jacobian(g, out, axis=axis),
    jvp=lambda t, out, axis: softmax_jacobian(t, out, axis=axis),
    batch=batching.along_axis,
    shape_rule=_same_shape("softmax"),
    origin=_softmax_origin,
    examples=(
        Example(((3, 4),)),
        Example(((3, 4),), {"axis": 0}),
        Example(((2, 3, 4),), {"axis": (0, 2)}),
        Example(((0, 4),)),
    ),
    latex=r"\operatorname{{softmax}}({0})",
    onnx="Softmax",
    doc="Turn logits into probabilities along an axis: exp(z) over its sum.",
    notes="An entry of -inf has probability 0. Entries that share an infinite maximum "
    "share the probability, as equal finite ones do: a row of -inf is uniform.",
    source="Notes, section 2.2.4; Bishop, Pattern Recognition and Machine Learning, "
    "equation 4.62.",
    doctest=("tg.softmax(np.array([1000.0, 1000.0]))", "array([0.5, 0.5])"),
)


def _log_softmax(z: Any, axis: Axis = -1) -> Any:
    value = _checked_logits("log_softmax", z, axis)
    if not value.size:
        return value.copy()
    out = np.asarray(_below_top(value, axis, _result(value)))
    weights = np.exp(out, out=_result(out))
    out -= np.log(np.add.reduce(weights, axis=axis, keepdims=True))
    return out


def _log_softmax_pull(g: Any, out: Any, axis: Axis) -> Any:
    return g - exp(out) * sum_op(g, axis=axis, keepdims=True)


def _log_softmax_push(t: Any, out: Any, axis: Axis) -> Any:
    return t - sum_op(exp(out) * t, axis=axis, keepdims=True)


log_softmax = custom(
    "log_softmax",
    _log_softmax,
    vjp=_log_softmax_pull,
    jvp=_log_softmax_push,
    batch=batching.along_axis,
    shape_rule=_same_shape("log_softmax"),
    examples=(
        Example(((3, 4),)),
        Example(((3, 4),), {"axis": 0}),
        Example(((2, 3, 4),), {"axis": (0, 2)}),
        Example(((0, 4),)),
    ),
    latex=r"\log\operatorname{{softmax}}({0})",
    onnx="LogSoftmax",
    doc="Compute the logarithm of softmax, finite for every finite logit.",
    notes="Entries that share an infinite maximum share the probability, as in softmax.",
    source="SciPy reference, scipy.special.log_softmax.",
    doctest=(
        "tg.log_softmax(np.array([0.0, 1000.0]))",
        "array([-1000.,     0.])",
    ),
)

# -------------------------------------------------------------------- logsumexp


def _logsumexp(z: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    value = _floating(z)
    axes = normalise_axes("logsumexp", axis, value.ndim)
    if not value.size:
        shape = reduced_shape("logsumexp", value.shape, axis, keepdims=keepdims)
        return np.full(shape, -np.inf, value.dtype)[()]
    order = value.real if value.dtype.kind == "c" else value
    top = np.maximum.reduce(order, axis=axes, keepdims=True)
    # An infinite maximum is itself the answer, or cannot be subtracted.
    top = np.where(np.isinf(top), 0, top)
    with np.errstate(over="ignore", divide="ignore"):
        weights = np.asarray(np.subtract(value, top, out=_result(value)))
        np.exp(weights, out=weights)
        total = np.log(np.add.reduce(weights, axis=axes, keepdims=True))
    total += top
    return total if keepdims else np.squeeze(total, axis=axes)[()]


def _logsumexp_shape(z: Any, axis: Axis = None, keepdims: bool = False) -> Aval:
    shape = getattr(z, "shape", ())
    dtype = getattr(z, "dtype", np.dtype(float))
    return Aval(
        reduced_shape("logsumexp", shape, axis, keepdims=keepdims),
        dtype if dtype.kind in "fc" else np.dtype(float),
    )


def _kept_axes(g: Any, z: Any, axis: Axis) -> Any:
    """Give a reduced cotangent the axes of the operand back, with size one."""
    return reshape(g, reduced_shape("logsumexp", z.shape, axis, keepdims=True))


logsumexp = custom(
    "logsumexp",
    _logsumexp,
    vjp=lambda g, z, axis: _kept_axes(g, z, axis) * softmax(z, axis=axis),
    jvp=lambda t, z, axis, keepdims: sum_op(
        softmax(z, axis=axis) * t, axis=axis, keepdims=keepdims
    ),
    batch=batching.along_axis,
    shape_rule=_logsumexp_shape,
    examples=(
        Example(((3, 4),)),
        Example(((3, 4),), {"axis": 0}),
        Example(((3, 4),), {"axis": 1, "keepdims": True}),
        Example(((2, 3, 4),), {"axis": (0, 2)}),
        Example(((0, 4),), {"axis": 1}),
    ),
    latex=r"\log \sum e^{{{0}}}",
    onnx="ReduceLogSumExp",
    doc="Compute the logarithm of the sum of exponentials over axes.",
    notes="Stable for every z. Over no entries it is -inf, the logarithm of zero.",
    source="SciPy reference, scipy.special.logsumexp.",
    doctest=(
        "tg.logsumexp(np.array([1000.0, 1000.0])).round(4)",
        "np.float64(1000.6931)",
    ),
)
