"""The command line: TensorFlow Serving's flags by name and default, and a few of our own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, cast

from zoo.processors import usable_cores

CPUS = usable_cores()


T = TypeVar("T")
Value = bool | int | float | str


@dataclass(frozen=True)
class Flag:
    """A flag's default (whose type is the flag's type), help, and whether it acts here."""

    default: Value
    help: str
    acts: bool


def flag(default: T, help: str, acts: bool = True) -> T:
    """A field of `Flags`; to a type checker it is its default."""
    return field(default=default, metadata={"flag": Flag(cast(Value, default), help, acts)})


def inert(default: T, help: str) -> T:
    """A flag that is accepted but has no meaning here."""
    return flag(default, help, acts=False)


@dataclass(frozen=True)
class Flags:
    """The parsed command line, and which flags were given."""

    port: int = flag(8500, "TCP port for gRPC; 0 turns it off")
    grpc_socket_path: str = flag("", "also serve gRPC on this UNIX socket")
    rest_api_port: int = flag(0, "TCP port for HTTP/REST; 0 turns it off")
    rest_api_num_threads: int = flag(4 * CPUS, "threads that answer REST requests")
    rest_api_timeout_in_ms: int = flag(30000, "timeout of a REST request")
    rest_api_enable_cors_support: bool = flag(False, "send CORS headers")
    enable_batching: bool = flag(False, "batch requests together")
    batching_parameters_file: str = flag("", "text-format BatchingParameters")
    enable_per_model_batching_parameters: bool = flag(
        False, "read batching_params.pbtxt of a version's directory"
    )
    allow_version_labels_for_unavailable_models: bool = flag(
        False, "new labels may point at versions that are not available yet"
    )
    model_config_file: str = flag("", "text-format ModelServerConfig")
    model_config_file_poll_wait_seconds: int = flag(0, "reread the config this often; 0: never")
    model_name: str = flag("default", "name of the one model at model_base_path")
    model_base_path: str = flag("", "directory that holds version directories")
    num_load_threads: int = flag(0, "threads that load versions after the start; 0: one")
    num_unload_threads: int = flag(0, "threads that unload versions; 0: one")
    max_num_load_retries: int = flag(5, "times a failed load is tried again")
    load_retry_interval_micros: int = flag(60_000_000, "pause between such tries")
    file_system_poll_wait_seconds: int = flag(1, "look for new versions this often; 0: once")
    polls_before_unload: int = flag(
        3, "keep a model's last versions until they were gone for so many polls (ours)"
    )
    flush_filesystem_caches: bool = inert(True, "drop file caches after loading")
    tensorflow_session_parallelism: int = flag(0, "threads of a session, inter and intra")
    tensorflow_intra_op_parallelism: int = flag(
        0, "threads inside an operation; 0: one for small recurrent models, else all cores"
    )
    tensorflow_inter_op_parallelism: int = flag(0, "operations at the same time")
    tensorflow_session_config_file: str = flag("", "text-format tensorflow.ConfigProto")
    use_alts_credentials: bool = inert(False, "Google ALTS credentials")
    ssl_config_file: str = flag("", "text-format SSLConfig: TLS on gRPC and REST")
    platform_config_file: str = flag("", "text-format PlatformConfigMap")
    per_process_gpu_memory_fraction: float = flag(0.0, "share of a GPU's memory")
    saved_model_tags: str = flag("serve", "comma-separated tags of the graph to load")
    grpc_channel_arguments: str = flag("", "key=value,... for the gRPC server")
    grpc_max_threads: int = flag(4 * CPUS, "threads that answer gRPC requests")
    enable_model_warmup: bool = flag(True, "replay tf_serving_warmup_requests before serving")
    num_request_iterations_for_warmup: int = flag(0, "times each warm-up request is run")
    version: bool = flag(False, "print the version and exit")
    monitoring_config_file: str = flag("", "text-format MonitoringConfig")
    remove_unused_fields_from_bundle_metagraph: bool = inert(True, "free graph definitions")
    prefer_tflite_model: bool = flag(False, "serve a version's model.tflite if it has one")
    num_tflite_pools: int = flag(CPUS, "interpreters of a TFLite model")
    num_tflite_interpreters_per_pool: int = flag(1, "multiplies num_tflite_pools")
    enable_signature_method_name_check: bool = flag(False, "check a signature's method name")
    xla_cpu_compilation_enabled: bool = flag(False, "compile graphs with XLA on the CPU")
    xla_gpu_compilation_enabled: bool = inert(False, "compile graphs with XLA on a GPU")
    enable_profiler: bool = flag(
        True, "profiler service; without the flag only on 127.0.0.1 and sockets"
    )
    thread_pool_factory_config_file: str = inert("", "text-format ThreadPoolFactoryConfig")
    mixed_precision: str = inert("", "mixed precision mode")
    skip_initialize_tpu: bool = inert(False, "do not set up a TPU")
    enable_grpc_healthcheck_service: bool = flag(False, "health service (here always on)")
    enable_serialization_as_tensor_content: bool = flag(
        False, "answers hold tensors in tensor_content"
    )
    host: str = flag("127.0.0.1", "address to bind; 0.0.0.0 or :: for every interface (ours)")
    api_key_file: str = flag("", "clients need one of its keys, one a line (ours)")
    health_without_key: bool = flag(False, "health is answered without a key (ours)")
    metrics_without_key: bool = flag(False, "metrics are answered without a key (ours)")
    partial_start: bool = flag(False, "start when some models do not load (ours)")
    request_log: str = flag("", "write a JSON line per request to this file; - is stderr (ours)")
    request_log_folder: str = flag("", "logs that a logging_config names are below it (ours)")
    enable_reload_rpc: bool = flag(
        True, "HandleReloadConfigRequest; without the flag only on 127.0.0.1 and sockets (ours)"
    )
    rest_api_max_body_bytes: int = flag(1 << 31, "largest REST request body (ours)")
    rest_api_max_header_bytes: int = flag(64 << 10, "largest head of a REST request (ours)")
    rest_api_header_timeout_in_ms: int = flag(30_000, "a request's head has this long (ours)")
    rest_api_body_timeout_in_ms: int = flag(
        60_000, "its body has this long and a second for each KiB; so has its reader (ours)"
    )
    rest_api_max_buffered_bytes: int = flag(
        4 << 30, "bodies together; beyond it the largest on its way is refused (ours)"
    )
    rest_api_keep_alive_in_ms: int = flag(75_000, "idle connections are closed after this (ours)")
    rest_api_max_connections: int = flag(
        4096, "with more, the one that waits longest for its client is closed (ours)"
    )
    max_request_rows: int = flag(1 << 15, "rows that a request may stand for (ours)")
    max_request_bytes: int = flag(1 << 30, "bytes of inputs it may stand for (ours)")
    grpc_max_message_bytes: int = flag((1 << 31) - 1, "largest gRPC message (ours)")
    grpc_max_concurrent_streams: int = flag(1024, "calls of a connection at once (ours)")
    grpc_handshake_timeout_in_ms: int = flag(
        30_000, "a connection has this long to speak HTTP/2 (ours)"
    )
    grpc_connection_idle_in_ms: int = flag(
        600_000, "connections without a call are closed after this (ours)"
    )
    grpc_connection_age_in_ms: int = flag(0, "connections are renewed after this; 0: never (ours)")
    grpc_max_connections: int = flag(4096, "connections at once (ours)")
    playground: bool = flag(
        True, "a page at /; without the flag only on 127.0.0.1 and without API keys (ours)"
    )
    strict_json: bool = flag(
        False, "REST answers without NaN and Infinity: null and the type's largest number (ours)"
    )
    drain_seconds: int = flag(30, "on SIGTERM, wait this long for running requests (ours)")
    supervise: bool = flag(False, "start the server again when it crashes (ours)")
    given: frozenset[str] = frozenset()

    def without_effect(self) -> list[str]:
        """Flags that were given but have no meaning here."""
        return sorted(name for name in self.given if not FLAGS[name].acts)


def bare_host(host: str) -> str:
    """A host without the brackets that an IPv6 address may be written in."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def host_and_port(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets.

    Example:
        >>> host_and_port("::1", 8500), host_and_port("localhost", 8500)
        ('[::1]:8500', 'localhost:8500')
    """
    bare = bare_host(host)
    return f"[{bare}]:{port}" if ":" in bare else f"{bare}:{port}"


FLAGS: dict[str, Flag] = {f.name: f.metadata["flag"] for f in fields(Flags) if f.metadata}


class UsageError(Exception):
    """A command line that cannot be read; the text says why."""


def parse(argv: Sequence[str]) -> Flags:
    """Read `--name=value`, `--name value`, and `--name` or `--noname` alone for a boolean.

    Raises:
        UsageError: an unknown flag, a missing or unreadable value, or a stray argument.

    Example:
        >>> parse(["--port=9000", "--rest_api_port", "9001", "--enable_batching"]).port
        9000
    """
    values: dict[str, Any] = {}
    rest = list(argv)
    while rest:
        argument = rest.pop(0)
        name, has_value, text = argument.partition("=")
        name = name.removeprefix("--").removeprefix("-")
        if not has_value and _turned_off(name):
            name, has_value, text = name.removeprefix("no"), "=", "false"
        if not argument.startswith("-") or name not in FLAGS:
            raise UsageError(f"unknown argument: {argument}")
        if not has_value:
            text = _next_value(FLAGS[name].default, rest, argument)
        values[name] = _value(name, FLAGS[name].default, text)
    return Flags(**values, given=frozenset(values))


def _turned_off(name: str) -> bool:
    """Whether a name is `no` before a boolean's."""
    found = FLAGS.get(name.removeprefix("no")) if name not in FLAGS else None
    return name.startswith("no") and found is not None and isinstance(found.default, bool)


