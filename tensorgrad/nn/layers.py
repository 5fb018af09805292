"""Layers: weighted sums, dropout, and their composition."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from tensorgrad._typing import Rng
from tensorgrad.core.tensor import Tensor, tensor
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, explain
from tensorgrad.nn import init as initialisers
from tensorgrad.nn.activations import (
    ACTIVATIONS,
    Initialiser,
    find_activation,
    name_of,
)
from tensorgrad.nn.arguments import check_count, check_dtype, make_generator, nearest
from tensorgrad.nn.module import Module, current_trace, title
from tensorgrad.ops.arithmetic import add, multiply
from tensorgrad.ops.linalg import matmul
from tensorgrad.ops.shaping import transpose

__all__ = ["Dense", "Dropout", "Sequential", "mlp"]


class Dense(Module):
    """A layer of weighted sums and an activation: a = f(x Wᵀ + b), examples in rows.

    Parameters
    ----------
    n_in, n_out : int
        Features of an example before and after the layer.
    activation : str, callable or None
        ``linear sigmoid tanh relu leaky_relu softmax`` (``leaky`` is ``leaky_relu``),
        or a function; None is ``linear``.
    init : str, callable or None
        ``he xavier lecun normal uniform zeros``, or a function of (rng, shape, dtype)
        that returns an array. If omitted it follows the activation: He for the ReLU
        family, Xavier for the others.
    bias : bool
        Whether to add ``b``.
    rng : seed or Generator
        Draws the weights; None takes a fresh seed from the system.
    dtype : dtype
        Of the parameters; float64 if omitted.

    Attributes
    ----------
    W : Tensor, shape (n_out, n_in)
    b : Tensor, shape (n_out,), or None
        Starts at zero.

    Raises
    ------
    ArgumentError
        If a size is not a positive integer, or a name is unknown.
    ShapeError
        If the initial weights have the wrong shape; at a call, if the examples have
        another number of features.

    Notes
    -----
    The variance of the initial weights is 2 / n_in before a ReLU, which passes on half
    of it; 1 / n_in would halve the signal at every layer.

    Integers and booleans in ``x`` are converted to the dtype of W, so that integer
    data cannot turn a float32 network into a float64 one.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> layer = tg.nn.Dense(3, 2, "relu", rng=0)
    >>> layer([[1.0, 2.0, 3.0]]).shape
    (1, 2)
    """

    weight_names: ClassVar[tuple[str, ...]] = ("W",)

    def __init__(
        self,
        n_in: int,
        n_out: int,
        activation: Any = None,
        init: str | Initialiser | None = None,
        bias: bool = True,  # noqa: FBT001, FBT002  # fixed signature
        rng: Rng = None,
        dtype: Any = None,
    ) -> None:
        self.n_in = check_count("Dense", "n_in", n_in)
        self.n_out = check_count("Dense", "n_out", n_out)
        self.activation = find_activation(activation)
        draw = _find_init(init, self.activation.init)
        wanted = check_dtype("Dense", dtype)
        generator = make_generator("Dense", rng)
        # In Fortran order Wᵀ is contiguous, and so is its gradient: the update of an
        # optimiser then walks through both in one order.
        weights = np.asfortranarray(draw(generator, (self.n_out, self.n_in), wanted))
        if weights.shape != (self.n_out, self.n_in):
            raise ShapeError(
                explain(
                    "Dense",
                    f"initial weights of shape {weights.shape}",
                    f"(n_out, n_in) = {(self.n_out, self.n_in)}",
                    "Let init return an array of the shape that it is given",
                )
            )
        self.W = tensor(weights, wanted, requires_grad=True, name="W")
        self.b: Tensor | None = (
            tensor(np.zeros(self.n_out), wanted, requires_grad=True, name="b")
            if bias
            else None
        )

    def __call__(self, x: Any, rng: Rng = None) -> Any:
        """Return the activations, shape (examples, n_out)."""
        x = self._checked(x)
        trace = current_trace()
        if trace is not None:
            trace.enter(x)
        z = matmul(x, transpose(self.W))
        if self.b is not None:
            z = add(z, self.b)
        if trace is not None:
            trace.note_sum(z)
        return self.activation.function(z)

    def _checked(self, x: Any) -> Any:
        """Return x as an array or Tensor whose last axis holds the features."""
        if not isinstance(x, (Tensor, np.ndarray)):
            x = np.asarray(x)
        if isinstance(x, np.ndarray) and x.dtype.kind in "biu":
            x = x.astype(self.W.dtype)
        elif x.dtype.kind not in "biufc":
            raise DTypeError(
                explain(
                    "Dense",
                    f"x of dtype {x.dtype}",
                    "numbers",
                    "Convert the data, for example with x.astype(float)",
                )
            )
        shape = x.shape
        if not shape or shape[-1] != self.n_in:
            raise _wrong_features(shape, self.n_in)
        return x

    @property
    def head(self) -> str:
        """Name of the activation."""
        return self.activation.name

    def describe(self) -> str:
        """Return sizes and activation in a line.

        Examples
        --------
        >>> Dense(3, 2, "tanh", rng=0).describe()
        'Dense(3 -> 2, tanh)'
        """
        bias = "" if self.b is not None else ", no bias"
        return f"Dense({self.n_in} -> {self.n_out}, {self.activation.name}{bias})"

    def tree_spec(self) -> dict[str, Any] | None:
        """Return the arguments that make such a layer; None with a function of one's own."""
        if ACTIVATIONS.get(self.activation.name) is not self.activation:
            return None
        return {
            "kind": "dense",
            "n_in": self.n_in,
            "n_out": self.n_out,
            "activation": self.activation.name,
            "bias": self.b is not None,
            "dtype": self.W.dtype.name,
        }


