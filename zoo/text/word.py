"""Words and punctuation to ids and back, the same in Python and in a TensorFlow graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Self

from zoo.errors import ZooError
from zoo.text import segmentation
from zoo.text.detokenization import RULES, Rules
from zoo.text.tokenizer import Settings, Tokenizer
from zoo.text.vocabulary import most_frequent

SPLITTERS = {
    "words": segmentation.split_words,
    "whitespace": segmentation.split_whitespace,
    "spaces": segmentation.split_spaces,
}
SPLITS = tuple(SPLITTERS)


class WordTokenizer(Tokenizer):
    """A vocabulary of words and the rules that cut text into them.

    Args:
        vocabulary: the words by id; `<pad> <unk> <bos> <eos>` first.
        lowercase: whether text is read in lower case.
        split: "words" (see zoo.text.segmentation); "whitespace" for tokenised corpora; "spaces"
            for those of KenLM, where only space, tab and line ends separate.
        normalization: "NFC", "NFKC" or "none" (see zoo.text.normalization).

    Raises:
        ZooError: the vocabulary lacks the control tokens, has a word twice, or `split` is unknown.

    Example:
        >>> tokenizer = WordTokenizer.train(["The cat isn't small."])
        >>> tokenizer.tokenize("The cat isn't big!")
        ['the', 'cat', "isn't", 'big', '!']
        >>> tokenizer.decode(tokenizer.encode("Isn't the cat small."))
        "isn't the cat small."
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        lowercase: bool = True,
        split: str = "words",
        normalization: str = "NFC",
    ) -> None:
        if split not in SPLITS:
            raise ZooError(f"split={split!r}: use {', '.join(map(repr, SPLITS))}")
        super().__init__(vocabulary, lowercase, normalization)
        self.split = split

    @classmethod
    def train(
        cls,
        sentences: Iterable[str],
        size: int | None = None,
        min_count: int = 1,
        lowercase: bool = True,
        split: str = "words",
        normalization: str = "NFC",
    ) -> Self:
        """A tokenizer with the commonest words of a corpus.

        Args:
            sentences: the corpus.
            size: vocabulary entries, the four control tokens included; None for all words.
            min_count: rarer words are left out.
            lowercase, split, normalization: as in the constructor.
        """
        cutter = cls(most_frequent(Counter(), None, 1), lowercase, split, normalization)
        counts: Counter[str] = Counter()
        for sentence in sentences:
            counts.update(cutter.tokenize(sentence))
        return cls(most_frequent(counts, size, min_count), lowercase, split, normalization)

    def tokenize(self, text: str) -> list[str]:
        """The tokens of a text, known or not."""
        return SPLITTERS[self.split](self.prepare(text))

    @property
    def rules(self) -> Rules:
        """None for tokenised corpora, which stay as they are."""
        return RULES if self.split == "words" else ()

    def get_config(self) -> Settings:
        """The settings besides the vocabulary."""
        return {
            "lowercase": self.lowercase,
            "split": self.split,
            "normalization": self.normalization,
        }
