"""`make serve`: few lines before the answers, and the reason when the server does not start."""

from __future__ import annotations

import signal

import pytest

from serving import quickstart
from zoo.presets.store import shipped_presets


@pytest.fixture
def signals():
    """What main sets, put back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


class Ended:
    """A server's process that has ended."""

    def poll(self):
        return 255

    def wait(self):
        return 255


def test_progress_in_a_pipe_is_a_few_lines(tmp_path, capsys):
    names, log = [f"preset_{i}" for i in range(30)], tmp_path / "log"
    with quickstart.Progress(names) as progress:
        for i, name in enumerate(names):
            log.write_text("".join(f"I] exporting {n} to /x\n" for n in names[: i + 1]))
            progress.follow(log)
            assert progress._done == i
            assert name
    lines = capsys.readouterr().out.splitlines()
    assert 1 < len(lines) <= quickstart.LINES_IN_A_PIPE
    assert lines[-1] == "exported 28 of 30 presets"


def test_make_serve_says_at_most_25_lines(monkeypatch, capsys, tmp_path, signals):
    class Client:
        rest = classmethod(lambda cls, url: cls(url))

        def __init__(self, address):
            pass

        def next_words(self, texts, model):
            return [[("go", 0.1)]]

        def translate(self, texts, model):
            return [[("Where?", -1.0)]]

    def follow(self, log):
        print("\n".join(["exported"] * (quickstart.LINES_IN_A_PIPE - 1)))

    class Running(Ended):
        def poll(self):
            return None

    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    monkeypatch.setattr(quickstart, "Client", Client)
    monkeypatch.setattr(quickstart, "started", lambda flags, stream: Running())
    monkeypatch.setattr(quickstart, "is_ready", lambda url: True)
    monkeypatch.setattr(quickstart.Progress, "follow", follow)
    quickstart.main([])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"the server's log is in {tmp_path}/serve.log"
    assert len(lines[: lines.index("Ctrl-C stops the server")]) <= 25
    assert any(f"{quickstart.REST}/" in line for line in lines)


def test_a_server_that_does_not_start_shows_the_end_of_its_log(
    monkeypatch, capsys, tmp_path, signals
):
    def started(flags, stream):
        stream.write(b"first\n" * 9 + b"Failed to start server. Error: no port\n")
        stream.flush()
        assert flags == ["--port=1"]
        return Ended()

    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    monkeypatch.setattr(quickstart, "started", started)
    assert quickstart.main(["--port=1"]) == 255
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == "Failed to start server. Error: no port"
    assert len(said) == 1 + quickstart.TAIL


def test_the_shipped_presets_are_what_it_asks():
    assert {quickstart.LANGUAGE_MODEL, quickstart.TRANSLATOR} <= set(shipped_presets())
