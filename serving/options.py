"""The command line: TensorFlow Serving's flags by name and default, and a few of our own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zoo.processors import usable_cores

CPUS = usable_cores()


@dataclass(frozen=True)
class Flag:
    """A flag: its default (whose type is the flag's type), help, and whether it acts here."""

    default: Any
    help: str
    acts: bool = True


def _inert(default: Any, help: str) -> Flag:
    return Flag(default, help, acts=False)


FLAGS: dict[str, Flag] = {
    "port": Flag(8500, "TCP port for gRPC; 0 turns it off"),
    "grpc_socket_path": Flag("", "also serve gRPC on this UNIX socket"),
    "rest_api_port": Flag(0, "TCP port for HTTP/REST; 0 turns it off"),
    "rest_api_num_threads": Flag(4 * CPUS, "threads that answer REST requests"),
    "rest_api_timeout_in_ms": Flag(30000, "timeout of a REST request"),
    "rest_api_enable_cors_support": Flag(False, "send CORS headers"),
    "enable_batching": Flag(False, "batch requests together"),
    "batching_parameters_file": Flag("", "text-format BatchingParameters"),
    "enable_per_model_batching_parameters": Flag(
        False, "read batching_params.pbtxt of a version's directory"
    ),
    "allow_version_labels_for_unavailable_models": Flag(
        False, "new labels may point at versions that are not available yet"
    ),
    "model_config_file": Flag("", "text-format ModelServerConfig"),
    "model_config_file_poll_wait_seconds": Flag(0, "reread the config this often; 0: never"),
    "model_name": Flag("default", "name of the one model at model_base_path"),
    "model_base_path": Flag("", "directory that holds version directories"),
    "num_load_threads": Flag(0, "threads that load versions after the start; 0: one"),
    "num_unload_threads": Flag(0, "threads that unload versions; 0: one"),
    "max_num_load_retries": Flag(5, "times a failed load is tried again"),
    "load_retry_interval_micros": Flag(60_000_000, "pause between such tries"),
    "file_system_poll_wait_seconds": Flag(1, "look for new versions this often; 0: once"),
    "flush_filesystem_caches": _inert(True, "drop file caches after loading"),
    "tensorflow_session_parallelism": Flag(0, "threads of a session, inter and intra"),
    "tensorflow_intra_op_parallelism": Flag(
        0, "threads inside an operation; 0: one for small recurrent models, else all cores"
    ),
    "tensorflow_inter_op_parallelism": Flag(0, "operations at the same time"),
    "tensorflow_session_config_file": Flag("", "text-format tensorflow.ConfigProto"),
    "use_alts_credentials": _inert(False, "Google ALTS credentials"),
    "ssl_config_file": Flag("", "text-format SSLConfig: TLS on gRPC"),
    "platform_config_file": Flag("", "text-format PlatformConfigMap"),
    "per_process_gpu_memory_fraction": Flag(0.0, "share of a GPU's memory"),
    "saved_model_tags": Flag("serve", "comma-separated tags of the graph to load"),
    "grpc_channel_arguments": Flag("", "key=value,... for the gRPC server"),
    "grpc_max_threads": Flag(4 * CPUS, "threads that answer gRPC requests"),
    "enable_model_warmup": Flag(True, "replay tf_serving_warmup_requests before serving"),
    "num_request_iterations_for_warmup": Flag(0, "times each warm-up request is run"),
    "version": Flag(False, "print the version and exit"),
    "monitoring_config_file": Flag("", "text-format MonitoringConfig"),
    "remove_unused_fields_from_bundle_metagraph": _inert(True, "free graph definitions"),
    "prefer_tflite_model": Flag(False, "serve a version's model.tflite if it has one"),
    "num_tflite_pools": Flag(CPUS, "interpreters of a TFLite model"),
    "num_tflite_interpreters_per_pool": Flag(1, "multiplies num_tflite_pools"),
    "enable_signature_method_name_check": Flag(False, "check a signature's method name"),
    "xla_cpu_compilation_enabled": Flag(False, "compile graphs with XLA on the CPU"),
    "xla_gpu_compilation_enabled": _inert(False, "compile graphs with XLA on a GPU"),
    "enable_profiler": Flag(True, "profiler service on the gRPC port"),
    "thread_pool_factory_config_file": _inert("", "text-format ThreadPoolFactoryConfig"),
    "mixed_precision": _inert("", "mixed precision mode"),
    "skip_initialize_tpu": _inert(False, "do not set up a TPU"),
    "enable_grpc_healthcheck_service": Flag(False, "health service (here always on)"),
    "enable_serialization_as_tensor_content": Flag(False, "answers hold tensors in tensor_content"),
    "host": Flag("127.0.0.1", "address to bind; 0.0.0.0 for every interface (ours)"),
    "partial_start": Flag(False, "start when some models do not load (ours)"),
    "request_log": Flag("", "write a JSON line per request to this file; - is stderr (ours)"),
    "rest_api_max_body_bytes": Flag(1 << 31, "largest REST request body (ours)"),
    "grpc_max_message_bytes": Flag((1 << 31) - 1, "largest gRPC message (ours)"),
    "drain_seconds": Flag(30, "on SIGTERM, wait this long for running requests (ours)"),
}


@dataclass(frozen=True)
class Flags:
    """Parsed flags: attributes by name, and which of them were given."""

    values: dict[str, Any]
    given: frozenset[str]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None

    def inert(self) -> list[str]:
        """Flags that were given but have no meaning here."""
        return sorted(name for name in self.given if not FLAGS[name].acts)


class UsageError(Exception):
    """A command line that cannot be read; the text says why."""


def parse(argv: Sequence[str]) -> Flags:
    """Read `--name=value`, `--name value`, and `--name` alone for a boolean.

    Raises:
        UsageError: an unknown flag, a missing or unreadable value, or a stray argument.

    Example:
        >>> parse(["--port=9000", "--rest_api_port", "9001", "--enable_batching"]).port
        9000
    """
    values = {name: flag.default for name, flag in FLAGS.items()}
    given: set[str] = set()
    rest = list(argv)
    while rest:
        argument = rest.pop(0)
        name, has_value, text = argument.partition("=")
        name = name.removeprefix("--").removeprefix("-")
        if not argument.startswith("-") or name not in FLAGS:
            raise UsageError(f"unknown argument: {argument}")
        if not has_value:
            text = _next_value(FLAGS[name], rest, argument)
        values[name] = _value(name, FLAGS[name].default, text)
        given.add(name)
    return Flags(values, frozenset(given))


def _next_value(flag: Flag, rest: list[str], argument: str) -> str:
    """The value of a flag without `=`: the next argument, which a boolean may do without."""
    if isinstance(flag.default, bool):
        takes = bool(rest) and rest[0].lower() in ("true", "false", "1", "0")
        return rest.pop(0) if takes else "true"
    if not rest:
        raise UsageError(f"missing value of {argument}")
    return rest.pop(0)


def _value(name: str, default: Any, text: str) -> Any:
    if isinstance(default, bool):
        if text.lower() not in ("true", "false", "1", "0"):
            raise UsageError(f"--{name}={text}: give true or false")
        return text.lower() in ("true", "1")
    try:
        return type(default)(text)
    except ValueError:
        raise UsageError(f"--{name}={text}: give a {type(default).__name__}") from None


def usage(program: str = "zoo-model-server") -> str:
    """The text of --help: every flag with its default."""
    lines = [f"usage: {program} [flags]", "Flags:"]
    for name, flag in FLAGS.items():
        note = "" if flag.acts else " (accepted, without effect)"
        default = str(flag.default).lower() if isinstance(flag.default, bool) else flag.default
        lines.append(
            f"\t--{name}={default!s:<24}\t{type(flag.default).__name__}\t{flag.help}{note}"
        )
    return "\n".join(lines)


def wants_help(argv: Sequence[str]) -> bool:
    """Whether the command line asks for the usage text."""
    return any(argument in ("--help", "-h", "-help") for argument in argv)


def parse_or_usage(argv: Sequence[str]) -> Flags | None:
    """Flags, or None after printing the usage text and what was wrong to stderr."""
    try:
        if not wants_help(argv):
            return parse(argv)
    except UsageError as error:
        print(error, file=sys.stderr)
    print(usage(), file=sys.stderr)
    return None
