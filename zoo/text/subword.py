"""Pieces of words to ids and back: byte-pair encoding, the same in Python and in a graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Self

from zoo.errors import ZooError
from zoo.text import bpe, segmentation
from zoo.text.carry_rules import SYMBOLS
from zoo.text.detokenization import CARRYING_RULES, SUBWORD_RULES, Rules
from zoo.text.tokenizer import Settings, Tokenizer
from zoo.text.vocabulary import CONTROL_TOKENS, EOS, UNK, is_storable

CACHED_WORDS = 100_000


class SubwordTokenizer(Tokenizer):
    """A vocabulary of pieces of words, from single characters to whole words.

    Text is cut into words and punctuation as by `WordTokenizer`; each word is put together from
    its characters by byte-pair encoding (Sennrich et al. 2016), exactly and in the same order in
    Python and in the graph. A piece that continues a word starts with `##`. A character that the
    vocabulary lacks is one `<unk>`; nothing is dropped. Words longer than 64 characters are cut.

    Args:
        vocabulary: the pieces by id; `<pad> <unk> <bos> <eos>` first, and each piece below the
            two that it is made of, as `train` writes them.
        lowercase: whether text is read in lower case.
        normalization: "NFC", "NFKC" or "none" (see zoo.text.normalization).

    Raises:
        ZooError: the vocabulary lacks the control tokens, has a piece twice, or a piece that
            cannot be made of pieces above it.

    Example:
        >>> tokenizer = SubwordTokenizer.train(["low lower lowest"] * 3, size=24)
        >>> tokenizer.tokenize("lowest slow")
        ['lowest', 's', '##l', '##ow']
        >>> tokenizer.decode(tokenizer.encode("lowest slow"))
        'lowest slow'
    """

    has_pieces = True

    def __init__(
        self, vocabulary: Sequence[str], lowercase: bool = True, normalization: str = "NFC"
    ) -> None:
        super().__init__(vocabulary, lowercase, normalization)
        self.ranks = bpe.merge_ranks(self.vocabulary, EOS + 1)
        self._pieces: dict[str, list[str]] = {}

    @classmethod
    def train(
        cls,
        sentences: Iterable[str],
        size: int | None = 8_000,
        min_count: int = 1,
        lowercase: bool = True,
        normalization: str = "NFC",
    ) -> Self:
        """A tokenizer with the commonest characters and pairs of pieces of a corpus.

        Args:
            sentences: the corpus.
            size: vocabulary entries, the four control tokens included; None for all merges.
            min_count: rarer characters and pairs are left out.
            lowercase, normalization: as in the constructor.
        """
        if size is not None and size <= len(CONTROL_TOKENS):
            raise ZooError(f"vocabulary size {size!r}: give at least 5, four are control tokens")
        counts: Counter[str] = Counter()
        for sentence in sentences:
            prepared = segmentation.prepare(sentence, lowercase, cls.split, normalization)
            counts.update(segmentation.split_words(prepared))
        words = {word: count for word, count in counts.items() if is_storable(word)}
        free = None if size is None else size - len(CONTROL_TOKENS)
        pieces = bpe.learn(words, free, min_count)
        return cls((*CONTROL_TOKENS, *pieces), lowercase, normalization)

    def tokenize(self, text: str) -> list[str]:
        """The pieces of a text, known or not."""
        words = segmentation.split_words(self.prepare(text))
        return [piece for word in words for piece in self.pieces(word)]

    def pieces(self, word: str) -> list[str]:
        """The pieces of one word."""
        known = self._pieces.get(word)
        if known is None:
            letters = bpe.characters(word)
            starts = range(0, len(letters), bpe.LONGEST)
            chunks = [bpe.segment(letters[i : i + bpe.LONGEST], self.ranks) for i in starts]
            known = [piece for chunk in chunks for piece in chunk]
            if len(self._pieces) < CACHED_WORDS and len(word) <= bpe.LONGEST:
                self._pieces[word] = known
        return known

    @property
    def rules(self) -> Rules:
        return CARRYING_RULES if SYMBOLS[0] in self._ids else SUBWORD_RULES

    def id_pairs(self) -> dict[tuple[int, int], int]:
        """The id of the piece that two pieces make, by their ids; lower ids merge first."""
        ids = {**self._ids, **dict.fromkeys(CONTROL_TOKENS, UNK)}
        return {(ids[left], ids[right]): i for (left, right), i in self.ranks.items()}

    def get_config(self) -> Settings:
        """The settings besides the vocabulary."""
        return {"lowercase": self.lowercase, "normalization": self.normalization}
