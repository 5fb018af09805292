"""The rows of the table."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import numpy as np

from benchmarks.contract import Row
from benchmarks.problem import (
    make_binary_net,
    make_chain,
    make_class_net,
    make_example_gradients,
    make_hessian_vector,
    make_log_loss,
    make_softmax,
)

N_CHAIN_OPS = 1000
F32, F64 = np.float32, np.float64


def _digits_row(label: str, dtype: Any) -> Row:
    make_problem = partial(
        make_class_net,
        sizes=(64, 128, 10),
        n=1797,
        dtype=dtype,
        hidden="tanh",
        optimizer="sgd",
        lr=0.1,
    )
    return Row(f"64-128-10 tanh/softmax n=1797 {label}", make_problem)


def _images_row(n: int, optimizer: Literal["sgd", "adam"], lr: float) -> Row:
    make_problem = partial(
        make_class_net,
        sizes=(784, 512, 256, 128, 10),
        n=n,
        dtype=F32,
        hidden="relu",
        optimizer=optimizer,
        lr=lr,
    )
    return Row(f"784-512-256-128-10 relu batch {n} {optimizer} f32", make_problem)


ROWS: tuple[Row, ...] = (
    Row(
        "logistic 30x569 f64",
        partial(make_binary_net, sizes=(30, 1), n=569, dtype=F64, lr=0.1),
    ),
    Row(
        "logistic 784x1000 f32",
        partial(make_binary_net, sizes=(784, 1), n=1000, dtype=F32, lr=0.1),
    ),
    Row(
        "2-4-1 tanh/sigmoid n=400 f64",
        partial(make_binary_net, sizes=(2, 4, 1), n=400, dtype=F64, lr=0.1),
    ),
    _digits_row("f32", F32),
    _digits_row("f64", F64),
    _images_row(32, "adam", 1e-3),
    _images_row(128, "sgd", 0.1),
    _images_row(1024, "sgd", 0.1),
    Row("1000 ops on 1 element f64", partial(make_chain, size=1, n_ops=N_CHAIN_OPS)),
    Row("1000 ops on 10 elements f64", partial(make_chain, size=10, n_ops=N_CHAIN_OPS)),
    Row("softmax 100000x10 f32", partial(make_softmax, shape=(100_000, 10), dtype=F32)),
    Row("softmax 10000x100 f32", partial(make_softmax, shape=(10_000, 100), dtype=F32)),
    Row("log-loss 1000000 f64", partial(make_log_loss, size=1_000_000, dtype=F64)),
    Row(
        "Hessian times vector, 64-128-10 n=1797 f32",
        partial(make_hessian_vector, sizes=(64, 128, 10), n=1797, dtype=F32),
    ),
    Row(
        "gradient by example, 64-128-10 n=256 f32",
        partial(make_example_gradients, sizes=(64, 128, 10), n=256, dtype=F32),
    ),
)
