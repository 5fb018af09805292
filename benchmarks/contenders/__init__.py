"""The contenders, one module each, in the order of the columns.

No module imports its package at the top: a missing peer is a missing column.
"""

from __future__ import annotations

from benchmarks.contenders import (
    autograd_peer,
    jax_jit,
    mygrad_peer,
    numba_peer,
    numpy_out,
    numpy_plain,
    tensorgrad_compiled,
    tensorgrad_eager,
    tinygrad_peer,
    torch_peer,
)
from benchmarks.contract import Contender

BASELINE = numpy_plain.CONTENDER

CONTENDERS: tuple[Contender, ...] = (
    BASELINE,
    numpy_out.CONTENDER,
    tensorgrad_eager.CONTENDER,
    tensorgrad_compiled.NUMPY,
    tensorgrad_compiled.NATIVE,
    jax_jit.CONTENDER,
    torch_peer.EAGER,
    torch_peer.COMPILED,
    autograd_peer.CONTENDER,
    mygrad_peer.CONTENDER,
    tinygrad_peer.CONTENDER,
    numba_peer.CONTENDER,
)
