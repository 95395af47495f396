"""Translation on the device: the server's beam search, a loop of one's own, unknown words."""

from __future__ import annotations

import numpy as np
import pytest

from export.device.runtime import open_model
from export.tflite.exporter import export_tflite
from tests.helpers.corpus import all_sentences
from tests.helpers.seq2seq import translator
from training.datasets import Pair
from zoo.errors import ZooError
from zoo.text import BOS, EOS

pytestmark = pytest.mark.filterwarnings("ignore")  # the converter's own deprecations
TEXTS = [
    "Die Katze ist klein.",
    "",
    "qwertz Zaphod ist sehr qwertz",
    "Sie sieht „Tom“?",
    "Die Katze kam um 14.30 Uhr. Am 3. Mai ist „er“ klein! Er kam mit 1.234,5 Katzen.",
]
SETTINGS = {
    "attention": {
        "separate_weights": True,
        "feed_context": True,
        "reverse_source": True,
        "attention": "bahdanau",
        "length_alpha": 0.6,
        "cell": "gru",
        "carry_over": "de_en",
        "split_sentences": True,
    },
    "base": {"cell": "lstm"},
}
PAIRS = [Pair(german, english) for english, german in all_sentences()[:6]]


@pytest.fixture(scope="module", params=SETTINGS)
def exported(request, tmp_path_factory):
    model = translator(**SETTINGS[request.param])
    report = export_tflite(model, tmp_path_factory.mktemp("mt"), texts=PAIRS)
    return model, report, open_model(report.path)


def test_beam_search_is_the_models(exported):
    model, report, runtime = exported
    assert report.max_abs_diff < 1e-4
    for text, ((translation, score),) in zip(TEXTS, model.translate(TEXTS, beam=5), strict=True):
        found, file_score = runtime.translate(text)
        assert found == translation
        assert file_score == pytest.approx(score if text else 0.0, abs=1e-4)


def test_the_check_follows_the_known_translations(exported):
    model, report, _ = exported
    words = sum(len(model.target_tokenizer.encode(pair.target)) for pair in PAIRS)
    assert report.check.words == words
    assert set(report.check.measures) == {
        "perplexity", "recall@1", "recall@3", "same translation"
    }  # fmt: skip
    perplexity, of_file = report.check.measures["perplexity"]
    assert of_file == pytest.approx(perplexity, rel=1e-4)


def test_a_loop_of_ones_own_is_the_greedy_search(exported):
    """`decode_step` offers `<eos>`, and `score` is the sum of the steps."""
    _, _, runtime = exported
    file = runtime.file
    feeds = file.row([*runtime.source.encode(TEXTS[0]), EOS])
    greedy = file.run("translate", **feeds)["ids"]
    state, token, total = file.run("encode", **feeds), BOS, 0.0
    for target in (int(i) for i in greedy[0] if i):
        answer = file.run("decode_step", token_id=np.array([token], np.int32), **state)
        assert answer["ids"][0, 0] == target
        total += float(answer["log_probs"][0, 0])
        state.update({name: v for name, v in answer.items() if name.startswith("state_")})
        token = target
    score = file.run("score", **feeds, target_ids=greedy)["log_prob"][0]
    assert score == pytest.approx(total, abs=1e-4)


def test_texts_of_the_wrong_quantisation(tmp_path):
    with pytest.raises(ZooError, match="int8.*a Seq2Seq has none, float16, dynamic"):
        export_tflite(translator(), tmp_path, "int8", PAIRS)
