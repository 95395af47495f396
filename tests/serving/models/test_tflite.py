"""TFLite models: with signatures of their own, stored beside the model, or with none."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from flatbuffers import flexbuffers
from tensorflow.lite.python import schema_py_generated
from tensorflow.lite.tools import flatbuffer_utils

from serving.errors import ServingError
from serving.inference import predict as inference
from serving.models import loader
from serving.options import parse


@pytest.fixture(scope="module")
def half_plus_two():
    """y = x / 2 + 2 as older tools convert it: no signature, tensors named in/x and out/y."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [1, 1], name="in/x")
        y = tf.add(x * 0.5, 2.0, name="out/y")
        return v1.lite.TFLiteConverter.from_session(session, [x], [y]).convert()


def definition(x, y):
    """A SignatureDef of these tensors."""
    made = tf.compat.v1.saved_model.build_signature_def({}, {}, "tensorflow/serving/predict")
    made.inputs["x"].name, made.inputs["x"].dtype = x, 1
    made.outputs["y"].name, made.outputs["y"].dtype = y, 1
    return made


def with_stored_signature(model, key, made):
    """The model with a SignatureDef in its metadata, where TensorFlow's older tools put it."""
    content = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Key(key)
        builder.String(made.SerializeToString().decode("latin-1"))
    buffer = schema_py_generated.BufferT()
    buffer.data = np.frombuffer(bytes(builder.Finish()), np.uint8)
    content.buffers.append(buffer)
    entry = schema_py_generated.MetadataT()
    entry.name, entry.buffer = b"signature_defs_metadata", len(content.buffers) - 1
    content.metadata = [*(content.metadata or []), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(content))


@pytest.fixture
def load(tmp_path):
    """Loads a TFLite model's bytes as a version."""

    def call(content):
        (tmp_path / "model.tflite").write_bytes(content)
        options = loader.load_options(parse(["--prefer_tflite_model=true"]), None)
        return loader.load("m", 1, str(tmp_path), options)

    return call


def asked(servable, key, alias_in, alias_out, value):
    signature = servable.signatures[key]
    (y,) = inference.run(servable, signature, {alias_in: value}, [alias_out], None)
    return y.tolist()


@pytest.mark.parametrize("shape", [(1,), (1, 1), (3, 1)])
def test_without_a_signature_the_tensors_names_are_the_aliases(half_plus_two, load, shape):
    servable = load(half_plus_two)
    answer = asked(servable, "serving_default", "in/x", "out/y", np.full(shape, 2, np.float32))
    assert answer == np.full(shape, 3.0).tolist()
    servable.close()


def test_a_stored_signature_renames_the_tensors(half_plus_two, load):
    made = definition("in/x:0", "out/y:0")
    servable = load(with_stored_signature(half_plus_two, "serving_default", made))
    assert list(servable.signatures) == ["serving_default"]
    assert servable.signatures["serving_default"].definition == made
    assert asked(servable, "serving_default", "x", "y", np.float32([2])) == [3.0]
    servable.close()


def test_a_stored_signature_of_other_tensors_is_refused(half_plus_two, load):
    content = with_stored_signature(half_plus_two, "k", definition("nowhere:0", "out/y:0"))
    with pytest.raises(ServingError, match="signature k names tensor nowhere, .*model's: in/x"):
        load(content)
