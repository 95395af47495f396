"""What models answer: scores, words, and lists of either that a notebook shows as a table."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from zoo.text.tokenizer import Tokenizer
from zoo.text.vocabulary import CONTROL_TOKENS, EOS, UNK

Item = TypeVar("Item")


class Score(NamedTuple):
    """A sentence's score: natural-log probability, counted tokens (with `<eos>`), unknown words."""

    log_prob: float
    tokens: int
    oov: int

    @property
    def perplexity(self) -> float:
        """2^J with J in bits [9], which is exp of the mean negative log-probability in nats."""
        from zoo.metrics import perplexity  # imports Keras, which counts do without

        return perplexity(-self.log_prob, self.tokens)


class WordScore(NamedTuple):
    """A token of a sentence: as the text has it, its natural-log probability, whether unknown."""

    word: str
    log_prob: float
    oov: bool


def word_scores(
    tokenizer: Tokenizer,
    texts: Sequence[str],
    encoded: Sequence[Sequence[int]],
    scored: Iterable[tuple[Sequence[int], np.ndarray, np.ndarray]],
) -> list[list[WordScore]]:
    """Each token of each text with its log-probability, `<eos>` last.

    Args:
        tokenizer: cut the texts.
        texts, encoded: the texts, and their ids.
        scored: places of texts, and their tokens' log-probabilities [texts, time] first.
    """
    answers: list[list[WordScore]] = [[] for _ in texts]
    for rows, log_probs, _ in scored:
        for i, values in zip(rows, log_probs.tolist(), strict=True):
            words = [*tokenizer.tokenize(texts[i]), CONTROL_TOKENS[EOS]]
            unknown = [*(token == UNK for token in encoded[i]), False]
            answers[i] = list(map(WordScore, words, values, unknown))
    return answers


class Results(list[Item]):
    """A list of answers, one a text, which a notebook shows as a table.

    Args:
        answers: the answers.
        texts: what was asked.
        columns: names of an answer's figures, or of those of each of its rows.

    Example:
        >>> answers = Results([[("cat", 0.5)]], ["the"], ("word", "probability"))
        >>> answers == [[("cat", 0.5)]], "<td>cat</td>" in answers._repr_html_()
        (True, True)
    """

    __slots__ = ("columns", "texts")

    def __init__(
        self, answers: Iterable[Item], texts: Sequence[Any], columns: Sequence[str]
    ) -> None:
        super().__init__(answers)
        self.texts, self.columns = texts, columns

    def _repr_html_(self) -> str:
        rows = []
        for text, answer in zip(self.texts, self, strict=False):
            lines: list[Any] = answer if isinstance(answer, list) else [answer]
            for place, row in enumerate(lines):
                rows.append([readable(text) if place == 0 else "", *self._cells(row)])
        return html_table(["text", *self.columns], rows)

    def _cells(self, row: Any) -> list[Any]:
        if isinstance(row, Score):
            return [*row, row.perplexity]
        return list(row) if isinstance(row, tuple) else [row]


SCORE_COLUMNS = ("log-probability", "tokens", "unknown", "perplexity")
WORD_SCORE_COLUMNS = ("word", "log-probability", "unknown")
WORD_COLUMNS = ("word", "probability")


def readable(value: Any) -> str:
    """A figure to four digits, a pair with an arrow, anything else as it is."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return " → ".join(value) if isinstance(value, tuple) else str(value)


def html_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """An HTML table; nothing in it is read as HTML."""
    titles = "".join(f"<th>{html.escape(title)}</th>" for title in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(readable(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
