"""Which loss and which labels belong to a model's head."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.data.rows import CHUNK_ROWS, Rows, as_rows, lies_on_disk, slices
from tensorgrad.errors import ArgumentError, DataError, ShapeError, explain
from tensorgrad.nn.module import Module
from tensorgrad.ops.losses import cross_entropy, log_loss, mse

__all__ = ["LOSSES", "Loss", "check_examples", "choose_loss", "fit_labels"]

Loss: TypeAlias = Callable[[Any, Any], Any]

LOSSES: dict[str, Loss] = {
    "cross_entropy": cross_entropy,
    "log_loss": log_loss,
    "mse": mse,
}
ONE_HOT_SLACK = 1e-3
"""How far mixed labels in half precision may miss a sum of 1 by rounding."""

_BY_HEAD = {"softmax": "cross_entropy", "sigmoid": "log_loss", "linear": "mse"}


def choose_loss(model: Module, loss: str | Loss | None) -> tuple[Loss, str | None]:
    """Return the loss, and its name if it is one of ours.

    Without a choice the head decides: softmax takes the cross-entropy, sigmoid the
    log-loss, linear the mean of squares.
    """
    if callable(loss):
        named = [name for name, known in LOSSES.items() if known is loss]
        return loss, named[0] if named else None
    if loss is None:
        head = getattr(model, "head", None)
        if head not in _BY_HEAD:
            raise ArgumentError(
                explain(
                    "fit",
                    f"no loss for a model whose head is {head!r}",
                    "a head that is softmax, sigmoid or linear, or a loss",
                    "Pass loss=, a function of (prediction, labels)",
                )
            )
        loss = _BY_HEAD[head]
    if loss not in LOSSES:
        raise ArgumentError(
            explain(
                "fit",
                f"loss={loss!r}",
                f"one of {', '.join(LOSSES)}, or a function of (prediction, labels)",
                "Correct the name",
            )
        )
    return LOSSES[loss], loss


def check_examples(caller: str, x: Any, y: Any = None) -> tuple[Rows, Any]:
    """Return rows of examples after checking sizes and finiteness.

    Raises
    ------
    ShapeError
        If x is not two-dimensional or more, or y has another number of rows.
    DataError
        If x has no rows, x or y are no numbers, or hold NaN or infinity; the message
        names the first one.
    """
    x = as_rows(caller, "x", x)
    if x.ndim < 2:
        raise ShapeError(
            explain(
                caller,
                f"x of shape {x.shape}",
                "examples in rows: (examples, features)",
                "Add an axis: x[None, :] for one example, x[:, None] for one feature",
            )
        )
    if x.dtype.kind not in "biuf":
        raise DataError(
            explain(
                caller,
                f"x of dtype {x.dtype}",
                "real numbers",
                "Encode text and dates as numbers first",
            )
        )
    if len(x) == 0:
        raise DataError(
            explain(caller, "no examples", "at least one row", "Check the split")
        )
    _check_finite(caller, "x", x)
    if y is None:
        return x, None
    y = as_rows(caller, "y", y)
    if y.ndim == 0 or len(y) != len(x):
        raise ShapeError(
            explain(
                caller,
                f"x with {len(x)} rows and y of shape {y.shape}",
                "a label for each row",
                "Examples are rows: transpose data whose examples are columns",
            )
        )
    if y.dtype.kind not in "biufc":
        raise DataError(
            explain(
                caller,
                f"y of dtype {y.dtype}",
                "numbers",
                "Number the classes: names, y = np.unique(y, return_inverse=True)",
            )
        )
    _check_finite(caller, "y", y)
    return x, y


def _check_finite(caller: str, name: str, values: Rows) -> None:
    if values.dtype.kind != "f":
        return
    for rows in slices(len(values), CHUNK_ROWS):
        start, chunk = rows.start, values[rows]
        bad = ~np.isfinite(chunk)
        if bad.any():
            spot = tuple(int(i) for i in np.argwhere(bad)[0])
            where = f"row {start + spot[0]}" + "".join(
                f", column {i}" for i in spot[1:]
            )
            n_bad = sum(
                int((~np.isfinite(values[rest])).sum())
                for rest in slices(len(values), CHUNK_ROWS)
            )
            raise DataError(
                explain(
                    caller,
                    f"{chunk[spot]} in {name} ({where}; {n_bad} in all)",
                    "finite numbers",
                    "Remove such rows, or fill them in (with the column's mean, say)",
                )
            )


def label_rows(
    caller: str, y: Rows, loss_name: str | None, shape: tuple[int, ...]
) -> tuple[Rows, Callable[[Array], Array]]:
    """Check all labels, and return them with what makes a batch of them fit the loss.

    Labels in memory are brought into that form at once. Those on disk are looked at
    piece by piece, and each batch of them is brought into it as it is read.
    """
    if isinstance(y, np.ndarray) and not lies_on_disk(y):
        return fit_labels(caller, np.asarray(y), loss_name, shape), _as_is

    def form(batch: Array) -> Array:
        return fit_labels(caller, batch, loss_name, shape)

    for rows in slices(len(y)):
        fit_labels(caller, np.asarray(y[rows]), loss_name, shape, rows.start)
    return y, form


def _as_is(batch: Array) -> Array:
    return batch


def fit_labels(
    caller: str,
    y: Array,
    loss_name: str | None,
    shape: tuple[int, ...],
    first_row: int = 0,
) -> Array:
    """Return labels in the form that the loss wants for outputs of this row shape.

    ``first_row`` is where these labels begin among all, for the messages.

    Raises
    ------
    ShapeError
        If there is no label for each output.
    DataError
        If a label is outside of the classes, or one-hot rows do not add to 1.
    """
    if loss_name is None:
        return y
    n_outputs = shape[-1] if shape else 1
    if loss_name == "cross_entropy":
        return _class_labels(caller, y, n_outputs, first_row)
    if y.ndim == 1 and n_outputs == 1:
        y = y[:, None]
    if y.shape[1:] != shape:
        raise ShapeError(
            explain(
                caller,
                f"labels of shape {y.shape} for a model with outputs of shape "
                f"(examples, {n_outputs})",
                "a label for each output",
                "Use a softmax head for classes numbered from 0, or one-hot labels",
            )
        )
    if loss_name == "log_loss":
        _check_binary(caller, y, first_row)
    return y


def _check_binary(caller: str, y: Array, first_row: int) -> None:
    wrong = (y != 0) & (y != 1)
    if wrong.any():
        spot = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise DataError(
            explain(
                caller,
                f"the label {y[spot]} in row {first_row + spot[0]} for a sigmoid head "
                f"({_count(wrong, first_row)} neither 0 nor 1)",
                "labels 0 and 1",
                "Code the two classes as 0 and 1, use a softmax head for more of them, or "
                "a loss of your own for probabilities",
            )
        )


def _class_labels(caller: str, y: Array, n_classes: int, first_row: int) -> Array:
    if y.ndim == 2 and y.shape[1] == 1 and n_classes > 1:
        y = y[:, 0]
    if y.ndim == 2:
        _check_one_hot(caller, y, n_classes, first_row)
        return y
    if y.dtype.kind == "f" and (y == np.floor(y)).all():
        y = y.astype(np.int64)
    if y.dtype.kind not in "iub":
        raise DataError(
            explain(
                caller,
                f"labels of dtype {y.dtype} for a softmax head",
                "classes numbered from 0, or one-hot rows",
                "Number them: labels, y = np.unique(y, return_inverse=True)",
            )
        )
    wrong = (y < 0) | (y >= n_classes)
    if wrong.any():
        raise DataError(
            explain(
                caller,
                f"labels from {y.min()} to {y.max()} for a head with {n_classes} classes "
                f"(the first out of range in row {first_row + int(np.argmax(wrong))})",
                f"labels from 0 to {n_classes - 1}",
                "Make the last layer as wide as the number of classes",
            )
        )
    return y


def _check_one_hot(caller: str, y: Array, n_classes: int, first_row: int) -> None:
    """Refuse rows that are no probabilities of the classes."""
    if y.shape[1] != n_classes:
        raise ShapeError(
            explain(
                caller,
                f"one-hot labels of shape {y.shape} for a head with {n_classes} classes",
                f"{n_classes} columns",
                "Make the last layer as wide as the number of classes",
            )
        )
    wrong = (np.abs(y.sum(axis=1) - 1) > ONE_HOT_SLACK) | (y < 0).any(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            explain(
                caller,
                f"one-hot labels of which row {first_row + row} is {y[row].tolist()} "
                f"({_count(wrong, first_row)} of that kind)",
                "rows that add to 1, with no negative entry",
                "Number the classes instead, or divide the rows by their sums",
            )
        )


def _count(wrong: Array, first_row: int) -> str:
    """Say how many of the rows that were looked at are wrong."""
    n = int((wrong.any(axis=-1) if wrong.ndim > 1 else wrong).sum())
    last = first_row + len(wrong) - 1
    return f"of rows {first_row} to {last}, {n} {'is' if n == 1 else 'are'}"
