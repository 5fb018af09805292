"""Many values of one shape at once: what `jacobian` pushes or pulls along its directions.

A `Lanes` stands in a Tensor in the place of an array. To whoever looks at the Tensor it
has the shape and dtype of one lane; the array has the lanes on an axis in front. `bind`
hands ops with lanes among their operands to `spread`, which applies the entry's
`batch` form, one NumPy call for all lanes, or the op to each lane where it has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad._typing import Array
from tensorgrad.core.aval import Aval

if TYPE_CHECKING:
    from tensorgrad.core.op import Op

__all__ = ["Lanes", "spread"]


class Lanes(Aval):
    """An array whose first axis runs over lanes; shape and dtype are those of one."""

    __slots__ = ("array",)
    # Lanes are not interchangeable for having one shape and dtype, as Avals are.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(self, array: Array) -> None:
        super().__init__(array.shape[1:], array.dtype)
        self.array = array

    @property
    def nbytes(self) -> int:
        return self.array.nbytes

    def __repr__(self) -> str:
        return f"{len(self.array)} lanes of {super().__repr__()}"


def spread(op: Op, values: Sequence[Any], static: dict[str, Any]) -> Any:
    """Apply an op in every lane.

    Values that are no lanes are the same for all of them.

    Examples
    --------
    >>> from tensorgrad.ops.reduce import sum
    >>> spread(sum.op, [Lanes(np.ones((2, 3)))], {}).array
    array([3., 3.])
    """
    if op.batch is not None:
        found = op.batch(op.forward, values, static)
        if found is not None:
            return _as_lanes(found)
    n = next(len(v.array) for v in values if isinstance(v, Lanes))
    each = [
        op.forward(
            *[v.array[k] if isinstance(v, Lanes) else v for v in values], **static
        )
        for k in range(n)
    ]
    if op.n_outputs is None:
        return _as_lanes(np.stack(each))
    outs = [_as_lanes(np.stack(column)) for column in zip(*each, strict=True)]
    return outs if isinstance(each[0], list) else tuple(outs)


def _as_lanes(array: Any) -> Lanes:
    return Lanes(np.asarray(array))
