"""Ids of text that white space separates, in NumPy: no Python object for each word.

The text is one array of UTF-8 bytes. A word of at most 8 bytes is its own key, one number; of a
longer word the key is mixed from its first 16 bytes, and what the key finds is compared. One probe
into a table gives the ids of all keys (see `zoo.ngrams.index.perfect_hash`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from zoo.ngrams.index.perfect_hash import PerfectHash
from zoo.text import EOS, UNK
from zoo.text.segmentation import split_spaces, split_whitespace

END = "\n"  # no token holds a line feed, so this word can only be the end of a sentence
WIDTH = 8  # bytes in a number
PADDING = "\0" * 2 * WIDTH  # so that two numbers can be read from any word's start
MASKS = np.array([(1 << 8 * n) - 1 for n in range(WIDTH + 1)], np.uint64)  # the first n bytes
FIRST_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
SECOND_MULTIPLIER = np.uint64(0xC2B2AE3D27D4EB4F)
IS_LONG = np.uint64(0xFF)  # no UTF-8 word starts with this byte


class WhitespaceIds:
    """Turns sentences into ids with `<eos>` after each.

    Args:
        vocabulary: words by id; the names of the control tokens are read as unknown words.
        spaces_only: whether nothing but space, tab and line ends separates.
    """

    def __init__(self, vocabulary: Sequence[str], spaces_only: bool = False) -> None:
        self.split = split_spaces if spaces_only else split_whitespace
        self.has_other_spaces = _has_tabs if spaces_only else _has_other_spaces
        # A word with a lone surrogate or a null character is never sought here.
        words = {END.encode(): EOS}
        for i, word in enumerate(vocabulary[EOS + 1 :], EOS + 1):
            words[word.encode("utf-8", "surrogatepass")] = i
        words = {word: i for word, i in words.items() if b"\0" not in word}
        self.long = {word: i for word, i in words.items() if len(word) > WIDTH}
        starts = np.cumsum([0, *map(len, words)])
        raw = b"".join(words) + PADDING.encode()
        keys, long, first, second = _keys_of(_numbers(raw), starts[:-1], np.diff(starts))
        ids = np.fromiter(words.values(), np.int32, len(words))
        self.first = np.zeros(len(vocabulary), np.uint64)  # numbers of long words, by id
        self.second = self.first.copy()
        self.first[ids[long]], self.second[ids[long]] = first, second
        keys, rows = np.unique(keys, return_index=True)
        self.hash = PerfectHash.of(keys)
        self.keys = np.zeros(self.hash.size, np.uint64)
        self.ids = np.full(self.hash.size, UNK, np.int32)
        places = self.hash(keys)
        self.keys[places], self.ids[places] = keys, ids[rows]

    def __call__(self, sentences: Sequence[str]) -> np.ndarray | None:
        """The ids, int32; None if a lone surrogate or a null character is in the text."""
        try:
            raw = _joined(sentences)
            if self.has_other_spaces(raw, len(sentences)):
                raw = _joined([" ".join(self.split(sentence)) for sentence in sentences])
        except UnicodeEncodeError:
            return None
        if raw.find(b"\0") != len(raw) - len(PADDING):
            return None
        ends = np.flatnonzero(np.frombuffer(raw, np.uint8) == ord(" "))
        starts = np.concatenate([[0], ends[:-1] + 1])
        lengths = ends - starts
        if not lengths.all():  # two spaces side by side
            kept = np.flatnonzero(lengths)
            starts, lengths = starts.take(kept), lengths.take(kept)
        return self._looked_up(raw, starts, lengths)

    def _looked_up(self, raw: bytes, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        keys, long, first, second = _keys_of(_numbers(raw), starts, lengths)
        places = self.hash(keys)
        found = self.ids.take(places)
        found[np.flatnonzero(self.keys.take(places) != keys)] = UNK
        ids = found.take(long)
        is_same = (self.first.take(ids) == first) & (self.second.take(ids) == second)
        is_same &= lengths.take(long) <= 2 * WIDTH
        others = long[~is_same]  # unknown, or too long for two numbers
        first = starts.take(others)
        spans = zip(first.tolist(), (first + lengths.take(others)).tolist(), strict=True)
        found[others] = [self.long.get(raw[start:end], UNK) for start, end in spans]
        return found


def _joined(sentences: Sequence[str]) -> bytes:
    """The sentences' UTF-8 with a space behind every word, `END` behind every sentence."""
    ends = f" {END} {PADDING}".encode()
    return f" {END} ".encode().join(map(str.encode, sentences)) + ends


def _numbers(raw: bytes) -> np.ndarray:
    """The 8 bytes from each byte on as one number; [len(raw) - 7] uint64."""
    overlapping = np.ndarray((len(raw) - WIDTH + 1,), "<u8", raw, strides=(1,))
    return overlapping.astype(np.uint64)


def _keys_of(
    numbers: np.ndarray, starts: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Keys of words, which of them are long, and the first two numbers of those."""
    keys = numbers.take(starts)
    keys &= MASKS.take(lengths, mode="clip")
    long = np.flatnonzero(lengths > WIDTH)
    first = keys.take(long)
    second = numbers.take(starts.take(long) + WIDTH)
    second &= MASKS.take(lengths.take(long) - WIDTH, mode="clip")
    keys[long] = (first * FIRST_MULTIPLIER) ^ (second * SECOND_MULTIPLIER) | IS_LONG
    return keys, long, first, second


def _has_tabs(raw: bytes, sentences: int) -> bool:
    """Whether there are tabs or line ends besides the line feeds of `_joined`."""
    return sum(map(raw.count, (b"\t", b"\n", b"\r"))) != sentences


def _has_other_spaces(raw: bytes, sentences: int) -> bool:
    """Whether there may be white space besides the space and the line feeds of `_joined`."""
    text = np.frombuffer(raw, np.uint8)[: -len(PADDING)]
    if np.count_nonzero(text < ord(" ")) != sentences:
        return True
    leads = np.flatnonzero(text >= 0xC2)  # the first bytes of characters outside ASCII
    if not len(leads):
        return False
    first, second, third = (np.frombuffer(raw, np.uint8).take(leads + i) for i in range(3))
    codes = (first.astype(np.int32) << 16) | (second.astype(np.int32) << 8)
    codes |= np.where(first < 0xE0, 0, third)
    return bool(np.isin(codes, _other_spaces()).any())


@cache
def _other_spaces() -> np.ndarray:
    """The UTF-8 of white space outside ASCII, which has two or three bytes, as numbers."""
    spaces = [chr(i).encode() for i in range(0x80, 0xD800) if chr(i).isspace()]
    return np.array([int.from_bytes(space.ljust(3, b"\0"), "big") for space in spaces], np.int32)
