"""Messages of the configuration files that the tensorflow-serving-api package leaves out.

Names and field names follow TensorFlow Serving's published formats, so that its files are read
as they are. The descriptors are built here and registered in the default pool (text files may
expand `Any`); a message that some other package already registered is used instead.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    wrappers_pb2,
)
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import config_pb2

PACKAGE = "tensorflow.serving"
FILE = "serving/missing_configs.proto"
SCALARS = {
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "uint64": descriptor_pb2.FieldDescriptorProto.TYPE_UINT64,
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
}
WRAPPERS = "google.protobuf."

# message: {field: (number, type)}; "*" before a type repeats the field.
MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "PrometheusConfig": {"enable": (1, "bool"), "path": (2, "string")},
    "MonitoringConfig": {"prometheus_config": (1, f"{PACKAGE}.PrometheusConfig")},
    "SSLConfig": {
        "server_key": (1, "string"),
        "server_cert": (2, "string"),
        "custom_ca": (3, "string"),
        "client_verify": (4, "bool"),
    },
    "BatchingParameters": {
        "max_batch_size": (1, WRAPPERS + "Int64Value"),
        "batch_timeout_micros": (2, WRAPPERS + "Int64Value"),
        "max_enqueued_batches": (3, WRAPPERS + "Int64Value"),
        "num_batch_threads": (4, WRAPPERS + "Int64Value"),
        "thread_pool_name": (5, WRAPPERS + "StringValue"),
        "allowed_batch_sizes": (6, "*int64"),
        "pad_variable_length_inputs": (7, "bool"),
        "enable_large_batch_splitting": (8, WRAPPERS + "BoolValue"),
        "max_execution_batch_size": (9, WRAPPERS + "Int64Value"),
        "batch_padding_policy": (18, WRAPPERS + "StringValue"),
    },
    "ThreadPoolFactoryConfig": {"thread_pool_factory_config": (1, WRAPPERS + "Any")},
    "NamedTensorProto": {"name": (1, "string"), "tensor": (2, "tensorflow.TensorProto")},
    "ModelWarmupOptions": {
        "num_request_iterations": (1, WRAPPERS + "Int32Value"),
        "num_model_warmup_threads": (2, WRAPPERS + "Int32Value"),
    },
    "SessionBundleConfig": {
        "session_target": (1, "string"),
        "session_config": (2, "tensorflow.ConfigProto"),
        "batching_parameters": (3, f"{PACKAGE}.BatchingParameters"),
        "session_run_load_threadpool_index": (4, WRAPPERS + "Int32Value"),
        "experimental_transient_ram_bytes_during_load": (5, "uint64"),
        "saved_model_tags": (6, "*string"),
        "enable_model_warmup": (779, "bool"),
        "model_warmup_options": (780, f"{PACKAGE}.ModelWarmupOptions"),
        "enable_session_metadata": (781, "bool"),
        "remove_unused_fields_from_bundle_metagraph": (782, WRAPPERS + "BoolValue"),
        "prefer_tflite_model": (783, "bool"),
        "num_tflite_interpreters_per_pool": (784, "int32"),
        "num_tflite_pools": (785, "int32"),
        "mixed_precision": (786, "string"),
    },
    "SavedModelBundleSourceAdapterConfig": {
        "legacy_config": (1000, f"{PACKAGE}.SessionBundleConfig")
    },
    "SessionBundleSourceAdapterConfig": {"config": (1, f"{PACKAGE}.SessionBundleConfig")},
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name=FILE, package=PACKAGE, syntax="proto3")
    for module in (any_pb2, wrappers_pb2, tensor_pb2, config_pb2):
        file.dependency.append(module.DESCRIPTOR.name)
    for name, field_table in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in field_table.items():
            _add_field(message, field, number, kind)
    return file


def _add_field(message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str) -> None:
    field = message.field.add(name=name, number=number)
    field.label = field.LABEL_REPEATED if kind.startswith("*") else field.LABEL_OPTIONAL
    kind = kind.removeprefix("*")
    if kind in SCALARS:
        field.type = SCALARS[kind]
    else:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{kind}"


def _classes() -> dict[str, Any]:
    pool = descriptor_pool.Default()
    try:
        pool.FindMessageTypeByName(f"{PACKAGE}.BatchingParameters")
    except KeyError:
        pool.AddSerializedFile(_file().SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in MESSAGES
    }


_CLASSES = _classes()
MonitoringConfig = _CLASSES["MonitoringConfig"]
SSLConfig = _CLASSES["SSLConfig"]
BatchingParameters = _CLASSES["BatchingParameters"]
SavedModelBundleSourceAdapterConfig = _CLASSES["SavedModelBundleSourceAdapterConfig"]
