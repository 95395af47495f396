"""A short soak test, with pauses to leave the processor to other tests.

`python -m benchmarks.soak` is the long one.
"""

from __future__ import annotations

from benchmarks.soak import growth, soak


def test_mixed_requests_while_versions_change():
    result = soak(seconds=6, clients=16, pause=0.3, batching=True)
    assert result["failures"] == []
    assert result["exit_code"] == 0
    assert set(result["counts"]) == {
        "good_grpc", "good_text", "good_rest", "good_words", "bad_grpc", "bad_rest",
    }  # fmt: skip
    memory = result["memory_kib"]
    assert max(memory[len(memory) // 2 :]) < 1.2 * memory[len(memory) // 2 - 1]


def test_growth_is_measured_after_the_first_minute():
    assert growth([100, 200, 200, 210], seconds=240) == 1.05
