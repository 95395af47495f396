"""TFLite files: each signature equal to Python, built-in ops only, weights once, each kind."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from export.device.models import NextWords
from export.device.runtime import open_model
from export.tflite import exporter
from export.tflite.check import Tally, as_predictions, largest_difference
from export.tflite.exporter import export_tflite, refuse_wrong
from export.tflite.slim import slim
from tests.helpers.models import TEXTS, language_model
from zoo.errors import ZooError
from zoo.text import BOS, EOS, UNK

SENTENCES = [text for text in TEXTS if text]
pytestmark = pytest.mark.filterwarnings("ignore")  # the converter's own deprecations


@pytest.fixture(scope="module")
def exported(lite):
    """Report and runtime of a listed model."""

    def get(name, quantize="none"):
        report = lite(name, quantize)
        return report, open_model(report.path)

    return get


def test_each_signature_is_the_python_model(exported):
    model, (report, runtime) = language_model("cifg_projected"), exported("cifg_projected")
    assert isinstance(runtime, NextWords)
    assert report.signatures == ["prefill", "score", "step"]
    assert report.bytes == report.path.stat().st_size
    assert report.max_abs_diff < 1e-4
    for text in TEXTS:
        expected = model.next_words([text], k=5)[0]
        assert [p for _, p in runtime.next_words(text, 5)] == pytest.approx(
            [p for _, p in expected], abs=1e-5
        )
        score = model.score([text])[0]
        answer = runtime.score(text)
        assert answer["log_prob"] == pytest.approx(score.log_prob, abs=1e-4)
        assert (answer["tokens"], answer["oov"]) == (score.tokens, score.oov)


def test_stepping_is_prefilling(exported):
    model, (_, runtime) = language_model("cifg_projected"), exported("cifg_projected")
    ids = [BOS, *model.tokenizer.encode(TEXTS[0])]
    stepped = runtime.answer(ids[:1])
    for token in ids[1:]:
        stepped = runtime.step(token, stepped)
    at_once = runtime.answer(ids)
    for name, value in at_once.items():
        np.testing.assert_allclose(stepped[name], value, atol=1e-6)


def test_a_context_longer_than_the_buffer(exported):
    model, (_, runtime) = language_model("cifg_projected"), exported("cifg_projected")
    text = " ".join(["the cat is small"] * 30)
    expected = [p for _, p in model.next_words([text], k=5)[0]]
    assert [p for _, p in runtime.next_words(text, 5)] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("quantize", ["float16", "dynamic"])
def test_quantised_files_are_near(exported, quantize):
    report, _ = exported("cifg_projected", quantize)
    assert 0 < report.max_abs_diff < 0.1
    model, file = report.check.measures["perplexity"]
    assert file == pytest.approx(model, rel=0.01)
    assert "recall@3" in str(report.check)


def test_without_texts_words_are_sampled_from_the_model(tmp_path):
    report = export_tflite(language_model("nplm"), tmp_path)
    assert report.path == tmp_path / "model.tflite"
    assert report.check.words > 2_000
    assert report.max_abs_diff < 1e-4
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.tflite"]


def test_a_models_own_export_is_this_one(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(exporter, "export_tflite", lambda *a, **k: asked.append((a, k)))
    model = language_model("nplm")
    model.export(tmp_path / "m.tflite", format="litert", quantize="int8")
    assert asked == [((model, tmp_path / "m.tflite"), {"quantize": "int8"})]
    with pytest.raises(ZooError, match="no option 'optimizations'"):
        model.export(tmp_path / "m.tflite", format="litert", optimizations=[])


def test_equal_weights_are_stored_once(exported):
    """Undoing the sharing would put the embedding into the file twice."""
    report, _ = exported("cifg_projected")
    content = report.path.read_bytes()
    embedding = np.asarray(language_model("cifg_projected").embedding.embeddings).tobytes()
    assert content.count(embedding) == 1
    twice = slim(content)
    assert Interpreter(model_content=twice).get_signature_list().keys() == {
        *("step", "prefill", "score")
    }


def test_recall_of_offered_words():
    tally = Tally()
    for target, offered in [
        (9, [9, 5, 6]),
        (6, [9, 5, 6]),
        (7, [9, 5, 6]),
        (EOS, [9]),
        (UNK, [UNK]),
    ]:
        tally.add(target, as_predictions(offered, vocabulary_size=12))
    assert tally.asked == 4
    assert {k: int(recall.hits) for k, recall in tally.recalls.items()} == {1: 1, 3: 2}
    assert tally.values() == {"perplexity": 1.0, "recall@1": 0.25, "recall@3": 0.5}
    assert largest_difference([-np.inf, 1.0], [-np.inf, 1.5]) == 0.5


def hits(predictions, targets):
    tally = Tally()
    for target in targets:
        tally.add(target, np.asarray(predictions, np.float32))
    tally.count()
    return int(tally.recalls[3].hits)


def test_recall_of_a_distribution():
    """The likeliest three are offered, equal ones in the vocabulary's order."""
    assert hits([0, 0, 0, 0, -3.0, -1, -2, -9], [5, 6, 4]) == 3
    assert hits([0, 0, 0, 0, -3.0, -1, -2, -9], [7]) == 0
    tied = np.repeat(np.float32([-1, -np.inf]), [8, 3_000])
    assert hits(tied, [4, 5, 6]) == 3
    assert hits(tied, [7, 8, 3_000]) == 0
    assert hits(np.full(3_000, -np.inf), [4, 5, 6]) == 0  # what cannot come is not offered
    assert hits(np.full(3_000, -np.inf), [7, 2_999]) == 0


@pytest.mark.parametrize(
    ("quantize", "out", "message"),
    [("int4", "x", "int4"), ("none", "taken", "is a file")],
)
def test_mistakes(tmp_path, quantize, out, message):
    (tmp_path / "taken").write_text("")
    with pytest.raises(ZooError, match=message):
        export_tflite(language_model("nplm"), tmp_path / out, quantize, SENTENCES)


def test_a_wrong_file_is_not_written(tmp_path):
    with pytest.raises(ZooError, match="differs"):
        refuse_wrong(0.5, "none")
    with pytest.raises(ZooError, match="differs"):
        refuse_wrong(float("nan"), "int8")
    refuse_wrong(0.5, "dynamic")
