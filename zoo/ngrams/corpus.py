"""Sentences to one flat stream of ids: vocabulary and ids in one pass over the text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import count, islice

import numpy as np

from zoo.errors import ZooError
from zoo.ngrams.index.whitespace import END, WhitespaceIds
from zoo.text import EOS, UNK, Tokenizer, WordTokenizer
from zoo.text.vocabulary import CONTROL_TOKENS
from zoo.text.word import SPLITS

CHUNK = 1_000  # sentences cut at a time: few enough for their words to stay in the cache
MANY = 100  # sentences from which on arrays pay


def encode_corpus(tokenizer: Tokenizer, sentences: Iterable[str]) -> np.ndarray:
    """The ids of all sentences in one array, `<eos>` after each sentence; int32.

    Example:
        >>> encode_corpus(WordTokenizer.train(["a b"]), ["a b", "b c"]).tolist()
        [4, 5, 3, 5, 1, 3]
    """
    return Encoder(tokenizer)(sentences)


class Encoder:
    """`encode_corpus` of one tokenizer, for many calls."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.ids = KnownIds({w: i for i, w in enumerate(tokenizer.vocabulary) if i > EOS})
        self.ids[END] = EOS

    def __call__(self, sentences: Iterable[str]) -> np.ndarray:
        parts = [self._chunk(chunk) for chunk in _chunks(sentences)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int32)

    @cached_property
    def whitespace(self) -> WhitespaceIds | None:
        """The faster way for tokenised text; None for other tokenizers."""
        tokenizer = self.tokenizer
        if not isinstance(tokenizer, WordTokenizer) or tokenizer.split == "words":
            return None
        return WhitespaceIds(tokenizer.vocabulary, tokenizer.split == "spaces")

    def _chunk(self, chunk: list[str]) -> np.ndarray:
        if len(chunk) >= MANY and self.whitespace is not None:
            is_plain = not self.tokenizer.lowercase and all(map(str.isascii, chunk))
            ids = self.whitespace(chunk if is_plain else list(map(self.tokenizer.prepare, chunk)))
            if ids is not None:
                return ids
        return numbered(self.tokenizer, chunk, self.ids.__getitem__)


class KnownIds(dict[str, int]):
    """Ids of words; any other word is `<unk>`."""

    def __missing__(self, word: str) -> int:
        return UNK


def read_corpus(
    sentences: Iterable[str],
    tokenizer: str | Tokenizer,
    lowercase: bool | None,
    vocabulary_size: int | None,
    min_count: int,
) -> tuple[Tokenizer, np.ndarray]:
    """The tokenizer of `NGramLanguageModel.train`'s arguments, and the corpus in its ids."""
    if isinstance(tokenizer, str):
        if tokenizer not in SPLITS:
            known = ", ".join(map(repr, SPLITS))
            raise ZooError(f"tokenizer={tokenizer!r}: use {known} or a tokenizer")
        folded = tokenizer == "words" if lowercase is None else lowercase
        return learn_vocabulary(sentences, folded, tokenizer, vocabulary_size, min_count)
    if lowercase is not None or vocabulary_size is not None or min_count != 1:
        raise ZooError("lowercase, vocabulary_size and min_count belong to the tokenizer given")
    return tokenizer, encode_corpus(tokenizer, sentences)


def learn_vocabulary(
    sentences: Iterable[str], lowercase: bool, split: str, size: int | None, min_count: int
) -> tuple[WordTokenizer, np.ndarray]:
    """A tokenizer of the corpus and the corpus in its ids; reads the sentences once.

    The vocabulary is that of `WordTokenizer.train`: commonest words first, equal counts in
    alphabetical order; words that are left out are `<unk>` in the ids.

    Returns:
        The tokenizer and the ids of all sentences, `<eos>` after each; int32.
    """
    cutter = WordTokenizer(CONTROL_TOKENS, lowercase, split)
    seen: defaultdict[str, int] = defaultdict(count().__next__)
    parts = [numbered(cutter, chunk, seen.__getitem__) for chunk in _chunks(sentences)]
    found = np.concatenate(parts) if parts else np.zeros(0, np.int32)
    counts = np.bincount(found, minlength=len(seen)).tolist()
    kept = [(-n, word) for word, n in zip(seen, counts, strict=True) if n >= min_count]
    words = [word for _, word in sorted(kept) if word != END and word not in CONTROL_TOKENS]
    free = None if size is None else max(size - len(CONTROL_TOKENS), 0)
    tokenizer = WordTokenizer((*CONTROL_TOKENS, *words[:free]), lowercase, split)
    ids = {word: i for i, word in enumerate(tokenizer.vocabulary) if i > EOS} | {END: EOS}
    renumbered = np.array([ids.get(word, UNK) for word in seen], dtype=np.int32)
    return tokenizer, renumbered[found] if len(found) else found


def numbered(
    tokenizer: Tokenizer, sentences: Sequence[str], lookup: Callable[[str], int]
) -> np.ndarray:
    """`lookup` of every token and of `END` after each sentence; int32."""
    words: list[str] = []
    for sentence in sentences:
        words += tokenizer.tokenize(sentence)
        words.append(END)
    return np.fromiter(map(lookup, words), np.int32, len(words))


def _chunks(sentences: Iterable[str]) -> Iterator[list[str]]:
    """Lists of at most `CHUNK` sentences; what is no iterable of str is refused."""
    if isinstance(sentences, str | bytes):
        kind = type(sentences).__name__
        raise ZooError(f"got one {kind} {sentences!r:.40}; give an iterable of sentences")
    iterator = iter(sentences)
    while chunk := list(islice(iterator, CHUNK)):
        for sentence in chunk:
            if not isinstance(sentence, str):
                raise ZooError(f"got a sentence of type {type(sentence).__name__}; give str")
        yield chunk
