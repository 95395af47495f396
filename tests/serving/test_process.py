"""The process ends when it is told to, whatever runs, and a crashed one is started again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from serving.process.supervisor import Backoff, Supervisor, told
from tests.serving.conformance.conftest import eventually

ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).parent / "process_child.py"
# A server in small: the signals and the forced end are the real ones, what it serves is not.
ENDING = """
import logging, signal, sys, threading, time
from serving.process import ending
logging.basicConfig()
for number in (signal.SIGHUP, signal.SIGINT):  # as a terminal starts it, also under nohup
    signal.signal(number, signal.SIG_DFL)
kind = sys.argv[1]
signals = ending.Signals()
with signals.handled():
    try:
        if kind == "loading":
            print("ready", flush=True)
            time.sleep(60)
        signals.is_loading = False
    except ending.StoppedWhileLoading:
        ending.leave(0)
    if kind == "reread":
        signals.on_hangup = lambda: print("read again", flush=True)
    print("ready", flush=True)
    signals.wait()
    print("stopping", flush=True)
    if kind == "stuck":
        ending.end_by_force_after(0.3)
        threading.Thread(target=time.sleep, args=(60,)).start()
    elif kind == "holds":
        ending.end_by_force_after(0.1)
        import re
        re.match("(a+)+b", "a" * 60)  # holds Python's lock
    elif kind == "drains":
        time.sleep(60)
"""


def started(kind):
    process = subprocess.Popen(
        [sys.executable, "-c", ENDING, kind],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    return process


def ended(process, *signals):
    """Exit code, errors, and how long it took."""
    begin = time.monotonic()
    for number in signals:
        process.send_signal(number)
        time.sleep(0.2)
    _, errors = process.communicate(timeout=20)
    return process.returncode, errors, time.monotonic() - begin


def test_a_signal_ends_it_in_order():
    assert ended(started("serves"), signal.SIGTERM)[0] == 0


def test_a_signal_while_loading_ends_it_at_once():
    code, errors, seconds = ended(started("loading"), signal.SIGTERM)
    assert (code, errors) == (0, "")
    assert seconds < 5


def test_what_does_not_end_is_ended_by_force():
    code, errors, seconds = ended(started("stuck"), signal.SIGTERM)
    assert code == 124
    assert "exit by force, code 124" in errors
    assert seconds < 10


def test_even_what_holds_pythons_lock():
    code, errors, seconds = ended(started("holds"), signal.SIGTERM)
    assert code == 1
    assert "Timeout" in errors
    assert seconds < 10


def test_ctrl_c_twice_ends_it_at_once():
    assert ended(started("drains"), signal.SIGINT, signal.SIGINT)[0] == 128 + signal.SIGINT


def test_sighup_reads_again_where_there_is_a_file_and_else_ends():
    process = started("reread")
    process.send_signal(signal.SIGHUP)
    assert process.stdout.readline() == "read again\n"
    assert ended(process, signal.SIGTERM)[0] == 0
    assert ended(started("serves"), signal.SIGHUP)[0] == 0


SUPERVISED = """
import signal
signal.signal(signal.SIGHUP, signal.SIG_DFL)
import sys
from serving.process.supervisor import Backoff, Supervisor
child = [sys.executable, *sys.argv[1:]]
sys.exit(Supervisor(child, Backoff(first=0.02)).run())
"""


def supervised(tmp_path, crashes):
    counter = tmp_path / "starts"
    command = [sys.executable, "-c", SUPERVISED, str(CHILD), str(counter), str(crashes)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert eventually(counter.with_suffix(".ready").exists)
    return process, counter


def test_a_crashed_server_is_started_again_until_it_stays(tmp_path):
    process, counter = supervised(tmp_path, crashes=3)
    process.send_signal(signal.SIGHUP)
    assert eventually(counter.with_suffix(".hup").exists)
    assert ended(process, signal.SIGTERM)[0] == 0
    assert counter.read_text() == "4"


def test_a_server_that_cannot_start_is_not_tried_again():
    supervisor = Supervisor([sys.executable, "-c", "import sys; sys.exit(255)"])
    before = {number: signal.getsignal(number) for number in signal.Signals if number in PASSED}
    try:
        assert supervisor.run() == 255
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


PASSED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def test_pauses_grow_and_end():
    backoff = Backoff(first=0.1, longest=30.0)
    assert [backoff.pause(n) for n in (1, 2, 3, 12, 10_000)] == [0.1, 0.2, 0.4, 30.0, 30.0]
    assert (told(-signal.SIGABRT), told(3)) == ("SIGABRT", "exit code 3")


@pytest.mark.parametrize("code", [0, 255])
def test_the_command_line_knows_the_flag(code, monkeypatch):
    import serving.__main__

    seen = []
    monkeypatch.setattr(serving.__main__, "supervise", lambda argv: seen.append(argv) or code)
    assert serving.__main__.main(["--supervise", "--port=1"]) == code
    assert seen == [["--supervise", "--port=1"]]
