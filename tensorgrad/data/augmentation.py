"""Augmentation: transformed examples of the training set, made batch by batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from tensorgrad._typing import Array, Rng
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, explain

from .arguments import check_arrays, check_count, check_pair, make_generator
from .batches import minibatches
from .rows import Rows

__all__ = ["Augmented", "Mix", "augment", "flip", "mix", "noise", "shift"]

Function: TypeAlias = Callable[[Array, np.random.Generator], Array]
Transform: TypeAlias = "Function | Mix"
"""A function of examples and a generator that returns examples of the same shape, or
`Mix`, which changes labels as well."""


@dataclass(frozen=True, slots=True, eq=False)
class Augmented:
    """Training data whose batches are transformed as they are made.

    `tg.train.fit` takes it in place of the pair (x, y). Each example is seen once in an
    epoch, transformed anew every time; the data themselves stay as they are.

    Attributes
    ----------
    x, y : array_like, or rows on disk
    transforms : tuple
    shape : tuple of int or None
        Of one example, as the transforms see it.
    seed : int
        Where the transforms draw from, together with the number of the epoch and of the
        batch: a training that is taken up again sees the same examples.

    Examples
    --------
    >>> from tensorgrad.data import augment, noise
    >>> data = augment(np.zeros((5, 2)), np.arange(5), noise(0.1))
    >>> [len(y) for _, y in data.minibatches(2)]
    [2, 2, 1]
    """

    x: Rows
    y: Rows
    transforms: tuple[Transform, ...]
    shape: tuple[int, ...] | None
    seed: int

    def __len__(self) -> int:
        return len(self.x)

    def transformed(
        self, x: Array, y: Array, epoch: int = 0, batch: int = 0
    ) -> tuple[Array, Array]:
        """Return a batch with every transform applied, in order.

        Parameters
        ----------
        x, y : ndarray
            Not changed.
        epoch, batch : int
            Their numbers, which the transforms draw by.

        Returns
        -------
        x, y : ndarray, shapes and dtype of x kept
        """
        rng = np.random.default_rng([self.seed, epoch, batch])
        # A copy: a transform may work in place, and in order batches are views.
        examples = _as_images(x.copy(), self.shape)
        for transform in self.transforms:
            if isinstance(transform, Mix):
                examples, y = transform(examples, y, rng)
            else:
                examples = _apply(transform, examples, rng)
        return np.ascontiguousarray(examples).reshape(x.shape), y.view()

    def minibatches(
        self, batch_size: int, rng: Rng | None = None, epoch: int = 0
    ) -> Iterator[tuple[Array, Array]]:
        """Yield transformed batches, every example exactly once.

        Parameters
        ----------
        batch_size : int, examples per batch
        rng : seed, Generator or None
            Of the order, as in `tg.data.minibatches`.
        epoch : int
            Another one gives other transformed examples.

        Yields
        ------
        x, y : ndarray

        Raises
        ------
        ArgumentError
            If `batch_size` is not a positive integer, or `rng` is no seed; by the call,
            not by the first batch.
        """
        batches = enumerate(minibatches(self.x, self.y, batch_size, rng))
        return (self.transformed(x, y, epoch, k) for k, (x, y) in batches)

    def enlarged(self, copies: int = 1) -> tuple[Array, Array]:
        """Return the examples, followed by transformed copies, all in memory.

        Parameters
        ----------
        copies : int
            Transformed copies of every example.

        Returns
        -------
        x, y : ndarray, shape ((copies + 1) * examples, …)

        Raises
        ------
        ArgumentError
            If `copies` is no positive integer, or the data cannot be read as a whole.
        """
        x, y = check_arrays("augment", self.x, self.y)
        n_copies = check_count("augment", "copies", copies)
        parts = [(x, y), *(self.transformed(x, y, epoch=k) for k in range(n_copies))]
        return (
            np.concatenate([part[0] for part in parts]),
            np.concatenate([part[1] for part in parts]),
        )


def augment(
    x: Any,
    y: Any,
    *transforms: Transform,
    shape: tuple[int, ...] | None = None,
    rng: Rng = 0,
) -> Augmented:
    """Return training data whose batches are transformed as they are made.

    Parameters
    ----------
    x : array_like, or rows on disk, shape (examples, …)
    y : likewise, shape (examples, …)
        Kept as it is, but for `mix`: a transform must not change the class.
    *transforms : callable
        ``transform(examples, rng) -> examples``, applied one after the other. `shift`,
        `flip`, `noise` and `mix` make such functions.
    shape : tuple of int, optional
        Shape of one example, such as ``(8, 8)``, when rows of `x` are images laid out
        row by row: transforms see (examples, 8, 8), batches have rows again.
    rng : int or numpy.random.Generator
        Seed, or a generator to draw one from.

    Returns
    -------
    Augmented
        For `tg.train.fit`; or take ``.minibatches(…)`` or ``.enlarged(…)`` of it.

    Raises
    ------
    ArgumentError
        If there is no transform, or `rng` is unusable.
    ShapeError
        If `x` and `y` differ in length, rows do not fill `shape`, or a transform changes
        the shape.
    DTypeError
        If a transform changes the dtype, or cannot work on it.
    DataError
        If there are no examples.

    Notes
    -----
    Augment the training part only, after `split`: copies of one example in two parts
    make the test error look better than it is. Memory is that of a batch.

    References
    ----------
    Notes, section 5.2.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> train, dev, test = tg.data.split(*tg.data.load("digits"))
    >>> data = augment(*train, shift(1), noise(0.5), shape=(8, 8))
    >>> model = tg.nn.mlp([64, 10], ["softmax"], rng=0)
    >>> history = tg.train.fit(model, data, dev, epochs=1, progress=False)
    >>> x, y = data.enlarged(copies=2)
    >>> len(train[0]), x.shape, bool((x[:1078] == train[0]).all())
    (1078, (3234, 64), True)
    """
    x, y = check_pair("augment", x, y)
    generator = make_generator("augment", rng)
    if not transforms:
        raise ArgumentError(
            explain(
                "augment",
                "there is no transform",
                "at least one",
                "Pass shift(1), flip(), noise(0.1) or mix(0.2) after y",
            )
        )
    for transform in transforms:
        if not callable(transform):
            raise ArgumentError(
                explain(
                    "augment",
                    f"{transform!r} as a transform",
                    "a function of (examples, rng)",
                    "Pass shift(1), flip(), noise(0.1) or mix(0.2) after y",
                )
            )
    _check_shape(x.shape, shape)
    seed = int(generator.integers(2**63))
    augmented = Augmented(x, y, transforms, shape, seed)
    # What does not suit the data shows with the first example, before any training.
    augmented.transformed(np.asarray(x[0:1]), np.asarray(y[0:1]))
    return augmented


@dataclass(frozen=True, slots=True)
class Mix:
    """Mixed pairs of examples, and their labels in the same proportion; see `mix`."""

    alpha: float

    def __call__(
        self, examples: Array, y: Array, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """Return mixed examples and labels, in the dtypes of both."""
        for name, values in (("examples", examples), ("labels", y)):
            if not np.issubdtype(values.dtype, np.floating):
                raise DTypeError(
                    explain(
                        "mix",
                        f"{name} of dtype {values.dtype}",
                        "floating-point numbers, of which means are taken",
                        "Make class numbers one-hot: np.eye(n_classes)[y]",
                    )
                )
        n = len(examples)
        share, other = rng.beta(self.alpha, self.alpha, n), rng.permutation(n)
        return _mean(examples, other, share), _mean(y, other, share)


def mix(alpha: float = 0.2) -> Mix:
    """Return a transform that mixes pairs of examples, and their labels likewise.

    Parameters
    ----------
    alpha : float
        The share of the first is drawn from the beta distribution of (alpha, alpha):
        small values leave most examples nearly as they are.

    Returns
    -------
    Mix
        Needs labels in floating point: one-hot rows, 0.0 and 1.0, or numbers.

    Raises
    ------
    ArgumentError
        If `alpha` is not a positive, finite number.

    References
    ----------
    H. Zhang, M. Cisse, Y. Dauphin, D. Lopez-Paz, *mixup: beyond empirical risk
    minimization*, ICLR 2018.

    Examples
    --------
    >>> x, y = np.array([[0.0], [1.0]]), np.eye(2)
    >>> mixed, labels = mix(1.0)(x, y, np.random.default_rng(0))
    >>> bool(np.allclose(labels.sum(axis=1), 1)), bool(np.allclose(mixed[:, 0], labels[:, 1]))
    (True, True)
    """
    if not 0.0 < alpha < math.inf:
        raise ArgumentError(
            explain(
                "mix",
                f"alpha is {alpha!r}",
                "a positive, finite number",
                "Pass for example mix(0.2)",
            )
        )
    return Mix(alpha)


def _mean(values: Array, other: Array, share: Array) -> Array:
    weights = share.astype(values.dtype).reshape(-1, *(1,) * (values.ndim - 1))
    mean: Array = weights * values + (1 - weights) * values[other]
    return mean


def shift(max_pixels: int, *, fill: float = 0.0) -> Function:
    """Return a transform that moves each image by whole pixels, never by none.

    Parameters
    ----------
    max_pixels : int
        Largest move along either axis.
    fill : float
        Value of the pixels that come in at the border.

    Returns
    -------
    callable
        Works on (examples, height, width, …). Moves are drawn uniformly from the
        ``(2 max_pixels + 1)² - 1`` that change the place.

    Raises
    ------
    ArgumentError
        If `max_pixels` is not a positive integer.

    Examples
    --------
    >>> import numpy as np
    >>> from tensorgrad.data import shift
    >>> image = np.zeros((1, 3, 3))
    >>> image[0, 1, 1] = 5.0
    >>> moved = shift(1)(image, np.random.default_rng(0))
    >>> float(moved.sum()), float(moved[0, 1, 1])
    (5.0, 0.0)
    """
    reach = check_count("shift", "max_pixels", max_pixels)

    def move(images: Array, rng: np.random.Generator) -> Array:
        _need_images("shift", images, least=reach + 1)
        n, height, width = images.shape[:3]
        side = 2 * reach + 1
        drawn = rng.integers(0, side * side - 1, size=n)
        drawn += drawn >= side * reach + reach  # skips the move by (0, 0)
        border = [(0, 0), (reach, reach), (reach, reach)] + [(0, 0)] * (images.ndim - 3)
        padded = np.pad(images, border, constant_values=fill)
        rows = drawn[:, None] // side + np.arange(height)
        columns = drawn[:, None] % side + np.arange(width)
        each = np.arange(n)[:, None, None]
        moved: Array = padded[each, rows[:, :, None], columns[:, None, :]]
        return moved

    return move


def flip(direction: str = "horizontal", *, probability: float = 1.0) -> Function:
    """Return a transform that mirrors images.

    Parameters
    ----------
    direction : str
        ``"horizontal"`` swaps left and right, ``"vertical"`` top and bottom.
    probability : float, between 0 and 1
        Chance of each image to be mirrored.

    Returns
    -------
    callable
        Works on (examples, height, width, …).

    Raises
    ------
    ArgumentError
        If `direction` or `probability` is none of these.

    Notes
    -----
    Digits and letters change their meaning in a mirror; photographs mostly do not.

    Examples
    --------
    >>> import numpy as np
    >>> from tensorgrad.data import flip
    >>> flip()(np.array([[[1.0, 2.0, 3.0]]]), np.random.default_rng(0)).tolist()
    [[[3.0, 2.0, 1.0]]]
    """
    axes = {"vertical": 1, "horizontal": 2}
    if direction not in axes:
        raise ArgumentError(
            explain(
                "flip",
                f"direction is {direction!r}",
                "'horizontal' or 'vertical'",
                "Pass flip('horizontal')",
            )
        )
    if not 0.0 <= probability <= 1.0:
        raise ArgumentError(
            explain(
                "flip",
                f"probability is {probability!r}",
                "a number from 0 to 1",
                "Pass probability=0.5 to mirror half of the images",
            )
        )

    def mirror(images: Array, rng: np.random.Generator) -> Array:
        _need_images("flip", images)
        chosen = rng.random(images.shape[0]) < probability
        mirrored = images.copy()
        mirrored[chosen] = np.flip(images[chosen], axis=axes[direction])
        return mirrored

    return mirror


def noise(scale: float) -> Function:
    """Return a transform that adds Gaussian noise to every value.

    Parameters
    ----------
    scale : float, in the unit of x
        Standard deviation.

    Returns
    -------
    callable
        Works on floating-point examples of any shape and keeps their dtype.

    Raises
    ------
    ArgumentError
        If `scale` is not a positive, finite number.

    Examples
    --------
    >>> import numpy as np
    >>> from tensorgrad.data import noise
    >>> noisy = noise(0.1)(np.zeros((2, 3), np.float32), np.random.default_rng(0))
    >>> noisy.dtype, bool((abs(noisy) < 1).all())
    (dtype('float32'), True)
    """
    if not 0.0 < scale < math.inf:
        raise ArgumentError(
            explain(
                "noise",
                f"scale is {scale!r}",
                "a positive, finite number",
                "Pass the standard deviation in the unit of x, such as noise(0.1)",
            )
        )

    def disturb(examples: Array, rng: np.random.Generator) -> Array:
        if not np.issubdtype(examples.dtype, np.floating):
            raise DTypeError(
                explain(
                    "noise",
                    f"the examples have dtype {examples.dtype}",
                    "floating-point examples",
                    "Pass x.astype(float)",
                )
            )
        drawn = np.asarray(scale * rng.standard_normal(examples.shape))
        noisy: Array = examples + drawn.astype(examples.dtype)
        return noisy

    return disturb


def _as_images(x: Array, shape: tuple[int, ...] | None) -> Array:
    return x if shape is None else x.reshape(x.shape[0], *shape)


def _check_shape(whole: tuple[int, ...], shape: tuple[int, ...] | None) -> None:
    if shape is not None and math.prod(shape) != math.prod(whole[1:]):
        raise ShapeError(
            explain(
                "augment",
                f"shape is {shape} and x has shape {whole}",
                f"{math.prod(whole[1:])} values in an example, not {math.prod(shape)}",
                "Pass the height and width of one image",
            )
        )


def _apply(transform: Function, examples: Array, rng: np.random.Generator) -> Array:
    out = np.asarray(transform(examples, rng))
    name = getattr(transform, "__name__", type(transform).__name__)
    if out.shape != examples.shape:
        raise ShapeError(
            explain(
                "augment",
                f"transform {name} made shape {out.shape} of {examples.shape}",
                "a transform that keeps the shape",
                "Crop or pad inside the transform",
            )
        )
    if out.dtype != examples.dtype:
        raise DTypeError(
            explain(
                "augment",
                f"transform {name} made dtype {out.dtype} of {examples.dtype}",
                "a transform that keeps the dtype",
                "Cast x before, or the result inside the transform",
            )
        )
    return out


def _need_images(caller: str, images: Array, least: int = 1) -> None:
    if images.ndim < 3 or min(images.shape[1:3]) < least:
        raise ShapeError(
            explain(
                caller,
                f"the examples have shape {images.shape}",
                f"(examples, height, width, …), at least {least} pixels either way",
                "Pass shape=(height, width) to augment when rows are flattened images",
            )
        )
