"""Everything goes wrong once; `python -m benchmarks.chaos` is the long form."""

from __future__ import annotations

from benchmarks.chaos import chaos, faults
from benchmarks.chaos_disturbances import DISTURBANCES

# Too short a time to tell growth from getting warm.
SHORT = {"growth": 1.0}


def test_good_requests_are_answered_whatever_goes_wrong():
    result = chaos(seconds=1, clients=8, turn=0.8)
    assert faults({**result, **SHORT}) == []
    assert result["disturbances"] == {disturb.__name__: 1 for disturb in DISTURBANCES}
    assert set(result["good"]) == {"grpc", "rest", "text", "words", "slow"}


def test_what_does_not_hold_is_told():
    good = {"failures": [], "growth": 1.0, "log_bytes_at_the_end": 9,
            "exit_code": 0, "end_seconds": 1.0}  # fmt: skip
    assert faults(good) == []
    bad = {"failures": ["wrong"] * 7, "growth": 1.2, "log_bytes_at_the_end": 0,
           "exit_code": -9, "end_seconds": 99.0}  # fmt: skip
    assert faults(bad) == [
        *["wrong"] * 5, "7 failures", "memory grew by 20.0 %",
        "the request log is written no more", "exit code -9", "the end took 99.0 s",
    ]  # fmt: skip
