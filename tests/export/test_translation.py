"""The translate signature equals Python, and static sizes convert to TFLite built-ins."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from export import saved_model
from export.translation import NO_SCORE, each_once, lite_functions
from tests.helpers.seq2seq import ALL_FIVE, translator
from zoo.text import PAD

TEXTS = [
    "Die Katze ist klein.",
    "",
    "qwertz Zaphod ist sehr qwertz",
    "sie sieht glücklich aus, „Tom“?",
    "Katze " * 150,
]
SETTINGS = {
    "attention": {**ALL_FIVE, "attention": "bahdanau", "length_alpha": 0.6},
    "base": {"cell": "lstm"},
}


@pytest.fixture(scope="module", params=SETTINGS)
def exported(request, tmp_path_factory):
    model = translator(**SETTINGS[request.param])
    report = saved_model.export(model, tmp_path_factory.mktemp("translator"))
    return model, report, tf.saved_model.load(str(report.path))


def test_the_signature_equals_python(exported):
    model, report, loaded = exported
    assert report.max_abs_diff < 1e-4
    assert report.signatures == ["serving_default", "translate"]
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


@pytest.mark.parametrize("name", SETTINGS)
def test_static_sizes_convert_to_builtins(name, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    model = translator(**SETTINGS[name])
    module = tf.Module()
    module.kept = [v.value for v in model.variables]
    functions = lite_functions(model, source_length=8, target_length=8, beam=3)
    tf.saved_model.save(module, str(tmp_path), signatures=functions)
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(tmp_path), signature_keys=list(functions)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    interpreter = Interpreter(model_content=converter.convert())
    source = np.full((1, 8), PAD, np.int32)
    row = model.source_row(TEXTS[0])
    source[0, : len(row)] = row
    for signature, function in functions.items():
        found = interpreter.get_signature_runner(signature)(source_ids=source)
        expected = function(tf.constant(source))
        np.testing.assert_array_equal(found["ids"], expected["ids"])
        np.testing.assert_allclose(found["scores"], expected["scores"], atol=1e-4)
