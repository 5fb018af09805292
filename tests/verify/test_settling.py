"""The judge: what it confirms, corrects and refutes, and what it cannot settle."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import strategies as st

from tensorgrad.verify.records import Claim, Erratum, Evidence, Opinions, distance
from tensorgrad.verify.settling import measure, settle

COUNT = 40


def make(compare, **options):
    settings = {
        "id": "doubled",
        "section": "1",
        "title": "twice the number",
        "statement": "$2 x$",
        "cases": st.integers(-50, 50),
        "compare": compare,
    }
    return Claim(**{**settings, **options})


def right(x):
    yield Opinions("2x", 2.0 * x, graph=x + float(x), numerical=np.multiply(2.0, x))


def squared(x):
    """Right for 0 and 2 alone."""
    yield Opinions("2x", float(x * x), numerical=2.0 * x)


def verdict_of(claim, seed=0):
    return settle(claim, count=COUNT, seed_=seed).verdict


def test_right_form_is_confirmed():
    assert verdict_of(make(right)) == "confirmed"


def test_wrong_form_is_refuted_with_the_simplest_case():
    found = settle(make(squared), count=COUNT, seed_=0)
    assert found.verdict == "refuted"
    assert "in the case 1" in found.counterexample
    assert "2x" in found.counterexample


def test_refuted_claim_is_not_settled():
    assert not settle(make(squared), count=COUNT, seed_=0).is_settled


def test_printed_form_that_fails_everywhere_else_is_corrected():
    claim = make(right, as_printed=squared, hides=lambda x: x in {0, 2})
    found = settle(claim, count=COUNT, seed_=0)
    assert (found.verdict, found.is_settled) == ("corrected", True)
    assert found.off == found.should_be_off > 0


def test_printed_form_that_is_right_unsettles_a_correction():
    assert verdict_of(make(right, as_printed=right)) == "unsettled"


def test_mistake_that_hides_where_it_should_show_unsettles():
    claim = make(right, as_printed=squared, cases=st.sampled_from([0, 1, 3]))
    assert verdict_of(claim) == "unsettled"


def test_mistake_that_shows_where_it_should_hide_unsettles():
    claim = make(right, as_printed=squared, hides=lambda x: x in {0, 1, 2})
    claim = dataclasses.replace(claim, cases=st.integers(0, 9))
    assert verdict_of(claim) == "unsettled"


def test_claim_that_is_never_put_to_the_test_is_unsettled():
    assert verdict_of(make(right, cases=st.nothing())) == "unsettled"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [2.0, 2.0]])
def test_opinion_that_is_no_number_of_that_shape_refutes(value):
    def broken(x):
        yield Opinions("2x", value, numerical=2.0 * x)

    assert verdict_of(make(broken)) == "refuted"


def test_error_of_the_engine_is_not_swallowed():
    def failing(x):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        settle(make(failing), count=COUNT, seed_=0)


@pytest.mark.parametrize("seed", [0, 1])
def test_same_seed_gives_the_same_cases(seed):
    seen = [[], []]
    for cases in seen:
        claim = make(lambda x, cases=cases: cases.append(x) or right(x))
        settle(claim, count=COUNT, seed_=seed)
    assert seen[0] == seen[1]


def test_other_seed_gives_other_cases():
    seen = [[], []]
    for seed, cases in enumerate(seen):
        claim = make(
            lambda x, cases=cases: cases.append(x) or right(x), cases=st.floats()
        )
        claim = dataclasses.replace(claim, cases=st.integers())
        settle(claim, count=COUNT, seed_=seed)
    assert seen[0] != seen[1]


def test_as_many_cases_are_compared_as_were_asked_for():
    assert settle(make(right, cases=st.integers()), count=7, seed_=0).cases == 7


def test_worst_error_is_that_of_the_worst_case():
    def nearly(x):
        yield Opinions("x", 1.0, numerical=1.0 + x * 1e-15, bound=1e-9)

    found = settle(make(nearly, cases=st.integers(0, 100)), count=200, seed_=0)
    assert found.worst == pytest.approx(1e-13, rel=0.02)
    assert found.worst_by_bound == pytest.approx(1e-4, rel=0.02)


@pytest.mark.parametrize(
    ("evidence", "holds"),
    [
        (Evidence("", shown=0.5), True),
        (Evidence("", shown=0.5, hidden=1e-12), True),
        (Evidence("", shown=1e-9), False),
        (Evidence("", shown=0.5, hidden=0.1), False),
        (Evidence("", shown=float("nan")), False),
        (Evidence("", shown=0.5, hidden=float("nan")), False),
    ],
)
def test_evidence_holds_if_the_mistake_shows_and_hides(evidence, holds):
    erratum = Erratum("e", "1", "formula", "", "", "", "", lambda rng: evidence)
    (found,) = measure([erratum], seed_=0)
    assert found.is_settled is holds


def test_distance_is_relative_to_the_larger_norm():
    assert distance([3.0, 4.0], [0.0, 0.0]) == 1.0
    assert distance([1.0], [4.0]) == 0.75


@pytest.mark.parametrize("size", [1e-320, 1e-200, 1.0, 1e200])
def test_distance_neither_overflows_nor_vanishes(size):
    assert distance([size], [2 * size]) == pytest.approx(0.5, rel=1e-2)
