"""The attacks in short: each told what it should be, the others answered as quickly as before.

`python -m benchmarks.attack` is the long form.
"""

from __future__ import annotations

import os
from dataclasses import replace

from benchmarks.attack import CASES, Case, Result, Server, attackers, percentile, row
from benchmarks.attack_clients import ATTACKS
from tests.serving.running import running

SECONDS, CLIENTS, TRIES = 0.8, 30, 3
HURRY = [
    "--rest_api_header_timeout_in_ms=300", "--rest_api_body_timeout_in_ms=300",
    "--grpc_handshake_timeout_in_ms=300",
]  # fmt: skip
# Takes what processor time there is, which the good clients of this process need, too.
RESETS = "grpc_resets"
# Those of whom some are told something within so short a time.
TOLD = {"silent", "half_heads", "half_bodies", "endless_heads", "large_bodies", "grpc_silent"}


def test_others_do_not_suffer(models):
    """All kinds of bad clients at once; the best of three, for other tests take time too.

    So the bound is that nobody is kept waiting; the long form holds it to twice the normal.
    """
    cases = {
        case.name: replace(case, count=min(case.count, CLIENTS))
        for case in CASES
        if case.slower <= Case("").slower and case.name != RESETS
    }
    with running(f"--model_config_file={models}/models.config", *HURRY) as address:
        rest, grpc = (int(where.rsplit(":", 1)[1]) for where in (address.rest, address.grpc))
        server = Server(rest, grpc, os.getpid())
        percentile(server, SECONDS, [])
        for _ in range(TRIES):
            result = Result(Case("all", slower=10.0), grown_mib=-server.resident_mib())
            result.normal_ms.append(percentile(server, SECONDS, result.failures))
            with attackers(server, list(cases.values())) as told:
                result.attacked_ms.append(percentile(server, SECONDS, result.failures))
                result.grown_mib += server.resident_mib()
            if not result.faults():
                break
    assert result.faults() == []
    assert {name: set(heard) - cases[name].told for name, heard in told.items()} == {
        name: set() for name in cases
    }
    assert {name for name, heard in told.items() if heard} >= TOLD


def test_calls_given_up_by_the_thousand_cost_no_other_its_answer(models):
    failures = []
    with running(f"--model_config_file={models}/models.config") as address:
        rest, grpc = (int(where.rsplit(":", 1)[1]) for where in (address.rest, address.grpc))
        server = Server(rest, grpc, os.getpid())
        with attackers(server, [case for case in CASES if case.name == RESETS]):
            percentile(server, 2 * SECONDS, failures)
    assert failures == []


def test_a_bound_that_does_not_hold_is_told():
    case = Case("silent", told=frozenset({"closed"}))
    good = Result(case, [10.0], [15.0], 3.0, {"closed": 1})
    assert good.faults() == []
    bad = Result(case, [10.0, 12.0, 11.0], [50.0, 10.0, 44.0], 300.0, {"200": 1}, ["x"])
    assert bad.faults() == [
        "x", "others are 4.0 times slower", "memory grew by 300 MiB", "told ['200']",
    ]  # fmt: skip
    assert "others are 4.0 times slower" in row(bad)
    assert bad.as_json()["slower"] == 4.0


def test_every_attack_is_in_the_table():
    assert {case.name for case in CASES} == set(ATTACKS)
