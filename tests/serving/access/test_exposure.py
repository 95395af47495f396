"""What a server says aloud when others can reach it."""

from __future__ import annotations

import logging

import pytest

from serving.access.exposure import is_loopback, warning
from tests.serving.running import running

HERE = ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost"]
ELSEWHERE = [
    "0.0.0.0",
    "::",
    "[::]",
    "192.0.2.7",
    "2001:db8::1",
    "::ffff:192.0.2.7",
    "no.such.host.",
]


@pytest.mark.parametrize("host", HERE)
def test_loopback_needs_no_warning(host):
    assert is_loopback(host)
    assert warning(host, keys=False, tls=False, client_verify=False) is None


@pytest.mark.parametrize("host", ELSEWHERE)
def test_other_addresses_do(host):
    assert not is_loopback(host)
    said = warning(host, keys=False, tls=False, client_verify=False)
    assert said.startswith("OPEN TO EVERYONE: ")
    assert "unencrypted" in said
    assert "--api_key_file" in said


def test_what_keeps_others_out_silences_it():
    said = {
        (keys, tls, verify): warning("0.0.0.0", keys, tls, verify)
        for keys, tls, verify in [
            (False, True, False), (True, False, False), (True, True, False), (False, True, True),
        ]
    }  # fmt: skip
    assert said[False, True, False].startswith("OPEN TO EVERYONE: ")
    assert "unencrypted" not in said[False, True, False]
    assert "unencrypted" in said[True, False, False]
    assert said[True, True, False] is said[False, True, True] is None


def test_it_is_said_at_the_start(models, tmp_path, caplog):
    base = f"--model_base_path={models}/half_plus_two"
    keys = tmp_path / "keys"
    keys.write_text("0f3a5c")
    with caplog.at_level(logging.WARNING):
        for flags, expected in [
            (["--host=0.0.0.0"], "OPEN TO EVERYONE: whoever reaches 0.0.0.0"),
            (["--host=0.0.0.0", f"--api_key_file={keys}"], "reach 0.0.0.0 unencrypted"),
            ([], None),
        ]:
            caplog.clear()
            with running(base, *flags):
                said = [r.getMessage() for r in caplog.records if r.name == "serving.access"]
            assert [expected in line for line in said] == [True] * bool(expected)
