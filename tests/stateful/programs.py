"""Random in-place programs: statements that run on plain arrays and on Tensors alike.

A program is a list of statements, each a name and small numbers that choose its
operands among the variables there are. The same interpreter runs it on both; what it
does is real Python (`y[i] += v`, `for row in y`), since the meaning of an assignment
depends on who holds what.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tensorgrad.core.tensor import Tensor
from tensorgrad.errors import TensorgradError

Statement = tuple[str, tuple[int, ...]]
Env = dict[str, Any]

LIMIT = 4  # variables: few, so that statements meet


def pick(env: Env, i: int) -> str:
    names = sorted(env)
    return names[i % len(names)]


def put(env: Env, i: int, value: Any) -> None:
    env[f"v{i % LIMIT}"] = value


def index_for(x: Any, i: int) -> Any:
    """Return one of the ways to index an array of the shape."""
    n = x.shape[0]
    choices = [
        i % max(n, 1),
        -1,
        slice(1, None),
        slice(None, -1),
        slice(None, None, -1),
        slice(None, None, 2),
        ...,
        (..., 0),
        (slice(None), slice(None, 2)),
        (None, 0),
        [0, -1],
        np.arange(n) % 2 == 0,
        (slice(None), [0, 0]),
        (0, -1),
    ]
    return choices[i % len(choices)]


def _real(x: Any) -> Any:
    """Return the real part, or, of complex numbers, what it would be of real ones.

    A complex step through NumPy's own would be lost.
    """
    if x.dtype.kind == "c":
        return x[...] if x.ndim else x
    return x.real


def view_of(x: Any, i: int) -> Any:
    choices: list[Callable[[], Any]] = [
        lambda: x.T,
        x.ravel,
        lambda: x.reshape(-1),
        lambda: x.reshape(x.shape[::-1]),
        lambda: x[None],
        x.squeeze,
        lambda: np.swapaxes(x, 0, -1),
        lambda: np.split(x, 2)[i % 2],
        lambda: np.diagonal(x).copy(),
        x.flatten,
        lambda: np.atleast_2d(x),
        lambda: np.flip(x, 0),
        lambda: _real(x),
        lambda: np.expand_dims(x, -1),
        lambda: x.T[0],
        lambda: x if x.dtype.kind == "c" else x.conj(),
        lambda: np.moveaxis(x, 0, -1),
        lambda: x.astype(x.dtype, copy=False),
        lambda: np.array_split(x, 2)[i % 2],
        lambda: x.take([0, -1], axis=0),
        lambda: np.asarray(x) if type(x) is np.ndarray else x,
    ]
    return choices[i % len(choices)]()


def compute(x: Any, y: Any, i: int) -> Any:
    choices: list[Callable[[], Any]] = [
        lambda: x + y,
        lambda: x - 0.5 * y,
        lambda: x * y,
        lambda: np.sin(x),
        lambda: np.tanh(x),
        lambda: x * 2.0,
        lambda: 0.25 - x,
        lambda: x.sum(axis=0),
        x.mean,
        lambda: np.where(np.arange(x.shape[-1]) > 0, x, 0.5),
        lambda: np.concatenate([x, x]),
        lambda: np.stack([x, x])[0],
        lambda: np.cumsum(x, axis=0),
        lambda: x @ x.T,
        lambda: x[0] * y,
        lambda: np.sort(x, axis=0),
    ]
    return choices[i % len(choices)]()


# ------------------------------------------------------------------------- statements


def take_view(env: Env, a: int, b: int, c: int) -> None:
    put(env, b, view_of(env[pick(env, a)], c))


def take_index(env: Env, a: int, b: int, c: int) -> None:
    x = env[pick(env, a)]
    put(env, b, x[index_for(x, c)])


def calculate(env: Env, a: int, b: int, c: int) -> None:
    put(env, b, compute(env[pick(env, a)], env[pick(env, b)], c))


def copy_variable(env: Env, a: int, b: int, c: int) -> None:
    put(env, b, env[pick(env, a)].copy())


def alias_variable(env: Env, a: int, b: int, c: int) -> None:
    put(env, b, env[pick(env, a)])


def forget_variable(env: Env, a: int, b: int, c: int) -> None:
    if len(env) > 1:
        del env[pick(env, a)]


def make_buffer(env: Env, a: int, b: int, c: int) -> None:
    x = env[pick(env, a)]
    make = [np.zeros_like, np.ones_like, lambda y: np.full_like(y, 0.5)][c % 3]
    put(env, b, make(x))


def make_plain_buffer(env: Env, a: int, b: int, c: int) -> None:
    x = env[pick(env, a)]
    put(env, b, np.ones(x.shape, x.dtype))


def assign_number(env: Env, a: int, b: int, c: int) -> None:
    x = env[pick(env, a)]
    x[index_for(x, b)] = 0.25 * (c % 5)


def assign_index(env: Env, a: int, b: int, c: int) -> None:
    x, y = env[pick(env, a)], env[pick(env, b)]
    index = index_for(x, c)
    x[index] = y[index]


def assign_result(env: Env, a: int, b: int, c: int) -> None:
    x, y = env[pick(env, a)], env[pick(env, b)]
    x[index_for(x, c)] = np.sin(y)


def assign_shifted(env: Env, a: int, b: int, c: int) -> None:
    x = env[pick(env, a)]
    x[1:] = x[:-1]


def assign_chained(env: Env, a: int, b: int, c: int) -> None:
    x = env[pick(env, a)]
    x[index_for(x, b)][0] = 0.75


def add_to_index(env: Env, a: int, b: int, c: int) -> None:
    x = env[pick(env, a)]
    x[index_for(x, b)] += 0.5 * (c % 3)


def multiply_index(env: Env, a: int, b: int, c: int) -> None:
    x, y = env[pick(env, a)], env[pick(env, b)]
    x[index_for(x, c)] *= np.tanh(y[0])


def add_to_variable(env: Env, a: int, b: int, c: int) -> None:
    env[pick(env, a)] += env[pick(env, b)]


def scale_variable(env: Env, a: int, b: int, c: int) -> None:
    x = env[pick(env, a)]
    x *= 0.5
    env[pick(env, a)] = x


def subtract_from_local(env: Env, a: int, b: int, c: int) -> None:
    x = env[pick(env, a)]
    x -= 0.125
    put(env, b, x * 1.0)


def add_to_rows(env: Env, a: int, b: int, c: int) -> None:
    for row in env[pick(env, a)]:
        row += 0.5  # noqa: PLW2901  # what this is about


def fill_in_loop(env: Env, a: int, b: int, c: int) -> None:
    x = env[pick(env, a)]
    buffer = np.zeros_like(x)
    for i in range(x.shape[0]):
        buffer[i] = np.sin(x[i]) * (i + 1.0)
    put(env, b, buffer)


def accumulate_in_loop(env: Env, a: int, b: int, c: int) -> None:
    x = env[pick(env, a)]
    total = np.zeros_like(x[0])
    for row in x:
        total += row * 0.5
    put(env, b, total)


def recur(env: Env, a: int, b: int, c: int) -> None:
    x = env[pick(env, a)]
    for i in range(1, x.shape[0]):
        x[i] = 0.5 * x[i] + np.tanh(x[i - 1])


def unpack(env: Env, a: int, b: int, c: int) -> None:
    first, second, *_ = env[pick(env, a)]
    put(env, b, first)
    put(env, c, second)


def unpack_nameless(env: Env, a: int, b: int, c: int) -> None:
    first, second, *_ = np.sin(env[pick(env, a)])
    first += 0.5
    put(env, b, first)
    put(env, c, second)


def swap_rows(env: Env, a: int, b: int, c: int) -> None:
    x = env[pick(env, a)]
    x[0], x[-1] = x[-1], x[0]


def write_out(env: Env, a: int, b: int, c: int) -> None:
    target = pick(env, c)
    env[target] = np.add(env[pick(env, a)], env[pick(env, b)], out=env[target])


def write_by_function(env: Env, a: int, b: int, c: int) -> None:
    x, y = env[pick(env, a)], env[pick(env, b)]
    choices: list[Callable[[], Any]] = [
        lambda: np.copyto(x, y),
        lambda: np.copyto(x, 0.5, where=np.arange(x.shape[-1]) > 0),
        lambda: np.put(x, [0, -1], [0.5, 0.25]),
        lambda: np.putmask(x, np.arange(x.size).reshape(x.shape) % 2 == 0, y),
        lambda: np.place(x, np.ones(x.shape, bool), [0.5, 0.25]),
        lambda: np.fill_diagonal(x, 0.5),
        lambda: x.fill(0.75),
        lambda: x.sort(axis=0),
        lambda: x.put([0], [0.125]),
        lambda: np.put_along_axis(x, np.zeros((1,) * x.ndim, int), 0.5, 0),
    ]
    choices[c % len(choices)]()


def add_to_part_of_view(env: Env, a: int, b: int, c: int) -> None:
    x = view_of(env[pick(env, a)], b)
    x[index_for(x, c)] += 0.25
    put(env, b, x)


def add_to_nameless_view(env: Env, a: int, b: int, c: int) -> None:
    view_of(env[pick(env, a)], b)[0] += 0.5


def add_by_call(env: Env, a: int, b: int, c: int) -> None:
    x = env[pick(env, a)]
    put(env, b, operator.iadd(x[index_for(x, c)], 0.25))


STATEMENTS: dict[str, Callable[[Env, int, int, int], None]] = {
    function.__name__: function
    for function in (
        take_view, take_index, calculate, copy_variable, alias_variable,
        forget_variable, make_buffer, make_plain_buffer, assign_number, assign_index,
        assign_result, assign_shifted, assign_chained, add_to_index, multiply_index,
        add_to_variable, scale_variable, subtract_from_local, add_to_rows, fill_in_loop,
        accumulate_in_loop, recur, unpack, unpack_nameless, swap_rows, write_out,
        write_by_function, add_to_part_of_view, add_to_nameless_view,
        add_by_call,
    )
}  # fmt: skip

programs = st.lists(
    st.tuples(
        st.sampled_from(sorted(STATEMENTS)), st.tuples(*[st.integers(0, 41)] * 3)
    ),
    min_size=4,
    max_size=16,
)


def drawn(rng: np.random.Generator, length: int) -> list[Statement]:
    """Return a program from a generator: Hypothesis prefers small and equal numbers."""
    names = sorted(STATEMENTS)
    return [
        (names[rng.integers(len(names))], tuple(rng.integers(0, 42, 3).tolist()))
        for _ in range(length)
    ]


shapes = st.sampled_from([(4,), (3, 3), (2, 3), (2, 2, 2), (1, 3)])


# ------------------------------------------------------------------------- interpreter


def run_on_arrays(program: list[Statement], x: Any) -> tuple[Env, int]:
    """Return the variables, and how many statements ran before NumPy refused one.

    A statement that NumPy refuses may have done half of its work: the variables are
    those before it.
    """
    done = 0
    for length in range(1, len(program) + 1):
        env: Env = {"x": x.copy()}
        try:
            for name, numbers in program[:length]:
                STATEMENTS[name](env, *numbers)
        except (ValueError, TypeError, IndexError, AttributeError, ZeroDivisionError):
            break
        done = length
    env = {"x": x.copy()}
    for name, numbers in program[:done]:
        STATEMENTS[name](env, *numbers)
    return env, done


def is_explicit(error: BaseException | None) -> bool:
    """Tell whether an error is ours, or what NumPy made of ours."""
    while error is not None:
        if isinstance(error, TensorgradError):
            return True
        error = error.__cause__
    return False


def run_on_tensors(program: list[Statement], x: Tensor) -> Env | None:
    """Return the variables, or None if an explicit error ended the program."""
    env: Env = {"x": x}
    try:
        for name, numbers in program:
            STATEMENTS[name](env, *numbers)
    except Exception as error:
        if is_explicit(error):
            return None
        raise
    return env


def readable(env: Env) -> dict[str, Any]:
    """Return the variables that can be read: not the stale ones."""
    found = {}
    for name, x in env.items():
        try:
            x.shape  # noqa: B018  # stale views refuse
        except TensorgradError:
            continue
        found[name] = x
    return found


def value_of(x: Any) -> Any:
    return x.numpy() if isinstance(x, Tensor) else np.asarray(x)
