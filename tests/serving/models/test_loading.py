"""Loading versions: warm-up, TFLite, per-model batching, deadlines, errors."""

from __future__ import annotations

import shutil
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving.errors import Code, ServingError
from serving.inference import predict as inference
from serving.lifecycle import warmup
from serving.models import loader
from serving.monitoring.metrics import Metrics
from serving.options import parse
from tests.serving.conformance.conftest import predict_request


def options(*argv):
    return loader.load_options(parse(list(argv)), None)


@pytest.fixture
def version(models, tmp_path):
    """A copy of half_plus_two's only version."""
    (path,) = (models / "half_plus_two").iterdir()
    return shutil.copytree(path, tmp_path / "1")


def write_warmup(version, *records):
    folder = version / "assets.extra"
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / "tf_serving_warmup_requests")) as writer:
        for record in records:
            writer.write(record if isinstance(record, bytes) else record.SerializeToString())


def predict_log(**inputs):
    record = prediction_log_pb2.PredictionLog()
    record.predict_log.request.CopyFrom(predict_request("any", **inputs))
    return record


def example_logs():
    record = prediction_log_pb2.PredictionLog()
    request = record.classify_log.request
    request.model_spec.signature_name = "classify_x_to_y"
    request.input.example_list.examples.add().features.feature["x"].float_list.value.append(1)
    regress = prediction_log_pb2.PredictionLog()
    regress.regress_log.request.model_spec.signature_name = "regress_x_to_y"
    regress.regress_log.request.input.CopyFrom(request.input)
    several = prediction_log_pb2.PredictionLog()
    task = several.multi_inference_log.request.tasks.add(method_name="tensorflow/serving/regress")
    task.model_spec.name, task.model_spec.signature_name = "any", "regress_x_to_y"
    several.multi_inference_log.request.input.CopyFrom(request.input)
    return [record, regress, several]


def test_warm_up_replays_every_kind_of_record(version):
    write_warmup(version, predict_log(x=[1.0]), *example_logs())
    servable, metrics = loader.load("m", 1, str(version), options()), Metrics()
    assert warmup.warm_up(servable, str(version), 2, metrics) == 4
    assert metrics.value("/tensorflow/serving/model_warmup_records_read") == 4
    servable.close()


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([predict_log(z=[1.0])], "not found in request"),
        ([b"\xff\xff"], "Failed to parse warmup record"),
        ([prediction_log_pb2.PredictionLog()], "Unsupported log_type"),
        ([predict_log(x=[1.0])] * 1001, "exceeds the maximum"),
    ],
)
def test_a_failing_record_fails_the_load(version, records, message):
    write_warmup(version, *records)
    servable = loader.load("m", 1, str(version), options())
    with pytest.raises(ServingError, match=message) as error:
        warmup.warm_up(servable, str(version), 0, Metrics())
    assert "tf_serving_warmup_requests" in str(error.value)
    servable.close()


def test_tflite_with_its_own_signature(tmp_path):
    module = tf.Module()
    module.f = tf.function(lambda x: {"y": x / 2.0 + 2.0}).get_concrete_function(
        tf.TensorSpec([None, 1], tf.float32, name="x")
    )
    tf.saved_model.save(module, str(tmp_path / "saved"), {"serving_default": module.f})
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved"))
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "model.tflite").write_bytes(converter.convert())
    servable = loader.load(
        "m", 1, str(tmp_path / "1"), options("--prefer_tflite_model", "--num_tflite_pools=2")
    )
    signature = servable.signatures["serving_default"]
    for rows in (1, 3):
        given = {"x": np.full((rows, 1), 2, np.float32)}
        (y,) = inference.run(servable, signature, given, ["y"], time.monotonic() + 5)
        assert y.tolist() == [[3.0]] * rows
    servable.close()


def test_an_unreadable_tflite_model(tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"nothing")
    with pytest.raises(ServingError, match="cannot load model.tflite"):
        loader.load("m", 1, str(tmp_path), options("--prefer_tflite_model"))


def test_batching_parameters_of_a_version(version):
    (version / "batching_params.pbtxt").write_text("max_batch_size { value: 2 }")
    per_model = options("--enable_batching", "--enable_per_model_batching_parameters")
    servable = loader.load("m", 1, str(version), per_model)
    signature = servable.signatures["serving_default"]
    with pytest.raises(ServingError, match="Task size 3 is larger"):
        inference.run(servable, signature, {"x": np.zeros((3, 1), np.float32)}, ["y"], None)
    servable.close()


def test_tags_are_found_or_named(version):
    with pytest.raises(ServingError) as error:
        loader.load("m", 1, str(version), options("--saved_model_tags=gpu"))
    assert error.value.code is Code.NOT_FOUND
    assert "supplied tags: { gpu }" in error.value.message


@pytest.mark.parametrize(("content", "works"), [("", True), ("raise ImportError('broken')", False)])
def test_unknown_operations_are_sought_in_add_on_packages(
    version, tmp_path, monkeypatch, caplog, content, works
):
    (tmp_path / "add_on_ops.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(loader, "EXTRA_OPS", ("add_on_ops", "not_installed_ops"))
    restore = loader._restore

    def unregistered(path, options):
        if "add_on_ops" not in sys.modules:
            raise tf.errors.NotFoundError(None, None, "Op type not registered 'AddOn'")
        return restore(path, options)

    monkeypatch.setattr(loader, "_restore", unregistered)
    if works:
        loader.load("m", 1, str(version), options()).close()
        assert not caplog.records
        del sys.modules["add_on_ops"]
    else:
        with pytest.raises(ServingError, match="Op type not registered 'AddOn'"):
            loader.load("m", 1, str(version), options())
        assert "add_on_ops is installed but cannot be imported: broken" in caplog.text


def test_a_deadline_cuts_a_long_run(models):
    (path,) = (models / "loop").iterdir()
    servable = loader.load("loop", 1, str(path), options())
    signature = servable.signatures["serving_default"]

    def run(steps, seconds):
        given = {"steps": np.int32([steps])}
        return inference.run(servable, signature, given, ["steps"], time.monotonic() + seconds)

    assert run(1, 20)[0].tolist() == [1]
    start = time.monotonic()
    with pytest.raises(tf.errors.DeadlineExceededError):
        run(2_000_000_000, 0.01)
    with pytest.raises(ServingError, match="deadline had passed"):
        run(1, -1)
    assert time.monotonic() - start < 10
    servable.close()


def test_signature_defaults_fill_missing_inputs(models):
    (path,) = (models / "types").iterdir()
    servable = loader.load("types", 1, str(path), options())
    plain = servable.signatures["serving_default"]
    definition = type(plain.definition)()
    definition.CopyFrom(plain.definition)
    definition.defaults["b"].CopyFrom(tf.make_tensor_proto([10.0], tf.float32))
    from serving.models.signatures import from_definition

    signature = from_definition("with_default", definition)
    request = predict_request("types", a=[1.0])
    given = inference.decode_inputs(signature, request.inputs)
    (total,) = inference.run(servable, signature, given, ["sum"], None)
    assert total.tolist() == [11.0]
    with pytest.raises(ServingError, match=r"default input alias set: \{b\}"):
        inference.decode_inputs(signature, predict_request("types", b=[1.0]).inputs)
    servable.close()
