"""What TensorFlow writes about itself while it is imported reaches nobody who did not ask."""

from __future__ import annotations

import sys

import pytest

from zoo.quiet import VARIABLE, import_quietly, quiet_when_imported

LOUD = "import os\nos.write(2, b'cudart\\n')\nvalue = 3\n"


@pytest.fixture
def loud(tmp_path, monkeypatch):
    """A module that writes to standard error when it is imported, and one that fails as well."""
    (tmp_path / "loud_module.py").write_text(LOUD)
    (tmp_path / "failing_module.py").write_text(f"{LOUD}raise OSError('broken')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(VARIABLE, "3")
    before = list(sys.meta_path)
    yield "loud_module"
    sys.meta_path[:] = before
    for name in ("loud_module", "failing_module"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("level", ["3", "0"])
def test_the_first_import_is_quiet_unless_the_user_wants_to_see_it(loud, level, monkeypatch, capfd):
    monkeypatch.setenv(VARIABLE, level)
    quiet_when_imported(loud)
    import loud_module

    assert (loud_module.value, loud_module.__name__) == (3, loud)
    assert capfd.readouterr().err == ("" if level == "3" else "cudart\n")
    assert not [finder for finder in sys.meta_path if type(finder).__module__ == "zoo.quiet"]


def test_an_import_that_fails_shows_everything(loud, capfd):
    with pytest.raises(OSError, match="broken"):
        import_quietly("failing_module")
    assert capfd.readouterr().err == "cudart\n"
