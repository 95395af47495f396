"""The signatures of a left-to-right language model: raw text in, words and probabilities out.

    next_word        text -> words, probabilities              the ten likeliest next words
    distribution     text -> probabilities                     the whole softmax
    score            text -> log_prob, tokens, oov, perplexity as sentences, <eos> counted
    token_log_probs  text -> tokens, log_probs                 the same by token; "" and 0 behind
    step             token_id, state_* -> log_probs, state_*   one token at a time
    prefill          text -> log_probs, state_*                the state after a text, to go on

Tokenization is in the graph. Everything is a stock TensorFlow op.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from export.report import keep_untracked
from export.saved_model.graph import (
    LanguageModelOnTensors,
    Signatures,
    Tensors,
    likeliest_words,
    on_text,
    prefixed,
    unprefixed,
    variables_of,
    with_ends,
)
from zoo.models.language_model import LanguageModel
from zoo.models.on_tensors import TensorLanguageModel
from zoo.text import BOS, EOS, UNK
from zoo.text.graph.tokenizers import graph_tokenizer

CHECK_TEXTS = [
    "",
    "i would like to",
    "the cat is small .",
    "qqqq zzzz",
    "walking home , isn't it ?",
]


class LanguageModelGraph(tf.Module):
    """A language model's signatures as traced functions.

    Args:
        model: the Python model; its tokenizer's graph version is tracked with the vocabulary
            asset.
        graph: its methods on tensors; a Keras model is its own.
        resources: variables and tables of the model, so that saving finds them.
    """

    def __init__(
        self, model: LanguageModel, graph: LanguageModelOnTensors, resources: list[tf.Variable]
    ) -> None:
        super().__init__()
        keep_untracked(self, python_model=model, graph=graph)
        self.tables = None if graph is model else graph  # counted models' graphs hold tables
        self.text = graph_tokenizer(model.tokenizer)
        self.resources = resources
        # What several signatures have in common is traced, saved and loaded once.
        keep_untracked(
            self,
            encode=on_text(self.text.encode),
            log_probs_after=on_text(self._log_probs_after),
            scored_tokens=on_text(self._scored_tokens),
        )

    def contexts(self, text: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """`<bos>` and each text's ids, padded: [batch, time] and lengths [batch]."""
        ids = with_ends(self.encode(text), before=BOS)
        return ids.to_tensor(), tf.cast(ids.row_lengths(), tf.int32)

    def _log_probs_after(self, text: tf.Tensor) -> tuple[tf.Tensor, Tensors]:
        """Log-probabilities [batch, vocabulary] after each text, and the state there."""
        ids, lengths = self.contexts(text)
        state = self.graph.consume_graph(ids, lengths - 1)
        last = tf.gather(ids, lengths - 1, axis=1, batch_dims=1)
        log_probs, state = self.graph.step_graph(last, state)
        return log_probs, state

    def next_word(self, text: tf.Tensor) -> Tensors:
        return likeliest_words(self.log_probs_after(text)[0], self.text.vocabulary)

    def distribution(self, text: tf.Tensor) -> Tensors:
        return {"probabilities": tf.exp(self.log_probs_after(text)[0])}

    def _scored_tokens(self, text: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Each text's ids with `<eos>`, padded, their log-probabilities, and which are counted."""
        encoded = self.encode(text)
        inputs = with_ends(encoded, before=BOS)
        targets = with_ends(encoded, after=EOS).to_tensor()
        log_probs = self.graph.token_log_probs_graph(inputs.to_tensor(), targets)
        counted = tf.sequence_mask(inputs.row_lengths(), tf.shape(targets)[1])
        return targets, tf.where(counted, log_probs, 0.0), counted

    def score(self, text: tf.Tensor) -> Tensors:
        targets, log_probs, counted = self.scored_tokens(text)
        total = tf.reduce_sum(log_probs, axis=1)
        tokens = tf.reduce_sum(tf.cast(counted, tf.int32), axis=1)
        return {
            "log_prob": total,
            "tokens": tokens,
            "oov": tf.reduce_sum(tf.cast(targets == UNK, tf.int32), axis=1),
            # zoo.metrics.perplexity in graph ops
            "perplexity": tf.exp(-total / tf.cast(tokens, tf.float32)),
        }

    def token_log_probs(self, text: tf.Tensor) -> Tensors:
        targets, log_probs, counted = self.scored_tokens(text)
        tokens = tf.where(counted, tf.gather(self.text.vocabulary, targets), "")
        return {"tokens": tokens, "log_probs": log_probs}

    def step(self, token_id: tf.Tensor, **state: tf.Tensor) -> Tensors:
        size = self.text.vocabulary.shape[0]
        known = tf.debugging.Assert(
            tf.reduce_all((token_id >= 0) & (token_id < size)),
            [f"token_id must be from 0 to {size - 1}; got", token_id],
        )
        with tf.control_dependencies([known] if known is not None else []):
            token_id = tf.identity(token_id)
        log_probs, new = self.graph.step_graph(token_id, unprefixed(state))
        return {"log_probs": log_probs, **prefixed(new)}

    def prefill(self, text: tf.Tensor) -> Tensors:
        log_probs, state = self.log_probs_after(text)
        return {"log_probs": log_probs, **prefixed(state)}

    def signatures(self) -> Signatures:
        """Concrete functions by signature name."""
        next_word = on_text(self.next_word).get_concrete_function()
        traced = {"serving_default": next_word, "next_word": next_word}
        for name in ("distribution", "score", "token_log_probs", "prefill"):
            traced[name] = on_text(getattr(self, name)).get_concrete_function()
        traced["step"] = tf.function(self.step, autograph=False).get_concrete_function(
            tf.TensorSpec([None], tf.int32, name="token_id"), **self.state_specs()
        )
        return traced

    def difference(self, loaded: tf.Module) -> float:
        """Largest difference of a sentence's log-probability, loaded file against model."""
        answer = loaded.signatures["score"](text=tf.constant(CHECK_TEXTS))["log_prob"].numpy()
        ours = np.array([score.log_prob for score in self.python_model.score(CHECK_TEXTS)])
        # A model of counts may give both -inf.
        return float(np.max(np.where(answer == ours, 0.0, np.abs(answer - ours))))

    def state_specs(self) -> dict[str, tf.TensorSpec]:
        """Specs of the `state_*` inputs, batch size open."""
        state = prefixed(self.graph.initial_state(1))
        return {
            name: tf.TensorSpec([None, *value.shape[1:]], value.dtype, name=name)
            for name, value in state.items()
        }


def neural_module(model: TensorLanguageModel) -> LanguageModelGraph:
    """The signatures of a Keras language model, or of a wrapper of one."""
    return LanguageModelGraph(model, model, variables_of(model))