def _wrong_features(shape: tuple[int, ...], n_in: int) -> ShapeError:
    is_transposed = len(shape) == 2 and shape[0] == n_in
    if is_transposed:
        remedy = "The examples seem to stand in columns: pass x.T"
    elif len(shape) > 2:
        remedy = "Flatten each example, for example with x.reshape(len(x), -1)"
    else:
        remedy = f"Make the layer with n_in={shape[-1] if shape else 1}, or check x"
    return ShapeError(
        explain(
            "Dense",
            f"x of shape {shape}",
            f"(examples, {n_in}), one example a row, {n_in} features in columns",
            remedy,
        )
    )


def _find_init(init: str | Initialiser | None, default: Initialiser) -> Initialiser:
    if init is None:
        return default
    if callable(init):
        return init
    if init in initialisers.__all__:
        found: Initialiser = getattr(initialisers, init)
        return found
    raise ArgumentError(
        explain(
            "choosing initial weights",
            f"{init!r}",
            f"a function or one of {' '.join(initialisers.__all__)}",
            nearest(init, initialisers.__all__),
        )
    )


class Dropout(Module):
    """Inverted dropout: in training keep each activation with probability keep_prob.

    Kept activations are divided by ``keep_prob``, so that their expectation stays and
    inference needs no correction.

    Parameters
    ----------
    keep_prob : float
        In (0, 1].

    Raises
    ------
    ArgumentError
        If ``keep_prob`` is not in (0, 1].

    Notes
    -----
    The mask is ``rng.random(a.shape) < keep_prob``, for every dtype: models of both
    precisions drop the same activations. Masks are drawn in the order in which the
    layers are called. The first layer of a network may be dropout of the inputs.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, *Dropout*, JMLR 15, 2014,
    section 10, where the division is done at test time instead.

    Examples
    --------
    >>> import numpy as np
    >>> Dropout(0.5)(np.ones(6), rng=1)
    array([0., 0., 2., 0., 2., 2.])
    >>> Dropout(0.5)(np.ones(6))
    array([1., 1., 1., 1., 1., 1.])
    """

    def __init__(self, keep_prob: float) -> None:
        self.keep_prob = _check_share(keep_prob)

    def __call__(self, x: Any, rng: Rng = None) -> Any:
        """Return x, with activations dropped if ``rng`` is given."""
        if rng is None:
            return x
        if not isinstance(x, (Tensor, np.ndarray)):
            x = np.asarray(x)
        mask = make_generator("Dropout", rng).random(x.shape) < self.keep_prob
        trace = current_trace()
        if trace is not None:
            trace.note_mask(mask)
        dtype = x.dtype if x.dtype.kind in "fc" else np.dtype(np.float64)
        scale = mask.astype(dtype) / dtype.type(self.keep_prob)
        if not isinstance(scale, Tensor):  # as under capture, where draws are inputs
            scale = np.asarray(scale)
            # Nobody else holds it: read-only, it needs no guard.
            scale.flags.writeable = False
        return multiply(x, scale)

    def describe(self) -> str:
        """Return the share that is kept.

        Examples
        --------
        >>> Dropout(0.8).describe()
        'Dropout(0.8)'
        """
        return f"Dropout({self.keep_prob})"

    def tree_spec(self) -> dict[str, Any]:
        """Return the arguments that make a layer of this kind."""
        return {"kind": "dropout", "keep_prob": self.keep_prob}


