"""Preset directories: plain files that are read without running any code and written atomically.

A preset is a directory::

    NAME/
      config.json        format, class, constructor arguments, what `zoo list` shows, and the
                         SHA-256 of every other file
      vocabulary.txt     one word a line (with tokenizer.json: the tokenizer's settings)
      tokenizer.json
      model.weights.h5   float16 or float32 arrays (n-gram models: tables/*.npy instead)
      card.md            what it is, data, licence, figures, limits

Every file but the card, which people edit, is held against its SHA-256 before it is read: 0.12 s
for 117 MB where the processor has instructions for it. Presets saved before have none and are read
as they are. It finds damage; whoever can write config.json can write the sums too, so what is read
is checked by its content as well.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.errors import ZooError, did_you_mean
from zoo.io import replaced_directory
from zoo.presets import sums
from zoo.presets.release import complete
from zoo.presets.sums import CONFIG_FILE

FORMAT = 1
CARD_FILE = "card.md"
SHIPPED = Path(__file__).parent


@dataclass(frozen=True)
class PresetInfo:
    """What `zoo.list_presets` tells of a preset, read from its config.json alone.

    `made_from`: the preset that it was loaded from before it was saved, and trained on if so;
    empty for what was trained from the start.
    """

    description: str = ""
    parameters: int = 0
    data: str = ""
    licence: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    train_command: str = ""
    made_from: str = ""


@dataclass(frozen=True)
class PresetConfig:
    """The content of config.json: which class to build, with which arguments.

    `files`: the SHA-256 of every other file, by its path in the directory; empty in presets saved
    before there were any, and filled in where a preset is written.
    """

    class_name: str
    config: dict[str, Any]
    info: PresetInfo
    files: dict[str, str] = field(default_factory=dict)


def shipped_presets() -> dict[str, Path]:
    """The directories of the presets that come with the package, by name."""
    return {path.parent.name: path.parent for path in sorted(SHIPPED.glob(f"*/{CONFIG_FILE}"))}


def list_presets() -> dict[str, PresetInfo]:
    """Name and facts of every shipped preset.

    Example:
        >>> import zoo
        >>> all(info.licence for info in zoo.list_presets().values())
        True
    """
    return {name: read_config(path).info for name, path in shipped_presets().items()}


def presets_of(class_name: str) -> list[str]:
    """The names of the shipped presets whose model is of a class."""
    found = shipped_presets().items()
    return [name for name, path in found if read_config(path).class_name == class_name]


def resolve(name_or_directory: str | os.PathLike[str]) -> Path:
    """The directory behind a shipped preset's name or a path; refuses anything else by name."""
    text = os.fspath(name_or_directory)
    if text in shipped_presets():
        preset = SHIPPED / text
        return complete(preset, lambda: read_config(preset).files)
    path = Path(text)
    if path.is_dir():
        return path
    known = ", ".join(shipped_presets()) or "none"
    guess = did_you_mean(text, shipped_presets())
    raise ZooError(
        f"no preset or directory {text!r}{guess}: shipped presets are {known}; "
        "or give a directory written by save_to_preset"
    )


def read_config(directory: Path) -> PresetConfig:
    """Read and check a preset's config.json."""
    path = directory / CONFIG_FILE
    content = read_json(path)
    version = content.get("format")
    if version != FORMAT:
        raise ZooError(f"{path}: preset format {version!r}, this version reads {FORMAT}")
    class_name, config, info = (content.get(key) for key in ("class", "config", "info"))
    if not isinstance(class_name, str) or not isinstance(config, dict):
        raise ZooError(f"{path}: 'class' and 'config' are missing; save the model again")
    files = sums.checked_entries(content.get("files", {}), path)
    try:
        return PresetConfig(class_name, config, PresetInfo(**(info or {})), files)
    except TypeError as error:
        raise ZooError(f"{path}: unreadable 'info' ({error})") from None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file, or one line that says what is wrong with the file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ZooError(f"{path} is missing: not a directory written by save_to_preset") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ZooError(
            f"{path} is damaged ({error}); restore it or save the preset again"
        ) from None
    if not isinstance(content, dict):
        raise ZooError(f"{path} is damaged (not a JSON object); save the preset again")
    return content


def write_preset(
    directory: str | os.PathLike[str],
    preset: PresetConfig,
    write_files: Callable[[Path], None],
) -> Path:
    """Write a preset beside its final place, then rename it there: never half a directory.

    Args:
        directory: the preset's directory; an existing preset there is replaced, and any other
            existing non-empty directory is refused.
        preset: the content of config.json.
        write_files: called with the temporary directory to add tokenizer, weights and card.
    """
    target = Path(directory)
    refuse_foreign_target(target)
    with replaced_directory(target) as temporary:
        write_files(temporary)
        info = {k: v for k, v in preset.info.__dict__.items() if v or k != "made_from"}
        content = {
            "format": FORMAT,
            "class": preset.class_name,
            "config": preset.config,
            "info": info,
            "files": sums.of_folder(temporary),
        }
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (temporary / CONFIG_FILE).write_text(text, encoding="utf-8")
    return target


def identity(preset: PresetConfig) -> str:
    """A SHA-256 of what a preset is: its class, its arguments and the sums of its files.

    Its card and what `zoo list` shows of it may change without making it another one.
    """
    files = {name: known for name, known in preset.files.items() if name != CARD_FILE}
    if not files:
        raise ZooError("a preset without sums of its files cannot be referred to; save it again")
    content = json.dumps([preset.class_name, preset.config, files], sort_keys=True)
    return sums.of_text(content)


def check_files(directory: Path, preset: PresetConfig) -> None:
    """Refuse a preset of which a file is missing, damaged, or none at all."""
    sums.check(directory, {n: s for n, s in preset.files.items() if n != CARD_FILE})


def refuse_foreign_target(target: Path) -> None:
    """A directory that is not a preset is never overwritten."""
    if target.is_file():
        raise ZooError(f"{target} is a file; give a directory to save to")
    if target.is_dir() and any(target.iterdir()) and not (target / CONFIG_FILE).exists():
        raise ZooError(f"{target} holds other files; give a new directory or an old preset's")
