"""Exceptions: one base, and one class for each thing a caller can do about it.

Every concrete class also inherits the built-in that a NumPy user would catch.
A message has four parts: what was attempted, what came, what was expected, and
what to do. `explain` joins them, so that all messages read alike.
"""

from __future__ import annotations

__all__ = [
    "ArgumentError",
    "CaptureError",
    "DTypeError",
    "DataError",
    "DetachedError",
    "FileFormatError",
    "GradientCheckError",
    "GraphError",
    "IndexRangeError",
    "MissingExtraError",
    "ShapeError",
    "StaleViewError",
    "TensorgradError",
    "UnsupportedError",
    "explain",
]


class TensorgradError(Exception):
    """Base of every exception that tensorgrad raises on purpose."""


class ShapeError(TensorgradError, ValueError):
    """Shapes, axes or sizes do not fit together."""


class IndexRangeError(TensorgradError, IndexError):
    """An index points outside of an array, or there are more indices than axes."""


class DTypeError(TensorgradError, TypeError):
    """A dtype cannot take part in the operation."""


class ArgumentError(TensorgradError, ValueError):
    """An argument has a value that the function does not accept."""


class UnsupportedError(TensorgradError, TypeError):
    """A function or option has no derivative rule here."""


class DetachedError(TensorgradError, TypeError):
    """A recorded Tensor would leave the graph unnoticed."""


class StaleViewError(TensorgradError, RuntimeError):
    """A view and its base would disagree after an assignment."""


class GraphError(TensorgradError, RuntimeError):
    """The graph cannot answer: no path, not a scalar, an array changed meanwhile."""


class GradientCheckError(TensorgradError, AssertionError):
    """A derivative is not confirmed by the slopes of its function."""


class CaptureError(TensorgradError, RuntimeError):
    """A value was asked for while only shapes and dtypes are known."""


class DataError(TensorgradError, ValueError):
    """Data given by the user cannot be used: missing columns, NaN, empty parts."""


class FileFormatError(TensorgradError, ValueError):
    """A file is corrupt, foreign, or does not fit what it is loaded into."""


class MissingExtraError(TensorgradError, ImportError):
    """An optional package is missing; the message names the extra that brings it."""


def explain(attempted: str, came: str, expected: str, remedy: str) -> str:
    """Join attempt, finding, expectation and remedy into one message.

    Examples
    --------
    >>> explain("matmul", "shapes (3, 4) and (5, 2) do not align", "4 == 5",
    ...         "Transpose one, or reshape")
    'matmul: shapes (3, 4) and (5, 2) do not align: expected 4 == 5. Transpose one, or reshape.'
    """
    end = "" if remedy.endswith((".", "?")) else "."
    return f"{attempted}: {came}: expected {expected}. {remedy}{end}"