def _next_value(default: Value, rest: list[str], argument: str) -> str:
    """The value of a flag without `=`: the next argument, which a boolean may do without."""
    if isinstance(default, bool):
        takes = bool(rest) and rest[0].lower() in ("true", "false", "1", "0")
        return rest.pop(0) if takes else "true"
    if not rest:
        raise UsageError(f"missing value of {argument}")
    return rest.pop(0)


def _value(name: str, default: Value, text: str) -> Value:
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
    for name, found in FLAGS.items():
        note = "" if found.acts else " (accepted, without effect)"
        kind = type(found.default).__name__
        default = str(found.default).lower() if kind == "bool" else found.default
        lines.append(f"\t--{name}={default!s:<24}\t{kind}\t{found.help}{note}")
    return "\n".join(lines)


def wants_help(argv: Sequence[str]) -> bool:
    """Whether the command line asks for the usage text."""
    return any(argument in ("--help", "-h", "-help") for argument in argv)


def wants_supervisor(argv: Sequence[str]) -> bool:
    """Whether a command line, if it is right, asks for a supervisor."""
    try:
        return not wants_help(argv) and parse(argv).supervise
    except UsageError:
        return False


def parse_or_usage(argv: Sequence[str]) -> Flags | None:
    """Flags, or None after printing the usage text and what was wrong to stderr."""
    try:
        if not wants_help(argv):
            return parse(argv)
    except UsageError as error:
        print(error, file=sys.stderr)
    print(usage(), file=sys.stderr)
    return None
