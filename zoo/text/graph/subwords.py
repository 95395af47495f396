"""The subword tokenizer inside a TensorFlow graph: exact byte-pair encoding of core ops.

All words of a batch are merged at once. Each round finds the lowest-ranked pair of every word by
binary search among the known pairs and merges its occurrences; rounds end when no pair is left,
which takes as many as the word with the most merges needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from zoo.text import bpe, codepoints
from zoo.text.graph.segmentation import CodePointTable, WordCutter, Words, joined_text
from zoo.text.graph.words import ragged, vocabulary_asset
from zoo.text.subword import SubwordTokenizer
from zoo.text.vocabulary import EOS, UNK


class GraphSubwordTokenizer(tf.Module):
    """`SubwordTokenizer.encode` and `decode` on tensors; the vocabulary file is an asset."""

    def __init__(self, tokenizer: SubwordTokenizer) -> None:
        super().__init__()
        vocabulary, self.rules = tokenizer.vocabulary, tokenizer.rules
        self.size = len(vocabulary)
        self.cut = WordCutter(tokenizer)
        self.first_ids = CodePointTable(character_ids(vocabulary, continues=False))
        self.later_ids = CodePointTable(character_ids(vocabulary, continues=True))
        keys, made = pair_table(tokenizer.id_pairs(), self.size)
        self.pair_keys = tf.Variable(keys, trainable=False)
        self.pair_pieces = tf.Variable(made, trainable=False)
        self.vocabulary = tf.Variable(list(vocabulary), trainable=False, dtype=tf.string)
        self.vocabulary_asset = vocabulary_asset(vocabulary)

    def encode(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Ids of each text: string [batch] -> ragged int32 [batch, None]."""
        words = self.cut(texts)
        pieces, chunks, text_chunks = self._characters(words)
        pieces, chunks = self._merged(pieces, chunks)
        splits = tf.searchsorted(chunks, text_chunks, out_type=tf.int64)
        return ragged(tf.cast(pieces, tf.int32), splits)

    def decode(self, ids: tf.Tensor) -> tf.Tensor:
        """Text of ids up to `<eos>` or padding: int32 [..., time] -> string [...]."""
        return joined_text(self.vocabulary, ids, self.rules)

    def _characters(self, words: Words) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """One-character pieces, the chunk of a word that each is in, and each text's first chunk.

        Returns:
            pieces [characters] int64, chunks [characters] int64, text chunks [batch + 1] int64.
        """
        count = tf.size(words.points, out_type=tf.int64)
        places = tf.range(count)
        word_of = tf.searchsorted(words.word_splits[1:], places, side="right", out_type=tf.int64)
        inside = places - tf.gather(words.word_splits, word_of)
        first = self.first_ids(words.points)
        pieces = tf.where(inside == 0, first, self.later_ids(words.points))
        starts = tf.cast(inside % bpe.LONGEST == 0, tf.int64)
        before = tf.concat([[0], tf.cumsum(starts)], axis=0)  # [characters + 1]
        text_chunks = tf.gather(before, tf.gather(words.word_splits, words.text_splits))
        return tf.cast(pieces, tf.int64), before[1:] - 1, text_chunks

    def _merged(self, pieces: tf.Tensor, chunks: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Pieces after all merges, and their chunks."""
        flat = tf.TensorShape([None])
        pieces, chunks, _ = tf.while_loop(
            lambda pieces, chunks, more: more,
            lambda pieces, chunks, more: self._round(pieces, chunks),
            (pieces, chunks, tf.constant(True)),
            shape_invariants=(flat, flat, tf.TensorShape([])),
        )
        return pieces, chunks

    def _round(self, pieces: tf.Tensor, chunks: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Merge the lowest-ranked pair of every chunk; the flag says whether there was one."""
        keys = pieces[:-1] * self.size + pieces[1:]  # [pairs] = [pieces - 1]
        place = tf.searchsorted(self.pair_keys, keys)
        known = (tf.gather(self.pair_keys, place) == keys) & (chunks[:-1] == chunks[1:])
        made = tf.where(known, tf.gather(self.pair_pieces, place), self.size)
        best = tf.math.segment_min(made, chunks[:-1])  # [chunks]
        chosen = _every_second(known & (made == tf.gather(best, chunks[:-1])))
        pieces = tf.concat([tf.where(chosen, made, pieces[:-1]), pieces[-1:]], axis=0)
        dropped = tf.concat([tf.zeros_like(pieces[:1], dtype=tf.bool), chosen], axis=0)
        kept = tf.where(~dropped)[:, 0]
        return tf.gather(pieces, kept), tf.gather(chunks, kept), tf.reduce_any(known)


def _every_second(chosen: tf.Tensor) -> tf.Tensor:
    """The first, third, ... of each run of neighbouring pairs, which share a piece (a a a)."""
    places = tf.range(tf.size(chosen))
    starts = chosen & ~tf.concat([tf.zeros_like(chosen[:1]), chosen[:-1]], axis=0)
    runs = tf.cumsum(tf.cast(starts, tf.int32))  # the number of the run, from 1
    first = tf.concat([[0], tf.cast(tf.where(starts)[:, 0], tf.int32)], axis=0)
    return chosen & ((places - tf.gather(first, runs)) % 2 == 0)


def character_ids(vocabulary: Sequence[str], continues: bool) -> np.ndarray:
    """The id of each code point as a piece, `<unk>` for most; [code points] int32."""
    table = np.full(codepoints.CODE_POINTS, UNK, dtype=np.int32)
    length = 1 + len(bpe.MARK) * continues
    for i, piece in enumerate(vocabulary):
        if i > EOS and len(piece) == length and (not continues or piece.startswith(bpe.MARK)):
            table[ord(piece[-1])] = i
    return table


def pair_table(pairs: Mapping[tuple[int, int], int], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of ids as sorted keys `left * size + right` and the pieces they make, both int64.

    The last key is larger than any pair's, so that a search never runs off the end.
    """
    rows = sorted((left * size + right, made) for (left, right), made in pairs.items())
    rows.append((np.iinfo(np.int64).max, UNK))
    keys, made = zip(*rows, strict=True)
    return np.array(keys, dtype=np.int64), np.array(made, dtype=np.int64)
