"""Normal forms of Unicode inside a TensorFlow graph, of core ops only.

A batch is one flat array of code points, each text with a separator behind it, which nothing
joins; where the texts start moves along. Each step works on all code points at once: decomposition
by a table, canonical order by a stable sort, composition in as many rounds as the letter with the
most parts has marks, not as there are marks in a row.
"""

from __future__ import annotations

import tensorflow as tf

from zoo.text import normalization
from zoo.text.normalization import (
    LEAD_COUNT,
    LEADS,
    SYLLABLE_COUNT,
    SYLLABLES,
    TAIL_COUNT,
    TAILS,
    VOWEL_COUNT,
    VOWELS,
)

HIGHEST_CLASS = 256  # combining classes are below it


class Normalizer(tf.Module):
    """`unicodedata.normalize` on flat code points.

    Args:
        form: "NFC" or "NFKC".
    """

    def __init__(self, form: normalization.Form) -> None:
        super().__init__()
        # Variables, not constants: every signature of a SavedModel has its own copy of a constant.
        for name, column in normalization.decompositions(form)._asdict().items():
            setattr(self, name, tf.Variable(column, trainable=False))
        keys, made = normalization.compositions()
        self.pair_keys = tf.Variable(keys, trainable=False)
        self.pair_points = tf.Variable(made.astype("int32"), trainable=False)

    def __call__(self, points: tf.Tensor, splits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Code points [characters] int32 and where the texts start [batch + 1] int64, of both."""
        points, splits = self._decomposed(points, splits)
        return self._composed(self._in_order(points), splits)

    def _decomposed(self, points: tf.Tensor, splits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Each code point as the ones that it is written as."""
        rows, known = self._rows(points)
        lengths = tf.where(known, tf.gather(self.lengths, rows), 1)
        before = tf.concat([[0], tf.cumsum(tf.cast(lengths, tf.int64))], axis=0)
        places = tf.range(before[-1])
        source = tf.searchsorted(before[1:], places, side="right", out_type=tf.int64)
        inside = tf.cast(places - tf.gather(before, source), tf.int32)
        starts = tf.where(known, tf.gather(self.starts, rows), 0)
        parts = tf.gather(self.parts, tf.gather(starts, source) + inside)
        points = tf.where(tf.gather(known, source), parts, tf.gather(points, source))
        return points, tf.gather(before, splits)

    def _in_order(self, points: tf.Tensor) -> tf.Tensor:
        """The marks behind each letter by their combining class."""
        marks = self._marks(points)
        letters = tf.cumsum(tf.cast(marks == 0, tf.int64))
        keys = letters * HIGHEST_CLASS + tf.cast(marks, tf.int64)
        return tf.gather(points, tf.argsort(keys, stable=True))

    def _composed(self, points: tf.Tensor, splits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Letters put together with the marks and letters behind them."""
        points, splits, _ = tf.while_loop(
            lambda points, splits, more: more,
            lambda points, splits, more: self._round(points, splits),
            (points, splits, tf.constant(True)),
            shape_invariants=(tf.TensorShape([None]), splits.shape, tf.TensorShape([])),
        )
        return points, splits

    def _round(self, points: tf.Tensor, splits: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Each letter takes in the first that it can; the flag says whether one did.

        A mark joins its letter unless one of the same class stands between, a letter only the one
        just before it. Nothing that joins a letter is joined itself, so no two get in their way.
        """
        marks = self._marks(points)
        is_letter = tf.concat([[True], marks[1:] == 0], axis=0)
        letters = tf.where(is_letter)[:, 0]
        own = tf.gather(letters, tf.cumsum(tf.cast(is_letter, tf.int64)) - 1)
        before = tf.range(tf.size(points, out_type=tf.int64)) - 1
        target = tf.where(is_letter, tf.maximum(before, 0), own)
        earlier = tf.concat([[HIGHEST_CLASS], marks[:-1]], axis=0)
        made = self._made(tf.gather(points, target), points)
        joins = ((earlier == 0) | (earlier < marks)) & (made > 0)
        count = tf.cumsum(tf.cast(joins, tf.int64))
        joins &= is_letter | (count - tf.gather(count, own) == 1)  # the first of its letter
        points = tf.tensor_scatter_nd_update(
            points, tf.boolean_mask(target, joins)[:, tf.newaxis], tf.boolean_mask(made, joins)
        )
        return *kept(points, splits, ~joins), tf.reduce_any(joins)

    def _made(self, left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        """What two code points make, 0 for nothing."""
        keys = tf.bitwise.left_shift(tf.cast(left, tf.int64), normalization.POINT_BITS)
        keys += tf.cast(right, tf.int64)
        place = tf.searchsorted(self.pair_keys, keys)
        made = tf.where(
            tf.gather(self.pair_keys, place) == keys, tf.gather(self.pair_points, place), 0
        )
        lead, vowel = left - LEADS, right - VOWELS
        pair = _within(lead, 0, LEAD_COUNT) & _within(vowel, 0, VOWEL_COUNT)
        made = tf.where(pair, SYLLABLES + (lead * VOWEL_COUNT + vowel) * TAIL_COUNT, made)
        syllable, tail = left - SYLLABLES, right - TAILS
        open_syllable = _within(syllable, 0, SYLLABLE_COUNT) & (syllable % TAIL_COUNT == 0)
        return tf.where(open_syllable & _within(tail, 1, TAIL_COUNT), left + tail, made)

    def _rows(self, points: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The row of each code point, and whether it has one."""
        rows = tf.searchsorted(self.points, points)
        return rows, tf.gather(self.points, rows) == points

    def _marks(self, points: tf.Tensor) -> tf.Tensor:
        """The combining class of each code point."""
        rows, known = self._rows(points)
        return tf.where(known, tf.gather(self.marks, rows), 0)


def kept(points: tf.Tensor, splits: tf.Tensor, flags: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The code points that are flagged, and where the texts start among them."""
    before = tf.concat([[0], tf.cumsum(tf.cast(flags, tf.int64))], axis=0)
    return tf.boolean_mask(points, flags), tf.gather(before, splits)


def _within(numbers: tf.Tensor, first: int, end: int) -> tf.Tensor:
    return (numbers >= first) & (numbers < end)
