"""Loading a SavedModel of any origin (TF1 or TF2) into a session, as TensorFlow Serving does."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2
from tensorflow_serving.config import platform_config_pb2

from export.report import STRICT_JSON
from serving.codec import protos
from serving.config.files import read_text_proto, with_batching_defaults
from serving.errors import (
    Code,
    ServingError,
    failed_precondition,
    from_exception,
    invalid_argument,
    not_found,
)
from serving.models import signatures, unbatchable
from serving.models.caps import Caps
from serving.models.servable import LoadOptions, Servable
from serving.options import Flags
from serving.session.limits import Limits
from serving.session.parallelism import parallel_batches, session_config
from serving.session.runner import Batching, GraphRunner
from serving.session.tf_private import SavedModelLoader

log = logging.getLogger("serving.models.loader")
PER_MODEL_BATCHING = "batching_params.pbtxt"
TFLITE_FILE = "model.tflite"
# A session, its graph's description, and how many runs keep all cores busy.
Restored = tuple[tf.compat.v1.Session, meta_graph_pb2.MetaGraphDef, int]
EXTRA_OPS = ("tensorflow_text", "tensorflow_decision_forests")


def load_options(flags: Flags, batching: Any | None) -> LoadOptions:
    """Read the flags and files that say how sessions are set up."""
    session, legacy = _platform_session(flags)
    if batching is None and legacy is not None and legacy.HasField("batching_parameters"):
        batching = with_batching_defaults(legacy.batching_parameters)
    tags = tuple(legacy.saved_model_tags) if legacy is not None else ()
    return LoadOptions(
        tags=tags or tuple(tag for tag in flags.saved_model_tags.split(",") if tag),
        session=session,
        batching=batching,
        per_model_batching=flags.enable_batching and flags.enable_per_model_batching_parameters,
        caps=Caps(flags.max_request_rows, flags.max_request_bytes),
        prefer_tflite=flags.prefer_tflite_model or bool(legacy and legacy.prefer_tflite_model),
        tflite_interpreters=flags.num_tflite_pools * flags.num_tflite_interpreters_per_pool,
    )


def _platform_session(flags: Flags) -> tuple[config_pb2.ConfigProto, Any | None]:
    """The sessions' ConfigProto, and a platform config file's settings if there is one."""
    session, legacy = config_pb2.ConfigProto(), None
    if flags.platform_config_file:
        table = read_text_proto(flags.platform_config_file, platform_config_pb2.PlatformConfigMap())
        adapter = protos.SavedModelBundleSourceAdapterConfig()
        if not table.platform_configs["tensorflow"].source_adapter_config.Unpack(adapter):
            raise invalid_argument(
                f"{flags.platform_config_file}: no SavedModelBundleSourceAdapterConfig "
                "for platform tensorflow"
            )
        legacy = adapter.legacy_config
        session.CopyFrom(legacy.session_config)
        return session, legacy
    if flags.tensorflow_session_config_file:
        read_text_proto(flags.tensorflow_session_config_file, session)
    return _with_parallelism(session, flags), legacy


def _with_parallelism(session: config_pb2.ConfigProto, flags: Flags) -> config_pb2.ConfigProto:
    both = flags.tensorflow_session_parallelism
    intra, inter = flags.tensorflow_intra_op_parallelism, flags.tensorflow_inter_op_parallelism
    if both and (intra or inter):
        raise invalid_argument(
            "tensorflow_session_parallelism sets both; give it or "
            "tensorflow_intra_op_parallelism and tensorflow_inter_op_parallelism, not all"
        )
    if both or intra:
        session.intra_op_parallelism_threads = both or intra
    if both or inter:
        session.inter_op_parallelism_threads = both or inter
    if flags.per_process_gpu_memory_fraction:
        fraction = flags.per_process_gpu_memory_fraction
        session.gpu_options.per_process_gpu_memory_fraction = fraction
    session.allow_soft_placement = True
    if flags.xla_cpu_compilation_enabled:
        session.graph_options.optimizer_options.global_jit_level = config_pb2.OptimizerOptions.ON_1
    return session


def load(name: str, version: int, path: str, options: LoadOptions) -> Servable:
    """Load one version from its directory.

    Raises:
        ServingError: with the code and message that the model's status shows.
    """
    try:
        servable = _load(name, version, path, options)
    except ServingError:
        raise
    except Exception as error:
        raise _load_error(error, path, options) from error
    servable.caps = options.caps
    servable.strict_json = os.path.exists(os.path.join(path, STRICT_JSON))
    return servable


def _load(name: str, version: int, path: str, options: LoadOptions) -> Servable:
    if options.prefer_tflite and os.path.exists(os.path.join(path, TFLITE_FILE)):
        from serving.models import tflite

        return tflite.load(name, version, os.path.join(path, TFLITE_FILE), options)
    return _load_saved_model(name, version, path, options)


def _load_saved_model(name: str, version: int, path: str, options: LoadOptions) -> Servable:
    files = _fingerprint(path)
    session, meta_graph, parallel = _restore_with_extra_ops(path, options)
    table = {
        key: signatures.from_definition(key, definition)
        for key, definition in meta_graph.signature_def.items()
    }
    parameters, batching = _batching_of(path, options), None
    if parameters is not None:
        batching = Batching(
            Limits.of(parameters, parallel),
            unbatchable.unbatchable(table, meta_graph.graph_def),
            unbatchable.aliases(table),
        )

    def restored() -> tf.compat.v1.Session:
        if _fingerprint(path) != files:
            raise failed_precondition(f"the files of {path} are not those that were loaded")
        return _restore_with_extra_ops(path, options)[0]

    runner = GraphRunner(session, f"{name} {version}", batching, _all_fetches(table), restored)
    return Servable(name, version, table, runner)


def _fingerprint(path: str) -> list[tuple[str, int, int]]:
    """Changes when a file of a version does."""
    stats = [(str(file), file.stat()) for file in sorted(Path(path).rglob("*"))]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def _all_fetches(
    table: Mapping[str, signatures.Signature],
) -> dict[tuple[str, ...], tuple[str, ...]]:
    """By what is fed, everything that some signature fetches."""
    found: dict[tuple[str, ...], set[str]] = {}
    for signature in table.values():
        found.setdefault(signature.feeds, set()).update(signature.fetches(signature.outputs))
    return {feeds: tuple(sorted(fetches)) for feeds, fetches in found.items()}


def _restore_with_extra_ops(path: str, options: LoadOptions) -> Restored:
    """Restore; when an operation is unknown, once more with the add-on packages that exist."""
    try:
        return _restore(path, options)
    except (tf.errors.NotFoundError, ValueError, RuntimeError) as error:
        if "Op type not registered" not in str(error) or not _import_extra_ops():
            raise
    return _restore(path, options)


def _import_extra_ops() -> bool:
    """Register the add-on packages' operations; a package that is broken is named in the log."""
    found = False
    for package in EXTRA_OPS:
        try:
            importlib.import_module(package)
            found = True
        except (ImportError, tf.errors.OpError) as error:
            if importlib.util.find_spec(package) is not None:
                log.warning("%s is installed but cannot be imported: %s", package, error)
    return found


