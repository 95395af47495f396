"""SavedModels: the signatures of design, equal to Python, stock ops, atomic, on each model."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from export.saved_model.exporter import export_saved_model
from tests.helpers.models import CLOZE_MODELS, LANGUAGE_MODELS, TEXTS, language_model
from zoo.errors import ZooError
from zoo.text import BOS, EOS

# One of each kind of state; the rest differ in the cell only, which the layers' tests export.
EXPORTED = [
    *("rnn_tanh_learnt_h0", "gru_as_in_the_notes", "lstm_tied", "cifg_projected", "nplm"),
    "cached",
]
FORBIDDEN = {"PyFunc", "EagerPyFunc", "PyFuncStateless", "XlaLaunch", "CudnnRNNV3"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Path and loaded SavedModel of a listed model, written once."""
    folder, kept = tmp_path_factory.mktemp("exported"), {}

    def get(name):
        if name not in kept:
            report = export_saved_model(language_model(name), folder / name)
            kept[name] = (report, tf.saved_model.load(str(report.path)))
        return kept[name]

    return get


@pytest.mark.parametrize("name", EXPORTED)
def test_signatures_equal_python(name, exported):
    model, (report, loaded) = language_model(name), exported(name)
    assert report.max_abs_diff < 1e-4
    texts = tf.constant(TEXTS)
    scores = loaded.signatures["score"](text=texts)
    ours = model.score(TEXTS)
    np.testing.assert_allclose(scores["log_prob"], [s.log_prob for s in ours], atol=1e-4)
    np.testing.assert_allclose(scores["perplexity"], [s.perplexity for s in ours], rtol=1e-3)
    assert scores["tokens"].numpy().tolist() == [s.tokens for s in ours]
    assert scores["oov"].numpy().tolist() == [s.oov for s in ours]
    answer = loaded.signatures["next_word"](text=texts)
    assert answer["words"].shape == (len(TEXTS), 10)
    for words, probabilities, expected in zip(
        answer["words"].numpy(), answer["probabilities"].numpy(), model.next_words(TEXTS),
        strict=True,
    ):  # fmt: skip
        np.testing.assert_allclose(probabilities, [p for _, p in expected], atol=1e-5)
        assert {w.decode() for w in words[:3]} & {w for w, _ in expected[:5]}
    whole = loaded.signatures["distribution"](text=texts)["probabilities"]
    np.testing.assert_allclose(tf.reduce_sum(whole, axis=1), 1.0, atol=1e-4)


@pytest.mark.parametrize("name", EXPORTED)
def test_tokens_add_up_to_their_text(name, exported):
    model, (_, loaded) = language_model(name), exported(name)
    answer = loaded.signatures["token_log_probs"](text=tf.constant(TEXTS))
    tokens, values = answer["tokens"].numpy(), answer["log_probs"].numpy()
    for text, words, row, score in zip(TEXTS, tokens, values, model.score(TEXTS), strict=True):
        expected = [model.tokenizer.vocabulary[i] for i in [*model.tokenizer.encode(text), EOS]]
        count = len(expected)
        assert [word.decode() for word in words] == expected + [""] * (len(words) - count)
        assert row.sum() == pytest.approx(score.log_prob, abs=1e-4)
        assert not row[count:].any()


@pytest.mark.parametrize("name", EXPORTED)
def test_stepping_is_scoring(name, exported):
    """From `prefill` of the empty text on, `step` adds up to `score`."""
    model, (_, loaded) = language_model(name), exported(name)
    ids = model.tokenizer.encode(TEXTS[0])
    answer = loaded.signatures["prefill"](text=tf.constant([""]))
    total = 0.0
    for token in [*ids, EOS]:
        total += float(answer["log_probs"][0, token])
        state = {k: v for k, v in answer.items() if k.startswith("state_")}
        answer = loaded.signatures["step"](token_id=tf.constant([token]), **state)
    assert total == pytest.approx(model.score([TEXTS[0]])[0].log_prob, abs=1e-4)


