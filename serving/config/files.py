"""Reading and checking the configuration files."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet
from tensorflow_serving.config.model_server_config_pb2 import (
    TENSORFLOW,
    ModelConfig,
    ModelConfigList,
    ModelServerConfig,
)

from serving.codec import protos
from serving.errors import Code, ServingError, invalid_argument
from serving.options import CPUS, Flags

log = logging.getLogger("serving.config.files")
T = TypeVar("T", bound=Message)
PLATFORM = "tensorflow"
PAD_UP, BATCH_DOWN = "PAD_UP", "BATCH_DOWN"
DEFAULT_METRICS_PATH = "/monitoring/prometheus/metrics"
URI = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")


def read_text_proto(path: str, message: T) -> T:
    """Fill `message` from a text-format file.

    Raises:
        ServingError: NOT_FOUND without the file, INVALID_ARGUMENT when it does not parse (where
            and why is written to stderr, as the protocol-buffer library does).
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise invalid_argument(f"Invalid protobuf file: '{path}'") from None
    except OSError as error:
        raise ServingError(Code.NOT_FOUND, f"{path}; {error.strerror}") from None
    try:
        return text_format.Parse(text, message)
    except text_format.ParseError as error:
        name = message.DESCRIPTOR.full_name
        print(f"Error parsing text-format {name}: {error}", file=sys.stderr, flush=True)
        raise invalid_argument(f"Invalid protobuf file: '{path}'") from None


def model_server_config(flags: Flags) -> ModelServerConfig:
    """The models to serve, from --model_config_file or --model_name and --model_base_path."""
    config = ModelServerConfig()
    if flags.model_config_file:
        return read_text_proto(flags.model_config_file, config)
    model = config.model_config_list.config.add(name=flags.model_name)
    model.base_path = _absolute(flags.model_base_path)
    model.model_platform = PLATFORM
    return config


def _absolute(path: str) -> str:
    """A --model_base_path may be relative; a config file's may not."""
    return path if URI.match(path) else str(Path(path).absolute())


def platform_of(model: ModelConfig) -> str:
    """A model's platform, checked; `model_type` is the old way to say it."""
    if model.model_type:
        if model.model_platform:
            raise invalid_argument(
                "Illegal setting both ModelServerConfig::model_type (deprecated) and "
                "ModelServerConfig::model_platform."
            )
        if model.model_type != TENSORFLOW:
            raise invalid_argument(
                f"ModelServerConfig::model_type choice {model.model_type} not supported."
            )
        return PLATFORM
    if not model.model_platform:
        raise invalid_argument(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            "ModelServerConfig::model_platform."
        )
    return model.model_platform


def refuse_unknown_fields(message: Message) -> None:
    """Refuse a message with fields that this server does not know, which it would not follow."""
    unknown = [str(field.field_number) for field in UnknownFieldSet(message)]
    if unknown:
        raise invalid_argument(
            f"{message.DESCRIPTOR.full_name} has fields that are not known here: "
            f"{', '.join(unknown)}"
        )
    for field, value in message.ListFields():
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for one in value if field.is_repeated else [value]:
                refuse_unknown_fields(one)


def check_models(
    new: ModelConfigList,
    old: ModelConfigList | None,
) -> None:
    """Refuse a model list that cannot be served, or that changes a model's platform."""
    platforms = {m.name: platform_of(m) for m in old.config} if old is not None else {}
    seen: set[str] = set()
    for model in new.config:
        if model.name in seen:
            raise invalid_argument(
                f"Illegal to list model {model.name} multiple times in config list"
            )
        seen.add(model.name)
        if not model.name or any("\0" in text for text in (model.name, model.base_path)):
            raise invalid_argument(
                f"a model needs a name, and neither it nor its base_path may hold a NUL; got "
                f"name={model.name!r}, base_path={model.base_path!r}"
            )
        if not URI.match(model.base_path) and not model.base_path.startswith("/"):
            raise invalid_argument(
                f"Expected model {model.name} to have an absolute path or URI; "
                f"got base_path()={model.base_path}"
            )
        _check_platform(model, platforms.get(model.name))


def _check_platform(model: ModelConfig, old: str | None) -> None:
    platform = platform_of(model)
    if old is not None and platform != old:
        raise invalid_argument(
            f"Illegal to change a model's platform. For model {model.name} platform was {old} "
            f"and new platform requested is {platform}"
        )
    if platform != PLATFORM:
        raise invalid_argument(
            f"Model {model.name} requests unsupported platform {platform}; only "
            f"{PLATFORM} is served"
        )


def batching_parameters(flags: Flags) -> Any | None:
    """BatchingParameters with every default filled in, or None without --enable_batching."""
    if not flags.enable_batching:
        if flags.batching_parameters_file:
            raise invalid_argument(
                "server_options.batching_parameters_file is set without setting "
                "server_options.enable_batching to true."
            )
        return None
    parameters = protos.BatchingParameters()
    if flags.batching_parameters_file:
        read_text_proto(flags.batching_parameters_file, parameters)
    elif not flags.enable_per_model_batching_parameters:
        parameters.thread_pool_name.value = "model_server_batch_threads"
    return with_batching_defaults(parameters)


def with_batching_defaults(parameters: Any) -> Any:
    """Fill in what a batching file leaves out, and check the rest."""
    defaults = {
        "max_batch_size": 1000,
        "batch_timeout_micros": 0,
        "max_enqueued_batches": 10,
        "num_batch_threads": CPUS,
    }
    for name, value in defaults.items():
        if not parameters.HasField(name):
            getattr(parameters, name).value = value
        elif getattr(parameters, name).value < (1 if name != "batch_timeout_micros" else 0):
            raise invalid_argument(
                f"{name} must be positive; was {getattr(parameters, name).value}"
            )
    _check_batch_sizes(parameters)
    policy = parameters.batch_padding_policy.value
    if policy not in ("", PAD_UP, BATCH_DOWN):
        log.warning("batch_padding_policy %s acts as %s: it needs a TPU's costs", policy, PAD_UP)
    return parameters


def _check_batch_sizes(parameters: Any) -> None:
    sizes = list(parameters.allowed_batch_sizes)
    if sizes != sorted(set(sizes)) or any(size < 1 for size in sizes):
        raise invalid_argument("allowed_batch_sizes entries must be in increasing order")
    largest = execution_batch_size(parameters)
    if sizes and sizes[-1] != largest:
        raise invalid_argument(
            f"Last entry in allowed_batch_sizes must match max_batch_size; last was {sizes[-1]}; "
            f"expected {largest}"
        )


def execution_batch_size(parameters: Any) -> int:
    """The largest batch that is run: split tasks may have their own limit."""
    splits = parameters.enable_large_batch_splitting.value
    if splits and parameters.HasField("max_execution_batch_size"):
        return parameters.max_execution_batch_size.value
    return parameters.max_batch_size.value


def metrics_path(flags: Flags) -> str | None:
    """Where Prometheus finds the metrics, or None when monitoring is off."""
    if not flags.monitoring_config_file:
        return None
    config = read_text_proto(flags.monitoring_config_file, protos.MonitoringConfig())
    if not config.prometheus_config.enable:
        return None
    path = config.prometheus_config.path or DEFAULT_METRICS_PATH
    if not re.fullmatch(r"[!-~]+", path) or set(path) & set("?#"):
        raise invalid_argument(
            f"{flags.monitoring_config_file}: no request can have the path {path!r}; give one "
            f"such as {DEFAULT_METRICS_PATH}"
        )
    return path if path.startswith("/") else f"/{path}"
