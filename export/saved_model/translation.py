"""The signatures of a translation model: raw text in, translations and scores out.

    translate   text -> translations, scores       the five best, best first
    attention   text -> source, target, attention  where each token of the best was read from

Cutting into sentences, placeholders, tokenization, beam search and the handling of unknown words
are in the graph, with stock ops. Where fewer than five translations are different, the places left
over are "" with the lowest float32. `attention` is there for models that attend: tokens as the
encoder reads them and as the decoder wrote them, "" behind the last, and a weight for each pair, 0
behind. A text of several sentences is one there.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from export.report import keep_untracked
from export.saved_model.graph import Signatures, Tensors, on_text, variables_of, with_ends
from zoo.models import Seq2Seq
from zoo.models.seq2seq.unknown_words import CONTINUED, MARK
from zoo.text import BOS, EOS, PAD, UNK
from zoo.text.carrying import carrier_of
from zoo.text.graph.carrying import Carried, GraphCarrier, sentences_of
from zoo.text.graph.tokenizers import graph_tokenizer
from zoo.text.graph.words import GraphWordTokenizer

BEST = 5
NO_SCORE = float(np.finfo(np.float32).min)
HAS_LETTER_OR_DIGIT = r"(?s).*[\pL\pN].*"


class TranslationGraph(tf.Module):
    """A Seq2Seq's signature as a traced function.

    Args:
        model: the Python model; both tokenizers' graph versions are tracked with their assets.
        beam: hypotheses kept at a time, at least five.
    """

    def __init__(self, model: Seq2Seq, beam: int = BEST) -> None:
        super().__init__()
        keep_untracked(self, python_model=model)
        self.beam = beam
        self.source = graph_tokenizer(model.source_tokenizer)
        self.target = graph_tokenizer(model.target_tokenizer)
        direction = model.settings.carry_over
        self.carrier = None if direction is None else GraphCarrier(carrier_of(direction))
        self.resources = variables_of(model)
        ids = tf.TensorSpec([None, None], tf.int32)
        search = tf.function(self._search, input_signature=[ids], autograph=False)
        keep_untracked(self, search=search)  # traced once for both signatures

    def _search(self, source_ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Ids [batch, 5, time] and scores [batch, 5] of the best translations, best first."""
        settings = self.python_model.settings
        ids, scores = self.python_model.search_graph(
            source_ids, self.beam, BEST, settings.length_alpha, settings.max_target_length
        )
        return ids, scores

    def translate(self, text: tf.Tensor) -> Tensors:
        """The five best translations of each text [batch], and their scores."""
        if not self.python_model.settings.split_sentences:
            return self.best(text)
        sentences = sentences_of(text)
        lengths = sentences.row_lengths()
        best = self.best(sentences.values)
        return tf.cond(tf.reduce_any(lengths > 1), lambda: joined(best, lengths), lambda: best)

    def best(self, sentences: tf.Tensor) -> Tensors:
        """The five best translations of each sentence, and their scores."""
        carried = self.carried(sentences)
        source_ids = self.source_ids(carried.text)
        ids, scores = self.search(source_ids)
        readable = self.target.decode(ids)  # [batch, 5]
        unknown = tf.reduce_any(source_ids == UNK) | tf.reduce_any(ids == UNK)
        readable = tf.cond(
            unknown,
            lambda: self.with_source_words(
                readable, ids, source_ids, self.source_tokens(carried.text)
            ),
            lambda: readable,
        )
        if self.carrier is not None:
            readable = self.carrier.restored(readable, carried)
        translations, scores = each_once(readable, scores)
        return {"translations": translations, "scores": scores}

    def carried(self, sentences: tf.Tensor) -> Carried:
        """Sentences as the model reads them, and what their placeholders stand for."""
        if self.carrier is not None:
            return self.carrier.prepared(sentences)
        return Carried(sentences, tf.zeros([0, 0], tf.string), tf.zeros([0], tf.bool))

    def attention(self, text: tf.Tensor) -> Tensors:
        """The best translation of each text, and where its tokens were read from."""
        carried = self.carried(text)
        source_ids = self.source_ids(carried.text)
        best = self.search(source_ids)[0][:, 0]  # [batch, time]
        read, written = source_ids != PAD, best != PAD
        weights = self.python_model.alignment_graph(source_ids, after_bos(best))
        both = written[:, :, tf.newaxis] & read[:, tf.newaxis]
        typed = self.source_tokens(carried.text)  # "" for <eos>
        known = tf.where(read, tf.gather(self.source.vocabulary, source_ids), "")
        source = tf.where(typed == "", known, typed)
        target = tf.where(written, tf.gather(self.target.vocabulary, best), "")
        if self.carrier is not None:
            source, target = (self.carrier.shown(side, carried) for side in (source, target))
        return {
            "source": source,
            "target": target,
            "attention": tf.where(both, weights, 0.0),
        }

    # --- sources ----------------------------------------------------------------------------

    def source_ids(self, text: tf.Tensor) -> tf.Tensor:
        """Sources as the encoder reads them: [batch, source] int32, `<eos>` last in each row."""
        ids = with_ends(self._cut(self.source.encode(text)), after=EOS)
        return self._in_order(ids.to_tensor(PAD), tf.cast(ids.row_lengths(), tf.int32) - 1)

    def source_tokens(self, text: tf.Tensor) -> tf.Tensor:
        """The tokens behind `source_ids`, "" for `<eos>` and padding: [batch, source] string."""
        if isinstance(self.source, GraphWordTokenizer):
            tokens = self._cut(self.source.tokenize(text))
        else:  # a tokenizer whose unknown tokens cannot be told apart
            ids = self._cut(self.source.encode(text))
            tokens = ids.with_values(tf.gather(self.source.vocabulary, ids.values))
        lengths = tf.cast(tokens.row_lengths(), tf.int32)
        ended = tf.concat([tokens, tf.fill([tf.shape(lengths)[0], 1], "")], axis=1)
        return self._in_order(ended.to_tensor(""), lengths)

    def _cut(self, rows: tf.RaggedTensor) -> tf.RaggedTensor:
        return rows[:, : self.python_model.settings.max_source_length]

    def _in_order(self, rows: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Extension V: the words of each row reversed; what follows them stays."""
        if not self.python_model.settings.reverse_source:
            return rows
        places = tf.range(tf.shape(rows)[1])[tf.newaxis, :]
        reversed_places = lengths[:, tf.newaxis] - 1 - places
        order = tf.where(reversed_places >= 0, reversed_places, places)
        return tf.gather(rows, order, batch_dims=1)

    # --- unknown words (zoo/models/seq2seq/unknown_words.py, on tensors) --------------------

    def with_source_words(
        self, readable: tf.Tensor, ids: tf.Tensor, source_ids: tf.Tensor, tokens: tf.Tensor
    ) -> tf.Tensor:
        """Translations [batch, 5] with source words in place of `<unk>`, lost ones in brackets."""
        unknown = source_ids == UNK  # [batch, source]
        marked = ids == UNK  # [batch, 5, time]
        places, found = self._places(ids, source_ids, marked, unknown)
        words = tf.strings.regex_replace(tokens, CONTINUED, r"\1")
        copies = tf.where(found, tf.gather(words, places, batch_dims=1), MARK)
        texts = inserted(readable, copies, marked)
        picked = tf.one_hot(places, tf.shape(unknown)[1], True, False, dtype=tf.bool)
        used = (marked & found)[..., tf.newaxis] & picked  # [batch, 5, time, source]
        lost = unknown[:, tf.newaxis] & ~tf.reduce_any(used, axis=2)
        lost &= tf.strings.regex_full_match(words, HAS_LETTER_OR_DIGIT)[:, tf.newaxis]
        if self.python_model.settings.reverse_source:
            lost, words = tf.reverse(lost, [2]), tf.reverse(words, [1])
        bracketed = tf.where(lost, tf.strings.join([" [", words, "]"])[:, tf.newaxis], "")
        texts = tf.strings.join([texts, tf.strings.reduce_join(bracketed, axis=-1)])
        return tf.where(readable == "", tf.strings.regex_replace(texts, "^ ", ""), texts)

    def _places(
        self, ids: tf.Tensor, source_ids: tf.Tensor, marked: tf.Tensor, unknown: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The source place that each target token stands for, and whether there is one."""
        if self.python_model.settings.attention is None:
            return self._places_in_order(marked, unknown)
        words = (source_ids != PAD) & (source_ids != EOS)
        allowed = tf.where(tf.reduce_any(unknown, axis=1, keepdims=True), unknown, words)
        shape = tf.shape(ids)
        inputs = after_bos(tf.reshape(ids, [-1, shape[2]]))
        repeated = tf.repeat(source_ids, shape[1], axis=0)
        attention = self.python_model.alignment_graph(repeated, inputs)
        attention = tf.reshape(attention, [shape[0], shape[1], shape[2], -1])
        allowed = allowed[:, tf.newaxis, tf.newaxis]  # [batch, 1, 1, source]
        best = tf.argmax(tf.where(allowed, attention, -1.0), axis=-1, output_type=tf.int32)
        return best, tf.broadcast_to(tf.reduce_any(allowed, axis=-1), tf.shape(best))

    def _places_in_order(
        self, marked: tf.Tensor, unknown: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Without attention the k-th `<unk>` stands for the k-th unknown word of the text."""
        backwards = self.python_model.settings.reverse_source
        number = tf.cumsum(tf.cast(marked, tf.int32), axis=-1)  # from 1
        rank = tf.cumsum(tf.cast(unknown, tf.int32), axis=-1, reverse=backwards)
        same = number[..., tf.newaxis] == rank[:, tf.newaxis, tf.newaxis]
        same &= unknown[:, tf.newaxis, tf.newaxis]  # [batch, 5, time, source]
        found = tf.reduce_any(same, axis=-1)
        return tf.argmax(tf.cast(same, tf.int32), axis=-1, output_type=tf.int32), found

    # --- what the exporter asks for ---------------------------------------------------------

    def signatures(self) -> Signatures:
        """Concrete functions by signature name."""
        translate = on_text(self.translate).get_concrete_function()
        traced = {"serving_default": translate, "translate": translate}
        if self.python_model.settings.attention is not None:
            traced["attention"] = on_text(self.attention).get_concrete_function()
        return traced

    def difference(self, loaded: tf.Module) -> float:
        """Largest difference of a score, loaded file against model."""
        texts = check_texts(self.python_model)
        answer = loaded.signatures["translate"](text=tf.constant(texts))["scores"].numpy()
        ours = self.python_model.translate(texts, beam=self.beam, n_best=BEST)
        differences = [
            abs(theirs - score)
            for row, best in zip(answer, ours, strict=True)
            for theirs, (_, score) in zip(row, best, strict=False)
        ]
        return float(max(differences))


def after_bos(ids: tf.Tensor) -> tf.Tensor:
    """What the decoder reads before it writes each of ids [rows, time]."""
    return tf.concat([tf.fill([tf.shape(ids)[0], 1], BOS), ids[:, :-1]], axis=1)


def inserted(readable: tf.Tensor, copies: tf.Tensor, marked: tf.Tensor) -> tf.Tensor:
    """Texts with each `<unk>` replaced by the copy for it.

    Args:
        readable: [batch, best] string.
        copies, marked: [batch, best, time] string and bool; the copies at marked tokens are used.
    """
    shape = tf.shape(copies)
    pieces = tf.strings.split(tf.reshape(readable, [-1]), MARK)
    between = tf.cast(pieces.row_lengths(), tf.int32) - 1  # copies needed a text
    pieces = pieces.to_tensor("")  # [texts, pieces]
    flat = tf.reshape(copies, [-1, shape[2]])
    chosen = tf.ragged.boolean_mask(flat, tf.reshape(marked, [-1, shape[2]])).to_tensor(MARK)
    width = tf.shape(pieces)[1]
    missing = tf.maximum(width - tf.shape(chosen)[1], 0)
    chosen = tf.pad(chosen, [[0, 0], [0, missing]], constant_values=MARK)[:, :width]
    used = tf.range(width)[tf.newaxis, :] < between[:, tf.newaxis]
    together = tf.strings.join([pieces, tf.where(used, chosen, "")])
    return tf.reshape(tf.strings.reduce_join(together, axis=-1), shape[:2])


def each_once(texts: tf.Tensor, scores: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The different texts of each row [batch, best], best first; "" and NO_SCORE behind them."""
    count = texts.shape[1]
    same = texts[:, :, tf.newaxis] == texts[:, tf.newaxis, :]
    earlier = tf.constant(np.tri(count, k=-1, dtype=bool))
    kept = ~tf.reduce_any(same & earlier, axis=2) & tf.math.is_finite(scores)
    places = tf.range(count)[tf.newaxis, :]
    order = tf.argsort(tf.where(kept, places, places + count), axis=1)
    texts = tf.gather(tf.where(kept, texts, ""), order, batch_dims=1)
    return texts, tf.gather(tf.where(kept, scores, NO_SCORE), order, batch_dims=1)


def joined(best: Tensors, lengths: tf.Tensor) -> Tensors:
    """The translations of texts from those of their sentences, as `zoo` joins them.

    Args:
        best: `translations` and `scores` [sentences, best].
        lengths: sentences of each text [texts].
    """
    texts, scores = best["translations"], best["scores"]
    of_text = tf.repeat(tf.range(tf.shape(lengths)[0]), lengths)  # [sentences]
    count = tf.reduce_sum(tf.cast(scores > NO_SCORE, tf.int32), axis=1)
    ranks = tf.range(BEST)[tf.newaxis, :]
    places = tf.maximum(tf.minimum(ranks, count[:, tf.newaxis] - 1), 0)  # [sentences, best]
    texts = tf.gather(texts, places, batch_dims=1)
    texts = tf.strings.unsorted_segment_join(texts, of_text, tf.shape(lengths)[0], separator=" ")
    scores = tf.math.segment_sum(tf.gather(scores, places, batch_dims=1), of_text)
    kept = ranks < tf.math.segment_max(count, of_text)[:, tf.newaxis]
    return {
        "translations": tf.where(kept, texts, ""),
        "scores": tf.where(kept, scores, NO_SCORE),
    }


def check_texts(model: Seq2Seq) -> list[str]:
    """Sources for the comparison: nothing, one word, some words, an unknown one among them."""
    words = [word for word in model.source_tokenizer.vocabulary[4:] if word.isalpha()][:6]
    sentence = " ".join(words)
    several = f"{sentence}. {sentence.capitalize()} 1,5!"
    return ["", words[0] if words else "a", sentence, f"{sentence} qxqzq {sentence}", several]
