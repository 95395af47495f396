"""A bidirectional tagger that gives a bare text its case and its punctuation back.

The label of a word is its case form and the mark after it (zoo.text.case_and_marks), so any
written text is training data: what is taken out of it is what has to be found again.

    ŷ_t = g(U [→h_t; ←h_t] + c)                                                             [19]

A mark depends on words to come, so no one-way model can do it. Text that does not end is read in
windows that overlap: a label is given once enough words behind its word have been read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import keras
import numpy as np

from zoo.errors import ZooError
from zoo.io import read_text_lines
from zoo.models.base import Kind, model_family
from zoo.models.bidirectional_labels import BidirectionalTagger
from zoo.models.language_model import checked_texts
from zoo.text import BOS, EOS, Tokenizer, WordTokenizer
from zoo.text.case_and_marks import CASES, LABELS, MARKS, bare_words, restored

FORMS_FILE = "word_forms.txt"
WINDOW = 256  # words that are read at once
OVERLAP = 32  # words on either side of a window whose labels another window gives


@model_family
@keras.saving.register_keras_serializable(package="zoo")
class BidirectionalRestorer(BidirectionalTagger):
    """Restores case and punctuation: "where is tom" becomes "Where is Tom?".

    Args:
        tokenizer: a WordTokenizer that reads lower case, split at words.
        labels: case forms with the mark behind them; None for all of zoo.text.case_and_marks.
        word_forms: how names and such are mostly written, by their folded form.
        cell, units, num_layers, embedding_dim, mixing, dropout, input_dropout, embedding_dropout,
            word_scale, cell_options: as of BidirectionalTagger.

    Example:
        >>> import zoo
        >>> words = zoo.text.WordTokenizer.train(["where is tom"])
        >>> model = zoo.models.BidirectionalRestorer(words, units=4, embedding_dim=4)
        >>> model.restore(["where is tom"])[0].lower().split()[0][:5]
        'where'
    """

    reads: ClassVar[Kind] = "sentences"
    tokenizer: WordTokenizer

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        labels: Sequence[str] | None = None,
        word_forms: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        is_bare = isinstance(tokenizer, WordTokenizer) and tokenizer.split == "words"
        if not (is_bare and tokenizer.lowercase):
            raise ZooError(
                "a restorer reads bare words: give a WordTokenizer with lowercase=True and "
                f"split='words', not {tokenizer.get_config()}"
            )
        super().__init__(tokenizer, labels=LABELS if labels is None else labels, **settings)
        for label in self.labels:
            case, _, mark = label.partition(" ")
            if case not in CASES or mark not in ("", *MARKS):
                raise ZooError(f"label {label!r}: give {', '.join(CASES)}, alone or with a mark")
        self._word_forms = dict(word_forms or {})

    @property
    def word_forms(self) -> Mapping[str, str]:
        """How words are mostly written inside sentences, where that is not in lower case."""
        return self._word_forms

    def words(self, text: str) -> list[str]:
        """The words of a text without case and marks, which is all that the model reads."""
        return bare_words(self.tokenizer.tokenize(text))

    def restore(self, texts: Sequence[str]) -> list[str]:
        """Each text with the likeliest case and punctuation, whatever it has of them."""
        rows = [self.words(text) for text in checked_texts(texts)]
        return [
            restored(words, labels, self.word_forms)
            for words, labels in zip(rows, self.labels_of(rows), strict=True)
        ]

    def restore_stream(self, pieces: Iterable[str]) -> Iterator[str]:
        """Text that comes in pieces, cut between words; restored text in pieces, as it is certain.

        Each piece of the answer ends at a word; joined by spaces they are the whole text.
        """
        waiting: list[str] = []
        given = 0  # of the waiting words, those before the next window's own
        for piece in pieces:
            waiting += self.words(piece)
            while len(waiting) >= WINDOW:
                own = slice(given, WINDOW - OVERLAP)
                yield self._window(waiting[:WINDOW], own, given == 0, False)
                waiting, given = waiting[WINDOW - 2 * OVERLAP :], OVERLAP
        if len(waiting) > given:
            yield self._window(waiting, slice(given, None), given == 0, True)

    def _window(self, words: list[str], own: slice, is_first: bool, is_last: bool) -> str:
        labels = self.window_labels(words, is_first, is_last)
        return restored(words[own], labels[own], self.word_forms)

    def labels_of(self, rows: Sequence[Sequence[str]]) -> list[list[str]]:
        """The labels of rows of bare words; long rows in windows."""
        short = [i for i, words in enumerate(rows) if len(words) <= WINDOW]
        found: list[list[str]] = [[] for _ in rows]
        best = self.best_labels([self.tokenizer.ids_of(rows[i]) for i in short])
        for i, (numbers, _) in zip(short, best, strict=True):
            found[i] = [self.labels[n] for n in numbers]
        for i in set(range(len(rows))) - set(short):
            found[i] = self._long_labels(rows[i])
        return found

    def _long_labels(self, words: Sequence[str]) -> list[str]:
        found: list[str] = []
        step = WINDOW - 2 * OVERLAP
        for start in range(0, len(words), step):
            end = start + WINDOW
            is_last = end >= len(words)
            labels = self.window_labels(words[start:end], start == 0, is_last)
            found += labels[len(found) - start : None if is_last else WINDOW - OVERLAP]
            if is_last:
                break
        return found

    def window_labels(self, words: Sequence[str], is_first: bool, is_last: bool) -> list[str]:
        """Labels of a part of a text; only a text's own ends are marked as such."""
        ids = self.tokenizer.ids_of(words)
        row = [*([BOS] if is_first else []), *ids, *([EOS] if is_last else [])]
        log_probs = self.tag_log_probs(np.array([row], np.int32), np.array([len(row)], np.int32))
        numbers = log_probs[0].argmax(axis=-1)[int(is_first) :][: len(ids)]
        return [self.labels[n] for n in numbers]

    def write_assets(self, directory: Path, dtype: str) -> None:
        super().write_assets(directory, dtype)
        forms = "".join(f"{form}\n" for form in self.word_forms.values())
        (directory / FORMS_FILE).write_text(forms, encoding="utf-8")

    @classmethod
    def from_assets(cls, directory: Path, config: dict[str, Any]) -> Self:
        model = super().from_assets(directory, config)
        model._word_forms = {
            model.tokenizer.prepare(form): form for form in read_text_lines(directory / FORMS_FILE)
        }
        return model
