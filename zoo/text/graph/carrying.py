"""`zoo.text.carrying` and `zoo.text.sentences` inside a TensorFlow graph, of core ops only."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from zoo.text.carry_rules import (
    CLEAN,
    CLOSE,
    COUNT,
    CURLY,
    OPEN,
    SENTENCE_END,
    SYMBOLS,
    Rules,
)
from zoo.text.carrying import CAPITALS, Carrier
from zoo.text.sentences import RULES


class Carried(NamedTuple):
    """Sources as the model reads them, and what their placeholders stand for.

    Attributes:
        text: [texts] string.
        values: [texts, COUNT] string, "" where there is no such placeholder.
        curly: [texts] bool, whether a text writes quotes in its language's own way.
    """

    text: tf.Tensor
    values: tf.Tensor
    curly: tf.Tensor


class GraphCarrier:
    """A `Carrier`'s `prepared` and `restored` on tensors.

    Args:
        carrier: whose rules they are.
    """

    def __init__(self, carrier: Carrier) -> None:
        self.rules, self.always_curly = carrier.rules, carrier.always_curly

    def prepared(self, texts: tf.Tensor) -> Carried:
        """Sources [texts] with placeholders, straight quotes and no capitals alone."""
        source = self.rules.source
        curly = tf.strings.regex_full_match(texts, CURLY)
        plain = applied((*CLEAN, *source.normal, *self.rules.convert, *source.marks), texts)
        first = tf.strings.regex_replace(plain, f"(?s){OPEN}.*", "")
        marked = tf.strings.split(plain, OPEN)[:, 1:].to_tensor("")  # [texts, carried]
        values = tf.strings.regex_replace(marked, f"(?s){CLOSE}.*", "")
        behind = tf.strings.regex_replace(marked, f"(?s)^.*{CLOSE}", "")
        count = tf.shape(marked)[1]
        symbols = tf.concat([SYMBOLS, tf.fill([tf.maximum(count - COUNT, 0)], "")], 0)[:count]
        fit = tf.range(count) < COUNT
        shown = tf.where(fit, symbols, values)
        shown = tf.where(tf.strings.length(marked) > 0, shown, "")  # shorter rows are padded
        rest = tf.strings.reduce_join(tf.strings.join([shown, behind]), axis=-1)
        text = tf.strings.join([first, rest])
        capitals = tf.strings.regex_full_match(text, CAPITALS)
        text = tf.where(capitals, tf.strings.lower(text, encoding="utf-8"), text)
        values = tf.pad(values, [[0, 0], [0, COUNT]], constant_values="")[:, :COUNT]
        return Carried(text, applied(self.rules.values, values), curly)

    def restored(self, translations: tf.Tensor, carried: Carried) -> tf.Tensor:
        """Translations [texts, best] with what is carried over; what they lack, in brackets."""
        target = self.rules.target
        quoted = applied(target.quotes, translations)
        curly = tf.constant(True) if self.always_curly else carried.curly[:, tf.newaxis]
        translations = tf.where(curly, quoted, translations)
        texts = tf.cond(
            tf.reduce_any(carried.values != "")
            | tf.reduce_any(tf.strings.regex_full_match(translations, f"(?s).*{_ANY}.*")),
            lambda: self._put_back(translations, carried.values),
            lambda: translations,
        )
        return tf.ensure_shape(texts, translations.shape)

    def shown(self, tokens: tf.Tensor, carried: Carried) -> tf.Tensor:
        """Tokens [texts, time] with what placeholders among them stand for."""
        for k, symbol in enumerate(SYMBOLS):
            tokens = tf.where(tokens == symbol, carried.values[:, k, tf.newaxis], tokens)
        return tokens

    def _put_back(self, translations: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        """The same with placeholders somewhere among the batch."""
        texts, lost = translations, tf.zeros_like(translations)
        for k, symbol in enumerate(SYMBOLS):
            value = values[:, k, tf.newaxis]  # [texts, 1]
            present = tf.strings.regex_full_match(translations, f"(?s).*{symbol}.*")
            missing = (value != "") & ~present
            lost = tf.strings.join(
                [lost, tf.where(missing, tf.strings.join([" [", value, "]"]), "")]
            )
            texts = _replaced(texts, symbol, value)
        texts = tf.strings.join([applied(self.rules.target.last, texts), lost])
        return tf.where(translations == "", tf.strings.regex_replace(texts, "^ ", ""), texts)


_ANY = f"[{SYMBOLS[0]}-{SYMBOLS[-1]}]"


def _replaced(texts: tf.Tensor, symbol: str, values: tf.Tensor) -> tf.Tensor:
    """Texts [texts, best] with a row's own value [texts, 1] for a symbol."""
    shape = tf.shape(texts)
    pieces = tf.strings.split(tf.reshape(texts, [-1]), symbol)
    row_values = tf.reshape(tf.broadcast_to(values, shape), [-1])
    first = tf.strings.regex_replace(tf.reshape(texts, [-1]), f"(?s){symbol}.*", "")
    rest = pieces[:, 1:]
    values = tf.repeat(row_values, rest.row_lengths())
    rest = rest.with_values(tf.strings.join([values, rest.values]))
    joined = tf.strings.reduce_join(rest.to_tensor(""), axis=-1)
    return tf.reshape(tf.strings.join([first, joined]), shape)


def applied(rules: Rules, texts: tf.Tensor) -> tf.Tensor:
    """Texts after one rule after another."""
    for pattern, new in rules:
        texts = tf.strings.regex_replace(texts, pattern, new)
    return texts


def sentences_of(texts: tf.Tensor) -> tf.RaggedTensor:
    """The sentences of each text [texts], at least one: ragged [texts, None]."""
    return tf.strings.split(applied(RULES, texts), SENTENCE_END)
