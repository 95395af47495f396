"""Weights that are not in the package come from a release's address, checked, once."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading

import pytest

import zoo
from zoo.io import CACHE_VARIABLE
from zoo.models import NGramLanguageModel
from zoo.presets import release, store


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a word."""

    def log_message(self, *arguments):
        self.server.asked.append(self.path)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A release on a local server: its address, its folder, and what was asked."""
    folder = tmp_path_factory.mktemp("release")
    NGramLanguageModel.train(["the cat is small", "a dog"], order=2).save_to_preset(folder / "toy")
    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", folder, server.asked
        server.shutdown()
        thread.join()


@pytest.fixture
def small(served, tmp_path, monkeypatch):
    """A package that has the preset's description alone, and an empty cache."""
    address, folder, asked = served
    package = tmp_path / "package"
    (package / "toy").mkdir(parents=True)
    for name in ("config.json", "card.md"):
        shutil.copy(folder / "toy" / name, package / "toy")
    monkeypatch.setattr(store, "SHIPPED", package)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv(release.ADDRESS_VARIABLE, f"{address}/")
    monkeypatch.delenv(release.OFFLINE_VARIABLE, raising=False)
    asked.clear()
    return package / "toy"


def test_weights_are_fetched_once_and_then_need_no_network(small, served, monkeypatch):
    assert list(zoo.list_presets()) == ["toy"]
    expected = zoo.load(served[1] / "toy").score(["the cat"])
    assert zoo.load("toy").score(["the cat"]) == expected
    assert sorted({path.split("/")[-1] for path in served[2]}) == sorted(
        path.name for path in (served[1] / "toy").rglob("*.*")
        if path.name not in release.IN_SMALL_WHEEL
    )  # fmt: skip
    monkeypatch.setenv(release.OFFLINE_VARIABLE, "1")
    assert zoo.load("toy").score(["the cat"]) == expected


def test_what_is_in_the_package_is_not_fetched(small, served):
    shutil.copytree(served[1] / "toy", small, dirs_exist_ok=True)
    zoo.load("toy")
    assert served[2] == []


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ZOO_OFFLINE", "1", r"the weights of 'toy' are not in this .* ZOO_OFFLINE=1 forbids"),
        ("ZOO_RELEASES", "", "set ZOO_RELEASES to the address of a release"),
        ("ZOO_RELEASES", "file:///etc", "give an address with https: or http:"),
        ("ZOO_RELEASES", "http://127.0.0.1:1", "cannot fetch http://127.0.0.1:1/toy/"),
    ],
)
def test_what_cannot_be_had_is_said_in_a_line(small, monkeypatch, variable, value, said):
    monkeypatch.setenv(variable, value)
    with pytest.raises(zoo.ZooError, match=said) as error:
        zoo.load("toy")
    assert "\n" not in str(error.value)


def test_another_file_is_refused_and_nothing_is_left(small, served, tmp_path):
    path = served[1] / "toy" / "tokenizer.json"
    kept = path.read_bytes()
    path.write_bytes(kept + b" ")
    try:
        with pytest.raises(zoo.ZooError, match="is another file than this version's"):
            zoo.load("toy")
    finally:
        path.write_bytes(kept)
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]
    zoo.load("toy")
