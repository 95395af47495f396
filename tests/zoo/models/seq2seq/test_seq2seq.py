"""Translation models: equations, switches, search, presets, odd input."""

from __future__ import annotations

import logging

import keras
import numpy as np
import pytest
from keras import ops

import zoo
from tests.helpers.seq2seq import ALL_FIVE, COMBINATIONS, name_of, tokenizers, translator
from tests.reference import seq2seq as reference
from zoo.errors import ZooError
from zoo.metrics import bleu
from zoo.models import Seq2Seq
from zoo.text import BOS, EOS, PAD, UNK

SOURCES = ["die Katze ist klein.", "sie war im Garten qwertz", ""]
I_II = {"separate_weights": True, "feed_context": True}
AGAINST_NUMPY = [
    {"cell": "rnn", "cell_options": {"activation": "sigmoid", "use_bias": False}},
    {"cell": "gru", "cell_options": {"use_bias": False}},
    {"cell": "lstm", "separate_weights": True},
    {"cell": "rnn", "feed_context": True},
    {"cell": "gru", "num_layers": 2},
    {"cell": "rnn", "num_layers": 2, "bidirectional_encoder": True},
    {"cell": "cifg", "bidirectional_encoder": True, "reverse_source": True},
    {"cell": "gru", **ALL_FIVE},
    {"cell": "gru", "attention": "bahdanau"},
    {"cell": "lstm", **ALL_FIVE, "attention": "bahdanau", "attention_units": 3},
    {"cell": "gru", **I_II, "attention": "bahdanau", "readout_units": 4, "tied": True},
    {"cell": "gru", **I_II, "readout_units": 6},
    {"cell": "gru", **I_II, "num_layers": 3, "residual": True, "readout_units": 6},
    {
        "cell": "lstm",
        **I_II,
        "num_layers": 3,
        "residual": True,
        "decoder_layers": 2,
        "bidirectional_encoder": True,
        "attention": "bahdanau",
    },
]


def numpy_rows(values):
    return ops.convert_to_numpy(values)


@pytest.mark.parametrize("settings", AGAINST_NUMPY, ids=lambda s: f"{s['cell']}-{name_of(s)}")
def test_the_equations(settings):
    """Teacher forcing, one step after another, and plain NumPy give the same numbers."""
    model = translator(**settings)
    source = model.source_rows(SOURCES)
    inputs = np.array([[BOS, 5, 6, 7], [BOS, 9, UNK, PAD], [BOS, PAD, PAD, PAD]], np.int32)
    targets = np.array([[5, 6, 7, EOS], [9, UNK, EOS, PAD], [EOS, PAD, PAD, PAD]], np.int32)
    forced = -numpy_rows(model.cross_entropy(model.features(model.encode(source), inputs), targets))
    state, stepped = model.encode(source), []
    for t in range(inputs.shape[1]):
        log_probs, state = model.step_graph(inputs[:, t], state)
        stepped.append(numpy_rows(log_probs))
    for row, (ids, words, wanted) in enumerate(zip(source, inputs, targets, strict=True)):
        length = int((words != PAD).sum())
        expected = reference.log_probs(model, [i for i in ids if i != PAD], words[:length])
        np.testing.assert_allclose([s[row] for s in stepped[:length]], expected, atol=2e-5)
        own = expected[np.arange(length), wanted[:length]]
        np.testing.assert_allclose(forced[row, :length], own, atol=2e-5)


def test_the_base_form_has_one_recurrence():
    model = translator()
    assert model.decoder.embedding is None
    assert model.decoder.levels[0].recurrent is model.encoder.recurrent_layers[0]
    assert not model.decoder.trainable_weights
    state = model.encode(model.source_rows(SOURCES[:1]))
    answers = [numpy_rows(model.step_graph(np.array([i]), state)[0]) for i in (BOS, 7)]
    np.testing.assert_array_equal(*answers)  # no input: the word fed makes no difference


def test_each_switch_adds_its_weights():
    units, words = 5, 4
    base = translator().parameter_count()
    own = 2 * 3 * units + units * 3 * units  # GRU: two biases and U
    fed = tokenizers()[1].vocabulary_size * words + (words + units) * 3 * units
    assert translator(separate_weights=True).parameter_count() == base + own
    assert translator(feed_context=True).parameter_count() == base + fed
    assert translator(reverse_source=True).parameter_count() == base
    upper = 2 * 3 * units + 2 * units * 3 * units
    assert translator(num_layers=2).parameter_count() == base + upper


def trained_step(model) -> float:
    """The loss before a gradient step minus the loss after it, on the same batch."""
    import tensorflow as tf

    source = model.source_rows(SOURCES[:2])
    inputs, targets = np.array([[BOS, 5, 6], [BOS, 7, 8]]), np.array([[5, 6, EOS], [7, 8, EOS]])
    values = [w.value for w in model.trainable_weights]

    def loss():
        state = model.encode(source, training=True)
        return tf.reduce_sum(model.cross_entropy(model.features(state, inputs, True), targets))

    with tf.GradientTape() as tape:
        before = loss()
    gradients = [tf.convert_to_tensor(g) for g in tape.gradient(before, values)]
    norm = tf.linalg.global_norm(gradients)
    for value, gradient in zip(values, gradients, strict=True):
        value.assign_sub(1e-3 / norm * gradient)
    return float(before - loss())


