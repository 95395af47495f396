"""Files and folders that are replaced as a whole, and where the cache is."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from zoo.errors import ZooError
from zoo.io import (
    cache_folder,
    read_text_lines,
    replaced_directory,
    replaced_file,
    text_lines,
    write_atomically,
)

WRITES_FOR_EVER = """
import signal, sys, time
from pathlib import Path
from zoo.io import replaced_directory, replaced_file
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may ignore it
target = Path(sys.argv[2])
with (replaced_file if sys.argv[1] == "file" else replaced_directory)(target) as temporary:
    (temporary if sys.argv[1] == "file" else temporary / "new.txt").write_text("half of it")
    print("written", flush=True)
    time.sleep(60)
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def fail_in_the_middle(replacing, error):
    with replacing as temporary:
        path = temporary / "new.txt" if temporary.is_dir() else temporary
        path.write_text("half of it")
        raise error("in the middle")


@pytest.mark.parametrize("content", ["grün\n", "grün\n".encode(), ""])
@pytest.mark.parametrize("old", [None, "old"])
def test_a_file_is_written_whole(content, old, tmp_path):
    path = tmp_path / "a.txt"
    if old is not None:
        path.write_text(old)
    write_atomically(path, content)
    assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode())
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_is_there_until_the_block_ends(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("old")
    with replaced_file(str(path)) as temporary:
        assert temporary.parent == tmp_path  # on the same disk, so that it can be renamed
        assert temporary.suffix == ".png"  # by which writers choose the format
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_may_be_put_in_the_temporary_ones_place(tmp_path):
    path, other = tmp_path / "a.txt", tmp_path / "other.txt"
    other.write_text("from elsewhere")
    with replaced_file(path) as temporary:
        os.replace(other, temporary)
    assert path.read_text() == "from elsewhere"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("old", [None, "old"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_nothing_else(old, error, tmp_path):
    path = tmp_path / "a.txt"
    if old is not None:
        path.write_text(old)
    with pytest.raises(error, match="in the middle"):
        fail_in_the_middle(replaced_file(path), error)
    assert [p.read_text() for p in tmp_path.iterdir()] == ([] if old is None else [old])


def test_permissions_are_kept_and_new_files_get_the_usual_ones(tmp_path):
    kept, new, usual = (tmp_path / name for name in ("kept", "new", "usual"))
    kept.write_text("old")
    kept.chmod(0o640)
    usual.write_text("")
    for path in (kept, new):
        write_atomically(path, "new")
    assert mode(kept) == 0o640
    assert mode(new) == mode(usual)


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write_atomically(tmp_path / "nowhere" / "a.txt", "")


@pytest.mark.parametrize("old", [None, "file", "empty", "full"])
def test_a_directory_is_replaced_whole(old, tmp_path):
    target = tmp_path / "above" / "folder"
    if old:
        target.mkdir(parents=True)
        (target / "old.txt").write_text("old")
    if old == "empty":
        (target / "old.txt").unlink()
    with replaced_directory(target) as temporary:
        (temporary / "new.txt").write_text("new")
        assert not (target / "new.txt").exists()
        assert (target / "old.txt").exists() == (old in ("file", "full"))
    assert [(p.name, p.read_text()) for p in target.iterdir()] == [("new.txt", "new")]
    assert list(target.parent.iterdir()) == [target]
    assert mode(target) == 0o755


def test_an_error_leaves_the_old_directory_and_nothing_else(tmp_path):
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old.txt").write_text("old")
    with pytest.raises(ValueError, match="in the middle"):
        fail_in_the_middle(replaced_directory(target), ValueError)
    assert [p.name for p in target.iterdir()] == ["old.txt"]
    assert list(tmp_path.iterdir()) == [target]


def test_the_old_directory_is_put_back_if_the_new_one_cannot_be_moved(tmp_path):
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old.txt").write_text("old")
    with pytest.raises(FileNotFoundError), replaced_directory(target) as temporary:
        temporary.rmdir()
    assert [p.name for p in target.iterdir()] == ["old.txt"]
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("what", ["file", "directory"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_process_that_is_ended_leaves_what_was_there(what, number, tmp_path):
    target = tmp_path / "target"
    inside = target if what == "file" else target / "old.txt"
    inside.parent.mkdir(exist_ok=True)
    inside.write_text("old")
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITES_FOR_EVER, what, str(target)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"written\n"
    writer.send_signal(number)
    writer.communicate(timeout=30)
    assert inside.read_text() == "old"
    if number == signal.SIGINT:
        assert list(tmp_path.iterdir()) == [target]


def test_a_reader_never_meets_half_a_file(tmp_path):
    path = tmp_path / "a.txt"
    write_atomically(path, "a" * 100_000)
    code = "import sys; from zoo.io import write_atomically\nfor i in range(200):"
    code += " write_atomically(sys.argv[1], 'ab'[i % 2] * 100_000)"
    with subprocess.Popen([sys.executable, "-c", code, str(path)]) as writer:
        while writer.poll() is None:
            content = path.read_text()
            assert len(content) == 100_000
            assert len(set(content)) == 1
            time.sleep(0.001)
    assert writer.returncode == 0


def test_the_cache_is_where_the_variable_says(monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"


@pytest.mark.parametrize("value", [None, ""])
def test_the_cache_is_the_users(value, monkeypatch, tmp_path):
    if value is None:
        monkeypatch.delenv("ZOO_CACHE", raising=False)
    else:
        monkeypatch.setenv("ZOO_CACHE", value)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name, **_: str(tmp_path / name))
    assert cache_folder() == tmp_path / "recurrent-zoo"
    assert cache_folder().is_dir()


@pytest.mark.parametrize("reason", ["cannot be made", "is not writable"])
def test_a_home_that_cannot_be_written_gives_a_temporary_cache(reason, monkeypatch, tmp_path):
    monkeypatch.delenv("ZOO_CACHE", raising=False)
    home = tmp_path / "home"
    if reason == "cannot be made":
        home.write_text("a file where the folder should be")
    else:  # tests may run as root, who may write anywhere
        monkeypatch.setattr("os.access", lambda *_: False)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name, **_: str(home / name))
    folder = cache_folder()
    assert folder.parent == Path(tempfile.gettempdir())
    assert folder.name.startswith("recurrent-zoo")


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"one\ntwo", ["one", "two"]),
        (b"one\r\n\r\nthree\n\n", ["one", "", "three", ""]),
        (b"\xef\xbb\xbfone\ntwo\n", ["one", "two"]),
        (b"\xef\xbb\xbf", []),
        (b"\xef\xbb\xbf\xef\xbb\xbfone\n\xef\xbb\xbftwo", ["\ufeffone", "\ufefftwo"]),
        ("a\u2028b\x0bc\x85d\re\n".encode(), ["a\u2028b\x0bc\x85d\re"]),
    ],
)
def test_lines_of_a_text_without_its_byte_order_mark(content, lines, tmp_path):
    (tmp_path / "text").write_bytes(content)
    assert read_text_lines(tmp_path / "text") == text_lines(content, "text") == lines


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"caf\xe9\n", "is not UTF-8 .byte 3.; convert it first"),
        (b"\xef\xbb\xbfcaf\xe9\n", "is not UTF-8 .byte 6."),
        ("the cat".encode("utf-16"), "is not UTF-8 .byte 0."),
        ("the cat".encode("utf-16-le"), "holds NUL characters: not a text file"),
        (None, "cannot read .*: No such file"),
    ],
)
def test_files_that_are_no_text_are_refused(content, message, tmp_path):
    if content is not None:
        (tmp_path / "text").write_bytes(content)
    with pytest.raises(ZooError, match=message):
        read_text_lines(tmp_path / "text")


@pytest.mark.parametrize("what", ["a link", "writable by all", "of another user", "a file"])
def test_a_temporary_cache_that_others_can_reach_is_refused(what, monkeypatch, tmp_path):
    monkeypatch.delenv("ZOO_CACHE", raising=False)
    (tmp_path / "home").write_text("a file where the folder should be")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: str(tmp_path / "home/x"))
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    folder = cache_folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert cache_folder() == folder
    if what == "of another user":
        os.mkdir(tmp_path / f"recurrent-zoo-{os.getuid() + 1}", 0o700)
        other = os.getuid() + 1
        monkeypatch.setattr(os, "getuid", lambda: other)
    elif what == "writable by all":
        folder.chmod(0o777)
    else:
        folder.rmdir()
        folder.symlink_to("/etc") if what == "a link" else folder.write_text("x")
    with pytest.raises(ZooError, match="recurrent-zoo.*belongs to another user.*set ZOO_CACHE"):
        cache_folder()
