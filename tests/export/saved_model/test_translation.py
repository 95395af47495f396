"""The translate signature of a SavedModel equals Python."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from export.saved_model.exporter import export_saved_model
from export.saved_model.translation import NO_SCORE, each_once
from tests.helpers.seq2seq import ALL_FIVE, translator

TEXTS = [
    "Die Katze ist klein.",
    "",
    "qwertz Zaphod ist sehr qwertz",
    "sie sieht glücklich aus, „Tom“?",
    "Katze " * 150,
    "Die Katze kam um 14.30 Uhr. Am 3. Mai ist „er“ klein! Er kam mit 1.234,5 Katzen und 7 qwertz.",
]
SETTINGS = {
    "attention": {
        **ALL_FIVE,
        "attention": "bahdanau",
        "length_alpha": 0.6,
        "carry_over": "de_en",
        "split_sentences": True,
    },
    "base": {"cell": "lstm"},
}


@pytest.fixture(scope="module", params=SETTINGS)
def exported(request, tmp_path_factory):
    model = translator(**SETTINGS[request.param])
    report = export_saved_model(model, tmp_path_factory.mktemp("translator"))
    return model, report, tf.saved_model.load(str(report.path))


def test_the_signature_equals_python(exported):
    model, report, loaded = exported
    assert report.max_abs_diff < 1e-4
    attends = model.settings.attention is not None
    assert report.signatures == ["attention"] * attends + ["serving_default", "translate"]
    answer = loaded.signatures["serving_default"](text=tf.constant(TEXTS))
    assert answer["translations"].shape == answer["scores"].shape == (len(TEXTS), 5)
    ours = model.translate(TEXTS, beam=5, n_best=5)
    for row, expected in enumerate(ours):
        texts = [text.decode() for text in answer["translations"][row].numpy()]
        scores = answer["scores"][row].numpy()
        count = len(expected)
        np.testing.assert_allclose(scores[:count], [s for _, s in expected], atol=1e-4)
        assert sorted(texts[:count]) == sorted(text for text, _ in expected)
        assert (scores[count:] == NO_SCORE).all()
        assert texts[count:] == [""] * (5 - count)


def test_the_attention_is_the_models(exported):
    model, _, loaded = exported
    if model.settings.attention is None:
        assert "attention" not in loaded.signatures
        return
    answer = loaded.signatures["attention"](text=tf.constant(TEXTS[:3]))
    for row, text in enumerate(TEXTS[:3]):
        source = model.source_row(text)
        (best,) = model.search([text], 5, 1, model.settings.length_alpha)[0]
        target = [model.target_tokenizer.vocabulary[i] for i in best.ids]
        (expected,) = model.alignment(source, [best.ids])
        found = [token.decode() for token in answer["target"][row].numpy()]
        assert found == target + [""] * (len(found) - len(target))
        read = [token.decode() for token in answer["source"][row].numpy()]
        assert [token != "" for token in read] == [i < len(source) for i in range(len(read))]
        weights = answer["attention"][row].numpy()
        np.testing.assert_allclose(weights[: len(target), : len(source)], expected, atol=1e-5)
        assert not weights[len(target) :].any()
        assert not weights[:, len(source) :].any()
    assert "zaphod" in [token.decode().lower() for token in answer["source"][2].numpy()]


def test_no_text_at_all(exported):
    _, _, loaded = exported
    answer = loaded.signatures["translate"](text=tf.constant([], tf.string))
    assert answer["translations"].shape == (0, 5)


def test_twins_go_to_the_back():
    texts, scores = each_once(
        tf.constant([["a", "a", "b", "c", ""]]), tf.constant([[-1.0, -2, -3, -4, -np.inf]])
    )
    assert texts.numpy().tolist() == [[b"a", b"b", b"c", b"", b""]]
    np.testing.assert_array_equal(scores, [[-1.0, -3.0, -4.0, NO_SCORE, NO_SCORE]])
