"""Damaged and hostile preset folders of every family: a model, or one line that names the file."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import zoo
from tests.helpers.presets import with_new_sums, without_sums
from tests.zoo.presets.test_reads import KINDS
from zoo.errors import ZooError
from zoo.presets import store, sums

Damage = Callable[[bytes, random.Random], bytes]


def flipped(content: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(chance.choice([1, 1, 8])):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


DAMAGES: dict[str, Damage] = {
    "flipped": flipped,
    "cut": lambda content, chance: content[: chance.randrange(len(content))],
    "grown": lambda content, chance: content + content[: chance.randrange(1, 99)],
    "zeros": lambda content, _: bytes(len(content)),
    "nested": lambda content, _: content.replace(b'"config": {', b'"config": {"x": ' + b"[" * 9999),
    "long number": lambda content, _: content.replace(b": ", b": " + b"9" * 5000, 1),
}


@pytest.fixture(scope="module", params=KINDS)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "preset"
    return Path(KINDS[request.param]().save_to_preset(folder))


def loaded(folder: Path) -> bool:
    """Whether the folder is loaded; it is, or one line says what is wrong with which file."""
    try:
        zoo.load(folder)
    except ZooError as error:
        assert str(folder) in str(error)  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
        return False
    return True


def test_every_file_is_held_against_its_sum(saved: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(saved, tmp_path / "copy")
    files = store.read_config(folder).files
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    inner = {name for name in found if name.startswith("models/")}
    assert set(files) | inner | {"config.json"} == found
    for name in sorted(set(files) - {"card.md"}):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(flipped(content, random.Random(2)))
        with pytest.raises(ZooError, match=f"{folder / name} is damaged or was changed: its SHA"):
            zoo.load(folder)
        (folder / name).unlink()
        with pytest.raises(ZooError, match=f"{folder / name} is missing"):
            zoo.load(folder)
        (folder / name).write_bytes(content)
    (folder / "card.md").write_text("edited", encoding="utf-8")
    assert loaded(folder)
    assert loaded(without_sums(folder))


def test_damage_under_right_sums_is_refused_in_one_line_or_harmless(
    saved: Path, tmp_path: Path
) -> None:
    chance = random.Random(3)
    folder = shutil.copytree(saved, tmp_path / "copy")
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "card.md")
    for path in chance.sample(paths, min(len(paths), 6)):
        content = path.read_bytes()
        for name in DAMAGES if path.name == "config.json" else ("flipped", "flipped", "cut"):
            path.write_bytes(DAMAGES[name](content, chance))
            if path != folder / "config.json":
                with_new_sums(folder)
            loaded(folder)
        path.write_bytes(content)
        with_new_sums(folder)
    assert loaded(folder)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "'files' is no object"),
        ({"../secret": "0" * 64}, "'../secret', which is no path in the preset"),
        ({"/etc/passwd": "0" * 64}, "'/etc/passwd', which is no path in the preset"),
        ({"card.md": 7}, "the SHA-256 of 'card.md' is 7"),
    ],
)
def test_sums_that_are_none_are_refused(files: object, message: str, tmp_path: Path) -> None:
    folder = KINDS["counts"]().save_to_preset(tmp_path / "preset")
    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**content, "files": files}), encoding="utf-8")
    with pytest.raises(ZooError, match=f"config.json: .*{message}"):
        zoo.load(folder)


def test_a_pipe_in_a_preset_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    folder = without_sums(KINDS["counts"]().save_to_preset(tmp_path / "preset"))
    (folder / "vocabulary.txt").unlink()
    os.mkfifo(folder / "vocabulary.txt")
    with pytest.raises(ZooError, match="vocabulary.txt is not a plain file"):
        zoo.load(folder)


def test_an_array_that_claims_more_than_its_file_holds_is_refused(tmp_path: Path) -> None:
    import h5py

    folder = KINDS["nplm"]().save_to_preset(tmp_path / "preset")
    with h5py.File(folder / "model.weights.h5", "a") as file:
        file.create_dataset("bomb", (10**6, 10**6), "f4", chunks=(100, 100))
    with pytest.raises(ZooError, match=r"model.weights.h5 is damaged .*said to have 40000"):
        zoo.load(with_new_sums(folder))


@pytest.mark.parametrize("name", sorted(store.shipped_presets()))
def test_shipped_presets_have_the_sums_of_their_files(name: str) -> None:
    folder = store.shipped_presets()[name]
    assert store.read_config(folder).files == sums.of_folder(folder)
