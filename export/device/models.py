"""What each kind of `.tflite` file does: next words, words for a blank, translations."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from export.device.file import DeviceError, LiteFile
from export.device.text import BOS, EOS, UNK, Carrier, compiled, replaced

BLANK = re.compile("_{3,}")
MARK = "<unk>"
SENTENCE_END = "\x04"
CONTINUED = re.compile("^##(.)")  # an unknown piece inside a word; kept: the rest
Words = list[tuple[str, float]]


class WordModel:
    """A file with one tokenizer that offers words.

    Args:
        file: an opened file.
    """

    def __init__(self, file: LiteFile) -> None:
        self.file = file
        self.tokenizer = file.tokenizers[""]

    def offered(self, answer: dict[str, np.ndarray]) -> Words:
        """The words of an answer with their probabilities."""
        found = zip(answer["ids"][0], answer["log_probs"][0], strict=True)
        return [(self.tokenizer.vocabulary[i], math.exp(value)) for i, value in found]


class NextWords(WordModel):
    """A language model's file, of kind "language_model"."""

    def next_words(self, text: str, k: int = 3) -> Words:
        """The likeliest words after a text, at most ten, with their probabilities."""
        ids = [BOS, *self.tokenizer.encode(text)]
        return self.offered(self.answer(ids))[:k]

    def answer(self, ids: Sequence[int]) -> dict[str, np.ndarray]:
        """What follows a context of any length: its start at once, the rest word by word."""
        first, rest = ids[: self.file.length], ids[self.file.length :]
        answer = self.file.run("prefill", **self.file.row(first))
        for token in rest:
            answer = self.step(token, answer)
        return answer

    def step(self, token: int, answer: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One word more after an earlier answer: what a keyboard calls for each word."""
        state = {name: value for name, value in answer.items() if name.startswith("state_")}
        return self.file.run("step", token_id=np.array([token], np.int32), **state)

    def score(self, text: str) -> dict[str, Any]:
        """Log-probability of a sentence, with `<eos>`."""
        ids = self.tokenizer.encode(text)
        answer = self.file.run("score", **self.file.row([BOS, *ids, EOS]))
        return {
            "log_prob": float(answer["log_prob"][0]),
            "tokens": len(ids) + 1,
            "oov": ids.count(UNK),
        }


class FillBlank(WordModel):
    """A bidirectional model's file, of kind "bidirectional"."""

    def next_words(self, text: str, k: int = 3) -> Words:
        """The likeliest words for the one `___` of a text, with their probabilities."""
        parts = BLANK.split(text)
        if len(parts) != 2:
            raise DeviceError(f"{text!r:.80} has {len(parts) - 1} blanks; write exactly one as ___")
        left, right = (self.tokenizer.encode(part) for part in parts)
        row = [BOS, *left, BOS, *right, EOS]  # the id at the blank is not looked at
        answer = self.file.run(
            "fill", **self.file.row(row), position=np.array([len(left) + 1], np.int32)
        )
        return self.offered(answer)[:k]


class Translate:
    """A translation model's file.

    Args:
        file: an opened file of kind "translation".
    """

    def __init__(self, file: LiteFile) -> None:
        self.file = file
        self.source, self.target = file.tokenizers["source"], file.tokenizers["target"]
        carry, cut = file.about.get("carry"), file.about.get("sentences")
        self.carrier = None if carry is None else Carrier(carry)
        self.cut = None if cut is None else compiled(cut)

    def translate(self, text: str, signature: str = "translate_beam") -> tuple[str, float]:
        """The best translation and its score; of several sentences, joined and added.

        Args:
            text: the source; more tokens (of a sentence) than the file has places for are left out.
            signature: "translate_beam", or "translate" for the greedy one, which is faster.
        """
        sentences = [text] if self.cut is None else replaced(text, self.cut).split(SENTENCE_END)
        found = [self.translate_sentence(sentence, signature) for sentence in sentences]
        return " ".join(best for best, _ in found), sum(score for _, score in found)

    def translate_sentence(self, text: str, signature: str) -> tuple[str, float]:
        """The best translation of a sentence, with what is carried over, and its score."""
        if self.carrier is None:
            return self.translate_plain(text, signature)
        prepared, values, curly = self.carrier.prepared(text)
        translation, score = self.translate_plain(prepared, signature)
        return self.carrier.restored(translation, values, curly), score

    def translate_plain(self, text: str, signature: str) -> tuple[str, float]:
        """The best translation of a text as the model reads it, and its score."""
        tokens = self.source.tokenize(text)[: self.file.length - 1]
        if not tokens:
            return "", 0.0
        ids = [self.source.ids.get(token, UNK) for token in tokens]
        feeds = self.file.row([*ids, EOS])
        answer = self.file.run(signature, **feeds)
        found = [int(i) for i in answer["ids"][0] if i]
        places = self.places(feeds, answer["ids"], ids, found)
        translation = self.target.decode(found)
        return with_source_words(translation, tokens, ids, places), float(answer["score"][0])

    def places(
        self, feeds: dict[str, np.ndarray], target: np.ndarray, ids: list[int], found: list[int]
    ) -> list[int | None]:
        """The source place that each `<unk>` of a translation stands for; None for none."""
        unknown = [place for place, i in enumerate(ids) if i == UNK]
        count = found.count(UNK)
        if "align" not in self.file.about["signatures"]:
            if self.file.about["reverse_source"]:
                unknown.reverse()
            return [unknown[k] if k < len(unknown) else None for k in range(count)]
        if not count:
            return []
        attention = self.file.run("align", **feeds, target_ids=target)["attention"][0]
        attention = attention[: len(found), : len(ids)]
        if self.file.about["reverse_source"]:
            attention = attention[:, ::-1]
        allowed = np.isin(np.arange(len(ids)), unknown or range(len(ids)))
        best = np.where(allowed, attention, -1.0).argmax(axis=1)
        return [int(best[t]) for t, i in enumerate(found) if i == UNK]


def with_source_words(
    translation: str, tokens: Sequence[str], ids: Sequence[int], places: Sequence[int | None]
) -> str:
    """Source words in place of each `<unk>`; those that no `<unk>` stands for, in brackets."""
    words = [CONTINUED.sub(r"\1", token) for token in tokens]
    text = translation
    if places:
        pieces = translation.split(MARK)
        copies = [MARK if place is None else words[place] for place in places]
        text = "".join(a + b for a, b in zip(pieces, [*copies, ""], strict=True))
    lost = [
        f"[{words[place]}]"
        for place, i in enumerate(ids)
        if i == UNK and place not in places and any(c.isalnum() for c in words[place])
    ]
    return " ".join([*([text] if text else []), *lost])