def _restore(path: str, options: LoadOptions) -> Restored:
    saved = SavedModelLoader(path)
    tags = list(options.tags)
    config = session_config(options.session, saved.get_meta_graph_def_from_tags(tags), path)
    graph = tf.Graph()
    with graph.as_default(), _quiet_tensorflow():
        session = tf.compat.v1.Session(graph=graph, config=config)
        try:
            meta_graph = saved.load(session, tags)
        except BaseException:
            session.close()
            raise
    return session, meta_graph, parallel_batches(config)


@contextlib.contextmanager
def _quiet_tensorflow() -> Iterator[None]:
    """Loading through the session interface is meant, so its deprecation note is not printed."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _batching_of(path: str, options: LoadOptions) -> Any | None:
    if not options.per_model_batching:
        return options.batching
    file = os.path.join(path, PER_MODEL_BATCHING)
    if not os.path.exists(file):
        return None
    return with_batching_defaults(read_text_proto(file, protos.BatchingParameters()))


def _load_error(error: Exception, path: str, options: LoadOptions) -> ServingError:
    """The code and text of a failed load, in the original's words where it has some."""
    if isinstance(error, OSError) and "SavedModel file does not exist" in str(error):
        return not_found(
            f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}"
        )
    if isinstance(error, RuntimeError) and "tag" in str(error):
        return not_found(
            "Could not find meta graph def matching supplied tags: "
            f"{{ {' '.join(options.tags)} }}. To inspect available tag-sets in the SavedModel, "
            "please use the SavedModel CLI: `saved_model_cli`"
        )
    converted = from_exception(error)
    if converted.code is Code.INTERNAL:
        return ServingError(Code.INTERNAL, f"cannot load {path}: {error}")
    return converted
