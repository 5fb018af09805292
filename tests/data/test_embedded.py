"""The embedded sets are scikit-learn's, bit for bit, with their notices."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest
from sklearn import datasets

from tensorgrad.data import describe, load
from tensorgrad.errors import ArgumentError

NAMES = ["digits", "breast_cancer"]

COMPACT_BYTES = 50_000  # a set must not weigh on the wheel


def published(name):
    return getattr(datasets, f"load_{name}")()


@pytest.mark.parametrize("name", NAMES)
def test_features_are_the_published_bits(name):
    x, _ = load(name)
    assert x.dtype == np.float64
    assert x.tobytes() == np.ascontiguousarray(published(name).data).tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_the_published_ones(name):
    _, y = load(name)
    assert y.dtype == np.int64
    np.testing.assert_array_equal(y, published(name).target)


@pytest.mark.parametrize(
    ("name", "shape"), [("digits", (1797, 64)), ("breast_cancer", (569, 30))]
)
def test_sizes_are_the_documented_ones(name, shape):
    assert load(name)[0].shape == shape


@pytest.mark.parametrize("name", NAMES)
def test_columns_have_the_published_names(name):
    assert list(describe(name).columns) == list(published(name).feature_names)


@pytest.mark.parametrize("name", NAMES)
def test_classes_have_the_published_names(name):
    expected = [str(label) for label in published(name).target_names]
    assert list(describe(name).labels) == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_caller_may_write_into_what_is_loaded(name):
    first, _ = load(name)
    first[:] = -1
    assert load(name)[0].min() >= 0


@pytest.mark.parametrize("name", NAMES)
def test_notice_names_the_licence(name):
    assert "CC BY 4.0" in describe(name).licence


@pytest.mark.parametrize(
    ("name", "doi"),
    [("digits", "10.24432/C50P49"), ("breast_cancer", "10.24432/C5DW2B")],
)
def test_citation_has_the_identifier_of_the_publication(name, doi):
    assert doi in describe(name).citation


@pytest.mark.parametrize("name", NAMES)
def test_description_prints_every_part_of_the_notice(name):
    about = describe(name)
    text = str(about)
    parts = [about.title, about.citation, about.licence, about.source, about.changes]
    assert all(part in text for part in parts)


@pytest.mark.parametrize("name", NAMES)
def test_file_is_compact(name):
    file = files("tensorgrad.data") / "sets" / f"{name}.npz"
    assert len(file.read_bytes()) < COMPACT_BYTES


@pytest.mark.parametrize("function", [load, describe])
def test_unknown_name_is_refused_with_the_nearest(function):
    with pytest.raises(
        ArgumentError, match=r"no data set is called 'digts'.*'digits'\?"
    ):
        function("digts")
