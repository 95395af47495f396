"""A run's YAML file: read, checked against what a run understands, changed by `--set key=value`.

One file describes one published run, in these sections (training/configs/reference.yaml explains
each key)::

    extends    another config, whose keys this one changes (may be left out)
    name, description, seed
    data:      name of a data set, tokenizer kind, vocabulary size
    model:     class and its constructor arguments
    training:  batches, optimizer, clipping, schedule, stopping
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from zoo.errors import ZooError, did_you_mean

CONFIGS = Path(__file__).parent / "configs"


def _number(value: Any) -> Any:
    """YAML 1.1 reads 1e-3 as a string."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]


class Section(BaseModel):
    """Keys of a YAML file: no others, of these types, not changed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DataConfig(Section):
    """Which corpus, and how its text becomes ids."""

    name: str
    tokenizer: Literal["words", "whitespace", "subword"] = "words"
    lowercase: bool = True
    vocabulary_size: int | None = 10_000
    min_count: int = 1
    max_length: int = 80  # longer training sentences are cut
    limit: int | None = None  # train on the first sentences only (for trying things out)
    new_words: int = Field(default=0, ge=0)  # added to the vocabulary of the preset in `from`
    files: str | list[str] | None = None  # training text instead of the data set's own
    map_dir: str | None = None  # where ids of such files are kept; None: the cache
    extra: str | None = None  # translation: a file of further training pairs
    extra_tag: bool = True  # their sources were written by a model, and are marked so


class ModelConfig(Section, extra="allow"):
    """The model's class; all other keys are arguments of its constructor, which checks them."""

    class_name: str = Field(alias="class")

    @property
    def options(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dict(self.model_extra or {})


class OptimizerConfig(Section):
    """The optimizer and Algorithm 1 (gradient clipping)."""

    name: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: Number = 1e-3
    momentum: Number = 0.0
    weight_decay: Number = 0.0
    clip_norm: Number | None = None  # by global norm, Algorithm 1
    clip_value: Number | None = None  # each entry on its own
    average: bool = False  # averaged SGD: NT-ASGD's average of the weights (Merity 2017)
    average_after: int = 5  # epochs without progress before averaging starts
    average_from: int | None = None  # or: the epoch, from 1, with which it starts


class AugmentationConfig(Section):
    """Of translation: shares of the training sources that are changed, anew each epoch."""

    capitals: Number = 0.0
    lower: Number = 0.0
    no_end: Number = 0.0
    typos: Number = 0.0
    numbers: Number = 0.0
    names: Number = 0.0
    joined: Number = 0.0  # further pairs, of two or three in a row

    def shares(self) -> dict[str, float]:
        """How often each change of a pair is made."""
        return {name: value for name, value in self.model_dump().items() if name != "joined"}


class DistillationConfig(Section):
    """A teacher whose distribution is learnt beside the words (Hinton et al. 2015)."""

    teacher: str | None = None  # a language model: a preset or directory; None: no teacher
    top: int = 16  # of its likeliest words
    share: Annotated[Number, Field(ge=0, le=1)] = 0.5  # of the loss; the rest is the words'


class TrainingConfig(Section):
    """Batches, length of the run, schedule and stopping."""

    epochs: int = 10
    batch_size: int = 64
    time_steps: int = 35  # streams: truncated back-propagation through so many steps
    random_time_steps: bool = False  # streams: varied bounds, see training.tasks.batches
    stream: bool | None = None  # None: as the corpus is (running text or sentences)
    optimizer: OptimizerConfig = OptimizerConfig()
    decay: Number = 0.5  # learning rate factor on a plateau
    patience: int = 1  # epochs without a better validation figure before the decay
    decay_every_epoch_from: int | None = None  # or: decay at each epoch from this one on (Zaremba)
    min_learning_rate: Number = 1e-5
    stop_after: int = 4  # epochs without a better validation figure before stopping
    warmup_steps: int = 0  # the learning rate grows linearly over these first steps
    # plateau: by decay and patience; cosine: falls to 0 over all epochs
    schedule: Literal["plateau", "cosine"] = "plateau"
    softmax: Literal["exact", "sampled"] = "exact"  # see training.tasks.softmax
    softmax_samples: int = 4096
    softmax_exact_from: int | None = None  # the epoch, from 1, from which on it is exact
    softmax_dtype: Literal["float32", "bfloat16"] = "float32"
    activation_l2: Number = 0.0  # AWD-LSTM's activation regularisation
    slowness_l2: Number = 0.0  # AWD-LSTM's temporal activation regularisation
    label_smoothing: Number = 0.0
    augmentation: AugmentationConfig = AugmentationConfig()
    distillation: DistillationConfig = DistillationConfig()
    gradient_flow_every: int = 1000  # steps between looks at vanishing gradients; 0: never
    jit_compile: bool = False
    freeze: list[str] = []  # names of layers that keep their weights
    precision: Literal["float32", "mixed_bfloat16"] = "float32"  # of the products in a step
    loss_every: int = Field(default=20, ge=1)  # steps between looks at the loss
    checkpoint_minutes: Number = Field(default=10.0, gt=0)
    options: dict[str, Any] = Field(default_factory=dict)  # a task's own settings


class RunConfig(Section):
    """A whole run."""

    name: str
    data: DataConfig
    model: ModelConfig
    training: TrainingConfig = TrainingConfig()
    description: str = ""
    start: str | None = Field(default=None, alias="from")  # a preset to go on from
    seed: int = 1
    export: list[Literal["saved_model", "tflite"]] = []  # what is made of the model at the end


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
    model = content.get("model", {})
    if isinstance(model, dict) and "class" not in model:
        raise ZooError(f"{path}: model.class is missing; name a model class, as other configs do")
    return checked(RunConfig, content, str(path))


def _read_extended(path: str | Path, extended: tuple[Path, ...] = ()) -> dict[str, Any]:
    """A file's content over that of the config that it `extends`, if any."""
    found = find_config(path)
    if found in extended:
        raise ZooError(f"{path} extends itself; name another config behind `extends:`")
    content = read_yaml(found)
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


def find_config(path: str | Path) -> Path:
    for candidate in (Path(path), CONFIGS / f"{path}.yaml", CONFIGS / Path(path).name):
        if candidate.is_file():
            return candidate
    known = [path.stem for path in published_configs()]
    raise ZooError(
        f"no config file {str(path)!r}{did_you_mean(str(path), known)}; configs that come along: "
        + ", ".join(known)
    )


def published_configs() -> list[Path]:
    """The configs of runs and experiments; the reference files only explain their keys."""
    found = sorted(CONFIGS.glob("*.yaml"))
    return [path for path in found if not path.stem.startswith("reference")]


def read_yaml(path: Path) -> dict[str, Any]:
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


Checked = TypeVar("Checked", bound=Section)
_EXPECTED = {"string_type": "str", "int_type": "int", "float_type": "float", "bool_type": "bool"}
_ORDER = {"extra_forbidden": 0, "missing": 1}  # a misspelt key often is missing too


def checked(section: type[Checked], content: dict[str, Any], where: str) -> Checked:
    """A section of a file's content; what is wrong is said in one line that begins with `where`."""
    try:
        return section.model_validate(content)
    except ValidationError as failed:
        first = min(failed.errors(), key=lambda error: _ORDER.get(error["type"], len(_ORDER)))
        raise ZooError(f"{where}: {_line(section, first)}") from None


def _line(section: type[Section], error: ErrorDetails) -> str:
    """What is wrong with which key, and what it may be."""
    path, kind, value = error["loc"], error["type"], error["input"]
    dotted = ".".join(map(str, path))
    parent, key = ".".join(map(str, path[:-1])), path[-1]
    at = f"{parent}: " if parent else ""
    if kind == "extra_forbidden":
        known = ", ".join(_known_keys(section, path[:-1]))
        return f"{at}unknown key {key!r}; known keys are {known}"
    if kind == "missing":
        return f"{at}key {key!r} is missing"
    if kind in ("model_type", "dict_type"):
        return f"{dotted}: expected a mapping, got {value!r}"
    if kind == "literal_error":
        choices = error["ctx"]["expected"].replace("'", "")
        return f"{dotted}={value!r}: use {choices}"
    return f"{at}{key} is {value!r}; expected {_EXPECTED.get(kind, error['msg'])}"


def _known_keys(section: Any, path: Sequence[int | str]) -> list[str]:
    """The keys of the section at a path below another one."""
    for key in path:
        is_section = hasattr(section, "model_fields")
        section = section.model_fields[key].annotation if is_section else get_args(section)[-1]
    return [field.alias or name for name, field in section.model_fields.items()]
