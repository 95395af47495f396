"""A run's YAML file: read, checked against what a run understands, changed by `--set key=value`.

One file describes one published run, in these sections (see training/configs/*.yaml)::

    extends    another config, whose keys this one changes (may be left out)
    name, description, seed
    data:      name of a data set, tokenizer kind, vocabulary size
    model:     class and its constructor arguments
    training:  batches, optimizer, clipping, schedule, stopping
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from zoo.errors import ZooError

CONFIGS = Path(__file__).parent / "configs"


@dataclass(frozen=True)
class DataConfig:
    """Which corpus, and how its text becomes ids."""

    name: str
    tokenizer: str = "words"  # words | whitespace | subword
    lowercase: bool = True
    vocabulary_size: int | None = 10_000
    min_count: int = 1
    max_length: int = 80  # longer training sentences are cut
    limit: int | None = None  # train on the first sentences only (for trying things out)


@dataclass(frozen=True)
class OptimizerConfig:
    """The optimizer and Algorithm 1 (gradient clipping)."""

    name: str = "adam"  # adam | adamw | sgd
    learning_rate: float = 1e-3
    momentum: float = 0.0
    weight_decay: float = 0.0
    clip_norm: float | None = None  # by global norm, Algorithm 1
    clip_value: float | None = None  # each entry on its own
    average: bool = False  # averaged SGD: NT-ASGD's average of the weights (Merity 2017)
    average_after: int = 5  # epochs without progress before averaging starts


@dataclass(frozen=True)
class TrainingConfig:
    """Batches, length of the run, schedule and stopping."""

    epochs: int = 10
    batch_size: int = 64
    time_steps: int = 35  # streams: truncated back-propagation through so many steps
    stream: bool | None = None  # None: as the corpus is (running text or sentences)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    decay: float = 0.5  # learning rate factor on a plateau
    patience: int = 1  # epochs without a better validation figure before the decay
    decay_every_epoch_from: int | None = None  # or: decay at each epoch from this one on (Zaremba)
    min_learning_rate: float = 1e-5
    stop_after: int = 4  # epochs without a better validation figure before stopping
    warmup_steps: int = 0  # the learning rate grows linearly over these first steps
    schedule: str = "plateau"  # plateau (decay, patience) | cosine: falls to 0 over all epochs
    softmax: str = "exact"  # exact | sampled: see training.tasks.softmax
    softmax_samples: int = 4096
    softmax_dtype: str = "float32"  # float32 | bfloat16
    activation_l2: float = 0.0  # AWD-LSTM's activation regularisation
    slowness_l2: float = 0.0  # AWD-LSTM's temporal activation regularisation
    label_smoothing: float = 0.0
    gradient_flow_every: int = 1000  # steps between looks at vanishing gradients; 0: never
    jit_compile: bool = False
    options: dict[str, Any] = field(default_factory=dict)  # a task's own settings


@dataclass(frozen=True)
class RunConfig:
    """A whole run."""

    name: str
    data: DataConfig
    model: dict[str, Any]
    training: TrainingConfig = field(default_factory=TrainingConfig)
    description: str = ""
    seed: int = 1

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def read_run_config(path: str | Path, changes: list[str] | None = None) -> RunConfig:
    """Read a YAML file (or the name of one under training/configs) and apply `key=value` changes.

    Raises:
        ZooError: the file is missing or not YAML, or a key or a value is not understood.
    """
    content = _read_extended(path)
    if "experiment" in content:
        raise ZooError(f"{path} is an experiment, not a training run; use `zoo gradients {path}`")
    for change in changes or []:
        _apply(content, change)
    if "class" not in content.get("model", {}):
        raise ZooError(f"{path}: model.class is missing; name a model class, as other configs do")
    return _build(RunConfig, content, str(path))


def _read_extended(path: str | Path, extended: tuple[Path, ...] = ()) -> dict[str, Any]:
    """A file's content over that of the config that it `extends`, if any."""
    found = _find(path)
    if found in extended:
        raise ZooError(f"{path} extends itself; name another config behind `extends:`")
    content = _read_yaml(found)
    base = content.pop("extends", None)
    if base is None:
        return content
    return _merged(_read_extended(str(base), (*extended, found)), content)


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with the changed keys, section by section."""
    both = dict(base)
    for key, value in changes.items():
        old = both.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            value = _merged(old, value)
        both[key] = value
    return both


def _find(path: str | Path) -> Path:
    for candidate in (Path(path), CONFIGS / f"{path}.yaml", CONFIGS / Path(path).name):
        if candidate.is_file():
            return candidate
    known = ", ".join(sorted(p.stem for p in CONFIGS.glob("*.yaml")))
    raise ZooError(f"no config file {str(path)!r}; configs that come along: {known}")


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        line = " ".join(str(error).split())
        raise ZooError(f"{path} is not a readable YAML file: {line}") from None
    if not isinstance(content, dict):
        raise ZooError(f"{path} is not a run's config: its top level must be a mapping")
    return content


def _apply(content: dict[str, Any], change: str) -> None:
    """Set one dotted key, as in `--set training.optimizer.learning_rate=0.002`."""
    key, separator, value = change.partition("=")
    if not separator or not key:
        raise ZooError(f"--set {change!r}: write it as key=value, for example training.epochs=3")
    *parents, last = key.split(".")
    section = content
    for parent in parents:
        section = section.setdefault(parent, {})
        if not isinstance(section, dict):
            raise ZooError(f"--set {change!r}: {parent!r} is not a section of the config")
    try:
        section[last] = yaml.safe_load(value)
    except yaml.YAMLError:
        raise ZooError(f"--set {change!r}: the value is not YAML") from None


def _build(cls: Any, content: Any, where: str) -> Any:
    """A dataclass from nested mappings, refusing unknown keys and wrong types by name."""
    if not isinstance(content, dict):
        raise ZooError(f"{where}: expected a mapping, got {content!r}")
    fields = {f.name: f for f in dataclasses.fields(cls)}
    unknown = sorted(set(content) - set(fields))
    if unknown:
        raise ZooError(f"{where}: unknown key {unknown[0]!r}; known keys are {', '.join(fields)}")
    missing = [f.name for f in fields.values() if _required(f) and f.name not in content]
    if missing:
        raise ZooError(f"{where}: key {missing[0]!r} is missing")
    return cls(**{k: _value(fields[k].type, v, f"{where}: {k}") for k, v in content.items()})


def _required(f: dataclasses.Field[Any]) -> bool:
    return f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING


_SECTIONS = {
    "DataConfig": DataConfig,
    "OptimizerConfig": OptimizerConfig,
    "TrainingConfig": TrainingConfig,
}
_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "dict[str, Any]": (dict,),
}


def _value(kind: Any, value: Any, where: str) -> Any:
    name = str(kind)
    if name in _SECTIONS:
        return _build(_SECTIONS[name], value, where)
    optional = name.endswith(" | None")
    if optional and value is None:
        return value
    base = name.removesuffix(" | None")
    if base == "float" and isinstance(value, str):
        value = _number(value)  # YAML 1.1 reads 1e-3 as a string
    wrong_bool = isinstance(value, bool) and base != "bool"
    if wrong_bool or not isinstance(value, _TYPES[base]):
        raise ZooError(f"{where} is {value!r}; expected {base}")
    return float(value) if base == "float" and isinstance(value, int | float) else value


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