def _check_share(keep_prob: Any) -> float:
    is_number = isinstance(keep_prob, (int, float, np.floating, np.integer))
    if not is_number or isinstance(keep_prob, bool) or not 0 < keep_prob <= 1:
        raise ArgumentError(
            explain(
                "Dropout",
                f"keep_prob is {keep_prob!r}",
                "a number in (0, 1], the share of activations that is kept",
                "Pass keep_prob=0.8, or leave the layer out to drop nothing",
            )
        )
    return float(keep_prob)


class Sequential(Module):
    """Layers one after the other.

    Parameters
    ----------
    *layers : modules and functions
        A function of one argument, such as `tg.tanh`, is a layer too.

    Attributes
    ----------
    layers : tuple
    scaling : module or None
        Applied to x before the first layer; `tg.train.fit` puts the standardisation
        of the training data here.
    head : str or None
        Name of the activation of the last layer, if it has one.

    Raises
    ------
    ArgumentError
        If a layer cannot be called.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> model = tg.nn.Sequential(
    ...     tg.nn.Dense(2, 4, rng=0), tg.tanh, tg.nn.Dense(4, 1, rng=1))
    >>> model([[1.0, 2.0]]).shape
    (1, 1)
    >>> len(model)
    3
    """

    def __init__(self, *layers: Any) -> None:
        for i, layer in enumerate(layers):
            if not callable(layer) or isinstance(layer, type):
                raise ArgumentError(
                    explain(
                        "Sequential",
                        f"layer {i} is {layer!r}",
                        "a module or a function of one argument",
                        "Pass the layers one by one (Sequential(*layers) for a list), "
                        "made, not as classes",
                    )
                )
        self.layers = tuple(layers)
        self.scaling: Module | None = None

    def __call__(self, x: Any, rng: Rng = None) -> Any:
        """Return what the last layer makes of x; ``rng`` reaches every module."""
        if self.scaling is not None:
            x = self.scaling(x)
        for layer in self.layers:
            if rng is not None and isinstance(layer, Module):
                x = layer(x, rng=rng)
            else:
                x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Callable[..., Any]]:
        return iter(self.layers)

    def __getitem__(self, index: int | slice) -> Any:
        if not isinstance(index, slice):
            return self.layers[index]
        part = Sequential(*self.layers[index])
        # What still gets the examples themselves still has to scale them.
        if index.indices(len(self))[0] == 0:
            part.scaling = self.scaling
        return part

    @property
    def head(self) -> str | None:
        """Name of the activation of the last layer, if it has one."""
        if not self.layers:
            return None
        last = self.layers[-1]
        return (
            getattr(last, "head", None) if isinstance(last, Module) else name_of(last)
        )

    def describe(self) -> str:
        """Return the layers in a line.

        Examples
        --------
        >>> Sequential(Dense(3, 2, rng=0), Dropout(0.8)).describe()
        'Sequential(Dense(3 -> 2, linear), Dropout(0.8))'
        """
        return f"Sequential({', '.join(_short(layer) for layer in self.layers)})"

    def tree_spec(self) -> dict[str, Any] | None:
        """Return the specs of the layers, or None if one of them has none."""
        specs = [_spec_of(layer) for layer in self.layers]
        if any(spec is None for spec in specs):
            return None
        if self.scaling is None:
            return {"kind": "sequential", "layers": specs}
        scaling = self.scaling.tree_spec()
        if scaling is None:
            return None
        return {"kind": "sequential", "layers": specs, "scaling": scaling}


