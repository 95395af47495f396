"""What a loaded model remembers of its preset, so that a copy keeps it and says where it is from.

Description, data, licence and card (which names whom to credit) stay with a model however often it
is saved. Figures were measured on the weights that were loaded: once those are others, each figure
is kept under a name that says whose it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from zoo.errors import ZooError
from zoo.presets import store
from zoo.presets.store import CARD_FILE, PresetConfig, PresetInfo

LONGEST_CARD = 2**20  # bytes


@dataclass(frozen=True)
class Origin:
    """The preset that a model was loaded from.

    Attributes:
        name: the preset's, or its directory's.
        identity: the start of `store.identity`; empty where its files have no sums.
        info: what `zoo list` shows of it.
        card: its Markdown text; empty where it has none.
        fingerprint: of the weights as they were loaded; empty for models whose values are fixed.
    """

    name: str
    identity: str
    info: PresetInfo
    card: str
    fingerprint: str

    @classmethod
    def of(cls, directory: Path, preset: PresetConfig, fingerprint: str) -> Self:
        """The origin of a model that is being loaded."""
        has_sums = any(file != store.CARD_FILE for file in preset.files)
        identity = store.identity(preset)[:12] if has_sums else ""
        name = directory.resolve().name
        return cls(name, identity, preset.info, read_card(directory), fingerprint)

    @classmethod
    def from_config(cls, config: Any) -> Self:
        """The origin of a `get_config`."""
        try:
            origin = cls(**{**config, "info": PresetInfo(**config["info"])})
        except (TypeError, KeyError):
            raise ZooError("the config's origin is unreadable; save the model again") from None
        if not isinstance(origin.card, str) or not isinstance(origin.info.metrics, dict):
            raise ZooError("the config's origin is unreadable; save the model again")
        return origin

    def get_config(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @property
    def title(self) -> str:
        """Name and identity in one line."""
        return f"{self.name} ({self.identity})" if self.identity else self.name

    def inherited(self, fingerprint: str) -> PresetInfo:
        """What a copy says of itself, whose weights have this fingerprint."""
        before = f", made from {self.info.made_from}" if self.info.made_from else ""
        if fingerprint == self.fingerprint:
            return replace(self.info, made_from=self.title + before)
        figures = {f"{name}_of_{self.name}": value for name, value in self.info.metrics.items()}
        made_from = f"{self.title}, then changed{before}"
        return replace(self.info, made_from=made_from, metrics=figures, train_command="")

    def inherited_card(self, name: str, fingerprint: str) -> str:
        """The card of a copy: this one's, and what the copy was made from."""
        said = f"`{name}` was made from `{self.title}`"
        if fingerprint != self.fingerprint:
            said += (
                ", and its weights were changed since: what stands above, the figures too, is said "
                f"of `{self.name}`"
            )
        return f"{self.card.rstrip()}\n\n## Made from\n\n{said}.\n"


def described(
    origin: Origin | None, info: Mapping[str, Any] | None, parameters: int, fingerprint: str
) -> PresetInfo:
    """What is written of a model: what is given, and the rest from where it came."""
    known = asdict(origin.inherited(fingerprint)) if origin else {}
    return PresetInfo(**{**known, "parameters": parameters, **(info or {})})


def read_card(directory: Path) -> str:
    """A preset's card; empty where there is none that can be read."""
    path = directory / CARD_FILE
    try:
        with path.open("rb") as file:
            return file.read(LONGEST_CARD).decode("utf-8", errors="replace")
    except OSError:
        return ""
