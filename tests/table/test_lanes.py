"""Lanes: an op on many values at once is the op on each of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.core.lanes import Lanes, spread
from tensorgrad.core.tensor import as_value, wrap
from tests.table.cases import CASES, Case, outputs, point

SCALES = np.array([1.0, 0.875, 0.75])


def in_lanes(value):
    """Return lanes of a value, no two of them the same."""
    return Lanes(np.stack([np.asarray(value * s, value.dtype) for s in SCALES]))


def lane(value, k):
    return value.array[k] if isinstance(value, Lanes) else value


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_each_lane_is_the_op_of_its_operands(case: Case) -> None:
    at = point(case)
    # Each operand that moves by itself, and all of them together.
    chosen = [(i,) for i in at.moving] + [at.moving]
    for moving in dict.fromkeys(filter(None, chosen)):
        operands = [
            in_lanes(v) if i in moving else v for i, v in enumerate(at.operands)
        ]
        with np.errstate(all="ignore"):
            found = outputs(spread(case.op, operands, at.static))
            for k in range(len(SCALES)):
                expected = case.op.forward(*[lane(v, k) for v in operands], **at.static)
                for one, other in zip(found, outputs(expected), strict=True):
                    np.testing.assert_allclose(
                        one.array[k], other, rtol=1e-12, atol=1e-12
                    )
                    assert one.shape == np.shape(other)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_every_rule_of_reverse_mode_runs_on_lanes(case: Case) -> None:
    """Against the same rules on one direction after the other."""

    at = point(case)
    if_moving = [m for m in at.moved if m.size]
    places = [i for i, m in enumerate(at.moved) if m.size]
    base = list(at.moved)

    def f(*moved):
        full = list(base)
        for i, value in zip(places, moved, strict=True):
            full[i] = value
        results = outputs(at(*full))
        return [r for r in results if np.asarray(as_value(r)).dtype.kind == "f"]

    numbers = tuple(range(len(if_moving)))
    found = tg.jacobian(f, argnums=numbers)(*if_moving)
    out, pullback = tg.vjp(f, *if_moving)
    for k, leaf in enumerate(out):
        for place in itertools.islice(np.ndindex(leaf.shape), 6):
            g = [np.zeros_like(o) for o in out]
            g[k][place] = 1.0
            for row, share in zip(found[k], pullback(g), strict=True):
                np.testing.assert_allclose(row[place], share, rtol=1e-9, atol=1e-11)


def test_lanes_look_like_one_of_them():
    t = wrap(Lanes(np.zeros((5, 2, 3), np.float32)), None)
    assert (t.shape, t.ndim, t.size, t.dtype) == ((2, 3), 2, 6, np.float32)
