"""Predict bodies for signatures with defaults and with ragged or sparse tensors."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import model_pb2, predict_pb2

from export.report import STRICT_JSON
from export.saved_model.exporter import export_saved_model
from serving.errors import ServingError
from serving.inference import predict as inference
from serving.models import loader
from serving.models.signatures import Signature, from_definition
from serving.options import parse
from serving.rest.predict import Body
from tests.serving.programs import parsed_by_javascript
from tests.serving.rest.test_values import refusal, strictly
from zoo.models import NGramLanguageModel

INIT = "__saved_model_init_op"
PRESET_SIGNATURES = ("distribution", "next_word", "prefill", "score", "token_log_probs")


def load(path):
    return loader.load("m", 1, str(path), loader.load_options(parse([]), None))


def answer(servable, document, strict=False):
    """The body of an answer."""
    spec = model_pb2.ModelSpec()
    body = Body(json.dumps(document).encode(), spec, strict)
    inputs = body.inputs(servable)
    values = inference.run(servable, inputs.signature, inputs.given, inputs.outputs, None)
    return body.answer(servable, inputs, values)


@pytest.fixture(scope="module")
def servable(tmp_path_factory):
    """A model with a signature of defaults and some of composite tensors."""
    path = tmp_path_factory.mktemp("signatures")
    text = tf.TensorSpec([None], tf.string, name="text")
    number = tf.TensorSpec([None], tf.float32)

    def pieces(text):
        words = tf.strings.split(text)
        return {
            "words": words,
            "letters": tf.strings.bytes_split(words),
            "sparse": words.to_sparse(),
            "length": tf.strings.length(text),
        }

    def power(x, base, shift):
        return {"y": base**x + shift}

    module = tf.Module()
    specs = [tf.TensorSpec(number.shape, number.dtype, name=n) for n in ("x", "base", "shift")]
    tf.saved_model.save(
        module,
        str(path),
        {
            "pieces": tf.function(pieces).get_concrete_function(text),
            "power": tf.function(power).get_concrete_function(*specs),
        },
    )
    loaded = load(path)
    with_defaults(loaded, "power", base=[2.0], shift=[0.5])
    with_defaults(loaded, "power", "all_given", x=[1.0], base=[2.0], shift=[0.5])
    yield loaded
    loaded.close()


def with_defaults(servable, key, new_key=None, **values):
    """Give inputs of a signature their defaults."""
    definition = type(servable.signatures[key].definition)()
    definition.CopyFrom(servable.signatures[key].definition)
    for alias, value in values.items():
        definition.defaults[alias].CopyFrom(tf.make_tensor_proto(value, tf.float32))
    servable.signatures[new_key or key] = from_definition(new_key or key, definition)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"instances": [1.0, 3.0]}, [2.5, 8.5]),
        ({"inputs": [1.0, 3.0]}, [2.5, 8.5]),
        ({"instances": [{"x": 1.0}, {"x": 3.0}]}, [2.5, 8.5]),
        ({"inputs": {"x": [1.0, 3.0]}}, [2.5, 8.5]),
        ({"instances": [{"x": 1.0, "base": 3.0}, {"x": 3.0, "base": 1.0}]}, [3.5, 1.5]),
        ({"inputs": {"x": [1.0], "shift": [1.0]}}, [3.0]),
        ({"inputs": {"x": [1.0], "base": [5.0], "shift": [1.0]}}, [6.0]),
        ({"signature_name": "all_given", "inputs": {}}, [2.5]),
        ({"signature_name": "all_given", "instances": [{}]}, [2.5]),
    ],
)
def test_inputs_left_out_have_their_defaults(servable, form, expected):
    (values,) = strictly(answer(servable, {"signature_name": "power", **form})).values()
    assert values == expected


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"inputs": {"base": [1.0]}}, "Missing named input: x in 'inputs' object."),
        ({"instances": [{"base": 1.0}]}, "keys must be equal to: base,x"),
        ({"instances": [{"x": 1.0}, {"x": 1.0, "base": 2.0}]}, "keys must be equal to: x"),
        ({"instances": [{"x": 1.0, "z": 1.0}]}, "does not have named input: z"),
        ({"signature_name": "all_given", "inputs": [1.0]}, "expecting an object"),
        ({"signature_name": "all_given", "instances": [{"b64": ""}]}, "expecting list of objects"),
    ],
)
def test_what_a_default_does_not_fill_in(servable, form, message):
    assert message in refusal(answer, servable, {"signature_name": "power", **form})


PIECES = {
    "length": [4, 1],
    "letters.flat_values": ["a", "b", "c", "d"],
    "letters.row_splits_0": [0, 2, 3],
    "letters.row_splits_1": [0, 1, 2, 4],
    "sparse.dense_shape": [2, 2],
    "sparse.indices": [[0, 0], [0, 1], [1, 0]],
    "sparse.values": ["a", "b", "cd"],
    "words.flat_values": ["a", "b", "cd"],
    "words.row_splits": [0, 2, 3],
}


def test_ragged_and_sparse_outputs_are_answered_by_their_components(servable):
    got = strictly(answer(servable, {"signature_name": "pieces", "inputs": ["a  b", "cd"]}))
    pieces = {**PIECES, "length": [4, 2]}
    assert got == {"outputs": pieces}
    message = refusal(answer, servable, {"signature_name": "pieces", "instances": ["a  b", "cd"]})
    assert "'inputs' instead of 'instances'" in message


def test_ragged_and_sparse_outputs_over_grpc(servable):
    signature = servable.signatures["pieces"]
    text = {"text": tf.make_tensor_proto([b"a b", b"c"])}
    names = ["words.flat_values", "words.row_splits"]
    data = inference.predict(servable, signature, text, names, None)
    outputs = predict_pb2.PredictResponse.FromString(data).outputs
    assert {name: tf.make_ndarray(t).tolist() for name, t in outputs.items()} == {
        "words.flat_values": [b"a", b"b", b"c"],
        "words.row_splits": [0, 2, 3],
    }
    with pytest.raises(ServingError, match=r"words\.flat_values,words\.row_splits"):
        inference.predict(servable, signature, text, ["words"], None)


def test_sparse_inputs_are_fed_by_their_components():
    definition = tf.compat.v1.saved_model.build_signature_def
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.sparse_placeholder(tf.float32, [None, 3])
        info = tf.compat.v1.saved_model.build_tensor_info(x)
        signature = from_definition("s", definition({"x": info}, {}, "m"))
    assert isinstance(signature, Signature)
    assert [i.text for i in signature.inputs.values()] == [
        "x.dense_shape: DT_INT64 [2]",
        "x.indices: DT_INT64 [-1, 2]",
        "x.values: DT_FLOAT [-1]",
    ]
    assert all(graph.get_tensor_by_name(feed) is not None for feed in signature.feeds)


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """A model of counts, which gives what it never saw -Infinity, and the folder of its version."""
    model = NGramLanguageModel.train(["a b", "b a"], 2, "mle", tokenizer="whitespace")
    version = export_saved_model(model, tmp_path_factory.mktemp("counted") / "m", 1).path
    servable = load(version)
    yield servable, version
    servable.close()


@pytest.mark.filterwarnings("default::pytest.PytestWarning")
def test_a_browsers_parser_reads_what_our_presets_answer(counted):
    servable, _ = counted
    assert set(servable.signatures) == {*PRESET_SIGNATURES, "serving_default", "step", INIT}
    form = {"inputs": ["a", "zz \x00\u2028"]}, {"instances": ["a"]}
    bodies = [
        answer(servable, {"signature_name": name, **body})
        for name in PRESET_SIGNATURES
        for body in form
    ]
    assert parsed_by_javascript(bodies) == [json.loads(body) for body in bodies]


def test_json_of_our_presets_has_no_infinity(counted):
    """Over gRPC -Infinity stays what it is."""
    servable, _ = counted
    for body in ({"inputs": ["a"]}, {"instances": ["a"]}):
        (values,) = strictly(answer(servable, {"signature_name": "prefill", **body})).values()
        rows = values["log_probs"] if "inputs" in body else [values[0]["log_probs"]]
        assert np.float32(min(rows[0])) == np.finfo(np.float32).min
    scores = strictly(answer(servable, {"signature_name": "score", "inputs": ["b b", "a b"]}))
    assert np.float32(scores["outputs"]["log_prob"][0]) == np.finfo(np.float32).min
    text = {"text": tf.make_tensor_proto([b"b b"])}
    data = inference.predict(servable, servable.signatures["score"], text, ["log_prob"], None)
    assert predict_pb2.PredictResponse.FromString(data).outputs["log_prob"].float_val == [-np.inf]


def test_json_of_other_models_has_what_they_give(counted):
    _, version = counted
    (version / STRICT_JSON).unlink()
    other = load(version)
    unseen = {"signature_name": "score", "inputs": ["b b"]}
    assert b"-Infinity" in answer(other, unseen)
    strictly(answer(other, unseen, strict=True))
    other.close()
