"""Version folders as people leave them: thousands, renamed, half copied."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from serving.errors import not_found
from serving.lifecycle.manager import Manager, RetryPolicy
from serving.lifecycle.source import Source, watched_models
from serving.lifecycle.version import State
from tests.serving.conformance.conftest import eventually
from tests.serving.lifecycle.test_core import config

MANY = 3000
COMPLETE = "saved_model.pb"


class Runner:
    def retire(self):
        """Nothing runs."""

    def abort(self):
        """Nothing runs."""


class Servable:
    def __init__(self, path):
        self.path, self.runner = path, Runner()

    def close(self):
        """Nothing to free."""


@pytest.fixture
def watch(tmp_path):
    """A source that looks after `m`, polled by hand, with loads that take no time."""
    (tmp_path / "m").mkdir()
    made = []

    def load(name, version, path):
        if not Path(path, COMPLETE).exists():
            raise not_found(f"no {COMPLETE} in {path}")
        return Servable(path)

    def start(kind="latest", pause=60.0):
        manager = Manager(load, RetryPolicy(5, pause), 4)
        source = Source(manager, 0, 3)
        policy = {} if kind == "latest" else {"model_version_policy": {kind: {}}}
        made.append(manager)
        source.update(watched_models(config(("m", tmp_path / "m", policy))))
        return manager, source

    yield tmp_path / "m", start
    for manager in made:
        manager.close(5.0)


def version(base, number, complete=True):
    folder = base / str(number)
    folder.mkdir()
    if complete:
        (folder / COMPLETE).touch()
    return folder


def loaded(manager, *versions):
    return eventually(lambda: manager.available("m") == list(versions))


def test_the_latest_of_thousands_is_found_at_once(watch):
    base, start = watch
    for number in range(1, MANY + 1):
        version(base, number, complete=number == MANY)
    manager, source = start()
    assert loaded(manager, MANY)
    begin = time.monotonic()
    source.poll()
    assert time.monotonic() - begin < 1.0


def test_all_of_many_are_loaded_and_their_threads_end(watch):
    base, start = watch
    for number in range(1, 301):
        version(base, number)
    manager, _ = start("all")
    assert loaded(manager, *range(1, 301))


def test_a_renamed_folder_is_another_version(watch):
    base, start = watch
    version(base, 1)
    manager, source = start()
    assert loaded(manager, 1)
    (base / "1").rename(base / "7")
    source.poll()
    assert loaded(manager, 7)
    (base / "7").rename(base / "backup")
    (base / "backup").rename(base / "1")
    source.poll()
    assert loaded(manager, 1)


def test_a_folder_that_is_still_being_copied_is_loaded_when_it_is_whole(watch):
    base, start = watch
    version(base, 1)
    manager, source = start()
    assert loaded(manager, 1)
    folder = version(base, 2, complete=False)
    source.poll()
    assert eventually(lambda: any(e.error for e in manager.status("m")))
    assert manager.available("m") == [1]
    (folder / COMPLETE).touch()
    source.poll()
    assert loaded(manager, 2)  # and not after the pause of a minute
    assert eventually(lambda: manager.status("m")[-1].state is State.END)
