"""A corpus that cannot be had is refused at once."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from training.datasets import fetch
from training.datasets.load import load
from zoo.errors import ZooError


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setattr(fetch.urllib.request, "getproxies", dict)


def refused_after(asked):
    asked.wait()
    raise OSError("too late")


def test_a_host_that_refuses_or_never_answers_is_told_of(monkeypatch):
    with socket.socket() as bound:  # nobody listens there
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/x.zip"
        with pytest.raises(ZooError, match=r"127\.0\.0\.1 cannot be reached .*--data-dir"):
            fetch.check_reachable(url)
    asked = threading.Event()
    monkeypatch.setattr(fetch.socket, "create_connection", lambda *_: refused_after(asked))
    began = time.monotonic()
    with pytest.raises(ZooError, match=r"a\.example cannot be reached \(no answer in 0 s\)"):
        fetch.check_reachable("https://a.example/x.zip", seconds=0.05)
    assert time.monotonic() - began < 2
    asked.set()


def test_a_host_that_answers_and_a_proxy_in_its_place(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        fetch.check_reachable(f"http://127.0.0.1:{port}/x.zip")
        proxies = {"https": f"http://127.0.0.1:{port}"}
        monkeypatch.setattr(fetch.urllib.request, "getproxies", lambda: proxies)
        fetch.check_reachable("https://no.such.host.invalid/x.zip")


def test_a_corpus_without_network_is_refused_before_tfds_tries(monkeypatch, tmp_path):
    def refused(*_):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(fetch.socket, "create_connection", refused)
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    began = time.monotonic()
    with pytest.raises(ZooError, match=r"cannot be reached \(Network is unreachable\)"):
        load("tatoeba_en")
    assert time.monotonic() - began < 10
