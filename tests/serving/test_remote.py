"""Base paths in stores: what is copied and served, and what is said when that fails."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import fsspec
import pytest
import tensorflow as tf

from serving.lifecycle import remote
from serving.lifecycle.source import list_versions
from serving.options import parse
from serving.server import ModelServer
from tests.serving import web
from tests.serving.conformance.conftest import eventually
from tests.serving.running import free_port, running


@pytest.fixture
def store(models, tmp_path, monkeypatch):
    """An empty store in memory; the function copies half_plus_two or another to a path in it."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    system = fsspec.filesystem("memory")
    system.store.clear()

    def put(name, path):
        (version,) = (models / name).iterdir()
        system.put(str(version), path, recursive=True)
        return system

    yield put
    system.store.clear()


def test_versions_in_a_store_are_copied_once_and_served(store, tmp_path):
    system = store("half_plus_two", "/bucket/m/1")
    system.pipe("/bucket/m/notes.txt", b"no version")
    with running("--model_base_path=memory://bucket/m", "--model_name=m") as address:

        def value():
            return web.post(address.rest, "/v1/models/m:predict", {"instances": [2]}).json

        assert value() == {"predictions": [3.0]}
        (copy,) = (tmp_path / "cache/remote").glob("*/1/*")
        inode = copy.stat().st_ino
        assert remote.local_copy("memory://bucket/m/1") == str(copy)
        assert copy.stat().st_ino == inode
        store("half_plus_three", "/bucket/m/2")
        assert eventually(lambda: value() == {"predictions": [4.0]})


def test_a_changed_version_is_copied_anew_and_half_of_one_never_seen(store, tmp_path, monkeypatch):
    system = store("half_plus_two", "/bucket/m/1")
    first = remote.local_copy("memory://bucket/m/1")
    system.pipe("/bucket/m/1/extra", b"more")
    get = type(system).get

    def breaks(self, *args, **kwargs):
        get(self, *args, **kwargs)
        raise ConnectionResetError("cut")

    monkeypatch.setattr(type(system), "get", breaks)
    with pytest.raises(Exception, match="the network or the store does not answer") as error:
        remote.local_copy("memory://bucket/m/1")
    assert error.value.code.name == "UNAVAILABLE"
    folder = os.path.dirname(first)
    assert os.listdir(folder) == [os.path.basename(first)]
    monkeypatch.setattr(type(system), "get", get)
    second = remote.local_copy("memory://bucket/m/1")
    assert second != first
    assert Path(second, "extra").read_bytes() == b"more"


class NoCredentialsError(Exception):
    """As botocore's."""


class ClientConnectorError(OSError):
    """As aiohttp's."""


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (NoCredentialsError("Unable to locate credentials"), "the credentials do not suffice"),
        (PermissionError("Forbidden"), "the credentials do not suffice"),
        (ClientConnectorError("no host"), "the network or the store does not answer"),
        (TimeoutError(), "the network or the store does not answer"),
        (FileNotFoundError("bucket"), "there is no such folder"),
        (tf.errors.PermissionDeniedError(None, None, "no"), "the credentials do not suffice"),
        (tf.errors.UnavailableError(None, None, "x"), "the network or the store does not answer"),
        (tf.errors.FailedPreconditionError(None, None, "libcurl code 6"), "the network or the"),
        (tf.errors.UnimplementedError(None, None, "x"), r"pip install s3fs \(or recurrent-zoo"),
    ],
)  # fmt: skip
def test_the_cause_is_said(error, cause, monkeypatch):
    def fails(path):
        raise error

    monkeypatch.setattr(remote, "file_system", lambda path: None)
    monkeypatch.setattr(remote, "_listed_by_tensorflow", fails)
    with pytest.raises(OSError, match=cause):
        list_versions("s3://bucket/m")


def test_a_scheme_that_nobody_implements():
    with pytest.raises(OSError, match="the scheme is not implemented .*nosuch"):
        list_versions("nosuch://bucket/m")


def test_a_start_that_waits_for_a_store_says_so_and_goes_on_when_it_is_there(store):
    port = free_port()
    flags = [f"--rest_api_port={port}", f"--port={free_port()}", "--drain_seconds=1"]
    server = ModelServer(parse([*flags, "--model_base_path=memory://bucket/late"]))
    start = threading.Thread(target=server.start)
    start.start()
    base = f"http://127.0.0.1:{port}"
    try:

        def readiness():
            try:
                return web.get(base, "/v1/health/ready")
            except ConnectionRefusedError:
                return None

        assert eventually(lambda: readiness() is not None)
        reply = readiness()
        assert (reply.status, reply.json["unavailable_models"]) == (503, ["default"])
        assert "there is no such folder" in reply.json["reasons"]["default"]
        assert web.get(base, "/v1/health/live").status == 200
        refused = web.post(base, "/v1/models/default:predict", {"instances": [2]})
        assert (refused.status, "/v1/health/ready" in refused.error) == (503, True)
        store("half_plus_two", "/bucket/late/1")
        start.join(20)
        assert web.get(base, "/v1/health/ready").json["reasons"] == {}
        reply = web.post(base, "/v1/models/default:predict", {"instances": [2]})
        assert reply.json == {"predictions": [3.0]}
    finally:
        server.stop()
