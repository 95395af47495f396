"""The embedded model server: put together, started, stopped."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from serving.errors import from_exception, invalid_argument
from serving.options import CPUS, Flags, parse_or_usage
from serving.process import ending
from serving.session.startup import import_tensorflow

if TYPE_CHECKING:
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    from serving.access.tls import Tls
    from serving.grpc_api.server import GrpcServer
    from serving.models.servable import Servable
    from serving.rest.server import RestServer

FAILED = 255
LOG_FORMAT = "%(asctime)s.%(msecs)03d: %(levelname).1s %(name)s] %(message)s"
DEFAULT_REST_PORT = 8501
MICRO = 1_000_000


def run(argv: Sequence[str] | None = None) -> int:
    """Run the server until SIGTERM or Ctrl-C; returns the process's exit code.

    Args:
        argv: tensorflow_model_server's flags; without a model the shipped presets are exported
            and served.
    """
    flags = parse_or_usage(sys.argv[1:] if argv is None else argv)
    if flags is None:
        return FAILED
    signals = ending.Signals()
    with signals.handled():
        try:
            import_tensorflow()
            if flags.version:
                return _print_version()
            _set_up_logging()
            server = ModelServer(flags)
            server.start()
            signals.is_loading = False
        except ending.StoppedWhileLoading:
            ending.leave(0)  # what still loads in other threads is not waited for
        except Exception as error:
            print(f"Failed to start server. Error: {from_exception(error)}", flush=True)
            return FAILED
        _serve(server, signals)
    return 0


def _serve(server: ModelServer, signals: ending.Signals) -> None:
    """Serve until a signal comes, then stop."""
    # What was imported stays; unloading a model then collects quickly.
    gc.collect()
    gc.freeze()
    if server.flags.model_config_file:
        signals.on_hangup = server.reread
    signals.wait()
    ending.end_by_force_after(server.flags.drain_seconds + ending.SLACK_SECONDS)
    server.stop()


def _print_version() -> int:
    import tensorflow as tf

    from zoo._version import __version__

    print(f"Recurrent Zoo ModelServer: {__version__}\nTensorFlow Library: {tf.__version__}")
    return 0


def _set_up_logging() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.basicConfig(
        level=logging.INFO, format=LOG_FORMAT, datefmt="%Y-%m-%d %H:%M:%S", stream=sys.stderr
    )
    for name in ("absl", "tensorflow"):  # what they do while exporting is no news
        logging.getLogger(name).setLevel(logging.WARNING)


def with_defaults(flags: Flags) -> Flags:
    """Without any model named, REST is on by default too."""
    named = flags.model_config_file or flags.model_base_path
    if named or "rest_api_port" in flags.given:
        return flags
    return replace(flags, rest_api_port=DEFAULT_REST_PORT)


def check_flags(flags: Flags) -> None:
    """Refuse flags that contradict each other."""
    if not flags.port and not flags.rest_api_port and not flags.grpc_socket_path:
        raise invalid_argument(
            "At least one of server_options.grpc_port or server_options.http_port must be set."
        )
    if flags.port and flags.port == flags.rest_api_port:
        raise invalid_argument(
            "server_options.http_port cannot be same as grpc_port. Please use different port."
        )
    if flags.model_base_path and flags.model_config_file:
        raise invalid_argument(
            "server_options.model_base_path and server_options.model_config_file are both set; "
            "give one of them"
        )


class ModelServer:
    """A server with its models, built from flags.

    Example::

        server = ModelServer(options.parse(["--port=8500", "--model_base_path=/models/m"]))
        server.start()
        ...
        server.stop()
    """

    def __init__(self, flags: Flags) -> None:
        flags = with_defaults(flags)
        check_flags(flags)
        self.flags = flags
        self._grpc: GrpcServer | None = None
        self._rest: RestServer | None = None
        self._build()

    def _build(self) -> None:
        """Make the parts; nothing is loaded yet, and only the REST port is bound."""
        from serving import engine
        from serving.config import files as config
        from serving.lifecycle import core, manager, remote, source
        from serving.lifecycle import warmup as warm
        from serving.models import loader
        from serving.monitoring import metrics, request_log

        flags = self.flags
        options = loader.load_options(flags, config.batching_parameters(flags))
        self.metrics = metrics.Metrics()

        def load(name: str, version: int, path: str) -> Servable:
            path = remote.local_copy(path)
            servable = loader.load(name, version, path, options)
            if flags.enable_model_warmup:
                iterations = flags.num_request_iterations_for_warmup
                try:
                    warm.warm_up(servable, path, iterations, self.metrics)
                except Exception:
                    servable.close()
                    raise
            return servable

        retry = manager.RetryPolicy(
            flags.max_num_load_retries, flags.load_retry_interval_micros / MICRO
        )
        self.manager = manager.Manager(load, retry, flags.num_load_threads or CPUS)
        watcher = source.Source(
            self.manager, flags.file_system_poll_wait_seconds, flags.polls_before_unload
        )
        self._log = request_log.RequestLog(flags.request_log, flags.request_log_folder)
        self.core = core.ServerCore(self.manager, watcher, flags, self._log.prepared)
        self.engine = engine.Engine(
            self.core,
            self.metrics,
            self._log,
            flags.enable_serialization_as_tensor_content,
            flags.enable_signature_method_name_check,
        )
        self._make_interfaces(config.metrics_path(flags))

    def _make_interfaces(self, metrics_path: str | None) -> None:
        from serving.access import keys, tls
        from serving.access.administration import administration
        from serving.grpc_api import profiler
        from serving.grpc_api import server as grpc_service
        from serving.rest import app
        from serving.rest import server as rest_service

        flags = self.flags
        secured = tls.read_tls(flags.ssl_config_file)
        known = keys.ApiKeys(flags.api_key_file) if flags.api_key_file else None
        self._warn(secured)
        extra = []
        if flags.enable_profiler:
            check = administration(flags, "enable_profiler").check
            extra.append(profiler.Profiler(check).handlers())
        if flags.port or flags.grpc_socket_path:
            self._grpc = grpc_service.GrpcServer(self.engine, flags, extra, secured, known)
        if flags.rest_api_port:
            rest = app.RestApp(self.engine, flags, metrics_path, known)
            self._rest = rest_service.RestServer(rest, flags, secured)

    def _warn(self, secured: Tls | None) -> None:
        """Say it aloud if others can reach the server and nothing keeps them out."""
        from serving.access import exposure

        flags = self.flags
        if not flags.port and not flags.rest_api_port:
            return
        verifies = secured is not None and secured.client_verify
        keys = bool(flags.api_key_file)
        said = exposure.warning(flags.host, keys, secured is not None, verifies)
        if said:
            logging.getLogger("serving.access").warning(said)

    def start(self) -> None:
        """Load the models, then listen.

        Raises:
            ServingError: what kept the server from starting.
        """
        log = logging.getLogger("serving.server")
        for name in self.flags.without_effect():
            log.warning("--%s has no meaning here and is ignored", name)
        self.core.start(self._config(), self.flags.partial_start, self._held_up)
        if self._grpc is not None:
            for address in self._grpc.start():
                log.info("Running gRPC ModelServer at %s ...", address)
        if self._rest is not None:
            log.info("Exporting HTTP/REST API at:%s ...", self._rest.start())
            log.info("Entering the event loop ...")

    def _held_up(self) -> None:
        """Let the readiness path say what the start waits for."""
        if self._rest is not None:
            logging.getLogger("serving.server").warning(
                "a model has nothing to load yet; %s/v1/health/ready says why",
                self._rest.listen(),
            )

    def _config(self) -> ModelServerConfig:
        from serving import defaults
        from serving.config import files as config

        if self.flags.model_config_file or self.flags.model_base_path:
            return config.model_server_config(self.flags)
        return defaults.shipped_config()

    def reread(self) -> None:
        """Read --model_config_file again, and open the logs anew, as after their rotation."""
        self._log.reopen()
        self.core.reread()

    def stop(self) -> None:
        """Take no new requests, answer the running ones, unload the models."""
        grace = float(self.flags.drain_seconds)
        until = time.monotonic() + grace
        self.core.stop()
        if self._grpc is not None:
            self._grpc.set_serving(False)
        stops = [
            threading.Thread(target=part.stop, args=(grace,))
            for part in (self._grpc, self._rest)
            if part is not None
        ]
        for thread in stops:
            thread.start()
        for thread in stops:
            thread.join()
        self.manager.close(max(1.0, until - time.monotonic()))
        self.manager.abort()
        self._log.close()
