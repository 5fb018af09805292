"""``tensorgrad verify``: the table, the files, and what it refuses."""

from __future__ import annotations

import dataclasses
import html.parser
import json
import re
import sys

import pytest

from tensorgrad import verify
from tensorgrad.verify.records import Evidence, Opinions
from tensorgrad.verify.report import as_text
from tensorgrad.verify.settling import measure

FEW = ("--count", 5, "--quiet")


@pytest.fixture
def done(run):
    return run("verify", "--section", "1", *FEW)


def replaced(parts, identity, **changes):
    return tuple(
        dataclasses.replace(part, **changes) if part.id == identity else part
        for part in parts
    )


@pytest.fixture
def wrong_claim(monkeypatch):
    """Let one claim be false."""

    def compare(case):
        yield Opinions("dw", 1.0, numerical=2.0)

    claims = replaced(verify.CLAIMS, "logistic-gradient", compare=compare)
    monkeypatch.setattr(verify, "CLAIMS", claims)


@pytest.fixture
def missing_evidence(monkeypatch):
    """Let one mistake not show."""
    errata = replaced(
        verify.ERRATA, "feature-divisor", measure=lambda rng: Evidence("", shown=0.0)
    )
    monkeypatch.setattr(verify, "ERRATA", errata)


def test_every_claim_of_the_section_has_its_line(done):
    titles = [claim.title for claim in verify.CLAIMS if claim.section[0] == "1"]
    assert [title for title in titles if title not in done.out] == []
    assert done.status == 0


def test_line_has_section_cases_error_and_verdict(done):
    line = re.search(
        r"^1\.1 +gradient of logistic regression.*$", done.out, re.MULTILINE
    )
    assert re.search(r" 5  +\d\.\de-1\d  confirmed$", line[0])


def test_errata_say_what_is_printed_right_and_measured(done):
    for label in ("printed", "right", "why", "measured", "invisible"):
        assert re.search(rf"^{label} +\S", done.out, re.MULTILINE)
    errata = [erratum for erratum in verify.ERRATA if erratum.section[0] == "1"]
    texts = [as_text(found.evidence.text) for found in measure(errata, seed_=0)]
    unbroken = " ".join(done.out.split())
    assert [text for text in texts if " ".join(text.split()) not in unbroken] == []


def test_output_fits_into_eighty_columns(done):
    assert max(map(len, done.out.splitlines())) < 80


def test_section_takes_what_is_under_it_and_nothing_else(run):
    out = run("verify", "--section", "1.1", *FEW).out
    found = set(re.findall(r"^(?:section +)?(\d(?:\.\d)*)[ ,]", out, re.MULTILINE))
    assert found == {"1.1", "1.1.1"}


def test_sections_add_up(run):
    one = run("verify", "--section", "1.1", "--section", "1.1.1", *FEW)
    assert one.out == run("verify", "--section", "1.1", *FEW).out


@pytest.mark.parametrize("section", ["8", "1.9", "x", "", "1.1.", "11"])
def test_unknown_section_is_refused_and_the_known_ones_named(run, section):
    done = run("verify", "--section", section, *FEW)
    assert done.status == 2
    assert f"--section '{section}'" in done.err
    assert "1.1.1" in done.err
    assert done.out == ""


@pytest.mark.parametrize("count", ["0", "-3", "many"])
def test_count_is_a_positive_integer(run, count):
    done = run("verify", "--count", count)
    assert (done.status, done.out) == (2, "")


def test_same_seed_gives_the_same_output(run):
    arguments = ("verify", "--section", "1.1", "--seed", 3, *FEW)
    assert run(*arguments).out == run(*arguments).out


def test_wrong_claim_is_refuted_with_its_case_and_status_1(run, wrong_claim):
    done = run("verify", "--section", "1", *FEW)
    assert done.status == 1
    assert "REFUTED" in done.out
    assert "logistic-gradient: dw: the opinions differ by 5.0e-01" in done.out


def test_missing_evidence_is_told_and_status_1(run, missing_evidence):
    done = run("verify", "--section", "1", *FEW)
    assert done.status == 1
    assert "EVIDENCE" in done.out


def test_json_has_the_lists_claims_and_errata(run, folder):
    assert run("verify", "--section", "1", "--json", "v.json", *FEW).status == 0
    data = json.loads((folder / "v.json").read_text(encoding="utf-8"))
    sections = [part["section"][0] for part in (*data["claims"], *data["errata"])]
    assert set(sections) == {"1"}
    assert data["settled"] is True
    keys = {"section", "claim", "cases", "worst_relative_error", "verdict"}
    assert all(keys <= claim.keys() for claim in data["claims"])
    keys = {"section", "printed", "right", "evidence", "invisible"}
    assert all(keys <= erratum.keys() for erratum in data["errata"])


def test_infinite_errors_are_null_in_json(run, folder, monkeypatch):
    def compare(case):
        yield Opinions("dw", [1.0], numerical=[[1.0]])

    claims = replaced(verify.CLAIMS, "logistic-gradient", compare=compare)
    monkeypatch.setattr(verify, "CLAIMS", claims)
    run("verify", "--section", "1.1", "--json", "v.json", *FEW)
    data = json.loads((folder / "v.json").read_text(encoding="utf-8"))
    errors = {c["id"]: c["worst_relative_error"] for c in data["claims"]}
    assert errors["logistic-gradient"] is None


class Page(html.parser.HTMLParser):
    """Collect what a page loads, and whether its elements are closed."""

    VOID = frozenset({"meta", "br", "link", "img"})

    def __init__(self):
        super().__init__()
        self.loaded, self.open, self.seen = [], [], set()

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.seen.add(tag)
        self.loaded += [named[name] for name in ("src", "href") if name in named]
        self.open += [tag] * (tag not in self.VOID)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def page(run, folder):
    assert run("verify", "--section", "1", "--html", "v.html", *FEW).status == 0
    parsed = Page()
    parsed.feed((folder / "v.html").read_text(encoding="utf-8"))
    return parsed


def test_page_loads_nothing(page):
    assert [link for link in page.loaded if not link.startswith("#")] == []
    assert not page.seen & {"script", "link", "img"}


def test_page_is_well_formed_and_draws_its_formulas(page):
    assert page.open == []
    assert {"table", "article", "math"} <= page.seen


@pytest.mark.parametrize("option", ["--html", "--json"])
@pytest.mark.parametrize("path", ["no/such/folder/file", "."])
def test_file_that_cannot_be_made_is_refused_before_any_work(
    run, option, path, monkeypatch
):
    monkeypatch.setattr(verify, "CLAIMS", None)
    done = run("verify", option, path, *FEW)
    assert (done.status, done.out) == (2, "")
    assert option in done.err


def test_one_file_for_both_is_refused(run, folder):
    done = run("verify", "--html", "v", "--json", "v", *FEW)
    assert done.status == 2
    assert list(folder.iterdir()) == []


@pytest.fixture
def unloaded(monkeypatch):
    """Let the package be imported anew."""
    loaded = [name for name in sys.modules if name.startswith("tensorgrad.verify")]
    for name in loaded:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("tensorgrad.verify")


@pytest.mark.parametrize("package", ["hypothesis", "latex2mathml.converter"])
def test_missing_package_is_named_with_its_extra(run, unloaded, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    done = run("verify", *FEW)
    assert done.status == 2
    assert package in done.err
    assert "pip install 'tensorgrad-np[test]'" in done.err


def test_progress_is_shown_beside_the_result(run):
    done = run("verify", "--section", "1.1", "--count", 2)
    assert "claim" in done.err
    assert run("verify", "--section", "1.1", *FEW).err == ""
