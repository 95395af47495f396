"""Reloads, labels of new models, and folders that are gone for a moment."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.errors import Code, ServingError
from serving.lifecycle.source import Source, watched_models
from serving.options import parse
from serving.server import ModelServer
from tests.serving.running import free_port, running

FAST = ("--max_num_load_retries=0", "--file_system_poll_wait_seconds=1")


def config(*models):
    wanted = ModelServerConfig()
    for name, base_path, *more in models:
        wanted.model_config_list.config.add(
            name=name, base_path=str(base_path), model_platform="tensorflow", **dict(*more)
        )
    return wanted


@pytest.fixture(scope="module")
def server(models):
    with running(
        f"--model_base_path={models}/half_plus_two", "--model_name=good", *FAST
    ) as started:
        yield started.server


def refusal(work, *args):
    with pytest.raises(ServingError) as error:
        work(*args)
    return error.value


@pytest.fixture
def pair(models, tmp_path):
    """A base path with versions 1 and 2."""
    for number, name in enumerate(("half_plus_two", "half_plus_three"), start=1):
        (origin,) = (models / name).iterdir()
        shutil.copytree(origin, tmp_path / "pair" / str(number))
    return tmp_path / "pair"


def test_a_failed_reload_fails_again_and_a_corrected_one_waits(models, server, tmp_path):
    good = ("good", models / "half_plus_two")
    (tmp_path / "bad" / "1").mkdir(parents=True)
    for _ in range(2):
        error = refusal(server.core.reload, config(good, ("new", tmp_path / "bad")))
        assert error.code is Code.UNKNOWN
        assert "Could not find SavedModel" in error.message
    for _ in range(2):
        error = refusal(server.core.reload, config(good, ("new", tmp_path / "none")))
        assert "Could not find base path" in error.message
    server.core.reload(config(good, ("new", models / "half_plus_three")))
    assert server.manager.available("new") == [1]
    server.core.reload(config(good))


def test_a_reload_of_a_model_that_is_there_tells_what_became_of_it(models, server, pair):
    good = ("good", models / "half_plus_two")

    def specific(version):
        return {"model_version_policy": {"specific": {"versions": [version]}}}

    server.core.reload(config(good, ("pair", pair, specific(1))))
    server.core.reload(config(good, ("pair", pair, specific(2))))
    assert 2 in server.manager.available("pair")
    (pair / "3").mkdir()
    assert (
        refusal(server.core.reload, config(good, ("pair", pair, specific(3)))).code is Code.UNKNOWN
    )
    assert server.manager.available("pair") == [2]
    error = refusal(server.core.reload, config(good, ("pair", pair, specific(7))))
    assert "Version 7 of servable pair" in error.message
    error = refusal(server.core.reload, config(good, ("pair", f"{pair}s", specific(2))))
    assert "Could not find base path" in error.message
    server.core.reload(config(good))


def test_a_model_that_comes_back_while_it_is_unloaded_is_loaded_again(models, server, pair):
    good = ("good", models / "half_plus_two")
    server.core.reload(config(good, ("back", pair)))
    running_request = server.manager.acquire("back", 2)
    server.core.reload(config(good))
    with ThreadPoolExecutor(1) as pool:
        reload = pool.submit(server.core.reload, config(good, ("back", pair)))
        time.sleep(0.1)
        assert not reload.done()
        running_request.release()
        reload.result(timeout=20)
    assert server.manager.available("back") == [2]
    assert server.manager.find("back").path == str(pair / "2")
    server.core.reload(config(good))


def test_labels_of_a_new_model_in_a_reload(models, server, pair):
    good = ("good", models / "half_plus_two")
    policy = {"model_version_policy": {"all": {}}}
    server.core.reload(config(good, ("pair", pair, policy | {"version_labels": {"a": 1, "b": 2}})))
    assert server.manager.find("pair", label="a").version == 1
    error = refusal(server.manager.find, "pair", None, "c")
    assert error.message == "Unrecognized servable version label: c. The model has: a, b."
    server.core.reload(config(good))
    wrong = config(good, ("other", pair, policy | {"version_labels": {"a": 9}}))
    assert refusal(server.core.reload, wrong).code is Code.FAILED_PRECONDITION
    assert server.manager.labels("other") == {}
    server.core.reload(config(good))


@pytest.mark.parametrize("version", [1, 2])
def test_labels_in_the_first_configuration(pair, tmp_path, version):
    path = tmp_path / "models.config"
    labels = {"version_labels": {"stable": version}}
    path.write_text(str(config(("m", pair, {"model_version_policy": {"all": {}}} | labels))))
    with running(f"--model_config_file={path}", *FAST) as address:
        assert address.server.manager.find("m", label="stable").version == version


def test_a_label_of_a_version_that_is_absent_or_broken_fails_the_start(pair, tmp_path):
    (pair / "3").mkdir()
    path = tmp_path / "models.config"
    for version in (3, 9):
        labels = {"version_labels": {"stable": version}}
        path.write_text(str(config(("m", pair, {"model_version_policy": {"all": {}}} | labels))))
        ports = [f"--port={free_port()}", "--drain_seconds=1"]
        server = ModelServer(parse([*ports, f"--model_config_file={path}", *FAST]))
        error = refusal(server.start)
        server.stop()
        assert f"{{name: m version: {version}}}, which is not currently available" in error.message
        assert "--allow_version_labels_for_unavailable_models" in error.message


class Manager:
    """What a source sees of a manager."""

    def __init__(self):
        self.versions = {}

    def aspire(self, name, paths):
        self.versions[name] = sorted(paths)

    def wanted(self, name):
        return self.versions.get(name, [])


def test_the_last_version_stays_until_it_was_gone_for_three_polls(tmp_path):
    manager = Manager()
    source = Source(manager, 0, 3)
    (tmp_path / "m" / "1").mkdir(parents=True)
    source.update(watched_models(config(("m", tmp_path / "m"))))

    def after_poll():
        source.poll()
        return manager.versions["m"]

    assert manager.versions["m"] == [1]
    (tmp_path / "m" / "1").rmdir()
    assert [after_poll(), after_poll()] == [[1], [1]]
    (tmp_path / "m" / "1").mkdir()
    assert after_poll() == [1]
    (tmp_path / "m" / "1").rmdir()
    assert [after_poll() for _ in range(4)] == [[1], [1], [], []]
    (tmp_path / "m" / "1").mkdir()
    assert after_poll() == [1]
    (tmp_path / "m" / "1").rename(tmp_path / "m" / "2")
    assert after_poll() == [2]
    (tmp_path / "m").rename(tmp_path / "away")
    assert [after_poll() for _ in range(4)] == [[2]] * 4


def test_a_model_answers_while_its_folder_is_gone_for_a_moment(models, tmp_path):
    base = tmp_path / "m"
    shutil.copytree(models / "half_plus_three", base)
    with running(f"--model_base_path={base}", *FAST) as address:
        (base / "1").rename(tmp_path / "1")
        time.sleep(1.5)
        (tmp_path / "1").rename(base / "1")
        assert address.server.manager.available("default") == [1]
