"""Models that give labels, from raw text to clients: SavedModel, the server, `.tflite` files."""

from __future__ import annotations

import json
import urllib.request

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, prediction_service_pb2_grpc

from export.device.file import DeviceError, LiteFile
from export.device.labels import Classify
from export.device.runtime import main as device
from export.device.runtime import open_model
from export.saved_model.exporter import export_saved_model
from export.tflite.exporter import export_tflite
from serving.client import Client
from tests.helpers.corpus import english
from tests.helpers.models import LABELS, TEXTS, language_model, tagger
from tests.serving.running import running
from zoo.errors import ZooError
from zoo.models import BidirectionalRestorer, BidirectionalTagger
from zoo.text import SubwordTokenizer, WordTokenizer
from zoo.text.case_and_marks import LABELS as CASE_AND_MARKS
from zoo.text.case_and_marks import restored
from zoo.text.graph.case_and_marks import CaseAndMarks
from zoo.text.graph.words import GraphWordTokenizer

WRITTEN = [*TEXTS, "Straße ünder ǆ isn’t 5 $ 3.5 (x) - y", "tom McX"]
FORMS = {"tom": "Tom", "mcx": "McX"}
pytestmark = pytest.mark.filterwarnings("ignore")  # the converter's own deprecations


@pytest.fixture(scope="module")
def restorer():
    """Its output is made so uneven that labels of many kinds are given."""
    tf.keras.utils.set_random_seed(5)
    words = WordTokenizer.train([*english(80), "McX 5 $ y"])
    model = BidirectionalRestorer(words, cell="rnn", units=5, embedding_dim=4, word_forms=FORMS)
    kernel = model.output_projection.own_kernel
    kernel.assign(kernel * 30)
    model.embedding.embeddings.assign(model.embedding.embeddings * 60)
    return model


@pytest.fixture(scope="module")
def served(restorer, tmp_path_factory):
    """Reports of a restorer and a classifier, and a server of both that looks at methods."""
    folder = tmp_path_factory.mktemp("labels")
    models = {"restorer": restorer, "classifier": language_model("classifier")}
    reports = {name: export_saved_model(m, folder / name) for name, m in models.items()}
    entries = (
        f'config {{ name: "{name}" base_path: "{folder / name}" model_platform: "tensorflow" }}'
        for name in models
    )
    config = folder / "models.config"
    config.write_text(f"model_config_list {{ {' '.join(entries)} }}", encoding="utf-8")
    flags = (f"--model_config_file={config}", "--enable_signature_method_name_check")
    with running(*flags) as address:
        yield reports, address


def test_reports(served):
    reports, _ = served
    assert reports["restorer"].signatures == ["restore", "serving_default", "tag"]
    assert reports["classifier"].signatures == ["classify", "classify_examples", "serving_default"]
    assert max(report.max_abs_diff for report in reports.values()) < 1e-5


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_the_server_says_what_the_models_say(transport, served, restorer):
    _, address = served
    client = Client(address.grpc) if transport == "grpc" else Client.rest(address.rest)
    with client:
        assert client.restore(WRITTEN, model="restorer") == restorer.restore(WRITTEN)
        rows = zip(client.tag(WRITTEN, model="restorer"), restorer.tag(WRITTEN), strict=True)
        for theirs, ours in rows:
            assert [w[:2] for w in theirs] == [w[:2] for w in ours]
            np.testing.assert_allclose([w[2] for w in theirs], [w[2] for w in ours], atol=1e-5)
        classifier = language_model("classifier")
        theirs, ours = client.classify(TEXTS, model="classifier"), classifier.classify(TEXTS)
    assert [[label for label, _ in row] for row in theirs] == [[x for x, _ in row] for row in ours]
    assert len({label for row in restorer.tag(WRITTEN) for _, label, _ in row}) > 5


def test_classify_by_its_own_call(served):
    """tf.Examples to the signature whose method is TensorFlow Serving's, and to no other."""
    _, address = served
    expected = [dict(row) for row in language_model("classifier").classify(TEXTS)]
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "classifier"
    request.model_spec.signature_name = "classify_examples"
    for text in TEXTS:
        example = request.input.example_list.examples.add()
        example.features.feature["text"].bytes_list.value.append(text.encode())
    with grpc.insecure_channel(address.grpc) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        result = stub.Classify(request, timeout=20).result
        request.model_spec.signature_name = "classify"
        with pytest.raises(grpc.RpcError, match="method_name to be tensorflow/serving/classify"):
            stub.Classify(request, timeout=20)
    for row, ours in zip(result.classifications, expected, strict=True):
        assert {c.label: pytest.approx(c.score, abs=1e-5) for c in row.classes} == ours
    body = {"signature_name": "classify_examples", "examples": [{"text": t} for t in TEXTS]}
    url = f"{address.rest}/v1/models/classifier:classify"
    with urllib.request.urlopen(url, json.dumps(body).encode(), timeout=20) as response:
        results = json.load(response)["results"]
    for row, ours in zip(results, expected, strict=True):
        assert {label: pytest.approx(score, abs=1e-5) for label, score in row} == ours


