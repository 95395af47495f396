"""Models made of models: each part is a preset below models/, or a shipped preset named with a sum.

A reference is `{"preset": NAME, "sha256": SUM}` in the config.json of the whole. The name can only
be that of a preset that comes along, never a path; the sum is of the part's class, its arguments
and the sums of its files, so another preset of that name is refused, and what is read is what was
meant. Loading runs nothing: a part is loaded as any preset is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.models import registry
from zoo.models.base import PresetModel
from zoo.presets import store
from zoo.presets.store import PresetConfig

FOLDER = "models"
KEY = "references"


def config_of(names: Sequence[str | None]) -> dict[str, Any]:
    """The entry of config.json for parts of which some are shipped presets; none for copies."""
    if not any(names):
        return {}
    return {KEY: [None if name is None else reference_to(name) for name in names]}


def reference_to(name: str) -> dict[str, str]:
    """A shipped preset and the sum by which it is known again."""
    return {"preset": name, "sha256": store.identity(store.read_config(_shipped(name)))}


def load_shipped(name: str) -> Any:
    """The model of a shipped preset."""
    return registry.load(_shipped(name))


def write(
    models: Sequence[PresetModel], names: Sequence[str | None], directory: Path, dtype: str
) -> None:
    """A preset below the whole's for each part that is not named."""
    for i, (model, name) in enumerate(zip(models, names, strict=True)):
        if name is None:
            model.save_to_preset(directory / FOLDER / str(i), dtype=dtype)


def read(directory: Path, config: dict[str, Any], count: int) -> tuple[list[Any], list[str | None]]:
    """The parts of a preset, and the names of those that are shipped presets.

    Args:
        directory: of the whole.
        config: its constructor's arguments; the references are taken out of it.
        count: how many parts it has.
    """
    references = config.pop(KEY, None) or [None] * count
    if not isinstance(references, list) or len(references) != count:
        raise ZooError(f"{KEY!r} is {references!r:.80}; expected a list of {count}")
    found = [
        (directory / FOLDER / str(i), None) if entry is None else referred(entry)
        for i, entry in enumerate(references)
    ]
    names = [None if preset is None else folder.name for folder, preset in found]
    return [registry.load_from(folder, preset) for folder, preset in found], names


def referred(reference: Any) -> tuple[Path, PresetConfig]:
    """The folder and config of the shipped preset in a reference, if it is the one meant."""
    if not isinstance(reference, dict) or set(reference) != {"preset", "sha256"}:
        raise ZooError(f"{reference!r:.80} refers to no preset: expected its name and sha256")
    folder, expected = _shipped(reference["preset"]), reference["sha256"]
    preset = store.read_config(folder)
    found = store.identity(preset)
    if found != expected:
        raise ZooError(
            f"the shipped preset {folder.name!r} is not the one that was meant: its sum begins "
            f"with {found[:12]}, expected {expected!r:.14}; save the whole again"
        )
    return folder, preset


def _shipped(name: Any) -> Path:
    found = store.shipped_presets()
    if not isinstance(name, str) or name not in found:
        raise ZooError(f"no shipped preset {name!r:.80} to refer to; there are {', '.join(found)}")
    return found[name]
