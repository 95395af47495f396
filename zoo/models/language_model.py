"""What every left-to-right language model can do, written once for counts and networks alike.

P(w_1, ..., w_T) = Π_t P(w_t | w_1, ..., w_{t-1})                                            [1]

A model family gives the conditional distribution as a step from state to state; scoring, ranking,
next words and generation follow from it here. A sentence w_1 ... w_n is scored as the words
w_1 ... w_n <eos> after <bos>; the <eos> is counted.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Literal, overload

import numpy as np

from zoo.errors import ZooError
from zoo.models.checks import batches, checked_count, checked_texts
from zoo.models.results import (
    SCORE_COLUMNS,
    WORD_COLUMNS,
    WORD_SCORE_COLUMNS,
    Results,
    Score,
    WordScore,
    word_scores,
)
from zoo.models.text_generation import TextGeneration
from zoo.models.whole_words import Pieces, next_whole_words
from zoo.selection import best_places
from zoo.text import BOS, EOS, PAD, UNK
from zoo.text.padding import pad
from zoo.types import ModelState, Tensor

SPECIALS = (PAD, UNK, BOS, EOS)


class LanguageModel(TextGeneration):
    """Base of the language models; a family gives the first three methods below."""

    @abstractmethod
    def initial_state(self, batch_size: int) -> ModelState:
        """The state before any token, one named tensor an entry, batch first."""

    @abstractmethod
    def step(self, token_ids: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """One token in, the next token's distribution out; the first token is `<bos>`.

        Args:
            token_ids: [batch] int32.
            state: as `initial_state` or the previous step gave it.

        Returns:
            Natural-log probabilities [batch, vocabulary] float32 and the new state.
        """

    @abstractmethod
    def token_log_probs(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """log P(targets_t | inputs_1 ... inputs_t) for right-padded ids [batch, time].

        What stands at padded positions is finite and without meaning.
        """

    def consume(self, ids: Tensor, lengths: Tensor) -> ModelState:
        """The state after the first `lengths` tokens of each right-padded row of `ids`.

        Args:
            ids: [batch, time] int32, starting with `<bos>`.
            lengths: [batch] int32, at least 0.
        """
        ids, lengths = np.asarray(ids), np.asarray(lengths)
        state = self.initial_state(len(ids))
        for t in range(ids.shape[1]):
            _, new = self.step(ids[:, t], state)
            seen = t < lengths
            state = {
                name: np.where(seen.reshape([-1] + [1] * (np.ndim(value) - 1)), new[name], value)
                for name, value in state.items()
            }
        return state

    def next_log_probs(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """The next token's log-probabilities [batch, vocabulary] after `lengths` tokens a row."""
        ids, lengths = np.asarray(ids), np.asarray(lengths)
        last = ids[np.arange(len(ids)), lengths - 1]
        return self.step(last, self.consume(ids, lengths - 1))[0]

    def predicted(self, x: Sequence[str] | np.ndarray) -> np.ndarray:
        ids = self.padded_texts(x)
        state, steps = self.initial_state(len(ids)), []
        for column in ids.T:
            log_probs, state = self.step(column, state)
            steps.append(np.asarray(log_probs))
        return np.stack(steps, axis=1)

    def padded_texts(self, x: Sequence[str] | np.ndarray) -> np.ndarray:
        """Texts as right-padded ids [texts, time], `<bos>` first; such ids as they are."""
        if isinstance(x, np.ndarray) and x.dtype.kind in "iu" and x.ndim == 2:
            return x.astype(np.int32)
        return pad([[BOS, *self.tokenizer.encode(text)] for text in checked_texts(x)])[0]

    def evaluated(self, texts: Sequence[str]) -> dict[str, float]:
        scores = self.score(checked_texts(texts))
        total = Score(*(sum(column) for column in zip(*scores, strict=True)))
        return {"loss": -total.log_prob / total.tokens, "perplexity": total.perplexity}

    def next_words(
        self, texts: Sequence[str], k: int = 10, prefix: str | Sequence[str] = ""
    ) -> list[list[tuple[str, float]]]:
        """The k likeliest next words of each text, with their probabilities.

        The probabilities are those of the whole distribution; control tokens and `<unk>` are not
        offered, so the list sums to at most 1. A model of pieces of words offers whole words.

        Args:
            texts: the texts so far.
            k: how many words.
            prefix: what is typed of the next word, for all texts or for each: only words that
                begin so are offered. Where a vocabulary has none, those whose beginning is one
                typing error away are.

        Example:
            >>> import zoo
            >>> kn = zoo.models.NGramLanguageModel.train(["a b c", "a b d", "a b c"], order=2)
            >>> kn.next_words(["a b"], k=1)[0][0][0]
            'c'
            >>> [word for word, _ in kn.next_words(["a b"], prefix="d")[0]]
            ['d']
        """
        texts = checked_texts(texts)
        prefixes = self._prefixes(prefix, len(texts))
        k = checked_count("k", k, self.tokenizer.vocabulary_size - len(SPECIALS))
        if self.tokenizer.has_pieces:
            pairs = zip(texts, prefixes, strict=True)
            return Results((self._whole_words(*pair, k) for pair in pairs), texts, WORD_COLUMNS)
        answers: list[list[tuple[str, float]]] = []
        for chunk in batches(list(zip(texts, prefixes, strict=True))):
            ids, lengths = pad([[BOS, *self.tokenizer.encode(text)] for text, _ in chunk])
            log_probs = np.asarray(self.next_log_probs(ids, lengths))
            for row, (_, typed) in zip(log_probs, chunk, strict=True):
                among = self.tokenizer.beginnings.completions(typed) if typed else None
                answers.append(likeliest(row, k, self.tokenizer.vocabulary, among))
        return Results(answers, texts, WORD_COLUMNS)

    def _prefixes(self, prefix: str | Sequence[str], count: int) -> list[str]:
        """What is typed after each text, in the letters that the model reads."""
        given = [prefix] * count if isinstance(prefix, str) else checked_texts(prefix)
        if len(given) != count:
            raise ZooError(f"{len(given)} prefixes for {count} texts: give one for each, or one")
        return [self.tokenizer.prepare(typed).strip() for typed in given]

    def _whole_words(self, text: str, prefix: str, k: int) -> list[tuple[str, float]]:
        ids = np.array([[BOS, *self.tokenizer.encode(text)]], np.int32)
        state = self.consume(ids, np.array([ids.shape[1] - 1], np.int32))
        log_probs, state = self.step(ids[:, -1], state)
        row = np.asarray(log_probs, np.float64)[0]
        pieces = Pieces(self.tokenizer.vocabulary)
        return next_whole_words(self.step, row, state, pieces, k, prefix)

    @overload
    def score(self, texts: Sequence[str], tokens: Literal[False] = False) -> list[Score]: ...

    @overload
    def score(self, texts: Sequence[str], tokens: Literal[True]) -> list[list[WordScore]]: ...

    def score(
        self, texts: Sequence[str], tokens: bool = False
    ) -> list[Score] | list[list[WordScore]]:
        """Log-probability of each text as a sentence, `<eos>` included.

        Args:
            texts: the sentences.
            tokens: give the log-probability of each token instead, `<eos>` last: a list a text.

        Example:
            >>> import zoo
            >>> kn = zoo.models.NGramLanguageModel.train(["a b c", "a b d"], order=2)
            >>> kn.score(["a b"])[0].tokens
            3
            >>> [(w.word, w.oov) for w in kn.score(["a z"], tokens=True)[0]]
            [('a', False), ('z', True), ('<eos>', False)]
        """
        texts = checked_texts(texts)
        encoded = [self.tokenizer.encode(text) for text in texts]
        if tokens:
            words = word_scores(self.tokenizer, texts, encoded, self._scored(encoded))
            return Results(words, texts, WORD_SCORE_COLUMNS)
        log_probs = self.score_ids(encoded)
        scores = (
            Score(float(log_prob), len(ids) + 1, self.tokenizer.count_unknown(ids))
            for ids, log_prob in zip(encoded, log_probs, strict=True)
        )
        return Results(scores, texts, SCORE_COLUMNS)

    def score_ids(self, sentences: Sequence[Sequence[int]]) -> np.ndarray:
        """Log-probabilities of sentences given as ids without `<bos>` and `<eos>`; [sentences]."""
        totals = np.zeros(len(sentences))
        for rows, log_probs, counted in self._scored(sentences):
            totals[list(rows)] = np.where(counted, log_probs, 0.0).sum(axis=1)
        return totals

    def _scored(
        self, sentences: Sequence[Sequence[int]]
    ) -> Iterator[tuple[Sequence[int], np.ndarray, np.ndarray]]:
        """Places of sentences of like length, their tokens' log-probabilities, and which count."""
        by_length = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
        for rows in batches(by_length):
            inputs, lengths = pad([[BOS, *sentences[i]] for i in rows])
            targets, _ = pad([[*sentences[i], EOS] for i in rows])
            log_probs = np.asarray(self.token_log_probs(inputs, targets), dtype=np.float64)
            yield rows, log_probs, np.arange(inputs.shape[1]) < lengths[:, None]

    def rank(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """Alternatives with their log-probabilities, best first.

        Example:
            >>> import zoo
            >>> kn = zoo.models.NGramLanguageModel.train(["the cat is small"] * 2, order=3)
            >>> kn.rank(["small the is cat", "the cat is small"])[0][0]
            'the cat is small'
        """
        scores = self.score(texts)
        pairs = [(text, score.log_prob) for text, score in zip(texts, scores, strict=True)]
        pairs.sort(key=lambda pair: -pair[1])
        return Results(pairs, range(1, len(pairs) + 1), ("text", "log-probability"))


def likeliest(
    log_probs: np.ndarray, k: int, vocabulary: Sequence[str], among: Sequence[int] | None = None
) -> list[tuple[str, float]]:
    """The k likeliest words of a distribution [vocabulary], or `among` some of its ids.

    Control tokens are not offered.
    """
    offered = log_probs.astype(np.float64)
    offered[list(SPECIALS)] = -np.inf
    if among is not None:
        places = np.asarray(among, np.int64)
        best = places[best_places(offered[places], min(k, len(places)))]
    else:
        best = best_places(offered, k)
    return [(vocabulary[i], float(np.exp(offered[i]))) for i in best]
