"""Hypothesis strategies for what derivatives are tested at.

Structure is drawn by Hypothesis (which op, which shapes, how large), values from a seed
or from Hypothesis, as a strategy says. Everything shrinks to something small that reads
well; `programs` print as code to paste.

This module needs Hypothesis: ``pip install 'tensorgrad-np[test]'``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tensorgrad._typing import Array
from tensorgrad.core.op import Op
from tensorgrad.errors import ArgumentError, explain
from tensorgrad.ops import TABLE
from tensorgrad.testing import points
from tensorgrad.testing.networks import ACTIVATIONS, Mlp, draw_mlp
from tensorgrad.testing.points import LAYOUTS, OpPoint, draw_kink, draw_point
from tensorgrad.testing.programs import (
    Program,
    build_program,
    find_op,
    usable_steps,
)

__all__ = [
    "arrays",
    "broadcastable_shapes",
    "dtypes",
    "in_layouts",
    "kinks",
    "mlps",
    "operands",
    "positive_definite",
    "programs",
    "separated_spectrum",
    "shapes",
    "trees",
]

MAX_SIDE = 4

seeds = st.integers(0, 2**32 - 1)


def shapes(
    *, min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = MAX_SIDE
) -> st.SearchStrategy[tuple[int, ...]]:
    """Draw shapes, sides of 0 and 1 among them.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(shapes(), lambda shape: 0 in shape)
    (0,)
    """
    return hnp.array_shapes(
        min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side
    )


def broadcastable_shapes(
    n: int = 2, *, max_dims: int = 3, max_side: int = MAX_SIDE
) -> st.SearchStrategy[tuple[tuple[int, ...], ...]]:
    """Draw shapes that broadcast together, sides of 0 and 1 among them.

    Parameters
    ----------
    n : int
        How many.
    max_dims, max_side : int

    Examples
    --------
    >>> from hypothesis import find
    >>> one, other = find(broadcastable_shapes(), lambda both: both[0] != both[1])
    >>> len(np.broadcast_shapes(one, other))
    1
    """
    drawn = hnp.mutually_broadcastable_shapes(
        num_shapes=n, min_side=0, max_side=max_side, max_dims=max_dims
    )
    return drawn.map(lambda found: found.input_shapes)


def dtypes(*, with_complex: bool = False) -> st.SearchStrategy[Any]:
    """Draw dtypes that have derivatives: float64, float32, and complex ones if asked.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(dtypes(), lambda dtype: dtype.itemsize == 4)
    dtype('float32')
    """
    names = ["float64", "float32"] + ["complex128", "complex64"] * with_complex
    return st.sampled_from([np.dtype(name) for name in names])


def in_layouts(
    arrays: st.SearchStrategy[Array],
    layouts: Sequence[str] = tuple(LAYOUTS),
) -> st.SearchStrategy[Array]:
    """Draw the same values in another memory layout.

    Parameters
    ----------
    arrays : strategy for ndarray
    layouts : sequence of str
        Among C, Fortran, strided, reversed, unaligned, read-only.

    Raises
    ------
    ArgumentError
        If there is no such layout.

    Examples
    --------
    >>> from hypothesis import find
    >>> x = st.just(np.ones((2, 3)))
    >>> find(in_layouts(x), lambda x: x.flags.f_contiguous).strides
    (8, 16)
    """
    unknown = [name for name in layouts if name not in LAYOUTS]
    if unknown:
        raise ArgumentError(
            explain(
                "in_layouts",
                f"layouts={unknown}",
                f"names among {', '.join(LAYOUTS)}",
                "Correct the name",
            )
        )
    change = st.sampled_from([LAYOUTS[name] for name in layouts])
    return st.builds(lambda x, lay: lay(x), arrays, change)


def arrays(
    op: Any,
    operand: int = 0,
    *,
    shape: tuple[int, ...] | st.SearchStrategy[tuple[int, ...]] | None = None,
    dtype: Any = np.float64,
) -> st.SearchStrategy[Array]:
    """Draw an array on the domain of an op's operand.

    Parameters
    ----------
    op : str or op
        A name of the table, or its function: ``"log"``, ``tg.log``.
    operand : int
        Its number.
    shape : tuple of int or strategy, optional
        By default any.
    dtype : dtype

    Raises
    ------
    ArgumentError
        If there is no such op, or it has fewer operands.

    Examples
    --------
    >>> from hypothesis import find
    >>> bool(find(arrays("log", shape=(3,)), lambda x: True).min() > 0)
    True
    """
    entry = _entry("arrays", op)
    n_operands = 1 if entry.is_variadic else len(entry.operands)
    if not 0 <= operand < n_operands:
        raise ArgumentError(
            explain(
                "arrays",
                f"operand={operand!r} of {entry.name}",
                f"a number from 0 to {n_operands - 1}",
                f"Its operands are {', '.join(entry.operands)}",
            )
        )
    domain = entry.domain[operand]
    wanted = shapes() if shape is None else shape
    drawn = wanted if isinstance(wanted, st.SearchStrategy) else st.just(wanted)

    def make(shape: tuple[int, ...], seed: int) -> Array:
        rng = np.random.default_rng(seed)
        return points.draw_values(rng, shape, domain, dtype)

    return st.builds(make, drawn, seeds)


def operands(op: Any, *, dtype: Any = np.float64) -> st.SearchStrategy[OpPoint]:
    """Draw operands of an op: on its domain, away from its kinks.

    Parameters
    ----------
    op : str or op
    dtype : dtype

    Returns
    -------
    strategy for OpPoint
        ``.operands`` and ``.static`` call the op; ``.moved`` are those with a
        derivative.

    Examples
    --------
    >>> from hypothesis import find
    >>> at = find(operands("maximum"), lambda at: True)
    >>> at().shape if not at.moving else at(*at.moved).shape
    (3, 4)
    """
    entry = _entry("operands", op)
    return _points(entry, lambda example, rng: draw_point(entry, example, rng, dtype))


def kinks(op: Any, *, dtype: Any = np.float64) -> st.SearchStrategy[OpPoint]:
    """Draw operands that lie exactly on a kink of the op.

    Parameters
    ----------
    op : str or op
        One that has kinks: abs, relu, max, sort …
    dtype : dtype

    Raises
    ------
    ArgumentError
        If the op has no kink.

    Examples
    --------
    >>> from hypothesis import find
    >>> bool((find(kinks("relu"), lambda at: True).operands[0] == 0).any())
    True
    """
    entry = _entry("kinks", op)
    if entry.kink is None:
        raise ArgumentError(
            explain(
                "kinks",
                f"{entry.name}, which is smooth on its domain",
                "an op with kinks, such as absolute, relu or max",
                "Draw its points by operands",
            )
        )
    return _points(entry, lambda example, rng: draw_kink(entry, example, rng, dtype))


def _points(
    op: Op, draw: Callable[[Any, np.random.Generator], OpPoint | None]
) -> st.SearchStrategy[OpPoint]:
    def make(number: int, seed: int) -> OpPoint | None:
        return draw(op.examples[number], np.random.default_rng(seed))

    numbers = st.integers(0, len(op.examples) - 1)
    found = st.builds(make, numbers, seeds).filter(lambda at: at is not None)
    return found  # type: ignore[return-value]  # the filter leaves no None


def positive_definite(
    n: int | st.SearchStrategy[int] = 3,
) -> st.SearchStrategy[Array]:
    """Draw symmetric positive definite matrices with eigenvalues well apart.

    Examples
    --------
    >>> from hypothesis import find
    >>> bool(np.linalg.eigvalsh(find(positive_definite(), lambda a: True))[0] > 0)
    True
    """
    return _matrices(points.positive_definite, n)


def separated_spectrum(
    n: int | st.SearchStrategy[int] = 3,
) -> st.SearchStrategy[Array]:
    """Draw symmetric matrices with eigenvalues of both signs, well apart.

    Examples
    --------
    >>> from hypothesis import find
    >>> values = np.linalg.eigvalsh(find(separated_spectrum(), lambda a: True))
    >>> bool(values[0] < 0 < values[-1])
    True
    """
    return _matrices(points.separated_spectrum, n)


def _matrices(
    make: Callable[[np.random.Generator, int], Array], n: int | st.SearchStrategy[int]
) -> st.SearchStrategy[Array]:
    sizes = n if isinstance(n, st.SearchStrategy) else st.just(n)
    return st.builds(lambda n, seed: make(np.random.default_rng(seed), n), sizes, seeds)


def trees(
    leaves: st.SearchStrategy[Any] | None = None, *, max_leaves: int = 6
) -> st.SearchStrategy[Any]:
    """Draw parameter trees: nested dicts, lists and tuples of arrays.

    Parameters
    ----------
    leaves : strategy, optional
        By default small arrays of float64, some of them empty.
    max_leaves : int

    Examples
    --------
    >>> from hypothesis import find
    >>> find(trees(), lambda tree: isinstance(tree, dict) and "w" in tree)
    {'w': array(0.)}
    """
    values = st.floats(-10, 10, width=64)
    if leaves is None:
        leaves = hnp.arrays(np.float64, shapes(max_dims=2), elements=values)
    keys = st.sampled_from(["w", "b", "scale", "1", "2"])
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.dictionaries(keys, inner, min_size=1, max_size=3),
            st.lists(inner, min_size=1, max_size=3),
            st.tuples(inner, inner),
        ),
        max_leaves=max_leaves,
    )


def mlps(
    *,
    depths: tuple[int, int] = (1, 5),
    activations: Sequence[str] = ACTIVATIONS,
    heads: Sequence[str] = ACTIVATIONS,
    lam: float = 0.7,
    dropout: bool | None = None,
    revealing: bool = True,
) -> st.SearchStrategy[Mlp]:
    """Draw networks with data, in the notes' notation.

    Parameters
    ----------
    depths : tuple of int
        The least and the largest number of layers.
    activations, heads : sequence of str
        For the hidden layers, and for the last one.
    lam : float
        λ of the penalty.
    dropout : bool, optional
        By default with and without.
    revealing : bool
        Distinct widths and a square layer, 5 or 7 examples, neighbouring layers of
        different activations where `activations` has several. Otherwise any widths and
        numbers of examples from 1, and any activations: points that hide mistakes, as
        data of one's own may.

    Examples
    --------
    >>> from hypothesis import find
    >>> network = find(mlps(), lambda network: len(network.activations) >= 2)
    >>> network.x.shape[1] in (5, 7)
    True
    """
    drops = st.booleans() if dropout is None else st.just(dropout)

    @st.composite
    def draw_network(draw: Any) -> Mlp:
        depth = draw(st.integers(*depths))
        hidden: list[str] = []
        for _ in range(depth - 1):
            others = [name for name in activations if hidden[-1:] != [name]]
            pool = others if revealing and others else activations
            hidden.append(draw(st.sampled_from(pool)))
        others = [name for name in heads if hidden[-1:] != [name]]
        head = draw(st.sampled_from(others if revealing and others else heads))
        width = st.integers(1, MAX_SIDE)
        sizes = None
        if not revealing:
            sizes = draw(st.lists(width, min_size=depth + 1, max_size=depth + 1))
        return draw_mlp(
            draw(seeds),
            sizes=sizes,
            activations=[*hidden, head],
            n=None if revealing else draw(st.integers(1, 7)),
            lam=lam,
            dropout=draw(drops),
        )

    return draw_network()


def programs(
    *, ops: Sequence[Any] | None = None, max_ops: int = 8
) -> st.SearchStrategy[Program]:
    """Draw random programs over the table.

    Parameters
    ----------
    ops : sequence of names or ops, optional
        By default all whose results are real numbers with a derivative.
    max_ops : int

    Returns
    -------
    strategy for Program
        Call it with its ``inputs`` or others like them; ``repr`` and ``.source`` are
        code to paste. It shrinks to the steps that matter.

    Raises
    ------
    ArgumentError
        If there is no such op, or none of them can be used.

    Examples
    --------
    >>> from hypothesis import find
    >>> program = find(programs(), lambda p: any("tanh" in str(s.op) for s in p.statements))
    >>> program.n_ops
    1
    """
    entries = None if ops is None else [_entry("programs", op) for op in ops]
    steps = usable_steps(entries)
    if not steps:
        raise ArgumentError(
            explain(
                "programs",
                f"ops={ops!r}, none with a real result that has a derivative",
                "ops of the table with a derivative",
                "Leave ops out to draw from all of them",
            )
        )
    sources = st.lists(st.integers(0, 3), max_size=3)
    drawn = st.lists(
        st.tuples(st.sampled_from(steps), sources), min_size=1, max_size=max_ops
    )

    @st.composite
    def draw_program(draw: Any) -> Program:
        program = build_program(draw(drawn), seed=draw(st.integers(0, 2**16)))
        assume(program.results)
        return program

    return draw_program()


def _entry(caller: str, op: Any) -> Op:
    if isinstance(op, str) and op not in TABLE:
        raise ArgumentError(
            explain(
                caller,
                f"op={op!r}",
                "the name of an op of the table",
                "The reference lists them; NumPy's names are used",
            )
        )
    found = find_op(op)
    if not isinstance(found, Op):
        raise ArgumentError(
            explain(
                caller,
                f"op={op!r}",
                "an op of the table, or its name",
                "Pass for example tg.exp, or 'exp'",
            )
        )
    return found
