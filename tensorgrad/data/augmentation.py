"""Enlarge a data set by transformed copies of its examples."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from tensorgrad._typing import Array, Rng
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, explain

from .arguments import check_count, check_pair, make_generator

__all__ = ["augment", "flip", "noise", "shift"]

Transform: TypeAlias = Callable[[Array, np.random.Generator], Array]
"""A function of examples and a generator that returns examples of the same shape."""


def augment(
    x: Any,
    y: Any,
    *transforms: Transform,
    shape: tuple[int, ...] | None = None,
    copies: int = 1,
    rng: Rng = 0,
) -> tuple[Array, Array]:
    """Return the examples, followed by transformed copies with the same labels.

    Parameters
    ----------
    x : array_like, shape (examples, …)
    y : array_like, shape (examples, …)
        Repeated as it is: a transform must not change the class.
    *transforms : callable
        ``transform(examples, rng) -> examples``, applied one after the other to every
        copy. `shift`, `flip` and `noise` make such functions.
    shape : tuple of int, optional
        Shape of one example, such as ``(8, 8)``, when rows of `x` are images laid out
        row by row: transforms see (examples, 8, 8), the result has rows again.
    copies : int
        Transformed copies of every example.
    rng : int or numpy.random.Generator
        Seed or generator that the transforms draw from.

    Returns
    -------
    x : ndarray, shape ((copies + 1) * examples, …)
    y : ndarray, shape ((copies + 1) * examples, …)

    Raises
    ------
    ArgumentError
        If there is no transform, or `copies` or `rng` is unusable.
    ShapeError
        If `x` and `y` differ in length, rows do not fill `shape`, or a transform
        changes the shape.
    DTypeError
        If a transform changes the dtype.

    Notes
    -----
    Augment the training part only, after `split`: copies of one example in two parts
    make the test error look better than it is. Memory is that of the result.

    References
    ----------
    Notes, section 5.2.

    Examples
    --------
    >>> from tensorgrad.data import augment, load, noise, shift
    >>> x, y = load("digits")
    >>> x2, y2 = augment(x, y, shift(1), noise(0.5), shape=(8, 8), copies=2)
    >>> x2.shape, y2.shape, bool((x2[:1797] == x).all())
    ((5391, 64), (5391,), True)
    """
    x, y = check_pair("augment", x, y)
    copies = check_count("augment", "copies", copies)
    generator = make_generator("augment", rng)
    if not transforms:
        raise ArgumentError(
            explain(
                "augment",
                "there is no transform",
                "at least one",
                "Pass shift(1), flip() or noise(0.1) after y",
            )
        )
    examples = _as_images(x, shape)
    parts = [x]
    for _ in range(copies):
        copy = examples
        for transform in transforms:
            copy = _apply(transform, copy, generator)
        parts.append(copy.reshape(x.shape))
    return np.concatenate(parts), np.concatenate([y] * (copies + 1))


def shift(max_pixels: int, *, fill: float = 0.0) -> Transform:
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


def flip(direction: str = "horizontal", *, probability: float = 1.0) -> Transform:
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


def noise(scale: float) -> Transform:
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
    if shape is None:
        return x
    if math.prod(shape) != math.prod(x.shape[1:]):
        raise ShapeError(
            explain(
                "augment",
                f"shape is {shape} and x has shape {x.shape}",
                f"{math.prod(x.shape[1:])} values in an example, not {math.prod(shape)}",
                "Pass the height and width of one image",
            )
        )
    return x.reshape(x.shape[0], *shape)


def _apply(transform: Transform, examples: Array, rng: np.random.Generator) -> Array:
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
