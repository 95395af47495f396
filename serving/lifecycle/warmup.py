"""Replaying recorded requests on a version before it takes traffic."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from serving.errors import Code, ServingError, from_exception, invalid_argument
from serving.inference import predict as inference
from serving.inference import tf_examples
from serving.models.servable import Servable
from serving.monitoring.metrics import Metrics

log = logging.getLogger("serving.lifecycle.warmup")
FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")
MOST_RECORDS = 1000


def warm_up(servable: Servable, path: str, iterations: int, metrics: Metrics) -> int:
    """Run the requests recorded beside a version; returns how many there were.

    Args:
        servable: the loaded version.
        path: its directory.
        iterations: how often each request is run, at least once.
        metrics: counts the records and the time.

    Raises:
        ServingError: a record is unreadable, of an unknown kind, or fails; the load fails with it.
    """
    file = os.path.join(path, FILE)
    if not os.path.exists(file):
        return 0
    start, count, done, status = time.monotonic(), 0, 0, "OK"
    try:
        for count, record in enumerate(_records(file), start=1):
            if count > MOST_RECORDS:
                raise invalid_argument(
                    f"Number of warmup records exceeds the maximum ({MOST_RECORDS}) at {file}"
                )
            for _ in range(max(1, iterations)):
                _replay(servable, record)
            metrics.warmup_records.add(path)
            done = count
    except Exception as error:
        found = from_exception(error)
        status = found.code.name
        if file not in found.message:
            found = ServingError(found.code, f"{file}, record {done + 1}: {found.message}")
        raise found from error
    finally:
        micros = (time.monotonic() - start) * 1e6
        metrics.warmup_latency.observe(micros, path, status)
    log.info("Finished reading warmup data for model at %s: %d records", path, count)
    return count


def _records(file: str) -> Iterator[prediction_log_pb2.PredictionLog]:
    """The PredictionLogs of a TFRecord file."""
    for serialized in tf.data.TFRecordDataset(file).as_numpy_iterator():
        try:
            yield prediction_log_pb2.PredictionLog.FromString(serialized)
        except DecodeError as error:
            raise invalid_argument(f"Failed to parse warmup record: {error}") from None


def _replay(servable: Servable, record: prediction_log_pb2.PredictionLog) -> None:
    kind = record.WhichOneof("log_type")
    if kind == "predict_log":
        request = record.predict_log.request
        signature = inference.predict_signature(servable, request.model_spec.signature_name, False)
        inference.predict(servable, signature, request.inputs, request.output_filter, None)
    elif kind == "classify_log":
        tf_examples.classify(servable, record.classify_log.request, None)
    elif kind == "regress_log":
        tf_examples.regress(servable, record.regress_log.request, None)
    elif kind == "multi_inference_log":
        tf_examples.multi_inference(servable, record.multi_inference_log.request, None)
    else:
        raise ServingError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")