def searched(model):
    def search(source_ids):
        ids, scores = model.search_graph(source_ids, 3, 3, 0.0, 5)
        return {"ids": ids, "scores": scores}

    return search


def extensions(settings) -> int:
    return sum(value not in (False, 1) for value in settings.values())


# One of the five switches follows from the other four: every four of them meet in every way.
EXPORTED = [settings for settings in COMBINATIONS if extensions(settings) % 2 == 1]


@pytest.fixture(scope="module")
def searches(tmp_path_factory):
    """Models by name, their searches as functions, and all searches saved and loaded."""
    import tensorflow as tf

    module, models = tf.Module(), {}
    module.functions, module.kept = {}, []
    for settings in EXPORTED:
        name = name_of(settings).replace("+", "_")
        models[name] = model = translator(max_target_length=5, **settings)
        search = tf.function(searched(model), autograph=False)
        spec = tf.TensorSpec([None, None], tf.int32, name="source_ids")
        module.functions[name] = search.get_concrete_function(spec)
        module.kept += [v.value for v in model.variables]
    folder = str(tmp_path_factory.mktemp("combinations"))
    tf.saved_model.save(module, folder, signatures=dict(module.functions))
    return models, module.functions, tf.saved_model.load(folder)


@pytest.mark.parametrize("settings", COMBINATIONS, ids=name_of)
def test_every_combination_trains_and_decodes(settings):
    model = translator(max_target_length=3, **settings)
    assert trained_step(model) > 0
    (found,) = model.search_graph(model.source_rows(SOURCES[:1]), 2, 1, 0.0, 3)[0]
    assert found.shape == (1, 3)


@pytest.mark.parametrize("settings", EXPORTED, ids=name_of)
def test_combinations_decode_exactly_and_export(settings, searches):
    import tensorflow as tf

    name = name_of(settings).replace("+", "_")
    models, functions, saved = searches
    model = models[name]
    source = tf.constant(model.source_rows(SOURCES[:2]))
    found, loaded = functions[name](source), saved.signatures[name](source_ids=source)
    np.testing.assert_array_equal(found["ids"], loaded["ids"])
    np.testing.assert_allclose(found["scores"], loaded["scores"], atol=1e-5)
    for row, scores in enumerate(found["scores"].numpy()):
        best = [[int(i) for i in ids if i != PAD] for ids in found["ids"].numpy()[row]]
        ended = [k for k, ids in enumerate(best) if ids and ids[-1] == EOS]
        state = model.encode(source[row : row + 1])
        for k in ended[:1]:
            total = 0.0
            for before, token in zip([BOS, *best[k]], best[k], strict=False):
                log_probs, state = model.step_graph(np.array([before]), state)
                total += float(log_probs[0, token])
            assert total == pytest.approx(float(scores[k]), abs=1e-4)


@pytest.fixture(scope="module")
def model():
    return translator(**ALL_FIVE, attention="bahdanau")


def test_the_list_is_sorted_without_twins_and_scored_exactly(model):
    answers = model.translate(SOURCES, beam=5, n_best=5)
    assert answers[2] == [("", 0.0)]
    for best in answers:
        scores = [score for _, score in best]
        assert scores == sorted(scores, reverse=True)
        assert len({text for text, _ in best}) == len(best)
    for text, found in zip(SOURCES, model.search(SOURCES, 5, 5, 0.0), strict=True):
        ended = [h for h in found if h.ids and h.ids[-1] == EOS]
        again = model.score_ids([text] * len(ended), [h.ids[:-1] for h in ended])
        np.testing.assert_allclose(again, [h.score for h in ended], atol=1e-4)
    assert [row[0] for row in answers] == [
        row[0] for row in model.translate(SOURCES, beam=5, n_best=1)
    ]


def test_padding_and_company_make_no_difference(model):
    together = model.search(SOURCES, 3, 2, 0.6)
    for text, expected in zip(SOURCES, together, strict=True):
        (alone,) = model.search([text], 3, 2, 0.6)
        assert [h.ids for h in alone] == [h.ids for h in expected]
        np.testing.assert_allclose([h.score for h in alone], [h.score for h in expected], atol=1e-5)


def test_score_is_the_sum_of_token_log_probs(model):
    source, target = SOURCES[0], "the cat is small."
    (score,) = model.score([(source, target)])
    ids = model.target_tokenizer.encode(target)
    rows = model.token_log_probs(
        model.source_rows([source]), np.array([[BOS, *ids]]), np.array([[*ids, EOS]])
    )
    assert score.log_prob == pytest.approx(float(rows.sum()), abs=1e-4)
    assert (score.tokens, score.oov) == (len(ids) + 1, ids.count(UNK))