def test_the_first_step_is_from_zero_states(exported):
    model, (_, loaded) = language_model("lstm_tied"), exported("lstm_tied")
    step = loaded.signatures["step"]
    zeros = {
        name: tf.zeros([2, *spec.shape[1:]])
        for name, spec in step.structured_input_signature[1].items()
        if name.startswith("state_")
    }
    answer = step(token_id=tf.constant([BOS, BOS]), **zeros)
    distribution = loaded.signatures["distribution"](text=tf.constant([""]))["probabilities"]
    np.testing.assert_allclose(tf.exp(answer["log_probs"])[0], distribution[0], atol=1e-6)
    assert set(zeros) == {f"state_{name}" for name in model.initial_state(1)}


@pytest.mark.parametrize("name", CLOZE_MODELS)
def test_fill_equals_python(name, exported):
    report, loaded = exported(name)
    assert report.max_abs_diff < 1e-5
    with pytest.raises(tf.errors.InvalidArgumentError, match="exactly one blank"):
        loaded.signatures["fill"](text=tf.constant(["no blank"]))


@pytest.mark.parametrize("name", CLOZE_MODELS)
def test_bytes_that_are_no_text_are_refused_in_text(name, exported):
    """A message that is not UTF-8 reaches no client: gRPC calls it INTERNAL."""
    _, loaded = exported(name)
    with pytest.raises(tf.errors.InvalidArgumentError, match="exactly one blank") as error:
        loaded.signatures["fill"](text=tf.constant([b"no \xff\xfe blank \xc3"]))
    assert "no \ufffd" in error.value.message


@pytest.mark.parametrize("name", ["lstm_tied", "nplm"])
@pytest.mark.parametrize("token", [-1, 10**6])
def test_an_id_outside_the_vocabulary_is_refused(name, token, exported):
    model, (_, loaded) = language_model(name), exported(name)
    state = {f"state_{key}": value for key, value in model.initial_state(2).items()}
    ids = np.array([BOS, token], np.int32)
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"from 0 to .*got.*{token}"):
        loaded.signatures["step"](token_id=tf.constant(ids), **state)
    for given in (ids, ids.tolist(), tf.constant(ids)):
        with pytest.raises(ZooError, match=f"token id {token}: ids are from 0 to"):
            model.step(given, model.initial_state(2))


def test_only_stock_ops_and_small_tables(exported):
    for name in ("lstm_tied", "bidirectional_lstm"):
        path = exported(name)[0].path
        from tensorflow.core.protobuf import saved_model_pb2

        content = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
        nodes = [
            node.op
            for function in content.meta_graphs[0].graph_def.library.function
            for node in function.node_def
        ]
        assert not FORBIDDEN & set(nodes)
        assert (path / "assets" / "vocabulary.txt").read_text(encoding="utf-8").startswith("<pad>")


def test_versions_are_written_one_after_another(tmp_path):
    model = language_model("nplm")
    model.export(tmp_path / "m" / "1")  # as Keras does: the directory is the SavedModel
    assert export_saved_model(model, tmp_path / "m").path.name == "2"
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == ["1", "2"]
    with pytest.raises(ZooError, match="exists"):
        export_saved_model(model, tmp_path / "m", version=2)


def test_a_failed_export_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(tf.saved_model, "load", lambda path: (_ for _ in ()).throw(OSError("disk")))
    with pytest.raises(OSError, match="disk"):
        export_saved_model(language_model("nplm"), tmp_path / "m")
    assert list((tmp_path / "m").iterdir()) == []


def test_what_has_no_export_is_refused(tmp_path):
    with pytest.raises(ZooError, match="a dict has no SavedModel form"):
        export_saved_model({}, tmp_path)
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for refused, message in [(tmp_path / "file", "is a file"), (tmp_path, "holds other files")]:
        with pytest.raises(ZooError, match=message):
            language_model("nplm").export(refused)
    with pytest.raises(ZooError, match="is a file"):
        export_saved_model(language_model("nplm"), tmp_path / "file")


def test_listed_models_are_covered():
    assert set(EXPORTED) <= {*LANGUAGE_MODELS, "cached"}
