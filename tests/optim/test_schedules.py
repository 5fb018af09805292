"""Schedules: pure functions from the step to the rate."""

from __future__ import annotations

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.errors import ArgumentError
from tensorgrad.optim import constant, cosine, exponential, step_decay, warmup

STEPS = st.integers(0, 10**6)


@given(step=STEPS)
def test_constant_stays(step):
    assert constant(0.3)(step) == 0.3


@given(step=STEPS, every=st.integers(1, 1000))
def test_step_decay_counts_whole_intervals(step, every):
    assert step_decay(0.3, 0.5, every)(step) == 0.3 * 0.5 ** math.floor(step / every)


@given(step=st.integers(0, 500))
def test_exponential_has_one_ratio(step):
    schedule = exponential(0.3, 0.5)
    assert schedule(step + 1) == schedule(step) * 0.5


@given(steps=st.integers(1, 1000), step=STEPS)
def test_cosine_stays_between_its_ends_and_never_rises(steps, step):
    schedule = cosine(0.3, steps, final=0.1)
    assert 0.1 <= schedule(step + 1) <= schedule(step) <= 0.3


def test_cosine_starts_and_ends_where_it_says():
    schedule = cosine(0.3, 100, final=0.1)
    assert schedule(0) == 0.3
    assert schedule(50) == pytest.approx(0.2, rel=1e-15)
    assert schedule(100) == schedule(10**9) == 0.1


def test_warmup_rises_evenly_and_hands_over():
    schedule = warmup(cosine(0.4, 10), 4)
    assert [schedule(step) for step in range(4)] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert [schedule(4 + step) for step in range(12)] == [
        cosine(0.4, 10)(step) for step in range(12)
    ]


@pytest.mark.parametrize(
    "schedule",
    [
        constant(0.1),
        step_decay(0.1, 0.5, 3),
        exponential(0.1, 0.9),
        cosine(0.1, 5),
        warmup(exponential(0.1, 0.9), 3),
    ],
)
def test_schedules_can_be_pickled_and_tell_their_constants(schedule):
    again = pickle.loads(pickle.dumps(schedule))
    assert [again(step) for step in range(9)] == [schedule(step) for step in range(9)]
    assert "lr=" in repr(schedule)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: constant(-1), "constant: lr is -1: expected a finite number"),
        (lambda: step_decay(0.1, -1, 3), "step_decay: factor is -1"),
        (lambda: step_decay(0.1, 1, 0), "step_decay: every is 0: expected an integer"),
        (lambda: step_decay(0.1, 1, 2.0), "step_decay: every is 2.0"),
        (lambda: exponential(math.inf, 1), "exponential: lr is inf"),
        (lambda: cosine(0.1, True), "cosine: steps is True"),
        (lambda: cosine(0.1, 3, final=math.nan), "cosine: final is nan"),
        (lambda: warmup(0.1, -3), "warmup: steps is -3"),
        (lambda: warmup("slow", 3), "warmup: lr is 'slow'"),
    ],
)
def test_numbers_out_of_range_are_refused(make, match):
    with pytest.raises(ArgumentError, match=match):
        make()