def test_unknown_words_are_never_lost(model):
    for switches in (model, translator(**I_II)):
        for text, _ in switches.translate(["die qwertz ist Zaphod"], beam=4, n_best=4)[0]:
            assert "qwertz" in text
            assert "zaphod" in text


def test_long_empty_and_odd_texts(model, caplog):
    texts = ["Katze " * 10_000, "", "   ", "qq ww ee", "\N{CAT FACE}", "die\nKatze\tist"]
    with caplog.at_level(logging.WARNING, logger="zoo"):
        answers = model.translate(texts, beam=2)
    assert caplog.text.count("only the first 100 of 10000 tokens") == 1
    assert len(answers) == len(texts)
    assert answers[1] == answers[2] == [("", 0.0)]
    alone = model.translate(["Katze " * 100], beam=2)[0]
    assert [text for text, _ in answers[0]] == [text for text, _ in alone]
    np.testing.assert_allclose([s for _, s in answers[0]], [s for _, s in alone], atol=1e-3)
    with pytest.raises(ZooError, match="list of str"):
        model.translate("die Katze")
    with pytest.raises(ZooError, match="n_best=3"):
        model.translate(["a"], beam=2, n_best=3)
    with pytest.raises(ZooError, match="pairs"):
        model.score([("a", "b", "c")])
    assert model.translate([]) == []
    assert model.score([]) == []


class LikesShortTexts:
    """A language model for which every word is bad news."""

    def score(self, texts):
        return [zoo.models.language_model.Score(-100.0 * len(t.split()), 1, 0) for t in texts]


def test_a_language_model_re_ranks(model):
    plain = model.translate(SOURCES[:1], beam=5, n_best=5)[0]
    shortest = min(plain, key=lambda pair: (len(pair[0].split()), -pair[1]))[0]
    ranked = model.translate(SOURCES[:1], beam=5, rescore=LikesShortTexts(), rescore_weight=1.0)
    assert ranked[0][0][0] == shortest
    assert len(ranked[0]) == 1


def test_the_translation_most_like_all_others_comes_first(model):
    plain = model.translate(SOURCES[:1], beam=5, n_best=5)[0]
    risk = model.translate(SOURCES[:1], beam=5, n_best=5, mbr="chrf")[0]
    assert sorted(text for text, _ in risk) == sorted(text for text, _ in plain)
    weights = np.exp([score for _, score in plain])
    by_hand = {
        text: sum(w * bleu([text], [other]).chrf if other else w * (text == other) * 100
                  for (other, _), w in zip(plain, weights, strict=True)) / weights.sum()
        for text, _ in plain
    }  # fmt: skip
    for text, score in risk:
        assert score == pytest.approx(by_hand[text], abs=1e-3)
    scores = [score for _, score in risk]
    assert scores == sorted(scores, reverse=True)
    with pytest.raises(ZooError, match="mbr='ter': use chrf, bleu or None"):
        model.translate(["a"], mbr="ter")


def test_presets_keep_everything(model, tmp_path):
    for kept in (model, translator(cell="lstm", length_alpha=0.5)):
        path = kept.save_to_preset(tmp_path / "preset", info={"description": "toy"})
        loaded = zoo.load(path)
        assert loaded.get_preset_config() == kept.get_preset_config()
        assert loaded.translate(SOURCES) == kept.translate(SOURCES)
    narrow = Seq2Seq.from_preset(model.save_to_preset(tmp_path / "narrow", dtype="float16"))
    np.testing.assert_allclose(
        [s.log_prob for s in narrow.score([(SOURCES[0], "the cat")])],
        [s.log_prob for s in model.score([(SOURCES[0], "the cat")])],
        atol=0.1,
    )


def test_half_precision_stays_close():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = translator(**I_II, attention="bahdanau")
        pairs = [(SOURCES[0], "the cat is small.")]
        scored = half.score(pairs)[0].log_prob
        assert half.translate(SOURCES[:1], beam=2)
    finally:
        keras.config.set_dtype_policy("float32")
    full = translator(**I_II, attention="bahdanau")
    assert scored == pytest.approx(full.score(pairs)[0].log_prob, rel=0.05)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "tree"}, "unknown cell"),
        ({"attention": "dot"}, "attention='dot'"),
        ({"tied": True}, "feed_context"),
        ({"units": 0}, "units=0"),
        ({"num_layers": 1.5}, "num_layers=1.5"),
        ({"word_scale": 0.0}, "word_scale=0.0: give a standard deviation"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ZooError, match=message):
        translator(**settings)


def test_word_vectors_start_at_the_scale_asked_for():
    model = Seq2Seq(*tokenizers(), **I_II, word_scale=2.0, embedding_dim=64, units=4)
    for half in (model.encoder, model.decoder):
        assert np.std(half.embedding.embeddings) == pytest.approx(2.0, rel=0.2)
