"""The signatures of a translation model's `.tflite` file: source ids in, target ids out.

    translate        ids [1, S], length [1] -> ids [1, T], score [1]   greedy, one call
    translate_beam   ids [1, S], length [1] -> ids [1, T], score [1]   beam 5, as served
    encode           ids [1, S], length [1] -> state_*                 for a loop of one's own:
    decode_step      token_id [1], state_*  -> ids, log_probs [1, 10], state_*   `<bos>` first
    score            ids [1, S], length [1], target_ids [1, T] -> log_prob [1]
    align            ids [1, S], length [1], target_ids [1, T] -> attention [1, T, S]

`decode_step` offers `<eos>` among the words, so that a loop knows when a translation may end.
`ids` of a source are its words and `<eos>`; a translation ends with `<eos>` and padding. `score` is
log P(target | source) of a translation of one's own. `align`, of models with attention, tells which
source word an `<unk>` stands for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from export.saved_model.graph import Signatures, Tensors, prefixed, unprefixed, variables_of
from export.tflite.check import Check, random_sentences
from export.tflite.check_translation import compare_translation
from export.tflite.module import LENGTH, Inputs, LiteModule, Text, padded_row
from export.tflite.signatures import fixed
from export.tflite.softmax import top_words
from zoo.models import Seq2Seq
from zoo.models.seq2seq.sentences import scored_pair, source_sentences
from zoo.models.seq2seq.settings import Seq2SeqSettings
from zoo.text import BOS, EOS, PAD, Tokenizer
from zoo.text.carry_rules import CLEAN, COUNT, CURLY, FIRST
from zoo.text.carrying import CAPITALS, carrier_of
from zoo.text.sentences import RULES as SENTENCE_RULES

BEAM = 5
SourceAndTarget: TypeAlias = tuple[list[int], list[int] | None]


class LiteTranslation(LiteModule[SourceAndTarget]):
    """A Seq2Seq's signatures."""

    # TensorFlow's calibrator, which "int8" needs, crashes on loops that keep whole sequences.
    quantizations = ("none", "float16", "dynamic")
    python_model: Seq2Seq

    def __init__(self, model: Seq2Seq, length: int = LENGTH) -> None:
        self.python_model = model
        self.resources = variables_of(model)
        self.settings = model.settings
        self.length = min(length, self.settings.max_source_length + 1)
        self.target_length = min(length, self.settings.max_target_length)

    def source(self, ids: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        """Ids as the encoder reads them: under extension V the words reversed."""
        if not self.settings.reverse_source:
            return ids
        places = tf.range(self.length)
        reversed_places = length[0] - 2 - places  # `<eos>` and padding stay
        order = tf.where(reversed_places >= 0, reversed_places, places)
        return tf.gather(ids, order, axis=1)

    def search(self, ids: tf.Tensor, length: tf.Tensor, beam: int) -> Tensors:
        source = self.source(ids, length)
        found, scores = self.python_model.search_graph(
            source, beam, 1, self.settings.length_alpha, self.target_length
        )
        return {"ids": found[:, 0], "score": scores[:, 0]}

    def translate(self, ids: tf.Tensor, length: tf.Tensor) -> Tensors:
        return self.search(ids, length, 1)

    def translate_beam(self, ids: tf.Tensor, length: tf.Tensor) -> Tensors:
        return self.search(ids, length, BEAM)

    def encode(self, ids: tf.Tensor, length: tf.Tensor) -> Tensors:
        return prefixed(self.python_model.encode(self.source(ids, length)))

    def decode_step(self, token_id: tf.Tensor, **state: tf.Tensor) -> Tensors:
        log_probs, new = self.python_model.step_graph(token_id, unprefixed(state))
        changed = {name: new[name] for name in self.python_model.state_names}
        return {**top_words(log_probs, first=EOS), **prefixed(changed)}

    def score(self, ids: tf.Tensor, length: tf.Tensor, target_ids: tf.Tensor) -> Tensors:
        initial = self.python_model.encode(self.source(ids, length))
        changed = {name: initial[name] for name in self.python_model.state_names}
        words = tf.reduce_sum(tf.cast(target_ids[0] != PAD, tf.int32))

        def add(
            t: tf.Tensor, token: tf.Tensor, total: tf.Tensor, state: Tensors
        ) -> tuple[tf.Tensor | Tensors, ...]:
            log_probs, new = self.python_model.step_graph(token, {**initial, **state})
            target = target_ids[:, t]
            kept = fixed({name: new[name] for name in state}, state)
            return t + 1, target, total + tf.gather(log_probs[0], target), kept

        start = (tf.constant(0), tf.fill([1], BOS), tf.zeros([1]), fixed(changed))
        _, _, total, _ = tf.while_loop(lambda t, *_: t < words, add, start)
        return {"log_prob": total}

    def align(self, ids: tf.Tensor, length: tf.Tensor, target_ids: tf.Tensor) -> Tensors:
        inputs = tf.concat([tf.fill([1, 1], BOS), target_ids[:, :-1]], axis=1)
        attention = self.python_model.alignment_graph(self.source(ids, length), inputs)
        return {"attention": attention}

    def signatures(self) -> Signatures:
        source = (
            tf.TensorSpec([1, self.length], tf.int32, name="ids"),
            tf.TensorSpec([1], tf.int32, name="length"),
        )
        traced = {
            name: tf.function(getattr(self, name), autograph=False).get_concrete_function(*source)
            for name in ("translate", "translate_beam", "encode")
        }
        token = tf.TensorSpec([1], tf.int32, name="token_id")
        states = {
            name: tf.TensorSpec(value.shape, value.dtype, name=name)
            for name, value in traced["encode"].structured_outputs.items()
        }
        step = tf.function(self.decode_step, autograph=False)
        traced["decode_step"] = step.get_concrete_function(token, **states)
        target = tf.TensorSpec([1, self.target_length], tf.int32, name="target_ids")
        taught = ("score",) if self.settings.attention is None else ("score", "align")
        for name in taught:
            function = tf.function(getattr(self, name), autograph=False)
            traced[name] = function.get_concrete_function(*source, target)
        return traced

    def description(self) -> dict[str, Any]:
        return {
            "kind": "translation",
            "length": self.length,
            "target_length": self.target_length,
            "reverse_source": bool(self.settings.reverse_source),
            **carrying(self.settings),
        }

    def tokenizers(self) -> dict[str, Tokenizer]:
        model = self.python_model
        return {"source": model.source_tokenizer, "target": model.target_tokenizer}

    def sentences(self, texts: Iterable[Text] | None) -> list[SourceAndTarget]:
        """Source ids to compare on, of the texts or by chance, with those of a given target."""
        source = self.python_model.source_tokenizer
        if texts is None:
            return [(ids, None) for ids in random_sentences(source.vocabulary_size)]
        return [self.sentence(text) for text in texts]

    def sentence(self, text: Text) -> SourceAndTarget:
        """A text's first sentence, or a pair, as ids of what the model reads and writes."""
        source, target = self.python_model.source_tokenizer, self.python_model.target_tokenizer
        if isinstance(text, str):
            return source.encode(source_sentences(text, self.settings)[0].text), None
        read, written = scored_pair(text.source, text.target, self.settings)
        return source.encode(read), target.encode(written)

    def feeds(self, ids: list[int]) -> Inputs:
        """Inputs of `translate` and `encode`."""
        return padded_row([*ids[: self.length - 1], EOS], self.length)

    def target_feed(self, ids: list[int]) -> np.ndarray:
        """`target_ids` of `score` and `align`; a target too long for the buffer is cut."""
        return padded_row([*ids, EOS][: self.target_length], self.target_length)["ids"]

    def compare(self, interpreter: Interpreter, sentences: list[SourceAndTarget]) -> Check:
        """The file's translations, and its words one by one, against the model's."""
        return compare_translation(self, interpreter, sentences)


def carrying(settings: Seq2SeqSettings) -> dict[str, Any]:
    """What model.json says of sentences and of what is carried over; nothing without either."""
    about: dict[str, Any] = {}
    if settings.split_sentences:
        about["sentences"] = SENTENCE_RULES
    if settings.carry_over is not None:
        carrier = carrier_of(settings.carry_over)
        source, target = carrier.rules.source, carrier.rules.target
        about["carry"] = {
            "prepare": (*CLEAN, *source.normal, *carrier.rules.convert, *source.marks),
            "values": carrier.rules.values,
            "quotes": target.quotes,
            "last": target.last,
            "curly": CURLY,
            "capitals": CAPITALS,
            "always_curly": carrier.always_curly,
            "first": FIRST,
            "count": COUNT,
        }
    return {"format": 2, **about} if about else {}
