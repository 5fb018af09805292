"""The number of BLAS threads during a training, and after it."""

from __future__ import annotations

import sys

import pytest

from tensorgrad.train import fit
from tensorgrad.train.threads import blas_threads, choose_threads, limited_threads
from tests.train.problems import make_blobs, make_model

LARGE = 10**9


def test_small_products_get_one_thread():
    assert choose_threads(32 * 64 * 10, 8) == 1


def test_large_products_keep_what_there_is():
    assert choose_threads(LARGE, 8) == 8


def test_nothing_is_chosen_where_nothing_can_be_set():
    assert choose_threads(LARGE, None) is None


def test_number_is_restored_after_an_exception():
    before = blas_threads()
    with pytest.raises(KeyError), limited_threads(1):
        raise KeyError
    assert blas_threads() == before


def test_training_runs_on_the_chosen_number_and_restores_it():
    before, seen = blas_threads(), []

    def loss(a, y):
        seen.append(blas_threads())
        return (a * a).sum()

    fit(make_model(), make_blobs(), loss=loss, epochs=1, progress=False)
    assert (set(seen), blas_threads()) == ({1}, before)


def test_training_works_without_threadpoolctl(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    assert blas_threads() is None
    history = fit(make_model(), make_blobs(), epochs=1, progress=False)
    assert len(history.train_loss) == 1
