"""Good requests are answered right while all goes wrong; `benchmarks.chaos` is the long form."""

from __future__ import annotations

from benchmarks.chaos import chaos, table, wrong

TURNS = 10  # each trouble once, and the first again


def test_good_requests_in_bad_times():
    result = chaos(seconds=TURNS * 0.8, clients=6, pause=0.2, turn_seconds=0.4)
    assert wrong(result, memory=False) == [], table(result)
    assert len(result["counts"]) == 5
    assert len(result["troubles"]) >= 7
