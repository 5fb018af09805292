"""What belongs in each place: the formula of backpropagation, and its line of NumPy.

Written for the layout of the cost that was recorded: examples in columns as in the notes, or
in rows as in most libraries. δ is the adjoint of z, with the 1/n of the mean in it.
"""

from __future__ import annotations

from tensorgrad.auditor.anatomy import Anatomy

__all__ = [
    "bias",
    "decay",
    "delta",
    "dropped",
    "mean",
    "output",
    "signal",
    "up",
    "weight",
]

SLOPES = {
    "sigmoid": "a{l} * (1 - a{l})",
    "tanh": "1 - a{l}**2",
    "relu": "z{l} >= 0",
    "leaky_relu": "np.where(z{l} >= 0, 1, {beta})",
}
UP = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def up(l: int) -> str:
    """Return a layer's number as a superscript.

    Examples
    --------
    >>> up(12)
    '¹²'
    """
    return str(l).translate(UP)


def weight(parts: Anatomy, l: int) -> str:
    """Return the gradient of a weight."""
    if parts.rows:
        return f"∂J/∂W{up(l)} = δ{up(l)}ᵀ a{up(l - 1)}:  dW{l} = delta{l}.T @ a{l - 1}"
    return f"∂J/∂W{up(l)} = δ{up(l)} a{up(l - 1)}ᵀ:  dW{l} = delta{l} @ a{l - 1}.T"


def bias(parts: Anatomy, l: int) -> str:
    """Return the gradient of a bias."""
    call = "sum(axis=0)" if parts.rows else "sum(axis=1, keepdims=True)"
    return f"∂J/∂b{up(l)} = Σ δ{up(l)} over the examples:  db{l} = delta{l}.{call}"


def signal(parts: Anatomy, l: int) -> str:
    """Return what a layer passes down."""
    line = f"delta{l} @ W{l}" if parts.rows else f"W{l}.T @ delta{l}"
    return f"∂J/∂a{up(l - 1)} = W{up(l)}ᵀ δ{up(l)}:  da{l - 1} = {line}"


def delta(parts: Anatomy, l: int, activation: str, beta: object = 0.01) -> str:
    """Return the δ of a layer from ∂J/∂a."""
    if activation == "softmax":
        axis = -1 if parts.rows else 0
        inner = f"(a{l} * da{l}).sum(axis={axis}, keepdims=True)"
        line = f"delta{l} = a{l} * (da{l} - {inner})"
        return f"δ{up(l)} = a ⊙ (∂J/∂a − Σ a ∂J/∂a):  {line}"
    form = SLOPES.get(activation, f"{activation}_slope(z{{l}})").format(l=l, beta=beta)
    form = form if form.startswith("np.") else f"({form})"
    line = f"delta{l} = da{l} * {form}"
    return f"δ{up(l)} = ∂J/∂a{up(l)} ⊙ g′(z{up(l)}):  {line}"


def output(l: int) -> str:
    """Return the first δ, where the loss fits the head."""
    return f"δ{up(l)} = (a{up(l)} − y)/n:  delta{l} = (a{l} - y) / n"


def mean(l: int) -> str:
    """Return what a factor of the whole gradient should be."""
    return f"δ{up(l)} has the 1/n of the mean over the examples in it, once"


def dropped(l: int) -> str:
    """Return the way back through dropout."""
    return f"∂J/∂a ⊙ D{up(l)}/p:  da{l} = da{l} * mask{l} / keep_prob"


def decay(names: str = "W") -> str:
    """Return what the penalty adds to the gradient of a weight."""
    return f"+ λ/n · {names}:  d{names} += lam / n * {names}"