def test_case_and_marks_in_a_graph_are_those_of_python():
    """Every label on every word, known or not."""
    words = WordTokenizer.train(["tom mcx the straße ünder don't x 1st"])
    graph = CaseAndMarks(words, CASE_AND_MARKS, FORMS)
    row = [*["tom", "mcx", "the", "straße", "ünder", "don't", "x", "1st", "ǆx", "qqq", "東京"]]
    rows = [[word for word in row for _ in CASE_AND_MARKS], []]
    labels = [*CASE_AND_MARKS] * len(row)
    tokens = tf.ragged.constant(rows, dtype=tf.string)
    ids = GraphWordTokenizer(words).lookup(tokens.values)
    text = graph(tokens, ids, tf.range(len(rows[0])) % len(CASE_AND_MARKS)).numpy()
    assert [t.decode() for t in text] == [restored(rows[0], labels, FORMS), ""]
    bare = graph.bare_words(tf.ragged.constant([["“", "a", "-", "b"], ["?"], ["5", "$"]]))
    assert bare.to_list() == [[b"a", b"b"], [], [b"5", b"$"]]


def test_a_tagger_of_pieces_of_words_is_refused(tmp_path):
    pieces = SubwordTokenizer.train(["low lower"] * 3, size=20)
    model = BidirectionalTagger(pieces, labels=LABELS, units=2, embedding_dim=2)
    with pytest.raises(ZooError, match="SubwordTokenizer has no SavedModel form"):
        export_saved_model(model, tmp_path)


def test_a_classifier_on_a_device(tmp_path, capsys):
    model = language_model("classifier")
    report = export_tflite(model, tmp_path, "none", TEXTS)
    assert (report.signatures, report.check.measures) == (["classify"], {"same label": (1.0, 1.0)})
    assert report.max_abs_diff < 1e-4
    runtime = open_model(report.path)
    for text, expected in zip(TEXTS, model.classify(TEXTS), strict=True):
        assert [label for label, _ in runtime.classify(text)] == [x for x, _ in expected]
    assert device([str(report.path), "the cat", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert len(row["labels"]) == len(LABELS)
    assert device([str(report.path), "the cat"]) == 0
    assert "B-PER" in capsys.readouterr().out


def test_a_restorer_on_a_device(restorer, tmp_path, capsys):
    report = export_tflite(restorer, tmp_path, "none", WRITTEN)
    assert report.signatures == ["tag"]
    assert report.max_abs_diff < 1e-4
    runtime = open_model(report.path)
    assert [runtime.restore(text) for text in WRITTEN] == restorer.restore(WRITTEN)
    words = restorer.tag(WRITTEN[:1])[0]
    for (word, label, probability), ours in zip(runtime.tag(WRITTEN[0]), words, strict=True):
        assert (word, label) == ours[:2]
        assert probability == pytest.approx(ours[2], abs=1e-5)
    long = " ".join(["the cat is small"] * 40)
    assert len(runtime.tag(long)) == 160  # in parts
    assert device([str(report.path), "where is tom"]) == 0
    assert "tom" in capsys.readouterr().out.lower()


@pytest.mark.parametrize(
    ("about", "message"),
    [({}, "lacks 'labels'"), ({"labels": [1]}, "lacks 'labels'"), ({"labels": []}, "label 0")],
)
def test_a_device_file_that_names_no_labels(about, message):
    class File:
        path, length, tokenizers = "m.tflite", 8, {"": tagger().tokenizer}
        row = LiteFile.row

        def run(self, signature, **inputs):
            return {"log_probs": np.zeros((1, 2), np.float32)}

    file = File()
    file.about = about
    with pytest.raises(DeviceError, match=message):
        Classify(file).classify("the cat")


def test_what_a_device_file_is_compared_on():
    from export.tflite.labels import LiteTagger

    lite = LiteTagger(tagger())
    assert lite.quantizations == ("none", "float16", "dynamic")
    assert lite.sentences(["the cat"]) == [lite.python_model.tokenizer.encode("the cat")]
    assert len(lite.sentences(None)) > 100
