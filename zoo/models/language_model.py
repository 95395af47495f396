"""What every left-to-right language model can do, written once for counts and networks alike.

P(w_1, ..., w_T) = Π_t P(w_t | w_1, ..., w_{t-1})                                            [1]

A model family gives the conditional distribution as a step from state to state; scoring, ranking,
next words and generation follow from it here. A sentence w_1 ... w_n is scored as the words
w_1 ... w_n <eos> after <bos>; the <eos> is counted.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zoo.errors import ZooError
from zoo.models.base import PresetModel
from zoo.models.whole_words import Pieces, next_whole_words
from zoo.selection import best_places
from zoo.text import BOS, EOS, PAD, UNK
from zoo.text.padding import pad
from zoo.types import ModelState, Tensor

if TYPE_CHECKING:
    from zoo.text import Tokenizer

SPECIALS = (PAD, UNK, BOS, EOS)
NEVER_GENERATED = (PAD, UNK, BOS)
BATCH = 64


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


class LanguageModel(PresetModel):
    """Base of the language models; a family gives the first three methods below."""

    tokenizer: Tokenizer

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
            return [self._whole_words(*pair, k) for pair in zip(texts, prefixes, strict=True)]
        answers: list[list[tuple[str, float]]] = []
        for chunk in batches(list(zip(texts, prefixes, strict=True))):
            ids, lengths = pad([[BOS, *self.tokenizer.encode(text)] for text, _ in chunk])
            log_probs = np.asarray(self.next_log_probs(ids, lengths))
            for row, (_, typed) in zip(log_probs, chunk, strict=True):
                among = self.tokenizer.beginnings.completions(typed) if typed else None
                answers.append(likeliest(row, k, self.tokenizer.vocabulary, among))
        return answers

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

    def score(self, texts: Sequence[str]) -> list[Score]:
        """Log-probability of each text as a sentence, `<eos>` included.

        Example:
            >>> import zoo
            >>> kn = zoo.models.NGramLanguageModel.train(["a b c", "a b d"], order=2)
            >>> kn.score(["a b"])[0].tokens
            3
        """
        encoded = [self.tokenizer.encode(text) for text in checked_texts(texts)]
        log_probs = self.score_ids(encoded)
        return [
            Score(float(log_prob), len(ids) + 1, self.tokenizer.count_unknown(ids))
            for ids, log_prob in zip(encoded, log_probs, strict=True)
        ]

    def score_ids(self, sentences: Sequence[Sequence[int]]) -> np.ndarray:
        """Log-probabilities of sentences given as ids without `<bos>` and `<eos>`; [sentences]."""
        totals = np.zeros(len(sentences))
        by_length = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
        for rows in batches(by_length):
            inputs, lengths = pad([[BOS, *sentences[i]] for i in rows])
            targets, _ = pad([[*sentences[i], EOS] for i in rows])
            log_probs = np.asarray(self.token_log_probs(inputs, targets), dtype=np.float64)
            counted = np.arange(inputs.shape[1]) < lengths[:, None]
            totals[list(rows)] = np.where(counted, log_probs, 0.0).sum(axis=1)
        return totals

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
        return sorted(pairs, key=lambda pair: -pair[1])

    def generate(
        self,
        prompt: str | Sequence[str] = "",
        *,
        sampler: Any = None,
        max_words: int = 20,
        seed: int = 0,
    ) -> Any:
        """Continue a prompt (or each of a list of prompts) until `<eos>` or `max_words`.

        Args:
            prompt: the text so far; it is part of the answer.
            sampler: `zoo.Greedy()` (the default), `zoo.Sample(...)`, `zoo.TopK(...)`,
                `zoo.TopP(...)` or `zoo.Beam(...)`.
            max_words: how many tokens to add at most.
            seed: the same seed gives the same text.
        """
        from zoo import decoding

        prompts = checked_texts([prompt] if isinstance(prompt, str) else prompt)
        checked_count("max_words", max_words, 10_000)
        contexts = [self.tokenizer.encode(text) for text in prompts]
        ids, lengths = pad([[BOS, *context] for context in contexts])
        state = self.consume(ids, lengths - 1)
        last = ids[np.arange(len(ids)), lengths - 1]
        new = self.continued(state, last, sampler or decoding.Greedy(), max_words, seed)
        added = [[int(i) for i in row] for row in np.asarray(new)]
        answers = [
            self.tokenizer.decode([*context, *row])
            for context, row in zip(contexts, added, strict=True)
        ]
        return answers[0] if isinstance(prompt, str) else answers

    def continued(
        self, state: ModelState, first_ids: np.ndarray, sampler: Any, max_words: int, seed: int
    ) -> Tensor:
        """Token ids [batch, max_words] that follow `first_ids`, `<pad>` after `<eos>`."""
        from zoo import decoding

        return decoding.generate(
            self.step, state, first_ids, sampler, max_words, seed, forbidden_ids=NEVER_GENERATED
        )


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


def checked_texts(texts: Iterable[str]) -> list[str]:
    """A list of str, or an error that names what came instead."""
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise ZooError(f"got one {type(texts).__name__} {texts!r:.60}; give a list of str")
    checked = list(texts)
    for text in checked:
        if not isinstance(text, str):
            raise ZooError(f"got a text of type {type(text).__name__}; decode it to str first")
    return checked


def checked_count(name: str, value: int, largest: int) -> int:
    """`value` as a count between 1 and `largest`; a larger one is cut, a smaller one refused."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise ZooError(f"{name}={value!r}: give a whole number from 1 to {largest}")
    return min(int(value), largest)


def refuse_unknown_ids(ids: Tensor, vocabulary_size: int) -> None:
    """Refuse ids outside the vocabulary, for which look-ups would read its other end."""
    try:
        values = np.asarray(ids)
    except Exception:  # inside a graph there are no numbers yet; each backend says so in its way
        return
    wrong = values[(values < 0) | (values >= vocabulary_size)]
    if wrong.size:
        raise ZooError(f"token id {wrong[0]}: ids are from 0 to {vocabulary_size - 1}")


def batches(items: Sequence[Any], size: int = BATCH) -> Iterator[Sequence[Any]]:
    """Consecutive slices of at most `size` items."""
    return (items[i : i + size] for i in range(0, len(items), size))
