"""Write the embedded data sets anew from scikit-learn's copies.

Run by hand, when a data set is added: ``python tests/data/embed_datasets.py``.
The files come out byte for byte the same on every run; a test compares what
`tensorgrad.data.load` returns with scikit-learn's arrays.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets

SETS = Path(__file__).resolve().parents[2] / "tensorgrad" / "data" / "sets"


def decimals(column: np.ndarray[Any, Any]) -> int:
    """Return the digits after the point that the column's shortest decimals need."""
    return max(
        -int(Decimal(repr(float(v))).normalize().as_tuple().exponent) for v in column
    )


def scale_to_integers(
    x: np.ndarray[Any, Any],
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return integers and divisors whose quotients are `x`, bit for bit."""
    digits = [max(0, decimals(column)) for column in x.T]
    divisor = np.array([10**k for k in digits], dtype=np.int64)
    counts = np.rint(x * divisor).astype(np.int64)
    if not np.array_equal(counts / divisor, x):
        raise ValueError("the decimal representation does not recover the values")
    return counts.astype(np.min_scalar_type(counts.max())), divisor


def embed(name: str) -> None:
    """Write one data set."""
    bunch = getattr(datasets, f"load_{name}")()
    counts, divisor = scale_to_integers(bunch.data)
    np.savez_compressed(
        SETS / f"{name}.npz",
        counts=counts,
        divisor=divisor,
        y=bunch.target.astype(np.uint8),
        columns=np.array([str(c) for c in bunch.feature_names]),
        labels=np.array([str(c) for c in bunch.target_names]),
    )


if __name__ == "__main__":
    for data_set in ("digits", "breast_cancer"):
        embed(data_set)
