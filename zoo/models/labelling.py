"""What every model that gives labels can do: a label for each word, or one for a whole text."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

import numpy as np

from zoo.errors import ZooError
from zoo.models.base import Kind, PresetModel
from zoo.models.checks import batches, checked_count, checked_texts
from zoo.selection import best_places
from zoo.text import BOS, EOS, UNK, Tokenizer
from zoo.text.padding import pad


class TaggedWord(NamedTuple):
    """A word, its likeliest label, and that label's probability."""

    word: str
    label: str
    probability: float


def checked_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """The labels of a model: two or more, each a text and none twice."""
    if isinstance(labels, str | bytes) or not isinstance(labels, Iterable):
        raise ZooError(f"labels={labels!r:.60}: give a list of label names")
    names = tuple(labels)
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise ZooError(f"label {name!r:.60}: give a name of at least one character")
    if len(names) < 2 or len(set(names)) < len(names):
        raise ZooError(f"labels={list(names)!r:.120}: give two or more, each once")
    return names


def numbers_of(names: Iterable[str], labels: Sequence[str]) -> list[int]:
    """The numbers of labels by their names, or an error with the first that there is none of."""
    known = {label: i for i, label in enumerate(labels)}
    for name in (names := list(names)):
        if name not in known:
            raise ZooError(f"label {name!r:.60}: the model has {', '.join(labels)}")
    return [known[name] for name in names]


class Tagger(PresetModel):
    """Base of the models that label each word; a family gives `tag_log_probs`."""

    reads: ClassVar[Kind] = "tagged"
    tokenizer: Tokenizer

    @property
    @abstractmethod
    def labels(self) -> Sequence[str]:
        """The labels by number."""

    @abstractmethod
    def tag_log_probs(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Log-probabilities [batch, time, labels] of each id's label.

        Args:
            ids: [batch, time] int32, `<bos>` first, `<eos>` last, right-padded; what is said of
                the ends and of padding has no meaning.
            lengths: [batch] int32, with both ends.
        """

    def tag(self, texts: Sequence[str]) -> list[list[TaggedWord]]:
        """Each word of each text, as the model reads it, with its label.

        Example:
            >>> import zoo
            >>> words = zoo.text.WordTokenizer.train(["Jane left"], lowercase=False)
            >>> model = zoo.models.BidirectionalTagger(words, labels=["O", "B-PER"], units=4)
            >>> [word for word, label, probability in model.tag(["Jane left"])[0]]
            ['Jane', 'left']
        """
        rows = [self.tokenizer.tokenize(text) for text in checked_texts(texts)]
        best = self.best_labels([self.tokenizer.ids_of(words) for words in rows])
        return [
            [TaggedWord(w, self.labels[i], float(p)) for w, i, p in zip(words, *found, strict=True)]
            for words, found in zip(rows, best, strict=True)
        ]

    def tag_words(self, rows: Sequence[Sequence[str]]) -> list[list[str]]:
        """The labels of words that are cut already, as in a CoNLL file.

        A word that the tokenizer cuts into several has the label of its first piece.
        """
        pieces = [[self.pieces(word) for word in words] for words in rows]
        best = self.best_labels([[i for word in words for i in word] for words in pieces])
        answers = []
        for words, (numbers, _) in zip(pieces, best, strict=True):
            starts = np.cumsum([0, *map(len, words)])[:-1]
            answers.append([self.labels[numbers[start]] for start in starts])
        return answers

    def labelled(self, text: str, names: Sequence[str]) -> tuple[list[int], list[int]]:
        """A text's ids, and the place of each label's id among them.

        Args:
            text: the text.
            names: a label for each word of `tokenizer.tokenize`, or for each that spaces separate.
        """
        ids = self.tokenizer.encode(text)
        if len(names) == len(ids):
            return ids, list(range(len(ids)))
        words = [self.pieces(word) for word in text.split()]
        if len(names) != len(words):
            raise ZooError(f"{text!r:.60} has {len(words)} words, and {len(names)} labels")
        starts = [0, *np.cumsum([len(word) for word in words]).tolist()]
        return [i for word in words for i in word], starts[:-1]

    def pieces(self, word: str) -> list[int]:
        """The ids of a word that is cut already: at least one."""
        return self.tokenizer.encode(word) or [UNK]

    def best_labels(self, rows: Sequence[Sequence[int]]) -> list[tuple[np.ndarray, np.ndarray]]:
        """The number of the likeliest label of each id of each row, and its probability.

        Args:
            rows: ids without `<bos>` and `<eos>`.
        """
        found = [(np.zeros(0, np.int64), np.zeros(0, np.float32))] * len(rows)
        by_length = sorted(
            (i for i, row in enumerate(rows) if len(row)), key=lambda i: len(rows[i])
        )
        for chunk in batches(by_length):
            ids, lengths = pad([[BOS, *rows[i], EOS] for i in chunk])
            log_probs = self.tag_log_probs(ids, lengths)
            best, value = log_probs.argmax(axis=-1), np.exp(log_probs.max(axis=-1))
            for place, i in enumerate(chunk):
                words = slice(1, len(rows[i]) + 1)
                found[i] = (best[place, words], value[place, words])
        return found


class TextClassifier(PresetModel):
    """Base of the models that label a whole text; a family gives `class_log_probs`."""

    reads: ClassVar[Kind] = "labelled"
    tokenizer: Tokenizer

    @property
    @abstractmethod
    def labels(self) -> Sequence[str]:
        """The labels by number."""

    @abstractmethod
    def class_log_probs(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Log-probabilities [batch, labels] of each row's label.

        Args:
            ids: [batch, time] int32, `<bos>` first, `<eos>` last, right-padded.
            lengths: [batch] int32, with both ends.
        """

    def classify(self, texts: Sequence[str], k: int | None = None) -> list[list[tuple[str, float]]]:
        """The k likeliest labels of each text (None: all), best first, with their probabilities.

        Example:
            >>> import zoo
            >>> words = zoo.text.WordTokenizer.train(["das ist gut", "that is good"])
            >>> model = zoo.models.BidirectionalClassifier(words, labels=["de", "en"], units=4)
            >>> sorted(label for label, probability in model.classify(["das"])[0])
            ['de', 'en']
        """
        rows = [self.tokenizer.encode(text) for text in checked_texts(texts)]
        k = len(self.labels) if k is None else checked_count("k", k, len(self.labels))
        return [
            [(self.labels[i], float(np.exp(row[i]))) for i in best_places(row, k)]
            for row in self.label_log_probs(rows)
        ]

    def label_log_probs(self, rows: Sequence[Sequence[int]]) -> np.ndarray:
        """Log-probabilities [rows, labels] of rows of ids without `<bos>` and `<eos>`."""
        found = np.zeros((len(rows), len(self.labels)), np.float32)
        for chunk in batches(sorted(range(len(rows)), key=lambda i: len(rows[i]))):
            ids, lengths = pad([[BOS, *rows[i], EOS] for i in chunk])
            found[list(chunk)] = self.class_log_probs(ids, lengths)
        return found
