"""Batches made ahead: in order, with their errors, and no thread left."""

from __future__ import annotations

import threading

import pytest

from training.run.prefetch import prefetched


def test_items_come_in_order():
    assert list(prefetched(iter(range(20)), lambda n: n * n)) == [n * n for n in range(20)]
    assert list(prefetched(iter(()), str)) == []


def test_an_error_comes_at_its_place():
    def items():
        yield from (1, 2)
        raise ValueError("no third")

    found = prefetched(items(), str)
    assert [next(found), next(found)] == ["1", "2"]
    with pytest.raises(ValueError, match="no third"):
        next(found)


def test_whoever_leaves_early_leaves_no_thread():
    before = threading.active_count()
    for item in prefetched(iter(range(100)), str):
        if item == "3":
            break
    assert threading.active_count() == before
