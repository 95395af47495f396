"""Room for connections among the files that a process may open."""

from __future__ import annotations

import resource

import pytest

from serving.access.sockets import open_files, room_for
from serving.grpc_api.server import server_options
from serving.options import parse
from serving.rest.limits import limits_of

INFINITE = resource.RLIM_INFINITY


@pytest.fixture
def allowed(monkeypatch):
    """Sets what the system says and returns what is asked of it."""
    asked = []

    def allow(soft, hard, forbid=False):
        def set_limit(which, limits):
            asked.append(limits)
            if forbid:
                raise PermissionError

        monkeypatch.setattr(resource, "getrlimit", lambda which: (soft, hard))
        monkeypatch.setattr(resource, "setrlimit", set_limit)
        return asked

    return allow


@pytest.mark.parametrize(
    ("soft", "hard", "files", "asked"),
    [
        (1024, 1024, 1024, []),
        (1024, 4096, 4096, [(4096, 4096)]),
        (1024, 1 << 20, 65536, [(65536, 1 << 20)]),
        (1024, INFINITE, 65536, [(65536, INFINITE)]),
        (INFINITE, INFINITE, 65536, []),
        (1 << 20, 1 << 20, 1 << 20, []),
    ],
)
def test_as_many_files_as_the_system_allows(allowed, soft, hard, files, asked):
    seen = allowed(soft, hard)
    assert open_files() == files
    assert seen == asked


def test_a_sandbox_that_forbids_it_leaves_what_there_is(allowed):
    allowed(1024, 4096, forbid=True)
    assert open_files() == 1024


def test_each_interface_has_half_of_the_files(allowed):
    allowed(1024, 1024)
    assert (room_for(4096), room_for(100)) == (384, 100)
    assert limits_of(parse([])).connections == 384
    assert dict(server_options(parse([])))["grpc.max_allowed_incoming_connections"] == 384
    allowed(100, 100)
    assert room_for(4096) == 1
