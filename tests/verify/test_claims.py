"""Every claim and every erratum, with other random numbers than the command's."""

from __future__ import annotations

import re

import pytest

from tensorgrad.verify import CLAIMS, ERRATA
from tensorgrad.verify.settling import measure, settle

COUNT = 15
TITLE_WIDTH = 43  # what 80 columns leave in the table

by_id = {"ids": lambda part: part.id}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("claim", CLAIMS, **by_id)
def test_claim_comes_out_as_expected(claim, seed):
    found = settle(claim, count=COUNT, seed_=seed)
    assert (found.verdict, found.counterexample) == (claim.expected, "")


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("erratum", ERRATA, **by_id)
def test_erratum_shows_and_hides_as_it_says(erratum, seed):
    (found,) = measure([erratum], seed_=seed)
    assert found.is_settled, found.evidence


@pytest.mark.parametrize("part", [*CLAIMS, *ERRATA], **by_id)
def test_section_is_a_number_of_the_notes(part):
    assert re.fullmatch(r"[1-7](\.\d){0,2}", part.section)


@pytest.mark.parametrize("claim", CLAIMS, **by_id)
def test_title_fits_into_the_table(claim):
    assert 0 < len(claim.title) <= TITLE_WIDTH
    assert "$" not in claim.title


@pytest.mark.parametrize("part", [*CLAIMS, *ERRATA], **by_id)
def test_mathematics_is_between_pairs_of_dollars(part):
    fields = ("statement", "printed", "right", "why", "invisible")
    texts = [getattr(part, name) for name in fields if hasattr(part, name)]
    assert [text for text in texts if text.count("$") % 2] == []


def test_ids_are_unique():
    ids = [part.id for part in CLAIMS] + [part.id for part in ERRATA]
    assert len(ids) == len(set(ids))


def test_errata_name_claims_that_exist():
    known = {claim.id for claim in CLAIMS}
    assert {erratum.claim for erratum in ERRATA} - {None} <= known


def test_every_corrected_claim_has_its_erratum():
    corrected = {claim.id for claim in CLAIMS if claim.as_printed is not None}
    assert corrected <= {erratum.claim for erratum in ERRATA}


@pytest.mark.parametrize("parts", [CLAIMS, ERRATA], ids=["claims", "errata"])
def test_parts_stand_in_the_order_of_the_notes(parts):
    sections = [tuple(map(int, part.section.split("."))) for part in parts]
    assert sections == sorted(sections)


def test_every_chapter_of_the_notes_is_covered():
    assert {part.section[0] for part in CLAIMS} == set("1234567")