def _short(layer: Any) -> str:
    if isinstance(layer, Module):
        return title(layer)
    return getattr(layer, "__name__", None) or name_of(layer) or type(layer).__name__


def _spec_of(layer: Any) -> dict[str, Any] | None:
    if isinstance(layer, Module):
        return layer.tree_spec()
    name = name_of(layer)
    return None if name is None else {"kind": "activation", "name": name}


def mlp(
    sizes: Sequence[int],
    activations: Any,
    keep_prob: float | Sequence[float] | None = None,
    rng: Rng = 0,
    dtype: Any = None,
    init: str | Initialiser | None = None,
    bias: bool = True,  # noqa: FBT001, FBT002  # fixed signature
) -> Sequential:
    """Make a network of dense layers, with dropout between them if wanted.

    Parameters
    ----------
    sizes : sequence of int, length L + 1
        Features of the input, of each hidden layer, and of the output.
    activations : str, or sequence
        One name for each of the L layers; or a pair (hidden, output); or one name for
        the hidden layers, the output being linear. A function may stand for a name.
    keep_prob : float or sequence of L floats, optional
        A float: keep rate after each hidden layer. A sequence: keep rates of layers
        0 … L - 1, the first being the input. 1 means no dropout there.
    rng : seed or Generator
        Draws the weights, layer by layer.
    dtype : dtype
        Of the parameters; float64 if omitted.
    init : str, callable or None
        As for `Dense`; follows each layer's activation if omitted.
    bias : bool
        Whether the layers add a bias.

    Returns
    -------
    Sequential
        Of `Dense` and `Dropout`.

    Raises
    ------
    ArgumentError
        If there are fewer than two sizes, or the number of activations or of keep
        rates does not fit, or a name is unknown.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.nn.mlp([64, 32, 10], ["relu", "softmax"], keep_prob=0.8).describe()
    'Sequential(Dense(64 -> 32, relu), Dropout(0.8), Dense(32 -> 10, softmax))'
    """
    widths = [check_count("mlp", "a size", size) for size in sizes]
    if len(widths) < 2:
        raise ArgumentError(
            explain(
                "mlp",
                f"sizes {widths}",
                "at least two: features of the input and of the output",
                "Pass for example sizes=[64, 32, 10]",
            )
        )
    n_layers = len(widths) - 1
    names = _per_layer(activations, n_layers)
    rates = _keep_rates(keep_prob, n_layers)
    generator = make_generator("mlp", rng)
    layers: list[Module] = []
    for i, (n_in, n_out) in enumerate(pairwise(widths)):
        if rates[i] != 1:
            layers.append(Dropout(rates[i]))
        layers.append(Dense(n_in, n_out, names[i], init, bias, generator, dtype))
    return Sequential(*layers)


def _per_layer(activations: Any, n_layers: int) -> list[Any]:
    """Return one activation for each layer."""
    if activations is None or isinstance(activations, str) or callable(activations):
        return [activations] * (n_layers - 1) + ["linear"]
    names = list(activations)
    if len(names) == n_layers:
        return names
    if len(names) == 2 and n_layers > 2:
        return [names[0]] * (n_layers - 1) + [names[1]]
    raise ArgumentError(
        explain(
            "mlp",
            f"{len(names)} activations for {n_layers} layers",
            f"one name, a pair (hidden, output), or {n_layers} names",
            "The input has no activation: there is one fewer than sizes",
        )
    )


def _keep_rates(keep_prob: float | Sequence[float] | None, n_layers: int) -> list[Any]:
    """Return the keep rates of layers 0 … L - 1."""
    if keep_prob is None:
        return [1.0] * n_layers
    if np.ndim(keep_prob) == 0:
        return [1.0] + [_check_share(keep_prob)] * (n_layers - 1)
    rates = list(keep_prob)  # type: ignore[arg-type]  # a sequence, by its dimension
    if len(rates) != n_layers:
        raise ArgumentError(
            explain(
                "mlp",
                f"{len(rates)} keep rates for {n_layers} layers",
                f"one number, or {n_layers}: the input's and each hidden layer's",
                "Put 1 in front to keep all inputs",
            )
        )
    return rates
