"""The signatures of models that give labels: text in; labels, or text with case and marks, out.

    tag                text     -> words, labels, probabilities [batch, time]   a tagger
    restore            text     -> restored [batch]                             a restorer too
    classify           text     -> labels, probabilities [batch, labels]        a classifier
    classify_examples  examples -> classes, scores [batch, labels]              for Classify

Texts of fewer words than the longest of the batch end in empty words and labels of probability 0.
`classify_examples` is `classify` in the form that TensorFlow Serving's Classify asks for: of
serialized tf.Examples, each with the text in its feature `text`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from export.report import keep_untracked
from export.saved_model.graph import Signatures, Tensors, on_text, variables_of, with_ends
from zoo.errors import ZooError
from zoo.models import BidirectionalClassifier, BidirectionalRestorer, BidirectionalTagger
from zoo.text import BOS, EOS
from zoo.text.graph.case_and_marks import CaseAndMarks
from zoo.text.graph.tokenizers import graph_tokenizer
from zoo.text.graph.words import GraphWordTokenizer, ragged

CHECK_TEXTS = ["where is the cat", "", "tom looks very old , isn't he ?", "qqq"]
EXAMPLES = "classify_examples"
CLASSIFY = "tensorflow/serving/classify"  # the method of a signature that Classify may run


class TaggerGraph(tf.Module):
    """A tagger's signature as a traced function."""

    def __init__(self, model: BidirectionalTagger) -> None:
        super().__init__()
        keep_untracked(self, python_model=model, graph=model)
        text = graph_tokenizer(model.tokenizer)
        if not isinstance(text, GraphWordTokenizer):
            kind = type(model.tokenizer).__name__
            raise ZooError(f"a tagger with a {kind} has no SavedModel form: use a WordTokenizer")
        self.text = text
        self.names = tf.Variable(list(model.labels), trainable=False, dtype=tf.string)
        self.resources = variables_of(model)

    def tag(self, text: tf.Tensor) -> Tensors:
        tokens = self.text.tokenize(text)
        best, log_probs = self.best_labels(tokens)
        is_word = tf.sequence_mask(tokens.row_lengths(), tf.shape(best)[1])
        return {
            "words": tokens.to_tensor(default_value=""),
            "labels": tf.where(is_word, tf.gather(self.names, best), ""),
            "probabilities": tf.where(is_word, tf.exp(log_probs), 0.0),
        }

    def best_labels(self, tokens: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The likeliest label of each word, and its log-probability; [batch, longest] each."""
        ids = ragged(self.text.lookup(tokens.values), tokens.row_splits)
        whole = with_ends(ids, before=BOS, after=EOS)
        lengths = tf.cast(whole.row_lengths(), tf.int32)
        log_probs = self.graph.label_log_probs_graph(whole.to_tensor(), lengths)[:, 1:-1]
        best = tf.argmax(log_probs, axis=-1, output_type=tf.int32)
        return best, tf.reduce_max(log_probs, axis=-1)

    def signatures(self) -> Signatures:
        tag = on_text(self.tag).get_concrete_function()
        return {"serving_default": tag, "tag": tag}

    def difference(self, loaded: tf.Module) -> float:
        """Largest difference of a label's probability, loaded file against model."""
        answer = loaded.signatures["tag"](text=tf.constant(CHECK_TEXTS))["probabilities"].numpy()
        ours = np.zeros_like(answer)
        for row, words in zip(ours, self.python_model.tag(CHECK_TEXTS), strict=True):
            row[: len(words)] = [word.probability for word in words]
        return float(np.max(np.abs(answer - ours)))


class RestorerGraph(TaggerGraph):
    """A restorer's signatures as traced functions; a text is read as a whole, however long."""

    python_model: BidirectionalRestorer

    def __init__(self, model: BidirectionalRestorer) -> None:
        super().__init__(model)
        self.rewrite = CaseAndMarks(model.tokenizer, model.labels, model.word_forms)

    def restore(self, text: tf.Tensor) -> Tensors:
        words = self.rewrite.bare_words(self.text.tokenize(text))
        best, _ = self.best_labels(words)
        ids = self.text.lookup(words.values)
        of_words = tf.sequence_mask(words.row_lengths(), tf.shape(best)[1])
        return {"restored": self.rewrite(words, ids, tf.boolean_mask(best, of_words))}

    def signatures(self) -> Signatures:
        restore = on_text(self.restore).get_concrete_function()
        return {**super().signatures(), "serving_default": restore, "restore": restore}

    def difference(self, loaded: tf.Module) -> float:
        """That of `tag`; infinite if a text is restored in another way."""
        answer = loaded.signatures["restore"](text=tf.constant(CHECK_TEXTS))["restored"].numpy()
        same = [text.decode() for text in answer] == self.python_model.restore(CHECK_TEXTS)
        return super().difference(loaded) if same else float("inf")


class ClassifierGraph(tf.Module):
    """A classifier's signatures as traced functions."""

    def __init__(self, model: BidirectionalClassifier) -> None:
        super().__init__()
        keep_untracked(self, python_model=model, graph=model)
        self.text = graph_tokenizer(model.tokenizer)
        self.names = tf.Variable(list(model.labels), trainable=False, dtype=tf.string)
        self.resources = variables_of(model)
        keep_untracked(self, ranked=on_text(self._ranked))

    def _ranked(self, text: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The labels of each text, likeliest first, with their probabilities."""
        ids = with_ends(self.text.encode(text), before=BOS, after=EOS)
        lengths = tf.cast(ids.row_lengths(), tf.int32)
        log_probs = self.graph.label_log_probs_graph(ids.to_tensor(), lengths)
        values, best = tf.math.top_k(tf.exp(log_probs), k=log_probs.shape[-1])
        return tf.gather(self.names, best), values

    def classify(self, text: tf.Tensor) -> Tensors:
        labels, probabilities = self.ranked(text)
        return {"labels": labels, "probabilities": probabilities}

    def classify_examples(self, inputs: tf.Tensor) -> Tensors:
        features = {"text": tf.io.FixedLenFeature([], tf.string)}
        labels, probabilities = self.ranked(tf.io.parse_example(inputs, features)["text"])
        return {"classes": labels, "scores": probabilities}

    def signatures(self) -> Signatures:
        classify = on_text(self.classify).get_concrete_function()
        examples = tf.function(self.classify_examples, autograph=False).get_concrete_function(
            tf.TensorSpec([None], tf.string, name="inputs")
        )
        return {"serving_default": classify, "classify": classify, EXAMPLES: examples}

    def difference(self, loaded: tf.Module) -> float:
        """Largest difference of a probability, loaded file against model."""
        answer = loaded.signatures["classify"](text=tf.constant(CHECK_TEXTS))
        ours = self.python_model.classify(CHECK_TEXTS)
        differences = [
            abs(dict(row)[label.decode()] - probability)
            for row, labels, values in zip(
                ours, answer["labels"].numpy(), answer["probabilities"].numpy(), strict=True
            )
            for label, probability in zip(labels, values, strict=True)
        ]
        return float(np.max(differences))


def name_classify_method(directory: Path) -> None:
    """Write the method of `classify_examples` into a SavedModel.

    `tf.saved_model.save` calls every signature one of Predict; a server that looks at methods lets
    Classify run only its own.
    """
    path = directory / "saved_model.pb"
    content = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    signatures = content.meta_graphs[0].signature_def
    if EXAMPLES in signatures:
        signatures[EXAMPLES].method_name = CLASSIFY
        path.write_bytes(content.SerializeToString(deterministic=True))
